//! The contract of the box with its apps: every HTTP body, every WebSocket event, every error code, and the OpenAPI
//! document that is made from them.
//!
//! It knows nothing of rows, modems or routing, and serves nothing: the supervisor translates between these types and
//! those of the store, and mounts one handler per entry of [`ENDPOINTS`].
//! Ids are opaque strings here.
//! Names on the wire are camelCase; where existing Homenichat apps read another form, both are sent.
//!
//! ```
//! let body = api::ErrorBody::new(api::ErrorCode::PinNeeded, "SIM of line-3 asks for its PIN", "r-17");
//! assert_eq!(body.code.http_status(), 409);
//! assert_eq!(serde_json::to_value(&body).unwrap()["code"], "pin_needed");
//! ```

mod auth;
mod calls;
mod endpoints;
mod error;
mod health;
mod lines;
mod live;
mod messages;
mod openapi;
mod phones;
mod private;

pub use auth::{FactoryReset, Login, LoginAnswer, NewOwner, Role, SetupStatus, User, Verified};
pub use calls::{Call, CallDirection, CallList, CallPlaced, CallStatus, NewCall, Pagination};
pub use endpoints::{Access, Answer, Body, ENDPOINTS, Endpoint, Method, Query, QueryKind};
pub use error::{ErrorBody, ErrorCode};
pub use health::{Health, HealthItem, HealthStatus, Liveness};
pub use lines::{
    Fact, Line, LineChange, LineList, LineState, Modem, ModemChange, ModemList, ModemState, PinEntry, Registration,
    Signal, UssdAnswer, UssdReply, UssdRequest,
};
pub use live::{
    CallsChanged, ChatRead, ChatsSnapshot, ClientFrame, Envelope, Event, EventList, IncomingCall, MessageStatusChange,
    ServerAnswer, ServerEvent, ServerFrame, WatchdogAction, WatchdogStep,
};
pub use messages::{
    Chat, ChatList, Message, MessageContent, MessageFacts, MessageKey, MessageKind, MessageList, MessageStatus,
    NewChatMessage, NewSms, SmsAccepted, Success,
};
pub use openapi::openapi;
pub use phones::{Extension, ExtensionList};
pub use private::Private;
