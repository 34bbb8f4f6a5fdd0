//! Packets to bytes and back.
//!
//! Everything is little-endian. A header has type, length of what follows and id; the id has 64 bits once both sides
//! have said that they can, and some bodies have more fields once both sides know them. The first packet of each side
//! is a hello, which always has the short header.

use super::packet::{
    Body, BulkHeader, Capabilities, ControlHeader, DeviceConnect, EndpointInfo, EndpointKind, InterfaceInfo, Packet,
    Status,
};

/// Longest body that is accepted: far above what a serial driver sends at once.
pub const LONGEST_BODY: usize = 1 << 20;
/// Length of the version text in a hello.
const VERSION_LENGTH: usize = 64;
/// Places for interfaces and for endpoints in either list.
const PLACES: usize = 32;

/// Why the bytes of the peer are not understood; the connection is of no use after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The peer does not begin with a hello, or greets twice.
    #[error("packet type {0} has no place here")]
    Unexpected(u32),
    /// The body is longer than [`LONGEST_BODY`].
    #[error("packet of {0} bytes is too long")]
    TooLong(u32),
    /// The body is too short or too long for its type.
    #[error("packet type {kind} cannot have {length} bytes")]
    BadLength {
        /// Type of the packet.
        kind: u32,
        /// Of its body.
        length: usize,
    },
    /// The length in the body is not the length of its data.
    #[error("packet type {kind} says {said} bytes and carries {carried}")]
    DataLength {
        /// Type of the packet.
        kind: u32,
        /// Length field.
        said: u32,
        /// Bytes that follow.
        carried: usize,
    },
    /// More interfaces than there are places.
    #[error("{0} interfaces are too many")]
    TooManyInterfaces(u32),
}

/// Cuts the peer's bytes into packets.
#[derive(Debug, Default)]
pub struct Decoder {
    own: Capabilities,
    peer: Option<Capabilities>,
    buffer: Vec<u8>,
}

impl Decoder {
    /// Returns a decoder for a side that has announced `own`.
    #[must_use]
    pub fn new(own: Capabilities) -> Self {
        Self { own, peer: None, buffer: Vec::new() }
    }

    /// Takes bytes of the peer, cut anywhere.
    pub fn handle_bytes(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the next packet, or `None` when more bytes are needed.
    pub fn next_packet(&mut self) -> Result<Option<Packet>, CodecError> {
        let mut header = Fields(&self.buffer);
        let (Some(kind), Some(length)) = (header.u32(), header.u32()) else { return Ok(None) };
        if (kind == kinds::HELLO) != self.peer.is_none() {
            return Err(CodecError::Unexpected(kind));
        }
        let body_length = usize::try_from(length).unwrap_or(usize::MAX);
        if body_length > LONGEST_BODY {
            return Err(CodecError::TooLong(length));
        }
        let negotiated = self.negotiated();
        let id = if negotiated.has(Capabilities::IDS_64) { header.u64() } else { header.u32().map(u64::from) };
        let (Some(id), Some(payload)) = (id, header.take(body_length)) else { return Ok(None) };
        let body = parse_body(kind, payload, negotiated)?;
        let rest = header.0.len();
        if let Body::Hello { capabilities, .. } = &body {
            self.peer = Some(*capabilities);
        }
        self.buffer.drain(..self.buffer.len() - rest);
        Ok(Some(Packet { id, body }))
    }

    /// Returns what both sides can do; nothing before the peer's hello.
    #[must_use]
    pub fn negotiated(&self) -> Capabilities {
        self.own.and(self.peer.unwrap_or_default())
    }
}

/// Writes a packet as two sides with the capabilities `negotiated` exchange it.
#[must_use]
pub fn encode(packet: &Packet, negotiated: Capabilities) -> Vec<u8> {
    let mut body = Vec::new();
    let kind = write_body(&packet.body, negotiated, &mut body);
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut bytes = [kind.to_le_bytes(), length.to_le_bytes()].concat();
    if kind != kinds::HELLO && negotiated.has(Capabilities::IDS_64) {
        bytes.extend(packet.id.to_le_bytes());
    } else {
        bytes.extend(low_32(packet.id).to_le_bytes());
    }
    bytes.extend(body);
    bytes
}

fn parse_body(kind: u32, payload: &[u8], negotiated: Capabilities) -> Result<Body, CodecError> {
    let mut fields = Fields(payload);
    let body = match kind {
        kinds::CONTROL | kinds::BULK | kinds::INTERRUPT => return parse_data(kind, payload, negotiated),
        kinds::HELLO => parse_hello(&mut fields),
        kinds::DEVICE_CONNECT => parse_device(&mut fields, negotiated),
        kinds::INTERFACE_INFO => {
            if let Some(count) = Fields(payload).u32().filter(|count| *count > 32) {
                return Err(CodecError::TooManyInterfaces(count));
            }
            parse_interfaces(&mut fields)
        }
        kinds::ENDPOINT_INFO => parse_endpoints(&mut fields, negotiated),
        kinds::DEVICE_DISCONNECT => Some(Body::DeviceDisconnect),
        kinds::RESET => Some(Body::Reset),
        kinds::GET_CONFIGURATION => Some(Body::GetConfiguration),
        kinds::CANCEL => Some(Body::Cancel),
        kinds::DISCONNECT_ACK => Some(Body::DisconnectAck),
        kinds::FILTER_REJECT => Some(Body::FilterReject),
        kinds::FILTER_RULES => fields.take(payload.len()).map(|rules| Body::FilterRules(rules.to_vec())),
        kinds::SET_CONFIGURATION..=kinds::INTERRUPTS_STATUS => parse_settings(kind, &mut fields),
        other => fields.take(payload.len()).map(|payload| Body::Other { kind: other, payload: payload.to_vec() }),
    };
    body.filter(|_| fields.0.is_empty()).ok_or(CodecError::BadLength { kind, length: payload.len() })
}

fn parse_hello(fields: &mut Fields<'_>) -> Option<Body> {
    let version = fields.take(VERSION_LENGTH)?;
    let text = version.split(|byte| *byte == 0).next().unwrap_or_default();
    // Later versions of the protocol have more words of capabilities than anybody here can have.
    let capabilities = Capabilities(fields.u32().unwrap_or(0));
    while fields.u32().is_some() {}
    Some(Body::Hello { version: String::from_utf8_lossy(text).into_owned(), capabilities })
}

fn parse_device(fields: &mut Fields<'_>, negotiated: Capabilities) -> Option<Body> {
    Some(Body::DeviceConnect(DeviceConnect {
        speed: fields.u8()?,
        class: fields.u8()?,
        subclass: fields.u8()?,
        protocol: fields.u8()?,
        vendor: fields.u16()?,
        product: fields.u16()?,
        version: if negotiated.has(Capabilities::DEVICE_VERSION) { fields.u16()? } else { 0 },
    }))
}

fn parse_interfaces(fields: &mut Fields<'_>) -> Option<Body> {
    let count = usize::try_from(fields.u32()?).ok()?;
    let columns = [fields.take(PLACES)?, fields.take(PLACES)?, fields.take(PLACES)?, fields.take(PLACES)?];
    let at = |column: &[u8], place: usize| column.get(place).copied().unwrap_or_default();
    let [numbers, classes, subclasses, protocols] = columns;
    let interfaces = (0..count).map(|place| InterfaceInfo {
        number: at(numbers, place),
        class: at(classes, place),
        subclass: at(subclasses, place),
        protocol: at(protocols, place),
    });
    Some(Body::InterfaceInfo(interfaces.collect()))
}

fn parse_endpoints(fields: &mut Fields<'_>, negotiated: Capabilities) -> Option<Body> {
    let mut endpoints = Box::new([EndpointInfo::default(); PLACES]);
    let (kinds, intervals, interfaces) = (fields.take(PLACES)?, fields.take(PLACES)?, fields.take(PLACES)?);
    for (endpoint, kind) in endpoints.iter_mut().zip(kinds) {
        endpoint.kind = EndpointKind::from_code(*kind);
    }
    for (endpoint, interval) in endpoints.iter_mut().zip(intervals) {
        endpoint.interval = *interval;
    }
    for (endpoint, interface) in endpoints.iter_mut().zip(interfaces) {
        endpoint.interface = *interface;
    }
    if negotiated.has(Capabilities::MAX_PACKET_SIZE) {
        for endpoint in endpoints.iter_mut() {
            endpoint.max_packet_size = fields.u16()?;
        }
    }
    if negotiated.has(Capabilities::BULK_STREAMS) {
        fields.take(PLACES * 4)?;
    }
    Some(Body::EndpointInfo(endpoints))
}

fn parse_settings(kind: u32, fields: &mut Fields<'_>) -> Option<Body> {
    Some(match kind {
        kinds::SET_CONFIGURATION => Body::SetConfiguration(fields.u8()?),
        kinds::CONFIGURATION_STATUS => {
            Body::ConfigurationStatus { status: fields.status()?, configuration: fields.u8()? }
        }
        kinds::SET_ALTERNATE => Body::SetAlternate { interface: fields.u8()?, setting: fields.u8()? },
        kinds::GET_ALTERNATE => Body::GetAlternate(fields.u8()?),
        kinds::ALTERNATE_STATUS => {
            Body::AlternateStatus { status: fields.status()?, interface: fields.u8()?, setting: fields.u8()? }
        }
        kinds::START_INTERRUPTS => Body::StartInterrupts(fields.u8()?),
        kinds::STOP_INTERRUPTS => Body::StopInterrupts(fields.u8()?),
        kinds::INTERRUPTS_STATUS => Body::InterruptsStatus { status: fields.status()?, endpoint: fields.u8()? },
        other => Body::Other { kind: other, payload: fields.rest() },
    })
}

fn parse_data(kind: u32, payload: &[u8], negotiated: Capabilities) -> Result<Body, CodecError> {
    let mut fields = Fields(payload);
    let (said, body) = match kind {
        kinds::CONTROL => parse_control(&mut fields),
        kinds::BULK => parse_bulk(&mut fields, negotiated),
        _ => parse_interrupt(&mut fields),
    }
    .ok_or(CodecError::BadLength { kind, length: payload.len() })?;
    let carried = fields.0.len();
    // A request for data and an answer to sent data carry none, whatever their length says.
    if carried != 0 && u32::try_from(carried) != Ok(said) {
        return Err(CodecError::DataLength { kind, said, carried });
    }
    let data = fields.rest();
    Ok(match body {
        Body::Control(header, _) => Body::Control(header, data),
        Body::Bulk(header, _) => Body::Bulk(header, data),
        Body::Interrupt { endpoint, status, length, .. } => Body::Interrupt { endpoint, status, length, data },
        other => other,
    })
}

fn parse_control(fields: &mut Fields<'_>) -> Option<(u32, Body)> {
    let header = ControlHeader {
        endpoint: fields.u8()?,
        request: fields.u8()?,
        request_type: fields.u8()?,
        status: fields.status()?,
        value: fields.u16()?,
        index: fields.u16()?,
        length: fields.u16()?,
    };
    Some((u32::from(header.length), Body::Control(header, Vec::new())))
}

fn parse_bulk(fields: &mut Fields<'_>, negotiated: Capabilities) -> Option<(u32, Body)> {
    let (endpoint, status) = (fields.u8()?, fields.status()?);
    let (low, stream) = (u32::from(fields.u16()?), fields.u32()?);
    let high = if negotiated.has(Capabilities::BULK_LENGTH_32) { u32::from(fields.u16()?) } else { 0 };
    let header = BulkHeader { endpoint, status, length: high << 16 | low, stream };
    Some((header.length, Body::Bulk(header, Vec::new())))
}

fn parse_interrupt(fields: &mut Fields<'_>) -> Option<(u32, Body)> {
    let (endpoint, status, length) = (fields.u8()?, fields.status()?, fields.u16()?);
    Some((u32::from(length), Body::Interrupt { endpoint, status, length, data: Vec::new() }))
}

/// Writes the body and returns the type of the packet.
fn write_body(body: &Body, negotiated: Capabilities, out: &mut Vec<u8>) -> u32 {
    match body {
        Body::Hello { version, capabilities } => {
            let mut text: Vec<u8> = version.bytes().take(VERSION_LENGTH - 1).collect();
            text.resize(VERSION_LENGTH, 0);
            out.extend(text);
            out.extend(capabilities.0.to_le_bytes());
            kinds::HELLO
        }
        Body::DeviceConnect(device) => {
            out.extend([device.speed, device.class, device.subclass, device.protocol]);
            out.extend([device.vendor.to_le_bytes(), device.product.to_le_bytes()].concat());
            if negotiated.has(Capabilities::DEVICE_VERSION) {
                out.extend(device.version.to_le_bytes());
            }
            kinds::DEVICE_CONNECT
        }
        Body::InterfaceInfo(interfaces) => write_interfaces(interfaces, out),
        Body::EndpointInfo(endpoints) => write_endpoints(endpoints, negotiated, out),
        Body::DeviceDisconnect => kinds::DEVICE_DISCONNECT,
        Body::Reset => kinds::RESET,
        Body::GetConfiguration => kinds::GET_CONFIGURATION,
        Body::Cancel => kinds::CANCEL,
        Body::DisconnectAck => kinds::DISCONNECT_ACK,
        Body::FilterReject => kinds::FILTER_REJECT,
        Body::FilterRules(rules) => {
            out.extend(rules);
            kinds::FILTER_RULES
        }
        Body::Other { kind, payload } => {
            out.extend(payload);
            *kind
        }
        Body::Control(header, data) => write_control(header, data, out),
        Body::Bulk(header, data) => write_bulk(header, data, negotiated, out),
        Body::Interrupt { endpoint, status, length, data } => {
            out.extend([*endpoint, status.code()]);
            out.extend(length.to_le_bytes());
            out.extend(data);
            kinds::INTERRUPT
        }
        settings => write_settings(settings, out),
    }
}

fn write_settings(body: &Body, out: &mut Vec<u8>) -> u32 {
    let (kind, octets): (u32, &[u8]) = match body {
        Body::SetConfiguration(value) => (kinds::SET_CONFIGURATION, &[*value]),
        Body::ConfigurationStatus { status, configuration } => {
            (kinds::CONFIGURATION_STATUS, &[status.code(), *configuration])
        }
        Body::SetAlternate { interface, setting } => (kinds::SET_ALTERNATE, &[*interface, *setting]),
        Body::GetAlternate(interface) => (kinds::GET_ALTERNATE, &[*interface]),
        Body::AlternateStatus { status, interface, setting } => {
            (kinds::ALTERNATE_STATUS, &[status.code(), *interface, *setting])
        }
        Body::StartInterrupts(endpoint) => (kinds::START_INTERRUPTS, &[*endpoint]),
        Body::StopInterrupts(endpoint) => (kinds::STOP_INTERRUPTS, &[*endpoint]),
        Body::InterruptsStatus { status, endpoint } => (kinds::INTERRUPTS_STATUS, &[status.code(), *endpoint]),
        _ => (kinds::RESET, &[]),
    };
    out.extend(octets);
    kind
}

fn write_interfaces(interfaces: &[InterfaceInfo], out: &mut Vec<u8>) -> u32 {
    let count = interfaces.len().min(PLACES);
    out.extend(u32::try_from(count).unwrap_or(0).to_le_bytes());
    let columns: [fn(&InterfaceInfo) -> u8; 4] =
        [|known| known.number, |known| known.class, |known| known.subclass, |known| known.protocol];
    for column in columns {
        out.extend((0..PLACES).map(|place| interfaces.get(place).map_or(0, column)));
    }
    kinds::INTERFACE_INFO
}

fn write_endpoints(endpoints: &[EndpointInfo; PLACES], negotiated: Capabilities, out: &mut Vec<u8>) -> u32 {
    out.extend(endpoints.iter().map(|endpoint| EndpointKind::code(endpoint.kind)));
    out.extend(endpoints.iter().map(|endpoint| endpoint.interval));
    out.extend(endpoints.iter().map(|endpoint| endpoint.interface));
    if negotiated.has(Capabilities::MAX_PACKET_SIZE) {
        out.extend(endpoints.iter().flat_map(|endpoint| endpoint.max_packet_size.to_le_bytes()));
    }
    if negotiated.has(Capabilities::BULK_STREAMS) {
        out.extend([0; PLACES * 4]);
    }
    kinds::ENDPOINT_INFO
}

fn write_control(header: &ControlHeader, data: &[u8], out: &mut Vec<u8>) -> u32 {
    out.extend([header.endpoint, header.request, header.request_type, header.status.code()]);
    out.extend([header.value, header.index, header.length].map(u16::to_le_bytes).concat());
    out.extend(data);
    kinds::CONTROL
}

fn write_bulk(header: &BulkHeader, data: &[u8], negotiated: Capabilities, out: &mut Vec<u8>) -> u32 {
    let [low, next, high, highest] = header.length.to_le_bytes();
    out.extend([header.endpoint, header.status.code(), low, next]);
    out.extend(header.stream.to_le_bytes());
    if negotiated.has(Capabilities::BULK_LENGTH_32) {
        out.extend([high, highest]);
    }
    out.extend(data);
    kinds::BULK
}

fn low_32(id: u64) -> u32 {
    let [a, b, c, d, ..] = id.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// Reads fields off the front.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0).to_vec()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn status(&mut self) -> Option<Status> {
        self.u8().map(Status::from_code)
    }
}

/// Types of packets (usb-redirection-protocol 0.7).
mod kinds {
    pub(super) const HELLO: u32 = 0;
    pub(super) const DEVICE_CONNECT: u32 = 1;
    pub(super) const DEVICE_DISCONNECT: u32 = 2;
    pub(super) const RESET: u32 = 3;
    pub(super) const INTERFACE_INFO: u32 = 4;
    pub(super) const ENDPOINT_INFO: u32 = 5;
    pub(super) const SET_CONFIGURATION: u32 = 6;
    pub(super) const GET_CONFIGURATION: u32 = 7;
    pub(super) const CONFIGURATION_STATUS: u32 = 8;
    pub(super) const SET_ALTERNATE: u32 = 9;
    pub(super) const GET_ALTERNATE: u32 = 10;
    pub(super) const ALTERNATE_STATUS: u32 = 11;
    pub(super) const START_INTERRUPTS: u32 = 15;
    pub(super) const STOP_INTERRUPTS: u32 = 16;
    pub(super) const INTERRUPTS_STATUS: u32 = 17;
    pub(super) const CANCEL: u32 = 21;
    pub(super) const FILTER_REJECT: u32 = 22;
    pub(super) const FILTER_RULES: u32 = 23;
    pub(super) const DISCONNECT_ACK: u32 = 24;
    pub(super) const CONTROL: u32 = 100;
    pub(super) const BULK: u32 = 101;
    pub(super) const INTERRUPT: u32 = 103;
}
