//! How simulated modems reach their host.

use std::io;
use std::time::Instant;

use tokio::sync::mpsc;

use super::Numbers;
use super::protocol::{TtyStatus, UsbStatus};
use super::ttys::{TtyBytes, TtyFront};
use super::usb::{UsbFront, UsbInput};
use crate::core::{Interface, Personality};

/// Inputs that wait for the hub.
pub(super) const INPUT_LIMIT: usize = 1024;

/// Where the modems are plugged in.
pub(super) enum Front {
    /// Ttys of this machine and a tree that looks like sysfs.
    Ttys(TtyFront),
    /// Virtual machines.
    Usb(UsbFront),
}

/// What is plugged in.
pub(super) struct Shown<'a> {
    pub(super) usb_path: &'a str,
    pub(super) personality: &'a Personality,
    pub(super) serial: Option<&'a str>,
}

/// Something came from a host.
pub(super) enum Input {
    Tty(TtyBytes),
    Usb(UsbInput),
}

/// What a host wrote on the port of an interface.
pub(super) struct HostBytes {
    pub(super) unit: usize,
    pub(super) interface: u8,
    pub(super) bytes: Vec<u8>,
}

pub(super) type Inputs = mpsc::Sender<Input>;

impl Front {
    /// Shows `unit` as plugged in, unless it is.
    pub(super) fn attach(&mut self, unit: usize, shown: &Shown<'_>, numbers: Numbers) -> io::Result<()> {
        match self {
            Self::Ttys(front) => front.attach(unit, shown, numbers),
            Self::Usb(front) => front.attach(unit, shown),
        }
    }

    /// Shows `unit` as pulled out.
    pub(super) fn detach(&mut self, unit: usize) -> io::Result<()> {
        match self {
            Self::Ttys(front) => front.detach(unit),
            Self::Usb(front) => {
                front.detach(unit);
                Ok(())
            }
        }
    }

    pub(super) fn is_attached(&self, unit: usize) -> bool {
        match self {
            Self::Ttys(front) => front.is_attached(unit),
            Self::Usb(front) => front.is_attached(unit),
        }
    }

    /// Takes an input; returns what the modems are to hear of it.
    pub(super) fn handle_input(&mut self, input: Input) -> Vec<HostBytes> {
        match (self, input) {
            (Self::Ttys(front), Input::Tty(bytes)) => front.handle_bytes(bytes).into_iter().collect(),
            (Self::Usb(front), Input::Usb(input)) => front.handle_input(input),
            (Self::Ttys(_), Input::Usb(_)) | (Self::Usb(_), Input::Tty(_)) => Vec::new(),
        }
    }

    /// Returns the bytes that the host has not taken, or `None` when the port is not there.
    pub(super) fn backlog(&self, unit: usize, interface: Interface) -> Option<usize> {
        match self {
            Self::Ttys(front) => front.backlog(unit, interface.number),
            Self::Usb(front) => front.backlog(unit, interface.number).filter(|_| interface.has_tty()),
        }
    }

    /// Queues bytes for the host.
    pub(super) fn write(&mut self, unit: usize, interface: u8, bytes: &[u8]) {
        match self {
            Self::Ttys(front) => front.write(unit, interface, bytes),
            Self::Usb(front) => front.write(unit, interface, bytes),
        }
    }

    /// Passes on what hosts take; returns when to call again.
    pub(super) fn pump(&mut self, now: Instant) -> Option<Instant> {
        match self {
            Self::Ttys(front) => front.pump(now),
            Self::Usb(_) => None,
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Ttys(front) => front.handle_timeout(now),
            Self::Usb(_) => {}
        }
    }

    pub(super) fn ttys(&self, unit: usize) -> Vec<TtyStatus> {
        match self {
            Self::Ttys(front) => front.status(unit),
            Self::Usb(_) => Vec::new(),
        }
    }

    pub(super) fn usb(&self, unit: usize) -> Option<UsbStatus> {
        match self {
            Self::Ttys(_) => None,
            Self::Usb(front) => front.status(unit),
        }
    }
}
