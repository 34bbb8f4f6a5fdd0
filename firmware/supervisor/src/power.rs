//! A supply that is too weak for the modems: they vanish all at once, and come back to draw too much again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Modems that vanish within this vanish at once: ending the task of one may take a while before the next is looked at.
const AT_ONCE: Duration = Duration::from_secs(3);
/// Breakdowns that are remembered.
const MEMORY: Duration = Duration::from_secs(15 * 60);
/// Between the starts of two modems after the first breakdown; doubles with every further one.
const SHORTEST_STEP: Duration = Duration::from_secs(1);
const LONGEST_STEP: Duration = Duration::from_secs(60);

/// What the modems' comings and goings say about their supply.
#[derive(Debug, Default)]
pub(crate) struct Power {
    /// When modems vanished, the youngest last, since one was there that did not.
    vanished: VecDeque<Instant>,
    breakdowns: VecDeque<Instant>,
    /// Where modems came back since the last breakdown, and when each may start; the last one comes last.
    starts: Vec<(String, Instant)>,
}

impl Power {
    /// A modem is gone, and so many are left. Returns whether the supply broke down: all were gone at once, and there was
    /// more than one.
    pub(crate) fn on_vanished(&mut self, left: usize, now: Instant) -> bool {
        self.vanished.push_back(now);
        self.vanished.retain(|at| now.saturating_duration_since(*at) <= AT_ONCE);
        if left > 0 || self.vanished.len() < 2 {
            return false;
        }
        self.vanished.clear();
        self.breakdowns.retain(|at| now.saturating_duration_since(*at) <= MEMORY);
        self.breakdowns.push_back(now);
        self.starts.clear();
        true
    }

    /// When the modem at a USB path may be started: after a breakdown one after the other, and later with every further
    /// breakdown. Its ports may appear one by one, and each of them asks.
    pub(crate) fn start_at(&mut self, usb_path: &str, now: Instant) -> Instant {
        let recent = self.breakdowns.iter().filter(|at| now.saturating_duration_since(**at) <= MEMORY).count();
        let Some(doublings) = recent.checked_sub(1).and_then(|count| u32::try_from(count).ok()) else { return now };
        let step = SHORTEST_STEP.saturating_mul(1 << doublings.min(6)).min(LONGEST_STEP);
        if let Some((_, at)) = self.starts.iter().find(|(known, _)| known == usb_path) {
            return now.max(*at);
        }
        let at = match self.starts.last() {
            Some((_, last)) => (*last + step).max(now),
            None if doublings == 0 => now,
            None => now + step,
        };
        self.starts.push((usb_path.to_owned(), at));
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn t23_modems_that_vanish_at_once_are_started_one_after_the_other_and_later_each_time() {
        let mut power = Power::default();
        let start = clock::now();
        let mut delays = Vec::new();
        for breakdown in 0..8 {
            let now = start + seconds(10 * breakdown);
            assert!(!power.on_vanished(1, now));
            assert!(power.on_vanished(0, now));
            let back = now + seconds(3);
            // The first shows its ports in two steps.
            let starts = ["1-2", "1-2", "1-3"].map(|path| power.start_at(path, back).duration_since(back).as_secs());
            assert_eq!(starts[0], starts[1]);
            delays.push([starts[0], starts[2]]);
        }
        assert_eq!(delays, [[0, 1], [2, 4], [4, 8], [8, 16], [16, 32], [32, 64], [60, 120], [60, 120]]);
        let long_after = start + seconds(3600);
        assert_eq!(power.start_at("1-2", long_after), long_after);
    }

    #[test]
    fn a_modem_that_is_pulled_says_nothing_about_the_supply() {
        let table: [(&str, &[(usize, u64)]); 3] = [
            ("the only one", &[(0, 0)]),
            ("one after the other", &[(1, 0), (0, 5)]),
            ("others stay", &[(3, 0), (2, 0)]),
        ];
        for (name, vanishings) in table {
            let mut power = Power::default();
            let now = clock::now();
            for (left, after) in vanishings {
                assert!(!power.on_vanished(*left, now + seconds(*after)), "{name}");
            }
            assert_eq!(power.start_at("1-2", now + seconds(9)), now + seconds(9), "{name}");
        }
    }
}
