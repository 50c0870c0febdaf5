//! Somebody who issues tokens: signs them, and publishes the keys in a file or over HTTP.

use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use rand::RngCore;
use serde_json::{Value, json};
use shared_db::ids::UserId;
use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Signs nothing but the tokens of these tests.
const RSA_KEY: &str = include_str!("signing_key_of_this_test_alone.der.b64");

#[derive(Clone)]
pub(super) struct Signer {
    kid: String,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl Signer {
    pub(super) fn es256(kid: &str) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let key = EncodingKey::from_ec_der(key.serialized_der());
        Self { kid: kid.to_owned(), algorithm: Algorithm::ES256, key }
    }

    pub(super) fn eddsa(kid: &str) -> Self {
        // PKCS #8 of an Ed25519 key: a fixed head, and 32 random bytes.
        let mut der = vec![48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];
        let mut secret = [0; 32];
        rand::rng().fill_bytes(&mut secret);
        der.extend(secret);
        let key = EncodingKey::from_ed_der(&der);
        Self { kid: kid.to_owned(), algorithm: Algorithm::EdDSA, key }
    }

    pub(super) fn rs256(kid: &str) -> Self {
        let der = STANDARD.decode(RSA_KEY.replace('\n', "")).unwrap();
        let key = EncodingKey::from_rsa_der(&der);
        Self { kid: kid.to_owned(), algorithm: Algorithm::RS256, key }
    }

    /// What no issuer should use: a secret that both sides share.
    pub(super) fn hs256(kid: &str) -> Self {
        let key = EncodingKey::from_secret(b"a secret that both sides share");
        Self { kid: kid.to_owned(), algorithm: Algorithm::HS256, key }
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.kid.clone());
        encode(&header, claims, &self.key).unwrap()
    }

    pub(super) fn sign_without_kid(&self, claims: &Value) -> String {
        encode(&Header::new(self.algorithm), claims, &self.key).unwrap()
    }

    fn published(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        jwk.common.key_id = Some(self.kid.clone());
        serde_json::to_value(jwk).unwrap()
    }
}

/// A token that says of itself that it needs no signature.
pub(super) fn unsigned(claims: &Value) -> String {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let part = |it: &Value| URL_SAFE_NO_PAD.encode(it.to_string());
    format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT" })), part(claims))
}

fn document(signers: &[Signer]) -> String {
    let keys: Vec<_> = signers.iter().map(Signer::published).collect();
    json!({ "keys": keys }).to_string()
}

/// An issuer whose keys are in a file.
pub(super) struct Issuer {
    pub(super) signers: Vec<Signer>,
    path: PathBuf,
}

impl Issuer {
    pub(super) fn new(signers: &[Signer]) -> Self {
        let path = std::env::temp_dir().join(format!("freehold-jwks-{}.json", UserId::generate()));
        std::fs::write(&path, document(signers)).unwrap();
        Self { signers: signers.to_vec(), path }
    }

    pub(super) fn file(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// An issuer that publishes its keys over HTTP; without keys it answers 503.
pub(super) struct Server {
    pub(super) url: String,
    signers: Arc<Mutex<Vec<Signer>>>,
    asked: Arc<AtomicUsize>,
}

impl Server {
    pub(super) async fn start(signers: &[Signer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let signers = Arc::new(Mutex::new(signers.to_vec()));
        let asked = Arc::new(AtomicUsize::new(0));
        let (published, count) = (signers.clone(), asked.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 4096]).await;
                let (status, body) = {
                    let signers = published.lock().unwrap();
                    let status = if signers.is_empty() { "503 Away" } else { "200 OK" };
                    (status, document(&signers))
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all((head + &body).as_bytes()).await;
            }
        });
        Self { url, signers, asked }
    }

    pub(super) fn signer(&self) -> Signer {
        self.signers.lock().unwrap()[0].clone()
    }

    pub(super) fn publish(&self, signers: &[Signer]) {
        *self.signers.lock().unwrap() = signers.to_vec();
    }

    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}
