//! What goes into the exchange and what comes out of it.

use std::fmt;

use asterisk::ari;
use asterisk::audiosocket::MediaId;
use telecom::{CallId, LineId, PhoneNumber};

use super::audio::AudioReport;
use super::record::CallRecord;

/// Names one ARI request, so that its result finds its way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestToken(pub u64);

/// Something that the supervisor must do, in the order given.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Send a request to Asterisk and hand its result to `handle_ari_result`. Requests of one call keep their order;
    /// those of different calls do not wait for each other.
    Ari {
        /// The call that it is for, if there is one.
        call: Option<CallId>,
        /// Comes back with the result.
        token: RequestToken,
        /// The request.
        request: ari::Request,
    },
    /// Give a command to the modem of a line.
    Modem {
        /// The line.
        line: LineId,
        /// The command.
        command: modem::Command,
    },
    /// Do something with the audio of a call.
    Media {
        /// The call.
        call: CallId,
        /// What.
        command: MediaCommand,
    },
    /// A call began, changed or ended: store it and tell the apps.
    Call(CallRecord),
    /// Tell the owner in a sentence.
    Alarm {
        /// The line that it is about.
        line: LineId,
        /// The sentence, without numbers.
        text: String,
        /// Both sides hear each other all the same.
        is_mended: bool,
    },
}

/// What to do with the audio of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaCommand {
    /// Asterisk will connect and name this uuid.
    Expect {
        /// The name of the connection.
        uuid: MediaId,
    },
    /// Join the modem's audio port to the connection.
    StartModemAudio {
        /// The line whose modem it is.
        line: LineId,
    },
    /// Give the modem no sound, or give it sound again.
    Flow {
        /// Whether it takes sound.
        is_open: bool,
    },
    /// Leave the modem's audio port.
    StopModemAudio,
    /// Close the connection and forget the call.
    Close,
}

/// What the audio of a call tells. `Debug` hides the key, which may be a part of somebody's code.
#[derive(Clone, PartialEq, Eq)]
pub enum MediaEvent {
    /// Asterisk connected.
    Connected,
    /// The connection ended, or Asterisk never came.
    Lost,
    /// A phone pressed a key.
    Dtmf(char),
    /// How the audio is doing.
    Report(AudioReport),
}

impl fmt::Debug for MediaEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => f.write_str("Connected"),
            Self::Lost => f.write_str("Lost"),
            Self::Dtmf(_) => f.write_str("Dtmf(…)"),
            Self::Report(report) => f.debug_tuple("Report").field(report).finish(),
        }
    }
}

/// Why Asterisk did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AriFailure {
    /// 404: the channel or bridge is gone.
    #[error("asterisk does not know it")]
    NotFound,
    /// Another refusal.
    #[error("asterisk refused with status {status}: {text}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What Asterisk said.
        text: String,
    },
    /// No answer, or no connection: nobody knows whether it was done.
    #[error("asterisk did not answer")]
    Unreachable,
    /// The call ended while the request still waited: it was never sent.
    #[error("the call ended before")]
    Withdrawn,
}

/// What a user asks through the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiRequest {
    /// Ring an extension and call out when it answers.
    Originate {
        /// The line; `None` for the default line.
        line: Option<LineId>,
        /// Whom to call.
        number: PhoneNumber,
        /// The extension that shall ring.
        extension: String,
    },
    /// End a call.
    HangUp {
        /// Which.
        call: CallId,
    },
}

/// Why a request cannot be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such line.
    #[error("there is no such line")]
    NoSuchLine,
    /// The line has no network, or its modem is not ready.
    #[error("the line is not registered in the network")]
    NotRegistered,
    /// The line carries a call.
    #[error("the line is in a call")]
    LineBusy,
    /// No such call, or it is over.
    #[error("there is no such call")]
    NoSuchCall,
    /// The extension is not made of digits.
    #[error("the extension is not made of digits")]
    InvalidExtension,
    /// Asterisk is not connected.
    #[error("the telephone exchange is starting; try again in a few seconds")]
    ExchangeDown,
}

/// What the exchange must know of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFacts {
    /// Which.
    pub line: LineId,
    /// The owner's name for it.
    pub name: String,
    /// The modem is there and set up.
    pub ready: bool,
    /// The network takes calls from it.
    pub registered: bool,
    /// Outgoing calls that name no line take this one first.
    pub default: bool,
}

impl LineFacts {
    /// Whether a call can be made now, if the line is free.
    #[must_use]
    pub fn can_call(&self) -> bool {
        self.ready && self.registered
    }
}

/// Where new names come from; random, so that no two runs of the program give the same.
pub trait IdSource: Send + Sync {
    /// A new uuid.
    fn uuid(&mut self) -> [u8; 16];
}

impl<F: FnMut() -> [u8; 16] + Send + Sync> IdSource for F {
    fn uuid(&mut self) -> [u8; 16] {
        self()
    }
}

impl fmt::Debug for dyn IdSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdSource")
    }
}
