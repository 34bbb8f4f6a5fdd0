//! Messages in and out, one modem at a time.

use crate::peers;
use crate::stand::Stand;
use crate::transcript::{self, Entry, Origin, What};
use anyhow::{Context, Result, ensure};
use laptop_tests::clock::now;
use laptop_tests::lab::{EC25, SIM7600};
use laptop_tests::table::{Row, Target};
use modem_sim::core::Control;
use modem_sim::core::fault::{Fault, ReportOutcome};
use modem_sim::runner::{Event, Sim};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::Receiver;

/// Enough that one slow message in a hundred is not the slowest of all.
const INCOMING: usize = 300;
const OUTGOING: usize = 200;
const EVENT: Duration = Duration::from_secs(10);
const EVENT_TARGET_MS: f64 = 50.0;
/// How long the network takes to accept a message.
const NETWORK_DELAY_MS: u64 = 50;
pub(crate) const FAR_NUMBER: &str = "+33698765432";

/// From the network's hand-over to the event, whole and without what the modem itself took.
struct Delays {
    whole: Vec<Duration>,
    ours: Vec<Duration>,
}

pub(crate) async fn measure_incoming() -> Result<Vec<Row>> {
    let stand = Stand::start(|_| {}, |_| {}).await?;
    let origin = stand.origin().await?;
    let mut rows = Vec::new();
    for (name, modem) in [("EC25", EC25), ("SIM7600", SIM7600)] {
        let delays = incoming(&stand, modem, origin).await?;
        rows.push(Row::median(format!("SMS in → event, {name}: whole, p50"), &delays.whole));
        let p99 = laptop_tests::table::quantile(&delays.ours, 99);
        let note =
            format!("p50 {:.1} ms n {}", laptop_tests::table::quantile(&delays.ours, 50).as_secs_f64() * 1e3, INCOMING);
        let row = Row::millis(format!("SMS in → event, {name}: beyond the modem, p99"), p99).note(note);
        rows.push(row.target(Target::AtMost(EVENT_TARGET_MS)));
    }
    Ok(rows)
}

async fn incoming(stand: &Stand, modem: &str, origin: Origin) -> Result<Delays> {
    let mut events = stand.lab.api.events().await?;
    let mut seen = Vec::new();
    for n in 0..INCOMING {
        let text = format!("measured {n}");
        let sent = now();
        stand.lab.sim.send_sms(modem, "+33612345678", &text).await?;
        let is_it = |event: &serde_json::Value| event.pointer("/data/content") == Some(&json!(text));
        events.wait("new_message", EVENT, is_it).await?;
        seen.push((sent, now()));
    }
    let entries = transcript::read(&stand.lab.sim)?;
    let of_modem: Vec<Entry> = entries.into_iter().filter(|entry| entry.modem == modem).collect();
    let is_sms = |entry: &Entry| entry.what == What::Control("Sms".to_owned());
    let starts: Vec<usize> = of_modem.iter().enumerate().filter(|(_, entry)| is_sms(entry)).map(|(n, _)| n).collect();
    ensure!(starts.len() >= seen.len(), "the transcript does not show every message");
    let starts = starts.get(starts.len() - seen.len()..).unwrap_or_default();
    let mut delays = Delays { whole: Vec::new(), ours: Vec::new() };
    for (&start, &(sent, event)) in starts.iter().zip(&seen) {
        delays.whole.push(event - sent);
        let reading = Reading::find(of_modem.get(start..).unwrap_or_default()).context("no CMTI with its CMGR")?;
        let store = event.saturating_duration_since(origin.instant(reading.answered));
        delays.ours.push((reading.asked - reading.announced) + store);
    }
    Ok(delays)
}

/// The dialogue about one message.
struct Reading {
    /// `+CMTI` left the modem.
    announced: Duration,
    /// `AT+CMGR` reached it.
    asked: Duration,
    /// The last byte of its answer left.
    answered: Duration,
}

impl Reading {
    fn find(entries: &[Entry]) -> Option<Self> {
        let says = |entry: &&Entry, wanted: &str| matches!(&entry.what, What::FromModem(text) if text.contains(wanted));
        let announced = entries.iter().find(|entry| says(entry, "+CMTI"))?.at;
        let mut rest = entries.iter().skip_while(|entry| entry.at < announced);
        let asks = |entry: &&Entry| matches!(&entry.what, What::FromHost(text) if text.contains("+CMGR"));
        let asked = rest.find(asks)?.at;
        let answered = rest.find(|entry| says(entry, "OK\\r\\n"))?.at;
        Some(Self { announced, asked, answered })
    }
}

pub(crate) async fn measure_outgoing() -> Result<Vec<Row>> {
    let ours = {
        let stand = Stand::start(|config| config.modems.truncate(1), |_| {}).await?;
        lay_network(&stand.lab.sim).await?;
        let line = stand.lab.line_of(EC25).await?;
        let sent = stand.lab.sim.subscribe();
        for n in 0..OUTGOING {
            let body = json!({"to": FAR_NUMBER, "message": format!("measured {n}"), "from": line});
            let (status, answer) = stand.lab.api.post("/api/sms/send", body).await?;
            ensure!(status.is_success(), "sending answered {status}: {answer}");
        }
        per_minute(sent, OUTGOING).await?
    };
    let theirs = peers::smsd_per_minute().await?;
    let limit = 60_000.0 / f64::from(u32::try_from(NETWORK_DELAY_MS)?);
    let note = format!("n {OUTGOING}; the network takes {NETWORK_DELAY_MS} ms each, so at most {limit:.0}");
    Ok(vec![Row::new("SMS out through one modem", ours, "/min").peer("gammu-smsd", theirs).note(note)])
}

/// The network that both programs send through.
pub(crate) async fn lay_network(sim: &Sim) -> Result<()> {
    for fault in [Fault::NetworkDelay { delay_ms: NETWORK_DELAY_MS }, Fault::Report { outcome: ReportOutcome::Never }] {
        sim.control(EC25, Control::Fault(fault)).await?;
    }
    Ok(())
}

/// The rate from the first to the last of `count` messages.
pub(crate) async fn per_minute(mut events: Receiver<Event>, count: usize) -> Result<f64> {
    let mut ends: Option<(Instant, Instant)> = None;
    let mut left = count;
    while left > 0 {
        let event = tokio::time::timeout(Duration::from_secs(60), events.recv());
        if let Event::Sent(_) = event.await.with_context(|| format!("{left} of {count} messages did not leave"))?? {
            let at = now();
            ends = Some((ends.map_or(at, |(first, _)| first), at));
            left -= 1;
        }
    }
    let (first, last) = ends.context("no message")?;
    let gaps = u32::try_from(count.saturating_sub(1))?;
    Ok(f64::from(gaps) * 60.0 / (last - first).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialogue_about_a_message_is_found_between_other_things() {
        let entry = |ms: u64, what: What| Entry { at: Duration::from_millis(ms), modem: "1-2".into(), what };
        let from = |text: &str| What::FromModem(text.into());
        let host = |text: &str| What::FromHost(text.into());
        let entries = [
            entry(0, What::Control("Sms".into())),
            entry(5, from("\\r\\n+CMTI: \"ME\",0\\r\\n")),
            entry(6, host("AT+CSQ\\r")),
            entry(7, from("\\r\\nOK\\r\\n")),
            entry(9, host("AT+CMGR=0\\r")),
            entry(10, from("\\r\\n+CMGR: 1,,24\\r\\n")),
            entry(12, from("0791\\r\\n\\r\\nOK\\r\\n")),
        ];
        let found = Reading::find(&entries).unwrap();
        assert_eq!([found.announced, found.asked, found.answered].map(|at| at.as_millis()), [5, 9, 12]);
        assert!(Reading::find(&entries[..5]).is_none());
    }
}
