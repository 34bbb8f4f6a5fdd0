//! What waits to be written, never more than 200 ms of it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Frames of 20 ms that may wait: 200 ms.
pub(super) const MOST_FRAMES: usize = 10;

/// After this long without taking a byte the reader is dead.
const STALL: Duration = Duration::from_secs(1);

/// Frames on their way to a slow reader. The oldest go first when there are too many, but never a half of one: the
/// reader would lose its place.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    frames: VecDeque<Vec<u8>>,
    written: usize,
    waiting_since: Option<Instant>,
    dropped: u64,
}

impl Backlog {
    pub(super) fn push(&mut self, frame: Vec<u8>, now: Instant) {
        self.waiting_since.get_or_insert(now);
        self.frames.push_back(frame);
        if self.frames.len() > MOST_FRAMES {
            let oldest = usize::from(self.written > 0);
            self.frames.remove(oldest);
            self.dropped += 1;
        }
    }

    /// The bytes to write next.
    pub(super) fn head(&self) -> Option<&[u8]> {
        self.frames.front().and_then(|frame| frame.get(self.written..))
    }

    /// So many bytes of [`Self::head`] were taken.
    pub(super) fn advance(&mut self, count: usize, now: Instant) {
        if count > 0 {
            self.waiting_since = Some(now);
        }
        self.written += count;
        if self.frames.front().is_some_and(|frame| self.written >= frame.len()) {
            self.frames.pop_front();
            self.written = 0;
        }
        if self.frames.is_empty() {
            self.waiting_since = None;
        }
    }

    /// When the reader is taken as dead, unless it takes something before.
    pub(super) fn stalls_at(&self) -> Option<Instant> {
        self.waiting_since.map(|since| since + STALL)
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Forgets what waits, except the rest of a frame that was begun.
    pub(super) fn clear(&mut self, now: Instant) {
        self.frames.truncate(usize::from(self.written > 0));
        self.waiting_since = (!self.frames.is_empty()).then_some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn a_slow_reader_gets_whole_frames_and_the_newest() {
        let now = Instant::now();
        let mut backlog = Backlog::default();
        backlog.push(vec![0; 4], now);
        backlog.advance(1, now);
        for frame in 1..=20 {
            backlog.push(vec![frame; 4], now);
        }
        assert_eq!(backlog.stalls_at(), Some(now + STALL));
        let mut got = Vec::new();
        while let Some(head) = backlog.head() {
            let count = head.len().min(3);
            got.extend_from_slice(&head[..count]);
            backlog.advance(count, now);
        }
        assert_eq!(got[..3], [0; 3]);
        assert_eq!(got[3..].chunks(4).map(|frame| frame[0]).collect::<Vec<_>>(), (12..=20).collect::<Vec<u8>>());
        assert_eq!((backlog.dropped(), backlog.stalls_at()), (11, None));
    }
}
