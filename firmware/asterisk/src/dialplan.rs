//! Names that the rendered dialplan and the supervisor must agree on.
//!
//! A line is named to the dialplan by the decimal number of its [`LineId`], alone in the contexts where it is used.
//! Letters and dashes would not do: a dash is skipped when Asterisk compares extensions, and a name such as `line-3`
//! begins with letters that pattern extensions give a meaning (`n`, `x`, `z`).

use telecom::LineId;

/// What the ids of our channels and bridges start with.
pub const ID_PREFIX: &str = "hn-";

/// The Stasis application of the supervisor.
pub const APP: &str = "homenichat";

/// The context into which the supervisor sends a call that came in on a line; the extension is [`line_extension`].
pub const GSM_IN: &str = "gsm-in";

/// The context that decides what rings for an incoming call; the extension is [`line_extension`].
pub const FROM_GSM: &str = "from-gsm";

/// The context of the household's SIP phones.
pub const FROM_INTERNAL: &str = "from-internal";

/// The context of browsers and apps that speak WebRTC.
pub const FROM_WEBRTC: &str = "from-webrtc";

/// The context that rings the devices of an extension and nothing else: no voicemail answers in their place.
pub const RING_ONLY: &str = "ring-only";

/// The context of text messages that SIP phones send.
pub const FROM_MESSAGE: &str = "from-message";

/// The context of all mailboxes: the mailbox of extension 2001 is `2001@homenichat`.
pub const VOICEMAIL: &str = "homenichat";

/// First argument of the Stasis application for the leg of an incoming call, on its way into [`GSM_IN`].
pub const ARG_IN: &str = "in";

/// First argument of the Stasis application when a phone dials out.
pub const ARG_OUT: &str = "out";

/// Second argument of the Stasis application when the caller chose no line; otherwise it is the line (`line-3`).
pub const ARG_DEFAULT_LINE: &str = "default";

/// Channel variable that carries our call id from `gsm-in` to `from-gsm`: the underscores let it pass a Local channel.
pub const CALL_VARIABLE: &str = "__HN_CALL";

/// Channel variable that the dialplan sets on the incoming leg before something else than a phone answers; it arrives
/// as a `ChannelVarset` event. Its value is [`ANSWERED_BY_VOICEMAIL`].
pub const ANSWERED_BY_VARIABLE: &str = "HN_ANSWERED_BY";

/// Value of [`ANSWERED_BY_VARIABLE`] when a mailbox answers.
pub const ANSWERED_BY_VOICEMAIL: &str = "voicemail";

/// Returns the extension that stands for `line` in [`GSM_IN`] and [`FROM_GSM`].
#[must_use]
pub fn line_extension(line: LineId) -> String {
    line.0.to_string()
}

/// Returns the dial string that rings every device of `extension`, and never its mailbox.
#[must_use]
pub fn ring_endpoint(extension: &str) -> String {
    let digits: String = extension.chars().filter(char::is_ascii_digit).collect();
    format!("Local/{digits}@{RING_ONLY}/n")
}
