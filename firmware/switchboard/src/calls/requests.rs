//! The ARI requests of a call, and the names of its channels.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use asterisk::ari::{Originate, Party, Request, Target, audiosocket_endpoint};
use asterisk::audiosocket::MediaId;
use asterisk::{BridgeId, ChannelId, dialplan};
use telecom::{CallId, HangUpCause, PhoneNumber};

/// How long a phone in our application lives without a renewal.
pub(super) const LEASE: Duration = Duration::from_secs(15);

/// How long Asterisk tries to reach our audio listener, or rings an extension for a call that a user asked for.
const INCOMING_TIMEOUT: Duration = Duration::from_secs(60);
const EXTENSION_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn incoming_channel(call: &CallId) -> ChannelId {
    ChannelId::new(format!("{}{call}-in", dialplan::ID_PREFIX))
}

pub(super) fn phone_channel(call: &CallId) -> ChannelId {
    ChannelId::new(format!("{}{call}-phone", dialplan::ID_PREFIX))
}

pub(super) fn media_channel(call: &CallId) -> ChannelId {
    ChannelId::new(format!("{}{call}-media", dialplan::ID_PREFIX))
}

pub(super) fn bridge(call: &CallId) -> BridgeId {
    BridgeId::new(format!("{}{call}-bridge", dialplan::ID_PREFIX))
}

/// The call that one of our ids belongs to.
pub(super) fn call_named_in(id: &str) -> Option<CallId> {
    let (call, _) = id.strip_prefix(dialplan::ID_PREFIX)?.split_once('-')?;
    Some(CallId(call.to_owned()))
}

/// Opens a leg to our audio listener, which comes to our application.
pub(super) fn open_leg(
    app: &str,
    call: &CallId,
    number: Option<&PhoneNumber>,
    listener: SocketAddr,
    media: MediaId,
) -> Request {
    let shown = number.map_or("anonymous", PhoneNumber::as_str);
    Request::create_channel(&Originate {
        endpoint: audiosocket_endpoint(listener, media),
        target: Target::App { app: app.to_owned(), args: vec![dialplan::ARG_IN.to_owned(), call.to_string()] },
        caller: Some(Party { name: shown.to_owned(), number: shown.to_owned() }),
        timeout: INCOMING_TIMEOUT,
        channel: incoming_channel(call),
        other_channel: None,
        formats: None,
        variables: BTreeMap::from([(dialplan::CALL_VARIABLE.to_owned(), call.to_string())]),
    })
}

/// Rings the phones of `extension`; the first that answers comes to our application.
pub(super) fn ring_extension(app: &str, call: &CallId, extension: &str, number: &PhoneNumber) -> Request {
    Request::create_channel(&Originate {
        endpoint: dialplan::ring_endpoint(extension),
        target: Target::App {
            app: app.to_owned(),
            args: vec![dialplan::ARG_OUT.to_owned(), "own".to_owned(), call.to_string()],
        },
        caller: Some(Party { name: number.as_str().to_owned(), number: number.as_str().to_owned() }),
        timeout: EXTENSION_TIMEOUT,
        channel: phone_channel(call),
        other_channel: Some(ChannelId::new(format!("{}{call}-ring", dialplan::ID_PREFIX))),
        formats: Some("slin".to_owned()),
        variables: BTreeMap::new(),
    })
}

/// Gives the phone another while to live.
pub(super) fn renew_lease(channel: &ChannelId) -> Request {
    Request::set_variable(channel, "TIMEOUT(absolute)", &LEASE.as_secs().to_string())
}

/// The cause by which a phone hears that its call failed, before anybody answered.
///
/// Asterisk makes SIP statuses of them: 17 is 486 Busy, 19 is 480 Temporarily Unavailable, 34 is 503, 1 is 404. Cause 16
/// would be 603 Decline, by which some phones stop trying other ways, and 21 would be 403: neither is used.
pub(super) fn failure_cause(cause: HangUpCause) -> HangUpCause {
    match cause {
        HangUpCause::Busy | HangUpCause::Rejected => HangUpCause::Busy,
        HangUpCause::Normal | HangUpCause::NoAnswer | HangUpCause::NoUserResponse | HangUpCause::Absent => {
            HangUpCause::NoAnswer
        }
        HangUpCause::Unallocated | HangUpCause::InvalidNumber => HangUpCause::Unallocated,
        HangUpCause::OutOfOrder
        | HangUpCause::Congestion
        | HangUpCause::Network
        | HangUpCause::Temporary
        | HangUpCause::Interworking
        | HangUpCause::Other(_) => HangUpCause::Congestion,
    }
}
