//! User data and its header (TS 23.040 §9.2.3.24).

use crate::gsm7::{self, Tables};
use crate::reader::{ParseError, Reader};
use crate::{Alphabet, Body, DataCoding, NationalLanguage};

/// Where a part belongs in its message (TS 23.040 §9.2.3.24.1 and .8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Concat {
    /// The same in all parts of a message; senders count it up and start again.
    pub reference: u16,
    /// Whether the reference was sent in 16 bits: the two kinds count apart.
    pub is_16_bit: bool,
    /// How many parts the message has, at least 1.
    pub total: u8,
    /// Which of them this is, from 1 to `total`.
    pub sequence: u8,
}

/// The applications that a message passes between (TS 23.040 §9.2.3.24.3 and .4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ports {
    /// Whom the message is for: 2948 is WAP push.
    pub destination: u16,
    /// Whom it is from.
    pub source: u16,
}

/// What the header of the user data says, as far as it matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) concat: Option<Concat>,
    pub(crate) ports: Option<Ports>,
    pub(crate) tables: Tables,
}

const CONCAT_8_BIT: u8 = 0x00;
const PORTS_8_BIT: u8 = 0x04;
const PORTS_16_BIT: u8 = 0x05;
const CONCAT_16_BIT: u8 = 0x08;
const SINGLE_SHIFT: u8 = 0x24;
const LOCKING_SHIFT: u8 = 0x25;

/// Reads TP-UDL and TP-UD.
pub(crate) fn parse(
    reader: &mut Reader<'_>,
    coding: DataCoding,
    has_header: bool,
) -> Result<(Header, Body), ParseError> {
    let length = usize::from(reader.octet("user data length")?);
    let is_septets = coding.alphabet == Alphabet::Gsm7 && !coding.is_compressed;
    let octet_count = if is_septets { (length * 7).div_ceil(8) } else { length };
    let octets = reader.take(octet_count, "user data")?;
    if !has_header {
        return Ok((
            Header::default(),
            body(octets, coding, Septets { count: length, fill_bits: 0 }, Tables::default()),
        ));
    }
    // A header longer than the user data leaves nothing that could be told from it.
    let Some((header_octets, rest)) = split_header(octets) else {
        return Ok((Header::default(), Body::Data(octets.to_vec())));
    };
    let header = parse_header(header_octets).unwrap_or_default();
    let septets = Septets::behind_header(1 + header_octets.len(), length);
    Ok((header, body(rest, coding, septets, header.tables)))
}

/// Writes the header with its length, or nothing when there is nothing to say.
pub(crate) fn encode_header(
    concat: Option<Concat>,
    ports: Option<Ports>,
    single_shift: Option<NationalLanguage>,
) -> Vec<u8> {
    let mut elements = Vec::new();
    if let Some(concat) = concat {
        let [high, low] = concat.reference.to_be_bytes();
        if concat.is_16_bit {
            elements.extend([CONCAT_16_BIT, 4, high, low]);
        } else {
            elements.extend([CONCAT_8_BIT, 3, low]);
        }
        elements.extend([concat.total, concat.sequence]);
    }
    if let Some(ports) = ports {
        elements.extend([PORTS_16_BIT, 4]);
        elements.extend(ports.destination.to_be_bytes());
        elements.extend(ports.source.to_be_bytes());
    }
    if let Some(language) = single_shift {
        elements.extend([SINGLE_SHIFT, 1, language.id()]);
    }
    if elements.is_empty() {
        return elements;
    }
    let length = u8::try_from(elements.len()).unwrap_or(u8::MAX);
    std::iter::once(length).chain(elements).collect()
}

/// How many septets lie behind what, in octets that begin behind the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Septets {
    pub(crate) count: usize,
    /// Bits that align the first septet as if the header were septets too.
    pub(crate) fill_bits: u8,
}

impl Septets {
    /// The septets that follow a header of `header_octets`, of `total` septets that header and text take together.
    pub(crate) fn behind_header(header_octets: usize, total: usize) -> Self {
        let header_septets = header_octets_as_septets(header_octets);
        let fill_bits = header_septets * 7 - header_octets * 8;
        Self { count: total.saturating_sub(header_septets), fill_bits: u8::try_from(fill_bits).unwrap_or(0) }
    }
}

pub(crate) fn header_octets_as_septets(header_octets: usize) -> usize {
    (header_octets * 8).div_ceil(7)
}

fn split_header(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = octets.split_first()?;
    rest.split_at_checked(usize::from(length))
}

/// Reads information elements; `None`, and so nothing at all, when the last one is cut (§9.2.3.24).
///
/// Of an element that is there twice the last one counts; unknown elements are skipped.
fn parse_header(octets: &[u8]) -> Option<Header> {
    let mut header = Header::default();
    let mut rest = octets;
    while let [kind, length, tail @ ..] = rest {
        let (value, tail) = tail.split_at_checked(usize::from(*length))?;
        rest = tail;
        match (*kind, value) {
            (CONCAT_8_BIT, &[reference, total, sequence]) => {
                let reference = u16::from(reference);
                header.concat = valid(Concat { reference, is_16_bit: false, total, sequence });
            }
            (PORTS_8_BIT, &[destination, source]) => {
                header.ports = Some(Ports { destination: u16::from(destination), source: u16::from(source) });
            }
            (PORTS_16_BIT, &[d1, d2, s1, s2]) => {
                let (destination, source) = (u16::from_be_bytes([d1, d2]), u16::from_be_bytes([s1, s2]));
                header.ports = Some(Ports { destination, source });
            }
            (CONCAT_16_BIT, &[r1, r2, total, sequence]) => {
                let reference = u16::from_be_bytes([r1, r2]);
                header.concat = valid(Concat { reference, is_16_bit: true, total, sequence });
            }
            (SINGLE_SHIFT, &[id]) => header.tables.single_shift = NationalLanguage::from_id(id),
            (LOCKING_SHIFT, &[id]) => header.tables.locking = NationalLanguage::from_id(id),
            _ => {}
        }
    }
    rest.is_empty().then_some(header)
}

fn valid(concat: Concat) -> Option<Concat> {
    (1..=concat.total).contains(&concat.sequence).then_some(concat)
}

fn body(octets: &[u8], coding: DataCoding, septets: Septets, tables: Tables) -> Body {
    if coding.is_compressed {
        return Body::Data(octets.to_vec());
    }
    match coding.alphabet {
        Alphabet::Gsm7 => Body::Text(gsm7::decode(&gsm7::unpack(octets, septets.count, septets.fill_bits), tables)),
        Alphabet::Data => Body::Data(octets.to_vec()),
        Alphabet::Ucs2 => {
            let (units, _odd) = octets.as_chunks::<2>();
            Body::from_utf16(units.iter().map(|unit| u16::from_be_bytes(*unit)).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_element_by_element() {
        let concat = |reference, is_16_bit, total, sequence| Some(Concat { reference, is_16_bit, total, sequence });
        let ports = |destination, source| Some(Ports { destination, source });
        let table: [(&str, &[u8], _, _); 9] = [
            ("8-bit reference", &[0, 3, 0x2A, 2, 1], concat(0x2A, false, 2, 1), None),
            ("16-bit reference", &[8, 4, 1, 0x2A, 3, 3], concat(0x12A, true, 3, 3), None),
            ("WAP push", &[5, 4, 0x0B, 0x84, 0x23, 0xF0], None, ports(2948, 9200)),
            ("8-bit ports and a reference", &[4, 2, 0xE2, 0, 0, 3, 7, 1, 1], concat(7, false, 1, 1), ports(0xE2, 0)),
            ("unknown element", &[0x70, 1, 9, 0, 3, 1, 2, 2], concat(1, false, 2, 2), None),
            ("part 0", &[0, 3, 1, 2, 0], None, None),
            ("part beyond the last", &[0, 3, 1, 2, 3], None, None),
            ("element cut short", &[0, 3, 1, 2, 1, 5, 4, 1], None, None),
            ("element without length", &[0, 3, 1, 2, 1, 5], None, None),
        ];
        for (name, octets, concat, ports) in table {
            let header = parse_header(octets).unwrap_or_default();
            assert_eq!((header.concat, header.ports), (concat, ports), "{name}");
        }
    }

    #[test]
    fn a_header_that_swallows_the_text_is_shown_as_data() {
        let octets = [3, 9, 1, 2];
        let coding = DataCoding::parse(0x04);
        let parsed = parse(&mut Reader::new(&octets), coding, true).unwrap();
        assert_eq!(parsed, (Header::default(), Body::Data(vec![9, 1, 2])));
    }
}
