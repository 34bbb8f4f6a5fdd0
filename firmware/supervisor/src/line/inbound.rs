//! What arrives on a line: stored first, cleared from the modem after.

use super::{LineTask, RESWEEP};
use crate::{clock, records};
use futures_util::future::join_all;
use modem::{Command, StorageMemory, StorageSlot, StoredPart};
use std::collections::BTreeMap;
use store::{ReceiveOutcome, Received, ReceivedPart, StoreError, StoredInSlot};
use telecom::LineId;
use tracing::{error, info, warn};

/// The most SMS without a copy on the modem that wait for the store.
const MOST_DIRECT: usize = 256;
/// Parts of a sweep that share a commit.
const SWEPT_AT_ONCE: usize = 32;

impl LineTask {
    pub(super) async fn on_stored(&mut self, part: StoredPart) {
        let Some(owner) = self.storage_owner(part.slot.memory) else {
            warn!(modem = %self.usb_path, "an SMS before the SIM was known; the sweep finds it");
            return;
        };
        let may_clear = self.receive(owner, Some(part.slot.index), part.pdu).await;
        self.clear_or_find_again(part.slot, may_clear).await;
    }

    async fn clear_or_find_again(&mut self, slot: StorageSlot, may_clear: bool) {
        if may_clear {
            self.command(Command::ClearSlot(slot)).await;
        } else {
            // It stays on the modem, which is the only copy.
            self.resweep_at = Some(clock::now() + RESWEEP);
        }
    }

    pub(super) async fn on_direct(&mut self, pdu: Vec<u8>) {
        if self.direct.len() >= MOST_DIRECT {
            error!(modem = %self.usb_path, "too many SMS wait for the store: the oldest is lost");
            self.direct.pop_front();
        }
        self.direct.push_back(pdu);
        self.store_direct().await;
    }

    /// Stores what the modem delivered without keeping it, in the order in which it came, as far as the store takes it.
    pub(super) async fn store_direct(&mut self) {
        while let Some(pdu) = self.direct.front().cloned() {
            let owner = self.iccid.as_ref().map_or_else(|| "DIRECT".to_owned(), |iccid| format!("DIRECT:{iccid}"));
            if !self.receive(owner, None, pdu).await {
                self.resweep_at = Some(clock::now() + RESWEEP);
                return;
            }
            self.direct.pop_front();
        }
    }

    /// Everything that lies on the modem, among it what arrived while the box was off.
    pub(super) async fn on_swept(&mut self, parts: Vec<StoredPart>) {
        let memories = [StorageMemory::Me, StorageMemory::Sm, StorageMemory::Sr];
        let mut present: BTreeMap<StorageMemory, Vec<StoredInSlot>> =
            memories.into_iter().map(|memory| (memory, Vec::new())).collect();
        for part in &parts {
            let stored = StoredInSlot { slot: part.slot.index, pdu: part.pdu.clone() };
            present.entry(part.slot.memory).or_default().push(stored);
        }
        for (memory, present) in present {
            let Some(owner) = self.storage_owner(memory) else { continue };
            if let Err(error) = self.context.store.reconcile_sweep(owner, present, clock::unix_ms()).await {
                self.store_failed("comparing stored SMS", &error);
                self.resweep_at = Some(clock::now() + RESWEEP);
                return;
            }
        }
        // In this order and at once: an event that follows may say that a slot has been cleared.
        let mut is_all_stored = true;
        for batch in parts.chunks(SWEPT_AT_ONCE) {
            is_all_stored &= self.store_swept(batch).await;
        }
        if is_all_stored {
            self.settle_memory().await;
        }
    }

    /// What the memory holds from here on arrived on the line that the modem carries.
    async fn settle_memory(&mut self) {
        let (Some(modem), Some(line)) = (self.modem.clone(), self.line) else { return };
        if self.memory_line == Some(line) {
            return;
        }
        match self.context.store.set_memory_line(modem, line).await {
            Ok(()) => self.memory_line = Some(line),
            Err(error) => self.store_failed("noting whose messages a modem holds", &error),
        }
    }

    /// The line of a part that a sweep found: a modem's own memory may hold what arrived on the SIM before. What is
    /// announced arrived on the SIM that is in the modem.
    fn line_of_swept(&self, memory: StorageMemory) -> Option<LineId> {
        let line = self.line?;
        match memory {
            StorageMemory::Me | StorageMemory::Sr => Some(self.memory_line.unwrap_or(line)),
            StorageMemory::Sm => Some(line),
        }
    }

    /// Stores a few of the parts that a sweep found; they share a commit, so that a full modem is read in no time.
    /// Says whether all are durable.
    async fn store_swept(&mut self, batch: &[StoredPart]) -> bool {
        let received = join_all(batch.iter().map(|part| {
            let arrival = self.storage_owner(part.slot.memory).and_then(|owner| {
                let line = self.line_of_swept(part.slot.memory);
                self.arrival(line, owner, Some(part.slot.index), part.pdu.clone())
            });
            let store = self.context.store.clone();
            async move {
                match arrival {
                    Some(arrival) => Some(store.receive_part(arrival).await),
                    None => None,
                }
            }
        }))
        .await;
        let mut is_all_stored = true;
        for (part, received) in batch.iter().zip(received) {
            let may_clear = match received {
                Some(received) => self.on_received(received).await,
                None => false,
            };
            is_all_stored &= may_clear;
            self.clear_or_find_again(part.slot, may_clear).await;
        }
        is_all_stored
    }

    pub(super) async fn on_cleared(&mut self, slot: StorageSlot) {
        let Some(owner) = self.storage_owner(slot.memory) else { return };
        if let Err(error) = self.context.store.mark_cleared(owner, slot.index, clock::unix_ms()).await {
            // The next sweep shows that the slot is empty.
            self.store_failed("noting a deleted SMS", &error);
        }
    }

    /// Stores a part; true when it is durable and its slot may be cleared.
    async fn receive(&mut self, storage_owner: String, slot: Option<u16>, pdu: Vec<u8>) -> bool {
        match self.arrival(self.line, storage_owner, slot, pdu) {
            Some(part) => self.on_received(self.context.store.receive_part(part).await).await,
            None => false,
        }
    }

    /// What is to be stored, where the line is known and there is room.
    fn arrival(
        &self,
        line: Option<LineId>,
        storage_owner: String,
        slot: Option<u16>,
        pdu: Vec<u8>,
    ) -> Option<ReceivedPart> {
        let line = line?;
        if self.context.space.is_short() {
            warn!(modem = %self.usb_path, "an SMS stays in the modem: the disk is full");
            return None;
        }
        Some(ReceivedPart { line, storage_owner, slot, pdu, received_at_ms: clock::unix_ms() })
    }

    async fn on_received(&self, received: Result<Received, StoreError>) -> bool {
        match received {
            Ok(Received { outcome, revealed, may_clear }) => {
                info!(line = self.line.map(tracing::field::display), outcome = word(&outcome), "SMS part received");
                if let Some(message) = revealed {
                    self.context.hub.publish_message(&self.context.store, message).await;
                }
                self.publish_outcome(outcome).await;
                may_clear
            }
            Err(error) => {
                self.store_failed("storing an SMS", &error);
                false
            }
        }
    }

    async fn publish_outcome(&self, outcome: ReceiveOutcome) {
        match outcome {
            ReceiveOutcome::New(message) => self.context.hub.publish_message(&self.context.store, message).await,
            ReceiveOutcome::Updated(message) => {
                self.publish(&api::ServerEvent::MessageUpdate(Box::new(records::message(message))));
            }
            ReceiveOutcome::Report { message: Some(message) } => {
                self.publish(&api::ServerEvent::MessageStatus(records::status_change(&message, clock::unix_ms())));
            }
            ReceiveOutcome::Held | ReceiveOutcome::Duplicate | ReceiveOutcome::Report { message: None } => {}
        }
    }

    pub(super) fn publish(&self, event: &api::ServerEvent) {
        self.context.hub.publish(event);
    }

    /// Whose memory it is: the modem's own moves with the modem, the SIM's with the SIM.
    fn storage_owner(&self, memory: StorageMemory) -> Option<String> {
        match memory {
            StorageMemory::Me => self.memory_owner.as_ref().map(|owner| format!("ME:{owner}")),
            StorageMemory::Sm => self.iccid.as_ref().map(|iccid| format!("SM:{iccid}")),
            StorageMemory::Sr => self.memory_owner.as_ref().map(|owner| format!("SR:{owner}")),
        }
    }
}

fn word(outcome: &ReceiveOutcome) -> &'static str {
    match outcome {
        ReceiveOutcome::New(_) => "new message",
        ReceiveOutcome::Updated(_) => "message completed",
        ReceiveOutcome::Held => "waits for the other parts",
        ReceiveOutcome::Duplicate => "known already",
        ReceiveOutcome::Report { .. } => "delivery report",
    }
}
