//! The self-heal ladder: what is tried next, and how long to wait for it.

use std::time::{Duration, Instant};

use crate::event::Recovery;

/// The rungs in their order, with the pause before the bring-up that follows each. A reset of the modem takes 10 to 20 s
/// until its ports are back.
const RUNGS: [(Recovery, Duration); 7] = [
    (Recovery::Reinitialise, Duration::from_secs(2)),
    (Recovery::Reinitialise, Duration::from_secs(10)),
    (Recovery::FunctionalityReset, Duration::from_secs(20)),
    (Recovery::Reinitialise, Duration::from_secs(30)),
    (Recovery::FunctionalityReset, Duration::from_secs(60)),
    (Recovery::UsbReset, Duration::from_secs(20)),
    (Recovery::UsbReset, Duration::from_secs(60)),
];
/// After the last rung; doubles up to the longest.
const SHORTEST_REST: Duration = Duration::from_secs(300);
const LONGEST_REST: Duration = Duration::from_secs(3600);
/// A line that worked for so long has earned a fresh ladder.
const GOOD_BEHAVIOUR: Duration = Duration::from_secs(600);

/// How far up the ladder a modem is. It outlives the machine: a reset takes the ports away and brings a new machine, which
/// must not start from the lowest rung again. Keep it by USB path and hand it to [`crate::ModemConfig`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecoveryRecord {
    rung: usize,
    rests: u32,
    resting_until: Option<Instant>,
    ready_since: Option<Instant>,
}

impl RecoveryRecord {
    /// The line works.
    pub(crate) fn on_ready(&mut self, now: Instant) {
        self.ready_since = Some(now);
        self.resting_until = None;
    }

    /// How long the modem is to be left alone, when the ladder gave up: whoever opens its ports waits for so long.
    #[must_use]
    pub fn rest(&self, now: Instant) -> Option<Duration> {
        self.resting_until?.checked_duration_since(now).filter(|rest| !rest.is_zero())
    }

    /// Something is wrong: the next rung, and the pause before the bring-up. A modem that was plugged in again during its
    /// rest was tried once; it goes on resting for what is left.
    pub(crate) fn climb(&mut self, now: Instant) -> (Recovery, Duration) {
        if self.ready_since.take().is_some_and(|since| now.saturating_duration_since(since) >= GOOD_BEHAVIOUR) {
            *self = Self::default();
        }
        if let Some(rest) = self.rest(now) {
            return (Recovery::GaveUp, rest);
        }
        if let Some(rung) = RUNGS.get(self.rung) {
            self.rung += 1;
            return *rung;
        }
        let rest = SHORTEST_REST.saturating_mul(1 << self.rests.min(8)).min(LONGEST_REST);
        self.rests = self.rests.saturating_add(1);
        self.rung = 0;
        self.resting_until = Some(now + rest);
        (Recovery::GaveUp, rest)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test starts its virtual clock somewhere")]

    use super::*;

    #[test]
    fn the_ladder_ends_and_begins_again_after_a_growing_rest() {
        let mut record = RecoveryRecord::default();
        let steps = climb(&mut record, 24, Instant::now());
        let resets = steps.iter().filter(|(step, _)| *step == Recovery::UsbReset).count();
        assert_eq!(resets, 6, "two resets of the USB device for each time it gives up");
        let rests: Vec<_> =
            steps.iter().filter(|(step, _)| *step == Recovery::GaveUp).map(|(_, rest)| rest.as_secs()).collect();
        assert_eq!(rests, [300, 600, 1200]);
    }

    #[test]
    fn a_rest_is_kept_by_whoever_tries_in_between() {
        let mut record = RecoveryRecord::default();
        let now = Instant::now();
        for _ in 0..8 {
            record.climb(now);
        }
        let later = now + Duration::from_secs(100);
        assert_eq!(record.rest(later), Some(Duration::from_secs(200)));
        assert_eq!(record.climb(later), (Recovery::GaveUp, Duration::from_secs(200)));
        assert_eq!(record.climb(now + Duration::from_secs(300)).0, Recovery::Reinitialise);
        assert_eq!(record.rest(now + Duration::from_secs(300)), None);
    }

    #[test]
    fn a_line_that_works_does_not_rest() {
        let mut record = RecoveryRecord::default();
        let now = Instant::now();
        for _ in 0..8 {
            record.climb(now);
        }
        record.on_ready(now);
        assert_eq!(record.rest(now), None);
    }

    #[test]
    fn only_a_line_that_worked_for_long_starts_from_the_lowest_rung() {
        let table = [(599, Duration::from_secs(20)), (600, Duration::from_secs(2))];
        for (ready_for, want) in table {
            let mut record = RecoveryRecord::default();
            let now = Instant::now();
            record.climb(now);
            record.climb(now);
            record.on_ready(now);
            assert_eq!(record.climb(now + Duration::from_secs(ready_for)).1, want, "{ready_for} s");
        }
    }

    fn climb(record: &mut RecoveryRecord, times: usize, mut now: Instant) -> Vec<(Recovery, Duration)> {
        let mut steps = Vec::new();
        for _ in 0..times {
            let (step, pause) = record.climb(now);
            now += pause;
            steps.push((step, pause));
        }
        steps
    }
}
