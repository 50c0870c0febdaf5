//! AWS Signature Version 4 as S3 checks it, written from its specification and not from the client's code.

use super::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use hmac::{Hmac, Mac};
use http::request::Parts;
use sha2::{Digest, Sha256};
use shared_db::clock::Clock;
use std::fmt::Write;

/// Requests of another time are refused.
const SKEW_MAX: TimeDelta = TimeDelta::minutes(15);

/// Checks a request; the error is S3's code for what is wrong.
pub(super) fn check(head: &Parts, body: &[u8]) -> Result<(), &'static str> {
    let header = |name: &str| head.headers.get(name).and_then(|it| it.to_str().ok());
    let authorization = header("authorization").ok_or("AccessDenied")?;
    let fields = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("AccessDenied")?;
    let field = |name: &str| {
        let mut fields = fields.split(',').filter_map(|it| it.trim().split_once('='));
        fields.find(|(key, _)| *key == name).map(|(_, value)| value).ok_or("AccessDenied")
    };
    let (credential, signed, signature) =
        (field("Credential")?, field("SignedHeaders")?, field("Signature")?);

    let date = header("x-amz-date").ok_or("AccessDenied")?;
    let at = NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ").map_err(|_| "AccessDenied")?;
    let at: DateTime<Utc> = at.and_utc();
    if SKEW_MAX < (Clock::System.now() - at).abs() {
        return Err("RequestTimeTooSkewed");
    }
    let scope = format!("{}/{REGION}/s3/aws4_request", &date[..8]);
    if credential != format!("{ACCESS_KEY_ID}/{scope}") {
        return Err("InvalidAccessKeyId");
    }

    let hash = header("x-amz-content-sha256").ok_or("MissingSecurityHeader")?;
    if hash != hex(&Sha256::digest(body)) {
        return Err("XAmzContentSHA256Mismatch");
    }
    // What S3 insists on: the host, and all of its own headers.
    let names: Vec<&str> = signed.split(';').collect();
    let own =
        head.headers.keys().map(http::HeaderName::as_str).filter(|it| it.starts_with("x-amz-"));
    if !own.chain(["host"]).all(|it| names.contains(&it)) {
        return Err("AccessDenied");
    }

    let mut canonical =
        format!("{}\n{}\n{}\n", head.method, head.uri.path(), query(head.uri.query()));
    for name in &names {
        let value = header(name).ok_or("AccessDenied")?;
        let value: Vec<_> = value.split_whitespace().collect();
        writeln!(canonical, "{name}:{}", value.join(" ")).expect("a String takes it");
    }
    write!(canonical, "\n{signed}\n{hash}").expect("a String takes it");
    let text = format!(
        "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
        hex(&Sha256::digest(canonical.as_bytes()))
    );

    let mut key = mac(format!("AWS4{SECRET_ACCESS_KEY}").as_bytes(), &date[..8]);
    for part in [REGION, "s3", "aws4_request"] {
        key = mac(&key, part);
    }
    if hex(&mac(&key, &text)) == signature { Ok(()) } else { Err("SignatureDoesNotMatch") }
}

/// The query in its canonical form: sorted, each with an equals sign. It comes encoded.
fn query(query: Option<&str>) -> String {
    let pairs = query.unwrap_or_default().split('&').filter(|it| !it.is_empty());
    let pair = |it: &str| if it.contains('=') { it.to_owned() } else { format!("{it}=") };
    let mut pairs: Vec<_> = pairs.map(pair).collect();
    pairs.sort();
    pairs.join("&")
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, it| {
        write!(text, "{it:02x}").expect("a String takes it");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    /// A request whose parts were signed by the rules of the specification, by this module's own means but for the order of things.
    fn signed(path: &str, secret: &str) -> Parts {
        let date = Clock::System.now().format("%Y%m%dT%H%M%SZ").to_string();
        let scope = format!("{}/{REGION}/s3/aws4_request", &date[..8]);
        let hash = hex(&Sha256::digest(b"body"));
        let canonical = format!(
            "PUT\n/b/k\na=1&uploads=\nhost:h\nx-amz-content-sha256:{hash}\nx-amz-date:{date}\n\nhost;x-amz-content-sha256;x-amz-date\n{hash}"
        );
        let text =
            format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
        let key = [&date[..8], REGION, "s3", "aws4_request"]
            .iter()
            .fold(format!("AWS4{secret}").into_bytes(), |key, it| mac(&key, it));
        let signature = hex(&mac(&key, &text));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/{scope}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}"
        );
        let request = Request::put(path)
            .header("host", "h")
            .header("x-amz-date", date)
            .header("x-amz-content-sha256", hash)
            .header("authorization", authorization);
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_what_was_signed_with_the_secret_is_taken() {
        let good = signed("/b/k?uploads&a=1", SECRET_ACCESS_KEY);
        assert_eq!(check(&good, b"body"), Ok(()));
        assert_eq!(check(&good, b"tampered"), Err("XAmzContentSHA256Mismatch"));
        let other = signed("/b/k?uploads&a=1", "another secret");
        assert_eq!(check(&other, b"body"), Err("SignatureDoesNotMatch"));
        let moved = signed("/b/other?uploads&a=1", SECRET_ACCESS_KEY);
        assert_eq!(check(&moved, b"body"), Err("SignatureDoesNotMatch"));
        let mut more = signed("/b/k?uploads&a=1", SECRET_ACCESS_KEY);
        more.headers.insert("x-amz-copy-source", http::HeaderValue::from_static("/b/secret"));
        assert_eq!(check(&more, b"body"), Err("AccessDenied"));
        let mut none = signed("/b/k?uploads&a=1", SECRET_ACCESS_KEY);
        none.headers.remove("authorization");
        assert_eq!(check(&none, b"body"), Err("AccessDenied"));
    }
}
