//! Whole PDUs: known ones, and properties that hold for all.

use proptest::prelude::*;
use telecom::{Address, PhoneNumber};

use super::*;

/// (name, PDU, sender, seconds since 1970, text).
///
/// The published ones are in the tests of many programs, which agree on them; those made by hand were written as bit strings from the standard by a
/// program that shares no code with this crate.
const DELIVERIES: &[(&str, &str, &str, i64, &str)] = &[
    (
        "number of a subscriber, type 4 (widely published)",
        "07917283010010F5040BC87238880900F10000993092516195800AE8329BFD4697D9EC37",
        "27838890001",
        4_078_473_419,
        "hellohello",
    ),
    (
        "international sender (widely published)",
        "07911326040000F0040B911346610089F60000208062917314080CC8F71D14969741F977FD07",
        "+31641600986",
        1_030_390_661,
        "How are you?",
    ),
    (
        "alphanumeric sender (widely published)",
        "0791448720003023240DD0E474D81C0EBB010000111011315214000BE474D81C0EBB5DE3771B",
        "diafaan",
        1_294_752_341,
        "diafaan.com",
    ),
    (
        "short text (widely published)",
        "0791447779071413040C9144977304250500007160421062944008D4F29C0E8AC966",
        "+447937405250",
        1_498_264_009,
        "Test 123",
    ),
    (
        "alphanumeric sender of eleven characters (by hand)",
        "07913396050066F00414D04679B90C6ABEC569761900006280102100008011D9775D0E1ABFC965507A0E8AC96634",
        "Free Mobile",
        1_785_578_400,
        "Your code is 1234",
    ),
    (
        "8-bit reference and extension characters (by hand)",
        "07913396050066F0440B913336991832F4000062801021000080190500032A0201906536FB0DDAF0EE6F399BBCF1813665",
        "+33639981234",
        1_785_578_400,
        "Hello [world] €",
    ),
    (
        "16-bit reference (by hand)",
        "07913396050066F0440B913336991832F400006280102100008011060804012A0303ECF09C0E8287E574",
        "+33639981234",
        1_785_578_400,
        "last part",
    ),
    (
        "reference and Portuguese single shift (by hand)",
        "07913396050066F0440B913336991832F40000628010210000801508000307020124010360BAD9BF41CAF766FF06",
        "+33639981234",
        1_785_578_400,
        "São João",
    ),
    (
        "Turkish locking shift (by hand)",
        "07913396050066F0440B913336991832F4000062801021000080100325010100CEE961B7B8CE061D3A",
        "+33639981234",
        1_785_578_400,
        "İstanbul ış",
    ),
    (
        "class 0 (by hand)",
        "07913396050066F0040B913336991832F40010628010210000800AD3379B5CD6816A9B32",
        "+33639981234",
        1_785_578_400,
        "Solde: 5€",
    ),
    (
        "class 0 in UCS-2 (by hand)",
        "07913396050066F0040B913336991832F40018628010210000800C041F04400438043204350442",
        "+33639981234",
        1_785_578_400,
        "Привет",
    ),
];

#[test]
fn deliveries_decode() {
    for (name, pdu, sender, seconds, text) in DELIVERIES {
        let sms = deliver(pdu);
        assert_eq!(sms.sender.to_string(), *sender, "{name}");
        assert_eq!(sms.timestamp.unix_seconds(), Some(*seconds), "{name}");
        assert_eq!(sms.body, Body::Text((*text).to_owned()), "{name}: {:?}", sms.body.to_text());
    }
}

#[test]
fn parts_class_and_ports_are_told() {
    let by_name = |name: &str| {
        let (_, pdu, ..) = DELIVERIES.iter().find(|(known, ..)| known.starts_with(name)).unwrap();
        deliver(pdu)
    };
    let short = by_name("8-bit reference").concat;
    assert_eq!(short, Some(Concat { reference: 0x2A, is_16_bit: false, total: 2, sequence: 1 }));
    let wide = by_name("16-bit reference").concat;
    assert_eq!(wide, Some(Concat { reference: 0x12A, is_16_bit: true, total: 3, sequence: 3 }));
    assert_eq!(by_name("class 0 in UCS-2").message_class, Some(0));
    assert_eq!(by_name("class 0 (by hand)").message_class, Some(0));
    assert_eq!(by_name("short text").message_class, None);
    assert_eq!(by_name("short text").smsc, Some(Address::from_text("+447797704131")));
}

#[test]
fn applications_get_octets_and_ports() {
    let table: [(&str, &str, u16, u16, &[u8]); 2] = [
        (
            "WAP push",
            "07913396050066F0440B913336991832F40004628010210000800A0605040B8423F0010603",
            2948,
            9200,
            &[1, 6, 3],
        ),
        (
            "vCard",
            "07913396050066F0440B913336991832F400F5628010210000801206050423F40000424547494E3A5643415244",
            9204,
            0,
            b"BEGIN:VCARD",
        ),
    ];
    for (name, pdu, destination, source, octets) in table {
        let sms = deliver(pdu);
        assert_eq!(sms.ports, Some(Ports { destination, source }), "{name}");
        assert_eq!(sms.body, Body::Data(octets.to_vec()), "{name}");
    }
}

#[test]
fn an_emoji_cut_by_the_sender_is_whole_after_joining() {
    let first = deliver("07913396050066F0440B913336991832F40008628010210000800A0500030902010061D83D");
    let second = deliver("07913396050066F0440B913336991832F400086280102100008008050003090202DE00");
    assert_eq!(first.body, Body::Utf16(vec![0x61, 0xD83D]));
    assert_eq!(join([&first.body, &second.body]), "a😀");
}

#[test]
fn a_wrong_time_does_not_lose_the_message() {
    let sms = deliver("07911326040000F0040B911346610089F60000FFFFFFFFFFFFFF0CC8F71D14969741F977FD07");
    assert_eq!(sms.timestamp.unix_seconds(), None);
    assert_eq!(sms.body, Body::Text("How are you?".to_owned()));
}

#[test]
fn reports_decode() {
    let Ok(Incoming::StatusReport(report)) = parse_incoming_hex(REPORT) else { panic!("not a report") };
    assert_eq!(report.smsc, None);
    assert_eq!((report.reference, report.recipient.to_string().as_str()), (0xD6, "+31628870634"));
    assert_eq!(report.timestamp.unix_seconds(), Some(1_294_765_155));
    assert_eq!(report.discharge.unix_seconds(), Some(1_294_765_157));
    assert_eq!(report.status, ReportStatus::Delivered);
}

/// A delivery report (widely published).
const REPORT: &str = "0006D60B911326880736F4111011719551401110117195714000";

#[test]
fn status_codes_fall_in_the_groups_of_the_standard() {
    let table = [
        (0x00, ReportStatus::Delivered),
        (0x01, ReportStatus::Completed(0x01)),
        (0x20, ReportStatus::StillTrying(0x20)),
        (0x3F, ReportStatus::StillTrying(0x3F)),
        (0x46, ReportStatus::PermanentFailure(0x46)),
        (0x60, ReportStatus::TemporaryFailure(0x60)),
        (0x80, ReportStatus::Reserved(0x80)),
    ];
    for (code, want) in table {
        assert_eq!((ReportStatus::from_code(code), want.code()), (want, code));
    }
}

#[test]
fn a_pdu_that_ends_early_is_truncated() {
    let pdus = DELIVERIES.iter().map(|(_, pdu, ..)| *pdu).chain([REPORT]);
    for pdu in pdus {
        let octets = parse_hex(pdu).unwrap();
        for length in 0..octets.len() {
            let parsed = parse_incoming(&octets[..length]);
            assert!(matches!(parsed, Err(ParseError::Truncated(_))), "{length} octets of {pdu}: {parsed:?}");
        }
    }
}

#[test]
fn what_is_no_pdu_is_refused() {
    assert_eq!(parse_incoming_hex("079"), Err(ParseError::NotHex));
    assert_eq!(parse_incoming_hex("07é9"), Err(ParseError::NotHex));
    assert_eq!(parse_incoming_hex("OK"), Err(ParseError::NotHex));
    assert_eq!(parse_incoming_hex(""), Err(ParseError::Truncated("service centre address")));
    assert_eq!(parse_incoming_hex(SUBMIT), Err(ParseError::MessageType(1)));
    assert_eq!(SmsSubmit::parse(&parse_hex(REPORT).unwrap()), Err(ParseError::MessageType(2)));
}

/// A message to send (widely published), valid for four days.
const SUBMIT: &str = "0011000B916407281553F80000AA0AE8329BFD4697D9EC37";

#[test]
fn submissions_encode_as_the_classic_one() {
    let parts = segment("hellohello", 0).unwrap().parts;
    let pdu = encode_submit(&number("+46708251358"), &parts[0], 0, false);
    assert_eq!(pdu.to_hex(), SUBMIT.replace("0000AA", "0000AD"));
    assert_eq!(pdu.tpdu_length, 23);
    assert_eq!(encode_submit(&number("+46708251358"), &parts[0], 7, true).to_hex()[..6], *"003107");
}

#[test]
fn submissions_decode() {
    let submit = SmsSubmit::parse(&parse_hex(SUBMIT).unwrap()).unwrap();
    assert_eq!(submit.recipient.to_string(), "+46708251358");
    assert_eq!(submit.validity.and_then(|validity| validity.period()).map(|period| period.as_secs()), Some(4 * 86_400));
    assert_eq!(submit.body, Body::Text("hellohello".to_owned()));
    assert!(!submit.request_report);
}

#[test]
fn nothing_prints_numbers_or_texts_by_debug() {
    let printed = format!("{:?}", deliver(DELIVERIES[1].1));
    assert!(!printed.contains("641600986") && !printed.contains("How are you"), "{printed}");
    let part = segment("secret", 1).unwrap().parts.remove(0);
    let pdu = encode_submit(&number("+46708251358"), &part, 0, false);
    assert_eq!(
        format!("{part:?} {pdu:?}"),
        "SubmitPart { concat: None, body: Text(6 characters) } EncodedPdu(20 octets)"
    );
}

proptest! {
    #[test]
    fn no_octets_panic(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzz_incoming(&octets);
    }

    #[test]
    fn no_octets_panic_behind_a_good_start(
        which in 0..DELIVERIES.len(),
        place in any::<prop::sample::Index>(),
        octet in any::<u8>(),
        end in any::<prop::sample::Index>(),
    ) {
        let mut octets = parse_hex(DELIVERIES[which].1).unwrap();
        let place = place.index(octets.len());
        octets[place] = octet;
        octets.truncate(end.index(octets.len()) + 1);
        fuzz_incoming(&octets);
    }

    #[test]
    fn no_text_panics(text in ".{0,60}") {
        prop_assert_eq!(parse_incoming_hex(&text).is_ok(), parse_hex(&text).is_ok_and(|octets| parse_incoming(&octets).is_ok()));
    }

    #[test]
    fn deliveries_come_back(spec in any_spec()) {
        let Ok(Incoming::Deliver(sms)) = parse_incoming(&encode_deliver(&spec)) else { panic!("not a delivery") };
        prop_assert_eq!(sms.smsc, spec.smsc.map(Address::Number));
        prop_assert_eq!(sms.sender, spec.sender);
        prop_assert_eq!(sms.timestamp, spec.timestamp);
        prop_assert_eq!(sms.protocol_id, spec.protocol_id);
        prop_assert_eq!(sms.message_class, Some(0));
        prop_assert_eq!(sms.concat, spec.part.concat());
        prop_assert!(sms.body == spec.part.body());
    }

    #[test]
    fn submissions_come_back(part in any_part(), to in any_number(), reference in any::<u8>(), request_report in any::<bool>()) {
        let pdu = encode_submit(&to, &part, reference, request_report);
        prop_assert_eq!(pdu.bytes.len(), pdu.tpdu_length + 1);
        let submit = SmsSubmit::parse(&pdu.bytes).unwrap();
        prop_assert_eq!((submit.reference, submit.request_report), (reference, request_report));
        prop_assert_eq!(submit.recipient, Address::Number(to));
        prop_assert_eq!(submit.coding.alphabet, part.alphabet());
        prop_assert_eq!(submit.concat, part.concat());
        prop_assert!(submit.body == part.body());
    }

    #[test]
    fn applications_data_come_back(octets in prop::collection::vec(any::<u8>(), 0..150), ports in any::<(u16, u16)>()) {
        let (destination, source) = ports;
        let too_long = octets.len() > 133;
        let part = SubmitPart::data(octets.clone(), Some(Ports { destination, source }), None);
        prop_assert_eq!(part.is_err(), too_long);
        if let Ok(part) = part {
            let submit = SmsSubmit::parse(&encode_submit(&number("36179"), &part, 0, false).bytes).unwrap();
            prop_assert_eq!(submit.ports, Some(Ports { destination, source }));
            prop_assert!(submit.body == Body::Data(octets));
        }
    }

    #[test]
    fn reports_come_back(reference in any::<u8>(), to in any_number(), times in (any_time(), any_time()), status in any::<u8>()) {
        let report = SmsStatusReport {
            smsc: Some(Address::Number(number("+33609001390"))),
            reference,
            recipient: Address::Number(to),
            timestamp: times.0,
            discharge: times.1,
            status: ReportStatus::from_code(status),
        };
        prop_assert_eq!(parse_incoming(&encode_status_report(&report)), Ok(Incoming::StatusReport(report)));
    }
}

fn deliver(pdu: &str) -> SmsDeliver {
    match parse_incoming_hex(pdu) {
        Ok(Incoming::Deliver(sms)) => sms,
        other => panic!("{pdu}: {other:?}"),
    }
}

fn number(text: &str) -> PhoneNumber {
    text.parse().unwrap()
}

fn any_number() -> impl Strategy<Value = PhoneNumber> {
    "[+]?[0-9]{1,20}".prop_map(|text| number(&text))
}

fn any_time() -> impl Strategy<Value = ServiceCentreTimestamp> {
    (946_800_000i64..4_102_300_000, -79i8..=79)
        .prop_map(|(seconds, offset)| ServiceCentreTimestamp::from_unix_seconds(seconds, offset))
}

fn any_part() -> impl Strategy<Value = SubmitPart> {
    let text = prop_oneof!["[a-z€{}é]{0,400}", "[a-zй😀]{0,300}"];
    (text, any::<u16>(), any::<prop::sample::Index>()).prop_map(|(text, reference, which)| {
        let options = SegmentOptions { reference: Reference::Wide(reference), ..SegmentOptions::new(0) };
        let mut parts = segment_with(&text, options).unwrap().parts;
        parts.swap_remove(which.index(parts.len()))
    })
}

fn any_spec() -> impl Strategy<Value = DeliverSpec> {
    let sender = prop_oneof![
        any_number().prop_map(Address::Number),
        "[A-Z][A-Za-z0-9]{0,10}".prop_map(Address::Alphanumeric),
        Just(Address::Withheld),
    ];
    let smsc = prop::option::of(any_number());
    (smsc, sender, any_time(), any::<u8>(), any_part()).prop_map(|(smsc, sender, timestamp, protocol_id, part)| {
        DeliverSpec { smsc, sender, timestamp, protocol_id, part: part.with_message_class(0) }
    })
}
