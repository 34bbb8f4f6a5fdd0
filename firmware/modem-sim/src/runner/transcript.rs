//! The log of every byte, for people and for assertions.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::clock;

/// Beyond this the log is moved to `transcript.log.1` and begun anew.
const SIZE_LIMIT: u64 = 16 * 1024 * 1024;

/// A bounded log; sample streams are counted, not printed.
pub(super) struct Transcript {
    path: PathBuf,
    file: File,
    size: u64,
    started: Instant,
}

impl Transcript {
    pub(super) fn create(path: PathBuf, now: Instant) -> io::Result<Self> {
        let mut file = File::create(&path)?;
        let since = clock::unix_time();
        writeln!(
            file,
            "# seconds since {:.6} (unix), usb path, interface, tty, < from modem or > to it",
            since.as_secs_f64()
        )?;
        Ok(Self { path, file, size: 0, started: now })
    }

    /// Logs bytes; `direction` is `<` from the modem and `>` from the host.
    pub(super) fn bytes(&mut self, place: &str, direction: char, bytes: &[u8], now: Instant) {
        let text: String = bytes.iter().flat_map(|byte| byte.escape_ascii()).map(char::from).collect();
        self.line(place, &format!("{direction} {text}"), now);
    }

    /// Logs samples by their number.
    pub(super) fn samples(&mut self, place: &str, direction: char, count: usize, now: Instant) {
        self.line(place, &format!("{direction} [{count} bytes of samples]"), now);
    }

    /// Logs something that is not on a tty.
    pub(super) fn line(&mut self, place: &str, text: &str, now: Instant) {
        let since: Duration = now.saturating_duration_since(self.started);
        let line = format!("{:12.6} {place} {text}\n", since.as_secs_f64());
        let written = self.file.write_all(line.as_bytes()).and_then(|()| {
            self.size += u64::try_from(line.len()).unwrap_or(0);
            if self.size > SIZE_LIMIT { self.rotate() } else { Ok(()) }
        });
        if let Err(error) = written {
            tracing::debug!(%error, "transcript is not complete");
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        fs::rename(&self.path, self.path.with_extension("log.1"))?;
        self.file = File::create(&self.path)?;
        self.size = 0;
        Ok(())
    }
}
