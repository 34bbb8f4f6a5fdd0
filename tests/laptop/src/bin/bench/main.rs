//! Measures the box and prints one table: `scripts/bench` builds and starts it.
//!
//! A measurement is not a test: a figure beyond its target is shown, and only one that could not be taken fails.

mod calls;
mod delay;
mod exchange;
mod ingest;
mod load;
mod messages;
mod peers;
mod phone;
mod sound;
mod stand;
mod start;
mod sweep;
mod transcript;

use laptop_tests::table::{Row, Table};
use std::io::Write;
use std::process::ExitCode;

/// The measurements in the order of the table.
const SUBJECTS: [&str; 9] = ["start", "memory", "incoming", "ingest", "outgoing", "sweep", "calls", "sound", "load"];

#[tokio::main]
async fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|name| !SUBJECTS.contains(&name.as_str())) {
        say(&format!("bench: unknown subject `{unknown}`: any of {}, or nothing for all", SUBJECTS.join(", ")));
        return ExitCode::from(2);
    }
    let mut table = Table::default();
    for subject in SUBJECTS {
        if wanted.is_empty() || wanted.iter().any(|name| name == subject) {
            say(&format!("bench: {subject} ..."));
            match measure(subject).await {
                Ok(rows) => rows.into_iter().for_each(|row| table.add(row)),
                Err(error) => table.add_missing(subject, &error),
            }
        }
    }
    say("");
    let printed = write!(std::io::stdout(), "{table}");
    if table.is_complete() && printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure(subject: &str) -> anyhow::Result<Vec<Row>> {
    match subject {
        "start" => start::measure_start().await,
        "memory" => start::measure_memory().await,
        "incoming" => messages::measure_incoming().await,
        "ingest" => ingest::measure().await,
        "outgoing" => messages::measure_outgoing().await,
        "sweep" => sweep::measure().await,
        "calls" => calls::measure().await,
        "sound" => calls::measure_sound().await,
        _ => load::measure().await,
    }
}

/// Progress goes to stderr, so that stdout holds the table alone.
#[expect(clippy::print_stderr, reason = "this is a program for a terminal")]
fn say(text: &str) {
    eprintln!("{text}");
}
