//! Commands in a terminal, and what is typed while they run.

use anyhow::{Context, Result, ensure};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// No command of the stories takes longer.
const DEADLINE: Duration = Duration::from_secs(40);

/// What a command prints, with `typed` as what is typed.
///
/// # Errors
/// With what it printed as errors, when it fails or prints any; and when it does not end.
pub async fn run(command: &mut Command, typed: &str) -> Result<String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("starting a command")?;
    let mut input = child.stdin.take().context("stdin")?;
    // A command that reads nothing may be gone already.
    drop(input.write_all(typed.as_bytes()).await);
    drop(input);
    let output = tokio::time::timeout(DEADLINE, child.wait_with_output()).await.context("the command hangs")??;
    let errors = String::from_utf8(output.stderr)?;
    ensure!(output.status.success() && errors.is_empty(), "{errors}");
    Ok(String::from_utf8(output.stdout)?)
}
