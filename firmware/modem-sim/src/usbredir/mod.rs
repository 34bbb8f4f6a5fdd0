//! Simulated modems as USB devices for a virtual machine.
//!
//! QEMU's `usb-redir` device is the *guest* side of the USB redirection protocol, version 0.7; this is the *host* side,
//! the one that has the device. The kernel of the virtual machine enumerates what it is shown and binds its own
//! drivers, so nothing in the machine is different from real hardware.
//!
//! No file, socket or clock is here. [`codec`] knows packets and nothing about USB; [`UsbDevice`] knows descriptors,
//! control requests and endpoints of a modem and nothing about AT commands; [`Session`] is one connection of QEMU.

pub mod codec;
mod control;
pub mod descriptors;
mod device;
mod packet;
mod session;

pub use codec::{CodecError, Decoder, encode};
pub use device::{UsbDevice, UsbOutput};
pub use packet::{
    Body, BulkHeader, Capabilities, ControlHeader, DeviceConnect, EndpointInfo, EndpointKind, InterfaceInfo, Packet,
    Status,
};
pub use session::{Session, SessionOutput};
