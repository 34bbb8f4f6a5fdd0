//! Cutting a text into parts.

use crate::gsm7::{Code, encode_char};
use crate::part::{MAX_USER_DATA_OCTETS, MAX_USER_DATA_SEPTETS, Payload};
use crate::user_data::{encode_header, header_octets_as_septets};
use crate::{Alphabet, Concat, NationalLanguage, SubmitPart};

/// Most parts that [`segment`] makes of one message: what a sender pays for without having been warned.
pub const MAX_PARTS: u8 = 10;

/// The reference that the parts of one message share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// Eight bits, what telephones send.
    Short(u8),
    /// Sixteen bits: fewer collisions, one octet less of text.
    Wide(u16),
}

/// How to cut a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentOptions {
    /// The reference to put in the parts when there are several.
    pub reference: Reference,
    /// A language whose single shift table may be used where it spares UCS-2; old telephones show it wrong.
    pub language: Option<NationalLanguage>,
    /// Most parts to make.
    pub max_parts: u8,
}

/// A text, cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segmented {
    /// The alphabet of all parts.
    pub alphabet: Alphabet,
    /// The parts, at least one, in order.
    pub parts: Vec<SubmitPart>,
}

/// The text needs more parts than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("text needs {parts} sms, at most {max_parts} are sent for one message")]
pub struct TextTooLong {
    /// How many parts the text needs.
    pub parts: usize,
    /// How many are allowed.
    pub max_parts: u8,
}

impl SegmentOptions {
    /// Options as [`segment`] uses them.
    #[must_use]
    pub fn new(reference: u8) -> Self {
        Self { reference: Reference::Short(reference), language: None, max_parts: MAX_PARTS }
    }
}

/// Cuts a text into parts of the GSM 7-bit alphabet when it has all the characters, and else of UCS-2.
///
/// # Errors
/// When the text needs more than [`MAX_PARTS`] parts.
pub fn segment(text: &str, reference: u8) -> Result<Segmented, TextTooLong> {
    segment_with(text, SegmentOptions::new(reference))
}

/// Cuts a text as `options` say; no character is ever cut in two.
///
/// # Errors
/// When the text needs more than `options.max_parts` parts.
pub fn segment_with(text: &str, options: SegmentOptions) -> Result<Segmented, TextTooLong> {
    if let Some(codes) = encode_all(text, None) {
        return segment_gsm7(&codes, None, options);
    }
    let language = options.language;
    if let Some(codes) = language.and_then(|_| encode_all(text, language)) {
        return segment_gsm7(&codes, language, options);
    }
    segment_ucs2(text, options)
}

fn encode_all(text: &str, language: Option<NationalLanguage>) -> Option<Vec<Code>> {
    text.chars().map(|character| encode_char(character, language)).collect()
}

fn segment_gsm7(
    codes: &[Code],
    single_shift: Option<NationalLanguage>,
    options: SegmentOptions,
) -> Result<Segmented, TextTooLong> {
    let room =
        |concat| MAX_USER_DATA_SEPTETS - header_octets_as_septets(encode_header(concat, None, single_shift).len());
    let atoms = || codes.iter().map(|code| code.septets().collect());
    let parts = cut(atoms, room, options, |septets| Payload::Septets { septets, single_shift })?;
    Ok(Segmented { alphabet: Alphabet::Gsm7, parts })
}

fn segment_ucs2(text: &str, options: SegmentOptions) -> Result<Segmented, TextTooLong> {
    let room = |concat| (MAX_USER_DATA_OCTETS - encode_header(concat, None, None).len()) / 2;
    let atoms = || text.chars().map(|character| character.encode_utf16(&mut [0; 2]).to_vec());
    let parts = cut(atoms, room, options, Payload::Ucs2)?;
    Ok(Segmented { alphabet: Alphabet::Ucs2, parts })
}

/// Makes one part if the atoms have room in one, else as many as needed.
fn cut<T, I: Iterator<Item = Vec<T>>>(
    atoms: impl Fn() -> I,
    room: impl Fn(Option<Concat>) -> usize,
    options: SegmentOptions,
    payload: impl Fn(Vec<T>) -> Payload,
) -> Result<Vec<SubmitPart>, TextTooLong> {
    let mut alone = fill(atoms(), room(None));
    if alone.len() <= 1 {
        let units = alone.pop().unwrap_or_default();
        return Ok(vec![SubmitPart::new(None, payload(units))]);
    }
    let max_parts = options.max_parts;
    let pieces = fill(atoms(), room(Some(concat(options.reference, 1, 1))));
    let too_long = TextTooLong { parts: pieces.len(), max_parts };
    let total = u8::try_from(pieces.len()).ok().filter(|&total| total <= max_parts).ok_or(too_long)?;
    let numbered = (1..=total).zip(pieces);
    let parts = numbered
        .map(|(sequence, units)| SubmitPart::new(Some(concat(options.reference, total, sequence)), payload(units)));
    Ok(parts.collect())
}

/// Fills pieces of at most `room` units without parting the units of an atom.
fn fill<T>(atoms: impl Iterator<Item = Vec<T>>, room: usize) -> Vec<Vec<T>> {
    let mut pieces: Vec<Vec<T>> = Vec::new();
    for atom in atoms {
        match pieces.last_mut() {
            Some(piece) if piece.len() + atom.len() <= room => piece.extend(atom),
            Some(_) | None => pieces.push(atom),
        }
    }
    pieces
}

fn concat(reference: Reference, total: u8, sequence: u8) -> Concat {
    match reference {
        Reference::Short(reference) => Concat { reference: u16::from(reference), is_16_bit: false, total, sequence },
        Reference::Wide(reference) => Concat { reference, is_16_bit: true, total, sequence },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Body, join};

    #[test]
    fn parts_are_as_few_as_they_can_be() {
        let table = [
            ("nothing", String::new(), Alphabet::Gsm7, 1),
            ("160 septets", "a".repeat(160), Alphabet::Gsm7, 1),
            ("161 septets", "a".repeat(161), Alphabet::Gsm7, 2),
            ("2 times 153 septets", "a".repeat(306), Alphabet::Gsm7, 2),
            ("one septet more", "a".repeat(307), Alphabet::Gsm7, 3),
            ("80 euros", "€".repeat(80), Alphabet::Gsm7, 1),
            ("a euro over the edge", format!("{}€", "a".repeat(159)), Alphabet::Gsm7, 2),
            ("euros do not fill 153 septets", "€".repeat(153), Alphabet::Gsm7, 3),
            ("70 units", "й".repeat(70), Alphabet::Ucs2, 1),
            ("71 units", "й".repeat(71), Alphabet::Ucs2, 2),
            ("2 times 67 units", "й".repeat(134), Alphabet::Ucs2, 2),
            ("emoji do not fill 67 units", "😀".repeat(67), Alphabet::Ucs2, 3),
        ];
        for (name, text, alphabet, parts) in table {
            let segmented = segment(&text, 7).unwrap();
            assert_eq!((segmented.alphabet, segmented.parts.len()), (alphabet, parts), "{name}");
        }
    }

    #[test]
    fn no_character_is_cut_in_two() {
        let euro_at_the_edge = format!("{}€{}", "a".repeat(152), "b".repeat(20));
        let emoji_at_the_edge = format!("{}😀{}", "й".repeat(66), "б".repeat(20));
        for text in [euro_at_the_edge, emoji_at_the_edge] {
            let parts = segment(&text, 7).unwrap().parts;
            let first = parts.first().unwrap().body().to_text().unwrap();
            assert!(text.starts_with(&first), "{first}");
            assert!(parts.iter().all(|part| matches!(part.body(), Body::Text(_))));
        }
    }

    #[test]
    fn a_national_table_spares_ucs2() {
        let text = "ã".repeat(60);
        let options = SegmentOptions { language: Some(NationalLanguage::Portuguese), ..SegmentOptions::new(1) };
        assert_eq!(segment_with(&text, options).unwrap().alphabet, Alphabet::Gsm7);
        assert_eq!(segment(&text, 1).unwrap().alphabet, Alphabet::Ucs2);
    }

    #[test]
    fn too_long_a_text_is_refused() {
        assert_eq!(segment(&"a".repeat(1531), 1), Err(TextTooLong { parts: 11, max_parts: MAX_PARTS }));
        let options = SegmentOptions { max_parts: 255, ..SegmentOptions::new(1) };
        assert_eq!(segment_with(&"a".repeat(255 * 153 + 1), options).unwrap_err().parts, 256);
        assert_eq!(segment_with(&"a".repeat(255 * 153), options).unwrap().parts.len(), 255);
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in any_text(), wide in any::<bool>(), language in any_language()) {
            let reference = if wide { Reference::Wide(0xABCD) } else { Reference::Short(7) };
            let options = SegmentOptions { reference, language, max_parts: 255 };
            let parts = segment_with(&text, options).unwrap().parts;
            let bodies: Vec<Body> = parts.iter().map(SubmitPart::body).collect();
            prop_assert_eq!(join(&bodies), text);
            for part in &parts {
                prop_assert!(part.encode_user_data().octets.len() <= MAX_USER_DATA_OCTETS);
            }
        }
    }

    fn any_text() -> impl Strategy<Value = String> {
        prop_oneof![any::<String>(), "[ -~]{0,500}", "[a-z€^{}😀é]{0,400}", "[a-zãõçğİ€]{0,400}", "[a-z०-९१]{0,400}"]
    }

    fn any_language() -> impl Strategy<Value = Option<NationalLanguage>> {
        prop_oneof![Just(None), (1u8..=13).prop_map(NationalLanguage::from_id)]
    }
}
