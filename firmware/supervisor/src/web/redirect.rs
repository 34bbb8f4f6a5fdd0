//! The plain port: it leads to TLS, and hands out the certificate to trust.

use crate::tls::Certificates;
use axum::Router;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;

/// Everything that the plain port does; TLS listens on `port`.
pub fn redirect(certificates: Arc<Certificates>, port: u16) -> Router {
    let lead =
        move |method: Method, uri: Uri, headers: HeaderMap| async move { lead_on(&method, &uri, &headers, port) };
    let hand_out = move || async move { authority(certificates.authority_pem()) };
    Router::new().route("/authority.crt", get(hand_out)).fallback(lead)
}

/// The certificate in the form that telephones and browsers offer to trust.
pub(super) fn authority(pem: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/x-x509-ca-cert"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"homenichat-authority.crt\""),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, pem.to_owned()).into_response()
}

fn lead_on(method: &Method, uri: &Uri, headers: &HeaderMap, port: u16) -> Response {
    // What was sent in the clear is not taken as if it had been sent by TLS.
    if !method.is_safe() {
        return (StatusCode::FORBIDDEN, "this address only leads to https\n").into_response();
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).map_or("", host_of);
    let host = if is_host(host) { host } else { "homenichat.local" };
    let path = uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    match HeaderValue::try_from(format!("https://{host}{port}{path}")) {
        Ok(location) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// A host without its port.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn is_host(host: &str) -> bool {
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    !host.is_empty() && address.map_or_else(|| is_name(host), |v6| v6.parse::<std::net::Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_port_leads_to_the_same_place_by_tls_and_nowhere_else() {
        for (host, path, port, want) in [
            ("box.local", "/", 443, "https://box.local/"),
            ("box.local:80", "/setup?x=1", 443, "https://box.local/setup?x=1"),
            ("192.168.1.7", "/a", 8443, "https://192.168.1.7:8443/a"),
            ("[::1]:80", "/", 443, "https://[::1]/"),
            ("evil.example/@", "/", 443, "https://homenichat.local/"),
            ("", "/", 443, "https://homenichat.local/"),
        ] {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_str(host).unwrap())]);
            let response = lead_on(&Method::GET, &path.parse().unwrap(), &headers, port);
            assert_eq!(response.headers().get(header::LOCATION).unwrap(), want, "{host}");
        }
        let refused = lead_on(&Method::POST, &"/login".parse().unwrap(), &HeaderMap::new(), 443);
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    }
}
