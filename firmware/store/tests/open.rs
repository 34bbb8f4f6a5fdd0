//! What is opened, what is refused, and who may read it.
#![expect(clippy::expect_used, reason = "a test may stop at the first surprise")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use store::{OpenError, Store};
use tempfile::TempDir;

#[tokio::test]
async fn a_new_database_is_private_and_sound() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("box.db");
    let store = Store::open(&path).unwrap();
    store.set_setting("a".to_owned(), "b".to_owned()).await.unwrap();
    store.check_integrity().await.unwrap();
    for entry in fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
    }
}

#[tokio::test]
async fn an_opened_database_keeps_what_it_holds() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("box.db");
    for round in 0..3 {
        let store = Store::open(&path).unwrap();
        let value = store.find_setting("round".to_owned()).await.unwrap();
        assert_eq!(value, (round > 0).then(|| (round - 1).to_string()));
        store.set_setting("round".to_owned(), round.to_string()).await.unwrap();
    }
}

#[test]
fn a_database_of_a_newer_version_is_refused_untouched() {
    for (name, leave_in_log) in [("in the file", false), ("in the log", true)] {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("box.db");
        drop(Store::open(&path).unwrap());
        write_version(&path, 7, leave_in_log);
        let before = snapshot(&path);
        let error = Store::open(&path).unwrap_err();
        assert!(matches!(error, OpenError::Newer { found: 7, known: 3, .. }), "{name}: {error}");
        assert_eq!(
            error.to_string(),
            format!(
                "database `{}` has version 7, this program knows versions up to 3; start the newer program, or move \
                 the file away to begin with an empty one",
                path.display()
            )
        );
        assert_eq!(snapshot(&path), before, "{name}");
    }
}

#[test]
fn what_is_not_a_database_is_refused_untouched() {
    let table: [(&str, &[u8]); 3] =
        [("text", b"hello"), ("long text", &[b'x'; 5000]), ("a torn header", b"SQLite format 3\0 and no more")];
    for (name, content) in table {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("box.db");
        fs::write(&path, content).unwrap();
        let error = Store::open(&path).unwrap_err();
        assert!(matches!(error, OpenError::NotADatabase { .. }), "{name}: {error}");
        assert_eq!(fs::read(&path).unwrap(), content, "{name}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "{name}: nothing beside it");
    }
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let error = Store::open("/nonexistent/box.db").unwrap_err();
    assert_eq!(error.to_string(), "failed to open database `/nonexistent/box.db`");
}

/// Sets the version as a newer program would; in the log alone, as if that program had been killed.
fn write_version(path: &Path, version: u32, leave_in_log: bool) {
    let connection = rusqlite::Connection::open(path).expect("a database");
    let keep = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    connection.set_db_config(keep, leave_in_log).expect("a known option");
    connection.pragma_update(None, "user_version", version).expect("a pragma");
}

/// Everything that holds data; the index of the log (`-shm`) is a cache that any reader makes.
fn snapshot(path: &Path) -> Vec<Option<Vec<u8>>> {
    let log = path.with_extension("db-wal");
    [path, &log].iter().map(|path| fs::read(path).ok()).collect()
}
