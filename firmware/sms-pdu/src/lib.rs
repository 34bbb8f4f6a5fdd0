//! Short messages as they pass between a modem and the network: TPDUs of TS 23.040 and alphabets of TS 23.038.
//!
//! Reading: [`parse_incoming`] turns what a modem answers to `AT+CMGR` into a [`SmsDeliver`] or a
//! [`SmsStatusReport`]; [`join`] makes one text of the parts of a message.
//! Writing: [`segment`] cuts a text into parts, [`encode_submit`] makes of each what `AT+CMGS` wants.
//! The other direction ([`SmsSubmit::parse`], [`encode_deliver`], [`encode_status_report`]) serves simulated networks.
//!
//! The crate knows nothing of AT commands, of storage slots, nor of which parts have arrived.
//! Whatever comes from the air is hostile: nothing here panics, and a message is refused only when bytes are missing.
//!
//! ```
//! use sms_pdu::{Body, Incoming, parse_incoming_hex};
//!
//! let pdu = "07917283010010F5040BC87238880900F10000993092516195800AE8329BFD4697D9EC37";
//! let Incoming::Deliver(sms) = parse_incoming_hex(pdu)? else { unreachable!() };
//! assert_eq!(sms.body, Body::Text("hellohello".to_owned()));
//! # Ok::<(), sms_pdu::ParseError>(())
//! ```

mod address;
mod body;
mod data_coding;
mod deliver;
pub mod gsm7;
mod hex;
mod incoming;
mod indian;
mod national;
mod part;
mod reader;
mod segment;
mod status_report;
mod submit;
#[cfg(test)]
mod tests;
mod timestamp;
mod user_data;

pub use body::{Body, join};
pub use data_coding::{Alphabet, DataCoding};
pub use deliver::{DeliverSpec, SmsDeliver, encode_deliver};
pub use hex::{parse_hex, to_hex};
pub use incoming::{Incoming, fuzz_incoming, parse_incoming, parse_incoming_hex};
pub use national::NationalLanguage;
pub use part::{PartTooLong, SubmitPart};
pub use reader::ParseError;
pub use segment::{MAX_PARTS, Reference, SegmentOptions, Segmented, TextTooLong, segment, segment_with};
pub use status_report::{ReportStatus, SmsStatusReport, encode_status_report};
pub use submit::{EncodedPdu, SmsSubmit, Validity, encode_submit};
pub use timestamp::{DateTime, ServiceCentreTimestamp};
pub use user_data::{Concat, Ports};
