//! QEMU's monitor: what the machine itself does when the box in it says nothing.

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// What the monitor ends each of its answers with.
const PROMPT: &str = "(qemu) ";
/// QEMU answers at once, or its main loop hangs.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than any answer.
const MOST: usize = 1 << 20;

/// What QEMU answers to a command of its monitor.
///
/// # Errors
/// When it does not within ten seconds.
pub async fn ask(socket: &Path, command: &str) -> Result<String> {
    let answer = async {
        let mut stream = UnixStream::connect(socket).await.context("connecting to QEMU's monitor")?;
        read_to_prompt(&mut stream).await?;
        stream.write_all(format!("{command}\n").as_bytes()).await?;
        read_to_prompt(&mut stream).await
    };
    tokio::time::timeout(PATIENCE, answer).await.with_context(|| format!("QEMU does not answer '{command}'"))?
}

/// What the processors do, at two moments, and what is on the bus.
pub async fn describe(socket: &Path) -> String {
    let mut state = String::new();
    for command in ["info status", "info usb", "info registers -a", "info registers -a"] {
        let answer = ask(socket, command).await.unwrap_or_else(|error| format!("{error:#}\n"));
        state.push_str(&answer);
    }
    state
}

async fn read_to_prompt(stream: &mut UnixStream) -> Result<String> {
    let mut said = String::new();
    let mut buffer = [0; 4096];
    while !said.ends_with(PROMPT) {
        let length = stream.read(&mut buffer).await?;
        if length == 0 || said.len() > MOST {
            bail!("QEMU's monitor ended in the middle of an answer");
        }
        said.push_str(&String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()));
    }
    Ok(said)
}
