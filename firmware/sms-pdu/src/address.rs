//! Addresses (TS 23.040 §9.1.2.5).

use telecom::{Address, PhoneNumber};

use crate::gsm7::{self, Tables};
use crate::reader::{ParseError, Reader};

const TYPE_INTERNATIONAL: u8 = 0x91;
const TYPE_ALPHANUMERIC: u8 = 0xD0;
const TYPE_UNKNOWN: u8 = 0x81;
/// Longest name that fits the ten octets of an address.
const MAX_NAME_SEPTETS: usize = 11;
const FILLER: u8 = 0x0F;

/// Reads an address whose length counts semi-octets.
pub(crate) fn parse(reader: &mut Reader<'_>, field: &'static str) -> Result<Address, ParseError> {
    let semi_octets = usize::from(reader.octet(field)?);
    let kind = reader.octet(field)?;
    let octets = reader.take(semi_octets.div_ceil(2), field)?;
    Ok(match kind & 0x70 {
        0x50 => name(octets, semi_octets * 4 / 7),
        _ => number(octets, semi_octets, kind),
    })
}

/// Reads the address of the service centre, whose length counts octets and its type; `None` when empty.
pub(crate) fn parse_smsc(reader: &mut Reader<'_>) -> Result<Option<Address>, ParseError> {
    const FIELD: &str = "service centre address";
    let length = usize::from(reader.octet(FIELD)?);
    let octets = reader.take(length, FIELD)?;
    let Some((&kind, digits)) = octets.split_first() else { return Ok(None) };
    Ok(Some(number(digits, digits.len() * 2, kind)).filter(|address| *address != Address::Withheld))
}

/// Writes an address whose length counts semi-octets.
///
/// What cannot be written is shortened or replaced: a name to eleven characters of the default alphabet.
pub(crate) fn encode(address: &Address, octets: &mut Vec<u8>) {
    match address {
        Address::Number(number) => {
            octets.push(octet_count(digits(number).len()));
            encode_number(number, octets);
        }
        Address::Alphanumeric(name) => encode_name(name, octets),
        Address::Withheld => octets.extend([0, TYPE_UNKNOWN]),
    }
}

/// Writes the address of a service centre; without one, the modem uses its own.
pub(crate) fn encode_smsc(smsc: Option<&PhoneNumber>, octets: &mut Vec<u8>) {
    let Some(number) = smsc else { return octets.push(0) };
    octets.push(octet_count(1 + digits(number).len().div_ceil(2)));
    encode_number(number, octets);
}

fn name(octets: &[u8], septet_count: usize) -> Address {
    let mut septets = gsm7::unpack(octets, septet_count, 0);
    // Seven characters leave seven bits of padding, which look like an eighth character: `@`.
    if septets.len().is_multiple_of(8) && septets.last() == Some(&0) {
        septets.pop();
    }
    // A line break in a name could pass for another header or log line further on.
    let name = gsm7::decode(&septets, Tables::default()).replace(char::is_control, " ");
    let name = name.trim();
    if name.is_empty() { Address::Withheld } else { Address::Alphanumeric(name.to_owned()) }
}

fn number(octets: &[u8], semi_octets: usize, kind: u8) -> Address {
    let digits: String = octets
        .iter()
        .flat_map(|octet| [octet & 0x0F, octet >> 4])
        .take(semi_octets)
        .take_while(|&digit| digit != FILLER)
        .filter_map(digit_char)
        .collect();
    if digits.is_empty() {
        return Address::Withheld;
    }
    let plus = if kind & 0x70 == 0x10 { "+" } else { "" };
    let text = format!("{plus}{digits}");
    // The digits a, b and c, and numbers of more than twenty digits, cannot be dialled; they still name a sender.
    text.parse().map_or_else(|_| Address::Alphanumeric(text), Address::Number)
}

fn digit_char(digit: u8) -> Option<char> {
    match digit {
        0..=9 => char::from_digit(u32::from(digit), 10),
        0x0A => Some('*'),
        0x0B => Some('#'),
        0x0C => Some('a'),
        0x0D => Some('b'),
        0x0E => Some('c'),
        _ => None,
    }
}

fn encode_number(number: &PhoneNumber, octets: &mut Vec<u8>) {
    octets.push(if number.is_international() { TYPE_INTERNATIONAL } else { TYPE_UNKNOWN });
    for pair in digits(number).as_bytes().chunks(2) {
        let mut codes = pair.iter().map(|&character| digit_code(character));
        let (low, high) = (codes.next().unwrap_or(FILLER), codes.next().unwrap_or(FILLER));
        octets.push(high << 4 | low);
    }
}

fn encode_name(name: &str, octets: &mut Vec<u8>) {
    let mut septets = Vec::with_capacity(MAX_NAME_SEPTETS);
    for character in name.chars() {
        let code = gsm7::encode_char(character, None).unwrap_or(gsm7::Code::Plain(b'?'));
        let code: Vec<u8> = code.septets().collect();
        if septets.len() + code.len() > MAX_NAME_SEPTETS {
            break;
        }
        septets.extend(code);
    }
    octets.extend([octet_count((septets.len() * 7).div_ceil(4)), TYPE_ALPHANUMERIC]);
    octets.extend(gsm7::pack(&septets, 0));
}

fn digits(number: &PhoneNumber) -> &str {
    number.as_str().trim_start_matches('+')
}

fn digit_code(character: u8) -> u8 {
    match character {
        b'0'..=b'9' => character - b'0',
        b'*' => 0x0A,
        b'#' => 0x0B,
        _ => FILLER,
    }
}

/// A length that is at most 20 by construction.
fn octet_count(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_read_as_they_come() {
        let table: [(&[u8], &str); 11] = [
            (&[0x0B, 0x91, 0x33, 0x36, 0x99, 0x18, 0x32, 0xF4], "+33639981234"),
            (&[0x05, 0x81, 0x63, 0x71, 0xF9], "36179"),
            (&[0x05, 0x85, 0x63, 0x71, 0xF9], "36179"),
            (&[0x05, 0x81, 0x1A, 0x00, 0xFB], "*100#"),
            (&[0x00, 0x81], "withheld"),
            (&[0x00, 0xD0], "withheld"),
            (&[0x03, 0x81, 0x21, 0xFC], "12a"),
            (&[0x07, 0xD0, 0x46, 0x79, 0xB9, 0x0C], "Free"),
            (&[0x0D, 0xD0, 0x4F, 0x79, 0xD8, 0x7D, 0x2E, 0x87, 0x00], "Orange!"),
            (&[0x0E, 0xD0, 0x4F, 0x79, 0xD8, 0x7D, 0x2E, 0x87, 0x00], "Orange!"),
            (&[0x14, 0xD0, 0x46, 0x79, 0xB9, 0x0C, 0x6A, 0xBE, 0xC5, 0x69, 0x76, 0x19], "Free Mobile"),
        ];
        for (octets, want) in table {
            let address = parse(&mut Reader::new(octets), "address").unwrap();
            assert_eq!(address.to_string(), want, "{octets:02X?}");
        }
    }

    #[test]
    fn a_short_address_is_truncated_not_guessed() {
        let octets = [0x0B, 0x91, 0x33, 0x36];
        assert_eq!(parse(&mut Reader::new(&octets), "sender"), Err(ParseError::Truncated("sender")));
    }

    #[test]
    fn a_name_has_no_line_breaks() {
        let mut octets = Vec::new();
        encode(&Address::Alphanumeric("a\r\nb\n".to_owned()), &mut octets);
        assert_eq!(parse(&mut Reader::new(&octets), "name"), Ok(Address::Alphanumeric("a  b".to_owned())));
    }

    #[test]
    fn names_that_do_not_fit_are_shortened() {
        let mut octets = Vec::new();
        encode(&Address::Alphanumeric("Ж2345678901€".to_owned()), &mut octets);
        assert_eq!(parse(&mut Reader::new(&octets), "name"), Ok(Address::Alphanumeric("?2345678901".to_owned())));
    }

    proptest! {
        #[test]
        fn addresses_come_back(text in "[+]?[0-9*#]{1,20}|[A-Za-z][A-Za-z0-9]{0,10}") {
            let address = Address::from_text(&text);
            let mut octets = Vec::new();
            encode(&address, &mut octets);
            prop_assert_eq!(parse(&mut Reader::new(&octets), "address"), Ok(address));
        }

        #[test]
        fn service_centres_come_back(text in "[+]?[0-9]{1,20}") {
            let number: PhoneNumber = text.parse().unwrap();
            let mut octets = Vec::new();
            encode_smsc(Some(&number), &mut octets);
            prop_assert_eq!(parse_smsc(&mut Reader::new(&octets)), Ok(Some(Address::Number(number))));
        }
    }
}
