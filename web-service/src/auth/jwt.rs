//! Tokens (JWT) of one configured issuer. The organization comes with the call, the role from the membership in it. A system administrator
//! needs none: in whatever organization it names it does what the platform does, as itself.

mod keys;

use super::{cache::Known, credentials_invalid, user_inactive};
use crate::{
    config::AuthConfig,
    store::{
        enums::SystemRole,
        identity::{organizations, users},
    },
};
use anyhow::Context;
use chrono::DateTime;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use keys::{Keys, Source};
use moka::future::Cache;
use serde::Deserialize;
use shared_db::{
    error::{Error, Result},
    ids::{OrganizationId, UserId},
    scope::{Db, Scope},
    service::{Caller, caller::Role},
};
use std::time::Duration;

/// Signatures that anyone can check and only the issuer can make.
const ALGORITHMS: &[Algorithm] = &[Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

const LEEWAY_SECONDS: u64 = 30;

/// A token is longer than any that an issuer makes.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

const TOUCH_EVERY: Duration = Duration::from_hours(1);

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
}

pub(super) struct Tokens {
    db: Db,
    keys: Keys,
    validation: Validation,
    /// Users whose call was noted within the last hour.
    touched: Cache<UserId, ()>,
}

impl Tokens {
    /// `None` when no issuer is configured.
    pub(super) async fn new(db: Db, config: &AuthConfig) -> anyhow::Result<Option<Self>> {
        let Some(issuer) = &config.jwt_issuer else { return Ok(None) };
        let audience = config.jwt_audience.as_ref().context("--jwt-audience is required")?;
        let source = match (&config.jwt_jwks_url, &config.jwt_jwks_file) {
            (Some(url), _) => Source::url(url)?,
            (None, Some(path)) => Source::File(path.clone()),
            (None, None) => anyhow::bail!("--jwt-jwks-url or --jwt-jwks-file is required"),
        };
        let mut validation = Validation::new(Algorithm::RS256);
        validation.algorithms = ALGORITHMS.to_vec();
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let touched = Cache::builder().max_capacity(10_000).time_to_live(TOUCH_EVERY).build();
        Ok(Some(Self { db, keys: Keys::new(source).await?, validation, touched }))
    }

    /// Whom a token stands for, in `org` if the call names one.
    pub(super) async fn caller(&self, token: &str, org: Option<OrganizationId>) -> Result<Known> {
        let claims = self.verify(token).await?;
        let mut tx = self.db.begin(Scope::Platform).await?;
        let found = users::find_by_subject(&mut tx, &claims.sub, org).await?;
        let unknown = || credentials_invalid("the token's subject is no user of this platform");
        let found = found.ok_or_else(unknown)?;
        if !found.active {
            return Err(user_inactive());
        }
        let role = match (org, found.system_role, found.role) {
            (None, ..) => Role::AnyCaller,
            (Some(org), SystemRole::SystemAdmin, _) => {
                organizations::get(&mut tx, org).await?;
                Role::Platform
            }
            (Some(_), SystemRole::User, Some(role)) => Role::from(role),
            // Whether there is such an organization is none of the caller's business.
            (Some(org), SystemRole::User, None) => {
                return Err(Error::not_found("organization", org));
            }
        };
        drop(tx);
        self.touch(found.id).await;
        let permissions = found.permissions.unwrap_or_default().into();
        let caller = Caller { org, user: Some(found.id), api_key: None, role, permissions };
        Ok(Known {
            caller,
            expires_at: DateTime::from_timestamp(claims.exp, 0),
            being_purged: false,
        })
    }

    async fn verify(&self, token: &str) -> Result<Claims> {
        let malformed = || credentials_invalid("neither a key of this platform nor a token");
        if TOKEN_BYTES_MAX < token.len() {
            return Err(malformed());
        }
        let header = decode_header(token).map_err(|_| malformed())?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(credentials_invalid("the token must be signed by RS256, ES256 or EdDSA"));
        }
        let key = self.keys.find(header.kid.as_deref(), header.alg).await;
        let key =
            key.ok_or_else(|| credentials_invalid("no key of the issuer signed this token"))?;
        let mut validation = self.validation.clone();
        validation.algorithms = vec![header.alg];
        let data = decode::<Claims>(token, &key, &validation).map_err(|error| {
            tracing::debug!(%error, "a token was refused");
            credentials_invalid(
                "the token is expired, not yet valid, not signed by the issuer, or meant for someone else",
            )
        })?;
        Ok(data.claims)
    }

    /// Notes that the user has called, off the path of the call.
    async fn touch(&self, user: UserId) {
        if !self.touched.entry(user).or_insert(()).await.is_fresh() {
            return;
        }
        let db = self.db.clone();
        tokio::spawn(async move {
            let noted = async {
                let mut tx = db.begin(Scope::Platform).await?;
                users::touch(&mut tx, user).await?;
                tx.commit().await
            };
            if let Err(error) = noted.await {
                tracing::warn!(%error, %user, "the call of a user was not noted");
            }
        });
    }
}
