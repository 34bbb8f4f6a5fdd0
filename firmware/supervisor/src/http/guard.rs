//! Slows down whoever guesses passwords.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Failures that are let through in one [`WINDOW`].
const ALLOWED: u32 = 5;
/// The time in which failures are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// How long an address is refused after too many.
const BLOCK: Duration = Duration::from_secs(300);
/// Addresses remembered at most; the stalest is forgotten first.
const REMEMBERED: usize = 1024;

#[derive(Debug, Clone, Copy)]
struct Record {
    failures: u32,
    since: Instant,
    blocked_until: Option<Instant>,
}

/// Counts failed logins per address.
#[derive(Debug, Default)]
pub struct LoginGuard {
    records: HashMap<IpAddr, Record>,
}

impl LoginGuard {
    /// Whether `from` may try; otherwise how long it has to wait.
    ///
    /// # Errors
    /// The time left of the block.
    pub fn admit(&self, from: IpAddr, now: Instant) -> Result<(), Duration> {
        match self.records.get(&from).and_then(|record| record.blocked_until) {
            Some(until) if until > now => Err(until - now),
            _ => Ok(()),
        }
    }

    /// A login failed.
    pub fn failed(&mut self, from: IpAddr, now: Instant) {
        if self.records.len() >= REMEMBERED && !self.records.contains_key(&from) {
            self.forget_stalest();
        }
        let fresh = Record { failures: 0, since: now, blocked_until: None };
        let record = self.records.entry(from).or_insert(fresh);
        if now.saturating_duration_since(record.since) > WINDOW {
            *record = fresh;
        }
        record.failures += 1;
        if record.failures >= ALLOWED {
            record.blocked_until = Some(now + BLOCK);
        }
    }

    /// A login succeeded.
    pub fn succeeded(&mut self, from: IpAddr) {
        self.records.remove(&from);
    }

    fn forget_stalest(&mut self) {
        if let Some(stalest) = self.records.iter().min_by_key(|(_, record)| record.since).map(|(from, _)| *from) {
            self.records.remove(&stalest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_guess_in_a_minute_waits_five_minutes() {
        let (mut guard, start) = (LoginGuard::default(), crate::clock::now());
        let (guesser, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        for n in 0..5 {
            assert_eq!(guard.admit(guesser, start + Duration::from_secs(n)), Ok(()));
            guard.failed(guesser, start + Duration::from_secs(n));
        }
        assert!(guard.admit(guesser, start + Duration::from_secs(5)).is_err());
        assert_eq!(guard.admit(other, start + Duration::from_secs(5)), Ok(()));
        assert_eq!(guard.admit(guesser, start + Duration::from_secs(4) + BLOCK), Ok(()));
    }

    #[test]
    fn slow_failures_and_many_addresses_block_nobody_for_ever() {
        let (mut guard, start) = (LoginGuard::default(), crate::clock::now());
        for n in 0..20 {
            guard.failed(IpAddr::from([10, 0, 0, 1]), start + WINDOW * n * 2);
            assert_eq!(guard.admit(IpAddr::from([10, 0, 0, 1]), start + WINDOW * n * 2), Ok(()));
        }
        for n in 0..3000_u32 {
            guard.failed(IpAddr::from(n.to_be_bytes()), start);
        }
        assert!(guard.records.len() <= REMEMBERED);
    }
}
