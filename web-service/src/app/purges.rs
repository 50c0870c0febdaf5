//! Erasing organizations and people: who may ask for it, and what changes at once. The rest is done by [`worker`], in any replica.

pub mod worker;

use super::{App, change::Change, view};
use crate::store::identity::{
    members, organizations,
    purges::{self, NewPurge, Purge},
    users,
};
use clap::Args;
use shared_db::{
    enums::PurgeSubject,
    error::{Error, Reason, Result},
    ids::{OrganizationId, PurgeId, UserId},
    scope::Scope,
    service::{Caller, config::duration},
};
use sqlx::PgConnection;
use std::time::Duration;

#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Purges")]
pub struct PurgeConfig {
    /// How often purges that nobody works on are looked for
    #[arg(long, env = "FREEHOLD_PURGE_INTERVAL", default_value = "5s", value_parser = duration)]
    pub purge_interval: Duration,
    /// How long after a purge was asked for nothing is erased yet. Absent: for as long as a call may take and a key is remembered
    #[arg(long, env = "FREEHOLD_PURGE_SETTLE", value_parser = duration)]
    pub purge_settle: Option<Duration>,
}

/// A purge, for whom it concerns; to others there is none.
pub async fn get(app: &App, caller: &Caller, id: PurgeId) -> Result<Purge> {
    let mut tx = app.db.begin(Scope::Platform).await?;
    let purge = purges::get(&mut tx, id).await?;
    let asked = caller.user.is_some() && purge.requested_by == caller.user;
    let own = caller.org.is_some_and(|it| it.0 == purge.subject_id);
    if caller.is_platform() || asked || own {
        return Ok(purge);
    }
    Err(Error::not_found("purge", id))
}

/// From now on the organization takes no calls.
pub async fn organization(
    app: &App,
    caller: &Caller,
    org: OrganizationId,
    confirm_slug: &str,
) -> Result<Purge> {
    let mut tx = app.db.begin(Scope::Platform).await?;
    let organization = organizations::get(&mut tx, org).await?;
    if organization.slug != confirm_slug {
        return Err(Error::invalid("confirm_slug", "is not the slug of this organization"));
    }
    let new = NewPurge {
        subject: PurgeSubject::Organization,
        subject_id: org.0,
        requested_by: caller.user,
        settle: app.settle,
    };
    let purge = purges::create(&mut tx, PurgeId::generate(), new).await?;
    tx.commit().await?;
    app.callers.forget();
    // Its own trail goes with it.
    Change::new(caller, "PurgeOrganization", org).log();
    Ok(purge)
}

/// From now on the user can not call, owns nothing, and its address is free.
pub async fn user(app: &App, caller: &Caller, id: UserId) -> Result<Purge> {
    may_purge(app, caller, id).await?;
    let mut tx = app.db.begin(Scope::Platform).await?;
    let user = users::get(&mut tx, None, id).await?;
    if let Some(under_way) = purges::find(&mut tx, id.0).await? {
        return Ok(under_way);
    }
    let organizations = users::organizations(&mut tx, user.id).await?;
    for org in &organizations {
        must_not_be_last_owner(&mut tx, *org, id).await?;
    }
    let new = NewPurge {
        subject: PurgeSubject::User,
        subject_id: id.0,
        requested_by: caller.user,
        settle: app.settle,
    };
    let purge = purges::create(&mut tx, PurgeId::generate(), new).await?;
    users::withdraw(&mut tx, id, purge.id).await?;
    let change = Change::new(caller, "PurgeUser", id);
    for org in &organizations {
        change.clone().in_trail_of(*org).append(&mut tx).await?;
    }
    tx.commit().await?;
    change.log();
    app.callers.forget();
    Ok(purge)
}

async fn may_purge(app: &App, caller: &Caller, id: UserId) -> Result<()> {
    if caller.is_platform() || caller.user == Some(id) {
        return Ok(());
    }
    // Whether there is such a user is told to who sees it anyway.
    let hidden = || Error::not_found("user", id);
    let (scope, org) = view(caller).map_err(|_| hidden())?;
    users::get(&mut *app.db.begin(scope).await?, org, id).await?;
    let problem = "people purge themselves, and the platform purges anyone".to_owned();
    Err(Error::Denied { reason: Reason::RoleTooLow, problem })
}

/// Under the lock of its owners, so that two who go at once are counted one after the other.
async fn must_not_be_last_owner(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: UserId,
) -> Result<()> {
    let owners = members::lock_owners(conn, org).await?;
    if !owners.end_with(id) || purges::is_under_way(conn, org.0).await? {
        return Ok(());
    }
    let problem = "the user is the last owner of the organization; make someone else owner, or purge the organization, first";
    Err(Error::precondition(Reason::LastOwner, format!("organization/{org}"), problem))
}
