//! How the box speaks with Asterisk 22: the words of AMI, ARI and AudioSocket, and the names in our dialplan.
//!
//! Everything here is a value or a machine: bytes and time go in, bytes and events come out. The crate knows no
//! socket, no HTTP client and no clock, and it decides nothing about calls; that is the switchboard's part.
//!
//! | module | what it knows |
//! |---|---|
//! | [`ari`] | requests of Asterisk's REST interface and the events of its WebSocket |
//! | [`ami`] | framing of the manager interface and one session on it |
//! | [`audiosocket`] | frames of the media leg |
//! | [`dialplan`] | names that the rendered dialplan and the supervisor must agree on |
//!
//! ```
//! use asterisk::{ChannelId, ari};
//!
//! let request = ari::Request::answer(&ChannelId::new("hn-17-phone"));
//! assert_eq!(request.path_and_query(), "/ari/channels/hn-17-phone/answer");
//! assert_eq!(request.method().as_str(), "POST");
//! ```

pub mod ami;
pub mod ari;
pub mod audiosocket;
pub mod dialplan;
mod id;

pub use id::{BridgeId, ChannelId};
