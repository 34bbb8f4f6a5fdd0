use std::fmt;

use rusqlite::params;
use telecom::Iccid;

use crate::sql::{one, run};
use crate::{Store, StoreError};

/// The PIN of a SIM.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPin {
    /// The digits.
    pub pin: String,
    /// True once the SIM has refused it; it must not be tried again.
    pub is_rejected: bool,
}

impl fmt::Debug for StoredPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredPin").field("is_rejected", &self.is_rejected).finish_non_exhaustive()
    }
}

impl Store {
    /// Keeps the PIN of a SIM, in place of the one before.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn set_pin(&self, iccid: Iccid, pin: String) -> Result<(), StoreError> {
        self.workers
            .write(move |connection| {
                let sql = "INSERT INTO pins (iccid, pin) VALUES (?1, ?2)
                           ON CONFLICT (iccid) DO UPDATE SET pin = excluded.pin, rejected = 0, attempts_when_tried = NULL";
                run(connection, sql, params![iccid.as_str(), pin])?;
                Ok(())
            })
            .await
    }

    /// The PIN kept for a SIM.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn find_pin(&self, iccid: Iccid) -> Result<Option<StoredPin>, StoreError> {
        self.workers
            .read(move |connection| {
                let sql = "SELECT pin, rejected FROM pins WHERE iccid = ?1";
                let read = |row: &rusqlite::Row<'_>| Ok(StoredPin { pin: row.get(0)?, is_rejected: row.get(1)? });
                Ok(one(connection, sql, [iccid.as_str()], read)?)
            })
            .await
    }

    /// Takes the PIN kept for a SIM for its one try, while `attempts_left` are left. None when there is none that may
    /// be tried: it was refused, or it was tried and the SIM has counted an attempt since.
    ///
    /// The try is durable before the SIM hears of it, so that no crash makes a wrong PIN count twice.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; the PIN must not be tried then.
    pub async fn take_pin(&self, iccid: Iccid, attempts_left: u8) -> Result<Option<String>, StoreError> {
        self.workers
            .write(move |connection| {
                let sql = "UPDATE pins SET attempts_when_tried = ?2 WHERE iccid = ?1 AND rejected = 0
                           AND (attempts_when_tried IS NULL OR attempts_when_tried <= ?2) RETURNING pin";
                Ok(one(connection, sql, params![iccid.as_str(), attempts_left], |row| row.get(0))?)
            })
            .await
    }

    /// Remembers that the SIM is open, so that the PIN that was tried is not the wrong one.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn confirm_pin(&self, iccid: Iccid) -> Result<(), StoreError> {
        self.workers
            .write(move |connection| {
                run(connection, "UPDATE pins SET attempts_when_tried = NULL WHERE iccid = ?1", [iccid.as_str()])?;
                Ok(())
            })
            .await
    }

    /// Remembers that the SIM has refused its PIN.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn reject_pin(&self, iccid: Iccid) -> Result<(), StoreError> {
        self.workers
            .write(move |connection| {
                run(connection, "UPDATE pins SET rejected = 1 WHERE iccid = ?1", [iccid.as_str()])?;
                Ok(())
            })
            .await
    }
}
