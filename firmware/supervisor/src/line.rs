//! One modem's business: what its machine reports goes to the store, the registry and the exchange; what is to be sent
//! comes from the store.
//!
//! A received part is cleared from the modem only after the store has it. A part to send is marked in the store before
//! the modem sees it.

mod inbound;
mod outbound;
mod sim;
#[cfg(test)]
pub(crate) mod tests;

use crate::devices::DeviceRoot;
use crate::exchange::ExchangeHandle;
use crate::hub::Hub;
use crate::registry::{LineRequest, ModemFacts, Proven, Registry, Stage};
use crate::space::Space;
use crate::{clock, devices, event_log};
use modem::{Command, Event, Failure, Recovery, SimState, UssdReply};
use outbound::Outbox;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::{ModemIdentity, Store};
use switchboard::outbox::Limiter;
use telecom::{Iccid, LineId, ModemId};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error, info, warn};

/// A sweep that could not be stored is asked for again after this long.
const RESWEEP: Duration = Duration::from_secs(30);
/// After the store failed, it is tried again this much later.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// What every line needs of the box.
#[derive(Clone)]
pub struct LineContext {
    /// Everything that lasts.
    pub store: Store,
    /// Whether there is room for more.
    pub space: Arc<Space>,
    /// What is known right now.
    pub registry: Arc<Registry>,
    /// Live events.
    pub hub: Hub,
    /// The calls.
    pub exchange: ExchangeHandle,
    /// Where devices are.
    pub root: DeviceRoot,
    /// How fast a line may send; it outlives the ports, so that no modem that comes and goes sends in bulk.
    pub limiter: Arc<Mutex<Limiter>>,
}

/// Why a line's work on one port came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// The port hung up or failed.
    PortGone,
    /// Nothing answers on this port: try the next.
    Silent,
    /// The modem was pulled, or the box stops.
    Closed,
}

/// The business of one modem while one of its ports is open.
pub struct LineTask {
    context: LineContext,
    usb_path: String,
    commands: mpsc::Sender<Command>,
    /// What the modem's own memory is called in the store.
    memory_owner: Option<String>,
    modem: Option<ModemId>,
    /// The line whose messages the modem's own memory holds until a sweep found and stored them all: that of the SIM that
    /// was in the modem before.
    memory_line: Option<LineId>,
    iccid: Option<Iccid>,
    line: Option<LineId>,
    outbox: Outbox,
    ussd: Option<oneshot::Sender<UssdReply>>,
    pin: Option<oneshot::Sender<SimState>>,
    /// The stored PIN of this card was entered, and the card has not proved it right.
    stored_pin_for: Option<Iccid>,
    /// A card that the store could not be told of yet.
    unnoted_sim: Option<modem::SimIdentity>,
    /// What the modem delivered without keeping a copy, until the store has it.
    direct: VecDeque<Vec<u8>>,
    /// When to try again what the store refused.
    resweep_at: Option<std::time::Instant>,
    has_answered: bool,
    /// Nothing ever answered on this port: the line leaves it once the ladder's step is done.
    is_leaving: bool,
}

impl LineTask {
    /// A task for the modem at a USB path, whose machine takes `commands`.
    #[must_use]
    pub fn new(context: LineContext, usb_path: &str, commands: mpsc::Sender<Command>) -> Self {
        Self {
            context,
            usb_path: usb_path.to_owned(),
            commands,
            memory_owner: None,
            modem: None,
            memory_line: None,
            iccid: None,
            line: None,
            outbox: Outbox::new(),
            ussd: None,
            pin: None,
            stored_pin_for: None,
            unnoted_sim: None,
            direct: VecDeque::new(),
            resweep_at: None,
            has_answered: false,
            is_leaving: false,
        }
    }

    /// Works until the port is gone, nothing answers, or `requests` closes.
    pub async fn run(
        mut self,
        events: &mut mpsc::Receiver<Event>,
        requests: &mut mpsc::Receiver<LineRequest>,
        gone: &mut oneshot::Receiver<()>,
    ) -> LineEnd {
        let end = loop {
            let wake = [self.outbox.next_look(), self.resweep_at].into_iter().flatten().min();
            tokio::select! {
                biased;
                _ = &mut *gone => break LineEnd::Closed,
                event = events.recv() => match event {
                    Some(event) => {
                        if let Some(end) = self.on_event(event).await { break end }
                    }
                    None => break LineEnd::PortGone,
                },
                request = requests.recv() => match request {
                    Some(request) => self.on_request(request).await,
                    None => break LineEnd::Closed,
                },
                () = clock::sleep_until(wake) => self.on_wake().await,
            }
        };
        self.close().await;
        end
    }

    async fn on_event(&mut self, event: Event) -> Option<LineEnd> {
        match event {
            Event::Identified(identity) => self.on_identified(identity).await,
            Event::Sim(state) => self.on_sim(state).await,
            Event::SimIdentified(sim) => self.on_sim_identified(sim).await,
            Event::Ready => self.on_ready().await,
            Event::Registration { state, technology } => {
                self.facts(|facts| facts.registration = Some(Proven::now((state, technology))));
                self.send_queued().await;
            }
            Event::Operator(operator) => self.facts(|facts| facts.operator = operator.map(Proven::now)),
            Event::Signal(signal) => self.facts(|facts| facts.signal = signal.map(Proven::now)),
            Event::Ims(is_registered) => self.facts(|facts| facts.ims = Some(Proven::now(is_registered))),
            Event::Alive => self.facts(|facts| facts.alive = Some(clock::now())),
            Event::SmsStored(part) => self.on_stored(part).await,
            Event::SmsDirect { pdu } => self.on_direct(pdu).await,
            Event::Swept(parts) => self.on_swept(parts).await,
            Event::SlotCleared(slot) => self.on_cleared(slot).await,
            Event::SlotReused(slot) => {
                debug!(modem = %self.usb_path, index = slot.index, "this SMS had been deleted before")
            }
            Event::SlotNotCleared(slot) => {
                warn!(modem = %self.usb_path, index = slot.index, "a stored SMS could not be deleted; the next sweep finds it");
                self.resweep_at = Some(clock::now() + RESWEEP);
            }
            Event::StorageFull(is_full) => self.facts(|facts| facts.is_storage_full = is_full),
            Event::SmsSent { token, reference } => self.on_sent(token, reference).await,
            Event::SmsFailed { token, error } => self.on_send_failed(token, &error).await,
            Event::Ussd(reply) => self.on_ussd(reply),
            Event::Call(event) => match self.line {
                Some(line) => self.context.exchange.line_event(line, event).await,
                None => warn!(modem = %self.usb_path, "a call before the SIM was known"),
            },
            Event::Recovery { step, reason } => return self.on_recovery(step, reason).await,
            Event::UsbResetWanted => return self.on_usb_reset_wanted(),
            Event::Failed(failure) => self.on_failed(&failure),
        }
        None
    }

    async fn on_request(&mut self, request: LineRequest) {
        match request {
            LineRequest::Command(command) => self.command(command).await,
            LineRequest::SendQueued => self.send_queued().await,
            LineRequest::Ussd { text, reply } if is_free(self.ussd.as_ref()) => {
                self.ussd = Some(reply);
                self.command(Command::Ussd { text }).await;
            }
            // One request at a time; dropping the reply says so.
            LineRequest::Ussd { .. } => {}
            LineRequest::Pin { command, reply } if is_free(self.pin.as_ref()) => {
                self.pin = Some(reply);
                self.command(command).await;
            }
            LineRequest::Pin { .. } => {}
        }
    }

    async fn on_wake(&mut self) {
        if self.resweep_at.is_some_and(|at| at <= clock::now()) {
            self.resweep_at = None;
            if let Some(sim) = self.unnoted_sim.take() {
                self.on_sim_identified(sim).await;
            }
            self.store_direct().await;
            self.command(Command::Sweep).await;
        }
        self.send_queued().await;
    }

    async fn on_identified(&mut self, identity: modem::Identity) {
        self.has_answered = true;
        info!(modem = %self.usb_path, model = %identity.model, firmware = %identity.revision, "modem identified");
        let imei = identity.imei.clone();
        let known = ModemIdentity {
            imei: identity.imei.clone(),
            usb_path: Some(self.usb_path.clone()),
            model: Some(identity.model.clone()),
            firmware: Some(identity.revision.clone()),
        };
        // Told before others are looked for: of two that tell the same IMEI at the same time, one sees the other.
        self.facts(|facts| facts.identity = Some(identity));
        let elsewhere = self.context.registry.others_with(&imei, &self.usb_path);
        if !elsewhere.is_empty() {
            warn!(modem = %self.usb_path, "another modem tells the same IMEI; they are told apart by where they are");
        }
        let is_alone = elsewhere.is_empty();
        let modem = match self.context.store.ensure_modem(known, elsewhere, clock::unix_ms()).await {
            Ok(ensured) => Some(ensured.into_inner()),
            Err(error) => {
                self.store_failed("noting a modem", &error);
                None
            }
        };
        self.memory_owner = match &modem {
            Some(modem) => Some(modem.memory_owner()),
            None => is_alone.then(|| imei.to_string()),
        };
        self.memory_line = modem.as_ref().and_then(|modem| modem.memory_line);
        self.modem = modem.as_ref().map(|modem| modem.id.clone());
        self.facts(|facts| {
            facts.modem_name = modem.as_ref().and_then(store::Modem::given_name).map(ToOwned::to_owned);
            facts.modem = modem.map(|modem| modem.id);
            facts.alive = Some(clock::now());
        });
    }

    async fn on_ready(&mut self) {
        info!(modem = %self.usb_path, line = ?self.line, "line is ready");
        self.facts(|facts| {
            facts.stage = Stage::Ready;
            facts.alive = Some(clock::now());
        });
        self.send_queued().await;
    }

    fn on_ussd(&mut self, reply: UssdReply) {
        match self.ussd.take() {
            // Whoever asked may have stopped waiting.
            Some(waiting) => drop(waiting.send(reply)),
            None => debug!(modem = %self.usb_path, "a USSD text that nobody asked for"),
        }
    }

    async fn on_recovery(&mut self, step: Recovery, reason: String) -> Option<LineEnd> {
        warn!(modem = %self.usb_path, ?step, reason, "self-heal");
        self.facts(|facts| {
            facts.recovery = Some(Proven::now((step, reason.clone())));
            facts.recoveries += 1;
            // Who gave up is not starting: the reason of the failure stays to be read.
            if !matches!(step, Recovery::Retry | Recovery::GaveUp) {
                facts.stage = Stage::Starting;
            }
        });
        let action = api::WatchdogAction { target: self.name(), action: watchdog_step(step), reason };
        self.context.hub.publish_watchdog(&self.context.store, action).await;
        // The wish for the reset itself follows this.
        (self.is_leaving && step != Recovery::UsbReset).then_some(LineEnd::Silent)
    }

    fn on_usb_reset_wanted(&mut self) -> Option<LineEnd> {
        let (root, usb_path) = (self.context.root.clone(), self.usb_path.clone());
        // On its own, because the device's leaving ends this line, and nothing may end the reset half way.
        tokio::spawn(async move {
            if let Err(error) = devices::usb_reset(&root, &usb_path).await {
                warn!(modem = %usb_path, %error, "the USB device could not be reset");
            }
        });
        self.is_leaving.then_some(LineEnd::Silent)
    }

    fn on_failed(&mut self, failure: &Failure) {
        warn!(modem = %self.usb_path, %failure, "the line cannot work");
        self.facts(|facts| facts.stage = Stage::Failed(failure.to_string()));
        self.is_leaving = *failure == Failure::Silent && !self.has_answered;
    }

    async fn command(&self, command: Command) {
        if self.commands.send(command).await.is_err() {
            debug!(modem = %self.usb_path, "a command came too late: the port is gone");
        }
    }

    fn facts(&self, change: impl FnOnce(&mut ModemFacts)) {
        self.context.registry.update(&self.usb_path, change);
    }

    fn name(&self) -> String {
        self.line.map_or_else(|| format!("modem {}", self.usb_path), |line| line.to_string())
    }

    fn store_failed(&self, doing: &str, error: &store::StoreError) {
        error!(modem = %self.usb_path, doing, error = %crate::chain::Chain(error), "the store failed");
    }

    /// Leaves nothing half done: a part on its way is unknown, a call is lost, whoever waits is told.
    async fn close(mut self) {
        self.give_up_sending().await;
        self.store_direct().await;
        if !self.direct.is_empty() {
            error!(modem = %self.usb_path, parts = self.direct.len(), "SMS were lost: the store did not take them");
        }
        if let Some(line) = self.line {
            self.context.exchange.line_lost(line).await;
        }
        self.facts(|facts| {
            if !matches!(facts.stage, Stage::Failed(_)) {
                facts.stage = Stage::Starting;
            }
            facts.registration = None;
            facts.signal = None;
        });
    }
}

impl LineContext {
    /// Writes down what the box did by itself.
    pub async fn note<T: serde::Serialize>(&self, kind: &str, what: &T) {
        event_log::note(&self.store, kind, what).await;
    }
}

/// Whether nobody waits here; who stopped waiting does not count.
fn is_free<T>(waiting: Option<&oneshot::Sender<T>>) -> bool {
    waiting.is_none_or(oneshot::Sender::is_closed)
}

fn watchdog_step(step: Recovery) -> api::WatchdogStep {
    match step {
        Recovery::Retry => api::WatchdogStep::Retry,
        Recovery::Reinitialise => api::WatchdogStep::Reinitialise,
        Recovery::FunctionalityReset => api::WatchdogStep::FunctionalityReset,
        Recovery::UsbReset => api::WatchdogStep::UsbReset,
        Recovery::GaveUp => api::WatchdogStep::GaveUp,
    }
}
