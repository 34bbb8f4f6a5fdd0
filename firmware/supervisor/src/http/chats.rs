//! The inbox, and sending.

use super::error::{ApiError, Json, bad_query, page_limit};
use super::lines::not_ready;
use super::session::Session;
use crate::app::App;
use crate::registry::LineRequest;
use crate::{clock, records, views};
use api::ErrorCode;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use std::sync::Arc;
use store::{ChatId, EnqueueError, Ensured, MessagePage, NewMessage, StoreError, User};
use telecom::{Address, PhoneNumber};

/// The most chats or messages of one page.
const LARGEST_PAGE: u32 = 100;
/// Ten parts hold at most 1,530 characters; a longer text is refused before it is looked at.
const LONGEST_TEXT: usize = 8 * 1024;
const LONGEST_KEY: usize = 128;

/// Which chats are wanted.
#[derive(Debug, Deserialize)]
pub(super) struct ChatPage {
    limit: Option<u32>,
    offset: Option<u32>,
}

/// `GET /api/chats`.
pub(super) async fn list_chats(
    State(app): State<Arc<App>>,
    page: Result<Query<ChatPage>, QueryRejection>,
) -> Result<Json<api::ChatList>, ApiError> {
    let Query(page) = page.map_err(|_| bad_query())?;
    let chats = app.store.list_chats(page_limit(page.limit, LARGEST_PAGE)?, page.offset.unwrap_or(0)).await;
    let chats = chats.map_err(|error| ApiError::internal("listing chats", &error))?;
    Ok(Json(api::ChatList { success: true, chats: chats.into_iter().map(records::chat).collect() }))
}

/// Which messages are wanted.
#[derive(Debug, Deserialize)]
pub(super) struct MessageQuery {
    limit: Option<u32>,
    before: Option<i64>,
    after: Option<i64>,
}

/// `GET /api/chats/{id}/messages`.
pub(super) async fn list_messages(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: Result<Query<MessageQuery>, QueryRejection>,
) -> Result<Json<api::MessageList>, ApiError> {
    let Query(query) = query.map_err(|_| bad_query())?;
    let limit = page_limit(query.limit, LARGEST_PAGE)?;
    let page = MessagePage { limit: limit + 1, before_ms: query.before, after_ms: query.after };
    let mut messages = app.store.list_messages(ChatId(id), page).await.map_err(chat_error)?;
    let has_more = messages.len() > limit as usize;
    if has_more {
        // Oldest first: the surplus one is at the far end from where the page starts.
        let is_forward = query.after.is_some() && query.before.is_none();
        if is_forward { drop(messages.pop()) } else { drop(messages.remove(0)) }
    }
    let messages = messages.into_iter().map(records::message).collect();
    Ok(Json(api::MessageList { success: true, messages, has_more }))
}

/// The conversations that a client begins with, the most recent first.
///
/// # Errors
/// When the database fails.
pub(super) async fn first_page(app: &App) -> Result<Vec<api::Chat>, ApiError> {
    let chats = app.store.list_chats(LARGEST_PAGE, 0).await;
    let chats = chats.map_err(|error| ApiError::internal("listing chats", &error))?;
    Ok(chats.into_iter().map(records::chat).collect())
}

/// `PUT /api/chats/{id}/read`.
pub(super) async fn mark_read(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<api::Success>, ApiError> {
    app.hub.mark_read(&app.store, ChatId(id)).await.map_err(chat_error)?;
    Ok(Json(api::Success::YES))
}

fn chat_error(error: StoreError) -> ApiError {
    match error {
        StoreError::NotFound { .. } => ApiError::new(ErrorCode::NotFound, "there is no such conversation"),
        error => ApiError::internal("reading a chat", &error),
    }
}

/// `POST /api/chats/{id}/messages`.
pub(super) async fn send_message(
    State(app): State<Arc<App>>,
    Extension(Session(user)): Extension<Session>,
    Path(id): Path<String>,
    Json(new): Json<api::NewChatMessage>,
) -> Result<(StatusCode, Json<api::SmsAccepted>), ApiError> {
    let chat = app.store.find_chat(ChatId(id)).await.map_err(chat_error)?;
    let Address::Number(to) = chat.remote else {
        return Err(ApiError::new(ErrorCode::InvalidNumber, "this sender has no number that could be answered"));
    };
    let line = app.store.find_line(chat.line).await.map_err(chat_error)?;
    Ok((StatusCode::ACCEPTED, Json(send(&app, line, to, new.text, own_key(&user, new.idempotency_key)?).await?)))
}

/// `POST /api/sms/send`.
pub(super) async fn send_sms(
    State(app): State<Arc<App>>,
    Extension(Session(user)): Extension<Session>,
    Json(new): Json<api::NewSms>,
) -> Result<(StatusCode, Json<api::SmsAccepted>), ApiError> {
    let to: PhoneNumber = new.to.as_str().parse().map_err(|_| {
        ApiError::new(
            ErrorCode::InvalidNumber,
            "this is not a telephone number; write it like +33612345678 or 0612345678",
        )
    })?;
    let wish = new.from.as_ref().map(api::Private::as_str).or(new.provider_id.as_deref());
    let line = app.choose_line(wish).await?;
    Ok((StatusCode::ACCEPTED, Json(send(&app, line, to, new.message, own_key(&user, new.idempotency_key)?).await?)))
}

/// Accepts a message; it leaves as soon as the line can.
///
/// # Errors
/// Why it was not accepted.
pub(crate) async fn send(
    app: &App,
    line: store::Line,
    to: PhoneNumber,
    text: api::Private,
    client_key: Option<String>,
) -> Result<api::SmsAccepted, ApiError> {
    let text = text.into_inner();
    if text.is_empty() {
        return Err(ApiError::new(ErrorCode::InvalidRequest, "write a text first"));
    }
    if text.len() > LONGEST_TEXT {
        return Err(too_long());
    }
    if app.space.is_short() {
        return Err(ApiError::full());
    }
    let facts = app.registry.line(line.id);
    // A PIN or PUK needs its owner: such a message would wait in vain. Anything that heals by itself does not refuse.
    let obstacle = facts.as_ref().and_then(not_ready);
    if let Some(error) = obstacle.as_ref().filter(|e| matches!(e.code, ErrorCode::PinNeeded | ErrorCode::PukNeeded)) {
        return Err(error.clone());
    }
    let new = NewMessage { line: line.id, to, text, client_key, at_ms: clock::unix_ms() };
    let enqueued = app.store.enqueue_message(new).await.map_err(enqueue_error)?;
    let is_new = matches!(enqueued, Ensured::Created(_));
    let message = enqueued.into_inner();
    if let Some(requests) = app.registry.line_requests(line.id) {
        // A full queue means that the task is awake and looks for more to send anyway.
        drop(requests.try_send(LineRequest::SendQueued));
    }
    let warning = match (&facts, obstacle) {
        (None, _) => Some("the SIM of this line is in no modem; the message leaves when it is back".to_owned()),
        (Some(_), Some(error)) => Some(format!("the message waits: {}", error.message)),
        (Some(_), None) => None,
    };
    let accepted = api::SmsAccepted {
        success: true,
        message_id: message.id.to_string(),
        chat_id: message.chat.to_string(),
        provider: "modem".to_owned(),
        modem_id: facts.as_ref().map(views::modem_id),
        line_id: line.id.to_string(),
        segments: message.segments,
        status: records::message_status(message.status),
        timestamp: message.created_at_ms,
        warning,
    };
    // A client that repeats itself has told nobody anything new.
    if is_new {
        app.hub.publish_message(&app.store, message).await;
    }
    Ok(accepted)
}

/// A key of one user says nothing about the message of another.
fn own_key(user: &User, key: Option<String>) -> Result<Option<String>, ApiError> {
    if key.as_ref().is_some_and(|key| key.is_empty() || key.len() > LONGEST_KEY) {
        return Err(ApiError::new(ErrorCode::InvalidRequest, "`idempotencyKey` has 1 to 128 bytes"));
    }
    Ok(key.map(|key| format!("{}:{key}", user.id)))
}

fn too_long() -> ApiError {
    ApiError::new(ErrorCode::TextTooLong, "the text is longer than ten SMS; send it in pieces")
}

fn enqueue_error(error: EnqueueError) -> ApiError {
    match error {
        EnqueueError::TextTooLong(_) => too_long(),
        EnqueueError::KeyReused => {
            ApiError::new(ErrorCode::Conflict, "this `idempotencyKey` was used for another message; choose a new one")
        }
        EnqueueError::Store(error) => ApiError::internal("accepting a message", &error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::{Role, UserId};

    #[test]
    fn the_key_of_one_user_is_not_that_of_another() {
        let user = |id| User {
            id: UserId(id),
            username: "zoe".into(),
            password_hash: String::new(),
            role: Role::User,
            created_at_ms: 0,
            last_login_at_ms: None,
        };
        let key = |id, key: &str| own_key(&user(id), Some(key.to_owned()));
        assert_eq!(key(1, "k").unwrap(), key(1, "k").unwrap());
        assert_ne!(key(1, "k").unwrap(), key(2, "k").unwrap());
        // No key of one user can be written so that it reads as that of another.
        assert_ne!(key(1, "1:k").unwrap(), key(11, "k").unwrap());
        assert_eq!(own_key(&user(1), None).unwrap(), None);
        for refused in [String::new(), "x".repeat(LONGEST_KEY + 1)] {
            assert_eq!(key(1, &refused).unwrap_err().code, ErrorCode::InvalidRequest);
        }
    }
}
