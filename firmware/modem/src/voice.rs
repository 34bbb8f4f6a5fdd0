//! Voice over USB: switching the PCM port on when a call is up and off when it is over.

use std::time::{Duration, Instant};

use crate::call::{self, urgent};
use crate::event::{CallEvent, Event};
use crate::family::Family;
use crate::port::{Outcome, Port};

/// SIM7600 refuses `AT+CPCMREG=1` for some hundred milliseconds from its second call on.
const ATTEMPTS: u8 = 5;
const RETRY: Duration = Duration::from_millis(300);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    On,
    Check,
    Off,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Off,
    /// Being switched on; the step is asked again at `retry_at`.
    Starting {
        step: Start,
        failures: u8,
        retry_at: Option<Instant>,
    },
    On,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Enable,
    ReadBack,
}

/// The PCM port of one modem.
#[derive(Debug, Default)]
pub(crate) struct Voice {
    state: State,
    /// Calls in a row in which nothing usable was heard.
    dead_calls: u8,
    is_dead: bool,
}

impl Voice {
    pub(crate) fn start(&mut self, port: &mut Port, now: Instant) {
        if !port.has_voice {
            let reason = "this modem has no voice over USB".to_owned();
            return port.emit(Event::Call(CallEvent::AudioRefused(reason)));
        }
        self.state = State::Starting { step: Start::Enable, failures: 0, retry_at: None };
        self.ask(port, Start::Enable, now);
    }

    /// Nothing usable arrives: off and on again.
    pub(crate) fn restart(&mut self, port: &mut Port, now: Instant) {
        self.is_dead = true;
        if matches!(self.state, State::On) {
            self.switch_off(port, now);
            self.start(port, now);
        }
    }

    pub(crate) fn stop(&mut self, port: &mut Port, now: Instant) {
        if !matches!(self.state, State::Off) {
            self.switch_off(port, now);
            self.state = State::Off;
            self.dead_calls = if std::mem::take(&mut self.is_dead) { self.dead_calls.saturating_add(1) } else { 0 };
        }
    }

    /// Whether samples may be flowing.
    pub(crate) fn is_on(&self) -> bool {
        matches!(self.state, State::On)
    }

    /// Whether audio died in two calls in a row, which only a reset of the modem mends. Asking forgets.
    pub(crate) fn take_reset_wish(&mut self) -> bool {
        let is_wanted = self.dead_calls >= 2;
        if is_wanted {
            self.dead_calls = 0;
        }
        is_wanted
    }

    pub(crate) fn on_reset(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Starting { retry_at, .. } => retry_at,
            State::Off | State::On => None,
        }
    }

    pub(crate) fn handle_timeout(&mut self, port: &mut Port, now: Instant) {
        if let State::Starting { step, retry_at, .. } = &mut self.state
            && retry_at.is_some_and(|at| at <= now)
        {
            *retry_at = None;
            let step = *step;
            self.ask(port, step, now);
        }
    }

    pub(crate) fn handle_outcome(&mut self, port: &mut Port, asked: Step, outcome: &Outcome, now: Instant) {
        let State::Starting { step, failures, retry_at } = &mut self.state else { return };
        let is_done = match (asked, *step) {
            (Step::On, Start::Enable) if outcome.is_ok() && port.family == Family::Simcom => {
                (*step, *failures) = (Start::ReadBack, 0);
                return self.ask(port, Start::ReadBack, now);
            }
            (Step::On, Start::Enable) => outcome.is_ok(),
            (Step::Check, Start::ReadBack) => reads_back_on(outcome),
            (Step::On | Step::Check | Step::Off, _) => return,
        };
        *failures = failures.saturating_add(1);
        if !is_done && *failures < ATTEMPTS {
            *retry_at = Some(now + RETRY);
            return;
        }
        // A SIM7600 that accepted and still reads back 0 may do it later; what arrives will tell.
        let event = if is_done || *step == Start::ReadBack {
            self.state = State::On;
            CallEvent::AudioReady
        } else {
            self.state = State::Off;
            // Counted here, as there is nothing to switch off when the call is over.
            self.is_dead = false;
            self.dead_calls = self.dead_calls.saturating_add(1);
            CallEvent::AudioRefused(format!("the modem refused voice over USB: {}", outcome.in_words()))
        };
        port.emit(Event::Call(event));
    }

    fn ask(&mut self, port: &mut Port, step: Start, now: Instant) {
        let request = match (step, port.family) {
            (Start::ReadBack, _) => urgent(call::Step::Voice(Step::Check), "AT+CPCMREG?").prefix("+CPCMREG:"),
            (Start::Enable, Family::Simcom) => urgent(call::Step::Voice(Step::On), "AT+CPCMREG=1"),
            (Start::Enable, Family::Quectel | Family::Standard) => urgent(call::Step::Voice(Step::On), "AT+QPCMV=1,0"),
        };
        port.ask(request.timeout(Duration::from_secs(3)), now);
    }

    fn switch_off(&self, port: &mut Port, now: Instant) {
        let command = match port.family {
            Family::Simcom => "AT+CPCMREG=0",
            Family::Quectel | Family::Standard => "AT+QPCMV=0",
        };
        port.ask(urgent(call::Step::Voice(Step::Off), command).timeout(Duration::from_secs(3)), now);
    }
}

fn reads_back_on(outcome: &Outcome) -> bool {
    outcome.ok_lines().is_some_and(|lines| lines.iter().any(|line| at::value(line, "+CPCMREG:") == Some("1")))
}
