use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Every reason for which a request is not carried out.
///
/// The set is closed: a client may match on it, and a new reason is a new version of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The body or a parameter cannot be read.
    InvalidRequest,
    /// The number cannot be dialled.
    InvalidNumber,
    /// The text needs more parts than a message may have.
    TextTooLong,
    /// No valid session.
    Unauthorized,
    /// The user may not do this.
    Forbidden,
    /// Nothing has this id.
    NotFound,
    /// No line has this id or number.
    NoSuchLine,
    /// The thing exists already, or is in another state.
    Conflict,
    /// The SIM asks for its PIN.
    PinNeeded,
    /// The PIN was wrong, or entering it would use up the last try.
    PinRefused,
    /// The SIM asks for its PUK.
    PukNeeded,
    /// The modem is not registered on a network.
    NotRegistered,
    /// No modem holds the SIM of the line.
    NoModem,
    /// The body is larger than the box reads.
    BodyTooLarge,
    /// Too many requests, or too many failed logins.
    RateLimited,
    /// The network refused; the text says why.
    NetworkRefused,
    /// The modem gave no answer in time.
    ModemSilent,
    /// The box needs its owner to be created first.
    SetupNeeded,
    /// The service behind this is starting or out of order.
    Unavailable,
    /// The disk of the box, or the storage of the SIM, is full.
    StorageFull,
    /// A defect of the box; the log has the detail under the request id.
    Internal,
}

impl ErrorCode {
    /// The HTTP status that goes with the code.
    #[must_use]
    pub fn http_status(self) -> u16 {
        match self {
            Self::InvalidRequest | Self::InvalidNumber | Self::TextTooLong => 400,
            Self::Unauthorized => 401,
            Self::Forbidden | Self::SetupNeeded => 403,
            Self::NotFound | Self::NoSuchLine => 404,
            Self::Conflict
            | Self::PinNeeded
            | Self::PinRefused
            | Self::PukNeeded
            | Self::NotRegistered
            | Self::NoModem => 409,
            Self::BodyTooLarge => 413,
            Self::RateLimited => 429,
            Self::NetworkRefused => 502,
            Self::Unavailable => 503,
            Self::ModemSilent => 504,
            Self::StorageFull => 507,
            Self::Internal => 500,
        }
    }
}

/// The body of every answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// One sentence for a human.
    pub error: String,
    /// The reason for a program.
    pub code: ErrorCode,
    /// Under which id the log speaks of this request.
    pub request_id: String,
}

impl ErrorBody {
    /// An error body.
    #[must_use]
    pub fn new(code: ErrorCode, error: impl Into<String>, request_id: impl Into<String>) -> Self {
        Self { error: error.into(), code, request_id: request_id.into() }
    }
}
