use rusqlite::{Connection, Row, params};

use crate::sql::{all, one, run};
use crate::{Store, StoreError};

/// Something the box did, or that happened to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Grows with every event.
    pub id: i64,
    /// What kind of event it is.
    pub kind: String,
    /// Its details, as JSON.
    pub json: String,
    /// When, in milliseconds since the epoch.
    pub at_ms: i64,
}

impl Store {
    /// Writes an event down; the oldest beyond 10,000 are forgotten.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn append_event(&self, kind: String, json: String, at_ms: i64) -> Result<Event, StoreError> {
        self.workers.write(move |connection| append(connection, &kind, &json, at_ms)).await
    }

    /// At most `limit` events with ids below `before`, the most recent first.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn list_events(&self, before: Option<i64>, limit: u32) -> Result<Vec<Event>, StoreError> {
        self.workers.read(move |connection| list(connection, before, limit)).await
    }
}

fn append(connection: &Connection, kind: &str, json: &str, at_ms: i64) -> Result<Event, StoreError> {
    let sql = "INSERT INTO events (kind, json, at) VALUES (?1, ?2, ?3) RETURNING *";
    let event = one(connection, sql, params![kind, json, at_ms], from_row)?;
    let event = event.ok_or(StoreError::NotFound { what: "event" })?;
    run(connection, "DELETE FROM events WHERE id <= ?1", [event.id - KEPT])?;
    Ok(event)
}

fn list(connection: &Connection, before: Option<i64>, limit: u32) -> Result<Vec<Event>, StoreError> {
    let sql = "SELECT * FROM events WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
    Ok(all(connection, sql, params![before.unwrap_or(i64::MAX), limit], from_row)?)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event { id: row.get("id")?, kind: row.get("kind")?, json: row.get("json")?, at_ms: row.get("at")? })
}

/// How many events are kept.
const KEPT: i64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_bounded_and_paged() {
        let connection = crate::open::in_memory();
        for at_ms in 0..KEPT + 50 {
            append(&connection, "tick", "{}", at_ms).unwrap();
        }
        let newest = list(&connection, None, 2).unwrap();
        assert_eq!(newest.iter().map(|event| event.at_ms).collect::<Vec<_>>(), [KEPT + 49, KEPT + 48]);
        let oldest = list(&connection, Some(newest[0].id - KEPT + 10), 100).unwrap();
        assert_eq!((oldest.len(), oldest.last().map(|event| event.at_ms)), (9, Some(50)));
    }
}
