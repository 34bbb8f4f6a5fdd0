use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Private;

/// Answer of a request that has nothing more to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Success {
    /// Always true; errors have their own body.
    pub success: bool,
}

impl Success {
    /// It worked.
    pub const YES: Self = Self { success: true };
}

/// A conversation between one line and one correspondent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Chat {
    /// `sms_+LOCAL_+REMOTE`; opaque.
    pub id: String,
    /// The correspondent's name, or number.
    pub name: Private,
    /// Text of the last message.
    pub last_message: Private,
    /// Time of the last message, in seconds since the epoch.
    pub timestamp: i64,
    /// Messages that nobody has read.
    pub unread_count: u32,
    /// Always null; existing apps read it.
    pub profile_picture: Option<String>,
    /// `sms`; existing apps read it.
    pub source: String,
    /// `sms-bridge`; existing apps send it back.
    pub provider: String,
    /// The number of the line.
    #[serde(rename = "local_phone_number")]
    pub local_phone_number: Option<Private>,
    /// The correspondent: a number or a sender's name.
    pub remote: Private,
    /// The line.
    pub line_id: String,
}

/// Answer of `GET /api/chats`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChatList {
    /// Always true.
    pub success: bool,
    /// Chats, the most recent first.
    pub chats: Vec<Chat>,
}

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// A text.
    Text,
    /// Octets for an application: settings, a contact card, a WAP push.
    Data,
    /// Something the box could not read; its octets are kept.
    Unreadable,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    /// Incoming, and stored.
    Received,
    /// Waits for its turn.
    Queued,
    /// On its way to the network.
    Sending,
    /// The network took it; its delivery report is waited for, eight days at most.
    Sent,
    /// The recipient's phone has it.
    Delivered,
    /// It will not arrive.
    Failed,
    /// Nobody can say whether it left, or no delivery report came; the box does not repeat it.
    Unknown,
}

/// The key of a message as existing apps read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageKey {
    /// Id of the message.
    pub id: String,
    /// True when this box sent it.
    pub from_me: bool,
    /// Id of the chat.
    pub remote_jid: String,
}

/// The content of a message as existing apps read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageContent {
    /// The text.
    pub conversation: Private,
}

/// A message, in every shape that an existing app reads: flat fields and the `key`/`message` form.
///
/// Build it from [`MessageFacts`], so that both forms say the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Opaque id.
    pub id: String,
    /// Id of the chat.
    pub chat_id: String,
    /// The text.
    pub content: Private,
    /// When it was stored, in milliseconds since the epoch; unique in its chat.
    pub timestamp: i64,
    /// The same in seconds.
    pub message_timestamp: i64,
    /// True when this box sent it.
    pub from_me: bool,
    /// Where it stands.
    pub status: MessageStatus,
    /// What kind of message it is.
    #[serde(rename = "type")]
    pub kind: MessageKind,
    /// Who sent it: a number or a sender's name.
    pub sender: Private,
    /// The key, once more.
    pub key: MessageKey,
    /// The content, once more.
    pub message: MessageContent,
    /// The line.
    pub line_id: String,
    /// How many parts it has on the air.
    pub segments: u32,
    /// False while parts of it have not arrived.
    pub is_complete: bool,
    /// When the service centre stamped it, or the network took it; milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<i64>,
    /// When the recipient's phone had all of it; milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<i64>,
    /// Why it failed, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Everything a [`Message`] says, each thing once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageFacts {
    /// Opaque id.
    pub id: String,
    /// Id of the chat.
    pub chat_id: String,
    /// The line.
    pub line_id: String,
    /// True when this box sent it.
    pub from_me: bool,
    /// The correspondent's number or name; for an own message, the number of the line.
    pub sender: Private,
    /// The text.
    pub content: Private,
    /// What kind of message it is.
    pub kind: MessageKind,
    /// Where it stands.
    pub status: MessageStatus,
    /// When it was stored, in milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// When it was sent, in milliseconds since the epoch.
    pub sent_at_ms: Option<i64>,
    /// When it was delivered, in milliseconds since the epoch.
    pub delivered_at_ms: Option<i64>,
    /// Why it failed, in words.
    pub error: Option<String>,
    /// How many parts it has on the air.
    pub segments: u32,
    /// False while parts of it have not arrived.
    pub is_complete: bool,
}

impl From<MessageFacts> for Message {
    fn from(facts: MessageFacts) -> Self {
        Self {
            key: MessageKey { id: facts.id.clone(), from_me: facts.from_me, remote_jid: facts.chat_id.clone() },
            message: MessageContent { conversation: facts.content.clone() },
            id: facts.id,
            chat_id: facts.chat_id,
            content: facts.content,
            timestamp: facts.timestamp_ms,
            message_timestamp: facts.timestamp_ms.div_euclid(1000),
            from_me: facts.from_me,
            status: facts.status,
            kind: facts.kind,
            sender: facts.sender,
            line_id: facts.line_id,
            segments: facts.segments,
            is_complete: facts.is_complete,
            sent_at: facts.sent_at_ms,
            delivered_at: facts.delivered_at_ms,
            error: facts.error,
        }
    }
}

/// Answer of `GET /api/chats/{id}/messages`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageList {
    /// Always true.
    pub success: bool,
    /// Messages in the order of their timestamps.
    pub messages: Vec<Message>,
    /// True when more lie beyond the page in the direction asked for.
    pub has_more: bool,
}

/// Body of `POST /api/sms/send`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewSms {
    /// The number to send to.
    pub to: Private,
    /// The text.
    #[serde(alias = "text")]
    pub message: Private,
    /// The number or the id of the line to send from; the first line that is ready without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Private>,
    /// Hint of existing apps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// A client's own key: the same key is accepted once, and answered the same way ever after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// Body of `POST /api/chats/{id}/messages`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewChatMessage {
    /// The text.
    pub text: Private,
    /// Hint of existing apps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// A client's own key: the same key is accepted once, and answered the same way ever after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// Answer to a message that was accepted: it is stored and will be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SmsAccepted {
    /// Always true.
    pub success: bool,
    /// Id of the message.
    pub message_id: String,
    /// Id of its chat.
    pub chat_id: String,
    /// Always `modem`.
    pub provider: String,
    /// The modem it will leave through, when one holds the SIM.
    pub modem_id: Option<String>,
    /// The line it will leave through.
    pub line_id: String,
    /// How many parts it has.
    pub segments: u32,
    /// Where it stands.
    pub status: MessageStatus,
    /// When it was stored, in milliseconds since the epoch.
    pub timestamp: i64,
    /// Something the user should know, such as a line that cannot send at the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}
