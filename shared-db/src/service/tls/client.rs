//! The client's side: what a service shows when it calls another, and by what names it knows that one.

use super::{
    files::{Files, Papers},
    names::uri_names,
    reload::Reloading,
};
use anyhow::{Context, Result};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::sync::Arc;

/// What to call with. The server must have the DNS name that is called and, where it is given, this URI name.
pub fn client(files: Files, uri: Option<String>) -> Result<Reloading<ClientConfig>> {
    Reloading::load("client", files, move |papers| build(papers, uri.clone()))
}

fn build(papers: Papers, uri: Option<String>) -> Result<ClientConfig> {
    let roots = papers.authorities.context("there are no authorities")?;
    let dns = WebPkiServerVerifier::builder(roots).build().context("the authorities")?;
    let builder = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(BothNames { dns, uri }));
    let mut config = match papers.key {
        Some(key) => builder
            .with_client_auth_cert(papers.chain, key)
            .context("the certificate and its key")?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    // As at the server: what is believed is asked anew for each connection.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// What rustls verifies by itself, and the URI name.
#[derive(Debug)]
struct BothNames {
    dns: Arc<WebPkiServerVerifier>,
    uri: Option<String>,
}

impl ServerCertVerifier for BothNames {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.dns.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        if let Some(uri) = &self.uri {
            let names = uri_names(end_entity);
            if !names.contains(uri) {
                let problem = format!("it is the certificate of {names:?} and not of {uri}");
                let problem = OtherError(Arc::from(
                    Box::<dyn std::error::Error + Send + Sync>::from(problem),
                ));
                return Err(CertificateError::Other(problem).into());
            }
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.dns.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.dns.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.dns.supported_verify_schemes()
    }
}
