//! Live events in a terminal.

use super::client::Client;
use super::show::Show;
use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// The network may take two minutes for one part.
const OUTCOME_DEADLINE: Duration = Duration::from_secs(180);
const PING_EVERY: Duration = Duration::from_secs(30);

/// Shows events until the stream ends.
pub(super) async fn watch(client: &Client, show: &Show) -> Result<()> {
    let mut events = client.events().await?;
    let mut ping = tokio::time::interval(PING_EVERY);
    loop {
        tokio::select! {
            event = next(&mut events) => show.event(&event?)?,
            _ = ping.tick() => events.send(Message::text(r#"{"type":"ping"}"#)).await?,
        }
    }
}

/// Waits until a message has left, or has not.
pub(super) async fn outcome(
    mut events: WebSocketStream<TcpStream>,
    show: &Show,
    message: Option<&Value>,
) -> Result<()> {
    let message = super::must(message, "messageId")?;
    let wait = async {
        loop {
            let event = next(&mut events).await?;
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

async fn next(events: &mut WebSocketStream<TcpStream>) -> Result<Value> {
    while let Some(message) = events.next().await {
        if let Message::Text(text) = message.context("the event stream broke")? {
            return serde_json::from_str(&text).context("the box sent an event that is not JSON");
        }
    }
    bail!("the box closed the event stream")
}
