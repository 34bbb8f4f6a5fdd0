//! SMS-DELIVER: a message for us (TS 23.040 §9.2.2.1).

use telecom::{Address, PhoneNumber};

use crate::reader::{ParseError, Reader};
use crate::{Body, Concat, DataCoding, Ports, ServiceCentreTimestamp, SubmitPart, address, user_data};

/// A part of a message that somebody sent us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsDeliver {
    /// The service centre that it came through.
    pub smsc: Option<Address>,
    /// Who sent it.
    pub sender: Address,
    /// When the service centre received it.
    pub timestamp: ServiceCentreTimestamp,
    /// TP-PID; 0x40 is a message of type 0, which asks to be shown to nobody (TS 23.040 §9.2.3.9).
    pub protocol_id: u8,
    /// TP-DCS as it came.
    pub data_coding: u8,
    /// Message class; class 0 is shown at once.
    pub message_class: Option<u8>,
    /// Where it belongs in its message; `None` when it is alone.
    pub concat: Option<Concat>,
    /// The applications it passes between; `None` when it is for people.
    pub ports: Option<Ports>,
    /// What it says.
    pub body: Body,
}

/// A delivery to write, for a simulated network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliverSpec {
    /// The service centre that it comes through.
    pub smsc: Option<PhoneNumber>,
    /// Who sends it; a name is cut to eleven characters of the default alphabet.
    pub sender: Address,
    /// When the service centre received it.
    pub timestamp: ServiceCentreTimestamp,
    /// TP-PID, ordinarily 0.
    pub protocol_id: u8,
    /// What it says.
    pub part: SubmitPart,
}

pub(crate) const HAS_HEADER: u8 = 0x40;
/// TP-MMS: no more messages are waiting.
pub(crate) const NO_MORE_MESSAGES: u8 = 0x04;

impl SmsDeliver {
    /// Reads what follows the first octet.
    pub(crate) fn parse(smsc: Option<Address>, first: u8, reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let sender = address::parse(reader, "sender")?;
        let protocol_id = reader.octet("protocol identifier")?;
        let data_coding = reader.octet("data coding scheme")?;
        let timestamp = ServiceCentreTimestamp::parse(reader, "time stamp")?;
        let coding = DataCoding::parse(data_coding);
        let (header, body) = user_data::parse(reader, coding, first & HAS_HEADER != 0)?;
        let message_class = coding.message_class;
        let (concat, ports) = (header.concat, header.ports);
        Ok(Self { smsc, sender, timestamp, protocol_id, data_coding, message_class, concat, ports, body })
    }
}

/// Writes a delivery as a modem shows it, with the address of the service centre in front.
#[must_use]
pub fn encode_deliver(spec: &DeliverSpec) -> Vec<u8> {
    let user_data = spec.part.encode_user_data();
    let mut octets = Vec::with_capacity(180);
    address::encode_smsc(spec.smsc.as_ref(), &mut octets);
    octets.push(NO_MORE_MESSAGES | if user_data.has_header { HAS_HEADER } else { 0 });
    address::encode(&spec.sender, &mut octets);
    octets.extend([spec.protocol_id, spec.part.data_coding()]);
    octets.extend(spec.timestamp.encode());
    octets.push(user_data.length);
    octets.extend(user_data.octets);
    octets
}
