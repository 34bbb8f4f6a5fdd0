//! The task that keeps Asterisk running and its files applied.

use super::ami::{Ami, AmiFailure};
use super::ari::Client;
use super::backoff::Backoff;
use super::files::{self, Action};
use super::process::Asterisk;
use super::{PbxConfig, PbxEvent, SharedFacts};
use crate::chain::Chain;
use crate::clock;
use asterisk::ari::{Channel, Request};
use settings::RenderedFile;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error, info, warn};

/// What became of a set of rendered files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// The files that were written or removed.
    pub changed: Vec<PathBuf>,
    /// The modules that were reloaded.
    pub reloaded: Vec<String>,
    /// The modules that refused, with Asterisk's words; its log tells more.
    pub refused: Vec<(String, String)>,
    /// Whether something waits: for calls to end, or for Asterisk to be reachable.
    pub is_pending: bool,
}

/// What the keeper is asked.
#[derive(Debug)]
pub(super) enum Ask {
    Apply(Vec<RenderedFile>, oneshot::Sender<io::Result<Applied>>),
    Start,
    RestartWhenIdle,
    Stop(oneshot::Sender<()>),
}

pub(super) struct Keeper {
    config: PbxConfig,
    client: Client,
    ami: Ami,
    facts: SharedFacts,
    backoff: Backoff,
    state: State,
}

enum State {
    Running {
        asterisk: Asterisk,
        since: Instant,
    },
    Down {
        start_at: Instant,
    },
    /// Not wanted yet.
    Unwanted,
}

/// What woke the keeper.
enum Wake {
    Ended(String),
    StartDue,
    Asked(Option<Ask>),
    Tick,
}

impl Keeper {
    pub(super) fn new(config: PbxConfig, client: Client, ami: Ami, facts: SharedFacts) -> Self {
        let backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        Self { config, client, ami, facts, backoff, state: State::Unwanted }
    }

    /// Runs until it is told to stop, or nobody asks or listens any more; only the first of these stops Asterisk.
    pub(super) async fn run(mut self, mut asks: mpsc::Receiver<Ask>, events: mpsc::Sender<PbxEvent>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let wake = tokio::select! {
                wake = passed(&mut self.state) => wake,
                ask = asks.recv() => Wake::Asked(ask),
                _ = tick.tick() => Wake::Tick,
                () = events.closed() => return,
            };
            match wake {
                Wake::Ended(status) => self.on_ended(status, &events).await,
                Wake::StartDue => self.start(&events).await,
                Wake::Asked(Some(Ask::Apply(rendered, answer))) => {
                    let applied = self.apply(&rendered).await;
                    if answer.send(applied).is_err() {
                        debug!("nobody waits for what became of the files");
                    }
                }
                Wake::Asked(Some(Ask::Start)) => {
                    if let State::Unwanted = self.state {
                        self.state = State::Down { start_at: clock::now() };
                    }
                }
                Wake::Asked(Some(Ask::RestartWhenIdle)) => self.facts.update(|facts| facts.is_restart_pending = true),
                Wake::Asked(Some(Ask::Stop(answer))) => return self.stop(answer).await,
                Wake::Asked(None) => return,
                Wake::Tick => self.on_tick(&events).await,
            }
        }
    }

    async fn start(&mut self, events: &mpsc::Sender<PbxEvent>) {
        if let Some(asterisk) = Asterisk::adopt(&self.config.program) {
            return self.on_running(asterisk, events).await;
        }
        // It reads everything as it starts: nothing is owed from here on.
        if let Err(error) = files::settle(&self.config.files_dir, None) {
            warn!(%error, "cannot note that asterisk's files are applied");
        }
        self.facts.update(|facts| facts.is_restart_pending = false);
        match Asterisk::start(&self.config.program).await {
            Ok(asterisk) => self.on_running(asterisk, events).await,
            Err(error) => {
                let delay = self.backoff.delay();
                error!(%error, ?delay, "asterisk does not start");
                self.state = State::Down { start_at: clock::now() + delay };
            }
        }
    }

    async fn on_running(&mut self, asterisk: Asterisk, events: &mpsc::Sender<PbxEvent>) {
        let (since, is_adopted) = (clock::now(), asterisk.is_adopted());
        info!(pid = asterisk.pid(), is_adopted, "asterisk runs");
        self.facts.update(|facts| {
            facts.pid = Some(asterisk.pid());
            facts.running_since = Some(since);
            facts.is_adopted = is_adopted;
        });
        self.state = State::Running { asterisk, since };
        tell(events, PbxEvent::Started { is_adopted }).await;
    }

    async fn on_ended(&mut self, status: String, events: &mpsc::Sender<PbxEvent>) {
        let now = clock::now();
        if let State::Running { since, .. } = self.state {
            self.backoff.worked(since, now);
        }
        let delay = self.backoff.delay();
        warn!(status, ?delay, "asterisk ended; starting it again");
        self.facts.update(|facts| facts.restarts = facts.restarts.saturating_add(1));
        self.on_down(now + delay, Some(status), events).await;
    }

    async fn on_down(&mut self, start_at: Instant, unasked: Option<String>, events: &mpsc::Sender<PbxEvent>) {
        self.state = State::Down { start_at };
        self.facts.update(|facts| {
            facts.pid = None;
            facts.running_since = None;
        });
        tell(events, PbxEvent::Ended { unasked }).await;
    }

    async fn on_tick(&mut self, events: &mpsc::Sender<PbxEvent>) {
        let State::Running { asterisk, .. } = &self.state else { return };
        asterisk.bound_log();
        if let Err(error) = self.settle_owed(&mut Applied::default()).await {
            warn!(%error, "cannot read what asterisk's files ask for");
        }
        if self.facts.read().is_restart_pending && self.is_idle().await {
            info!("restarting asterisk: no call is up");
            if let State::Running { asterisk, .. } =
                std::mem::replace(&mut self.state, State::Down { start_at: clock::now() })
            {
                asterisk.stop().await;
            }
            self.backoff.reset();
            self.on_down(clock::now(), None, events).await;
        }
    }

    async fn apply(&mut self, rendered: &[RenderedFile]) -> io::Result<Applied> {
        let changes = files::apply(rendered, &self.config.files_dir)?;
        let mut applied =
            Applied { changed: changes.into_iter().map(|change| change.path).collect(), ..Applied::default() };
        if let State::Running { .. } = self.state {
            self.settle_owed(&mut applied).await?;
        }
        applied.is_pending = !files::owed(&self.config.files_dir)?.is_empty();
        Ok(applied)
    }

    /// Reloads what changed files ask for. What a module refuses is not tried again: it would refuse again.
    async fn settle_owed(&mut self, applied: &mut Applied) -> io::Result<()> {
        for action in files::owed(&self.config.files_dir)? {
            let Action::Reload(module) = &action else {
                self.facts.update(|facts| facts.is_restart_pending = true);
                continue;
            };
            match self.ami.reload(module).await {
                Ok(()) => {
                    info!(module, "asterisk reloaded");
                    applied.reloaded.push(module.clone());
                }
                Err(AmiFailure::Refused(reason)) => {
                    error!(module, reason, "asterisk refused to reload");
                    applied.refused.push((module.clone(), reason));
                }
                Err(failure) => {
                    debug!(failure = %Chain(&failure), module, "reload put off");
                    return Ok(());
                }
            }
            files::settle(&self.config.files_dir, Some(&action))?;
        }
        Ok(())
    }

    /// Whether no call is up, be it ours or between phones. An Asterisk that answers on neither interface serves no
    /// new call: only those that we know about keep it from being restarted.
    async fn is_idle(&self) -> bool {
        if self.config.calls_up.load(Ordering::Relaxed) > 0 {
            return false;
        }
        if let Ok(json) = self.client.send(Request::list_channels()).await {
            let channels: Vec<Channel> = serde_json::from_value(json).unwrap_or_default();
            return channels.iter().all(Channel::is_message_queue);
        }
        self.ami.channels().await.map_or(true, |channels| channels == 0)
    }

    async fn stop(self, answer: oneshot::Sender<()>) {
        if let State::Running { asterisk, .. } = self.state {
            asterisk.stop().await;
        }
        self.facts.update(|facts| {
            facts.pid = None;
            facts.running_since = None;
        });
        if answer.send(()).is_err() {
            debug!("nobody waits for asterisk to stop");
        }
    }
}

/// Waits for what the state itself brings: the end of the process, or the time to start one.
async fn passed(state: &mut State) -> Wake {
    match state {
        State::Running { asterisk, .. } => Wake::Ended(asterisk.ended().await),
        State::Down { start_at } => {
            tokio::time::sleep_until((*start_at).into()).await;
            Wake::StartDue
        }
        State::Unwanted => std::future::pending().await,
    }
}

async fn tell(events: &mpsc::Sender<PbxEvent>, event: PbxEvent) {
    if events.send(event).await.is_err() {
        debug!("nobody listens to asterisk's events any more");
    }
}

const TICK: Duration = Duration::from_secs(1);
