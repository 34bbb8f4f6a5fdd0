//! A call as its user sees it.

use std::time::Instant;

use telecom::{CallId, HangUpCause, LineId, PhoneNumber};

/// Who called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Somebody called us.
    Incoming,
    /// We called.
    Outgoing,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallStatus {
    /// It rings, here or there.
    Ringing,
    /// Two people spoke, or still do.
    Answered,
    /// The voicemail took it.
    Voicemail,
    /// Nobody answered.
    Missed,
    /// Refused by a phone or by the other end.
    Rejected,
    /// The other end, or for a second caller the line, was busy.
    Busy,
    /// It could not be made.
    Failed,
}

/// A call: who, when, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// Its name.
    pub id: CallId,
    /// The line; `None` when none could take it.
    pub line: Option<LineId>,
    /// The owner's name of the line at that time.
    pub line_name: String,
    /// Who called.
    pub direction: Direction,
    /// The other end; `None` when withheld.
    pub number: Option<PhoneNumber>,
    /// The extension of ours that takes part, when known.
    pub extension: Option<String>,
    /// What became of it.
    pub status: CallStatus,
    /// Why it ended.
    pub cause: Option<HangUpCause>,
    /// When it began.
    pub started: Instant,
    /// When it was answered.
    pub answered: Option<Instant>,
    /// When it ended.
    pub ended: Option<Instant>,
}
