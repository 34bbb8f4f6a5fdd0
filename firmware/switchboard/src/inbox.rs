//! What arrives: whether it is new, which message it belongs to, and how that message reads.
//!
//! Exactly once has two halves.
//! Against the *modem*: a slot of its storage that still holds what was stored from it is being read again, however
//! often; a slot that was cleared since holds something new, even when the octets are equal.
//! Against the *air*: a network repeats a part whose acknowledgement it missed, so an equal part of a long message
//! counts once; a short message has nothing that tells a repetition from a sender who says "OK" twice, so it counts.

use sms_pdu::{Body, Concat, Incoming, ServiceCentreTimestamp, SmsDeliver, join, parse_incoming};

/// How many long messages of one line may be incomplete and hidden; one more, and the oldest is shown as it is.
pub const MAX_HIDDEN_GROUPS: usize = 32;

/// How far apart the service centre may have stamped two parts of one message, in milliseconds.
pub const LONGEST_SPREAD_MS: i64 = 24 * 60 * 60 * 1000;

/// How long after a message is complete an equal part is a repetition, in milliseconds.
pub const REPETITION_WINDOW_MS: i64 = 24 * 60 * 60 * 1000;

/// What stands for missing parts in the text of an incomplete message.
pub const MISSING: &str = "[…]";

/// What a slot held before, seen from what is read there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotHistory {
    /// Nothing uncleared is stored from this slot: the part is new.
    Fresh,
    /// It is stored already, and was not deleted yet: it must not count again.
    Reread,
    /// What was stored has gone without our knowledge; the part is new, and the old one counts as cleared.
    Reused,
}

/// Compares what is read from a slot with what is `stored` from it and not yet cleared.
#[must_use]
pub fn slot_history(stored: Option<&[u8]>, read: &[u8]) -> SlotHistory {
    match stored {
        None => SlotHistory::Fresh,
        Some(stored) if stored == read => SlotHistory::Reread,
        Some(_) => SlotHistory::Reused,
    }
}

/// A long message that is being put together, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its id in the store.
    pub id: i64,
    /// When its last part arrived, in milliseconds since the epoch.
    pub completed_at_ms: Option<i64>,
    /// The parts that are there.
    pub parts: Vec<GroupPart>,
}

/// One part of a [`Group`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPart {
    /// Its place, from 1.
    pub sequence: u8,
    /// All its octets.
    pub pdu: Vec<u8>,
    /// When the service centre stamped it, in milliseconds since the epoch; none when the stamp makes no sense.
    pub stamped_at_ms: Option<i64>,
}

/// Where a part of a long message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Into this group, where its place is free.
    Join(i64),
    /// Nowhere: this group has it already.
    Duplicate(i64),
    /// Into a group of its own.
    Open,
}

/// Places a part among the `groups` of the same line, sender, reference, reference width and total.
///
/// References repeat, and some senders never change them: a part whose place is taken by other octets belongs to
/// another message, and among several open messages the one stamped nearest is meant.
/// A stamp tells a repetition from a later message that ends in equal words; without one, a message that waits for
/// the part comes first.
#[must_use]
pub fn place(part: &GroupPart, groups: &[Group], now_ms: i64) -> Placement {
    let repeated = groups.iter().find(|group| group.holds(part) && group.is_recent(now_ms));
    let waiting = groups
        .iter()
        .filter(|group| group.completed_at_ms.is_none() && group.is_free(part.sequence))
        .map(|group| (group.distance_ms(part), group.id))
        .filter(|(distance, _)| *distance <= LONGEST_SPREAD_MS)
        .min_by_key(|(distance, id)| (*distance, std::cmp::Reverse(*id)));
    match (repeated, waiting) {
        (Some(group), None) => Placement::Duplicate(group.id),
        (Some(group), Some(_)) if part.stamped_at_ms.is_some() => Placement::Duplicate(group.id),
        (_, Some((_, id))) => Placement::Join(id),
        (None, None) => Placement::Open,
    }
}

impl Group {
    fn holds(&self, part: &GroupPart) -> bool {
        self.parts.iter().any(|other| other.sequence == part.sequence && other.pdu == part.pdu)
    }

    fn is_recent(&self, now_ms: i64) -> bool {
        self.completed_at_ms.is_none_or(|at| now_ms.saturating_sub(at) < REPETITION_WINDOW_MS)
    }

    fn is_free(&self, sequence: u8) -> bool {
        self.parts.iter().all(|part| part.sequence != sequence)
    }

    fn distance_ms(&self, part: &GroupPart) -> i64 {
        let Some(stamped_at_ms) = part.stamped_at_ms else { return 0 };
        let stamps = self.parts.iter().filter_map(|other| other.stamped_at_ms);
        stamps.map(|other| other.saturating_sub(stamped_at_ms).saturating_abs()).min().unwrap_or(0)
    }
}

/// What kind of message something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// A text.
    Text,
    /// Octets for an application: settings over the air, a contact card, a WAP push.
    Data,
    /// Something that cannot be parsed; its octets are kept.
    Unreadable,
}

impl MessageKind {
    /// The word of the API and of the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Data => "data",
            Self::Unreadable => "unreadable",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Text, Self::Data, Self::Unreadable].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// How a message reads.
#[derive(Clone, PartialEq, Eq)]
pub struct Reading {
    /// What kind of message it is.
    pub kind: MessageKind,
    /// Its text, or a description of what it is when it has none.
    pub text: String,
    /// False while parts are missing.
    pub is_complete: bool,
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, text, is_complete } = self;
        write!(f, "Reading {{ {kind:?}, {} characters, is_complete: {is_complete} }}", text.chars().count())
    }
}

/// Reads a message that came in one part.
#[must_use]
pub fn read_single(sms: &SmsDeliver) -> Reading {
    match data_size(sms) {
        Some(octets) => data_reading(octets, true),
        None => Reading { kind: MessageKind::Text, text: join([&sms.body]), is_complete: true },
    }
}

/// Reads a long message of `total` parts from the PDUs of those that are there.
#[must_use]
pub fn read_group(total: u8, pdus: &[Vec<u8>]) -> Reading {
    let mut parts: Vec<(u8, SmsDeliver)> = pdus.iter().filter_map(|pdu| numbered(pdu)).collect();
    parts.sort_by_key(|(sequence, _)| *sequence);
    parts.dedup_by_key(|(sequence, _)| *sequence);
    let is_complete = parts.len() == usize::from(total);
    let octets: Vec<usize> = parts.iter().filter_map(|(_, sms)| data_size(sms)).collect();
    if !octets.is_empty() {
        return data_reading(octets.iter().sum(), is_complete);
    }
    Reading { kind: MessageKind::Text, text: join_with_gaps(total, &parts), is_complete }
}

/// The reading of something that cannot be parsed.
#[must_use]
pub fn read_unreadable() -> Reading {
    Reading { kind: MessageKind::Unreadable, text: "[unreadable message]".to_owned(), is_complete: true }
}

/// The concatenation of `sms`, when it is one part of several.
#[must_use]
pub fn concatenation(sms: &SmsDeliver) -> Option<&Concat> {
    sms.concat.as_ref().filter(|concat| concat.total > 1 && (1..=concat.total).contains(&concat.sequence))
}

/// When the service centre stamped a message, in milliseconds since the epoch.
#[must_use]
pub fn stamped_at_ms(timestamp: &ServiceCentreTimestamp) -> Option<i64> {
    timestamp.unix_seconds().and_then(|seconds| seconds.checked_mul(1000))
}

/// The size of what `sms` carries, when that is not for a reader: octets, or anything addressed to an application.
fn data_size(sms: &SmsDeliver) -> Option<usize> {
    match (&sms.body, &sms.ports) {
        (Body::Data(octets), _) => Some(octets.len()),
        (Body::Text(text), Some(_)) => Some(text.len()),
        (Body::Utf16(units), Some(_)) => Some(units.len() * 2),
        (Body::Text(_) | Body::Utf16(_), None) => None,
    }
}

fn data_reading(octets: usize, is_complete: bool) -> Reading {
    Reading { kind: MessageKind::Data, text: format!("[data message, {octets} bytes]"), is_complete }
}

fn numbered(pdu: &[u8]) -> Option<(u8, SmsDeliver)> {
    match parse_incoming(pdu) {
        Ok(Incoming::Deliver(sms)) => concatenation(&sms).map(|concat| concat.sequence).map(|sequence| (sequence, sms)),
        Ok(Incoming::StatusReport(_)) | Err(_) => None,
    }
}

/// Joins runs of neighbours, so that a character cut between two parts is whole again, and marks the gaps.
fn join_with_gaps(total: u8, parts: &[(u8, SmsDeliver)]) -> String {
    let mut text = String::new();
    let mut next = 1u16;
    for run in parts.chunk_by(|(one, _), (other, _)| u16::from(*one) + 1 == u16::from(*other)) {
        if run.first().is_some_and(|(sequence, _)| u16::from(*sequence) > next) {
            text.push_str(MISSING);
        }
        text.push_str(&join(run.iter().map(|(_, sms)| &sms.body)));
        next = run.last().map_or(next, |(sequence, _)| u16::from(*sequence) + 1);
    }
    if next <= u16::from(total) {
        text.push_str(MISSING);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_slot_tells_a_second_reading_from_a_second_message() {
        assert_eq!(slot_history(None, b"a"), SlotHistory::Fresh);
        assert_eq!(slot_history(Some(b"a"), b"a"), SlotHistory::Reread);
        assert_eq!(slot_history(Some(b"b"), b"a"), SlotHistory::Reused);
    }

    #[test]
    fn a_part_finds_its_message() {
        let hour = 60 * 60 * 1000;
        let now = 1000 * hour;
        let complete = |id, at, parts: &[(u8, &str, i64)]| group(id, Some(at), parts);
        let open = |id, parts: &[(u8, &str, i64)]| group(id, None, parts);
        let table = [
            ("first of its message", part(2, "x", now), vec![], Placement::Open),
            ("free place", part(2, "x", now), vec![open(1, &[(1, "a", now)])], Placement::Join(1)),
            ("before the first", part(1, "x", now), vec![open(1, &[(2, "a", now)])], Placement::Join(1)),
            ("repeated", part(1, "a", now), vec![open(1, &[(1, "a", now)])], Placement::Duplicate(1)),
            ("place taken", part(1, "b", now), vec![open(1, &[(1, "a", now)])], Placement::Open),
            (
                "repeated after completion",
                part(1, "a", now),
                vec![complete(1, now - 23 * hour, &[(1, "a", now), (2, "b", now)])],
                Placement::Duplicate(1),
            ),
            (
                "equal to a message of yesterday",
                part(1, "a", now),
                vec![complete(1, now - 24 * hour, &[(1, "a", now), (2, "b", now)])],
                Placement::Open,
            ),
            (
                "a sender that never changes its reference",
                part(2, "d", now),
                vec![open(1, &[(1, "a", now - 2 * hour)]), open(2, &[(1, "c", now)])],
                Placement::Join(2),
            ),
            (
                "the older of two, when it was stamped nearer",
                part(2, "b", now - 2 * hour),
                vec![open(1, &[(1, "a", now - 2 * hour)]), open(2, &[(1, "c", now)])],
                Placement::Join(1),
            ),
            (
                "unstamped, and equal to the end of an earlier message",
                GroupPart { stamped_at_ms: None, ..part(2, "b", 0) },
                vec![complete(1, now, &[(1, "a", now), (2, "b", now)]), open(2, &[(1, "c", now)])],
                Placement::Join(2),
            ),
            (
                "unstamped and repeated",
                GroupPart { stamped_at_ms: None, ..part(2, "b", 0) },
                vec![complete(1, now, &[(1, "a", now), (2, "b", now)])],
                Placement::Duplicate(1),
            ),
            (
                "repeated while the next message with its reference is open",
                part(2, "b", now),
                vec![complete(1, now, &[(1, "a", now), (2, "b", now)]), open(2, &[(1, "c", now)])],
                Placement::Duplicate(1),
            ),
            ("too old", part(2, "d", now), vec![open(1, &[(1, "a", now - 25 * hour)])], Placement::Open),
        ];
        for (name, part, groups, want) in table {
            assert_eq!(place(&part, &groups, now), want, "{name}");
        }
    }

    proptest! {
        #[test]
        fn parts_in_any_order_with_repetitions_make_one_message(
            order in Just((1..=9u8).collect::<Vec<_>>()).prop_shuffle(),
            repeats in prop::collection::vec(0..9usize, 0..9),
        ) {
            let mut groups: Vec<Group> = Vec::new();
            let again = repeats.iter().map(|at| order[*at]);
            for (now, sequence) in order.iter().copied().chain(again).enumerate() {
                let now = i64::try_from(now).unwrap();
                let part = part(sequence, &sequence.to_string(), 7);
                match place(&part, &groups, now) {
                    Placement::Open => groups.push(Group { id: now, completed_at_ms: None, parts: vec![part] }),
                    Placement::Join(id) => {
                        let group = groups.iter_mut().find(|group| group.id == id).unwrap();
                        group.parts.push(part);
                        group.completed_at_ms = (group.parts.len() == 9).then_some(now);
                    }
                    Placement::Duplicate(_) => {}
                }
            }
            prop_assert_eq!(groups.len(), 1);
            prop_assert_eq!(groups[0].parts.len(), 9);
        }

        #[test]
        fn reading_never_panics(total in 0u8.., pdus in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..5)) {
            let reading = read_group(total, &pdus);
            prop_assert!(total == 0 || !reading.is_complete || pdus.len() >= usize::from(total));
        }
    }

    fn part(sequence: u8, pdu: &str, stamped_at_ms: i64) -> GroupPart {
        GroupPart { sequence, pdu: pdu.as_bytes().to_vec(), stamped_at_ms: Some(stamped_at_ms) }
    }

    fn group(id: i64, completed_at_ms: Option<i64>, parts: &[(u8, &str, i64)]) -> Group {
        let parts = parts.iter().map(|(sequence, pdu, at)| part(*sequence, pdu, *at)).collect();
        Group { id, completed_at_ms, parts }
    }
}
