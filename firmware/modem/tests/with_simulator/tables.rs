//! Characters of short messages: what one side writes the other reads.

use modem_sim::gsm::alphabet::from_septets_of;
use modem_sim::gsm::tpdu::Submit;
use sms_pdu::gsm7::{Tables, decode};
use sms_pdu::{NationalLanguage, Reference, SegmentOptions, encode_submit, segment_with};

const LANGUAGES: u8 = 14;
const ESCAPE: u8 = 0x1B;

#[test]
fn both_views_of_every_national_table_agree() {
    for language in 0..LANGUAGES {
        let known = NationalLanguage::from_id(language);
        assert_eq!(known.map_or(0, NationalLanguage::id), language);
        for code in 0..128 {
            let locking = Tables { locking: known, single_shift: None };
            let single_shift = Tables { locking: None, single_shift: known };
            let plain = (decode(&[code], locking), from_septets_of(&[code], language, 0));
            assert_eq!(plain.0, plain.1, "locking table {language}, {code:#04x}");
            let escaped = [ESCAPE, code];
            let shifted = (decode(&escaped, single_shift), from_septets_of(&escaped, 0, language));
            assert_eq!(shifted.0, shifted.1, "single shift table {language}, {code:#04x}");
        }
    }
}

#[test]
fn the_network_reads_what_is_sent_with_a_national_table() {
    let to = "+33698765432".parse().expect("a number");
    for (language, text) in [
        (NationalLanguage::Turkish, "şağıdaki yağmur"),
        (NationalLanguage::Spanish, "Ágil ñandú, ¿qué tal?"),
        (NationalLanguage::Portuguese, "coração e pão"),
        (NationalLanguage::Hindi, "route ०१२३"),
    ] {
        let options = SegmentOptions { language: Some(language), reference: Reference::Short(1), max_parts: 1 };
        let part = segment_with(text, options).expect("short").parts.remove(0);
        let pdu = encode_submit(&to, &part, 0, false);
        let submit = Submit::parse(&pdu.bytes).expect("a PDU");
        assert_eq!(submit.data.text(), text);
        assert!(submit.data.coding == 0, "{language:?} spares UCS-2");
    }
}
