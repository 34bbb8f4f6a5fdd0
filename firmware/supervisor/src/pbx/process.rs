//! Asterisk as a process: started or found running, watched, stopped.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tracing::{debug, warn};

/// How Asterisk is started.
#[derive(Debug, Clone)]
pub struct Program {
    /// The executable: `asterisk`, or the wrapper of an unpacked tree.
    pub path: PathBuf,
    /// The rendered `asterisk.conf`. It also tells our Asterisk from any other one on the machine.
    pub configuration: PathBuf,
    /// What Asterisk prints goes here, the older half to the same name with `.1`.
    pub log: PathBuf,
}

/// A running Asterisk. Dropping it leaves it running: calls between phones do not need us.
#[derive(Debug)]
pub struct Asterisk {
    pid: Pid,
    log: PathBuf,
    child: Option<Box<Child>>,
}

impl Asterisk {
    /// Finds one that an earlier run of this program left running with the same configuration.
    #[must_use]
    pub fn adopt(program: &Program) -> Option<Self> {
        let pids = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let pid = pids.take(MOST_PROCESSES).map(Pid::from_raw).find(|&pid| is_ours(pid, &program.configuration))?;
        Some(Self { pid, log: program.log.clone(), child: None })
    }

    /// Starts one, in a process group of its own, so that a signal from the terminal stops us and not the calls.
    /// Returns once [`Self::adopt`] would find it.
    ///
    /// # Errors
    /// The program or the log file cannot be opened; the error names it.
    pub async fn start(program: &Program) -> io::Result<Self> {
        let log = open_log(&program.log).map_err(|error| named(&program.log, &error))?;
        let mut child = Command::new(&program.path)
            .args(["-f", "-C"])
            .arg(&program.configuration)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .map_err(|error| named(&program.path, &error))?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("asterisk ended as it started"))?;
        // For some microseconds after its start a process has no arguments.
        for _ in 0..MOST_LOOKS {
            if is_ours(pid, &program.configuration) || child.try_wait()?.is_some() {
                break;
            }
            tokio::time::sleep(SHORT).await;
        }
        Ok(Self { pid, log: program.log.clone(), child: Some(Box::new(child)) })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Whether an earlier run of this program started it.
    #[must_use]
    pub fn is_adopted(&self) -> bool {
        self.child.is_none()
    }

    /// Waits for its end and says how it ended. May be dropped and called again.
    pub async fn ended(&mut self) -> String {
        match &mut self.child {
            Some(child) => match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => format!("cannot be waited for: {error}"),
            },
            None => {
                while is_alive(self.pid) {
                    tokio::time::sleep(LOOK_INTERVAL).await;
                }
                "gone".into()
            }
        }
    }

    /// Asks it to stop, and ends it when it does not.
    pub async fn stop(mut self) {
        signal(self.pid, Signal::SIGTERM);
        if tokio::time::timeout(STOP_TIME, self.ended()).await.is_err() {
            warn!(pid = self.pid(), "asterisk does not stop; ending it");
            self.end().await;
        }
    }

    /// Ends it at once, with everything that it started.
    pub async fn end(mut self) {
        if let Err(error) = killpg(self.pid, Signal::SIGKILL) {
            debug!(%error, "asterisk's process group is gone");
            signal(self.pid, Signal::SIGKILL);
        }
        if tokio::time::timeout(STOP_TIME, self.ended()).await.is_err() {
            warn!(pid = self.pid(), "asterisk cannot be ended: the kernel holds it");
        }
    }

    /// Keeps the log below its bound. Asterisk goes on writing to the same file, which always appends.
    pub fn bound_log(&self) {
        let is_long = fs::metadata(&self.log).is_ok_and(|found| found.len() > LONGEST_LOG);
        if is_long && let Err(error) = rotate(&self.log) {
            warn!(%error, log = %self.log.display(), "cannot shorten asterisk's log");
        }
    }
}

/// Ends the Asterisk that an earlier run of this program left running with this configuration.
pub async fn end_left_behind(configuration: &Path) {
    let named = |path: &Path| Program { path: PathBuf::new(), configuration: path.to_owned(), log: PathBuf::new() };
    if let Some(asterisk) = Asterisk::adopt(&named(configuration)) {
        asterisk.end().await;
    }
}

fn rotate(log: &Path) -> io::Result<()> {
    let mut older = log.as_os_str().to_owned();
    older.push(".1");
    fs::copy(log, PathBuf::from(older))?;
    OpenOptions::new().write(true).open(log)?.set_len(0)
}

fn open_log(log: &Path) -> io::Result<File> {
    if let Some(parent) = log.parent() {
        fs::create_dir_all(parent)?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(log)
}

fn signal(pid: Pid, signal: Signal) {
    match kill(pid, signal) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => warn!(%error, pid = pid.as_raw(), "cannot signal asterisk"),
    }
}

/// Whether a process is one that [`Asterisk::start`] made for this configuration: its last arguments are ours. A
/// console (`-rx`) or an editor that names the same file is not.
fn is_ours(pid: Pid, configuration: &Path) -> bool {
    let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    let wanted = [b"\0-f\0-C\0".as_slice(), configuration.as_os_str().as_encoded_bytes(), b"\0"].concat();
    line.ends_with(&wanted)
}

/// Whether a process runs. One that ended and that nobody waits for keeps its number, but has no arguments any more.
fn is_alive(pid: Pid) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot open {}: {error}", path.display()))
}

const STOP_TIME: Duration = Duration::from_secs(5);
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
const MOST_LOOKS: u32 = 100;
const SHORT: Duration = Duration::from_millis(1);
const LONGEST_LOG: u64 = 2 * 1024 * 1024;
const MOST_PROCESSES: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use tempfile::TempDir;

    #[tokio::test]
    async fn a_running_one_is_adopted_and_stops_on_request() {
        let (dir, program) = fake("trap 'exit 0' TERM; while :; do sleep 0.05; done");
        assert!(Asterisk::adopt(&program).is_none());
        let started = Asterisk::start(&program).await.unwrap();
        let pid = started.pid();
        let mut adopted = Asterisk::adopt(&program).expect("found by its arguments");
        assert_eq!((adopted.pid(), adopted.is_adopted()), (pid, true));
        let other = Program { configuration: dir.path().join("other.conf"), ..program.clone() };
        assert!(Asterisk::adopt(&other).is_none());
        started.stop().await;
        assert_eq!(tokio::time::timeout(STOP_TIME, adopted.ended()).await.unwrap(), "gone");
    }

    #[tokio::test]
    async fn an_end_is_noticed_with_its_status() {
        let (_dir, program) = fake("exit 3");
        let mut asterisk = Asterisk::start(&program).await.unwrap();
        assert_eq!(asterisk.ended().await, "exit status: 3");
    }

    #[tokio::test]
    async fn what_it_prints_is_logged_and_bounded() {
        let (_dir, program) = fake("echo to the log; exit 0");
        let mut asterisk = Asterisk::start(&program).await.unwrap();
        asterisk.ended().await;
        assert_eq!(fs::read_to_string(&program.log).unwrap(), "to the log\n");
        let long = vec![b'x'; usize::try_from(LONGEST_LOG).unwrap()];
        open_log(&program.log).unwrap().write_all(&long).unwrap();
        asterisk.bound_log();
        assert_eq!(fs::metadata(&program.log).unwrap().len(), 0);
        assert!(fs::metadata(program.log.with_extension("log.1")).unwrap().len() > LONGEST_LOG);
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let (_dir, mut program) = fake("");
        program.path = "/nonexistent/asterisk".into();
        assert!(Asterisk::start(&program).await.unwrap_err().to_string().contains("/nonexistent/asterisk"));
    }

    fn fake(script: &str) -> (TempDir, Program) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("asterisk");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let program =
            Program { path, configuration: dir.path().join("asterisk.conf"), log: dir.path().join("asterisk.log") };
        (dir, program)
    }
}
