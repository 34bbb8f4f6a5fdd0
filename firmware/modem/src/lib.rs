//! What a cellular modem is and how to work with it: recognising it from its ports, bringing it up, registration,
//! short messages, calls and USSD.
//!
//! Pure: bytes and time come in, one ordered stream of [`Output`] comes out. The crate does not know where the bytes
//! travel (a tty, a PTY, a test), nor what is done with an event.
//!
//! [`Modem`] is the machine for one modem; [`identify`] finds the ports that make one up.

mod answer;
mod bring_up;
mod call;
mod cause;
mod command;
mod error_meaning;
mod event;
mod family;
pub mod identify;
mod keep_alive;
mod ladder;
mod modem;
mod port;
mod set_up;
mod storage;
mod ussd;
mod voice;

pub use command::{Command, PartToken, StorageMemory, StorageSlot};
pub use error_meaning::{cme_error_meaning, cms_error_meaning};
pub use event::{
    CallEvent, Event, Failure, Identity, Recovery, SendSmsError, SimIdentity, SimState, StoredPart, UssdReply,
};
pub use family::Family;
pub use ladder::RecoveryRecord;
pub use modem::{Modem, ModemConfig};
pub use port::Output;
