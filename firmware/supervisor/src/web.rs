//! The pages of the box: set-up of a new one, and a small page that says how it is.
//!
//! Plain HTML without scripts. Whatever is not part of this program passes [`html::Html::text`], which escapes it.

mod account;
mod english;
mod files;
mod french;
mod home;
mod html;
mod phones;
mod redirect;
mod sim_page;
mod steps;
mod words;

pub use redirect::redirect;
pub(crate) use words::CardWords;

use crate::app::App;
use crate::http::{ApiError, session};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get, post};
use html::{Html, STYLE_SOURCE};
use std::sync::Arc;
use steps::Step;
use store::User;
use words::Words;

/// Forms of these pages are short.
const LARGEST_FORM: usize = 16 * 1024;

/// All pages.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(home::home))
        .route("/login", get(account::login_page).post(account::login))
        .route("/logout", post(account::logout))
        .route("/reset", get(account::reset_page).post(account::reset))
        .route("/phones", get(phones::phones_page))
        .route("/settings", get(files::settings_page).merge(with_file(post(files::change_settings))))
        .route("/settings/modems", with_file(post(files::change_models)))
        .route("/setup", get(steps::current))
        .route("/setup/language", get(steps::language_page).post(steps::choose_language))
        .route("/setup/owner", get(steps::owner_page).post(steps::make_owner))
        .route("/setup/name", get(steps::name_page).post(steps::choose_name))
        .route("/setup/lines", get(sim_page::lines_page).post(sim_page::lines_done))
        .route("/setup/pin", post(sim_page::enter_pin))
        .route("/setup/test", get(sim_page::test_page).post(sim_page::send_test))
        .route("/setup/finish", post(steps::finish))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(from_fn(guard))
        .route("/authority.crt", get(authority))
        .with_state(app)
}

/// A form that carries one of the owner's files.
fn with_file(form: MethodRouter<Arc<App>>) -> MethodRouter<Arc<App>> {
    form.layer(DefaultBodyLimit::max(files::LARGEST_FORM))
}

async fn authority(State(app): State<Arc<App>>) -> Response {
    match &app.certificates {
        Some(certificates) => redirect::authority(certificates.authority_pem()),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Keeps other sites from using these pages, and these pages from being used for anything else.
async fn guard(request: Request, next: Next) -> Response {
    if session::refuse_other_sites(request.headers(), request.method()).is_err() {
        return StatusCode::FORBIDDEN.into_response();
    }
    let mut response = next.run(request).await;
    let policy = format!(
        "default-src 'none'; style-src '{}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        STYLE_SOURCE.as_str()
    );
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// What a page begins with: its words, and the name of the box.
struct Page {
    words: &'static Words,
    box_name: String,
    refresh: Option<u8>,
}

impl Page {
    /// A page in the language of the box.
    fn new(app: &App) -> Self {
        let settings = app.settings.borrow();
        Self {
            words: Words::of(settings.the_box.language.as_str()),
            box_name: settings.the_box.name.as_str().to_owned(),
            refresh: None,
        }
    }

    /// The page as an answer.
    fn show(&self, title: &str, body: Html) -> Html {
        html::page(self.words, &self.box_name, title, self.refresh, body)
    }
}

/// Why a page is not shown.
enum Refusal {
    /// Something else comes first.
    Elsewhere(&'static str),
    /// A page that says what went wrong.
    Page(StatusCode, Html),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Elsewhere(path) => Redirect::to(path).into_response(),
            Self::Page(status, html) => (status, html).into_response(),
        }
    }
}

/// A failure in words, for pages that cannot say it beside a form.
fn failure(page: &Page, error: &ApiError) -> Refusal {
    let words = page.words;
    let body = html::notice(words.explain(error.code)).put(html::link("/", words.back));
    let status = StatusCode::from_u16(error.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Refusal::Page(status, page.show(words.went_wrong, body))
}

/// The owner who is signed in.
///
/// # Errors
/// The page that comes first otherwise.
async fn signed_in(app: &App, headers: &HeaderMap, method: &Method) -> Result<User, Refusal> {
    if !app.has_owner().await.map_err(|error| failure(&Page::new(app), &error))? {
        return Err(Refusal::Elsewhere("/setup"));
    }
    match session::authenticate(app, headers, None, method).await {
        Ok(user) if user.role == store::Role::Admin => Ok(user),
        Ok(_) | Err(_) => Err(Refusal::Elsewhere("/login")),
    }
}

/// The owner at a step of the set-up.
///
/// # Errors
/// The page that comes first otherwise.
async fn at_step(app: &App, headers: &HeaderMap, method: &Method, step: Step) -> Result<User, Refusal> {
    let user = signed_in(app, headers, method).await?;
    let current = steps::find(app).await.map_err(|error| failure(&Page::new(app), &error))?;
    // Earlier steps can be looked at again; later ones wait.
    if current >= step { Ok(user) } else { Err(Refusal::Elsewhere(current.path())) }
}
