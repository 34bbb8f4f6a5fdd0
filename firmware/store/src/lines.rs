use std::fmt;

use rusqlite::{Connection, Row, params};
use telecom::{Iccid, Imsi, LineId, PhoneNumber};

use crate::sql::{all, one, parsed, parsed_option, run};
use crate::{Ensured, Store, StoreError};

/// A line: a SIM that the box has seen.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    /// Its id.
    pub id: LineId,
    /// The SIM card.
    pub iccid: Iccid,
    /// The subscription.
    pub imsi: Option<Imsi>,
    /// Its number, when the SIM or the owner has told it.
    pub number: Option<PhoneNumber>,
    /// The owner's name for it.
    pub name: String,
    /// Mobile country code of the subscription, 0 while unknown.
    pub country: u16,
    /// When the SIM was first seen, in milliseconds since the epoch.
    pub created_at_ms: i64,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("id", &self.id).field("iccid", &self.iccid).finish_non_exhaustive()
    }
}

/// What a SIM says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimIdentity {
    /// The card.
    pub iccid: Iccid,
    /// The subscription.
    pub imsi: Option<Imsi>,
    /// The number in the SIM's own memory, which is often empty.
    pub number: Option<PhoneNumber>,
}

impl Store {
    /// Finds the line of a SIM, or makes one; learns the subscription, and the number unless one is known.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn ensure_line(&self, sim: SimIdentity, at_ms: i64) -> Result<Ensured<Line>, StoreError> {
        self.workers.write(move |connection| ensure(connection, &sim, at_ms)).await
    }

    /// Every line, in the order in which they were first seen.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn list_lines(&self) -> Result<Vec<Line>, StoreError> {
        let sql = "SELECT * FROM lines ORDER BY id";
        self.workers.read(|connection| Ok(all(connection, sql, [], from_row)?)).await
    }

    /// The line with this id.
    ///
    /// # Errors
    /// [`StoreError::NoSuchLine`], or the database fails.
    pub async fn find_line(&self, line: LineId) -> Result<Line, StoreError> {
        self.workers.read(move |connection| load(connection, line)).await
    }

    /// Gives a line another name.
    ///
    /// # Errors
    /// [`StoreError::NoSuchLine`], or the database fails.
    pub async fn set_line_name(&self, line: LineId, name: String) -> Result<Line, StoreError> {
        self.workers
            .write(move |connection| {
                run(connection, "UPDATE lines SET name = ?2 WHERE id = ?1", params![line.0, name])?;
                load(connection, line)
            })
            .await
    }

    /// Tells the number of a line. Chats keep the ids that they have.
    ///
    /// # Errors
    /// [`StoreError::NoSuchLine`], or the database fails.
    pub async fn set_line_number(&self, line: LineId, number: PhoneNumber) -> Result<Line, StoreError> {
        self.workers
            .write(move |connection| {
                let number = number.to_e164(load(connection, line)?.country);
                run(connection, "UPDATE lines SET number = ?2 WHERE id = ?1", params![line.0, number.as_str()])?;
                load(connection, line)
            })
            .await
    }
}

fn ensure(connection: &Connection, sim: &SimIdentity, at_ms: i64) -> Result<Ensured<Line>, StoreError> {
    let iccid = sim.iccid.as_str();
    let imsi = sim.imsi.as_ref().map(Imsi::as_str);
    let country = sim.imsi.as_ref().map_or(0, Imsi::mcc);
    let number = sim.number.as_ref().map(|number| number.to_e164(country));
    let number = number.as_ref().map(PhoneNumber::as_str);
    let sql = "INSERT INTO lines (iccid, imsi, number, name, country, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT (iccid) DO NOTHING";
    let tail: String = iccid.chars().skip(iccid.chars().count().saturating_sub(4)).collect();
    let name = format!("SIM {tail}");
    let is_new = run(connection, sql, params![iccid, imsi, number, name, country, at_ms])? == 1;
    if !is_new {
        let sql = "UPDATE lines SET imsi = ifnull(?2, imsi), number = ifnull(number, ?3),
                                    country = iif(?4 = 0, country, ?4) WHERE iccid = ?1";
        run(connection, sql, params![iccid, imsi, number, country])?;
    }
    let line = one(connection, "SELECT * FROM lines WHERE iccid = ?1", [iccid], from_row)?;
    let line = line.ok_or(StoreError::NoSuchLine)?;
    Ok(if is_new { Ensured::Created(line) } else { Ensured::Existing(line) })
}

pub(crate) fn load(connection: &Connection, line: LineId) -> Result<Line, StoreError> {
    one(connection, "SELECT * FROM lines WHERE id = ?1", [line.0], from_row)?.ok_or(StoreError::NoSuchLine)
}

/// Takes the next concatenation reference of a line.
pub(crate) fn take_reference(connection: &Connection, line: LineId) -> Result<u8, StoreError> {
    let sql = "UPDATE lines SET next_reference = (next_reference + 1) % 256 WHERE id = ?1 RETURNING next_reference";
    one(connection, sql, [line.0], |row| row.get(0))?.ok_or(StoreError::NoSuchLine)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Line> {
    Ok(Line {
        id: LineId(row.get("id")?),
        iccid: parsed(row, "iccid")?,
        imsi: parsed_option(row, "imsi")?,
        number: parsed_option(row, "number")?,
        name: row.get("name")?,
        country: row.get("country")?,
        created_at_ms: row.get("created_at")?,
    })
}
