use std::borrow::Cow;

use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::{
    CallList, CallPlaced, ChatList, EventList, ExtensionList, FactoryReset, Health, Line, LineChange, LineList,
    Liveness, Login, LoginAnswer, MessageList, Modem, ModemChange, ModemList, NewCall, NewChatMessage, NewOwner,
    NewSms, PinEntry, SetupStatus, SmsAccepted, Success, UssdAnswer, UssdReply, UssdRequest, Verified,
};

/// One operation of the HTTP interface.
///
/// The OpenAPI document is made from this table, and a server can check against it that it mounts every operation
/// and lets nobody in who has no [`Access`].
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// The operation id of the document; unique.
    pub id: &'static str,
    /// HTTP method.
    pub method: Method,
    /// Path, with parameters in braces.
    pub path: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Query parameters.
    pub query: &'static [Query],
    /// The JSON body it reads.
    pub request: Option<Body>,
    /// What it answers on success.
    pub answer: Answer,
}

/// HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `DELETE`
    Delete,
    /// `GET`
    Get,
    /// `PATCH`
    Patch,
    /// `POST`
    Post,
    /// `PUT`
    Put,
}

impl Method {
    /// The method as it stands in a request line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Whoever has a session.
    User,
    /// A user with the role admin.
    Admin,
    /// The first frame must carry the token, or the request does.
    WebSocket,
}

/// A query parameter; all are optional.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: QueryKind,
    /// What it does.
    pub summary: &'static str,
}

/// What a query parameter holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryKind {
    /// A whole number.
    Integer,
    /// A text.
    Text,
}

/// What an operation answers on success.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// 200 with a JSON body.
    Ok(Body),
    /// 201 with a JSON body.
    Created(Body),
    /// 202 with a JSON body: stored, and done later.
    Accepted(Body),
    /// 101: the connection becomes a WebSocket.
    Upgrade,
}

/// A JSON body, known by its schema.
#[derive(Clone, Copy)]
pub struct Body {
    pub(crate) name: fn() -> Cow<'static, str>,
    pub(crate) schema: fn() -> RefOr<Schema>,
    pub(crate) parts: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl Body {
    const fn of<T: ToSchema>() -> Self {
        Self { name: T::name, schema: T::schema, parts: T::schemas }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&(self.name)())
    }
}

const fn get(id: &'static str, path: &'static str, summary: &'static str, answer: Body) -> Endpoint {
    Endpoint {
        id,
        method: Method::Get,
        path,
        summary,
        access: Access::User,
        query: &[],
        request: None,
        answer: Answer::Ok(answer),
    }
}

const fn post(id: &'static str, path: &'static str, summary: &'static str, answer: Answer) -> Endpoint {
    Endpoint { id, method: Method::Post, path, summary, access: Access::User, query: &[], request: None, answer }
}

impl Endpoint {
    const fn access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    const fn method(self, method: Method) -> Self {
        Self { method, ..self }
    }

    const fn query(self, query: &'static [Query]) -> Self {
        Self { query, ..self }
    }

    const fn reads(self, request: Body) -> Self {
        Self { request: Some(request), ..self }
    }

    const fn upgrades(self) -> Self {
        Self { answer: Answer::Upgrade, ..self }
    }
}

const SUCCESS: Answer = Answer::Ok(Body::of::<Success>());

const LIMIT: Query =
    Query { name: "limit", kind: QueryKind::Integer, summary: "At most so many, 1 to 100; 50 without it." };
const OFFSET: Query = Query { name: "offset", kind: QueryKind::Integer, summary: "Skips so many." };
const BEFORE_MS: Query = Query {
    name: "before",
    kind: QueryKind::Integer,
    summary: "Only older than this, in milliseconds since the epoch.",
};
const AFTER_MS: Query = Query {
    name: "after",
    kind: QueryKind::Integer,
    summary: "Only younger than this, in milliseconds since the epoch.",
};
const BEFORE_ID: Query = Query { name: "before", kind: QueryKind::Integer, summary: "Only with a smaller id." };
const PROVIDER: Query = Query { name: "provider", kind: QueryKind::Text, summary: "Hint of existing apps; ignored." };
const STATUS: Query = Query { name: "status", kind: QueryKind::Text, summary: "Only calls that went so." };
const DIRECTION: Query = Query { name: "direction", kind: QueryKind::Text, summary: "`incoming` or `outgoing`." };

/// Every operation of the HTTP interface, grouped by path.
pub const ENDPOINTS: &[Endpoint] = &[
    get("liveness", "/livez", "Says that the program answers.", Body::of::<Liveness>()).access(Access::Public),
    get("live_events", "/ws", "Streams events over a WebSocket.", Body::of::<Success>())
        .access(Access::WebSocket)
        .upgrades(),
    post("login", "/api/auth/login", "Opens a session.", Answer::Ok(Body::of::<LoginAnswer>()))
        .access(Access::Public)
        .reads(Body::of::<Login>()),
    post("logout", "/api/auth/logout", "Closes the session.", SUCCESS),
    get("verify", "/api/auth/verify", "Says whose session it is.", Body::of::<Verified>()),
    get("setup_status", "/api/setup/status", "Says whether the owner exists.", Body::of::<SetupStatus>())
        .access(Access::Public),
    post("create_owner", "/api/setup/owner", "Creates the owner, once.", Answer::Created(Body::of::<LoginAnswer>()))
        .access(Access::Public)
        .reads(Body::of::<NewOwner>()),
    get("health", "/api/health", "Tells how everything is, with proofs and their age.", Body::of::<Health>()),
    get("list_lines", "/api/lines", "Lists the lines with their facts.", Body::of::<LineList>()),
    get("change_line", "/api/lines/{id}", "Names a line, or tells its number.", Body::of::<Line>())
        .method(Method::Patch)
        .access(Access::Admin)
        .reads(Body::of::<LineChange>()),
    post("send_ussd", "/api/lines/{id}/ussd", "Asks the network by USSD.", Answer::Ok(Body::of::<UssdAnswer>()))
        .reads(Body::of::<UssdRequest>()),
    post("cancel_ussd", "/api/lines/{id}/ussd", "Ends the USSD session.", SUCCESS).method(Method::Delete),
    post(
        "reply_ussd",
        "/api/lines/{id}/ussd/reply",
        "Replies in the USSD session.",
        Answer::Ok(Body::of::<UssdAnswer>()),
    )
    .reads(Body::of::<UssdReply>()),
    get("list_modems", "/api/modems", "Lists the modems with their facts.", Body::of::<ModemList>()),
    get("change_modem", "/api/modems/{id}", "Names a modem.", Body::of::<Modem>())
        .method(Method::Patch)
        .access(Access::Admin)
        .reads(Body::of::<ModemChange>()),
    post("enter_pin", "/api/modems/{id}/pin", "Enters the PIN of the modem's SIM.", SUCCESS)
        .access(Access::Admin)
        .reads(Body::of::<PinEntry>()),
    get("list_chats", "/api/chats", "Lists the chats, the most recent first.", Body::of::<ChatList>())
        .query(&[LIMIT, OFFSET]),
    get(
        "list_messages",
        "/api/chats/{id}/messages",
        "Lists messages of a chat: the last ones, or those before or after a time.",
        Body::of::<MessageList>(),
    )
    .query(&[LIMIT, BEFORE_MS, AFTER_MS, PROVIDER]),
    post(
        "send_message",
        "/api/chats/{id}/messages",
        "Sends a message in a chat.",
        Answer::Accepted(Body::of::<SmsAccepted>()),
    )
    .reads(Body::of::<NewChatMessage>()),
    post("mark_read", "/api/chats/{id}/read", "Marks a chat as read.", SUCCESS).method(Method::Put),
    post("mark_read_by_post", "/api/chats/{id}/read", "Marks a chat as read.", SUCCESS),
    post("send_sms", "/api/sms/send", "Sends a message to a number.", Answer::Accepted(Body::of::<SmsAccepted>()))
        .reads(Body::of::<NewSms>()),
    get("list_calls", "/api/calls", "Lists calls, the most recent first.", Body::of::<CallList>())
        .query(&[LIMIT, OFFSET, STATUS, DIRECTION]),
    post(
        "originate_call",
        "/api/calls/originate",
        "Rings the user's phone, then the destination.",
        Answer::Accepted(Body::of::<CallPlaced>()),
    )
    .reads(Body::of::<NewCall>()),
    post("hang_up_call", "/api/calls/{id}/hangup", "Ends a call.", SUCCESS),
    get(
        "list_extensions",
        "/api/voip/extensions",
        "Lists the accounts that SIP phones are configured with.",
        Body::of::<ExtensionList>(),
    )
    .access(Access::Admin),
    post(
        "factory_reset",
        "/api/system/factory-reset",
        "Removes everything of the owner; the box begins anew.",
        Answer::Accepted(Body::of::<Success>()),
    )
    .access(Access::Admin)
    .reads(Body::of::<FactoryReset>()),
    get("list_events", "/api/events", "Lists what the box did, the most recent first.", Body::of::<EventList>())
        .query(&[LIMIT, BEFORE_ID]),
];
