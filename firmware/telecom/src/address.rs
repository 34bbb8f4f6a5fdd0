//! Who a message or a call says it comes from.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::PhoneNumber;

/// The other end of a message or a call, as the network tells it (TS 23.040 §9.1.2.5).
///
/// `Display` and `FromStr` are inverse of each other on every text, so the text can serve as a key.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Address {
    /// A number that can be dialled back.
    Number(PhoneNumber),
    /// A name, chosen by the sender and proven by nobody.
    Alphanumeric(String),
    /// The other end chose not to be named, or the network could not tell.
    Withheld,
}

/// How a withheld address is written.
const WITHHELD: &str = "withheld";

impl Address {
    /// The number to dial back, when there is one.
    #[must_use]
    pub fn number(&self) -> Option<&PhoneNumber> {
        match self {
            Self::Number(number) => Some(number),
            Self::Alphanumeric(_) | Self::Withheld => None,
        }
    }

    /// Reads what `Display` writes.
    ///
    /// Only a number without separators is a [`Number`](Self::Number): a sender named `1-2-3` stays a name.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        if text.is_empty() || text == WITHHELD {
            return Self::Withheld;
        }
        match text.parse::<PhoneNumber>() {
            Ok(number) if number.as_str() == text => Self::Number(number),
            Ok(_) | Err(_) => Self::Alphanumeric(text.to_owned()),
        }
    }

    /// Returns the address with its number, if any, in international form; see [`PhoneNumber::to_e164`].
    #[must_use]
    pub fn to_e164(&self, mcc: u16) -> Self {
        match self {
            Self::Number(number) => Self::Number(number.to_e164(mcc)),
            Self::Alphanumeric(_) | Self::Withheld => self.clone(),
        }
    }
}

impl From<PhoneNumber> for Address {
    fn from(number: PhoneNumber) -> Self {
        Self::Number(number)
    }
}

impl FromStr for Address {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::from_text(text))
    }
}

impl From<String> for Address {
    fn from(text: String) -> Self {
        Self::from_text(&text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Alphanumeric(name) => f.write_str(name),
            Self::Withheld => f.write_str(WITHHELD),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => fmt::Debug::fmt(number, f),
            Self::Alphanumeric(_) => f.write_str("Alphanumeric(…)"),
            Self::Withheld => f.write_str("Withheld"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_names_a_number_a_name_or_nobody() {
        assert_eq!(Address::from_text("+33639981234"), Address::Number("+33639981234".parse().unwrap()));
        assert_eq!(Address::from_text("36179"), Address::Number("36179".parse().unwrap()));
        assert_eq!(Address::from_text("Free Mobile"), Address::Alphanumeric("Free Mobile".to_owned()));
        assert_eq!(Address::from_text("1-2-3"), Address::Alphanumeric("1-2-3".to_owned()));
        assert_eq!(Address::from_text("withheld"), Address::Withheld);
        assert_eq!(Address::from_text(""), Address::Withheld);
    }

    #[test]
    fn debug_does_not_tell_the_sender() {
        assert_eq!(format!("{:?}", Address::from_text("Free Mobile")), "Alphanumeric(…)");
        assert_eq!(format!("{:?}", Address::from_text("+33639981234")), "PhoneNumber(…1234)");
    }

    proptest! {
        #[test]
        fn every_text_but_the_empty_one_comes_back(text in ".{1,30}") {
            prop_assert_eq!(Address::from_text(&text).to_string(), text);
        }
    }
}
