//! The only place that reads clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Returns the monotonic time; it follows the paused clock of tests.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Returns the wall time since 1970, read at the start only.
#[expect(clippy::disallowed_methods, reason = "this is the clock of the program")]
pub(super) fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
