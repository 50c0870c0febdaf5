//! SCRAM-SHA-256 verifiers (RFC 5802, in PostgreSQL's notation), made here so that no password is ever part of a statement.

use anyhow::{Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::{Digest, Sha256};

/// How often a password is hashed, by whoever connects as well: the least that RFC 7677 recommends, and what PostgreSQL does.
pub const ITERATIONS: u32 = 4096;
const SALT_BYTES: usize = 16;

/// A fresh verifier for `password`.
pub fn verifier(password: &str, iterations: u32) -> Result<String> {
    ensure!(!password.is_empty(), "it is empty");
    // Outside ASCII the two ends would have to agree on a normalisation.
    let printable = password.bytes().all(|it| (b' '..=b'~').contains(&it));
    ensure!(printable, "it has characters other than printable ASCII");
    let mut salt = [0; SALT_BYTES];
    rand::rng().fill_bytes(&mut salt);
    Ok(with_salt(password, &salt, iterations))
}

/// Whether a stored verifier is one of `password`.
pub(super) fn matches(stored: &str, password: &str) -> bool {
    let parts = || {
        let (_, rest) = stored.split_once("SCRAM-SHA-256$")?;
        let (iterations, rest) = rest.split_once(':')?;
        let (salt, _) = rest.split_once('$')?;
        Some((BASE64.decode(salt).ok()?, iterations.parse().ok()?))
    };
    parts().is_some_and(|(salt, iterations)| with_salt(password, &salt, iterations) == stored)
}

fn with_salt(password: &str, salt: &[u8], iterations: u32) -> String {
    let salted = salted(password.as_bytes(), salt, iterations);
    let stored_key = Sha256::digest(mac(&salted, &[b"Client Key"]));
    let server_key = mac(&salted, &[b"Server Key"]);
    let [salt, stored_key, server_key] =
        [salt, &stored_key[..], &server_key[..]].map(|it| BASE64.encode(it));
    format!("SCRAM-SHA-256${iterations}:{salt}${stored_key}:{server_key}")
}

/// PBKDF2 with one block, which is what SCRAM calls `Hi`.
fn salted(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    let mut last = mac(password, &[salt, &1_u32.to_be_bytes()]);
    let mut sum = last;
    for _ in 1..iterations {
        last = mac(password, &[&last]);
        sum.iter_mut().zip(last).for_each(|(a, b)| *a ^= b);
    }
    sum
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for it in parts {
        mac.update(it);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677, section 3: password `pencil`, its salt and iteration count; the keys follow from them.
    #[test]
    fn the_verifier_is_that_of_the_standard() {
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let expected = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
            WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
        assert_eq!(with_salt("pencil", &salt, 4096), expected);
    }

    #[test]
    fn a_verifier_knows_its_password_and_no_other() {
        let made = verifier("correct horse", 2).unwrap();
        assert!(matches(&made, "correct horse"));
        assert!(!matches(&made, "correct horsf"));
        assert!(!matches("md5abc", "correct horse"));
    }

    #[test]
    fn a_password_outside_ascii_is_refused() {
        assert!(verifier("schlüssel", ITERATIONS).is_err());
        assert!(verifier("", ITERATIONS).is_err());
    }
}
