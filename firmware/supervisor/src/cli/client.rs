//! The HTTP and WebSocket client of the command line.

use anyhow::{Context, Result, bail};
use futures_util::SinkExt;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// USSD answers may take two minutes.
const DEADLINE: Duration = Duration::from_secs(150);
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
const LARGEST_ANSWER: usize = 16 << 20;

/// The box, as an app sees it.
pub(super) struct Client {
    authority: String,
    token_file: Option<PathBuf>,
}

impl Client {
    /// A client of the box at `url`.
    pub(super) fn new(url: &str, token_file: Option<PathBuf>) -> Result<Self> {
        let Some(rest) = url.strip_prefix("http://") else { bail!("the address of the box begins with http://") };
        let host = rest.trim_end_matches('/');
        let authority = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        // Not every command needs a session, and not every environment has a place for one.
        Ok(Self { authority, token_file: token_file.or_else(default_token_file) })
    }

    /// `GET path`.
    pub(super) async fn get(&self, path: &str) -> Result<Value> {
        self.exchange("GET", path, None).await
    }

    /// `POST path`.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.exchange("POST", path, Some(body)).await
    }

    /// Opens the event stream.
    pub(super) async fn events(&self) -> Result<WebSocketStream<TcpStream>> {
        let Some(token) = self.token() else { bail!("sign in first: homenichat login NAME") };
        let stream = self.connect().await?;
        let url = format!("ws://{}/ws", self.authority);
        let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.context("opening the event stream")?;
        socket.send(Message::text(json!({ "type": "auth", "token": token }).to_string())).await?;
        Ok(socket)
    }

    /// Keeps the session for the next run, readable by its owner only.
    pub(super) fn keep_token(&self, token: &str) -> Result<()> {
        let token_file = self.token_file()?;
        if let Some(dir) = token_file.parent() {
            fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
        }
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(token_file);
        let mut file = file.with_context(|| format!("writing {}", token_file.display()))?;
        file.write_all(token.as_bytes()).context("keeping the session")
    }

    /// Forgets the session.
    pub(super) fn forget_token(&self) -> Result<()> {
        let token_file = self.token_file()?;
        fs::remove_file(token_file).with_context(|| format!("removing {}", token_file.display()))
    }

    fn token_file(&self) -> Result<&Path> {
        self.token_file.as_deref().context("neither HOME nor XDG_CONFIG_HOME is set; give --token-file")
    }

    fn token(&self) -> Option<String> {
        fs::read_to_string(self.token_file.as_deref()?).ok().map(|token| token.trim().to_owned())
    }

    async fn connect(&self) -> Result<TcpStream> {
        tokio::time::timeout(CONNECT_DEADLINE, TcpStream::connect(&self.authority))
            .await
            .with_context(|| format!("no answer from {}", self.authority))?
            .with_context(|| format!("no box answers at {}; is it running?", self.authority))
    }

    async fn exchange(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let exchange = async {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(self.connect().await?)).await?;
            tokio::spawn(connection);
            let mut request = Request::builder().method(method).uri(path).header("host", &self.authority);
            if let Some(token) = self.token() {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            if body.is_some() {
                request = request.header("content-type", "application/json");
            }
            let body = body.map(ToString::to_string).unwrap_or_default();
            let response = sender.send_request(request.body(Full::new(Bytes::from(body)))?).await?;
            let status = response.status();
            let bytes = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
            let bytes = bytes.map_err(|error| anyhow::anyhow!(error)).context("reading the answer")?.to_bytes();
            anyhow::Ok((status, serde_json::from_slice::<Value>(&bytes).unwrap_or(Value::Null)))
        };
        let (status, answer) = tokio::time::timeout(DEADLINE, exchange).await.context("the box took too long")??;
        if status.is_success() {
            return Ok(answer);
        }
        let reason = answer.get("error").and_then(Value::as_str).unwrap_or("no reason given");
        if status.as_u16() == 401 && !["/api/auth/login", "/api/system/factory-reset"].contains(&path) {
            bail!("{reason}; sign in with: homenichat login NAME");
        }
        bail!("{reason}")
    }
}

fn default_token_file() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")));
    Some(base?.join("homenichat/token"))
}
