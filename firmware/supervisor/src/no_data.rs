//! What a box says that has no place for messages: it would look like a new one, to whoever comes first.

use anyhow::{Context, Result};
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use tokio::net::TcpListener;
use tracing::warn;

/// What to do, for the owner.
pub const REMEDY: &str = "Switch the box off, and start it from another disk of 1 GB or more. Keep this one: a computer may still read what is on it.";

/// Answers every request on the plain port with the reason in `file`, until the machine is switched off.
///
/// # Errors
/// When there is no reason, or the port is taken.
pub fn serve(file: &Path) -> Result<()> {
    let reason = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let reason = reason.trim().to_owned();
    warn!(reason, "there is no place for messages");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(async {
        let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 80));
        let listener = TcpListener::bind(listen).await.with_context(|| format!("listening on {listen}"))?;
        crate::http::serve(listener, Router::new().fallback(move || async move { page(&reason) })).await;
        Ok(())
    })
}

fn page(reason: &str) -> Response {
    let reason = reason.replace('&', "&amp;").replace('<', "&lt;");
    let text = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>HomeniChat</title><h1>This box cannot \
         start</h1><p>{reason}.</p><p>{REMEDY}</p></html>\n"
    );
    (StatusCode::SERVICE_UNAVAILABLE, [(header::CACHE_CONTROL, "no-store")], Html(text)).into_response()
}
