//! SMS-SUBMIT: a message of ours (TS 23.040 §9.2.2.2).

use std::fmt;
use std::time::Duration;

use telecom::{Address, PhoneNumber};

use crate::deliver::HAS_HEADER;
use crate::reader::{ParseError, Reader};
use crate::{Body, Concat, DataCoding, Ports, ServiceCentreTimestamp, SubmitPart, address, hex, user_data};

/// A PDU and the length that `AT+CMGS` asks for.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EncodedPdu {
    /// The octets, the address of the service centre included.
    pub bytes: Vec<u8>,
    /// How many octets follow the address of the service centre (TS 27.005 §4.3).
    pub tpdu_length: usize,
}

impl EncodedPdu {
    /// The PDU as a modem reads it.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::to_hex(&self.bytes)
    }
}

impl fmt::Debug for EncodedPdu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncodedPdu({} octets)", self.tpdu_length)
    }
}

/// How long the service centre may try to deliver (TP-VP, TS 23.040 §9.2.3.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Validity {
    /// For a time, coded; see [`Validity::period`].
    Relative(u8),
    /// In the enhanced format, kept as it came.
    Enhanced([u8; 7]),
    /// Until an instant.
    Absolute(ServiceCentreTimestamp),
}

impl Validity {
    /// For how long, when the validity is relative.
    #[must_use]
    pub fn period(&self) -> Option<Duration> {
        const MINUTE: u64 = 60;
        const DAY: u64 = 24 * 60 * MINUTE;
        let Self::Relative(code) = self else { return None };
        let code = u64::from(*code);
        let seconds = match code {
            0..=143 => (code + 1) * 5 * MINUTE,
            144..=167 => DAY / 2 + (code - 143) * 30 * MINUTE,
            168..=196 => (code - 166) * DAY,
            _ => (code - 192) * 7 * DAY,
        };
        Some(Duration::from_secs(seconds))
    }
}

/// A part that a modem was asked to send, as a simulated network reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsSubmit {
    /// The service centre it is to pass through; `None` is the one that the modem knows.
    pub smsc: Option<Address>,
    /// Who it is for.
    pub recipient: Address,
    /// TP-MR as the sender wrote it; the modem puts its own in its place.
    pub reference: u8,
    /// Whether a delivery report is asked for.
    pub request_report: bool,
    /// How long the service centre may try.
    pub validity: Option<Validity>,
    /// TP-PID.
    pub protocol_id: u8,
    /// What TP-DCS says.
    pub coding: DataCoding,
    /// Where it belongs in its message; `None` when it is alone.
    pub concat: Option<Concat>,
    /// The applications it passes between.
    pub ports: Option<Ports>,
    /// What it says.
    pub body: Body,
}

const SUBMIT: u8 = 0b01;
const VALIDITY_FORMAT: u8 = 0x18;
const VALIDITY_ENHANCED: u8 = 0x08;
const VALIDITY_RELATIVE: u8 = 0x10;
const VALIDITY_ABSOLUTE: u8 = 0x18;
const REPORT_REQUESTED: u8 = 0x20;
/// Seven days: a telephone that is off over a week-end still gets the message.
const VALIDITY: u8 = 173;

/// Writes a part for `AT+CMGS`, to pass through the service centre that the modem knows.
///
/// The part is valid for seven days.
#[must_use]
pub fn encode_submit(recipient: &PhoneNumber, part: &SubmitPart, reference: u8, request_report: bool) -> EncodedPdu {
    let user_data = part.encode_user_data();
    let header_flag = if user_data.has_header { HAS_HEADER } else { 0 };
    let report_flag = if request_report { REPORT_REQUESTED } else { 0 };
    let mut bytes = Vec::with_capacity(170);
    address::encode_smsc(None, &mut bytes);
    let smsc_length = bytes.len();
    bytes.extend([SUBMIT | VALIDITY_RELATIVE | report_flag | header_flag, reference]);
    address::encode(&Address::Number(recipient.clone()), &mut bytes);
    bytes.extend([0, part.data_coding(), VALIDITY, user_data.length]);
    bytes.extend(user_data.octets);
    EncodedPdu { tpdu_length: bytes.len() - smsc_length, bytes }
}

impl SmsSubmit {
    /// Reads what `encode_submit` and other programs write.
    ///
    /// # Errors
    /// When octets are missing, or when the PDU is not an SMS-SUBMIT.
    pub fn parse(pdu: &[u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(pdu);
        let smsc = address::parse_smsc(&mut reader)?;
        let first = reader.octet("message type")?;
        if first & 0b11 != SUBMIT {
            return Err(ParseError::MessageType(first & 0b11));
        }
        let reference = reader.octet("message reference")?;
        let recipient = address::parse(&mut reader, "recipient")?;
        let protocol_id = reader.octet("protocol identifier")?;
        let coding = DataCoding::parse(reader.octet("data coding scheme")?);
        let validity = parse_validity(first & VALIDITY_FORMAT, &mut reader)?;
        let (header, body) = user_data::parse(&mut reader, coding, first & HAS_HEADER != 0)?;
        let request_report = first & REPORT_REQUESTED != 0;
        let (concat, ports) = (header.concat, header.ports);
        Ok(Self { smsc, recipient, reference, request_report, validity, protocol_id, coding, concat, ports, body })
    }
}

fn parse_validity(format: u8, reader: &mut Reader<'_>) -> Result<Option<Validity>, ParseError> {
    const FIELD: &str = "validity period";
    Ok(match format {
        VALIDITY_ENHANCED => Some(Validity::Enhanced(reader.array(FIELD)?)),
        VALIDITY_RELATIVE => Some(Validity::Relative(reader.octet(FIELD)?)),
        VALIDITY_ABSOLUTE => Some(Validity::Absolute(ServiceCentreTimestamp::parse(reader, FIELD)?)),
        _ => None,
    })
}
