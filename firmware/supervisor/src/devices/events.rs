//! Where device events come from.

use super::uevent::Uevent;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvmsg,
    setsockopt, socket, sockopt,
};
use std::fs::Permissions;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use tokio::io::unix::AsyncFd;
use tokio::net::UnixDatagram;
use tracing::debug;

/// Who tells that a device came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventSource {
    /// The kernel's netlink group: device nodes exist, udev's rules may not have run.
    Kernel,
    /// The group on which udevd passes events on after its rules have run.
    Udev,
    /// A datagram socket that we bind, fed with packets in the kernel's format: the simulator's.
    Unix(PathBuf),
}

impl EventSource {
    /// udev's group where udevd runs, the kernel's where it does not.
    #[must_use]
    pub fn auto() -> Self {
        if Path::new("/run/udev/control").exists() { Self::Udev } else { Self::Kernel }
    }
}

/// The text is none of `auto`, `kernel`, `udev` and `unix:PATH`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown event source '{0}': use auto, kernel, udev or unix:PATH")]
pub struct UnknownEventSource(String);

impl FromStr for EventSource {
    type Err = UnknownEventSource;

    fn from_str(text: &str) -> Result<Self, UnknownEventSource> {
        match (text, text.strip_prefix("unix:")) {
            ("auto", _) => Ok(Self::auto()),
            ("kernel", _) => Ok(Self::Kernel),
            ("udev", _) => Ok(Self::Udev),
            (_, Some(path)) if !path.is_empty() => Ok(Self::Unix(path.into())),
            _ => Err(UnknownEventSource(text.into())),
        }
    }
}

/// What a stream of device events yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Something happened to one device.
    Uevent(Uevent),
    /// Events were lost: look at everything again.
    Overflow,
}

/// A bound source of device events.
#[derive(Debug)]
pub enum UeventStream {
    /// A netlink group.
    Netlink {
        /// The socket.
        socket: AsyncFd<OwnedFd>,
        /// Which group, and therefore which format.
        group: Group,
    },
    /// The simulator's socket; its file goes with the stream.
    Unix(UnixDatagram, RemovedOnDrop),
}

impl UeventStream {
    /// Binds the source. Events from here on are not missed, so enumerate after this.
    ///
    /// # Errors
    /// No netlink, no right to use it, or a path at which no socket can be made.
    pub fn open(source: &EventSource) -> io::Result<Self> {
        match source {
            EventSource::Kernel => Self::open_netlink(Group::Kernel),
            EventSource::Udev => Self::open_netlink(Group::Udev),
            EventSource::Unix(path) => open_unix(path)
                .map_err(|error| io::Error::new(error.kind(), format!("cannot bind {}: {error}", path.display()))),
        }
    }

    fn open_netlink(group: Group) -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkKObjectUEvent,
        )?;
        setsockopt(&socket, sockopt::PassCred, &true)?;
        // Larger than the limit needs a privilege; without it the kernel's limit has to do.
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
        }
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, group.mask()))?;
        Ok(Self::Netlink { socket: super::watch(socket)?, group })
    }

    /// Waits for the next event. Packets that are no events, or come from a sender without the right, are passed over.
    ///
    /// # Errors
    /// The socket is broken; open a new one.
    pub async fn next(&mut self) -> io::Result<Notice> {
        loop {
            let packet = match self {
                Self::Netlink { socket, group } => receive_netlink(socket, *group).await?,
                Self::Unix(socket, _) => receive_unix(socket).await?,
            };
            match packet {
                Received::Event(Ok(event)) => return Ok(Notice::Uevent(event)),
                Received::Event(Err(error)) => debug!(%error, "device event passed over"),
                Received::Stranger => debug!("device event from a stranger passed over"),
                Received::Lost => return Ok(Notice::Overflow),
            }
        }
    }
}

/// A multicast group of `NETLINK_KOBJECT_UEVENT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Sent by the kernel.
    Kernel,
    /// Sent by udevd.
    Udev,
}

impl Group {
    fn mask(self) -> u32 {
        match self {
            Self::Kernel => 1,
            Self::Udev => 2,
        }
    }

    fn parse(self, packet: &[u8]) -> Result<Uevent, super::uevent::UeventError> {
        match self {
            Self::Kernel => Uevent::parse_kernel(packet),
            Self::Udev => Uevent::parse_udev(packet),
        }
    }

    /// Any process may send to a netlink group that it can name: only the kernel's word counts on the kernel's
    /// group, and only root's on udev's.
    fn trusts(self, port: u32, uid: u32) -> bool {
        match self {
            Self::Kernel => port == 0 && uid == 0,
            Self::Udev => port != 0 && uid == 0,
        }
    }
}

enum Received {
    Event(Result<Uevent, super::uevent::UeventError>),
    Stranger,
    Lost,
}

async fn receive_netlink(socket: &AsyncFd<OwnedFd>, group: Group) -> io::Result<Received> {
    loop {
        let mut guard = socket.readable().await?;
        match guard.try_io(|socket| Ok(receive_once(socket.get_ref(), group)?)) {
            Ok(Err(error)) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => return Ok(Received::Lost),
            Ok(result) => return result,
            Err(_would_block) => {}
        }
    }
}

fn receive_once(socket: &OwnedFd, group: Group) -> nix::Result<Received> {
    let mut packet = [0; PACKET_LIMIT];
    let mut ancillary = nix::cmsg_space!(nix::sys::socket::UnixCredentials);
    let mut parts = [IoSliceMut::new(&mut packet)];
    let message =
        recvmsg::<NetlinkAddr>(socket.as_raw_fd(), &mut parts, Some(&mut ancillary), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let port = message.address.map_or(u32::MAX, |address| address.pid());
    let uid = message.cmsgs()?.find_map(|ancillary| match ancillary {
        ControlMessageOwned::ScmCredentials(credentials) => Some(credentials.uid()),
        _ => None,
    });
    let (length, truncated) = (message.bytes, message.flags.contains(MsgFlags::MSG_TRUNC));
    if !uid.is_some_and(|uid| group.trusts(port, uid)) {
        return Ok(Received::Stranger);
    }
    if truncated {
        return Ok(Received::Lost);
    }
    Ok(Received::Event(group.parse(packet.get(..length).unwrap_or_default())))
}

fn open_unix(path: &Path) -> io::Result<UeventStream> {
    // A socket that an earlier run left behind is in the way; anything else at that path is not ours to remove.
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        std::fs::remove_file(path)?;
    }
    let socket = UnixDatagram::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(UeventStream::Unix(socket, RemovedOnDrop(path.into())))
}

async fn receive_unix(socket: &UnixDatagram) -> io::Result<Received> {
    let mut packet = [0; PACKET_LIMIT];
    let length = socket.recv(&mut packet).await?;
    if length == PACKET_LIMIT {
        return Ok(Received::Lost);
    }
    Ok(Received::Event(Uevent::parse_kernel(packet.get(..length).unwrap_or_default())))
}

/// Removes the file of a bound socket.
#[derive(Debug)]
pub struct RemovedOnDrop(PathBuf);

impl Drop for RemovedOnDrop {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            debug!(%error, path = %self.0.display(), "socket file was gone already");
        }
    }
}

/// What udevd uses for itself: room for the storm of a hub being plugged.
const RECEIVE_BUFFER: usize = 1024 * 1024;
/// The kernel sends at most 2 KiB of properties, udev a few more.
const PACKET_LIMIT: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::Action;

    #[test]
    fn sources_parse_from_text() {
        assert_eq!("kernel".parse(), Ok(EventSource::Kernel));
        assert_eq!("udev".parse(), Ok(EventSource::Udev));
        assert_eq!("unix:/run/x".parse(), Ok(EventSource::Unix("/run/x".into())));
        for text in ["", "unix:", "netlink", "Kernel"] {
            assert!(text.parse::<EventSource>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_kernel_and_root_are_trusted() {
        let cases = [
            (Group::Kernel, 0, 0, true),
            (Group::Kernel, 4711, 0, false),
            (Group::Kernel, 0, 1000, false),
            (Group::Udev, 4711, 0, true),
            (Group::Udev, 4711, 1000, false),
        ];
        for (group, port, uid, want) in cases {
            assert_eq!(group.trusts(port, uid), want, "{group:?} {port} {uid}");
        }
    }

    #[tokio::test]
    async fn a_unix_source_passes_over_garbage_and_replaces_a_stale_socket() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events");
        drop(std::os::unix::net::UnixDatagram::bind(&path).unwrap());
        let mut stream = UeventStream::open(&EventSource::Unix(path.clone())).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        sender.send_to(b"\xff\0\0garbage", &path).await.unwrap();
        sender.send_to(b"add@/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=tty\0", &path).await.unwrap();
        let event = Uevent { action: Action::Add, devpath: "/d".into(), subsystem: "tty".into() };
        assert_eq!(stream.next().await.unwrap(), Notice::Uevent(event));
        sender.send_to(&vec![b'x'; PACKET_LIMIT + 1], &path).await.unwrap();
        assert_eq!(stream.next().await.unwrap(), Notice::Overflow);
        drop(stream);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("precious");
        std::fs::write(&path, "keep").unwrap();
        let error = UeventStream::open(&EventSource::Unix(path.clone())).unwrap_err();
        assert!(error.to_string().contains("precious"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "keep");
    }

    #[tokio::test]
    async fn netlink_binds_without_privilege() {
        UeventStream::open(&EventSource::Kernel).unwrap();
        UeventStream::open(&EventSource::Udev).unwrap();
    }
}
