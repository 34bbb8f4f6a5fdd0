//! The USB side of simulated modems without a virtual machine.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken bench must end its test")]

mod codec;
mod descriptors;
mod guest;
mod session;
