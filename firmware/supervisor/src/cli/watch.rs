//! Live events in a terminal.

use super::client::{Client, EventSocket};
use super::show::Show;
use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

/// The network may take two minutes for one part.
const OUTCOME_DEADLINE: Duration = Duration::from_secs(180);
const PING_EVERY: Duration = Duration::from_secs(30);

/// Shows events until the stream ends.
pub(super) async fn watch(client: &Client, show: &Show) -> Result<()> {
    let mut events = Events::new(client.events().await?);
    loop {
        show.event(&events.next().await?)?;
    }
}

/// Waits until a message has left, or has not.
pub(super) async fn outcome(events: EventSocket, show: &Show, message: Option<&Value>) -> Result<()> {
    let message = super::must(message, "messageId")?;
    let mut events = Events::new(events);
    let wait = async {
        loop {
            let event = events.next().await?;
            let change = event.get("data").unwrap_or(&Value::Null);
            if event.get("type").and_then(Value::as_str) != Some("message_status")
                || change.get("messageId") != Some(message)
            {
                continue;
            }
            let error = change.get("error").and_then(Value::as_str).unwrap_or_default();
            match change.get("status").and_then(Value::as_str) {
                Some("sent" | "delivered") => return show.line("sent"),
                Some("failed") => bail!("not sent: {error}"),
                Some("unknown") => bail!("nobody knows whether it was sent: {error}"),
                _ => {}
            }
        }
    };
    tokio::time::timeout(OUTCOME_DEADLINE, wait)
        .await
        .context("the network has not said yet; see homenichat messages")?
}

/// The events of the box, which keeps nobody that is silent.
struct Events {
    socket: EventSocket,
    ping: tokio::time::Interval,
}

impl Events {
    fn new(socket: EventSocket) -> Self {
        Self { socket, ping: tokio::time::interval(PING_EVERY) }
    }

    async fn next(&mut self) -> Result<Value> {
        loop {
            let message = tokio::select! {
                message = self.socket.next() => message,
                _ = self.ping.tick() => {
                    let ping = Message::text(r#"{"type":"ping"}"#);
                    self.socket.send(ping).await.context("the event stream broke")?;
                    continue;
                }
            };
            match message {
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(&text).context("the box sent an event that is not JSON");
                }
                Some(message) => drop(message.context("the event stream broke")?),
                None => bail!("the box closed the event stream"),
            }
        }
    }
}
