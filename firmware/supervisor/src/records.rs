//! Rows of the store in the words of the API.

use jiff::Timestamp;
use store::{Call, CallDirection, CallStatus, Chat, Direction, Message};
use switchboard::inbox::MessageKind;
use switchboard::outbox::MessageStatus;

/// The sender of what we send, as existing apps expect it.
const US: &str = "me";
/// The source of everything that comes by SMS or by a modem.
const SOURCE_SMS: &str = "sms";

/// A chat.
#[must_use]
pub fn chat(chat: Chat) -> api::Chat {
    let remote = chat.remote.to_string();
    api::Chat {
        id: chat.id.to_string(),
        name: chat.name.unwrap_or_else(|| remote.clone()).into(),
        last_message: chat.last_message.into(),
        timestamp: chat.last_at_ms.div_euclid(1000),
        unread_count: chat.unread_count,
        profile_picture: None,
        source: SOURCE_SMS.to_owned(),
        provider: SOURCE_SMS.to_owned(),
        local_phone_number: chat.line_number.map(|number| number.to_string().into()),
        remote: remote.into(),
        line_id: chat.line.to_string(),
    }
}

/// A message.
#[must_use]
pub fn message(message: Message) -> api::Message {
    let from_me = message.direction == Direction::Out;
    api::MessageFacts {
        id: message.id.to_string(),
        chat_id: message.chat.to_string(),
        line_id: message.line.to_string(),
        from_me,
        sender: if from_me { US.into() } else { message.remote.to_string().into() },
        content: message.body.into(),
        kind: match message.kind {
            MessageKind::Text => api::MessageKind::Text,
            MessageKind::Data => api::MessageKind::Data,
            MessageKind::Unreadable => api::MessageKind::Unreadable,
        },
        status: message_status(message.status),
        timestamp_ms: message.created_at_ms,
        sent_at_ms: message.sent_at_ms,
        delivered_at_ms: message.delivered_at_ms,
        error: message.error,
        segments: message.segments,
        is_complete: message.is_complete,
    }
    .into()
}

/// What changed about a message that we send.
#[must_use]
pub fn status_change(message: &Message, at_ms: i64) -> api::MessageStatusChange {
    api::MessageStatusChange {
        message_id: message.id.to_string(),
        chat_id: message.chat.to_string(),
        status: message_status(message.status),
        recipient: message.remote.to_string().into(),
        timestamp: at_ms,
        error: message.error.clone(),
    }
}

/// Where a message stands.
#[must_use]
pub fn message_status(status: MessageStatus) -> api::MessageStatus {
    match status {
        MessageStatus::Received => api::MessageStatus::Received,
        MessageStatus::Queued => api::MessageStatus::Queued,
        MessageStatus::Sending => api::MessageStatus::Sending,
        MessageStatus::Sent => api::MessageStatus::Sent,
        MessageStatus::Delivered => api::MessageStatus::Delivered,
        MessageStatus::Failed => api::MessageStatus::Failed,
        MessageStatus::Unknown => api::MessageStatus::Unknown,
    }
}

/// A call.
#[must_use]
pub fn call(call: Call) -> api::Call {
    let talked_ms = match (call.answer_at_ms, call.end_at_ms) {
        (Some(answer), Some(end)) => end.saturating_sub(answer).max(0),
        _ => 0,
    };
    api::Call {
        id: call.id.to_string(),
        direction: match call.direction {
            CallDirection::Incoming => api::CallDirection::Incoming,
            CallDirection::Outgoing => api::CallDirection::Outgoing,
        },
        caller_number: call.caller_number.into(),
        called_number: call.called_number.into(),
        caller_name: call.caller_name.map(Into::into),
        line_name: call.line_name,
        line_id: call.line.map(|line| line.to_string()),
        start_time: iso(call.start_at_ms),
        answer_time: call.answer_at_ms.map(iso),
        end_time: call.end_at_ms.map(iso),
        duration: u32::try_from(talked_ms / 1000).unwrap_or(u32::MAX),
        answered_by_username: call.answered_by_username,
        answered_by_extension: call.answered_by_extension,
        status: match call.status {
            CallStatus::Ringing => api::CallStatus::Ringing,
            CallStatus::Missed => api::CallStatus::Missed,
            CallStatus::Answered => api::CallStatus::Answered,
            CallStatus::Rejected => api::CallStatus::Rejected,
            CallStatus::Busy => api::CallStatus::Busy,
            CallStatus::Failed => api::CallStatus::Failed,
        },
        source: call.source,
        pbx_call_id: call.pbx_call_id,
        seen: call.is_seen,
        notes: call.notes.map(Into::into),
        recording_url: call.recording_url,
        created_at: iso(call.created_at_ms),
    }
}

fn iso(ms: i64) -> String {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}
