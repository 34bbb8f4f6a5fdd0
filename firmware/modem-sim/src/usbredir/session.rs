//! One connection of QEMU, from its hello to its end.

use std::collections::VecDeque;

use super::codec::{CodecError, Decoder, encode};
use super::descriptors::Descriptors;
use super::device::{UsbDevice, UsbOutput};
use super::packet::{Body, Capabilities, Packet};

/// What a peer reads about us.
const VERSION: &str = concat!("modem-sim ", env!("CARGO_PKG_VERSION"));

/// One thing that the session does; the order of outputs is the order of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionOutput {
    /// Bytes for the peer.
    Send(Vec<u8>),
    /// The host wrote on the port of this interface.
    Received {
        /// `bInterfaceNumber`.
        interface: u8,
        /// What it wrote.
        bytes: Vec<u8>,
    },
}

/// The plug of one modem in one virtual machine.
#[derive(Debug)]
pub struct Session {
    decoder: Decoder,
    slot: Slot,
    /// What is to be in the slot.
    plugged: Option<Descriptors>,
    outputs: VecDeque<SessionOutput>,
}

#[derive(Debug)]
enum Slot {
    /// The peer has not said what it can do.
    Greeting,
    Empty,
    Taken(Box<UsbDevice>),
    /// The device is gone; the peer has not seen it yet, and still talks to it.
    Leaving,
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// Returns a session without a device; its first output is the hello.
    #[must_use]
    pub fn new() -> Self {
        let hello = Body::Hello { version: VERSION.to_owned(), capabilities: Capabilities::OWN };
        let hello = encode(&Packet { id: 0, body: hello }, Capabilities::default());
        Self {
            decoder: Decoder::new(Capabilities::OWN),
            slot: Slot::Greeting,
            plugged: None,
            outputs: VecDeque::from([SessionOutput::Send(hello)]),
        }
    }

    /// Plugs a device in; it appears as soon as the peer has seen the loss of the one before.
    pub fn plug(&mut self, descriptors: Descriptors) {
        self.unplug();
        self.plugged = Some(descriptors);
        self.settle();
    }

    /// Pulls the plug.
    pub fn unplug(&mut self) {
        self.plugged = None;
        if let Slot::Taken(device) = &mut self.slot {
            device.withdraw();
            self.drain();
            self.send(&Packet { id: 0, body: Body::DeviceDisconnect });
            let is_acknowledged = self.decoder.negotiated().has(Capabilities::DISCONNECT_ACK);
            self.slot = if is_acknowledged { Slot::Leaving } else { Slot::Empty };
        }
    }

    /// Takes bytes of the peer, cut anywhere; after an error the connection must be closed.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<(), CodecError> {
        self.decoder.handle_bytes(bytes);
        while let Some(packet) = self.decoder.next_packet()? {
            self.handle_packet(packet);
            self.settle();
        }
        Ok(())
    }

    /// Takes bytes that the modem writes on the port of `interface`.
    pub fn write(&mut self, interface: u8, bytes: Vec<u8>) {
        if let Slot::Taken(device) = &mut self.slot {
            device.write(interface, bytes);
        }
        self.settle();
    }

    /// Returns the next output.
    pub fn poll_output(&mut self) -> Option<SessionOutput> {
        self.outputs.pop_front()
    }

    /// Returns the device that the peer sees.
    #[must_use]
    pub fn device(&self) -> Option<&UsbDevice> {
        match &self.slot {
            Slot::Taken(device) => Some(device),
            Slot::Greeting | Slot::Empty | Slot::Leaving => None,
        }
    }

    fn handle_packet(&mut self, packet: Packet) {
        tracing::trace!(?packet, "from the virtual machine");
        match (&mut self.slot, packet.body) {
            (Slot::Greeting, Body::Hello { version, .. }) => {
                tracing::debug!(version, "virtual machine connected");
                self.slot = Slot::Empty;
            }
            (Slot::Leaving, Body::DisconnectAck) => self.slot = Slot::Empty,
            (_, Body::FilterReject) => tracing::warn!("virtual machine refuses the modem"),
            (Slot::Taken(device), body) => device.handle_packet(Packet { id: packet.id, body }),
            (Slot::Greeting | Slot::Empty | Slot::Leaving, body) => {
                tracing::debug!(packet = ?body, "packet for a device that is gone");
            }
        }
    }

    /// Brings the slot to what is plugged, and passes the device's outputs on.
    fn settle(&mut self) {
        if let (Slot::Empty, Some(descriptors)) = (&self.slot, &self.plugged) {
            self.slot = Slot::Taken(Box::new(UsbDevice::new(descriptors.clone())));
        }
        self.drain();
    }

    fn drain(&mut self) {
        let Slot::Taken(device) = &mut self.slot else { return };
        let outputs: Vec<UsbOutput> = std::iter::from_fn(|| device.poll_output()).collect();
        for output in outputs {
            match output {
                UsbOutput::Send(packet) => self.send(&packet),
                UsbOutput::Received { interface, bytes } => {
                    self.outputs.push_back(SessionOutput::Received { interface, bytes });
                }
            }
        }
    }

    fn send(&mut self, packet: &Packet) {
        tracing::trace!(?packet, "to the virtual machine");
        self.outputs.push_back(SessionOutput::Send(encode(packet, self.decoder.negotiated())));
    }
}
