//! TLS with an authority of the box's own: made on the first start, kept in the configuration, never shipped.
//!
//! Browsers of the household trust the authority once; it cannot vouch for anything outside the local network.

mod authority;
mod names;
mod server;

pub use authority::{Authority, TlsError};
pub use names::{Names, every_box, host_label, host_name, is_foreign, local_addresses};
pub use server::{Certificates, keep_fresh};

use std::path::{Path, PathBuf};

/// Makes ring the one source of cryptography. Both programs begin with it.
pub fn install_provider() {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a provider of cryptography was there already");
    }
}

/// Where authority and certificate are kept below the configuration.
#[must_use]
pub fn directory(config_dir: &Path) -> PathBuf {
    config_dir.join("tls")
}
