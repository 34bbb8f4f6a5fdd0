//! Measures how many messages per second the store makes durable for concurrent senders.
//!
//! `ingest DIRECTORY [SENDERS] [SECONDS]` prints one line of JSON.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sms_pdu::{DeliverSpec, ServiceCentreTimestamp, encode_deliver, segment};
use store::{ReceivedPart, SimIdentity, Store};
use telecom::{Address, LineId};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("usage: ingest DIRECTORY [SENDERS] [SECONDS]")?);
    let senders: u32 = arguments.next().map_or(Ok(64), |text| text.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let path = directory.join(format!("ingest-{}.db", std::process::id()));
    let store = Store::open(&path)?;
    let sim = SimIdentity { iccid: "8933150319000000123".parse()?, imsi: None, number: None };
    let line = store.ensure_line(sim, 0).await?.into_inner().id;

    let start = now();
    let end = start + Duration::from_secs(seconds);
    let tasks: Vec<_> = (0..senders).map(|sender| tokio::spawn(send(store.clone(), line, sender, end))).collect();
    let mut delays = Vec::new();
    for task in tasks {
        delays.extend(task.await??);
    }
    let elapsed = start.elapsed();
    store.check_integrity().await?;
    drop(store);
    for file in ["db", "db-wal", "db-shm"] {
        // The log and its index go away with the last connection.
        std::fs::remove_file(path.with_extension(file)).ok();
    }
    print(senders, elapsed, &mut delays)?;
    Ok(())
}

/// Sends one message after the other, each when the one before is durable; returns how long each took.
async fn send(store: Store, line: LineId, sender: u32, end: Instant) -> Result<Vec<Duration>, Failure> {
    let mut delays = Vec::new();
    for n in 0.. {
        let pdu = pdu(sender, n)?;
        let received_at_ms = 1_800_000_000_000 + i64::from(n);
        let part = ReceivedPart { line, storage_owner: format!("ME:{sender}"), slot: None, pdu, received_at_ms };
        let start = now();
        if start >= end {
            break;
        }
        store.receive_part(part).await?;
        delays.push(start.elapsed());
    }
    Ok(delays)
}

fn pdu(sender: u32, n: u32) -> Result<Vec<u8>, Failure> {
    let part = segment(&format!("message {n} of sender {sender}"), 0)?.parts.pop().ok_or("no part")?;
    Ok(encode_deliver(&DeliverSpec {
        smsc: None,
        sender: Address::Number(format!("+3360000{sender:04}").parse()?),
        timestamp: ServiceCentreTimestamp::from_unix_seconds(1_800_000_000 + i64::from(n), 4),
        protocol_id: 0,
        part,
    }))
}

fn print(senders: u32, elapsed: Duration, delays: &mut [Duration]) -> Result<(), Failure> {
    delays.sort();
    let messages = delays.len();
    let quantile = |hundredths: usize| delays.get(messages * hundredths / 100).map_or(0, Duration::as_micros);
    let rate = u128::try_from(messages)? * 1000 / elapsed.as_millis().max(1);
    writeln!(
        std::io::stdout(),
        r#"{{"senders":{senders},"messages":{messages},"per_second":{rate},"p50_us":{},"p99_us":{}}}"#,
        quantile(50),
        quantile(99),
    )?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the one clock of this program")]
fn now() -> Instant {
    Instant::now()
}
