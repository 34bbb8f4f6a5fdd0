//! What comes out of the simulated modem, and what its network may be told to do.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use crate::gsm::tpdu::Concat;

/// One thing that the simulated modem does; the order of outputs is the order of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Bytes leave on the tty of `interface`.
    Write {
        /// `bInterfaceNumber`.
        interface: u8,
        /// At most one PCM frame, one echo or one answer.
        bytes: Vec<u8>,
    },
    /// The device leaves the bus, as in a reset; its ports vanish.
    Unplug,
    /// The device is back on the bus.
    Replug,
    /// The network took a short message.
    Submitted(Submitted),
    /// A call was made or changed.
    CallChanged(CallReport),
    /// The host sent a DTMF digit into the active call.
    DigitSent(char),
    /// The host sent this USSD string.
    UssdAsked(String),
}

/// A short message that left through this modem.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// Counts the messages of this modem from 1.
    pub serial: u64,
    /// Destination as dialled.
    pub to: String,
    /// Text of this part.
    pub text: String,
    /// TP-MR that the modem told the host.
    pub reference: u8,
    /// Place in a longer message.
    pub concat: Option<Concat>,
    /// Whether a delivery report was asked for.
    pub wants_report: bool,
    /// Unix milliseconds on the clock of the simulator.
    pub at_unix_ms: u64,
    /// Service centre and TPDU, hexadecimal.
    pub pdu: String,
}

/// Numbers and texts stay out of logs.
impl fmt::Debug for Submitted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Submitted")
            .field("serial", &self.serial)
            .field("reference", &self.reference)
            .field("concat", &self.concat)
            .finish_non_exhaustive()
    }
}

/// A call after a change.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallReport {
    /// Index of `CLCC`.
    pub index: u8,
    /// Whether the host placed it.
    pub is_outgoing: bool,
    /// Number of the far end; empty when withheld.
    pub number: String,
    /// What it is at.
    pub state: CallState,
    /// Q.850 cause once released.
    pub cause: Option<u8>,
    /// DTMF digits that the host sent so far.
    pub digits: String,
}

/// Numbers stay out of logs.
impl fmt::Debug for CallReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CallReport")
            .field("index", &self.index)
            .field("is_outgoing", &self.is_outgoing)
            .field("state", &self.state)
            .field("cause", &self.cause)
            .finish_non_exhaustive()
    }
}

/// States of TS 27.007 §7.18 in its order, and the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallState {
    /// 0.
    Active,
    /// 1.
    Held,
    /// 2.
    Dialing,
    /// 3.
    Alerting,
    /// 4.
    Incoming,
    /// 5.
    Waiting,
    /// No longer listed.
    Released,
}

impl CallState {
    /// Number in `CLCC`.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Active => 0,
            Self::Held => 1,
            Self::Dialing => 2,
            Self::Alerting => 3,
            Self::Incoming => 4,
            Self::Waiting => 5,
            Self::Released => 6,
        }
    }
}

/// What the network, the SIM tray or the hand of the tester does.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Control {
    /// A short message arrives.
    Sms {
        /// Digits, or letters for an alphanumeric sender.
        from: String,
        /// Any length; cut into parts.
        text: String,
        /// Order of arrival of the parts, from 1; a part may be left out or repeated.
        #[serde(default)]
        parts_order: Option<Vec<u8>>,
        /// Message class, 0 for flash.
        #[serde(default)]
        class: Option<u8>,
        /// Reference of a multi-part message; otherwise the next one.
        #[serde(default)]
        reference: Option<u8>,
    },
    /// A short message arrives as it is: service centre and TPDU in hexadecimal.
    Pdu {
        /// Hexadecimal.
        pdu: String,
    },
    /// Somebody calls.
    Call {
        /// `None` withholds the number.
        #[serde(default)]
        from: Option<String>,
        /// The caller gives up after this time; 45 s when absent.
        #[serde(default)]
        give_up_ms: Option<u64>,
    },
    /// The far end answers the outgoing call.
    Answer,
    /// The far end hangs up, or gives up calling.
    Hangup,
    /// How outgoing calls fare from now on.
    Plan(CallPlan),
    /// What the far end says in calls.
    Audio {
        /// What it says.
        audio: FarAudio,
    },
    /// The far end presses keys.
    Dtmf {
        /// `0-9`, `*`, `#`, `A-D`.
        digits: String,
    },
    /// Radio signal, 0 to 31 or 99 (TS 27.007 §8.5).
    Signal {
        /// As in `CSQ`.
        csq: u8,
    },
    /// Registration state.
    Register {
        /// `CREG` state.
        stat: u8,
        /// `CEREG` state; same as `stat` when absent.
        #[serde(default)]
        eps_stat: Option<u8>,
        /// Access technology of TS 27.007 §7.3.
        #[serde(default)]
        access: Option<u8>,
    },
    /// Whether IMS is registered.
    Ims {
        /// Registered.
        registered: bool,
    },
    /// The SIM leaves or enters its tray.
    Sim {
        /// In the tray.
        present: bool,
    },
    /// PIN check; absent turns it off. Takes effect at the next start.
    Pin {
        /// 4 to 8 digits.
        #[serde(default)]
        pin: Option<String>,
    },
    /// Scripts the answers to a USSD string.
    Ussd {
        /// As the host sends it; `*123#/1` is answer `1` in the menu of `*123#`.
        code: String,
        /// What the network sends back.
        reply: super::ussd::UssdReply,
    },
    /// Adds a fault.
    Fault(Fault),
    /// Removes every fault.
    ClearFaults,
    /// The modem prints a line of its own accord.
    Urc {
        /// Without line ends.
        text: String,
    },
    /// The modem restarts as if it had crashed.
    Reset,
}

/// Numbers, texts and PINs stay out of logs.
impl fmt::Debug for Control {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Sms { .. } => "Sms",
            Self::Pdu { .. } => "Pdu",
            Self::Call { .. } => "Call",
            Self::Answer => "Answer",
            Self::Hangup => "Hangup",
            Self::Plan(_) => "Plan",
            Self::Audio { .. } => "Audio",
            Self::Dtmf { .. } => "Dtmf",
            Self::Signal { .. } => "Signal",
            Self::Register { .. } => "Register",
            Self::Ims { .. } => "Ims",
            Self::Sim { .. } => "Sim",
            Self::Pin { .. } => "Pin",
            Self::Ussd { .. } => "Ussd",
            Self::Fault(_) => "Fault",
            Self::ClearFaults => "ClearFaults",
            Self::Urc { .. } => "Urc",
            Self::Reset => "Reset",
        };
        formatter.write_str(name)
    }
}

/// How an outgoing call fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallPlan {
    /// Only calls to this number; otherwise all that have no plan of their own.
    #[serde(default)]
    pub number: Option<String>,
    /// What the far end does.
    pub outcome: Outcome,
    /// Time of ringing before it; an answer after 0 skips the alerting state.
    #[serde(default = "CallPlan::default_ring_ms")]
    pub ring_ms: u64,
    /// Forgotten after one call.
    #[serde(default)]
    pub once: bool,
}

impl CallPlan {
    fn default_ring_ms() -> u64 {
        1000
    }
}

impl Default for CallPlan {
    fn default() -> Self {
        Self { number: None, outcome: Outcome::Answer, ring_ms: Self::default_ring_ms(), once: false }
    }
}

/// What the far end of an outgoing call does after ringing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Picks up.
    Answer,
    /// Is talking to somebody else.
    Busy,
    /// The network has no channel.
    Congestion,
    /// Nobody picks up; the network gives up.
    NoAnswer,
    /// Presses the red key.
    Reject,
    /// Rings until somebody decides with [`Control::Answer`] or [`Control::Hangup`].
    Ring,
    /// Nothing is ever heard of the call again: it stays dialling.
    Stuck,
    /// The number does not exist.
    Unallocated,
}

/// What the far end of a call says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FarAudio {
    /// Returns what it hears.
    Echo,
    /// Says these samples again and again.
    Samples {
        /// Of `samples`.
        rate_hz: u32,
        /// Mono.
        samples: Vec<i16>,
    },
    /// Says nothing.
    Silence,
    /// A sine.
    Tone {
        /// Frequency.
        hz: u32,
    },
}

/// Why the network cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The PDU is not hexadecimal or not a deliver or report.
    #[error("PDU cannot be used: {0}")]
    BadPdu(String),
    /// A part number outside the message.
    #[error("message has no part {0}")]
    NoSuchPart(u8),
    /// Nobody is calling or called.
    #[error("no call is in a state for this")]
    NoCall,
    /// The modem cannot be reached by the network.
    #[error("modem is not registered")]
    NotRegistered,
}
