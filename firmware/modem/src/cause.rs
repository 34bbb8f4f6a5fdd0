//! Why a call ended, from what modems say about it.

use at::FinalResult;
use telecom::HangUpCause;

/// The cause behind the refusal of `ATD`.
pub(crate) fn of_refused_dial(result: &FinalResult) -> HangUpCause {
    match result {
        FinalResult::Busy => HangUpCause::Busy,
        FinalResult::NoAnswer => HangUpCause::NoAnswer,
        FinalResult::NoDialtone => HangUpCause::Network,
        FinalResult::CmeError(code) => match code.number() {
            Some(26..=28) => HangUpCause::InvalidNumber,
            Some(30..=32) => HangUpCause::Network,
            Some(10..=18) => HangUpCause::OutOfOrder,
            Some(_) | None => HangUpCause::Congestion,
        },
        FinalResult::Ok
        | FinalResult::Connect
        | FinalResult::NoCarrier
        | FinalResult::Error
        | FinalResult::CmsError(_) => HangUpCause::Congestion,
    }
}

/// Words of `AT+CEER` (TS 24.008 annex H, as Quectel and SIMCom print them) with the cause that they mean. "Normal call
/// clearing" is left out: it says nothing about a call that was never answered.
const WORDS: &[(&str, HangUpCause)] = &[
    ("unassigned", HangUpCause::Unallocated),
    ("unallocated", HangUpCause::Unallocated),
    ("user busy", HangUpCause::Busy),
    ("no user responding", HangUpCause::NoUserResponse),
    ("no answer", HangUpCause::NoAnswer),
    ("alerting", HangUpCause::NoAnswer),
    ("subscriber absent", HangUpCause::Absent),
    ("call rejected", HangUpCause::Rejected),
    ("destination out of order", HangUpCause::OutOfOrder),
    ("invalid number", HangUpCause::InvalidNumber),
    ("no circuit", HangUpCause::Congestion),
    ("congestion", HangUpCause::Congestion),
    ("channel not available", HangUpCause::Congestion),
    ("network out of order", HangUpCause::Network),
    ("no service", HangUpCause::Network),
    ("temporary failure", HangUpCause::Temporary),
];

/// The cause in an answer to `AT+CEER`, when it is a useful one.
pub(crate) fn of_words(line: &str) -> Option<HangUpCause> {
    let line = line.to_ascii_lowercase();
    WORDS.iter().find(|(words, _)| line.contains(words)).map(|(_, cause)| *cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_modems_become_causes() {
        let table = [
            ("+CEER: User busy", Some(HangUpCause::Busy)),
            ("+CEER: CC setup error, user alerting, no answer", Some(HangUpCause::NoAnswer)),
            ("+CEER: Unassigned (unallocated) number", Some(HangUpCause::Unallocated)),
            ("+CEER: Normal call clearing", None),
            ("+CEER: No cause information available", None),
        ];
        for (line, want) in table {
            assert_eq!(of_words(line), want, "{line}");
        }
    }
}
