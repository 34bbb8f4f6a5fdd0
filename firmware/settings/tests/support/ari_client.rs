//! The smallest HTTP and WebSocket client that can speak with ARI, for tests only.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use asterisk::ari::{Event, Request, events_path};
use base64::Engine;

/// How long a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(15);

/// A client of one Asterisk.
pub(crate) struct AriClient {
    port: u16,
    authorization: String,
}

impl AriClient {
    pub(crate) fn new(port: u16, password: &str) -> Self {
        let credentials = base64::engine::general_purpose::STANDARD.encode(format!("homenichat:{password}"));
        Self { port, authorization: format!("Authorization: Basic {credentials}\r\n") }
    }

    /// Sends a request and returns the status and the body.
    pub(crate) fn send(&self, request: &Request) -> (u16, String) {
        let body = request.body().map(|body| body.to_string()).unwrap_or_default();
        let head = format!(
            "{} {} HTTP/1.1\r\nHost: x\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            request.method().as_str(),
            request.path_and_query(),
            self.authorization,
            body.len(),
        );
        let mut stream = self.connect();
        stream.write_all((head + &body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Opens the event socket of `app` and returns what comes out of it.
    pub(crate) fn events(&self, app: &str) -> Events {
        let mut stream = self.connect();
        let head = format!(
            "GET {} HTTP/1.1\r\nHost: x\r\n{}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            events_path(app),
            self.authorization,
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(exactly::<1>(&mut stream)[0]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        let (sender, receiver) = channel();
        // Ends with the connection, which ends with Asterisk.
        thread::spawn(move || while sender.send(frame(&mut stream)).is_ok() {});
        Events { receiver }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

/// The events of an application.
pub(crate) struct Events {
    receiver: Receiver<String>,
}

impl Events {
    /// Returns the first event that `wanted` recognises; panics at one that the product cannot read.
    pub(crate) fn wait_for<T>(&self, what: &str, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        let mut seen = Vec::new();
        loop {
            let Ok(text) = self.receiver.recv_timeout(PATIENCE) else { panic!("no {what} after {seen:#?}") };
            let event = Event::parse(&text).unwrap_or_else(|error| panic!("{error:?}: {text}"));
            seen.push(format!("{event:?}"));
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    }
}

fn frame(stream: &mut TcpStream) -> String {
    let [_, length] = exactly::<2>(stream);
    let length = match length {
        126 => u64::from(u16::from_be_bytes(exactly(stream))),
        127 => u64::from_be_bytes(exactly(stream)),
        short => u64::from(short),
    };
    let mut text = String::new();
    stream.take(length).read_to_string(&mut text).unwrap_or_default();
    text
}

fn exactly<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    // The end of Asterisk ends the thread, and the test has what it wanted by then.
    stream.read_exact(&mut bytes).unwrap_or_default();
    bytes
}
