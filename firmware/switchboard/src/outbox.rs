//! What leaves: how fast, what to do after a failure, and what the parts say about their message.
//!
//! Nothing here sends. The store holds the queue, the modem sends, and these rules decide in between.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use telecom::{Address, LineId, PartId};

/// How long after sending a delivery report can still belong to a part.
///
/// The service centre tries for seven days, and its report may lie on a modem while the box is off; references repeat
/// every 256 parts.
pub const REPORT_WINDOW: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// How long a delivery report is waited for: the seven days of the validity period asked of the network, and a day in
/// which the service centre may be late to tell.
pub const REPORT_WAIT: Duration = Duration::from_secs(8 * 24 * 60 * 60);

/// Why the modem did not send a part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendFailure {
    /// The network or the modem refused with a `+CMS ERROR` code (TS 27.005 §3.2.5).
    #[error("part refused with code {cms}: {}", describe_cms(*.cms))]
    Refused {
        /// The code of `+CMS ERROR`.
        cms: u16,
    },
    /// The line could not send; the part never left.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// The modem took the part and gave no answer: it may or may not have been sent.
    #[error("modem gave no answer after it took the part")]
    Silent,
}

/// Why a line cannot send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// No modem holds the SIM of this line.
    #[error("no modem holds the SIM of this line")]
    NoModem,
    /// The modem is still being brought up or repaired.
    #[error("modem is starting")]
    Starting,
    /// The modem sees no SIM.
    #[error("modem sees no SIM")]
    NoSim,
    /// The SIM asks for its PIN.
    #[error("SIM asks for its PIN")]
    PinNeeded,
    /// The SIM asks for its PUK.
    #[error("SIM asks for its PUK")]
    PukNeeded,
    /// The modem is not registered on a network.
    #[error("modem is not registered on a network")]
    NotRegistered,
}

/// What to do with a part after a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Put it back in the queue; it is due after this delay.
    RetryAfter(Duration),
    /// Give up and tell the user why.
    Fail(FailReason),
    /// It may have been sent: say so, and never repeat it behind the user's back.
    Unknown,
}

/// Why a part was given up, in words for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FailReason {
    /// The network or the modem refuses it for good.
    #[error("network refused the message: {} (code {cms})", describe_cms(*.cms))]
    Refused {
        /// The code of `+CMS ERROR`.
        cms: u16,
    },
    /// A temporary refusal came back on every attempt.
    #[error("network kept refusing the message: {} (code {cms})", describe_cms(*.cms))]
    TooManyAttempts {
        /// The code of the last `+CMS ERROR`.
        cms: u16,
    },
}

/// Decides what becomes of a part that failed at its `attempts`-th attempt.
///
/// What was accepted waits for its line for as long as that takes, as its sender was told.
#[must_use]
pub fn after_failure(failure: &SendFailure, attempts: u32) -> Verdict {
    match failure {
        SendFailure::Refused { cms } => after_refusal(*cms, attempts),
        SendFailure::NotReady(_) => Verdict::RetryAfter(NOT_READY_DELAY),
        SendFailure::Silent => Verdict::Unknown,
    }
}

fn after_refusal(cms: u16, attempts: u32) -> Verdict {
    match refusal(cms).1 {
        Refusal::Final => Verdict::Fail(FailReason::Refused { cms }),
        Refusal::Ambiguous => Verdict::Unknown,
        Refusal::Temporary => {
            let retry = usize::try_from(attempts.saturating_sub(1)).ok().and_then(|retry| RETRY_DELAYS.get(retry));
            retry.map_or(Verdict::Fail(FailReason::TooManyAttempts { cms }), |delay| Verdict::RetryAfter(*delay))
        }
    }
}

/// Says in words what a `+CMS ERROR` code means (TS 24.011 annex E, TS 23.040 §9.2.3.22, TS 27.005 §3.2.5).
#[must_use]
pub fn describe_cms(cms: u16) -> &'static str {
    refusal(cms).0
}

/// How many messages a line may send in which time: the shape of its token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Parts that may leave at once after a quiet time.
    pub burst: u32,
    /// The time in which one further part becomes possible.
    pub interval: Duration,
}

impl Default for Rate {
    /// Thirty parts a minute, ten of them at once: below what operators take for bulk sending.
    fn default() -> Self {
        Self { burst: 10, interval: Duration::from_secs(2) }
    }
}

/// Keeps every line below its rate.
#[derive(Debug)]
pub struct Limiter {
    rate: Rate,
    /// Per line, the moment at which its bucket is full again.
    full_at: BTreeMap<LineId, Instant>,
}

impl Limiter {
    /// A limiter that gives every line the same `rate`; a burst of zero counts as one.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate: Rate { burst: rate.burst.max(1), ..rate }, full_at: BTreeMap::new() }
    }

    /// Takes leave to send one part on `line`.
    ///
    /// # Errors
    /// The moment at which the line may send again, when it may not at `now`.
    pub fn try_take(&mut self, line: LineId, now: Instant) -> Result<(), Instant> {
        self.full_at.retain(|_, full_at| *full_at > now);
        let full_at = self.full_at.get(&line).map_or(now, |full_at| *full_at);
        let slack = self.rate.interval.saturating_mul(self.rate.burst - 1);
        if full_at > now + slack {
            return Err(full_at - slack);
        }
        self.full_at.insert(line, full_at + self.rate.interval);
        Ok(())
    }
}

/// Where one outgoing part stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartStatus {
    /// Waits for its turn.
    Queued,
    /// Handed to the modem; the outcome is open.
    Sending,
    /// The network took it.
    Sent,
    /// The recipient's phone has it.
    Delivered,
    /// It will not arrive.
    Failed,
    /// Nobody can say whether it left, or whether it arrived.
    Unknown,
}

/// Where a whole message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageStatus {
    /// Incoming, and stored.
    Received,
    /// No part has been handed to the modem.
    Queued,
    /// Some part is on its way or still waits.
    Sending,
    /// The network took every part.
    Sent,
    /// The recipient's phone has every part.
    Delivered,
    /// At least one part will not arrive.
    Failed,
    /// Nobody can say whether every part left, or arrived.
    Unknown,
}

impl MessageStatus {
    /// The word of the API and of the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    const ALL: [Self; 7] =
        [Self::Received, Self::Queued, Self::Sending, Self::Sent, Self::Delivered, Self::Failed, Self::Unknown];
}

impl PartStatus {
    /// The word of the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    const ALL: [Self; 6] = [Self::Queued, Self::Sending, Self::Sent, Self::Delivered, Self::Failed, Self::Unknown];
}

/// Says where a message stands from where its parts stand.
#[must_use]
pub fn message_status(parts: &[PartStatus]) -> MessageStatus {
    let any = |status| parts.contains(&status);
    let all = |status| parts.iter().all(|part| *part == status);
    if any(PartStatus::Failed) {
        MessageStatus::Failed
    } else if all(PartStatus::Queued) {
        MessageStatus::Queued
    } else if any(PartStatus::Queued) || any(PartStatus::Sending) {
        MessageStatus::Sending
    } else if any(PartStatus::Unknown) {
        MessageStatus::Unknown
    } else if all(PartStatus::Delivered) {
        MessageStatus::Delivered
    } else {
        MessageStatus::Sent
    }
}

/// A part of this line and reference whose fate a report could still tell.
#[derive(Clone, Debug)]
pub struct SentPart {
    /// The part.
    pub part: PartId,
    /// To whom it was sent.
    pub recipient: Address,
    /// When the network took it, in milliseconds since the epoch.
    pub sent_at_ms: i64,
}

/// Finds the part that a delivery report for `recipient` speaks of, received at `received_at_ms`.
///
/// `candidates` are the parts of the same line and reference without a final report. References repeat, so the
/// youngest part inside [`REPORT_WINDOW`] is meant.
#[must_use]
pub fn match_report(recipient: &Address, received_at_ms: i64, candidates: &[SentPart]) -> Option<PartId> {
    let oldest = received_at_ms.saturating_sub(i64::try_from(REPORT_WINDOW.as_millis()).unwrap_or(i64::MAX));
    candidates
        .iter()
        .filter(|sent| sent.sent_at_ms >= oldest && is_same_subscriber(recipient, &sent.recipient))
        .max_by_key(|sent| (sent.sent_at_ms, sent.part))
        .map(|sent| sent.part)
}

/// Whether two addresses name one subscriber: networks rewrite a national number to its international form and back.
#[must_use]
pub fn is_same_subscriber(one: &Address, other: &Address) -> bool {
    let (one, other) = (one.to_string(), other.to_string());
    if one == other {
        return true;
    }
    let (one, other) = (one.trim_start_matches(['+', '0']), other.trim_start_matches(['+', '0']));
    let shorter = one.len().min(other.len());
    shorter >= SIGNIFICANT_DIGITS && (one.ends_with(other) || other.ends_with(one))
}

enum Refusal {
    /// Another attempt would be refused as well.
    Final,
    /// Another attempt may succeed.
    Temporary,
    /// The message may have been sent in spite of the error.
    Ambiguous,
}

fn refusal(cms: u16) -> (&'static str, Refusal) {
    match cms {
        0..=127 => network_cause(cms),
        128..=255 => service_centre_cause(cms),
        _ => equipment_cause(cms),
    }
}

/// RP causes (TS 24.011 §8.2.5.4).
fn network_cause(cms: u16) -> (&'static str, Refusal) {
    use Refusal::{Final, Temporary};
    match cms {
        1 => ("number is not assigned", Final),
        8 => ("operator bars messages on this line", Final),
        10 => ("messages are barred on this line", Final),
        17 => ("network failure", Temporary),
        21 => ("message transfer was rejected", Final),
        22 => ("memory of the network is full", Temporary),
        27 => ("destination is out of service", Temporary),
        28 => ("network does not know this subscriber", Final),
        29 => ("network does not offer this to the line", Final),
        30 => ("recipient is not a subscriber", Final),
        38 => ("network is out of order", Temporary),
        41 => ("temporary network failure", Temporary),
        42 => ("network is congested", Temporary),
        47 => ("network has no resources left", Temporary),
        50 => ("line is not subscribed to messages", Final),
        69 => ("network does not support messages", Final),
        81 | 95 | 96 | 97 | 98 | 99 | 111 => ("network found the message malformed", Final),
        127 => ("network gave no reason", Final),
        _ => ("network refused without a known reason", Final),
    }
}

/// TP failure causes (TS 23.040 §9.2.3.22).
fn service_centre_cause(cms: u16) -> (&'static str, Refusal) {
    use Refusal::{Final, Temporary};
    match cms {
        128..=130 | 143 => ("service centre does not support this kind of message", Final),
        144 | 145 | 159 => ("service centre does not support this coding", Final),
        192 => ("service centre is busy", Temporary),
        193 => ("line has no service centre subscription", Final),
        194 => ("service centre failed", Temporary),
        195 => ("number is not valid", Final),
        196 => ("recipient bars messages", Final),
        197 => ("service centre took it for a duplicate", Final),
        208 => ("SIM storage is full", Final),
        _ => ("service centre refused without a known reason", Final),
    }
}

/// Errors of the modem itself (TS 27.005 §3.2.5).
fn equipment_cause(cms: u16) -> (&'static str, Refusal) {
    use Refusal::{Ambiguous, Final, Temporary};
    match cms {
        300 => ("modem failure", Temporary),
        301 => ("message service of the modem is busy", Temporary),
        302 => ("modem does not allow this operation", Final),
        303 => ("modem does not support this operation", Final),
        304 | 305 => ("modem found the message malformed", Final),
        310 => ("no SIM inserted", Temporary),
        311 | 312 => ("SIM asks for its PIN", Temporary),
        313 => ("SIM failure", Temporary),
        314 => ("SIM is busy", Temporary),
        315 => ("SIM is wrong", Final),
        316 => ("SIM asks for its PUK", Temporary),
        320 => ("memory failure", Temporary),
        322 => ("message storage is full", Temporary),
        330 => ("service centre address is not known", Final),
        331 => ("no network service", Temporary),
        332 => ("network did not answer in time", Ambiguous),
        500 => ("modem gave no reason", Final),
        _ => ("modem refused without a known reason", Final),
    }
}

/// Delays after the first, second, … temporary refusal.
const RETRY_DELAYS: [Duration; 4] =
    [Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(120), Duration::from_secs(600)];

/// How soon a line that was not ready is tried again.
const NOT_READY_DELAY: Duration = Duration::from_secs(10);

/// A national number without its trunk prefix has no fewer digits in the countries that modems are sold to.
const SIGNIFICANT_DIGITS: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_leads_to_the_right_verdict() {
        let not_ready = SendFailure::NotReady(NotReady::PinNeeded);
        let table = [
            ("barred", SendFailure::Refused { cms: 10 }, 1, Verdict::Fail(FailReason::Refused { cms: 10 })),
            ("congestion, first", SendFailure::Refused { cms: 42 }, 1, Verdict::RetryAfter(RETRY_DELAYS[0])),
            ("congestion, fourth", SendFailure::Refused { cms: 42 }, 4, Verdict::RetryAfter(RETRY_DELAYS[3])),
            (
                "congestion, fifth",
                SendFailure::Refused { cms: 42 },
                5,
                Verdict::Fail(FailReason::TooManyAttempts { cms: 42 }),
            ),
            ("network timeout", SendFailure::Refused { cms: 332 }, 1, Verdict::Unknown),
            ("not ready, for however long", not_ready, 9000, Verdict::RetryAfter(NOT_READY_DELAY)),
            ("silent", SendFailure::Silent, 1, Verdict::Unknown),
        ];
        for (name, failure, attempts, want) in table {
            assert_eq!(after_failure(&failure, attempts), want, "{name}");
        }
    }

    #[test]
    fn every_code_has_words_and_a_verdict() {
        for cms in 0..=u16::MAX {
            assert!(!describe_cms(cms).is_empty(), "{cms}");
            assert_ne!(after_refusal(cms, 99), Verdict::RetryAfter(RETRY_DELAYS[0]), "{cms} is retried for ever");
        }
    }

    #[test]
    fn a_line_sends_a_burst_and_then_one_part_per_interval() {
        let start = a_moment();
        let second = Duration::from_secs(1);
        let mut limiter = Limiter::new(Rate { burst: 3, interval: 2 * second });
        let (one, other) = (LineId(1), LineId(2));
        for _ in 0..3 {
            assert_eq!(limiter.try_take(one, start), Ok(()));
        }
        assert_eq!(limiter.try_take(one, start), Err(start + 2 * second));
        assert_eq!(limiter.try_take(other, start), Ok(()), "lines do not share a bucket");
        assert_eq!(limiter.try_take(one, start + second), Err(start + 2 * second));
        assert_eq!(limiter.try_take(one, start + 2 * second), Ok(()));
        assert_eq!(limiter.try_take(one, start + 2 * second), Err(start + 4 * second));
        for _ in 0..3 {
            assert_eq!(limiter.try_take(one, start + 60 * second), Ok(()), "a quiet line has its burst back");
        }
        assert!(limiter.try_take(one, start + 60 * second).is_err());
    }

    #[test]
    fn a_message_stands_where_its_parts_stand() {
        use PartStatus::{Delivered, Failed, Queued, Sending, Sent, Unknown};
        let table: &[(&[PartStatus], MessageStatus)] = &[
            (&[Queued, Queued], MessageStatus::Queued),
            (&[Sending, Queued], MessageStatus::Sending),
            (&[Sent, Queued], MessageStatus::Sending),
            (&[Unknown, Queued], MessageStatus::Sending),
            (&[Sent, Sent], MessageStatus::Sent),
            (&[Sent, Delivered], MessageStatus::Sent),
            (&[Delivered, Delivered], MessageStatus::Delivered),
            (&[Delivered, Unknown], MessageStatus::Unknown),
            (&[Delivered, Failed], MessageStatus::Failed),
            (&[Unknown, Failed], MessageStatus::Failed),
        ];
        for (parts, want) in table {
            assert_eq!(message_status(parts), *want, "{parts:?}");
        }
    }

    #[test]
    fn a_report_belongs_to_the_youngest_part_of_its_recipient() {
        let day = 24 * 60 * 60 * 1000;
        let sent = |part, recipient: &str, sent_at_ms| SentPart {
            part: PartId(part),
            recipient: address(recipient),
            sent_at_ms,
        };
        let candidates = [
            sent(1, "+33612345678", 10 * day),
            sent(2, "0612345678", 11 * day),
            sent(3, "+33699999999", 12 * day),
            sent(4, "36179", 12 * day),
        ];
        let table = [
            ("youngest, national form", "+33612345678", 12 * day, Some(PartId(2))),
            ("older only", "+33612345678", 24 * day + 1, Some(PartId(2))),
            ("all too old", "+33612345678", 25 * day + 1, None),
            ("other recipient", "+33699999999", 12 * day, Some(PartId(3))),
            ("short numbers match exactly", "36179", 12 * day, Some(PartId(4))),
            ("a short number is nobody's end", "5678", 12 * day, None),
        ];
        for (name, recipient, at, want) in table {
            assert_eq!(match_report(&address(recipient), at, &candidates), want, "{name}");
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a test needs some moment to count from")]
    fn a_moment() -> Instant {
        Instant::now()
    }

    fn address(text: &str) -> Address {
        Address::Number(text.parse().unwrap())
    }
}
