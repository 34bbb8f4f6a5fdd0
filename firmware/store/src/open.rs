//! Opening a database: refusing what is not ours, then bringing it to the newest version.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};

use crate::OpenError;

/// The newest version of the database that this program knows.
pub(crate) const VERSION: u32 = 3;

const STEPS: &[M<'_>] = &[
    M::up(include_str!("migrations/0001_first.sql")),
    M::up(include_str!("migrations/0002_tried_pins.sql")),
    M::up(include_str!("migrations/0003_modems.sql")),
];
const MIGRATIONS: Migrations<'_> = Migrations::from_slice(STEPS);

/// Opens the connection of the writer, and brings the database to [`VERSION`].
pub(crate) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    check_header(path)?;
    create_private(path).map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
    let sqlite = |source: rusqlite::Error| sqlite_error(path, source);
    let mut connection = Connection::open(path).map_err(sqlite)?;
    refuse_newer_log(path, &connection)?;
    configure_writer(&connection).map_err(sqlite)?;
    MIGRATIONS
        .to_latest(&mut connection)
        .map_err(|source| OpenError::Sqlite { path: path.to_owned(), source: Box::new(source) })?;
    // The header of the file itself carries the version from here on, for a reader that does not know the log.
    match connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        Ok(()) => Ok(connection),
        // The log holds everything all the same.
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) => {
            tracing::warn!(%error, "the log of the database stays long: the disk is full");
            Ok(connection)
        }
        Err(error) => Err(sqlite(error)),
    }
}

/// Opens a connection that only reads; the writer has opened the file before.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|source| sqlite_error(path, source))?;
    let configure = || {
        connection.pragma_update(None, "query_only", true)?;
        keep_temporary_in_memory(&connection)?;
        connection.busy_timeout(BUSY_TIMEOUT)
    };
    configure().map_err(|source| sqlite_error(path, source))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// The program may have no directory for temporary files. SQLite needs one as soon as a group of writes changes more
/// than 64 KiB of pages, and fails then (`SQLITE_IOERR_GETTEMPPATH`).
fn keep_temporary_in_memory(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "temp_store", "MEMORY")
}

fn configure_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    keep_temporary_in_memory(connection)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// Looks at the first page with plain reads, so that a foreign or newer file is not touched at all.
fn check_header(path: &Path) -> Result<(), OpenError> {
    let mut header = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEADER_BYTES).read_to_end(&mut header));
    match read {
        Ok(0) => return Ok(()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(OpenError::Io { path: path.to_owned(), source }),
    }
    let version = header.get(VERSION_AT).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    match version {
        Some(found) if header.starts_with(MAGIC) => refuse_newer(path, found),
        Some(_) | None => Err(OpenError::NotADatabase { path: path.to_owned() }),
    }
}

/// The version may also stand in a log that was not yet moved into the file.
fn refuse_newer_log(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let read = || {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        let version = connection.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))?;
        Ok(version)
    };
    refuse_newer(path, read().map_err(|source| sqlite_error(path, source))?)?;
    let _ = connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
        .map_err(|source| sqlite_error(path, source))?;
    Ok(())
}

fn refuse_newer(path: &Path, found: u32) -> Result<(), OpenError> {
    if found > VERSION {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: VERSION });
    }
    Ok(())
}

/// Makes the file before `SQLite` does, because it holds PINs; the log inherits its mode.
fn create_private(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
}

fn sqlite_error(path: &Path, source: rusqlite::Error) -> OpenError {
    match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => OpenError::NotADatabase { path: path.to_owned() },
        Some(_) | None => OpenError::Sqlite { path: path.to_owned(), source: Box::new(source) },
    }
}

/// The header of a database file, <https://sqlite.org/fileformat2.html#the_database_header>.
const HEADER_BYTES: u64 = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";
const VERSION_AT: std::ops::Range<usize> = 60..64;

const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);
const STATEMENTS: usize = 128;

/// An empty database of the newest version, for tests of single operations.
#[cfg(test)]
pub(crate) fn in_memory() -> Connection {
    let mut connection = Connection::open_in_memory().expect("memory");
    MIGRATIONS.to_latest(&mut connection).expect("sound migrations");
    connection
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migrations_are_sound_and_end_at_the_known_version() {
        MIGRATIONS.validate().unwrap();
        let connection = in_memory();
        let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, VERSION);
    }

    #[test]
    fn no_connection_needs_a_directory_for_temporary_files() {
        /// `PRAGMA temp_store` answers 2 for memory.
        const MEMORY: u32 = 2;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("box.db");
        for connection in [open_writer(&path).unwrap(), open_reader(&path).unwrap()] {
            let kept: u32 = connection.pragma_query_value(None, "temp_store", |row| row.get(0)).unwrap();
            assert_eq!(kept, MEMORY);
        }
    }
}
