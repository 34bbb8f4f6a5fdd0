use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Private;

/// Who called whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallDirection {
    /// Somebody called a line of the box.
    Incoming,
    /// The box called somebody.
    Outgoing,
}

/// How a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    /// Rings.
    Ringing,
    /// Nobody took it.
    Missed,
    /// Somebody took it.
    Answered,
    /// Somebody refused it.
    Rejected,
    /// The other side was busy.
    Busy,
    /// It never came to ring.
    Failed,
}

/// One call in the history. Times are ISO 8601 in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// Opaque id.
    pub id: String,
    /// Who called whom.
    pub direction: CallDirection,
    /// The number that called.
    pub caller_number: Private,
    /// The number that was called.
    pub called_number: Private,
    /// Name of the caller, when known.
    pub caller_name: Option<Private>,
    /// Name of the line.
    pub line_name: Option<String>,
    /// The line.
    pub line_id: Option<String>,
    /// When it began.
    pub start_time: String,
    /// When it was answered.
    pub answer_time: Option<String>,
    /// When it ended.
    pub end_time: Option<String>,
    /// Seconds between answer and end.
    pub duration: u32,
    /// Who answered.
    pub answered_by_username: Option<String>,
    /// Which extension answered.
    pub answered_by_extension: Option<String>,
    /// How it went.
    pub status: CallStatus,
    /// `pbx`; existing apps read it.
    pub source: String,
    /// The channel of the telephone exchange.
    pub pbx_call_id: Option<String>,
    /// Whether a user has seen it.
    pub seen: bool,
    /// What users noted.
    pub notes: Option<Private>,
    /// Where its recording is.
    pub recording_url: Option<String>,
    /// When the row was made.
    pub created_at: String,
}

/// Where a page stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    /// How many were asked for.
    pub limit: u32,
    /// How many were skipped.
    pub offset: u32,
    /// Whether there are more.
    pub has_more: bool,
}

/// Answer of `GET /api/calls`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallList {
    /// Always true.
    pub success: bool,
    /// Calls, the most recent first.
    pub calls: Vec<Call>,
    /// Where the page stands.
    pub pagination: Pagination,
}

/// Body of `POST /api/calls/originate`: rings the user's phone, then the destination.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewCall {
    /// The number to call.
    #[serde(alias = "to")]
    pub destination: Private,
    /// The number or the id of the line to call from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Private>,
    /// The extension that rings first; the user's own without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
}

/// Answer of `POST /api/calls/originate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallPlaced {
    /// Always true.
    pub success: bool,
    /// Id of the call.
    pub call_id: String,
}
