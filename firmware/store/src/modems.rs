use rusqlite::{Connection, Row, params};
use telecom::{Imei, LineId, ModemId};

use crate::sql::{all, one, parsed, run};
use crate::{Ensured, Store, StoreError};

/// A modem that the box has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modem {
    /// Its id.
    pub id: ModemId,
    /// Who it is.
    pub imei: Imei,
    /// Where it was plugged in last.
    pub usb_path: Option<String>,
    /// Model as the modem tells it.
    pub model: Option<String>,
    /// Firmware as the modem tells it.
    pub firmware: Option<String>,
    /// The owner's name for it.
    pub name: String,
    /// When it was first seen, in milliseconds since the epoch.
    pub created_at_ms: i64,
    /// The line whose messages its own memory holds.
    pub memory_line: Option<LineId>,
    /// Whether another modem with this IMEI was known before it.
    pub is_twin: bool,
}

impl Modem {
    /// The name that the owner gave it; `None` while it has only the one that the store made up.
    #[must_use]
    pub fn given_name(&self) -> Option<&str> {
        let is_made_up =
            self.id.as_str().strip_prefix("modem-").is_some_and(|number| self.name == made_up_name(number));
        (!is_made_up).then_some(self.name.as_str())
    }

    /// What its own memory is called in [`crate::ReceivedPart::storage_owner`], behind the kind of memory.
    #[must_use]
    pub fn memory_owner(&self) -> String {
        if self.is_twin { format!("{}#{}", self.imei, self.id) } else { self.imei.to_string() }
    }
}

fn made_up_name(number: &str) -> String {
    format!("Modem {number}")
}

/// What a modem says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModemIdentity {
    /// Who it is.
    pub imei: Imei,
    /// Where it is plugged in.
    pub usb_path: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Firmware.
    pub firmware: Option<String>,
}

impl Store {
    /// Finds a modem by its IMEI, or makes one; learns where it is and what it runs.
    ///
    /// `elsewhere` are the USB paths at which modems that tell the same IMEI are plugged in right now: each of them is
    /// another modem, and from then on the USB path says which is which.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn ensure_modem(
        &self,
        modem: ModemIdentity,
        elsewhere: Vec<String>,
        at_ms: i64,
    ) -> Result<Ensured<Modem>, StoreError> {
        self.workers.write(move |connection| ensure(connection, &modem, &elsewhere, at_ms)).await
    }

    /// Remembers that everything in a modem's own memory that belongs to another line is stored: what it holds from here
    /// on belongs to `line`.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn set_memory_line(&self, modem: ModemId, line: LineId) -> Result<(), StoreError> {
        self.workers
            .write(move |connection| {
                let sql = "UPDATE modems SET line_id = ?2 WHERE id = ?1";
                run(connection, sql, params![modem.as_str(), line.0])?;
                Ok(())
            })
            .await
    }

    /// Every modem, in the order in which they were first seen.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn list_modems(&self) -> Result<Vec<Modem>, StoreError> {
        let sql = format!("{SELECT} ORDER BY created_at, id");
        self.workers.read(move |connection| Ok(all(connection, &sql, [], from_row)?)).await
    }

    /// Gives a modem another name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or the database fails.
    pub async fn set_modem_name(&self, modem: ModemId, name: String) -> Result<Modem, StoreError> {
        self.workers
            .write(move |connection| {
                run(connection, "UPDATE modems SET name = ?2 WHERE id = ?1", params![modem.as_str(), name])?;
                load(connection, modem.as_str())
            })
            .await
    }
}

fn ensure(
    connection: &Connection,
    modem: &ModemIdentity,
    elsewhere: &[String],
    at_ms: i64,
) -> Result<Ensured<Modem>, StoreError> {
    let ModemIdentity { imei, usb_path, model, firmware } = modem;
    let sql = format!("{SELECT} WHERE imei = ?1 ORDER BY rowid");
    let known = all(connection, &sql, [imei.as_str()], from_row)?;
    if let Some(known) = which(&known, usb_path.as_deref(), elsewhere) {
        let sql = "UPDATE modems SET usb_path = ifnull(?2, usb_path), model = ifnull(?3, model),
                                     firmware = ifnull(?4, firmware) WHERE id = ?1";
        run(connection, sql, params![known.id.as_str(), usb_path, model, firmware])?;
        return Ok(Ensured::Existing(load(connection, known.id.as_str())?));
    }
    let number = one(connection, "SELECT count(*) + 1 FROM modems", [], |row| row.get::<_, i64>(0))?.unwrap_or(1);
    let sql = "INSERT INTO modems (id, imei, usb_path, model, firmware, name, created_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let (id, name) = (format!("modem-{number}"), made_up_name(&number.to_string()));
    run(connection, sql, params![id, imei.as_str(), usb_path, model, firmware, name, at_ms])?;
    Ok(Ensured::Created(load(connection, &id)?))
}

/// Which of the modems that told this IMEI it is: the one that was at the same place, or one that is nowhere else.
fn which<'a>(known: &'a [Modem], usb_path: Option<&str>, elsewhere: &[String]) -> Option<&'a Modem> {
    let is_elsewhere = |modem: &&Modem| modem.usb_path.as_ref().is_some_and(|path| elsewhere.contains(path));
    let is_here = |modem: &&Modem| usb_path.is_some() && modem.usb_path.as_deref() == usb_path;
    known.iter().find(is_here).or_else(|| known.iter().find(|modem| !is_elsewhere(modem)))
}

fn load(connection: &Connection, id: &str) -> Result<Modem, StoreError> {
    let sql = format!("{SELECT} WHERE id = ?1");
    one(connection, &sql, [id], from_row)?.ok_or(StoreError::NotFound { what: "modem" })
}

const SELECT: &str = "SELECT *, EXISTS (SELECT 1 FROM modems AS elder
                                 WHERE elder.imei = modems.imei AND elder.rowid < modems.rowid) AS is_twin FROM modems";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Modem> {
    Ok(Modem {
        id: ModemId(row.get("id")?),
        imei: parsed(row, "imei")?,
        usb_path: row.get("usb_path")?,
        model: row.get("model")?,
        firmware: row.get("firmware")?,
        name: row.get("name")?,
        created_at_ms: row.get("created_at")?,
        memory_line: row.get::<_, Option<u32>>("line_id")?.map(LineId),
        is_twin: row.get("is_twin")?,
    })
}
