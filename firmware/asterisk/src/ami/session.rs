use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

use super::frame::{Action, Decoder, Frame, FrameError, InvalidField, Message};

/// How long Asterisk may take to greet and to accept the login.
const LOGIN_TIME: Duration = Duration::from_secs(5);

/// How long an action may take, from its submission to its last event.
const ACTION_TIME: Duration = Duration::from_secs(10);

/// A session that was quiet for this long is asked for a sign of life.
const QUIET_TIME: Duration = Duration::from_secs(15);

/// How long the sign of life may take.
const PING_TIME: Duration = Duration::from_secs(5);

/// The most actions under way at once; a further one is refused.
const MAX_PENDING: usize = 64;

/// The most events that one action may collect; a further one is dropped and the reply says so.
const MAX_LIST_EVENTS: usize = 2000;

const LOGIN_ID: &str = "hn-login";
const PING_ID: &str = "hn-ping";

/// Names one action of the caller's; it comes back with the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// Who logs in. `Debug` hides the secret.
#[derive(Clone)]
pub struct Login {
    action: Action,
}

impl Login {
    /// Takes the name and the secret of a manager user.
    ///
    /// # Errors
    /// When one holds a control character.
    pub fn new(user: &str, secret: &str) -> Result<Self, InvalidField> {
        Ok(Self { action: Action::new("Login").with("Username", user)?.with("Secret", secret)? })
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(…)")
    }
}

/// What the session is asked to do.
#[derive(Clone, Debug)]
pub struct Command {
    /// Comes back with the outcome; unique among the actions under way.
    pub token: Token,
    /// The action.
    pub action: Action,
}

/// What the session asks of its driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Bytes for the connection.
    Write(Vec<u8>),
    /// Something happened. After [`Event::Down`] the driver closes the connection and begins a new session.
    Event(Event),
}

/// What a session tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The login was accepted.
    LoggedIn,
    /// Asterisk has loaded everything.
    FullyBooted,
    /// A mailbox changed.
    MessageWaiting {
        /// The mailbox, for example `2001@homenichat`.
        mailbox: String,
        /// Messages not heard.
        new: u32,
        /// Messages heard.
        old: u32,
    },
    /// A device registered, left, or was found reachable or not.
    ContactStatus {
        /// The extension.
        aor: String,
        /// `Created`, `Removed`, `Updated`, `Reachable`, `Unreachable` or `NonQualified`.
        status: String,
    },
    /// An action ended.
    Completed {
        /// The action.
        token: Token,
        /// Asterisk's answer.
        reply: Reply,
    },
    /// An action got no complete answer in time, or could not be sent; whether it happened is not known.
    TimedOut {
        /// The action.
        token: Token,
    },
    /// An action was not sent, because the session is not logged in or too many are under way.
    Refused {
        /// The action.
        token: Token,
    },
    /// An event that this list lacks.
    Other {
        /// Its name.
        name: String,
        /// Its fields.
        message: Message,
    },
    /// The session is of no more use.
    Down(DownReason),
}

/// Asterisk's answer to an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Whether Asterisk did what was asked.
    pub is_success: bool,
    /// The response itself; its field `Message` says why not.
    pub response: Message,
    /// The events of a list action, without the one that ends the list.
    pub events: Vec<Message>,
    /// Whether events were dropped because there were too many.
    pub is_cut: bool,
}

/// Why a session is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DownReason {
    /// No greeting or no answer to the login in time.
    #[error("asterisk's manager interface did not answer the login within {} s", LOGIN_TIME.as_secs())]
    LoginTimedOut,
    /// The name or the secret is wrong.
    #[error("asterisk's manager interface refused our name or secret")]
    LoginRefused,
    /// No answer to a ping.
    #[error("asterisk's manager interface stopped answering")]
    Silent,
    /// What came is not the manager interface.
    #[error("what asterisk's manager interface sent could not be read")]
    Framing(#[source] FrameError),
    /// Asterisk said that it ends.
    #[error("asterisk is shutting down")]
    Shutdown,
}

/// One login to the manager interface, from the greeting to the end of the connection.
///
/// The contract is that of every machine of the box: after each call drain [`poll_output`](Self::poll_output), then
/// wait for bytes, a command or [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Session {
    decoder: Decoder,
    state: State,
    pending: BTreeMap<u64, Pending>,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum State {
    Greeting { login: Login, deadline: Instant },
    LoggingIn { deadline: Instant },
    Ready { pulse: Pulse },
    Down,
}

#[derive(Debug)]
enum Pulse {
    Quiet { until: Instant },
    Pinged { deadline: Instant },
}

#[derive(Debug)]
struct Pending {
    deadline: Instant,
    response: Option<Message>,
    events: Vec<Message>,
    is_cut: bool,
}

impl Session {
    /// Begins a session on a fresh connection.
    #[must_use]
    pub fn new(login: Login, now: Instant) -> Self {
        Self {
            decoder: Decoder::default(),
            state: State::Greeting { login, deadline: now + LOGIN_TIME },
            pending: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Sends an action. Its outcome is exactly one of `Completed`, `TimedOut` and `Refused`.
    pub fn submit(&mut self, command: Command, now: Instant) {
        let Command { token, action } = command;
        let is_ready = matches!(self.state, State::Ready { .. });
        if !is_ready || self.pending.len() >= MAX_PENDING || self.pending.contains_key(&token.0) {
            return self.emit(Event::Refused { token });
        }
        let pending = Pending { deadline: now + ACTION_TIME, response: None, events: Vec::new(), is_cut: false };
        self.pending.insert(token.0, pending);
        self.outputs.push_back(Output::Write(action.encode(&action_id(token))));
    }

    /// Takes bytes as they came from the connection.
    pub fn handle_bytes(&mut self, bytes: &[u8], now: Instant) {
        self.decoder.handle_bytes(bytes);
        while !matches!(self.state, State::Down) {
            match self.decoder.poll_frame() {
                Some(Ok(Frame::Banner)) => self.on_banner(),
                Some(Ok(Frame::Message(message))) => self.on_message(message, now),
                Some(Err(error)) => self.on_down(DownReason::Framing(error)),
                None => return,
            }
        }
    }

    /// Acts on every deadline that has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let late: Vec<u64> =
            self.pending.iter().filter(|(_, pending)| pending.deadline <= now).map(|(token, _)| *token).collect();
        for token in late {
            self.pending.remove(&token);
            self.emit(Event::TimedOut { token: Token(token) });
        }
        match &self.state {
            State::Greeting { deadline, .. } | State::LoggingIn { deadline } if *deadline <= now => {
                self.on_down(DownReason::LoginTimedOut);
            }
            State::Ready { pulse: Pulse::Quiet { until } } if *until <= now => {
                self.state = State::Ready { pulse: Pulse::Pinged { deadline: now + PING_TIME } };
                self.outputs.push_back(Output::Write(Action::new("Ping").encode(PING_ID)));
            }
            State::Ready { pulse: Pulse::Pinged { deadline } } if *deadline <= now => self.on_down(DownReason::Silent),
            State::Greeting { .. } | State::LoggingIn { .. } | State::Ready { .. } | State::Down => {}
        }
    }

    /// Returns the next thing for the driver to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = match &self.state {
            State::Greeting { deadline, .. }
            | State::LoggingIn { deadline }
            | State::Ready { pulse: Pulse::Quiet { until: deadline } | Pulse::Pinged { deadline } } => Some(*deadline),
            State::Down => None,
        };
        self.pending.values().map(|pending| pending.deadline).chain(own).min()
    }

    fn on_banner(&mut self) {
        if let State::Greeting { login, deadline } = &self.state {
            self.outputs.push_back(Output::Write(login.action.encode(LOGIN_ID)));
            self.state = State::LoggingIn { deadline: *deadline };
        }
    }

    fn on_message(&mut self, message: Message, now: Instant) {
        if let State::Ready { pulse } = &mut self.state {
            *pulse = Pulse::Quiet { until: now + QUIET_TIME };
        }
        let id = message.field("ActionID").unwrap_or_default();
        let token = token_of(id);
        match (message.field("Response"), token) {
            (Some(response), _) if id == LOGIN_ID => {
                let is_success = response.eq_ignore_ascii_case("success");
                self.on_login(is_success, now);
            }
            (Some(_), Some(token)) => self.on_response(token, message),
            (Some(_), None) => {}
            (None, Some(token)) => self.on_list_event(token, message),
            (None, None) => self.on_event(message),
        }
    }

    fn on_login(&mut self, is_success: bool, now: Instant) {
        if !matches!(self.state, State::LoggingIn { .. }) {
            return;
        }
        if !is_success {
            return self.on_down(DownReason::LoginRefused);
        }
        self.state = State::Ready { pulse: Pulse::Quiet { until: now + QUIET_TIME } };
        self.emit(Event::LoggedIn);
    }

    fn on_response(&mut self, token: Token, response: Message) {
        let begins_list = response.field("EventList").is_some_and(|list| list.eq_ignore_ascii_case("start"));
        if !begins_list {
            return self.on_completed(token, Some(response));
        }
        if let Some(pending) = self.pending.get_mut(&token.0) {
            pending.response = Some(response);
        }
    }

    fn on_list_event(&mut self, token: Token, message: Message) {
        let ends_list = message.field("EventList").is_some_and(|list| !list.eq_ignore_ascii_case("start"));
        if ends_list {
            return self.on_completed(token, None);
        }
        if let Some(pending) = self.pending.get_mut(&token.0) {
            if pending.events.len() < MAX_LIST_EVENTS {
                pending.events.push(message);
            } else {
                pending.is_cut = true;
            }
        }
    }

    /// Completes an action; an action that is not under way any more has timed out and stays so.
    fn on_completed(&mut self, token: Token, response: Option<Message>) {
        let Some(pending) = self.pending.remove(&token.0) else { return };
        let response = response.or(pending.response).unwrap_or_default();
        let is_success = response
            .field("Response")
            .is_some_and(|result| result.eq_ignore_ascii_case("success") || result.eq_ignore_ascii_case("follows"));
        let reply = Reply { is_success, response, events: pending.events, is_cut: pending.is_cut };
        self.emit(Event::Completed { token, reply });
    }

    fn on_event(&mut self, message: Message) {
        let text = |key| message.field(key).unwrap_or_default().to_owned();
        let count = |key| message.field(key).and_then(|value| value.parse().ok()).unwrap_or(0);
        let name = text("Event");
        let event = match name.as_str() {
            "FullyBooted" => Event::FullyBooted,
            "MessageWaiting" => {
                Event::MessageWaiting { mailbox: text("Mailbox"), new: count("New"), old: count("Old") }
            }
            "ContactStatus" => Event::ContactStatus { aor: text("AOR"), status: text("ContactStatus") },
            "Shutdown" => return self.on_down(DownReason::Shutdown),
            _ => Event::Other { name, message },
        };
        self.emit(event);
    }

    fn on_down(&mut self, reason: DownReason) {
        self.state = State::Down;
        for token in std::mem::take(&mut self.pending).into_keys() {
            self.emit(Event::TimedOut { token: Token(token) });
        }
        self.emit(Event::Down(reason));
    }

    fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}

fn action_id(token: Token) -> String {
    format!("hn-{}", token.0)
}

fn token_of(action_id: &str) -> Option<Token> {
    action_id.strip_prefix("hn-")?.parse().ok().map(Token)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const LOGIN: &str = "
        < Asterisk Call Manager/9.0.0
        < Response: Success|ActionID: hn-login|Message: Authentication accepted|";

    #[test]
    fn a_session_logs_in_and_tells_what_happens() {
        check(
            "
            < Asterisk Call Manager/9.0.0
            < Response: Success|ActionID: hn-login|
            < Event: FullyBooted|Status: Fully Booted|
            < Event: MessageWaiting|Mailbox: 2001@homenichat|Waiting: 1|New: 2|Old: 1|
            < Event: ContactStatus|AOR: 2001|ContactStatus: Reachable|
            < Event: Newchannel|Channel: PJSIP/2001-1|
            ",
            &expect![[r#"
                write "Action: Login\r\nActionID: hn-login\r\nUsername: homenichat\r\nSecret: s3cret\r\n\r\n"
                LoggedIn
                FullyBooted
                MessageWaiting { mailbox: "2001@homenichat", new: 2, old: 1 }
                ContactStatus { aor: "2001", status: "Reachable" }
                Other { name: "Newchannel", message: ["Event", "Channel"] }
            "#]],
        );
    }

    #[test]
    fn a_refused_login_is_the_end() {
        check(
            "
            < Asterisk Call Manager/9.0.0
            < Response: Error|ActionID: hn-login|Message: Authentication failed|
            < Event: FullyBooted|
            > 1 Ping
            ",
            &expect![[r#"
                write "Action: Login\r\nActionID: hn-login\r\nUsername: homenichat\r\nSecret: s3cret\r\n\r\n"
                Down(LoginRefused)
                Refused { token: Token(1) }
            "#]],
        );
    }

    #[test]
    fn no_greeting_is_the_end() {
        check(
            "wait 4999\nwait 1",
            &expect![[r#"
            Down(LoginTimedOut)
        "#]],
        );
    }

    #[test]
    fn actions_complete_in_the_order_of_their_answers() {
        check_logged_in(
            "
            > 7 CoreStatus
            > 8 Reload
            < Response: Error|ActionID: hn-8|Message: No such module|
            < Response: Success|ActionID: hn-7|
            < Response: Success|ActionID: hn-7|
            ",
            &expect![[r#"
                write "Action: CoreStatus\r\nActionID: hn-7\r\n\r\n"
                write "Action: Reload\r\nActionID: hn-8\r\n\r\n"
                Completed { token: Token(8), reply: Reply { is_success: false, response: ["Response", "ActionID", "Message"], events: [], is_cut: false } }
                Completed { token: Token(7), reply: Reply { is_success: true, response: ["Response", "ActionID"], events: [], is_cut: false } }
            "#]],
        );
    }

    #[test]
    fn a_list_is_complete_only_with_its_last_event() {
        check_logged_in(
            "
            > 1 CoreShowChannels
            < Response: Success|ActionID: hn-1|EventList: start|
            < Event: CoreShowChannel|ActionID: hn-1|Channel: a|
            < Event: Newchannel|Channel: b|
            < Event: CoreShowChannelsComplete|ActionID: hn-1|EventList: Complete|ListItems: 1|
            ",
            &expect![[r#"
                write "Action: CoreShowChannels\r\nActionID: hn-1\r\n\r\n"
                Other { name: "Newchannel", message: ["Event", "Channel"] }
                Completed { token: Token(1), reply: Reply { is_success: true, response: ["Response", "ActionID", "EventList"], events: [["Event", "ActionID", "Channel"]], is_cut: false } }
            "#]],
        );
    }

    #[test]
    fn a_late_answer_completes_nothing() {
        check_logged_in(
            "
            > 1 CoreStatus
            wait 10000
            > 2 CoreStatus
            < Response: Success|ActionID: hn-1|
            < Response: Success|ActionID: hn-2|
            ",
            &expect![[r#"
                write "Action: CoreStatus\r\nActionID: hn-1\r\n\r\n"
                TimedOut { token: Token(1) }
                write "Action: CoreStatus\r\nActionID: hn-2\r\n\r\n"
                Completed { token: Token(2), reply: Reply { is_success: true, response: ["Response", "ActionID"], events: [], is_cut: false } }
            "#]],
        );
    }

    #[test]
    fn a_quiet_session_is_asked_for_a_sign_of_life() {
        check_logged_in(
            "
            wait 15000
            < Response: Success|ActionID: hn-ping|Ping: Pong|
            wait 14999
            wait 1
            > 1 CoreStatus
            wait 5000
            ",
            &expect![[r#"
                write "Action: Ping\r\nActionID: hn-ping\r\n\r\n"
                write "Action: Ping\r\nActionID: hn-ping\r\n\r\n"
                write "Action: CoreStatus\r\nActionID: hn-1\r\n\r\n"
                TimedOut { token: Token(1) }
                Down(Silent)
            "#]],
        );
    }

    #[test]
    fn shutdown_and_garbage_are_the_end() {
        check_logged_in(
            "< Event: Shutdown|Shutdown: Cleanly|",
            &expect![[r#"
            Down(Shutdown)
        "#]],
        );
        let garbage = format!("< {}", "x".repeat(20_000));
        check_logged_in(
            &garbage,
            &expect![[r#"
            Down(Framing(LineTooLong))
        "#]],
        );
    }

    #[test]
    fn a_secret_with_a_line_break_is_refused() {
        assert!(Login::new("homenichat", "a\r\nAction: Command").is_err());
    }

    proptest! {
        #[test]
        fn every_action_has_exactly_one_outcome(steps in vec((0u8..5, 0u64..6), 0..60)) {
            let start = start();
            let mut now = start;
            let mut session = Session::new(Login::new("a", "b").unwrap(), now);
            let mut submitted = 0;
            let mut outcomes = 0;
            session.handle_bytes(b"Asterisk Call Manager/9\r\nResponse: Success\r\nActionID: hn-login\r\n\r\n", now);
            for (step, token) in steps {
                match step {
                    0 => {
                        submitted += 1;
                        session.submit(Command { token: Token(token), action: Action::new("CoreStatus") }, now);
                    }
                    1 => session.handle_bytes(format!("Response: Success\r\nActionID: hn-{token}\r\n\r\n").as_bytes(), now),
                    2 => session.handle_bytes(format!("Response: Success\r\nEventList: start\r\nActionID: hn-{token}\r\n\r\n").as_bytes(), now),
                    3 => session.handle_bytes(format!("Event: X\r\nEventList: Complete\r\nActionID: hn-{token}\r\n\r\n").as_bytes(), now),
                    _ => {
                        now += Duration::from_secs(token);
                        session.handle_timeout(now);
                    }
                }
            }
            for _ in 0..10 {
                now += Duration::from_secs(20);
                session.handle_timeout(now);
            }
            while let Some(output) = session.poll_output() {
                let is_outcome = matches!(output, Output::Event(Event::Completed { .. } | Event::TimedOut { .. } | Event::Refused { .. }));
                outcomes += u32::from(is_outcome);
            }
            prop_assert_eq!(submitted, outcomes);
            prop_assert_eq!(session.poll_timeout(), None);
        }

        #[test]
        fn no_bytes_make_the_session_panic(bytes in vec(any::<u8>(), 0..500), at in 1usize..20) {
            let now = start();
            let mut session = Session::new(Login::new("a", "b").unwrap(), now);
            bytes.chunks(at).for_each(|piece| session.handle_bytes(piece, now));
        }
    }

    fn check_logged_in(script: &str, want: &Expect) {
        let (transcript, greeting) = (run(&format!("{LOGIN}\n{script}")), run(LOGIN));
        want.assert_eq(transcript.strip_prefix(&greeting).unwrap());
    }

    fn check(script: &str, want: &Expect) {
        want.assert_eq(&run(script));
    }

    /// `<` is a message from Asterisk with `|` for its line ends, `>` is an action with its token, `wait` is in ms.
    fn run(script: &str) -> String {
        let mut now = start();
        let mut session = Session::new(Login::new("homenichat", "s3cret").unwrap(), now);
        let mut transcript = String::new();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line.split_once(' ') {
                Some(("<", text)) => session.handle_bytes(format!("{}\r\n", text.replace('|', "\r\n")).as_bytes(), now),
                Some((">", text)) => session.submit(command(text), now),
                Some(("wait", ms)) => {
                    now += Duration::from_millis(ms.parse().unwrap());
                    session.handle_timeout(now);
                }
                _ => panic!("no step: {line}"),
            }
            while let Some(output) = session.poll_output() {
                let line = match output {
                    Output::Write(bytes) => format!("write {:?}\n", String::from_utf8(bytes).unwrap()),
                    Output::Event(event) => format!("{event:?}\n"),
                };
                transcript.push_str(&line);
            }
        }
        transcript
    }

    fn command(text: &str) -> Command {
        let names = ["CoreStatus", "CoreShowChannels", "Ping", "Reload"];
        let (token, name) = text.split_once(' ').unwrap();
        let name = names.into_iter().find(|known| *known == name).unwrap();
        Command { token: Token(token.parse().unwrap()), action: Action::new(name) }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a machine needs some instant to begin at; the test moves it by hand"
    )]
    fn start() -> Instant {
        Instant::now()
    }
}
