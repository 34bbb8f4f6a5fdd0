//! The certificate that the server presents, and its renewal while the box runs.

use super::authority::{Authority, Issued, TlsError};
use super::names::Names;
use crate::chain::Chain;
use crate::clock;
use crate::mdns::Hosts;
use rustls::ServerConfig;
use rustls::crypto::ring::sign::any_ecdsa_type;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use settings::Settings;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use tracing::error;

/// How often addresses and expiry are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The certificate of this moment.
pub struct Certificates {
    authority: Authority,
    issued: RwLock<(Issued, Arc<CertifiedKey>)>,
}

impl Certificates {
    /// Begins with a certificate for `names`.
    ///
    /// # Errors
    /// When none can be made.
    pub fn new(authority: Authority, names: &Names) -> Result<Arc<Self>, TlsError> {
        let issued = authority.ensure_server(names, clock::unix_ms())?;
        let key = certified(&issued)?;
        Ok(Arc::new(Self { authority, issued: RwLock::new((issued, key)) }))
    }

    /// The certificate of the authority, as PEM.
    #[must_use]
    pub fn authority_pem(&self) -> &str {
        self.authority.certificate_pem()
    }

    /// The TLS of a server that presents these certificates.
    #[must_use]
    pub fn server_config(self: &Arc<Self>) -> Arc<ServerConfig> {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(self) as _;
        let mut config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }

    /// Sees to it that the certificate covers `names` and is not about to end.
    fn refresh(&self, names: &Names) -> Result<(), TlsError> {
        let now = clock::unix_ms();
        if self.issued.read().unwrap_or_else(PoisonError::into_inner).0.will_do(names, now) {
            return Ok(());
        }
        let issued = self.authority.ensure_server(names, now)?;
        let key = certified(&issued)?;
        *self.issued.write().unwrap_or_else(PoisonError::into_inner) = (issued, key);
        Ok(())
    }
}

fn certified(issued: &Issued) -> Result<Arc<CertifiedKey>, TlsError> {
    Ok(Arc::new(CertifiedKey::new(issued.chain.clone(), any_ecdsa_type(&issued.key)?)))
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.issued.read().unwrap_or_else(PoisonError::into_inner).1))
    }
}

/// Follows the names and the addresses of the box as long as it runs.
pub async fn keep_fresh(
    certificates: Arc<Certificates>,
    settings: watch::Receiver<Arc<Settings>>,
    hosts: watch::Receiver<Hosts>,
) {
    let mut failed: Option<String> = None;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let names = wanted(settings.borrow().the_box.name.as_str(), &hosts.borrow());
        let outcome = certificates.refresh(&names).map_err(|error| Chain(&error).to_string()).err();
        if let Some(error) = outcome.as_ref().filter(|_| outcome != failed) {
            error!(error, "the certificate cannot be renewed");
        }
        failed = outcome;
    }
}

/// The names that the box wants, which may be its own again tomorrow, and those that it has for the moment.
fn wanted(box_name: &str, hosts: &Hosts) -> Names {
    let mut names = Names::of_box(box_name);
    names.hosts.extend(hosts.taken().map(str::to_owned));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_of_a_second_box_covers_the_name_that_it_took() {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::ensure(directory.path()).unwrap();
        let certificates = Certificates::new(authority, &wanted("Shop", &Hosts::default())).unwrap();
        let names = wanted("Shop", &Hosts::with_taken("homenichat.local", "homenichat-2.local"));
        let is_covered = || certificates.issued.read().unwrap().0.will_do(&names, clock::unix_ms());
        assert!(!is_covered());
        certificates.refresh(&names).unwrap();
        assert!(is_covered());
        for host in ["homenichat-2.local", "homenichat.local", "shop.local"] {
            assert!(names.hosts.contains(host), "{host}");
        }
    }
}
