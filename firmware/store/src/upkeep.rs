use rusqlite::params;

use crate::sql::{one, run};
use crate::{Store, StoreError};

impl Store {
    /// Forgets what has no use any more: ended sessions, octets of messages that are long complete, old reports.
    /// Messages themselves are never forgotten, nor the octets of those that could not be read.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn forget_old(&self, now_ms: i64) -> Result<(), StoreError> {
        self.workers
            .write(move |connection| {
                let old = now_ms.saturating_sub(KEPT_MS);
                run(connection, "DELETE FROM sessions WHERE expires_at <= ?1", [now_ms])?;
                let sql = "DELETE FROM arrivals WHERE cleared_at < ?1 AND received_at < ?1 AND kind != 'unreadable'
                           AND (group_id IS NULL OR group_id IN (SELECT id FROM groups WHERE completed_at < ?1))";
                run(connection, sql, [old])?;
                let sql = "DELETE FROM groups WHERE completed_at < ?1
                           AND NOT EXISTS (SELECT 1 FROM arrivals WHERE group_id = groups.id)";
                run(connection, sql, [old])?;
                run(connection, "DELETE FROM reports WHERE received_at < ?1", params![old])?;
                Ok(())
            })
            .await
    }

    /// Asks the thread that writes whether it works and the file takes a transaction. Nothing is written.
    ///
    /// # Errors
    /// [`StoreError`] when it does not.
    pub async fn check_writer(&self) -> Result<(), StoreError> {
        self.workers.write(|_| Ok(())).await
    }

    /// Asks `SQLite` whether the file is sound.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when it is not.
    pub async fn check_integrity(&self) -> Result<(), StoreError> {
        self.workers
            .read(|connection| {
                let verdict = one(connection, "PRAGMA integrity_check", [], |row| row.get::<_, String>(0))?;
                match verdict.as_deref() {
                    Some("ok") => Ok(()),
                    Some(_) | None => Err(StoreError::corrupt("database")),
                }
            })
            .await
    }
}

/// How long octets and reports are kept: longer than any network repeats them.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;
