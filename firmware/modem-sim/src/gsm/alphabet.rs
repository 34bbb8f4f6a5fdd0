//! GSM 7-bit default alphabet with its extension table, packing, and UCS-2 (TS 23.038 §6).

use super::national;

/// Septet that announces a character of the extension table.
const ESCAPE: u8 = 0x1b;

/// Returns the septets of `text`, or `None` when a character is outside the default alphabet and its extension.
#[must_use]
pub fn to_septets(text: &str) -> Option<Vec<u8>> {
    let mut septets = Vec::with_capacity(text.len());
    for character in text.chars() {
        if let Some(position) = DEFAULT.iter().position(|&known| known == character) {
            septets.push(u8::try_from(position).ok()?);
        } else {
            let (code, _) = EXTENSION.iter().find(|(_, known)| *known == character)?;
            septets.extend([ESCAPE, *code]);
        }
    }
    Some(septets)
}

/// Returns the text of `septets`; an unknown extension code reads as its default character (TS 23.038 §6.2.1.1).
#[must_use]
pub fn from_septets(septets: &[u8]) -> String {
    from_septets_of(septets, 0, 0)
}

/// As [`from_septets`], with the tables of the languages whose identifiers the header names (TS 23.038 §6.2.1.2.4);
/// 0 is the default, and so is a language that has no table.
#[must_use]
pub fn from_septets_of(septets: &[u8], locking: u8, single_shift: u8) -> String {
    let mut text = String::with_capacity(septets.len());
    let mut escaped = false;
    for &septet in septets {
        if septet == ESCAPE && !escaped {
            escaped = true;
            continue;
        }
        let extended = EXTENSION.iter().find(|(code, _)| *code == septet).map(|(_, character)| *character);
        let extended = extended.or_else(|| national::single_shift(single_shift, septet)).filter(|_| escaped);
        escaped = false;
        // What is shown of an escape behind which nothing is meant is the no-break space of the default alphabet.
        let plain = || national::locking(locking, septet).filter(|_| septet != ESCAPE);
        let default = || DEFAULT.get(usize::from(septet & 0x7f)).copied();
        text.push(extended.or_else(plain).or_else(default).unwrap_or(' '));
    }
    text
}

/// Packs septets into octets after `fill_bits` zero bits (TS 23.038 §6.1.2.1).
#[must_use]
pub fn pack(septets: &[u8], fill_bits: u8) -> Vec<u8> {
    let mut octets = Vec::new();
    let (mut held, mut held_bits) = (0u16, u32::from(fill_bits));
    for &septet in septets {
        held |= u16::from(septet & 0x7f) << held_bits;
        held_bits += 7;
        if held_bits >= 8 {
            octets.push(low_octet(held));
            held >>= 8;
            held_bits -= 8;
        }
    }
    if held_bits > 0 {
        octets.push(low_octet(held));
    }
    octets
}

/// Unpacks at most `count` septets from `octets` after `fill_bits` bits.
#[must_use]
pub fn unpack(octets: &[u8], count: usize, fill_bits: u8) -> Vec<u8> {
    let mut septets = Vec::with_capacity(count.min(512));
    let mut bit = usize::from(fill_bits);
    while septets.len() < count {
        let Some(&low) = octets.get(bit / 8) else { break };
        let high = octets.get(bit / 8 + 1).copied().unwrap_or(0);
        let pair = u16::from(low) | (u16::from(high) << 8);
        septets.push(low_octet(pair >> (bit % 8)) & 0x7f);
        bit += 7;
    }
    septets
}

/// Returns the big-endian UTF-16 octets of `text`.
#[must_use]
pub fn to_ucs2(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// Returns the text of big-endian UTF-16 `octets`; lone surrogates become U+FFFD.
#[must_use]
pub fn from_ucs2(octets: &[u8]) -> String {
    let units: Vec<u16> =
        octets.chunks_exact(2).filter_map(|pair| <[u8; 2]>::try_from(pair).ok()).map(u16::from_be_bytes).collect();
    String::from_utf16_lossy(&units)
}

/// Returns upper-case hexadecimal, as modems print PDUs.
#[must_use]
pub fn to_hex(octets: &[u8]) -> String {
    use std::fmt::Write as _;
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        let written = write!(text, "{octet:02X}");
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
        text
    })
}

/// Returns the octets of an even number of hexadecimal digits, or `None`.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok())).collect();
    let digits = digits?;
    if digits.len() % 2 != 0 {
        return None;
    }
    Some(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit)).collect())
}

fn low_octet(value: u16) -> u8 {
    value.to_le_bytes()[0]
}

/// TS 23.038 §6.2.1, by septet value.
const DEFAULT: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', 'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω',
    'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{a0}', 'Æ', 'æ', 'ß', 'É', ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+',
    ',', '-', '.', '/', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?', '¡', 'A', 'B',
    'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y',
    'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p',
    'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// TS 23.038 §6.2.1.1.
const EXTENSION: [(u8, char); 10] = [
    (0x0a, '\u{c}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2f, '\\'),
    (0x3c, '['),
    (0x3d, '~'),
    (0x3e, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hellohello_packs_as_in_the_classic_vector() {
        let septets = to_septets("hellohello").unwrap();
        assert_eq!(to_hex(&pack(&septets, 0)), "E8329BFD4697D9EC37");
        assert_eq!(from_septets(&unpack(&from_hex("E8329BFD4697D9EC37").unwrap(), 10, 0)), "hellohello");
    }

    #[test]
    fn extension_characters_take_two_septets() {
        let septets = to_septets("€[]").unwrap();
        assert_eq!(septets, [0x1b, 0x65, 0x1b, 0x3c, 0x1b, 0x3e]);
        assert_eq!(from_septets(&septets), "€[]");
        assert_eq!(to_septets("日本"), None);
    }

    proptest::proptest! {
        #[test]
        fn packing_round_trips_for_every_fill(septets in proptest::collection::vec(0u8..128, 0..160), fill in 0u8..7) {
            let octets = pack(&septets, fill);
            proptest::prop_assert_eq!(unpack(&octets, septets.len(), fill), septets);
        }
    }
}
