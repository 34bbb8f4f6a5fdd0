use std::fmt;

use rusqlite::{Connection, Row, params};
use switchboard::inbox::{MessageKind, Reading};
use switchboard::outbox::MessageStatus;
use telecom::{Address, LineId, MessageId};

use crate::chats::{self, ChatId};
use crate::lines::Line;
use crate::sql::{all, one, run, word};
use crate::{Store, StoreError};

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the box.
    In,
    /// From the box.
    Out,
}

impl Direction {
    fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::In, Self::Out].into_iter().find(|direction| direction.as_str() == word)
    }
}

/// A message as its user sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// The chat it belongs to.
    pub chat: ChatId,
    /// The line it came by or goes by.
    pub line: LineId,
    /// Which way it goes.
    pub direction: Direction,
    /// The correspondent as it stands on the air.
    pub remote: Address,
    /// What kind of message it is.
    pub kind: MessageKind,
    /// Its text.
    pub body: String,
    /// Where it stands.
    pub status: MessageStatus,
    /// How many parts it has on the air.
    pub segments: u32,
    /// False while parts of it have not arrived.
    pub is_complete: bool,
    /// When it was stored, in milliseconds since the epoch; unique in its chat.
    pub created_at_ms: i64,
    /// When the service centre stamped it, or the network took it.
    pub sent_at_ms: Option<i64>,
    /// When the recipient's phone had all of it.
    pub delivered_at_ms: Option<i64>,
    /// Why it failed, in words.
    pub error: Option<String>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("line", &self.line)
            .field("direction", &self.direction)
            .field("kind", &self.kind)
            .field("status", &self.status)
            .field("segments", &self.segments)
            .field("is_complete", &self.is_complete)
            .finish_non_exhaustive()
    }
}

/// Which messages of a chat to list: the last ones, or those next to a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessagePage {
    /// At most so many.
    pub limit: u32,
    /// Only those stored before this time, the last of them; milliseconds since the epoch.
    pub before_ms: Option<i64>,
    /// Only those stored after this time, the first of them; milliseconds since the epoch.
    pub after_ms: Option<i64>,
}

impl Store {
    /// A page of a chat, in the order of time.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; an unknown chat has no messages.
    pub async fn list_messages(&self, chat: ChatId, page: MessagePage) -> Result<Vec<Message>, StoreError> {
        self.workers.read(move |connection| list(connection, &chat, page)).await
    }

    /// The message with this id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or the database fails.
    pub async fn find_message(&self, message: MessageId) -> Result<Message, StoreError> {
        self.workers.read(move |connection| load(connection, message)).await
    }
}

fn list(connection: &Connection, chat: &ChatId, page: MessagePage) -> Result<Vec<Message>, StoreError> {
    let before = page.before_ms.unwrap_or(i64::MAX);
    let after = page.after_ms.unwrap_or(i64::MIN);
    let params = params![chat.as_str(), before, after, page.limit];
    let is_forward = page.after_ms.is_some() && page.before_ms.is_none();
    if is_forward {
        let sql = "SELECT * FROM messages WHERE chat_id = ?1 AND created_at < ?2 AND created_at > ?3
                   ORDER BY created_at LIMIT ?4";
        return Ok(all(connection, sql, params, from_row)?);
    }
    let sql = "SELECT * FROM messages WHERE chat_id = ?1 AND created_at < ?2 AND created_at > ?3
               ORDER BY created_at DESC LIMIT ?4";
    let mut messages = all(connection, sql, params, from_row)?;
    messages.reverse();
    Ok(messages)
}

pub(crate) fn load(connection: &Connection, message: MessageId) -> Result<Message, StoreError> {
    one(connection, "SELECT * FROM messages WHERE id = ?1", [message.0], from_row)?
        .ok_or(StoreError::NotFound { what: "message" })
}

/// Stores an incoming message, and counts it as unread.
pub(crate) fn insert_incoming(
    connection: &Connection,
    line: &Line,
    sender: &Address,
    incoming: &Incoming<'_>,
) -> Result<Message, StoreError> {
    let Incoming { reading, segments, received_at_ms, sent_at_ms } = incoming;
    let chat = chats::ensure(connection, line, sender)?;
    let created_at = free_time(connection, &chat, *received_at_ms)?;
    let sql = "INSERT INTO messages (chat_id, line_id, direction, sender, kind, body, status, segments, is_complete,
                                     created_at, sent_at)
               VALUES (?1, ?2, 'in', ?3, ?4, ?5, 'received', ?6, ?7, ?8, ?9) RETURNING *";
    let values = params![
        chat.as_str(),
        line.id.0,
        sender.to_string(),
        reading.kind.as_str(),
        reading.text,
        segments,
        reading.is_complete,
        created_at,
        sent_at_ms
    ];
    let message = one(connection, sql, values, from_row)?.ok_or(StoreError::NotFound { what: "message" })?;
    let sql = "UPDATE chats SET unread_count = unread_count + 1, last_message = ?2, last_at = ?3 WHERE id = ?1";
    run(connection, sql, params![chat.as_str(), reading.text, created_at])?;
    Ok(message)
}

/// What [`insert_incoming`] stores besides line and sender.
pub(crate) struct Incoming<'a> {
    pub(crate) reading: &'a Reading,
    pub(crate) segments: u32,
    pub(crate) received_at_ms: i64,
    pub(crate) sent_at_ms: Option<i64>,
}

/// Gives a message the reading that it has with a late part.
pub(crate) fn update_reading(
    connection: &Connection,
    message: MessageId,
    reading: &Reading,
) -> Result<Message, StoreError> {
    let sql = "UPDATE messages SET kind = ?2, body = ?3, is_complete = ?4 WHERE id = ?1 RETURNING *";
    let values = params![message.0, reading.kind.as_str(), reading.text, reading.is_complete];
    let message = one(connection, sql, values, from_row)?.ok_or(StoreError::NotFound { what: "message" })?;
    let sql = "UPDATE chats SET last_message = ?2 WHERE id = ?1 AND last_at = ?3";
    run(connection, sql, params![message.chat.as_str(), reading.text, message.created_at_ms])?;
    Ok(message)
}

/// The first time from `at_ms` on that no message of the chat has, so that a page can end at a time.
pub(crate) fn free_time(connection: &Connection, chat: &ChatId, at_ms: i64) -> Result<i64, StoreError> {
    let sql = "SELECT max(created_at) + 1 FROM messages WHERE chat_id = ?1 AND created_at BETWEEN ?2 AND ?2 + 60000";
    let next = one(connection, sql, params![chat.as_str(), at_ms], |row| row.get::<_, Option<i64>>(0))?;
    Ok(next.flatten().unwrap_or(at_ms))
}

pub(crate) fn from_row(row: &Row<'_>) -> rusqlite::Result<Message> {
    let sender: String = row.get("sender")?;
    Ok(Message {
        id: MessageId(row.get("id")?),
        chat: ChatId(row.get("chat_id")?),
        line: LineId(row.get("line_id")?),
        direction: word(row, "direction", Direction::from_word)?,
        remote: Address::from_text(&sender),
        kind: word(row, "kind", MessageKind::from_word)?,
        body: row.get("body")?,
        status: word(row, "status", MessageStatus::from_word)?,
        segments: row.get("segments")?,
        is_complete: row.get("is_complete")?,
        created_at_ms: row.get("created_at")?,
        sent_at_ms: row.get("sent_at")?,
        delivered_at_ms: row.get("delivered_at")?,
        error: row.get("error")?,
    })
}
