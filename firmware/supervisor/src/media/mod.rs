//! The sound of calls: Asterisk's AudioSocket connections joined to the modems' PCM ports.
//!
//! [`MediaServer`] listens on loopback. Each call has one task that owns the call's connection and, while the modem
//! gives sound, its PCM port. The task moves bytes; [`pump`] decides what they mean.
//!
//! | task | reads | writes |
//! |---|---|---|
//! | listener | connections, until each has said which call it is for | connections to call tasks |
//! | one per call | orders, connection, PCM port | connection, PCM port, [`MediaNotice`]s |
//!
//! The modem's frames of 20 ms are the clock of a call. Nothing waits longer than 200 ms in a buffer: what is older is
//! dropped, so that a stall costs a gap and never a delay that stays.

mod backlog;
mod call;
mod pcm;
mod positions;
pub mod pump;
mod resample;
mod server;

pub use server::{MediaNotice, MediaServer};
