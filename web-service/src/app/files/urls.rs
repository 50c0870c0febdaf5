//! Signed URLs: whoever has one can download one file of one organization until it expires.

use anyhow::ensure;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::Sha256;
use shared_db::{
    ids::{FileId, OrganizationId},
    service::Secret,
};
use std::{fmt, sync::Arc};

const KEY_CHARACTERS_MIN: usize = 32;

/// Keeps these signatures from being anything else's under the same key.
const PURPOSE: &str = "freehold file url 1";

/// Makes URLs of files, and knows its own again.
#[derive(Clone)]
pub struct FileUrls {
    base: Arc<str>,
    key: Hmac<Sha256>,
}

/// What a URL allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    pub org: OrganizationId,
    pub id: FileId,
    pub expires: DateTime<Utc>,
}

/// Why a URL allows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no URL of a file.
    Unknown,
    Forged,
    Expired,
}

impl FileUrls {
    pub fn new(base: &str, key: Option<&Secret>) -> anyhow::Result<Self> {
        let scheme = base.starts_with("http://") || base.starts_with("https://");
        ensure!(scheme, "--files-url must begin with http:// or https://");
        let mut random = [0; 32];
        rand::rng().fill_bytes(&mut random);
        let key = match key {
            Some(key) => {
                let long = KEY_CHARACTERS_MIN <= key.expose().chars().count();
                ensure!(long, "--file-url-key must have at least {KEY_CHARACTERS_MIN} characters");
                key.expose().as_bytes()
            }
            None => &random,
        };
        let key = Hmac::new_from_slice(key).expect("HMAC takes keys of any length");
        Ok(Self { base: base.trim_end_matches('/').into(), key })
    }

    pub fn sign(&self, grant: Grant) -> String {
        let signature = URL_SAFE_NO_PAD.encode(self.mac(&grant).finalize().into_bytes());
        let Grant { org, id, expires } = grant;
        let (base, expires) = (&self.base, expires.timestamp());
        format!("{base}/files/{org}/{id}?expires={expires}&signature={signature}")
    }

    /// Reads the path and the query of a request. The signature is compared in constant time, before anything else is believed.
    pub fn verify(
        &self,
        path: &str,
        query: &str,
        now: DateTime<Utc>,
    ) -> std::result::Result<Grant, Refusal> {
        let (org, id) = ids(path).ok_or(Refusal::Unknown)?;
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|it| it.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let expires = parameter("expires").and_then(|it| it.parse().ok());
        let expires = expires.and_then(|it| DateTime::from_timestamp(it, 0));
        let signature = parameter("signature").and_then(|it| URL_SAFE_NO_PAD.decode(it).ok());
        let (Some(expires), Some(signature)) = (expires, signature) else {
            return Err(Refusal::Forged);
        };
        let grant = Grant { org, id, expires };
        self.mac(&grant).verify_slice(&signature).map_err(|_| Refusal::Forged)?;
        if grant.expires <= now { Err(Refusal::Expired) } else { Ok(grant) }
    }

    fn mac(&self, grant: &Grant) -> Hmac<Sha256> {
        let Grant { org, id, expires } = grant;
        let text = format!("{PURPOSE}\n{org}\n{id}\n{}", expires.timestamp());
        self.key.clone().chain_update(text)
    }
}

/// The ids in `/files/<organization>/<file>`, spelled as we spell them.
fn ids(path: &str) -> Option<(OrganizationId, FileId)> {
    let (org, id) = path.strip_prefix("/files/")?.split_once('/')?;
    let ids: (OrganizationId, FileId) = (org.parse().ok()?, id.parse().ok()?);
    (ids.0.to_string() == org && ids.1.to_string() == id).then_some(ids)
}

impl fmt::Debug for FileUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileUrls").field("base", &self.base).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn urls(key: Option<&str>) -> FileUrls {
        let key = key.map(|it| Secret::from(it.to_owned()));
        FileUrls::new("http://x", key.as_ref()).unwrap()
    }

    #[test]
    fn replicas_that_have_the_same_key_know_each_others_urls_and_no_others() {
        let key = "k".repeat(KEY_CHARACTERS_MIN);
        let expires = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let grant = Grant { org: OrganizationId::generate(), id: FileId::generate(), expires };
        let url = urls(Some(&key)).sign(grant);
        let (path, query) = url.strip_prefix("http://x").unwrap().split_once('?').unwrap();
        let verify =
            |urls: FileUrls, at: i64| urls.verify(path, query, expires + TimeDelta::seconds(at));
        assert_eq!(verify(urls(Some(&key)), -1), Ok(grant));
        assert_eq!(verify(urls(Some(&key)), 0), Err(Refusal::Expired));
        assert_eq!(verify(urls(Some(&"j".repeat(KEY_CHARACTERS_MIN))), -1), Err(Refusal::Forged));
        assert_eq!(verify(urls(None), -1), Err(Refusal::Forged));
    }

    #[test]
    fn a_short_key_is_refused_and_none_is_shown() {
        let key = Secret::from("k".repeat(KEY_CHARACTERS_MIN - 1));
        assert!(FileUrls::new("http://x", Some(&key)).is_err());
        assert!(FileUrls::new("ftp://x", None).is_err());
        let shown = format!("{:?}", urls(Some(&"q".repeat(40))));
        assert!(!shown.contains("qqq"), "{shown}");
    }
}
