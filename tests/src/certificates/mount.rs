//! A secret as Kubernetes mounts it: its files are links through one link to a folder, and a change turns that one link.

use super::Issued;
use shared_db::ids::WorkerId;
use std::{env, fs, os::unix::fs::symlink, path::PathBuf};

/// The folder of a secret of the kind `kubernetes.io/tls`. It is removed with this value.
#[derive(Debug)]
pub struct Mount(PathBuf);

const FILES: [&str; 3] = ["tls.crt", "tls.key", "ca.crt"];

impl Mount {
    pub fn new(issued: &Issued, authorities: &str) -> Self {
        let folder = env::temp_dir().join(format!("freehold-test-{}", WorkerId::generate()));
        fs::create_dir_all(&folder).expect("a folder can be made");
        for file in FILES {
            let target = PathBuf::from("..data").join(file);
            symlink(target, folder.join(file)).expect("a link can be made");
        }
        let mount = Self(folder);
        mount.put(issued, authorities);
        mount
    }

    /// Replaces everything in one moment.
    pub fn put(&self, issued: &Issued, authorities: &str) {
        let version = self.0.join(format!("..{}", WorkerId::generate()));
        fs::create_dir(&version).expect("a folder can be made");
        let contents = [issued.certificate.as_str(), issued.key.as_str(), authorities];
        for (file, content) in FILES.iter().zip(contents) {
            fs::write(version.join(file), content).expect("the folder is there");
        }
        let link = self.0.join("..data_tmp");
        symlink(version, &link).expect("a link can be made");
        fs::rename(link, self.0.join("..data")).expect("a link can be turned");
    }

    /// Settings of whoever serves with it.
    pub fn server(&self) -> Vec<(&'static str, String)> {
        let [certificate, key, authorities] = self.paths();
        vec![("TLS_CERT", certificate), ("TLS_KEY", key), ("TLS_CLIENT_CA", authorities)]
    }

    /// Settings of web-service for what it shows to the runtime.
    pub fn client(&self) -> Vec<(&'static str, String)> {
        let [certificate, key, authorities] = self.paths();
        vec![
            ("RUNTIME_TLS_CERT", certificate),
            ("RUNTIME_TLS_KEY", key),
            ("RUNTIME_TLS_CA", authorities),
        ]
    }

    fn paths(&self) -> [String; 3] {
        FILES.map(|it| self.0.join(it).display().to_string())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // What can not be removed is in the folder for temporary files.
        drop(fs::remove_dir_all(&self.0));
    }
}
