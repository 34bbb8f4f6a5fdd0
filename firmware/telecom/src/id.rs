//! Names that this box gives to things.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    /// Empty, or longer than 128 bytes.
    #[error("{what} has {length} bytes, expected 1 to 128")]
    Length {
        /// The name of the id.
        what: &'static str,
        /// How many bytes were found.
        length: usize,
    },
    /// A space or control character.
    #[error("{what} holds a character that ids do not have")]
    Character {
        /// The name of the id.
        what: &'static str,
    },
    /// The number inside the id is missing or out of range.
    #[error("{what} has no valid number")]
    Number {
        /// The name of the id.
        what: &'static str,
    },
}

/// A modem, for as long as it stays in the same place.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModemId(pub String);

/// A call as the user sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub String);

/// A number that we can be reached on; written `line-3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LineId(pub u32);

/// A message as the user sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub i64);

/// One SMS of a message, as it passes on the air.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartId(pub i64);

const LINE_PREFIX: &str = "line-";
const MAX_ID_BYTES: usize = 128;

impl fmt::Display for LineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{LINE_PREFIX}{}", self.0)
    }
}

impl FromStr for LineId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_prefix(LINE_PREFIX).and_then(|number| number.parse().ok());
        number.map(Self).ok_or(ParseIdError::Number { what: "line id" })
    }
}

impl TryFrom<String> for LineId {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<LineId> for String {
    fn from(line: LineId) -> Self {
        line.to_string()
    }
}

macro_rules! impl_text_id {
    ($($name:ident, $what:literal;)*) => {$(
        impl $name {
            /// The id as text.
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

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if text.is_empty() || text.len() > MAX_ID_BYTES {
                    return Err(ParseIdError::Length { what: $what, length: text.len() });
                }
                if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
                    return Err(ParseIdError::Character { what: $what });
                }
                Ok(Self(text.to_owned()))
            }
        }
    )*};
}

macro_rules! impl_number_id {
    ($($name:ident, $what:literal;)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self).map_err(|_| ParseIdError::Number { what: $what })
            }
        }
    )*};
}

impl_text_id! { ModemId, "modem id"; CallId, "call id"; }
impl_number_id! { MessageId, "message id"; PartId, "part id"; }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_and_read_alike() {
        assert_eq!("line-3".parse(), Ok(LineId(3)));
        assert_eq!(LineId(3).to_string(), "line-3");
        assert_eq!("3".parse::<LineId>(), Err(ParseIdError::Number { what: "line id" }));
        assert_eq!("42".parse(), Ok(MessageId(42)));
        assert_eq!("ec25-1-2".parse(), Ok(ModemId("ec25-1-2".to_owned())));
        assert_eq!("a b".parse::<CallId>(), Err(ParseIdError::Character { what: "call id" }));
        assert_eq!("".parse::<CallId>(), Err(ParseIdError::Length { what: "call id", length: 0 }));
    }
}
