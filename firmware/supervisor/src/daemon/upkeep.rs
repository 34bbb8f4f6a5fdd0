//! What the box does by itself from time to time.

use crate::hub::Hub;
use crate::{clock, records};
use std::time::{Duration, Instant};
use store::{Store, StoreError};
use switchboard::outbox::REPORT_WAIT;
use tracing::error;

/// How often is looked.
const EVERY: Duration = Duration::from_secs(60);
/// Looks between two cleanings of what is too old to keep.
const LOOKS_PER_CLEANING: u32 = 60;
/// A long message is shown without its missing parts after this.
const INCOMPLETE_AFTER_MS: i64 = 10 * 60 * 1000;
/// The clock was set when it is off by more than this from one look to the next.
const CLOCK_SET_MS: i64 = 10_000;

/// Works as long as the program.
pub(super) async fn run(store: Store, hub: Hub) {
    let mut clock = WallClock { since_ms: clock::unix_ms(), at: clock::now(), at_ms: clock::unix_ms() };
    for look in 1_u32.. {
        tokio::time::sleep(EVERY).await;
        let now = clock::unix_ms();
        told("the times of sending were not moved", follow_clock(&store, &mut clock, now).await);
        let incomplete = store.reveal_incomplete(now.saturating_sub(INCOMPLETE_AFTER_MS), now).await;
        for message in told("incomplete messages were not shown", incomplete).unwrap_or_default() {
            hub.publish_message(&store, message).await;
        }
        let wait = i64::try_from(REPORT_WAIT.as_millis()).unwrap_or(i64::MAX);
        let given_up = store.give_up_reports(now.saturating_sub(wait), now).await;
        for message in told("overdue delivery reports were not given up", given_up).unwrap_or_default() {
            hub.publish(&api::ServerEvent::MessageStatus(records::status_change(&message, now)));
        }
        if look.is_multiple_of(LOOKS_PER_CLEANING) {
            told("old entries were not forgotten", store.forget_old(now).await);
        }
    }
}

fn told<T>(what: &str, outcome: Result<T, StoreError>) -> Option<T> {
    outcome.inspect_err(|error| error!(error = %crate::chain::Chain(error), "{what}")).ok()
}

/// A box without a battery-backed clock learns the time late: what it sent before was not sent years ago.
async fn follow_clock(store: &Store, clock: &mut WallClock, now_ms: i64) -> Result<(), StoreError> {
    let since_ms = clock.since_ms;
    match clock.look(clock::now(), now_ms) {
        Some((until_ms, by_ms)) => store.shift_awaited_reports(since_ms, until_ms, by_ms).await,
        None => Ok(()),
    }
}

/// The wall clock as this run of the program knows it.
struct WallClock {
    /// What it showed, or would have shown, when the program started.
    since_ms: i64,
    at: Instant,
    at_ms: i64,
}

impl WallClock {
    /// Returns what the clock would show had it not been set since the last look, and by how much it was set.
    fn look(&mut self, now: Instant, now_ms: i64) -> Option<(i64, i64)> {
        let passed = i64::try_from(now.saturating_duration_since(self.at).as_millis()).unwrap_or(i64::MAX);
        let expected_ms = self.at_ms.saturating_add(passed);
        (self.at, self.at_ms) = (now, now_ms);
        let by_ms = now_ms.saturating_sub(expected_ms);
        if by_ms.saturating_abs() < CLOCK_SET_MS {
            return None;
        }
        self.since_ms = self.since_ms.saturating_add(by_ms);
        Some((expected_ms, by_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_is_noticed_once() {
        let start = clock::now();
        let mut clock = WallClock { since_ms: 1000, at: start, at_ms: 1000 };
        let minute = |minutes: u64| start + Duration::from_secs(60 * minutes);
        assert_eq!(clock.look(minute(1), 61_200), None);
        assert_eq!(clock.look(minute(2), 1_000_121_200), Some((121_200, 1_000_000_000)));
        assert_eq!((clock.look(minute(3), 1_000_181_200), clock.since_ms), (None, 1_000_001_000));
    }
}
