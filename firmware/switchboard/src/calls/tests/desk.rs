//! A script in, a transcript out.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use asterisk::ari::{Bridge, Channel, ChannelState, DialStatus, DialplanPosition, Event, Private};
use asterisk::dialplan::ANSWERED_BY_VARIABLE;
use asterisk::{BridgeId, ChannelId};
use expect_test::Expect;
use modem::CallEvent;
use telecom::{CallId, HangUpCause, LineId};

use crate::calls::{
    ApiRequest, AriFailure, AudioFault, AudioReport, CallRecord, Effect, Exchange, ExchangeConfig, LineFacts,
    MediaCommand, MediaEvent, RequestToken,
};

/// Runs `script` against an exchange with two registered lines (`line-1` is the default one) and Asterisk connected.
/// Calls are named `c1`, `c2`, ... in the order in which they begin.
pub(super) fn check(script: &str, expect: &Expect) {
    expect.assert_eq(&run(script));
}

/// What happens in a script, step by step.
pub(super) fn run(script: &str) -> String {
    let mut desk = Desk::new();
    for step in script.lines().map(str::trim).filter(|step| !step.is_empty()) {
        desk.transcript.push_str(&format!("> {step}\n"));
        desk.step(&step.split_whitespace().collect::<Vec<_>>());
        desk.drain();
    }
    desk.transcript
}

pub(super) fn exchange() -> Exchange {
    let mut next = 0;
    let ids = move || {
        next += 1;
        [next; 16]
    };
    let audio_address = "127.0.0.1:9".parse().unwrap();
    Exchange::new(ExchangeConfig { app: "homenichat".into(), audio_address }, Box::new(ids))
}

pub(super) fn facts(line: u32, registered: bool) -> LineFacts {
    LineFacts { line: LineId(line), name: format!("Line {line}"), ready: true, registered, default: line == 1 }
}

pub(super) fn channel(id: &str, application: &str) -> Channel {
    let dialplan = DialplanPosition { application: application.into(), ..Default::default() };
    Channel {
        id: ChannelId::new(id),
        name: id.into(),
        state: if application == "Stasis" { ChannelState::Ring } else { ChannelState::Up },
        caller: Default::default(),
        connected: Default::default(),
        dialplan,
        variables: Default::default(),
    }
}

struct Desk {
    exchange: Exchange,
    start: Instant,
    now: Instant,
    outstanding: VecDeque<RequestToken>,
    transcript: String,
}

impl Desk {
    #[expect(clippy::disallowed_methods, reason = "any instant will do as the start of a script")]
    fn new() -> Self {
        let mut exchange = exchange();
        let now = Instant::now();
        exchange.set_lines(vec![facts(1, true), facts(2, true)]);
        exchange.handle_ari_connected(&[], &[], now);
        Self { exchange, start: now, now, outstanding: VecDeque::new(), transcript: String::new() }
    }

    fn step(&mut self, words: &[&str]) {
        let now = self.now;
        match words {
            ["wait", millis] => self.wait(Duration::from_millis(millis.parse().unwrap())),
            ["lines", lines @ ..] => {
                let lines = lines.iter().map(|line| line.split_once('=').unwrap());
                let facts = lines.map(|(line, state)| facts(line.parse().unwrap(), state == "registered"));
                self.exchange.set_lines(facts.collect());
            }
            ["ok"] => self.answer_all(|| Ok(())),
            ["ok", "one"] => self.answer(Ok(())),
            ["gone"] => self.answer(Err(AriFailure::NotFound)),
            ["silent"] => self.answer(Err(AriFailure::Unreachable)),
            ["conflict"] => self.answer(Err(AriFailure::Refused { status: 409, text: "no".into() })),
            ["refused"] => self.answer(Err(AriFailure::Refused { status: 500, text: "no".into() })),
            ["asterisk", "lost"] => {
                self.outstanding.clear();
                self.exchange.handle_ari_lost(now);
            }
            ["asterisk", "back", found @ ..] => self.asterisk_back(found),
            ["dial", name, status] => self.dial(name, status),
            ["stasis", name, args @ ..] => {
                let args = Private(args.iter().map(ToString::to_string).collect());
                self.ari(Event::StasisStart { channel: channel(&long(name), "Stasis"), args });
            }
            ["stasis-end", name] => self.ari(Event::StasisEnd { channel: channel(&long(name), "") }),
            ["destroyed", name, cause] => {
                let cause = HangUpCause::from_code(cause.parse().unwrap());
                self.ari(Event::ChannelDestroyed { channel: channel(&long(name), ""), cause });
            }
            ["answered-by", name, who] => self.ari(Event::ChannelVarset {
                channel: Some(channel(&long(name), "")),
                variable: ANSWERED_BY_VARIABLE.into(),
                value: Private(who.to_string()),
            }),
            [line, "lost"] => self.exchange.handle_line_lost(line.parse().unwrap(), now),
            ["audio", call, event @ ..] => self.audio(call, event),
            ["api", rest @ ..] => self.api(rest),
            [line, event @ ..] => self.exchange.handle_line_event(line.parse().unwrap(), call_event(event), now),
            [] => {}
        }
    }

    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.exchange.poll_timeout().filter(|at| *at <= until) {
            self.now = at.max(self.now);
            self.exchange.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    fn ari(&mut self, event: Event) {
        self.exchange.handle_ari_event(event, self.now);
    }

    fn dial(&mut self, name: &str, status: &str) {
        let status = match status {
            "ringing" => DialStatus::Ringing,
            "answer" => DialStatus::Answer,
            "busy" => DialStatus::Busy,
            "noanswer" => DialStatus::NoAnswer,
            "unavailable" => DialStatus::Unavailable,
            other => panic!("no dial status {other}"),
        };
        let caller = Some(channel(&long(name), ""));
        self.ari(Event::Dial { caller, peer: channel("local;1", ""), status });
    }

    fn asterisk_back(&mut self, found: &[&str]) {
        let mut channels = Vec::new();
        let mut bridges = Vec::new();
        for name in found {
            match name.split_once('=') {
                Some((bridge, inside)) => {
                    let channels = inside.split(',').map(|name| ChannelId::new(long(name))).collect();
                    bridges.push(Bridge { id: BridgeId::new(long(bridge)), channels });
                }
                // Phones are in our application, and legs that are written with a `!`.
                None => {
                    let is_with_us = name.starts_with("pjsip") || name.ends_with('!');
                    let application = if is_with_us { "Stasis" } else { "" };
                    channels.push(channel(&long(name.trim_end_matches('!')), application));
                }
            }
        }
        self.exchange.handle_ari_connected(&channels, &bridges, self.now);
    }

    fn audio(&mut self, call: &str, event: &[&str]) {
        let report = |fault| {
            let running = Duration::from_secs(2);
            MediaEvent::Report(AudioReport {
                running,
                silence: running,
                rate_hz: 16_000,
                fault: Some(fault),
                ..AudioReport::default()
            })
        };
        let event = match event {
            ["connected"] => MediaEvent::Connected,
            ["lost"] => MediaEvent::Lost,
            ["key", digit] => MediaEvent::Dtmf(digit.parse().unwrap()),
            ["nothing"] => report(AudioFault::NothingFromModem),
            ["one-way"] => report(AudioFault::NothingFromPhone),
            ["stuck"] => report(AudioFault::ModemTakesNothing),
            ["other-rate"] => report(AudioFault::OtherRate),
            ["silent"] => report(AudioFault::SilenceFromModem),
            other => panic!("no audio event {other:?}"),
        };
        self.exchange.handle_media(&CallId(long(call)), event, self.now);
    }

    fn api(&mut self, words: &[&str]) {
        let request = match words {
            ["originate", line, number, extension] => ApiRequest::Originate {
                line: line.parse().ok(),
                number: number.parse().unwrap(),
                extension: extension.to_string(),
            },
            ["hang-up", call] => ApiRequest::HangUp { call: CallId(long(call)) },
            other => panic!("no request {other:?}"),
        };
        let answer = match self.exchange.handle_api(request, self.now) {
            Ok(call) => short(call.as_str()),
            Err(refusal) => refusal.to_string(),
        };
        self.transcript.push_str(&format!("  api: {answer}\n"));
    }

    fn answer(&mut self, result: Result<(), AriFailure>) {
        let token = self.outstanding.pop_front().expect("a request waits for its answer");
        self.exchange.handle_ari_result(token, result, self.now);
    }

    fn answer_all(&mut self, result: impl Fn() -> Result<(), AriFailure>) {
        while !self.outstanding.is_empty() {
            self.answer(result());
            self.drain();
        }
    }

    fn drain(&mut self) {
        while let Some(effect) = self.exchange.poll_output() {
            if let Effect::Ari { token, .. } = &effect {
                self.outstanding.push_back(*token);
            }
            let line = show(&effect, self.start);
            self.transcript.push_str(&format!("  {line}\n"));
        }
    }
}

fn call_event(words: &[&str]) -> CallEvent {
    let number = |text: &str| text.parse().ok();
    match words {
        ["incoming", from] => CallEvent::Incoming { number: number(from) },
        ["waiting", from] => CallEvent::Waiting { number: number(from) },
        ["waiting-ended"] => CallEvent::WaitingEnded,
        ["dialing"] => CallEvent::Dialing,
        ["alerting"] => CallEvent::Alerting,
        ["active"] => CallEvent::Active,
        ["ended", cause] => CallEvent::Ended { cause: HangUpCause::from_code(cause.parse().unwrap()) },
        ["key", digit] => CallEvent::Dtmf(digit.parse().unwrap()),
        ["sound"] => CallEvent::AudioReady,
        ["flow", state] => CallEvent::AudioFlow { is_open: *state == "open" },
        ["no-sound"] => CallEvent::AudioRefused("CPCMREG is refused".into()),
        other => panic!("no call event {other:?}"),
    }
}

/// `c1-in` stands for `hn-0101010101010101-in`.
fn long(name: &str) -> String {
    let Some(rest) = name.strip_prefix('c') else { return name.into() };
    let (number, rest) = rest.split_at(1);
    let Ok(number) = number.parse::<u8>() else { return name.into() };
    let id = format!("{number:02x}").repeat(8);
    if rest.is_empty() { id } else { format!("hn-{id}{rest}") }
}

fn short(text: &str) -> String {
    (1..=9u8).fold(text.to_owned(), |text, number| {
        let byte = format!("{number:02x}");
        let uuid = [4, 2, 2, 2, 6].map(|bytes| byte.repeat(bytes)).join("-");
        text.replace(&uuid, &format!("uuid{number}")).replace(&byte.repeat(8), &format!("c{number}"))
    })
}

fn show(effect: &Effect, start: Instant) -> String {
    match effect {
        Effect::Ari { request, .. } => {
            let mut path = request.path_and_query();
            for (code, text) in [("%2F", "/"), ("%3A", ":"), ("%28", "("), ("%29", ")"), ("%2B", "+"), ("%2C", ",")] {
                path = path.replace(code, text);
            }
            let body = request.body().map(|body| format!(" {body}")).unwrap_or_default();
            short(&format!("{} {path}{body}", request.method().as_str()))
        }
        Effect::Modem { line, command } => match command {
            modem::Command::Dial { number } => format!("{line}: dial {}", number.as_str()),
            modem::Command::HangUp { cause } => format!("{line}: hang up {}", cause.code()),
            modem::Command::Dtmf { digit } => format!("{line}: key {digit}"),
            command => format!("{line}: {command:?}"),
        },
        Effect::Media { call, command } => match command {
            MediaCommand::Expect { .. } => short(&format!("audio {call}: expect")),
            command => short(&format!("audio {call}: {command:?}")),
        },
        Effect::Call(record) => short(&show_record(record, start)),
        Effect::Alarm { line, text, is_mended: false } => format!("alarm {line}: {text}"),
        Effect::Alarm { line, text, is_mended: true } => format!("note {line}: {text}"),
    }
}

fn show_record(record: &CallRecord, start: Instant) -> String {
    let line = record.line.map_or("no line".to_owned(), |line| line.to_string());
    let number = record.number.as_ref().map_or("withheld", |number| number.as_str());
    let mut text = format!("call {}: {:?} {line} {number} {:?}", record.id, record.direction, record.status);
    for (what, at) in [("answered", record.answered), ("ended", record.ended)] {
        if let Some(at) = at {
            text.push_str(&format!(" {what} at {} ms", (at - start).as_millis()));
        }
    }
    if let Some(cause) = record.cause {
        text.push_str(&format!(" cause {}", cause.code()));
    }
    text
}
