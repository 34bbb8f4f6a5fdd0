//! What a call costs the processors.

use crate::exchange::{EXTENSION, MODEMS, call_out, start};
use crate::phone::Phone;
use crate::stand::Stand;
use anyhow::{Context, Result};
use laptop_tests::table::Row;
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(10);
/// `USER_HZ`, the unit of `/proc/PID/stat` on every Linux that we run on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Measures at rest, with one call, and with one on each modem.
pub(crate) async fn measure() -> Result<Vec<Row>> {
    let stand = start(MODEMS.len()).await?;
    let account = stand.account(EXTENSION)?;
    let idle = shares(&stand).await?;
    let mut talks = Vec::new();
    let mut rows: Vec<Row> = idle.iter().map(|(name, share)| row(name, "at rest", *share)).collect();
    for (n, (_, _, prefix)) in (1_u32..).zip(MODEMS) {
        let mut phone = Phone::open(account.clone()).await?;
        let (call, talk) = call_out(&mut phone, prefix).await.with_context(|| stand.lab.log())?;
        talks.push((phone, call, talk));
        if n == 1 || talks.len() == MODEMS.len() {
            let busy = shares(&stand).await?;
            for ((name, busy), (_, idle)) in busy.iter().zip(&idle) {
                rows.push(row(name, &format!("for each of {n}"), (busy - idle) / f64::from(n)));
            }
        }
    }
    for (mut phone, call, talk) in talks {
        phone.hang_up(call).await?;
        talk.stop()?;
    }
    Ok(rows)
}

fn row(name: &str, when: &str, share: f64) -> Row {
    let (what, note) =
        if when == "at rest" { ("CPU", "of one core") } else { ("CPU of a call", "of one core, beyond rest") };
    Row::new(format!("{what}, {name}, {when}"), share * 100.0, "%").note(note)
}

/// The share of one core that each program takes over the window.
async fn shares(stand: &Stand) -> Result<Vec<(&'static str, f64)>> {
    let processes = stand.processes()?;
    let ticks = || processes.iter().map(|(_, pid)| ticks_of(*pid)).collect::<Result<Vec<f64>>>();
    // The start of a call is not part of what it costs to go on.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = ticks()?;
    tokio::time::sleep(WINDOW).await;
    let after = ticks()?;
    let share = |(before, after): (&f64, &f64)| (after - before) / TICKS_PER_SECOND / WINDOW.as_secs_f64();
    Ok(processes.iter().map(|(name, _)| *name).zip(before.iter().zip(&after).map(share)).collect())
}

/// utime and stime of a process, as in proc(5).
fn ticks_of(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_ticks(&text).with_context(|| format!("/proc/{pid}/stat"))
}

/// The name of the program is in parentheses and may hold anything.
fn parse_ticks(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_a_process_are_found_behind_any_name() {
        let stat = "7 (a) b 9) S 1 1 1 0 -1 4194560 100 0 0 0 30 12 0 0 20 0 1 0 5 1 1";
        assert_eq!(parse_ticks(stat), Some(42.0));
        assert_eq!(parse_ticks("7"), None);
    }
}
