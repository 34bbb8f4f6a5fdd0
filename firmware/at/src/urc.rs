//! Unsolicited result codes, and how one is told from an answer.

use crate::params::{Params, value};

/// Something the modem said by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Urc {
    /// One line. A `+CUSD:` text that spans lines is joined with line feeds.
    Line(String),
    /// `+CMT:`, `+CDS:` or `+CBM:` with the octets of its second line (TS 27.005 §3.4.1).
    WithPdu {
        /// The first line.
        header: String,
        /// The second, decoded.
        pdu: Vec<u8>,
    },
}

/// Lines that are unsolicited whatever command is in flight, unless that command asks for this very prefix.
const PREFIXES: &[&str] = &[
    "*PSNWID",
    "*PSUTTZ",
    "+CBM:",
    "+CCWA:",
    "+CDS:",
    "+CDSI:",
    "+CEREG:",
    "+CFUN:",
    "+CGEV:",
    "+CGREG:",
    "+CLCC:",
    "+CLIP:",
    "+CMT:",
    "+CMTI:",
    "+COLP:",
    "+CPIN:",
    "+CREG:",
    "+CRING:",
    "+CSQ:",
    "+CSSI:",
    "+CSSU:",
    "+CUSD:",
    "+DTMF:",
    "+QIND:",
    "+QPCMV:",
    "+QSIMSTAT:",
    "+QTONEDET:",
    "+QUSIM:",
    "+RXDTMF:",
    "+SIMCARD:",
    "DST:",
    "MISSED_CALL:",
    "VOICE CALL:",
    "^BOOT",
    "^CEND",
    "^CONF",
    "^CONN",
    "^DSCI:",
    "^MODE:",
    "^ORIG",
    "^RSSI:",
    "^SIMST:",
    "^SMMEMFULL",
    "^SRVST:",
];

/// Whole lines that are unsolicited.
const LINES: &[&str] = &[
    "BUSY",
    "NO ANSWER",
    "NO CARRIER",
    "NO DIALTONE",
    "NORMAL POWER DOWN",
    "PB DONE",
    "POWERED DOWN",
    "RDY",
    "REMOTE CALL END",
    "RING",
    "SMS DONE",
    "START",
];

/// Whether a line is an unsolicited code that is known by its shape.
pub(crate) fn is_known(line: &str) -> bool {
    LINES.contains(&line) || PREFIXES.iter().any(|prefix| line.starts_with(prefix))
}

/// The TPDU length that the first line of a two-line code announces in PDU mode; `None` for any other line.
pub(crate) fn announced_tpdu_length(line: &str) -> Option<usize> {
    let text = ["+CMT:", "+CDS:", "+CBM:"].iter().find_map(|prefix| value(line, prefix))?;
    let params: Vec<&str> = Params::new(text).collect();
    match params.as_slice() {
        [length] | [_, length] => length.parse().ok(),
        _ => None,
    }
}

/// Whether a line opens a quoted text and does not close it.
pub(crate) fn opens_text(line: &str) -> bool {
    line.starts_with("+CUSD:") && line.matches('"').count() == 1
}

/// Decodes hexadecimal digits, as PDU mode writes octets (TS 27.005 §3.1 `<pdu>`); `None` when it is anything else.
#[must_use]
pub fn hex_octets(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some((digit(*high)? << 4) | digit(*low)?),
            _ => None,
        })
        .collect()
}

/// Whether octets are the SMSC prefix plus a TPDU of this length (TS 27.005 §3.1 `<length>`).
pub(crate) fn has_tpdu_length(pdu: &[u8], tpdu_length: usize) -> bool {
    pdu.first().is_some_and(|smsc| pdu.len() == tpdu_length.saturating_add(usize::from(*smsc)).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pdu_mode_headers_announce_a_second_line() {
        let table = [
            ("+CMT: ,24", Some(24)),
            ("+CMT: 24", Some(24)),
            ("+CDS: 25", Some(25)),
            ("+CMT: \"+33612345678\",,\"26/11/22,10:00:00+04\"", None),
            ("+CDSI: \"SR\",3", None),
            ("+CMTI: \"ME\",12", None),
        ];
        for (line, want) in table {
            assert_eq!(announced_tpdu_length(line), want, "{line}");
        }
    }

    #[test]
    fn hexadecimal_is_decoded_or_refused() {
        assert_eq!(hex_octets("07aF"), Some(vec![0x07, 0xaf]));
        for text in ["", "0", "0G", "+1", "é0"] {
            assert_eq!(hex_octets(text), None, "{text}");
        }
    }
}
