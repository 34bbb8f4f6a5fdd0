//! The two drivers against servers in the same process.

use crate::pbx::ami::{Ami, AmiFailure};
use crate::pbx::ari::{AriFailure, Client};
use crate::pbx::{Credentials, PbxEvent, events};
use asterisk::ChannelId;
use asterisk::ami::Login;
use asterisk::ari::{self, Request};
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

#[tokio::test]
async fn answers_and_refusals_of_asterisk_arrive() {
    let fake = FakeAri::start().await;
    let client = fake.client("right");
    let channels = client.send(Request::list_channels()).await.unwrap();
    assert_eq!(channels[0]["id"], "hn-1");
    let failure = client.send(Request::show_channel(&ChannelId::new("gone"))).await.unwrap_err();
    assert_eq!(failure.to_string(), "asterisk refused with 404: Channel not found");
    assert!(client.last_proof().is_some());
    let failure = fake.client("wrong").send(Request::list_channels()).await.unwrap_err();
    assert_eq!(failure.status(), Some(401));
}

#[tokio::test]
async fn a_silent_interface_times_out_and_a_missing_one_is_unreachable() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(silent.local_addr().unwrap(), credentials("right"));
    let failure = client.send(Request::list_applications()).await.unwrap_err();
    assert!(matches!(failure, AriFailure::TimedOut), "{failure}");
    drop(silent);
    let failure = client.send(Request::list_applications()).await.unwrap_err();
    assert!(matches!(failure, AriFailure::Unreachable(_)), "{failure}");
    assert_eq!(client.last_proof(), None);
}

#[tokio::test]
async fn a_connection_that_asterisk_closed_while_idle_costs_no_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(listener.local_addr().unwrap(), credentials("right"));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]").await.unwrap();
        }
    });
    for _ in 0..20 {
        assert_eq!(client.send(Request::list_bridges()).await.unwrap(), json!([]));
    }
}

#[tokio::test]
async fn events_begin_with_what_exists_and_come_back_after_a_loss() {
    let fake = FakeAri::start().await;
    let (sender, mut receiver) = mpsc::channel(16);
    tokio::spawn(events::run(fake.client("right"), sender));
    for round in 0..2 {
        match next(&mut receiver).await {
            PbxEvent::Connected { channels, bridges } => {
                let ids: Vec<_> = channels.iter().map(|channel| channel.id.as_str()).collect();
                assert_eq!((ids, bridges.len()), (vec!["hn-1"], 1), "the message queue is no call");
            }
            event => panic!("round {round}: {event:?}"),
        }
        // The fake sends garbage before the first event.
        assert!(matches!(next(&mut receiver).await, PbxEvent::Ari(ari::Event::StasisStart { .. })));
        assert!(matches!(next(&mut receiver).await, PbxEvent::Lost));
    }
    let queries = fake.queries.lock().unwrap().clone();
    assert_eq!(queries[0].as_deref(), Some("app=homenichat&subscribeAll=false"));
}

#[tokio::test]
async fn no_events_and_no_loss_are_told_when_the_credentials_are_wrong() {
    let fake = FakeAri::start().await;
    let (sender, mut receiver) = mpsc::channel(16);
    let task = tokio::spawn(events::run(fake.client("wrong"), sender));
    assert!(timeout(Duration::from_millis(500), receiver.recv()).await.is_err());
    drop(receiver);
    timeout(LONG, task).await.expect("ends when nobody listens").unwrap();
}

#[tokio::test]
async fn the_manager_reloads_reports_and_reconnects() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (sender, mut receiver) = mpsc::channel(16);
    let ami = Ami::spawn(listener.local_addr().unwrap(), Login::new("homenichat", "s").unwrap(), sender);
    tokio::spawn(fake_manager(listener));
    loop {
        if let PbxEvent::Ami(asterisk::ami::Event::FullyBooted) = next(&mut receiver).await {
            break;
        }
    }
    ami.reload("res_pjsip.so").await.unwrap();
    let failure = ami.reload("nothing.so").await.unwrap_err();
    assert_eq!(failure.to_string(), "asterisk's manager interface refused: No such module");
    let failure = ami.reload("hang-up").await.unwrap_err();
    assert!(matches!(failure, AmiFailure::Down), "{failure}");
    loop {
        match ami.reload("res_pjsip.so").await {
            Ok(()) => break,
            Err(AmiFailure::Down) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(failure) => panic!("{failure}"),
        }
    }
}

struct FakeAri {
    server: SocketAddr,
    queries: Arc<Mutex<Vec<Option<String>>>>,
}

impl FakeAri {
    async fn start() -> Self {
        let queries = Arc::default();
        let router = Router::new()
            .route("/ari/channels", get(|headers: HeaderMap| async move { authorized(&headers, fake_channels()) }))
            .route(
                "/ari/channels/{id}",
                get(|Path(_): Path<String>| async {
                    (StatusCode::NOT_FOUND, Json(json!({ "message": "Channel not found" })))
                }),
            )
            .route("/ari/bridges", get(|| async { Json(json!([{ "id": "b", "channels": ["hn-1"] }])) }))
            .route("/ari/events", get(fake_events))
            .with_state(Arc::clone(&queries));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { server, queries }
    }

    fn client(&self, password: &str) -> Client {
        Client::new(self.server, credentials(password))
    }
}

async fn fake_events(
    State(queries): State<Arc<Mutex<Vec<Option<String>>>>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    queries.lock().unwrap().push(query);
    let refused = authorized(&headers, Value::Null);
    if refused.status() != StatusCode::OK {
        return refused;
    }
    upgrade.on_upgrade(async |mut socket| {
        let start = json!({ "type": "StasisStart", "args": ["out"], "channel": fake_channels()[0] });
        for text in ["{\"type\":\"StasisStart\"}".to_owned(), "garbage".to_owned(), start.to_string()] {
            socket.send(Message::Text(text.into())).await.unwrap();
        }
    })
}

fn fake_channels() -> Value {
    json!([
        { "id": "hn-1", "name": "PJSIP/2001-1", "state": "Up" },
        { "id": "x", "name": "Message/ast_msg_queue", "state": "Down" },
    ])
}

/// `homenichat:right`.
fn authorized(headers: &HeaderMap, answer: Value) -> Response {
    if headers.get("authorization").is_some_and(|value| value == "Basic aG9tZW5pY2hhdDpyaWdodA==") {
        return Json(answer).into_response();
    }
    (StatusCode::UNAUTHORIZED, Json(json!({ "error": "Authentication required" }))).into_response()
}

/// Answers as the manager interface does; hangs up on a reload of `hang-up`.
pub(super) async fn fake_manager(listener: TcpListener) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(b"Asterisk Call Manager/9.0.0\r\n").await.unwrap();
        let mut fields = Vec::new();
        let mut line = String::new();
        while stream.read_line(&mut line).await.unwrap() > 0 {
            if let Some((key, value)) = line.trim_end().split_once(": ") {
                fields.push((key.to_owned(), value.to_owned()));
                line.clear();
                continue;
            }
            line.clear();
            let field = |key: &str| fields.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value);
            let head = match (field("Action"), field("Module")) {
                (_, "hang-up") => break,
                (_, "nothing.so") => "Response: Error\r\nMessage: No such module",
                _ => "Response: Success",
            };
            let booted = match field("Action") {
                "Login" => "Event: FullyBooted\r\n\r\n",
                _ => "",
            };
            let answer = format!("{head}\r\nActionID: {}\r\n\r\n{booted}", field("ActionID"));
            stream.write_all(answer.as_bytes()).await.unwrap();
            fields.clear();
        }
    }
}

pub(super) fn credentials(password: &str) -> Credentials {
    Credentials::new("homenichat", password).unwrap()
}

pub(super) async fn next(receiver: &mut mpsc::Receiver<PbxEvent>) -> PbxEvent {
    timeout(LONG, receiver.recv()).await.expect("an event in time").expect("the task runs")
}

const LONG: Duration = Duration::from_secs(10);
