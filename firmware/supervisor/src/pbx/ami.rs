//! The driver of Asterisk's manager interface.

use super::PbxEvent;
use super::backoff::Backoff;
use crate::chain::Chain;
use crate::clock;
use asterisk::ami::{Action, Command, Event, InvalidField, Login, Output, Reply, Session, Token};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, trace};

/// Why an action of the manager interface came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum AmiFailure {
    /// Asterisk refused.
    #[error("asterisk's manager interface refused: {0}")]
    Refused(String),
    /// A value holds what cannot be sent.
    #[error("the action cannot be sent")]
    Invalid(#[source] InvalidField),
    /// There is no session. The action had no effect, unless the session broke while it was under way.
    #[error("asterisk's manager interface cannot be reached")]
    Down,
    /// No answer in time. Whether the action had an effect is not known.
    #[error("asterisk's manager interface did not answer in time")]
    TimedOut,
}

/// Sends actions to the manager interface.
#[derive(Debug, Clone)]
pub struct Ami(mpsc::Sender<Ask>);

#[derive(Debug)]
struct Ask {
    action: Action,
    answer: oneshot::Sender<Result<Reply, AmiFailure>>,
}

impl Ami {
    /// Starts the task that holds a session with `server` for as long as somebody listens to `events`.
    #[must_use]
    pub fn spawn(server: SocketAddr, login: Login, events: mpsc::Sender<PbxEvent>) -> Self {
        let (asks, receiver) = mpsc::channel(MOST_WAITING);
        tokio::spawn(run(server, login, receiver, events));
        Self(asks)
    }

    /// Sends an action and waits for its outcome.
    ///
    /// # Errors
    /// Asterisk refused, there is no session, or no answer came in time.
    pub async fn send(&self, action: Action) -> Result<Reply, AmiFailure> {
        let (answer, outcome) = oneshot::channel();
        self.0.send(Ask { action, answer }).await.map_err(|_| AmiFailure::Down)?;
        let reply = outcome.await.map_err(|_| AmiFailure::Down)??;
        if reply.is_success {
            return Ok(reply);
        }
        Err(AmiFailure::Refused(reply.response.field("Message").unwrap_or("no reason given").into()))
    }

    /// Reloads one module, for example `res_pjsip.so`; calls go on.
    ///
    /// # Errors
    /// As for [`Self::send`].
    pub async fn reload(&self, module: &str) -> Result<(), AmiFailure> {
        let action = Action::new("Reload").with("Module", module).map_err(AmiFailure::Invalid)?;
        self.send(action).await.map(|_| ())
    }

    /// Counts the channels of calls. Works also when the REST interface is locked up.
    ///
    /// # Errors
    /// As for [`Self::send`].
    pub async fn channels(&self) -> Result<usize, AmiFailure> {
        let reply = self.send(Action::new("CoreShowChannels")).await?;
        let names = reply.events.iter().map(|event| event.field("Channel").unwrap_or_default());
        Ok(names.filter(|name| !name.starts_with("Message/")).count())
    }
}

async fn run(server: SocketAddr, login: Login, mut asks: mpsc::Receiver<Ask>, events: mpsc::Sender<PbxEvent>) {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    loop {
        let started = clock::now();
        match tokio::time::timeout(CONNECT_TIME, TcpStream::connect(server)).await {
            Ok(Ok(stream)) => {
                if drive(Session::new(login.clone(), started), stream, &mut asks, &events).await.is_none() {
                    return;
                }
            }
            Ok(Err(error)) => debug!(%error, "manager interface not reached"),
            Err(_) => debug!("manager interface not reached in time"),
        }
        backoff.worked(started, clock::now());
        let again = clock::now() + backoff.delay();
        while clock::now() < again {
            tokio::select! {
                () = tokio::time::sleep_until(again.into()) => {}
                () = events.closed() => return,
                ask = asks.recv() => match ask {
                    Some(ask) => refuse(ask.answer, AmiFailure::Down),
                    None => return,
                },
            }
        }
    }
}

/// Runs one session to its end; `None` when nobody needs another one.
async fn drive(
    mut session: Session,
    mut stream: TcpStream,
    asks: &mut mpsc::Receiver<Ask>,
    events: &mpsc::Sender<PbxEvent>,
) -> Option<()> {
    let mut open = Open::default();
    let mut buffer = [0; 8192];
    loop {
        while let Some(output) = session.poll_output() {
            match output {
                Output::Write(bytes) => {
                    if let Err(error) = write_within(&mut stream, &bytes).await {
                        debug!(%error, "manager interface broke");
                        return Some(());
                    }
                }
                Output::Event(Event::Down(reason)) => {
                    debug!(reason = %Chain(&reason), "manager session ended");
                    return Some(());
                }
                Output::Event(event) => {
                    if let Some(event) = open.settle(event) {
                        events.send(PbxEvent::Ami(event)).await.ok()?;
                    }
                }
            }
        }
        tokio::select! {
            read = stream.read(&mut buffer) => match read {
                Ok(0) => return Some(()),
                Ok(count) => session.handle_bytes(buffer.get(..count).unwrap_or_default(), clock::now()),
                Err(error) => {
                    debug!(%error, "manager interface broke");
                    return Some(());
                }
            },
            ask = asks.recv() => session.submit(open.remember(ask?), clock::now()),
            () = clock::sleep_until(session.poll_timeout()) => session.handle_timeout(clock::now()),
            () = events.closed() => return None,
        }
    }
}

/// The actions under way and who waits for them. Dropping it tells all of them that the session is down.
#[derive(Debug, Default)]
struct Open {
    next: u64,
    waiting: HashMap<Token, oneshot::Sender<Result<Reply, AmiFailure>>>,
}

impl Open {
    fn remember(&mut self, ask: Ask) -> Command {
        let token = Token(self.next);
        self.next += 1;
        self.waiting.insert(token, ask.answer);
        Command { token, action: ask.action }
    }

    /// Gives an outcome to who waits for it; returns what is for everybody.
    fn settle(&mut self, event: Event) -> Option<Event> {
        let (token, outcome) = match event {
            Event::Completed { token, reply } => (token, Ok(reply)),
            Event::TimedOut { token } => (token, Err(AmiFailure::TimedOut)),
            Event::Refused { token } => (token, Err(AmiFailure::Down)),
            Event::Other { name, .. } => {
                trace!(name, "manager event");
                return None;
            }
            event => return Some(event),
        };
        if let Some(answer) = self.waiting.remove(&token)
            && answer.send(outcome).is_err()
        {
            trace!("nobody waits for the outcome of this action");
        }
        None
    }
}

fn refuse(answer: oneshot::Sender<Result<Reply, AmiFailure>>, failure: AmiFailure) {
    if answer.send(Err(failure)).is_err() {
        trace!("nobody waits for the outcome of this action");
    }
}

async fn write_within(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    tokio::time::timeout(WRITE_TIME, stream.write_all(bytes)).await?
}

const CONNECT_TIME: Duration = Duration::from_secs(3);
const WRITE_TIME: Duration = Duration::from_secs(5);
const MOST_WAITING: usize = 64;
