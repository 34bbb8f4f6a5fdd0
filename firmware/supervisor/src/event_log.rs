//! The log of events that `/api/events` shows.

use crate::chain::Chain;
use crate::clock;
use serde::Serialize;
use store::Store;
use tracing::error;

/// Notes what happened. An event that cannot be kept is said in the program's own log, and stops nothing.
pub async fn note<T: Serialize>(store: &Store, kind: &str, what: &T) {
    let json = match serde_json::to_string(what) {
        Ok(json) => json,
        Err(error) => return error!(%error, kind, "an event cannot be written as JSON"),
    };
    if let Err(error) = store.append_event(kind.to_owned(), json, clock::unix_ms()).await {
        error!(kind, error = %Chain(&error), "an event was not stored");
    }
}
