//! Signing in and out. A session is an opaque token; the store keeps only its hash.

use super::error::{ApiError, Json};
use super::password;
use crate::app::App;
use crate::clock;
use api::ErrorCode;
use axum::extract::{ConnectInfo, Extension, State};
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use store::{Role, TokenHash, User};
use tracing::info;

/// A session lasts this long.
const LASTS: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const COOKIE: &str = "homenichat_session";
/// The longest token, and bearer header, that is looked at.
const LONGEST_TOKEN: usize = 256;

/// The user whose session a request carries.
#[derive(Debug, Clone)]
pub(super) struct Session(pub User);

/// Finds the session of a request: a bearer token, a cookie of the same site, or `?token=`.
///
/// # Errors
/// `unauthorized` when there is none, `forbidden` when another site used our cookie.
pub(crate) async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    query: Option<&str>,
    method: &Method,
) -> Result<User, ApiError> {
    let token = token_of(headers, query, method)?;
    user_of(app, &token).await
}

/// The user of a token.
///
/// # Errors
/// `unauthorized` when the token opens no session.
pub(super) async fn user_of(app: &App, token: &str) -> Result<User, ApiError> {
    let found = app.store.find_session(hash(token), clock::unix_ms()).await;
    let found = found.map_err(|error| ApiError::internal("finding a session", &error))?;
    found.ok_or_else(|| ApiError::new(ErrorCode::Unauthorized, "the session has ended; sign in again"))
}

/// The token that a request carries.
///
/// # Errors
/// As [`authenticate`].
pub(super) fn token_of(headers: &HeaderMap, query: Option<&str>, method: &Method) -> Result<String, ApiError> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| bearer_token(value.to_str().ok()?));
    let in_query = || query?.split('&').find_map(|pair| pair.strip_prefix("token="));
    let explicit = bearer.or_else(in_query).map(str::trim);
    let token = match (explicit, cookie(headers)) {
        (Some(token), _) => token,
        (None, Some(token)) => {
            refuse_other_sites(headers, method)?;
            token
        }
        (None, None) => return Err(ApiError::new(ErrorCode::Unauthorized, "sign in first")),
    };
    if token.len() > LONGEST_TOKEN {
        return Err(ApiError::new(ErrorCode::Unauthorized, "this is not a session token"));
    }
    Ok(token.to_owned())
}

/// The scheme is case-insensitive (RFC 9110 §11.1).
fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .find_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// A browser sends our cookie along with what other sites make it do; such a request changes nothing here.
pub(crate) fn refuse_other_sites(headers: &HeaderMap, method: &Method) -> Result<(), ApiError> {
    let is_upgrade = headers.contains_key(header::UPGRADE);
    if method.is_safe() && !is_upgrade {
        return Ok(());
    }
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let is_ours = match (text("sec-fetch-site"), text("origin"), text("host")) {
        (Some(site), _, _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, authority)| authority == host),
        (None, Some(_), None) => false,
        (None, None, _) => true,
    };
    if is_ours { Ok(()) } else { Err(ApiError::new(ErrorCode::Forbidden, "another site may not use your session")) }
}

fn hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

/// `POST /api/auth/login`.
pub(super) async fn login(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Json(login): Json<api::Login>,
) -> Result<Response, ApiError> {
    let user = check_password(&app, peer.ip(), login.username, login.password.into_inner()).await?;
    open(&app, user, axum::http::StatusCode::OK).await
}

/// The user of this name and password; whoever guesses is slowed down.
///
/// # Errors
/// `unauthorized`, or `rate_limited` after too many failures.
pub(crate) async fn check_password(
    app: &App,
    from: IpAddr,
    username: String,
    secret: String,
) -> Result<User, ApiError> {
    let guard = || app.guard.lock().unwrap_or_else(PoisonError::into_inner);
    let admitted = guard().admit(from, clock::now());
    admitted.map_err(too_many)?;
    let user = app.store.find_user(username).await;
    let user = user.map_err(|error| ApiError::internal("finding a user", &error))?;
    // The same work is done for names that do not exist, so that time tells nothing.
    let stored = user.as_ref().map_or_else(|| password::DECOY.to_owned(), |user| user.password_hash.clone());
    let is_right = verify_password(app, secret, stored).await?;
    // Guesses that waited for their turn together do not count as admitted together.
    guard().admit(from, clock::now()).map_err(too_many)?;
    match user.filter(|_| is_right) {
        Some(user) => {
            guard().succeeded(from);
            Ok(user)
        }
        None => {
            guard().failed(from, clock::now());
            info!("a login failed");
            Err(ApiError::new(ErrorCode::Unauthorized, "wrong name or password"))
        }
    }
}

fn too_many(wait: Duration) -> ApiError {
    let seconds = wait.as_secs() + 1;
    let message = format!("too many failed logins; try again in {} minutes", seconds.div_ceil(60));
    ApiError { retry_after: Some(seconds), ..ApiError::new(ErrorCode::RateLimited, message) }
}

async fn verify_password(app: &App, password: String, stored: String) -> Result<bool, ApiError> {
    if password.len() > password::LONGEST {
        return Ok(false);
    }
    hashing(app, move || password::verify(&password, &stored)).await
}

/// Runs slow hashing off the async threads, a bounded number at a time.
pub(super) async fn hashing<T: Send + 'static>(
    app: &App,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let busy = || ApiError { retry_after: Some(2), ..ApiError::new(ErrorCode::Unavailable, "too many logins at once") };
    let turn = tokio::time::timeout(Duration::from_secs(5), app.hashing.acquire()).await;
    let Ok(Ok(_turn)) = turn else { return Err(busy()) };
    tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal("hashing", &error))
}

/// Opens a session and answers with its token, also as a cookie for pages that cannot set a header.
pub(super) async fn open(app: &App, user: User, status: axum::http::StatusCode) -> Result<Response, ApiError> {
    let (token, cookie) = begin(app, &user).await?;
    let answer = api::LoginAnswer { success: true, token: token.into(), user: view(&user) };
    let mut response = (status, axum::Json(answer)).into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Begins a session: its token, and the cookie that carries it.
///
/// # Errors
/// When the database fails or there is no randomness.
pub(crate) async fn begin(app: &App, user: &User) -> Result<(String, HeaderValue), ApiError> {
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random).map_err(|error| ApiError::internal("drawing a token", &error))?;
    let token = BASE64_URL_SAFE_NO_PAD.encode(random);
    let now = clock::unix_ms();
    let expires = now.saturating_add(i64::try_from(LASTS.as_millis()).unwrap_or(i64::MAX));
    let opened = app.store.create_session(user.id, hash(&token), expires, now).await;
    opened.map_err(|error| ApiError::internal("opening a session", &error))?;
    let touched = app.store.touch_login(user.id, now).await;
    touched.map_err(|error| ApiError::internal("noting a login", &error))?;
    let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}", LASTS.as_secs());
    let cookie = HeaderValue::from_str(&cookie).map_err(|error| ApiError::internal("writing a cookie", &error))?;
    Ok((token, cookie))
}

/// `POST /api/auth/logout`.
pub(super) async fn logout(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    uri: Uri,
    method: Method,
) -> Result<Json<api::Success>, ApiError> {
    end(&app, &headers, uri.query(), &method).await?;
    Ok(Json(api::Success::YES))
}

/// Ends the session of a request.
///
/// # Errors
/// As [`authenticate`].
pub(crate) async fn end(app: &App, headers: &HeaderMap, query: Option<&str>, method: &Method) -> Result<(), ApiError> {
    let token = token_of(headers, query, method)?;
    let closed = app.store.delete_session(hash(&token)).await;
    closed.map_err(|error| ApiError::internal("closing a session", &error))?;
    Ok(())
}

/// `GET /api/auth/verify`.
pub(super) async fn verify(Extension(Session(user)): Extension<Session>) -> Json<api::Verified> {
    Json(api::Verified { valid: true, user: view(&user) })
}

/// A user for the API.
#[must_use]
pub(super) fn view(user: &User) -> api::User {
    let role = match user.role {
        Role::Admin => api::Role::Admin,
        Role::User => api::Role::User,
    };
    api::User { id: user.id.to_string(), username: user.username.clone(), role }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_token_is_found_where_apps_put_it() {
        let get = Method::GET;
        for (name, pairs, query, want) in [
            ("bearer", vec![("authorization", "Bearer abc")], None, Some("abc")),
            ("small bearer", vec![("authorization", "bearer abc")], None, Some("abc")),
            ("query", vec![], Some("limit=1&token=abc"), Some("abc")),
            ("cookie", vec![("cookie", "a=b; homenichat_session=abc")], None, Some("abc")),
            ("none", vec![("cookie", "a=b")], None, None),
            ("another scheme", vec![("authorization", "Basic abc")], None, None),
        ] {
            assert_eq!(token_of(&headers(&pairs), query, &get).ok().as_deref(), want, "{name}");
        }
    }

    #[test]
    fn another_site_cannot_write_with_our_cookie() {
        let cookie = ("cookie", "homenichat_session=abc");
        for (name, extra, is_admitted) in [
            ("same origin", vec![("sec-fetch-site", "same-origin")], true),
            ("cross site", vec![("sec-fetch-site", "cross-site")], false),
            ("old browser, ours", vec![("origin", "http://box"), ("host", "box")], true),
            ("old browser, other", vec![("origin", "http://evil"), ("host", "box")], false),
        ] {
            let mut pairs = vec![cookie];
            pairs.extend(extra);
            assert_eq!(token_of(&headers(&pairs), None, &Method::POST).is_ok(), is_admitted, "{name}");
        }
    }
}
