//! API keys: making one that can do no more than who makes it, and revoking one.

use super::{App, change::Change, must_reach};
use crate::{
    auth::api_key::NewKey,
    store::identity::api_keys::{self, ApiKey, NewApiKey},
};
use chrono::{DateTime, Utc};
use shared_db::{
    enums::MemberRole,
    error::{Error, Reason, Result},
    ids::{ApiKeyId, UserId},
    service::{Caller, Secret},
};

/// A key as a caller asks for it.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub name: String,
    pub role: MemberRole,
    /// The member that it is to act for.
    pub user: Option<UserId>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// Makes a key. The secret is given out this once.
pub async fn create(app: &App, caller: &Caller, wanted: Wanted) -> Result<(ApiKey, Secret)> {
    let org = caller.org()?;
    must_reach(caller, wanted.role, "the role of a key may not exceed that of who makes it")?;
    must_be_own(caller, wanted.user)?;
    if wanted.expires_at.is_some_and(|at| at <= app.clock.now()) {
        return Err(Error::invalid("api_key.expire_time", "must be in the future"));
    }
    let id = ApiKeyId::generate();
    let secret = NewKey::generate();
    let new = NewApiKey {
        name: wanted.name,
        prefix: secret.prefix,
        key_hash: secret.hash,
        role: wanted.role,
        user_id: wanted.user,
        expires_at: wanted.expires_at,
        created_by: caller.user,
    };
    let key = Change::new(caller, "CreateApiKey", id)
        .apply(&app.db, async |tx| api_keys::create(tx, org, id, new).await)
        .await?;
    Ok((key, secret.key))
}

/// Revokes a key for good.
pub async fn revoke(app: &App, caller: &Caller, id: ApiKeyId) -> Result<ApiKey> {
    let org = caller.org()?;
    let key = Change::new(caller, "RevokeApiKey", id)
        .apply(&app.db, async |tx| api_keys::revoke(tx, org, id).await)
        .await?;
    app.callers.forget();
    Ok(key)
}

/// Whoever holds the key of a person is that person: sees what is private to them, and may purge them everywhere.
fn must_be_own(caller: &Caller, user: Option<UserId>) -> Result<()> {
    if caller.is_platform() || user.is_none_or(|it| caller.user == Some(it)) {
        return Ok(());
    }
    let problem = "people make keys that act for themselves or for nobody, and the platform makes them for anyone; leave out api_key.user_id";
    Err(Error::Denied { reason: Reason::RoleTooLow, problem: problem.to_owned() })
}
