//! How long a start takes, and what a box that does nothing keeps in memory.

use crate::stand::Stand;
use anyhow::{Context, Result};
use laptop_tests::table::{Row, Target, quantile};
use std::collections::BTreeMap;
use std::time::Duration;

const STARTS: usize = 5;
/// What was needed for the start only is given back by then.
const SETTLE: Duration = Duration::from_secs(10);
const START_TARGET_MS: f64 = 150.0;
const RESIDENT_TARGET_MB: f64 = 20.0;

pub(crate) async fn measure_start() -> Result<Vec<Row>> {
    let mut first = Vec::new();
    for _ in 0..3 {
        first.push(Stand::prepare(|_| {}, |_| {}).await?.start_supervisor().await?);
    }
    let mut stand = Stand::start(|_| {}, |_| {}).await?;
    let mut again = Vec::new();
    for _ in 0..STARTS {
        stand.kill_supervisor().await?;
        again.push(stand.start_supervisor().await?);
        // The next one is to begin with a box at rest.
        stand.lab.wait_for_lines(2).await?;
    }
    Ok(vec![
        start_row("start to first answer, new box", &first),
        start_row("start to first answer, after kill -9", &again),
    ])
}

fn start_row(what: &str, starts: &[Duration]) -> Row {
    let note = format!("median of {}, max {:.0} ms", starts.len(), quantile(starts, 100).as_secs_f64() * 1000.0);
    Row::millis(what, quantile(starts, 50)).target(Target::AtMost(START_TARGET_MS)).note(note)
}

pub(crate) async fn measure_memory() -> Result<Vec<Row>> {
    let stand = Stand::start(|_| {}, |_| {}).await?;
    stand.wait_for_exchange().await?;
    tokio::time::sleep(SETTLE).await;
    let mut rows = Vec::new();
    for (name, pid) in stand.processes()? {
        let megabytes = memory_mb(pid)?;
        let of = |key: &str| megabytes.get(key).copied().with_context(|| format!("no {key} of {name}"));
        let note = format!("PSS {:.1} anonymous {:.1} MB", of("Pss")?, of("Anonymous")?);
        let row = Row::new(format!("idle memory of {name} (RSS)"), of("Rss")?, "MB").note(note);
        rows.push(if name == "supervisor" { row.target(Target::AtMost(RESIDENT_TARGET_MB)) } else { row });
    }
    Ok(rows)
}

/// The totals of `smaps_rollup` in units of 10^6 bytes.
fn memory_mb(pid: u32) -> Result<BTreeMap<String, f64>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    Ok(text.lines().filter_map(parse_total).collect())
}

/// `Rss:   9876 kB`
fn parse_total(line: &str) -> Option<(String, f64)> {
    let (key, rest) = line.split_once(':')?;
    let kibibytes: f64 = rest.trim().strip_suffix(" kB")?.parse().ok()?;
    Some((key.to_owned(), kibibytes * 1024.0 / 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_of_a_process_are_read() {
        assert_eq!(parse_total("Rss:               10000 kB"), Some(("Rss".to_owned(), 10.24)));
        assert_eq!(parse_total("00400000-7ffe rollup ---p [rollup]"), None);
    }
}
