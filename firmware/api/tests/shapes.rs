//! The wire shapes that existing apps read.

use api::{
    Call, CallDirection, CallStatus, ClientFrame, Envelope, ErrorBody, ErrorCode, IncomingCall, Login, Message,
    MessageFacts, MessageKind, MessageStatus, MessageStatusChange, NewSms, ServerAnswer, ServerEvent, ServerFrame,
};
use serde_json::{from_value, json, to_value};

#[test]
fn a_message_says_everything_in_both_shapes() {
    let message = Message::from(MessageFacts {
        id: "7".into(),
        chat_id: "sms_+33600000001_+33600000002".into(),
        line_id: "line-1".into(),
        from_me: true,
        sender: "+33600000001".into(),
        content: "hello".into(),
        kind: MessageKind::Text,
        status: MessageStatus::Sent,
        timestamp_ms: 1_700_000_000_999,
        sent_at_ms: None,
        delivered_at_ms: None,
        error: None,
        segments: 1,
        is_complete: true,
    });
    assert_eq!(
        to_value(message).unwrap(),
        json!({
            "id": "7", "chatId": "sms_+33600000001_+33600000002", "content": "hello", "fromMe": true,
            "timestamp": 1_700_000_000_999_i64, "messageTimestamp": 1_700_000_000, "status": "sent", "type": "text",
            "sender": "+33600000001", "lineId": "line-1", "segments": 1, "isComplete": true,
            "key": {"id": "7", "fromMe": true, "remoteJid": "sms_+33600000001_+33600000002"},
            "message": {"conversation": "hello"},
        })
    );
}

#[test]
fn frames_have_the_form_of_existing_apps() {
    let change = MessageStatusChange {
        message_id: "7".into(),
        chat_id: "c".into(),
        status: MessageStatus::Delivered,
        recipient: "+33600000002".into(),
        timestamp: 5,
        error: None,
    };
    let event = ServerFrame::Event(Envelope { event: ServerEvent::MessageStatus(change), timestamp: 9 });
    assert_eq!(
        to_value(&event).unwrap(),
        json!({"type": "message_status", "timestamp": 9, "data": {
            "messageId": "7", "chatId": "c", "status": "delivered", "recipient": "+33600000002", "timestamp": 5}})
    );
    assert_eq!(from_value::<ServerFrame>(to_value(&event).unwrap()).unwrap(), event);
    assert_eq!(to_value(ServerFrame::Answer(ServerAnswer::Pong)).unwrap(), json!({"type": "pong"}));
    let auth = from_value::<ClientFrame>(json!({"type": "auth", "token": "t", "data": 1})).unwrap();
    assert_eq!(auth, ClientFrame::Auth { token: "t".into() });
    assert_eq!(
        from_value::<ClientFrame>(json!({"type": "subscribe", "chatId": "c"})).unwrap(),
        ClientFrame::Subscribe { chat_id: "c".into() }
    );
}

#[test]
fn an_incoming_call_carries_the_names_that_apps_read() {
    let call = Call {
        id: "c-1".into(),
        direction: CallDirection::Incoming,
        caller_number: "+33600000002".into(),
        called_number: "+33600000001".into(),
        caller_name: None,
        line_name: Some("Home".into()),
        line_id: Some("line-1".into()),
        start_time: "2026-11-22T12:00:00Z".into(),
        answer_time: None,
        end_time: None,
        duration: 0,
        answered_by_username: None,
        answered_by_extension: None,
        status: CallStatus::Ringing,
        source: "pbx".into(),
        pbx_call_id: None,
        seen: false,
        notes: None,
        recording_url: None,
        created_at: "2026-11-22T12:00:00Z".into(),
    };
    let data = to_value(IncomingCall::from(&call)).unwrap();
    for name in ["callerNumber", "callerId", "callerIdNum"] {
        assert_eq!(data[name], "+33600000002", "{name}");
    }
    assert_eq!((&data["callId"], &data["uniqueId"]), (&json!("c-1"), &json!("c-1")));
}

#[test]
fn bodies_of_existing_apps_are_read() {
    let sms: NewSms = from_value(json!({"to": "0612345678", "message": "hi", "providerId": "modem"})).unwrap();
    assert_eq!(sms.message.as_str(), "hi");
    let sms: NewSms = from_value(json!({"to": "0612345678", "text": "hi"})).unwrap();
    assert_eq!(sms.message.as_str(), "hi");
}

#[test]
fn debug_shows_no_secret() {
    let login: Login = from_value(json!({"username": "ann", "password": "hunter2!"})).unwrap();
    assert_eq!(format!("{login:?}"), r#"Login { username: "ann", password: … }"#);
}

#[test]
fn an_error_has_its_status_and_code() {
    let body = ErrorBody::new(ErrorCode::TextTooLong, "text needs 12 parts, at most 10 can be sent", "r-1");
    assert_eq!(
        to_value(&body).unwrap(),
        json!({"error": "text needs 12 parts, at most 10 can be sent", "code": "text_too_long", "requestId": "r-1"})
    );
    assert_eq!(ErrorCode::TextTooLong.http_status(), 400);
}
