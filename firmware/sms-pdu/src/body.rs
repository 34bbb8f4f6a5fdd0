//! What a message says.

use std::fmt;

/// What one part of a message says.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Body {
    /// A text.
    Text(String),
    /// A UCS-2 text that begins or ends inside a character: a part that was cut between two surrogates.
    /// [`join`] restores the character when the other half is there.
    Utf16(Vec<u16>),
    /// Octets that are not a text.
    Data(Vec<u8>),
}

impl Body {
    /// The text of this part alone; half a character becomes U+FFFD, and data has no text.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Utf16(units) => Some(String::from_utf16_lossy(units)),
            Self::Data(_) => None,
        }
    }

    pub(crate) fn from_utf16(units: Vec<u16>) -> Self {
        match String::from_utf16(&units) {
            Ok(text) => Self::Text(text),
            Err(_) => Self::Utf16(units),
        }
    }
}

/// Joins the parts of a message, given in the order of their sequence numbers; data have no text and are left out.
///
/// A character that a sender cut in two is whole again; a half whose other half is missing becomes U+FFFD.
#[must_use]
pub fn join<'a>(parts: impl IntoIterator<Item = &'a Body>) -> String {
    let mut units: Vec<u16> = Vec::new();
    for part in parts {
        match part {
            Body::Text(text) => units.extend(text.encode_utf16()),
            Body::Utf16(part) => units.extend(part),
            Body::Data(_) => {}
        }
    }
    String::from_utf16_lossy(&units)
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} characters)", text.chars().count()),
            Self::Utf16(units) => write!(f, "Utf16({} units)", units.len()),
            Self::Data(octets) => write!(f, "Data({} octets)", octets.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emoji_cut_between_two_parts_is_whole_again() {
        let parts = [Body::from_utf16(vec![0x61, 0xD83D]), Body::from_utf16(vec![0xDE00, 0x62])];
        assert_eq!(join(&parts), "a😀b");
        assert_eq!(parts.first().and_then(Body::to_text).as_deref(), Some("a\u{fffd}"));
        assert_eq!(join(&parts[..1]), "a\u{fffd}");
    }

    #[test]
    fn debug_does_not_tell_the_text() {
        assert_eq!(format!("{:?}", Body::Text("secret".to_owned())), "Text(6 characters)");
    }
}
