//! The machine for one modem: it hands what happens to its parts and keeps the order of what they say.

use std::time::{Duration, Instant};

use at::{Params, Urc, WaitingFor, value};
use telecom::HangUpCause;

use crate::answer::{call_row, caller, dsci_row, memory, signal};
use crate::bring_up::{BringUp, Progress};
use crate::call::CallLine;
use crate::command::Command;
use crate::event::{CallEvent, Event, Failure, Recovery, SendSmsError, UssdReply};
use crate::family::Family;
use crate::keep_alive::KeepAlive;
use crate::ladder::RecoveryRecord;
use crate::port::{Notice, Outcome, Output, Port, Step};
use crate::storage::Storage;
use crate::ussd::Ussd;

/// A modem that boots says nothing for up to 12 s, then `RDY`. One that said anything at all is given this long.
const BOOT_PATIENCE: Duration = Duration::from_secs(15);
/// Commands in a row without an answer after which the ladder is climbed.
const SILENCES: u8 = 3;
/// A call on a port that is silent for so long is given up.
const SILENT_CALL: Duration = Duration::from_secs(30);
/// How soon a silent port is tried again during a call, when nothing may be reset.
const CALL_RETRY: Duration = Duration::from_secs(3);

/// What is known of a modem before it is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ModemConfig {
    /// The dialect of the table of models; what the modem says of itself has the last word.
    pub family: Option<Family>,
    /// Whether a PCM port was found.
    pub has_audio: bool,
    /// Whether this is not the port that the model has for AT commands ([`crate::identify::AtPort`]).
    pub is_spare_port: bool,
    /// How far up the self-heal ladder this modem is; [`Modem::recovery_record`] of the machine before.
    pub recovery: RecoveryRecord,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// Set up step by step since then; whether it said anything yet.
    BringingUp {
        since: Instant,
        has_spoken: bool,
    },
    /// Set up; the first sweep and the list of calls are under way.
    Sweeping,
    Ready,
    /// The ladder waits.
    Resting {
        until: Instant,
    },
}

/// The machine for one modem on one AT port.
///
/// Feed it by [`Self::submit`], [`Self::handle_bytes`] and [`Self::handle_timeout`]; after each, drain
/// [`Self::poll_output`] and arm [`Self::poll_timeout`].
pub struct Modem {
    port: Port,
    life: Life,
    bring_up: BringUp,
    storage: Storage,
    call: CallLine,
    ussd: Ussd,
    keep_alive: KeepAlive,
    recovery: RecoveryRecord,
    silences: u8,
    /// The last answer, by which a call on a dead port is noticed.
    heard_at: Instant,
    call_retry_at: Option<Instant>,
}

impl Modem {
    /// Starts the bring-up at once.
    #[must_use]
    pub fn new(config: ModemConfig, now: Instant) -> Self {
        let mut modem = Self {
            port: Port::new(config.family.unwrap_or(Family::Standard), false),
            life: Life::BringingUp { since: now, has_spoken: false },
            bring_up: BringUp::new(config.has_audio, config.is_spare_port),
            storage: Storage::default(),
            call: CallLine::default(),
            ussd: Ussd::default(),
            keep_alive: KeepAlive::default(),
            recovery: config.recovery,
            silences: 0,
            heard_at: now,
            call_retry_at: None,
        };
        modem.start(now);
        // Nothing else would come before the first deadline.
        modem.pump(now);
        modem
    }

    /// Asks for something. While the line is not ready, what cannot wait is refused at once.
    pub fn submit(&mut self, command: Command, now: Instant) {
        match command {
            Command::EnterPin { pin, last_attempt } => {
                self.bring_up.enter_pin(&mut self.port, &pin, last_attempt, now);
            }
            Command::EnterPuk { puk, new_pin } => self.bring_up.enter_puk(&mut self.port, &puk, &new_pin, now),
            Command::Reinitialise if !self.call.is_busy() => self.start(now),
            Command::Reinitialise => {}
            command if self.is_set_up() => self.submit_ready(command, now),
            command => self.refuse(&command),
        }
        self.pump(now);
    }

    /// Takes bytes from the AT port.
    pub fn handle_bytes(&mut self, bytes: &[u8], now: Instant) {
        // One by one, so that a command that follows from an answer is in flight before the rest is read.
        for byte in bytes {
            self.port.handle_bytes(std::slice::from_ref(byte), now);
            self.pump(now);
        }
        if let Life::BringingUp { has_spoken, .. } = &mut self.life {
            *has_spoken |= !bytes.is_empty();
        }
    }

    /// Tells that time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.port.handle_timeout(now);
        self.pump(now);
        match self.life {
            Life::Resting { until } if until <= now => self.start(now),
            Life::BringingUp { .. } => self.bring_up.handle_timeout(&mut self.port, now),
            Life::Sweeping | Life::Ready => {
                self.keep_alive.handle_timeout(&mut self.port, self.call.is_busy(), now);
                self.storage.handle_timeout(&mut self.port, now);
                self.ussd.handle_timeout(&mut self.port, now);
                self.call.handle_timeout(&mut self.port, now);
                self.watch_silent_call(now);
            }
            Life::Resting { .. } => {}
        }
        self.pump(now);
    }

    /// The port is gone, and the machine with it: everything that waits is answered, by how far it came. What is put out
    /// after this cannot be written.
    pub fn handle_port_lost(&mut self) {
        let in_flight = self.port.forget();
        self.forget_work(in_flight.as_ref());
    }

    /// The next output, oldest first.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.port.poll_output()
    }

    /// When [`Self::handle_timeout`] wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = match self.life {
            Life::Resting { until } => Some(until),
            Life::BringingUp { .. } => self.bring_up.poll_timeout(),
            Life::Sweeping | Life::Ready => [
                self.keep_alive.poll_timeout(),
                self.storage.poll_timeout(),
                self.ussd.poll_timeout(),
                self.call.poll_timeout(),
                self.call_retry_at,
            ]
            .into_iter()
            .flatten()
            .min(),
        };
        own.into_iter().chain(self.port.poll_timeout()).min()
    }

    /// How far up the self-heal ladder the modem is. Keep it when the ports vanish and give it to the next machine.
    #[must_use]
    pub fn recovery_record(&self) -> RecoveryRecord {
        self.recovery
    }

    /// Whether the line works.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.life == Life::Ready
    }

    fn submit_ready(&mut self, command: Command, now: Instant) {
        let port = &mut self.port;
        match command {
            Command::SendSms { token, pdu, tpdu_length } => self.storage.send(port, (token, pdu, tpdu_length), now),
            Command::ClearSlot(slot) => self.storage.clear(port, slot, now),
            Command::Sweep => self.storage.sweep(port, now),
            Command::Ussd { text } => self.ussd.ask(port, &text, now),
            Command::UssdCancel => self.ussd.cancel(port, now),
            Command::Dial { number } => self.call.dial(port, &number, now),
            Command::Answer => self.call.answer(port, now),
            Command::HangUp { cause } => self.call.hang_up(port, cause, now),
            Command::RefuseWaiting => self.call.refuse_waiting(port, now),
            Command::Dtmf { digit } => self.call.dtmf(port, digit, now),
            Command::AudioDead => self.call.audio_dead(port, now),
            Command::EnterPin { .. } | Command::EnterPuk { .. } | Command::Reinitialise => {}
        }
    }

    fn refuse(&mut self, command: &Command) {
        let event = match command {
            Command::SendSms { token, .. } => {
                let error = SendSmsError::NotReady("the modem is being set up".to_owned());
                Event::SmsFailed { token: *token, error }
            }
            Command::ClearSlot(slot) => return self.storage.refuse_clear(&mut self.port, *slot),
            Command::Ussd { .. } => Event::Ussd(UssdReply::Refused("the modem is being set up".to_owned())),
            Command::Dial { .. } => Event::Call(CallEvent::Ended { cause: HangUpCause::OutOfOrder }),
            // A sweep ends the bring-up anyway; without a call there is nothing to do for the others.
            Command::Sweep
            | Command::UssdCancel
            | Command::Answer
            | Command::HangUp { .. }
            | Command::RefuseWaiting
            | Command::Dtmf { .. }
            | Command::AudioDead
            | Command::EnterPin { .. }
            | Command::EnterPuk { .. }
            | Command::Reinitialise => return,
        };
        self.port.emit(event);
    }

    /// Lets the parts react to what the channel says until it has nothing more to say.
    fn pump(&mut self, now: Instant) {
        while let Some(notice) = self.port.poll_notice() {
            match notice {
                Notice::Outcome(step, outcome) => self.on_outcome(&step, &outcome, now),
                Notice::Unsolicited(urc) => self.on_urc(urc, now),
                Notice::Lost => self.on_lost(now),
            }
        }
        self.finish_sweeping(now);
    }

    fn start(&mut self, now: Instant) {
        let in_flight = self.port.resynchronise(now);
        self.forget_work(in_flight.as_ref());
        self.life = Life::BringingUp { since: now, has_spoken: false };
        self.silences = 0;
        self.bring_up.start(&mut self.port, now);
    }

    /// Answers everything that waits, because the modem will not.
    fn forget_work(&mut self, in_flight: Option<&(Step, WaitingFor)>) {
        let in_storage = match in_flight {
            Some((Step::Storage(step), waiting_for)) => Some((*step, *waiting_for)),
            Some(_) | None => None,
        };
        self.storage.on_reset(&mut self.port, in_storage);
        self.call.on_reset(&mut self.port);
        self.ussd.on_reset(&mut self.port);
        self.keep_alive.stop();
        self.call_retry_at = None;
    }

    fn on_outcome(&mut self, step: &Step, outcome: &Outcome, now: Instant) {
        if !outcome.is_silence() {
            self.heard_at = now;
            self.silences = 0;
        }
        match step {
            Step::BringUp(step) => return self.on_bring_up(*step, outcome, now),
            Step::Call(step) => self.call.handle_outcome(&mut self.port, *step, outcome, now),
            Step::KeepAlive(step) => self.keep_alive.handle_outcome(&mut self.port, *step, outcome),
            Step::Storage(step) => {
                self.storage.handle_outcome(&mut self.port, *step, outcome, now);
                self.bring_up.may_store_reports = self.storage.finds_reports();
            }
            Step::Ussd(step) => self.ussd.handle_outcome(&mut self.port, *step, outcome),
        }
        if matches!(outcome, Outcome::TimedOut(_)) {
            self.on_silence(now);
        }
        if !self.call.is_busy() && self.keep_alive.take_forgotten() {
            let reason = "another program changed the settings of the modem".to_owned();
            self.port.emit(Event::Recovery { step: Recovery::Reinitialise, reason });
            return self.start(now);
        }
        if !self.call.is_busy() && self.call.voice.take_reset_wish() {
            self.reset_functionality("no usable audio in two calls", now);
        }
    }

    fn on_bring_up(&mut self, step: crate::bring_up::Step, outcome: &Outcome, now: Instant) {
        match self.bring_up.handle_outcome(&mut self.port, step, outcome, now) {
            Progress::Going => {}
            Progress::SetUp => self.on_set_up(now),
            Progress::Trouble(failure) => self.on_trouble(failure, now),
        }
    }

    fn on_set_up(&mut self, now: Instant) {
        self.ussd.is_ucs2 = self.bring_up.found.is_ucs2;
        if let Some(memory) = self.bring_up.found.memory {
            self.storage.on_selected(memory);
        }
        self.life = Life::Sweeping;
        self.call.ask_list(&mut self.port, now);
        self.storage.sweep(&mut self.port, now);
    }

    fn finish_sweeping(&mut self, now: Instant) {
        if self.life == Life::Sweeping && self.storage.is_idle() {
            self.life = Life::Ready;
            self.recovery.on_ready(now);
            self.port.emit(Event::Ready);
            self.keep_alive.start(now);
        }
    }

    /// A command got no answer.
    fn on_silence(&mut self, now: Instant) {
        self.silences = self.silences.saturating_add(1);
        let reason = "a command got no answer".to_owned();
        if self.silences < SILENCES {
            self.port.emit(Event::Recovery { step: Recovery::Retry, reason });
        } else if !self.call.is_busy() {
            self.on_trouble(Failure::Silent, now);
        }
    }

    /// The AT port is silent.
    fn on_lost(&mut self, now: Instant) {
        match self.life {
            Life::BringingUp { since, has_spoken: true } if now.saturating_duration_since(since) < BOOT_PATIENCE => {
                self.port.resynchronise(now);
                self.bring_up.start(&mut self.port, now);
            }
            Life::Sweeping | Life::Ready if self.call.is_busy() => self.call_retry_at = Some(now + CALL_RETRY),
            Life::Resting { .. } => {}
            Life::BringingUp { .. } | Life::Sweeping | Life::Ready => self.on_trouble(Failure::Silent, now),
        }
    }

    fn watch_silent_call(&mut self, now: Instant) {
        if self.call_retry_at.is_none_or(|at| at > now) {
            return;
        }
        self.call_retry_at = None;
        if !self.call.is_busy() || now.saturating_duration_since(self.heard_at) >= SILENT_CALL {
            self.call.on_reset(&mut self.port);
            return self.on_trouble(Failure::Silent, now);
        }
        self.call.ask_list(&mut self.port, now);
    }

    /// The line cannot work as it is: the next rung of the ladder.
    fn on_trouble(&mut self, failure: Failure, now: Instant) {
        let mut reason = failure.to_string();
        let (step, pause) = self.recovery.climb(now);
        if step == Recovery::GaveUp {
            reason = format!("{reason}; it is tried again in {} minutes", pause.as_secs().div_ceil(60));
        }
        self.port.emit(Event::Failed(failure));
        self.rest(step, reason, pause, now);
    }

    fn reset_functionality(&mut self, reason: &str, now: Instant) {
        self.rest(Recovery::FunctionalityReset, reason.to_owned(), Duration::from_secs(20), now);
    }

    fn rest(&mut self, step: Recovery, reason: String, pause: Duration, now: Instant) {
        let in_flight = self.port.forget();
        self.forget_work(in_flight.as_ref());
        self.port.emit(Event::Recovery { step, reason });
        match step {
            Recovery::FunctionalityReset => {
                // SIM7600 mends its audio only by the full reset.
                let command = if self.port.family == Family::Simcom { "AT+CRESET" } else { "AT+CFUN=1,1" };
                self.port.write_blindly(command);
            }
            Recovery::UsbReset => self.port.emit(Event::UsbResetWanted),
            Recovery::Retry | Recovery::Reinitialise | Recovery::GaveUp => {}
        }
        self.life = Life::Resting { until: now + pause };
    }

    fn on_urc(&mut self, urc: Urc, now: Instant) {
        match urc {
            Urc::WithPdu { header, pdu } if !header.starts_with("+CBM:") => self.port.emit(Event::SmsDirect { pdu }),
            Urc::WithPdu { .. } => {}
            Urc::Line(line) if is_boot(&line) => self.on_boot(now),
            Urc::Line(line) if is_about_sim(&line) => self.on_sim_news(&line, now),
            Urc::Line(line) if self.is_set_up() => {
                if !self.on_call_urc(&line, now) {
                    self.on_other_urc(&line, now);
                }
            }
            Urc::Line(line) => self.keep_alive.on_registration(&mut self.port, &line),
        }
    }

    fn is_set_up(&self) -> bool {
        matches!(self.life, Life::Ready | Life::Sweeping)
    }

    fn on_boot(&mut self, now: Instant) {
        if self.is_set_up() {
            let reason = "the modem restarted by itself".to_owned();
            self.port.emit(Event::Recovery { step: Recovery::Reinitialise, reason });
        }
        let in_flight = self.port.forget();
        self.forget_work(in_flight.as_ref());
        self.life = Life::BringingUp { since: now, has_spoken: true };
        self.port.resynchronise(now);
        self.bring_up.start(&mut self.port, now);
    }

    fn on_sim_news(&mut self, line: &str, now: Instant) {
        let is_gone = ["NOT READY", "REMOVED", "NOT INSERTED", "NOT AVAILABLE", "+QUSIM: 0", "+QSIMSTAT: 1,0"]
            .iter()
            .any(|words| line.contains(words));
        if is_gone && self.is_set_up() {
            let in_flight = self.port.forget();
            self.forget_work(in_flight.as_ref());
            self.port.resynchronise(now);
            self.life = Life::BringingUp { since: now, has_spoken: true };
            self.bring_up.start_from_sim(&mut self.port, now);
        } else if matches!(self.life, Life::BringingUp { .. }) {
            self.bring_up.on_sim_news(&mut self.port, now);
        }
    }

    /// Returns whether the line was about a call.
    fn on_call_urc(&mut self, line: &str, now: Instant) -> bool {
        let (call, port) = (&mut self.call, &mut self.port);
        let row = None
            .or_else(|| call_row(value(line, "+QIND: \"ccinfo\",")?))
            .or_else(|| dsci_row(value(line, "^DSCI:")?))
            .or_else(|| call_row(value(line, "+CLCC:")?));
        if let Some(row) = row {
            call.on_row(port, &row, now);
        } else if line == "RING" || line.starts_with("+CRING:") {
            call.on_ring(port, now);
        } else if let Some(text) = value(line, "+CLIP:") {
            call.on_caller(port, Params::new(text).next().and_then(caller), now);
        } else if let Some(text) = value(line, "+CCWA:") {
            call.on_waiting(port, None, Params::new(text).next().and_then(caller));
        } else if let Some(text) = value(line, "VOICE CALL:") {
            if text.starts_with("BEGIN") {
                call.on_begin(port, now);
            } else {
                call.on_end_report(port, Some(HangUpCause::Normal), now);
            }
        } else if let Some(text) = value(line, "+QPCMV:") {
            match Params::new(text).number::<u8>() {
                Some(0) => call.on_flow(port, false),
                Some(1) => call.on_flow(port, true),
                // The list of what is possible, which was asked for.
                Some(_) | None => {}
            }
        } else if line == "NO CARRIER" {
            call.on_end_report(port, None, now);
        } else if let Some(cause) = end_cause(line) {
            call.on_end_report(port, Some(cause), now);
        } else if let Some(digit) = digit(line) {
            call.on_digit(port, digit);
        } else {
            return false;
        }
        true
    }

    fn on_other_urc(&mut self, line: &str, now: Instant) {
        let port = &mut self.port;
        if let Some(text) = value(line, "+CMTI:") {
            self.storage.on_announced(port, text, now);
        } else if let Some(text) = value(line, "+CDSI:") {
            self.storage.on_report_announced(port, text, now);
        } else if line.starts_with("+CMT:") || line.starts_with("+CDS:") {
            // Its octets are lost here; a copy may lie in a memory.
            self.storage.sweep(port, now);
        } else if let Some(text) = value(line, "+QIND: \"smsfull\",").or_else(|| value(line, "^SMMEMFULL:")) {
            self.storage.on_full(port, Params::new(text).next().and_then(memory), now);
        } else if let Some(text) = value(line, "+CUSD:") {
            self.ussd.on_reply(port, text);
        } else if let Some(text) = value(line, "+CSQ:") {
            port.emit(Event::Signal(signal(text)));
        } else {
            self.keep_alive.on_registration(port, line);
        }
    }
}

fn is_boot(line: &str) -> bool {
    line == "RDY" || line.starts_with("^BOOT") || line == "START"
}

fn is_about_sim(line: &str) -> bool {
    ["+CPIN:", "+QUSIM:", "+QSIMSTAT:", "+SIMCARD:", "SIM REMOVED"].iter().any(|prefix| line.starts_with(prefix))
}

fn end_cause(line: &str) -> Option<HangUpCause> {
    match line {
        "BUSY" => Some(HangUpCause::Busy),
        "NO ANSWER" => Some(HangUpCause::NoAnswer),
        "NO DIALTONE" => Some(HangUpCause::Network),
        "REMOTE CALL END" => Some(HangUpCause::Normal),
        _ if line.starts_with("MISSED_CALL:") => Some(HangUpCause::Normal),
        _ => None,
    }
}

/// The key in `+QTONEDET: 53` (its ASCII code), `+RXDTMF: 5` or `+DTMF: 5`.
fn digit(line: &str) -> Option<Option<char>> {
    if let Some(code) = value(line, "+QTONEDET:") {
        return Some(code.parse::<u8>().ok().map(char::from));
    }
    let key = value(line, "+RXDTMF:").or_else(|| value(line, "+DTMF:"))?;
    Some(key.chars().next())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test starts its virtual clock somewhere")]

    use super::*;

    #[test]
    fn the_first_bytes_do_not_wait_for_a_timeout() {
        let mut modem = Modem::new(ModemConfig::default(), Instant::now());
        assert!(matches!(modem.poll_output(), Some(Output::Write(_))));
    }
}
