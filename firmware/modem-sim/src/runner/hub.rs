//! One task owns every simulated modem and its place at the host.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, mpsc, oneshot};

use super::config::ModemConfig;
use super::front::{Front, HostBytes, INPUT_LIMIT, Input, Shown};
use super::protocol::{Event, ModemStatus, SentMessage};
use super::transcript::Transcript;
use super::tree::DeviceTree;
use super::ttys::TtyFront;
use super::usb::UsbFront;
use super::{Config, Numbers, SimError, clock};
use crate::core::{Control, Output, Recording, SimModem, Submitted};
use crate::gsm::alphabet::{from_hex, to_hex};
use crate::gsm::tpdu::{Deliver, Submit, Timestamp};

/// When to wake up if nothing else is due.
const IDLE: Duration = Duration::from_secs(60);
/// Messages that are remembered.
const SENT_LIMIT: usize = 100_000;
/// Samples that wait for a host that does not read: a modem has no more memory than that.
const PCM_BACKLOG_LIMIT: usize = 16_000;

type Reply<T> = oneshot::Sender<T>;

/// What the outside asks of the hub.
pub(super) enum HubCommand {
    Control { modem: String, control: Control, reply: Reply<Result<(), SimError>> },
    Unplug { modem: String, reply: Reply<Result<(), SimError>> },
    Plug { modem: String, numbers: Numbers, reply: Reply<Result<(), SimError>> },
    BrownOut { absent: Duration, reply: Reply<()> },
    Swap { first: String, second: String, reply: Reply<Result<(), SimError>> },
    Status { reply: Reply<Vec<ModemStatus>> },
    Sent { reply: Reply<Vec<SentMessage>> },
    Recording { modem: String, reply: Reply<Result<Recording, SimError>> },
    ClearRecording { modem: String, reply: Reply<Result<(), SimError>> },
    Stop { reply: Reply<()> },
}

pub(super) struct Hub {
    units: Vec<Unit>,
    front: Front,
    transcript: Transcript,
    events: broadcast::Sender<Event>,
    inputs: mpsc::Receiver<Input>,
    sent: Vec<SentMessage>,
    has_network: bool,
    /// When the supply is strong enough again.
    power_at: Option<Instant>,
}

struct Unit {
    usb_path: String,
    serial: Option<String>,
    modem: SimModem,
}

impl Hub {
    pub(super) fn new(config: Config, events: broadcast::Sender<Event>) -> Result<Self, SimError> {
        let setup = |path: &PathBuf| {
            let path = path.clone();
            move |source| SimError::Setup { path, source }
        };
        std::fs::create_dir_all(&config.dir).map_err(setup(&config.dir))?;
        let now = clock::now();
        let log = config.dir.join("transcript.log");
        let transcript = Transcript::create(log.clone(), now).map_err(setup(&log))?;
        let (input_sender, inputs) = mpsc::channel(INPUT_LIMIT);
        let (place, front) = match config.usbredir {
            Some(sockets) => (sockets.clone(), UsbFront::new(sockets, input_sender).map(Front::Usb)),
            None => {
                let root = config.dir.join("root");
                let tree = DeviceTree::new(root.clone(), config.events);
                (root, tree.map(|tree| Front::Ttys(TtyFront::new(tree, config.renumbers, input_sender, now))))
            }
        };
        let front = front.map_err(setup(&place))?;
        let units = config.modems.into_iter().map(|modem| Unit::new(modem, now)).collect();
        let has_network = config.has_network;
        let mut hub = Self { units, front, transcript, events, inputs, sent: Vec::new(), has_network, power_at: None };
        for unit in 0..hub.units.len() {
            hub.attach(unit, Numbers::LowestFree).map_err(setup(&place))?;
        }
        Ok(hub)
    }

    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<HubCommand>) {
        loop {
            let now = clock::now();
            let deadline = self.settle(now);
            tokio::select! {
                command = inbox.recv() => match command {
                    None => break,
                    Some(HubCommand::Stop { reply }) => {
                        self.detach_all();
                        inbox.close();
                        answer(reply, ());
                        return;
                    }
                    Some(command) => self.handle_command(command, clock::now()),
                },
                Some(input) = self.inputs.recv() => self.handle_input(input, clock::now()),
                () = tokio::time::sleep_until(deadline.into()) => self.handle_timeout(clock::now()),
            }
        }
        self.detach_all();
    }

    /// Drains every modem and serves every host; returns when to wake up.
    fn settle(&mut self, now: Instant) -> Instant {
        loop {
            let mut is_quiet = true;
            for unit in 0..self.units.len() {
                is_quiet &= !self.drain(unit, now);
            }
            // A message to another SIM of the bench makes that modem speak.
            if is_quiet {
                break;
            }
        }
        let timers = self.units.iter().filter_map(|unit| unit.modem.poll_timeout()).chain(self.power_at);
        timers.chain(self.front.pump(now)).fold(now + IDLE, Instant::min)
    }

    fn handle_timeout(&mut self, now: Instant) {
        for unit in &mut self.units {
            unit.modem.handle_timeout(now);
        }
        self.front.handle_timeout(now);
        if self.power_at.is_some_and(|at| at <= now) {
            self.power_at = None;
            self.plug_all(now);
        }
    }

    /// The supply breaks down: every modem is gone, and comes back when it is strong enough again.
    fn brown_out(&mut self, absent: Duration, now: Instant) {
        let paths: Vec<String> = self.units.iter().map(|unit| unit.usb_path.clone()).collect();
        for path in paths {
            if let Err(error) = self.unplug(&path, now) {
                tracing::error!(%error, path, "failed to take the power");
            }
        }
        self.power_at = Some(now + absent);
    }

    fn plug_all(&mut self, now: Instant) {
        let paths: Vec<String> = self.units.iter().map(|unit| unit.usb_path.clone()).collect();
        for path in paths {
            if let Err(error) = self.plug(&path, Numbers::LowestFree, now) {
                tracing::error!(%error, path, "failed to give the power back");
            }
        }
    }

    fn handle_input(&mut self, input: Input, now: Instant) {
        for HostBytes { unit: position, interface, bytes } in self.front.handle_input(input) {
            let place = self.place(position, interface);
            let Some(unit) = self.units.get_mut(position) else { continue };
            if interface == unit.modem.personality().pcm_interface {
                self.transcript.samples(&place, '>', bytes.len(), now);
            } else {
                self.transcript.bytes(&place, '>', &bytes, now);
            }
            unit.modem.handle_bytes(interface, &bytes, now);
        }
    }

    fn handle_command(&mut self, command: HubCommand, now: Instant) {
        match command {
            HubCommand::Control { modem, control, reply } => answer(reply, self.control(&modem, control, now)),
            HubCommand::Unplug { modem, reply } => answer(reply, self.unplug(&modem, now)),
            HubCommand::Plug { modem, numbers, reply } => answer(reply, self.plug(&modem, numbers, now)),
            HubCommand::BrownOut { absent, reply } => {
                self.brown_out(absent, now);
                answer(reply, ());
            }
            HubCommand::Swap { first, second, reply } => answer(reply, self.swap(&first, &second, now)),
            HubCommand::Status { reply } => answer(reply, self.status()),
            HubCommand::Sent { reply } => answer(reply, self.sent.clone()),
            HubCommand::Recording { modem, reply } => {
                let recording = self.find(&modem).map(|unit| unit.modem.recording().clone());
                answer(reply, recording);
            }
            HubCommand::ClearRecording { modem, reply } => {
                answer(reply, self.find(&modem).map(|unit| unit.modem.clear_recording()));
            }
            HubCommand::Stop { reply } => answer(reply, ()),
        }
    }

    fn find(&mut self, usb_path: &str) -> Result<&mut Unit, SimError> {
        let unit = self.units.iter_mut().find(|unit| unit.usb_path == usb_path);
        unit.ok_or_else(|| SimError::NoSuchModem(usb_path.to_owned()))
    }

    fn position(&self, usb_path: &str) -> Result<usize, SimError> {
        let position = self.units.iter().position(|unit| unit.usb_path == usb_path);
        position.ok_or_else(|| SimError::NoSuchModem(usb_path.to_owned()))
    }

    fn control(&mut self, usb_path: &str, control: Control, now: Instant) -> Result<(), SimError> {
        self.transcript.line(usb_path, &format!("! {control:?}"), now);
        Ok(self.find(usb_path)?.modem.control(control, now)?)
    }

    fn unplug(&mut self, usb_path: &str, now: Instant) -> Result<(), SimError> {
        let unit = self.position(usb_path)?;
        self.transcript.line(usb_path, "! unplug", now);
        self.find(usb_path)?.modem.handle_unplugged(now);
        self.detach(unit);
        Ok(())
    }

    fn plug(&mut self, usb_path: &str, numbers: Numbers, now: Instant) -> Result<(), SimError> {
        let unit = self.position(usb_path)?;
        self.transcript.line(usb_path, "! plug", now);
        self.detach(unit);
        self.find(usb_path)?.modem.handle_plugged(now);
        self.attach(unit, numbers).map_err(|source| SimError::Setup { path: usb_path.into(), source })
    }

    fn swap(&mut self, first: &str, second: &str, now: Instant) -> Result<(), SimError> {
        let (one, other) = (self.position(first)?, self.position(second)?);
        self.unplug(first, now)?;
        self.unplug(second, now)?;
        for (unit, path) in [(one, second), (other, first)] {
            if let Some(unit) = self.units.get_mut(unit) {
                unit.usb_path = path.to_owned();
            }
        }
        self.plug(first, Numbers::LowestFree, now)?;
        self.plug(second, Numbers::LowestFree, now)
    }

    /// Performs the outputs of one modem; returns whether there were any.
    fn drain(&mut self, unit: usize, now: Instant) -> bool {
        let Some(source) = self.units.get_mut(unit) else { return false };
        let outputs: Vec<Output> = std::iter::from_fn(|| source.modem.poll_output()).collect();
        let had_outputs = !outputs.is_empty();
        let outputs = if source.modem.splits_writes() { outputs } else { joined(outputs) };
        for output in outputs {
            self.perform(unit, output, now);
        }
        had_outputs
    }

    fn perform(&mut self, position: usize, output: Output, now: Instant) {
        let Some(unit) = self.units.get_mut(position) else { return };
        let modem = unit.usb_path.clone();
        match output {
            Output::Write { interface, bytes } => self.write(position, interface, &bytes, now),
            Output::Unplug => self.detach(position),
            Output::Replug => {
                if let Err(error) = self.attach(position, Numbers::LowestFree) {
                    tracing::error!(%error, modem, "failed to show the modem again");
                }
            }
            Output::Submitted(message) => {
                let sent = SentMessage { modem, message };
                self.forward(position, &sent.message, now);
                if self.sent.len() < SENT_LIMIT {
                    self.sent.push(sent.clone());
                }
                self.publish(Event::Sent(sent));
            }
            Output::CallChanged(call) => self.publish(Event::Call { modem, call }),
            Output::DigitSent(digit) => self.publish(Event::Digit { modem, digit }),
            Output::UssdAsked(code) => self.publish(Event::Ussd { modem, code }),
        }
    }

    fn write(&mut self, position: usize, interface: u8, bytes: &[u8], now: Instant) {
        let Some(personality) = self.units.get(position).map(|unit| unit.modem.personality()) else { return };
        let is_pcm = interface == personality.pcm_interface;
        let backlog = personality.interface(interface).and_then(|interface| self.front.backlog(position, interface));
        if backlog.is_none_or(|backlog| is_pcm && backlog > PCM_BACKLOG_LIMIT) {
            return;
        }
        let place = self.place(position, interface);
        if is_pcm {
            self.transcript.samples(&place, '<', bytes.len(), now);
        } else {
            self.transcript.bytes(&place, '<', bytes, now);
        }
        self.front.write(position, interface, bytes);
    }

    /// Delivers a message to the simulated SIM that has its number, if there is one.
    fn forward(&mut self, from: usize, message: &Submitted, now: Instant) {
        let Some(sender) = self.units.get(from).and_then(Unit::number) else { return };
        let target = self.units.iter_mut().find(|unit| unit.number().is_some_and(|own| is_same(&own, &message.to)));
        let (true, Some(target)) = (self.has_network, target) else { return };
        let Some(submit) = from_hex(&message.pdu).and_then(|octets| Submit::parse(&octets).ok()) else { return };
        let deliver = Deliver {
            smsc: target.modem.profile().sim.as_ref().map_or_else(String::new, |sim| sim.smsc.clone()),
            sender,
            protocol: submit.protocol,
            timestamp: Timestamp::from_unix(message.at_unix_ms / 1000),
            data: submit.data,
        };
        let control = Control::Pdu { pdu: to_hex(&deliver.encode()) };
        if let Err(error) = target.modem.control(control, now) {
            tracing::warn!(%error, "message between simulated SIMs is lost");
        }
    }

    fn publish(&self, event: Event) {
        if self.events.send(event).is_err() {
            tracing::trace!("nobody watches");
        }
    }

    fn attach(&mut self, position: usize, numbers: Numbers) -> std::io::Result<()> {
        let Some(unit) = self.units.get(position).filter(|_| !self.front.is_attached(position)) else { return Ok(()) };
        let serial = unit.serial.as_deref();
        let shown = Shown { usb_path: &unit.usb_path, personality: unit.modem.personality(), serial };
        self.front.attach(position, &shown, numbers)?;
        self.publish(Event::Plugged { modem: unit.usb_path.clone(), ttys: self.front.ttys(position) });
        Ok(())
    }

    fn detach(&mut self, position: usize) {
        let Some(unit) = self.units.get(position).filter(|_| self.front.is_attached(position)) else { return };
        let modem = unit.usb_path.clone();
        if let Err(error) = self.front.detach(position) {
            tracing::error!(%error, modem, "failed to hide the modem");
        }
        self.publish(Event::Unplugged { modem });
    }

    fn detach_all(&mut self) {
        for position in 0..self.units.len() {
            self.detach(position);
        }
    }

    fn place(&self, position: usize, interface: u8) -> String {
        let usb_path = self.units.get(position).map_or("", |unit| &unit.usb_path);
        let tty = self.front.ttys(position).into_iter().find(|tty| tty.interface == interface);
        format!("{usb_path} if{interface} {}", tty.map_or_else(|| "-".to_owned(), |tty| tty.name))
    }

    fn status(&self) -> Vec<ModemStatus> {
        let units = self.units.iter().enumerate();
        units
            .map(|(position, unit)| ModemStatus {
                is_plugged: self.front.is_attached(position),
                ttys: self.front.ttys(position),
                usb: self.front.usb(position),
                ..unit.status()
            })
            .collect()
    }
}

impl Unit {
    fn new(config: ModemConfig, now: Instant) -> Self {
        Self {
            usb_path: config.usb_path,
            serial: config.serial,
            modem: SimModem::new(config.personality, config.profile, now),
        }
    }

    fn number(&self) -> Option<String> {
        self.modem.profile().sim.as_ref().map(|sim| sim.number.clone())
    }

    /// Returns what the modem itself knows; the front knows the rest.
    fn status(&self) -> ModemStatus {
        let storage = self.modem.storage().into_iter();
        ModemStatus {
            usb_path: self.usb_path.clone(),
            personality: self.modem.personality().name.to_owned(),
            is_plugged: false,
            ttys: Vec::new(),
            usb: None,
            imei: self.modem.profile().imei.clone(),
            number: self.number(),
            registration: self.modem.registration(),
            calls: self.modem.calls(),
            storage: storage.map(|(name, used, total)| (name.to_owned(), used, total)).collect(),
            waiting_messages: self.modem.waiting_messages(),
        }
    }
}

fn answer<T>(reply: Reply<T>, value: T) {
    if reply.send(value).is_err() {
        tracing::debug!("whoever asked is gone");
    }
}

/// Joins neighbouring writes to one interface.
fn joined(outputs: Vec<Output>) -> Vec<Output> {
    let mut joined: Vec<Output> = Vec::new();
    for output in outputs {
        match (joined.last_mut(), output) {
            (Some(Output::Write { interface: before, bytes: known }), Output::Write { interface, bytes })
                if *before == interface && known.len() < 1024 =>
            {
                known.extend(bytes);
            }
            (_, output) => joined.push(output),
        }
    }
    joined
}

/// A national number is the international one of the same network with `0` for the country code.
fn is_same(own: &str, dialled: &str) -> bool {
    own == dialled || dialled.strip_prefix('0').is_some_and(|rest| own.strip_prefix("+33") == Some(rest))
}
