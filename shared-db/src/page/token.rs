//! Page tokens: where a page begins, and a seal that binds it to its list and filters.

use super::{Cursor, Key, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, PageRequest};
use crate::error::{Error, Reason, Result};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::DateTime;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// Seals page tokens. All replicas of a service hold the same key, so that any of them can go on with a list.
#[derive(Clone)]
pub struct PageTokens(Hmac<Sha256>);

/// A list as a token knows it: the method, the organization, the order and every filter, in one string.
#[derive(Clone, Debug)]
pub struct ListId(pub String);

const SEAL_BYTES: usize = 16;

impl PageTokens {
    pub fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    /// Reads `page_size` and `page_token` of a request for the list `list`.
    pub fn open(&self, size: i32, token: &str, list: &ListId) -> Result<PageRequest> {
        let size = match u16::try_from(size) {
            Ok(0) => PAGE_SIZE_DEFAULT,
            Ok(size) => size.min(PAGE_SIZE_MAX),
            Err(_) if 0 < size => PAGE_SIZE_MAX,
            Err(_) => return Err(Error::invalid("page_size", "must not be negative")),
        };
        let after = match token {
            "" => None,
            token => Some(self.unseal(token, list).ok_or_else(|| {
                let problem =
                    "was not issued for this list with these filters; start again without it";
                Error::invalid_as(Reason::InvalidPageToken, "page_token", problem)
            })?),
        };
        Ok(PageRequest { size, after })
    }

    /// The token for the page that begins at `next`; empty when there is none.
    pub fn seal(&self, next: Option<Cursor>, list: &ListId) -> String {
        let Some(next) = next else { return String::new() };
        let mut bytes = next.to_bytes();
        let seal = self.mac(&bytes, list).finalize().into_bytes();
        bytes.extend(&seal[..SEAL_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn unseal(&self, token: &str, list: &ListId) -> Option<Cursor> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (cursor, seal) = bytes.split_last_chunk::<SEAL_BYTES>()?;
        self.mac(cursor, list).verify_truncated_left(seal).ok()?;
        Cursor::from_bytes(cursor)
    }

    fn mac(&self, cursor: &[u8], list: &ListId) -> Hmac<Sha256> {
        self.0.clone().chain_update(cursor).chain_update(list.0.as_bytes())
    }
}

/// What a key is, in front of its bytes.
const TIME: u8 = 0;
const NUMBER: u8 = 1;
const TEXT: u8 = 2;

impl Cursor {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.id.as_bytes().to_vec();
        for key in &self.keys {
            match key {
                Key::Time(it) => {
                    bytes.push(TIME);
                    bytes.extend(it.timestamp_micros().to_be_bytes());
                }
                Key::Number(it) => {
                    bytes.push(NUMBER);
                    bytes.extend(it.to_be_bytes());
                }
                Key::Text(it) => {
                    let length = u32::try_from(it.len()).expect("a text in a row is shorter");
                    bytes.push(TEXT);
                    bytes.extend(length.to_be_bytes());
                    bytes.extend(it.as_bytes());
                }
            }
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (id, mut rest) = bytes.split_first_chunk::<16>()?;
        let mut keys = Vec::new();
        while let Some((kind, after)) = rest.split_first() {
            let (key, after) = match *kind {
                TIME => {
                    let (it, after) = after.split_first_chunk()?;
                    let time = DateTime::from_timestamp_micros(i64::from_be_bytes(*it))?;
                    (Key::Time(time), after)
                }
                NUMBER => {
                    let (it, after) = after.split_first_chunk()?;
                    (Key::Number(i32::from_be_bytes(*it)), after)
                }
                TEXT => {
                    let (length, after) = after.split_first_chunk()?;
                    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
                    let (it, after) = after.split_at_checked(length)?;
                    (Key::Text(std::str::from_utf8(it).ok()?.to_owned()), after)
                }
                _ => return None,
            };
            keys.push(key);
            rest = after;
        }
        Some(Self { keys, id: Uuid::from_bytes(*id) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_cursor_comes_back_from_its_token_whatever_its_keys_are() {
        let tokens = PageTokens::new(b"key");
        let list = ListId("list".to_owned());
        let now = DateTime::from_timestamp_micros(Clock::System.now().timestamp_micros()).unwrap();
        let id = Uuid::from_u128(7);
        let text = |it: &str| Key::Text(it.to_owned());
        for keys in [
            vec![Key::Time(now)],
            vec![text(""), Key::Number(-1)],
            vec![text("Ä"), text("\u{1F980}")],
            vec![Key::Number(i32::MAX), Key::Time(now)],
        ] {
            let cursor = Cursor { keys, id };
            let token = tokens.seal(Some(cursor.clone()), &list);
            assert_eq!(tokens.open(0, &token, &list).unwrap().after, Some(cursor));
            tokens.open(0, &token, &ListId("other".to_owned())).unwrap_err();
        }
    }

    /// The key may have leaked; what is read must still not make the service fall.
    #[test]
    fn bytes_that_are_no_cursor_are_refused() {
        let id = [7; 16];
        for rest in
            [&[TIME][..], &[NUMBER, 0], &[TEXT, 0, 0, 0, 9, b'x'], &[TEXT, 0, 0, 0, 1, 0xff], &[9]]
        {
            assert_eq!(Cursor::from_bytes(&[&id, rest].concat()), None, "{rest:?}");
        }
        assert_eq!(Cursor::from_bytes(&id[1..]), None);
    }
}
