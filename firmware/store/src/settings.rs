use rusqlite::params;

use crate::sql::{one, run};
use crate::{Store, StoreError};

impl Store {
    /// The value under `key`.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn find_setting(&self, key: String) -> Result<Option<String>, StoreError> {
        let sql = "SELECT value FROM settings WHERE key = ?1";
        self.workers.read(move |connection| Ok(one(connection, sql, [key], |row| row.get(0))?)).await
    }

    /// Keeps `value` under `key`.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn set_setting(&self, key: String, value: String) -> Result<(), StoreError> {
        self.workers
            .write(move |connection| {
                let sql = "INSERT INTO settings (key, value) VALUES (?1, ?2)
                           ON CONFLICT (key) DO UPDATE SET value = excluded.value";
                run(connection, sql, params![key, value])?;
                Ok(())
            })
            .await
    }
}
