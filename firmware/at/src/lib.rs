//! The conversation with one AT port (ITU-T V.250, TS 27.007 §4, TS 27.005 §3): lines, final results, unsolicited
//! result codes, the prompt for a short message, and one command at a time.
//!
//! [`Channel`] is the machine. It knows nothing of what a command means, of modem families, or of where the bytes
//! travel; the caller names each [`Request`] by a token of its own and gets that token back with the answer.
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! # fn example(now: Instant) {
//! let mut channel = at::Channel::new();
//! let request = at::Request::new("signal", "AT+CSQ").prefix("+CSQ:").timeout(Duration::from_secs(2));
//! assert!(channel.submit(request, now).is_ok());
//! assert_eq!(channel.poll_output(), Some(at::Output::Write(b"AT+CSQ\r".to_vec())));
//! channel.handle_bytes(b"\r\n+CSQ: 21,99\r\n\r\nOK\r\n", now);
//! assert_eq!(
//!     channel.poll_output(),
//!     Some(at::Output::Completed {
//!         token: "signal",
//!         lines: vec!["+CSQ: 21,99".to_owned()],
//!         result: at::FinalResult::Ok,
//!     })
//! );
//! # }
//! ```

mod channel;
mod framing;
mod params;
mod request;
mod result;
mod urc;

pub use channel::{Channel, Output, QUEUE_BOUND, QueueFull, WaitingFor};
pub use params::{Params, value};
pub use request::{Answer, Priority, Request};
pub use result::{ErrorCode, FinalResult};
pub use urc::{Urc, hex_octets};
