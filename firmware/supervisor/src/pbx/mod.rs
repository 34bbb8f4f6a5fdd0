//! Asterisk, as the supervisor sees it: its files, its process, and the two interfaces on which we speak with it.
//!
//! [`Pbx::spawn`] writes the rendered files, takes over an Asterisk that an earlier run left running or starts one, and
//! keeps it running. What happens in it comes out as [`PbxEvent`]; requests go in through the [`PbxHandle`]. Nothing here
//! decides anything about calls.
//!
//! Dropping the handles leaves Asterisk running, so that calls between phones survive us; [`PbxHandle::stop`] ends it.

pub mod ami;
pub mod ari;
mod backoff;
mod events;
pub mod files;
mod keeper;
pub mod process;
#[cfg(test)]
mod tests;
mod watchdog;

pub use ari::{AriFailure, Credentials};
pub use keeper::Applied;
pub use process::Program;

use crate::guard;
use ami::Ami;
use asterisk::ami::Login;
use asterisk::ari::{Bridge, Channel, Event, Request};
use keeper::{Ask, Keeper};
use serde_json::Value;
use settings::RenderedFile;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};

/// Where Asterisk is and how to speak with it.
#[derive(Debug, Clone)]
pub struct PbxConfig {
    /// How it is started.
    pub program: Program,
    /// The directory of the rendered files.
    pub files_dir: PathBuf,
    /// Its HTTP server.
    pub ari: SocketAddr,
    /// Our ARI user.
    pub ari_credentials: Credentials,
    /// Its manager interface.
    pub ami: SocketAddr,
    /// Our manager user.
    pub ami_login: Login,
    /// How many calls the supervisor knows to be up; a restart waits for none. Asterisk's own channels count as well.
    pub calls_up: Arc<AtomicUsize>,
}

/// Something that happened in Asterisk, or to it.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a few events per call; boxes would cost more")]
pub enum PbxEvent {
    /// The process runs. Where it was adopted, [`Self::Connected`] may come before this.
    Started {
        /// Whether an earlier run of this program started it.
        is_adopted: bool,
    },
    /// The process ended; a new one follows.
    Ended {
        /// What became of it, when nobody asked it to end.
        unasked: Option<String>,
    },
    /// Events flow; this is what exists. Whatever is ours and unknown is left over from an earlier run.
    Connected {
        /// Every channel of a call.
        channels: Vec<Channel>,
        /// Every bridge.
        bridges: Vec<Bridge>,
    },
    /// An event of the REST interface.
    Ari(Event),
    /// Events flow no more. [`Self::Connected`] follows when they do again; what happened in between is told by its lists.
    Lost,
    /// An event of the manager interface.
    Ami(asterisk::ami::Event),
    /// The process runs, and the REST interface has not answered three times in a row. Said once until it answers.
    Unresponsive,
}

/// What is known about Asterisk, for the health page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The process id, while it runs.
    pub pid: Option<i32>,
    /// Since when it runs; for an adopted one, since when we watch it.
    pub running_since: Option<Instant>,
    /// Whether an earlier run of this program started it.
    pub is_adopted: bool,
    /// How often it ended without being asked to, since we run.
    pub restarts: u32,
    /// Whether it will be restarted when no call is up.
    pub is_restart_pending: bool,
    /// When its REST interface last proved alive.
    pub last_ari_proof: Option<Instant>,
    /// Whether it tells us what happens, without which no phone can dial out.
    pub hears_events: bool,
}

/// Facts that several tasks share.
#[derive(Debug, Clone, Default)]
struct SharedFacts(Arc<Mutex<Facts>>);

impl SharedFacts {
    fn read(&self) -> Facts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn update(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The tasks around Asterisk.
#[derive(Debug)]
pub struct Pbx;

impl Pbx {
    /// Writes the files; from [`PbxHandle::start`] on, starts or adopts Asterisk and keeps it until every handle is
    /// dropped or `events` closes.
    ///
    /// # Errors
    /// The files cannot be written. An Asterisk that does not start is no error here: it is tried again and again, and
    /// [`Facts`] tell.
    pub fn spawn(
        config: PbxConfig,
        rendered: &[RenderedFile],
        events: mpsc::Sender<PbxEvent>,
    ) -> io::Result<PbxHandle> {
        files::apply(rendered, &config.files_dir)?;
        let facts = SharedFacts::default();
        let client = ari::Client::new(config.ari, config.ari_credentials.clone());
        let ami = Ami::spawn(config.ami, config.ami_login.clone(), events.clone());
        guard::spawn("events", events::run(client.clone(), events.clone()));
        guard::spawn("watchdog", watchdog::run(client.clone(), facts.clone(), events.clone()));
        let (asks, receiver) = mpsc::channel(8);
        let keeper = Keeper::new(config, client.clone(), ami.clone(), facts.clone());
        guard::spawn("keeper", keeper.run(receiver, events));
        Ok(PbxHandle { client, ami, facts, asks })
    }
}

/// Speaks with Asterisk and about it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PbxHandle {
    client: ari::Client,
    ami: Ami,
    facts: SharedFacts,
    asks: mpsc::Sender<Ask>,
}

impl PbxHandle {
    /// Sends a request to the REST interface and returns the JSON of the answer.
    ///
    /// # Errors
    /// Asterisk refused, cannot be reached, or did not answer within three seconds.
    pub async fn request(&self, request: Request) -> Result<Value, AriFailure> {
        self.client.send(request).await
    }

    /// The manager interface.
    #[must_use]
    pub fn ami(&self) -> &Ami {
        &self.ami
    }

    /// Writes what changed and reloads what reads it. What needs a restart waits until no call is up; what cannot be
    /// reloaded because Asterisk is not reachable is reloaded later, also by a later run of this program.
    ///
    /// # Errors
    /// The files cannot be written.
    pub async fn apply(&self, rendered: Vec<RenderedFile>) -> io::Result<Applied> {
        let (answer, outcome) = oneshot::channel();
        self.ask(Ask::Apply(rendered, answer)).await?;
        outcome.await.map_err(|_| gone())?
    }

    /// Begins to keep Asterisk running; nothing where that has begun.
    ///
    /// # Errors
    /// Asterisk was stopped.
    pub async fn start(&self) -> io::Result<()> {
        self.ask(Ask::Start).await
    }

    /// Restarts Asterisk as soon as no call is up.
    ///
    /// # Errors
    /// Asterisk was stopped.
    pub async fn restart_when_idle(&self) -> io::Result<()> {
        self.ask(Ask::RestartWhenIdle).await
    }

    /// Stops Asterisk, within about ten seconds at most. Calls end.
    ///
    /// # Errors
    /// It was stopped before.
    pub async fn stop(&self) -> io::Result<()> {
        let (answer, outcome) = oneshot::channel();
        self.ask(Ask::Stop(answer)).await?;
        outcome.await.map_err(|_| gone())
    }

    /// What is known about Asterisk.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts {
            last_ari_proof: self.client.last_proof(),
            hears_events: self.client.hears_events(),
            ..self.facts.read()
        }
    }

    async fn ask(&self, ask: Ask) -> io::Result<()> {
        self.asks.send(ask).await.map_err(|_| gone())
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "asterisk was stopped")
}
