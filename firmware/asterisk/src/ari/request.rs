use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use telecom::HangUpCause;

use super::model::Party;
use super::percent;
use crate::audiosocket::MediaId;
use crate::{BridgeId, ChannelId};

/// An HTTP method that ARI uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates or acts.
    Post,
    /// Replaces or sends.
    Put,
    /// Removes.
    Delete,
}

impl Method {
    /// Returns the method as HTTP spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// One request to Asterisk's REST interface.
///
/// `Debug` shows the method, the path and the names of the parameters, and the values of those that name nobody.
#[derive(Clone, PartialEq)]
pub struct Request {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
}

/// Parameters that may hold numbers, names or texts.
const PERSONAL: &[&str] = &["appArgs", "callerId", "dtmf", "extension", "value"];

/// A channel to be created by [`Request::create_channel`]. `Debug` is as discreet as that of [`Request`].
#[derive(Clone, PartialEq)]
pub struct Originate {
    /// What to dial, as `technology/resource`.
    pub endpoint: String,
    /// Where the channel goes when it is answered.
    pub target: Target,
    /// Who the called phone sees.
    pub caller: Option<Party>,
    /// How long it may ring.
    pub timeout: Duration,
    /// The id of the new channel.
    pub channel: ChannelId,
    /// The id of the far half when `endpoint` is a Local channel.
    pub other_channel: Option<ChannelId>,
    /// The formats offered, for example `slin`; `None` lets Asterisk choose.
    pub formats: Option<String>,
    /// Channel variables; the prefix `__` lets one pass through Local channels.
    pub variables: BTreeMap<String, String>,
}

impl fmt::Debug for Originate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Request::create_channel(self).fmt(f)
    }
}

/// Where a channel goes when it is answered. It has no `Debug`, because it may hold a number that somebody dials.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// To a Stasis application.
    App {
        /// The name of the application.
        app: String,
        /// Its arguments; a comma separates two, so none may hold one.
        args: Vec<String>,
    },
    /// To an extension of the dialplan, at priority 1.
    Dialplan {
        /// The context.
        context: String,
        /// The extension.
        extension: String,
    },
}

/// Returns the path of the event WebSocket of application `app`.
#[must_use]
pub fn events_path(app: &str) -> String {
    Request::new(Method::Get, &["events"]).with("app", app).with("subscribeAll", "false").path_and_query()
}

/// Returns the dial string of a media leg: Asterisk connects to `listener` and names itself with `media`.
#[must_use]
pub fn audiosocket_endpoint(listener: SocketAddr, media: MediaId) -> String {
    format!("AudioSocket/{listener}/{media}/c(slin)")
}

/// Channels.
impl Request {
    /// Creates a channel, dials it, and sends it to its target once it is answered (`POST /channels`).
    #[must_use]
    pub fn create_channel(originate: &Originate) -> Self {
        let mut request = Self::new(Method::Post, &["channels"])
            .with("endpoint", &originate.endpoint)
            .with("timeout", &originate.timeout.as_secs().max(1).to_string())
            .with("channelId", originate.channel.as_str());
        request = match &originate.target {
            Target::App { app, args } => request.with("app", app).with("appArgs", &args.join(",")),
            Target::Dialplan { context, extension } => {
                request.with("context", context).with("extension", extension).with("priority", "1")
            }
        };
        if let Some(caller) = &originate.caller {
            request = request.with("callerId", &caller.to_string());
        }
        if let Some(other) = &originate.other_channel {
            request = request.with("otherChannelId", other.as_str());
        }
        if let Some(formats) = &originate.formats {
            request = request.with("formats", formats);
        }
        if !originate.variables.is_empty() {
            request.body = Some(json!({ "variables": originate.variables }));
        }
        request
    }

    /// Creates the media leg of a call that `app` owns: Asterisk connects to `listener` by AudioSocket, 8 kHz linear.
    ///
    /// The leg enters the application with the media id as its only argument, which tells it from a phone's leg.
    #[must_use]
    pub fn external_media(app: &str, channel: &ChannelId, listener: SocketAddr, media: MediaId) -> Self {
        Self::new(Method::Post, &["channels", "externalMedia"])
            .with("app", app)
            .with("channelId", channel.as_str())
            .with("external_host", &listener.to_string())
            .with("encapsulation", "audiosocket")
            .with("transport", "tcp")
            .with("connection_type", "client")
            .with("format", "slin")
            .with("data", &media.to_string())
    }

    /// Lists all channels, among them a pseudo channel named `Message/…` that is nobody's call.
    #[must_use]
    pub fn list_channels() -> Self {
        Self::new(Method::Get, &["channels"])
    }

    /// Reads one channel; answered 404 when it is gone.
    #[must_use]
    pub fn show_channel(channel: &ChannelId) -> Self {
        Self::on_channel(Method::Get, channel, &[])
    }

    /// Answers a channel that an application owns.
    #[must_use]
    pub fn answer(channel: &ChannelId) -> Self {
        Self::on_channel(Method::Post, channel, &["answer"])
    }

    /// Tells the caller that the far end rings (SIP 180).
    #[must_use]
    pub fn ring(channel: &ChannelId) -> Self {
        Self::on_channel(Method::Post, channel, &["ring"])
    }

    /// Opens the caller's ear before the answer (SIP 183): announcements of the network can be heard.
    #[must_use]
    pub fn progress(channel: &ChannelId) -> Self {
        Self::on_channel(Method::Post, channel, &["progress"])
    }

    /// Ends a channel. A call that failed never uses [`HangUpCause::Normal`]: the phone would see 603 Decline.
    #[must_use]
    pub fn hang_up(channel: &ChannelId, cause: HangUpCause) -> Self {
        Self::on_channel(Method::Delete, channel, &[]).with("reason_code", &cause.code().to_string())
    }

    /// Sets a channel variable or a dialplan function, for example `TIMEOUT(absolute)`.
    #[must_use]
    pub fn set_variable(channel: &ChannelId, variable: &str, value: &str) -> Self {
        Self::on_channel(Method::Post, channel, &["variable"]).with("variable", variable).with("value", value)
    }

    /// Reads a channel variable.
    #[must_use]
    pub fn variable(channel: &ChannelId, variable: &str) -> Self {
        Self::on_channel(Method::Get, channel, &["variable"]).with("variable", variable)
    }

    /// Hands a channel that an application owns back to the dialplan.
    #[must_use]
    pub fn continue_in_dialplan(channel: &ChannelId, context: &str, extension: &str) -> Self {
        Self::on_channel(Method::Post, channel, &["continue"])
            .with("context", context)
            .with("extension", extension)
            .with("priority", "1")
    }

    /// Plays DTMF digits to a channel.
    #[must_use]
    pub fn send_dtmf(channel: &ChannelId, digits: &str) -> Self {
        Self::on_channel(Method::Post, channel, &["dtmf"]).with("dtmf", digits)
    }

    /// Plays `media`, for example `sound:beep` or `tone:busy`, to a channel.
    #[must_use]
    pub fn play(channel: &ChannelId, media: &str) -> Self {
        Self::on_channel(Method::Post, channel, &["play"]).with("media", media)
    }
}

/// Bridges.
impl Request {
    /// Creates a mixing bridge; a bridge of that id that exists already is kept.
    #[must_use]
    pub fn create_bridge(bridge: &BridgeId) -> Self {
        Self::new(Method::Post, &["bridges"]).with("type", "mixing").with("bridgeId", bridge.as_str())
    }

    /// Lists all bridges.
    #[must_use]
    pub fn list_bridges() -> Self {
        Self::new(Method::Get, &["bridges"])
    }

    /// Adds channels to a bridge. Each must have entered the application: wait for its `StasisStart` first.
    #[must_use]
    pub fn add_to_bridge(bridge: &BridgeId, channels: &[&ChannelId]) -> Self {
        let channels: Vec<&str> = channels.iter().map(|channel| channel.as_str()).collect();
        Self::new(Method::Post, &["bridges", bridge.as_str(), "addChannel"]).with("channel", &channels.join(","))
    }

    /// Deletes a bridge; its channels stay.
    #[must_use]
    pub fn delete_bridge(bridge: &BridgeId) -> Self {
        Self::new(Method::Delete, &["bridges", bridge.as_str()])
    }
}

/// Applications, endpoints and messages.
impl Request {
    /// Lists the applications. The cheapest request that proves ARI alive: it hangs when ARI is locked up.
    #[must_use]
    pub fn list_applications() -> Self {
        Self::new(Method::Get, &["applications"])
    }

    /// Subscribes `app` to the events of one channel; works as well for channels that the dialplan owns.
    #[must_use]
    pub fn subscribe_channel(app: &str, channel: &ChannelId) -> Self {
        Self::subscribe(app, &format!("channel:{channel}"))
    }

    /// Subscribes `app` to the events of all PJSIP endpoints: registrations and text messages.
    #[must_use]
    pub fn subscribe_endpoints(app: &str) -> Self {
        Self::subscribe(app, "endpoint:PJSIP")
    }

    /// Lists the endpoints and whether each is online.
    #[must_use]
    pub fn list_endpoints() -> Self {
        Self::new(Method::Get, &["endpoints"])
    }

    /// Sends a text message to `to` (`pjsip:2001`), shown as coming from `from` (a SIP URI).
    ///
    /// Answered 202 when handed to the SIP stack, which is no proof of delivery, and 404 when nobody is registered.
    #[must_use]
    pub fn send_message(to: &str, from: &str, text: &str) -> Self {
        let mut request = Self::new(Method::Put, &["endpoints", "sendMessage"]);
        request.body = Some(json!({ "to": to, "from": from, "body": text }));
        request
    }

    /// Reads facts about the Asterisk that answers: version, when it started and was last reloaded.
    #[must_use]
    pub fn show_asterisk() -> Self {
        Self::new(Method::Get, &["asterisk", "info"])
    }

    fn subscribe(app: &str, source: &str) -> Self {
        Self::new(Method::Post, &["applications", app, "subscription"]).with("eventSource", source)
    }
}

/// What the driver sends.
impl Request {
    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// The path from the root of the server, and the query, percent-encoded.
    #[must_use]
    pub fn path_and_query(&self) -> String {
        let mut out = self.path.clone();
        for (index, (key, value)) in self.query.iter().enumerate() {
            out.push(if index == 0 { '?' } else { '&' });
            out.push_str(key);
            out.push('=');
            percent::encode_into(&mut out, value);
        }
        out
    }

    /// The JSON body, if the request has one.
    #[must_use]
    pub fn body(&self) -> Option<Value> {
        self.body.clone()
    }

    /// The value of a query parameter, as it was given.
    #[must_use]
    pub fn parameter(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str())
    }

    fn new(method: Method, segments: &[&str]) -> Self {
        let mut path = String::from("/ari");
        for segment in segments {
            path.push('/');
            percent::encode_into(&mut path, segment);
        }
        Self { method, path, query: Vec::new(), body: None }
    }

    fn on_channel(method: Method, channel: &ChannelId, rest: &[&str]) -> Self {
        let segments: Vec<&str> = ["channels", channel.as_str()].into_iter().chain(rest.iter().copied()).collect();
        Self::new(method, &segments)
    }

    fn with(mut self, key: &'static str, value: &str) -> Self {
        self.query.push((key, value.to_owned()));
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.as_str(), self.path)?;
        for (key, value) in &self.query {
            let shown = if PERSONAL.contains(key) { "…" } else { value };
            write!(f, " {key}={shown}")?;
        }
        if self.body.is_some() {
            f.write_str(" {…}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_what_the_interface_expects() {
        let channel = ChannelId::new("hn-7");
        let bridge = BridgeId::new("hn-7-b");
        let listener: SocketAddr = "127.0.0.1:18766".parse().unwrap();
        let media = MediaId::from_bytes([0x11; 16]);
        let cases: &[(&str, Request, &str)] = &[
            ("answer", Request::answer(&channel), "POST /ari/channels/hn-7/answer"),
            ("ring", Request::ring(&channel), "POST /ari/channels/hn-7/ring"),
            ("progress", Request::progress(&channel), "POST /ari/channels/hn-7/progress"),
            ("hang up", Request::hang_up(&channel, HangUpCause::Busy), "DELETE /ari/channels/hn-7?reason_code=17"),
            (
                "lease",
                Request::set_variable(&channel, "TIMEOUT(absolute)", "15"),
                "POST /ari/channels/hn-7/variable?variable=TIMEOUT%28absolute%29&value=15",
            ),
            ("dtmf", Request::send_dtmf(&channel, "5#"), "POST /ari/channels/hn-7/dtmf?dtmf=5%23"),
            (
                "media",
                Request::external_media("homenichat", &channel, listener, media),
                "POST /ari/channels/externalMedia?app=homenichat&channelId=hn-7&external_host=127.0.0.1%3A18766\
                 &encapsulation=audiosocket&transport=tcp&connection_type=client&format=slin\
                 &data=11111111-1111-1111-1111-111111111111",
            ),
            ("bridge", Request::create_bridge(&bridge), "POST /ari/bridges?type=mixing&bridgeId=hn-7-b"),
            (
                "join",
                Request::add_to_bridge(&bridge, &[&channel, &ChannelId::new("hn-7-m")]),
                "POST /ari/bridges/hn-7-b/addChannel?channel=hn-7%2Chn-7-m",
            ),
            ("watchdog", Request::list_applications(), "GET /ari/applications"),
            (
                "subscribe",
                Request::subscribe_channel("homenichat", &channel),
                "POST /ari/applications/homenichat/subscription?eventSource=channel%3Ahn-7",
            ),
            (
                "continue",
                Request::continue_in_dialplan(&channel, "from-gsm", "3"),
                "POST /ari/channels/hn-7/continue?context=from-gsm&extension=3&priority=1",
            ),
        ];
        for (name, request, want) in cases {
            assert_eq!(format!("{} {}", request.method().as_str(), request.path_and_query()), *want, "{name}");
        }
        assert_eq!(events_path("homenichat"), "/ari/events?app=homenichat&subscribeAll=false");
    }

    #[test]
    fn a_hostile_channel_id_stays_one_path_segment() {
        let request = Request::answer(&ChannelId::new("../x?y=1&z#\r\n /é"));
        assert_eq!(request.path_and_query(), "/ari/channels/..%2Fx%3Fy%3D1%26z%23%0D%0A%20%2F%C3%A9/answer");
    }

    #[test]
    fn an_originate_carries_caller_and_variables() {
        let request = Request::create_channel(&originate());
        assert_eq!(
            request.path_and_query(),
            "/ari/channels?endpoint=AudioSocket%2F127.0.0.1%3A1%2F00000000-0000-0000-0000-000000000000%2Fc%28slin%29\
             &timeout=60&channelId=hn-1&context=gsm-in&extension=3&priority=1&callerId=%22Anna%22%20%3C%2B4915199%3E"
        );
        assert_eq!(request.body(), Some(json!({"variables": {"__HN_CALL": "c1"}})));
    }

    #[test]
    fn debug_names_nobody() {
        let text = format!("{:?}", Request::create_channel(&originate()));
        assert!(!text.contains("Anna") && !text.contains("4915199"), "{text}");
        let text = format!("{:?}", Request::send_message("pjsip:2001", "sip:+4915199@box", "secret"));
        assert_eq!(text, "PUT /ari/endpoints/sendMessage {…}");
    }

    fn originate() -> Originate {
        Originate {
            endpoint: audiosocket_endpoint("127.0.0.1:1".parse().unwrap(), MediaId::from_bytes([0; 16])),
            target: Target::Dialplan { context: "gsm-in".into(), extension: "3".into() },
            caller: Some(Party { name: "Anna".into(), number: "+4915199".into() }),
            timeout: Duration::from_secs(60),
            channel: ChannelId::new("hn-1"),
            other_channel: None,
            formats: None,
            variables: BTreeMap::from([("__HN_CALL".into(), "c1".into())]),
        }
    }
}
