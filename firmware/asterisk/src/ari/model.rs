use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{BridgeId, ChannelId};

/// A channel: one leg of a call.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Channel {
    /// Its unique id.
    pub id: ChannelId,
    /// Its name, for example `PJSIP/2001-00000003`.
    #[serde(default)]
    pub name: String,
    /// Its state.
    pub state: ChannelState,
    /// Who calls.
    #[serde(default)]
    pub caller: Party,
    /// Who is at the other end.
    #[serde(default)]
    pub connected: Party,
    /// Where it is in the dialplan.
    #[serde(default)]
    pub dialplan: DialplanPosition,
    /// Variables that Asterisk is configured or asked to report.
    #[serde(default, rename = "channelvars")]
    pub variables: BTreeMap<String, String>,
}

impl Channel {
    /// Tells whether this is the pseudo channel of Asterisk's message queue, which is nobody's call.
    #[must_use]
    pub fn is_message_queue(&self) -> bool {
        self.name.starts_with("Message/")
    }
}

/// The state of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum ChannelState {
    /// Nothing happened on it yet.
    Down,
    /// Reserved.
    Reserved,
    /// Off hook.
    OffHook,
    /// Being dialled.
    Dialing,
    /// The box rings: a call comes in on it.
    Ring,
    /// The far end rings.
    Ringing,
    /// Answered.
    Up,
    /// Busy.
    Busy,
    /// A state that this list lacks, as Asterisk spells it.
    Other(String),
}

impl From<String> for ChannelState {
    fn from(text: String) -> Self {
        match text.as_str() {
            "Down" => Self::Down,
            "Rsrvd" => Self::Reserved,
            "OffHook" => Self::OffHook,
            "Dialing" => Self::Dialing,
            "Ring" => Self::Ring,
            "Ringing" => Self::Ringing,
            "Up" => Self::Up,
            "Busy" => Self::Busy,
            _ => Self::Other(text),
        }
    }
}

/// A name and a number, as a phone shows them. `Debug` hides both.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The name; may be empty.
    #[serde(default)]
    pub name: String,
    /// The number; empty when withheld.
    #[serde(default)]
    pub number: String,
}

/// Writes `"name" <number>` with everything left out that would end the name or the number early.
impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let breaks_out = |c: &char| c.is_control() || matches!(c, '"' | '\\' | '<' | '>');
        let name: String = self.name.chars().filter(|c| !breaks_out(c)).collect();
        let number: String = self.number.chars().filter(|c| !breaks_out(c)).collect();
        write!(f, "\"{name}\" <{number}>")
    }
}

impl fmt::Debug for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Party(…)")
    }
}

/// Where a channel is in the dialplan. `Debug` hides the extension, which may be a number that somebody dialled.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
pub struct DialplanPosition {
    /// The context.
    #[serde(default)]
    pub context: String,
    /// The extension.
    #[serde(default, rename = "exten")]
    pub extension: String,
    /// The application that runs, for example `VoiceMail`.
    #[serde(default, rename = "app_name")]
    pub application: String,
}

impl fmt::Debug for DialplanPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.context, self.application)
    }
}

/// A bridge: the place where legs hear each other.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Bridge {
    /// Its unique id.
    pub id: BridgeId,
    /// The channels in it.
    #[serde(default)]
    pub channels: Vec<ChannelId>,
}

/// What became of a dialled channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialStatus {
    /// Dialling has begun.
    Started,
    /// The far end accepted the call for processing.
    Proceeding,
    /// Early media or a progress indication.
    Progress,
    /// The far end rings.
    Ringing,
    /// Answered.
    Answer,
    /// The far end is busy.
    Busy,
    /// The network cannot.
    Congestion,
    /// Nobody is registered there.
    Unavailable,
    /// It rang and nobody answered.
    NoAnswer,
    /// The caller gave up.
    Cancel,
    /// A status that this list lacks, as Asterisk spells it.
    Other(String),
}

impl DialStatus {
    pub(super) fn parse(text: String) -> Self {
        match text.as_str() {
            "" => Self::Started,
            "PROCEEDING" => Self::Proceeding,
            "PROGRESS" => Self::Progress,
            "RINGING" => Self::Ringing,
            "ANSWER" => Self::Answer,
            "BUSY" => Self::Busy,
            "CONGESTION" => Self::Congestion,
            "CHANUNAVAIL" => Self::Unavailable,
            "NOANSWER" => Self::NoAnswer,
            "CANCEL" => Self::Cancel,
            _ => Self::Other(text),
        }
    }
}

/// A SIP account as Asterisk knows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Endpoint {
    /// The technology, `PJSIP` for all of ours.
    pub technology: String,
    /// The name: the extension's number.
    pub resource: String,
    /// `online`, `offline` or `unknown`.
    #[serde(default)]
    pub state: String,
    /// The channels that it holds.
    #[serde(default)]
    pub channel_ids: Vec<ChannelId>,
}

impl Endpoint {
    /// Tells whether at least one device is registered and answers.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.state == "online"
    }
}

/// A device that registered for an extension. `Debug` hides the URI, which holds an address of the household.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Contact {
    /// The address of record: the extension's number.
    #[serde(default)]
    pub aor: String,
    /// `Reachable`, `Unreachable`, `NonQualified`, `Removed` or `Unknown`.
    #[serde(default, rename = "contact_status")]
    pub status: String,
    /// Where the device is.
    #[serde(default)]
    pub uri: String,
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Contact({} {})", self.aor, self.status)
    }
}

/// A text message from a SIP phone. `Debug` hides the parties and the text.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct MessageText {
    /// The sender, a SIP URI that may carry a display name.
    #[serde(default)]
    pub from: String,
    /// The recipient, a SIP URI.
    #[serde(default)]
    pub to: String,
    /// The text.
    #[serde(default)]
    pub body: String,
}

impl fmt::Debug for MessageText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageText(…)")
    }
}

/// A Stasis application that Asterisk knows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// The channels that it is subscribed to.
    #[serde(default)]
    pub channel_ids: Vec<ChannelId>,
    /// The bridges that it is subscribed to.
    #[serde(default)]
    pub bridge_ids: Vec<BridgeId>,
}

/// A value that may hold numbers or texts: usable like the value itself, but `Debug` hides it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Private<T>(pub T);

impl<T> std::ops::Deref for Private<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
