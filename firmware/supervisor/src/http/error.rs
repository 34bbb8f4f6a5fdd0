//! Every refusal of the API.

use api::{ErrorBody, ErrorCode};
use axum::extract::FromRequest;
use axum::extract::rejection::JsonRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::error::Error;
use std::io::ErrorKind;
use store::StoreError;
use tracing::error;

/// A refusal: what a program reads and what a person reads. The request id is added on the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The reason, for a program.
    pub code: ErrorCode,
    /// The reason, for a person.
    pub message: String,
    /// Seconds after which trying again makes sense.
    pub retry_after: Option<u64>,
}

impl ApiError {
    /// A refusal.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }

    /// Something that is our fault: the log has the cause, the client only that it happened. A full disk is said to
    /// be one.
    pub fn internal(context: &str, cause: &(dyn Error + 'static)) -> Self {
        error!(context, error = %crate::chain::Chain(cause), "request failed");
        if is_full_disk(cause) {
            return Self::full();
        }
        Self::new(ErrorCode::Internal, "the box could not do this; its log says why")
    }

    /// The disk has no room.
    pub fn full() -> Self {
        Self::new(ErrorCode::StorageFull, "the disk of the box is full; nothing was stored")
    }
}

/// Whether an error comes from a disk without room.
fn is_full_disk(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source()).any(|error| {
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        matches!(kind, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
            || matches!(error.downcast_ref(), Some(StoreError::Full))
    })
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        // The body is written by `finish`, which knows the id of the request.
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the body of a refusal, and turns bare error statuses of the router into the same form.
pub(super) fn finish(response: Response, request_id: &str) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let refusal = response.extensions().get::<ApiError>().cloned().unwrap_or_else(|| bare(status));
    let body = ErrorBody::new(refusal.code, refusal.message, request_id);
    let mut finished = (status, axum::Json(body)).into_response();
    for name in [header::RETRY_AFTER, header::ALLOW] {
        if let Some(value) = response.headers().get(&name) {
            finished.headers_mut().insert(name, value.clone());
        }
    }
    finished
}

fn bare(status: StatusCode) -> ApiError {
    let (code, message) = match status {
        StatusCode::NOT_FOUND => (ErrorCode::NotFound, "there is nothing at this address"),
        StatusCode::METHOD_NOT_ALLOWED => (ErrorCode::InvalidRequest, "this address does not take this method"),
        StatusCode::PAYLOAD_TOO_LARGE => (ErrorCode::BodyTooLarge, "the request is too large"),
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => (ErrorCode::Unavailable, "the box took too long"),
        status if status.is_client_error() => (ErrorCode::InvalidRequest, "the request cannot be understood"),
        _ => (ErrorCode::Internal, "the box could not do this; its log says why"),
    };
    ApiError::new(code, message)
}

/// A JSON body, refused in our own form.
pub struct Json<T>(pub T);

impl<T, S> FromRequest<S> for Json<T>
where
    axum::Json<T>: FromRequest<S, Rejection = JsonRejection>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, ApiError> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(bare(rejection.status())),
            // The rejection's own text may repeat what the client sent.
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(ApiError::new(ErrorCode::InvalidRequest, "send the body as application/json"))
            }
            Err(_) => Err(ApiError::new(ErrorCode::InvalidRequest, "the body is not the JSON that is expected here")),
        }
    }
}

impl<T: serde::Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// A query string that cannot be read.
pub(super) fn bad_query() -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, "a parameter after the `?` is not what is expected here")
}

/// The size of a page: 50 when nothing is asked for.
///
/// # Errors
/// When it is not between 1 and `largest`.
pub(super) fn page_limit(wish: Option<u32>, largest: u32) -> Result<u32, ApiError> {
    match wish.unwrap_or(50) {
        limit if (1..=largest).contains(&limit) => Ok(limit),
        _ => Err(ApiError::new(ErrorCode::InvalidRequest, format!("`limit` goes from 1 to {largest}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};
    use std::io;

    #[test]
    fn a_full_disk_is_told_apart_from_a_defect() {
        let full = || io::Error::from(ErrorKind::StorageFull);
        let cases: [(&str, anyhow::Error, ErrorCode); 5] = [
            ("the store", StoreError::Full.into(), ErrorCode::StorageFull),
            ("a file", full().into(), ErrorCode::StorageFull),
            (
                "a file, with context",
                Err::<(), _>(full()).context("writing settings").unwrap_err(),
                ErrorCode::StorageFull,
            ),
            ("another error of a file", io::Error::from(ErrorKind::NotFound).into(), ErrorCode::Internal),
            ("a defect", anyhow!("defect"), ErrorCode::Internal),
        ];
        for (name, error, want) in cases {
            assert_eq!(ApiError::internal("testing", error.as_ref()).code, want, "{name}");
        }
    }
}
