//! Whatever a modem has received.

use crate::reader::{ParseError, Reader};
use crate::{SmsDeliver, SmsStatusReport, address, hex};

/// What a modem received from the network and shows by `+CMGR`, `+CMGL`, `+CMT` or `+CDS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A part of a message for us.
    Deliver(SmsDeliver),
    /// What became of a part that we sent.
    StatusReport(SmsStatusReport),
}

/// Reads a PDU that begins with the address of the service centre; octets behind its end are ignored.
///
/// # Errors
/// When octets are missing, or when the PDU is one that does not come from the network.
pub fn parse_incoming(pdu: &[u8]) -> Result<Incoming, ParseError> {
    let mut reader = Reader::new(pdu);
    let smsc = address::parse_smsc(&mut reader)?;
    let first = reader.octet("message type")?;
    match first & 0b11 {
        // The reserved type counts as a delivery (TS 23.040 §9.2.3.1).
        0b00 | 0b11 => Ok(Incoming::Deliver(SmsDeliver::parse(smsc, first, &mut reader)?)),
        0b10 => Ok(Incoming::StatusReport(SmsStatusReport::parse(smsc, &mut reader)?)),
        other => Err(ParseError::MessageType(other)),
    }
}

/// Reads a PDU as a modem writes it, in hexadecimal.
///
/// # Errors
/// As [`parse_incoming`], and when the text is not hexadecimal.
pub fn parse_incoming_hex(text: &str) -> Result<Incoming, ParseError> {
    parse_incoming(&hex::parse_hex(text)?)
}

/// Feeds arbitrary octets to everything that reads the air; a fuzz target calls it.
pub fn fuzz_incoming(octets: &[u8]) {
    if let Ok(Incoming::Deliver(sms)) = parse_incoming(octets) {
        drop((sms.body.to_text(), sms.timestamp.unix_seconds(), sms.sender.to_string()));
    }
    drop(crate::SmsSubmit::parse(octets));
}
