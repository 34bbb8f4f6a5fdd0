//! A modem machine and a simulated modem, joined in memory in virtual time.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use modem::{CallEvent, Command, Event, Modem, ModemConfig, Output, SimState, UssdReply};
use modem_sim::core::{self as sim, Control, Personality, Profile, SimModem, SimProfile};

/// Where both families answer to AT.
const AT_INTERFACE: u8 = 2;

/// Steps that the pair took at one moment; they come to an end, or the two talk without end.
#[derive(Default)]
struct Steps {
    at: Option<Instant>,
    taken: u32,
}

impl Steps {
    const BOUND: u32 = 10_000;

    fn take_one(&mut self, now: Instant) {
        self.taken = if self.at == Some(now) { self.taken + 1 } else { 0 };
        self.at = Some(now);
        assert!(self.taken < Self::BOUND, "time stands still: they talk without end");
    }
}

/// The pair.
pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) modem: Modem,
    pub(crate) sim: SimModem,
    /// What the machine said since the transcript was last taken.
    pub(crate) events: Vec<Event>,
    /// Places in `events` at which the ports came back as others and a new machine began.
    pub(crate) began_again: Vec<usize>,
    /// Every command line that the machine ever wrote.
    pub(crate) written: String,
    /// What came from the port that carries the sound.
    pub(crate) sound: Vec<u8>,
    /// Short messages that the network took.
    pub(crate) submitted: usize,
    config: ModemConfig,
    /// The interface of the modem on which the machine works.
    interface: u8,
    /// Nothing that the simulated modem writes reaches the machine.
    is_deaf: bool,
    /// Nobody drives the machine.
    is_abandoned: bool,
    /// Size of the chunks in which bytes travel to the machine; 0 is as they come.
    pub(crate) chunk: usize,
}

impl Pair {
    /// Plugs a modem with a SIM in.
    pub(crate) fn plug(personality: &str) -> Self {
        Self::plug_with(personality, Some(SimProfile::default()))
    }

    /// Plugs a modem in and brings it to `Ready`.
    pub(crate) fn ready(personality: &str) -> Self {
        let mut pair = Self::plug(personality);
        pair.run_until(Duration::from_secs(40), |event| *event == Event::Ready);
        pair.run(Duration::from_secs(3));
        pair.events.clear();
        pair
    }

    pub(crate) fn plug_with(personality: &str, card: Option<SimProfile>) -> Self {
        Self::plug_timed(personality, card, sim::Timings::default())
    }

    /// Plugs a modem in that says nothing for a while.
    pub(crate) fn plug_slowly(personality: &str, boot_silence: Duration) -> Self {
        let timings = sim::Timings { boot_silence, ..sim::Timings::default() };
        Self::plug_timed(personality, Some(SimProfile::default()), timings)
    }

    /// Brings a modem to `Ready` on the port after its AT port.
    pub(crate) fn ready_on_spare_port(personality: &str) -> Self {
        let mut pair = Self::plug(personality);
        pair.interface = AT_INTERFACE + 1;
        pair.config.is_spare_port = true;
        pair.begin_again();
        pair.run_until(Duration::from_secs(40), |event| *event == Event::Ready);
        pair.events.clear();
        pair
    }

    fn plug_timed(personality: &str, card: Option<SimProfile>, timings: sim::Timings) -> Self {
        let now = Instant::now();
        let profile =
            Profile { imei: "490154203237518".to_owned(), sim: card, timings, started_unix_seconds: 1_700_000_000 };
        let sim = SimModem::new(Personality::named(personality).expect("a known personality"), profile, now);
        let config = ModemConfig { has_audio: true, ..ModemConfig::default() };
        let modem = Modem::new(config, now);
        let mut pair = Self {
            now,
            modem,
            sim,
            events: vec![],
            began_again: vec![],
            written: String::new(),
            sound: vec![],
            submitted: 0,
            config,
            interface: AT_INTERFACE,
            chunk: 0,
            is_deaf: false,
            is_abandoned: false,
        };
        pair.exchange();
        pair
    }

    /// Lets the network or the tester act.
    pub(crate) fn control(&mut self, control: Control) {
        self.sim.control(control, self.now).expect("the simulator can do it");
        self.exchange();
    }

    /// Like `control`, when it may be impossible.
    pub(crate) fn try_control(&mut self, control: Control) {
        if self.sim.control(control, self.now).is_ok() {
            self.exchange();
        }
    }

    pub(crate) fn submit(&mut self, command: Command) {
        self.modem.submit(command, self.now);
        self.exchange();
    }

    /// Another program writes on the AT port.
    pub(crate) fn scribble(&mut self, text: &str) {
        self.sim.handle_bytes(AT_INTERFACE, text.as_bytes(), self.now);
        self.exchange();
    }

    /// Connects the machine to a port on which nothing is ever heard.
    pub(crate) fn deafen(&mut self) {
        self.is_deaf = true;
    }

    /// The program that drives the machine ends; the modem goes on and is not heard.
    pub(crate) fn abandon_machine(&mut self) {
        self.is_abandoned = true;
    }

    /// The program starts again with a new machine on the same port.
    pub(crate) fn begin_again(&mut self) {
        self.is_abandoned = false;
        self.modem = Modem::new(self.config, self.now);
        self.exchange();
    }

    /// Lets virtual time pass.
    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut steps = Steps::default();
        while let Some(next) = self.next_timeout().filter(|next| *next <= end) {
            steps.take_one(self.now);
            self.advance_to(next);
        }
        self.now = end;
    }

    /// Lets virtual time pass until something is said; fails when it never is.
    pub(crate) fn run_until(&mut self, patience: Duration, is_wanted: impl Fn(&Event) -> bool) {
        let end = self.now + patience;
        let mut seen = 0;
        loop {
            if self.events.get(seen..).unwrap_or_default().iter().any(&is_wanted) {
                return;
            }
            seen = self.events.len();
            let next = self.next_timeout().filter(|next| *next <= end);
            let next =
                next.unwrap_or_else(|| panic!("not said in time; said: {}\n{}", self.transcript(), self.written));
            self.advance_to(next);
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        let machine = self.modem.poll_timeout().filter(|_| !self.is_abandoned);
        machine.into_iter().chain(self.sim.poll_timeout()).min()
    }

    fn advance_to(&mut self, at: Instant) {
        self.now = self.now.max(at);
        if self.sim.poll_timeout().is_some_and(|at| at <= self.now) {
            self.sim.handle_timeout(self.now);
        }
        self.exchange();
        if !self.is_abandoned && self.modem.poll_timeout().is_some_and(|at| at <= self.now) {
            self.modem.handle_timeout(self.now);
        }
        self.exchange();
    }

    fn exchange(&mut self) {
        let mut steps = Steps::default();
        loop {
            steps.take_one(self.now);
            let mut is_quiet = true;
            while let Some(output) = self.modem.poll_output().filter(|_| !self.is_abandoned) {
                is_quiet = false;
                match output {
                    Output::Write(bytes) => {
                        let text = String::from_utf8_lossy(&bytes).replace('\r', "\n");
                        self.written.push_str(&text);
                        self.sim.handle_bytes(self.interface, &bytes, self.now);
                    }
                    Output::Event(event) => self.events.push(event),
                }
            }
            while let Some(output) = self.sim.poll_output() {
                is_quiet = false;
                self.on_sim_output(&output);
            }
            if is_quiet {
                return;
            }
        }
    }

    fn on_sim_output(&mut self, output: &sim::Output) {
        match output {
            sim::Output::Write { interface, bytes }
                if *interface == self.interface && !self.is_deaf && !self.is_abandoned =>
            {
                let size = if self.chunk == 0 { bytes.len().max(1) } else { self.chunk };
                for chunk in bytes.chunks(size) {
                    self.modem.handle_bytes(chunk, self.now);
                }
            }
            sim::Output::Write { interface, bytes } if *interface == self.sim.personality().pcm_interface => {
                self.sound.extend(bytes);
            }
            // The ports come back as others, so that the supervisor starts a new machine.
            sim::Output::Replug => {
                let config = ModemConfig { recovery: self.modem.recovery_record(), ..self.config };
                self.modem = Modem::new(config, self.now);
                self.began_again.push(self.events.len());
            }
            sim::Output::Submitted(_) => self.submitted += 1,
            _ => {}
        }
    }

    /// What was said since the last call, without the facts that come every ten seconds.
    pub(crate) fn take_transcript(&mut self) -> String {
        let transcript = self.transcript();
        self.events.clear();
        transcript
    }

    fn transcript(&self) -> String {
        let mut text = String::new();
        for event in &self.events {
            if !matches!(
                event,
                Event::Alive | Event::Signal(_) | Event::Registration { .. } | Event::Ims(_) | Event::Operator(_)
            ) {
                writeln!(text, "{}", in_words(event)).expect("a String takes everything");
            }
        }
        text
    }
}

fn in_words(event: &Event) -> String {
    match event {
        Event::Identified(identity) => format!("identified {} {}", identity.manufacturer, identity.model),
        Event::Sim(SimState::PinNeeded { iccid, attempts_left }) => {
            format!("PIN needed, ICCID known: {}, left: {attempts_left:?}", iccid.is_some())
        }
        Event::Sim(SimState::PukNeeded { iccid, attempts_left }) => {
            format!("PUK needed, ICCID known: {}, left: {attempts_left:?}", iccid.is_some())
        }
        Event::Sim(state) => format!("SIM {state:?}"),
        Event::SimIdentified(identity) => format!("SIM {} number known: {}", identity.iccid, identity.number.is_some()),
        Event::Ready => "ready".to_owned(),
        Event::SmsStored(part) => format!("stored {:?} {}", part.slot.memory, part.slot.index),
        Event::SmsDirect { pdu } => format!("direct, {} octets", pdu.len()),
        Event::Swept(parts) => {
            let slots: Vec<_> = parts.iter().map(|part| (part.slot.memory, part.slot.index)).collect();
            format!("swept {slots:?}")
        }
        Event::SlotCleared(slot) => format!("cleared {:?} {}", slot.memory, slot.index),
        Event::SmsSent { token, reference } => format!("sent {} as {reference}", token.0),
        Event::SmsFailed { token, error } => format!("failed {}: {error}", token.0),
        Event::Ussd(UssdReply::Done(text)) => format!("USSD done: {text}"),
        Event::Ussd(UssdReply::ReplyWanted(text)) => format!("USSD asks: {text:?}"),
        Event::Call(CallEvent::Incoming { number }) => {
            format!("incoming {}", number.as_ref().map_or("withheld", |number| number.as_str()))
        }
        Event::Call(CallEvent::Waiting { number }) => {
            format!("waiting {}", number.as_ref().map_or("withheld", |number| number.as_str()))
        }
        Event::Call(event) => format!("call {event:?}"),
        Event::Recovery { step, reason } => format!("recovery {step:?}: {reason}"),
        Event::Failed(failure) => format!("failed: {failure}"),
        other => format!("{other:?}"),
    }
}
