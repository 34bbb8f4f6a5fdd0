//! Calls: their states, what the network does with them and how each family announces it.

use std::time::{Duration, Instant};

use super::fault::Fault;
use super::output::{CallPlan, CallReport, CallState, ControlError, Outcome, Output};
use super::timers::Timer;
use super::{Family, Reply, SimModem};

/// A caller who is not answered gives up after this time.
const CALLER_PATIENCE: Duration = Duration::from_secs(45);
/// The network ends an outgoing call that nobody answers (TS 24.008 T301).
const NETWORK_PATIENCE: Duration = Duration::from_secs(60);
/// Calls that one subscriber can have (TS 27.007 §7.18).
const CALL_LIMIT: usize = 7;

const NORMAL: u8 = 16;
const BUSY: u8 = 17;
const NO_ANSWER: u8 = 19;
const REJECTED: u8 = 21;
const UNALLOCATED: u8 = 1;
const CONGESTION: u8 = 34;

/// One call.
pub(super) struct Call {
    serial: u64,
    pub(super) index: u8,
    is_outgoing: bool,
    number: String,
    pub(super) state: CallState,
    answered: Option<Instant>,
    pub(super) is_conference: bool,
    rings: u32,
    digits: String,
}

/// What is due in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallStep {
    Alert,
    FalseAnswer,
    Far(Outcome),
    GiveUp,
    Ring,
    FarDigit(char),
    Reboot,
}

/// Calls in progress and plans for those to come.
#[derive(Default)]
pub(super) struct Calls {
    pub(super) list: Vec<Call>,
    plans: Vec<CallPlan>,
    next_serial: u64,
    pub(super) last_cause: Option<u8>,
}

impl Calls {
    /// A plan replaces the one for the same number.
    pub(super) fn plan(&mut self, plan: CallPlan) {
        self.plans.retain(|known| known.number != plan.number);
        self.plans.push(plan);
    }

    pub(super) fn reports(&self) -> Vec<CallReport> {
        self.list.iter().map(|call| call.report(None)).collect()
    }

    /// `CPAS`: 0 ready, 3 ringing, 4 call in progress.
    pub(super) fn activity(&self) -> u8 {
        match self.list.iter().map(|call| call.state).next() {
            None => 0,
            Some(CallState::Incoming) => 3,
            Some(_) => 4,
        }
    }

    pub(super) fn first(&self, states: &[CallState]) -> Option<u64> {
        self.list.iter().find(|call| states.contains(&call.state)).map(|call| call.serial)
    }

    pub(super) fn all(&self, states: &[CallState]) -> Vec<u64> {
        self.list.iter().filter(|call| states.contains(&call.state)).map(|call| call.serial).collect()
    }

    pub(super) fn with_index(&self, index: u8) -> Option<u64> {
        self.list.iter().find(|call| call.index == index).map(|call| call.serial)
    }

    pub(super) fn of(&self, serial: u64) -> Option<&Call> {
        self.list.iter().find(|call| call.serial == serial)
    }

    fn of_mut(&mut self, serial: u64) -> Option<&mut Call> {
        self.list.iter_mut().find(|call| call.serial == serial)
    }

    fn plan_for(&mut self, number: &str) -> CallPlan {
        let exact = self.plans.iter().position(|plan| plan.number.as_deref() == Some(number));
        let position = exact.or_else(|| self.plans.iter().position(|plan| plan.number.is_none()));
        let Some(position) = position else { return CallPlan::default() };
        let plan = self.plans.get(position).cloned().unwrap_or_default();
        if plan.once {
            self.plans.remove(position);
        }
        plan
    }

    fn add(&mut self, number: String, is_outgoing: bool, state: CallState) -> Option<u64> {
        let index = (1..=7u8).find(|index| self.with_index(*index).is_none())?;
        self.next_serial += 1;
        self.list.push(Call {
            serial: self.next_serial,
            index,
            is_outgoing,
            number,
            state,
            answered: None,
            is_conference: false,
            rings: 0,
            digits: String::new(),
        });
        Some(self.next_serial)
    }
}

impl Call {
    /// Fields of `+CLCC`.
    pub(super) fn listing(&self) -> String {
        format!(
            "{},{},{},0,{},\"{}\",{}",
            self.index,
            u8::from(!self.is_outgoing),
            self.state.code(),
            u8::from(self.is_conference),
            self.number,
            number_kind(&self.number)
        )
    }

    fn report(&self, cause: Option<u8>) -> CallReport {
        CallReport {
            index: self.index,
            is_outgoing: self.is_outgoing,
            number: self.number.clone(),
            state: self.state,
            cause,
            digits: self.digits.clone(),
        }
    }
}

impl SimModem {
    /// Places a call; the number is without the semicolon.
    pub(super) fn place_call(&mut self, number: &str, now: Instant) -> Reply {
        let is_emergency = ["112", "911", "000", "999"].contains(&number);
        // Without 2G and 3G a call needs IMS.
        let has_service =
            self.radio.registration.carries_calls(self.radio.has_ims) || is_emergency && self.radio.functionality == 1;
        let can_call = is_emergency || self.card.usable().is_ok();
        let is_busy = self.calls.first(&[CallState::Dialing, CallState::Alerting]).is_some();
        if !has_service || !can_call || is_busy || self.calls.list.len() >= CALL_LIMIT {
            return Reply::Final("NO CARRIER");
        }
        for serial in self.calls.all(&[CallState::Active]) {
            self.change_call(serial, CallState::Held, now);
        }
        let Some(serial) = self.calls.add(number.to_owned(), true, CallState::Dialing) else {
            return Reply::Final("NO CARRIER");
        };
        // The result of ATD comes first, the announcements after it.
        self.timers.add(now, Timer::Call { serial, step: CallStep::Ring });
        self.timers.add(now + self.profile.timings.alert_after, Timer::Call { serial, step: CallStep::Alert });
        Reply::ok()
    }

    pub(super) fn on_call_from_network(
        &mut self,
        from: Option<String>,
        give_up: Option<Duration>,
        now: Instant,
    ) -> Result<(), ControlError> {
        if !self.radio.registration.is_registered() || self.power != super::Power::On {
            return Err(ControlError::NotRegistered);
        }
        let is_second = !self.calls.list.is_empty();
        let takes_second = self.settings.number("+CCWA", 1) == 1;
        let is_ringing = self.calls.first(&[CallState::Incoming, CallState::Waiting]).is_some();
        let number = from.unwrap_or_default();
        let state = if is_second { CallState::Waiting } else { CallState::Incoming };
        let serial = match (is_second && (!takes_second || is_ringing), self.calls.add(number.clone(), false, state)) {
            (false, Some(serial)) => serial,
            (true, Some(serial)) => {
                self.calls.list.retain(|call| call.serial != serial);
                self.report_refused(number);
                return Ok(());
            }
            (_, None) => {
                self.report_refused(number);
                return Ok(());
            }
        };
        self.announce(serial, None);
        self.on_call_step(serial, CallStep::Ring, now);
        let patience = give_up.unwrap_or(CALLER_PATIENCE);
        self.timers.add(now + patience, Timer::Call { serial, step: CallStep::GiveUp });
        Ok(())
    }

    /// The network tells a second caller that the subscriber is busy; the modem hears nothing of it.
    fn report_refused(&mut self, number: String) {
        self.outputs.push_back(Output::CallChanged(CallReport {
            index: 0,
            is_outgoing: false,
            number,
            state: CallState::Released,
            cause: Some(BUSY),
            digits: String::new(),
        }));
    }

    pub(super) fn on_far_answer(&mut self, now: Instant) -> Result<(), ControlError> {
        let states = [CallState::Alerting, CallState::Dialing];
        let serial = self.calls.first(&states).ok_or(ControlError::NoCall)?;
        self.timers.drop_call(serial);
        self.change_call(serial, CallState::Active, now);
        Ok(())
    }

    pub(super) fn on_far_hangup(&mut self, now: Instant) -> Result<(), ControlError> {
        let order = [
            CallState::Waiting,
            CallState::Incoming,
            CallState::Active,
            CallState::Alerting,
            CallState::Dialing,
            CallState::Held,
        ];
        let serial = order.iter().find_map(|state| self.calls.first(&[*state])).ok_or(ControlError::NoCall)?;
        self.release_call(serial, NORMAL, Releaser::FarEnd, now);
        Ok(())
    }

    pub(super) fn on_far_digits(&mut self, digits: &str, now: Instant) -> Result<(), ControlError> {
        let serial = self.calls.first(&[CallState::Active]).ok_or(ControlError::NoCall)?;
        let mut at = now;
        for digit in digits.chars().filter(|digit| "0123456789*#ABCD".contains(*digit)) {
            self.timers.add(at, Timer::Call { serial, step: CallStep::FarDigit(digit) });
            at += super::pcm::DIGIT_SPACING;
        }
        Ok(())
    }

    pub(super) fn on_call_step(&mut self, serial: u64, step: CallStep, now: Instant) {
        let Some(call) = self.calls.of(serial) else { return };
        match step {
            CallStep::Ring if call.is_outgoing => self.announce(serial, None),
            CallStep::Ring => self.ring(serial, now),
            CallStep::Alert => self.on_alert(serial, now),
            CallStep::FalseAnswer => self.change_call(serial, CallState::Active, now),
            CallStep::Far(outcome) => self.on_outcome(serial, outcome, now),
            CallStep::GiveUp if matches!(call.state, CallState::Incoming | CallState::Waiting) => {
                self.release_call(serial, NORMAL, Releaser::FarEnd, now);
            }
            CallStep::GiveUp => {}
            CallStep::FarDigit(digit) => self.hear_digit(digit),
            CallStep::Reboot => self.restart(Duration::ZERO, now),
        }
    }

    fn on_alert(&mut self, serial: u64, now: Instant) {
        let number = self.calls.of(serial).map(|call| call.number.clone()).unwrap_or_default();
        let plan = self.calls.plan_for(&number);
        if self.faults.take(|fault| matches!(fault, Fault::EarlyNoCarrier { .. }).then_some(())).is_some() {
            self.urc("NO CARRIER");
        }
        match plan.outcome {
            Outcome::Stuck => return,
            Outcome::Congestion | Outcome::Unallocated => return self.on_outcome(serial, plan.outcome, now),
            Outcome::Answer if plan.ring_ms == 0 => return self.change_call(serial, CallState::Active, now),
            Outcome::Answer | Outcome::Busy | Outcome::NoAnswer | Outcome::Reject | Outcome::Ring => {}
        }
        self.change_call(serial, CallState::Alerting, now);
        if self.personality.quirks.answers_falsely {
            let soon = now + Duration::from_millis(50);
            self.timers.add(soon, Timer::Call { serial, step: CallStep::FalseAnswer });
        }
        let due = match plan.outcome {
            Outcome::NoAnswer if plan.ring_ms == 0 => now + NETWORK_PATIENCE,
            _ => now + Duration::from_millis(plan.ring_ms),
        };
        self.timers.add(due, Timer::Call { serial, step: CallStep::Far(plan.outcome) });
    }

    fn on_outcome(&mut self, serial: u64, outcome: Outcome, now: Instant) {
        let is_unheard = self.personality.quirks.answers_falsely && outcome != Outcome::Answer;
        let cause = match outcome {
            Outcome::Ring | Outcome::Stuck => return,
            _ if is_unheard => return,
            Outcome::Answer => {
                self.change_call(serial, CallState::Active, now);
                return;
            }
            Outcome::Busy => BUSY,
            Outcome::Congestion => CONGESTION,
            Outcome::NoAnswer => NO_ANSWER,
            Outcome::Reject => REJECTED,
            Outcome::Unallocated => UNALLOCATED,
        };
        self.release_call(serial, cause, Releaser::FarEnd, now);
    }

    fn ring(&mut self, serial: u64, now: Instant) {
        let Some(call) = self.calls.of_mut(serial) else { return };
        let (number, state) = (call.number.clone(), call.state);
        call.rings += 1;
        let rings = call.rings;
        match state {
            CallState::Waiting if rings == 1 => {
                self.urc(&format!("+CCWA: \"{number}\",{},1", number_kind(&number)));
            }
            CallState::Incoming => {
                if self.settings.number("+CRC", 0) == 1 {
                    self.urc("+CRING: VOICE");
                } else if self.settings.keyed("+QINDCFG", "ring") != Some("0") {
                    self.urc("RING");
                }
                let is_late = rings == 1 && self.faults.has(&Fault::LateClip { on: true });
                if self.settings.number("+CLIP", 0) == 1 && !is_late {
                    let validity = u8::from(number.is_empty());
                    self.urc(&format!("+CLIP: \"{number}\",{},,,,{validity}", number_kind(&number)));
                }
            }
            _ => return,
        }
        self.timers.add(now + self.profile.timings.ring_every, Timer::Call { serial, step: CallStep::Ring });
    }

    /// Moves a call to `state` and announces it; equal states are announced once.
    pub(super) fn change_call(&mut self, serial: u64, state: CallState, now: Instant) {
        let Some(call) = self.calls.of_mut(serial).filter(|call| call.state != state) else { return };
        let was_answered = call.answered.is_some();
        call.state = state;
        if state == CallState::Active && !was_answered {
            call.answered = Some(now);
        }
        self.announce(serial, None);
        if state == CallState::Active && !was_answered {
            if self.personality.family == Family::Simcom {
                self.urc("VOICE CALL: BEGIN");
            }
            let reboot = self.faults.take(|fault| match fault {
                Fault::RebootInCall { after_ms } => Some(Duration::from_millis(*after_ms)),
                _ => None,
            });
            if let Some(after) = reboot {
                self.timers.add(now + after, Timer::Call { serial, step: CallStep::Reboot });
            }
        }
        self.update_stream(now);
    }

    /// Ends a call; a waiting call that is left alone rings as an incoming one.
    pub(super) fn release_call(&mut self, serial: u64, cause: u8, releaser: Releaser, now: Instant) {
        let Some(call) = self.calls.of_mut(serial) else { return };
        let was = call.state;
        call.state = CallState::Released;
        let answered = call.answered;
        self.timers.drop_call(serial);
        self.calls.last_cause = Some(cause);
        let is_silent = releaser == Releaser::FarEnd
            && self.faults.take(|fault| matches!(fault, Fault::SilentCallEnd { .. }).then_some(())).is_some();
        if is_silent {
            self.report_call(serial, Some(cause));
        } else {
            self.announce(serial, Some(cause));
            self.announce_end(serial, (was, answered, cause), releaser, now);
        }
        self.calls.list.retain(|call| call.serial != serial);
        self.promote_waiting(now);
        self.update_stream(now);
    }

    /// Ends every call because the network or the modem is gone.
    pub(super) fn calls_lost(&mut self, now: Instant) {
        let serials: Vec<u64> = self.calls.list.iter().map(|call| call.serial).collect();
        for serial in serials {
            self.release_call(serial, 38, Releaser::FarEnd, now);
        }
    }

    pub(super) fn record_digit(&mut self, digit: char) {
        if let Some(call) = self.calls.list.iter_mut().find(|call| call.state == CallState::Active) {
            call.digits.push(digit);
        }
        self.outputs.push_back(Output::DigitSent(digit));
    }

    fn promote_waiting(&mut self, now: Instant) {
        let others = self.calls.list.iter().any(|call| call.state != CallState::Waiting);
        if let (false, Some(serial)) = (others, self.calls.first(&[CallState::Waiting])) {
            if let Some(call) = self.calls.of_mut(serial) {
                call.rings = 0;
            }
            self.change_call(serial, CallState::Incoming, now);
            self.ring(serial, now);
        }
    }

    fn hear_digit(&mut self, digit: char) {
        self.pcm.hear_digit(digit);
        match self.personality.family {
            Family::Quectel if self.settings.number("+QTONEDET", 0) == 1 => {
                self.urc(&format!("+QTONEDET: {}", u32::from(digit)));
            }
            Family::Simcom if self.settings.number("+DDET", 0) == 1 => self.urc(&format!("+RXDTMF: {digit}")),
            Family::Quectel | Family::Simcom => {}
        }
    }

    fn report_call(&mut self, serial: u64, cause: Option<u8>) {
        if let Some(call) = self.calls.of(serial) {
            self.outputs.push_back(Output::CallChanged(call.report(cause)));
        }
    }

    /// Tells the host, in the words of the family, and the tester.
    fn announce(&mut self, serial: u64, cause: Option<u8>) {
        self.report_call(serial, cause);
        let Some(call) = self.calls.of(serial) else { return };
        let (listing, index, direction) = (call.listing(), call.index, u8::from(!call.is_outgoing));
        let (state, number, kind) = (call.state, call.number.clone(), number_kind(&call.number));
        let conference = u8::from(call.is_conference);
        match self.personality.family {
            Family::Simcom => {
                if self.settings.number("+CLCC", 0) == 1 {
                    self.urc(&format!("+CLCC: {listing}"));
                }
            }
            Family::Quectel if self.personality.quirks.lacks_call_reports => {}
            Family::Quectel => {
                if self.settings.number("^DSCI", 0) == 1 {
                    let code = dsci_code(state);
                    self.urc(&format!("^DSCI: {index},{direction},{code},0,{number},{kind}"));
                }
                if self.settings.keyed("+QINDCFG", "ccinfo") == Some("1") {
                    let code = if state == CallState::Released { -1 } else { i16::from(state.code()) };
                    let line = format!("{index},{direction},{code},0,{conference},\"{number}\",{kind}");
                    self.urc(&format!("+QIND: \"ccinfo\",{line}"));
                }
            }
        }
    }

    fn announce_end(
        &mut self,
        serial: u64,
        (was, answered, cause): (CallState, Option<Instant>, u8),
        releaser: Releaser,
        now: Instant,
    ) {
        let number = self.calls.of(serial).map(|call| call.number.clone()).unwrap_or_default();
        if self.personality.family == Family::Simcom {
            let space = if self.personality.quirks.omits_end_space { "" } else { " " };
            if let Some(answered) = answered {
                let seconds = now.saturating_duration_since(answered).as_secs();
                self.urc(&format!("VOICE CALL:{space}END: {seconds:06}"));
            } else if was == CallState::Dialing || was == CallState::Alerting {
                self.urc(&format!("VOICE CALL:{space}END"));
            }
        }
        if releaser == Releaser::Host {
            return;
        }
        if self.personality.family == Family::Simcom && was == CallState::Incoming {
            let civil = crate::gsm::timestamp::Civil::from_unix(self.unix_seconds(now));
            let (hour, half) = (civil.hour, if civil.hour < 12 { "AM" } else { "PM" });
            let hour = if hour % 12 == 0 { 12 } else { hour % 12 };
            self.urc(&format!("MISSED_CALL: {hour:02}:{:02}{half} {number}", civil.minute));
        }
        match (was, cause) {
            (CallState::Waiting, _) => {}
            (CallState::Dialing | CallState::Alerting, BUSY) => self.urc("BUSY"),
            (CallState::Alerting, NO_ANSWER) => self.urc("NO ANSWER"),
            _ => self.urc("NO CARRIER"),
        }
    }
}

/// Who ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Releaser {
    FarEnd,
    Host,
}

/// Type of a number as `CLCC` and `CLIP` give it (TS 24.008 §10.5.4.7).
pub(super) fn number_kind(number: &str) -> u8 {
    match number {
        "" => 128,
        _ if number.starts_with('+') => 145,
        _ => 129,
    }
}

/// States of `^DSCI`.
fn dsci_code(state: CallState) -> u8 {
    match state {
        CallState::Active => 3,
        CallState::Held => 1,
        CallState::Dialing => 2,
        CallState::Alerting => 7,
        CallState::Incoming => 4,
        CallState::Waiting => 5,
        CallState::Released => 6,
    }
}
