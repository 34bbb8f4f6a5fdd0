//! Every decision of the box: calls, received messages, messages to send.
//!
//! It knows no port, file, socket or clock: events and the time come in, effects come out, and the supervisor carries
//! them out.

pub mod calls;
pub mod inbox;
pub mod outbox;
