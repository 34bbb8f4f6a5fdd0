//! The only two places where the program reads a clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Monotonic time, for every duration and deadline. Follows tokio's clock.
#[must_use]
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Wall time in milliseconds since 1970, for what people read. It may jump when the network brings the time.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the program's one wall clock")]
pub fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Waits until a deadline, or for ever without one.
pub async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// Monotonic time before the runtime exists.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the moment at which the program starts")]
pub fn start() -> Instant {
    Instant::now()
}
