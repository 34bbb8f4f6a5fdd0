//! Tells the service manager how the program is (`sd_notify(3)`): datagrams to the socket that it names.
//!
//! Nobody waits for an answer: a message that cannot be delivered is lost, and the next one makes it good.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use tracing::{debug, warn};

/// The service manager, or nobody.
#[derive(Debug, Default)]
pub struct Notifier {
    manager: Option<UnixDatagram>,
    patience: Option<Duration>,
}

impl Notifier {
    /// The manager that the environment names: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    #[must_use]
    pub fn from_environment() -> Self {
        let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return Self::default() };
        let number = |name: &str| std::env::var(name).ok()?.parse().ok();
        let patience = number("WATCHDOG_USEC").filter(|_| {
            // Whoever started us may have inherited what was meant for itself.
            number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()))
        });
        match Self::connect(&socket, patience.map(Duration::from_micros)) {
            Ok(notifier) => notifier,
            Err(error) => {
                warn!(%error, "the service manager cannot be told anything");
                Self::default()
            }
        }
    }

    /// The manager behind `socket`: a path, or an abstract name after `@`. With `patience`, it starts the program again
    /// when it hears no [`alive`](Self::alive) for so long.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect(socket: &OsStr, patience: Option<Duration>) -> io::Result<Self> {
        let address = match socket.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(socket)?,
        };
        let manager = UnixDatagram::unbound()?;
        manager.set_nonblocking(true)?;
        manager.connect_addr(&address)?;
        Ok(Self { manager: Some(manager), patience: patience.filter(|patience| !patience.is_zero()) })
    }

    /// For how long the manager goes without a sign of life; nothing when it does not watch.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        self.patience
    }

    /// The program does its work from now on.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// The program still does its work.
    pub fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// The program is about to end.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, what: &str) {
        if let Some(manager) = &self.manager
            && let Err(error) = manager.send(what.as_bytes())
        {
            debug!(%error, what, "the service manager was not told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(manager: &UnixDatagram) -> Vec<String> {
        manager.set_nonblocking(true).unwrap();
        let mut buffer = [0; 64];
        std::iter::from_fn(|| {
            let length = manager.recv(&mut buffer).ok()?;
            Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
        })
        .collect()
    }

    #[test]
    fn the_manager_hears_every_word_by_path_and_by_abstract_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let name = format!("homenichat-test-{}", std::process::id());
        let by_path = UnixDatagram::bind(&path).unwrap();
        let by_name = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        for (manager, socket) in [(by_path, path.into_os_string()), (by_name, format!("@{name}").into())] {
            let notifier = Notifier::connect(&socket, None).unwrap();
            notifier.ready();
            notifier.alive();
            notifier.stopping();
            assert_eq!(heard(&manager), ["READY=1", "WATCHDOG=1", "STOPPING=1"], "{}", socket.display());
        }
    }

    #[test]
    fn a_manager_that_reads_nothing_holds_nobody_up() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::connect(path.as_os_str(), Some(Duration::ZERO)).unwrap();
        for _ in 0..10_000 {
            notifier.alive();
        }
        assert!(heard(&manager).len() < 10_000);
        drop(manager);
        notifier.stopping();
        assert_eq!(notifier.patience(), None);
        assert!(Notifier::connect(OsStr::new("/nonexistent/notify"), None).is_err());
    }
}
