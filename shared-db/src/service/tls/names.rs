//! What stands in a certificate: the URI names of whoever shows it, and how long it holds.

use anyhow::{Context, Result};
use http::Extensions;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

/// URI names in the certificate of the peer that a request came from. The handshake has verified the certificate.
pub(crate) fn peer_names(extensions: &Extensions) -> Vec<String> {
    let certificates =
        extensions.get::<TlsConnectInfo<TcpConnectInfo>>().and_then(TlsConnectInfo::peer_certs);
    certificates.and_then(|it| it.first().map(|leaf| uri_names(leaf))).unwrap_or_default()
}

pub(super) fn uri_names(certificate: &[u8]) -> Vec<String> {
    let Ok((_, certificate)) = parse_x509_certificate(certificate) else { return Vec::new() };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let uri = |it: &GeneralName<'_>| {
        if let GeneralName::URI(uri) = it { Some((*uri).to_owned()) } else { None }
    };
    names.value.general_names.iter().filter_map(uri).collect()
}

/// The last second of a certificate, since 1970.
pub(super) fn expires(certificate: &[u8]) -> Result<i64> {
    let (_, certificate) = parse_x509_certificate(certificate).context("a certificate")?;
    Ok(certificate.validity().not_after.timestamp())
}
