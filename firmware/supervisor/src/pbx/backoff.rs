//! How long to wait before trying again.

use std::time::{Duration, Instant};

/// Doubling delays between two bounds, forgotten after a time of health.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// The delay before the next try; the one after it is twice as long.
    pub(super) fn delay(&mut self) -> Duration {
        let delay = self.next;
        self.next = self.next.saturating_mul(2).min(self.longest);
        delay
    }

    /// Something that had worked since `since` ended: health for longer than the longest delay begins anew.
    pub(super) fn worked(&mut self, since: Instant, now: Instant) {
        if now.saturating_duration_since(since) > self.longest {
            self.next = self.first;
        }
    }

    /// Begins anew.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_to_the_longest_and_begin_anew_after_health() {
        let start = crate::clock::now();
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        let delays: Vec<u128> = (0..8).map(|_| backoff.delay().as_millis()).collect();
        assert_eq!(delays, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        backoff.worked(start, start + Duration::from_secs(29));
        assert_eq!(backoff.delay(), Duration::from_secs(30));
        backoff.worked(start, start + Duration::from_secs(31));
        assert_eq!(backoff.delay(), Duration::from_millis(500));
    }
}
