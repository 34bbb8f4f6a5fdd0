//! Finding modems and opening their ports.
//!
//! [`Monitor`] tells which USB devices with ttys are there, from sysfs and uevents; [`tty`] opens a port;
//! [`usb_reset`] takes a device off the bus and puts it back. What a device is, and which port does what, is decided by
//! `modem::identify`: nothing here knows a model.
//!
//! Everything starts from a [`DeviceRoot`], so that a tree written by the simulator and the kernel's own run the same code.

pub mod events;
#[cfg(test)]
mod fake_tree;
mod monitor;
pub mod sysfs;
mod tracker;
pub mod tty;
mod uevent;

pub use events::EventSource;
pub use modem::identify::UsbTty;
pub use monitor::Monitor;
pub use sysfs::{ensure_authorized, usb_reset};
pub use tracker::DeviceEvent;
pub use uevent::{Action, Uevent, UeventError};

use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use tokio::io::unix::AsyncFd;

/// The directory that holds `sys` and `dev`: `/` on the box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRoot(PathBuf);

impl DeviceRoot {
    /// Uses `root/sys` and `root/dev`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// The root of sysfs.
    #[must_use]
    pub fn sys(&self) -> PathBuf {
        self.0.join("sys")
    }

    /// The directory of the device nodes.
    #[must_use]
    pub fn dev(&self) -> PathBuf {
        self.0.join("dev")
    }

    /// The root itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Default for DeviceRoot {
    fn default() -> Self {
        Self::new("/")
    }
}

/// Hands a file to the runtime. The files of this module own their descriptor and are never replaced, which is what
/// `AsyncFd::register` wants promised.
#[expect(deprecated, reason = "the successor can only be called from unsafe code")]
fn watch<T: AsRawFd>(file: T) -> std::io::Result<AsyncFd<T>> {
    AsyncFd::new(file)
}
