use std::fmt;

use rusqlite::{Connection, Row, params};
use telecom::{CallId, LineId};

use crate::sql::{all, one, run, word};
use crate::{Store, StoreError};

/// Who called whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallDirection {
    /// Somebody called a line of the box.
    Incoming,
    /// The box called somebody.
    Outgoing,
}

impl CallDirection {
    /// The word of the API and of the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Outgoing => "outgoing",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Incoming, Self::Outgoing].into_iter().find(|direction| direction.as_str() == word)
    }
}

/// How a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

impl CallStatus {
    /// The word of the API and of the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ringing => "ringing",
            Self::Missed => "missed",
            Self::Answered => "answered",
            Self::Rejected => "rejected",
            Self::Busy => "busy",
            Self::Failed => "failed",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Ringing, Self::Missed, Self::Answered, Self::Rejected, Self::Busy, Self::Failed];
        all.into_iter().find(|status| status.as_str() == word)
    }
}

/// A call in the history. Times are milliseconds since the epoch.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// Its id.
    pub id: CallId,
    /// Who called whom.
    pub direction: CallDirection,
    /// The number that called.
    pub caller_number: String,
    /// The number that was called.
    pub called_number: String,
    /// Name of the caller.
    pub caller_name: Option<String>,
    /// The line.
    pub line: Option<LineId>,
    /// Name of the line at that time.
    pub line_name: Option<String>,
    /// When it began.
    pub start_at_ms: i64,
    /// When it was answered.
    pub answer_at_ms: Option<i64>,
    /// When it ended.
    pub end_at_ms: Option<i64>,
    /// Who answered.
    pub answered_by_username: Option<String>,
    /// Which extension answered.
    pub answered_by_extension: Option<String>,
    /// How it went.
    pub status: CallStatus,
    /// Who reported it.
    pub source: String,
    /// The leg in the telephone exchange.
    pub pbx_call_id: Option<String>,
    /// Whether a user has seen it.
    pub is_seen: bool,
    /// What users noted.
    pub notes: Option<String>,
    /// Where its recording is.
    pub recording_url: Option<String>,
    /// When the row was made.
    pub created_at_ms: i64,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("id", &self.id)
            .field("direction", &self.direction)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// A call that begins.
#[derive(Clone)]
pub struct NewCall {
    /// Its id.
    pub id: CallId,
    /// Who called whom.
    pub direction: CallDirection,
    /// The number that calls.
    pub caller_number: String,
    /// The number that is called.
    pub called_number: String,
    /// Name of the caller.
    pub caller_name: Option<String>,
    /// The line.
    pub line: Option<LineId>,
    /// The leg in the telephone exchange.
    pub pbx_call_id: Option<String>,
    /// When it began, in milliseconds since the epoch.
    pub start_at_ms: i64,
}

impl fmt::Debug for NewCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewCall").field("id", &self.id).field("direction", &self.direction).finish_non_exhaustive()
    }
}

/// What changes about a call; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct CallChange {
    /// How it goes.
    pub status: Option<CallStatus>,
    /// When it was answered, in milliseconds since the epoch.
    pub answer_at_ms: Option<i64>,
    /// When it ended, in milliseconds since the epoch.
    pub end_at_ms: Option<i64>,
    /// Who answered.
    pub answered_by_username: Option<String>,
    /// Which extension answered.
    pub answered_by_extension: Option<String>,
    /// The leg in the telephone exchange.
    pub pbx_call_id: Option<String>,
    /// Where its recording is.
    pub recording_url: Option<String>,
}

/// Which calls to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallFilter {
    /// Only calls that went so.
    pub status: Option<CallStatus>,
    /// Only calls of this direction.
    pub direction: Option<CallDirection>,
    /// At most so many.
    pub limit: u32,
    /// Skips so many.
    pub offset: u32,
}

impl Store {
    /// Writes down that a call begins, ringing.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the id is taken, [`StoreError::NoSuchLine`], or the database fails.
    pub async fn insert_call(&self, call: NewCall) -> Result<Call, StoreError> {
        self.workers.write(move |connection| insert(connection, &call)).await
    }

    /// Changes a call.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or the database fails.
    pub async fn update_call(&self, call: CallId, change: CallChange) -> Result<Call, StoreError> {
        self.workers.write(move |connection| update(connection, &call, &change)).await
    }

    /// Calls, the most recent first.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn list_calls(&self, filter: CallFilter) -> Result<Vec<Call>, StoreError> {
        self.workers
            .read(move |connection| {
                let sql = "SELECT * FROM calls WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR direction = ?2)
                           ORDER BY start_at DESC, id LIMIT ?3 OFFSET ?4";
                let status = filter.status.map(CallStatus::as_str);
                let direction = filter.direction.map(CallDirection::as_str);
                Ok(all(connection, sql, params![status, direction, filter.limit, filter.offset], from_row)?)
            })
            .await
    }

    /// Marks every call as seen, and returns how many were not.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn mark_calls_seen(&self) -> Result<usize, StoreError> {
        self.workers.write(|connection| Ok(run(connection, "UPDATE calls SET seen = 1 WHERE seen = 0", [])?)).await
    }

    /// Called once at start: a call that was up when the program ended is over. Returns how many there were.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn close_open_calls(&self, at_ms: i64) -> Result<usize, StoreError> {
        self.workers
            .write(move |connection| {
                let sql = "UPDATE calls SET end_at = max(?1, start_at), status = CASE status WHEN 'ringing'
                           THEN iif(direction = 'incoming', 'missed', 'failed') ELSE status END WHERE end_at IS NULL";
                Ok(run(connection, sql, [at_ms])?)
            })
            .await
    }
}

fn insert(connection: &Connection, call: &NewCall) -> Result<Call, StoreError> {
    let line_name = call.line.map(|line| crate::lines::load(connection, line)).transpose()?.map(|line| line.name);
    let sql = "INSERT INTO calls (id, direction, caller_number, called_number, caller_name, line_id, line_name,
                                  pbx_call_id, start_at, created_at, status, source)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, 'ringing', 'pbx')
               ON CONFLICT (id) DO NOTHING RETURNING *";
    let values = params![
        call.id.as_str(),
        call.direction.as_str(),
        call.caller_number,
        call.called_number,
        call.caller_name,
        call.line.map(|line| line.0),
        line_name,
        call.pbx_call_id,
        call.start_at_ms,
    ];
    one(connection, sql, values, from_row)?.ok_or(StoreError::Exists { what: "call" })
}

fn update(connection: &Connection, call: &CallId, change: &CallChange) -> Result<Call, StoreError> {
    let sql = "UPDATE calls SET status = ifnull(?2, status), answer_at = ifnull(?3, answer_at),
                                end_at = ifnull(?4, end_at), answered_by_username = ifnull(?5, answered_by_username),
                                answered_by_extension = ifnull(?6, answered_by_extension),
                                pbx_call_id = ifnull(?7, pbx_call_id), recording_url = ifnull(?8, recording_url)
               WHERE id = ?1 RETURNING *";
    let values = params![
        call.as_str(),
        change.status.map(CallStatus::as_str),
        change.answer_at_ms,
        change.end_at_ms,
        change.answered_by_username,
        change.answered_by_extension,
        change.pbx_call_id,
        change.recording_url,
    ];
    one(connection, sql, values, from_row)?.ok_or(StoreError::NotFound { what: "call" })
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Call> {
    Ok(Call {
        id: CallId(row.get("id")?),
        direction: word(row, "direction", CallDirection::from_word)?,
        caller_number: row.get("caller_number")?,
        called_number: row.get("called_number")?,
        caller_name: row.get("caller_name")?,
        line: row.get::<_, Option<u32>>("line_id")?.map(LineId),
        line_name: row.get("line_name")?,
        start_at_ms: row.get("start_at")?,
        answer_at_ms: row.get("answer_at")?,
        end_at_ms: row.get("end_at")?,
        answered_by_username: row.get("answered_by_username")?,
        answered_by_extension: row.get("answered_by_extension")?,
        status: word(row, "status", CallStatus::from_word)?,
        source: row.get("source")?,
        pbx_call_id: row.get("pbx_call_id")?,
        is_seen: row.get("seen")?,
        notes: row.get("notes")?,
        recording_url: row.get("recording_url")?,
        created_at_ms: row.get("created_at")?,
    })
}
