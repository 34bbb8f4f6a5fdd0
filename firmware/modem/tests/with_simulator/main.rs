//! The machine against simulated modems that know the standards by themselves.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "a test starts its virtual clock somewhere"
)]

mod bring_up;
mod calls;
mod health;
mod messages;
mod promises;
mod simulated;
mod tables;

use std::collections::BTreeMap;
use std::time::Duration;

use expect_test::{Expect, expect};
use modem::{CallEvent, Command, Event, Failure, Output, PartToken, SimState, StorageMemory, StorageSlot, StoredPart};
use modem_sim::core::fault::{ErrorKind, Fault, ReportOutcome};
use modem_sim::core::{CallPlan, Control, Outcome, Personality, SimProfile};
use proptest::prelude::*;
use simulated::Pair;
use telecom::{AccessTechnology, HangUpCause, Registration};

const FAMILIES: [&str; 2] = ["ec25", "sim7600"];

fn check(pair: &mut Pair, want: &Expect) {
    want.assert_eq(&pair.take_transcript());
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn sms(text: &str) -> Control {
    Control::Sms {
        from: "+33698765432".to_owned(),
        text: text.to_owned(),
        parts_order: None,
        class: None,
        reference: None,
    }
}

fn call() -> Control {
    Control::Call { from: Some("+33698765432".to_owned()), give_up_ms: None }
}

fn send(token: i64) -> Command {
    let part = sms_pdu::segment("hello", 1).expect("short").parts.remove(0);
    let pdu = sms_pdu::encode_submit(&"+33698765432".parse().expect("a number"), &part, 0, true);
    Command::SendSms { token: PartToken(token), pdu: pdu.bytes, tpdu_length: pdu.tpdu_length }
}

fn dial() -> Command {
    Command::Dial { number: "0612345678".parse().expect("a number") }
}

fn for_each_family(story: impl Fn(&mut Pair), want: &Expect) {
    for_each(&FAMILIES, Pair::ready, story, want);
}

/// Tells the same story to each personality; the transcripts must be as expected, one after the other.
fn for_each(names: &[&str], begin: impl Fn(&str) -> Pair, story: impl Fn(&mut Pair), want: &Expect) {
    let mut transcript = String::new();
    for name in names {
        let mut pair = begin(name);
        story(&mut pair);
        transcript = format!("{transcript}{name}\n{}", pair.take_transcript());
    }
    want.assert_eq(&transcript);
}

fn causes(pair: &Pair) -> Vec<HangUpCause> {
    let cause = |event: &Event| if let Event::Call(CallEvent::Ended { cause }) = event { Some(*cause) } else { None };
    pair.events.iter().filter_map(cause).collect()
}

fn stored_parts(pair: &Pair) -> Vec<StoredPart> {
    let part = |event: &Event| if let Event::SmsStored(part) = event { Some(part.clone()) } else { None };
    pair.events.iter().filter_map(part).collect()
}

fn take_stored(pair: &mut Pair) -> Vec<StoredPart> {
    let events = std::mem::take(&mut pair.events);
    events.into_iter().filter_map(|event| if let Event::SmsStored(part) = event { Some(part) } else { None }).collect()
}
