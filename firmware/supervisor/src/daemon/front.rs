//! The doors of the box to the household: TLS, the plain port that leads to it, and names on the network.

use crate::app::App;
use crate::guard;
use crate::tls::{Authority, Certificates, Names, directory, keep_fresh};
use crate::{http, mdns, web};
use anyhow::{Context, Result};
use settings::Settings;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tracing::info;

/// The certificates of the box, where the settings say that it has TLS.
pub(super) fn certificates(settings: &Settings, config_dir: &Path) -> Result<Option<Arc<Certificates>>> {
    if settings.https.is_none() {
        return Ok(None);
    }
    let authority = Authority::ensure(&directory(config_dir)).context("the certificate authority of the box")?;
    let names = Names::of_box(settings.the_box.name.as_str());
    Ok(Some(Certificates::new(authority, &names).context("the certificate of the box")?))
}

/// Opens what the settings say.
pub(super) async fn open(app: &Arc<App>) -> Result<()> {
    let settings = Arc::clone(&app.settings.borrow());
    let (Some(https), Some(certificates)) = (&settings.https, &app.certificates) else { return Ok(()) };
    let listener = listen(https.listen).await?;
    let served = http::serve_tls(listener, certificates.server_config(), http::router(Arc::clone(app)));
    guard::spawn("https", served);
    info!(listen = %https.listen, "the box answers by TLS");
    if let Some(redirect) = https.redirect {
        let router = web::redirect(Arc::clone(certificates), https.listen.port());
        guard::spawn("redirect", http::serve(listen(redirect).await?, router));
    }
    let fresh = keep_fresh(Arc::clone(certificates), app.settings.subscribe(), app.hosts.subscribe());
    guard::spawn("certificates", fresh);
    guard::spawn("mdns", mdns::run(app.settings.subscribe(), app.hosts.clone()));
    Ok(())
}

async fn listen(address: std::net::SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))
}
