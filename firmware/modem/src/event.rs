//! What a modem tells the box.

use std::fmt;

use crate::command::{PartToken, StorageSlot};
use telecom::{AccessTechnology, HangUpCause, Iccid, Imei, Imsi, PhoneNumber, Registration, Signal};

/// Who the device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `AT+CGMI`.
    pub manufacturer: String,
    /// `AT+CGMM`.
    pub model: String,
    /// `AT+CGMR`.
    pub revision: String,
    /// `AT+CGSN`.
    pub imei: Imei,
}

/// Who the SIM is; complete once the PIN is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimIdentity {
    /// The card.
    pub iccid: Iccid,
    /// The subscription.
    pub imsi: Imsi,
    /// `AT+CNUM`, when the operator wrote it on the card.
    pub number: Option<PhoneNumber>,
}

/// Whether the SIM can be used (TS 27.007 §8.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SimState {
    /// Ready.
    Ready,
    /// A PIN is needed. `iccid` is there when the modem tells it before the PIN.
    PinNeeded {
        /// The card, so that a stored PIN can be found.
        iccid: Option<Iccid>,
        /// Attempts left before the PUK; `None` when the modem does not tell.
        attempts_left: Option<u8>,
    },
    /// The PIN that was entered is wrong.
    PinWrong {
        /// Attempts left.
        attempts_left: Option<u8>,
    },
    /// The SIM is blocked until the PUK is entered.
    PukNeeded {
        /// The card.
        iccid: Option<Iccid>,
        /// Attempts left before the SIM is dead.
        attempts_left: Option<u8>,
    },
    /// No SIM.
    Absent,
    /// The SIM answers with an error (`+CME ERROR`), in words.
    Faulty(String),
}

/// A part that lies in a slot.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPart {
    /// Where.
    pub slot: StorageSlot,
    /// The octets as `+CMGR` gave them, SMSC prefix included.
    pub pdu: Vec<u8>,
}

/// Keeps the octets, which hold number and text, out of logs.
impl fmt::Debug for StoredPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredPart").field("slot", &self.slot).finish_non_exhaustive()
    }
}

/// The network's answer to a USSD request (TS 27.007 §7.15 `<m>`).
#[derive(Clone, PartialEq, Eq)]
pub enum UssdReply {
    /// Finished, with the network's text.
    Done(String),
    /// The network waits for a reply.
    ReplyWanted(String),
    /// The network ended the session.
    Terminated(Option<String>),
    /// Not supported here, or refused; in words.
    Refused(String),
    /// No answer in time.
    TimedOut,
}

/// Keeps the network's texts, which hold balances and numbers, out of logs.
impl fmt::Debug for UssdReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(_) => f.write_str("Done(…)"),
            Self::ReplyWanted(_) => f.write_str("ReplyWanted(…)"),
            Self::Terminated(_) => f.write_str("Terminated(…)"),
            Self::Refused(reason) => f.debug_tuple("Refused").field(reason).finish(),
            Self::TimedOut => f.write_str("TimedOut"),
        }
    }
}

/// Why a part was not sent, by who must act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendSmsError {
    /// The network or modem refused it: a `+CMS ERROR` (TS 27.005 §3.2.5).
    #[error("the network refused the message: {} (CMS {code})", meaning)]
    Refused {
        /// The code.
        code: u16,
        /// Its meaning in words.
        meaning: &'static str,
    },
    /// The part never reached the network: prompt missing, line not ready.
    #[error("the modem was not ready: {0}")]
    NotReady(String),
    /// The octets were handed over and no answer came: the outcome is unknown.
    #[error("the modem did not say whether the message left")]
    Silent,
}

/// Progress of the one call that a line carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallEvent {
    /// The network rings us; sent once a number is known or after the second RING without one. `None`: withheld.
    Incoming {
        /// Who calls.
        number: Option<PhoneNumber>,
    },
    /// A second caller waits while a call is up.
    Waiting {
        /// Who calls.
        number: Option<PhoneNumber>,
    },
    /// The second caller gave up, or was refused.
    WaitingEnded,
    /// Our call is on its way.
    Dialing,
    /// The far end rings.
    Alerting,
    /// The call is up; audio may flow.
    Active,
    /// The call is over.
    Ended {
        /// Why, as Q.850.
        cause: HangUpCause,
    },
    /// The far end pressed a key.
    Dtmf(char),
    /// Voice over USB is enabled and the audio port should be read and written.
    AudioReady,
    /// Voice over USB could not be enabled, in words.
    AudioRefused(String),
    /// The modem takes sound again, or asks to be given none for a while (`+QPCMV: 0,0`).
    AudioFlow {
        /// Whether it takes sound.
        is_open: bool,
    },
}

/// A step of the self-heal ladder (docs/architecture.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// The command is tried again.
    Retry,
    /// The bring-up starts again.
    Reinitialise,
    /// `AT+CFUN=1,1` (or the family's own).
    FunctionalityReset,
    /// The USB device is reset by the supervisor.
    UsbReset,
    /// Nothing helped; tried again after a long pause.
    GaveUp,
}

/// Why the line cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The AT port does not answer.
    #[error("the modem does not answer on its AT port")]
    Silent,
    /// A command that must work is refused.
    #[error("the modem refused `{command}`: {answer}")]
    Refused {
        /// The command, without secrets.
        command: String,
        /// The answer.
        answer: String,
    },
}

/// What happened.
#[derive(Clone, PartialEq, Eq)]
pub enum Event {
    /// The device said who it is.
    Identified(Identity),
    /// The SIM's state, whenever it changes.
    Sim(SimState),
    /// The SIM said who it is.
    SimIdentified(SimIdentity),
    /// The line works: SMS is set up and the sweep is done. Registration may still be lost or found.
    Ready,
    /// Registration, with every fresh proof (not only on change).
    Registration {
        /// The better of CREG and CEREG.
        state: Registration,
        /// How.
        technology: Option<AccessTechnology>,
    },
    /// The operator's name, with every fresh proof.
    Operator(Option<String>),
    /// Signal, with every fresh proof.
    Signal(Option<Signal>),
    /// IMS (voice over LTE) registration, where the modem tells.
    Ims(bool),
    /// Proof of life: the modem answered. Sent at least every keep-alive period.
    Alive,
    /// A part arrived and lies in a slot.
    SmsStored(StoredPart),
    /// A part or a report came directly, not stored by the modem.
    SmsDirect {
        /// The octets, SMSC prefix included.
        pdu: Vec<u8>,
    },
    /// Everything that lies in the memories; parts not listed are gone.
    Swept(Vec<StoredPart>),
    /// The slot is free.
    SlotCleared(StorageSlot),
    /// The order to free the slot was for a part that had been freed before; another part may lie there, which stays.
    SlotReused(StorageSlot),
    /// The slot could not be freed; it will be found by the next sweep.
    SlotNotCleared(StorageSlot),
    /// The memory for messages is full (or has room again).
    StorageFull(bool),
    /// The network took the part.
    SmsSent {
        /// Which.
        token: PartToken,
        /// TP-MR of `+CMGS`, by which a delivery report names the part.
        reference: u8,
    },
    /// The part was not sent, or nobody knows.
    SmsFailed {
        /// Which.
        token: PartToken,
        /// Why.
        error: SendSmsError,
    },
    /// A USSD answer.
    Ussd(UssdReply),
    /// Progress of a call.
    Call(CallEvent),
    /// The ladder did something.
    Recovery {
        /// What.
        step: Recovery,
        /// Why, in words without numbers or texts.
        reason: String,
    },
    /// The supervisor must reset the USB device.
    UsbResetWanted,
    /// The line cannot work; the ladder goes on.
    Failed(Failure),
}

/// Keeps octets, which hold numbers and texts, out of logs.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identified(identity) => f.debug_tuple("Identified").field(identity).finish(),
            Self::Sim(state) => f.debug_tuple("Sim").field(state).finish(),
            Self::SimIdentified(identity) => f.debug_tuple("SimIdentified").field(identity).finish(),
            Self::Ready => f.write_str("Ready"),
            Self::Registration { state, technology } => {
                f.debug_struct("Registration").field("state", state).field("technology", technology).finish()
            }
            Self::Operator(name) => f.debug_tuple("Operator").field(name).finish(),
            Self::Signal(signal) => f.debug_tuple("Signal").field(signal).finish(),
            Self::Ims(is_registered) => f.debug_tuple("Ims").field(is_registered).finish(),
            Self::Alive => f.write_str("Alive"),
            Self::SmsStored(part) => f.debug_tuple("SmsStored").field(part).finish(),
            Self::SmsDirect { .. } => f.debug_struct("SmsDirect").finish_non_exhaustive(),
            Self::Swept(parts) => f.debug_tuple("Swept").field(parts).finish(),
            Self::SlotCleared(slot) => f.debug_tuple("SlotCleared").field(slot).finish(),
            Self::SlotNotCleared(slot) => f.debug_tuple("SlotNotCleared").field(slot).finish(),
            Self::SlotReused(slot) => f.debug_tuple("SlotReused").field(slot).finish(),
            Self::StorageFull(is_full) => f.debug_tuple("StorageFull").field(is_full).finish(),
            Self::SmsSent { token, reference } => {
                f.debug_struct("SmsSent").field("token", token).field("reference", reference).finish()
            }
            Self::SmsFailed { token, error } => {
                f.debug_struct("SmsFailed").field("token", token).field("error", error).finish()
            }
            Self::Ussd(reply) => f.debug_tuple("Ussd").field(reply).finish(),
            Self::Call(event) => f.debug_tuple("Call").field(event).finish(),
            Self::Recovery { step, reason } => {
                f.debug_struct("Recovery").field("step", step).field("reason", reason).finish()
            }
            Self::UsbResetWanted => f.write_str("UsbResetWanted"),
            Self::Failed(failure) => f.debug_tuple("Failed").field(failure).finish(),
        }
    }
}
