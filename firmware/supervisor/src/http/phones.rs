//! The accounts of the phones.

use super::error::{ApiError, Json};
use crate::app::App;
use anyhow::Context;
use api::{Extension, ExtensionList};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use settings::Secrets;
use std::sync::Arc;

/// `GET /api/voip/extensions`.
pub(super) async fn list_extensions(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Json<ExtensionList>, ApiError> {
    Ok(Json(ExtensionList { success: true, extensions: extensions(&app, &headers).await? }))
}

/// Every account, for a client that sent these headers.
///
/// # Errors
/// When the secrets cannot be read.
pub(crate) async fn extensions(app: &App, headers: &HeaderMap) -> Result<Vec<Extension>, ApiError> {
    let file = app.belongings.config.join("secrets.toml");
    let text = tokio::fs::read_to_string(&file).await.with_context(|| format!("reading {}", file.display()));
    let secrets = text.and_then(|text| Secrets::parse(&text).context("reading the secrets"));
    let secrets = secrets.map_err(|error| ApiError::internal("listing the phones", error.as_ref()))?;
    let settings = Arc::clone(&app.settings.borrow());
    let domain = host(headers).unwrap_or_else(|| "homenichat.local".to_owned());
    let account = |extension: &settings::Extension| {
        let password = &secrets.extensions.get(&extension.number)?.sip_password;
        Some(Extension {
            extension: extension.number.as_str().to_owned(),
            display_name: extension.name.as_str().to_owned(),
            password: password.expose().into(),
            domain: domain.clone(),
            port: settings.sip.udp_port,
            webrtc: extension.webrtc,
        })
    };
    Ok(settings.extensions.iter().filter_map(account).collect())
}

/// The name under which the client reached the box (RFC 9110 §7.2), without the port.
fn host(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let authority: axum::http::uri::Authority = host.parse().ok()?;
    Some(authority.host().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_named_as_the_client_reached_it() {
        for (sent, want) in [
            ("box.local:8443", Some("box.local")),
            ("192.168.1.9", Some("192.168.1.9")),
            ("[fe80::1]:443", Some("[fe80::1]")),
            ("a b", None),
        ] {
            let headers = HeaderMap::from_iter([(header::HOST, sent.parse().unwrap())]);
            assert_eq!(host(&headers).as_deref(), want, "{sent}");
        }
        assert_eq!(host(&HeaderMap::new()), None);
    }
}
