//! The keys of the issuer (JWKS), read again when a token names one that is not among them, and from time to time.

use anyhow::{Context, Result};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse},
};
use std::{path::PathBuf, time::Duration};
use tokio::{
    sync::{Mutex, RwLock},
    time::Instant,
};

/// Keys that the issuer has withdrawn are forgotten after this.
const READ_EVERY: Duration = Duration::from_mins(5);

/// Tokens that name unknown keys make us look no more often than this.
const READ_GAP: Duration = Duration::from_secs(10);

const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const DOCUMENT_BYTES_MAX: usize = 1 << 20;

#[derive(Clone, Debug)]
pub(super) enum Source {
    File(PathBuf),
    Url(reqwest::Client, reqwest::Url),
}

impl Source {
    pub(super) fn url(url: &str) -> Result<Self> {
        let url = url.parse().context("--jwt-jwks-url is not a URL")?;
        let client = reqwest::Client::builder().timeout(FETCH_TIMEOUT).build()?;
        Ok(Self::Url(client, url))
    }

    async fn read(&self) -> Result<JwkSet> {
        let document = match self {
            Self::File(path) => tokio::fs::read(path)
                .await
                .with_context(|| format!("--jwt-jwks-file: cannot read {}", path.display()))?,
            Self::Url(client, url) => fetch(client, url).await?,
        };
        serde_json::from_slice(&document).context("the issuer's keys are not a JWKS document")
    }
}

async fn fetch(client: &reqwest::Client, url: &reqwest::Url) -> Result<Vec<u8>> {
    let mut response = client.get(url.clone()).send().await?.error_for_status()?;
    let mut document = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        anyhow::ensure!(
            document.len() + chunk.len() <= DOCUMENT_BYTES_MAX,
            "the issuer's keys are longer than {DOCUMENT_BYTES_MAX} bytes"
        );
        document.extend_from_slice(&chunk);
    }
    Ok(document)
}

pub(super) struct Keys {
    source: Source,
    known: RwLock<JwkSet>,
    /// When they were last asked for. Whoever holds it is asking.
    asked_at: Mutex<Option<Instant>>,
}

impl Keys {
    /// Reads them once. A file must be readable; an issuer that can't be reached now is asked again.
    pub(super) async fn new(source: Source) -> Result<Self> {
        let known = match (source.read().await, &source) {
            (Ok(known), _) => known,
            (Err(error), Source::File(_)) => return Err(error),
            (Err(error), Source::Url(..)) => {
                tracing::warn!(error = %format_args!("{error:#}"), "the issuer's keys can't be read yet");
                JwkSet { keys: Vec::new() }
            }
        };
        let asked_at = if known.keys.is_empty() { None } else { Some(Instant::now()) };
        Ok(Self { source, known: RwLock::new(known), asked_at: Mutex::new(asked_at) })
    }

    /// The key that a token says it was signed with.
    pub(super) async fn find(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Option<DecodingKey> {
        self.refresh(READ_EVERY).await;
        if let Some(key) = self.among_known(kid, algorithm).await {
            return Some(key);
        }
        self.refresh(READ_GAP).await;
        self.among_known(kid, algorithm).await
    }

    async fn among_known(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let known = self.known.read().await;
        let mut fitting = known.keys.iter().filter(|it| fits(it, algorithm));
        let key = match kid {
            Some(kid) => fitting.find(|it| it.common.key_id.as_deref() == Some(kid)),
            // Without a name only the issuer's one and only key can be meant.
            None => fitting.next().filter(|_| fitting.next().is_none()),
        };
        DecodingKey::from_jwk(key?).ok()
    }

    /// Reads them again if they are older than `age`. What is known stays when they can't be read.
    async fn refresh(&self, age: Duration) {
        let mut asked_at = self.asked_at.lock().await;
        if asked_at.is_some_and(|at| at.elapsed() < age) {
            return;
        }
        *asked_at = Some(Instant::now());
        match self.source.read().await {
            Ok(known) => *self.known.write().await = known,
            Err(error) => {
                tracing::warn!(error = %format_args!("{error:#}"), "the issuer's keys can't be read");
            }
        }
    }
}

/// Whether a key is one for signatures by `algorithm`.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let named =
        key.common.key_algorithm.is_none_or(|it| it.to_string() == format!("{algorithm:?}"));
    let signs = matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let fits = |it: &AlgorithmParameters| {
        if let AlgorithmParameters::EllipticCurve(it) = it {
            return algorithm == Algorithm::ES256 && it.curve == EllipticCurve::P256;
        }
        if let AlgorithmParameters::OctetKeyPair(it) = it {
            return algorithm == Algorithm::EdDSA && it.curve == EllipticCurve::Ed25519;
        }
        matches!(it, AlgorithmParameters::RSA(_)) && algorithm == Algorithm::RS256
    };
    named && signs && fits(&key.algorithm)
}
