//! What is due when.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use super::Reply;
use super::calls::CallStep;
use super::parser::Command;
use super::ussd::UssdReply;
use crate::gsm::tpdu::Submit;

/// Something that happens at a time set before.
#[derive(Clone)]
pub(super) enum Timer {
    Answering,
    Leave {
        returns: bool,
    },
    Return,
    Urc(String),
    SimReady,
    Register,
    Execute {
        port: u8,
        commands: VecDeque<Command>,
    },
    Prompt {
        port: u8,
    },
    /// The host has stopped typing.
    Flush {
        port: u8,
    },
    Complete {
        port: u8,
        reply: Reply,
    },
    Submit {
        port: u8,
        submit: Box<Submit>,
        verb: &'static str,
    },
    Report {
        pdu: Vec<u8>,
    },
    AcknowledgeMissing,
    Ussd {
        reply: UssdReply,
    },
    Call {
        serial: u64,
        step: CallStep,
    },
    Frame,
    /// The host may write samples, or is to hold off.
    Flow {
        is_open: bool,
    },
}

/// Timers by time; equal times fire in the order in which they were added.
#[derive(Default)]
pub(super) struct Timers {
    queue: BTreeMap<(Instant, u64), Timer>,
    added: u64,
}

impl Timers {
    pub(super) fn add(&mut self, at: Instant, timer: Timer) {
        self.added += 1;
        self.queue.insert((at, self.added), timer);
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, Timer)> {
        let entry = self.queue.first_entry().filter(|entry| entry.key().0 <= now)?;
        let ((at, _), timer) = entry.remove_entry();
        Some((at, timer))
    }

    /// Drops what a modem without power forgets; the network keeps its own.
    pub(super) fn drop_modem(&mut self) {
        self.queue.retain(|_, timer| matches!(timer, Timer::Report { .. }));
    }

    /// Drops what was to end the command in progress on `port`.
    pub(super) fn drop_port(&mut self, port: u8) {
        self.queue.retain(|_, timer| match timer {
            Timer::Complete { port: of, .. } | Timer::Prompt { port: of } => *of != port,
            _ => true,
        });
    }

    pub(super) fn drop_call(&mut self, serial: u64) {
        self.queue.retain(|_, timer| !matches!(timer, Timer::Call { serial: of, .. } if *of == serial));
    }

    pub(super) fn drop_matching(&mut self, is_unwanted: impl Fn(&Timer) -> bool) {
        self.queue.retain(|_, timer| !is_unwanted(timer));
    }
}
