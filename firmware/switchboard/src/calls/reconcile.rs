//! Asterisk comes, goes, and falls silent: what is known of its channels is compared with what is there.

use std::collections::BTreeSet;
use std::time::Instant;

use asterisk::ari::{Bridge, Channel, ChannelState, Request};
use asterisk::{BridgeId, ChannelId};
use telecom::{CallId, HangUpCause};

use super::exchange::Exchange;
use super::record::CallStatus;
use super::requests;
use super::state::{Call, Entry, Leg, RESOURCES, Stage};

/// The application of the dialplan in which a channel is while it is with us.
const STASIS: &str = "Stasis";

impl Exchange {
    /// Asterisk is connected, and these are its channels and bridges. Calls that lost theirs end; what is left over of
    /// earlier calls, or of an earlier run of the program, is removed.
    pub fn handle_ari_connected(&mut self, channels: &[Channel], bridges: &[Bridge], now: Instant) {
        if self.ari_up {
            self.handle_ari_lost(now);
        }
        self.ari_up = true;
        let there: BTreeSet<&ChannelId> = channels.iter().map(|channel| &channel.id).collect();
        let waits = |channel: &&Channel| channel.dialplan.application == STASIS;
        let waiting: BTreeSet<&ChannelId> = channels.iter().filter(waits).map(|channel| &channel.id).collect();
        let bridged: BTreeSet<&ChannelId> = bridges.iter().flat_map(|bridge| &bridge.channels).collect();
        let bridges_there: BTreeSet<&BridgeId> = bridges.iter().map(|bridge| &bridge.id).collect();
        for id in self.calls.keys().cloned().collect::<Vec<CallId>>() {
            self.with_call(&id, |exchange, call| {
                if call.is_incoming() {
                    note_entry(call, &waiting);
                    exchange.resume_incoming(call, &there, &bridged, now);
                } else {
                    exchange.resume_outgoing(call, &there, &bridges_there, now);
                }
            });
        }
        self.remove_leftovers(channels, bridges);
    }

    /// The connection to Asterisk is lost: its events are lost, and nobody knows what became of the last requests.
    pub fn handle_ari_lost(&mut self, _now: Instant) {
        self.ari_up = false;
        self.asked.clear();
        for id in self.calls.keys().cloned().collect::<Vec<CallId>>() {
            self.with_call(&id, |exchange, call| exchange.assume_unknown(call));
        }
    }

    fn assume_unknown(&mut self, call: &mut Call) {
        for resource in RESOURCES {
            match (call.leg(resource), call.is_closing()) {
                (Leg::Closed, _) | (Leg::Open, false) => {}
                (Leg::Creating | Leg::Deleting, false) => call.set_leg(resource, Leg::Open),
                (Leg::Creating | Leg::Open | Leg::Deleting, true) => self.doom(call, resource),
            }
        }
    }

    fn resume_incoming(
        &mut self,
        call: &mut Call,
        there: &BTreeSet<&ChannelId>,
        bridged: &BTreeSet<&ChannelId>,
        now: Instant,
    ) {
        match call.stage {
            Stage::Closing { .. } => return,
            Stage::WaitingForAsterisk => return self.ring_phones(call),
            Stage::CallingPhone | Stage::Ringing | Stage::Answering | Stage::Up => {}
        }
        if !there.contains(&call.phone_channel) {
            return self.on_phone_gone(call, HangUpCause::NoAnswer, now);
        }
        self.subscribe(call);
        // While phones ring our leg is in no bridge: it is joined to what answered.
        if call.stage == Stage::Ringing && bridged.contains(&call.phone_channel) {
            self.on_phone_answered(call, now);
        }
    }

    fn resume_outgoing(
        &mut self,
        call: &mut Call,
        there: &BTreeSet<&ChannelId>,
        bridges: &BTreeSet<&BridgeId>,
        now: Instant,
    ) {
        match call.stage {
            Stage::Closing { .. } => return,
            Stage::CallingPhone => {
                // Whether the phone answered meanwhile is not known: the user can ask again.
                return self.end(call, CallStatus::Failed, HangUpCause::Temporary, now);
            }
            Stage::WaitingForAsterisk | Stage::Ringing | Stage::Answering | Stage::Up => {}
        }
        if !there.contains(&call.phone_channel) {
            return self.on_phone_gone(call, HangUpCause::Normal, now);
        }
        if !there.contains(&call.media_channel()) || !bridges.contains(&call.bridge_id()) {
            return self.on_setup_failed(call, now);
        }
        call.media_in_stasis = true;
        self.renew_lease(call, now);
        self.try_join(call);
    }

    /// The phone's side of the call is over.
    pub(super) fn on_phone_gone(&mut self, call: &mut Call, cause: HangUpCause, now: Instant) {
        call.phone = Leg::Closed;
        let refused = matches!(cause, HangUpCause::Busy | HangUpCause::Rejected);
        let (status, cause) = match (call.is_incoming(), call.stage) {
            (true, Stage::Ringing) if refused => (CallStatus::Rejected, cause),
            (true, Stage::Ringing) => (CallStatus::Missed, HangUpCause::NoAnswer),
            (false, Stage::CallingPhone) if refused => (CallStatus::Rejected, cause),
            _ => (CallStatus::Missed, HangUpCause::Normal),
        };
        self.end(call, status, cause, now);
    }

    /// Deletes what nobody owns: our own channels and bridges, and phones that wait in our application.
    fn remove_leftovers(&mut self, channels: &[Channel], bridges: &[Bridge]) {
        let doomed = std::mem::take(&mut self.doomed);
        for channel in channels {
            let left = if channel.id.is_ours() {
                !self.owns(channel.id.as_str())
            } else {
                channel.dialplan.application == STASIS && self.call_of(&channel.id).is_none()
            };
            if left || doomed.contains(&channel.id) {
                // To a phone that waits for an answer, 16 would say that its call was declined.
                let is_up = channel.state == ChannelState::Up;
                let cause = if is_up { HangUpCause::Normal } else { HangUpCause::Congestion };
                self.send(Request::hang_up(&channel.id, cause));
            }
        }
        for bridge in bridges {
            if bridge.id.is_ours() && !self.owns(bridge.id.as_str()) {
                self.send(Request::delete_bridge(&bridge.id));
            }
        }
    }

    fn owns(&self, id: &str) -> bool {
        let call = requests::call_named_in(id).and_then(|call| self.calls.get(&call));
        call.is_some_and(|call| !call.is_closing())
    }

    /// A time has come for this call.
    pub(super) fn on_timeout(&mut self, call: &mut Call, now: Instant) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(call.lost_at) {
            call.lost_at = None;
            let status = if call.is_incoming() { CallStatus::Missed } else { CallStatus::Failed };
            let cause = if call.stage == Stage::Up { HangUpCause::Normal } else { HangUpCause::Congestion };
            return self.end(call, status, cause, now);
        }
        if is_due(call.lease_at) {
            self.renew_lease(call, now);
        }
        if is_due(call.deadline) {
            call.deadline = None;
            self.on_stage_too_long(call, now);
        }
    }

    fn on_stage_too_long(&mut self, call: &mut Call, now: Instant) {
        match call.stage {
            Stage::Closing { attempts } => self.on_closing_late(call, attempts, now),
            Stage::Answering => self.end(call, CallStatus::Missed, HangUpCause::Temporary, now),
            Stage::WaitingForAsterisk | Stage::CallingPhone | Stage::Ringing => {
                self.end(call, CallStatus::Missed, HangUpCause::NoAnswer, now);
            }
            Stage::Up => {}
        }
    }
}

/// A leg that is with us was not sent on, whatever we had asked; one that is elsewhere and had come was.
fn note_entry(call: &mut Call, waiting: &BTreeSet<&ChannelId>) {
    call.entry = match call.entry {
        _ if waiting.contains(&call.phone_channel) => Entry::Waiting,
        Entry::Waiting | Entry::Entered => Entry::Entered,
        Entry::Outside => Entry::Outside,
    };
}
