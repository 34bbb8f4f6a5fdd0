//! What is known of one call.

use std::collections::BTreeSet;
use std::time::Instant;

use asterisk::audiosocket::MediaId;
use asterisk::{BridgeId, ChannelId};
use telecom::{CallId, LineId};

use super::audio::AudioFault;
use super::record::{CallRecord, CallStatus, Direction};
use super::requests;

/// Something in Asterisk that must be gone when the call is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    /// Incoming: our leg into the dialplan. Outgoing: the phone's channel.
    Phone,
    /// The external media channel of an outgoing call.
    Media,
    /// The bridge of an outgoing call.
    Bridge,
}

pub(super) const RESOURCES: [Resource; 3] = [Resource::Phone, Resource::Media, Resource::Bridge];

/// How far a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leg {
    /// It does not exist.
    Closed,
    /// Asked for; Asterisk has not confirmed it.
    Creating,
    /// It exists.
    Open,
    /// Its deletion was asked for.
    Deleting,
}

/// The modem's part in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ModemSide {
    /// No call there.
    Idle,
    /// The modem rings, dials or speaks.
    Busy,
    /// Told to hang up; not confirmed.
    HangingUp,
}

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It rings in the network; Asterisk is not there to ring a phone.
    WaitingForAsterisk,
    /// Our own phone rings first (click to call).
    CallingPhone,
    /// Incoming: the phones ring. Outgoing: the modem dials, or the far end rings.
    Ringing,
    /// A phone or the voicemail answered; the modem was told to.
    Answering,
    /// People speak.
    Up,
    /// Over; waiting until everything is confirmed closed.
    Closing {
        /// How often closing was asked for.
        attempts: u8,
    },
}

/// The progress that a waiting phone was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Told {
    /// Nothing.
    Nothing,
    /// It rings.
    Ringing,
    /// Sound of the network comes before the answer.
    Progress,
    /// Answered.
    Answered,
}

/// The modem's audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sound {
    /// The modem did not offer it.
    Absent,
    /// Offered, not joined.
    Ready,
    /// Joined to the phone.
    Running,
}

/// How far our leg of an incoming call is on its way into the dialplan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// It has not come to our application.
    Outside,
    /// It waits in our application until we are sure to hear what becomes of it.
    Waiting,
    /// It was sent on.
    Entered,
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) record: CallRecord,
    pub(super) uuid: MediaId,
    pub(super) stage: Stage,
    /// When the stage has lasted too long.
    pub(super) deadline: Option<Instant>,
    pub(super) phone_channel: ChannelId,
    pub(super) phone: Leg,
    pub(super) entry: Entry,
    pub(super) media: Leg,
    pub(super) bridge: Leg,
    /// The external media channel is in our application and may be bridged.
    pub(super) media_in_stasis: bool,
    pub(super) joined: bool,
    /// Our audio listener waits for, or holds, a connection.
    pub(super) listening: bool,
    pub(super) modem: ModemSide,
    /// The network says that the call is up.
    pub(super) network_up: bool,
    pub(super) sound: Sound,
    pub(super) told: Told,
    pub(super) voicemail: bool,
    /// When the phone's lease must be renewed.
    pub(super) lease_at: Option<Instant>,
    /// When a lost audio connection ends the call, unless something better explains it before.
    pub(super) lost_at: Option<Instant>,
    pub(super) faults: BTreeSet<AudioFault>,
    /// The modem was told to switch its voice off and on.
    pub(super) is_sound_dead: bool,
}

impl Call {
    pub(super) fn new(record: CallRecord, uuid: MediaId, phone_channel: ChannelId) -> Self {
        Self {
            record,
            uuid,
            stage: Stage::Ringing,
            deadline: None,
            phone_channel,
            phone: Leg::Closed,
            entry: Entry::Outside,
            media: Leg::Closed,
            bridge: Leg::Closed,
            media_in_stasis: false,
            joined: false,
            listening: false,
            modem: ModemSide::Idle,
            network_up: false,
            sound: Sound::Absent,
            told: Told::Nothing,
            voicemail: false,
            lease_at: None,
            lost_at: None,
            faults: BTreeSet::new(),
            is_sound_dead: false,
        }
    }

    pub(super) fn id(&self) -> &CallId {
        &self.record.id
    }

    pub(super) fn line(&self) -> Option<LineId> {
        self.record.line
    }

    pub(super) fn is_incoming(&self) -> bool {
        self.record.direction == Direction::Incoming
    }

    pub(super) fn is_closing(&self) -> bool {
        matches!(self.stage, Stage::Closing { .. })
    }

    pub(super) fn leg(&self, resource: Resource) -> Leg {
        match resource {
            Resource::Phone => self.phone,
            Resource::Media => self.media,
            Resource::Bridge => self.bridge,
        }
    }

    pub(super) fn set_leg(&mut self, resource: Resource, leg: Leg) {
        match resource {
            Resource::Phone => self.phone = leg,
            Resource::Media => self.media = leg,
            Resource::Bridge => self.bridge = leg,
        }
    }

    pub(super) fn media_channel(&self) -> ChannelId {
        requests::media_channel(self.id())
    }

    pub(super) fn bridge_id(&self) -> BridgeId {
        requests::bridge(self.id())
    }

    /// Over, and everything that it had opened is confirmed closed.
    pub(super) fn is_finished(&self) -> bool {
        self.is_closing()
            && self.modem == ModemSide::Idle
            && RESOURCES.iter().all(|resource| self.leg(*resource) == Leg::Closed)
    }

    /// The status of a call that people, or the voicemail, had taken; `otherwise` when nobody had.
    pub(super) fn final_status(&self, otherwise: CallStatus) -> CallStatus {
        match (self.record.answered, self.voicemail) {
            (Some(_), true) => CallStatus::Voicemail,
            (Some(_), false) => CallStatus::Answered,
            (None, _) => otherwise,
        }
    }

    /// The earliest time at which this call must be looked at.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        [self.deadline, self.lease_at, self.lost_at].into_iter().flatten().min()
    }
}
