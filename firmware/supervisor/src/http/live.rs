//! `/ws`: live events.

use super::error::ApiError;
use super::{chats, session};
use crate::app::App;
use crate::clock;
use api::{ClientFrame, ServerAnswer};
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;
use tracing::debug;

/// A socket without a session is closed after this long.
const SIGN_IN_DEADLINE: Duration = Duration::from_secs(30);
/// Apps ping every 30 s; a silent one is gone.
const SILENCE: Duration = Duration::from_secs(90);
/// A client that does not read is not waited for.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// The session is looked at again this often, so that a logout ends the stream.
const RECHECK: Duration = Duration::from_secs(60);
const LARGEST_FRAME: usize = 16 * 1024;
/// Sockets at the same time. The server's own bound counts a connection only until it becomes a socket.
static PLACES: Semaphore = Semaphore::const_new(256);
/// RFC 6455 §7.4.1: policy violation.
const POLICY: u16 = 1008;

/// `GET /ws`.
pub(super) async fn live_events(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    uri: Uri,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let place = PLACES.try_acquire().map_err(|_| {
        ApiError::new(api::ErrorCode::Unavailable, "too many listen already; close a window of this box and try again")
    })?;
    let token = session::token_of(&headers, uri.query(), &axum::http::Method::GET).ok();
    let socket = upgrade.max_message_size(LARGEST_FRAME).max_frame_size(LARGEST_FRAME);
    Ok(socket.on_upgrade(move |socket| async move {
        if let Err(reason) = stream(&app, socket, token).await {
            debug!(reason, "event stream ended");
        }
        drop(place);
    }))
}

async fn stream(app: &App, mut socket: WebSocket, token: Option<String>) -> Result<(), &'static str> {
    let token = match token {
        Some(token) => token,
        None => first_token(&mut socket).await?,
    };
    // Subscribed before the client hears that it is: no event can fall between.
    let mut events = app.hub.subscribe();
    match session::user_of(app, &token).await {
        Ok(user) => {
            answer(&mut socket, &ServerAnswer::AuthSuccess { user: session::view(&user) }).await?;
            tell_chats(app, &mut socket).await?;
        }
        Err(error) => {
            answer(&mut socket, &ServerAnswer::AuthError { error: error.message }).await?;
            return close(&mut socket, "sign in first").await;
        }
    }
    let mut recheck = tokio::time::interval(RECHECK);
    recheck.tick().await;
    let mut heard = clock::now();
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => send(&mut socket, event.as_ref().into()).await?,
                Err(RecvError::Lagged(_)) => {
                    let sync = json!({"type": "sync_request", "data": {"reason": "too many events at once"}, "timestamp": clock::unix_ms()});
                    send(&mut socket, sync.to_string().into()).await?;
                }
                Err(RecvError::Closed) => return Err("the box stops"),
            },
            frame = socket.recv() => {
                heard = clock::now();
                on_frame(&mut socket, frame).await?;
            }
            _ = recheck.tick() => {
                if session::user_of(app, &token).await.is_err() {
                    return close(&mut socket, "the session has ended").await;
                }
                if clock::now().saturating_duration_since(heard) > SILENCE {
                    return close(&mut socket, "nothing was heard for too long").await;
                }
            }
        }
    }
}

/// What the inbox holds as the stream begins; what follows are single changes.
async fn tell_chats(app: &App, socket: &mut WebSocket) -> Result<(), &'static str> {
    let chats = chats::first_page(app).await.map_err(|_| "the chats cannot be listed")?;
    let event = api::ServerEvent::ChatsListUpdate(api::ChatsSnapshot { chats, reason: "connected".to_owned() });
    let envelope = api::Envelope { event, timestamp: clock::unix_ms() };
    let text = serde_json::to_string(&envelope).map_err(|_| "the chats cannot be written")?;
    send(socket, text.into()).await
}

async fn first_token(socket: &mut WebSocket) -> Result<String, &'static str> {
    let wait = async {
        loop {
            match socket.recv().await {
                Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                    Ok(ClientFrame::Auth { token }) => return Some(token.into_inner()),
                    Ok(ClientFrame::Ping) => answer(socket, &ServerAnswer::Pong).await.ok()?,
                    Ok(ClientFrame::Subscribe { .. } | ClientFrame::Typing { .. }) | Err(_) => {}
                },
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    };
    match tokio::time::timeout(SIGN_IN_DEADLINE, wait).await {
        Ok(token) => token.ok_or("gone before signing in"),
        Err(_) => {
            close(socket, "sign in first").await?;
            Err("did not sign in")
        }
    }
}

async fn on_frame(socket: &mut WebSocket, frame: Option<Result<Message, axum::Error>>) -> Result<(), &'static str> {
    match frame {
        Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
            Ok(ClientFrame::Ping) => answer(socket, &ServerAnswer::Pong).await,
            // Every client gets every event, and SMS has no typing.
            Ok(ClientFrame::Auth { .. } | ClientFrame::Subscribe { .. } | ClientFrame::Typing { .. }) => Ok(()),
            Err(_) => Ok(()),
        },
        Some(Ok(Message::Close(_))) | None => Err("closed by the client"),
        Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => Ok(()),
        Some(Err(_)) => Err("the connection broke"),
    }
}

async fn answer(socket: &mut WebSocket, answer: &ServerAnswer) -> Result<(), &'static str> {
    let text = serde_json::to_string(answer).map_err(|_| "an answer cannot be written")?;
    send(socket, text.into()).await
}

async fn send(socket: &mut WebSocket, text: Utf8Bytes) -> Result<(), &'static str> {
    match tokio::time::timeout(WRITE_DEADLINE, socket.send(Message::Text(text))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("the connection broke"),
        Err(_) => Err("the client does not read"),
    }
}

async fn close(socket: &mut WebSocket, reason: &'static str) -> Result<(), &'static str> {
    let frame = CloseFrame { code: POLICY, reason: reason.into() };
    let closed = tokio::time::timeout(WRITE_DEADLINE, socket.send(Message::Close(Some(frame)))).await;
    closed.map_err(|_| "the client does not read")?.map_err(|_| "the connection broke")?;
    Err(reason)
}
