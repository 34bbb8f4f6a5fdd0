//! Octets as modems write them.

use std::fmt::Write;

use crate::ParseError;

/// Reads pairs of hexadecimal digits; white space around them is ignored.
///
/// # Errors
/// [`ParseError::NotHex`] when a digit is missing or is none.
pub fn parse_hex(text: &str) -> Result<Vec<u8>, ParseError> {
    let (pairs, rest) = text.trim().as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(ParseError::NotHex);
    }
    pairs.iter().map(|[high, low]| Ok(digit(*high)? << 4 | digit(*low)?)).collect()
}

/// Writes octets as upper case hexadecimal digits.
#[must_use]
pub fn to_hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        // Writing to a String cannot fail.
        write!(text, "{octet:02X}").unwrap_or_default();
        text
    })
}

fn digit(character: u8) -> Result<u8, ParseError> {
    match character {
        b'0'..=b'9' => Ok(character - b'0'),
        b'A'..=b'F' => Ok(character - b'A' + 10),
        b'a'..=b'f' => Ok(character - b'a' + 10),
        _ => Err(ParseError::NotHex),
    }
}
