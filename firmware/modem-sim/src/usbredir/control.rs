//! Requests on endpoint 0.

use super::descriptors::Descriptors;
use super::packet::ControlHeader;

/// What a control request comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Data for the host; longer than it asked for is cut.
    Data(Vec<u8>),
    /// Done, with nothing to say.
    Done,
    /// The host opened (`true`) or closed the port behind this interface.
    Ready { interface: u8, is_ready: bool },
    /// Not a request that this device knows.
    Stall,
}

/// `bmRequestType`: direction, kind and recipient (USB 2.0 table 9-2).
mod to {
    pub(super) const DEVICE_SET: u8 = 0x00;
    pub(super) const ENDPOINT_SET: u8 = 0x02;
    pub(super) const DEVICE_GET: u8 = 0x80;
    pub(super) const INTERFACE_GET: u8 = 0x81;
    pub(super) const ENDPOINT_GET: u8 = 0x82;
    pub(super) const CLASS_SET: u8 = 0x21;
    pub(super) const CLASS_GET: u8 = 0xa1;
}

const GET_STATUS: u8 = 0;
const CLEAR_FEATURE: u8 = 1;
const SET_FEATURE: u8 = 3;
const GET_DESCRIPTOR: u8 = 6;
/// Class requests (CDC 1.2 §6.2, PSTN 1.2 §6.3): what `option` and `qmi_wwan` send.
const SEND_ENCAPSULATED: u8 = 0x00;
const SET_LINE_CODING: u8 = 0x20;
const GET_LINE_CODING: u8 = 0x21;
const SET_LINE_STATE: u8 = 0x22;
const SEND_BREAK: u8 = 0x23;
const ENDPOINT_HALT: u16 = 0;
const REMOTE_WAKEUP: u16 = 1;
/// Bit of the line state that says that the host has the port open.
const TERMINAL_READY: u16 = 1;
/// 115200 baud, one stop bit, no parity, eight bits.
const LINE_CODING: [u8; 7] = [0x00, 0xc2, 0x01, 0x00, 0, 0, 8];

/// Answers a request; configurations and alternate settings come as packets of their own.
pub(super) fn answer(header: &ControlHeader, descriptors: &Descriptors) -> Answer {
    let [value_low, value_high] = header.value.to_le_bytes();
    let [index_low, _] = header.index.to_le_bytes();
    let has_interface = descriptors.functions().iter().any(|function| function.interface.number == index_low);
    match (header.request_type, header.request) {
        (to::DEVICE_GET, GET_DESCRIPTOR) => descriptors.get(value_high, value_low).map_or(Answer::Stall, Answer::Data),
        (to::DEVICE_GET | to::ENDPOINT_GET, GET_STATUS) => Answer::Data(vec![0, 0]),
        (to::INTERFACE_GET, GET_STATUS) if has_interface => Answer::Data(vec![0, 0]),
        (to::DEVICE_SET, CLEAR_FEATURE | SET_FEATURE) if header.value == REMOTE_WAKEUP => Answer::Done,
        (to::ENDPOINT_SET, CLEAR_FEATURE) if header.value == ENDPOINT_HALT => Answer::Done,
        (to::CLASS_SET, SET_LINE_STATE) if has_interface => {
            Answer::Ready { interface: index_low, is_ready: header.value & TERMINAL_READY != 0 }
        }
        (to::CLASS_SET, SET_LINE_CODING | SEND_BREAK | SEND_ENCAPSULATED) if has_interface => Answer::Done,
        (to::CLASS_GET, GET_LINE_CODING) if has_interface => Answer::Data(LINE_CODING.to_vec()),
        _ => Answer::Stall,
    }
}
