//! Why a call ended.

use serde::{Deserialize, Serialize};

/// Cause of the end of a call (ITU-T Q.850; Asterisk uses the same numbers).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub enum HangUpCause {
    /// 1: the number is given to nobody.
    Unallocated,
    /// 16: somebody hung up.
    Normal,
    /// 17: the other end is in a call.
    Busy,
    /// 18: the telephone of the other end does not respond.
    NoUserResponse,
    /// 19: it rang and nobody answered.
    NoAnswer,
    /// 20: the mobile of the other end is off or out of reach.
    Absent,
    /// 21: the other end refused.
    Rejected,
    /// 27: the line or its modem is out of order.
    OutOfOrder,
    /// 28: the number is not complete or not well formed.
    InvalidNumber,
    /// 34: no channel is free.
    Congestion,
    /// 38: the network is out of order.
    Network,
    /// 41: a failure that should pass.
    Temporary,
    /// 127: something else, which the network does not tell.
    Interworking,
    /// Any other cause, kept as it came.
    Other(u8),
}

impl HangUpCause {
    /// Reads a cause.
    #[must_use]
    pub fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Unallocated,
            16 => Self::Normal,
            17 => Self::Busy,
            18 => Self::NoUserResponse,
            19 => Self::NoAnswer,
            20 => Self::Absent,
            21 => Self::Rejected,
            27 => Self::OutOfOrder,
            28 => Self::InvalidNumber,
            34 => Self::Congestion,
            38 => Self::Network,
            41 => Self::Temporary,
            127 => Self::Interworking,
            other => Self::Other(other),
        }
    }

    /// The number of the cause.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Unallocated => 1,
            Self::Normal => 16,
            Self::Busy => 17,
            Self::NoUserResponse => 18,
            Self::NoAnswer => 19,
            Self::Absent => 20,
            Self::Rejected => 21,
            Self::OutOfOrder => 27,
            Self::InvalidNumber => 28,
            Self::Congestion => 34,
            Self::Network => 38,
            Self::Temporary => 41,
            Self::Interworking => 127,
            Self::Other(code) => code,
        }
    }
}

impl From<u8> for HangUpCause {
    fn from(code: u8) -> Self {
        Self::from_code(code)
    }
}

impl From<HangUpCause> for u8 {
    fn from(cause: HangUpCause) -> Self {
        cause.code()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_comes_back() {
        for code in 0..=u8::MAX {
            assert_eq!(HangUpCause::from_code(code).code(), code);
        }
        assert_eq!(HangUpCause::from_code(17), HangUpCause::Busy);
    }
}
