//! Messages that a modem kept while nobody looked.

use crate::peers::{Modem, gammu_getallsms};
use crate::stand::Stand;
use crate::transcript::{self, What};
use anyhow::{Context, Result, ensure};
use laptop_tests::clock::{now, wait_for};
use laptop_tests::lab::EC25;
use laptop_tests::table::Row;
use modem_sim::runner::Sim;
use serde_json::Value;
use std::time::Duration;

const STORED: usize = 200;
const DEADLINE: Duration = Duration::from_secs(120);
const FROM: &str = "+33612345678";

pub(crate) async fn measure() -> Result<Vec<Row>> {
    let (whole, emptied, reading) = ours().await?;
    let modem = Modem::start().await?;
    store(&modem.sim).await?;
    let (theirs, shown) = gammu_getallsms(&modem).await?;
    ensure!(shown == STORED, "gammu showed {shown} of {STORED} messages");
    let theirs_ms = theirs.as_secs_f64() * 1000.0;
    let note = format!("whole start; emptied after {:.0} ms; gammu reads only", emptied.as_secs_f64() * 1e3);
    Ok(vec![
        Row::millis("sweep of 200 SMS: program start → all in the inbox", whole)
            .peer("gammu getallsms", theirs_ms)
            .note(note),
        Row::millis("sweep of 200 SMS: first question → all in the inbox", reading),
    ])
}

/// From the start to all durable, from the start to an empty modem, from the first question to all durable.
async fn ours() -> Result<(Duration, Duration, Duration)> {
    let mut stand = Stand::start(|config| config.modems.truncate(1), |_| {}).await?;
    let origin = stand.origin().await?;
    stand.kill_supervisor().await?;
    store(&stand.lab.sim).await?;
    let known = transcript::read(&stand.lab.sim)?.len();
    let begin = now();
    stand.start_supervisor().await?;
    let all = || async { (unread(&stand).await.ok()? == STORED).then(now) };
    let done = wait_for("the stored messages", DEADLINE, all).await.with_context(|| stand.lab.log())?;
    let is_empty = || async { (used(&stand.lab.sim).await.ok()? == 0).then(now) };
    let emptied = wait_for("an empty modem", DEADLINE, is_empty).await?;
    let entries = transcript::read(&stand.lab.sim)?;
    let asks = |what: &What| matches!(what, What::FromHost(text) if text.contains("+CMGL") || text.contains("+CMGR"));
    let first = entries.iter().skip(known).find(|entry| asks(&entry.what)).context("nothing was asked for")?;
    Ok((done - begin, emptied - begin, done.saturating_duration_since(origin.instant(first.at))))
}

async fn store(sim: &Sim) -> Result<()> {
    for n in 0..STORED {
        sim.send_sms(EC25, FROM, &format!("stored {n}")).await?;
    }
    let is_stored = || async { (used(sim).await.ok()? == STORED).then_some(()) };
    wait_for("the modem to hold the messages", DEADLINE, is_stored).await
}

async fn used(sim: &Sim) -> Result<usize> {
    let modems = sim.status().await?;
    Ok(modems.iter().flat_map(|modem| &modem.storage).map(|(_, used, _)| used).sum())
}

async fn unread(stand: &Stand) -> Result<usize> {
    let chats = stand.lab.api.read("/api/chats").await?;
    let count = chats.pointer("/chats/0/unreadCount").and_then(Value::as_u64).unwrap_or(0);
    Ok(usize::try_from(count)?)
}
