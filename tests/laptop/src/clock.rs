//! The clock of the stories.

use std::future::Future;
use std::time::{Duration, Instant};

/// Monotonic time.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one clock of the stories")]
pub fn now() -> Instant {
    Instant::now()
}

/// Asks `probe` until it has a value.
///
/// # Errors
/// Says what was waited for when `deadline` passes first.
pub async fn wait_for<T, F: Future<Output = Option<T>>>(
    what: &str,
    deadline: Duration,
    mut probe: impl FnMut() -> F,
) -> anyhow::Result<T> {
    let end = now() + deadline;
    loop {
        if let Some(value) = probe().await {
            return Ok(value);
        }
        anyhow::ensure!(now() < end, "waited {deadline:?} in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
