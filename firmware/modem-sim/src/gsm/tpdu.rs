//! SMS transfer PDUs as the network and a SIM see them (TS 23.040 §9.2).

use serde::{Deserialize, Serialize};

use super::alphabet::{from_septets, from_septets_of, from_ucs2, pack, to_septets, to_ucs2, unpack};
pub use super::timestamp::Timestamp;

/// Octets of user data in one short message (TS 23.040 §9.2.3.24).
const USER_DATA_OCTETS: usize = 140;
/// Identifiers of the elements that name a national language (TS 23.040 §9.2.3.24.15 and .16).
const SINGLE_SHIFT: u8 = 0x24;
const LOCKING_SHIFT: u8 = 0x25;
/// Octets of a header with one 8-bit concatenation element, length octet included.
const CONCAT_HEADER_OCTETS: usize = 6;

/// Why octets from the host are not a PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TpduError {
    /// The octets end before the field that is named.
    #[error("PDU ends before {0}")]
    Truncated(&'static str),
    /// The message type indicator is not the one expected.
    #[error("PDU has message type {0}")]
    WrongType(u8),
    /// The user data length disagrees with the octets that follow.
    #[error("PDU has a user data length of {0} that does not fit")]
    WrongLength(u8),
}

/// One part of a concatenated message (TS 23.040 §9.2.3.24.1 and §9.2.3.24.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concat {
    /// Same for every part of a message.
    pub reference: u16,
    /// Number of parts.
    pub total: u8,
    /// From 1.
    pub sequence: u8,
}

/// What a part carries, before its addresses are put around it.
#[derive(Clone, PartialEq, Eq)]
pub struct UserData {
    /// TP-DCS (TS 23.038 §4).
    pub coding: u8,
    /// TP-UDHI: whether `octets` begin with a header.
    pub has_header: bool,
    /// TP-UDL: septets or octets, after `coding`.
    pub length: u8,
    /// TP-UD.
    pub octets: Vec<u8>,
}

/// An SMS-SUBMIT with its service centre (TS 23.040 §9.2.2.2).
#[derive(Clone, PartialEq, Eq)]
pub struct Submit {
    /// Service centre in front of the TPDU; empty means the one of `+CSCA`.
    pub smsc: String,
    /// TP-MR as the host wrote it.
    pub reference: u8,
    /// TP-SRR.
    pub wants_report: bool,
    /// TP-DA.
    pub recipient: String,
    /// TP-PID.
    pub protocol: u8,
    /// TP-UD and what describes it.
    pub data: UserData,
}

/// An SMS-DELIVER with its service centre (TS 23.040 §9.2.2.1).
#[derive(Clone, PartialEq, Eq)]
pub struct Deliver {
    /// Service centre.
    pub smsc: String,
    /// TP-OA: digits, or letters for an alphanumeric sender.
    pub sender: String,
    /// TP-PID.
    pub protocol: u8,
    /// TP-SCTS.
    pub timestamp: Timestamp,
    /// TP-UD and what describes it.
    pub data: UserData,
}

/// An SMS-STATUS-REPORT (TS 23.040 §9.2.2.3).
#[derive(Clone, PartialEq, Eq)]
pub struct StatusReport {
    /// Service centre.
    pub smsc: String,
    /// TP-MR of the message reported on.
    pub reference: u8,
    /// TP-RA.
    pub recipient: String,
    /// TP-SCTS: when the service centre took the message.
    pub timestamp: Timestamp,
    /// TP-DT: when the outcome was known.
    pub discharge: Timestamp,
    /// TP-ST.
    pub status: u8,
}

impl UserData {
    /// Builds one part of `text` in the 7-bit alphabet where possible, else UCS-2.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        match to_septets(text) {
            Some(septets) => Self::of_septets(&septets, None),
            None => Self::of_ucs2(&to_ucs2(text), None),
        }
    }

    /// Splits `text` into parts that carry `reference`; one part carries no header.
    #[must_use]
    pub fn segment(text: &str, reference: u8) -> Vec<Self> {
        if let Some(septets) = to_septets(text) {
            if septets.len() <= 160 {
                return vec![Self::of_septets(&septets, None)];
            }
            let pieces = pieces(&septets, 153, |last| *last == 0x1b);
            return numbered(&pieces, reference, Self::of_septets);
        }
        let octets = to_ucs2(text);
        if octets.len() <= USER_DATA_OCTETS {
            return vec![Self::of_ucs2(&octets, None)];
        }
        let units: Vec<[u8; 2]> = octets.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).collect();
        let pieces: Vec<Vec<u8>> = pieces(&units, 67, |last| (0xd8..=0xdb).contains(&last[0]))
            .into_iter()
            .map(|piece| piece.concat())
            .collect();
        numbered(&pieces, reference, Self::of_ucs2)
    }

    /// Returns the text, whatever its alphabet; 8-bit data reads as hexadecimal.
    #[must_use]
    pub fn text(&self) -> String {
        let header = self.header_octets();
        let body = self.octets.get(header..).unwrap_or_default();
        match self.alphabet() {
            Alphabet::SevenBit => {
                let skipped = (header * 8).div_ceil(7);
                let fill = u8::try_from(skipped * 7 - header * 8).unwrap_or(0);
                let count = usize::from(self.length).saturating_sub(skipped);
                let language = |element| self.element(element).and_then(|value| value.first().copied()).unwrap_or(0);
                from_septets_of(&unpack(body, count, fill), language(LOCKING_SHIFT), language(SINGLE_SHIFT))
            }
            Alphabet::EightBit => super::alphabet::to_hex(body),
            Alphabet::Ucs2 => from_ucs2(body),
        }
    }

    /// Returns the value of the first element of the header with this identifier (TS 23.040 §9.2.3.24).
    fn element(&self, wanted: u8) -> Option<&[u8]> {
        let mut rest = self.octets.get(1..self.header_octets())?;
        while let [element, length, tail @ ..] = rest {
            let (value, next) = tail.split_at_checked(usize::from(*length))?;
            if *element == wanted {
                return Some(value);
            }
            rest = next;
        }
        None
    }

    /// Returns the concatenation element of the header, if any.
    #[must_use]
    pub fn concat(&self) -> Option<Concat> {
        let header = self.octets.get(1..self.header_octets())?;
        let mut rest = header;
        while let [element, length, tail @ ..] = rest {
            let (value, next) = tail.split_at_checked(usize::from(*length))?;
            match (element, value) {
                (0x00, &[reference, total, sequence]) => {
                    return Some(Concat { reference: u16::from(reference), total, sequence });
                }
                (0x08, &[high, low, total, sequence]) => {
                    return Some(Concat { reference: u16::from_be_bytes([high, low]), total, sequence });
                }
                _ => rest = next,
            }
        }
        None
    }

    /// Returns the message class, if the coding scheme carries one (TS 23.038 §4).
    #[must_use]
    pub fn class(&self) -> Option<u8> {
        let has_class = self.coding & 0xd0 == 0x10 || self.coding & 0xf0 == 0xf0;
        has_class.then_some(self.coding & 0x03)
    }

    /// Returns the same data with a message class.
    #[must_use]
    pub fn with_class(mut self, class: u8) -> Self {
        self.coding |= 0x10 | (class & 0x03);
        self
    }

    fn of_septets(septets: &[u8], concat: Option<Concat>) -> Self {
        let header = concat.map(concat_header).unwrap_or_default();
        let skipped = (header.len() * 8).div_ceil(7);
        let fill = u8::try_from(skipped * 7 - header.len() * 8).unwrap_or(0);
        let length = u8::try_from(skipped + septets.len()).unwrap_or(u8::MAX);
        let has_header = !header.is_empty();
        let octets = [header, pack(septets, fill)].concat();
        Self { coding: 0x00, has_header, length, octets }
    }

    fn of_ucs2(ucs2: &[u8], concat: Option<Concat>) -> Self {
        let header = concat.map(concat_header).unwrap_or_default();
        let has_header = !header.is_empty();
        let octets = [header, ucs2.to_vec()].concat();
        Self { coding: 0x08, has_header, length: u8::try_from(octets.len()).unwrap_or(u8::MAX), octets }
    }

    fn read(coding: u8, has_header: bool, length: u8, rest: &[u8]) -> Result<Self, TpduError> {
        let mut data = Self { coding, has_header, length, octets: Vec::new() };
        let wanted = match data.alphabet() {
            Alphabet::SevenBit => (usize::from(length) * 7).div_ceil(8),
            Alphabet::EightBit | Alphabet::Ucs2 => usize::from(length),
        };
        if wanted > USER_DATA_OCTETS {
            return Err(TpduError::WrongLength(length));
        }
        data.octets = rest.get(..wanted).ok_or(TpduError::WrongLength(length))?.to_vec();
        Ok(data)
    }

    fn alphabet(&self) -> Alphabet {
        match self.coding {
            coding if coding & 0xc0 == 0x00 => match coding & 0x0c {
                0x04 => Alphabet::EightBit,
                0x08 => Alphabet::Ucs2,
                _ => Alphabet::SevenBit,
            },
            coding if coding & 0xf0 == 0xe0 => Alphabet::Ucs2,
            coding if coding & 0xf4 == 0xf4 => Alphabet::EightBit,
            _ => Alphabet::SevenBit,
        }
    }

    fn header_octets(&self) -> usize {
        match self.octets.first() {
            Some(&length) if self.has_header => (usize::from(length) + 1).min(self.octets.len()),
            _ => 0,
        }
    }

    fn write(&self, octets: &mut Vec<u8>) {
        octets.push(self.length);
        octets.extend_from_slice(&self.octets);
    }
}

impl Submit {
    /// Parses octets as a host sends them after `AT+CMGS`: service centre, then TPDU.
    pub fn parse(octets: &[u8]) -> Result<Self, TpduError> {
        let mut reader = Reader(octets);
        let smsc = reader.service_centre()?;
        let first = reader.octet("first octet")?;
        if first & 0x03 != 0x01 {
            return Err(TpduError::WrongType(first & 0x03));
        }
        let reference = reader.octet("message reference")?;
        let recipient = reader.address("destination address")?;
        let protocol = reader.octet("protocol identifier")?;
        let coding = reader.octet("data coding scheme")?;
        reader.take(validity_octets(first), "validity period")?;
        let length = reader.octet("user data length")?;
        let data = UserData::read(coding, first & 0x40 != 0, length, reader.0)?;
        Ok(Self { smsc, reference, wants_report: first & 0x20 != 0, recipient, protocol, data })
    }

    /// Encodes with the service centre in front, for a submit that is kept in a slot.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut octets = service_centre(&self.smsc);
        let flags = u8::from(self.wants_report) << 5 | u8::from(self.data.has_header) << 6;
        octets.extend([0x01 | flags, self.reference]);
        octets.extend(address(&self.recipient));
        octets.extend([self.protocol, self.data.coding]);
        self.data.write(&mut octets);
        octets
    }
}

impl Deliver {
    /// Encodes with the service centre in front, as a SIM stores it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut octets = service_centre(&self.smsc);
        // TP-MMS set: no more messages wait at the service centre.
        octets.push(0x04 | u8::from(self.data.has_header) << 6);
        octets.extend(address(&self.sender));
        octets.extend([self.protocol, self.data.coding]);
        octets.extend(self.timestamp.0);
        self.data.write(&mut octets);
        octets
    }

    /// Parses octets with the service centre in front.
    pub fn parse(octets: &[u8]) -> Result<Self, TpduError> {
        let mut reader = Reader(octets);
        let smsc = reader.service_centre()?;
        let first = reader.octet("first octet")?;
        if first & 0x03 != 0x00 {
            return Err(TpduError::WrongType(first & 0x03));
        }
        let sender = reader.address("originating address")?;
        let protocol = reader.octet("protocol identifier")?;
        let coding = reader.octet("data coding scheme")?;
        let timestamp = reader.timestamp("service centre time stamp")?;
        let length = reader.octet("user data length")?;
        let data = UserData::read(coding, first & 0x40 != 0, length, reader.0)?;
        Ok(Self { smsc, sender, protocol, timestamp, data })
    }
}

impl StatusReport {
    /// Encodes with the service centre in front.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut octets = service_centre(&self.smsc);
        octets.extend([0x06, self.reference]);
        octets.extend(address(&self.recipient));
        octets.extend(self.timestamp.0);
        octets.extend(self.discharge.0);
        octets.push(self.status);
        octets
    }

    /// Parses octets with the service centre in front.
    pub fn parse(octets: &[u8]) -> Result<Self, TpduError> {
        let mut reader = Reader(octets);
        let smsc = reader.service_centre()?;
        let first = reader.octet("first octet")?;
        if first & 0x03 != 0x02 {
            return Err(TpduError::WrongType(first & 0x03));
        }
        Ok(Self {
            smsc,
            reference: reader.octet("message reference")?,
            recipient: reader.address("recipient address")?,
            timestamp: reader.timestamp("service centre time stamp")?,
            discharge: reader.timestamp("discharge time")?,
            status: reader.octet("status")?,
        })
    }
}

/// Returns the number of octets before the TPDU: `AT+CMGS` counts without them.
#[must_use]
pub fn service_centre_octets(octets: &[u8]) -> usize {
    octets.first().map_or(0, |length| usize::from(*length) + 1)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    SevenBit,
    EightBit,
    Ucs2,
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn octet(&mut self, field: &'static str) -> Result<u8, TpduError> {
        let (&first, rest) = self.0.split_first().ok_or(TpduError::Truncated(field))?;
        self.0 = rest;
        Ok(first)
    }

    fn take(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], TpduError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(TpduError::Truncated(field))?;
        self.0 = rest;
        Ok(taken)
    }

    fn timestamp(&mut self, field: &'static str) -> Result<Timestamp, TpduError> {
        let octets = self.take(7, field)?;
        octets.try_into().map(Timestamp).map_err(|_| TpduError::Truncated(field))
    }

    fn service_centre(&mut self) -> Result<String, TpduError> {
        let length = self.octet("service centre length")?;
        let octets = self.take(usize::from(length), "service centre")?;
        Ok(octets.split_first().map(|(kind, digits)| digits_text(*kind, digits, usize::MAX)).unwrap_or_default())
    }

    fn address(&mut self, field: &'static str) -> Result<String, TpduError> {
        let digits = usize::from(self.octet(field)?);
        let kind = self.octet(field)?;
        let octets = self.take(digits.div_ceil(2), field)?;
        if kind & 0x70 == 0x50 {
            return Ok(from_septets(&unpack(octets, digits * 4 / 7, 0)));
        }
        Ok(digits_text(kind, octets, digits))
    }
}

fn digits_text(kind: u8, octets: &[u8], count: usize) -> String {
    let digits = octets
        .iter()
        .flat_map(|octet| [octet & 0x0f, octet >> 4])
        .take(count)
        .take_while(|digit| *digit != 0x0f)
        .filter_map(|digit| DIGITS.get(usize::from(digit)).copied());
    let plus = (kind & 0x70 == 0x10).then_some('+');
    plus.into_iter().chain(digits).collect()
}

/// TS 23.040 §9.1.2.3: digits of a semi-octet address.
const DIGITS: [char; 15] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'a', 'b', 'c'];

fn semi_octets(number: &str) -> (u8, Vec<u8>) {
    let kind = if number.starts_with('+') { 0x91 } else { 0x81 };
    let digits: Vec<u8> = number
        .chars()
        .filter_map(|digit| DIGITS.iter().position(|known| *known == digit))
        .filter_map(|digit| u8::try_from(digit).ok())
        .collect();
    (kind, digits)
}

fn paired(digits: &[u8]) -> Vec<u8> {
    digits
        .chunks(2)
        .map(|pair| pair.first().copied().unwrap_or(0x0f) | pair.get(1).copied().unwrap_or(0x0f) << 4)
        .collect()
}

fn service_centre(number: &str) -> Vec<u8> {
    let (kind, digits) = semi_octets(number);
    if digits.is_empty() {
        return vec![0];
    }
    let octets = paired(&digits);
    [vec![u8::try_from(octets.len() + 1).unwrap_or(0), kind], octets].concat()
}

fn address(number: &str) -> Vec<u8> {
    let is_dialable = number.trim_start_matches('+').chars().all(|character| DIGITS.contains(&character));
    if !is_dialable {
        let septets: Vec<u8> = to_septets(number).unwrap_or_default().into_iter().take(11).collect();
        let octets = pack(&septets, 0);
        let length = u8::try_from((septets.len() * 7).div_ceil(4)).unwrap_or(0);
        return [vec![length, 0xd0], octets].concat();
    }
    let (kind, digits) = semi_octets(number);
    let digits: Vec<u8> = digits.into_iter().take(20).collect();
    [vec![u8::try_from(digits.len()).unwrap_or(0), kind], paired(&digits)].concat()
}

fn validity_octets(first: u8) -> usize {
    match first & 0x18 {
        0x00 => 0,
        0x10 => 1,
        _ => 7,
    }
}

fn concat_header(concat: Concat) -> Vec<u8> {
    let reference = concat.reference.to_be_bytes()[1];
    let header = vec![5, 0x00, 3, reference, concat.total, concat.sequence];
    debug_assert_eq!(header.len(), CONCAT_HEADER_OCTETS);
    header
}

fn numbered(pieces: &[Vec<u8>], reference: u8, build: fn(&[u8], Option<Concat>) -> UserData) -> Vec<UserData> {
    let total = u8::try_from(pieces.len()).unwrap_or(u8::MAX);
    (1..=total)
        .zip(pieces)
        .map(|(sequence, piece)| build(piece, Some(Concat { reference: u16::from(reference), total, sequence })))
        .collect()
}

/// Cuts `units` into pieces of at most `limit`, one shorter where the last unit may not be parted from its successor.
fn pieces<T: Clone>(units: &[T], limit: usize, binds_next: impl Fn(&T) -> bool) -> Vec<Vec<T>> {
    let mut pieces = Vec::new();
    let mut rest = units;
    while !rest.is_empty() {
        let mut cut = limit.min(rest.len());
        if cut < rest.len() && rest.get(cut - 1).is_some_and(&binds_next) {
            cut -= 1;
        }
        let (piece, next) = rest.split_at(cut);
        pieces.push(piece.to_vec());
        rest = next;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::super::alphabet::{from_hex, to_hex};
    use super::*;

    #[test]
    fn a_known_deliver_decodes() {
        let octets = from_hex("07917283010010F5040BC87238880900F10000993092516195800AE8329BFD4697D9EC37").unwrap();
        let deliver = Deliver::parse(&octets).unwrap();
        assert_eq!(deliver.sender, "27838890001");
        assert_eq!(deliver.smsc, "+27381000015");
        assert_eq!(deliver.data.text(), "hellohello");
        assert_eq!(deliver.timestamp.to_text(), "99/03/29,15:16:59+08");
    }

    #[test]
    fn a_known_submit_decodes() {
        let octets = from_hex("0011000B916407281553F80000AA0AE8329BFD4697D9EC37").unwrap();
        let submit = Submit::parse(&octets).unwrap();
        assert_eq!((submit.recipient.as_str(), submit.data.text().as_str()), ("+46708251358", "hellohello"));
        assert!(!submit.wants_report);
    }

    #[test]
    fn a_deliver_reads_back() {
        for (sender, text) in [("+33612345678", "Bonjour €"), ("Orange", "日本 🎉"), ("36184", "")] {
            let deliver = Deliver {
                smsc: "+33689004000".to_owned(),
                sender: sender.to_owned(),
                protocol: 0,
                timestamp: Timestamp::from_unix(1_795_348_800),
                data: UserData::of_text(text),
            };
            let read = Deliver::parse(&deliver.encode()).unwrap();
            assert!(read == deliver, "{sender}: {}", to_hex(&deliver.encode()));
            assert_eq!(read.data.text(), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn parts_join_to_the_text(text in "[a-z€ éà]{0,500}|[日本a]{0,300}", reference: u8) {
            let parts = UserData::segment(&text, reference);
            let joined: String = parts.iter().map(UserData::text).collect();
            proptest::prop_assert_eq!(joined, text);
            proptest::prop_assert!(parts.iter().all(|part| part.octets.len() <= USER_DATA_OCTETS));
        }

        #[test]
        fn hostile_octets_never_panic(octets in proptest::collection::vec(0u8.., 0..200)) {
            let texts = [
                Submit::parse(&octets).map(|submit| submit.data.text()),
                Deliver::parse(&octets).map(|deliver| deliver.data.text() + &deliver.timestamp.to_text()),
                StatusReport::parse(&octets).map(|report| report.recipient),
            ];
            proptest::prop_assert!(texts.iter().all(|text| text.as_ref().map_or(true, |text| text.len() < 2000)));
        }
    }
}
