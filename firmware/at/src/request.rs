//! What is asked of the channel.

use std::fmt;
use std::time::Duration;

/// How long a command may take unless it says otherwise. Quectel promises 300 ms for local commands; SIM access is slower.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Which lines are part of the answer; every other line is unsolicited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Only a final result.
    Nothing,
    /// Lines that begin with one of these, such as `+CREG:`.
    Prefixed(Vec<&'static str>),
    /// Every line that is not a known unsolicited code, as `AT+CGMI` answers.
    AnyLine,
    /// Lines that begin with this, each followed by octets in hexadecimal (`+CMGR:`, `+CMGL:`).
    Pdus(&'static str),
}

/// Who goes first in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Call control.
    Urgent,
    /// Everything that somebody waits for.
    Normal,
    /// Proofs of life.
    Background,
}

/// One command with what is needed to recognise its answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Request<T> {
    /// The caller's name for it.
    pub token: T,
    /// The command line without its CR.
    pub text: String,
    /// The lines of its answer.
    pub answer: Answer,
    /// What goes out after the prompt `> `, without the closing Ctrl-Z (TS 27.005 §3.5.1).
    pub payload: Option<String>,
    /// Whether `NO CARRIER`, `BUSY`, `NO ANSWER` and `NO DIALTONE` end it (`ATD`, `ATA`).
    pub is_call_control: bool,
    /// Longest wait for the final result, from the moment it is written (or the payload is).
    pub timeout: Duration,
    /// Its place in the queue.
    pub priority: Priority,
}

impl<T> Request<T> {
    /// A command that answers with a final result alone.
    pub fn new(token: T, text: impl Into<String>) -> Self {
        Self {
            token,
            text: text.into(),
            answer: Answer::Nothing,
            payload: None,
            is_call_control: false,
            timeout: DEFAULT_TIMEOUT,
            priority: Priority::Normal,
        }
    }

    /// The answer's lines begin with this; may be said several times.
    #[must_use]
    pub fn prefix(mut self, prefix: &'static str) -> Self {
        match &mut self.answer {
            Answer::Prefixed(prefixes) => prefixes.push(prefix),
            Answer::Nothing | Answer::AnyLine | Answer::Pdus(_) => self.answer = Answer::Prefixed(vec![prefix]),
        }
        self
    }

    /// Says which lines are the answer.
    #[must_use]
    pub fn answer_of(mut self, answer: Answer) -> Self {
        self.answer = answer;
        self
    }

    /// Sends this after the prompt.
    #[must_use]
    pub fn payload(mut self, payload: String) -> Self {
        self.payload = Some(payload);
        self
    }

    /// Lets call progress results end the command.
    #[must_use]
    pub fn call_control(mut self) -> Self {
        self.is_call_control = true;
        self
    }

    /// Changes the longest wait.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Changes the place in the queue.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }
}

/// Shows the command's name only: its values can be a PIN, a number or a text.
impl<T: fmt::Debug> fmt::Debug for Request<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.text.split(['=', ';']).next().unwrap_or_default();
        f.debug_struct("Request").field("token", &self.token).field("command", &name).finish_non_exhaustive()
    }
}
