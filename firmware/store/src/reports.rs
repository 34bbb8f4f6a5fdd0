//! Delivery reports: each finds its part, also when it overtakes the answer to the sending.

use rusqlite::{Connection, Row, params};
use sms_pdu::{ReportStatus, SmsStatusReport};
use switchboard::inbox::stamped_at_ms;
use switchboard::outbox::{PartStatus, SentPart, is_same_subscriber, match_report};
use telecom::{Address, LineId, PartId};

use crate::inbound::{Arrival, ReceiveOutcome, ReceivedPart, insert_arrival};
use crate::messages::Message;
use crate::outbox::{refresh, set_part_status};
use crate::sql::{all, one, run};
use crate::{Store, StoreError};

impl Store {
    /// Stops waiting for the reports of parts that the network took before `sent_before_ms`: whether they arrived is not
    /// known. Returns the messages that stand elsewhere by that. A report that comes later still counts.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn give_up_reports(&self, sent_before_ms: i64, at_ms: i64) -> Result<Vec<Message>, StoreError> {
        self.workers
            .write(move |connection| {
                let sql = "UPDATE parts SET status = 'unknown' WHERE status = 'sent' AND sent_at < ?1 RETURNING id";
                let parts = all(connection, sql, [sent_before_ms], |row| row.get(0).map(PartId))?;
                let mut messages: Vec<Message> = Vec::new();
                for part in parts {
                    let message = refresh(connection, part, at_ms, Some(NO_REPORT))?;
                    messages.retain(|known| known.id != message.id);
                    messages.push(message);
                }
                Ok(messages)
            })
            .await
    }

    /// Moves the times of sending that lie between the two given ones by `by_ms`: the clock that told them was set.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn shift_awaited_reports(&self, from_ms: i64, to_ms: i64, by_ms: i64) -> Result<(), StoreError> {
        self.workers
            .write(move |connection| {
                let sql = "UPDATE parts SET sent_at = sent_at + ?3 WHERE status = 'sent' AND sent_at BETWEEN ?1 AND ?2";
                run(connection, sql, params![from_ms, to_ms, by_ms])?;
                Ok(())
            })
            .await
    }
}

/// Stores a report and applies it to its part, if that is known.
pub(crate) fn receive(
    connection: &Connection,
    part: &ReceivedPart,
    report: &SmsStatusReport,
) -> Result<ReceiveOutcome, StoreError> {
    if is_repeated(connection, part, report.reference)? {
        insert_arrival(connection, part, &Arrival { kind: "report", ..Arrival::default() })?;
        return Ok(ReceiveOutcome::Duplicate);
    }
    let verdict = Verdict::of(report);
    let found = find_part(connection, part.line, report, part.received_at_ms)?;
    let sql = "INSERT INTO reports (line_id, reference, recipient, outcome, status_code, pdu, received_at,
                                    discharge_at, part_id)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let values = params![
        part.line.0,
        report.reference,
        report.recipient.to_string(),
        verdict.outcome,
        verdict.code,
        part.pdu,
        part.received_at_ms,
        verdict.discharge_at_ms,
        found.map(|part| part.0),
    ];
    run(connection, sql, values)?;
    let at_ms = part.received_at_ms;
    let message = found.map(|part| apply(connection, part, &verdict, at_ms)).transpose()?;
    let arrival = Arrival { kind: "report", message: message.as_ref().map(|message| message.id), group: None };
    insert_arrival(connection, part, &arrival)?;
    Ok(ReceiveOutcome::Report { message })
}

/// Applies the reports that came for a part before its reference was known.
pub(crate) fn apply_early(connection: &Connection, part: PartId, at_ms: i64) -> Result<Option<Message>, StoreError> {
    let sql = "SELECT line_id, reference, recipient, claimed_at FROM parts WHERE id = ?1";
    let sent = one(connection, sql, [part.0], |row| {
        Ok((row.get::<_, u32>(0)?, row.get::<_, u8>(1)?, row.get::<_, String>(2)?, row.get::<_, i64>(3)?))
    })?;
    let (line, reference, recipient, claimed_at) = sent.ok_or(StoreError::NotFound { what: "part" })?;
    let sql = "SELECT id, recipient, outcome, status_code, discharge_at FROM reports
               WHERE line_id = ?1 AND reference = ?2 AND part_id IS NULL AND received_at >= ?3 ORDER BY id";
    let early = all(connection, sql, params![line, reference, claimed_at], |row| {
        let outcome = row.get::<_, String>(2)?;
        let verdict = Verdict { outcome: word(&outcome), code: row.get(3)?, discharge_at_ms: row.get(4)? };
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, verdict))
    })?;
    let recipient = Address::from_text(&recipient);
    let mut message = None;
    for (report, to, verdict) in early {
        if is_same_subscriber(&Address::from_text(&to), &recipient) {
            run(connection, "UPDATE reports SET part_id = ?2 WHERE id = ?1", params![report, part.0])?;
            message = Some(apply(connection, part, &verdict, at_ms)?);
        }
    }
    Ok(message)
}

/// What a report says, as far as it is kept.
struct Verdict {
    outcome: &'static str,
    code: u8,
    discharge_at_ms: Option<i64>,
}

impl Verdict {
    fn of(report: &SmsStatusReport) -> Self {
        let outcome = match report.status {
            ReportStatus::Delivered => DELIVERED,
            ReportStatus::PermanentFailure(_) | ReportStatus::TemporaryFailure(_) => FAILED,
            ReportStatus::Completed(_) | ReportStatus::StillTrying(_) | ReportStatus::Reserved(_) => PENDING,
        };
        Self { outcome, code: report.status.code(), discharge_at_ms: stamped_at_ms(&report.discharge) }
    }
}

fn apply(connection: &Connection, part: PartId, verdict: &Verdict, at_ms: i64) -> Result<Message, StoreError> {
    match verdict.outcome {
        DELIVERED => {
            set_part_status(connection, part, PartStatus::Delivered)?;
            refresh(connection, part, verdict.discharge_at_ms.unwrap_or(at_ms), None)
        }
        FAILED => {
            set_part_status(connection, part, PartStatus::Failed)?;
            let reason = format!("network could not deliver the message (report code {})", verdict.code);
            refresh(connection, part, at_ms, Some(&reason))
        }
        _ => refresh(connection, part, at_ms, None),
    }
}

fn find_part(
    connection: &Connection,
    line: LineId,
    report: &SmsStatusReport,
    received_at_ms: i64,
) -> Result<Option<PartId>, StoreError> {
    let sql = "SELECT id, recipient, sent_at FROM parts WHERE line_id = ?1 AND reference = ?2 AND status = 'sent'";
    let candidates = all(connection, sql, params![line.0, report.reference], sent_part)?;
    if let Some(part) = match_report(&report.recipient, received_at_ms, &candidates) {
        return Ok(Some(part));
    }
    match find_given_up(connection, line, report, received_at_ms)? {
        Some(part) => Ok(Some(part)),
        None => find_unanswered(connection, line, report, received_at_ms),
    }
}

/// A part whose report was not waited for any longer.
fn find_given_up(
    connection: &Connection,
    line: LineId,
    report: &SmsStatusReport,
    received_at_ms: i64,
) -> Result<Option<PartId>, StoreError> {
    let sql = "SELECT id, recipient, sent_at FROM parts
               WHERE line_id = ?1 AND reference = ?2 AND status = 'unknown' AND sent_at IS NOT NULL";
    let candidates = all(connection, sql, params![line.0, report.reference], sent_part)?;
    Ok(match_report(&report.recipient, received_at_ms, &candidates))
}

fn sent_part(row: &Row<'_>) -> rusqlite::Result<SentPart> {
    let recipient = Address::from_text(&row.get::<_, String>(1)?);
    Ok(SentPart { part: PartId(row.get(0)?), recipient, sent_at_ms: row.get(2)? })
}

/// A part whose sending was never answered has left, when a report comes for it. It has no reference to go by, so it
/// must be the only one of its recipient; a part that is being sent may be the one as well.
fn find_unanswered(
    connection: &Connection,
    line: LineId,
    report: &SmsStatusReport,
    received_at_ms: i64,
) -> Result<Option<PartId>, StoreError> {
    let sql = "SELECT id, recipient, claimed_at, status = 'unknown' FROM parts
               WHERE line_id = ?1 AND status IN ('unknown', 'sending') AND reference IS NULL AND claimed_at <= ?2";
    let candidates =
        all(connection, sql, params![line.0, received_at_ms], |row| Ok((sent_part(row)?, row.get::<_, bool>(3)?)))?;
    let mut of_recipient =
        candidates.iter().filter(|(other, _)| is_same_subscriber(&other.recipient, &report.recipient));
    let (Some((candidate, true)), None) = (of_recipient.next(), of_recipient.next()) else { return Ok(None) };
    let found = match_report(&report.recipient, received_at_ms, std::slice::from_ref(candidate));
    let Some(part) = found else { return Ok(None) };
    let sql = "UPDATE parts SET status = 'sent', reference = ?2, sent_at = claimed_at WHERE id = ?1";
    run(connection, sql, params![part.0, report.reference])?;
    Ok(Some(part))
}

/// Networks repeat a report whose acknowledgement they missed; it carries the same stamps.
fn is_repeated(connection: &Connection, part: &ReceivedPart, reference: u8) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM reports WHERE line_id = ?1 AND reference = ?2 AND pdu = ?3 LIMIT 1";
    Ok(one(connection, sql, params![part.line.0, reference, part.pdu], |_| Ok(()))?.is_some())
}

fn word(outcome: &str) -> &'static str {
    [DELIVERED, FAILED].into_iter().find(|word| *word == outcome).unwrap_or(PENDING)
}

const NO_REPORT: &str = "no delivery report came: whether the message arrived is not known";
const DELIVERED: &str = "delivered";
const FAILED: &str = "failed";
/// Neither arrived nor lost: the service centre still tries, or cannot say.
const PENDING: &str = "pending";
