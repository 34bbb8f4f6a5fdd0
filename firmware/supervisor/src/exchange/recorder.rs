//! Writes calls down and tells of them, in the order in which things happened.

use crate::hub::Hub;
use crate::registry::Registry;
use crate::{clock, records};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{CallChange, CallDirection, CallStatus, NewCall, Store, StoreError};
use switchboard::calls::{self, CallRecord, Direction};
use telecom::{CallId, PhoneNumber};
use tokio::sync::mpsc;
use tracing::error;

/// How a caller without a number is written.
const WITHHELD: &str = "";

/// How often a record is tried that the store does not take. What it still has open then, the next start closes.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps the history of calls.
pub(super) struct Recorder {
    store: Store,
    hub: Hub,
    registry: Arc<Registry>,
    /// The calls that are not over, with what was told of them last.
    open: HashMap<CallId, CallStatus>,
}

impl Recorder {
    /// A recorder that knows no call.
    pub(super) fn new(store: Store, hub: Hub, registry: Arc<Registry>) -> Self {
        Self { store, hub, registry, open: HashMap::new() }
    }

    /// Works until `records` closes.
    pub(super) async fn run(mut self, mut records: mpsc::Receiver<CallRecord>) {
        while let Some(record) = records.recv().await {
            for attempt in 1..=ATTEMPTS {
                match self.keep(&record).await {
                    Ok(()) => break,
                    Err(error) => {
                        error!(call = %record.id, attempt, error = %crate::chain::Chain(&error), "a call was not recorded");
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn keep(&mut self, record: &CallRecord) -> Result<(), StoreError> {
        let status = status(record);
        let told = self.open.get(&record.id).copied();
        if told.is_none() {
            match self.store.insert_call(self.new_call(record)).await {
                // An attempt before this one came as far as that.
                Ok(_) | Err(StoreError::Exists { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let change = CallChange {
            status: Some(status),
            answer_at_ms: record.answered.map(wall),
            end_at_ms: record.ended.map(wall),
            answered_by_username: None,
            answered_by_extension: record.extension.clone().filter(|_| record.answered.is_some()),
            pbx_call_id: None,
            recording_url: None,
        };
        let call = records::call(self.store.update_call(record.id.clone(), change).await?);
        if record.ended.is_some() {
            self.open.remove(&record.id);
            self.hub.publish(&api::ServerEvent::CallEnded(Box::new(call)));
            let changed = api::CallsChanged { reason: "call_ended".to_owned() };
            return {
                self.hub.publish(&api::ServerEvent::CallHistoryUpdate(changed));
                Ok(())
            };
        }
        self.open.insert(record.id.clone(), status);
        match (told, status) {
            (None, CallStatus::Ringing) if record.direction == Direction::Incoming => {
                self.hub.publish(&api::ServerEvent::IncomingCall(api::IncomingCall::from(&call)));
            }
            (told, CallStatus::Answered) if told != Some(CallStatus::Answered) => {
                self.forget_alarm(record);
                self.hub.publish(&api::ServerEvent::CallAnswered(Box::new(call)));
            }
            _ => {}
        }
        Ok(())
    }

    fn new_call(&self, record: &CallRecord) -> NewCall {
        let own = record.line.and_then(|line| self.registry.line(line)).and_then(|facts| facts.number);
        let own = own.map_or_else(|| WITHHELD.to_owned(), |number| number.to_string());
        let other = record.number.as_ref().map_or_else(|| WITHHELD.to_owned(), PhoneNumber::to_string);
        let (direction, caller_number, called_number) = match record.direction {
            Direction::Incoming => (CallDirection::Incoming, other, own),
            Direction::Outgoing => (CallDirection::Outgoing, own, other),
        };
        NewCall {
            id: record.id.clone(),
            direction,
            caller_number,
            called_number,
            caller_name: None,
            line: record.line,
            pbx_call_id: None,
            start_at_ms: wall(record.started),
        }
    }

    /// What the last call said about the sound is no proof about this one.
    fn forget_alarm(&self, record: &CallRecord) {
        if let Some(facts) = record.line.and_then(|line| self.registry.line(line)) {
            self.registry.update(&facts.usb_path, |facts| facts.audio_alarm = None);
        }
    }
}

fn status(record: &CallRecord) -> CallStatus {
    match record.status {
        calls::CallStatus::Ringing => CallStatus::Ringing,
        calls::CallStatus::Answered => CallStatus::Answered,
        calls::CallStatus::Voicemail | calls::CallStatus::Missed => CallStatus::Missed,
        calls::CallStatus::Rejected => CallStatus::Rejected,
        calls::CallStatus::Busy => CallStatus::Busy,
        calls::CallStatus::Failed => CallStatus::Failed,
    }
}

/// The wall time of a monotonic one, as the wall stands now.
fn wall(at: Instant) -> i64 {
    let ago = clock::now().saturating_duration_since(at);
    clock::unix_ms().saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::CallFilter;
    use telecom::HangUpCause;

    #[tokio::test]
    async fn a_call_that_was_kept_by_half_is_kept_whole_at_the_next_attempt() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("box.db")).unwrap();
        let mut recorder = Recorder::new(store.clone(), Hub::default(), Arc::default());
        let began = clock::now();
        let mut record = CallRecord {
            id: "0123456789abcdef".parse().unwrap(),
            line: None,
            line_name: String::new(),
            direction: Direction::Incoming,
            number: None,
            extension: None,
            status: calls::CallStatus::Ringing,
            cause: None,
            started: began,
            answered: None,
            ended: None,
        };
        // The disk was full between the two writes.
        store.insert_call(recorder.new_call(&record)).await.unwrap();
        recorder.keep(&record).await.unwrap();
        (record.status, record.cause) = (calls::CallStatus::Missed, Some(HangUpCause::Normal));
        record.ended = Some(began);
        recorder.keep(&record).await.unwrap();
        let kept = store.list_calls(CallFilter { limit: 9, ..CallFilter::default() }).await.unwrap();
        assert_eq!(
            kept.iter().map(|call| (call.status, call.end_at_ms.is_some())).collect::<Vec<_>>(),
            [(CallStatus::Missed, true)]
        );
    }
}
