//! Values that are checked once, where they enter.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use telecom::PhoneNumber;

/// The longest name.
const MAX_NAME_CHARS: usize = 64;

/// Numbers that the dialplan keeps for itself: echo, clock, tone.
pub(crate) const SERVICES: &[&str] = &["600", "601", "602"];

/// Why a text is not the word it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// Not a country.
    #[error("a country is two capital letters of ISO 3166, for example FR")]
    Country,
    /// Not an extension's number.
    #[error("the number of an extension is 2 to 6 digits and does not begin with 0")]
    Extension,
    /// An extension that the household must not have.
    #[error("extension {0} is an emergency number in some country, choose another one")]
    ExtensionIsEmergency(String),
    /// An extension that the box needs.
    #[error("extension {0} is a service of the box (echo, clock, tone), choose another one")]
    ExtensionIsService(String),
    /// Not an interface.
    #[error("an interface is a name such as eth0, as `ip link` prints it")]
    Interface,
    /// Not an address with a prefix.
    #[error("an address is written with the length of its network's prefix, 1 to 30, for example 192.168.1.20/24")]
    InterfaceAddress,
    /// An address that no machine can have.
    #[error("{0} is not an address that a machine can have")]
    NoHostAddress(String),
    /// Not a language.
    #[error("a language is two small letters of ISO 639, for example fr")]
    Language,
    /// Not a prefix.
    #[error("the prefix of a line is * or # or nothing, and then 1 to 4 digits")]
    Prefix,
    /// Not a name.
    #[error("a name has 1 to {MAX_NAME_CHARS} characters, none of them a line break or another control character")]
    Name,
}

macro_rules! word {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = WordError;

            fn try_from(text: String) -> Result<Self, WordError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.0
            }
        }
    };
}

word!(
    /// A country: two capital letters (ISO 3166-1).
    Country
);
word!(
    /// The number of an extension: what the household dials, and the name of its SIP account.
    ExtensionNumber
);
word!(
    /// The name of a network interface.
    InterfaceName
);
word!(
    /// A language: two small letters (ISO 639-1).
    Language
);
word!(
    /// What is dialled before a number to choose a line.
    LinePrefix
);
word!(
    /// A name that people read: of the box, a phone or a line.
    Name
);

impl FromStr for Country {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        let is_country = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        if is_country { Ok(Self(text.to_owned())) } else { Err(WordError::Country) }
    }
}

impl FromStr for ExtensionNumber {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        if !(2..=6).contains(&text.len()) || !is_digits(text) || text.starts_with('0') {
            return Err(WordError::Extension);
        }
        if text.parse::<PhoneNumber>().is_ok_and(|number| number.is_emergency()) {
            return Err(WordError::ExtensionIsEmergency(text.to_owned()));
        }
        if SERVICES.contains(&text) {
            return Err(WordError::ExtensionIsService(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl InterfaceName {
    /// The Ethernet port of a box that has one.
    pub(crate) fn first_ethernet() -> Self {
        Self("eth0".to_owned())
    }
}

impl FromStr for InterfaceName {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        // The kernel takes 15 bytes (IFNAMSIZ); anything but a plain name would be a pattern, or a line of its own.
        let is_name = (1..=15).contains(&text.len()) && text.bytes().all(is_plain);
        if is_name && !matches!(text, "lo" | "." | "..") {
            Ok(Self(text.to_owned()))
        } else {
            Err(WordError::Interface)
        }
    }
}

impl FromStr for Language {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        let is_language = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_lowercase());
        if is_language { Ok(Self(text.to_owned())) } else { Err(WordError::Language) }
    }
}

impl FromStr for LinePrefix {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        let digits = text.strip_prefix(['*', '#']).unwrap_or(text);
        let is_prefix = (1..=4).contains(&digits.len()) && is_digits(digits);
        if is_prefix { Ok(Self(text.to_owned())) } else { Err(WordError::Prefix) }
    }
}

impl FromStr for Name {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        let text = text.trim();
        let length = text.chars().count();
        if !(1..=MAX_NAME_CHARS).contains(&length) || text.chars().any(char::is_control) {
            return Err(WordError::Name);
        }
        Ok(Self(text.to_owned()))
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_checked_where_they_enter() {
        let extension = |text: &str| text.parse::<ExtensionNumber>().err();
        let cases: &[(&str, Option<WordError>, Option<WordError>)] = &[
            ("a plain extension", extension("2001"), None),
            ("too short", extension("2"), Some(WordError::Extension)),
            ("looks like a national number", extension("0612"), Some(WordError::Extension)),
            ("a pattern", extension("20XX"), Some(WordError::Extension)),
            ("emergency", extension("112"), Some(WordError::ExtensionIsEmergency("112".into()))),
            ("service", extension("600"), Some(WordError::ExtensionIsService("600".into()))),
            ("a line break", "a\n[evil]".parse::<Name>().err(), Some(WordError::Name)),
            ("no name", "  ".parse::<Name>().err(), Some(WordError::Name)),
            ("a name", "Élodie; [the] \"one\"".parse::<Name>().err(), None),
            ("a country", "FR".parse::<Country>().err(), None),
            ("a small country", "fr".parse::<Country>().err(), Some(WordError::Country)),
            ("a prefix", "*1".parse::<LinePrefix>().err(), None),
            ("a prefix of a pattern", "_X".parse::<LinePrefix>().err(), Some(WordError::Prefix)),
            ("a language", "fr".parse::<Language>().err(), None),
        ];
        for (name, got, want) in cases {
            assert_eq!(got, want, "{name}");
        }
    }
}
