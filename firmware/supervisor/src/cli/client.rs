//! The HTTP and WebSocket client of the command line.

use anyhow::{Context, Result, bail};
use futures_util::SinkExt;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// USSD answers may take two minutes.
const DEADLINE: Duration = Duration::from_secs(150);
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
const LARGEST_ANSWER: usize = 16 << 20;

/// A connection, with TLS or without.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// The event stream of a box.
pub(super) type EventSocket = WebSocketStream<Box<dyn Wire>>;

/// The box, as an app sees it.
pub(super) struct Client {
    /// Host and port.
    place: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    token_file: Option<PathBuf>,
}

impl Client {
    /// A client of the box at `url`. By TLS it trusts who can show a certificate of the authority in `authority`, and
    /// nobody else.
    ///
    /// # Errors
    /// The address is none, or it needs an authority that is not given.
    pub(super) fn new(url: &str, authority: Option<&Path>, token_file: Option<PathBuf>) -> Result<Self> {
        const WRONG: &str = "the address of the box is like http://127.0.0.1:8080 or https://homenichat.local";
        let uri: Uri = url.parse().context(WRONG)?;
        let (Some(scheme), Some(host), "/") = (uri.scheme_str(), uri.host(), uri.path()) else { bail!(WRONG) };
        let tls = match scheme {
            "http" => None,
            "https" => {
                let Some(authority) = authority else {
                    bail!(
                        "this box speaks TLS with an authority of its own: download http://{host}/authority.crt and \
                         name the file with --authority"
                    )
                };
                let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                Some((connector(authority)?, ServerName::try_from(name).context(WRONG)?))
            }
            _ => bail!(WRONG),
        };
        let port = uri.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
        // Not every command needs a session, and not every environment has a place for one.
        Ok(Self { place: format!("{host}:{port}"), tls, token_file: token_file.or_else(default_token_file) })
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
    pub(super) async fn events(&self) -> Result<EventSocket> {
        let Some(token) = self.token() else { bail!("sign in first: homenichat login NAME") };
        let stream = self.connect().await?;
        let url = format!("ws://{}/ws", self.place);
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
        match fs::remove_file(token_file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("removing {}", token_file.display()))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn token_file(&self) -> Result<&Path> {
        self.token_file.as_deref().context("neither HOME nor XDG_CONFIG_HOME is set; give --token-file")
    }

    fn token(&self) -> Option<String> {
        fs::read_to_string(self.token_file.as_deref()?).ok().map(|token| token.trim().to_owned())
    }

    async fn connect(&self) -> Result<Box<dyn Wire>> {
        let connect = async {
            let stream = TcpStream::connect(&self.place).await;
            let stream = stream.with_context(|| format!("no box answers at {}; is it running?", self.place))?;
            let wire: Box<dyn Wire> = match &self.tls {
                None => Box::new(stream),
                Some((connector, name)) => {
                    let connected = connector.connect(name.clone(), stream).await;
                    Box::new(connected.with_context(|| {
                        format!("what answers at {} cannot show a certificate of this authority", self.place)
                    })?)
                }
            };
            Ok(wire)
        };
        let connected = tokio::time::timeout(CONNECT_DEADLINE, connect).await;
        connected.with_context(|| format!("no answer from {}", self.place))?
    }

    async fn exchange(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let exchange = async {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(self.connect().await?)).await?;
            tokio::spawn(connection);
            let mut request = Request::builder().method(method).uri(path).header("host", &self.place);
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

fn connector(authority: &Path) -> Result<TlsConnector> {
    let named = || format!("reading the authority in {}", authority.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority).with_context(named)? {
        roots.add(certificate.with_context(named)?).with_context(named)?;
    }
    if roots.is_empty() {
        bail!("there is no certificate in {}", authority.display());
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn default_token_file() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")));
    Some(base?.join("homenichat/token"))
}
