//! The box as a whole.

use super::error::{ApiError, Json};
use super::session::{self, Session};
use crate::app::App;
use axum::extract::{ConnectInfo, Extension, State};
use axum::http::StatusCode;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use store::User;
use tracing::info;

/// The answer has left by then.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// `POST /api/system/factory-reset`.
pub(super) async fn factory_reset(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Extension(Session(user)): Extension<Session>,
    Json(reset): Json<api::FactoryReset>,
) -> Result<(StatusCode, Json<api::Success>), ApiError> {
    reset_by(&app, peer.ip(), user, reset.password.into_inner()).await?;
    Ok((StatusCode::ACCEPTED, Json(api::Success::YES)))
}

/// Resets the box when this is the password of its user.
///
/// # Errors
/// `unauthorized` for another password, or the decision cannot be kept.
pub(crate) async fn reset_by(app: &Arc<App>, from: IpAddr, user: User, password: String) -> Result<(), ApiError> {
    session::check_password(app, from, user.username, password).await?;
    app.belongings.condemn().map_err(|error| ApiError::internal("deciding to reset", error.as_ref()))?;
    info!("factory reset: decided by the owner");
    let app = Arc::clone(app);
    tokio::spawn(async move {
        tokio::time::sleep(LAST_WORDS).await;
        app.stop.notify_one();
    });
    Ok(())
}
