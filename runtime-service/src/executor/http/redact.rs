//! What is kept of a request or a response must not hold what opens doors.

use super::super::shape::without_nul;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Map, Value};
use url::Url;

/// What stands for a secret.
const HIDDEN: &str = "[redacted]";

/// Bytes of a body that are kept.
const BODY_BYTES_MAX: usize = 16 << 10;

/// Whether what has this name is a secret. Rather one too many than one too few.
fn is_secret(name: &str) -> bool {
    const PARTS: &[&str] = &[
        "auth",
        "cookie",
        "token",
        "secret",
        "password",
        "passwd",
        "signature",
        "key",
        "credential",
        "session",
    ];
    let name = name.to_ascii_lowercase();
    name != "idempotency-key" && (name == "sig" || PARTS.iter().any(|it| name.contains(it)))
}

pub(super) fn headers(headers: &HeaderMap) -> Value {
    let mut map = Map::new();
    for name in headers.keys() {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|it| String::from_utf8_lossy(it.as_bytes())).collect();
        let secret =
            is_secret(name.as_str()) || headers.get_all(name).iter().any(HeaderValue::is_sensitive);
        let value = if secret { HIDDEN.to_owned() } else { values.join(", ") };
        map.insert(name.as_str().to_owned(), Value::String(value));
    }
    Value::Object(map)
}

/// An address without user, password and the values of parameters that look like secrets.
pub(super) fn url(url: &Url) -> String {
    let mut shown = url.clone();
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    if url.query_pairs().any(|(name, _)| is_secret(&name)) {
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        let mut query = shown.query_pairs_mut();
        query.clear();
        for (name, value) in pairs {
            let value = if is_secret(&name) { HIDDEN } else { &value };
            query.append_pair(&name, value);
        }
        drop(query);
    }
    shown.into()
}

/// The beginning of a body: as JSON where it is, otherwise as text.
pub(super) fn body(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    if bytes.len() <= BODY_BYTES_MAX {
        return serde_json::from_slice(bytes).map_or_else(|_| text(bytes), without_nul);
    }
    text(&bytes[..BODY_BYTES_MAX])
}

fn text(bytes: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_opens_doors_is_not_kept() {
        let mut map = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer x"),
            ("x-api-key", "x"),
            ("set-cookie", "a=b"),
            ("idempotency-key", "1"),
            ("accept", "*/*"),
        ] {
            map.append(name, value.parse().unwrap());
        }
        let expected = json!({
            "authorization": HIDDEN, "x-api-key": HIDDEN, "set-cookie": HIDDEN, "idempotency-key": "1", "accept": "*/*",
        });
        assert_eq!(headers(&map), expected);
        let shown = url(&Url::parse("https://u:p@example.com/a?api_key=x&q=1%202").unwrap());
        assert_eq!(shown, "https://example.com/a?api_key=%5Bredacted%5D&q=1+2");
        let plain = "https://example.com/a?q=%20b";
        assert_eq!(url(&Url::parse(plain).unwrap()), plain);
    }

    #[test]
    fn text_that_the_database_refuses_is_made_acceptable() {
        assert_eq!(body(b"\"a\\u0000b\""), json!("a\u{fffd}b"));
        assert_eq!(body(b"<a\0>"), json!("<a\u{fffd}>"));
    }
}
