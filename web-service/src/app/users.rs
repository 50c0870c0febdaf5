//! Users: who may change whom.

use super::{App, change::Change, view};
use crate::store::{
    enums::SystemRole,
    identity::users::{self, User, UserPatch},
};
use shared_db::{
    error::{Error, Reason, Result},
    ids::{Etag, UserId},
    scope::Scope,
    service::Caller,
};
use sqlx::PgConnection;

/// Changes the caller's own user, or anyone for the platform. Who administers the system is for the platform's own key to say: an
/// administrator makes no other.
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
    let is_key_of_platform = caller.is_platform() && caller.user.is_none();
    let changes_role = patch.system_role.is_some();
    let may_keep = patch.system_role.filter(|_| !is_key_of_platform);
    // The organization that a user prefers may be another than the one that this call acts in.
    let user = Change::new(caller, "UpdateUser", id)
        .fields(fields)
        .across_organizations()
        .apply(&app.db, async |tx| {
            if let Some(role) = may_keep {
                must_have(tx, id, role).await?;
            }
            users::update(tx, id, etag, patch).await
        })
        .await?;
    if changes_role {
        app.callers.forget();
    }
    Ok(user)
}

/// Saying what is so already changes nothing.
async fn must_have(conn: &mut PgConnection, id: UserId, role: SystemRole) -> Result<()> {
    if users::get(conn, None, id).await?.system_role == role {
        return Ok(());
    }
    let problem = "only the platform's own key says who administers the system".to_owned();
    Err(Error::Denied { reason: Reason::RoleTooLow, problem })
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
