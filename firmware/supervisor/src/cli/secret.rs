//! Reading what must not be seen.

use anyhow::{Context, Result, ensure};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use std::io::{BufRead, IsTerminal, Write, stderr, stdin};

/// Asks for a secret without showing it, or reads one line when standard input is not a terminal.
pub(super) fn read(prompt: &str) -> Result<String> {
    let input = stdin();
    let quiet = if input.is_terminal() { Some(Quiet::start(prompt)?) } else { None };
    let mut line = String::new();
    input.lock().read_line(&mut line).context("reading standard input")?;
    drop(quiet);
    let secret = line.trim_end_matches(['\r', '\n']).to_owned();
    ensure!(!secret.is_empty(), "nothing was entered");
    Ok(secret)
}

/// The terminal without echo, for as long as it lives.
struct Quiet {
    before: Termios,
}

impl Quiet {
    fn start(prompt: &str) -> Result<Self> {
        let before = tcgetattr(stdin()).context("asking the terminal")?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(stdin(), SetArg::TCSANOW, &quiet).context("silencing the terminal")?;
        write!(stderr(), "{prompt}")?;
        stderr().flush()?;
        Ok(Self { before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let restored = tcsetattr(stdin(), SetArg::TCSANOW, &self.before);
        if restored.is_err() || writeln!(stderr()).is_err() {
            tracing::warn!("the terminal may not echo: run `stty echo`");
        }
    }
}
