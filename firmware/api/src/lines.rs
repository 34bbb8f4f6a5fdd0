use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Private;

/// A value with the age of its last proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fact<T> {
    /// The value as last seen.
    pub value: T,
    /// How long ago it was seen, in seconds.
    pub age_seconds: u64,
}

/// Whether a line can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineState {
    /// No modem holds the SIM.
    Absent,
    /// The modem is being brought up.
    Starting,
    /// The SIM asks for its PIN.
    PinNeeded,
    /// The SIM asks for its PUK.
    PukNeeded,
    /// The modem looks for a network.
    Registering,
    /// Messages and calls can go.
    Ready,
    /// It was ready, and nothing has proved it lately.
    Unknown,
    /// The box has given up; the events say why.
    Failed,
}

/// A number on which the box can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Opaque id.
    pub id: String,
    /// The owner's name for it.
    pub name: String,
    /// Its number, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<Private>,
    /// Whether it can be used.
    pub state: LineState,
    /// The modem that holds the SIM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modem_id: Option<String>,
    /// Name of the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<Fact<String>>,
    /// Where the modem stands with the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration: Option<Fact<Registration>>,
    /// How well the network is received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<Fact<Signal>>,
    /// Radio technology, such as `LTE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_technology: Option<String>,
}

/// Where a modem stands with the network (TS 27.007 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    /// Does not look for a network.
    NotSearching,
    /// On its own network.
    Home,
    /// Looks for a network.
    Searching,
    /// The network refuses the SIM.
    Denied,
    /// Cannot say.
    Unknown,
    /// On a foreign network.
    Roaming,
    /// Only messages, on its own network.
    SmsOnlyHome,
    /// Only messages, on a foreign network.
    SmsOnlyRoaming,
    /// Only emergency calls.
    EmergencyOnly,
}

/// How well the network is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Signal {
    /// Received power.
    pub rssi_dbm: i16,
    /// 0 (none) to 5 (best), as a phone shows it.
    pub bars: u8,
}

/// Answer of `GET /api/lines`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineList {
    /// Always true.
    pub success: bool,
    /// Every line the box has ever seen.
    pub lines: Vec<Line>,
}

/// Body of `PATCH /api/lines/{id}`: what the owner says about a line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineChange {
    /// New name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its number, which SIMs often do not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<Private>,
}

/// What a modem is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModemState {
    /// Known, not plugged in.
    Absent,
    /// Being brought up.
    Starting,
    /// Its SIM asks for the PIN.
    PinNeeded,
    /// Its SIM asks for the PUK.
    PukNeeded,
    /// Sees no SIM.
    NoSim,
    /// Looks for a network.
    Registering,
    /// In use.
    Ready,
    /// It was ready, and nothing has proved it lately.
    Unknown,
    /// Being repaired by the self-heal ladder.
    Healing,
    /// Given up; the events say why.
    Failed,
}

/// A cellular modem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Modem {
    /// Opaque id.
    pub id: String,
    /// The owner's name for it.
    pub name: String,
    /// Model as the modem tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Firmware as the modem tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// Its IMEI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imei: Option<Private>,
    /// Where it is plugged in, such as `1-2.3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usb_path: Option<String>,
    /// What it is doing.
    pub state: ModemState,
    /// The line of its SIM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_id: Option<String>,
    /// Tries left for the PIN, when the SIM asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin_tries_left: Option<u8>,
}

/// Answer of `GET /api/modems`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModemList {
    /// Always true.
    pub success: bool,
    /// Every modem the box has ever seen.
    pub modems: Vec<Modem>,
}

/// Body of `PATCH /api/modems/{id}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModemChange {
    /// The owner's name for the modem.
    pub name: String,
}

/// Body of `POST /api/modems/{id}/pin`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PinEntry {
    /// The PIN, 4 to 8 digits; it is kept for this SIM once the SIM has taken it.
    pub pin: Private,
}

/// Body of `POST /api/lines/{id}/ussd`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UssdRequest {
    /// What would be dialled, such as `*100#`.
    pub code: Private,
}

/// Body of `POST /api/lines/{id}/ussd/reply`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UssdReply {
    /// The answer to the network's question.
    pub text: Private,
}

/// What the network said in a USSD session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UssdAnswer {
    /// Always true.
    pub success: bool,
    /// What the network said.
    pub text: Private,
    /// True when the network waits for a reply.
    pub expects_reply: bool,
}
