//! What leaves a line: one part at a time, marked in the store before the modem sees it.

use super::{LineTask, STORE_PAUSE};
use crate::registry::{ModemFacts, Stage};
use crate::{clock, records};
use modem::{Command, PartToken, SendSmsError};
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use store::{ClaimedPart, PartOutcome, StoreError};
use switchboard::outbox::{NotReady, SendFailure, Verdict, after_failure};
use telecom::{LineId, PartId};
use tracing::{info, warn};

/// Longer than any delay before a retry: a part that is due later was put off by a clock that has been set back since.
const LONGEST_DELAY: Duration = Duration::from_secs(60 * 60);

/// The part that the modem has, and when to look for the next.
#[derive(Debug)]
pub(super) struct Outbox {
    in_flight: Option<ClaimedPart>,
    /// What became of a part, which the store did not take.
    unnoted: Option<(PartId, PartOutcome)>,
    next_look: Option<Instant>,
}

impl Outbox {
    /// With nothing in it.
    pub(super) fn new() -> Self {
        Self { in_flight: None, unnoted: None, next_look: None }
    }

    /// When there may be something to send without anybody asking.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.next_look.filter(|_| self.in_flight.is_none())
    }
}

impl LineTask {
    /// Hands the modem the next part that is due, if it can take one.
    pub(super) async fn send_queued(&mut self) {
        let Some(line) = self.line.filter(|_| self.outbox.in_flight.is_none()) else { return };
        self.outbox.next_look = None;
        if let Some((part, outcome)) = self.outbox.unnoted.take() {
            self.finish(part, outcome).await;
            if self.outbox.unnoted.is_some() {
                return;
            }
        }
        let usable = self.context.registry.line(line).is_some_and(|facts| facts.is_usable());
        if !usable {
            // Registration or readiness wakes it.
            return;
        }
        match self.claim(line).await {
            Ok(Some(part)) => {
                let command = Command::SendSms {
                    token: PartToken(part.part.0),
                    pdu: part.pdu.bytes.clone(),
                    tpdu_length: part.pdu.tpdu_length,
                };
                self.outbox.in_flight = Some(part);
                self.command(command).await;
            }
            Ok(None) => {}
            Err(error) => {
                self.store_failed("looking for something to send", &error);
                self.outbox.next_look = Some(clock::now() + STORE_PAUSE);
            }
        }
    }

    async fn claim(&mut self, line: LineId) -> Result<Option<ClaimedPart>, StoreError> {
        let Some(due_ms) = self.context.store.next_due(line).await? else { return Ok(None) };
        let (now, now_ms) = (clock::now(), clock::unix_ms());
        if let Ok(wait_ms) = u64::try_from(due_ms.saturating_sub(now_ms))
            && wait_ms > 0
            && let wait = Duration::from_millis(wait_ms)
            && wait <= LONGEST_DELAY
        {
            self.outbox.next_look = Some(now + wait);
            return Ok(None);
        }
        let allowed = self.context.limiter.lock().unwrap_or_else(PoisonError::into_inner).try_take(line, now);
        if let Err(allowed_at) = allowed {
            self.outbox.next_look = Some(allowed_at);
            return Ok(None);
        }
        self.context.store.claim_next_part(line, now_ms).await
    }

    pub(super) async fn on_sent(&mut self, token: PartToken, reference: u8) {
        if let Some(part) = self.landed(token) {
            info!(line = ?self.line, message = %part.message, "SMS part sent");
            self.finish(part.part, PartOutcome::Sent { reference }).await;
        }
        self.send_queued().await;
    }

    pub(super) async fn on_send_failed(&mut self, token: PartToken, error: &SendSmsError) {
        if let Some(part) = self.landed(token) {
            let verdict = after_failure(&self.failure(error), part.attempt);
            warn!(line = ?self.line, message = %part.message, %error, ?verdict, "SMS part not sent");
            let outcome = match verdict {
                Verdict::RetryAfter(delay) => {
                    let delay_ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
                    PartOutcome::Requeue { not_before_ms: clock::unix_ms().saturating_add(delay_ms) }
                }
                Verdict::Fail(reason) => PartOutcome::Failed { error: reason.to_string() },
                Verdict::Unknown => PartOutcome::Unknown,
            };
            self.finish(part.part, outcome).await;
        }
        self.send_queued().await;
    }

    /// The port is gone: whether the part left is unknown, and it is not sent again behind anybody's back.
    pub(super) async fn give_up_sending(&mut self) {
        if let Some(part) = self.outbox.in_flight.take() {
            warn!(line = ?self.line, message = %part.message, "the modem was lost while it sent an SMS part");
            self.finish(part.part, PartOutcome::Unknown).await;
        }
        if let Some((part, outcome)) = self.outbox.unnoted.take() {
            self.finish(part, outcome).await;
        }
    }

    fn landed(&mut self, token: PartToken) -> Option<ClaimedPart> {
        let is_it = self.outbox.in_flight.as_ref().is_some_and(|part| part.part == PartId(token.0));
        if is_it { self.outbox.in_flight.take() } else { None }
    }

    async fn finish(&mut self, part: PartId, outcome: PartOutcome) {
        let now = clock::unix_ms();
        match self.context.store.finish_part(part, outcome.clone(), now).await {
            Ok(message) => self.publish(&api::ServerEvent::MessageStatus(records::status_change(&message, now))),
            Err(error) => {
                self.store_failed("noting what became of an SMS part", &error);
                // Until the store takes it, the part stays "sending", which a new start makes "unknown": it is never
                // sent twice.
                if matches!(error, StoreError::Full | StoreError::Failed(_)) {
                    self.outbox.unnoted = Some((part, outcome));
                    self.outbox.next_look = Some(clock::now() + STORE_PAUSE);
                }
            }
        }
    }

    fn failure(&self, error: &SendSmsError) -> SendFailure {
        match error {
            SendSmsError::Refused { code, .. } => SendFailure::Refused { cms: *code },
            SendSmsError::Silent => SendFailure::Silent,
            SendSmsError::NotReady(_) => {
                let facts = self.line.and_then(|line| self.context.registry.line(line));
                SendFailure::NotReady(facts.as_ref().map_or(NotReady::NoModem, obstacle))
            }
        }
    }
}

fn obstacle(facts: &ModemFacts) -> NotReady {
    match &facts.stage {
        Stage::Sim(modem::SimState::Absent) => NotReady::NoSim,
        Stage::Sim(modem::SimState::PinNeeded { .. } | modem::SimState::PinWrong { .. }) => NotReady::PinNeeded,
        Stage::Sim(modem::SimState::PukNeeded { .. }) => NotReady::PukNeeded,
        Stage::Ready if !facts.is_usable() => NotReady::NotRegistered,
        Stage::Ready | Stage::Starting | Stage::Failed(_) | Stage::Sim(_) => NotReady::Starting,
    }
}
