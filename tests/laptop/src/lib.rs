//! The laboratory in which the stories of the box run: the real `homenichatd`, simulated modems, a real Asterisk and
//! stock SIP clients, on loopback.
//!
//! A story waits for conditions under a deadline and never for a time to pass.

#![expect(clippy::print_stderr, reason = "a story that fails says where to look")]

pub mod baresip;
pub mod browser;
pub mod calls;
pub mod chance;
pub mod clock;
pub mod house;
pub mod http;
pub mod lab;
pub mod table;
pub mod tone;
pub mod traffic;
pub mod typing;
