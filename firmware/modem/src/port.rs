//! What the parts of the machine share: the AT channel and the one stream of outputs.

use std::collections::VecDeque;
use std::time::Instant;

use at::{Channel, FinalResult, Request, WaitingFor};

use crate::event::Event;
use crate::family::Family;
use crate::{bring_up, call, keep_alive, storage, ussd};

/// What the machine yields, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Bytes for the AT port.
    Write(Vec<u8>),
    /// Something that the box wants to know.
    Event(Event),
}

/// Who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    BringUp(bring_up::Step),
    Call(call::Step),
    KeepAlive(keep_alive::Step),
    Storage(storage::Step),
    Ussd(ussd::Step),
}

/// A step, and the life of the modem in which it was asked: what belongs to an earlier life is void.
#[derive(Debug)]
struct Tag {
    life: u32,
    step: Step,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done {
        lines: Vec<String>,
        result: FinalResult,
    },
    TimedOut(WaitingFor),
    /// Never written.
    NotSent,
}

impl Outcome {
    /// The lines of a command that worked.
    pub(crate) fn ok_lines(&self) -> Option<&[String]> {
        match self {
            Self::Done { lines, result: FinalResult::Ok } => Some(lines),
            Self::Done { .. } | Self::TimedOut(_) | Self::NotSent => None,
        }
    }

    pub(crate) fn is_ok(&self) -> bool {
        self.ok_lines().is_some()
    }

    /// Whether the modem did not answer at all.
    pub(crate) fn is_silence(&self) -> bool {
        match self {
            Self::Done { .. } => false,
            Self::TimedOut(_) | Self::NotSent => true,
        }
    }

    /// The number of a `+CME ERROR`.
    pub(crate) fn cme_error(&self) -> Option<u16> {
        match self {
            Self::Done { result: FinalResult::CmeError(code), .. } => code.number(),
            Self::Done { .. } | Self::TimedOut(_) | Self::NotSent => None,
        }
    }

    /// The number of a `+CMS ERROR`.
    pub(crate) fn cms_error(&self) -> Option<u16> {
        match self {
            Self::Done { result: FinalResult::CmsError(code), .. } => code.number(),
            Self::Done { .. } | Self::TimedOut(_) | Self::NotSent => None,
        }
    }

    /// In words, for reasons and refusals.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Done { result, .. } => result.to_string(),
            Self::TimedOut(_) => "no answer".to_owned(),
            Self::NotSent => "the AT port is silent".to_owned(),
        }
    }
}

/// What the channel has to say.
#[derive(Debug)]
pub(crate) enum Notice {
    Outcome(Step, Outcome),
    Unsolicited(at::Urc),
    Lost,
}

/// The AT port with everything that the parts of the machine share.
#[derive(Debug)]
pub(crate) struct Port {
    channel: Channel<Tag>,
    outputs: VecDeque<Output>,
    refused: VecDeque<Step>,
    life: u32,
    /// The dialect.
    pub(crate) family: Family,
    /// Whether there is a PCM port and the firmware knows voice over USB.
    pub(crate) has_voice: bool,
}

impl Port {
    pub(crate) fn new(family: Family, has_voice: bool) -> Self {
        Self { channel: Channel::new(), outputs: VecDeque::new(), refused: VecDeque::new(), life: 0, family, has_voice }
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Queues a command; a full queue is reported as an outcome.
    pub(crate) fn ask(&mut self, request: Request<Step>, now: Instant) {
        let life = self.life;
        let Request { token, text, answer, payload, is_call_control, timeout, priority } = request;
        let spare = token.clone();
        let token = Tag { life, step: token };
        let request = Request { token, text, answer, payload, is_call_control, timeout, priority };
        if self.channel.submit(request, now).is_err() {
            self.refused.push_back(spare);
        }
    }

    /// Writes a line past the channel, to a modem that does not answer.
    pub(crate) fn write_blindly(&mut self, line: &str) {
        self.flush();
        self.outputs.push_back(Output::Write(format!("{line}\r").into_bytes()));
    }

    pub(crate) fn handle_bytes(&mut self, bytes: &[u8], now: Instant) {
        self.channel.handle_bytes(bytes, now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.channel.handle_timeout(now);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.channel.poll_timeout()
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Forgets every command, and what still arrives for them. Returns the step that was in flight.
    pub(crate) fn resynchronise(&mut self, now: Instant) -> Option<(Step, WaitingFor)> {
        self.life = self.life.wrapping_add(1);
        self.refused.clear();
        self.channel.resynchronise(now).map(|(tag, waiting_for)| (tag.step, waiting_for))
    }

    /// Forgets every command of a modem that forgot them too. Returns the step that was in flight.
    pub(crate) fn forget(&mut self) -> Option<(Step, WaitingFor)> {
        self.life = self.life.wrapping_add(1);
        self.refused.clear();
        self.channel.forget().map(|(tag, waiting_for)| (tag.step, waiting_for))
    }

    /// The next thing that the channel says; bytes to write go to the stream of outputs on the way.
    pub(crate) fn poll_notice(&mut self) -> Option<Notice> {
        if let Some(step) = self.refused.pop_front() {
            return Some(Notice::Outcome(step, Outcome::NotSent));
        }
        while let Some(output) = self.channel.poll_output() {
            let (tag, outcome) = match output {
                at::Output::Write(bytes) => {
                    self.outputs.push_back(Output::Write(bytes));
                    continue;
                }
                at::Output::Unsolicited(urc) => return Some(Notice::Unsolicited(urc)),
                at::Output::Lost => return Some(Notice::Lost),
                at::Output::Completed { token, lines, result } => (token, Outcome::Done { lines, result }),
                at::Output::TimedOut { token, waiting_for } => (token, Outcome::TimedOut(waiting_for)),
                at::Output::NotSent { token } => (token, Outcome::NotSent),
            };
            if tag.life == self.life {
                return Some(Notice::Outcome(tag.step, outcome));
            }
        }
        None
    }

    /// Moves what the channel wants to write to the stream of outputs, so that order is kept.
    fn flush(&mut self) {
        // Nothing else can be waiting: the machine drains the channel after every byte.
        while let Some(at::Output::Write(bytes)) = self.channel.poll_output() {
            self.outputs.push_back(Output::Write(bytes));
        }
    }
}
