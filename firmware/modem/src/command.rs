//! What the box asks of a modem.

use std::fmt;

use telecom::{HangUpCause, PhoneNumber};

/// The caller's name for one part that is to be sent; comes back in the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartToken(pub i64);

/// A message memory of the modem or SIM (TS 27.005 §3.1 `<mem>`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StorageMemory {
    /// The modem's own memory.
    Me,
    /// The SIM.
    Sm,
    /// Delivery reports.
    Sr,
}

/// Where a received part lies (memory and index of TS 27.005 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorageSlot {
    /// The memory.
    pub memory: StorageMemory,
    /// The index in it.
    pub index: u16,
}

/// A request to the machine. Each is answered by exactly one event that names it, or by [`crate::Event::Failed`].
#[derive(Clone, PartialEq, Eq)]
pub enum Command {
    /// Send one part. Answered by `SmsSent` or `SmsFailed` with the same token.
    SendSms {
        /// The caller's name for the part.
        token: PartToken,
        /// SMS-SUBMIT with its SMSC prefix, as `sms_pdu::encode_submit` makes it.
        pdu: Vec<u8>,
        /// Octets of the TPDU without the SMSC prefix (the argument of `AT+CMGS`).
        tpdu_length: usize,
    },
    /// Free a slot whose content is durable. Answered by `SlotCleared`, `SlotReused` or `SlotNotCleared`.
    ClearSlot(StorageSlot),
    /// List every stored part again. Answered by `Swept`.
    Sweep,
    /// Start or continue a USSD session. Answered by `Ussd`.
    Ussd {
        /// The request or the reply, such as `*100#` or `1`.
        text: String,
    },
    /// End the USSD session.
    UssdCancel,
    /// Enter the SIM PIN. Refused without touching the SIM when only one attempt is left and `last_attempt` is false.
    EnterPin {
        /// 4 to 8 digits.
        pin: String,
        /// The owner typed it knowing that it is the last attempt.
        last_attempt: bool,
    },
    /// Unblock the SIM with the PUK and set a new PIN; only ever on the owner's explicit order.
    EnterPuk {
        /// 8 digits.
        puk: String,
        /// 4 to 8 digits.
        new_pin: String,
    },
    /// Call a number. Answered by the `Call` events: `Dialing` and what follows, or `Ended` at once. When somebody calls
    /// at the same moment, that call wins and this order is dropped: the answer is `Incoming`.
    Dial {
        /// Whom to call.
        number: PhoneNumber,
    },
    /// Answer the ringing call. Ignored without one that was announced.
    Answer,
    /// End the call, or refuse the ringing one. Answered by `Ended`; ignored without a call that was announced.
    HangUp {
        /// Why, for the network.
        cause: HangUpCause,
    },
    /// Refuse the waiting second call and keep the first (`AT+CHLD=0`).
    RefuseWaiting,
    /// Send one DTMF digit into the call.
    Dtmf {
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
    },
    /// The audio leg reports that nothing usable arrives: re-enable voice now or after the call.
    AudioDead,
    /// Start the bring-up again from the beginning.
    Reinitialise,
}

/// Keeps PINs, texts and octets out of logs.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SendSms { token, .. } => f.debug_struct("SendSms").field("token", token).finish_non_exhaustive(),
            Self::ClearSlot(slot) => f.debug_tuple("ClearSlot").field(slot).finish(),
            Self::Sweep => f.write_str("Sweep"),
            Self::Ussd { .. } => f.debug_struct("Ussd").finish_non_exhaustive(),
            Self::UssdCancel => f.write_str("UssdCancel"),
            Self::EnterPin { last_attempt, .. } => {
                f.debug_struct("EnterPin").field("last_attempt", last_attempt).finish_non_exhaustive()
            }
            Self::EnterPuk { .. } => f.debug_struct("EnterPuk").finish_non_exhaustive(),
            Self::Dial { number } => f.debug_struct("Dial").field("number", number).finish(),
            Self::Answer => f.write_str("Answer"),
            Self::HangUp { cause } => f.debug_struct("HangUp").field("cause", cause).finish(),
            Self::RefuseWaiting => f.write_str("RefuseWaiting"),
            Self::Dtmf { .. } => f.debug_struct("Dtmf").finish_non_exhaustive(),
            Self::AudioDead => f.write_str("AudioDead"),
            Self::Reinitialise => f.write_str("Reinitialise"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_out_of_logs() {
        let pin = Command::EnterPin { pin: "1234".to_owned(), last_attempt: false };
        let puk = Command::EnterPuk { puk: "12345678".to_owned(), new_pin: "1234".to_owned() };
        let ussd = Command::Ussd { text: "*123*4#".to_owned() };
        for command in [pin, puk, ussd, Command::Dtmf { digit: '4' }] {
            assert!(!format!("{command:?}").contains('4'), "{command:?}");
        }
    }
}
