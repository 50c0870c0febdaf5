//! Users: who may change whom.

use super::{App, change::Change, view};
use crate::store::identity::users::{self, User, UserPatch};
use shared_db::{
    error::{Error, Reason, Result},
    ids::{Etag, UserId},
    scope::Scope,
    service::Caller,
};

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
        let (scope, org) = view(caller)?;
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

/// Takes away every way of a user to call, or gives it back. Every organization that it is a member of gets to know.
pub async fn set_active(app: &App, caller: &Caller, id: UserId, active: bool) -> Result<User> {
    let action = if active { "ReactivateUser" } else { "DeactivateUser" };
    let change = Change::new(caller, action, id);
    let mut tx = app.db.begin(Scope::Platform).await?;
    let user = users::set_active(&mut tx, id, active).await?;
    let organizations = users::organizations(&mut tx, id).await?;
    for org in &organizations {
        change.clone().in_trail_of(*org).append(&mut tx).await?;
    }
    tx.commit().await?;
    if organizations.is_empty() {
        change.log();
    }
    app.callers.forget();
    Ok(user)
}
