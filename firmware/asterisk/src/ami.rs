//! Asterisk's manager interface: framing and one session.
//!
//! The box uses it for what ARI does not tell: new voicemail, and the completion of a reload. It logs in on loopback
//! with the plain login; a connection that stops answering pings is reported and then closed by the driver.

mod frame;
mod session;

pub use frame::{Action, Decoder, FrameError, InvalidField, Message};
pub use session::{Command, DownReason, Event, Login, Output, Reply, Session, Token};
