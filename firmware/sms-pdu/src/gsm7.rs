//! The GSM 7-bit default alphabet and its packing into octets (TS 23.038 §6.1.2 and §6.2.1).
//!
//! A *septet* is one seven-bit code, held in an octet of its own until it is packed.
//! USSD strings and alphanumeric addresses use the same alphabet and packing.

use crate::NationalLanguage;
use crate::national::{EXTENSION, locking_table, single_shift_table};

/// The code that announces a character of the extension table.
const ESCAPE: u8 = 0x1B;

/// Which tables the codes of a text are looked up in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// The language of the codes without escape; the default alphabet when `None`.
    pub locking: Option<NationalLanguage>,
    /// The language of the codes behind an escape; the default extension when `None`.
    pub single_shift: Option<NationalLanguage>,
}

/// Returns the septets of `text` in the default alphabet, or `None` when a character is not in it.
#[must_use]
pub fn encode(text: &str) -> Option<Vec<u8>> {
    let codes: Option<Vec<Code>> = text.chars().map(|character| encode_char(character, None)).collect();
    Some(codes?.into_iter().flat_map(Code::septets).collect())
}

/// Returns the text of `septets`, which may hold anything.
///
/// A code that has no meaning behind an escape means what it means without one (TS 23.038 §6.2.1.1).
#[must_use]
pub fn decode(septets: &[u8], tables: Tables) -> String {
    let plain = locking_table(tables.locking);
    let mut text = String::with_capacity(septets.len());
    let mut is_escaped = false;
    for &septet in septets {
        if septet == ESCAPE && !is_escaped {
            is_escaped = true;
            continue;
        }
        let behind_escape =
            if is_escaped { behind_escape(tables.single_shift).find(|(code, _)| *code == septet) } else { None };
        let behind_escape = behind_escape.map(|(_, character)| character);
        text.push(behind_escape.unwrap_or_else(|| plain.get(usize::from(septet)).copied().unwrap_or('?')));
        is_escaped = false;
    }
    text
}

/// Packs septets into octets, after `fill_bits` zero bits that align them behind a header.
#[must_use]
pub fn pack(septets: &[u8], fill_bits: u8) -> Vec<u8> {
    let mut octets = Vec::with_capacity(septets.len());
    let mut pending: u16 = 0;
    let mut pending_bits = u32::from(fill_bits % 8);
    for &septet in septets {
        pending |= u16::from(septet & 0x7F) << pending_bits;
        pending_bits += 7;
        if pending_bits >= 8 {
            octets.push(low_octet(pending));
            pending >>= 8;
            pending_bits -= 8;
        }
    }
    if pending_bits > 0 {
        octets.push(low_octet(pending));
    }
    octets
}

/// Unpacks up to `count` septets from octets, after skipping `fill_bits` bits; fewer when the octets end before.
#[must_use]
pub fn unpack(octets: &[u8], count: usize, fill_bits: u8) -> Vec<u8> {
    let mut septets = Vec::with_capacity(count.min(octets.len().saturating_mul(8) / 7));
    let mut pending: u16 = 0;
    let mut pending_bits = 0;
    let mut bits_to_skip = u32::from(fill_bits % 8);
    for &octet in octets {
        pending |= u16::from(octet) << pending_bits;
        pending_bits += 8 - bits_to_skip;
        pending >>= bits_to_skip;
        bits_to_skip = 0;
        while pending_bits >= 7 && septets.len() < count {
            septets.push(low_octet(pending) & 0x7F);
            pending >>= 7;
            pending_bits -= 7;
        }
        if septets.len() == count {
            break;
        }
    }
    septets
}

/// The one or two septets of a character; two must not be parted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Plain(u8),
    Escaped(u8),
}

impl Code {
    pub(crate) fn septets(self) -> impl Iterator<Item = u8> {
        let (escape, septet) = match self {
            Self::Plain(septet) => (None, septet),
            Self::Escaped(septet) => (Some(ESCAPE), septet),
        };
        escape.into_iter().chain([septet])
    }
}

/// Finds a character in the default alphabet, its extension, or the single shift table of `language`.
pub(crate) fn encode_char(character: char, language: Option<NationalLanguage>) -> Option<Code> {
    if let Some(septet) = locking_table(None).iter().position(|&known| known == character) {
        return u8::try_from(septet).ok().filter(|&septet| septet != ESCAPE).map(Code::Plain);
    }
    behind_escape(language).find(|(_, known)| *known == character).map(|(septet, _)| Code::Escaped(septet))
}

fn behind_escape(language: Option<NationalLanguage>) -> impl Iterator<Item = (u8, char)> {
    EXTENSION.iter().copied().chain(single_shift_table(language))
}

fn low_octet(bits: u16) -> u8 {
    let [_, low] = bits.to_be_bytes();
    low
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_pack_as_in_the_wild() {
        let table: [(&str, &[u8]); 4] = [
            ("hellohello", &[0xE8, 0x32, 0x9B, 0xFD, 0x46, 0x97, 0xD9, 0xEC, 0x37]),
            ("€", &[0x9B, 0x32]),
            ("", &[]),
            // USSD code *100# as most manuals print it.
            ("*100#", &[0xAA, 0x18, 0x0C, 0x36, 0x02]),
        ];
        for (text, want) in table {
            assert_eq!(pack(&encode(text).unwrap(), 0), want, "{text}");
        }
    }

    #[test]
    fn the_whole_default_alphabet_comes_back() {
        for septet in (0..128u8).filter(|&septet| septet != ESCAPE) {
            let text = decode(&[septet], Tables::default());
            assert_eq!(encode(&text), Some(vec![septet]), "{septet:#x} {text}");
        }
        for &(septet, character) in EXTENSION {
            assert_eq!(encode(&character.to_string()), Some(vec![ESCAPE, septet]));
        }
        assert_eq!(encode("Ё"), None);
        assert_eq!(encode("\u{a0}"), None);
    }

    #[test]
    fn escapes_without_meaning_fall_back() {
        assert_eq!(decode(&[ESCAPE, 0x41], Tables::default()), "A");
        assert_eq!(decode(&[ESCAPE, ESCAPE, 0x65], Tables::default()), "\u{a0}e");
        assert_eq!(decode(&[0x41, ESCAPE], Tables::default()), "A");
        assert_eq!(decode(&[0xFF], Tables::default()), "?");
    }

    #[test]
    fn national_tables_replace_the_default() {
        use NationalLanguage::{Bengali, Hindi, Portuguese, Spanish, Turkish, Urdu};
        let table = [
            (Some(Turkish), None, vec![0x0B, 0x0C, 0x1C, 0x1D, 0x40, 0x60, 0x07, 0x04], "ĞğŞşİçı€"),
            (None, Some(Turkish), vec![ESCAPE, 0x47, ESCAPE, 0x69, ESCAPE, 0x65, 0x60], "Ğı€¿"),
            (None, Some(Spanish), vec![ESCAPE, 0x61, ESCAPE, 0x55, ESCAPE, 0x09], "áÚç"),
            (Some(Portuguese), Some(Portuguese), vec![0x7B, 0x7C, 0x04, ESCAPE, 0x7F, 0x12, ESCAPE, 0x28], "ãõêâª{"),
            (Some(Hindi), Some(Hindi), vec![0x2F, 0x42, 0x4C, 0x5F, 0x27, 0x59, ESCAPE, 0x19], "नमस्ते।"),
            (Some(Bengali), Some(Bengali), vec![0x3D, 0x25, ESCAPE, 0x41, ESCAPE, 0x1C, 0x0C, 0x41], "পঢA২ ভ"),
            (Some(Urdu), Some(Urdu), vec![0x00, 0x4D, 0x4E, ESCAPE, 0x22, ESCAPE, 0x65, ESCAPE, 0x16], "الم۶€_"),
        ];
        for (locking, single_shift, septets, want) in table {
            assert_eq!(decode(&septets, Tables { locking, single_shift }), want);
        }
    }

    proptest! {
        #[test]
        fn packing_comes_back(septets in prop::collection::vec(0u8..128, 0..200), fill_bits in 0u8..7) {
            let octets = pack(&septets, fill_bits);
            prop_assert_eq!(octets.len(), (septets.len() * 7 + usize::from(fill_bits)).div_ceil(8));
            prop_assert_eq!(unpack(&octets, septets.len(), fill_bits), septets);
        }

        #[test]
        fn unpacking_never_panics(octets in prop::collection::vec(any::<u8>(), 0..200), count in 0usize..300, fill_bits in any::<u8>()) {
            prop_assert!(unpack(&octets, count, fill_bits).len() <= count);
        }

        #[test]
        fn decoding_never_panics(septets in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode(&septets, Tables::default()).chars().count() <= septets.len());
        }
    }
}
