//! Notices a REST interface that no longer answers while the process runs.

use super::ari::Client;
use super::{PbxEvent, SharedFacts};
use crate::clock;
use asterisk::ari::Request;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tracing::error;

/// Counts misses; says once that there are too many.
#[derive(Debug, Default)]
struct Misses {
    /// The process that they were counted for, told by its start.
    since: Option<Instant>,
    in_a_row: u32,
}

impl Misses {
    /// Takes one outcome; returns whether this is the miss that makes it too many.
    fn count(&mut self, is_answered: bool, running_since: Instant) -> bool {
        if is_answered || self.since != Some(running_since) {
            *self = Self { since: Some(running_since), in_a_row: 0 };
        }
        if !is_answered {
            self.in_a_row = self.in_a_row.saturating_add(1);
        }
        self.in_a_row == TOO_MANY
    }
}

/// Asks for a sign of life until nobody listens to `events` any more.
pub(super) async fn run(client: Client, facts: SharedFacts, events: mpsc::Sender<PbxEvent>) {
    let mut misses = Misses::default();
    loop {
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = events.closed() => return,
        }
        let Some(running_since) = facts.read().running_since else { continue };
        if clock::now().saturating_duration_since(running_since) < START_TIME {
            continue;
        }
        // A refusal is an answer, too: an interface that is locked up gives none.
        let is_answered = match client.send(Request::list_applications()).await {
            Ok(_) => true,
            Err(failure) => failure.status().is_some(),
        };
        if misses.count(is_answered, running_since) {
            error!("asterisk's REST interface does not answer");
            if events.send(PbxEvent::Unresponsive).await.is_err() {
                return;
            }
        }
    }
}

const INTERVAL: Duration = Duration::from_secs(5);
/// A slow machine needs some seconds to load everything.
const START_TIME: Duration = Duration::from_secs(20);
const TOO_MANY: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_miss_in_a_row_of_one_process_counts_once() {
        let first = clock::now();
        let second = first + Duration::from_secs(1);
        let mut misses = Misses::default();
        let story = [
            (false, first, false),
            (false, first, false),
            (true, first, false),
            (false, first, false),
            (false, first, false),
            (false, first, true),
            (false, first, false),
            (false, second, false),
            (false, second, false),
            (false, second, true),
        ];
        for (step, (is_answered, since, want)) in story.into_iter().enumerate() {
            assert_eq!(misses.count(is_answered, since), want, "step {step}");
        }
    }
}
