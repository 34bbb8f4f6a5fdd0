//! Calls: what happened, placing one, ending one.

use super::error::{ApiError, Json, bad_query, page_limit};
use crate::app::App;
use crate::records;
use api::ErrorCode;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use std::sync::Arc;
use store::{CallDirection, CallFilter, CallStatus};
use switchboard::calls::{ApiRequest, Refusal};
use telecom::{CallId, PhoneNumber};

const LARGEST_PAGE: u32 = 100;

/// Which calls are wanted.
#[derive(Debug, Deserialize)]
pub(super) struct CallQuery {
    limit: Option<u32>,
    offset: Option<u32>,
    status: Option<String>,
    direction: Option<String>,
}

/// `GET /api/calls`.
pub(super) async fn list_calls(
    State(app): State<Arc<App>>,
    query: Result<Query<CallQuery>, QueryRejection>,
) -> Result<Json<api::CallList>, ApiError> {
    let Query(query) = query.map_err(|_| bad_query())?;
    let (limit, offset) = (page_limit(query.limit, LARGEST_PAGE)?, query.offset.unwrap_or(0));
    let status = word(query.status.as_deref(), CallStatus::from_word, "status")?;
    let direction = word(query.direction.as_deref(), CallDirection::from_word, "direction")?;
    let calls = app.store.list_calls(CallFilter { status, direction, limit: limit + 1, offset }).await;
    let mut calls = calls.map_err(|error| ApiError::internal("listing calls", &error))?;
    let has_more = calls.len() > limit as usize;
    calls.truncate(limit as usize);
    let pagination = api::Pagination { limit, offset, has_more };
    let calls = calls.into_iter().map(records::call).collect();
    Ok(Json(api::CallList { success: true, calls, pagination }))
}

fn word<T>(text: Option<&str>, parse: impl Fn(&str) -> Option<T>, name: &str) -> Result<Option<T>, ApiError> {
    let unknown = || ApiError::new(ErrorCode::InvalidRequest, format!("`{name}` has no such value"));
    text.map(|text| parse(text).ok_or_else(unknown)).transpose()
}

/// `POST /api/calls/originate`.
pub(super) async fn originate_call(
    State(app): State<Arc<App>>,
    Json(new): Json<api::NewCall>,
) -> Result<(StatusCode, Json<api::CallPlaced>), ApiError> {
    let number: PhoneNumber = new.destination.as_str().parse().map_err(|_| {
        ApiError::new(
            ErrorCode::InvalidNumber,
            "this is not a telephone number; write it like +33612345678 or 0612345678",
        )
    })?;
    let line = match new.from.as_ref() {
        Some(from) => {
            let line = app.choose_line(Some(from.as_str())).await?.id;
            super::lines::usable_line(&app, line)?;
            Some(line)
        }
        None => None,
    };
    let extension = match new.extension {
        Some(extension) => extension,
        None => app.exchange.first_extension().ok_or_else(|| {
            ApiError::new(ErrorCode::Conflict, "there is no phone in the settings that could ring; name an `extension`")
        })?,
    };
    let request = ApiRequest::Originate { line, number, extension };
    let call = app.exchange.request(request).await.map_err(refusal)?;
    Ok((StatusCode::ACCEPTED, Json(api::CallPlaced { success: true, call_id: call.to_string() })))
}

/// `POST /api/calls/{id}/hangup`.
pub(super) async fn hang_up_call(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<api::Success>, ApiError> {
    let call: CallId = id.parse().map_err(|_| refusal(Refusal::NoSuchCall))?;
    app.exchange.request(ApiRequest::HangUp { call }).await.map_err(refusal)?;
    Ok(Json(api::Success::YES))
}

fn refusal(refusal: Refusal) -> ApiError {
    let code = match refusal {
        Refusal::NoSuchLine => ErrorCode::NoSuchLine,
        Refusal::NotRegistered => ErrorCode::NotRegistered,
        Refusal::LineBusy => ErrorCode::Conflict,
        Refusal::NoSuchCall => ErrorCode::NotFound,
        Refusal::InvalidExtension => ErrorCode::InvalidRequest,
        Refusal::ExchangeDown => ErrorCode::Unavailable,
    };
    ApiError::new(code, refusal.to_string())
}
