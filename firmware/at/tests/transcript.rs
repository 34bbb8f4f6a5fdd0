//! Scripts against the channel: what the caller and the modem do, and everything that comes out.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "a test starts its virtual clock somewhere"
)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use at::{Answer, Channel, Output, Priority, Request, Urc};
use expect_test::{Expect, expect};
use proptest::prelude::*;

#[test]
fn a_late_ok_does_not_complete_the_next_command() {
    check(
        "
        > AT+COPS?
        > AT+CSQ
        wait 5000
        < +COPS: 0,0,late,7
        < OK
        < +CMEE: 1
        < OK
        < +CSQ: 21,99
        < OK",
        &expect![[r#"
            write "AT+COPS?\r"
            timed out AT+COPS? waiting for Answer
            write "AT+CMEE?\r"
            write "AT+CSQ\r"
            completed AT+CSQ ["+CSQ: 21,99"] OK
        "#]],
    );
}

#[test]
fn an_unsolicited_code_is_told_from_the_answer_by_the_command_in_flight() {
    check(
        "
        > AT+CREG?
        < RING
        < +CREG: 2,1,\"2B1F\",\"1A2B\",7
        < +CMTI: \"ME\",3
        < OK
        < +CREG: 0
        > AT+CGMI
        < +CREG: 1
        < Quectel
        < OK
        > AT
        < NO CARRIER
        < OK",
        &expect![[r#"
            write "AT+CREG?\r"
            urc RING
            urc +CMTI: "ME",3
            completed AT+CREG? ["+CREG: 2,1,\"2B1F\",\"1A2B\",7"] OK
            urc +CREG: 0
            write "AT+CGMI\r"
            urc +CREG: 1
            completed AT+CGMI ["Quectel"] OK
            write "AT\r"
            urc NO CARRIER
            completed AT [] OK
        "#]],
    );
}

#[test]
fn call_progress_ends_only_a_command_of_call_control() {
    check(
        "
        > ATD0612345678;
        < BUSY
        > AT+CSQ
        < BUSY
        < +CSQ: 9,99
        < OK",
        &expect![[r#"
            write "ATD0612345678;\r"
            completed ATD0612345678; [] BUSY
            write "AT+CSQ\r"
            urc BUSY
            completed AT+CSQ ["+CSQ: 9,99"] OK
        "#]],
    );
}

#[test]
fn a_two_line_code_keeps_its_octets_when_another_comes_between() {
    check(
        "
        < +CDS: 3
        < RING
        < 0006AABB
        > AT+CMGR=3
        < +CMGR: 0,,2
        < +CMT: ,3
        < 0006AABB
        < 00CCDD
        < OK
        < +CMT: \"+33612345678\",,\"26/11/22,10:00:00+04\"
        < text",
        &expect![[r#"
            urc RING
            urc +CDS: 3 with [0, 6, 170, 187]
            write "AT+CMGR=3\r"
            urc +CMT: ,3 with [0, 6, 170, 187]
            completed AT+CMGR=3 ["+CMGR: 0,,2", "00CCDD"] OK
            urc +CMT: "+33612345678",,"26/11/22,10:00:00+04"
            urc text
        "#]],
    );
}

#[test]
fn octets_that_never_come_leave_the_first_line() {
    check(
        "
        < +CDS: 25
        < RING
        < RING
        < RING
        < RING
        < RING
        < RING
        < RING
        < RING
        < RING
        < +CDS: 25
        < +CDS: 3
        < 0006AABB",
        &expect![[r#"
            urc RING
            urc RING
            urc RING
            urc RING
            urc RING
            urc RING
            urc RING
            urc RING
            urc +CDS: 25
            urc RING
            urc +CDS: 25
            urc +CDS: 3 with [0, 6, 170, 187]
        "#]],
    );
}

#[test]
fn the_prompt_takes_the_payload_and_echo_is_dropped() {
    check(
        r#"
        > AT+CMGS=3
        raw "AT+CMGS=3\r\r\n> "
        raw "0001AABB\u{1a}\r\n"
        < +CMGS: 17
        < OK"#,
        &expect![[r#"
            write "AT+CMGS=3\r"
            write "0001AABB\u{1a}"
            completed AT+CMGS=3 ["+CMGS: 17"] OK
        "#]],
    );
}

#[test]
fn a_prompt_that_never_comes_is_escaped_and_a_late_one_too() {
    check(
        r#"
        > AT+CMGS=3
        > AT
        < OK
        wait 5000
        raw "\r\n> "
        wait 1800
        < OK
        < +CMGF: 0
        < OK
        < OK"#,
        &expect![[r#"
            write "AT+CMGS=3\r"
            timed out AT+CMGS=3 waiting for Prompt
            write "\u{1b}"
            write "AT+CMEE?\r"
            write "\u{1b}"
            write "\u{1b}\r"
            write "ATQ0V1+CMGF?\r"
            write "AT\r"
            completed AT [] OK
        "#]],
    );
}

#[test]
fn a_message_without_an_answer_is_known_to_have_been_handed_over() {
    check(
        r#"
        > AT+CMGS=3
        raw "\r\n> "
        wait 5000
        < +CMS ERROR: 500
        > AT+CMGS=4
        < +CMS ERROR: 304
        > AT+CMGS=5
        raw "> "
        wait 120000"#,
        &expect![[r#"
            write "AT+CMGS=3\r"
            write "0001AABB\u{1a}"
            completed AT+CMGS=3 [] +CMS ERROR: 500
            write "AT+CMGS=4\r"
            completed AT+CMGS=4 [] +CMS ERROR: 304
            write "AT+CMGS=5\r"
            write "0001AABB\u{1a}"
            timed out AT+CMGS=5 waiting for Answer
            write "AT+CMEE?\r"
        "#]],
    );
}

#[test]
fn a_silent_port_is_lost_after_three_markers_and_tried_again_by_the_next_request() {
    check(
        "
        > AT
        > AT+CSQ
        wait 5000
        wait 1800
        wait 1800
        wait 1800
        < RDY
        > AT+CSQ
        < +CRC: 0
        < OK",
        &expect![[r#"
            write "AT\r"
            timed out AT waiting for Answer
            write "AT+CMEE?\r"
            write "ATQ0V1+CMGF?\r"
            write "AT+CSCS?\r"
            not sent AT+CSQ
            lost
            urc RDY
            write "AT+CRC?\r"
            write "AT+CSQ\r"
        "#]],
    );
}

#[test]
fn the_late_answer_to_an_older_marker_is_not_that_to_the_last() {
    let silence = "
        > AT
        wait 5000
        wait 1800
        wait 1800
        wait 1800
        > AT+CSQ
        wait 1800";
    let all_is_answered = format!(
        "{silence}
        < OK
        < +CMEE: 1
        < OK
        < +CMGF: 0
        < OK
        < +CSCS: \"GSM\"
        < OK
        < +CRC: 0
        < OK
        < +CMEE: 1
        < OK
        < +CSQ: 21,99
        < OK"
    );
    let one_is_answered = format!(
        "{silence}
        < +CMEE: 1
        < OK
        wait 500
        < +CSQ: 21,99
        < OK"
    );
    let want = expect![[r#"
        write "AT\r"
        timed out AT waiting for Answer
        write "AT+CMEE?\r"
        write "ATQ0V1+CMGF?\r"
        write "AT+CSCS?\r"
        lost
        write "AT+CRC?\r"
        write "ATQ0V1+CMEE?\r"
        write "AT+CSQ\r"
        completed AT+CSQ ["+CSQ: 21,99"] OK
    "#]];
    check(&all_is_answered, &want);
    check(&one_is_answered, &want);
}

#[test]
fn call_control_overtakes_what_waits() {
    check(
        "
        > AT
        > AT+CSQ
        > AT+CREG?
        > ATA
        < OK
        < OK
        < OK",
        &expect![[r#"
            write "AT\r"
            completed AT [] OK
            write "ATA\r"
            completed ATA [] OK
            write "AT+CREG?\r"
            completed AT+CREG? [] OK
            write "AT+CSQ\r"
        "#]],
    );
}

#[test]
fn a_ussd_text_that_spans_lines_is_one_code() {
    check(
        "
        < +CUSD: 1,\"1. Balance
        < 2. Offers\",15
        < RING
        > AT
        < +CUSD: 0,\"cut off
        < OK",
        &expect![[r#"
            urc +CUSD: 1,"1. Balance
            2. Offers",15
            urc RING
            write "AT\r"
            urc +CUSD: 0,"cut off
            completed AT [] OK
        "#]],
    );
}

#[test]
fn a_ussd_text_may_say_what_looks_like_an_echo() {
    check(
        "
        > AT+CSQ
        < AT+CSQ
        < +CUSD: 1,\"Offers:
        < AT&T Roaming
        < ATHENES, 5 EUR
        < AT+CSQ
        < AT\",15
        < +CSQ: 9,99
        < OK",
        &expect![[r#"
            write "AT+CSQ\r"
            urc +CUSD: 1,"Offers:
            AT&T Roaming
            ATHENES, 5 EUR
            AT+CSQ
            AT",15
            completed AT+CSQ ["+CSQ: 9,99"] OK
        "#]],
    );
}

#[test]
fn the_queue_is_bounded() {
    let now = Instant::now();
    let mut channel = Channel::new();
    for _ in 0..=at::QUEUE_BOUND {
        assert_eq!(channel.submit(request("AT"), now), Ok(()));
    }
    assert_eq!(channel.submit(request("AT"), now), Err(at::QueueFull));
}

fn request(text: &str) -> Request<String> {
    let request = Request::new(text.to_owned(), text);
    match text {
        "AT+CSQ" => request.prefix("+CSQ:").priority(Priority::Background),
        "AT+COPS?" => request.prefix("+COPS:"),
        "AT+CREG?" => request.prefix("+CREG:"),
        "AT+CGMI" => request.answer_of(Answer::AnyLine),
        "ATA" => request.call_control().priority(Priority::Urgent),
        _ if text.starts_with("ATD") => request.call_control(),
        _ if text.starts_with("AT+CMGR") => request.answer_of(Answer::Pdus("+CMGR:")),
        _ if text.starts_with("AT+CMGS") => {
            request.prefix("+CMGS:").payload("0001AABB".to_owned()).timeout(Duration::from_secs(120))
        }
        _ => request,
    }
}

fn drain(channel: &mut Channel<String>, transcript: &mut String) {
    while let Some(output) = channel.poll_output() {
        let line = match output {
            Output::Write(bytes) => format!("write {:?}", String::from_utf8_lossy(&bytes)),
            Output::Completed { token, lines, result } => format!("completed {token} {lines:?} {result}"),
            Output::TimedOut { token, waiting_for } => format!("timed out {token} waiting for {waiting_for:?}"),
            Output::NotSent { token } => format!("not sent {token}"),
            Output::Unsolicited(Urc::Line(line)) => format!("urc {line}"),
            Output::Unsolicited(Urc::WithPdu { header, pdu }) => format!("urc {header} with {pdu:?}"),
            Output::Lost => "lost".to_owned(),
        };
        writeln!(transcript, "{line}").expect("a String takes everything");
    }
}

fn run(script: &str) -> String {
    let mut now = Instant::now();
    let mut channel = Channel::new();
    let mut transcript = String::new();
    for step in script.lines().map(str::trim).filter(|step| !step.is_empty()) {
        match step.split_once(' ').expect("a step has a verb and a value") {
            (">", text) => channel.submit(request(text), now).expect("the script is shorter than the queue"),
            ("<", line) => channel.handle_bytes(format!("\r\n{line}\r\n").as_bytes(), now),
            ("raw", text) => channel.handle_bytes(unescape(text).as_bytes(), now),
            ("wait", millis) => {
                now += Duration::from_millis(millis.parse().expect("milliseconds"));
                channel.handle_timeout(now);
            }
            _ => panic!("unknown step: {step}"),
        }
        drain(&mut channel, &mut transcript);
    }
    transcript
}

fn unescape(text: &str) -> String {
    text.trim_matches('"').replace("\\r", "\r").replace("\\n", "\n").replace("\\u{1a}", "\u{1a}")
}

fn check(script: &str, want: &Expect) {
    want.assert_eq(&run(script));
}

/// What a modem may say, whole and broken.
fn modem_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\r\nOK\r\n".to_vec()),
        Just(b"\r\nERROR\r\n".to_vec()),
        Just(b"\r\n> ".to_vec()),
        Just(b"AT+CSQ\r".to_vec()),
        Just(b"\r\n+CSQ: 21,99\r\n".to_vec()),
        Just(b"\r\n+CMEE: 1\r\n".to_vec()),
        Just(b"\r\n+CDS: 3\r\n".to_vec()),
        Just(b"\r\n0006AABB\r\n".to_vec()),
        Just(b"\r\n+CUSD: 0,\"a\r\nb\",15\r\n".to_vec()),
        Just(b"\r\nNO CARRIER\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..20),
    ];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn splitting_the_bytes_changes_nothing(bytes in modem_bytes(), cuts in proptest::collection::vec(1usize..9, 1..20)) {
        let now = Instant::now();
        let transcripts = [usize::MAX, 1, 0].map(|size| {
            let mut channel = Channel::new();
            let mut transcript = String::new();
            for text in ["AT+CMGS=3", "AT+CSQ", "AT+CMGR=3", "ATA"] {
                channel.submit(request(text), now).expect("fewer than the bound");
            }
            let mut rest = bytes.as_slice();
            let mut cuts = cuts.iter().cycle();
            while !rest.is_empty() {
                let wanted = if size == 0 { cuts.next().copied().unwrap_or(1) } else { size };
                let (piece, tail) = rest.split_at(wanted.min(rest.len()));
                channel.handle_bytes(piece, now);
                drain(&mut channel, &mut transcript);
                rest = tail;
            }
            transcript
        });
        prop_assert_eq!(&transcripts[0], &transcripts[1]);
        prop_assert_eq!(&transcripts[0], &transcripts[2]);
    }

    #[test]
    fn every_command_ends_exactly_once(chunks in proptest::collection::vec((modem_bytes(), 0u64..7000), 0..20)) {
        let mut now = Instant::now();
        let mut channel = Channel::new();
        let mut transcript = String::new();
        for text in ["AT+CMGS=3", "AT+CSQ", "AT+CMGR=3", "ATA"] {
            channel.submit(request(text), now).expect("fewer than the bound");
        }
        for (bytes, pause) in chunks {
            channel.handle_bytes(&bytes, now);
            drain(&mut channel, &mut transcript);
            now += Duration::from_millis(pause);
            channel.handle_timeout(now);
            drain(&mut channel, &mut transcript);
        }
        while let Some(deadline) = channel.poll_timeout() {
            now = deadline;
            channel.handle_timeout(now);
            drain(&mut channel, &mut transcript);
        }
        for text in ["AT+CMGS=3", "AT+CSQ", "AT+CMGR=3", "ATA"] {
            let ends = transcript.lines().filter(|line| {
                [format!("completed {text} "), format!("timed out {text} "), format!("not sent {text}")]
                    .iter().any(|end| line.starts_with(end.as_str()))
            });
            prop_assert_eq!(ends.count(), 1, "{}: {}", text, transcript);
        }
    }
}
