//! How many messages become durable per second.

use anyhow::{Context, Result, ensure};
use laptop_tests::lab::program;
use laptop_tests::table::{Row, Target};
use serde_json::Value;
use std::path::Path;
use tokio::process::Command;

const SENDERS: &str = "64";
const SECONDS: &str = "5";
const PER_SECOND_TARGET: f64 = 4000.0;

/// Runs the store's own measurement in `HOMENICHAT_BENCH_DIR`, or else beside the programs.
pub(crate) async fn measure() -> Result<Vec<Row>> {
    let measurer = program("examples/ingest").context("cargo build --release -p store --examples")?;
    let beside = measurer.parent().context("no directory")?;
    let given = std::env::var_os("HOMENICHAT_BENCH_DIR");
    let dir = tempfile::Builder::new().prefix("ingest").tempdir_in(given.as_deref().map_or(beside, Path::new))?;
    let output = Command::new(&measurer).arg(dir.path()).args([SENDERS, SECONDS]).kill_on_drop(true).output().await?;
    ensure!(output.status.success(), "ingest failed: {}", String::from_utf8_lossy(&output.stderr));
    let figures: Value = serde_json::from_slice(&output.stdout)?;
    let figure = |key: &str| figures.get(key).and_then(Value::as_f64).with_context(|| format!("no {key}"));
    let note = format!(
        "64 senders, p50 {:.1} p99 {:.1} ms, on {}",
        figure("p50_us")? / 1e3,
        figure("p99_us")? / 1e3,
        file_system(dir.path()).await?
    );
    let row = Row::new("durable SMS ingest", figure("per_second")?, "/s").note(note);
    Ok(vec![row.target(Target::AtLeast(PER_SECOND_TARGET))])
}

async fn file_system(path: &Path) -> Result<String> {
    let output = Command::new("stat").args(["--file-system", "--format=%T"]).arg(path).output().await?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
