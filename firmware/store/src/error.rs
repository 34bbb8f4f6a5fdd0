use std::path::PathBuf;

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file was written by a newer version of the box; it is left as it is.
    #[error(
        "database `{path}` has version {found}, this program knows versions up to {known}; start the newer program, or \
         move the file away to begin with an empty one"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// The file is something else; it is left as it is.
    #[error("file `{path}` is not a database; move it away to begin with an empty one")]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read or made.
    #[error("failed to open database `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// `SQLite` refuses the file.
    #[error("failed to prepare database `{path}`")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What `SQLite` says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Why an operation of the store was not done. Nothing of it is stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full.
    #[error("disk of the database is full")]
    Full,
    /// The store has stopped.
    #[error("store has stopped")]
    Stopped,
    /// No line has this id.
    #[error("no line has this id")]
    NoSuchLine,
    /// Nothing has this id.
    #[error("store holds no {what} with this id")]
    NotFound {
        /// What was looked for.
        what: &'static str,
    },
    /// The value collides with one that exists.
    #[error("{what} exists already")]
    Exists {
        /// What exists.
        what: &'static str,
    },
    /// The database failed.
    #[error("database failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// A stored value that cannot be read back.
    pub(crate) fn corrupt(what: &'static str) -> Self {
        Self::Failed(format!("stored {what} cannot be read").into())
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full,
            Some(_) | None => Self::Failed(Box::new(error)),
        }
    }
}
