//! The simulator's own view of TS 23.038 and TS 23.040.
//!
//! The product has its own codec; this one is written apart from it, so that a mistake in one is seen by the other.

pub mod alphabet;
mod national;
pub mod timestamp;
pub mod tpdu;
