//! What the tests of the store share: a store in a new directory, a line, and parts as a network would send them.
#![allow(dead_code, reason = "each test file uses its own share")]
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use sms_pdu::{
    DeliverSpec, ReportStatus, ServiceCentreTimestamp, SmsStatusReport, encode_deliver, encode_status_report, segment,
};
use store::{Line, Message, ReceiveOutcome, Received, ReceivedPart, SimIdentity, Store};
use tempfile::TempDir;

pub(crate) const STORAGE: &str = "ME:490154203237518";
pub(crate) const ANN: &str = "+33600000002";
pub(crate) const NOON: i64 = 1_800_000_000;

pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) line: Line,
    pub(crate) directory: TempDir,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let store = Store::open(directory.path().join("box.db")).unwrap();
        let line = ensure_line(&store, "8933150319000000123", Some("+33600000001")).await;
        Self { store, line, directory }
    }

    /// Starts the store again on the same file.
    pub(crate) fn reopen(&mut self) {
        self.close();
        self.store = Store::open(self.directory.path().join("box.db")).unwrap();
    }

    /// Lets go of the file; the store in its place is another.
    pub(crate) fn close(&mut self) {
        self.store = Store::open(self.directory.path().join("other.db")).unwrap();
    }

    pub(crate) fn part(&self, slot: impl Into<Option<u16>>, pdu: &[u8]) -> ReceivedPart {
        ReceivedPart {
            line: self.line.id,
            storage_owner: STORAGE.to_owned(),
            slot: slot.into(),
            pdu: pdu.to_vec(),
            received_at_ms: NOON * 1000,
        }
    }

    pub(crate) async fn receive(&self, slot: impl Into<Option<u16>>, pdu: &[u8]) -> Received {
        let received = self.store.receive_part(self.part(slot, pdu)).await.unwrap();
        assert!(received.may_clear);
        received
    }

    pub(crate) async fn texts(&self) -> Vec<String> {
        self.messages().await.into_iter().map(|message| message.body).collect()
    }

    pub(crate) async fn messages(&self) -> Vec<Message> {
        let mut messages = Vec::new();
        for chat in self.store.list_chats(100, 0).await.unwrap() {
            let page = store::MessagePage { limit: 1000, ..Default::default() };
            messages.extend(self.store.list_messages(chat.id, page).await.unwrap());
        }
        messages
    }
}

pub(crate) async fn ensure_line(store: &Store, iccid: &str, number: Option<&str>) -> Line {
    let sim = SimIdentity {
        iccid: iccid.parse().unwrap(),
        imsi: Some("208011234567890".parse().unwrap()),
        number: number.map(|number| number.parse().unwrap()),
    };
    store.ensure_line(sim, 1).await.unwrap().into_inner()
}

/// The parts of `text` as the network delivers them.
pub(crate) fn deliver(sender: &str, text: &str, reference: u8, stamped_at: i64) -> Vec<Vec<u8>> {
    let parts = segment(text, reference).unwrap().parts;
    let spec = |part| DeliverSpec {
        smsc: None,
        sender: telecom::Address::from_text(sender),
        timestamp: ServiceCentreTimestamp::from_unix_seconds(stamped_at, 4),
        protocol_id: 0,
        part,
    };
    parts.into_iter().map(|part| encode_deliver(&spec(part))).collect()
}

pub(crate) fn single(sender: &str, text: &str) -> Vec<u8> {
    deliver(sender, text, 0, NOON).remove(0)
}

pub(crate) fn report(recipient: &str, reference: u8, status: u8, stamped_at: i64) -> Vec<u8> {
    encode_status_report(&SmsStatusReport {
        smsc: None,
        reference,
        recipient: telecom::Address::from_text(recipient),
        timestamp: ServiceCentreTimestamp::from_unix_seconds(stamped_at, 4),
        discharge: ServiceCentreTimestamp::from_unix_seconds(stamped_at + 2, 4),
        status: ReportStatus::from_code(status),
    })
}

/// The outcome in one word, with the text of the message that it made or changed.
pub(crate) fn said(received: &Received) -> String {
    match &received.outcome {
        ReceiveOutcome::New(message) => format!("new: {}", message.body),
        ReceiveOutcome::Updated(message) => format!("updated: {}", message.body),
        ReceiveOutcome::Held => "held".to_owned(),
        ReceiveOutcome::Duplicate => "duplicate".to_owned(),
        ReceiveOutcome::Report { message: Some(message) } => format!("report: {}", message.status.as_str()),
        ReceiveOutcome::Report { message: None } => "report".to_owned(),
    }
}
