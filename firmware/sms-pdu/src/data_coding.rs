//! The data coding scheme (TS 23.038 §4).

/// How the user data of a message are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alphabet {
    /// GSM 7-bit default alphabet, with or without national tables.
    Gsm7,
    /// Octets without a meaning known here.
    Data,
    /// UCS-2; in practice UTF-16, with surrogates.
    Ucs2,
}

/// What the octet TP-DCS says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DataCoding {
    /// The alphabet of the user data.
    pub alphabet: Alphabet,
    /// Message class, 0 to 3; class 0 is shown at once and not stored.
    pub message_class: Option<u8>,
    /// Whether the text is compressed (TS 23.042), which no known network does.
    pub is_compressed: bool,
}

impl DataCoding {
    /// Reads TP-DCS; a reserved coding counts as the default alphabet, as the standard asks.
    #[must_use]
    pub fn parse(octet: u8) -> Self {
        let class = octet & 0b11;
        match octet >> 4 {
            0b0000..=0b0111 => Self {
                alphabet: general_alphabet(octet),
                message_class: (octet & 0x10 != 0).then_some(class),
                is_compressed: octet & 0x20 != 0,
            },
            0b1110 => Self { alphabet: Alphabet::Ucs2, message_class: None, is_compressed: false },
            0b1111 => Self {
                alphabet: if octet & 0b100 == 0 { Alphabet::Gsm7 } else { Alphabet::Data },
                message_class: Some(class),
                is_compressed: false,
            },
            _ => Self { alphabet: Alphabet::Gsm7, message_class: None, is_compressed: false },
        }
    }

    /// The octet TP-DCS, in the general data coding group.
    #[must_use]
    pub fn encode(self) -> u8 {
        let alphabet = match self.alphabet {
            Alphabet::Gsm7 => 0x00,
            Alphabet::Data => 0x04,
            Alphabet::Ucs2 => 0x08,
        };
        let class = self.message_class.map_or(0, |class| 0x10 | (class & 0b11));
        let compression = if self.is_compressed { 0x20 } else { 0 };
        alphabet | class | compression
    }
}

fn general_alphabet(octet: u8) -> Alphabet {
    match (octet >> 2) & 0b11 {
        1 => Alphabet::Data,
        2 => Alphabet::Ucs2,
        _ => Alphabet::Gsm7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_are_read_as_the_standard_says() {
        let table = [
            (0x00, Alphabet::Gsm7, None),
            (0x04, Alphabet::Data, None),
            (0x08, Alphabet::Ucs2, None),
            (0x0C, Alphabet::Gsm7, None),
            (0x10, Alphabet::Gsm7, Some(0)),
            (0x18, Alphabet::Ucs2, Some(0)),
            (0x48, Alphabet::Ucs2, None),
            (0x90, Alphabet::Gsm7, None),
            (0xC8, Alphabet::Gsm7, None),
            (0xE0, Alphabet::Ucs2, None),
            (0xF0, Alphabet::Gsm7, Some(0)),
            (0xF5, Alphabet::Data, Some(1)),
        ];
        for (octet, alphabet, message_class) in table {
            let want = DataCoding { alphabet, message_class, is_compressed: false };
            assert_eq!(DataCoding::parse(octet), want, "{octet:#04x}");
        }
        assert!(DataCoding::parse(0x20).is_compressed);
    }

    #[test]
    fn general_codings_come_back() {
        for octet in (0..0x40u8).filter(|octet| octet & 0x0C != 0x0C && (octet & 0x10 != 0 || octet & 3 == 0)) {
            assert_eq!(DataCoding::parse(octet).encode(), octet, "{octet:#04x}");
        }
    }
}
