//! The files of one side: its certificate and key, and the authorities that it believes.

use anyhow::{Context, Result, anyhow, ensure};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use sha2::{Digest, Sha256};
use std::{fs, path::Path, path::PathBuf, sync::Arc};

/// A file and the setting that names it.
#[derive(Clone, Debug)]
pub struct File {
    setting: &'static str,
    path: PathBuf,
}

impl File {
    pub fn new(setting: &'static str, path: impl Into<PathBuf>) -> Self {
        Self { setting, path: path.into() }
    }

    fn read(&self) -> Result<Vec<u8>> {
        fs::read(&self.path).with_context(|| format!("{self}: cannot be read"))
    }
}

impl std::fmt::Display for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "--{}: {}", self.setting, Path::display(&self.path))
    }
}

#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Chain and key.
    pub identity: Option<(File, File)>,
    pub authorities: Option<File>,
}

/// What files hold, and by what it is told from what they held before.
pub(super) struct Papers {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: Option<PrivateKeyDer<'static>>,
    pub(super) authorities: Option<Arc<RootCertStore>>,
    pub(super) digest: [u8; 32],
}

impl Files {
    /// Reads all of them. Errors name the file, and nothing of what is in it.
    pub(super) fn read(&self) -> Result<Papers> {
        let mut digest = Sha256::new();
        let mut bytes = |file: &File| {
            let bytes = file.read()?;
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(&bytes);
            anyhow::Ok(bytes)
        };
        let (mut chain, mut key) = (Vec::new(), None);
        if let Some((certificate_file, key_file)) = &self.identity {
            chain = certificates(certificate_file, &bytes(certificate_file)?)?;
            // The parser's own words could quote the file.
            let parsed = PrivateKeyDer::from_pem_slice(&bytes(key_file)?);
            key = Some(parsed.map_err(|_| anyhow!("{key_file}: there is no private key in it"))?);
        }
        let authorities = self.authorities.as_ref().map(|file| roots(file, &bytes(file)?));
        let authorities = authorities.transpose()?.map(Arc::new);
        Ok(Papers { chain, key, authorities, digest: digest.finalize().into() })
    }
}

fn certificates(file: &File, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let all = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let all = all.map_err(|_| anyhow!("{file}: it is not PEM, or a part of it is missing"))?;
    ensure!(!all.is_empty(), "{file}: there is no certificate in it");
    Ok(all)
}

fn roots(file: &File, pem: &[u8]) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file, pem)? {
        let added = roots.add(certificate);
        added.with_context(|| format!("{file}: one of them can be no authority"))?;
    }
    Ok(roots)
}
