//! From a response to a value, or to the reason why it is none.

use super::{
    super::{Effect, Failure},
    redact,
};
use chrono::DateTime;
use reqwest::{
    Response, StatusCode,
    header::{DATE, HeaderMap, LOCATION, RETRY_AFTER},
};
use serde_json::{Value, json};
use shared_db::error::Reason;
use std::time::Duration;
use tokio_util::bytes::Bytes;
use url::Url;

/// Where a redirect leads; `None` for any other response.
pub(super) fn redirect_target(response: &Response, from: &Url) -> Result<Option<Url>, Failure> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(LOCATION) else { return Ok(None) };
    let refused = |message: String| {
        Failure::fatal(Reason::AddressRefused, message).with_effect(Effect::Possible)
    };
    let target = std::str::from_utf8(location.as_bytes()).ok().and_then(|it| from.join(it).ok());
    let Some(mut target) = target else {
        return Err(refused("the remote redirected to a malformed address".to_owned()));
    };
    if !matches!(target.scheme(), "http" | "https") {
        return Err(refused(format!("the remote redirected to the scheme {}", target.scheme())));
    }
    // A user or password that the remote chose would be sent as credentials.
    let _ = target.set_username("");
    let _ = target.set_password(None);
    target.set_fragment(None);
    Ok(Some(target))
}

/// Reads the body into `into`, as far as it is allowed to go.
pub(in super::super) async fn read(
    mut response: Response,
    limit: usize,
    into: &mut Vec<u8>,
) -> Result<(), Failure> {
    let announced = response.content_length().unwrap_or(0);
    if announced > limit as u64 {
        return Err(too_large(limit));
    }
    let mut left = limit;
    while let Some(chunk) = next(&mut response, &mut left, limit).await? {
        into.extend_from_slice(&chunk);
    }
    Ok(())
}

/// The next bytes of a body of which `left` of `limit` may still come; `None` at its end.
pub(in super::super) async fn next(
    response: &mut Response,
    left: &mut usize,
    limit: usize,
) -> Result<Option<Bytes>, Failure> {
    let chunk = response.chunk().await.map_err(|error| {
        let message = super::described(&error);
        Failure::passing(Reason::RemoteUnreachable, message, Effect::Unknown)
    })?;
    let length = chunk.as_ref().map_or(0, Bytes::len);
    *left = left.checked_sub(length).ok_or_else(|| too_large(limit))?;
    Ok(chunk)
}

fn too_large(limit: usize) -> Failure {
    let message = format!("the response is larger than {limit} bytes");
    Failure::fatal(Reason::RemoteTooLarge, message).with_effect(Effect::Possible)
}

pub(in super::super) fn evidence(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Value {
    json!({
        "status": status.as_u16(),
        "headers": redact::headers(headers),
        "body": redact::body(body),
        "body_bytes": body.len(),
    })
}

/// Why a response with this status is a failure; `None` when it is an answer.
pub(in super::super) fn refusal(status: StatusCode, headers: &HeaderMap) -> Option<Failure> {
    if status.is_success() {
        return None;
    }
    let code = status.as_u16();
    let phrase = status.canonical_reason().map_or(String::new(), |it| format!(" {it}"));
    let message = format!("the remote answered {code}{phrase}");
    // 429 says that the call was not performed; of others it can not be told.
    let effect = if code == 429 { Effect::None } else { Effect::Possible };
    Some(Failure {
        retryable: matches!(code, 408 | 425 | 429) || status.is_server_error(),
        retry_after: retry_after(headers),
        ..Failure::fatal(Reason::RemoteStatus, message).with_effect(effect)
    })
}

/// `Retry-After` in seconds, or as a date, which is read against the remote's own clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|it| it.to_str().ok()).map(str::trim);
    let after = text(RETRY_AFTER)?;
    if let Ok(seconds) = after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(after).ok()?;
    let now = DateTime::parse_from_rfc2822(text(DATE)?).ok()?;
    (until - now).to_std().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs =
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        pairs.collect()
    }

    #[test]
    fn what_may_go_better_another_time_is_tried_again() {
        for (code, retryable) in [
            (400, false),
            (401, false),
            (404, false),
            (408, true),
            (409, false),
            (429, true),
            (500, true),
            (503, true),
            (304, false),
        ] {
            let status = StatusCode::from_u16(code).unwrap();
            assert_eq!(refusal(status, &HeaderMap::new()).unwrap().retryable, retryable, "{code}");
        }
        assert!(refusal(StatusCode::NO_CONTENT, &HeaderMap::new()).is_none());
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        assert_eq!(retry_after(&headers(&[("retry-after", "7")])), Some(Duration::from_secs(7)));
        let dated = headers(&[
            ("retry-after", "Fri, 20 Nov 2026 10:00:30 GMT"),
            ("date", "Fri, 20 Nov 2026 10:00:00 GMT"),
        ]);
        assert_eq!(retry_after(&dated), Some(Duration::from_secs(30)));
        assert_eq!(retry_after(&headers(&[("retry-after", "soon")])), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
