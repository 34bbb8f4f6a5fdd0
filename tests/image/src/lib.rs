//! The image in a virtual machine: the real kernel, bootloader, root file system and `homenichatd`, modems that its
//! kernel finds on USB, a stock SIP client, and the power going away.
//!
//! `scripts/vm` starts the machine, and nothing in the image is there for the tests alone.

#![expect(clippy::print_stderr, reason = "a story says what each step took")]

pub mod empty_init;
pub mod machine;
pub mod monitor;
pub mod phone;
pub mod shell;
pub mod steps;
