//! API keys: `fh_<prefix>_<secret>`. The prefix finds the row; the secret's hash is compared.

use super::{Hash, cache::Known, credentials_invalid, hash, same, user_inactive};
use crate::store::identity::api_keys::{self, Credential};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use moka::future::Cache;
use rand::{Rng, RngCore, distr::Alphanumeric};
use shared_db::{
    clock::Clock,
    error::{Error, Result},
    ids::{ApiKeyId, OrganizationId},
    scope::{Db, Scope},
    service::{Caller, Secret, caller::Role},
};
use std::time::Duration;

pub(super) const START: &str = "fh_";

const PREFIX_CHARS: usize = 12;
const SECRET_BYTES: usize = 32;
const SECRET_CHARS: usize = 43;

/// `last_used_at` is true to this.
const TOUCH_EVERY: Duration = Duration::from_mins(1);

/// A key as it is made, and never again.
#[derive(Debug)]
pub struct NewKey {
    pub prefix: String,
    pub hash: Hash,
    /// The whole of it, for the caller alone.
    pub key: Secret,
}

impl NewKey {
    pub fn generate() -> Self {
        let mut rng = rand::rng();
        let prefix: String =
            (&mut rng).sample_iter(Alphanumeric).take(PREFIX_CHARS).map(char::from).collect();
        let mut secret = [0; SECRET_BYTES];
        rng.fill_bytes(&mut secret);
        let secret = URL_SAFE_NO_PAD.encode(secret);
        let key = format!("{START}{prefix}_{secret}");
        Self { hash: hash(&secret), prefix, key: Secret::from(key) }
    }
}

pub(super) struct ApiKeys {
    db: Db,
    clock: Clock,
    /// Keys whose use was noted within the last minute.
    touched: Cache<ApiKeyId, ()>,
}

impl ApiKeys {
    pub(super) fn new(db: Db, clock: Clock) -> Self {
        let touched = Cache::builder().max_capacity(10_000).time_to_live(TOUCH_EVERY).build();
        Self { db, clock, touched }
    }

    /// Whom a key stands for. `org` is the organization that the call names beside it, if it names one.
    pub(super) async fn caller(&self, key: &str, org: Option<OrganizationId>) -> Result<Known> {
        let (prefix, secret) = parts(key).ok_or_else(unknown)?;
        let found = {
            let mut tx = self.db.begin(Scope::Platform).await?;
            api_keys::find(&mut tx, prefix).await?
        };
        // A prefix that nobody has costs what a wrong secret costs.
        let nothing = [0; 32];
        let expected = found.as_ref().map_or(nothing.as_slice(), |it| &it.key_hash);
        let matches = same(expected, &hash(secret));
        let credential = found.filter(|_| matches).ok_or_else(unknown)?;
        self.usable(&credential)?;
        if let Some(org) = org.filter(|it| *it != credential.org_id) {
            return Err(Error::not_found("organization", org));
        }
        self.touch(&credential).await;
        Ok(known(credential))
    }

    fn usable(&self, it: &Credential) -> Result<()> {
        if it.revoked_at.is_some() {
            return Err(credentials_invalid("the key was revoked; make a new one"));
        }
        if it.expires_at.is_some_and(|at| at <= self.clock.now()) {
            return Err(credentials_invalid("the key has expired; make a new one"));
        }
        if it.user_id.is_some() {
            if it.active != Some(true) {
                return Err(user_inactive());
            }
            // Its key goes with a member; this one was on its way out.
            it.member_role.ok_or_else(unknown)?;
        }
        Ok(())
    }

    /// Notes that the key was used, off the path of the call.
    async fn touch(&self, it: &Credential) {
        let (db, org, id) = (self.db.clone(), it.org_id, it.id);
        if !self.touched.entry(id).or_insert(()).await.is_fresh() {
            return;
        }
        tokio::spawn(async move {
            let noted = async {
                let mut tx = db.begin(Scope::Tenant(org, None)).await?;
                api_keys::touch(&mut tx, org, id).await?;
                tx.commit().await
            };
            if let Err(error) = noted.await {
                tracing::warn!(%error, api_key = %id, "the use of a key was not noted");
            }
        });
    }
}

/// The caller behind a credential that is good. A key can do no more than the member that it acts for, and one that was given a
/// lower role was given it to do less: it has none of the member's permissions.
fn known(it: Credential) -> Known {
    let role = it.member_role.map_or(it.role, |member| member.min(it.role));
    let whole = it.member_role == Some(role);
    let permissions = it.permissions.filter(|_| whole).unwrap_or_default();
    let caller = Caller {
        org: Some(it.org_id),
        user: it.user_id,
        api_key: Some(it.id),
        role: Role::from(role),
        permissions: permissions.into(),
    };
    Known { caller, expires_at: it.expires_at, being_purged: false }
}

/// The prefix and the secret of a key that is well formed.
fn parts(key: &str) -> Option<(&str, &str)> {
    let (prefix, secret) = key.strip_prefix(START)?.split_at_checked(PREFIX_CHARS)?;
    let secret = secret.strip_prefix('_')?;
    let formed = prefix.bytes().all(|it| it.is_ascii_alphanumeric())
        && secret.len() == SECRET_CHARS
        && secret.is_ascii();
    formed.then_some((prefix, secret))
}

fn unknown() -> Error {
    credentials_invalid("the key is unknown; check that it was copied whole")
}
