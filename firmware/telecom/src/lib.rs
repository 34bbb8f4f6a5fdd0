//! The vocabulary of telephony: identities, numbers, radio facts and ids, each parsed once and good ever after.
//!
//! Every type is a value: it is built by [`FromStr`](std::str::FromStr) or a constructor that checks, and it prints
//! itself in full with `Display` and redacted with `Debug`, so that a stray `{:?}` in a log tells nobody's number.
//! This crate knows nothing of AT commands, of SMS coding, of databases or of the network.
//!
//! ```
//! use telecom::{Imei, PhoneNumber};
//!
//! let modem: Imei = "490154203237518".parse()?;
//! assert_eq!(format!("{modem:?}"), "Imei(…7518)");
//! let caller: PhoneNumber = "06 39 98 12 34".parse()?;
//! assert_eq!(caller.to_e164(208).as_str(), "+33639981234");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod emergency;
mod hang_up;
mod id;
mod identity;
mod numbering;
mod phone_number;
mod radio;
mod redact;

pub use address::Address;
pub use hang_up::HangUpCause;
pub use id::{CallId, LineId, MessageId, ModemId, ParseIdError, PartId};
pub use identity::{Iccid, Imei, Imsi, ParseIdentityError, Plmn};
pub use phone_number::{ParsePhoneNumberError, PhoneNumber};
pub use radio::{AccessTechnology, Registration, Signal};
