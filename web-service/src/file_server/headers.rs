//! Headers of a download: what the file is called, and what a browser may not do with it.

use http::{HeaderName, HeaderValue, Response, header};
use std::fmt::Write;

/// What may stand in a file name beside letters and digits, without being encoded (RFC 8187, without what some readers stumble at).
const PLAIN: &[u8] = b"!#$&+-.^_`|~";

/// Sets a header. What can not stand in one is left out: our own texts can, and media types are checked when they come.
pub(super) fn set<B>(response: &mut Response<B>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Whatever the file is, it is not shown as a page of this address, nor kept by others, and its URL is not passed on.
pub(super) fn protect<B>(response: &mut Response<B>) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "private, no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}

/// `Content-Disposition` for a file to be saved under `name`: once as it is in ASCII for old readers, once in full.
pub(super) fn attachment(name: &str) -> String {
    let ascii: String = name
        .chars()
        .map(
            |it| if it.is_ascii_alphanumeric() || " !#$&+-.^_`~()".contains(it) { it } else { '_' },
        )
        .collect();
    let mut full = String::with_capacity(name.len() * 3);
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || PLAIN.contains(&byte) {
            full.push(char::from(byte));
        } else {
            write!(full, "%{byte:02X}").expect("a String takes it");
        }
    }
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{full}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_given_in_ascii_and_in_full_and_breaks_out_of_neither() {
        for (name, expected) in [
            ("a b.pdf", "attachment; filename=\"a b.pdf\"; filename*=UTF-8''a%20b.pdf"),
            (
                "Grüße.txt",
                "attachment; filename=\"Gr__e.txt\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.txt",
            ),
            (
                "x\"; filename=\"y\r\nz: w",
                "attachment; filename=\"x__ filename__y__z_ w\"; filename*=UTF-8''x%22%3B%20filename%3D%22y%0D%0Az%3A%20w",
            ),
            (
                "../../etc/passwd",
                "attachment; filename=\".._.._etc_passwd\"; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd",
            ),
        ] {
            assert_eq!(attachment(name), expected);
            assert!(HeaderValue::from_str(expected).is_ok());
        }
    }
}
