//! Asterisk's REST interface: requests as values and events parsed from JSON text.
//!
//! Requests say what the HTTP driver sends; they hold no credentials. Events come from the WebSocket at
//! [`events_path`]. The application never subscribes to everything: with `subscribeAll=true` and device states loaded,
//! Asterisk 22 can lock itself up for ever when the socket closes (asterisk/asterisk issue 2170), so channels are
//! subscribed one by one with [`Request::subscribe_channel`].

mod event;
mod model;
mod percent;
mod request;

pub use event::{Event, MAX_EVENT_BYTES, ParseEventError};
pub use model::{
    Application, Bridge, Channel, ChannelState, Contact, DialStatus, DialplanPosition, Endpoint, MessageText, Party,
    Private,
};
pub use request::{Method, Originate, Request, Target, audiosocket_endpoint, events_path};
