//! Numbers that a telephone can dial.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{emergency, numbering, redact};

/// Longest number that an SMS address can carry (TS 23.040 §9.1.2.5).
const MAX_DIGITS: usize = 20;

/// A number that can be dialled: an optional leading `+`, then 1 to 20 of `0-9`, `*` and `#`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PhoneNumber(String);

/// Why a text cannot be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePhoneNumberError {
    /// Nothing is left once separators are taken away.
    #[error("phone number has no digits")]
    Empty,
    /// More than twenty digits.
    #[error("phone number has {0} digits, at most 20 can be dialled")]
    TooLong(usize),
    /// A character that is neither a digit, `*`, `#`, a leading `+` nor a separator.
    #[error("phone number holds `{0}`, which cannot be dialled")]
    NotDialable(char),
}

impl PhoneNumber {
    /// The number as dialled, without separators.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the number begins with `+` and so means the same everywhere.
    #[must_use]
    pub fn is_international(&self) -> bool {
        self.0.starts_with('+')
    }

    /// Whether the number calls for help somewhere we may be used; see the list in the source for the policy.
    #[must_use]
    pub fn is_emergency(&self) -> bool {
        emergency::is_emergency(&self.0)
    }

    /// Returns the number in international form (ITU-T E.164), as dialled by a subscriber of the country `mcc`.
    ///
    /// Only national numbers whose length is right for that country are rewritten.
    /// Short numbers, emergency numbers, service codes and numbers of countries that we do not know stay as they are:
    /// a wrong guess would join two strangers in one conversation.
    #[must_use]
    pub fn to_e164(&self, mcc: u16) -> Self {
        if self.is_international() || self.is_emergency() {
            return self.clone();
        }
        match numbering::to_international(&self.0, mcc) {
            Some(number) if number.len() <= MAX_DIGITS => Self(number),
            Some(_) | None => self.clone(),
        }
    }
}

impl FromStr for PhoneNumber {
    type Err = ParsePhoneNumberError;

    /// Reads a number as people write it: spaces, dots, dashes and parentheses are dropped, and so is the `(0)` that
    /// some write after a country code.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let text = if text.starts_with('+') { text.replace("(0)", "") } else { text.to_owned() };
        let mut number = String::with_capacity(text.len());
        for character in text.chars().filter(|&character| !is_separator(character)) {
            match character {
                '+' if number.is_empty() => number.push('+'),
                '0'..='9' | '*' | '#' => number.push(character),
                other => return Err(ParsePhoneNumberError::NotDialable(other)),
            }
        }
        match number.trim_start_matches('+').len() {
            0 => Err(ParsePhoneNumberError::Empty),
            1..=MAX_DIGITS => Ok(Self(number)),
            length => Err(ParsePhoneNumberError::TooLong(length)),
        }
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        redact::debug(f, "PhoneNumber", &self.0)
    }
}

impl TryFrom<String> for PhoneNumber {
    type Error = ParsePhoneNumberError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PhoneNumber> for String {
    fn from(number: PhoneNumber) -> Self {
        number.0
    }
}

fn is_separator(character: char) -> bool {
    character.is_whitespace() || matches!(character, '.' | '-' | '(' | ')')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        let table = [
            ("06 39.98-12 34", Ok("0639981234")),
            ("+33 (0)6 39 98 12 34", Ok("+33639981234")),
            ("(020) 7946 0018", Ok("02079460018")),
            ("*100#", Ok("*100#")),
            ("", Err(ParsePhoneNumberError::Empty)),
            ("+", Err(ParsePhoneNumberError::Empty)),
            ("12+3", Err(ParsePhoneNumberError::NotDialable('+'))),
            ("FREE", Err(ParsePhoneNumberError::NotDialable('F'))),
            ("123456789012345678901", Err(ParsePhoneNumberError::TooLong(21))),
        ];
        for (text, want) in table {
            let parsed = text.parse::<PhoneNumber>();
            assert_eq!(parsed.as_ref().map(PhoneNumber::as_str), want.as_ref().copied(), "{text}");
        }
    }

    #[test]
    fn debug_does_not_tell_the_number() {
        assert_eq!(format!("{:?}", number("+33639981234")), "PhoneNumber(…1234)");
        assert_eq!(format!("{:?}", number("36179")), "PhoneNumber(…)");
    }

    #[test]
    fn national_numbers_become_international() {
        for (mcc, dialled, want) in NATIONAL {
            assert_eq!(number(dialled).to_e164(*mcc).as_str(), *want, "{dialled} in {mcc}");
        }
    }

    const NATIONAL: &[(u16, &str, &str)] = &[
        (208, "0639981234", "+33639981234"),
        (208, "0033639981234", "+33639981234"),
        (208, "0690123456", "+590690123456"),
        (340, "0696123456", "+596696123456"),
        (340, "0694123456", "+594694123456"),
        (647, "0692123456", "+262692123456"),
        (647, "0639123456", "+262639123456"),
        (547, "87123456", "+68987123456"),
        (234, "07700900123", "+447700900123"),
        (262, "015112345678", "+4915112345678"),
        (222, "3331234567", "+393331234567"),
        (222, "0612345678", "+390612345678"),
        (214, "612345678", "+34612345678"),
        (216, "06201234567", "+36201234567"),
        (310, "2125550123", "+12125550123"),
        (302, "12125550123", "+12125550123"),
        (310, "01133639981234", "+33639981234"),
        // Kept as they are.
        (208, "+33639981234", "+33639981234"),
        (208, "36179", "36179"),
        (208, "3901", "3901"),
        (208, "118218", "118218"),
        (208, "112", "112"),
        (208, "639981234", "639981234"),
        (208, "06399812345", "06399812345"),
        (208, "#31#0639981234", "#31#0639981234"),
        (214, "112", "112"),
        (310, "55512", "55512"),
        (999, "0639981234", "0639981234"),
    ];

    #[test]
    fn calls_for_help_are_known() {
        for dialled in ["112", "911", "999", "15", "17", "18", "114", "115", "119", "196"] {
            assert!(number(dialled).is_emergency(), "{dialled}");
        }
        for dialled in ["+112", "1123", "3900", "0639981234", "118218"] {
            assert!(!number(dialled).is_emergency(), "{dialled}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_is_stable(text in ".{0,30}") {
            if let Ok(number) = text.parse::<PhoneNumber>() {
                prop_assert_eq!(number.as_str().parse::<PhoneNumber>(), Ok(number));
            }
        }

        #[test]
        fn the_international_form_is_final(text in "[0-9]{1,20}", mcc in prop::sample::select(vec![208u16, 222, 262, 310, 340, 214])) {
            let international = number(&text).to_e164(mcc);
            prop_assert_eq!(international.to_e164(mcc), international.clone());
            prop_assert!(international.as_str().parse::<PhoneNumber>().is_ok());
        }
    }

    fn number(text: &str) -> PhoneNumber {
        text.parse().unwrap()
    }
}
