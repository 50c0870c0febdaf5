//! The platform itself, known by one key of the configuration.

use super::{Hash, cache::Known, hash, same};
use crate::{config::AuthConfig, store::identity::organizations};
use anyhow::ensure;
use shared_db::{
    error::Result,
    ids::OrganizationId,
    scope::{Db, Scope},
    service::{Caller, caller::Role},
};

const KEY_CHARS_MIN: usize = 32;

pub(super) struct PlatformKey {
    hash: Hash,
    db: Db,
}

impl PlatformKey {
    /// `None` when there is no key: then nobody is the platform.
    pub(super) fn new(db: Db, config: &AuthConfig) -> anyhow::Result<Option<Self>> {
        let Some(key) = config.platform_key.read()? else { return Ok(None) };
        let chars = key.expose().chars().count();
        ensure!(
            KEY_CHARS_MIN <= chars,
            "--platform-key must have at least {KEY_CHARS_MIN} characters"
        );
        Ok(Some(Self { hash: hash(key.expose()), db }))
    }

    pub(super) fn is(&self, secret: &Hash) -> bool {
        same(&self.hash, secret)
    }

    /// The platform, acting in `org` if one is named. It must exist.
    pub(super) async fn caller(&self, org: Option<OrganizationId>) -> Result<Known> {
        if let Some(org) = org {
            organizations::get(&mut *self.db.begin(Scope::Platform).await?, org).await?;
        }
        let permissions = [].into();
        let caller = Caller { org, user: None, api_key: None, role: Role::Platform, permissions };
        Ok(Known { caller, expires_at: None, being_purged: false })
    }
}
