//! The end of a call: everything that it had opened is closed, and asked for again until that is confirmed.

use std::time::{Duration, Instant};

use asterisk::ari::Request;
use telecom::HangUpCause;

use super::effect::{AriFailure, Effect, MediaCommand};
use super::exchange::{Asked, Exchange};
use super::record::CallStatus;
use super::requests;
use super::state::{Call, Leg, ModemSide, RESOURCES, Resource, Sound, Stage};

/// How long a confirmation may take before closing is asked for again.
const CONFIRM_WITHIN: Duration = Duration::from_secs(5);

/// After so many times the modem is taken as free, for its own watchdog deals with what it still holds, and Asterisk's
/// part is left to the next connection.
const GIVE_UP_AFTER: u8 = 3;

impl Exchange {
    /// Ends a call, with `status` when nobody had answered it. What is already closed on one side must be marked so
    /// before.
    pub(super) fn end(&mut self, call: &mut Call, status: CallStatus, cause: HangUpCause, now: Instant) {
        if call.is_closing() {
            return;
        }
        let was_up = call.stage == Stage::Up;
        call.stage = Stage::Closing { attempts: 0 };
        call.deadline = Some(now + CONFIRM_WITHIN);
        call.lease_at = None;
        call.lost_at = None;
        self.silence(call);
        self.hang_up_modem(call, cause);
        let shown = if was_up || call.is_incoming() { HangUpCause::Normal } else { requests::failure_cause(cause) };
        for resource in RESOURCES {
            self.delete(call, resource, shown);
        }
        // After the deletion: a phone whose audio closes first hears no cause.
        if std::mem::take(&mut call.listening) {
            self.media(call.id(), MediaCommand::Close);
        }
        call.record.status = call.final_status(status);
        call.record.cause = Some(cause);
        call.record.ended = Some(now);
        self.emit(Effect::Call(call.record.clone()));
    }

    /// Nobody may hear the other any more.
    fn silence(&mut self, call: &mut Call) {
        if call.sound == Sound::Running {
            self.media(call.id(), MediaCommand::StopModemAudio);
        }
        call.sound = Sound::Absent;
    }

    fn hang_up_modem(&mut self, call: &mut Call, cause: HangUpCause) {
        if let (ModemSide::Busy, Some(line)) = (call.modem, call.line()) {
            call.modem = ModemSide::HangingUp;
            self.command(line, modem::Command::HangUp { cause });
        }
    }

    fn delete(&mut self, call: &mut Call, resource: Resource, cause: HangUpCause) {
        match call.leg(resource) {
            // What is being made is deleted when Asterisk says that it exists.
            Leg::Closed | Leg::Creating => return,
            Leg::Open | Leg::Deleting => {}
        }
        if !self.ari_up {
            return self.doom(call, resource);
        }
        call.set_leg(resource, Leg::Deleting);
        let request = match resource {
            Resource::Phone => Request::hang_up(&call.phone_channel, cause),
            Resource::Media => Request::hang_up(&call.media_channel(), cause),
            Resource::Bridge => Request::delete_bridge(&call.bridge_id()),
        };
        self.ask(call.id(), Asked::Delete(resource), request);
    }

    /// Leaves a resource to the next connection with Asterisk, which removes what bears our ids and what is doomed.
    pub(super) fn doom(&mut self, call: &mut Call, resource: Resource) {
        if resource == Resource::Phone && call.leg(resource) != Leg::Closed {
            self.doomed.insert(call.phone_channel.clone());
        }
        call.set_leg(resource, Leg::Closed);
    }

    /// Asterisk answered the wish to make a resource.
    pub(super) fn on_created(
        &mut self,
        call: &mut Call,
        resource: Resource,
        result: &Result<(), AriFailure>,
        now: Instant,
    ) {
        if call.leg(resource) == Leg::Creating {
            // Without an answer it may exist: only a refusal says that it does not.
            let leg = if matches!(result, Ok(()) | Err(AriFailure::Unreachable)) { Leg::Open } else { Leg::Closed };
            call.set_leg(resource, leg);
        }
        if call.is_closing() {
            return self.delete(call, resource, HangUpCause::Normal);
        }
        if result.is_err() {
            return self.on_setup_failed(call, now);
        }
        match resource {
            Resource::Phone | Resource::Media => {}
            Resource::Bridge => self.try_join(call),
        }
    }

    pub(super) fn on_deleted(&mut self, call: &mut Call, resource: Resource, result: &Result<(), AriFailure>) {
        if matches!(result, Ok(()) | Err(AriFailure::NotFound)) {
            call.set_leg(resource, Leg::Closed);
        }
    }

    /// Something that the call cannot do without could not be made, or went away.
    pub(super) fn on_setup_failed(&mut self, call: &mut Call, now: Instant) {
        let status = if call.is_incoming() { CallStatus::Missed } else { CallStatus::Failed };
        self.end(call, status, HangUpCause::Congestion, now);
    }

    /// Confirmations are late: asks for them again.
    pub(super) fn on_closing_late(&mut self, call: &mut Call, attempts: u8, now: Instant) {
        let attempts = attempts.saturating_add(1);
        call.stage = Stage::Closing { attempts };
        call.deadline = Some(now + CONFIRM_WITHIN);
        for resource in RESOURCES {
            if call.leg(resource) == Leg::Creating && attempts >= GIVE_UP_AFTER {
                call.set_leg(resource, Leg::Open);
            }
            self.delete(call, resource, HangUpCause::Normal);
            if attempts > GIVE_UP_AFTER {
                self.doom(call, resource);
            }
        }
        if call.modem == ModemSide::HangingUp {
            call.modem = if attempts >= GIVE_UP_AFTER { ModemSide::Idle } else { ModemSide::Busy };
            self.hang_up_modem(call, HangUpCause::Normal);
        }
    }
}
