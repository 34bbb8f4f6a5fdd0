//! The WebSocket on which Asterisk tells what happens.

use super::PbxEvent;
use super::ari::{AriFailure, Client};
use super::backoff::Backoff;
use crate::chain::Chain;
use crate::clock;
use asterisk::ari::{self, Channel, MAX_EVENT_BYTES};
use asterisk::dialplan::APP;
use futures_util::{SinkExt, StreamExt};
use hyper::header::AUTHORIZATION;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tracing::{debug, info, warn};

/// Why there are no events.
#[derive(Debug, thiserror::Error)]
enum EventsEnd {
    #[error("asterisk's event socket failed")]
    Socket(#[source] Box<tungstenite::Error>),
    #[error("asterisk's event socket did not open within {} s", OPEN_TIME.as_secs())]
    TimedOut,
    #[error("asterisk closed its event socket")]
    Closed,
    #[error("another program took the application '{APP}': is there a second homenichatd?")]
    Replaced,
    #[error("what exists in asterisk could not be listed")]
    Lists(#[source] AriFailure),
    #[error("asterisk's list is not what it documents")]
    Json(#[source] serde_json::Error),
    #[error("nobody listens to events any more")]
    Unwanted,
}

/// Connects, and connects again, until nobody listens to `events` any more.
pub(super) async fn run(client: Client, events: mpsc::Sender<PbxEvent>) {
    // On loopback a try costs nothing, and until it succeeds no phone can dial out.
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
    loop {
        let started = clock::now();
        let end = session(&client, &events).await;
        client.set_hears_events(false);
        match end {
            EventsEnd::Unwanted => return,
            EventsEnd::Replaced => warn!(error = %Chain(&end), "events of asterisk lost"),
            _ => debug!(error = %Chain(&end), "no events of asterisk"),
        }
        backoff.worked(started, clock::now());
        let delay = if matches!(end, EventsEnd::Replaced) { REPLACED_PAUSE } else { backoff.delay() };
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = events.closed() => return,
        }
    }
}

/// One connection: opens the socket, then tells what exists, then every event. An event that came in between is told
/// after the lists, which are younger than it.
async fn session(client: &Client, events: &mpsc::Sender<PbxEvent>) -> EventsEnd {
    let mut socket = match tokio::time::timeout(OPEN_TIME, open(client)).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return EventsEnd::Socket(Box::new(error)),
        Err(_) => return EventsEnd::TimedOut,
    };
    let lists =
        async { Ok::<_, EventsEnd>((channels(client).await?, list(client, ari::Request::list_bridges()).await?)) };
    let (channels, bridges) = match lists.await {
        Ok(lists) => lists,
        Err(end) => return end,
    };
    info!(channels = channels.len(), "asterisk's events connected");
    if events.send(PbxEvent::Connected { channels, bridges }).await.is_err() {
        return EventsEnd::Unwanted;
    }
    client.set_hears_events(true);
    let end = pass_on(client, &mut socket, events).await;
    if !matches!(end, EventsEnd::Unwanted) && events.send(PbxEvent::Lost).await.is_err() {
        return EventsEnd::Unwanted;
    }
    end
}

async fn open(client: &Client) -> Result<WebSocketStream<TcpStream>, tungstenite::Error> {
    let stream = TcpStream::connect(client.server()).await?;
    stream.set_nodelay(true)?;
    let mut request = format!("ws://{}{}", client.server(), ari::events_path(APP)).into_client_request()?;
    request.headers_mut().insert(AUTHORIZATION, client.credentials().header());
    let limits =
        WebSocketConfig::default().max_message_size(Some(MAX_EVENT_BYTES)).max_frame_size(Some(MAX_EVENT_BYTES));
    let (socket, _) = tokio_tungstenite::client_async_with_config(request, stream, Some(limits)).await?;
    Ok(socket)
}

async fn pass_on(
    client: &Client,
    socket: &mut WebSocketStream<TcpStream>,
    events: &mpsc::Sender<PbxEvent>,
) -> EventsEnd {
    loop {
        let message = tokio::select! {
            message = socket.next() => message,
            () = events.closed() => {
                if let Err(error) = socket.close(None).await {
                    debug!(%error, "event socket was closed already");
                }
                return EventsEnd::Unwanted;
            }
        };
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_))) => {
                // The answer is queued by the library and goes out with the next flush.
                if let Err(error) = socket.flush().await {
                    return EventsEnd::Socket(Box::new(error));
                }
                continue;
            }
            Some(Ok(Message::Close(_))) | None => return EventsEnd::Closed,
            Some(Ok(_)) => continue,
            Some(Err(error)) => return EventsEnd::Socket(Box::new(error)),
        };
        client.proven(clock::now());
        match ari::Event::parse(&text) {
            Ok(ari::Event::ApplicationReplaced { .. }) => return EventsEnd::Replaced,
            Ok(event) => {
                if events.send(PbxEvent::Ari(event)).await.is_err() {
                    return EventsEnd::Unwanted;
                }
            }
            Err(error) => warn!(error = %Chain(&error), "event of asterisk passed over"),
        }
    }
}

/// The channels that are calls.
async fn channels(client: &Client) -> Result<Vec<Channel>, EventsEnd> {
    let mut channels: Vec<Channel> = list(client, ari::Request::list_channels()).await?;
    channels.retain(|channel| !channel.is_message_queue());
    Ok(channels)
}

async fn list<T: DeserializeOwned>(client: &Client, request: ari::Request) -> Result<T, EventsEnd> {
    let json = client.send(request).await.map_err(EventsEnd::Lists)?;
    serde_json::from_value(json).map_err(EventsEnd::Json)
}

const OPEN_TIME: Duration = Duration::from_secs(3);
/// Two that take the application from each other should do it slowly.
const REPLACED_PAUSE: Duration = Duration::from_secs(5);
