//! What a modem says that it is: USB descriptors (USB 2.0 §9.6) made from its personality.
//!
//! Classes, endpoint addresses and packet sizes are those that EC25 and SIM7600 show to `lsusb -v`.

use super::packet::{DeviceConnect, EndpointInfo, EndpointKind, InterfaceInfo};
use crate::core::{Personality, Role};

/// The only configuration.
pub const CONFIGURATION: u8 = 1;
/// `bcdDevice`.
const DEVICE_VERSION: u16 = 0x0318;
const HIGH_SPEED: u8 = 2;
const BULK_PACKET: u16 = 512;
const CONTROL_PACKET: u8 = 64;
/// Bit of an endpoint address that gives data.
const IN: u8 = 0x80;
/// Interval of the interrupt endpoints: 2^(9-1) microframes, 32 ms.
const INTERVAL: u8 = 9;
/// English (United States), the only language of the strings.
const LANGUAGE: u16 = 0x0409;

mod kinds {
    pub(super) const DEVICE: u8 = 1;
    pub(super) const CONFIGURATION: u8 = 2;
    pub(super) const STRING: u8 = 3;
    pub(super) const INTERFACE: u8 = 4;
    pub(super) const ENDPOINT: u8 = 5;
    pub(super) const QUALIFIER: u8 = 6;
    pub(super) const CLASS_SPECIFIC: u8 = 0x24;
}

/// One interface with the addresses of its endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// Number and class.
    pub interface: InterfaceInfo,
    /// Gives data.
    pub bulk_in: u8,
    /// Takes data.
    pub bulk_out: u8,
    /// Gives notifications, and how long they may be.
    pub interrupt: Option<(u8, u16)>,
    /// Carries functional descriptors of an abstract control model.
    is_modem: bool,
}

/// The descriptors of one modem.
#[derive(Clone, Debug)]
pub struct Descriptors {
    functions: Vec<Function>,
    vendor: u16,
    product: u16,
    manufacturer: &'static str,
    name: &'static str,
    serial: Option<String>,
}

impl Descriptors {
    /// Returns the descriptors of a unit of `personality`.
    #[must_use]
    pub fn new(personality: &Personality, serial: Option<&str>) -> Self {
        let mut functions = Vec::new();
        let mut next_in = IN + 1;
        let mut next_in_address = || {
            let address = next_in;
            next_in += 1;
            address
        };
        for (interface, bulk_out) in personality.interfaces.iter().zip(1..) {
            let bulk_in = next_in_address();
            // The diagnostics port is told from the network card, which has the same class, by its lack of an
            // interrupt endpoint.
            let interrupt = match interface.role {
                Role::Diag => None,
                Role::Qmi => Some((next_in_address(), 8)),
                Role::At | Role::Modem | Role::Nmea | Role::Pcm => Some((next_in_address(), 10)),
            };
            let is_modem = !matches!(interface.role, Role::Diag | Role::Qmi);
            let detail = if is_modem { 0x00 } else { 0xff };
            functions.push(Function {
                interface: InterfaceInfo { number: interface.number, class: 0xff, subclass: detail, protocol: detail },
                bulk_in,
                bulk_out,
                interrupt,
                is_modem,
            });
        }
        Self {
            functions,
            vendor: personality.vendor,
            product: personality.product,
            manufacturer: personality.usb_manufacturer,
            name: personality.usb_product,
            serial: serial.map(str::to_owned),
        }
    }

    /// Returns the interfaces by number.
    #[must_use]
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// Returns the words with which the device appears.
    #[must_use]
    pub fn device_connect(&self) -> DeviceConnect {
        DeviceConnect {
            speed: HIGH_SPEED,
            class: 0,
            subclass: 0,
            protocol: 0,
            vendor: self.vendor,
            product: self.product,
            version: DEVICE_VERSION,
        }
    }

    /// Returns the interfaces of the configuration, or of none.
    #[must_use]
    pub fn interface_info(&self, is_configured: bool) -> Vec<InterfaceInfo> {
        self.functions.iter().filter(|_| is_configured).map(|function| function.interface).collect()
    }

    /// Returns the endpoints of the configuration, or endpoint 0 alone.
    #[must_use]
    pub fn endpoint_info(&self, is_configured: bool) -> Box<[EndpointInfo; 32]> {
        let mut endpoints = Box::new([EndpointInfo::default(); 32]);
        let mut set = |address: u8, kind: EndpointKind, interface: u8, interval: u8, max_packet_size: u16| {
            let place = usize::from(address & 0x0f | (address & IN) >> 3);
            if let Some(endpoint) = endpoints.get_mut(place) {
                *endpoint = EndpointInfo { kind: Some(kind), interval, interface, max_packet_size };
            }
        };
        for address in [0, IN] {
            set(address, EndpointKind::Control, 0, 0, u16::from(CONTROL_PACKET));
        }
        for function in self.functions.iter().filter(|_| is_configured) {
            let number = function.interface.number;
            set(function.bulk_in, EndpointKind::Bulk, number, 0, BULK_PACKET);
            set(function.bulk_out, EndpointKind::Bulk, number, 0, BULK_PACKET);
            if let Some((address, size)) = function.interrupt {
                set(address, EndpointKind::Interrupt, number, INTERVAL, size);
            }
        }
        endpoints
    }

    /// Returns the descriptor that `GET_DESCRIPTOR` asks for by type and index.
    #[must_use]
    pub fn get(&self, kind: u8, index: u8) -> Option<Vec<u8>> {
        match (kind, index) {
            (kinds::DEVICE, 0) => Some(self.device()),
            (kinds::CONFIGURATION, 0) => Some(self.configuration()),
            (kinds::QUALIFIER, 0) => Some(qualifier()),
            (kinds::STRING, 0) => Some(string_descriptor([LANGUAGE].into_iter())),
            (kinds::STRING, index) => self.string(index).map(|text| string_descriptor(text.encode_utf16())),
            _ => None,
        }
    }

    fn device(&self) -> Vec<u8> {
        let mut bytes = vec![18, kinds::DEVICE, 0x00, 0x02, 0, 0, 0, CONTROL_PACKET];
        bytes.extend([self.vendor, self.product, DEVICE_VERSION].map(u16::to_le_bytes).concat());
        bytes.extend([1, 2, if self.serial.is_some() { 3 } else { 0 }, 1]);
        bytes
    }

    fn configuration(&self) -> Vec<u8> {
        let functions: Vec<u8> = self.functions.iter().flat_map(Function::descriptors).collect();
        let total = u16::try_from(functions.len() + 9).unwrap_or(u16::MAX).to_le_bytes();
        let count = u8::try_from(self.functions.len()).unwrap_or(u8::MAX);
        // Powered by the bus, wakes the host, 500 mA in units of 2 mA.
        let mut bytes = vec![9, kinds::CONFIGURATION, total[0], total[1], count, CONFIGURATION, 0, 0xa0, 250];
        bytes.extend(functions);
        bytes
    }

    fn string(&self, index: u8) -> Option<&str> {
        match index {
            1 => Some(self.manufacturer),
            2 => Some(self.name),
            3 => self.serial.as_deref(),
            _ => None,
        }
    }
}

impl Function {
    fn descriptors(&self) -> Vec<u8> {
        let InterfaceInfo { number, class, subclass, protocol } = self.interface;
        let endpoints = if self.interrupt.is_some() { 3 } else { 2 };
        let mut bytes = vec![9, kinds::INTERFACE, number, 0, endpoints, class, subclass, protocol, 0];
        if self.is_modem {
            // Header 1.10, call management, abstract control, union (CDC 1.2 §5.2.3, PSTN 1.2 §5.3).
            let functional: [&[u8]; 4] = [&[0x00, 0x10, 0x01], &[0x01, 0x00, 0x00], &[0x02, 0x02], &[0x06, 0x00, 0x00]];
            for body in functional {
                bytes.extend([u8::try_from(body.len() + 2).unwrap_or(u8::MAX), kinds::CLASS_SPECIFIC]);
                bytes.extend(body);
            }
        }
        if let Some((address, size)) = self.interrupt {
            bytes.extend(endpoint_descriptor(address, 3, size, INTERVAL));
        }
        bytes.extend(endpoint_descriptor(self.bulk_in, 2, BULK_PACKET, 0));
        bytes.extend(endpoint_descriptor(self.bulk_out, 2, BULK_PACKET, 0));
        bytes
    }
}

fn endpoint_descriptor(address: u8, attributes: u8, max_packet_size: u16, interval: u8) -> [u8; 7] {
    let [low, high] = max_packet_size.to_le_bytes();
    [7, kinds::ENDPOINT, address, attributes, low, high, interval]
}

/// What it would be at full speed.
fn qualifier() -> Vec<u8> {
    vec![10, kinds::QUALIFIER, 0x00, 0x02, 0, 0, 0, CONTROL_PACKET, 1, 0]
}

fn string_descriptor(units: impl Iterator<Item = u16>) -> Vec<u8> {
    let text: Vec<u8> = units.take(126).flat_map(u16::to_le_bytes).collect();
    let mut bytes = vec![u8::try_from(text.len() + 2).unwrap_or(u8::MAX), kinds::STRING];
    bytes.extend(text);
    bytes
}
