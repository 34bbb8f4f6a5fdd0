//! The machine: one command at a time on one AT port.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::framing::LineBuffer;
use crate::request::{Answer, Request};
use crate::result::FinalResult;
use crate::urc::{self, Urc, hex_octets};

/// Requests that wait at most; more are refused.
pub const QUEUE_BOUND: usize = 64;

/// How long the prompt for a short message may take.
const PROMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one marker may take. Three of them make 5.4 s, after which a port counts as silent.
const MARKER_TIMEOUT: Duration = Duration::from_millis(1800);
/// How long a port must say nothing when a marker's answer may be the late one to an older, equal marker.
const QUIET: Duration = Duration::from_millis(500);
/// Markers that go out before the port counts as silent.
const MARKER_ATTEMPTS: u8 = 3;
/// An answer that is still growing is not late.
const PROGRESS_EXTENSION: Duration = Duration::from_secs(5);
/// Lines of one answer that are kept: a full memory of 255 parts, twice over.
const ANSWER_LINES: usize = 1024;
/// Lines that may stand between the two of a two-line code.
const LINES_BETWEEN: u8 = 8;

/// Harmless questions whose answers name them: by such an answer the channel knows that everything older has passed.
/// Several, taken in turn, so that the late answer to one is not taken for the answer to the next.
const MARKERS: [(&str, &str); 4] =
    [("AT+CMEE?", "+CMEE:"), ("AT+CMGF?", "+CMGF:"), ("AT+CSCS?", "+CSCS:"), ("AT+CRC?", "+CRC:")];

const CTRL_Z: u8 = 0x1a;
const ESCAPE: u8 = 0x1b;

/// What a command was waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitingFor {
    /// The prompt `> `: the payload was never written.
    Prompt,
    /// The final result.
    Answer,
}

/// What the channel yields, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output<T> {
    /// Bytes for the port.
    Write(Vec<u8>),
    /// A command ended.
    Completed {
        /// Which.
        token: T,
        /// Its lines, without the final result.
        lines: Vec<String>,
        /// How.
        result: FinalResult,
    },
    /// A command got no answer in time. The channel settles by itself before it writes the next.
    TimedOut {
        /// Which.
        token: T,
        /// What was missing.
        waiting_for: WaitingFor,
    },
    /// A command was given up before it was written, because the port is silent.
    NotSent {
        /// Which.
        token: T,
    },
    /// The modem said something by itself.
    Unsolicited(Urc),
    /// The port is silent: none of several markers was answered. The next request tries again.
    Lost,
}

/// The queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the queue of the AT port is full")]
pub struct QueueFull;

#[derive(Debug)]
enum State<T> {
    Idle,
    InFlight(InFlight<T>),
    /// Late answers are thrown away until a marker is answered.
    Settling(Settling),
    /// The markers were not answered.
    Lost,
}

#[derive(Debug)]
struct InFlight<T> {
    request: Request<T>,
    waiting_for: WaitingFor,
    deadline: Instant,
    lines: Vec<String>,
}

#[derive(Debug)]
struct Settling {
    /// What a late answer would look like.
    late: Option<Answer>,
    may_hold_prompt: bool,
    /// Which of [`MARKERS`] was written last.
    marker: usize,
    is_marker_seen: bool,
    /// The marker was answered, but perhaps an older one like it: the rest passes until nothing more comes.
    is_draining: bool,
    attempt: u8,
    deadline: Instant,
}

/// A first line that waits for what belongs to it.
#[derive(Debug)]
enum Pending {
    Pdu { header: String, tpdu_length: usize, lines_left: u8 },
    Text { text: String, lines_left: u8 },
}

/// One AT port. See the crate's documentation for its use, and `docs/architecture.md` for the contract of machines.
#[derive(Debug)]
pub struct Channel<T> {
    state: State<T>,
    queue: VecDeque<Request<T>>,
    lines: LineBuffer,
    pending: Option<Pending>,
    next_marker: usize,
    /// How many of each marker were written and not answered since the port was last in step.
    unanswered_markers: [u8; MARKERS.len()],
    outputs: VecDeque<Output<T>>,
}

impl<T> Default for Channel<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Channel<T> {
    /// A channel that believes the port to be in step. Call [`Self::resynchronise`] when somebody else used it before.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: State::Idle,
            queue: VecDeque::new(),
            lines: LineBuffer::default(),
            pending: None,
            next_marker: 0,
            unanswered_markers: [0; MARKERS.len()],
            outputs: VecDeque::new(),
        }
    }

    /// Queues a command; writes it at once when nothing is in flight.
    ///
    /// # Errors
    /// [`QueueFull`] when [`QUEUE_BOUND`] commands wait.
    pub fn submit(&mut self, request: Request<T>, now: Instant) -> Result<(), QueueFull> {
        if self.queue.len() >= QUEUE_BOUND {
            return Err(QueueFull);
        }
        let place = self.queue.iter().position(|queued| queued.priority > request.priority);
        self.queue.insert(place.unwrap_or(self.queue.len()), request);
        match self.state {
            State::Idle => self.start_next(now),
            State::Lost => self.settle(None, false, 0, now),
            State::InFlight(_) | State::Settling(_) => {}
        }
        Ok(())
    }

    /// Takes bytes from the port.
    pub fn handle_bytes(&mut self, bytes: &[u8], now: Instant) {
        for byte in bytes {
            if *byte == b'>' && self.lines.is_empty() && self.on_prompt(now) {
                continue;
            }
            if let Some(line) = self.lines.push(*byte) {
                self.on_line(line, now);
            }
        }
    }

    /// Tells that time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|deadline| now < deadline) {
            return;
        }
        match std::mem::replace(&mut self.state, State::Idle) {
            State::InFlight(in_flight) => self.on_no_answer(in_flight, now),
            State::Settling(settling) if settling.is_draining => self.on_settled(now),
            State::Settling(settling) if settling.attempt + 1 < MARKER_ATTEMPTS => {
                self.settle(settling.late, settling.may_hold_prompt, settling.attempt + 1, now);
            }
            State::Settling(_) => self.on_lost(),
            other @ (State::Idle | State::Lost) => self.state = other,
        }
    }

    /// The next output, oldest first.
    pub fn poll_output(&mut self) -> Option<Output<T>> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::InFlight(in_flight) => Some(in_flight.deadline),
            State::Settling(settling) => Some(settling.deadline),
            State::Idle | State::Lost => None,
        }
    }

    /// Forgets every command and throws away what still arrives for them, until a marker is answered. Returns the
    /// command that was in flight.
    pub fn resynchronise(&mut self, now: Instant) -> Option<(T, WaitingFor)> {
        let in_flight = self.forget();
        self.settle(Some(Answer::AnyLine), true, 0, now);
        in_flight
    }

    /// Forgets every command because the modem did: it restarted, and no late answer can come. Returns the command
    /// that was in flight.
    pub fn forget(&mut self) -> Option<(T, WaitingFor)> {
        self.queue.clear();
        self.pending = None;
        match std::mem::replace(&mut self.state, State::Idle) {
            State::InFlight(in_flight) => Some((in_flight.request.token, in_flight.waiting_for)),
            State::Idle | State::Settling(_) | State::Lost => None,
        }
    }

    fn write_line(&mut self, text: &str) {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(b'\r');
        self.outputs.push_back(Output::Write(bytes));
    }

    fn start_next(&mut self, now: Instant) {
        self.state = State::Idle;
        let Some(request) = self.queue.pop_front() else { return };
        self.write_line(&request.text);
        let (waiting_for, patience) = match request.payload {
            Some(_) => (WaitingFor::Prompt, PROMPT_TIMEOUT),
            None => (WaitingFor::Answer, request.timeout),
        };
        self.state = State::InFlight(InFlight { request, waiting_for, deadline: now + patience, lines: Vec::new() });
    }

    fn on_no_answer(&mut self, in_flight: InFlight<T>, now: Instant) {
        let InFlight { request, waiting_for, .. } = in_flight;
        self.outputs.push_back(Output::TimedOut { token: request.token, waiting_for });
        if waiting_for == WaitingFor::Prompt {
            self.outputs.push_back(Output::Write(vec![ESCAPE]));
        }
        self.settle(Some(request.answer), request.payload.is_some(), 0, now);
    }

    fn settle(&mut self, late: Option<Answer>, may_hold_prompt: bool, attempt: u8, now: Instant) {
        let marker = self.next_marker;
        self.next_marker = (marker + 1) % MARKERS.len();
        let text = MARKERS.get(marker).map_or("AT+CMEE?", |(text, _)| *text);
        if let Some(unanswered) = self.unanswered_markers.get_mut(marker) {
            *unanswered = unanswered.saturating_add(1);
        }
        if may_hold_prompt && attempt > 0 {
            // The marker before may have become the text of a message: the modem is left nothing to send.
            self.outputs.push_back(Output::Write(vec![ESCAPE, b'\r']));
        }
        if attempt == 1 {
            // Another program may have asked for results in numbers (`ATV0`) or for none (`ATQ1`), V.250 §6.2.5, §6.2.6.
            self.write_line(&text.replacen("AT", "ATQ0V1", 1));
        } else {
            self.write_line(text);
        }
        let deadline = now + MARKER_TIMEOUT;
        self.state = State::Settling(Settling {
            late,
            may_hold_prompt,
            marker,
            is_marker_seen: false,
            is_draining: false,
            attempt,
            deadline,
        });
    }

    /// Everything older has passed.
    fn on_settled(&mut self, now: Instant) {
        self.unanswered_markers = [0; MARKERS.len()];
        self.start_next(now);
    }

    fn on_lost(&mut self) {
        self.state = State::Lost;
        for request in self.queue.drain(..) {
            self.outputs.push_back(Output::NotSent { token: request.token });
        }
        self.outputs.push_back(Output::Lost);
    }

    /// Returns whether the `>` was a prompt.
    fn on_prompt(&mut self, now: Instant) -> bool {
        match &mut self.state {
            State::InFlight(in_flight) if in_flight.waiting_for == WaitingFor::Prompt => {
                in_flight.waiting_for = WaitingFor::Answer;
                in_flight.deadline = now + in_flight.request.timeout;
                let mut bytes = in_flight.request.payload.clone().unwrap_or_default().into_bytes();
                bytes.push(CTRL_Z);
                self.outputs.push_back(Output::Write(bytes));
                true
            }
            State::Settling(settling) if settling.may_hold_prompt => {
                self.outputs.push_back(Output::Write(vec![ESCAPE]));
                true
            }
            State::InFlight(_) | State::Settling(_) | State::Idle | State::Lost => false,
        }
    }

    fn on_line(&mut self, line: String, now: Instant) {
        if !self.is_in_text() && self.is_echo(&line) {
            return;
        }
        let Some(line) = self.join_pending(line) else { return };
        if let Some(result) = FinalResult::parse(&line) {
            return self.on_result(line, result, now);
        }
        if self.belongs_to_answer(&line) {
            return self.collect(line, now);
        }
        self.on_unsolicited(line);
    }

    /// Whether the line belongs to a text that spans lines. Such a text may say anything, also what looks like an echo;
    /// a modem puts no echo into it, and the lines that belong to it are bounded.
    fn is_in_text(&self) -> bool {
        matches!(self.pending, Some(Pending::Text { .. }))
    }

    fn is_echo(&self, line: &str) -> bool {
        if let Some(rest) = line.strip_prefix("AT")
            && (rest.is_empty() || rest.starts_with(['+', '^', '$', '&', 'A', 'D', 'E', 'H', 'I', 'Q', 'V', 'Z']))
        {
            return true;
        }
        match &self.state {
            State::InFlight(InFlight { request, .. }) => {
                let is_payload = request.payload.as_ref().is_some_and(|payload| line.ends_with(payload.as_str()));
                is_payload || (request.text.len() > 4 && line.ends_with(&request.text))
            }
            State::Idle | State::Settling(_) | State::Lost => false,
        }
    }

    /// Gives a line to the two-line code that waits for it; returns the line when there is none.
    fn join_pending(&mut self, line: String) -> Option<String> {
        match self.pending.take() {
            None => Some(line),
            Some(Pending::Text { text, .. }) if FinalResult::parse(&line).is_some() || urc::is_known(&line) => {
                // The text was cut off; this line is not part of it.
                self.outputs.push_back(Output::Unsolicited(Urc::Line(text)));
                Some(line)
            }
            Some(Pending::Text { text, lines_left }) => {
                let text = format!("{text}\n{line}");
                if line.contains('"') || lines_left == 0 {
                    self.outputs.push_back(Output::Unsolicited(Urc::Line(text)));
                } else {
                    self.pending = Some(Pending::Text { text, lines_left: lines_left - 1 });
                }
                None
            }
            Some(Pending::Pdu { header, tpdu_length, lines_left }) => match hex_octets(&line) {
                Some(pdu) if urc::has_tpdu_length(&pdu, tpdu_length) || !self.expects_pdu() => {
                    self.outputs.push_back(Output::Unsolicited(Urc::WithPdu { header, pdu }));
                    None
                }
                Some(_) | None => {
                    self.keep_pending(header, tpdu_length, lines_left);
                    Some(line)
                }
            },
        }
    }

    fn keep_pending(&mut self, header: String, tpdu_length: usize, lines_left: u8) {
        match lines_left.checked_sub(1) {
            Some(lines_left) => self.pending = Some(Pending::Pdu { header, tpdu_length, lines_left }),
            // Its octets are lost; the first line alone says that something arrived.
            None => self.outputs.push_back(Output::Unsolicited(Urc::Line(header))),
        }
    }

    fn expects_pdu(&self) -> bool {
        match &self.state {
            State::InFlight(in_flight) => matches!(in_flight.request.answer, Answer::Pdus(_)),
            State::Settling(settling) => matches!(settling.late, Some(Answer::Pdus(_))),
            State::Idle | State::Lost => false,
        }
    }

    fn belongs_to_answer(&self, line: &str) -> bool {
        match &self.state {
            State::InFlight(in_flight) => is_answer(&in_flight.request.answer, line),
            State::Settling(settling) => {
                answered_marker(line).is_some() || settling.late.as_ref().is_some_and(|answer| is_answer(answer, line))
            }
            State::Idle | State::Lost => false,
        }
    }

    fn collect(&mut self, line: String, now: Instant) {
        match &mut self.state {
            State::InFlight(in_flight) => {
                in_flight.deadline = in_flight.deadline.max(now + PROGRESS_EXTENSION);
                if in_flight.lines.len() < ANSWER_LINES {
                    in_flight.lines.push(line);
                }
            }
            State::Settling(settling) => {
                let Some(marker) = answered_marker(&line) else { return };
                settling.is_marker_seen |= marker == settling.marker;
                if let Some(unanswered) = self.unanswered_markers.get_mut(marker) {
                    *unanswered = unanswered.saturating_sub(1);
                }
            }
            State::Idle | State::Lost => {}
        }
    }

    fn on_result(&mut self, line: String, result: FinalResult, now: Instant) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::InFlight(in_flight) if ends(&in_flight, &result) => {
                let InFlight { request, lines, .. } = in_flight;
                self.outputs.push_back(Output::Completed { token: request.token, lines, result });
                self.start_next(now);
            }
            State::Settling(settling) if settling.is_marker_seen && result.is_ok() => {
                if self.unanswered_markers.get(settling.marker).is_none_or(|unanswered| *unanswered == 0) {
                    self.on_settled(now);
                } else {
                    self.state = State::Settling(Settling { is_draining: true, deadline: now + QUIET, ..settling });
                }
            }
            state => {
                self.state = state;
                if result.is_call_progress() {
                    self.on_unsolicited(line);
                }
            }
        }
    }

    fn on_unsolicited(&mut self, line: String) {
        let lines_left = LINES_BETWEEN;
        if let Some(tpdu_length) = urc::announced_tpdu_length(&line) {
            if let Some(Pending::Pdu { header, .. }) = self.pending.take() {
                self.outputs.push_back(Output::Unsolicited(Urc::Line(header)));
            }
            self.pending = Some(Pending::Pdu { header: line, tpdu_length, lines_left });
        } else if urc::opens_text(&line) && self.pending.is_none() {
            self.pending = Some(Pending::Text { text: line, lines_left });
        } else {
            self.outputs.push_back(Output::Unsolicited(Urc::Line(line)));
        }
    }
}

/// Which of [`MARKERS`] the line answers.
fn answered_marker(line: &str) -> Option<usize> {
    MARKERS.iter().position(|(_, prefix)| line.starts_with(prefix))
}

fn is_answer(answer: &Answer, line: &str) -> bool {
    match answer {
        Answer::Nothing => false,
        Answer::Prefixed(prefixes) => prefixes.iter().any(|prefix| line.starts_with(prefix)),
        Answer::AnyLine => !urc::is_known(line),
        Answer::Pdus(prefix) => line.starts_with(prefix) || hex_octets(line).is_some(),
    }
}

fn ends<T>(in_flight: &InFlight<T>, result: &FinalResult) -> bool {
    if result.is_call_progress() {
        return in_flight.request.is_call_control;
    }
    // Before the prompt only a refusal is an answer to this command.
    in_flight.waiting_for == WaitingFor::Answer || !result.is_ok()
}
