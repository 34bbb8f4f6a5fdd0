//! Calls that come from the network.

use std::time::{Duration, Instant};

use asterisk::ari::{DialStatus, Request};
use asterisk::audiosocket::MediaId;
use asterisk::dialplan;
use telecom::{HangUpCause, LineId, PhoneNumber};

use super::effect::{Effect, MediaCommand};
use super::exchange::{Asked, Exchange};
use super::record::{CallRecord, CallStatus, Direction};
use super::requests;
use super::state::{Call, Entry, Leg, ModemSide, Resource, Stage};

/// The longest that phones ring; the dialplan's own limits come first.
const RING_AT_MOST: Duration = Duration::from_secs(180);

/// How long the network may take to connect a call that was answered.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

impl Exchange {
    /// The network rings us.
    pub(super) fn on_incoming(&mut self, line: LineId, number: Option<PhoneNumber>, now: Instant) {
        self.release_for_incoming(line, now);
        let mut call = self.new_incoming(line, number, now);
        call.modem = ModemSide::Busy;
        call.deadline = Some(now + RING_AT_MOST);
        self.held.insert(line, call.id().clone());
        self.emit(Effect::Call(call.record.clone()));
        if self.ari_up {
            self.ring_phones(&mut call);
        } else {
            call.stage = Stage::WaitingForAsterisk;
        }
        self.keep(call);
    }

    /// A modem that rings holds no other call: what we thought of is over.
    fn release_for_incoming(&mut self, line: LineId, now: Instant) {
        let Some(id) = self.held.remove(&line) else { return };
        self.with_call(&id, |exchange, call| {
            call.modem = ModemSide::Idle;
            let status = if call.is_incoming() { CallStatus::Missed } else { CallStatus::Failed };
            exchange.end(call, status, HangUpCause::Congestion, now);
        });
    }

    fn new_incoming(&mut self, line: LineId, number: Option<PhoneNumber>, now: Instant) -> Call {
        let (id, uuid) = self.new_call_id();
        let channel = requests::incoming_channel(&id);
        let record = CallRecord {
            id,
            line: Some(line),
            line_name: self.line_name(line),
            direction: Direction::Incoming,
            number,
            extension: None,
            status: CallStatus::Ringing,
            cause: None,
            started: now,
            answered: None,
            ended: None,
        };
        Call::new(record, MediaId::from_bytes(uuid), channel)
    }

    /// Rings the phones of the line. Our leg into the dialplan is opened at once; the phones ring behind it.
    ///
    /// Behind it something may answer in the same moment. The leg therefore comes to our application first, is
    /// subscribed to there, and enters the dialplan when Asterisk has confirmed that.
    pub(super) fn ring_phones(&mut self, call: &mut Call) {
        call.stage = Stage::Ringing;
        call.phone = Leg::Creating;
        self.listen(call);
        let number = call.record.number.as_ref();
        let (app, listener) = (&self.config.app, self.config.audio_address);
        let request = requests::open_leg(app, call.id(), number, listener, call.uuid);
        self.ask(call.id(), Asked::Create(Resource::Phone), request);
    }

    pub(super) fn listen(&mut self, call: &mut Call) {
        call.listening = true;
        self.media(call.id(), MediaCommand::Expect { uuid: call.uuid });
    }

    /// Our leg is in our application.
    pub(super) fn on_leg_waits(&mut self, call: &mut Call) {
        if call.entry == Entry::Outside {
            call.entry = Entry::Waiting;
            self.subscribe(call);
        }
    }

    /// From here on nothing that the leg does is missed.
    pub(super) fn enter_dialplan(&mut self, call: &mut Call) {
        if let (Entry::Waiting, Stage::Ringing, Some(line)) = (call.entry, call.stage, call.line()) {
            call.entry = Entry::Entered;
            let extension = dialplan::line_extension(line);
            let request = Request::continue_in_dialplan(&call.phone_channel, dialplan::GSM_IN, &extension);
            self.ask(call.id(), Asked::Enter, request);
        }
    }

    pub(super) fn subscribe(&mut self, call: &Call) {
        let request = Request::subscribe_channel(&self.config.app, &call.phone_channel);
        self.ask(call.id(), Asked::Subscribe, request);
    }

    /// The dialplan tells how ringing goes.
    pub(super) fn on_dial_status(&mut self, call: &mut Call, status: &DialStatus, now: Instant) {
        if !call.is_incoming() || call.stage != Stage::Ringing {
            return;
        }
        match status {
            DialStatus::Answer => self.on_phone_answered(call, now),
            DialStatus::Busy => self.end(call, CallStatus::Rejected, HangUpCause::Busy, now),
            DialStatus::NoAnswer | DialStatus::Unavailable | DialStatus::Cancel => {
                self.end(call, CallStatus::Missed, HangUpCause::NoAnswer, now);
            }
            DialStatus::Congestion => self.end(call, CallStatus::Missed, HangUpCause::Congestion, now),
            DialStatus::Started
            | DialStatus::Proceeding
            | DialStatus::Progress
            | DialStatus::Ringing
            | DialStatus::Other(_) => {}
        }
    }

    /// A phone or the voicemail took the call: now the modem may answer.
    pub(super) fn on_phone_answered(&mut self, call: &mut Call, now: Instant) {
        call.stage = Stage::Answering;
        call.deadline = Some(now + ANSWER_WITHIN);
        if call.network_up {
            return self.on_up(call, now);
        }
        if let Some(line) = call.line() {
            self.command(line, modem::Command::Answer);
        }
    }

    pub(super) fn on_answered_by(&mut self, call: &mut Call, who: &str) {
        let voicemail = who == dialplan::ANSWERED_BY_VOICEMAIL;
        if !call.is_incoming() || call.is_closing() || call.voicemail == voicemail {
            return;
        }
        call.voicemail = voicemail;
        if call.stage == Stage::Up {
            call.record.status = call.final_status(CallStatus::Answered);
            self.emit(Effect::Call(call.record.clone()));
        }
    }

    /// A second caller while a call is up: refused, and remembered as missed.
    pub(super) fn on_waiting(&mut self, line: LineId, number: Option<PhoneNumber>, now: Instant) {
        let mut record = self.new_incoming(line, number, now).record;
        record.status = CallStatus::Missed;
        record.cause = Some(HangUpCause::Busy);
        record.ended = Some(now);
        self.command(line, modem::Command::RefuseWaiting);
        self.emit(Effect::Call(record));
    }
}
