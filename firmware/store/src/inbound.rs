//! Receiving: what the modem read is stored once, whatever is repeated and wherever the power fails.

use std::collections::HashMap;
use std::fmt;

use rusqlite::{Connection, params};
use sms_pdu::{Concat, Incoming, SmsDeliver, parse_incoming};
use switchboard::inbox::{
    Group, GroupPart, MAX_HIDDEN_GROUPS, Placement, SlotHistory, concatenation, place, read_group, read_single,
    read_unreadable, slot_history, stamped_at_ms,
};
use telecom::{Address, LineId, MessageId};

use crate::lines::{self, Line};
use crate::messages::{self, Message};
use crate::reports;
use crate::sql::{all, one, run};
use crate::{Store, StoreError};

/// A part as a modem read it from its storage, or delivered it directly.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceivedPart {
    /// The line it came by.
    pub line: LineId,
    /// Which storage it was read from: `ME:<imei>` or `SM:<iccid>`.
    pub storage_owner: String,
    /// Where it lies there; none when it was delivered directly.
    pub slot: Option<u16>,
    /// Its octets, with the service centre's address in front.
    pub pdu: Vec<u8>,
    /// When it was read, in milliseconds since the epoch.
    pub received_at_ms: i64,
}

impl fmt::Debug for ReceivedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedPart").field("line", &self.line).field("slot", &self.slot).finish_non_exhaustive()
    }
}

/// What became of a received part. It is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// What it is.
    pub outcome: ReceiveOutcome,
    /// An older message that is shown incomplete, because too many wait for parts.
    pub revealed: Option<Message>,
    /// Whether the modem may delete it: true, because it is durable.
    pub may_clear: bool,
}

/// What a received part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiveOutcome {
    /// A new message, complete or unreadable.
    New(Message),
    /// A late part of a message that was shown without it.
    Updated(Message),
    /// A part of a message that waits for others.
    Held,
    /// Something that is stored already.
    Duplicate,
    /// A delivery report, with the message that it changed.
    Report {
        /// The message as it stands with the report; none when it belongs to nothing that is known yet.
        message: Option<Message>,
    },
}

/// What a full listing found in one slot.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredInSlot {
    /// The slot.
    pub slot: u16,
    /// The octets in it.
    pub pdu: Vec<u8>,
}

impl fmt::Debug for StoredInSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredInSlot").field("slot", &self.slot).finish_non_exhaustive()
    }
}

impl Store {
    /// Stores a part, and the message that it makes or completes.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is stored then, and the modem must keep the part.
    pub async fn receive_part(&self, part: ReceivedPart) -> Result<Received, StoreError> {
        self.workers.write(move |connection| receive(connection, &part)).await
    }

    /// Remembers that the modem has deleted what was stored from a slot.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn mark_cleared(&self, storage_owner: String, slot: u16, at_ms: i64) -> Result<(), StoreError> {
        self.workers.write(move |connection| clear(connection, &storage_owner, slot, at_ms)).await
    }

    /// Compares what is stored and uncleared with a full listing of a storage: what has gone counts as cleared.
    ///
    /// Call it before the listed parts are received, so that an equal part in a slot that was emptied in between
    /// counts as new. Returns how many were gone.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn reconcile_sweep(
        &self,
        storage_owner: String,
        present: Vec<StoredInSlot>,
        at_ms: i64,
    ) -> Result<usize, StoreError> {
        self.workers.write(move |connection| reconcile(connection, &storage_owner, present, at_ms)).await
    }

    /// Shows the messages that have waited for parts since before `opened_before_ms`, with a mark for what is missing.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub async fn reveal_incomplete(&self, opened_before_ms: i64, at_ms: i64) -> Result<Vec<Message>, StoreError> {
        self.workers
            .write(move |connection| {
                let sql = "SELECT id FROM groups WHERE message_id IS NULL AND opened_at < ?1 ORDER BY opened_at, id";
                let groups = all(connection, sql, [opened_before_ms], |row| row.get::<_, i64>(0))?;
                groups.into_iter().map(|group| show(connection, group, at_ms)).collect()
            })
            .await
    }
}

fn receive(connection: &Connection, part: &ReceivedPart) -> Result<Received, StoreError> {
    let line = lines::load(connection, part.line)?;
    if forget_or_recognise(connection, part)? {
        return Ok(Received::without_company(ReceiveOutcome::Duplicate));
    }
    match parse_incoming(&part.pdu) {
        Ok(Incoming::Deliver(sms)) => match concatenation(&sms) {
            Some(concat) => receive_fragment(connection, &line, part, &sms, *concat),
            None => receive_single(connection, &line, part, &sms),
        },
        Ok(Incoming::StatusReport(report)) => {
            let outcome = reports::receive(connection, part, &report)?;
            Ok(Received::without_company(outcome))
        }
        Err(_) => receive_unreadable(connection, &line, part),
    }
}

impl Received {
    fn without_company(outcome: ReceiveOutcome) -> Self {
        Self { outcome, revealed: None, may_clear: true }
    }
}

/// Says whether the slot is only read again; when it was reused unseen, what it held counts as cleared.
fn forget_or_recognise(connection: &Connection, part: &ReceivedPart) -> Result<bool, StoreError> {
    let Some(slot) = part.slot else { return Ok(false) };
    let sql = "SELECT pdu FROM arrivals WHERE storage_owner = ?1 AND slot = ?2 AND cleared_at IS NULL";
    let stored: Option<Vec<u8>> = one(connection, sql, params![part.storage_owner, slot], |row| row.get(0))?;
    match slot_history(stored.as_deref(), &part.pdu) {
        SlotHistory::Fresh => Ok(false),
        SlotHistory::Reread => Ok(true),
        SlotHistory::Reused => {
            clear(connection, &part.storage_owner, slot, part.received_at_ms)?;
            Ok(false)
        }
    }
}

fn receive_single(
    connection: &Connection,
    line: &Line,
    part: &ReceivedPart,
    sms: &SmsDeliver,
) -> Result<Received, StoreError> {
    let incoming = messages::Incoming {
        reading: &read_single(sms),
        segments: 1,
        received_at_ms: part.received_at_ms,
        sent_at_ms: stamped_at_ms(&sms.timestamp),
    };
    let message = messages::insert_incoming(connection, line, &sms.sender, &incoming)?;
    insert_arrival(connection, part, &Arrival { kind: "part", message: Some(message.id), ..Arrival::default() })?;
    Ok(Received::without_company(ReceiveOutcome::New(message)))
}

fn receive_unreadable(connection: &Connection, line: &Line, part: &ReceivedPart) -> Result<Received, StoreError> {
    tracing::warn!(line = %line.id, octets = part.pdu.len(), "a message cannot be parsed; its octets are kept");
    let incoming = messages::Incoming {
        reading: &read_unreadable(),
        segments: 1,
        received_at_ms: part.received_at_ms,
        sent_at_ms: None,
    };
    let message = messages::insert_incoming(connection, line, &Address::Withheld, &incoming)?;
    insert_arrival(connection, part, &Arrival { kind: "unreadable", message: Some(message.id), ..Arrival::default() })?;
    Ok(Received::without_company(ReceiveOutcome::New(message)))
}

fn receive_fragment(
    connection: &Connection,
    line: &Line,
    part: &ReceivedPart,
    sms: &SmsDeliver,
    concat: Concat,
) -> Result<Received, StoreError> {
    let sender = sms.sender.to_e164(line.country).to_string();
    let fragment =
        GroupPart { sequence: concat.sequence, pdu: part.pdu.clone(), stamped_at_ms: stamped_at_ms(&sms.timestamp) };
    let groups = load_groups(connection, line.id, &sender, concat)?;
    let (group, revealed) = match place(&fragment, &groups, part.received_at_ms) {
        Placement::Join(group) => (group, None),
        Placement::Open => open_group(connection, line.id, &sender, concat, part.received_at_ms)?,
        Placement::Duplicate(_) => {
            insert_arrival(connection, part, &Arrival { kind: "part", ..Arrival::default() })?;
            return Ok(Received::without_company(ReceiveOutcome::Duplicate));
        }
    };
    let arrival = Arrival { kind: "part", group: Some((group, &fragment)), ..Arrival::default() };
    insert_arrival(connection, part, &arrival)?;
    let outcome = advance(connection, group, part.received_at_ms)?;
    Ok(Received { outcome, revealed, may_clear: true })
}

/// Says what a group has become with its newest part.
fn advance(connection: &Connection, group: i64, at_ms: i64) -> Result<ReceiveOutcome, StoreError> {
    let state = GroupState::load(connection, group)?;
    let reading = read_group(state.total, &state.pdus);
    if reading.is_complete {
        run(connection, "UPDATE groups SET completed_at = ?2 WHERE id = ?1", params![group, at_ms])?;
    }
    match state.message {
        Some(message) => Ok(ReceiveOutcome::Updated(messages::update_reading(connection, message, &reading)?)),
        None if reading.is_complete => Ok(ReceiveOutcome::New(show(connection, group, at_ms)?)),
        None => Ok(ReceiveOutcome::Held),
    }
}

/// Makes a message of a group as it is.
fn show(connection: &Connection, group: i64, at_ms: i64) -> Result<Message, StoreError> {
    let state = GroupState::load(connection, group)?;
    let line = lines::load(connection, state.line)?;
    let incoming = messages::Incoming {
        reading: &read_group(state.total, &state.pdus),
        segments: u32::from(state.total),
        received_at_ms: at_ms,
        sent_at_ms: state.stamped_at_ms,
    };
    let message = messages::insert_incoming(connection, &line, &Address::from_text(&state.sender), &incoming)?;
    run(connection, "UPDATE groups SET message_id = ?2 WHERE id = ?1", params![group, message.id.0])?;
    Ok(message)
}

/// Opens a group, and shows the oldest hidden one when there are too many.
fn open_group(
    connection: &Connection,
    line: LineId,
    sender: &str,
    concat: Concat,
    at_ms: i64,
) -> Result<(i64, Option<Message>), StoreError> {
    let sql = "SELECT id FROM groups WHERE line_id = ?1 AND message_id IS NULL ORDER BY opened_at, id";
    let hidden = all(connection, sql, [line.0], |row| row.get::<_, i64>(0))?;
    let oldest = hidden.first().filter(|_| hidden.len() >= MAX_HIDDEN_GROUPS);
    let revealed = oldest.map(|oldest| show(connection, *oldest, at_ms)).transpose()?;
    let sql = "INSERT INTO groups (line_id, sender, reference, is_16_bit, total, opened_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id";
    let values = params![line.0, sender, concat.reference, concat.is_16_bit, concat.total, at_ms];
    let group = one(connection, sql, values, |row| row.get(0))?.ok_or(StoreError::NotFound { what: "group" })?;
    Ok((group, revealed))
}

struct GroupState {
    line: LineId,
    sender: String,
    total: u8,
    message: Option<MessageId>,
    pdus: Vec<Vec<u8>>,
    stamped_at_ms: Option<i64>,
}

impl GroupState {
    fn load(connection: &Connection, group: i64) -> Result<Self, StoreError> {
        let sql = "SELECT pdu, stamped_at FROM arrivals WHERE group_id = ?1 ORDER BY sequence";
        let parts = all(connection, sql, [group], |row| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?)))?;
        let stamped_at_ms = parts.iter().filter_map(|(_, stamped_at)| *stamped_at).min();
        let pdus = parts.into_iter().map(|(pdu, _)| pdu).collect();
        let sql = "SELECT line_id, sender, total, message_id FROM groups WHERE id = ?1";
        let state = one(connection, sql, [group], |row| {
            let message = row.get::<_, Option<i64>>(3)?.map(MessageId);
            let line = LineId(row.get(0)?);
            Ok(Self { line, sender: row.get(1)?, total: row.get(2)?, message, pdus, stamped_at_ms })
        })?;
        state.ok_or(StoreError::NotFound { what: "group" })
    }
}

fn load_groups(connection: &Connection, line: LineId, sender: &str, concat: Concat) -> Result<Vec<Group>, StoreError> {
    let sql = "SELECT groups.id, completed_at, sequence, pdu, stamped_at FROM groups
               JOIN arrivals ON arrivals.group_id = groups.id
               WHERE groups.line_id = ?1 AND sender = ?2 AND reference = ?3 AND is_16_bit = ?4 AND total = ?5
               ORDER BY groups.id";
    let values = params![line.0, sender, concat.reference, concat.is_16_bit, concat.total];
    let rows = all(connection, sql, values, |row| {
        let part = GroupPart { sequence: row.get(2)?, pdu: row.get(3)?, stamped_at_ms: row.get(4)? };
        Ok((row.get::<_, i64>(0)?, row.get(1)?, part))
    })?;
    let mut groups: Vec<Group> = Vec::new();
    for (id, completed_at_ms, part) in rows {
        match groups.last_mut() {
            Some(group) if group.id == id => group.parts.push(part),
            Some(_) | None => groups.push(Group { id, completed_at_ms, parts: vec![part] }),
        }
    }
    Ok(groups)
}

/// What an arrival belongs to.
#[derive(Default)]
pub(crate) struct Arrival<'a> {
    pub(crate) kind: &'static str,
    pub(crate) message: Option<MessageId>,
    pub(crate) group: Option<(i64, &'a GroupPart)>,
}

/// Keeps the octets of an arrival. What lies in no slot needs no clearing.
pub(crate) fn insert_arrival(
    connection: &Connection,
    part: &ReceivedPart,
    arrival: &Arrival<'_>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO arrivals (line_id, kind, storage_owner, slot, pdu, received_at, cleared_at, message_id,
                                     group_id, sequence, stamped_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let cleared_at = part.slot.is_none().then_some(part.received_at_ms);
    let values = params![
        part.line.0,
        arrival.kind,
        part.storage_owner,
        part.slot,
        part.pdu,
        part.received_at_ms,
        cleared_at,
        arrival.message.map(|message| message.0),
        arrival.group.map(|(group, _)| group),
        arrival.group.map(|(_, fragment)| fragment.sequence),
        arrival.group.and_then(|(_, fragment)| fragment.stamped_at_ms),
    ];
    run(connection, sql, values)?;
    Ok(())
}

fn clear(connection: &Connection, storage_owner: &str, slot: u16, at_ms: i64) -> Result<(), StoreError> {
    let sql = "UPDATE arrivals SET cleared_at = ?3 WHERE storage_owner = ?1 AND slot = ?2 AND cleared_at IS NULL";
    run(connection, sql, params![storage_owner, slot, at_ms])?;
    Ok(())
}

fn reconcile(
    connection: &Connection,
    storage_owner: &str,
    present: Vec<StoredInSlot>,
    at_ms: i64,
) -> Result<usize, StoreError> {
    let present: HashMap<u16, Vec<u8>> = present.into_iter().map(|stored| (stored.slot, stored.pdu)).collect();
    let sql = "SELECT slot, pdu FROM arrivals
               WHERE storage_owner = ?1 AND slot IS NOT NULL AND cleared_at IS NULL";
    let uncleared =
        all(connection, sql, [storage_owner], |row| Ok((row.get::<_, u16>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let gone: Vec<u16> =
        uncleared.into_iter().filter(|(slot, pdu)| present.get(slot) != Some(pdu)).map(|(slot, _)| slot).collect();
    for slot in &gone {
        clear(connection, storage_owner, *slot, at_ms)?;
    }
    Ok(gone.len())
}
