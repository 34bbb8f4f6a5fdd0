//! SMS-STATUS-REPORT: what became of a message of ours (TS 23.040 §9.2.2.3).

use telecom::Address;

use crate::deliver::NO_MORE_MESSAGES;
use crate::reader::{ParseError, Reader};
use crate::{ServiceCentreTimestamp, address};

/// A delivery report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsStatusReport {
    /// The service centre that it came through.
    pub smsc: Option<Address>,
    /// The reference that `+CMGS` answered when the part was sent (TP-MR).
    pub reference: u8,
    /// Who the part was for.
    pub recipient: Address,
    /// When the service centre received the part.
    pub timestamp: ServiceCentreTimestamp,
    /// When the recipient received it, or when the service centre last tried.
    pub discharge: ServiceCentreTimestamp,
    /// What became of it.
    pub status: ReportStatus,
}

/// What became of a part (TP-ST, TS 23.040 §9.2.3.15); the codes are kept where they tell more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportStatus {
    /// 0x00: the recipient has it.
    Delivered,
    /// 0x01 to 0x1F: the service centre is done with it but does not know that the recipient has it.
    Completed(u8),
    /// 0x20 to 0x3F: a temporary error, the service centre still tries.
    StillTrying(u8),
    /// 0x40 to 0x5F: a permanent error.
    PermanentFailure(u8),
    /// 0x60 to 0x7F: a temporary error, the service centre tries no more.
    TemporaryFailure(u8),
    /// 0x80 to 0xFF: without a meaning in the standard.
    Reserved(u8),
}

impl ReportStatus {
    /// Reads TP-ST.
    #[must_use]
    pub fn from_code(code: u8) -> Self {
        match code {
            0x00 => Self::Delivered,
            0x01..=0x1F => Self::Completed(code),
            0x20..=0x3F => Self::StillTrying(code),
            0x40..=0x5F => Self::PermanentFailure(code),
            0x60..=0x7F => Self::TemporaryFailure(code),
            0x80..=0xFF => Self::Reserved(code),
        }
    }

    /// The octet TP-ST.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Delivered => 0x00,
            Self::Completed(code)
            | Self::StillTrying(code)
            | Self::PermanentFailure(code)
            | Self::TemporaryFailure(code)
            | Self::Reserved(code) => code,
        }
    }
}

const STATUS_REPORT: u8 = 0b10;

impl SmsStatusReport {
    /// Reads what follows the first octet; what may follow the status is of no use to anybody.
    pub(crate) fn parse(smsc: Option<Address>, reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let reference = reader.octet("message reference")?;
        let recipient = address::parse(reader, "recipient")?;
        let timestamp = ServiceCentreTimestamp::parse(reader, "time stamp")?;
        let discharge = ServiceCentreTimestamp::parse(reader, "discharge time")?;
        let status = ReportStatus::from_code(reader.octet("status")?);
        Ok(Self { smsc, reference, recipient, timestamp, discharge, status })
    }
}

/// Writes a delivery report as a modem shows it, with the address of the service centre in front.
#[must_use]
pub fn encode_status_report(report: &SmsStatusReport) -> Vec<u8> {
    let mut octets = Vec::with_capacity(40);
    address::encode_smsc(report.smsc.as_ref().and_then(Address::number), &mut octets);
    octets.extend([STATUS_REPORT | NO_MORE_MESSAGES, report.reference]);
    address::encode(&report.recipient, &mut octets);
    octets.extend(report.timestamp.encode());
    octets.extend(report.discharge.encode());
    octets.push(report.status.code());
    octets
}
