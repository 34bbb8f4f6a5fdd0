//! Random events against a small model of the world: whatever happens, nothing is left open.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use asterisk::ari::{Bridge, DialStatus, Event, Method, Private, Request};
use asterisk::{BridgeId, ChannelId};
use modem::CallEvent;
use proptest::prelude::*;
use telecom::{CallId, HangUpCause, LineId};

use super::desk::{channel, exchange, facts};
use crate::calls::{ApiRequest, AriFailure, Effect, Exchange, MediaCommand, MediaEvent, RequestToken};

/// One thing that happens. Numbers choose among what there is.
#[derive(Debug, Clone)]
enum Happening {
    Rings(u32),
    Waits(u32),
    PhoneDials,
    UserDials,
    UserHangsUp(usize),
    Network(u32, CallEvent),
    ModemVanishes(u32),
    Asterisk(usize, Answer),
    Dial(usize, DialStatus),
    EntersStasis(usize),
    HangsUp(usize, bool),
    AudioLost(usize),
    AsteriskLost,
    AsteriskBack,
    Wait(u64),
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    /// Done.
    Done,
    /// Done, but the answer is lost.
    DoneUnheard,
    /// Refused.
    Refused,
}

fn happening() -> impl Strategy<Value = Happening> {
    let line = 1..=2u32;
    let pick = 0..8usize;
    let cause = proptest::sample::select(vec![16, 17, 19, 34]).prop_map(HangUpCause::from_code);
    let event = prop_oneof![
        1 => Just(CallEvent::Dialing),
        1 => Just(CallEvent::Alerting),
        3 => Just(CallEvent::Active),
        2 => Just(CallEvent::AudioReady),
        1 => any::<bool>().prop_map(|is_open| CallEvent::AudioFlow { is_open }),
        1 => Just(CallEvent::Dtmf('5')),
        1 => Just(CallEvent::WaitingEnded),
        1 => cause.prop_map(|cause| CallEvent::Ended { cause }),
    ];
    let status = prop_oneof![
        1 => Just(DialStatus::Ringing),
        3 => Just(DialStatus::Answer),
        1 => Just(DialStatus::Busy),
        1 => Just(DialStatus::NoAnswer),
    ];
    let answer = prop_oneof![8 => Just(Answer::Done), 1 => Just(Answer::DoneUnheard), 1 => Just(Answer::Refused)];
    prop_oneof![
        2 => line.clone().prop_map(Happening::Rings),
        1 => line.clone().prop_map(Happening::Waits),
        2 => Just(Happening::PhoneDials),
        1 => Just(Happening::UserDials),
        1 => pick.clone().prop_map(Happening::UserHangsUp),
        5 => (line.clone(), event).prop_map(|(line, event)| Happening::Network(line, event)),
        1 => line.prop_map(Happening::ModemVanishes),
        10 => (pick.clone(), answer).prop_map(|(pick, answer)| Happening::Asterisk(pick, answer)),
        4 => (pick.clone(), status).prop_map(|(pick, status)| Happening::Dial(pick, status)),
        3 => pick.clone().prop_map(Happening::EntersStasis),
        2 => (pick.clone(), any::<bool>()).prop_map(|(pick, told)| Happening::HangsUp(pick, told)),
        1 => pick.prop_map(Happening::AudioLost),
        1 => Just(Happening::AsteriskLost),
        2 => Just(Happening::AsteriskBack),
        2 => (1..20_000u64).prop_map(Happening::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn nothing_is_left_open_when_everything_has_ended(happenings in proptest::collection::vec(happening(), 1..60)) {
        let mut world = World::new();
        for happening in happenings {
            world.happen(happening);
            world.drain();
        }
        world.end_everything();
        // What Asterisk would not do in many attempts is left to the next connection.
        world.lose_asterisk();
        world.asterisk_back();
        world.drain();
        world.answer(usize::MAX - 1, Answer::Done);
        world.check()?;
    }

    /// Answers come at once here, so that nothing may be left to a later connection.
    #[test]
    fn nothing_waits_for_a_later_connection(happenings in proptest::collection::vec(happening(), 1..60)) {
        let mut world = World::new();
        let mut mood = Answer::Done;
        for happening in happenings {
            match happening {
                Happening::Asterisk(_, answer) => mood = answer,
                other => world.happen(other),
            }
            world.drain();
            world.answer_creations(mood);
        }
        world.end_everything();
        world.check()?;
    }
}

impl World {
    fn check(&self) -> Result<(), TestCaseError> {
        let world = self;
        prop_assert!(world.channels.is_empty(), "channels {:?}", world.channels);
        prop_assert!(world.bridges.is_empty(), "bridges {:?}", world.bridges);
        prop_assert!(world.listening.is_empty(), "audio {:?}", world.listening);
        prop_assert!(world.running.is_empty(), "modem audio {:?}", world.running);
        prop_assert!(world.modem_calls.is_empty(), "modem calls {:?}", world.modem_calls);
        prop_assert!(world.open_records.is_empty(), "records {:?}", world.open_records);
        prop_assert!(world.exchange.is_idle());
        prop_assert_eq!(world.exchange.poll_timeout(), None);
        Ok(())
    }
}

struct World {
    exchange: Exchange,
    now: Instant,
    asterisk_up: bool,
    requests: VecDeque<(Option<CallId>, RequestToken, Request)>,
    channels: BTreeSet<ChannelId>,
    bridges: BTreeSet<BridgeId>,
    listening: BTreeSet<CallId>,
    running: BTreeSet<CallId>,
    modem_calls: BTreeSet<LineId>,
    /// Calls without an end, by how many records they had.
    open_records: BTreeMap<CallId, usize>,
    ended_records: BTreeSet<CallId>,
    phones: u32,
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "any instant will do as the start of a story")]
    fn new() -> Self {
        let now = Instant::now();
        let mut exchange = exchange();
        exchange.set_lines(vec![facts(1, true), facts(2, true)]);
        exchange.handle_ari_connected(&[], &[], now);
        Self {
            exchange,
            now,
            asterisk_up: true,
            requests: VecDeque::new(),
            channels: BTreeSet::new(),
            bridges: BTreeSet::new(),
            listening: BTreeSet::new(),
            running: BTreeSet::new(),
            modem_calls: BTreeSet::new(),
            open_records: BTreeMap::new(),
            ended_records: BTreeSet::new(),
            phones: 0,
        }
    }

    fn happen(&mut self, happening: Happening) {
        let now = self.now;
        match happening {
            Happening::Rings(line) => {
                self.modem_calls.insert(LineId(line));
                self.network(line, CallEvent::Incoming { number: None });
            }
            Happening::Waits(line) if self.modem_calls.contains(&LineId(line)) => {
                self.network(line, CallEvent::Waiting { number: None });
            }
            Happening::PhoneDials if self.asterisk_up => self.phone_dials(),
            Happening::UserDials => {
                let number = "0612345678".parse().unwrap();
                let request = ApiRequest::Originate { line: None, number, extension: "2001".into() };
                self.exchange.handle_api(request, now).ok();
            }
            Happening::UserHangsUp(pick) => {
                if let Some(call) = nth(self.open_records.keys(), pick) {
                    self.exchange.handle_api(ApiRequest::HangUp { call }, now).ok();
                }
            }
            Happening::Network(line, event) if self.modem_calls.contains(&LineId(line)) => {
                if matches!(event, CallEvent::Ended { .. }) {
                    self.modem_calls.remove(&LineId(line));
                }
                self.network(line, event);
            }
            Happening::ModemVanishes(line) => {
                self.modem_calls.remove(&LineId(line));
                self.exchange.handle_line_lost(LineId(line), now);
            }
            Happening::Asterisk(pick, answer) => self.answer_any(pick, answer),
            Happening::Dial(pick, status) => {
                if let Some(id) = self.pick_channel(pick) {
                    let caller = Some(channel(id.as_str(), ""));
                    self.tell(Event::Dial { caller, peer: channel("local;1", ""), status });
                }
            }
            Happening::EntersStasis(pick) => {
                if let Some(id) = self.pick_channel(pick).filter(ChannelId::is_ours) {
                    self.tell(Event::StasisStart {
                        channel: channel(id.as_str(), "Stasis"),
                        args: Private(Vec::new()),
                    });
                }
            }
            Happening::HangsUp(pick, told) => self.hang_up(pick, told),
            Happening::AudioLost(pick) => {
                if let Some(call) = nth(self.listening.iter(), pick) {
                    self.exchange.handle_media(&call, MediaEvent::Lost, now);
                }
            }
            Happening::AsteriskLost => self.lose_asterisk(),
            Happening::AsteriskBack => self.asterisk_back(),
            Happening::Wait(millis) => self.wait(Duration::from_millis(millis)),
            Happening::Waits(_) | Happening::PhoneDials | Happening::Network(..) => {}
        }
    }

    fn network(&mut self, line: u32, event: CallEvent) {
        self.exchange.handle_line_event(LineId(line), event, self.now);
    }

    fn phone_dials(&mut self) {
        self.phones += 1;
        let id = format!("pjsip-{}", self.phones);
        self.channels.insert(ChannelId::new(&id));
        let args = ["out", "default", "0612345678"].map(str::to_owned).to_vec();
        self.tell(Event::StasisStart { channel: channel(&id, "Stasis"), args: Private(args) });
    }

    fn tell(&mut self, event: Event) {
        if self.asterisk_up {
            self.exchange.handle_ari_event(event, self.now);
        }
    }

    fn pick_channel(&self, pick: usize) -> Option<ChannelId> {
        nth(self.channels.iter(), pick)
    }

    fn hang_up(&mut self, pick: usize, leaves_first: bool) {
        let Some(id) = self.pick_channel(pick) else { return };
        self.channels.remove(&id);
        if leaves_first && !id.as_str().ends_with("-in") {
            self.tell(Event::StasisEnd { channel: channel(id.as_str(), "") });
        }
        self.tell(Event::ChannelDestroyed { channel: channel(id.as_str(), ""), cause: HangUpCause::Normal });
    }

    fn lose_asterisk(&mut self) {
        self.asterisk_up = false;
        self.requests.clear();
        self.exchange.handle_ari_lost(self.now);
    }

    fn asterisk_back(&mut self) {
        self.asterisk_up = true;
        // A request that was under way when the connection was listed anew is answered by nobody.
        self.requests.clear();
        let channels: Vec<_> = self.channels.iter().map(|id| channel(id.as_str(), application(id))).collect();
        let bridges: Vec<_> = self.bridges.iter().map(|id| Bridge { id: id.clone(), channels: Vec::new() }).collect();
        self.exchange.handle_ari_connected(&channels, &bridges, self.now);
    }

    /// Asterisk answers some requests, each the next of some call: those of different calls are in no order.
    fn answer_any(&mut self, pick: usize, answer: Answer) {
        for _ in 0..=pick {
            let mut seen = BTreeSet::new();
            let is_next = |(call, ..): &(Option<CallId>, RequestToken, Request)| {
                call.as_ref().is_none_or(|call| seen.insert(call.clone()))
            };
            let next: Vec<usize> =
                self.requests.iter().map(is_next).enumerate().filter(|(_, is)| *is).map(|(at, _)| at).collect();
            let Some(at) = nth(next.iter(), pick) else { return };
            self.answer_at(at, answer);
        }
    }

    /// Asterisk answers so many requests, in the order in which they were sent.
    fn answer(&mut self, pick: usize, answer: Answer) {
        for _ in 0..=pick.min(self.requests.len().max(1) + 20) {
            self.answer_at(0, answer);
        }
    }

    fn answer_at(&mut self, at: usize, answer: Answer) {
        let Some((_, token, request)) = self.requests.remove(at) else { return };
        let result = match answer {
            Answer::Done => self.perform(&request),
            Answer::DoneUnheard => {
                self.perform(&request).ok();
                Err(AriFailure::Unreachable)
            }
            Answer::Refused => Err(AriFailure::Refused { status: 500, text: String::new() }),
        };
        self.exchange.handle_ari_result(token, result, self.now);
        self.drain();
    }

    /// Answers everything at once: what makes something in this mood, the rest well.
    fn answer_creations(&mut self, mood: Answer) {
        while let Some((_, _, request)) = self.requests.front() {
            let creates = request.parameter("channelId").or(request.parameter("bridgeId")).is_some();
            self.answer(0, if creates { mood } else { Answer::Done });
        }
    }

    fn perform(&mut self, request: &Request) -> Result<(), AriFailure> {
        let path = request.path_and_query();
        let name = path.split(['/', '?']).nth(3).unwrap_or_default().to_owned();
        let found = match request.method() {
            Method::Post if path.starts_with("/ari/bridges?") => {
                self.bridges.insert(BridgeId::new(request.parameter("bridgeId").unwrap()))
            }
            Method::Post if request.parameter("channelId").is_some() => {
                self.channels.insert(ChannelId::new(request.parameter("channelId").unwrap()))
            }
            Method::Delete if path.starts_with("/ari/bridges/") => self.bridges.remove(&BridgeId::new(name)),
            Method::Delete => {
                let found = self.channels.remove(&ChannelId::new(&name));
                if found {
                    let channel = channel(&name, "");
                    self.tell(Event::ChannelDestroyed { channel, cause: HangUpCause::Normal });
                }
                found
            }
            _ if path.starts_with("/ari/channels/") => self.channels.contains(&ChannelId::new(name)),
            _ => true,
        };
        if found { Ok(()) } else { Err(AriFailure::NotFound) }
    }

    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..1_000 {
            let Some(at) = self.exchange.poll_timeout().filter(|at| *at <= until) else { break };
            self.now = at.max(self.now);
            self.exchange.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
        assert!(self.exchange.poll_timeout().is_none_or(|at| at > until), "a timer is not served");
    }

    fn drain(&mut self) {
        while let Some(effect) = self.exchange.poll_output() {
            match effect {
                Effect::Ari { call, token, request } if self.asterisk_up => {
                    self.requests.push_back((call, token, request));
                }
                Effect::Ari { token, .. } => {
                    self.exchange.handle_ari_result(token, Err(AriFailure::Unreachable), self.now);
                }
                Effect::Modem { line, command } => self.command(line, &command),
                Effect::Media { call, command } => self.media(call, &command),
                Effect::Call(record) => {
                    assert!(!self.ended_records.contains(&record.id), "a record after the end");
                    if record.ended.is_some() {
                        self.open_records.remove(&record.id);
                        self.ended_records.insert(record.id);
                    } else {
                        *self.open_records.entry(record.id).or_default() += 1;
                    }
                }
                Effect::Alarm { .. } => {}
            }
        }
    }

    fn command(&mut self, line: LineId, command: &modem::Command) {
        match command {
            modem::Command::Dial { .. } => {
                assert!(self.modem_calls.insert(line), "two calls on one modem");
            }
            // The modem confirms later, if at all: its call is over.
            modem::Command::HangUp { .. } => {
                self.modem_calls.remove(&line);
            }
            modem::Command::Answer => assert!(self.modem_calls.contains(&line), "an answer to nobody"),
            _ => {}
        }
    }

    fn media(&mut self, call: CallId, command: &MediaCommand) {
        match command {
            MediaCommand::Expect { .. } => assert!(self.listening.insert(call), "expected twice"),
            MediaCommand::StartModemAudio { .. } => {
                assert!(self.listening.contains(&call), "sound without a connection");
                assert!(self.running.insert(call), "started twice");
            }
            MediaCommand::Flow { .. } => assert!(self.running.contains(&call), "a pause of what does not run"),
            MediaCommand::StopModemAudio => assert!(self.running.remove(&call), "stopped what does not run"),
            MediaCommand::Close => assert!(self.listening.remove(&call), "closed what is not open"),
        }
    }

    /// The network ends every call, every phone hangs up, Asterisk answers everything, and time passes.
    fn end_everything(&mut self) {
        for line in [1, 2] {
            self.modem_calls.remove(&LineId(line));
            self.network(line, CallEvent::Ended { cause: HangUpCause::Normal });
            self.drain();
        }
        if !self.asterisk_up {
            self.asterisk_back();
            self.drain();
        }
        for _ in 0..12 {
            self.answer(usize::MAX - 1, Answer::Done);
            self.wait(Duration::from_secs(30));
            for line in [1, 2] {
                self.network(line, CallEvent::Ended { cause: HangUpCause::Normal });
            }
            self.drain();
            while let Some(at) = self.channels.iter().position(|id| !id.is_ours()) {
                self.hang_up(at, true);
                self.drain();
            }
        }
    }
}

/// Phones wait in our application; our own legs are elsewhere or with us.
fn application(id: &ChannelId) -> &'static str {
    if id.is_ours() { "" } else { "Stasis" }
}

fn nth<'a, T: Clone + 'a>(mut all: impl Iterator<Item = &'a T> + Clone, pick: usize) -> Option<T> {
    let count = all.clone().count();
    (count > 0).then(|| all.nth(pick % count).cloned()).flatten()
}
