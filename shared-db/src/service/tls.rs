//! TLS: one provider for everything, certificates that are read again when their files change, and the names in them.

mod client;
mod files;
mod names;
mod reload;
mod server;

pub use client::client;
pub use files::{File, Files};
pub use reload::Reloading;

pub(crate) use names::peer_names;
pub(crate) use server::{handshaken, server};

use std::sync::Once;

/// Makes ring the provider of all TLS in the process. Doing it again changes nothing. Whoever uses reqwest needs it first.
pub fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // It fails when somebody has installed one already, which serves as well.
        drop(rustls::crypto::ring::default_provider().install_default());
    });
}
