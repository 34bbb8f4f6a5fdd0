//! Chance that can be repeated: a story prints its seed, and `HOMENICHAT_SEED` plays it again.

use std::time::Duration;

/// A source of numbers (xorshift64*), good enough to choose moments.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// From `HOMENICHAT_SEED`, or another one in every process.
    #[must_use]
    #[expect(clippy::print_stderr, reason = "the seed is for whoever looks at a failure")]
    pub fn new() -> Self {
        let given = std::env::var("HOMENICHAT_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| u64::from(std::process::id()) * 2_654_435_761 + 1);
        eprintln!("HOMENICHAT_SEED={seed}");
        Self::from_seed(seed)
    }

    /// From a number.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(seed.max(1))
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % bound.max(1)
    }

    /// One of `choices`.
    ///
    /// # Panics
    /// When there is none.
    #[expect(clippy::indexing_slicing, reason = "below the length by construction")]
    pub fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap_or(0)].clone()
    }

    /// A duration below so many milliseconds.
    pub fn millis(&mut self, bound: u64) -> Duration {
        Duration::from_millis(self.below(bound))
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| u8::try_from(self.below(256)).unwrap_or(0)).collect()
    }
}

impl Default for Chance {
    fn default() -> Self {
        Self::new()
    }
}
