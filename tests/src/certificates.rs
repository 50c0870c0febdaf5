//! An authority for tests, and certificates with names in them. The files go with it.

mod mount;

pub use mount::Mount;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType, date_time_ymd};
use shared_db::ids::WorkerId;
use std::{env, fs, net::SocketAddr, path::PathBuf, time::Duration};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

/// How the two services and their callers are known in certificates.
pub const WEB_NAME: &str = "spiffe://freehold/web-service";
pub const RUNTIME_NAME: &str = "spiffe://freehold/runtime-service";
pub const CALLER_NAME: &str = "spiffe://freehold/caller";

/// The DNS name in every certificate.
pub const HOST: &str = "localhost";

/// When certificates expire that need not expire sooner.
const YEAR_FAR: i32 = 2999;

#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    folder: PathBuf,
}

/// A certificate and its key, as PEM and as files that hold it.
#[derive(Clone, Debug)]
pub struct Issued {
    pub certificate: String,
    pub key: String,
    pub certificate_path: String,
    pub key_path: String,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    pub fn new() -> Self {
        let folder = env::temp_dir().join(format!("freehold-test-{}", WorkerId::generate()));
        fs::create_dir_all(&folder).expect("a folder can be made");
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("an authority signs itself").pem();
        fs::write(folder.join("ca.pem"), &pem).expect("the folder is there");
        Self { issuer: Issuer::new(params, key), pem, folder }
    }

    /// The authority's certificate.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The file with the authority's certificate.
    pub fn path(&self) -> String {
        self.file("ca.pem")
    }

    /// A certificate for whoever has this URI name.
    pub fn issue(&self, name: &str) -> Issued {
        self.issue_until(name, YEAR_FAR)
    }

    /// The same, with the first of January on which it expires.
    pub fn issue_until(&self, name: &str, year: i32) -> Issued {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::new(vec![HOST.to_owned()]).expect("a DNS name");
        params.not_after = date_time_ymd(year, 1, 1);
        params.subject_alt_names.push(SanType::URI(name.try_into().expect("a URI")));
        let certificate = params.signed_by(&key, &self.issuer).expect("it can be signed").pem();
        let id = WorkerId::generate();
        let issued = Issued {
            certificate_path: self.file(&format!("{id}.pem")),
            key_path: self.file(&format!("{id}.key")),
            certificate,
            key: key.serialize_pem(),
        };
        fs::write(&issued.certificate_path, &issued.certificate).expect("the folder is there");
        fs::write(&issued.key_path, &issued.key).expect("the folder is there");
        issued
    }

    /// A channel that trusts the authority and shows a certificate with this name.
    pub fn channel(&self, address: SocketAddr, name: &str) -> Channel {
        self.channel_trusting(&self.pem, address, name)
    }

    /// The same for one that trusts others.
    pub fn channel_trusting(&self, authorities: &str, address: SocketAddr, name: &str) -> Channel {
        let Issued { certificate, key, .. } = self.issue(name);
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(authorities))
            .identity(Identity::from_pem(certificate, key))
            .domain_name(HOST);
        Endpoint::from_shared(format!("https://{address}"))
            .and_then(|it| it.connect_timeout(Duration::from_secs(5)).tls_config(tls))
            .expect("an address and certificates are what they are")
            .connect_lazy()
    }

    /// Settings of a service that is known by `name` and hears nobody without a certificate.
    pub(crate) fn server(&self, name: &str) -> Vec<(&'static str, String)> {
        let issued = self.issue(name);
        vec![
            ("TLS_CERT", issued.certificate_path),
            ("TLS_KEY", issued.key_path),
            ("TLS_CLIENT_CA", self.path()),
        ]
    }

    /// Settings of web-service for what it shows to the runtime.
    pub(crate) fn client(&self, name: &str) -> Vec<(&'static str, String)> {
        let issued = self.issue(name);
        vec![
            ("RUNTIME_TLS_CA", self.path()),
            ("RUNTIME_TLS_CERT", issued.certificate_path),
            ("RUNTIME_TLS_KEY", issued.key_path),
            ("RUNTIME_TLS_NAME", HOST.to_owned()),
            ("RUNTIME_NAME", RUNTIME_NAME.to_owned()),
        ]
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        // What can not be removed is in the folder for temporary files.
        drop(fs::remove_dir_all(&self.folder));
    }
}
