//! The first owner of a new box.

use super::error::{ApiError, Json};
use super::password::{self, Weakness};
use super::session;
use crate::app::App;
use crate::clock;
use api::ErrorCode;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;
use store::{NewUser, StoreError, User};

/// `GET /api/setup/status`.
pub(super) async fn status(State(app): State<Arc<App>>) -> Result<Json<api::SetupStatus>, ApiError> {
    let needed = app.store.needs_first_user().await;
    let setup_needed = needed.map_err(|error| ApiError::internal("asking for the owner", &error))?;
    Ok(Json(api::SetupStatus { setup_needed, setup_complete: !setup_needed }))
}

/// `POST /api/setup/owner`.
pub(super) async fn create_owner(
    State(app): State<Arc<App>>,
    Json(owner): Json<api::NewOwner>,
) -> Result<Response, ApiError> {
    match make_owner(&app, &owner.username, owner.password.into_inner()).await {
        Ok(user) => session::open(&app, user, StatusCode::CREATED).await,
        Err(OwnerError::Name) => Err(ApiError::new(ErrorCode::InvalidRequest, "choose a name of 1 to 64 characters")),
        Err(OwnerError::Password(weakness)) => Err(ApiError::new(ErrorCode::InvalidRequest, weakness.to_string())),
        Err(OwnerError::Exists) => {
            Err(ApiError::new(ErrorCode::Conflict, "this box has an owner already; sign in instead"))
        }
        Err(OwnerError::Box(error)) => Err(error),
    }
}

/// Why nobody became the owner.
#[derive(Debug)]
pub(crate) enum OwnerError {
    /// The name is empty, too long, or holds control characters.
    Name,
    /// The password is weak.
    Password(Weakness),
    /// Somebody is the owner already.
    Exists,
    /// The box failed.
    Box(ApiError),
}

/// Makes the owner.
///
/// # Errors
/// [`OwnerError`]
pub(crate) async fn make_owner(app: &App, username: &str, secret: String) -> Result<User, OwnerError> {
    let failed =
        |context: &str, error: &(dyn std::error::Error + 'static)| OwnerError::Box(ApiError::internal(context, error));
    let username = username.trim().to_owned();
    if username.is_empty() || username.chars().count() > 64 || username.chars().any(char::is_control) {
        return Err(OwnerError::Name);
    }
    password::check(&username, &secret).map_err(OwnerError::Password)?;
    if app.has_owner().await.map_err(OwnerError::Box)? {
        return Err(OwnerError::Exists);
    }
    let password_hash = session::hashing(app, move || password::hash(&secret)).await.map_err(OwnerError::Box)?;
    let password_hash = password_hash.map_err(|error| failed("hashing a password", &error))?;
    match app.store.create_first_user(NewUser { username, password_hash }, clock::unix_ms()).await {
        Ok(user) => {
            app.note_owner();
            Ok(user)
        }
        Err(StoreError::Exists { .. }) => Err(OwnerError::Exists),
        Err(error) => Err(failed("making the owner", &error)),
    }
}
