//! The shell of the box on its second serial port.

use anyhow::{Context, Result, bail, ensure};
use laptop_tests::clock::wait_for;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Precedes the status of a command.
const MARK: &str = "@@";
/// One command under emulation.
const DEADLINE: Duration = Duration::from_secs(60);
/// More than any command of a story prints.
const LONGEST: usize = 4 << 20;

/// The machine ended before it answered.
#[derive(Debug, thiserror::Error)]
#[error("the serial port was closed: the machine is off")]
struct Closed;

/// A shell that takes one command after the other.
pub struct Shell {
    stream: UnixStream,
    commands: u64,
}

impl Shell {
    /// Connects, and waits until the shell answers.
    ///
    /// # Errors
    /// When it does not in `patience`.
    pub async fn connect(socket: &Path, patience: Duration) -> Result<Self> {
        let connect = || async { UnixStream::connect(socket).await.ok() };
        let stream = wait_for("QEMU's serial port", Duration::from_secs(20), connect).await?;
        let mut shell = Self { stream, commands: 0 };
        let greet = async {
            loop {
                // What is typed before the shell is there may be lost.
                let hello = tokio::time::timeout(Duration::from_secs(5), shell.exchange("stty -echo"));
                if hello.await.is_ok_and(|answered| answered.is_ok()) {
                    break;
                }
            }
        };
        tokio::time::timeout(patience, greet).await.context("no shell on the serial port")?;
        Ok(shell)
    }

    /// What a command prints; it may fail.
    ///
    /// # Errors
    /// When the shell does not answer.
    pub async fn ask(&mut self, command: &str) -> Result<String> {
        Ok(self.answer(command).await?.0)
    }

    /// What a command prints that has to succeed.
    ///
    /// # Errors
    /// When it fails, with what it printed.
    pub async fn run(&mut self, command: &str) -> Result<String> {
        let (output, status) = self.answer(command).await?;
        ensure!(status == 0, "`{command}` ended with {status}: {output}");
        Ok(output)
    }

    /// Brings the machine down by a target of systemd: `reboot` or `poweroff`.
    ///
    /// # Errors
    /// When systemd refuses.
    pub async fn go_down(&mut self, target: &str) -> Result<()> {
        /// The shell may end before it has said that the command did.
        const WAIT: Duration = Duration::from_secs(5);
        let command = format!("systemctl start --no-block --job-mode=replace-irreversibly {target}.target");
        match tokio::time::timeout(WAIT, self.run(&command)).await {
            Ok(Err(error)) if !error.is::<Closed>() => Err(error),
            // It says that it did, or it is on its way, or it is there already.
            _ => Ok(()),
        }
    }

    async fn answer(&mut self, command: &str) -> Result<(String, i32)> {
        let answer = tokio::time::timeout(DEADLINE, self.exchange(command)).await;
        answer.with_context(|| format!("`{command}` took longer than {DEADLINE:?}"))?
    }

    async fn exchange(&mut self, command: &str) -> Result<(String, i32)> {
        self.commands += 1;
        let mark = format!("{MARK}{}:", self.commands);
        // Put together by the shell, so that an echo of the command is not taken for the answer.
        let line = format!("{{ {command}\n}} 2>&1; echo \"\"\"{MARK}\"\"{}:\"$?\n", self.commands);
        self.stream.write_all(line.as_bytes()).await?;
        let mut said = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&said).replace('\r', "");
            if let Some((output, rest)) = text.split_once(&mark)
                && let Some((status, _)) = rest.split_once('\n')
            {
                return Ok((output.to_owned(), status.trim().parse().context("a status")?));
            }
            ensure!(said.len() < LONGEST, "`{command}` does not stop printing");
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => bail!(Closed),
                Ok(n) => said.extend_from_slice(buffer.get(..n).unwrap_or_default()),
            }
        }
    }
}
