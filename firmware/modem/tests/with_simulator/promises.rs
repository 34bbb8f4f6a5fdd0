//! What the box may rely on, whatever happens in whatever order.

use super::*;

/// What may happen to a line.
#[derive(Debug, Clone)]
enum Act {
    Wait(u64),
    Network(Control),
    Submit(Command),
    ClearReported,
    Chunk(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let network = |control: Control| Just(Act::Network(control));
    let fault = |fault: Fault| Just(Act::Network(Control::Fault(fault)));
    let submit = |command: Command| Just(Act::Submit(command));
    let act = prop_oneof![
        10 => (0u64..9000).prop_map(Act::Wait),
        2 => (0usize..7).prop_map(Act::Chunk),
        3 => Just(Act::ClearReported),
        4 => (0..100).prop_map(|n| Act::Network(sms(&format!("message {n}")))),
        1 => network(sms(&"long ".repeat(50))),
        3 => network(call()),
        1 => network(Control::Call { from: None, give_up_ms: Some(7000) }),
        2 => network(Control::Hangup),
        1 => network(Control::Dtmf { digits: "12".to_owned() }),
        4 => (0i64..1000).prop_map(|token| Act::Submit(send(token))),
        3 => submit(dial()),
        3 => submit(Command::Answer),
        3 => submit(Command::HangUp { cause: HangUpCause::Normal }),
        1 => submit(Command::HangUp { cause: HangUpCause::Busy }),
        1 => submit(Command::RefuseWaiting),
        1 => submit(Command::Dtmf { digit: '5' }),
        1 => submit(Command::AudioDead),
        1 => submit(Command::Sweep),
        1 => submit(Command::Ussd { text: "*100#".to_owned() }),
        1 => submit(Command::Reinitialise),
        1 => fault(Fault::Silence { commands: 1 }),
        1 => fault(Fault::LateAnswer { delay_ms: 6000, count: 1 }),
        1 => fault(Fault::Garbage),
        1 => fault(Fault::UrcBeforeAnswer { urc: "+CREG: 1".to_owned(), count: 3 }),
        1 => fault(Fault::UrcInsidePair { urc: "+CSQ: 9,99".to_owned(), count: 1 }),
        1 => fault(Fault::IndexMinusOne { count: 1 }),
        1 => fault(Fault::NoPrompt { count: 1 }),
        1 => fault(Fault::LatePrompt { delay_ms: 6000, count: 1 }),
        1 => fault(Fault::NetworkDelay { delay_ms: 2500 }),
        1 => fault(Fault::SilentCallEnd { count: 1 }),
        1 => fault(Fault::EarlyNoCarrier { count: 1 }),
        1 => fault(Fault::LateClip { on: true }),
        1 => fault(Fault::Report { outcome: ReportOutcome::Early }),
        1 => fault(Fault::Error { command: "+CMGS".to_owned(), kind: ErrorKind::Cms, code: 38, count: 1 }),
        1 => fault(Fault::Error { command: "+CMGR".to_owned(), kind: ErrorKind::Cms, code: 500, count: 1 }),
        1 => fault(Fault::Error { command: "+CMGD".to_owned(), kind: ErrorKind::Plain, code: 0, count: 1 }),
        1 => fault(Fault::Error { command: "D".to_owned(), kind: ErrorKind::Plain, code: 0, count: 1 }),
        1 => network(Control::Urc { text: "RDY".to_owned() }),
        1 => network(Control::Urc { text: "NO CARRIER".to_owned() }),
        1 => network(Control::Reset),
        1 => any::<bool>().prop_map(|present| Act::Network(Control::Sim { present })),
        1 => fault(Fault::GarbageAtBoot),
        1 => fault(Fault::RebootInCall { after_ms: 1500 }),
        1 => fault(Fault::SubmitNeverAnswered { count: 1 }),
        1 => fault(Fault::Silence { commands: 9 }),
    ];
    proptest::collection::vec(act, 1..40)
}

/// What the box may rely on, whatever happens.
#[derive(Default)]
struct Promises {
    unanswered_parts: BTreeMap<i64, u32>,
    unanswered_clears: BTreeMap<StorageSlot, u32>,
    reported: Vec<StorageSlot>,
    call: CallPromise,
    dials: u32,
    is_waiting: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum CallPromise {
    #[default]
    None,
    Ringing,
    Outgoing,
    Active,
}

impl Promises {
    fn on_event(&mut self, event: &Event) {
        match event {
            Event::SmsSent { token, .. } | Event::SmsFailed { token, .. } => {
                let left = self.unanswered_parts.get_mut(&token.0).expect("an answer to nothing");
                *left = left.checked_sub(1).expect("a second answer");
            }
            Event::SlotCleared(slot) | Event::SlotReused(slot) | Event::SlotNotCleared(slot) => {
                *self.unanswered_clears.get_mut(slot).expect("an answer to nothing") = 0;
            }
            Event::SmsStored(part) => self.reported.push(part.slot),
            Event::Swept(parts) => self.reported.extend(parts.iter().map(|part| part.slot)),
            Event::Call(event) => self.on_call(event),
            _ => {}
        }
    }

    fn on_call(&mut self, event: &CallEvent) {
        self.call = match (event, self.call) {
            (CallEvent::Incoming { .. }, CallPromise::None) => CallPromise::Ringing,
            (CallEvent::Dialing, CallPromise::None) => CallPromise::Outgoing,
            (CallEvent::Alerting, CallPromise::Outgoing) => CallPromise::Outgoing,
            (CallEvent::Active, CallPromise::Ringing | CallPromise::Outgoing) => CallPromise::Active,
            (CallEvent::Ended { .. }, CallPromise::None) if self.dials > 0 => {
                self.dials -= 1;
                CallPromise::None
            }
            (CallEvent::Ended { .. }, CallPromise::Ringing | CallPromise::Outgoing | CallPromise::Active) => {
                CallPromise::None
            }
            (
                CallEvent::AudioReady | CallEvent::AudioRefused(_) | CallEvent::AudioFlow { .. } | CallEvent::Dtmf(_),
                CallPromise::Active,
            ) => self.call,
            (CallEvent::Waiting { .. }, call) if !self.is_waiting && call != CallPromise::None => {
                self.is_waiting = true;
                call
            }
            (CallEvent::WaitingEnded, call) if self.is_waiting => {
                self.is_waiting = false;
                call
            }
            (event, call) => panic!("{event:?} while {call:?}"),
        };
    }

    fn act(&mut self, pair: &mut Pair, act: Act) {
        match act {
            Act::Wait(millis) => pair.run(Duration::from_millis(millis)),
            Act::Network(control) => pair.try_control(control),
            Act::Chunk(size) => pair.chunk = size,
            Act::ClearReported => {
                for slot in std::mem::take(&mut self.reported) {
                    *self.unanswered_clears.entry(slot).or_default() += 1;
                    pair.submit(Command::ClearSlot(slot));
                }
            }
            Act::Submit(command) => {
                match &command {
                    Command::SendSms { token, .. } => *self.unanswered_parts.entry(token.0).or_default() += 1,
                    Command::Dial { .. } => self.dials += 1,
                    _ => {}
                }
                pair.submit(command);
            }
        }
        let began_again = std::mem::take(&mut pair.began_again);
        let events = std::mem::take(&mut pair.events);
        for (place, event) in events.iter().enumerate() {
            self.begin_again_at(&began_again, place);
            self.on_event(event);
        }
        self.begin_again_at(&began_again, events.len());
    }

    /// A new machine owes nothing for the one before.
    fn begin_again_at(&mut self, places: &[usize], place: usize) {
        if places.contains(&place) {
            *self = Self { reported: std::mem::take(&mut self.reported), ..Self::default() };
        }
    }

    fn is_at_rest(&self, pair: &Pair) -> bool {
        let answers = self.unanswered_parts.values().chain(self.unanswered_clears.values());
        self.call == CallPromise::None && pair.sim.calls().is_empty() && answers.sum::<u32>() == 0
    }

    /// Lets everything come to rest, and checks that nothing is left open.
    fn settle(&mut self, pair: &mut Pair) {
        let hang_up = || Act::Submit(Command::HangUp { cause: HangUpCause::Normal });
        self.act(pair, Act::Network(Control::ClearFaults));
        self.act(pair, Act::Network(Control::Sim { present: true }));
        for pause in [5_000, 10_000, 20_000, 100_000, 200_000, 200_000] {
            self.act(pair, Act::Network(Control::Hangup));
            self.act(pair, hang_up());
            self.act(pair, Act::Wait(pause));
            if pair.modem.is_ready() && self.is_at_rest(pair) {
                break;
            }
        }
        assert!(pair.modem.is_ready(), "not ready");
        assert_eq!(self.call, CallPromise::None, "a call is left open");
        assert!(pair.sim.calls().is_empty(), "the modem still has a call: {:?}", pair.sim.calls());
        assert!(self.unanswered_parts.values().all(|left| *left == 0), "a part without an answer");
        assert!(self.unanswered_clears.values().all(|left| *left == 0), "a slot without an answer");
        let used = |pair: &Pair| pair.sim.storage().iter().map(|(_, used, _)| used).sum::<usize>();
        for pause in [2_000, 310_000, 310_000, 310_000] {
            self.act(pair, Act::ClearReported);
            self.act(pair, Act::Wait(pause));
            if used(pair) == 0 {
                break;
            }
        }
        assert_eq!(used(pair), 0, "every part was reported, and freed on order");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_promises_are_kept(name in proptest::sample::select(Personality::NAMES), acts in acts()) {
        let mut pair = Pair::ready(name);
        let mut promises = Promises::default();
        for act in acts {
            promises.act(&mut pair, act);
        }
        promises.settle(&mut pair);
    }
}

/// What a port may say, whole and broken.
fn port_noise() -> impl Strategy<Value = Vec<u8>> {
    let line = proptest::sample::select(vec![
        "OK",
        "ERROR",
        "+CME ERROR: 10",
        "+CME ERROR: 16",
        "+CMS ERROR: 500",
        "> ",
        "RDY",
        "RING",
        "+CRING: VOICE",
        "+CLIP: \"\",128",
        "+CPIN: READY",
        "+CPIN: SIM PIN",
        "+QPINC: \"SC\",1,10",
        "+QUSIM: 0",
        "Quectel",
        "490154203237518",
        "208150000012345",
        "+QCCID: 8933150319080012345",
        "+CMGL: 1,0,,3",
        "00AABB",
        "+CMTI: \"ME\",1",
        "+CMTI: \"ME\",-1",
        "+CDS: 3",
        "+CMGS: 300",
        "+CUSD: 1,\"00",
        "+CLCC: 1,1,4,0,0",
        "+CLCC: 1,0,0,0,0,\"1\",129",
        "+QIND: \"ccinfo\",1,0,-1,0,0,\"\",129",
        "^DSCI: 1,1,4,0,1,129",
        "VOICE CALL:END: 000004",
        "NO CARRIER",
        "BUSY",
        "+CREG: 1",
        "+CMEE: 1",
        "+CMGF: 0",
        "+CSCS: \"GSM\"",
        "+CRC: 0",
        "+QTONEDET: 999",
        "+CPCMREG: 1",
        "+CSQ: 255,255",
    ]);
    let line = line.prop_map(|line| format!("\r\n{line}\r\n").into_bytes());
    prop_oneof![9 => line, 1 => proptest::collection::vec(any::<u8>(), 0..40)]
}

proptest! {
    #[test]
    fn a_port_may_say_anything(noise in proptest::collection::vec((port_noise(), 0u64..4000), 0..200)) {
        let mut now = std::time::Instant::now();
        let mut machine = modem::Modem::new(modem::ModemConfig { has_audio: true, ..Default::default() }, now);
        for (bytes, pause) in noise {
            machine.handle_bytes(&bytes, now);
            now += Duration::from_millis(pause);
            machine.handle_timeout(now);
            machine.submit(send(1), now);
            machine.submit(Command::Answer, now);
            let outputs = std::iter::from_fn(|| machine.poll_output()).take(2000).count();
            prop_assert!(outputs < 2000, "it talks without end");
        }
    }

    #[test]
    fn chunks_change_nothing(size in 1usize..40) {
        let story = |size: usize| {
            let mut pair = Pair::plug("ec25");
            pair.chunk = size;
            pair.run(Duration::from_secs(10));
            pair.control(sms("bonjour"));
            pair.control(call());
            pair.run(Duration::from_secs(4));
            pair.submit(Command::Answer);
            pair.run(Duration::from_secs(4));
            (pair.take_transcript(), pair.written)
        };
        prop_assert_eq!(story(size), story(0));
    }
}
