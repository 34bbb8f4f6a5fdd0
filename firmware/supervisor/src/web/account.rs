//! Signing in and out, and giving the box back as it came.

use super::html::{self, Field, Html};
use super::{Page, Refusal, failure, signed_in};
use crate::app::App;
use crate::http::{self, session};
use api::ErrorCode;
use axum::Form;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use std::net::SocketAddr;
use std::sync::Arc;

/// `GET /login`.
pub(super) async fn login_page(State(app): State<Arc<App>>) -> Result<Html, Refusal> {
    let page = Page::new(&app);
    match app.has_owner().await {
        Ok(true) => Ok(show_login(&page, "", None)),
        Ok(false) => Err(Refusal::Elsewhere("/setup")),
        Err(error) => Err(failure(&page, &error)),
    }
}

fn show_login(page: &Page, username: &str, wrong: Option<&str>) -> Html {
    let words = page.words;
    let attributes = "autocomplete=\"username\" maxlength=\"64\" autocapitalize=\"none\"";
    let fields =
        html::field(&Field { name: "username", label: words.your_name, value: username, attributes, hint: "" }).put(
            html::field(&Field {
                name: "password",
                label: words.password,
                value: "",
                attributes: "type=\"password\" autocomplete=\"current-password\"",
                hint: "",
            }),
        );
    let body = wrong.map_or_else(Html::new, html::notice).put(html::form("/login", fields, words.sign_in));
    page.show(words.sign_in, body)
}

/// The form of `/login`.
#[derive(Deserialize)]
pub(super) struct Login {
    username: String,
    password: String,
}

/// `POST /login`.
pub(super) async fn login(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Form(login): Form<Login>,
) -> Response {
    let page = Page::new(&app);
    let outcome = session::check_password(&app, peer.ip(), login.username.clone(), login.password).await;
    match outcome {
        Ok(user) => match session::begin(&app, &user).await {
            Ok((_, cookie)) => ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response(),
            Err(error) => failure(&page, &error).into_response(),
        },
        Err(error) => {
            let wrong = match error.code {
                ErrorCode::Unauthorized => page.words.wrong_password,
                code => page.words.explain(code),
            };
            let status = StatusCode::from_u16(error.code.http_status()).unwrap_or(StatusCode::UNAUTHORIZED);
            (status, show_login(&page, &login.username, Some(wrong))).into_response()
        }
    }
}

/// `POST /logout`.
pub(super) async fn logout(State(app): State<Arc<App>>, headers: HeaderMap, method: Method) -> Redirect {
    if let Err(error) = session::end(&app, &headers, None, &method).await {
        tracing::debug!(code = ?error.code, "nobody was signed in");
    }
    Redirect::to("/login")
}

/// `GET /reset`.
pub(super) async fn reset_page(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    method: Method,
) -> Result<Html, Refusal> {
    signed_in(&app, &headers, &method).await?;
    Ok(show_reset(&Page::new(&app), None))
}

fn show_reset(page: &Page, wrong: Option<&str>) -> Html {
    let words = page.words;
    let fields = html::field(&Field {
        name: "password",
        label: words.password,
        value: "",
        attributes: "type=\"password\" autocomplete=\"current-password\"",
        hint: words.reset_hint,
    });
    let body = wrong
        .map_or_else(Html::new, html::notice)
        .put(html::paragraph(words.reset_warning))
        .put(html::form("/reset", fields, words.reset_now))
        .put(html::link("/", words.back));
    page.show(words.reset, body)
}

/// The form of `/reset`.
#[derive(Deserialize)]
pub(super) struct Reset {
    password: String,
}

/// `POST /reset`.
pub(super) async fn reset(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    method: Method,
    Form(form): Form<Reset>,
) -> Result<Response, Refusal> {
    let user = signed_in(&app, &headers, &method).await?;
    let page = Page::new(&app);
    match http::reset_by(&app, peer.ip(), user, form.password).await {
        Ok(()) => Ok(page.show(page.words.reset, html::paragraph(page.words.reset_begun)).into_response()),
        Err(error) => {
            let wrong = match error.code {
                ErrorCode::Unauthorized => page.words.wrong_password,
                code => page.words.explain(code),
            };
            let status = StatusCode::from_u16(error.code.http_status()).unwrap_or(StatusCode::UNAUTHORIZED);
            Ok((status, show_reset(&page, Some(wrong))).into_response())
        }
    }
}
