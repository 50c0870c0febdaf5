//! The HTTP call of an action, checked as far as it can be without an input.

use crate::{Fault, Reason, Result, filter, template, template::Context};
use common_api::types::HttpCall;
use std::collections::HashMap;

/// Headers that belong to the connection or to the executor, never to an action.
const HEADERS_REFUSED: &[&str] = &[
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

const HEADER_VALUE_BYTES_MAX: usize = 8192;

/// Checks the address, the headers, the templates and the filter. Field rules of the proto are checked elsewhere, before.
pub fn check(call: &HttpCall) -> Result<()> {
    check_target(&call.url, &call.headers)?;
    if !call.body_template.is_empty() {
        template::compile(&call.body_template, Context::Text)
            .map_err(|it| it.within("body_template"))?;
    }
    check_filter(&call.response_filter)
}

/// Checks whom a call talks to, and with which headers.
pub(crate) fn check_target(url: &str, headers: &HashMap<String, String>) -> Result<()> {
    check_url(url).map_err(|it| it.within("url"))?;
    for (name, value) in headers {
        check_header(name, value).map_err(|it| it.within(&header_field(name)))?;
    }
    Ok(())
}

pub(crate) fn header_field(name: &str) -> String {
    format!("headers[{name:?}]")
}

pub(crate) fn check_filter(response_filter: &str) -> Result<()> {
    if response_filter.is_empty() {
        return Ok(());
    }
    filter::compile(response_filter).map(drop).map_err(|it| it.within("response_filter"))
}

/// The scheme and the host must stand in the template itself: an input may not choose whom an action talks to.
fn check_url(url: &str) -> Result<()> {
    let invalid = |problem: &str| Fault::new(Reason::InvalidField, problem);
    template::compile(url, Context::Url)?;
    let rest = (url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")))
        .ok_or_else(|| invalid("must begin with http:// or https://"))?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() {
        return Err(invalid("names no host"));
    }
    if authority.contains(['{', '}']) {
        return Err(invalid("must name its host outright; only what follows it may be filled in"));
    }
    if authority.contains('@') {
        return Err(invalid("must not hold a user or a password; send them in a header"));
    }
    if url.chars().any(char::is_control) {
        return Err(invalid("must not hold control characters"));
    }
    Ok(())
}

fn check_header(name: &str, value: &str) -> Result<()> {
    let invalid = |problem: &str| Fault::new(Reason::InvalidField, problem);
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > 100 || !name.bytes().all(token) {
        return Err(invalid("is not the name of a header"));
    }
    if HEADERS_REFUSED.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(invalid("is set by the connection and may not be set by an action"));
    }
    if value.len() > HEADER_VALUE_BYTES_MAX {
        return Err(invalid("must not be longer than 8192 bytes"));
    }
    if value.chars().any(|it| it.is_control() && it != '\t') {
        return Err(invalid("must not hold control characters"));
    }
    template::compile(value, Context::Text).map(drop)
}
