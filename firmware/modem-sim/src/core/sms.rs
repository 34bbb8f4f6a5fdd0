//! Short messages: memories with slots, the way in from the network and the way out.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::fault::Fault;
use super::output::ControlError;
use super::timers::Timer;
use super::{Family, Power, SimModem};
use crate::gsm::alphabet::{from_hex, from_septets, from_ucs2, to_hex, to_septets, to_ucs2};
use crate::gsm::tpdu::{Deliver, StatusReport, Timestamp, UserData, service_centre_octets};

/// Time that the network gives a host to acknowledge (TS 24.011 §10.2).
const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(10);
/// Messages that the network keeps for one modem.
const MAILBOX_LIMIT: usize = 10_000;

/// Status of a stored message, by its number in PDU mode (TS 27.005 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    ReceivedUnread,
    ReceivedRead,
    StoredUnsent,
    StoredSent,
}

impl Status {
    pub(super) const ALL: [Self; 4] = [Self::ReceivedUnread, Self::ReceivedRead, Self::StoredUnsent, Self::StoredSent];

    pub(super) fn code(self) -> u8 {
        match self {
            Self::ReceivedUnread => 0,
            Self::ReceivedRead => 1,
            Self::StoredUnsent => 2,
            Self::StoredSent => 3,
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::ReceivedUnread => "REC UNREAD",
            Self::ReceivedRead => "REC READ",
            Self::StoredUnsent => "STO UNSENT",
            Self::StoredSent => "STO SENT",
        }
    }
}

/// A message in a slot.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) status: Status,
    pub(super) pdu: Vec<u8>,
}

/// One of the memories `ME`, `SM` and `SR`.
pub(super) struct Memory {
    pub(super) name: &'static str,
    pub(super) slots: Vec<Option<Stored>>,
}

impl Memory {
    fn new(name: &'static str, size: usize) -> Self {
        Self { name, slots: vec![None; size] }
    }

    pub(super) fn used(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    pub(super) fn put(&mut self, stored: Stored) -> Option<usize> {
        let (index, slot) = self.slots.iter_mut().enumerate().find(|(_, slot)| slot.is_none())?;
        *slot = Some(stored);
        Some(index)
    }
}

/// What the network is to deliver.
pub(super) struct Arrival {
    pub(super) from: String,
    pub(super) text: String,
    pub(super) parts_order: Option<Vec<u8>>,
    pub(super) class: Option<u8>,
    pub(super) reference: Option<u8>,
}

/// Memories, service level and what waits in the network.
pub(super) struct Messages {
    memories: Vec<Memory>,
    /// Places in `memories` for reading, writing and receiving.
    pub(super) chosen: Option<[&'static str; 3]>,
    /// `CSMS` service.
    pub(super) service: u8,
    /// Set by the host in place of the one on the SIM.
    pub(super) service_centre: Option<String>,
    /// Delivered directly and not acknowledged.
    unacknowledged: Option<Vec<u8>>,
    mailbox: VecDeque<Vec<u8>>,
    told_full: bool,
    next_reference: u8,
    pub(super) next_serial: u64,
    next_concat: u8,
}

impl Messages {
    pub(super) fn new(sim_slots: usize) -> Self {
        Self {
            memories: vec![Memory::new("ME", 255), Memory::new("SM", sim_slots), Memory::new("SR", 20)],
            chosen: None,
            service: 0,
            service_centre: None,
            unacknowledged: None,
            mailbox: VecDeque::new(),
            told_full: false,
            next_reference: 0,
            next_serial: 1,
            next_concat: 1,
        }
    }

    pub(super) fn power_off(&mut self) {
        self.chosen = None;
        self.service = 0;
        self.service_centre = None;
        self.told_full = false;
        if let Some(pdu) = self.unacknowledged.take() {
            self.mailbox.push_front(pdu);
        }
    }

    pub(super) fn usage(&self) -> Vec<(&'static str, usize, usize)> {
        self.memories.iter().map(|memory| (memory.name, memory.used(), memory.slots.len())).collect()
    }

    pub(super) fn waiting(&self) -> usize {
        self.mailbox.len()
    }

    pub(super) fn memory(&self, name: &str) -> Option<&Memory> {
        self.memories.iter().find(|memory| memory.name == name)
    }

    pub(super) fn memory_mut(&mut self, name: &str) -> Option<&mut Memory> {
        self.memories.iter_mut().find(|memory| memory.name == name)
    }

    /// Takes the acknowledgement of the host; returns whether one was due.
    pub(super) fn acknowledge(&mut self) -> bool {
        self.unacknowledged.take().is_some()
    }

    pub(super) fn reference(&mut self) -> u8 {
        let reference = self.next_reference;
        self.next_reference = self.next_reference.wrapping_add(1);
        reference
    }
}

impl SimModem {
    /// Delivers a text in as many parts as it needs.
    pub(super) fn on_arrival(&mut self, arrival: &Arrival, now: Instant) -> Result<(), ControlError> {
        let reference = arrival.reference.unwrap_or(self.sms.next_concat);
        self.sms.next_concat = self.sms.next_concat.wrapping_add(1);
        let parts = UserData::segment(&arrival.text, reference);
        let in_order: Vec<u8> = (1..=u8::try_from(parts.len()).unwrap_or(u8::MAX)).collect();
        let order = arrival.parts_order.as_ref().unwrap_or(&in_order);
        let mut pdus = Vec::new();
        for number in order {
            let position = usize::from(*number).checked_sub(1).ok_or(ControlError::NoSuchPart(*number))?;
            let data = parts.get(position).cloned().ok_or(ControlError::NoSuchPart(*number))?;
            let data = match arrival.class {
                Some(class) => data.with_class(class),
                None => data,
            };
            pdus.push(self.deliver_pdu(&arrival.from, data, now));
        }
        self.sms.mailbox.extend(pdus);
        self.empty_mailbox(now);
        Ok(())
    }

    pub(super) fn on_pdu_from_network(&mut self, pdu: &str, now: Instant) -> Result<(), ControlError> {
        let octets = from_hex(pdu.trim()).ok_or_else(|| ControlError::BadPdu("not hexadecimal".to_owned()))?;
        if octets.len() <= service_centre_octets(&octets) {
            return Err(ControlError::BadPdu("nothing after the service centre".to_owned()));
        }
        self.sms.mailbox.push_back(octets);
        self.empty_mailbox(now);
        Ok(())
    }

    pub(super) fn on_network_back(&mut self, now: Instant) {
        self.empty_mailbox(now);
    }

    pub(super) fn on_storage_changed(&mut self, now: Instant) {
        self.sms.told_full = false;
        self.empty_mailbox(now);
    }

    pub(super) fn on_report(&mut self, pdu: Vec<u8>, now: Instant) {
        self.sms.mailbox.push_back(pdu);
        self.empty_mailbox(now);
    }

    pub(super) fn on_acknowledge_missing(&mut self, now: Instant) {
        let Some(pdu) = self.sms.unacknowledged.take() else { return };
        let mut values: Vec<String> = self.settings.text("+CNMI").split(',').map(str::to_owned).collect();
        for position in [1, 3] {
            if let Some(value) = values.get_mut(position) {
                *value = "0".to_owned();
            }
        }
        self.settings.set("+CNMI", values.join(","));
        self.sms.mailbox.push_front(pdu);
        self.empty_mailbox(now);
    }

    /// Names of the memories for reading, writing and receiving.
    pub(super) fn memories(&self) -> [&'static str; 3] {
        let default = match self.personality.family {
            Family::Quectel => "ME",
            Family::Simcom => "SM",
        };
        self.sms.chosen.unwrap_or([default; 3])
    }

    pub(super) fn is_full(&self, name: &str) -> bool {
        let is_full = self.sms.memory(name).is_none_or(|memory| memory.used() >= memory.slots.len());
        is_full || self.faults.has(&Fault::StorageFull { memory: name.to_owned(), on: true })
    }

    /// Renders `text` with one character for each octet of the character set in use.
    pub(super) fn in_character_set(&self, text: &str) -> String {
        match self.character_set() {
            "UCS2" => to_hex(&to_ucs2(text)),
            "GSM" => match to_septets(text) {
                Some(septets) => septets.into_iter().map(char::from).collect(),
                None => to_hex(&to_ucs2(text)),
            },
            _ if text.is_ascii() => text.to_owned(),
            _ => text.chars().map(|character| if character.is_ascii() { character } else { '?' }).collect(),
        }
    }

    /// Reads what the host wrote in the character set in use.
    pub(super) fn decode_host_text(&self, octets: &[u8]) -> String {
        let plain: String = octets.iter().map(|octet| char::from(*octet)).collect();
        match self.character_set() {
            "UCS2" => from_hex(plain.trim()).map_or(plain, |octets| from_ucs2(&octets)),
            "GSM" => from_septets(octets),
            _ => plain,
        }
    }

    /// Returns the PDU of a message with the date of the network.
    fn deliver_pdu(&self, from: &str, data: UserData, now: Instant) -> Vec<u8> {
        let smsc = self.profile.sim.as_ref().map_or_else(String::new, |sim| sim.smsc.clone());
        let timestamp = Timestamp::from_unix(self.unix_seconds(now));
        Deliver { smsc, sender: from.to_owned(), protocol: 0, timestamp, data }.encode()
    }

    fn is_reachable(&self) -> bool {
        self.power == Power::On && self.card.usable().is_ok() && self.radio.registration.is_registered()
    }

    pub(super) fn empty_mailbox(&mut self, now: Instant) {
        self.sms.mailbox.truncate(MAILBOX_LIMIT);
        let mut kept = VecDeque::new();
        // Messages wait in their order, and so do reports; a memory that is full for one takes the other.
        let mut is_held = [false; 2];
        while self.is_reachable() {
            let Some(pdu) = self.sms.mailbox.pop_front() else { break };
            let [messages, reports] = &mut is_held;
            let is_held = if StatusReport::parse(&pdu).is_ok() { reports } else { messages };
            if *is_held || !self.hand_over(&pdu, now) {
                *is_held = true;
                kept.push_back(pdu);
            }
        }
        kept.append(&mut self.sms.mailbox);
        self.sms.mailbox = kept;
    }

    /// Gives one message or report to the host; returns false when the network has to keep it.
    fn hand_over(&mut self, pdu: &[u8], now: Instant) -> bool {
        if StatusReport::parse(pdu).is_ok() {
            return self.hand_over_report(pdu, now);
        }
        let class = Deliver::parse(pdu).ok().and_then(|deliver| deliver.data.class());
        let is_direct = match (self.settings.number("+CNMI", 1), class) {
            (0, _) | (_, Some(2)) => false,
            (2, _) | (_, Some(0)) | (3, Some(3)) => true,
            _ => false,
        };
        if is_direct {
            return self.hand_over_directly("+CMT", pdu, now);
        }
        let memory = if class == Some(2) { "SM" } else { self.memories()[2] };
        let announces = self.settings.number("+CNMI", 1) > 0;
        self.store_arrival(memory, pdu, announces.then_some("+CMTI"))
    }

    fn hand_over_report(&mut self, pdu: &[u8], now: Instant) -> bool {
        match self.settings.number("+CNMI", 3) {
            1 => self.hand_over_directly("+CDS", pdu, now),
            2 => self.store_report(pdu),
            _ => true,
        }
    }

    fn store_report(&mut self, pdu: &[u8]) -> bool {
        let announcement = if self.personality.quirks.announces_reports_in_sim { "\"SM\",0" } else { "\"SR\",0" };
        if self.faults.has(&Fault::ReportsHidden { on: true }) {
            self.urc(&format!("+CDSI: {announcement}"));
            return true;
        }
        if !self.personality.quirks.announces_reports_in_sim {
            return self.store_arrival("SR", pdu, Some("+CDSI"));
        }
        let is_stored = self.store_arrival("SR", pdu, None);
        if is_stored {
            self.urc(&format!("+CDSI: {announcement}"));
        }
        is_stored
    }

    fn hand_over_directly(&mut self, code: &str, pdu: &[u8], now: Instant) -> bool {
        if self.sms.unacknowledged.is_some() {
            return false;
        }
        let (header, body) = self.direct_lines(code, pdu);
        match body {
            Some(body) => self.urc_pair(&header, &body),
            None => self.urc(&header),
        }
        if self.sms.service == 1 {
            self.sms.unacknowledged = Some(pdu.to_vec());
            self.timers.add(now + ACKNOWLEDGE_WITHIN, Timer::AcknowledgeMissing);
        }
        true
    }

    fn store_arrival(&mut self, memory: &'static str, pdu: &[u8], announcement: Option<&str>) -> bool {
        if self.is_full(memory) {
            let tells = self.settings.keyed("+QINDCFG", "smsfull") == Some("1");
            if tells && !self.sms.told_full {
                self.urc(&format!("+QIND: \"smsfull\",\"{memory}\""));
            }
            self.sms.told_full = true;
            return false;
        }
        let stored = Stored { status: Status::ReceivedUnread, pdu: pdu.to_vec() };
        let Some(index) = self.sms.memory_mut(memory).and_then(|memory| memory.put(stored)) else { return false };
        if let Some(code) = announcement {
            let hides = self.faults.take(|fault| matches!(fault, Fault::IndexMinusOne { .. }).then_some(()));
            let index = if hides.is_some() { "-1".to_owned() } else { index.to_string() };
            self.urc(&format!("{code}: \"{memory}\",{index}"));
        }
        true
    }
}
