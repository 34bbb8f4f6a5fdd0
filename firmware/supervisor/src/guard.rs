//! Tasks without which there is half a box.

use tracing::{error, info};

/// How the program ends when a task of its own failed (`EX_SOFTWARE` of sysexits.h).
pub(crate) const FAILED: i32 = 70;

/// Starts a task that must live as long as the program; when it fails the program ends, and whoever watches starts it
/// again.
///
/// Half a box behind green lights is worse than a restart of two seconds. A task may come to its end when there is
/// nothing left for it to do: without a service manager that listens, or when the box stops.
pub(crate) fn spawn(name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(async move {
        match tokio::spawn(task).await {
            Ok(()) => info!(name, "task ended"),
            Err(error) => {
                error!(name, %error, "a task failed: the program starts again");
                std::process::exit(FAILED);
            }
        }
    });
}
