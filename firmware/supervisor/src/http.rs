//! The HTTP interface: one handler per entry of `api::ENDPOINTS`, behind one gate.

mod calls;
pub(crate) mod chats;
mod error;
mod guard;
pub(crate) mod lines;
mod live;
pub(crate) mod password;
pub(crate) mod phones;
mod server;
pub(crate) mod session;
pub(crate) mod setup;
pub(crate) mod status;
mod system;

pub use error::{ApiError, Json};
pub use guard::LoginGuard;
pub use server::{serve, serve_tls};
pub(crate) use system::reset_by;

use crate::app::App;
use api::{Access, ENDPOINTS, Endpoint, Method};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tracing::{Instrument, debug_span};

/// Bodies of this interface are short texts.
const LARGEST_BODY: usize = 64 * 1024;
/// USSD takes up to two minutes; everything else is far faster.
const DEADLINE: Duration = Duration::from_secs(140);

/// What answers on a box without an owner.
const BEFORE_OWNER: &[&str] = &["liveness", "setup_status", "create_owner"];

/// The whole interface.
pub fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    for endpoint in ENDPOINTS {
        let handler = handler(endpoint);
        let needs_owner = !BEFORE_OWNER.contains(&endpoint.id);
        let gate = Gate { app: Arc::clone(&app), access: endpoint.access, needs_owner };
        router = router.route(endpoint.path, handler.route_layer(from_fn_with_state(gate, admit)));
    }
    router
        .fallback(|| async { ApiError::new(api::ErrorCode::NotFound, "there is nothing at this address") })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn(frame))
        .with_state(Arc::clone(&app))
        .merge(crate::web::router(app))
}

fn handler(endpoint: &Endpoint) -> MethodRouter<Arc<App>> {
    match (endpoint.method, endpoint.id) {
        (Method::Get, "liveness") => get(status::liveness),
        (Method::Get, "live_events") => get(live::live_events),
        (Method::Post, "login") => post(session::login),
        (Method::Post, "logout") => post(session::logout),
        (Method::Get, "verify") => get(session::verify),
        (Method::Get, "setup_status") => get(setup::status),
        (Method::Post, "create_owner") => post(setup::create_owner),
        (Method::Get, "health") => get(status::health),
        (Method::Get, "list_lines") => get(lines::list_lines),
        (Method::Patch, "change_line") => patch(lines::change_line),
        (Method::Post, "send_ussd") => post(lines::send_ussd),
        (Method::Delete, "cancel_ussd") => delete(lines::cancel_ussd),
        (Method::Post, "reply_ussd") => post(lines::reply_ussd),
        (Method::Get, "list_modems") => get(lines::list_modems),
        (Method::Patch, "change_modem") => patch(lines::change_modem),
        (Method::Post, "enter_pin") => post(lines::enter_pin),
        (Method::Get, "list_chats") => get(chats::list_chats),
        (Method::Get, "list_messages") => get(chats::list_messages),
        (Method::Post, "send_message") => post(chats::send_message),
        (Method::Put, "mark_read") => put(chats::mark_read),
        (Method::Post, "mark_read_by_post") => post(chats::mark_read),
        (Method::Post, "send_sms") => post(chats::send_sms),
        (Method::Get, "list_calls") => get(calls::list_calls),
        (Method::Post, "originate_call") => post(calls::originate_call),
        (Method::Post, "hang_up_call") => post(calls::hang_up_call),
        (Method::Get, "list_extensions") => get(phones::list_extensions),
        (Method::Get, "list_events") => get(status::list_events),
        (Method::Post, "factory_reset") => post(system::factory_reset),
        // A row of the contract without a handler is a defect that the test below finds before anybody else.
        (_, _) => get(not_implemented),
    }
}

async fn not_implemented() -> ApiError {
    ApiError::new(api::ErrorCode::Unavailable, "this box does not do this")
}

/// Who may pass, in front of one handler.
#[derive(Clone)]
struct Gate {
    app: Arc<App>,
    access: Access,
    needs_owner: bool,
}

async fn admit(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    if gate.needs_owner {
        match gate.app.has_owner().await {
            Ok(true) => {}
            Ok(false) => return setup_needed().into_response(),
            Err(refusal) => return refusal.into_response(),
        }
    }
    let needs_session = match gate.access {
        // The socket checks the token itself: it may come in the first frame.
        Access::Public | Access::WebSocket => false,
        Access::User | Access::Admin => true,
    };
    if needs_session {
        match session::authenticate(&gate.app, request.headers(), request.uri().query(), request.method()).await {
            Ok(user) if gate.access == Access::Admin && user.role != store::Role::Admin => {
                return ApiError::new(api::ErrorCode::Forbidden, "only the owner may do this").into_response();
            }
            Ok(user) => {
                request.extensions_mut().insert(session::Session(user));
            }
            Err(refusal) => return refusal.into_response(),
        }
    }
    next.run(request).await
}

fn setup_needed() -> ApiError {
    ApiError::new(
        api::ErrorCode::SetupNeeded,
        "this box has no owner yet; open its page, or run `homenichat setup NAME`",
    )
}

static REQUESTS: AtomicU64 = AtomicU64::new(1);

/// Gives every request an id and a deadline, every refusal its body, and every answer the headers that keep it private.
async fn frame(request: Request, next: Next) -> Response {
    let id = format!("r-{}", REQUESTS.fetch_add(1, Ordering::Relaxed));
    let span = debug_span!("request", client = %id, method = %request.method());
    let answered = tokio::time::timeout(DEADLINE, next.run(request)).instrument(span).await;
    let response = answered.unwrap_or_else(|_| {
        ApiError::new(api::ErrorCode::Unavailable, "the box took too long; try again").into_response()
    });
    let mut response = error::finish(response, &id);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_contract_has_a_handler() {
        let unknown = format!("{:?}", get::<_, _, Arc<App>>(not_implemented));
        for endpoint in ENDPOINTS {
            assert!(is_named(endpoint), "{} {} has no handler ({unknown})", endpoint.method.as_str(), endpoint.path);
        }
    }

    /// The names in `handler`, read from its own source: a router does not tell what it calls.
    fn is_named(endpoint: &Endpoint) -> bool {
        include_str!("http.rs").contains(&format!("(Method::{:?}, \"{}\") =>", endpoint.method, endpoint.id))
    }
}
