//! How long each step of a story took.

use laptop_tests::clock::now;
use std::time::Instant;

/// The clock of a story's steps.
pub struct Steps {
    began: Instant,
    last: Instant,
}

impl Steps {
    /// Begins.
    #[must_use]
    pub fn begin() -> Self {
        let began = now();
        Self { began, last: began }
    }

    /// Says that a step is done.
    pub fn done(&mut self, step: &str) {
        eprintln!("{:7.1} s  {step}", self.last.elapsed().as_secs_f64());
        self.last = now();
    }

    /// Says how long all took.
    pub fn end(self) {
        eprintln!("{:7.1} s  in all", self.began.elapsed().as_secs_f64());
    }
}
