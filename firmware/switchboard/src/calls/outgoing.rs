//! Calls that a phone or a user makes.

use std::time::{Duration, Instant};

use asterisk::ari::Request;
use asterisk::audiosocket::MediaId;
use asterisk::{ChannelId, dialplan};
use telecom::{CallId, HangUpCause, LineId, PhoneNumber};

use super::effect::{Effect, LineFacts, Refusal};
use super::exchange::{Asked, Exchange};
use super::record::{CallRecord, CallStatus, Direction};
use super::requests;
use super::state::{Call, Leg, ModemSide, Resource, Sound, Stage, Told};

/// How long the far end may ring.
const DIAL_AT_MOST: Duration = Duration::from_secs(90);

/// How long our own phone may ring; Asterisk's own limit comes first.
const OWN_PHONE_AT_MOST: Duration = Duration::from_secs(45);

/// How often a phone's lease is renewed: three times before it runs out.
const RENEW_EVERY: Duration = Duration::from_secs(5);

impl Exchange {
    /// A phone dialled out: it came to our application with `out`, a line and a number.
    pub(super) fn on_dialled(&mut self, channel: &ChannelId, args: &[String], now: Instant) {
        let dialled = match args {
            [out, line, number] if out == dialplan::ARG_OUT && !channel.is_ours() => Some((line.as_str(), number)),
            _ => None,
        };
        let Some((line, number)) = dialled else {
            self.send(Request::hang_up(channel, HangUpCause::Congestion));
            return;
        };
        let Ok(number) = number.parse::<PhoneNumber>() else {
            self.send(Request::hang_up(channel, HangUpCause::Unallocated));
            return;
        };
        let wanted = if line == dialplan::ARG_DEFAULT_LINE { Ok(None) } else { line.parse::<LineId>().map(Some) };
        let chosen = wanted.map_err(|_| Refusal::NoSuchLine).and_then(|wanted| self.choose_line(wanted));
        match chosen {
            Ok(line) => self.dial_for(channel.clone(), line, number, now),
            Err(_) => self.refuse_dialled(channel, number, now),
        }
    }

    /// No line can take the call. The phone hears congestion (503), also when the line is in a call: busy would say
    /// that the far end is.
    fn refuse_dialled(&mut self, channel: &ChannelId, number: PhoneNumber, now: Instant) {
        self.send(Request::hang_up(channel, HangUpCause::Congestion));
        let (id, _) = self.new_call_id();
        let mut record = self.outgoing_record(id, None, number, now);
        record.status = CallStatus::Failed;
        record.cause = Some(HangUpCause::Congestion);
        record.ended = Some(now);
        self.emit(Effect::Call(record));
    }

    fn dial_for(&mut self, channel: ChannelId, line: LineId, number: PhoneNumber, now: Instant) {
        let (id, uuid) = self.new_call_id();
        let record = self.outgoing_record(id, Some(line), number, now);
        let mut call = Call::new(record, MediaId::from_bytes(uuid), channel);
        call.phone = Leg::Open;
        self.held.insert(line, call.id().clone());
        self.emit(Effect::Call(call.record.clone()));
        self.dial(&mut call, now);
        self.keep(call);
    }

    /// The phone is here: makes its audio leg and dials.
    fn dial(&mut self, call: &mut Call, now: Instant) {
        let (Some(line), Some(number)) = (call.line(), call.record.number.clone()) else { return };
        call.stage = Stage::Ringing;
        call.deadline = Some(now + DIAL_AT_MOST);
        self.renew_lease(call, now);
        call.modem = ModemSide::Busy;
        self.command(line, modem::Command::Dial { number });
        self.listen(call);
        call.media = Leg::Creating;
        let (app, address) = (&self.config.app, self.config.audio_address);
        let request = Request::external_media(app, &call.media_channel(), address, call.uuid);
        self.ask(call.id(), Asked::Create(Resource::Media), request);
        call.bridge = Leg::Creating;
        self.ask(call.id(), Asked::Create(Resource::Bridge), Request::create_bridge(&call.bridge_id()));
    }

    pub(super) fn renew_lease(&mut self, call: &mut Call, now: Instant) {
        call.lease_at = Some(now + RENEW_EVERY);
        if self.ari_up {
            self.ask(call.id(), Asked::OnPhone, requests::renew_lease(&call.phone_channel));
        }
    }

    pub(super) fn on_alerting(&mut self, call: &mut Call) {
        if call.stage == Stage::Ringing && !call.is_incoming() && call.told < Told::Ringing {
            call.told = Told::Ringing;
            self.ask(call.id(), Asked::OnPhone, Request::ring(&call.phone_channel));
        }
    }

    /// The modem gives sound before the far end answers: ring-back or an announcement of the network.
    pub(super) fn on_early_sound(&mut self, call: &mut Call) {
        if call.told < Told::Progress {
            call.told = Told::Progress;
            self.ask(call.id(), Asked::OnPhone, Request::progress(&call.phone_channel));
        }
        self.start_sound(call);
        self.try_join(call);
    }

    pub(super) fn tell_answered(&mut self, call: &mut Call) {
        call.told = Told::Answered;
        self.ask(call.id(), Asked::OnPhone, Request::answer(&call.phone_channel));
    }

    /// Bridges phone and audio once both may be: early when there is sound, else at the answer.
    pub(super) fn try_join(&mut self, call: &mut Call) {
        let wanted = call.stage == Stage::Up || (call.stage == Stage::Ringing && call.sound == Sound::Running);
        let possible = call.bridge == Leg::Open && call.media_in_stasis && call.phone == Leg::Open;
        if call.is_incoming() || call.joined || !wanted || !possible {
            return;
        }
        call.joined = true;
        let request = Request::add_to_bridge(&call.bridge_id(), &[&call.phone_channel, &call.media_channel()]);
        self.ask(call.id(), Asked::Join, request);
    }

    /// The far end pressed a key. Phones of incoming calls hear it in the sound only: their channel is the dialplan's.
    pub(super) fn on_far_digit(&mut self, call: &Call, digit: char) {
        if call.stage == Stage::Up && !call.is_incoming() {
            let request = Request::send_dtmf(&call.phone_channel, digit.encode_utf8(&mut [0; 4]));
            self.ask(call.id(), Asked::OnPhone, request);
        }
    }

    /// A user wants to call from an extension: it rings first.
    pub(super) fn originate(
        &mut self,
        line: Option<LineId>,
        number: PhoneNumber,
        extension: String,
        now: Instant,
    ) -> Result<CallId, Refusal> {
        if extension.is_empty() || !extension.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::InvalidExtension);
        }
        if !self.ari_up {
            return Err(Refusal::ExchangeDown);
        }
        let line = self.choose_line(line)?;
        let (id, uuid) = self.new_call_id();
        let request = requests::ring_extension(&self.config.app, &id, &extension, &number);
        let mut record = self.outgoing_record(id.clone(), Some(line), number, now);
        record.extension = Some(extension);
        let mut call = Call::new(record, MediaId::from_bytes(uuid), requests::phone_channel(&id));
        call.stage = Stage::CallingPhone;
        call.deadline = Some(now + OWN_PHONE_AT_MOST);
        call.phone = Leg::Creating;
        self.held.insert(line, id.clone());
        self.emit(Effect::Call(call.record.clone()));
        self.ask(&id, Asked::Create(Resource::Phone), request);
        self.keep(call);
        Ok(id)
    }

    pub(super) fn on_own_phone_answered(&mut self, call: &mut Call, now: Instant) {
        call.phone = Leg::Open;
        self.dial(call, now);
    }

    pub(super) fn hang_up(&mut self, id: CallId, now: Instant) -> Result<CallId, Refusal> {
        if self.calls.get(&id).is_none_or(Call::is_closing) {
            return Err(Refusal::NoSuchCall);
        }
        self.with_call(&id, |exchange, call| {
            let (status, cause) = match call.is_incoming() {
                true => (CallStatus::Rejected, HangUpCause::Rejected),
                false => (CallStatus::Missed, HangUpCause::Normal),
            };
            let cause = if call.stage == Stage::Up { HangUpCause::Normal } else { cause };
            exchange.end(call, status, cause, now);
        });
        Ok(id)
    }

    /// The line for a call: the one that was named, or else the default line, or else any other that can take it.
    fn choose_line(&self, wanted: Option<LineId>) -> Result<LineId, Refusal> {
        let usable = |facts: &LineFacts| {
            if !facts.can_call() {
                return Err(Refusal::NotRegistered);
            }
            if self.held.contains_key(&facts.line) { Err(Refusal::LineBusy) } else { Ok(facts.line) }
        };
        if let Some(line) = wanted {
            return self.lines.get(&line).ok_or(Refusal::NoSuchLine).and_then(usable);
        }
        let mut refusal = Refusal::NoSuchLine;
        let (default, others): (Vec<_>, Vec<_>) = self.lines.values().partition(|facts| facts.default);
        for facts in default.into_iter().chain(others) {
            match usable(facts) {
                Ok(line) => return Ok(line),
                Err(Refusal::LineBusy) => refusal = Refusal::LineBusy,
                Err(other) if refusal == Refusal::NoSuchLine => refusal = other,
                Err(_) => {}
            }
        }
        Err(refusal)
    }

    pub(super) fn line_name(&self, line: LineId) -> String {
        self.lines.get(&line).map_or_else(|| line.to_string(), |facts| facts.name.clone())
    }

    fn outgoing_record(&self, id: CallId, line: Option<LineId>, number: PhoneNumber, now: Instant) -> CallRecord {
        CallRecord {
            id,
            line,
            line_name: line.map(|line| self.line_name(line)).unwrap_or_default(),
            direction: Direction::Outgoing,
            number: Some(number),
            extension: None,
            status: CallStatus::Ringing,
            cause: None,
            started: now,
            answered: None,
            ended: None,
        }
    }
}
