//! Hiring, and what an upgrade of somebody hired would change.

use crate::{
    app::{
        App,
        change::{Change, Subject},
        once::{Asked, once},
    },
    configs,
    resource::{Everyone, Get, Resource},
    store::marketplace::{
        hired_employees::{self, HiredEmployee, NewHiredEmployee},
        virtual_employees::VirtualEmployee,
    },
};
use shared_db::{
    error::{Error, Reason, Result},
    ids::{HiredEmployeeId, VirtualEmployeeId},
    service::Caller,
};
use sqlx::PgConnection;

/// What is pinned, what is offered, and why the configuration would not fit.
#[derive(Debug)]
pub struct Upgrade {
    pub pinned: HiredEmployee,
    pub offer: VirtualEmployee,
    pub problems: Vec<String>,
}

pub async fn hire(
    app: &App,
    caller: &Caller,
    asked: &Asked,
    whom: VirtualEmployeeId,
    new: NewHiredEmployee,
) -> Result<<HiredEmployee as Resource>::Wire> {
    let (org, id) = (caller.org()?, HiredEmployeeId::generate());
    once(app, caller, asked, id, async |tx| {
        let whom = VirtualEmployee::get(tx, Everyone, whom).await?;
        hired_employees::hire(tx, org, id, &whom, new, caller.user).await
    })
    .await
}

pub async fn preview(app: &App, caller: &Caller, id: HiredEmployeeId) -> Result<Upgrade> {
    let mut tx = app.db.begin(caller.scope()?).await?;
    let pinned = HiredEmployee::get(&mut tx, caller.org()?, id).await?;
    look(&mut tx, pinned).await
}

/// What is offered is read after what is pinned: of two who hold that one after the other, the second sees no older offer.
async fn look(conn: &mut PgConnection, pinned: HiredEmployee) -> Result<Upgrade> {
    let offer = VirtualEmployee::get(conn, Everyone, pinned.virtual_employee_id).await?;
    let problems = configs::problems(&offer.config_schema, &pinned.config)?;
    Ok(Upgrade { pinned, offer, problems })
}

/// Pins what is offered, if it is the version that the caller has seen and the configuration fits it.
pub async fn upgrade(
    app: &App,
    caller: &Caller,
    id: HiredEmployeeId,
    to_version: i32,
) -> Result<HiredEmployee> {
    let org = caller.org()?;
    Change::new(caller, "UpgradeEmployee", subject(id))
        .apply(&app.db, async |tx| {
            let pinned = hired_employees::hold(tx, org, id).await?;
            let upgrade = look(tx, pinned).await?;
            let place = format!("hired_employee/{id}");
            may_upgrade(place, upgrade.offer.version, to_version, &upgrade.problems)?;
            hired_employees::pin(tx, org, id, &upgrade.offer).await
        })
        .await
}

/// Whether what is offered is what was previewed, and fits.
pub fn may_upgrade(
    subject: String,
    offered: i32,
    expected: i32,
    problems: &[String],
) -> Result<()> {
    if offered != expected {
        let problem = format!("version {offered} is offered by now; preview it before you upgrade");
        return Err(Error::precondition(Reason::VersionChanged, subject, problem));
    }
    match problems.first() {
        Some(first) => {
            let problem = format!("the configuration does not fit version {offered}: {first}");
            Err(Error::precondition(Reason::SchemaMismatch, subject, problem))
        }
        None => Ok(()),
    }
}

fn subject(id: HiredEmployeeId) -> Subject {
    Subject { kind: "hired_employee", id: id.0 }
}
