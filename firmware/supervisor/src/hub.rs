//! Hands live events to whoever listens.

use crate::chain::Chain;
use crate::{event_log, records};
use std::sync::Arc;
use store::{ChatId, Message, Store, StoreError};
use tokio::sync::{Mutex, broadcast};
use tracing::error;

/// Events kept for a slow listener before it is told to fetch everything again.
const BACKLOG: usize = 1024;

/// The place where live events are published.
#[derive(Debug, Clone)]
pub struct Hub {
    events: broadcast::Sender<Arc<str>>,
    /// Held from reading or changing a chat until that is told: what is told last is the last.
    chats: Arc<Mutex<()>>,
}

impl Default for Hub {
    fn default() -> Self {
        Self { events: broadcast::Sender::new(BACKLOG), chats: Arc::default() }
    }
}

impl Hub {
    /// Tells every listener. Without listeners it is forgotten: what must last is in the store.
    pub fn publish(&self, event: &api::ServerEvent) {
        let envelope = api::Envelope { event: event.clone(), timestamp: crate::clock::unix_ms() };
        match serde_json::to_string(&envelope) {
            // An error only says that nobody listens.
            Ok(json) => drop(self.events.send(json.into())),
            Err(error) => error!(%error, "event could not be written as JSON"),
        }
    }

    /// Tells of a message that has just been stored, and of what it makes of its chat.
    pub async fn publish_message(&self, store: &Store, message: Message) {
        let chat = message.chat.clone();
        let _turn = self.chats.lock().await;
        self.publish(&api::ServerEvent::NewMessage(Box::new(records::message(message))));
        match store.find_chat(chat).await {
            Ok(chat) => self.publish(&api::ServerEvent::ChatUpdated(records::chat(chat))),
            Err(error) => error!(error = %Chain(&error), "a chat cannot be told of"),
        }
    }

    /// Marks a chat as read, and tells of it.
    ///
    /// # Errors
    /// As [`Store::mark_read`].
    pub async fn mark_read(&self, store: &Store, chat: ChatId) -> Result<(), StoreError> {
        let _turn = self.chats.lock().await;
        let chat = store.mark_read(chat).await?;
        self.publish(&api::ServerEvent::ChatRead(api::ChatRead { chat_id: chat.id.to_string() }));
        Ok(())
    }

    /// Notes what the box did by itself, and tells of it.
    pub async fn publish_watchdog(&self, store: &Store, action: api::WatchdogAction) {
        event_log::note(store, "watchdog_action", &action).await;
        self.publish(&api::ServerEvent::WatchdogAction(action));
    }

    /// Listens from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<str>> {
        self.events.subscribe()
    }
}
