//! Simulated USB modems: a pure core with two personalities, and a runner that gives them ttys and a device tree.
//!
//! The core takes bytes and time and yields one ordered stream of outputs; it opens nothing. It knows the standards
//! by itself: the crate of the product that drives modems is never imported, so that neither can hide the other's mistakes.

pub mod core;
pub mod gsm;
pub mod runner;
pub mod usbredir;
