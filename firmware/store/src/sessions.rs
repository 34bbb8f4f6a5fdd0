use rusqlite::params;

use crate::sql::{one, run};
use crate::users::{self, User, UserId};
use crate::{Store, StoreError};

/// The SHA-256 of a token. The token itself is never stored.
pub type TokenHash = [u8; 32];

impl Store {
    /// Opens a session that ends at `expires_at_ms`.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn create_session(
        &self,
        user: UserId,
        token: TokenHash,
        expires_at_ms: i64,
        at_ms: i64,
    ) -> Result<(), StoreError> {
        self.workers
            .write(move |connection| {
                let sql = "INSERT INTO sessions (token_hash, user_id, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)";
                run(connection, sql, params![token, user.0, at_ms, expires_at_ms])?;
                Ok(())
            })
            .await
    }

    /// The user of a session that has not ended at `now_ms`.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn find_session(&self, token: TokenHash, now_ms: i64) -> Result<Option<User>, StoreError> {
        let sql = "SELECT users.* FROM sessions JOIN users ON users.id = sessions.user_id
                   WHERE token_hash = ?1 AND expires_at > ?2";
        self.workers.read(move |connection| Ok(one(connection, sql, params![token, now_ms], users::from_row)?)).await
    }

    /// Ends a session; says whether there was one.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn delete_session(&self, token: TokenHash) -> Result<bool, StoreError> {
        let sql = "DELETE FROM sessions WHERE token_hash = ?1";
        self.workers.write(move |connection| Ok(run(connection, sql, [token])? > 0)).await
    }
}
