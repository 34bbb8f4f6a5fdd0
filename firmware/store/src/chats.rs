use std::fmt;

use rusqlite::{Connection, Row, params};
use telecom::{Address, LineId, PhoneNumber};

use crate::lines::Line;
use crate::sql::{all, one, run};
use crate::{Store, StoreError};

/// The id of a chat: `sms_<number of the line>_<correspondent>` as it stood when the chat began; opaque.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChatId(pub String);

impl ChatId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ChatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChatId(…)")
    }
}

/// A conversation between a line and a correspondent.
#[derive(Clone, PartialEq, Eq)]
pub struct Chat {
    /// Its id.
    pub id: ChatId,
    /// The line.
    pub line: LineId,
    /// The number of the line.
    pub line_number: Option<PhoneNumber>,
    /// The correspondent, its number in international form where that is known.
    pub remote: Address,
    /// What the owner calls the correspondent.
    pub name: Option<String>,
    /// Messages that nobody has read.
    pub unread_count: u32,
    /// Text of the last message.
    pub last_message: String,
    /// Time of the last message, in milliseconds since the epoch.
    pub last_at_ms: i64,
}

impl fmt::Debug for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, unread_count, last_at_ms, .. } = self;
        f.debug_struct("Chat")
            .field("line", line)
            .field("unread_count", unread_count)
            .field("last_at_ms", last_at_ms)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Chats, the most recent first: `limit` of them after the first `offset`.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn list_chats(&self, limit: u32, offset: u32) -> Result<Vec<Chat>, StoreError> {
        self.workers
            .read(move |connection| {
                let sql = "SELECT chats.*, lines.number AS line_number FROM chats JOIN lines ON lines.id = line_id
                           ORDER BY last_at DESC, chats.id LIMIT ?1 OFFSET ?2";
                Ok(all(connection, sql, params![limit, offset], from_row)?)
            })
            .await
    }

    /// The chat with this id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or the database fails.
    pub async fn find_chat(&self, chat: ChatId) -> Result<Chat, StoreError> {
        self.workers.read(move |connection| load(connection, &chat)).await
    }

    /// Sets the unread count of a chat to zero.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or the database fails.
    pub async fn mark_read(&self, chat: ChatId) -> Result<Chat, StoreError> {
        self.workers
            .write(move |connection| {
                run(connection, "UPDATE chats SET unread_count = 0 WHERE id = ?1", [chat.as_str()])?;
                load(connection, &chat)
            })
            .await
    }
}

pub(crate) fn load(connection: &Connection, chat: &ChatId) -> Result<Chat, StoreError> {
    let sql = "SELECT chats.*, lines.number AS line_number FROM chats JOIN lines ON lines.id = line_id
               WHERE chats.id = ?1";
    one(connection, sql, [chat.as_str()], from_row)?.ok_or(StoreError::NotFound { what: "chat" })
}

/// Finds the chat of a line with a correspondent, or begins one.
pub(crate) fn ensure(connection: &Connection, line: &Line, remote: &Address) -> Result<ChatId, StoreError> {
    let remote = remote.to_e164(line.country).to_string();
    let find = "SELECT id FROM chats WHERE line_id = ?1 AND remote = ?2";
    if let Some(id) = one(connection, find, params![line.id.0, remote], |row| row.get(0))? {
        return Ok(ChatId(id));
    }
    let by_line = format!("sms_{}_{remote}", line.id);
    let by_number = line.number.as_ref().map_or_else(|| by_line.clone(), |number| format!("sms_{number}_{remote}"));
    // A new SIM can carry the number of an old one, whose chats keep their ids.
    for id in [by_number, by_line] {
        let sql = "INSERT INTO chats (id, line_id, remote) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING";
        if run(connection, sql, params![id, line.id.0, remote])? == 1 {
            return Ok(ChatId(id));
        }
    }
    Err(StoreError::Exists { what: "chat" })
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Chat> {
    let remote: String = row.get("remote")?;
    Ok(Chat {
        id: ChatId(row.get("id")?),
        line: LineId(row.get("line_id")?),
        line_number: crate::sql::parsed_option(row, "line_number")?,
        remote: Address::from_text(&remote),
        name: row.get("name")?,
        unread_count: row.get("unread_count")?,
        last_message: row.get("last_message")?,
        last_at_ms: row.get("last_at")?,
    })
}
