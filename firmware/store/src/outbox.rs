//! Sending: a part is written down before the modem sees it, and so is what became of it.

use std::fmt;

use rusqlite::{Connection, params};
use sms_pdu::{
    EncodedPdu, MAX_PARTS, NationalLanguage, Reference, SegmentOptions, Segmented, TextTooLong, encode_submit,
    segment_with,
};
use switchboard::outbox::{MessageStatus, PartStatus, message_status};
use telecom::{Address, LineId, MessageId, PartId, PhoneNumber};

use crate::lines::{self, Line};
use crate::messages::{self, Message};
use crate::sql::{all, one, parsed, run, word};
use crate::{Ensured, Store, StoreError, chats, reports};

/// A message to be sent.
#[derive(Clone)]
pub struct NewMessage {
    /// The line to send it by.
    pub line: LineId,
    /// To whom, as the user wrote it.
    pub to: PhoneNumber,
    /// The text.
    pub text: String,
    /// A client's own key: the same key is accepted once.
    pub client_key: Option<String>,
    /// When it was accepted, in milliseconds since the epoch.
    pub at_ms: i64,
}

impl fmt::Debug for NewMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewMessage").field("line", &self.line).finish_non_exhaustive()
    }
}

/// Why a message is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// The text needs too many parts.
    #[error(transparent)]
    TextTooLong(#[from] TextTooLong),
    /// The client's key stands for another message.
    #[error("key was used for another message")]
    KeyReused,
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A part that the caller, and nobody else, may hand to a modem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedPart {
    /// The part.
    pub part: PartId,
    /// Its message.
    pub message: MessageId,
    /// To whom it goes.
    pub recipient: PhoneNumber,
    /// What to hand to the modem.
    pub pdu: EncodedPdu,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

/// What became of a claimed part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartOutcome {
    /// The network took it.
    Sent {
        /// The reference that its delivery report will carry.
        reference: u8,
    },
    /// It will not be sent; what is still queued of its message will not be either.
    Failed {
        /// Why, in words.
        error: String,
    },
    /// It may have been sent.
    Unknown,
    /// It was certainly not sent, and is due again at this time, in milliseconds since the epoch.
    Requeue {
        /// When it is due.
        not_before_ms: i64,
    },
}

impl Store {
    /// Accepts a message for sending, or finds the one that was accepted under the same key.
    ///
    /// # Errors
    /// [`EnqueueError`]; nothing is sent then.
    pub async fn enqueue_message(&self, new: NewMessage) -> Result<Ensured<Message>, EnqueueError> {
        self.workers.write(move |connection| enqueue(connection, &new)).await?
    }

    /// Takes the next part that is due on `line`, so that nobody takes it twice.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn claim_next_part(&self, line: LineId, now_ms: i64) -> Result<Option<ClaimedPart>, StoreError> {
        self.workers.write(move |connection| claim(connection, line, now_ms)).await
    }

    /// When the next queued part of `line` is due, in milliseconds since the epoch; none when nothing is queued.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn next_due(&self, line: LineId) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT min(not_before) FROM parts WHERE line_id = ?1 AND status = 'queued'";
        self.workers.read(move |connection| Ok(one(connection, sql, [line.0], |row| row.get(0))?.flatten())).await
    }

    /// Remembers what became of a claimed part; returns its message as it stands with that.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or the database fails.
    pub async fn finish_part(&self, part: PartId, outcome: PartOutcome, at_ms: i64) -> Result<Message, StoreError> {
        self.workers.write(move |connection| finish(connection, part, &outcome, at_ms)).await
    }

    /// Called once at start: a part that was with a modem when the program ended may have been sent or not.
    /// Returns the messages that stand elsewhere by that.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn recover_outbox(&self, at_ms: i64) -> Result<Vec<Message>, StoreError> {
        self.workers.write(move |connection| abandon(connection, None, at_ms)).await
    }

    /// Whoever had the parts of `line` that are being sent is gone: they may have been sent or not. Returns the messages
    /// that stand elsewhere by that.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn abandon_sending(&self, line: LineId, at_ms: i64) -> Result<Vec<Message>, StoreError> {
        self.workers.write(move |connection| abandon(connection, Some(line), at_ms)).await
    }
}

fn abandon(connection: &Connection, line: Option<LineId>, at_ms: i64) -> Result<Vec<Message>, StoreError> {
    let sql = "UPDATE parts SET status = 'unknown' WHERE status = 'sending' AND (?1 IS NULL OR line_id = ?1)
               RETURNING id";
    let parts = all(connection, sql, [line.map(|line| line.0)], |row| row.get(0).map(PartId))?;
    parts.into_iter().map(|part| refresh(connection, part, at_ms, None)).collect()
}

/// The language whose shift table spares its speakers UCS-2: telephones sold in the country show it.
fn language_of(mcc: u16) -> Option<NationalLanguage> {
    match mcc {
        214 => Some(NationalLanguage::Spanish),
        268 => Some(NationalLanguage::Portuguese),
        286 => Some(NationalLanguage::Turkish),
        _ => None,
    }
}

fn enqueue(connection: &Connection, new: &NewMessage) -> Result<Result<Ensured<Message>, EnqueueError>, StoreError> {
    let line = lines::load(connection, new.line)?;
    if let Some(message) = find_by_key(connection, new.client_key.as_deref())? {
        // The line may differ: a client that names none gets the one that works at the time.
        let is_same = message.body == new.text && message.remote == Address::Number(new.to.clone());
        return Ok(if is_same { Ok(Ensured::Existing(message)) } else { Err(EnqueueError::KeyReused) });
    }
    let language = language_of(line.country);
    let cut = |reference| {
        segment_with(
            &new.text,
            SegmentOptions { reference: Reference::Short(reference), language, max_parts: MAX_PARTS },
        )
    };
    let segmented = match cut(0) {
        Ok(short) if short.parts.len() == 1 => short,
        Ok(_) => match cut(lines::take_reference(connection, line.id)?) {
            Ok(long) => long,
            Err(error) => return Ok(Err(error.into())),
        },
        Err(error) => return Ok(Err(error.into())),
    };
    let segments = u32::try_from(segmented.parts.len()).unwrap_or(u32::MAX);
    let message = insert_message(connection, &line, new, segments)?;
    insert_parts(connection, message.id, new, &segmented)?;
    Ok(Ok(Ensured::Created(message)))
}

fn find_by_key(connection: &Connection, key: Option<&str>) -> Result<Option<Message>, StoreError> {
    let Some(key) = key else { return Ok(None) };
    let sql = "SELECT * FROM messages WHERE idempotency_key = ?1";
    Ok(one(connection, sql, [key], messages::from_row)?)
}

fn insert_message(
    connection: &Connection,
    line: &Line,
    new: &NewMessage,
    segments: u32,
) -> Result<Message, StoreError> {
    let chat = chats::ensure(connection, line, &Address::Number(new.to.clone()))?;
    let created_at = messages::free_time(connection, &chat, new.at_ms)?;
    let sql = "INSERT INTO messages (chat_id, line_id, direction, sender, kind, body, status, segments, created_at,
                                     idempotency_key)
               VALUES (?1, ?2, 'out', ?3, 'text', ?4, 'queued', ?5, ?6, ?7) RETURNING *";
    let values =
        params![chat.as_str(), line.id.0, new.to.as_str(), new.text, segments, created_at, new.client_key.as_deref()];
    let message = one(connection, sql, values, messages::from_row)?.ok_or(StoreError::NotFound { what: "message" })?;
    let sql = "UPDATE chats SET last_message = ?2, last_at = ?3 WHERE id = ?1";
    run(connection, sql, params![chat.as_str(), new.text, created_at])?;
    Ok(message)
}

fn insert_parts(
    connection: &Connection,
    message: MessageId,
    new: &NewMessage,
    segmented: &Segmented,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO parts (message_id, line_id, recipient, pdu, status) VALUES (?1, ?2, ?3, ?4, 'queued')";
    for part in &segmented.parts {
        // The modem puts its own reference in place of the zero and tells it when the network has taken the part.
        let pdu = encode_submit(&new.to, part, 0, true);
        run(connection, sql, params![message.0, new.line.0, new.to.as_str(), pdu.bytes])?;
    }
    Ok(())
}

fn claim(connection: &Connection, line: LineId, now_ms: i64) -> Result<Option<ClaimedPart>, StoreError> {
    // A part that is due further ahead than any retry was postponed by a clock that has been set back since.
    let sql = "UPDATE parts SET status = 'sending', attempts = attempts + 1, claimed_at = ?2
               WHERE id = (SELECT id FROM parts WHERE line_id = ?1 AND status = 'queued'
                           AND (not_before <= ?2 OR not_before > ?2 + ?3) ORDER BY id LIMIT 1)
               RETURNING id, message_id, recipient, pdu, attempts";
    let claimed = one(connection, sql, params![line.0, now_ms, LONGEST_DELAY_MS], |row| {
        let bytes: Vec<u8> = row.get("pdu")?;
        Ok(ClaimedPart {
            part: PartId(row.get("id")?),
            message: MessageId(row.get("message_id")?),
            recipient: parsed(row, "recipient")?,
            pdu: EncodedPdu { tpdu_length: bytes.len().saturating_sub(NO_SERVICE_CENTRE_OCTETS), bytes },
            attempt: row.get("attempts")?,
        })
    })?;
    if let Some(claimed) = &claimed {
        refresh(connection, claimed.part, now_ms, None)?;
    }
    Ok(claimed)
}

fn finish(connection: &Connection, part: PartId, outcome: &PartOutcome, at_ms: i64) -> Result<Message, StoreError> {
    match outcome {
        PartOutcome::Sent { reference } => {
            let sql = "UPDATE parts SET status = 'sent', reference = ?2, sent_at = ?3
                       WHERE id = ?1 AND status IN ('sending', 'unknown')";
            let is_news = run(connection, sql, params![part.0, reference, at_ms])? == 1;
            let message = refresh(connection, part, at_ms, None)?;
            let early = if is_news { reports::apply_early(connection, part, at_ms)? } else { None };
            Ok(early.unwrap_or(message))
        }
        PartOutcome::Failed { error } => {
            let sql = "UPDATE parts SET status = 'failed' WHERE id = ?1 AND status IN ('sending', 'unknown')";
            if run(connection, sql, [part.0])? == 1 {
                let sql = "UPDATE parts SET status = 'failed' WHERE status = 'queued'
                           AND message_id = (SELECT message_id FROM parts WHERE id = ?1)";
                run(connection, sql, [part.0])?;
            }
            refresh(connection, part, at_ms, Some(error))
        }
        PartOutcome::Unknown => {
            run(connection, "UPDATE parts SET status = 'unknown' WHERE id = ?1 AND status = 'sending'", [part.0])?;
            refresh(connection, part, at_ms, None)
        }
        PartOutcome::Requeue { not_before_ms } => {
            run(connection, "UPDATE parts SET status = 'queued' WHERE id = ?1 AND status = 'sending'", [part.0])?;
            // The parts behind it wait as well, so that they leave in order.
            let sql = "UPDATE parts SET not_before = ?2 WHERE status = 'queued'
                       AND message_id = (SELECT message_id FROM parts WHERE id = ?1)";
            run(connection, sql, params![part.0, not_before_ms])?;
            refresh(connection, part, at_ms, None)
        }
    }
}

pub(crate) fn set_part_status(connection: &Connection, part: PartId, status: PartStatus) -> Result<(), StoreError> {
    run(connection, "UPDATE parts SET status = ?2 WHERE id = ?1", params![part.0, status.as_str()])?;
    Ok(())
}

/// Brings the message of `part` to where its parts stand.
pub(crate) fn refresh(
    connection: &Connection,
    part: PartId,
    at_ms: i64,
    error: Option<&str>,
) -> Result<Message, StoreError> {
    let sql = "SELECT message_id FROM parts WHERE id = ?1";
    let message = one(connection, sql, [part.0], |row| row.get(0).map(MessageId))?;
    let message = message.ok_or(StoreError::NotFound { what: "part" })?;
    let sql = "SELECT status FROM parts WHERE message_id = ?1";
    let parts = all(connection, sql, [message.0], |row| word(row, "status", PartStatus::from_word))?;
    let status = message_status(&parts);
    let sent_at = matches!(status, MessageStatus::Sent | MessageStatus::Delivered).then_some(at_ms);
    let delivered_at = matches!(status, MessageStatus::Delivered).then_some(at_ms);
    let sql = "UPDATE messages SET status = ?2, sent_at = ifnull(sent_at, ?3),
                                   error = CASE ?2 WHEN 'delivered' THEN NULL ELSE ifnull(?5, error) END,
                                   delivered_at = ifnull(delivered_at, ?4) WHERE id = ?1 RETURNING *";
    let values = params![message.0, status.as_str(), sent_at, delivered_at, error];
    one(connection, sql, values, messages::from_row)?.ok_or(StoreError::NotFound { what: "message" })
}

/// The length of an empty service centre address, which the TPDU does not count (TS 27.005 §3.1).
const NO_SERVICE_CENTRE_OCTETS: usize = 1;

/// Longer than any delay before a retry.
const LONGEST_DELAY_MS: i64 = 60 * 60 * 1000;
