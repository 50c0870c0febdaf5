//! Who may call: web-service, known by the name in its certificate or, in development, by a key. For whom it calls stands in the
//! metadata.

use crate::config::CallersConfig;
use sha2::{Digest, Sha256};
use shared_db::{
    error::{Error, Reason, Result},
    ids::OrganizationId,
    service::{
        Authenticate, Call, Secret,
        auth::credentials_missing,
        caller::{Caller, Role},
    },
};
use std::{str::FromStr, sync::Arc};

#[derive(Clone)]
pub struct WebOnly {
    web_name: Arc<str>,
    key: Option<Secret>,
}

impl WebOnly {
    pub fn new(config: &CallersConfig) -> anyhow::Result<Self> {
        let key = config.runtime_key.read()?.filter(|it| !it.expose().is_empty());
        Ok(Self { web_name: config.web_name.as_str().into(), key })
    }

    /// A peer with a certificate is judged by it alone; one without needs the key.
    fn admit(&self, call: &Call) -> Result<()> {
        if call.peer.iter().any(|name| **name == *self.web_name) {
            return Ok(());
        }
        if let Some(name) = call.peer.first() {
            return Err(Error::Denied {
                reason: Reason::PeerNotAllowed,
                problem: format!("{name} may not call runtime-service; only web-service may"),
            });
        }
        match (call.bearer(), &self.key) {
            (None, _) => Err(credentials_missing()),
            (Some(shown), Some(key)) if same(shown, key.expose()) => Ok(()),
            (Some(_), _) => Err(Error::Unauthenticated {
                reason: Reason::CredentialsInvalid,
                problem: "this is not the key of web-service".into(),
            }),
        }
    }
}

impl Authenticate for WebOnly {
    async fn authenticate(&self, call: &Call) -> Result<Caller> {
        self.admit(call)?;
        Ok(Caller {
            // A handler that needs one asks the caller for it: what is done to a person is done in none.
            org: named::<OrganizationId>(call, "x-freehold-org")?,
            user: named(call, "x-freehold-user")?,
            api_key: None,
            role: Role::WebService,
            permissions: Arc::default(),
        })
    }
}

/// The id that a header holds, if it is there.
fn named<T: FromStr>(call: &Call, header: &'static str) -> Result<Option<T>> {
    let parsed = call.header(header).map(str::parse);
    parsed.transpose().map_err(|_| Error::invalid(header, "must be a UUID"))
}

/// Compares digests, so that the time it takes tells nothing of the key.
fn same(shown: &str, key: &str) -> bool {
    Sha256::digest(shown) == Sha256::digest(key)
}
