use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Call, CallDirection, CallStatus, Chat, Line, Message, MessageStatus, Modem, Private, User};

/// What a client sends on `/ws`. Unknown types are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientFrame {
    /// Must come first, within 30 seconds, unless the request carried the token.
    Auth {
        /// Token of a session.
        token: Private,
    },
    /// Keeps the connection.
    Ping,
    /// Accepted for existing apps; every event is sent to every client.
    #[serde(rename_all = "camelCase")]
    Subscribe {
        /// The chat of interest.
        chat_id: String,
    },
    /// Accepted for existing apps; an SMS has no typing state.
    #[serde(rename_all = "camelCase")]
    Typing {
        /// The chat typed in.
        chat_id: String,
        /// Whether the user types.
        is_typing: bool,
    },
}

/// What the box sends on `/ws`: answers to the client, and events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ServerFrame {
    /// An answer.
    Answer(ServerAnswer),
    /// An event.
    Event(Envelope),
}

/// What the box answers to a client's frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerAnswer {
    /// The token is good.
    AuthSuccess {
        /// Whose session it is.
        user: User,
    },
    /// The token is not good; the box closes with code 1008.
    AuthError {
        /// One sentence for a human.
        error: String,
    },
    /// Answer to a ping.
    Pong,
}

/// An event with its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Envelope {
    /// What happened.
    #[serde(flatten)]
    pub event: ServerEvent,
    /// When, in milliseconds since the epoch.
    pub timestamp: i64,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum ServerEvent {
    /// A message was received or accepted for sending.
    NewMessage(Box<Message>),
    /// A message stands elsewhere.
    MessageStatus(MessageStatusChange),
    /// The content of a message changed: a late part arrived.
    MessageUpdate(Box<Message>),
    /// The chats, sent once after a client has signed in; from then on they change by single events.
    ChatsListUpdate(ChatsSnapshot),
    /// A chat has a new last message or another unread count.
    ChatUpdated(Chat),
    /// A chat was read.
    ChatRead(ChatRead),
    /// A line rings.
    IncomingCall(IncomingCall),
    /// A call was answered.
    CallAnswered(Box<Call>),
    /// A call ended.
    CallEnded(Box<Call>),
    /// The history changed.
    CallHistoryUpdate(CallsChanged),
    /// A modem came, went, or changed.
    ModemUpdate(Modem),
    /// A line came, went, or changed.
    LineUpdate(Line),
    /// The box repaired something, or gave up.
    WatchdogAction(WatchdogAction),
}

/// Data of `message_status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageStatusChange {
    /// Id of the message.
    pub message_id: String,
    /// Id of its chat.
    pub chat_id: String,
    /// Where it stands.
    pub status: MessageStatus,
    /// To whom it was sent.
    pub recipient: Private,
    /// When it came there, in milliseconds since the epoch.
    pub timestamp: i64,
    /// Why it failed, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Data of `chats_list_update`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatsSnapshot {
    /// Chats, the most recent first.
    pub chats: Vec<Chat>,
    /// Why, in one word.
    pub reason: String,
}

/// Data of `chat_read`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatRead {
    /// Id of the chat.
    pub chat_id: String,
}

/// Data of `incoming_call`, under the names of the server and under those that existing apps read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IncomingCall {
    /// Id of the call.
    pub call_id: String,
    /// Id of the call, once more.
    pub unique_id: String,
    /// The number that calls.
    pub caller_number: Private,
    /// The number that calls, once more.
    pub caller_id: Private,
    /// The number that calls, once more.
    pub caller_id_num: Private,
    /// Name of the caller.
    pub caller_name: Option<Private>,
    /// Name of the caller, once more.
    pub caller_id_name: Option<Private>,
    /// Name of the line that rings.
    pub line_name: Option<String>,
    /// The line that rings.
    pub line_id: Option<String>,
    /// When it began, ISO 8601 in UTC.
    pub start_time: String,
    /// Always incoming.
    pub direction: CallDirection,
    /// Always ringing.
    pub status: CallStatus,
}

impl From<&Call> for IncomingCall {
    fn from(call: &Call) -> Self {
        Self {
            call_id: call.id.clone(),
            unique_id: call.id.clone(),
            caller_number: call.caller_number.clone(),
            caller_id: call.caller_number.clone(),
            caller_id_num: call.caller_number.clone(),
            caller_name: call.caller_name.clone(),
            caller_id_name: call.caller_name.clone(),
            line_name: call.line_name.clone(),
            line_id: call.line_id.clone(),
            start_time: call.start_time.clone(),
            direction: CallDirection::Incoming,
            status: CallStatus::Ringing,
        }
    }
}

/// Data of `call_history_update`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CallsChanged {
    /// Why, in one word.
    pub reason: String,
}

/// What the box did by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WatchdogStep {
    /// A command was sent to the modem once more.
    Retry,
    /// The modem was set up anew.
    Reinitialise,
    /// The modem was told to start anew.
    FunctionalityReset,
    /// The modem was taken off the bus and put back.
    UsbReset,
    /// Nothing helped, and nothing more is tried for a while.
    GaveUp,
    /// Modems are started one after the other.
    StaggeredStart,
    /// A program is started anew.
    Restart,
    /// Sound is missing, or not as it should be.
    AudioAlarm,
}

/// Data of `watchdog_action`: what the box did by itself, or noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WatchdogAction {
    /// What it was done to: `modem-2`, `asterisk`, `power`, or the id of a line.
    pub target: String,
    /// What was done.
    pub action: WatchdogStep,
    /// Why, in words.
    pub reason: String,
}

/// One entry of the event log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Grows with every event.
    pub id: i64,
    /// What kind of event it is.
    pub kind: String,
    /// Its details.
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
    /// When, in milliseconds since the epoch.
    pub timestamp: i64,
}

/// Answer of `GET /api/events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventList {
    /// Always true.
    pub success: bool,
    /// Events, the most recent first.
    pub events: Vec<Event>,
    /// Whether older ones exist.
    pub has_more: bool,
}
