//! Upgrades of what an organization has pinned: what one would change, and making it.

use super::{
    App,
    change::{Change, Subject},
};
use crate::resource::{Everyone, Get, Pinned};
use shared_db::{
    error::{Error, Reason, Result},
    service::Caller,
};
use sqlx::PgConnection;

/// What is pinned, what is offered, and why what is configured would not fit.
#[derive(Debug)]
pub struct Upgrade<P: Pinned> {
    pub pinned: P,
    pub offer: P::Offer,
    pub problems: Vec<String>,
}

pub async fn preview<P: Pinned>(app: &App, caller: &Caller, id: P::Id) -> Result<Upgrade<P>> {
    let mut tx = app.db.begin(caller.scope()?).await?;
    let pinned = P::get(&mut tx, caller.org()?, id).await?;
    look(&mut tx, pinned).await
}

/// What is offered is read after what is pinned: of two who hold that one after the other, the second sees no older offer.
async fn look<P: Pinned>(conn: &mut PgConnection, pinned: P) -> Result<Upgrade<P>> {
    let offer = P::Offer::get(conn, Everyone, pinned.offer()).await?;
    let problems = pinned.problems(conn, &offer).await?;
    Ok(Upgrade { pinned, offer, problems })
}

/// Pins what is offered, if it is the version that the caller has seen and what is configured fits it.
pub async fn upgrade<P: Pinned>(
    app: &App,
    caller: &Caller,
    id: P::Id,
    to_version: i32,
) -> Result<P> {
    let org = caller.org()?;
    Change::new(caller, P::UPGRADE, Subject { kind: P::KIND, id: P::uuid(id) })
        .apply(&app.db, async |tx| {
            let pinned = P::hold(tx, org, id).await?;
            let upgrade = look(tx, pinned).await?;
            may_upgrade(&upgrade, format!("{}/{id}", P::KIND), to_version)?;
            P::pin(tx, org, id, &upgrade.offer).await
        })
        .await
}

/// Whether what is offered is what was previewed, and fits.
fn may_upgrade<P: Pinned>(upgrade: &Upgrade<P>, subject: String, expected: i32) -> Result<()> {
    let offered = P::version_of(&upgrade.offer);
    if offered != expected {
        let problem = format!("version {offered} is offered by now; preview it before you upgrade");
        return Err(Error::precondition(Reason::VersionChanged, subject, problem));
    }
    match upgrade.problems.first() {
        Some(first) => {
            let problem = format!("the configuration does not fit version {offered}: {first}");
            Err(Error::precondition(Reason::SchemaMismatch, subject, problem))
        }
        None => Ok(()),
    }
}
