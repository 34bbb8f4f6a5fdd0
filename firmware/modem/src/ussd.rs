//! USSD sessions (TS 27.007 §7.15) and the texts that they carry.

use std::time::{Duration, Instant};

use at::{FinalResult, Params, Request, hex_octets};

use crate::answer::{ucs2_hex, ucs2_text};
use crate::error_meaning::cme_error_meaning;
use crate::event::{Event, UssdReply};
use crate::port::{self, Outcome, Port};

/// How long the modem may take to accept a request, and the network to answer it.
const REPLY_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Ask,
    Cancel,
}

/// The one USSD session of a line.
#[derive(Debug, Default)]
pub(crate) struct Ussd {
    deadline: Option<Instant>,
    /// Whether `AT+CSCS="UCS2"` was accepted, so that texts travel as hexadecimal.
    pub(crate) is_ucs2: bool,
}

impl Ussd {
    pub(crate) fn ask(&mut self, port: &mut Port, text: &str, now: Instant) {
        if self.deadline.is_some() {
            return refuse(port, "another USSD request is running");
        }
        if text.is_empty() || !text.chars().all(|c| !c.is_control() && c != '"') {
            return refuse(port, "a USSD request must not be empty or hold quotes");
        }
        let text = if self.is_ucs2 { ucs2_hex(text) } else { text.to_owned() };
        self.deadline = Some(now + REPLY_TIMEOUT);
        let command = format!("AT+CUSD=1,\"{text}\",15");
        port.ask(Request::new(port::Step::Ussd(Step::Ask), command).timeout(Duration::from_secs(30)), now);
    }

    pub(crate) fn cancel(&mut self, port: &mut Port, now: Instant) {
        if self.deadline.take().is_some() {
            port.emit(Event::Ussd(UssdReply::Terminated(None)));
        }
        port.ask(Request::new(port::Step::Ussd(Step::Cancel), "AT+CUSD=2"), now);
    }

    pub(crate) fn handle_outcome(&mut self, port: &mut Port, step: Step, outcome: &Outcome) {
        if step == Step::Cancel || outcome.is_ok() || self.deadline.is_none() {
            return;
        }
        self.deadline = None;
        let reason = match outcome {
            Outcome::Done { result: FinalResult::CmeError(code), .. } => match code.number() {
                Some(number) => format!("{} (CME {number})", cme_error_meaning(number)),
                None => code.to_string(),
            },
            Outcome::Done { .. } | Outcome::NotSent => outcome.in_words(),
            Outcome::TimedOut(_) => return port.emit(Event::Ussd(UssdReply::TimedOut)),
        };
        refuse(port, &reason);
    }

    /// Takes what follows `+CUSD:`.
    pub(crate) fn on_reply(&mut self, port: &mut Port, text: &str) {
        let mut params = Params::new(text);
        let Some(status) = params.number::<u8>() else { return };
        let body = params.next().filter(|body| !body.is_empty());
        let coding = params.number().unwrap_or(15);
        let body = body.map(|body| decode(body, coding));
        let was_asked = self.deadline.take().is_some();
        let reply = match status {
            0 => UssdReply::Done(body.unwrap_or_default()),
            1 => UssdReply::ReplyWanted(body.unwrap_or_default()),
            2 => UssdReply::Terminated(body),
            4 => UssdReply::Refused("not supported by the network".to_owned()),
            5 => UssdReply::TimedOut,
            _ => UssdReply::Terminated(body),
        };
        // What the network pushes by itself is worth showing only when it says something.
        let is_empty = matches!(&reply, UssdReply::Done(text) | UssdReply::ReplyWanted(text) if text.is_empty());
        if was_asked || !is_empty {
            port.emit(Event::Ussd(reply));
        }
    }

    pub(crate) fn handle_timeout(&mut self, port: &mut Port, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.deadline = None;
            port.emit(Event::Ussd(UssdReply::TimedOut));
            port.ask(Request::new(port::Step::Ussd(Step::Cancel), "AT+CUSD=2"), now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// The modem lost everything.
    pub(crate) fn on_reset(&mut self, port: &mut Port) {
        if self.deadline.take().is_some() {
            port.emit(Event::Ussd(UssdReply::Terminated(None)));
        }
    }
}

fn refuse(port: &mut Port, reason: &str) {
    port.emit(Event::Ussd(UssdReply::Refused(reason.to_owned())));
}

/// Decodes the text of `+CUSD`. Modems disagree on the shape whatever the coding says: plain text, UCS-2 in
/// hexadecimal, or packed septets in hexadecimal; so the coding decides only where the text itself does not.
fn decode(text: &str, coding: u8) -> String {
    let Some(octets) = hex_octets(text) else { return text.to_owned() };
    let is_ucs2_coding = coding & 0x0c == 0x08 || coding & 0xf0 == 0x10 && coding & 0x01 == 1;
    let wide = ucs2_text(text);
    if is_ucs2_coding && let Some(wide) = wide {
        return wide;
    }
    if let Some(wide) = wide
        && wide.chars().all(is_everyday)
    {
        return wide;
    }
    // A balance such as `1250` is hexadecimal by accident.
    if text.len() < 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.to_owned();
    }
    let septets = octets.len() * 8 / 7;
    let unpacked = sms_pdu::gsm7::unpack(&octets, septets, 0);
    let narrow = sms_pdu::gsm7::decode(&unpacked, sms_pdu::gsm7::Tables::default());
    let narrow = narrow.trim_end_matches(['\r', '@']);
    if narrow.chars().all(|c| is_everyday(c) && !matches!(c, '\u{1b}')) { narrow.to_owned() } else { text.to_owned() }
}

/// Whether a character is one that a network writes: anything up to Cyrillic, and the euro sign and punctuation.
fn is_everyday(c: char) -> bool {
    matches!(c, ' '..='~' | '\n' | '\r' | '\u{a0}'..='\u{52f}' | '\u{2010}'..='\u{20bf}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_in_every_shape() {
        let table = [
            ("plain", "Solde: 12 EUR", 15, "Solde: 12 EUR"),
            ("T60: UCS-2 under coding 72", "0043007200e900640069007400202713", 72, "Crédit ✓"),
            ("T60: UCS-2 although the coding says 7 bits", "0053006F006C00640065", 15, "Solde"),
            ("T60: packed septets", "E8329BFD4697D9EC37", 15, "hellohello"),
            ("T60: packed septets under coding 0", "E8329BFD4697D9EC37", 0, "hellohello"),
            ("a number that is hexadecimal by accident", "1250", 15, "1250"),
            ("a word that is hexadecimal by accident", "BADCAFE", 15, "BADCAFE"),
            ("odd", "ABC", 72, "ABC"),
            ("Cyrillic", "041104300 ", 15, "041104300 "),
        ];
        for (name, text, coding, want) in table {
            assert_eq!(decode(text, coding), want, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_survives_the_way_through_ucs2(text in "[ -~\\u{a0}-\\u{52f}]{1,80}") {
            proptest::prop_assert_eq!(decode(&ucs2_hex(&text), 72), text);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,60}|[0-9A-F]{0,60}", coding: u8) {
            decode(&text, coding);
        }
    }
}
