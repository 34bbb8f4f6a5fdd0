//! Hands live events to whoever listens.

use std::sync::Arc;
use tokio::sync::broadcast;

/// Events kept for a slow listener before it is told to fetch everything again.
const BACKLOG: usize = 1024;

/// The place where live events are published.
#[derive(Debug, Clone)]
pub struct Hub {
    events: broadcast::Sender<Arc<str>>,
}

impl Default for Hub {
    fn default() -> Self {
        Self { events: broadcast::Sender::new(BACKLOG) }
    }
}

impl Hub {
    /// Tells every listener. Without listeners it is forgotten: what must last is in the store.
    pub fn publish(&self, event: &api::ServerEvent) {
        let envelope = api::Envelope { event: event.clone(), timestamp: crate::clock::unix_ms() };
        match serde_json::to_string(&envelope) {
            // An error only says that nobody listens.
            Ok(json) => drop(self.events.send(json.into())),
            Err(error) => tracing::error!(%error, "event could not be written as JSON"),
        }
    }

    /// Listens from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<str>> {
        self.events.subscribe()
    }
}
