//! The simulator's log of every byte, read as events on the clock of this program.

use anyhow::{Context, Result};
use laptop_tests::clock::now;
use modem_sim::core::Control;
use modem_sim::runner::Sim;
use std::time::{Duration, Instant};

/// Something at one modem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Since the simulator started.
    pub(crate) at: Duration,
    /// USB path.
    pub(crate) modem: String,
    /// What happened.
    pub(crate) what: What,
}

/// What the simulator logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// The tester acted; the name of the control.
    Control(String),
    /// The modem wrote this, escaped.
    FromModem(String),
    /// The host wrote this, escaped.
    FromHost(String),
    /// The modem wrote so many bytes of sound.
    SoundFromModem(usize),
    /// The host wrote so many bytes of sound.
    SoundFromHost(usize),
}

/// Where the clock of the simulator began on the clock of this program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin(Instant);

impl Origin {
    /// Asks the simulator something harmless until an exchange was quick.
    pub(crate) async fn find(sim: &Sim, modem: &str) -> Result<Self> {
        let mut best: Option<(Duration, Instant)> = None;
        for _ in 0..20 {
            let before = now();
            sim.control(modem, Control::ClearFaults).await?;
            let exchange = before.elapsed();
            let entries = read(sim)?;
            let logged = entries.iter().rev().find(|entry| entry.what == What::Control("ClearFaults".to_owned()));
            let at = logged.context("the transcript does not show what was asked")?.at;
            let origin = (before + exchange / 2).checked_sub(at).context("the clock is younger than the simulator")?;
            if best.is_none_or(|(quickest, _)| exchange < quickest) {
                best = Some((exchange, origin));
            }
        }
        best.map(|(_, origin)| Self(origin)).context("no exchange with the simulator")
    }

    pub(crate) fn instant(self, at: Duration) -> Instant {
        self.0 + at
    }
}

/// Everything that the current file of the transcript holds.
pub(crate) fn read(sim: &Sim) -> Result<Vec<Entry>> {
    let path = sim.transcript();
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok(text.lines().filter_map(parse).collect())
}

/// Lines are `SECONDS PATH if2 ttyUSB2 < BYTES` or `SECONDS PATH ! CONTROL`.
fn parse(line: &str) -> Option<Entry> {
    let (seconds, rest) = line.trim_start().split_once(' ')?;
    let at = Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?;
    let (modem, rest) = rest.split_once(' ')?;
    let what = if let Some(control) = rest.strip_prefix("! ") {
        What::Control(control.to_owned())
    } else {
        let mut words = rest.splitn(4, ' ');
        let direction = words.nth(2)?;
        let bytes = words.next().unwrap_or_default();
        let sound = bytes.strip_prefix('[').and_then(|rest| rest.strip_suffix(" bytes of samples]")?.parse().ok());
        match (direction, sound) {
            ("<", Some(count)) => What::SoundFromModem(count),
            (">", Some(count)) => What::SoundFromHost(count),
            ("<", None) => What::FromModem(bytes.to_owned()),
            (">", None) => What::FromHost(bytes.to_owned()),
            _ => return None,
        }
    };
    Some(Entry { at, modem: modem.to_owned(), what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_transcript_are_understood() {
        for (line, want) in [
            ("    1.500000 1-2 if2 ttyUSB2 > AT+CSQ\\r", Some(What::FromHost("AT+CSQ\\r".into()))),
            ("    1.500000 1-2 if2 ttyUSB2 < \\r\\nOK\\r\\n", Some(What::FromModem("\\r\\nOK\\r\\n".into()))),
            ("    1.500000 1-2 if1 ttyUSB1 < [320 bytes of samples]", Some(What::SoundFromModem(320))),
            ("    1.500000 1-2 if1 ttyUSB1 > [640 bytes of samples]", Some(What::SoundFromHost(640))),
            ("    1.500000 1-2 ! Sms", Some(What::Control("Sms".into()))),
            ("", None),
            ("x 1-2 ! Sms", None),
            ("1.5 1-2 if2", None),
        ] {
            let want = want.map(|what| Entry { at: Duration::from_millis(1500), modem: "1-2".into(), what });
            assert_eq!(parse(line), want, "{line}");
        }
    }
}
