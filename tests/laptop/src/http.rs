//! A small client of the box's API.

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;

/// How long one request may take.
const DEADLINE: Duration = Duration::from_secs(15);

/// The name under which every box answers.
const NAME: &str = "homenichat.local";

/// A client, signed in or not.
#[derive(Clone)]
pub struct Api {
    /// Where the box answers.
    pub address: SocketAddr,
    /// The session.
    pub token: Option<String>,
    /// Over TLS, where it is not on this machine.
    tls: Option<TlsConnector>,
}

/// A connection, whatever is below it.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

impl Api {
    /// Not signed in.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, token: None, tls: None }
    }

    /// Not signed in, over TLS, to a box whose authority has this certificate in PEM.
    ///
    /// # Errors
    /// When it is none.
    pub fn trusting(address: SocketAddr, authority: &[u8]) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authority) {
            roots.add(certificate?)?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { address, token: None, tls: Some(TlsConnector::from(Arc::new(config))) })
    }

    async fn connect(&self) -> Result<Box<dyn Wire>> {
        let stream = TcpStream::connect(self.address).await?;
        Ok(match &self.tls {
            None => Box::new(stream),
            Some(tls) => Box::new(tls.connect(ServerName::try_from(NAME)?, stream).await?),
        })
    }

    /// `GET path`.
    ///
    /// # Errors
    /// When the box does not answer in time.
    pub async fn get(&self, path: &str) -> Result<(StatusCode, Value)> {
        self.send("GET", path, None).await
    }

    /// `POST path` with a JSON body.
    ///
    /// # Errors
    /// When the box does not answer in time.
    pub async fn post(&self, path: &str, body: Value) -> Result<(StatusCode, Value)> {
        self.send("POST", path, Some(body.to_string().into_bytes())).await
    }

    /// Any request with any body.
    ///
    /// # Errors
    /// When the box does not answer in time.
    pub async fn send(&self, method: &str, path: &str, body: Option<Vec<u8>>) -> Result<(StatusCode, Value)> {
        tokio::time::timeout(DEADLINE, self.exchange(method, path, body))
            .await
            .with_context(|| format!("{method} {path} took longer than {DEADLINE:?}"))?
    }

    /// The body of a successful `GET`.
    ///
    /// # Errors
    /// When the answer is not a success.
    pub async fn read(&self, path: &str) -> Result<Value> {
        let (status, body) = self.get(path).await?;
        if !status.is_success() {
            bail!("GET {path} answered {status}: {body}");
        }
        Ok(body)
    }

    async fn exchange(&self, method: &str, path: &str, body: Option<Vec<u8>>) -> Result<(StatusCode, Value)> {
        let stream = TokioIo::new(self.connect().await?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header("host", NAME);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let response = sender.send_request(request.body(Full::new(Bytes::from(body.unwrap_or_default())))?).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    /// Opens the event stream and signs in on it.
    ///
    /// # Errors
    /// When the box refuses.
    pub async fn events(&self) -> Result<Events> {
        let (mut socket, _) = tokio_tungstenite::client_async(format!("ws://{NAME}/ws"), self.connect().await?).await?;
        let auth = json!({"type": "auth", "token": self.token}).to_string();
        socket.send(Message::text(auth)).await?;
        let mut events = Events { socket };
        events.wait("auth_success", Duration::from_secs(5), |_| true).await?;
        Ok(events)
    }
}

/// The box's live events.
pub struct Events {
    socket: tokio_tungstenite::WebSocketStream<Box<dyn Wire>>,
}

impl Events {
    /// The next event of a type that satisfies `wanted`.
    ///
    /// # Errors
    /// When none comes before the deadline.
    pub async fn wait(&mut self, kind: &str, deadline: Duration, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let search = async {
            while let Some(message) = self.socket.next().await {
                let Message::Text(text) = message? else { continue };
                let event: Value = serde_json::from_str(&text)?;
                if event.get("type").and_then(Value::as_str) == Some("auth_error") {
                    bail!("the box refuses: {event}");
                }
                if event.get("type").and_then(Value::as_str) == Some(kind) && wanted(&event) {
                    return Ok(event);
                }
            }
            bail!("the event stream ended")
        };
        tokio::time::timeout(deadline, search).await.with_context(|| format!("no event {kind} in {deadline:?}"))?
    }
}
