//! The one call that a line carries, and the caller who waits meanwhile.
//!
//! Families report a call in different ways, some in several at once, some wrongly. Reports that name the call by its
//! index are believed; all others (`NO CARRIER`, `VOICE CALL: END`, `BUSY`) only make the machine ask for the list of
//! calls, which decides.

use std::time::{Duration, Instant};

use at::{FinalResult, Priority, Request};
use telecom::{HangUpCause, PhoneNumber};

use crate::answer::{CallRow, Direction, LegState, call_row};
use crate::cause;
use crate::event::{CallEvent, Event};
use crate::family::Family;
use crate::port::{self, Outcome, Port};
use crate::voice::Voice;

/// How often the list of calls is asked for during a call.
const WATCH_PERIOD: Duration = Duration::from_secs(2);
/// How soon after an ambiguous report, so that the list is up to date.
const RECHECK: Duration = Duration::from_millis(500);
/// Lists without the call after which it is gone.
const EMPTY_LISTS: u8 = 2;
/// A call that falls back from LTE reports `NO CARRIER` and lives.
const FALLBACK_GRACE: Duration = Duration::from_secs(10);
/// How often a call that nobody asked for is hung up.
const ORPHAN_ATTEMPTS: u8 = 5;
const DIAL_TIMEOUT: Duration = Duration::from_secs(30);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const HANG_UP_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Dial,
    Answer,
    HangUp,
    HangUpOrphan,
    RefuseWaiting,
    List,
    Cause,
    Dtmf,
    Voice(crate::voice::Step),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It rings here. A number makes it known to the box; without one the second RING does.
    Ringing {
        rings: u8,
        is_announced: bool,
    },
    /// `ATA` is on its way.
    Answering,
    /// `ATD` is on its way or accepted.
    Dialing {
        since: Instant,
        is_accepted: bool,
    },
    Alerting,
    Active,
    /// We hung up.
    HangingUp {
        cause: HangUpCause,
    },
    /// It ended, and the modem is asked why.
    AskingCause {
        otherwise: HangUpCause,
    },
}

#[derive(Debug)]
struct Current {
    index: Option<u8>,
    direction: Direction,
    stage: Stage,
    /// What a report without an index said about the end.
    hint: Option<Hint>,
    empty_lists: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hint {
    NoCarrier,
    Cause(HangUpCause),
}

impl Hint {
    /// Whether a later report may know better.
    fn is_vague(self) -> bool {
        matches!(self, Self::NoCarrier | Self::Cause(HangUpCause::Normal))
    }
}

#[derive(Debug)]
struct Waiting {
    index: Option<u8>,
    number: Option<PhoneNumber>,
}

/// The calls of one line.
#[derive(Debug, Default)]
pub(crate) struct CallLine {
    current: Option<Current>,
    waiting: Option<Waiting>,
    watch_at: Option<Instant>,
    orphan_attempts: u8,
    pub(crate) voice: Voice,
}

impl CallLine {
    /// Whether a call is there, so that nothing may be reset.
    pub(crate) fn is_busy(&self) -> bool {
        self.current.is_some()
    }

    pub(crate) fn dial(&mut self, port: &mut Port, number: &PhoneNumber, now: Instant) {
        // A call that came in at the same moment wins; the box hears of it by its own event.
        if self.current.is_some() {
            return;
        }
        self.current = Some(Current::new(Direction::Outgoing, Stage::Dialing { since: now, is_accepted: false }));
        self.watch_at = Some(now + WATCH_PERIOD);
        let request = urgent(Step::Dial, format!("ATD{};", number.as_str())).call_control().timeout(DIAL_TIMEOUT);
        port.ask(request, now);
    }

    pub(crate) fn answer(&mut self, port: &mut Port, now: Instant) {
        let Some(current) = &mut self.current else { return };
        if matches!(current.stage, Stage::Ringing { is_announced: true, .. }) {
            current.stage = Stage::Answering;
            port.ask(urgent(Step::Answer, "ATA").call_control().timeout(ANSWER_TIMEOUT), now);
        }
    }

    pub(crate) fn hang_up(&mut self, port: &mut Port, cause: HangUpCause, now: Instant) {
        let Some(current) = &mut self.current else { return };
        // An order that crossed with a new call, of which the box does not know yet, is not for that one.
        let is_ending = matches!(current.stage, Stage::HangingUp { .. } | Stage::AskingCause { .. });
        if is_ending || !current.is_announced() {
            return;
        }
        current.stage = Stage::HangingUp { cause };
        // The network is told a cause only where the modem can pass it on.
        let command = match (port.family, cause, current.index) {
            (Family::Quectel, HangUpCause::Busy | HangUpCause::Rejected, Some(index)) => {
                format!("AT+QHUP={},{index}", cause.code())
            }
            _ => "AT+CHUP".to_owned(),
        };
        port.ask(urgent(Step::HangUp, command).timeout(HANG_UP_TIMEOUT), now);
    }

    pub(crate) fn refuse_waiting(&mut self, port: &mut Port, now: Instant) {
        if self.waiting.is_some() {
            port.ask(urgent(Step::RefuseWaiting, "AT+CHLD=0").timeout(HANG_UP_TIMEOUT), now);
        }
    }

    pub(crate) fn dtmf(&mut self, port: &mut Port, digit: char, now: Instant) {
        let is_active = self.current.as_ref().is_some_and(|current| current.stage == Stage::Active);
        if is_active && matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D') {
            let command = match port.family {
                Family::Simcom => format!("AT+VTS={digit}"),
                Family::Quectel | Family::Standard => format!("AT+VTS=\"{digit}\""),
            };
            port.ask(urgent(Step::Dtmf, command), now);
        }
    }

    pub(crate) fn audio_dead(&mut self, port: &mut Port, now: Instant) {
        if self.current.as_ref().is_some_and(|current| current.stage == Stage::Active) {
            self.voice.restart(port, now);
        }
    }

    /// `RING` or `+CRING:`.
    pub(crate) fn on_ring(&mut self, port: &mut Port, now: Instant) {
        match &mut self.current {
            None => {
                let stage = Stage::Ringing { rings: 1, is_announced: false };
                self.current = Some(Current::new(Direction::Incoming, stage));
                self.watch_at = Some(now + WATCH_PERIOD);
            }
            Some(Current { stage: Stage::Ringing { rings, .. }, .. }) => {
                *rings = rings.saturating_add(1);
                if *rings >= 2 {
                    self.announce(port, None);
                }
            }
            Some(_) => {}
        }
    }

    /// `+CLIP:` (TS 27.007 §7.6). An empty number is a withheld one.
    pub(crate) fn on_caller(&mut self, port: &mut Port, number: Option<PhoneNumber>, now: Instant) {
        if self.current.is_none() {
            self.on_ring(port, now);
        }
        self.announce(port, number);
    }

    /// `+CCWA:` (TS 27.007 §7.12).
    pub(crate) fn on_waiting(&mut self, port: &mut Port, index: Option<u8>, number: Option<PhoneNumber>) {
        match &mut self.waiting {
            Some(waiting) => waiting.index = waiting.index.or(index),
            // While the box knows of no call there is nothing to wait for; the next list tells again.
            None if self.current.as_ref().is_some_and(Current::is_known) => {
                self.waiting = Some(Waiting { index, number: number.clone() });
                port.emit(Event::Call(CallEvent::Waiting { number }));
            }
            None => {}
        }
    }

    /// `VOICE CALL: BEGIN`.
    pub(crate) fn on_begin(&mut self, port: &mut Port, now: Instant) {
        let is_expected = self.current.as_ref().is_some_and(|current| match current.stage {
            Stage::Answering | Stage::Dialing { .. } | Stage::Alerting => true,
            Stage::Ringing { .. } | Stage::Active | Stage::HangingUp { .. } | Stage::AskingCause { .. } => false,
        });
        if is_expected {
            self.on_active(port, now);
        }
    }

    /// The modem's buffer for our sound is full, or has room again.
    pub(crate) fn on_flow(&mut self, port: &mut Port, is_open: bool) {
        if self.voice.is_on() {
            port.emit(Event::Call(CallEvent::AudioFlow { is_open }));
        }
    }

    /// `NO CARRIER`, or a named cause such as `BUSY`: some call ended, or not even that.
    pub(crate) fn on_end_report(&mut self, port: &mut Port, cause: Option<HangUpCause>, now: Instant) {
        let Some(current) = &mut self.current else { return };
        if let Stage::AskingCause { .. } = current.stage {
            return match cause {
                // `VOICE CALL: END` says nothing that is not known.
                Some(HangUpCause::Normal) | None => {}
                Some(cause) => self.conclude(port, cause, now),
            };
        }
        let hint = cause.map_or(Hint::NoCarrier, Hint::Cause);
        if current.hint.is_none_or(Hint::is_vague) {
            current.hint = Some(hint);
        }
        self.ask_list(port, now);
    }

    pub(crate) fn on_digit(&mut self, port: &mut Port, digit: Option<char>) {
        let is_active = self.current.as_ref().is_some_and(|current| current.stage == Stage::Active);
        if let Some(digit @ ('0'..='9' | '*' | '#' | 'A'..='D')) = digit
            && is_active
        {
            port.emit(Event::Call(CallEvent::Dtmf(digit)));
        }
    }

    /// A report about a call by its index: `+QIND: "ccinfo"`, `^DSCI:` or an unsolicited `+CLCC:`.
    pub(crate) fn on_row(&mut self, port: &mut Port, row: &CallRow, now: Instant) {
        if self.owns(row) {
            return self.on_own_row(port, row, now);
        }
        let is_waiting_one = self.waiting.as_ref().is_some_and(|waiting| waiting.index == Some(row.index));
        match row.state {
            LegState::Released if is_waiting_one => self.on_waiting_ended(port),
            // Perhaps ours, of which the index is not known yet: the list decides.
            LegState::Released => self.ask_list(port, now),
            LegState::Waiting => self.on_waiting(port, Some(row.index), row.number.clone()),
            LegState::Incoming if self.current.is_some() => self.on_waiting(port, Some(row.index), row.number.clone()),
            LegState::Incoming => self.adopt_incoming(port, row, now),
            LegState::Active | LegState::Held | LegState::Dialing | LegState::Alerting => {
                if self.current.is_none() {
                    self.hang_up_orphan(port, now);
                }
            }
        }
    }

    pub(crate) fn handle_outcome(&mut self, port: &mut Port, step: Step, outcome: &Outcome, now: Instant) {
        match step {
            Step::Dial => self.on_dialed(port, outcome, now),
            Step::Answer => self.on_answered(port, outcome, now),
            Step::HangUp => self.on_hung_up(port, outcome, now),
            Step::RefuseWaiting if outcome.is_ok() => self.on_waiting_ended(port),
            Step::List => self.on_list(port, outcome, now),
            Step::Cause => self.on_cause(port, outcome, now),
            Step::Voice(step) => self.voice.handle_outcome(port, step, outcome, now),
            Step::HangUpOrphan | Step::RefuseWaiting => self.watch_by(now + RECHECK),
            Step::Dtmf => {}
        }
    }

    pub(crate) fn handle_timeout(&mut self, port: &mut Port, now: Instant) {
        if self.watch_at.is_some_and(|at| at <= now) {
            self.watch_at = if self.current.is_some() { Some(now + WATCH_PERIOD) } else { None };
            self.ask_list(port, now);
        }
        self.voice.handle_timeout(port, now);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.watch_at.into_iter().chain(self.voice.poll_timeout()).min()
    }

    /// The modem lost everything, or cannot be reached any more.
    pub(crate) fn on_reset(&mut self, port: &mut Port) {
        self.voice.on_reset();
        self.on_waiting_ended(port);
        if let Some(current) = self.current.take()
            && current.is_announced()
        {
            port.emit(Event::Call(CallEvent::Ended { cause: HangUpCause::OutOfOrder }));
        }
        self.watch_at = None;
        self.orphan_attempts = 0;
    }

    /// Asks which calls there are: calls that an earlier life of the box left behind are hung up.
    pub(crate) fn ask_list(&mut self, port: &mut Port, now: Instant) {
        port.ask(urgent(Step::List, "AT+CLCC").prefix("+CLCC:"), now);
    }

    fn owns(&self, row: &CallRow) -> bool {
        let Some(current) = &self.current else { return false };
        match current.index {
            Some(index) => index == row.index,
            None => current.direction == row.direction && current.may_adopt(row.state),
        }
    }

    fn on_own_row(&mut self, port: &mut Port, row: &CallRow, now: Instant) {
        let Some(current) = &mut self.current else { return };
        current.index = Some(row.index);
        current.empty_lists = 0;
        if matches!(row.state, LegState::Alerting | LegState::Active) {
            current.accept(port);
        }
        match (row.state, current.stage) {
            (LegState::Released, _) => self.on_ended(port, now),
            (LegState::Incoming, Stage::Ringing { .. }) if row.number.is_some() => {
                self.announce(port, row.number.clone())
            }
            (LegState::Alerting, Stage::Dialing { .. }) => {
                current.stage = Stage::Alerting;
                port.emit(Event::Call(CallEvent::Alerting));
            }
            // An A7672 reports "active" on one carrier as soon as the far end rings. A machine that answers at once looks
            // the same: 2, 3 and 0 within one second. Only the ringing tone in the sound would tell them apart, and these
            // modems give no sound over USB. So it is believed: a false answer costs the ringing tone, to doubt a true one
            // would cost the first words of the call.
            (LegState::Active, Stage::Dialing { .. } | Stage::Alerting | Stage::Answering) => self.on_active(port, now),
            // Answered by something else than us, such as a headset key of the firmware.
            (LegState::Active, Stage::Ringing { .. }) => self.on_active(port, now),
            _ => {}
        }
    }

    fn adopt_incoming(&mut self, port: &mut Port, row: &CallRow, now: Instant) {
        let stage = Stage::Ringing { rings: 0, is_announced: false };
        self.current = Some(Current { index: Some(row.index), ..Current::new(Direction::Incoming, stage) });
        self.watch_at = Some(now + WATCH_PERIOD);
        if row.number.is_some() {
            self.announce(port, row.number.clone());
        }
    }

    fn announce(&mut self, port: &mut Port, number: Option<PhoneNumber>) {
        if let Some(Current { stage: Stage::Ringing { is_announced: is_announced @ false, .. }, .. }) =
            &mut self.current
        {
            *is_announced = true;
            port.emit(Event::Call(CallEvent::Incoming { number }));
        }
    }

    fn on_active(&mut self, port: &mut Port, now: Instant) {
        self.announce(port, None);
        if let Some(current) = &mut self.current {
            current.accept(port);
            current.stage = Stage::Active;
            port.emit(Event::Call(CallEvent::Active));
            self.voice.start(port, now);
        }
    }

    fn on_dialed(&mut self, port: &mut Port, outcome: &Outcome, now: Instant) {
        let Some(current) = &mut self.current else { return };
        match outcome {
            Outcome::Done { result: FinalResult::Ok | FinalResult::Connect, .. } => {
                current.accept(port);
                self.ask_list(port, now);
            }
            Outcome::Done { result: FinalResult::NoCarrier, .. } => self.on_ended(port, now),
            Outcome::Done { result, .. } => self.conclude(port, cause::of_refused_dial(result), now),
            Outcome::NotSent => self.conclude(port, HangUpCause::OutOfOrder, now),
            // Perhaps it rings somewhere; nobody here would hear it.
            Outcome::TimedOut(_) => self.hang_up(port, HangUpCause::OutOfOrder, now),
        }
    }

    fn on_answered(&mut self, port: &mut Port, outcome: &Outcome, now: Instant) {
        let is_answering = self.current.as_ref().is_some_and(|current| current.stage == Stage::Answering);
        match outcome {
            Outcome::Done { result: FinalResult::Ok | FinalResult::Connect, .. } if is_answering => {
                self.on_active(port, now);
            }
            Outcome::Done { result: FinalResult::Ok | FinalResult::Connect, .. } => {}
            Outcome::Done { .. } => self.on_end_report(port, Some(HangUpCause::Normal), now),
            Outcome::TimedOut(_) | Outcome::NotSent => self.watch_by(now),
        }
    }

    fn on_hung_up(&mut self, port: &mut Port, outcome: &Outcome, now: Instant) {
        let Some(Current { stage: Stage::HangingUp { cause }, .. }) = self.current else { return };
        self.conclude(port, cause, now);
        if !outcome.is_ok() {
            // `AT+QHUP` is refused or ignored by some firmware (EP06).
            port.ask(urgent(Step::HangUpOrphan, "AT+CHUP").timeout(HANG_UP_TIMEOUT), now);
        }
    }

    fn on_list(&mut self, port: &mut Port, outcome: &Outcome, now: Instant) {
        let Some(lines) = outcome.ok_lines() else { return };
        let rows: Vec<CallRow> =
            lines.iter().filter_map(|line| call_row(at::value(line, "+CLCC:")?)).filter(is_alive).collect();
        let has_own = rows.iter().any(|row| self.owns(row));
        let has_waiting = rows.iter().any(|row| self.is_waiting_row(row));
        if self.waiting.is_some() && !has_waiting {
            self.on_waiting_ended(port);
        }
        if let Some(current) = &mut self.current {
            if has_own {
                current.hint = None;
            } else {
                self.on_missing(port, now);
            }
        } else if rows.is_empty() {
            self.orphan_attempts = 0;
        }
        for row in &rows {
            self.on_row(port, row, now);
        }
    }

    /// Whether a row is the second caller. The modem may know it under an index that was never reported.
    fn is_waiting_row(&self, row: &CallRow) -> bool {
        let is_second = matches!(row.state, LegState::Waiting | LegState::Incoming) && !self.owns(row);
        self.waiting.as_ref().is_some_and(|waiting| waiting.index.map_or(is_second, |index| index == row.index))
    }

    /// The list does not hold the call.
    fn on_missing(&mut self, port: &mut Port, now: Instant) {
        let Some(current) = &mut self.current else { return };
        if matches!(current.stage, Stage::HangingUp { .. } | Stage::AskingCause { .. }) {
            return;
        }
        current.empty_lists = current.empty_lists.saturating_add(1);
        let may_fall_back = match current.stage {
            Stage::Dialing { since, .. } => now.saturating_duration_since(since) < FALLBACK_GRACE,
            Stage::Ringing { .. }
            | Stage::Answering
            | Stage::Alerting
            | Stage::Active
            | Stage::HangingUp { .. }
            | Stage::AskingCause { .. } => false,
        };
        let is_believed = match current.hint {
            Some(Hint::Cause(_)) => true,
            Some(Hint::NoCarrier) => !may_fall_back,
            None => false,
        };
        if is_believed || current.empty_lists >= EMPTY_LISTS {
            self.on_ended(port, now);
        } else {
            let delay = if current.hint.is_some() { RECHECK } else { WATCH_PERIOD };
            self.watch_by(now + delay);
        }
    }

    /// The call is over and nobody here ended it.
    fn on_ended(&mut self, port: &mut Port, now: Instant) {
        let Some(current) = &mut self.current else { return };
        let otherwise = match current.stage {
            Stage::HangingUp { cause } => return self.conclude(port, cause, now),
            Stage::AskingCause { .. } => return,
            Stage::Dialing { .. } => HangUpCause::Congestion,
            Stage::Alerting => HangUpCause::NoAnswer,
            Stage::Ringing { .. } | Stage::Answering | Stage::Active => {
                return self.conclude(port, HangUpCause::Normal, now);
            }
        };
        match current.hint {
            Some(Hint::Cause(cause)) if cause != HangUpCause::Normal => self.conclude(port, cause, now),
            Some(_) | None => {
                current.stage = Stage::AskingCause { otherwise };
                let request = urgent(Step::Cause, "AT+CEER").answer_of(at::Answer::AnyLine);
                port.ask(request.timeout(Duration::from_secs(2)), now);
            }
        }
    }

    fn on_cause(&mut self, port: &mut Port, outcome: &Outcome, now: Instant) {
        let Some(Current { stage: Stage::AskingCause { otherwise }, .. }) = self.current else { return };
        let told = outcome.ok_lines().and_then(|lines| lines.iter().find_map(|line| cause::of_words(line)));
        self.conclude(port, told.unwrap_or(otherwise), now);
    }

    fn conclude(&mut self, port: &mut Port, cause: HangUpCause, now: Instant) {
        let Some(current) = self.current.take() else { return };
        self.voice.stop(port, now);
        if current.is_announced() {
            port.emit(Event::Call(CallEvent::Ended { cause }));
        }
        // What waited rings on as a call of its own; what should be gone and is not is an orphan. The list tells both.
        self.watch_at = Some(now + RECHECK);
        if let Some(waiting) = self.waiting.take() {
            port.emit(Event::Call(CallEvent::WaitingEnded));
            let stage = Stage::Ringing { rings: 0, is_announced: false };
            self.current = Some(Current { index: waiting.index, ..Current::new(Direction::Incoming, stage) });
            self.announce(port, waiting.number);
        }
    }

    fn on_waiting_ended(&mut self, port: &mut Port) {
        if self.waiting.take().is_some() {
            port.emit(Event::Call(CallEvent::WaitingEnded));
        }
    }

    fn hang_up_orphan(&mut self, port: &mut Port, now: Instant) {
        if self.orphan_attempts < ORPHAN_ATTEMPTS {
            self.orphan_attempts += 1;
            port.ask(urgent(Step::HangUpOrphan, "AT+CHUP").timeout(HANG_UP_TIMEOUT), now);
        }
    }

    fn watch_by(&mut self, at: Instant) {
        self.watch_at = Some(self.watch_at.map_or(at, |planned| planned.min(at)));
    }
}

impl Current {
    fn new(direction: Direction, stage: Stage) -> Self {
        Self { index: None, direction, stage, hint: None, empty_lists: 0 }
    }

    /// The modem took the number, by its answer to `ATD` or by what it reports before that.
    fn accept(&mut self, port: &mut Port) {
        if let Stage::Dialing { is_accepted: is_accepted @ false, .. } = &mut self.stage {
            *is_accepted = true;
            port.emit(Event::Call(CallEvent::Dialing));
        }
    }

    /// Whether a row in this state can be this call, of which the index is not known yet.
    fn may_adopt(&self, state: LegState) -> bool {
        match state {
            LegState::Dialing | LegState::Incoming => true,
            // Before `ATD` is accepted this is what is left of the call before.
            LegState::Alerting | LegState::Active | LegState::Held => {
                !matches!(self.stage, Stage::Dialing { is_accepted: false, .. })
            }
            LegState::Waiting | LegState::Released => false,
        }
    }

    /// Whether the box was told that there is a call, and nobody ends it.
    fn is_known(&self) -> bool {
        match self.stage {
            Stage::Ringing { is_announced, .. } => is_announced,
            Stage::Dialing { is_accepted, .. } => is_accepted,
            Stage::Answering | Stage::Alerting | Stage::Active => true,
            Stage::HangingUp { .. } | Stage::AskingCause { .. } => false,
        }
    }

    /// Whether the box told it or was told of it, so that it must hear of its end.
    fn is_announced(&self) -> bool {
        !matches!(self.stage, Stage::Ringing { is_announced: false, .. })
    }
}

fn is_alive(row: &CallRow) -> bool {
    row.state != LegState::Released
}

pub(crate) fn urgent(step: Step, text: impl Into<String>) -> Request<port::Step> {
    Request::new(port::Step::Call(step), text).priority(Priority::Urgent)
}
