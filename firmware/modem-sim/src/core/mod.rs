//! The pure core: bytes and time in, one ordered stream of outputs out.

mod calls;
mod calls_commands;
mod execute;
pub mod fault;
mod general;
mod output;
pub mod parser;
mod pcm;
mod personality;
mod port;
mod profile;
mod radio;
mod settings;
mod sim;
mod sms;
mod sms_commands;
mod submit;
mod timers;
pub mod ussd;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

pub use output::{CallPlan, CallReport, CallState, Control, ControlError, FarAudio, Outcome, Output, Submitted};
pub use pcm::Recording;
pub use personality::{Family, Interface, Personality, Quirks, Role};
pub use profile::{Profile, SimProfile, Timings};
pub use radio::Registration;

use fault::{Fault, FaultPlan};
use parser::Form;
use port::Port;
use timers::{Timer, Timers};

/// A simulated modem with its SIM and its piece of network.
///
/// Drive it as every machine of this workspace: mutate, drain [`SimModem::poll_output`], arm
/// [`SimModem::poll_timeout`], wait for one input.
pub struct SimModem {
    personality: Personality,
    profile: Profile,
    started: Instant,
    /// Time of the input being handled.
    handled_at: Instant,
    power: Power,
    ports: BTreeMap<u8, Port>,
    outputs: VecDeque<Output>,
    timers: Timers,
    settings: settings::Settings,
    faults: FaultPlan,
    card: sim::Card,
    radio: radio::Radio,
    sms: sms::Messages,
    ussd: ussd::Ussd,
    calls: calls::Calls,
    pcm: pcm::Pcm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    /// Not on the bus.
    Absent,
    /// Ports exist and say nothing.
    Starting,
    /// Answers.
    On,
}

/// A command as its handler sees it.
#[derive(Clone, Copy)]
struct Request<'a> {
    port: u8,
    form: &'a Form,
    now: Instant,
}

/// What a handler answers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reply {
    /// Information lines, then the next command of the line, then OK.
    Done(Vec<String>),
    /// An error result; the rest of the line is dropped.
    Failed(Failure),
    /// A final result other than OK and ERROR.
    Final(&'static str),
    /// The result comes later through [`SimModem::complete`].
    Pending,
    /// The host is asked for text.
    Prompt(port::Purpose),
    /// No answer at all.
    Mute,
}

/// An error result (TS 27.007 §9, TS 27.005 §3.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Plain,
    Cme(u16),
    Cms(u16),
}

type Handler = fn(&mut SimModem, Request<'_>) -> Reply;

/// A row of a command table; `None` means every family.
type HandlerRow = (&'static str, Option<Family>, Handler);

impl Reply {
    fn ok() -> Self {
        Self::Done(Vec::new())
    }

    fn line(line: impl Into<String>) -> Self {
        Self::Done(vec![line.into()])
    }

    fn cme(code: u16) -> Self {
        Self::Failed(Failure::Cme(code))
    }

    fn cms(code: u16) -> Self {
        Self::Failed(Failure::Cms(code))
    }
}

impl SimModem {
    /// Returns a modem that was plugged in at `now`.
    #[must_use]
    pub fn new(personality: Personality, profile: Profile, now: Instant) -> Self {
        let mut modem = Self {
            settings: settings::Settings::new(personality.family, personality.quirks),
            card: sim::Card::new(profile.sim.clone()),
            sms: sms::Messages::new(profile.sim.as_ref().map_or(0, |sim| sim.slots)),
            personality,
            profile,
            started: now,
            handled_at: now,
            power: Power::Absent,
            ports: BTreeMap::new(),
            outputs: VecDeque::new(),
            timers: Timers::default(),
            faults: FaultPlan::default(),
            radio: radio::Radio::default(),
            ussd: ussd::Ussd::default(),
            calls: calls::Calls::default(),
            pcm: pcm::Pcm::default(),
        };
        modem.power_on(now);
        modem
    }

    /// Takes bytes that the host wrote on the tty of `interface`.
    pub fn handle_bytes(&mut self, interface: u8, bytes: &[u8], now: Instant) {
        self.handled_at = now;
        if interface == self.personality.pcm_interface {
            self.on_samples(bytes, now);
            return;
        }
        if self.power != Power::On {
            return;
        }
        for &byte in bytes {
            self.on_byte(interface, byte, now);
        }
    }

    /// Runs what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.handled_at = now;
        while let Some((at, timer)) = self.timers.pop_due(now) {
            self.on_timer(timer, at);
        }
    }

    /// Pulls the plug.
    pub fn handle_unplugged(&mut self, now: Instant) {
        self.power_off(now);
    }

    /// Puts the plug back; the modem starts again.
    pub fn handle_plugged(&mut self, now: Instant) {
        self.power_off(now);
        self.power_on(now);
    }

    /// Lets network, SIM or tester act.
    pub fn control(&mut self, control: Control, now: Instant) -> Result<(), ControlError> {
        self.handled_at = now;
        match control {
            Control::Sms { from, text, parts_order, class, reference } => {
                let parts = sms::Arrival { from, text, parts_order, class, reference };
                self.on_arrival(&parts, now)?;
            }
            Control::Pdu { pdu } => self.on_pdu_from_network(&pdu, now)?,
            Control::Call { from, give_up_ms } => {
                self.on_call_from_network(from, give_up_ms.map(Duration::from_millis), now)?;
            }
            Control::Answer => self.on_far_answer(now)?,
            Control::Hangup => self.on_far_hangup(now)?,
            Control::Plan(plan) => self.calls.plan(plan),
            Control::Audio { audio } => self.pcm.set_far_audio(audio),
            Control::Dtmf { digits } => self.on_far_digits(&digits, now)?,
            Control::Signal { csq } => self.set_signal(csq),
            Control::Register { stat, eps_stat, access } => {
                let registration = Registration::of(stat, eps_stat, access, self.radio.target);
                self.set_registration(registration, now);
            }
            Control::Ims { registered } => self.radio.has_ims = registered,
            Control::Sim { present } => self.set_sim_present(present, now),
            Control::Pin { pin } => self.card.set_pin(pin),
            Control::Ussd { code, reply } => self.ussd.script(code, reply),
            Control::Fault(Fault::Garbage) => self.write_garbage(),
            Control::Fault(fault) => self.add_fault(fault, now),
            Control::ClearFaults => self.faults.clear(),
            Control::Urc { text } => self.urc(&text),
            Control::Reset => self.restart(Duration::ZERO, now),
        }
        Ok(())
    }

    /// Returns the next output, in the order of events.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`SimModem::handle_timeout`] is wanted.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Returns what it is.
    #[must_use]
    pub fn personality(&self) -> &Personality {
        &self.personality
    }

    /// Returns which unit it is.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Returns whether it is on the bus.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.power != Power::Absent
    }

    /// Returns whether a fault wants every byte in a write of its own.
    #[must_use]
    pub fn splits_writes(&self) -> bool {
        self.faults.has(&Fault::SplitWrites { on: true })
    }

    /// Returns the calls in progress.
    #[must_use]
    pub fn calls(&self) -> Vec<CallReport> {
        self.calls.reports()
    }

    /// Returns what the host said in calls, and how many frames went each way.
    #[must_use]
    pub fn recording(&self) -> &Recording {
        self.pcm.recording()
    }

    /// Forgets what was recorded.
    pub fn clear_recording(&mut self) {
        self.pcm.clear_recording();
    }

    /// Returns the registration as the network sees it.
    #[must_use]
    pub fn registration(&self) -> Registration {
        self.radio.registration
    }

    /// Returns how many messages each memory holds: `("ME", used, total)`.
    #[must_use]
    pub fn storage(&self) -> Vec<(&'static str, usize, usize)> {
        self.sms.usage()
    }

    /// Returns how many messages wait in the network for this modem.
    #[must_use]
    pub fn waiting_messages(&self) -> usize {
        self.sms.waiting()
    }

    fn power_on(&mut self, now: Instant) {
        self.power = Power::Starting;
        self.settings.restore_saved();
        let cmee = self.personality.default_cmee;
        self.ports = self.personality.command_interfaces().map(|number| (number, Port::new(cmee))).collect();
        self.timers.add(now + self.profile.timings.boot_silence, Timer::Answering);
        if self.faults.has(&Fault::GarbageAtBoot) {
            self.write_garbage();
        }
    }

    fn power_off(&mut self, now: Instant) {
        self.power = Power::Absent;
        self.faults.restart();
        self.timers.drop_modem();
        self.ports.clear();
        self.calls_lost(now);
        self.pcm.power_off();
        self.card.power_off();
        self.ussd.power_off();
        self.sms.power_off();
        self.radio.power_off();
    }

    /// Leaves the bus after `delay` and comes back, as a functionality reset does.
    fn restart(&mut self, delay: Duration, now: Instant) {
        self.timers.add(now + delay, Timer::Leave { returns: true });
    }

    fn on_answering(&mut self, now: Instant) {
        self.power = Power::On;
        let lines: &[(u64, &str)] = match self.personality.family {
            Family::Quectel => &[(0, "RDY"), (20, "+CFUN: 1")],
            Family::Simcom => &[(0, "RDY")],
        };
        for (delay_ms, line) in lines {
            self.timers.add(now + Duration::from_millis(*delay_ms), Timer::Urc((*line).to_owned()));
        }
        self.start_sim(now + Duration::from_millis(50));
    }

    fn on_timer(&mut self, timer: Timer, now: Instant) {
        match timer {
            Timer::Answering => self.on_answering(now),
            Timer::Leave { returns } => {
                self.power_off(now);
                self.outputs.push_back(Output::Unplug);
                if returns {
                    self.timers.add(now + self.profile.timings.absent, Timer::Return);
                }
            }
            Timer::Return => {
                self.outputs.push_back(Output::Replug);
                self.power_on(now);
            }
            Timer::Urc(text) => self.urc(&text),
            Timer::SimReady => self.on_sim_ready(now),
            Timer::Register => self.on_register(now),
            Timer::Execute { port, commands } => self.execute(port, commands, now),
            Timer::Prompt { port } => self.show_prompt(port),
            Timer::Flush { port } => self.flush_urcs(port, now),
            Timer::Complete { port, reply } => self.complete(port, reply, now),
            Timer::Submit { port, submit, verb } => self.on_submitted(port, &submit, verb, now),
            Timer::Report { pdu } => self.on_report(pdu, now),
            Timer::AcknowledgeMissing => self.on_acknowledge_missing(now),
            Timer::Ussd { reply } => self.on_ussd_reply(&reply, now),
            Timer::Call { serial, step } => self.on_call_step(serial, step, now),
            Timer::Frame => self.on_frame(now),
            Timer::Flow { is_open } => self.on_flow(is_open, now),
        }
    }

    fn add_fault(&mut self, fault: Fault, now: Instant) {
        self.faults.add(fault);
        self.on_storage_changed(now);
    }

    /// Seconds since 1970 on the clock of the simulator.
    fn unix_seconds(&self, now: Instant) -> u64 {
        self.profile.started_unix_seconds + now.saturating_duration_since(self.started).as_secs()
    }

    fn unix_millis(&self, now: Instant) -> u64 {
        let since = u64::try_from(now.saturating_duration_since(self.started).as_millis()).unwrap_or(0);
        self.profile.started_unix_seconds * 1000 + since
    }
}
