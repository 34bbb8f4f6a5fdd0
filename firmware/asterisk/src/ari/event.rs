use std::collections::BTreeMap;

use serde::Deserialize;
use telecom::HangUpCause;

use super::model::{Bridge, Channel, Contact, DialStatus, Endpoint, MessageText, Private};

/// The longest event that is parsed; Asterisk's own are below 4 KiB.
pub const MAX_EVENT_BYTES: usize = 256 * 1024;

/// Why a text is no ARI event.
#[derive(Debug, thiserror::Error)]
pub enum ParseEventError {
    /// Longer than [`MAX_EVENT_BYTES`].
    #[error("ari event of {bytes} bytes is longer than {MAX_EVENT_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not JSON, or a field has another type than ARI's.
    #[error("ari event is not what Asterisk 22 documents")]
    Json(#[source] serde_json::Error),
    /// An event of a known kind lacks something that this kind always has.
    #[error("ari event {kind} lacks its {field}")]
    Missing {
        /// The kind of event.
        kind: String,
        /// The field.
        field: &'static str,
    },
}

/// Something that happened in Asterisk.
///
/// Events of different channels are not ordered among each other.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a few events per call, matched in many places; boxes would cost more")]
pub enum Event {
    /// Another client took our application's name: this socket is dead.
    ApplicationReplaced {
        /// The application.
        application: String,
    },
    /// A bridge is gone.
    BridgeDestroyed {
        /// The bridge.
        bridge: Bridge,
    },
    /// A channel is gone. The cause is the real one, unlike that of [`Event::ChannelHangupRequest`].
    ChannelDestroyed {
        /// The channel.
        channel: Channel,
        /// Why; `Other(0)` when nobody said.
        cause: HangUpCause,
    },
    /// A DTMF digit was received from a channel.
    ChannelDtmfReceived {
        /// The channel.
        channel: Channel,
        /// The digit.
        digit: char,
    },
    /// A channel entered a bridge.
    ChannelEnteredBridge {
        /// The channel.
        channel: Channel,
        /// The bridge.
        bridge: Bridge,
    },
    /// Somebody asked for the end of a channel.
    ChannelHangupRequest {
        /// The channel.
        channel: Channel,
        /// The cause given, if any; 32 after our own `DELETE`.
        cause: Option<HangUpCause>,
    },
    /// A channel left a bridge.
    ChannelLeftBridge {
        /// The channel.
        channel: Channel,
        /// The bridge.
        bridge: Bridge,
    },
    /// The state of a channel changed.
    ChannelStateChange {
        /// The channel, with its new state.
        channel: Channel,
    },
    /// The dialplan raised a user event.
    ChannelUserevent {
        /// The channel, if it has one.
        channel: Option<Channel>,
        /// The name of the event.
        name: String,
        /// Its fields.
        fields: Private<BTreeMap<String, String>>,
    },
    /// A variable of a channel was set.
    ChannelVarset {
        /// The channel; global variables have none.
        channel: Option<Channel>,
        /// The variable.
        variable: String,
        /// Its value.
        value: Private<String>,
    },
    /// A device of an extension registered, left, or was found reachable or not.
    ContactStatusChange {
        /// The extension.
        endpoint: Endpoint,
        /// The device.
        contact: Contact,
    },
    /// A channel is dialled for another one.
    Dial {
        /// The channel that dials; none for a channel that ARI originated.
        caller: Option<Channel>,
        /// The channel that is dialled.
        peer: Channel,
        /// How far it is.
        status: DialStatus,
    },
    /// An extension came online or went offline.
    EndpointStateChange {
        /// The extension.
        endpoint: Endpoint,
    },
    /// The state of a peer changed.
    PeerStatusChange {
        /// The extension.
        endpoint: Endpoint,
    },
    /// A playback ended.
    PlaybackFinished,
    /// A channel left our application.
    StasisEnd {
        /// The channel.
        channel: Channel,
    },
    /// A channel entered our application.
    StasisStart {
        /// The channel.
        channel: Channel,
        /// The arguments of the application.
        args: Private<Vec<String>>,
    },
    /// A phone sent a text message.
    TextMessageReceived {
        /// The message.
        message: MessageText,
        /// The extension that sent it, if Asterisk knows it.
        endpoint: Option<Endpoint>,
    },
    /// A kind of event that this list lacks.
    Other {
        /// Its name.
        kind: String,
    },
}

impl Event {
    /// Parses one text frame of the event WebSocket.
    ///
    /// # Errors
    /// When the text is too long, is no JSON of ARI's shape, or lacks what its kind always has. The caller logs it and
    /// goes on: one event that is not understood ends nothing.
    pub fn parse(text: &str) -> Result<Self, ParseEventError> {
        if text.len() > MAX_EVENT_BYTES {
            return Err(ParseEventError::TooLong { bytes: text.len() });
        }
        serde_json::from_str::<Raw>(text).map_err(ParseEventError::Json)?.into_event()
    }
}

/// All fields of all events that we read.
#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "type")]
    kind: String,
    application: Option<String>,
    args: Option<Vec<String>>,
    bridge: Option<Bridge>,
    caller: Option<Channel>,
    cause: Option<i64>,
    channel: Option<Channel>,
    contact_info: Option<Contact>,
    dialstatus: Option<String>,
    digit: Option<String>,
    endpoint: Option<Endpoint>,
    eventname: Option<String>,
    message: Option<serde_json::Value>,
    peer: Option<Channel>,
    userevent: Option<BTreeMap<String, serde_json::Value>>,
    value: Option<String>,
    variable: Option<String>,
}

impl Raw {
    fn into_event(self) -> Result<Event, ParseEventError> {
        let Self { kind, .. } = &self;
        match kind.as_str() {
            "ApplicationReplaced" => {
                Ok(Event::ApplicationReplaced { application: self.application.unwrap_or_default() })
            }
            "ContactStatusChange" => {
                let endpoint = need(&self.kind, "endpoint", self.endpoint)?;
                let contact = need(&self.kind, "contact_info", self.contact_info)?;
                Ok(Event::ContactStatusChange { endpoint, contact })
            }
            "Dial" => {
                let peer = need(&self.kind, "peer", self.peer)?;
                let status = DialStatus::parse(need(&self.kind, "dialstatus", self.dialstatus)?);
                Ok(Event::Dial { caller: self.caller, peer, status })
            }
            "EndpointStateChange" => {
                Ok(Event::EndpointStateChange { endpoint: need(&self.kind, "endpoint", self.endpoint)? })
            }
            "PeerStatusChange" => {
                Ok(Event::PeerStatusChange { endpoint: need(&self.kind, "endpoint", self.endpoint)? })
            }
            "PlaybackFinished" => Ok(Event::PlaybackFinished),
            "TextMessageReceived" => {
                let message = need(&self.kind, "message", self.message)?;
                let message = serde_json::from_value(message).map_err(ParseEventError::Json)?;
                Ok(Event::TextMessageReceived { message, endpoint: self.endpoint })
            }
            "BridgeDestroyed" | "ChannelEnteredBridge" | "ChannelLeftBridge" => self.into_bridge_event(),
            _ => self.into_channel_event(),
        }
    }

    fn into_bridge_event(self) -> Result<Event, ParseEventError> {
        let bridge = need(&self.kind, "bridge", self.bridge)?;
        if self.kind == "BridgeDestroyed" {
            return Ok(Event::BridgeDestroyed { bridge });
        }
        let channel = need(&self.kind, "channel", self.channel)?;
        Ok(match self.kind.as_str() {
            "ChannelEnteredBridge" => Event::ChannelEnteredBridge { channel, bridge },
            _ => Event::ChannelLeftBridge { channel, bridge },
        })
    }

    fn into_channel_event(self) -> Result<Event, ParseEventError> {
        let kind = self.kind;
        match kind.as_str() {
            "ChannelDestroyed" => {
                let cause = hang_up_cause(self.cause.unwrap_or(0));
                Ok(Event::ChannelDestroyed { channel: need(&kind, "channel", self.channel)?, cause })
            }
            "ChannelDtmfReceived" => {
                let digit = need(&kind, "digit", self.digit.and_then(|digit| digit.chars().next()))?;
                Ok(Event::ChannelDtmfReceived { channel: need(&kind, "channel", self.channel)?, digit })
            }
            "ChannelHangupRequest" => {
                let cause = self.cause.map(hang_up_cause);
                Ok(Event::ChannelHangupRequest { channel: need(&kind, "channel", self.channel)?, cause })
            }
            "ChannelStateChange" => Ok(Event::ChannelStateChange { channel: need(&kind, "channel", self.channel)? }),
            "ChannelUserevent" => {
                let name = need(&kind, "eventname", self.eventname)?;
                let fields = self.userevent.unwrap_or_default().into_iter();
                let fields = fields.filter_map(|(key, value)| Some((key, value.as_str()?.to_owned())));
                let fields = Private(fields.collect());
                Ok(Event::ChannelUserevent { channel: self.channel, name, fields })
            }
            "ChannelVarset" => {
                let variable = need(&kind, "variable", self.variable)?;
                let value = Private(self.value.unwrap_or_default());
                Ok(Event::ChannelVarset { channel: self.channel, variable, value })
            }
            "StasisEnd" => Ok(Event::StasisEnd { channel: need(&kind, "channel", self.channel)? }),
            "StasisStart" => {
                let args = Private(self.args.unwrap_or_default());
                Ok(Event::StasisStart { channel: need(&kind, "channel", self.channel)?, args })
            }
            _ => Ok(Event::Other { kind }),
        }
    }
}

fn need<T>(kind: &str, field: &'static str, value: Option<T>) -> Result<T, ParseEventError> {
    value.ok_or_else(|| ParseEventError::Missing { kind: kind.to_owned(), field })
}

/// Reads Asterisk's cause; its values beyond Q.850's seven bits, and negative ones, become `Other(127)` (interworking).
fn hang_up_cause(cause: i64) -> HangUpCause {
    HangUpCause::from_code(u8::try_from(cause).unwrap_or(127))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ChannelId;
    use crate::ari::ChannelState;

    const CHANNEL: &str = r#"{"id":"hn-1","name":"PJSIP/2001-00000001","state":"Ring","protocol_id":"x",
        "caller":{"name":"Two","number":"2001"},"connected":{"name":"","number":""},"accountcode":"",
        "dialplan":{"context":"from-internal","exten":"0612345678","priority":3,"app_name":"Stasis","app_data":"hn"},
        "creationtime":"2026-11-22T11:00:00.000+0000","language":"en"}"#;

    #[test]
    fn events_of_each_kind_are_read() {
        let cases: &[(&str, &str, &str)] = &[
            (
                "start",
                r#"{"type":"StasisStart","args":["out","default"],"channel":CH,"application":"hn","asterisk_id":"x","timestamp":"t"}"#,
                "StasisStart",
            ),
            ("end", r#"{"type":"StasisEnd","channel":CH}"#, "StasisEnd"),
            ("state", r#"{"type":"ChannelStateChange","channel":CH}"#, "ChannelStateChange"),
            (
                "dial",
                r#"{"type":"Dial","caller":CH,"peer":CH,"dialstatus":"ANSWER","forward":"","dialstring":"x"}"#,
                "Answer",
            ),
            ("dial begins", r#"{"type":"Dial","peer":CH,"dialstatus":""}"#, "Started"),
            ("destroyed", r#"{"type":"ChannelDestroyed","channel":CH,"cause":17,"cause_txt":"User busy"}"#, "Busy"),
            (
                "destroyed without a cause",
                r#"{"type":"ChannelDestroyed","channel":CH,"cause":0,"cause_txt":"Unknown"}"#,
                "Other(0)",
            ),
            ("request", r#"{"type":"ChannelHangupRequest","channel":CH,"cause":17,"tech_cause":486}"#, "Some(Busy)"),
            ("soft request", r#"{"type":"ChannelHangupRequest","channel":CH,"soft":true}"#, "None"),
            ("digit", r##"{"type":"ChannelDtmfReceived","channel":CH,"digit":"#","duration_ms":100}"##, "'#'"),
            (
                "bridge",
                r#"{"type":"ChannelEnteredBridge","channel":CH,"bridge":{"id":"b","technology":"simple_bridge","channels":["hn-1"]}}"#,
                "BridgeId",
            ),
            (
                "endpoint",
                r#"{"type":"EndpointStateChange","endpoint":{"technology":"PJSIP","resource":"2001","state":"online","channel_ids":[]}}"#,
                "online",
            ),
            (
                "contact",
                r#"{"type":"ContactStatusChange","endpoint":{"technology":"PJSIP","resource":"2001","channel_ids":[]},"contact_info":{"uri":"sip:2001@192.0.2.1","contact_status":"Reachable","aor":"2001"}}"#,
                "Contact(2001 Reachable)",
            ),
            (
                "message",
                r#"{"type":"TextMessageReceived","message":{"from":"sip:2001@x","to":"sip:1@x","body":"hé 👍","variables":{}},"endpoint":{"technology":"PJSIP","resource":"2001","channel_ids":[]}}"#,
                "MessageText(…)",
            ),
            ("replaced", r#"{"type":"ApplicationReplaced","application":"homenichat"}"#, "homenichat"),
            ("unknown", r#"{"type":"Whatever","cause":"text where a number is expected elsewhere","x":1}"#, "error"),
            ("other", r#"{"type":"ChannelDialplan","channel":CH}"#, "ChannelDialplan"),
            ("missing", r#"{"type":"StasisStart"}"#, "lacks its channel"),
        ];
        for (name, text, want) in cases {
            let got = match Event::parse(&text.replace("CH", CHANNEL)) {
                Ok(event) => format!("{event:?}"),
                Err(error @ ParseEventError::Json(_)) => format!("error: {error}"),
                Err(error) => error.to_string(),
            };
            assert!(got.contains(want), "{name}: {got}");
        }
    }

    #[test]
    fn a_channel_is_read_and_its_debug_names_nobody() {
        let event = Event::parse(&format!(r#"{{"type":"StasisStart","args":["out","line-3"],"channel":{CHANNEL}}}"#));
        let Ok(Event::StasisStart { channel, args }) = event else { panic!("{event:?}") };
        assert_eq!(channel.id, ChannelId::new("hn-1"));
        assert_eq!(channel.state, ChannelState::Ring);
        assert_eq!((channel.caller.number.as_str(), channel.dialplan.extension.as_str()), ("2001", "0612345678"));
        assert_eq!(args.0, ["out", "line-3"]);
        assert!(!format!("{channel:?}").contains("0612345678"));
    }

    #[test]
    fn an_endless_event_is_refused() {
        let text = format!(r#"{{"type":"{}"}}"#, "x".repeat(MAX_EVENT_BYTES));
        assert!(matches!(Event::parse(&text), Err(ParseEventError::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,200}") {
            let _outcome = Event::parse(&text);
        }

        #[test]
        fn no_cause_makes_the_parser_panic(cause in any::<i64>()) {
            let text = format!(r#"{{"type":"ChannelDestroyed","channel":{CHANNEL},"cause":{cause}}}"#);
            prop_assert!(Event::parse(&text).is_ok());
        }
    }
}
