//! TLS: one provider for everything, the server's side of mTLS, and the names in a peer's certificate.

use std::sync::Once;

/// Makes ring the provider of all TLS in the process. Doing it again changes nothing. Whoever uses reqwest needs it first.
pub fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // It fails when somebody has installed one already, which serves as well.
        drop(rustls::crypto::ring::default_provider().install_default());
    });
}
