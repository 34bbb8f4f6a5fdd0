//! Tables of characters (TS 23.038 §6.2.1 and annex A).

use crate::indian;

/// A language whose letters have tables of their own (TS 23.038 §6.2.1.2.4 and annex A).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NationalLanguage {
    /// Turkish, 1.
    Turkish,
    /// Spanish, 2: it has a single shift table only.
    Spanish,
    /// Portuguese, 3.
    Portuguese,
    /// Bengali, 4.
    Bengali,
    /// Gujarati, 5.
    Gujarati,
    /// Hindi, 6.
    Hindi,
    /// Kannada, 7.
    Kannada,
    /// Malayalam, 8.
    Malayalam,
    /// Oriya, 9.
    Oriya,
    /// Punjabi, 10.
    Punjabi,
    /// Tamil, 11.
    Tamil,
    /// Telugu, 12.
    Telugu,
    /// Urdu, 13.
    Urdu,
}

impl NationalLanguage {
    /// Reads a national language identifier.
    #[must_use]
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.id() == id)
    }

    /// The national language identifier.
    #[must_use]
    pub fn id(self) -> u8 {
        match self {
            Self::Turkish => 1,
            Self::Spanish => 2,
            Self::Portuguese => 3,
            Self::Bengali => 4,
            Self::Gujarati => 5,
            Self::Hindi => 6,
            Self::Kannada => 7,
            Self::Malayalam => 8,
            Self::Oriya => 9,
            Self::Punjabi => 10,
            Self::Tamil => 11,
            Self::Telugu => 12,
            Self::Urdu => 13,
        }
    }

    const ALL: [Self; 13] = [
        Self::Turkish,
        Self::Spanish,
        Self::Portuguese,
        Self::Bengali,
        Self::Gujarati,
        Self::Hindi,
        Self::Kannada,
        Self::Malayalam,
        Self::Oriya,
        Self::Punjabi,
        Self::Tamil,
        Self::Telugu,
        Self::Urdu,
    ];
}

/// Number of characters in a table of seven-bit codes.
pub(crate) const CODES: usize = 128;

/// The table that codes without escape are looked up in (§6.2.1 and A.3).
pub(crate) fn locking_table(language: Option<NationalLanguage>) -> &'static [char; CODES] {
    match language {
        Some(NationalLanguage::Turkish) => &TURKISH_LOCKING,
        Some(NationalLanguage::Portuguese) => &PORTUGUESE_LOCKING,
        Some(NationalLanguage::Bengali) => &indian::BENGALI_LOCKING,
        Some(NationalLanguage::Gujarati) => &indian::GUJARATI_LOCKING,
        Some(NationalLanguage::Hindi) => &indian::HINDI_LOCKING,
        Some(NationalLanguage::Kannada) => &indian::KANNADA_LOCKING,
        Some(NationalLanguage::Malayalam) => &indian::MALAYALAM_LOCKING,
        Some(NationalLanguage::Oriya) => &indian::ORIYA_LOCKING,
        Some(NationalLanguage::Punjabi) => &indian::PUNJABI_LOCKING,
        Some(NationalLanguage::Tamil) => &indian::TAMIL_LOCKING,
        Some(NationalLanguage::Telugu) => &indian::TELUGU_LOCKING,
        Some(NationalLanguage::Urdu) => &indian::URDU_LOCKING,
        Some(NationalLanguage::Spanish) | None => &DEFAULT,
    }
}

/// The characters that follow an escape (§6.2.1.1 and A.2), beside those of every language.
pub(crate) fn single_shift_table(language: Option<NationalLanguage>) -> impl Iterator<Item = (u8, char)> {
    let (own, shared): (_, &[_]) = match language {
        Some(NationalLanguage::Turkish) => (TURKISH_SHIFT, &[]),
        Some(NationalLanguage::Spanish) => (SPANISH_SHIFT, &[]),
        Some(NationalLanguage::Portuguese) => (PORTUGUESE_SHIFT, &[]),
        Some(NationalLanguage::Bengali) => (indian::BENGALI_SHIFT, indian::SHARED_SHIFT),
        Some(NationalLanguage::Gujarati) => (indian::GUJARATI_SHIFT, indian::SHARED_SHIFT),
        Some(NationalLanguage::Hindi) => (indian::HINDI_SHIFT, indian::SHARED_SHIFT),
        Some(NationalLanguage::Kannada) => (indian::KANNADA_SHIFT, indian::SHARED_SHIFT),
        Some(NationalLanguage::Malayalam) => (indian::MALAYALAM_SHIFT, indian::SHARED_SHIFT),
        Some(NationalLanguage::Oriya) => (indian::ORIYA_SHIFT, indian::SHARED_SHIFT),
        Some(NationalLanguage::Punjabi) => (indian::PUNJABI_SHIFT, indian::SHARED_SHIFT),
        Some(NationalLanguage::Tamil) => (indian::TAMIL_SHIFT, indian::SHARED_SHIFT),
        Some(NationalLanguage::Telugu) => (indian::TELUGU_SHIFT, indian::SHARED_SHIFT),
        Some(NationalLanguage::Urdu) => (indian::URDU_SHIFT, indian::SHARED_SHIFT),
        None => (&[][..], &[]),
    };
    own.iter().chain(shared).copied()
}

/// The characters that follow an escape whatever the language: the default extension table (§6.2.1.1), which every
/// national single shift table contains.
pub(crate) const EXTENSION: &[(u8, char)] = &[
    (0x0A, '\u{c}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

const TURKISH_SHIFT: &[(u8, char)] =
    &[(0x47, 'Ğ'), (0x49, 'İ'), (0x53, 'Ş'), (0x63, 'ç'), (0x67, 'ğ'), (0x69, 'ı'), (0x73, 'ş')];

const SPANISH_SHIFT: &[(u8, char)] = &[
    (0x09, 'ç'),
    (0x41, 'Á'),
    (0x49, 'Í'),
    (0x4F, 'Ó'),
    (0x55, 'Ú'),
    (0x61, 'á'),
    (0x69, 'í'),
    (0x6F, 'ó'),
    (0x75, 'ú'),
];

const PORTUGUESE_SHIFT: &[(u8, char)] = &[
    (0x05, 'ê'),
    (0x09, 'ç'),
    (0x0B, 'Ô'),
    (0x0C, 'ô'),
    (0x0E, 'Á'),
    (0x0F, 'á'),
    (0x12, 'Φ'),
    (0x13, 'Γ'),
    (0x15, 'Ω'),
    (0x16, 'Π'),
    (0x17, 'Ψ'),
    (0x18, 'Σ'),
    (0x19, 'Θ'),
    (0x1F, 'Ê'),
    (0x41, 'À'),
    (0x49, 'Í'),
    (0x4F, 'Ó'),
    (0x55, 'Ú'),
    (0x5B, 'Ã'),
    (0x5C, 'Õ'),
    (0x61, 'Â'),
    (0x69, 'í'),
    (0x6F, 'ó'),
    (0x75, 'ú'),
    (0x7B, 'ã'),
    (0x7C, 'õ'),
    (0x7F, 'â'),
];

// The escape, 0x1B, is a no-break space here: what is shown when nothing follows it.
#[rustfmt::skip]
const DEFAULT: [char; CODES] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å',
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{a0}', 'Æ', 'æ', 'ß', 'É',
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§',
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

#[rustfmt::skip]
const TURKISH_LOCKING: [char; CODES] = [
    '@', '£', '$', '¥', '€', 'é', 'ù', 'ı', 'ò', 'Ç', '\n', 'Ğ', 'ğ', '\r', 'Å', 'å',
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{a0}', 'Ş', 'ş', 'ß', 'É',
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    'İ', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§',
    'ç', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

#[rustfmt::skip]
const PORTUGUESE_LOCKING: [char; CODES] = [
    '@', '£', '$', '¥', 'ê', 'é', 'ú', 'í', 'ó', 'ç', '\n', 'Ô', 'ô', '\r', 'Á', 'á',
    'Δ', '_', 'ª', 'Ç', 'À', '∞', '^', '\\', '€', 'Ó', '|', '\u{a0}', 'Â', 'â', 'Ê', 'É',
    ' ', '!', '"', '#', 'º', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    'Í', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ã', 'Õ', 'Ú', 'Ü', '§',
    '~', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ã', 'õ', '`', 'ü', 'à',
];
