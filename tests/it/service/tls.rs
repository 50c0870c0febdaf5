//! mTLS: the certificate says who calls.

use super::stand::{Stand, get};
use freehold_tests::{database::TestDatabase, errors::assert_fails};
use futures_util::future::join_all;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use shared_db::error::Reason;
use std::{path::PathBuf, time::Duration};
use tokio::{io::AsyncReadExt, net::TcpStream};
use tonic::{
    Code,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Error, Identity},
};
use web_api::v1::execution_service_client::ExecutionServiceClient;

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Certificate and key, in PEM.
    fn issue(&self, name: SanType) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names.push(name);
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn identity(&self, uri: &str) -> Identity {
        let (certificate, key) = self.issue(SanType::URI(uri.try_into().unwrap()));
        Identity::from_pem(certificate, key)
    }
}

/// Files that are removed with this value.
struct Files(PathBuf);

impl Files {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("freehold-tls-{}", rand::random::<u64>()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

async fn start(
    database: &TestDatabase,
    authority: &Authority,
    files: &Files,
    more: &[&str],
) -> Stand {
    shared_db::service::tls::install_provider();
    let (certificate, key) = authority.issue(SanType::DnsName("localhost".try_into().unwrap()));
    let certificate = files.write("cert.pem", &certificate);
    let key = files.write("key.pem", &key);
    let ca = files.write("ca.pem", &authority.pem);
    let settings = ["--tls-cert", &certificate, "--tls-key", &key, "--tls-client-ca", &ca];
    Stand::start(database, &[&settings, more].concat()).await
}

async fn connect(
    stand: &Stand,
    authority: &Authority,
    identity: Option<Identity>,
) -> Result<Channel, Error> {
    let mut tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&authority.pem))
        .domain_name("localhost");
    if let Some(identity) = identity {
        tls = tls.identity(identity);
    }
    let endpoint = Endpoint::from_shared(format!("https://{}", stand.grpc)).unwrap();
    endpoint.tls_config(tls).unwrap().connect().await
}

async fn call(channel: Channel) -> Result<(), tonic::Status> {
    let mut request = get("nothing");
    request.metadata_mut().insert("x-role", "mtls".parse().unwrap());
    ExecutionServiceClient::new(channel).get_execution(request).await.map(drop)
}

#[tokio::test]
async fn the_name_in_the_certificate_decides() {
    let database = TestDatabase::create().await;
    let (authority, files) = (Authority::new(), Files::new());
    let stand = start(&database, &authority, &files, &[]).await;

    let right = authority.identity("spiffe://freehold/web-service");
    call(connect(&stand, &authority, Some(right)).await.unwrap()).await.expect("web may call");

    let wrong = authority.identity("spiffe://freehold/runtime-service");
    let refused = call(connect(&stand, &authority, Some(wrong)).await.unwrap()).await;
    assert_fails(refused, Code::PermissionDenied, Reason::PeerNotAllowed, None);
}

#[tokio::test]
async fn a_caller_without_a_certificate_of_the_authority_is_not_heard() {
    let database = TestDatabase::create().await;
    let (authority, files) = (Authority::new(), Files::new());
    let stand = start(&database, &authority, &files, &[]).await;
    let stranger = Authority::new().identity("spiffe://freehold/web-service");
    for identity in [None, Some(stranger)] {
        // TLS 1.3 refuses a client after the client has taken the handshake for done: with the first call at the latest.
        if let Ok(channel) = connect(&stand, &authority, identity).await {
            call(channel).await.expect_err("it is not heard");
        }
    }
    let plain = Endpoint::from_shared(format!("http://{}", stand.grpc)).unwrap().connect().await;
    if let Ok(channel) = plain {
        call(channel).await.expect_err("plaintext is not heard");
    }
}

#[tokio::test]
async fn certificates_of_callers_can_be_optional() {
    let database = TestDatabase::create().await;
    let (authority, files) = (Authority::new(), Files::new());
    let stand = start(&database, &authority, &files, &["--tls-client-optional"]).await;
    let refused = call(connect(&stand, &authority, None).await.unwrap()).await;
    assert_fails(refused, Code::PermissionDenied, Reason::PeerNotAllowed, None);
}

/// More than the handshakes that are under way at once.
const SILENT: usize = 150;

#[tokio::test]
async fn peers_that_are_silent_in_the_handshake_keep_nobody_out() {
    let database = TestDatabase::create().await;
    let (authority, files) = (Authority::new(), Files::new());
    let stand = start(&database, &authority, &files, &[]).await;
    let connects = join_all((0..SILENT).map(|_| TcpStream::connect(stand.grpc))).await;
    let mut silent: Vec<_> = connects.into_iter().map(Result::unwrap).collect();

    let web = authority.identity("spiffe://freehold/web-service");
    let called = async { call(connect(&stand, &authority, Some(web)).await.unwrap()).await };
    // All of them are still at it: nothing but the time that a handshake may take would end them.
    called.await.expect("it is heard among them");

    // There were too many, so that some had to go at once, and the time ends the others.
    for stream in &mut silent {
        let end = tokio::time::timeout(Duration::from_mins(1), stream.read_u8()).await;
        end.expect("it is closed").expect_err("nothing was said");
    }
    let web = authority.identity("spiffe://freehold/web-service");
    call(connect(&stand, &authority, Some(web)).await.unwrap())
        .await
        .expect("it is heard after them");
}
