//! TLS: one provider for everything, the server's side of mTLS, and the names in a peer's certificate.

use super::config::TlsConfig;
use anyhow::{Context, Result};
use http::Extensions;
use std::{fs, path::Path, sync::Once};
use tonic::transport::{
    Certificate, Identity, ServerTlsConfig,
    server::{TcpConnectInfo, TlsConnectInfo},
};
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

/// Makes ring the provider of all TLS in the process. Doing it again changes nothing. Whoever uses reqwest needs it first.
pub fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // It fails when somebody has installed one already, which serves as well.
        drop(rustls::crypto::ring::default_provider().install_default());
    });
}

/// The server's side; `None` means plaintext. Files are read once: a new certificate takes a new process.
pub(crate) fn server(config: &TlsConfig) -> Result<Option<ServerTlsConfig>> {
    let (Some(cert), Some(key)) = (&config.tls_cert, &config.tls_key) else { return Ok(None) };
    let identity = Identity::from_pem(read("tls-cert", cert)?, read("tls-key", key)?);
    let mut tls = ServerTlsConfig::new().identity(identity);
    if let Some(authorities) = &config.tls_client_ca {
        tls = tls
            .client_ca_root(Certificate::from_pem(read("tls-client-ca", authorities)?))
            .client_auth_optional(config.tls_client_optional);
    }
    Ok(Some(tls))
}

fn read(setting: &str, path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("--{setting}: cannot read {}", path.display()))
}

/// URI names in the certificate of the peer that a request came from. The handshake has verified the certificate.
pub(crate) fn peer_names(extensions: &Extensions) -> Vec<String> {
    let certificates =
        extensions.get::<TlsConnectInfo<TcpConnectInfo>>().and_then(TlsConnectInfo::peer_certs);
    certificates.and_then(|it| it.first().map(|leaf| uri_names(leaf))).unwrap_or_default()
}

fn uri_names(certificate: &[u8]) -> Vec<String> {
    let Ok((_, certificate)) = parse_x509_certificate(certificate) else { return Vec::new() };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let uri = |it: &GeneralName<'_>| {
        if let GeneralName::URI(uri) = it { Some((*uri).to_owned()) } else { None }
    };
    names.value.general_names.iter().filter_map(uri).collect()
}
