//! Users: who may change whom.

use super::{App, change::Change};
use crate::store::identity::users::{self, User, UserPatch};
use shared_db::{
    error::{Error, Reason, Result},
    ids::{Etag, OrganizationId, UserId},
    scope::Scope,
    service::Caller,
};

/// Whom the caller sees: the platform everyone, unless it acts in an organization; others the members of theirs.
pub fn visible(caller: &Caller) -> Result<(Scope, Option<OrganizationId>)> {
    match caller.org {
        None if caller.is_platform() => Ok((Scope::Platform, None)),
        _ => Ok((caller.scope()?, Some(caller.org()?))),
    }
}

/// Changes the caller's own user, or anyone for the platform.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: UserId,
    etag: Option<Etag>,
    patch: UserPatch,
    fields: Vec<String>,
) -> Result<User> {
    if !caller.is_platform() && caller.user != Some(id) {
        let (scope, org) = visible(caller)?;
        users::get(&mut *app.db.begin(scope).await?, org, id).await?;
        let problem = "people change themselves, and the platform changes anyone".to_owned();
        return Err(Error::Denied { reason: Reason::RoleTooLow, problem });
    }
    // The organization that a user prefers may be another than the one that this call acts in.
    Change::new(caller, "UpdateUser", id)
        .fields(fields)
        .across_organizations()
        .apply(&app.db, async |tx| users::update(tx, id, etag, patch).await)
        .await
}

/// Takes away every way of a user to call, or gives it back.
pub async fn set_active(app: &App, caller: &Caller, id: UserId, active: bool) -> Result<User> {
    let action = if active { "ReactivateUser" } else { "DeactivateUser" };
    let user = Change::new(caller, action, id)
        .across_organizations()
        .apply(&app.db, async |tx| users::set_active(tx, id, active).await)
        .await?;
    app.callers.forget();
    Ok(user)
}
