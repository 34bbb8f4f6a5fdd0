//! The machine: its doors, and who is concerned by what comes in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use asterisk::{ChannelId, ari, dialplan};
use modem::CallEvent;
use telecom::{CallId, HangUpCause, LineId};

use super::effect::{
    ApiRequest, AriFailure, Effect, IdSource, LineFacts, MediaCommand, MediaEvent, Refusal, RequestToken,
};
use super::record::{CallRecord, CallStatus};
use super::state::{Call, Leg, ModemSide, Resource, Sound, Stage};

/// How long a call may go on after its audio connection was lost, before Asterisk has said why.
const LOST_GRACE: Duration = Duration::from_secs(1);

/// The channel is not in our application (any more).
const CONFLICT: u16 = 409;

/// What the exchange is told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeConfig {
    /// The name of our Stasis application.
    pub app: String,
    /// Where our audio listener is, as Asterisk sees it (`127.0.0.1:18766`).
    pub audio_address: SocketAddr,
}

/// What a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Make a resource.
    Create(Resource),
    /// Delete a resource.
    Delete(Resource),
    /// Hear of the incoming leg.
    Subscribe,
    /// Send the incoming leg into the dialplan.
    Enter,
    /// Bridge phone and audio.
    Join,
    /// Anything on the phone's channel that only fails when the phone is gone.
    OnPhone,
}

/// Every call of every native line.
#[derive(Debug)]
pub struct Exchange {
    pub(super) config: ExchangeConfig,
    pub(super) ids: Box<dyn IdSource>,
    pub(super) lines: BTreeMap<LineId, LineFacts>,
    /// The call that holds a line.
    pub(super) held: BTreeMap<LineId, CallId>,
    pub(super) calls: BTreeMap<CallId, Call>,
    pub(super) asked: BTreeMap<RequestToken, (CallId, Asked)>,
    /// Channels that must go once Asterisk can be reached again.
    pub(super) doomed: BTreeSet<ChannelId>,
    pub(super) ari_up: bool,
    last_token: u64,
    outputs: VecDeque<Effect>,
}

impl Exchange {
    /// An exchange without calls; Asterisk is not connected and there is no line.
    #[must_use]
    pub fn new(config: ExchangeConfig, ids: Box<dyn IdSource>) -> Self {
        Self {
            config,
            ids,
            lines: BTreeMap::new(),
            held: BTreeMap::new(),
            calls: BTreeMap::new(),
            asked: BTreeMap::new(),
            doomed: BTreeSet::new(),
            ari_up: false,
            last_token: 0,
            outputs: VecDeque::new(),
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Effect> {
        self.outputs.pop_front()
    }

    /// When `handle_timeout` must be called at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.calls.values().filter_map(Call::next_timeout).min()
    }

    /// The calls that are not over.
    pub fn calls(&self) -> impl Iterator<Item = &CallRecord> {
        self.calls.values().filter(|call| !call.is_closing()).map(|call| &call.record)
    }

    /// Whether nothing is left of any call: Asterisk may be restarted.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty()
    }

    /// Replaces what is known of the lines.
    pub fn set_lines(&mut self, lines: Vec<LineFacts>) {
        self.lines = lines.into_iter().map(|facts| (facts.line, facts)).collect();
    }

    /// The modem of a line tells of its call.
    pub fn handle_line_event(&mut self, line: LineId, event: CallEvent, now: Instant) {
        match event {
            CallEvent::Incoming { number } => self.on_incoming(line, number, now),
            CallEvent::Waiting { number } => self.on_waiting(line, number, now),
            event => match self.held.get(&line).cloned() {
                Some(id) => self.with_call(&id, |exchange, call| exchange.on_call_event(call, line, &event, now)),
                None if event == CallEvent::Active => {
                    self.command(line, modem::Command::HangUp { cause: HangUpCause::Normal });
                }
                None => {}
            },
        }
    }

    /// The modem of a line is gone, or started again: no call is left on it.
    pub fn handle_line_lost(&mut self, line: LineId, now: Instant) {
        let Some(id) = self.held.get(&line).cloned() else { return };
        self.with_call(&id, |exchange, call| {
            call.modem = ModemSide::Idle;
            let status = if call.is_incoming() { CallStatus::Missed } else { CallStatus::Failed };
            exchange.end(call, status, HangUpCause::OutOfOrder, now);
        });
    }

    /// Asterisk tells of a channel.
    pub fn handle_ari_event(&mut self, event: ari::Event, now: Instant) {
        match event {
            ari::Event::StasisStart { channel, args } => self.on_stasis_start(&channel.id, &args, now),
            ari::Event::StasisEnd { channel } => self.on_stasis_end(&channel.id, now),
            ari::Event::ChannelDestroyed { channel, cause } => self.on_channel_gone(&channel.id, cause, now),
            ari::Event::Dial { caller: Some(caller), status, .. } => {
                self.with_channel(&caller.id, |exchange, call, _| exchange.on_dial_status(call, &status, now));
            }
            ari::Event::ChannelVarset { channel: Some(channel), variable, value }
                if variable == dialplan::ANSWERED_BY_VARIABLE =>
            {
                self.with_channel(&channel.id, |exchange, call, _| exchange.on_answered_by(call, &value));
            }
            _ => {}
        }
    }

    /// Asterisk answered a request.
    #[expect(clippy::needless_pass_by_value, reason = "an input is handed over")]
    pub fn handle_ari_result(&mut self, token: RequestToken, result: Result<(), AriFailure>, now: Instant) {
        let Some((id, asked)) = self.asked.remove(&token) else { return };
        self.with_call(&id, |exchange, call| match asked {
            Asked::Create(resource) => exchange.on_created(call, resource, &result, now),
            Asked::Delete(resource) => exchange.on_deleted(call, resource, &result),
            Asked::Subscribe if result.is_ok() => exchange.enter_dialplan(call),
            // It left our application already: an answer that was lost had said so.
            Asked::Enter if matches!(result, Err(AriFailure::Refused { status: CONFLICT, .. })) => {}
            Asked::Subscribe | Asked::Enter | Asked::Join => {
                if result.is_err() {
                    exchange.on_setup_failed(call, now);
                }
            }
            Asked::OnPhone => {
                if result == Err(AriFailure::NotFound) {
                    exchange.on_phone_gone(call, HangUpCause::Normal, now);
                }
            }
        });
    }

    /// The audio of a call tells something.
    #[expect(clippy::needless_pass_by_value, reason = "an input is handed over")]
    pub fn handle_media(&mut self, call: &CallId, event: MediaEvent, now: Instant) {
        self.with_call(call, |exchange, call| match event {
            MediaEvent::Connected => call.lost_at = None,
            MediaEvent::Lost => {
                call.lost_at = (!call.is_closing()).then(|| now + LOST_GRACE);
            }
            MediaEvent::Dtmf(digit) => {
                if let (Stage::Up, Some(line)) = (call.stage, call.line()) {
                    exchange.command(line, modem::Command::Dtmf { digit });
                }
            }
            MediaEvent::Report(report) => exchange.on_audio_report(call, &report),
        });
    }

    /// A user asks for something.
    ///
    /// # Errors
    /// Why it cannot be done; nothing has changed then.
    pub fn handle_api(&mut self, request: ApiRequest, now: Instant) -> Result<CallId, Refusal> {
        match request {
            ApiRequest::Originate { line, number, extension } => self.originate(line, number, extension, now),
            ApiRequest::HangUp { call } => self.hang_up(call, now),
        }
    }

    /// A time that `poll_timeout` named has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due: Vec<CallId> = self
            .calls
            .values()
            .filter(|call| call.next_timeout().is_some_and(|at| at <= now))
            .map(|call| call.id().clone())
            .collect();
        for id in due {
            self.with_call(&id, |exchange, call| exchange.on_timeout(call, now));
        }
    }

    fn on_call_event(&mut self, call: &mut Call, line: LineId, event: &CallEvent, now: Instant) {
        match event {
            CallEvent::Alerting => self.on_alerting(call),
            CallEvent::Active => self.on_network_up(call, now),
            CallEvent::Ended { cause } => self.on_network_ended(call, *cause, now),
            CallEvent::AudioReady => self.on_sound_ready(call, line),
            CallEvent::AudioRefused(reason) if !call.is_closing() => {
                let text = format!("the modem does not give sound to this call: {reason}");
                self.emit(Effect::Alarm { line, text, is_mended: false });
            }
            CallEvent::Dtmf(digit) => self.on_far_digit(call, *digit),
            CallEvent::AudioFlow { is_open } if call.sound == Sound::Running => {
                self.media(call.id(), MediaCommand::Flow { is_open: *is_open });
            }
            CallEvent::Dialing
            | CallEvent::AudioFlow { .. }
            | CallEvent::WaitingEnded
            | CallEvent::AudioRefused(_)
            | CallEvent::Incoming { .. }
            | CallEvent::Waiting { .. } => {}
        }
    }

    fn on_network_up(&mut self, call: &mut Call, now: Instant) {
        call.network_up = true;
        match call.stage {
            Stage::Answering => self.on_up(call, now),
            Stage::Ringing if !call.is_incoming() => {
                self.tell_answered(call);
                self.on_up(call, now);
            }
            Stage::WaitingForAsterisk | Stage::CallingPhone | Stage::Ringing | Stage::Up | Stage::Closing { .. } => {}
        }
    }

    /// Both sides are up.
    pub(super) fn on_up(&mut self, call: &mut Call, now: Instant) {
        call.stage = Stage::Up;
        call.deadline = None;
        call.record.answered = Some(now);
        call.record.status = call.final_status(CallStatus::Answered);
        self.emit(Effect::Call(call.record.clone()));
        self.start_sound(call);
        self.try_join(call);
    }

    fn on_network_ended(&mut self, call: &mut Call, cause: HangUpCause, now: Instant) {
        if call.modem == ModemSide::Idle {
            return;
        }
        call.modem = ModemSide::Idle;
        let status = match (call.is_incoming(), cause) {
            (true, _) => CallStatus::Missed,
            (false, HangUpCause::Busy) => CallStatus::Busy,
            (false, HangUpCause::Rejected) => CallStatus::Rejected,
            (false, HangUpCause::NoAnswer | HangUpCause::NoUserResponse | HangUpCause::Absent) => CallStatus::Missed,
            (false, _) => CallStatus::Failed,
        };
        self.end(call, status, cause, now);
    }

    fn on_sound_ready(&mut self, call: &mut Call, _line: LineId) {
        // Switched on again, it may have come back on a port that was lost, or could not be opened.
        if let (Sound::Running, true, Some(line), false) =
            (call.sound, call.is_sound_dead, call.line(), call.is_closing())
        {
            return self.media(call.id(), MediaCommand::StartModemAudio { line });
        }
        if call.is_closing() || call.sound != Sound::Absent {
            return;
        }
        call.sound = Sound::Ready;
        match call.stage {
            Stage::Up => self.start_sound(call),
            Stage::Ringing if !call.is_incoming() => self.on_early_sound(call),
            Stage::WaitingForAsterisk
            | Stage::CallingPhone
            | Stage::Ringing
            | Stage::Answering
            | Stage::Closing { .. } => {}
        }
    }

    pub(super) fn start_sound(&mut self, call: &mut Call) {
        if let (Sound::Ready, true, Some(line)) = (call.sound, call.listening, call.line()) {
            call.sound = Sound::Running;
            self.media(call.id(), MediaCommand::StartModemAudio { line });
        }
    }

    fn on_audio_report(&mut self, call: &mut Call, report: &super::AudioReport) {
        let (Some(fault), Some(line), false) = (report.fault, call.line(), call.is_closing()) else { return };
        let was_dead = call.is_sound_dead;
        call.is_sound_dead |= fault.is_dead();
        // Once in a call: what does not mend it will not mend it the next time.
        if call.is_sound_dead && !was_dead && call.modem == ModemSide::Busy {
            self.command(line, modem::Command::AudioDead);
        }
        if call.faults.insert(fault) {
            self.emit(Effect::Alarm { line, text: fault.sentence(report), is_mended: fault.is_mended() });
        }
    }

    /// A channel went into our application.
    fn on_stasis_start(&mut self, channel: &ChannelId, args: &[String], now: Instant) {
        if self.call_of(channel).is_none() {
            return self.on_dialled(channel, args, now);
        }
        self.with_channel(channel, |exchange, call, resource| match (resource, call.stage) {
            (Resource::Phone, Stage::CallingPhone) => exchange.on_own_phone_answered(call, now),
            (Resource::Phone, Stage::Ringing) if call.is_incoming() => exchange.on_leg_waits(call),
            (Resource::Media, stage) if !matches!(stage, Stage::Closing { .. }) => {
                call.media = Leg::Open;
                call.media_in_stasis = true;
                exchange.try_join(call);
            }
            (Resource::Phone | Resource::Media | Resource::Bridge, _) => {}
        });
    }

    fn on_stasis_end(&mut self, channel: &ChannelId, now: Instant) {
        let is_ours = self.call_of(channel).is_some_and(|(id, _)| !self.calls.get(&id).is_some_and(Call::is_incoming));
        if is_ours {
            self.on_channel_gone(channel, HangUpCause::Normal, now);
        }
    }

    fn on_channel_gone(&mut self, channel: &ChannelId, cause: HangUpCause, now: Instant) {
        self.doomed.remove(channel);
        self.with_channel(channel, |exchange, call, resource| match resource {
            Resource::Phone => exchange.on_phone_gone(call, cause, now),
            Resource::Media | Resource::Bridge => {
                call.media = Leg::Closed;
                exchange.on_setup_failed(call, now);
            }
        });
    }

    pub(super) fn call_of(&self, channel: &ChannelId) -> Option<(CallId, Resource)> {
        self.calls.values().find_map(|call| {
            if call.phone_channel == *channel {
                Some((call.id().clone(), Resource::Phone))
            } else if call.media_channel() == *channel {
                Some((call.id().clone(), Resource::Media))
            } else {
                None
            }
        })
    }

    fn with_channel(&mut self, channel: &ChannelId, act: impl FnOnce(&mut Self, &mut Call, Resource)) {
        let Some((id, resource)) = self.call_of(channel) else { return };
        self.with_call(&id, |exchange, call| act(exchange, call, resource));
    }

    /// Lets `act` change a call, and forgets the call when it is finished.
    pub(super) fn with_call(&mut self, id: &CallId, act: impl FnOnce(&mut Self, &mut Call)) {
        let Some(mut call) = self.calls.remove(id) else { return };
        act(self, &mut call);
        self.keep(call);
    }

    /// Takes a call into the books, or strikes it out when it is finished.
    pub(super) fn keep(&mut self, call: Call) {
        if call.modem == ModemSide::Idle && call.is_closing() {
            self.held.retain(|_, held| held != call.id());
        }
        if !call.is_finished() {
            self.calls.insert(call.id().clone(), call);
        }
    }

    pub(super) fn emit(&mut self, effect: Effect) {
        self.outputs.push_back(effect);
    }

    pub(super) fn command(&mut self, line: LineId, command: modem::Command) {
        self.emit(Effect::Modem { line, command });
    }

    pub(super) fn media(&mut self, call: &CallId, command: MediaCommand) {
        self.emit(Effect::Media { call: call.clone(), command });
    }

    /// Sends a request of a call to Asterisk.
    pub(super) fn ask(&mut self, call: &CallId, asked: Asked, request: ari::Request) {
        let token = self.next_token();
        self.asked.insert(token, (call.clone(), asked));
        self.emit(Effect::Ari { call: Some(call.clone()), token, request });
    }

    /// Sends a request that is no call's, and whose result does not matter.
    pub(super) fn send(&mut self, request: ari::Request) {
        let token = self.next_token();
        self.emit(Effect::Ari { call: None, token, request });
    }

    fn next_token(&mut self) -> RequestToken {
        self.last_token += 1;
        RequestToken(self.last_token)
    }

    pub(super) fn new_call_id(&mut self) -> (CallId, [u8; 16]) {
        let uuid = self.ids.uuid();
        let name: String = uuid.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        (CallId(name), uuid)
    }
}
