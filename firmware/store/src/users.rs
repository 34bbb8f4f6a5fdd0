use std::fmt;

use rusqlite::{Connection, Row, params};

use crate::sql::{one, run, word};
use crate::{Store, StoreError};

/// The id of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub i64);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Admin,
    /// Read and send.
    User,
}

impl Role {
    /// The word of the API and of the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Admin, Self::User].into_iter().find(|role| role.as_str() == word)
    }
}

/// A person who can sign in.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Name to sign in with.
    pub username: String,
    /// Hash of the password, with its parameters.
    pub password_hash: String,
    /// What the user may do.
    pub role: Role,
    /// When the user was made, in milliseconds since the epoch.
    pub created_at_ms: i64,
    /// When the user last signed in, in milliseconds since the epoch.
    pub last_login_at_ms: Option<i64>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("id", &self.id).field("role", &self.role).finish_non_exhaustive()
    }
}

/// A user to be made.
#[derive(Clone)]
pub struct NewUser {
    /// Name to sign in with.
    pub username: String,
    /// Hash of the password, with its parameters.
    pub password_hash: String,
}

impl fmt::Debug for NewUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewUser").finish_non_exhaustive()
    }
}

impl Store {
    /// Makes the first user, who is the owner. Of two callers at once, one fails.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is a user, or the database fails.
    pub async fn create_first_user(&self, user: NewUser, at_ms: i64) -> Result<User, StoreError> {
        self.workers
            .write(move |connection| {
                let sql = "INSERT INTO users (username, password_hash, role, created_at)
                           SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS (SELECT 1 FROM users) RETURNING *";
                let values = params![user.username, user.password_hash, Role::Admin.as_str(), at_ms];
                one(connection, sql, values, from_row)?.ok_or(StoreError::Exists { what: "owner" })
            })
            .await
    }

    /// Whether nobody can sign in yet.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn needs_first_user(&self) -> Result<bool, StoreError> {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM users)";
        self.workers.read(move |connection| Ok(one(connection, sql, [], |row| row.get(0))?.unwrap_or(true))).await
    }

    /// The user with this name, in any case of letters.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn find_user(&self, username: String) -> Result<Option<User>, StoreError> {
        let sql = "SELECT * FROM users WHERE username = ?1";
        self.workers.read(move |connection| Ok(one(connection, sql, [username], from_row)?)).await
    }

    /// Gives a user another password, and closes all sessions of that user.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or the database fails.
    pub async fn set_password(&self, user: UserId, password_hash: String) -> Result<(), StoreError> {
        self.workers.write(move |connection| set_password(connection, user, &password_hash)).await
    }

    /// Remembers that a user signed in.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn touch_login(&self, user: UserId, at_ms: i64) -> Result<(), StoreError> {
        self.workers
            .write(move |connection| {
                run(connection, "UPDATE users SET last_login_at = ?2 WHERE id = ?1", params![user.0, at_ms])?;
                Ok(())
            })
            .await
    }
}

fn set_password(connection: &Connection, user: UserId, password_hash: &str) -> Result<(), StoreError> {
    let sql = "UPDATE users SET password_hash = ?2 WHERE id = ?1";
    if run(connection, sql, params![user.0, password_hash])? == 0 {
        return Err(StoreError::NotFound { what: "user" });
    }
    run(connection, "DELETE FROM sessions WHERE user_id = ?1", [user.0])?;
    Ok(())
}

pub(crate) fn from_row(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: UserId(row.get("id")?),
        username: row.get("username")?,
        password_hash: row.get("password_hash")?,
        role: word(row, "role", Role::from_word)?,
        created_at_ms: row.get("created_at")?,
        last_login_at_ms: row.get("last_login_at")?,
    })
}
