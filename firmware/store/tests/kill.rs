//! `kill -9` at random moments: what was acknowledged is there, and nothing is there twice.
//!
//! The test starts itself as a child that ingests in a loop and prints what is durable, and kills that child.
#![expect(clippy::expect_used, reason = "a test may stop at the first surprise")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{ANN, Bench, NOON, deliver, ensure_line};
use store::{MessagePage, ReceivedPart, Store};

const ROUNDS: u64 = 24;
const DIRECTORY: &str = "STORE_KILL_DIRECTORY";
const FIRST: &str = "STORE_KILL_FIRST";
const ICCID: &str = "8933150319000000123";
const SLOTS: u32 = 40;

#[tokio::test]
async fn nothing_acknowledged_is_lost_and_nothing_is_doubled() {
    let mut bench = Bench::new().await;
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        // The next child reads again what the last one had in its slots, as a modem would offer it.
        let first = acknowledged.last().map_or(0, |last: &u32| last.saturating_sub(3));
        bench.close();
        let mut child = spawn(bench.directory.path(), first);
        let lines = BufReader::new(child.stdout.take().unwrap());
        let killer = kill_after(child, Duration::from_millis(40 + round * 37 % 160));
        let acks = lines.lines().map_while(Result::ok).filter_map(|line| line.strip_prefix("ack ")?.parse().ok());
        acknowledged.extend(acks.collect::<Vec<u32>>());
        killer.join().unwrap();
        bench.reopen();
        bench.store.check_integrity().await.unwrap();
        let counts = counts(&bench).await;
        for n in &acknowledged {
            assert_eq!(counts.get(n), Some(&1), "message {n} after round {round}");
        }
        assert!(counts.values().all(|count| *count == 1), "doubled after round {round}: {counts:?}");
    }
    assert!(acknowledged.len() > 100, "only {} messages were acknowledged", acknowledged.len());
}

/// Does nothing unless it runs in the child.
#[tokio::test]
async fn ingest_until_killed() {
    let (Ok(directory), Ok(first)) = (std::env::var(DIRECTORY), std::env::var(FIRST)) else { return };
    let store = Store::open(Path::new(&directory).join("box.db")).unwrap();
    let line = ensure_line(&store, ICCID, None).await.id;
    for n in first.parse::<u32>().unwrap().. {
        // Every message has two parts, each in a slot of its own.
        let text = format!("{n} {}", "x".repeat(200));
        let reference = u8::try_from(n % 256).unwrap();
        let parts = deliver(ANN, &text, reference, NOON + i64::from(n) * 60);
        for (place, pdu) in (0..).zip(parts) {
            let slot = Some(u16::try_from(n % SLOTS * 2 + place).unwrap());
            let part = ReceivedPart {
                line,
                storage_owner: common::STORAGE.to_owned(),
                slot,
                pdu,
                received_at_ms: i64::from(n),
            };
            store.receive_part(part).await.unwrap();
        }
        writeln!(std::io::stdout(), "ack {n}").unwrap();
    }
}

fn spawn(directory: &Path, first: u32) -> Child {
    Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", "ingest_until_killed", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts")
}

fn kill_after(mut child: Child, delay: Duration) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        std::thread::sleep(delay);
        child.kill().expect("the child is ours");
        child.wait().expect("the child ends");
    })
}

async fn counts(bench: &Bench) -> BTreeMap<u32, u32> {
    let mut counts = BTreeMap::new();
    for chat in bench.store.list_chats(100, 0).await.expect("chats") {
        let page = MessagePage { limit: u32::MAX, ..MessagePage::default() };
        for message in bench.store.list_messages(chat.id, page).await.expect("messages") {
            let n = message.body.split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
            *counts.entry(n).or_default() += 1;
        }
    }
    counts
}
