//! Everything the box must remember, in one `SQLite` file.
//!
//! What an operation that changes something returns is durable: it was committed to the disk before. One thread
//! writes, and lets operations that wait at the same time share a commit; a few others read.
//! The rules of what is new and what follows a failure are the switchboard's; this crate applies them to rows.
//! Times come in as milliseconds since the epoch; the crate reads no clock.
//!
//! ```no_run
//! # async fn receive(line: telecom::LineId, pdu: Vec<u8>) -> Result<(), Box<dyn std::error::Error>> {
//! use store::{ReceivedPart, Store};
//!
//! let store = Store::open("/var/lib/homenichat/homenichat.db")?;
//! let part = ReceivedPart { line, storage_owner: "ME:490154203237518".into(), slot: Some(3), pdu, received_at_ms: 0 };
//! let received = store.receive_part(part).await?;
//! assert!(received.may_clear);
//! # Ok(())
//! # }
//! ```

mod calls;
mod chats;
mod error;
mod events;
mod inbound;
mod lines;
mod messages;
mod modems;
mod open;
mod outbox;
mod pins;
mod reports;
mod sessions;
mod settings;
mod sql;
mod upkeep;
mod users;
mod workers;

use std::path::Path;
use std::sync::Arc;

pub use calls::{Call, CallChange, CallDirection, CallFilter, CallStatus, NewCall};
pub use chats::{Chat, ChatId};
pub use error::{OpenError, StoreError};
pub use events::Event;
pub use inbound::{ReceiveOutcome, Received, ReceivedPart, StoredInSlot};
pub use lines::{Line, SimIdentity};
pub use messages::{Direction, Message, MessagePage};
pub use modems::{Modem, ModemIdentity};
pub use outbox::{ClaimedPart, EnqueueError, NewMessage, PartOutcome};
pub use pins::StoredPin;
pub use sessions::TokenHash;
pub use users::{NewUser, Role, User, UserId};

use workers::Workers;

/// The store. Clones share one database.
#[derive(Clone)]
pub struct Store {
    workers: Arc<Workers>,
}

impl Store {
    /// Opens the database at `path`, makes it when there is none, and brings it to the newest version.
    ///
    /// # Errors
    /// [`OpenError`] when the file is not a database, comes from a newer version (both are left untouched), or cannot
    /// be read or written.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Ok(Self { workers: Arc::new(Workers::start(path.as_ref())?) })
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// Whether an `ensure_*` operation found something or made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ensured<T> {
    /// It was there.
    Existing(T),
    /// It is new.
    Created(T),
}

impl<T> Ensured<T> {
    /// The thing, found or made.
    pub fn into_inner(self) -> T {
        match self {
            Self::Existing(thing) | Self::Created(thing) => thing,
        }
    }
}
