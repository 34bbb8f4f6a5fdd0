//! The other side of the protocol, with a transcript.

use std::fmt::Write as _;

use modem_sim::core::Personality;
use modem_sim::usbredir::descriptors::Descriptors;
use modem_sim::usbredir::{
    Body, BulkHeader, Capabilities, ControlHeader, Decoder, Packet, Session, SessionOutput, Status, encode,
};

/// All that QEMU 7.2 announces.
pub(crate) const QEMU: Capabilities = Capabilities(0xff);

pub(crate) struct Guest {
    pub(crate) session: Session,
    decoder: Decoder,
    capabilities: Capabilities,
    transcript: String,
    taken: Vec<Packet>,
}

impl Guest {
    /// Returns a guest that has said nothing.
    pub(crate) fn new(capabilities: Capabilities) -> Self {
        let decoder = Decoder::new(capabilities);
        Self { session: Session::new(), decoder, capabilities, transcript: String::new(), taken: Vec::new() }
    }

    /// Returns a guest that sees an EC25.
    pub(crate) fn with_ec25() -> Self {
        let mut guest = Self::new(QEMU);
        guest.greet();
        guest.session.plug(descriptors("ec25"));
        guest.packets();
        guest.transcript.clear();
        guest.taken.clear();
        guest
    }

    pub(crate) fn greet(&mut self) {
        let hello = Body::Hello { version: "a guest".to_owned(), capabilities: self.capabilities };
        // Its own hello is what tells the guest how later packets look, and comes first.
        self.packets();
        self.session.handle_bytes(&encode(&Packet { id: 0, body: hello }, Capabilities::default())).unwrap();
    }

    pub(crate) fn send(&mut self, id: u64, body: Body) {
        writeln!(self.transcript, "> {id} {body:?}").unwrap();
        let bytes = encode(&Packet { id, body }, self.decoder.negotiated());
        self.session.handle_bytes(&bytes).unwrap();
        self.packets();
    }

    pub(crate) fn ask(&mut self, id: u64, endpoint: u8, length: u32) {
        self.send(id, Body::Bulk(BulkHeader { endpoint, status: Status::Success, length, stream: 0 }, Vec::new()));
    }

    pub(crate) fn give(&mut self, id: u64, endpoint: u8, data: &[u8]) {
        let length = u32::try_from(data.len()).unwrap();
        self.send(id, Body::Bulk(BulkHeader { endpoint, status: Status::Success, length, stream: 0 }, data.to_vec()));
    }

    pub(crate) fn control(&mut self, id: u64, kind: u8, request: u8, [value, index, length]: [u16; 3]) {
        let header = ControlHeader {
            endpoint: kind & 0x80,
            request,
            request_type: kind,
            status: Status::Success,
            value,
            index,
            length,
        };
        let data = if kind & 0x80 == 0 { vec![0; usize::from(length)] } else { Vec::new() };
        self.send(id, Body::Control(header, data));
    }

    pub(crate) fn write(&mut self, interface: u8, bytes: &[u8]) {
        writeln!(self.transcript, "modem writes {} bytes on {interface}", bytes.len()).unwrap();
        self.session.write(interface, bytes.to_vec());
        self.packets();
    }

    pub(crate) fn plug(&mut self, name: &str) {
        writeln!(self.transcript, "plug {name}").unwrap();
        self.session.plug(descriptors(name));
        self.packets();
    }

    pub(crate) fn unplug(&mut self) {
        writeln!(self.transcript, "unplug").unwrap();
        self.session.unplug();
        self.packets();
    }

    /// Returns what happened since the last look.
    pub(crate) fn transcript(&mut self) -> String {
        self.packets();
        std::mem::take(&mut self.transcript)
    }

    /// Returns the packets that came since the last time.
    pub(crate) fn take_packets(&mut self) -> Vec<Packet> {
        self.packets();
        std::mem::take(&mut self.taken)
    }

    /// Reads what has come, and writes it down.
    fn packets(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                SessionOutput::Send(bytes) => self.decoder.handle_bytes(&bytes),
                SessionOutput::Received { interface, bytes } => {
                    writeln!(self.transcript, "modem reads {:?} on {interface}", bytes.escape_ascii().to_string())
                        .unwrap();
                }
            }
            while let Some(packet) = self.decoder.next_packet().unwrap() {
                writeln!(self.transcript, "< {} {:?}", packet.id, packet.body).unwrap();
                self.taken.push(packet);
            }
        }
    }
}

pub(crate) fn descriptors(name: &str) -> Descriptors {
    Descriptors::new(&Personality::named(name).unwrap(), None)
}
