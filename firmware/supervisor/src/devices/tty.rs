//! A tty, opened raw for one owner.

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::termios::{self, BaudRate, ControlFlags, FlushArg, SetArg, SpecialCharacterIndices};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// An open tty. Drop it as soon as it says [`is_gone`].
#[derive(Debug)]
pub struct Tty(AsyncFd<File>);

/// Opens a tty raw, 115200 baud 8N1 without flow control (USB ttys ignore the speed), and keeps others out.
///
/// The lock is `flock`: it goes with the process, however that ends. `TIOCEXCL` would outlive it for as long as
/// anything else has the tty open, which the other end of a PTY does.
///
/// # Errors
/// No such node, no right to it, or [`io::ErrorKind::ResourceBusy`] when another program has it; all name the node.
pub fn open_raw(path: &Path) -> io::Result<Tty> {
    open(path).map_err(|error| {
        let kind = error.kind();
        match kind {
            io::ErrorKind::ResourceBusy => {
                io::Error::new(kind, format!("{} is in use by another program: stop that program", path.display()))
            }
            _ => io::Error::new(kind, format!("cannot open {}: {error}", path.display())),
        }
    })
}

/// Whether an error of a [`Tty`] says that the device was pulled.
#[must_use]
pub fn is_gone(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw);
    matches!(code, Some(Errno::EIO | Errno::ENODEV | Errno::ENXIO)) || error.kind() == io::ErrorKind::NotConnected
}

fn open(path: &Path) -> io::Result<Tty> {
    let flags = OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags.bits()).open(path)?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => io::Error::from(io::ErrorKind::ResourceBusy),
        TryLockError::Error(error) => error,
    })?;
    let mut settings = termios::tcgetattr(&file)?;
    termios::cfmakeraw(&mut settings);
    termios::cfsetspeed(&mut settings, BaudRate::B115200)?;
    settings.control_flags |= ControlFlags::CLOCAL | ControlFlags::CREAD | ControlFlags::CS8;
    // Without HUPCL a close leaves DTR alone; many modems take its fall for the end of the call.
    settings.control_flags -= ControlFlags::CRTSCTS | ControlFlags::CSTOPB | ControlFlags::PARENB | ControlFlags::HUPCL;
    for (index, value) in [(SpecialCharacterIndices::VMIN, 1), (SpecialCharacterIndices::VTIME, 0)] {
        if let Some(slot) = settings.control_chars.get_mut(index as usize) {
            *slot = value;
        }
    }
    termios::tcsetattr(&file, SetArg::TCSANOW, &settings)?;
    termios::tcflush(&file, FlushArg::TCIOFLUSH)?;
    Ok(Tty(super::watch(file)?))
}

impl AsyncRead for Tty {
    /// A hung-up tty reads as nothing for ever: that is an error here, never an end of file, so that no loop spins on it.
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(context))?;
            let unfilled = buffer.initialize_unfilled();
            match guard.try_io(|file| file.get_ref().read(unfilled)) {
                Ok(Ok(0)) if buffer.remaining() > 0 => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::NotConnected, "the tty was hung up")));
                }
                Ok(Ok(count)) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for Tty {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(context))?;
            match guard.try_io(|file| file.get_ref().write(bytes)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(result) => return Poll::Ready(result),
                Err(_would_block) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::pty::{OpenptyResult, openpty};
    use std::path::PathBuf;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    #[tokio::test]
    async fn octets_pass_unchanged_both_ways() {
        let (master, path) = pty();
        let mut tty = open_raw(&path).unwrap();
        let octets: Vec<u8> = (0..=255).collect();
        (&master).write_all(&octets).unwrap();
        let mut got = vec![0; 256];
        timeout(LONG, tty.read_exact(&mut got)).await.unwrap().unwrap();
        assert_eq!(got, octets);
        tty.write_all(&octets).await.unwrap();
        (&master).read_exact(&mut got).unwrap();
        assert_eq!(got, octets);
    }

    #[tokio::test]
    async fn a_tty_that_was_opened_once_echoes_nothing_while_it_is_closed() {
        let (master, path) = pty();
        drop(open_raw(&path).unwrap());
        // A tty that nobody has open takes what arrives as one that is open does.
        (&master).write_all(b"sound\n").unwrap();
        let mut tty = open_raw(&path).unwrap();
        tty.write_all(b"ours").await.unwrap();
        let mut got = [0; 4];
        (&master).read_exact(&mut got).unwrap();
        assert_eq!(&got, b"ours");
    }

    #[tokio::test]
    async fn a_hung_up_tty_is_gone_and_no_end_of_file() {
        let (master, path) = pty();
        let mut tty = open_raw(&path).unwrap();
        drop(master);
        let error = timeout(LONG, tty.read(&mut [0; 8])).await.unwrap().unwrap_err();
        assert!(is_gone(&error), "{error:?}");
        assert!(is_gone(&tty.write_all(b"AT\r").await.unwrap_err()));
    }

    #[tokio::test]
    async fn a_port_that_another_has_is_busy_by_name_and_free_once_closed() {
        let (_master, path) = pty();
        let first = open_raw(&path).unwrap();
        let error = open_raw(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        drop(first);
        open_raw(&path).unwrap();
    }

    #[tokio::test]
    async fn a_missing_node_and_a_file_that_is_no_tty_are_errors() {
        assert_eq!(open_raw(Path::new("/nonexistent/ttyUSB9")).unwrap_err().kind(), io::ErrorKind::NotFound);
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(open_raw(file.path()).is_err());
    }

    fn pty() -> (File, PathBuf) {
        let OpenptyResult { master, slave } = openpty(None, None).unwrap();
        let path = nix::unistd::ttyname(&slave).unwrap();
        (File::from(master), path)
    }

    const LONG: Duration = Duration::from_secs(5);
}
