//! Texts that arrive and leave while something happens to the box, and the count of them afterwards.
#![expect(clippy::panic, clippy::expect_used, reason = "a story fails by panicking")]

use crate::chance::Chance;
use crate::clock::wait_for;
use crate::house::{EC25, House, SIM7600};
use crate::http::Api;
use crate::lab::Lab;
use anyhow::{Context, Result};
use modem_sim::core::Control;
use modem_sim::core::fault::{Fault, ReportOutcome};
use modem_sim::runner::{SentMessage, Sim};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::Store;
use tokio::task::JoinHandle;

/// The modems of a laboratory.
pub const MODEMS: [&str; 2] = [EC25, SIM7600];
/// Whom the texts come from and go to.
pub const FRIENDS: [&str; 3] = ["+33611110001", "+33611110002", "+33611110003"];
/// In every text, so that the log can be searched for it.
pub const MARK: &str = "Zaunkönig";
/// After the last blow everything has found its place within this, or within the patience of the house.
const SETTLING: Duration = Duration::from_secs(90);
/// Between two texts that arrive, at the most.
const ARRIVING_EVERY_MS: u64 = 80;
/// Between two texts that leave, at the most.
const LEAVING_EVERY_MS: u64 = 400;

/// How long one attempt to hand a text over may take: a box that lost its power in it never answers.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(5);

/// Texts on their way in both directions, until [`Traffic::end`].
pub struct Traffic {
    is_over: Arc<AtomicBool>,
    arriving: JoinHandle<Vec<String>>,
    leaving: JoinHandle<BTreeSet<String>>,
}

/// What became of the texts.
#[derive(Debug)]
pub struct Count {
    /// Texts that the network sent to the box.
    pub arrived: usize,
    /// Texts that the box accepted for sending, by what it says of them.
    pub left: BTreeMap<String, usize>,
}

impl Traffic {
    /// Starts; the network reports what it delivered.
    ///
    /// # Errors
    /// When the lines are not there.
    pub async fn start(house: &House, chance: &Chance) -> Result<Self> {
        Self::start_slower(house, chance, 1).await
    }

    /// As [`start`](Self::start), so many times slower.
    ///
    /// # Errors
    /// When the lines are not there.
    pub async fn start_slower(house: &House, chance: &Chance, times: u64) -> Result<Self> {
        for modem in MODEMS {
            let delivered = Fault::Report { outcome: ReportOutcome::Delivered };
            house.sim.control(modem, Control::Fault(delivered)).await?;
        }
        let lines = [house.line_of(EC25).await?, house.line_of(SIM7600).await?];
        let is_over = Arc::new(AtomicBool::new(false));
        Ok(Self {
            arriving: tokio::spawn(arrive(Arc::clone(&house.sim), chance.clone(), times, Arc::clone(&is_over))),
            leaving: tokio::spawn(leave(Sender::of(house, lines), chance.clone(), times, Arc::clone(&is_over))),
            is_over,
        })
    }

    /// Ends and counts: every text that arrived is in the inbox once, and nothing else; every text that was accepted
    /// is known, its parts were on the air at most once, and exactly once when the box says that it was sent.
    ///
    /// # Errors
    /// When a line does not come back or something stays on its way.
    ///
    /// # Panics
    /// When something was lost or doubled.
    pub async fn end(self, house: &House) -> Result<Count> {
        self.is_over.store(true, Ordering::Relaxed);
        let (arrived, accepted) = (self.arriving.await?, self.leaving.await?);
        house.wait_for_lines(MODEMS.len()).await?;
        house.wait_for_empty_modems().await?;
        let settled = || async {
            let messages = house.messages().await.ok()?;
            let is_settled = |m: &Value| !matches!(word_of(m, "status"), "queued" | "sending");
            messages.iter().all(is_settled).then_some(messages)
        };
        let messages = wait_for("every message to be settled", SETTLING.max(house.patience), settled)
            .await
            .with_context(|| house.log())?;
        let (own, received): (Vec<Value>, Vec<Value>) =
            messages.into_iter().partition(|message| message.get("fromMe") == Some(&json!(true)));
        assert_all_arrived_once(&arrived, &received);
        let left = assert_left_at_most_once(&own, &accepted, &house.sim.sent().await?);
        Ok(Count { arrived: arrived.len(), left })
    }
}

/// What every story ends with: an inbox that is sound, and a log that tells nobody's business.
///
/// # Panics
/// When it is not so.
pub async fn assert_sound(mut lab: Lab) {
    lab.kill_supervisor().await.expect("the supervisor runs");
    let store = Store::open(lab.database()).expect("the store opens");
    store.check_integrity().await.expect("the store is sound");
    let mut secrets = vec![MARK];
    secrets.extend(FRIENDS);
    lab.assert_private(&secrets);
}

/// Sends texts to both modems until it is over; returns them.
async fn arrive(sim: Arc<Sim>, mut chance: Chance, times: u64, is_over: Arc<AtomicBool>) -> Vec<String> {
    let mut sent = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let length = chance.pick(&[0, 0, 10, 40]);
        let text = format!("in{} {MARK}{}", sent.len(), " und noch mehr".repeat(length));
        // The longest has four parts.
        let order = chance.pick(&[None, Some(vec![4, 3, 2, 1]), Some(vec![4, 1, 1, 3, 2, 2])]);
        let sms = Control::Sms {
            from: chance.pick(&FRIENDS).to_owned(),
            text: text.clone(),
            parts_order: order.filter(|_| length == 40),
            class: None,
            reference: None,
        };
        sim.control(chance.pick(&MODEMS), sms).await.expect("the network takes it");
        sent.push(text);
        tokio::time::sleep(chance.millis(ARRIVING_EVERY_MS * times)).await;
    }
    sent
}

/// Somebody who sends texts by both lines.
struct Sender {
    api: Api,
    lines: [String; 2],
    patience: Duration,
}

impl Sender {
    fn of(house: &House, lines: [String; 2]) -> Self {
        Self { api: house.api.clone(), lines, patience: house.patience }
    }
}

/// Sends texts by both lines until it is over, each until the box has it; returns the ids.
async fn leave(sender: Sender, mut chance: Chance, times: u64, is_over: Arc<AtomicBool>) -> BTreeSet<String> {
    let Sender { api, lines, patience } = sender;
    let mut ids = BTreeSet::new();
    let mut n = 0;
    while !is_over.load(Ordering::Relaxed) {
        let text = format!("out{n} {MARK}{}", format!(" out{n} und noch mehr").repeat(chance.pick(&[0, 0, 20])));
        let body = json!({
            "to": chance.pick(&FRIENDS),
            "message": text,
            "from": chance.pick(&lines),
            "idempotencyKey": format!("key-{n}"),
        });
        let accept = || async {
            let accepted = tokio::time::timeout(ACCEPTED_WITHIN, api.post("/api/sms/send", body.clone()));
            let (status, answer) = accepted.await.ok()?.ok()?;
            assert_eq!(status.as_u16(), 202, "{answer}");
            Some(answer.get("messageId")?.as_str()?.to_owned())
        };
        // A box that loses its power again and again is there for some seconds at a time.
        let id = wait_for("a message to be accepted", patience * 3, accept).await;
        ids.insert(id.expect("the box answers"));
        n += 1;
        tokio::time::sleep(chance.millis(LEAVING_EVERY_MS * times)).await;
    }
    ids
}

fn assert_all_arrived_once(arrived: &[String], received: &[Value]) {
    let want: BTreeSet<&str> = arrived.iter().map(String::as_str).collect();
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for message in received {
        assert_eq!(message.get("isComplete"), Some(&json!(true)), "{message}");
        *found.entry(word_of(message, "content")).or_default() += 1;
    }
    let lost: Vec<_> = want.iter().filter(|text| !found.contains_key(**text)).collect();
    let doubled: Vec<_> = found.iter().filter(|(_, count)| **count > 1).collect();
    let strange: Vec<_> = found.keys().filter(|text| !want.contains(**text)).collect();
    assert!(
        lost.is_empty() && doubled.is_empty() && strange.is_empty(),
        "lost: {lost:?} doubled: {doubled:?} strange: {strange:?}"
    );
}

fn assert_left_at_most_once(
    own: &[Value],
    accepted: &BTreeSet<String>,
    sent: &[SentMessage],
) -> BTreeMap<String, usize> {
    let on_air = parts_on_air(sent);
    let ids: BTreeSet<String> = own.iter().map(|message| word_of(message, "id").to_owned()).collect();
    assert_eq!((&ids, own.len()), (accepted, accepted.len()), "a message was lost or doubled in the box");
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for message in own {
        let status = word_of(message, "status");
        let word = word_of(message, "content").split(' ').next().unwrap_or_default();
        let segments = message.get("segments").and_then(Value::as_u64).and_then(|n| u8::try_from(n).ok());
        let parts = 1..=segments.expect("the number of segments");
        let seen: Vec<usize> = parts.map(|n| on_air.get(&(word.to_owned(), n)).copied().unwrap_or(0)).collect();
        assert!(seen.iter().all(|count| *count <= 1), "{word} is {status} and left doubled: {seen:?}");
        match status {
            "sent" | "delivered" => {
                assert!(seen.iter().all(|count| *count == 1), "{word} is {status} and left as {seen:?}");
            }
            // What became of the part that the modem had is unknown; nobody sends it again unasked.
            "unknown" => {}
            _ => panic!("{word} is {status}: {message}"),
        }
        *counts.entry(status.to_owned()).or_default() += 1;
    }
    counts
}

/// How often each part of each text left.
fn parts_on_air(sent: &[SentMessage]) -> BTreeMap<(String, u8), usize> {
    let mut parts = BTreeMap::new();
    for sent in sent {
        let sequence = sent.message.concat.map_or(1, |concat| concat.sequence);
        let word = sent.message.text.split(' ').find(|word| word.starts_with("out") && word.len() > 3);
        *parts.entry((word.expect("a text of the traffic").to_owned(), sequence)).or_default() += 1;
    }
    parts
}

fn word_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
