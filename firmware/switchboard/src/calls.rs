//! The calls of native lines, from the first RING to the last channel deleted.
//!
//! [`Exchange`] knows what a call is on both of its sides: the modem that carries it through the network, and Asterisk
//! that carries it to the phones. It decides who rings, when the modem answers, with which cause a phone hears of a
//! failure, and what must be closed. It knows no socket, no tty and no clock.
//!
//! An incoming call belongs to the dialplan: Asterisk opens a leg to our audio listener, which waits in our application
//! until we are subscribed to it and then enters `gsm-in`; the dialplan rings the phones and falls back to voicemail; our
//! part is to answer the modem when somebody answered there. If the box dies, the audio leg closes and the dialplan ends
//! by itself.
//!
//! An outgoing call belongs to our Stasis application: the phone waits there while the modem dials. Such a phone carries
//! a lease (`TIMEOUT(absolute)`) that is renewed while the call lives, so that a dead box leaves no phone in silence.
//!
//! Every resource that was opened (channel, bridge, audio leg, call on the modem) is tracked until its end is confirmed.

mod audio;
mod closing;
mod effect;
mod exchange;
mod incoming;
mod outgoing;
mod reconcile;
mod record;
mod requests;
mod state;

#[cfg(test)]
mod tests;

pub use audio::{AudioFault, AudioReport};
pub use effect::{
    ApiRequest, AriFailure, Effect, IdSource, LineFacts, MediaCommand, MediaEvent, Refusal, RequestToken,
};
pub use exchange::{Exchange, ExchangeConfig};
pub use record::{CallRecord, CallStatus, Direction};
