//! Carries out what the switchboard decides about calls.
//!
//! | task | reads | writes |
//! |---|---|---|
//! | exchange | line events, Asterisk's events, media notices, requests of apps, answers of the courier | orders to courier, modems, media, recorder |
//! | courier | requests to Asterisk, in the order of their call | Asterisk's REST interface, answers |
//! | recorder | call records, in order | the store, live events |

mod courier;
mod recorder;

use crate::hub::Hub;
use crate::media::{MediaNotice, MediaServer, pump};
use crate::pbx::{PbxEvent, PbxHandle};
use crate::registry::{LineRequest, Proven, Registry};
use crate::vitals::PulseTaker;
use crate::{clock, event_log, guard};
use modem::CallEvent;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use store::Store;
use switchboard::calls::{ApiRequest, AriFailure, Effect, Exchange, LineFacts, MediaCommand, Refusal, RequestToken};
use telecom::{CallId, HangUpCause, LineId};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, info, warn};

/// Inputs that may wait: more than every line can produce in the time that one takes.
const BACKLOG: usize = 256;
/// An app waits this long for the exchange.
const REQUEST_DEADLINE: Duration = Duration::from_secs(5);

enum Input {
    Line(LineId, CallEvent),
    LineLost(LineId),
    Request(ApiRequest, oneshot::Sender<Result<CallId, Refusal>>),
}

/// The door to the exchange. Cheap to clone.
#[derive(Clone)]
pub struct ExchangeHandle {
    inputs: mpsc::Sender<Input>,
    extensions: watch::Receiver<Vec<String>>,
}

/// The other side of [`ExchangeHandle`], for [`ExchangeTask`].
pub struct ExchangeInputs(mpsc::Receiver<Input>);

impl ExchangeHandle {
    /// A door, and what lies behind it.
    #[must_use]
    pub fn new(extensions: watch::Receiver<Vec<String>>) -> (Self, ExchangeInputs) {
        let (inputs, receiver) = mpsc::channel(BACKLOG);
        (Self { inputs, extensions }, ExchangeInputs(receiver))
    }

    /// A line tells of its call.
    pub async fn line_event(&self, line: LineId, event: CallEvent) {
        self.send(Input::Line(line, event)).await;
    }

    /// A line is gone, and its call with it.
    pub async fn line_lost(&self, line: LineId) {
        self.send(Input::LineLost(line)).await;
    }

    /// An app asks for something.
    ///
    /// # Errors
    /// Why it cannot be done.
    pub async fn request(&self, request: ApiRequest) -> Result<CallId, Refusal> {
        let (answer, outcome) = oneshot::channel();
        self.send(Input::Request(request, answer)).await;
        match tokio::time::timeout(REQUEST_DEADLINE, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(Refusal::ExchangeDown),
        }
    }

    /// The phone that rings when nobody says which.
    #[must_use]
    pub fn first_extension(&self) -> Option<String> {
        self.extensions.borrow().first().cloned()
    }

    async fn send(&self, input: Input) {
        if self.inputs.send(input).await.is_err() {
            debug!("the exchange has stopped");
        }
    }
}

/// What the exchange works with.
pub struct ExchangeParts {
    /// The rules.
    pub machine: Exchange,
    /// What lines and apps say.
    pub inputs: ExchangeInputs,
    /// The sound.
    pub media: MediaServer,
    /// What the sound tells.
    pub notices: mpsc::Receiver<MediaNotice>,
    /// Asterisk.
    pub pbx: PbxHandle,
    /// What Asterisk tells.
    pub pbx_events: mpsc::Receiver<PbxEvent>,
    /// Modems and lines.
    pub registry: Arc<Registry>,
    /// Everything that lasts.
    pub store: Store,
    /// Live events.
    pub hub: Hub,
    /// How many calls there are, for whoever must not disturb one.
    pub calls_up: Arc<AtomicUsize>,
    /// Who asks whether the task still takes its turns.
    pub pulse: PulseTaker,
}

/// The task of the exchange.
pub struct ExchangeTask {
    parts: ExchangeParts,
    courier: mpsc::Sender<courier::Letter>,
    answers: mpsc::Receiver<(RequestToken, Result<(), AriFailure>)>,
    recorder: mpsc::Sender<switchboard::calls::CallRecord>,
}

impl ExchangeTask {
    /// Starts the courier and the recorder; [`run`](Self::run) is the task itself.
    #[must_use]
    pub fn new(parts: ExchangeParts) -> Self {
        let (courier, letters) = mpsc::channel(BACKLOG);
        let (answering, answers) = mpsc::channel(BACKLOG);
        let pbx = parts.pbx.clone();
        guard::spawn(
            "courier",
            courier::run(move |request| courier::deliver(pbx.clone(), request), letters, answering),
        );
        let (recorder, records) = mpsc::channel(BACKLOG);
        let recording = recorder::Recorder::new(parts.store.clone(), parts.hub.clone(), Arc::clone(&parts.registry));
        guard::spawn("recorder", recording.run(records));
        Self { parts, courier, answers, recorder }
    }

    /// Works until every [`ExchangeHandle`] is dropped.
    pub async fn run(mut self) {
        let mut lines = self.parts.registry.watch();
        self.set_lines();
        loop {
            self.carry_out().await;
            let machine = &mut self.parts.machine;
            tokio::select! {
                input = self.parts.inputs.0.recv() => match input {
                    Some(input) => self.on_input(input),
                    None => return,
                },
                Some(event) = self.parts.pbx_events.recv() => self.on_pbx(event).await,
                Some(notice) = self.parts.notices.recv() => machine.handle_media(&notice.call, notice.event, clock::now()),
                Some((token, result)) = self.answers.recv() => machine.handle_ari_result(token, result, clock::now()),
                Ok(()) = lines.changed() => self.set_lines(),
                () = self.parts.pulse.answer() => {}
                () = clock::sleep_until(machine.poll_timeout()) => machine.handle_timeout(clock::now()),
            }
        }
    }

    fn on_input(&mut self, input: Input) {
        let machine = &mut self.parts.machine;
        match input {
            Input::Line(line, event) => machine.handle_line_event(line, event, clock::now()),
            Input::LineLost(line) => machine.handle_line_lost(line, clock::now()),
            Input::Request(request, answer) => {
                let outcome = machine.handle_api(request, clock::now());
                // An app that went away has its call all the same.
                drop(answer.send(outcome));
            }
        }
    }

    async fn on_pbx(&mut self, event: PbxEvent) {
        let machine = &mut self.parts.machine;
        match event {
            PbxEvent::Started { is_adopted } => info!(is_adopted, "Asterisk runs"),
            PbxEvent::Connected { channels, bridges } => {
                info!("Asterisk's events flow");
                machine.handle_ari_connected(&channels, &bridges, clock::now());
            }
            PbxEvent::Ari(event) => machine.handle_ari_event(event, clock::now()),
            PbxEvent::Lost => machine.handle_ari_lost(clock::now()),
            PbxEvent::Ended { unasked } => {
                machine.handle_ari_lost(clock::now());
                if let Some(status) = unasked {
                    self.tell_restart(format!("it ended by itself: {status}")).await;
                }
            }
            PbxEvent::Ami(asterisk::ami::Event::MessageWaiting { mailbox, new, old }) => {
                let what = serde_json::json!({ "mailbox": mailbox, "new": new, "old": old });
                self.note("voicemail", &what).await;
            }
            PbxEvent::Ami(_) => {}
            PbxEvent::Unresponsive => {
                warn!("Asterisk does not answer any more: it is restarted as soon as no call is up");
                self.tell_restart("its REST interface does not answer".to_owned()).await;
                if let Err(error) = self.parts.pbx.restart_when_idle().await {
                    warn!(%error, "Asterisk could not be told to restart");
                }
            }
        }
    }

    async fn carry_out(&mut self) {
        while let Some(effect) = self.parts.machine.poll_output() {
            match effect {
                Effect::Ari { call, token, request } => {
                    if self.courier.send(courier::Letter { call, token, request }).await.is_err() {
                        self.parts.machine.handle_ari_result(token, Err(AriFailure::Unreachable), clock::now());
                    }
                }
                Effect::Modem { line, command } => self.tell_modem(line, command),
                Effect::Media { call, command } => self.tell_media(&call, &command),
                Effect::Call(record) => {
                    if self.recorder.send(record).await.is_err() {
                        warn!("the recorder of calls has stopped");
                    }
                }
                Effect::Alarm { line, text, is_mended } => self.on_alarm(line, text, is_mended).await,
            }
        }
        self.parts.calls_up.store(self.parts.machine.calls().count(), Ordering::Relaxed);
    }

    fn tell_modem(&mut self, line: LineId, command: modem::Command) {
        let told = self.parts.registry.line_requests(line).map(|door| door.try_send(LineRequest::Command(command)));
        match told {
            Some(Ok(())) => {}
            // The line's task says `line_lost` when it ends, which ends the call.
            None => debug!(%line, "an order for a modem that is gone"),
            Some(Err(error)) => {
                warn!(%line, %error, "the modem's task takes no orders: its call ends");
                let ended = CallEvent::Ended { cause: HangUpCause::OutOfOrder };
                self.parts.machine.handle_line_event(line, ended, clock::now());
            }
        }
    }

    fn tell_media(&mut self, call: &CallId, command: &MediaCommand) {
        let media = &mut self.parts.media;
        match command {
            MediaCommand::Expect { uuid } => media.expect(call, *uuid),
            MediaCommand::StartModemAudio { line } => {
                match self.parts.registry.line(*line).and_then(|facts| facts.audio_port) {
                    Some(port) => media.start_modem_audio(call, PathBuf::from(port), pump::Rate::Narrow),
                    None => warn!(%line, "this modem has no port for sound"),
                }
            }
            MediaCommand::Flow { is_open } => media.set_flow(call, *is_open),
            MediaCommand::StopModemAudio => media.stop_modem_audio(call),
            MediaCommand::Close => media.stop(call),
        }
    }

    async fn on_alarm(&self, line: LineId, text: String, is_mended: bool) {
        warn!(%line, text, "sound");
        if let Some(facts) = self.parts.registry.line(line).filter(|_| !is_mended) {
            self.parts.registry.update(&facts.usb_path, |facts| facts.audio_alarm = Some(Proven::now(text.clone())));
        }
        let action = api::WatchdogStep::AudioAlarm;
        let what = api::WatchdogAction { target: line.to_string(), action, reason: text };
        self.parts.hub.publish_watchdog(&self.parts.store, what).await;
    }

    async fn tell_restart(&self, reason: String) {
        let action = api::WatchdogStep::Restart;
        let what = api::WatchdogAction { target: "asterisk".to_owned(), action, reason };
        self.parts.hub.publish_watchdog(&self.parts.store, what).await;
    }

    async fn note<T: serde::Serialize>(&self, kind: &str, what: &T) {
        event_log::note(&self.parts.store, kind, what).await;
    }

    fn set_lines(&mut self) {
        let mut facts: Vec<_> =
            self.parts.registry.snapshot().into_iter().filter(|facts| facts.line.is_some()).collect();
        facts.sort_by_key(|facts| facts.line);
        let default = facts.iter().find(|facts| facts.is_usable()).and_then(|facts| facts.line);
        let lines = facts.iter().filter_map(|facts| {
            let line = facts.line?;
            Some(LineFacts {
                line,
                name: facts.line_name.clone().unwrap_or_else(|| line.to_string()),
                ready: facts.stage == crate::registry::Stage::Ready,
                registered: facts.is_usable(),
                default: default == Some(line),
            })
        });
        self.parts.machine.set_lines(lines.collect());
    }
}
