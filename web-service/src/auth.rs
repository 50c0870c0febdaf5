//! Who is calling: a key of an organization, a token of a configured issuer, or the platform itself. Never runtime-service.

pub mod api_key;
pub mod cache;
pub mod jwt;
pub mod platform;

use crate::{Config, app::App, store::identity::purges};
use api_key::ApiKeys;
use cache::{Cache, Known};
use jwt::Tokens;
use platform::PlatformKey;
use sha2::{Digest, Sha256};
use shared_db::{
    clock::Clock,
    error::{Error, Reason, Result},
    ids::OrganizationId,
    scope::{Db, Scope},
    service::{Authenticate, Call, Caller, auth::credentials_missing},
};
use std::{hint::black_box, sync::Arc};

/// The header that names the organization to act in, for callers that may act in several.
pub const ORGANIZATION_HEADER: &str = "x-freehold-org";

/// What certificates of runtime-service call it. It has no business here.
pub const RUNTIME_PEER: &str = "spiffe://freehold/runtime-service";

/// SHA-256 of a secret: what is kept and compared in its place.
pub type Hash = [u8; 32];

#[derive(Clone)]
pub struct Authentication(Arc<Inner>);

struct Inner {
    platform: Option<PlatformKey>,
    runtime_key: Option<Hash>,
    api_keys: ApiKeys,
    tokens: Option<Tokens>,
    cache: Cache,
    clock: Clock,
    db: Db,
}

impl Authentication {
    pub async fn new(app: &App, config: &Config) -> anyhow::Result<Self> {
        let runtime_key = config.runtime_key.read()?;
        Ok(Self(Arc::new(Inner {
            platform: PlatformKey::new(app.db.clone(), &config.auth)?,
            runtime_key: runtime_key.map(|it| hash(it.expose())),
            api_keys: ApiKeys::new(app.db.clone(), app.clock.clone()),
            tokens: Tokens::new(app.db.clone(), &config.auth).await?,
            cache: app.callers.clone(),
            clock: app.clock.clone(),
            db: app.db.clone(),
        })))
    }
}

impl Authenticate for Authentication {
    async fn authenticate(&self, call: &Call) -> Result<Caller> {
        self.0.authenticate(call).await
    }
}

impl Inner {
    async fn authenticate(&self, call: &Call) -> Result<Caller> {
        if call.peer.iter().any(|it| it == RUNTIME_PEER) {
            return Err(runtime_refused());
        }
        let bearer = call.bearer().ok_or_else(credentials_missing)?;
        let secret = hash(bearer);
        if self.runtime_key.as_ref().is_some_and(|it| same(it, &secret)) {
            return Err(runtime_refused());
        }
        let org = named_organization(call)?;
        let entry = self.cache.entry(secret, org);
        let now = self.clock.now();
        if let Some(known) = self.cache.get(&entry).await
            && known.expires_at.is_none_or(|at| now < at)
        {
            return admitted(&known, call);
        }
        let mut known = self.look_up(bearer, &secret, org).await?;
        if let Some(org) = known.caller.org {
            let mut tx = self.db.begin(Scope::Platform).await?;
            known.being_purged = purges::is_under_way(&mut tx, org.0).await?;
        }
        let known = Arc::new(known);
        self.cache.put(entry, known.clone()).await;
        admitted(&known, call)
    }

    async fn look_up(
        &self,
        bearer: &str,
        secret: &Hash,
        org: Option<OrganizationId>,
    ) -> Result<Known> {
        if let Some(platform) = self.platform.as_ref().filter(|it| it.is(secret)) {
            return platform.caller(org).await;
        }
        if bearer.starts_with(api_key::START) {
            return self.api_keys.caller(bearer, org).await;
        }
        match &self.tokens {
            Some(tokens) => tokens.caller(bearer, org).await,
            None => Err(credentials_invalid("the key is not one of this platform")),
        }
    }
}

/// What may still be called in an organization that is being purged.
const OF_PURGES: [&str; 2] = [
    "freehold.web.v1.PurgeService/GetPurge",
    "freehold.web.v1.OrganizationService/PurgeOrganization",
];

/// The caller, unless its organization takes no calls any more.
fn admitted(known: &Known, call: &Call) -> Result<Caller> {
    if !known.being_purged || OF_PURGES.contains(&call.method.full_name.as_str()) {
        return Ok(known.caller.clone());
    }
    let org = known.caller.org.map(|it| it.to_string()).unwrap_or_default();
    let problem = "the organization is being purged, and takes no more calls";
    Err(Error::precondition(
        Reason::OrganizationBeingPurged,
        format!("organization/{org}"),
        problem,
    ))
}

/// The organization that the call names, if it names one.
fn named_organization(call: &Call) -> Result<Option<OrganizationId>> {
    let Some(value) = call.headers.get(ORGANIZATION_HEADER) else { return Ok(None) };
    let org = value.to_str().ok().and_then(|it| it.trim().parse().ok());
    org.map(Some).ok_or_else(|| Error::invalid(ORGANIZATION_HEADER, "must be a UUID"))
}

fn runtime_refused() -> Error {
    let problem = "runtime-service may not call web-service; calls go one way".to_owned();
    Error::Denied { reason: Reason::PeerNotAllowed, problem }
}

fn credentials_invalid(problem: &'static str) -> Error {
    Error::Unauthenticated { reason: Reason::CredentialsInvalid, problem: problem.into() }
}

fn user_inactive() -> Error {
    let problem = "the user is not active".to_owned();
    Error::Denied { reason: Reason::UserInactive, problem }
}

pub fn hash(secret: &str) -> Hash {
    Sha256::digest(secret).into()
}

/// Compares in a time that does not depend on where the two differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    let differs = one.iter().zip(other).fold(0, |sum, (a, b)| black_box(sum | (a ^ b)));
    one.len() == other.len() && differs == 0
}
