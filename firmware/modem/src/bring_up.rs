//! From a port that may not even answer to a line that works.

use std::time::{Duration, Instant};

use at::{Answer, Request};
use telecom::{Iccid, Imsi};

use crate::answer;
use crate::command::StorageMemory;
use crate::error_meaning::cme_error_meaning;
use crate::event::{Event, Failure, Identity, SimIdentity, SimState};
use crate::family::Family;
use crate::port::{self, Outcome, Port};
use crate::set_up::{Need, Setting, announcements, settings};

/// How long to wait before a step that is not possible yet is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often a SIM that is busy, or a setting that is refused while the modem starts, is tried again.
const RETRIES: u8 = 15;
/// How often a slot without a SIM is looked at; the modem usually tells by itself.
const SIM_RECHECK: Duration = Duration::from_secs(10);
/// Commands without an answer that are tried again before the ladder is climbed.
const SILENCES: u8 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    EchoOff,
    NumericErrors,
    Manufacturer,
    Model,
    Revision,
    Imei,
    SimState,
    Iccid {
        choice: usize,
    },
    /// For the event that says that a PIN or PUK is needed.
    Counters,
    /// Read again before anything is entered.
    CountersBeforeEntry,
    Entry,
    CountersAfterEntry,
    Imsi,
    Number,
    Setting {
        index: usize,
        choice: usize,
    },
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Asking,
    Pausing {
        step: Step,
        until: Instant,
    },
    /// The owner must enter a PIN or PUK.
    AwaitingOwner,
    /// Nothing is left to ask.
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    Pin,
    Puk,
}

/// What the owner wants to be entered.
struct Entry {
    command: String,
    is_last_allowed: bool,
    lock: Lock,
}

/// What a step led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The next step was asked, or is waited for.
    Going,
    /// Everything is set up; the memories are to be swept.
    SetUp,
    /// The ladder must be climbed.
    Trouble(Failure),
}

/// Facts that the set-up found out for other parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) is_ucs2: bool,
    pub(crate) memory: Option<StorageMemory>,
}

/// The bring-up of one modem.
pub(crate) struct BringUp {
    phase: Phase,
    has_audio_port: bool,
    is_spare_port: bool,
    manufacturer: String,
    model: String,
    revision: String,
    iccid: Option<Iccid>,
    imsi: Option<Imsi>,
    lock: Option<Lock>,
    entry: Option<Entry>,
    /// Whether a PIN was entered although the modem did not tell how many attempts are left.
    has_entered_blindly: bool,
    last_sim: Option<SimState>,
    settings: Vec<Setting>,
    retries: u8,
    silences: u8,
    /// Whether reports that the modem stores are believed to be found.
    pub(crate) may_store_reports: bool,
    pub(crate) found: Found,
}

impl BringUp {
    pub(crate) fn new(has_audio_port: bool, is_spare_port: bool) -> Self {
        Self {
            phase: Phase::Asking,
            has_audio_port,
            is_spare_port,
            manufacturer: String::new(),
            model: String::new(),
            revision: String::new(),
            iccid: None,
            imsi: None,
            lock: None,
            entry: None,
            has_entered_blindly: false,
            last_sim: None,
            settings: Vec::new(),
            retries: 0,
            silences: 0,
            may_store_reports: true,
            found: Found::default(),
        }
    }

    /// Starts from the beginning. What was said about the SIM is remembered, so that it is not said twice.
    pub(crate) fn start(&mut self, port: &mut Port, now: Instant) {
        (self.retries, self.silences) = (0, 0);
        (self.lock, self.entry, self.iccid, self.imsi) = (None, None, None, None);
        self.found = Found::default();
        self.ask(port, Step::EchoOff, now);
    }

    /// Starts from the SIM, which came or went.
    pub(crate) fn start_from_sim(&mut self, port: &mut Port, now: Instant) {
        (self.retries, self.silences) = (0, 0);
        (self.lock, self.entry, self.iccid, self.imsi) = (None, None, None, None);
        self.ask(port, Step::SimState, now);
    }

    /// The modem said something about its SIM: what waits for the SIM looks at once.
    pub(crate) fn on_sim_news(&mut self, port: &mut Port, now: Instant) {
        if let Phase::Pausing { step: step @ Step::SimState, .. } = self.phase {
            self.ask(port, step, now);
        }
    }

    pub(crate) fn enter_pin(&mut self, port: &mut Port, pin: &str, is_last_allowed: bool, now: Instant) {
        let command = format!("AT+CPIN=\"{pin}\"");
        let entry = Entry { command, is_last_allowed, lock: Lock::Pin };
        self.enter(port, entry, is_code(pin, 4), now);
    }

    pub(crate) fn enter_puk(&mut self, port: &mut Port, puk: &str, new_pin: &str, now: Instant) {
        let command = format!("AT+CPIN=\"{puk}\",\"{new_pin}\"");
        let entry = Entry { command, is_last_allowed: true, lock: Lock::Puk };
        self.enter(port, entry, is_code(puk, 8) && is_code(new_pin, 4), now);
    }

    fn enter(&mut self, port: &mut Port, entry: Entry, is_well_formed: bool, now: Instant) {
        if self.phase != Phase::AwaitingOwner {
            return;
        }
        if !is_well_formed || self.lock != Some(entry.lock) {
            // Whatever was typed, it is not what the SIM asks for; asking again answers it and costs no attempt.
            self.last_sim = None;
            return self.ask(port, Step::Counters, now);
        }
        self.entry = Some(entry);
        self.ask(port, Step::CountersBeforeEntry, now);
    }

    pub(crate) fn handle_timeout(&mut self, port: &mut Port, now: Instant) {
        if let Phase::Pausing { step, until } = self.phase
            && until <= now
        {
            self.ask(port, step, now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Pausing { until, .. } => Some(until),
            Phase::Asking | Phase::AwaitingOwner | Phase::Done => None,
        }
    }

    pub(crate) fn handle_outcome(&mut self, port: &mut Port, step: Step, outcome: &Outcome, now: Instant) -> Progress {
        if outcome.is_silence() {
            return self.on_silence(port, step, now);
        }
        match step {
            Step::EchoOff => self.ask(port, Step::NumericErrors, now),
            Step::NumericErrors => self.ask(port, Step::Manufacturer, now),
            Step::Manufacturer => {
                self.manufacturer = first_line(outcome, "+CGMI:");
                self.ask(port, Step::Model, now);
            }
            Step::Model => {
                self.model = first_line(outcome, "+CGMM:");
                self.ask(port, Step::Revision, now);
            }
            Step::Revision => {
                self.revision = first_line(outcome, "+CGMR:");
                self.ask(port, Step::Imei, now);
            }
            Step::Imei => return self.on_imei(port, outcome, now),
            Step::SimState => self.on_sim_state(port, outcome, now),
            Step::Iccid { choice } => return self.on_iccid(port, choice, outcome, now),
            Step::Counters => self.on_counters(port, outcome),
            Step::CountersBeforeEntry => self.on_counters_before_entry(port, outcome, now),
            Step::Entry => self.on_entered(port, outcome, now),
            Step::CountersAfterEntry => self.on_counters_after_entry(port, outcome),
            Step::Imsi => return self.on_imsi(port, outcome, now),
            Step::Number => self.on_number(port, outcome, now),
            Step::Setting { index, choice } => return self.on_setting(port, index, choice, outcome, now),
        }
        Progress::Going
    }

    fn on_silence(&mut self, port: &mut Port, step: Step, now: Instant) -> Progress {
        self.silences += 1;
        if self.silences > SILENCES {
            return Progress::Trouble(Failure::Silent);
        }
        // A PIN of which the fate is unknown is never entered again: the SIM is asked what it thinks.
        let again = if step == Step::Entry { Step::SimState } else { step };
        self.ask(port, again, now);
        Progress::Going
    }

    fn on_imei(&mut self, port: &mut Port, outcome: &Outcome, now: Instant) -> Progress {
        let lines = outcome.ok_lines().unwrap_or_default();
        let imei = lines.iter().find_map(|line| line.rsplit(':').next()?.trim().trim_matches('"').parse().ok());
        let Some(imei) = imei else { return self.retry_or_fail(Step::Imei, "AT+CGSN", outcome, now) };
        port.family = Family::from_identity(&self.manufacturer, &self.model);
        port.emit(Event::Identified(Identity {
            manufacturer: self.manufacturer.clone(),
            model: self.model.clone(),
            revision: self.revision.clone(),
            imei,
        }));
        self.go_on(port, Step::SimState, now);
        Progress::Going
    }

    fn on_sim_state(&mut self, port: &mut Port, outcome: &Outcome, now: Instant) {
        let state = outcome.ok_lines().and_then(|lines| lines.iter().rev().find_map(|line| at::value(line, "+CPIN:")));
        match (state, outcome.cme_error()) {
            (Some("READY"), _) => {
                self.lock = None;
                self.report_sim(port, SimState::Ready);
                self.go_on(port, Step::Iccid { choice: 0 }, now);
            }
            (Some("SIM PIN"), _) | (None, Some(11)) => self.on_locked(port, Lock::Pin, now),
            (Some("SIM PUK"), _) | (None, Some(12)) => self.on_locked(port, Lock::Puk, now),
            (None, Some(10)) => self.on_no_sim(port, SimState::Absent, now),
            (Some("NOT INSERTED"), _) => self.on_no_sim(port, SimState::Absent, now),
            // An end without its line belongs to another command: the port is out of step.
            (None, None) if outcome.is_ok() && self.retries < RETRIES => {
                self.retries += 1;
                port.resynchronise(now);
                self.pause(Step::SimState, RETRY, now);
            }
            // Just after power-on the SIM is busy, not ready or failed for some seconds.
            _ if self.retries < RETRIES => {
                self.retries += 1;
                self.pause(Step::SimState, RETRY, now);
            }
            (Some(state), _) => self.on_no_sim(port, SimState::Faulty(format!("the SIM asks for {state}")), now),
            (None, Some(code)) => {
                let words = format!("{} (CME {code})", cme_error_meaning(code));
                self.on_no_sim(port, SimState::Faulty(words), now);
            }
            (None, None) => self.on_no_sim(port, SimState::Faulty(outcome.in_words()), now),
        }
    }

    fn on_locked(&mut self, port: &mut Port, lock: Lock, now: Instant) {
        self.lock = Some(lock);
        self.go_on(port, Step::Iccid { choice: 0 }, now);
    }

    fn on_no_sim(&mut self, port: &mut Port, state: SimState, now: Instant) {
        self.report_sim(port, state);
        self.pause(Step::SimState, SIM_RECHECK, now);
    }

    fn on_iccid(&mut self, port: &mut Port, choice: usize, outcome: &Outcome, now: Instant) -> Progress {
        self.iccid = outcome.ok_lines().and_then(answer::iccid);
        let choices = iccid_commands(port.family);
        match (&self.iccid, self.lock) {
            (None, _) if choice + 1 < choices.len() => self.ask(port, Step::Iccid { choice: choice + 1 }, now),
            (_, Some(_)) => self.go_on(port, Step::Counters, now),
            (Some(_), None) => self.go_on(port, Step::Imsi, now),
            (None, None) => return self.retry_or_fail(Step::Iccid { choice: 0 }, "AT+CCID", outcome, now),
        }
        Progress::Going
    }

    fn on_counters(&mut self, port: &mut Port, outcome: &Outcome) {
        let counters = outcome.ok_lines().and_then(answer::sim_counters);
        let iccid = self.iccid.clone();
        let state = match self.lock {
            Some(Lock::Puk) => SimState::PukNeeded { iccid, attempts_left: counters.map(|counters| counters.puk) },
            Some(Lock::Pin) | None => {
                SimState::PinNeeded { iccid, attempts_left: counters.map(|counters| counters.pin) }
            }
        };
        self.phase = Phase::AwaitingOwner;
        self.report_sim(port, state);
    }

    fn on_counters_before_entry(&mut self, port: &mut Port, outcome: &Outcome, now: Instant) {
        let counters = outcome.ok_lines().and_then(answer::sim_counters);
        let Some(entry) = &self.entry else { return self.ask(port, Step::SimState, now) };
        let is_safe = match counters {
            Some(counters) => counters.pin > 1,
            None => !self.has_entered_blindly,
        };
        if entry.lock == Lock::Pin && !is_safe && !entry.is_last_allowed {
            self.entry = None;
            self.last_sim = None;
            return self.on_counters(port, outcome);
        }
        self.has_entered_blindly |= counters.is_none();
        self.ask(port, Step::Entry, now);
    }

    fn on_entered(&mut self, port: &mut Port, outcome: &Outcome, now: Instant) {
        self.entry = None;
        if outcome.is_ok() {
            self.retries = 0;
            return self.pause(Step::SimState, Duration::from_millis(500), now);
        }
        match outcome.cme_error() {
            // Anything but "incorrect password" says nothing about the PIN.
            Some(16) | None => self.ask(port, Step::CountersAfterEntry, now),
            Some(_) => self.ask(port, Step::SimState, now),
        }
    }

    fn on_counters_after_entry(&mut self, port: &mut Port, outcome: &Outcome) {
        let counters = outcome.ok_lines().and_then(answer::sim_counters);
        if self.lock == Some(Lock::Puk) || counters.is_some_and(|counters| counters.pin == 0) {
            self.lock = Some(Lock::Puk);
            self.last_sim = None;
            return self.on_counters(port, outcome);
        }
        self.phase = Phase::AwaitingOwner;
        self.last_sim = None;
        self.report_sim(port, SimState::PinWrong { attempts_left: counters.map(|counters| counters.pin) });
    }

    fn on_imsi(&mut self, port: &mut Port, outcome: &Outcome, now: Instant) -> Progress {
        let lines = outcome.ok_lines().unwrap_or_default();
        self.imsi = lines.iter().find_map(|line| line.rsplit(':').next()?.trim().parse().ok());
        if self.imsi.is_none() {
            return self.retry_or_fail(Step::Imsi, "AT+CIMI", outcome, now);
        }
        self.go_on(port, Step::Number, now);
        Progress::Going
    }

    fn on_number(&mut self, port: &mut Port, outcome: &Outcome, now: Instant) {
        let number = outcome.ok_lines().and_then(answer::own_number);
        if let (Some(iccid), Some(imsi)) = (self.iccid.clone(), self.imsi.clone()) {
            port.emit(Event::SimIdentified(SimIdentity { iccid, imsi, number }));
        }
        self.settings = settings(port.family, self.has_audio_port, self.is_spare_port);
        port.has_voice = false;
        self.go_on(port, Step::Setting { index: 0, choice: 0 }, now);
    }

    fn on_setting(
        &mut self,
        port: &mut Port,
        index: usize,
        choice: usize,
        outcome: &Outcome,
        now: Instant,
    ) -> Progress {
        let Some(setting) = self.settings.get(index).copied() else { return self.finish() };
        if setting.need == Need::ReportMemory {
            self.settings.push(announcements(self.may_store_reports && outcome.is_ok()));
        } else if outcome.is_ok() {
            match setting.need {
                Need::Voice => port.has_voice = true,
                Need::Ucs2 => self.found.is_ucs2 = true,
                Need::Memory(memories) => self.found.memory = memories.get(choice).copied(),
                Need::Required | Need::Optional | Need::ReportMemory => {}
            }
        } else if choice + 1 < setting.choices.len() {
            self.ask(port, Step::Setting { index, choice: choice + 1 }, now);
            return Progress::Going;
        } else if matches!(setting.need, Need::Required | Need::Memory(_)) {
            let command = setting.choices.first().copied().unwrap_or_default();
            return self.retry_or_fail(Step::Setting { index, choice: 0 }, command, outcome, now);
        }
        if index + 1 >= self.settings.len() {
            return self.finish();
        }
        self.go_on(port, Step::Setting { index: index + 1, choice: 0 }, now);
        Progress::Going
    }

    fn finish(&mut self) -> Progress {
        self.phase = Phase::Done;
        Progress::SetUp
    }

    fn retry_or_fail(&mut self, step: Step, command: &str, outcome: &Outcome, now: Instant) -> Progress {
        if self.retries < RETRIES {
            self.retries += 1;
            self.pause(step, RETRY, now);
            return Progress::Going;
        }
        Progress::Trouble(Failure::Refused { command: command.to_owned(), answer: outcome.in_words() })
    }

    fn report_sim(&mut self, port: &mut Port, state: SimState) {
        if self.last_sim.as_ref() != Some(&state) {
            self.last_sim = Some(state.clone());
            port.emit(Event::Sim(state));
        }
    }

    fn pause(&mut self, step: Step, delay: Duration, now: Instant) {
        self.phase = Phase::Pausing { step, until: now + delay };
    }

    /// Asks the next step; the one before worked.
    fn go_on(&mut self, port: &mut Port, step: Step, now: Instant) {
        (self.retries, self.silences) = (0, 0);
        self.ask(port, step, now);
    }

    fn ask(&mut self, port: &mut Port, step: Step, now: Instant) {
        self.phase = Phase::Asking;
        let name = port::Step::BringUp(step);
        let any = |text: &str| Request::new(name.clone(), text).answer_of(Answer::AnyLine);
        let request = match step {
            // Another program may have asked for numbers in place of words, or for no results at all.
            Step::EchoOff => any("ATE0Q0V1"),
            Step::NumericErrors => any("AT+CMEE=1"),
            Step::Manufacturer => any("AT+CGMI"),
            Step::Model => any("AT+CGMM"),
            Step::Revision => any("AT+CGMR"),
            Step::Imei => any("AT+CGSN"),
            Step::SimState => any("AT+CPIN?").answer_of(Answer::Prefixed(vec!["+CPIN:"])),
            Step::Iccid { choice } => any(iccid_commands(port.family).get(choice).copied().unwrap_or("AT+CCID")),
            Step::Counters | Step::CountersBeforeEntry | Step::CountersAfterEntry => any(counter_command(port.family)),
            Step::Entry => any(self.entry.as_ref().map_or("AT+CPIN?", |entry| entry.command.as_str())),
            Step::Imsi => any("AT+CIMI"),
            Step::Number => any("AT+CNUM"),
            Step::Setting { index, choice } => {
                let setting = self.settings.get(index).and_then(|setting| setting.choices.get(choice));
                any(setting.copied().unwrap_or("AT"))
            }
        };
        port.ask(request.timeout(patience(step)), now);
    }
}

/// The SIM takes seconds for some steps; the modem answers all others at once.
fn patience(step: Step) -> Duration {
    match step {
        Step::EchoOff | Step::NumericErrors => Duration::from_secs(2),
        Step::Entry | Step::Number | Step::Setting { .. } => Duration::from_secs(10),
        _ => Duration::from_secs(5),
    }
}

fn iccid_commands(family: Family) -> &'static [&'static str] {
    match family {
        Family::Quectel => &["AT+QCCID", "AT+CCID"],
        Family::Simcom => &["AT+CICCID", "AT+CCID"],
        Family::Standard => &["AT+CCID", "AT+ICCID", "AT^ICCID?"],
    }
}

fn counter_command(family: Family) -> &'static str {
    match family {
        Family::Quectel | Family::Standard => "AT+QPINC?",
        Family::Simcom => "AT+SPIC",
    }
}

fn is_code(text: &str, shortest: usize) -> bool {
    (shortest..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The first line of an answer, without the prefix that some firmware adds.
fn first_line(outcome: &Outcome, prefix: &str) -> String {
    let line = outcome.ok_lines().and_then(|lines| lines.first()).map_or("", String::as_str);
    line.strip_prefix(prefix).unwrap_or(line).trim().to_owned()
}
