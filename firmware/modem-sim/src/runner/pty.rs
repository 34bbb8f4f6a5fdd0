//! Pseudo-terminals that behave like the ttys of a USB serial driver.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

/// Bytes that wait for a host that does not read.
const BACKLOG_LIMIT: usize = 1 << 20;
/// Pause between two looks at a tty that nobody has open.
const CLOSED_PAUSE: Duration = Duration::from_millis(20);
/// Gap that makes single bytes arrive in reads of their own.
const SPLIT_GAP: Duration = Duration::from_millis(1);

/// The modem's end of a tty.
pub(super) struct Pty {
    master: Arc<OwnedFd>,
    /// The reader ends when this is dropped.
    _stop: OwnedFd,
    is_open: Arc<AtomicBool>,
    pending: VecDeque<Vec<u8>>,
    pending_bytes: usize,
    not_before: Option<Instant>,
    /// `/dev/pts/N`.
    pub(super) slave: PathBuf,
}

impl Pty {
    /// Opens a pair and starts a reader that calls `on_bytes` until it returns false.
    pub(super) fn open(on_bytes: impl FnMut(Vec<u8>) -> bool + Send + 'static) -> io::Result<Self> {
        let pair = openpty(None, None)?;
        let mut attributes = tcgetattr(&pair.slave)?;
        cfmakeraw(&mut attributes);
        tcsetattr(&pair.slave, SetArg::TCSANOW, &attributes)?;
        let slave = nix::unistd::ttyname(&pair.slave)?;
        drop(pair.slave);
        fcntl(&pair.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let (stopped, stop) = nix::unistd::pipe()?;
        let master = Arc::new(pair.master);
        let is_open = Arc::new(AtomicBool::new(false));
        let reader = Reader { master: Arc::clone(&master), stopped, is_open: Arc::clone(&is_open) };
        std::thread::Builder::new().name("tty-reader".to_owned()).spawn(move || reader.run(on_bytes))?;
        Ok(Self { master, _stop: stop, is_open, pending: VecDeque::new(), pending_bytes: 0, not_before: None, slave })
    }

    /// Queues bytes for the host; without a host they are lost, as on a closed tty.
    pub(super) fn send(&mut self, bytes: Vec<u8>) {
        if !self.is_open.load(Ordering::Relaxed) {
            self.pending.clear();
            self.pending_bytes = 0;
            return;
        }
        if self.pending_bytes + bytes.len() <= BACKLOG_LIMIT {
            self.pending_bytes += bytes.len();
            self.pending.push_back(bytes);
        }
    }

    /// Returns the bytes that the host has not taken.
    pub(super) fn backlog(&self) -> usize {
        self.pending_bytes
    }

    /// Writes what the host takes; returns when to call again.
    pub(super) fn pump(&mut self, now: Instant) -> Option<Instant> {
        if let Some(at) = self.not_before.filter(|at| *at > now) {
            return Some(at);
        }
        while let Some(chunk) = self.pending.front_mut() {
            match nix::unistd::write(&self.master, chunk) {
                Ok(written) => {
                    self.pending_bytes = self.pending_bytes.saturating_sub(written);
                    let is_single = chunk.len() == 1;
                    chunk.drain(..written.min(chunk.len()));
                    if chunk.is_empty() {
                        self.pending.pop_front();
                    }
                    if is_single && !self.pending.is_empty() {
                        self.not_before = Some(now + SPLIT_GAP);
                        return self.not_before;
                    }
                }
                Err(Errno::EAGAIN | Errno::EINTR) => return Some(now + Duration::from_millis(2)),
                Err(_) => {
                    self.pending.clear();
                    self.pending_bytes = 0;
                }
            }
        }
        None
    }
}

/// Blocks on the tty in a thread: the hang-up of a closed tty never clears in an event loop.
struct Reader {
    master: Arc<OwnedFd>,
    stopped: OwnedFd,
    is_open: Arc<AtomicBool>,
}

impl Reader {
    fn run(self, mut on_bytes: impl FnMut(Vec<u8>) -> bool) {
        let mut buffer = [0u8; 4096];
        self.wait_open();
        loop {
            let mut watched = [
                PollFd::new(self.master.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.stopped.as_fd(), PollFlags::POLLIN),
            ];
            if poll(&mut watched, PollTimeout::NONE).is_err_and(|errno| errno != Errno::EINTR) {
                return;
            }
            let [tty, stop] = watched.map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
            if !stop.is_empty() {
                return;
            }
            if tty.contains(PollFlags::POLLIN) {
                match nix::unistd::read(&self.master, &mut buffer) {
                    Ok(count) if count > 0 => {
                        let bytes = buffer.get(..count).unwrap_or_default().to_vec();
                        if !on_bytes(bytes) {
                            return;
                        }
                    }
                    Ok(_) | Err(Errno::EAGAIN | Errno::EINTR) => {}
                    Err(_) => self.wait_open(),
                }
            } else if tty.contains(PollFlags::POLLHUP) {
                self.wait_open();
            }
        }
    }

    /// Waits until a host has the tty open, or has left something behind, or for the end. It leaves only with what it has
    /// seen: a hang-up wakes the loop, but an opening does not, and a modem that speaks first would be silent for ever.
    fn wait_open(&self) {
        let pause = PollTimeout::try_from(CLOSED_PAUSE).unwrap_or(PollTimeout::ZERO);
        while !self.has_host() {
            self.is_open.store(false, Ordering::Relaxed);
            let mut watched = [PollFd::new(self.stopped.as_fd(), PollFlags::POLLIN)];
            if poll(&mut watched, pause).is_ok_and(|ready| ready > 0) {
                return;
            }
        }
        self.is_open.store(true, Ordering::Relaxed);
    }

    fn has_host(&self) -> bool {
        let mut tty = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        let is_hung_up = |events: PollFlags| events.contains(PollFlags::POLLHUP) && !events.contains(PollFlags::POLLIN);
        poll(&mut tty, PollTimeout::ZERO).is_ok() && tty.iter().all(|fd| !fd.revents().is_some_and(is_hung_up))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const LONG: Duration = Duration::from_secs(5);

    /// A host that opens between two looks of the reader, of which no event tells.
    #[test]
    fn a_host_that_only_listens_is_noticed_however_the_moment_of_its_opening_falls() {
        let pair = openpty(None, None).unwrap();
        let (stopped, stop) = nix::unistd::pipe().unwrap();
        let is_open = Arc::new(AtomicBool::new(false));
        let reader = Reader { master: Arc::new(pair.master), stopped, is_open: Arc::clone(&is_open) };
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || {
            reader.run(|_| true);
            sender.send(()).unwrap();
        });
        let is_noticed = |want| {
            let looks = (0..500).map(|_| std::thread::sleep(Duration::from_millis(10)));
            looks.into_iter().any(|()| is_open.load(Ordering::Relaxed) == want)
        };
        assert!(is_noticed(true), "the tty was open before the reader looked");
        drop(pair.slave);
        assert!(is_noticed(false), "the host is gone");
        drop(stop);
        ended.recv_timeout(LONG).unwrap();
    }
}
