//! Tables of the languages of India (TS 23.038 annexes A.2.4 to A.2.13 and A.3.4 to A.3.13).
//!
//! Nine of the ten locking tables put the letters of a Unicode block at the same places, so that a block, the letters
//! that it lacks and six letters more say it all; Urdu has a table of its own. The single shift tables share their
//! Latin half.

use crate::national::CODES;

/// A language of India, as its tables need it.
#[derive(Clone, Copy)]
struct Script {
    /// First code point of the Unicode block.
    block: u32,
    /// Offsets in the block that the table leaves out, because Unicode has no letter there.
    voids: &'static [u8],
    /// Offsets in the block of the letters at 0x60 and 0x7B to 0x7F.
    extra: [u8; 6],
}

/// Returns the locking shift table of a script.
#[expect(clippy::indexing_slicing, reason = "the compiler runs it: an index out of range does not compile")]
const fn locking(script: Script) -> [char; CODES] {
    let mut table = [VOID; CODES];
    let mut code = 0;
    while code < CODES {
        table[code] = match LAYOUT[code] {
            Cell::Latin(character) => character,
            Cell::Letter(offset) if is_void(script, offset) => VOID,
            Cell::Letter(offset) => letter(script.block, offset),
            Cell::Extra(place) => letter(script.block, script.extra[place]),
        };
        code += 1;
    }
    table
}

#[expect(clippy::indexing_slicing, reason = "the compiler runs it: an index out of range does not compile")]
const fn is_void(script: Script, offset: u8) -> bool {
    let mut place = 0;
    while place < script.voids.len() {
        if script.voids[place] == offset {
            return true;
        }
        place += 1;
    }
    false
}

const fn letter(block: u32, offset: u8) -> char {
    match char::from_u32(block + offset as u32) {
        Some(letter) => letter,
        None => VOID,
    }
}

/// What a code without meaning is shown as.
const VOID: char = ' ';

#[derive(Clone, Copy)]
enum Cell {
    Latin(char),
    /// An offset in the Unicode block.
    Letter(u8),
    /// A place in [`Script::extra`].
    Extra(usize),
}

use Cell::{Extra as X, Latin as C, Letter as L};

// The escape, 0x1B, is a no-break space here, as in the default alphabet.
#[rustfmt::skip]
const LAYOUT: [Cell; CODES] = [
    L(0x01), L(0x02), L(0x03), L(0x05), L(0x06), L(0x07), L(0x08), L(0x09),
    L(0x0A), L(0x0B), C('\n'), L(0x0C), L(0x0D), C('\r'), L(0x0E), L(0x0F),
    L(0x10), L(0x11), L(0x12), L(0x13), L(0x14), L(0x15), L(0x16), L(0x17),
    L(0x18), L(0x19), L(0x1A), C('\u{a0}'), L(0x1B), L(0x1C), L(0x1D), L(0x1E),
    C(' '), C('!'), L(0x1F), L(0x20), L(0x21), L(0x22), L(0x23), L(0x24),
    C(')'), C('('), L(0x25), L(0x26), C(','), L(0x27), C('.'), L(0x28),
    C('0'), C('1'), C('2'), C('3'), C('4'), C('5'), C('6'), C('7'),
    C('8'), C('9'), C(':'), C(';'), L(0x29), L(0x2A), L(0x2B), C('?'),
    L(0x2C), L(0x2D), L(0x2E), L(0x2F), L(0x30), L(0x31), L(0x32), L(0x33),
    L(0x34), L(0x35), L(0x36), L(0x37), L(0x38), L(0x39), L(0x3C), L(0x3D),
    L(0x3E), L(0x3F), L(0x40), L(0x41), L(0x42), L(0x43), L(0x44), L(0x45),
    L(0x46), L(0x47), L(0x48), L(0x49), L(0x4A), L(0x4B), L(0x4C), L(0x4D),
    X(0),    C('a'), C('b'), C('c'), C('d'), C('e'), C('f'), C('g'),
    C('h'),  C('i'), C('j'), C('k'), C('l'), C('m'), C('n'), C('o'),
    C('p'),  C('q'), C('r'), C('s'), C('t'), C('u'), C('v'), C('w'),
    C('x'),  C('y'), C('z'), X(1),   X(2),   X(3),   X(4),   X(5),
];

pub(crate) const BENGALI_LOCKING: [char; CODES] = locking(Script {
    block: 0x0980,
    voids: &[0x0D, 0x0E, 0x11, 0x12, 0x29, 0x31, 0x33, 0x34, 0x35, 0x45, 0x46, 0x49, 0x4A],
    extra: [0x4E, 0x57, 0x5C, 0x5D, 0x70, 0x71],
});

pub(crate) const GUJARATI_LOCKING: [char; CODES] = locking(Script {
    block: 0x0A80,
    voids: &[0x0E, 0x12, 0x29, 0x31, 0x34, 0x46, 0x4A],
    extra: [0x50, 0x60, 0x61, 0x62, 0x63, 0x71],
});

pub(crate) const HINDI_LOCKING: [char; CODES] =
    locking(Script { block: 0x0900, voids: &[], extra: [0x50, 0x72, 0x7B, 0x7C, 0x7E, 0x7F] });

/// The standard prints U+0CAA at 0x24 as well as at 0x3D; the letter that would be missing, U+0CA1, is meant.
pub(crate) const KANNADA_LOCKING: [char; CODES] = locking(Script {
    block: 0x0C80,
    voids: &[0x01, 0x0D, 0x11, 0x29, 0x34, 0x45, 0x49],
    extra: [0x55, 0x56, 0x60, 0x61, 0x62, 0x63],
});

pub(crate) const MALAYALAM_LOCKING: [char; CODES] = locking(Script {
    block: 0x0D00,
    voids: &[0x01, 0x0D, 0x11, 0x29, 0x3C, 0x45, 0x49],
    extra: [0x57, 0x60, 0x61, 0x62, 0x63, 0x79],
});

pub(crate) const ORIYA_LOCKING: [char; CODES] = locking(Script {
    block: 0x0B00,
    voids: &[0x0D, 0x0E, 0x11, 0x12, 0x29, 0x31, 0x34, 0x45, 0x46, 0x49, 0x4A],
    extra: [0x56, 0x57, 0x60, 0x61, 0x62, 0x63],
});

pub(crate) const PUNJABI_LOCKING: [char; CODES] = locking(Script {
    block: 0x0A00,
    voids: &[0x0B, 0x0C, 0x0D, 0x0E, 0x11, 0x12, 0x29, 0x31, 0x34, 0x37, 0x3D, 0x43, 0x44, 0x45, 0x46, 0x49, 0x4A],
    extra: [0x51, 0x70, 0x71, 0x72, 0x73, 0x74],
});

pub(crate) const TAMIL_LOCKING: [char; CODES] = locking(Script {
    block: 0x0B80,
    voids: &[
        0x01, 0x0B, 0x0C, 0x0D, 0x11, 0x16, 0x17, 0x18, 0x1B, 0x1D, 0x20, 0x21, 0x22, 0x25, 0x26, 0x27, 0x2B, 0x2C,
        0x2D, 0x3C, 0x3D, 0x43, 0x44, 0x45, 0x49,
    ],
    extra: [0x50, 0x57, 0x70, 0x71, 0x72, 0x79],
});

pub(crate) const TELUGU_LOCKING: [char; CODES] = locking(Script {
    block: 0x0C00,
    voids: &[0x0D, 0x11, 0x29, 0x34, 0x3C, 0x45, 0x49],
    extra: [0x55, 0x56, 0x60, 0x61, 0x62, 0x63],
});

#[rustfmt::skip]
pub(crate) const URDU_LOCKING: [char; CODES] = [
    '\u{627}', '\u{622}', '\u{628}', '\u{67B}', '\u{680}', '\u{67E}', '\u{6A6}', '\u{62A}',
    '\u{6C2}', '\u{67F}', '\n',      '\u{679}', '\u{67D}', '\r',      '\u{67A}', '\u{67C}',
    '\u{62B}', '\u{62C}', '\u{681}', '\u{684}', '\u{683}', '\u{685}', '\u{686}', '\u{687}',
    '\u{62D}', '\u{62E}', '\u{62F}', '\u{A0}',  '\u{68C}', '\u{688}', '\u{689}', '\u{68A}',
    ' ',       '!',       '\u{68F}', '\u{68D}', '\u{630}', '\u{631}', '\u{691}', '\u{693}',
    ')',       '(',       '\u{699}', '\u{632}', ',',       '\u{696}', '.',       '\u{698}',
    '0',       '1',       '2',       '3',       '4',       '5',       '6',       '7',
    '8',       '9',       ':',       ';',       '\u{69A}', '\u{633}', '\u{634}', '?',
    '\u{635}', '\u{636}', '\u{637}', '\u{638}', '\u{639}', '\u{641}', '\u{642}', '\u{6A9}',
    '\u{6AA}', '\u{6AB}', '\u{6AF}', '\u{6B3}', '\u{6B1}', '\u{644}', '\u{645}', '\u{646}',
    '\u{6BA}', '\u{6BB}', '\u{6BC}', '\u{648}', '\u{6C4}', '\u{6D5}', '\u{6C1}', '\u{6BE}',
    '\u{621}', '\u{6CC}', '\u{6D0}', '\u{6D2}', '\u{64D}', '\u{650}', '\u{64F}', '\u{657}',
    '\u{654}', 'a',       'b',       'c',       'd',       'e',       'f',       'g',
    'h',       'i',       'j',       'k',       'l',       'm',       'n',       'o',
    'p',       'q',       'r',       's',       't',       'u',       'v',       'w',
    'x',       'y',       'z',       '\u{655}', '\u{651}', '\u{653}', '\u{656}', '\u{670}',
];

/// What every single shift table of these languages holds beside the default extension table.
#[rustfmt::skip]
pub(crate) const SHARED_SHIFT: &[(u8, char)] = &[
    (0x00, '@'), (0x01, '£'), (0x02, '$'), (0x03, '¥'), (0x04, '¿'), (0x05, '"'), (0x06, '¤'), (0x07, '%'),
    (0x08, '&'), (0x09, '\''), (0x0B, '*'), (0x0C, '+'), (0x0E, '-'), (0x0F, '/'),
    (0x10, '<'), (0x11, '='), (0x12, '>'), (0x13, '¡'), (0x15, '¡'), (0x16, '_'), (0x17, '#'), (0x18, '*'),
    (0x41, 'A'), (0x42, 'B'), (0x43, 'C'), (0x44, 'D'), (0x45, 'E'), (0x46, 'F'), (0x47, 'G'), (0x48, 'H'),
    (0x49, 'I'), (0x4A, 'J'), (0x4B, 'K'), (0x4C, 'L'), (0x4D, 'M'), (0x4E, 'N'), (0x4F, 'O'),
    (0x50, 'P'), (0x51, 'Q'), (0x52, 'R'), (0x53, 'S'), (0x54, 'T'), (0x55, 'U'), (0x56, 'V'), (0x57, 'W'),
    (0x58, 'X'), (0x59, 'Y'), (0x5A, 'Z'),
];

#[rustfmt::skip]
pub(crate) const BENGALI_SHIFT: &[(u8, char)] = &[
    (0x19, '\u{9E6}'), (0x1A, '\u{9E7}'), (0x1C, '\u{9E8}'), (0x1D, '\u{9E9}'), (0x1E, '\u{9EA}'), (0x1F, '\u{9EB}'),
    (0x20, '\u{9EC}'), (0x21, '\u{9ED}'), (0x22, '\u{9EE}'), (0x23, '\u{9EF}'), (0x24, '\u{9DF}'), (0x25, '\u{9E0}'),
    (0x26, '\u{9E1}'), (0x27, '\u{9E2}'), (0x2A, '\u{9E3}'), (0x2B, '\u{9F2}'), (0x2C, '\u{9F3}'), (0x2D, '\u{9F4}'),
    (0x2E, '\u{9F5}'), (0x30, '\u{9F6}'), (0x31, '\u{9F7}'), (0x32, '\u{9F8}'), (0x33, '\u{9F9}'), (0x34, '\u{9FA}'),
];

#[rustfmt::skip]
pub(crate) const GUJARATI_SHIFT: &[(u8, char)] = &[
    (0x19, '\u{964}'), (0x1A, '\u{965}'), (0x1C, '\u{AE6}'), (0x1D, '\u{AE7}'), (0x1E, '\u{AE8}'), (0x1F, '\u{AE9}'),
    (0x20, '\u{AEA}'), (0x21, '\u{AEB}'), (0x22, '\u{AEC}'), (0x23, '\u{AED}'), (0x24, '\u{AEE}'), (0x25, '\u{AEF}'),
];

#[rustfmt::skip]
pub(crate) const HINDI_SHIFT: &[(u8, char)] = &[
    (0x19, '\u{964}'), (0x1A, '\u{965}'), (0x1C, '\u{966}'), (0x1D, '\u{967}'), (0x1E, '\u{968}'), (0x1F, '\u{969}'),
    (0x20, '\u{96A}'), (0x21, '\u{96B}'), (0x22, '\u{96C}'), (0x23, '\u{96D}'), (0x24, '\u{96E}'), (0x25, '\u{96F}'),
    (0x26, '\u{951}'), (0x27, '\u{952}'), (0x2A, '\u{953}'), (0x2B, '\u{954}'), (0x2C, '\u{958}'), (0x2D, '\u{959}'),
    (0x2E, '\u{95A}'), (0x30, '\u{95B}'), (0x31, '\u{95C}'), (0x32, '\u{95D}'), (0x33, '\u{95E}'), (0x34, '\u{95F}'),
    (0x35, '\u{960}'), (0x36, '\u{961}'), (0x37, '\u{962}'), (0x38, '\u{963}'), (0x39, '\u{970}'), (0x3A, '\u{971}'),
];

#[rustfmt::skip]
pub(crate) const KANNADA_SHIFT: &[(u8, char)] = &[
    (0x19, '\u{964}'), (0x1A, '\u{965}'), (0x1C, '\u{CE6}'), (0x1D, '\u{CE7}'), (0x1E, '\u{CE8}'), (0x1F, '\u{CE9}'),
    (0x20, '\u{CEA}'), (0x21, '\u{CEB}'), (0x22, '\u{CEC}'), (0x23, '\u{CED}'), (0x24, '\u{CEE}'), (0x25, '\u{CEF}'),
    (0x26, '\u{CDE}'), (0x27, '\u{CF1}'), (0x2A, '\u{CF2}'),
];

#[rustfmt::skip]
pub(crate) const MALAYALAM_SHIFT: &[(u8, char)] = &[
    (0x19, '\u{964}'), (0x1A, '\u{965}'), (0x1C, '\u{D66}'), (0x1D, '\u{D67}'), (0x1E, '\u{D68}'), (0x1F, '\u{D69}'),
    (0x20, '\u{D6A}'), (0x21, '\u{D6B}'), (0x22, '\u{D6C}'), (0x23, '\u{D6D}'), (0x24, '\u{D6E}'), (0x25, '\u{D6F}'),
    (0x26, '\u{D70}'), (0x27, '\u{D71}'), (0x2A, '\u{D72}'), (0x2B, '\u{D73}'), (0x2C, '\u{D74}'), (0x2D, '\u{D75}'),
    (0x2E, '\u{D7A}'), (0x30, '\u{D7B}'), (0x31, '\u{D7C}'), (0x32, '\u{D7D}'), (0x33, '\u{D7E}'), (0x34, '\u{D7F}'),
];

/// The standard prints U+0BEA at 0x20, a digit of Tamil; U+0B6A is meant.
#[rustfmt::skip]
pub(crate) const ORIYA_SHIFT: &[(u8, char)] = &[
    (0x19, '\u{964}'), (0x1A, '\u{965}'), (0x1C, '\u{B66}'), (0x1D, '\u{B67}'), (0x1E, '\u{B68}'), (0x1F, '\u{B69}'),
    (0x20, '\u{B6A}'), (0x21, '\u{B6B}'), (0x22, '\u{B6C}'), (0x23, '\u{B6D}'), (0x24, '\u{B6E}'), (0x25, '\u{B6F}'),
    (0x26, '\u{B5C}'), (0x27, '\u{B5D}'), (0x2A, '\u{B5F}'), (0x2B, '\u{B70}'), (0x2C, '\u{B71}'),
];

#[rustfmt::skip]
pub(crate) const PUNJABI_SHIFT: &[(u8, char)] = &[
    (0x19, '\u{964}'), (0x1A, '\u{965}'), (0x1C, '\u{A66}'), (0x1D, '\u{A67}'), (0x1E, '\u{A68}'), (0x1F, '\u{A69}'),
    (0x20, '\u{A6A}'), (0x21, '\u{A6B}'), (0x22, '\u{A6C}'), (0x23, '\u{A6D}'), (0x24, '\u{A6E}'), (0x25, '\u{A6F}'),
    (0x26, '\u{A59}'), (0x27, '\u{A5A}'), (0x2A, '\u{A5B}'), (0x2B, '\u{A5C}'), (0x2C, '\u{A5E}'), (0x2D, '\u{A75}'),
];

/// The standard prints U+0BEF at 0x24 as well as at 0x25; the digit that would be missing, U+0BEE, is meant.
#[rustfmt::skip]
pub(crate) const TAMIL_SHIFT: &[(u8, char)] = &[
    (0x19, '\u{964}'), (0x1A, '\u{965}'), (0x1C, '\u{BE6}'), (0x1D, '\u{BE7}'), (0x1E, '\u{BE8}'), (0x1F, '\u{BE9}'),
    (0x20, '\u{BEA}'), (0x21, '\u{BEB}'), (0x22, '\u{BEC}'), (0x23, '\u{BED}'), (0x24, '\u{BEE}'), (0x25, '\u{BEF}'),
    (0x26, '\u{BF3}'), (0x27, '\u{BF4}'), (0x2A, '\u{BF5}'), (0x2B, '\u{BF6}'), (0x2C, '\u{BF7}'), (0x2D, '\u{BF8}'),
    (0x2E, '\u{BFA}'),
];

/// The standard prints U+0CE6 at 0x1C, a digit of Kannada; U+0C66 is meant.
#[rustfmt::skip]
pub(crate) const TELUGU_SHIFT: &[(u8, char)] = &[
    (0x1C, '\u{C66}'), (0x1D, '\u{C67}'), (0x1E, '\u{C68}'), (0x1F, '\u{C69}'), (0x20, '\u{C6A}'), (0x21, '\u{C6B}'),
    (0x22, '\u{C6C}'), (0x23, '\u{C6D}'), (0x24, '\u{C6E}'), (0x25, '\u{C6F}'), (0x26, '\u{C58}'), (0x27, '\u{C59}'),
    (0x2A, '\u{C78}'), (0x2B, '\u{C79}'), (0x2C, '\u{C7A}'), (0x2D, '\u{C7B}'), (0x2E, '\u{C7C}'), (0x30, '\u{C7D}'),
    (0x31, '\u{C7E}'), (0x32, '\u{C7F}'),
];

#[rustfmt::skip]
pub(crate) const URDU_SHIFT: &[(u8, char)] = &[
    (0x19, '\u{600}'), (0x1A, '\u{601}'), (0x1C, '\u{6F0}'), (0x1D, '\u{6F1}'), (0x1E, '\u{6F2}'), (0x1F, '\u{6F3}'),
    (0x20, '\u{6F4}'), (0x21, '\u{6F5}'), (0x22, '\u{6F6}'), (0x23, '\u{6F7}'), (0x24, '\u{6F8}'), (0x25, '\u{6F9}'),
    (0x26, '\u{60C}'), (0x27, '\u{60D}'), (0x2A, '\u{60E}'), (0x2B, '\u{60F}'), (0x2C, '\u{610}'), (0x2D, '\u{611}'),
    (0x2E, '\u{612}'), (0x30, '\u{613}'), (0x31, '\u{614}'), (0x32, '\u{61B}'), (0x33, '\u{61F}'), (0x34, '\u{640}'),
    (0x35, '\u{652}'), (0x36, '\u{658}'), (0x37, '\u{66B}'), (0x38, '\u{66C}'), (0x39, '\u{672}'), (0x3A, '\u{673}'),
    (0x3B, '\u{6CD}'), (0x3F, '\u{6D4}'),
];
