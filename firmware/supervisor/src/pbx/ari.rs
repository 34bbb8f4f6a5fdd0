//! The HTTP client for Asterisk's REST interface.

use crate::chain::Chain;
use crate::clock;
use asterisk::ari::{self, Method};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, InvalidHeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tracing::{debug, trace};

/// Why a request to Asterisk came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum AriFailure {
    /// Asterisk refused: 404 means that the channel or bridge is gone, 409 and 422 that it is not in the right state.
    #[error("asterisk refused with {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What Asterisk said.
        message: String,
    },
    /// No connection, or it broke: Asterisk is not running or restarts. Whether the request had an effect is not known.
    #[error("asterisk's REST interface cannot be reached")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// No answer in time. Whether the request had an effect is not known.
    #[error("asterisk's REST interface did not answer within {} s", DEADLINE.as_secs())]
    TimedOut,
}

impl AriFailure {
    /// The HTTP status, when Asterisk answered at all.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Unreachable(_) | Self::TimedOut => None,
        }
    }
}

/// Who speaks to Asterisk's HTTP server. The debug form tells nothing.
#[derive(Clone)]
pub struct Credentials(HeaderValue);

impl Credentials {
    /// Takes the name and the password of an ARI user.
    ///
    /// # Errors
    /// Never in practice: the encoding has no character that a header refuses.
    pub fn new(user: &str, password: &str) -> Result<Self, InvalidHeaderValue> {
        let mut header =
            HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))))?;
        header.set_sensitive(true);
        Ok(Self(header))
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// A client with a few connections that it keeps open. Clones share them.
#[derive(Debug, Clone)]
pub struct Client(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    credentials: Credentials,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
    proof: Mutex<Option<Instant>>,
    hears_events: AtomicBool,
}

impl Client {
    /// Speaks to the HTTP server of Asterisk at `server`.
    #[must_use]
    pub fn new(server: SocketAddr, credentials: Credentials) -> Self {
        Self(Arc::new(Shared {
            server,
            credentials,
            idle: Mutex::default(),
            proof: Mutex::default(),
            hears_events: AtomicBool::new(false),
        }))
    }

    /// Sends a request and returns the JSON of the answer, `Null` when there is none.
    ///
    /// # Errors
    /// Asterisk refused, cannot be reached, or did not answer within three seconds.
    pub async fn send(&self, request: ari::Request) -> Result<Value, AriFailure> {
        trace!(?request, "ari");
        let sent = tokio::time::timeout(DEADLINE, self.exchange(&request)).await.unwrap_or(Err(AriFailure::TimedOut));
        if let Err(failure) = &sent {
            debug!(?request, failure = %Chain(failure), "ari request failed");
        }
        sent
    }

    /// When Asterisk last answered anything, by request or event.
    #[must_use]
    pub fn last_proof(&self) -> Option<Instant> {
        *self.0.proof.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn proven(&self, now: Instant) {
        *self.0.proof.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// Whether Asterisk tells us what happens. Without that it has no application to which a phone could dial out.
    #[must_use]
    pub fn hears_events(&self) -> bool {
        self.0.hears_events.load(Ordering::Relaxed)
    }

    pub(super) fn set_hears_events(&self, hears: bool) {
        self.0.hears_events.store(hears, Ordering::Relaxed);
    }

    pub(super) fn server(&self) -> SocketAddr {
        self.0.server
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }

    async fn exchange(&self, request: &ari::Request) -> Result<Value, AriFailure> {
        let (response, connection) = self.send_once(self.http(request)?).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LARGEST_BODY).collect().await.map_err(AriFailure::Unreachable)?;
        let body = body.to_bytes();
        self.keep(connection);
        self.proven(clock::now());
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(json);
        }
        let message = json.get("message").or_else(|| json.get("error")).and_then(Value::as_str);
        Err(AriFailure::Refused { status: status.as_u16(), message: message.unwrap_or("no reason given").into() })
    }

    fn http(&self, request: &ari::Request) -> Result<Request<Full<Bytes>>, AriFailure> {
        let method = match request.method() {
            Method::Get => hyper::Method::GET,
            Method::Post => hyper::Method::POST,
            Method::Put => hyper::Method::PUT,
            Method::Delete => hyper::Method::DELETE,
        };
        let body = request.body().map(|json| Bytes::from(json.to_string())).unwrap_or_default();
        Request::builder()
            .method(method)
            .uri(request.path_and_query())
            .header(HOST, self.0.server.to_string())
            .header(AUTHORIZATION, self.0.credentials.header())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(unreachable_by)
    }

    /// Sends on a kept connection when there is one. Asterisk closes a connection that was quiet for 15 s: a request
    /// that was certainly not sent for that reason goes out on a fresh one, any other is never repeated.
    async fn send_once(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, SendRequest<Full<Bytes>>), AriFailure> {
        while let Some(mut connection) = self.take_idle() {
            if connection.ready().await.is_err() {
                continue;
            }
            match connection.try_send_request(request).await {
                Ok(response) => return Ok((response, connection)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(unreachable_by(error.into_error())),
                },
            }
        }
        let mut connection = self.connect().await?;
        let response = connection.send_request(request).await.map_err(unreachable_by)?;
        Ok((response, connection))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, AriFailure> {
        let stream = TcpStream::connect(self.0.server).await.map_err(unreachable_by)?;
        stream.set_nodelay(true).map_err(unreachable_by)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(unreachable_by)?;
        // Ends when the sender is dropped or Asterisk closes.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "ari connection ended");
            }
        });
        Ok(sender)
    }

    fn take_idle(&self) -> Option<SendRequest<Full<Bytes>>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, connection: SendRequest<Full<Bytes>>) {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !connection.is_closed() && idle.len() < MOST_IDLE {
            idle.push(connection);
        }
    }
}

fn unreachable_by(error: impl Error + Send + Sync + 'static) -> AriFailure {
    AriFailure::Unreachable(Box::new(error))
}

/// On loopback an answer takes milliseconds; an ARI that is locked up never gives one.
const DEADLINE: Duration = Duration::from_secs(3);
const LARGEST_BODY: usize = 4 * 1024 * 1024;
const MOST_IDLE: usize = 4;
