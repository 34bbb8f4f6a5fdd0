//! Quirk profiles and faults.

use expect_test::expect;
use modem_sim::core::Output;

use crate::bench::{Bench, check};

#[test]
fn quirk_profiles_differ_from_their_family() {
    let fresh = r#"> ATE0
        net {"do":"urc","text":"RING"}
        > AT+QURCCFG="urcport","usbat"
        net {"do":"urc","text":"RING"}"#;
    check(
        "ec25-fresh",
        fresh,
        &expect![[r#"
        if2 ATE0\r\r\nOK\r\n
        if3 \r\nRING\r\n
        if2 \r\nOK\r\n
        if2 \r\nRING\r\n
    "#]],
    );
    let call = "> ATE0\n> AT+QINDCFG=\"ccinfo\",1\n> ATD0612;\nwait 400\n> AT+QHUP=16,1\n> AT+CLCC";
    check(
        "ep06-no-ccinfo",
        call,
        &expect![[r#"
        if2 ATE0\r\r\nOK\r\n
        if2 \r\nOK\r\n
        if2 \r\nOK\r\n
        CallChanged(CallReport { index: 1, is_outgoing: true, state: Dialing, cause: None, .. })
        CallChanged(CallReport { index: 1, is_outgoing: true, state: Alerting, cause: None, .. })
        CallChanged(CallReport { index: 1, is_outgoing: true, state: Released, cause: Some(16), .. })
        if2 \r\nOK\r\n
    "#]],
    );
    let refused = "> ATE0\nnet {\"do\":\"plan\",\"outcome\":\"reject\"}\n> ATD0612;\nwait 3000\n> AT+CLCC";
    check(
        "a7672-false-answer",
        refused,
        &expect![[r#"
        if2 ATE0\r\r\nOK\r\n
        if2 \r\nOK\r\n
        CallChanged(CallReport { index: 1, is_outgoing: true, state: Dialing, cause: None, .. })
        CallChanged(CallReport { index: 1, is_outgoing: true, state: Alerting, cause: None, .. })
        CallChanged(CallReport { index: 1, is_outgoing: true, state: Active, cause: None, .. })
        if2 \r\nVOICE CALL: BEGIN\r\n
        if3 \r\nVOICE CALL: BEGIN\r\n
        if2 \r\n+CLCC: 1,0,0,0,0,\"0612\",129\r\n\r\nOK\r\n
    "#]],
    );
    let wide = "> ATE0\n> ATD0612;\nwait 1310\n> AT+CPCMREG=1\nwait 20\n> AT+CPCMREG=0;+CPCMBANDWIDTH=1,1\n> AT+CPCMREG=1\nwait 20";
    check(
        "sim7600-volte16k",
        wide,
        &expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\nOK\r\n
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Dialing, cause: None, .. })
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Alerting, cause: None, .. })
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Active, cause: None, .. })
            if2 \r\nVOICE CALL: BEGIN\r\n
            if3 \r\nVOICE CALL: BEGIN\r\n
            if2 \r\nOK\r\n
            1 frames of 640 bytes
            if2 \r\nOK\r\n
            if2 \r\nOK\r\n
            1 frames of 320 bytes
            end
        "#]],
    );
    let twice =
        "> ATE0\n> ATD0612;\nwait 1310\n> AT+CPCMREG=1\n> AT+CHUP\n> ATD0612;\nwait 1310\n> AT+CPCMREG=1\n> AT+CHUP";
    check(
        "sim7600-le20b04",
        twice,
        &expect![[r#"
        if2 ATE0\r\r\nOK\r\n
        if2 \r\nOK\r\n
        CallChanged(CallReport { index: 1, is_outgoing: true, state: Dialing, cause: None, .. })
        CallChanged(CallReport { index: 1, is_outgoing: true, state: Alerting, cause: None, .. })
        CallChanged(CallReport { index: 1, is_outgoing: true, state: Active, cause: None, .. })
        if2 \r\nVOICE CALL: BEGIN\r\n
        if3 \r\nVOICE CALL: BEGIN\r\n
        if2 \r\nOK\r\n
        CallChanged(CallReport { index: 1, is_outgoing: true, state: Released, cause: Some(16), .. })
        if2 \r\nVOICE CALL:END: 000000\r\n
        if3 \r\nVOICE CALL:END: 000000\r\n
        if2 \r\nOK\r\n
        if2 \r\nOK\r\n
        CallChanged(CallReport { index: 1, is_outgoing: true, state: Dialing, cause: None, .. })
        CallChanged(CallReport { index: 1, is_outgoing: true, state: Alerting, cause: None, .. })
        CallChanged(CallReport { index: 1, is_outgoing: true, state: Active, cause: None, .. })
        if2 \r\nVOICE CALL: BEGIN\r\n
        if3 \r\nVOICE CALL: BEGIN\r\n
        if2 \r\nERROR\r\n
        CallChanged(CallReport { index: 1, is_outgoing: true, state: Released, cause: Some(16), .. })
        if2 \r\nVOICE CALL:END: 000000\r\n
        if3 \r\nVOICE CALL:END: 000000\r\n
        if2 \r\nOK\r\n
    "#]],
    );
    let silent = "> ATE0\n> AT+QPCMV=1,0\n> ATD0612;\nwait 3000";
    check(
        "ec25-uac-only",
        silent,
        &expect![[r#"
        if2 ATE0\r\r\nOK\r\n
        if2 \r\nOK\r\n
        if2 \r\nOK\r\n
        CallChanged(CallReport { index: 1, is_outgoing: true, state: Dialing, cause: None, .. })
        CallChanged(CallReport { index: 1, is_outgoing: true, state: Alerting, cause: None, .. })
        CallChanged(CallReport { index: 1, is_outgoing: true, state: Active, cause: None, .. })
    "#]],
    );
}

#[test]
fn faults_disturb_the_dialogue() {
    for (fault, script, want) in [
        (
            r#""fault":"urc-before-answer","urc":"+CREG: 1","count":1"#,
            "> AT+CSQ\n> AT",
            expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\n+CREG: 1\r\n\r\n+CSQ: 21,99\r\n\r\nOK\r\n
            if2 \r\nOK\r\n
        "#]],
        ),
        (
            r#""fault":"silence","commands":2"#,
            "> AT\n> AT\n> AT",
            expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\nOK\r\n
        "#]],
        ),
        (
            r#""fault":"late-answer","delay_ms":6000,"count":1"#,
            "> AT+CSQ\nwait 5000\n> AT+CREG?\nwait 1000",
            expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\n+CSQ: 21,99\r\n\r\nOK\r\n\r\n+CREG: 0,1\r\n\r\nOK\r\n
        "#]],
        ),
        (
            r#""fault":"index-minus-one","count":1"#,
            "net {\"do\":\"sms\",\"from\":\"1\",\"text\":\"a\"}",
            expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\n+CMTI: \"ME\",-1\r\n
        "#]],
        ),
        (
            r#""fault":"no-prompt","count":1"#,
            "> AT+CMGS=23\nwait 9000\nraw \\x1b\n> AT",
            expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\nOK\r\n
            if2 \r\nOK\r\n
        "#]],
        ),
        (
            r#""fault":"error","command":"+CSQ","kind":"cme","code":14,"count":1"#,
            "> AT+CSQ\n> AT+CSQ",
            expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\n+CME ERROR: 14\r\n
            if2 \r\n+CSQ: 21,99\r\n\r\nOK\r\n
        "#]],
        ),
        (
            r#""fault":"garbage-at-boot""#,
            "net {\"do\":\"reset\"}\nwait 3000",
            expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            Unplug
            Replug
            if2 \x00\xff\xfe\x80+CS\x00\rO\n\xff\x1a
            if3 \x00\xff\xfe\x80+CS\x00\rO\n\xff\x1a
        "#]],
        ),
        (
            r#""fault":"urc-inside-pair","urc":"RING","count":1"#,
            "> AT+CNMI=2,2\nnet {\"do\":\"sms\",\"from\":\"1\",\"text\":\"a\"}",
            expect![[r#"
                if2 ATE0\r\r\nOK\r\n
                if2 \r\nOK\r\n
                if2 \r\n+CMT: ,15\r\n\r\nRING\r\n07913386094000F0040181F10000621122210030000161\r\n
            "#]],
        ),
        (
            r#""fault":"error","command":"+CMGS","kind":"cms","code":38,"count":1"#,
            "> AT+CMGS=23\nraw 0031000B913396090000F10000A70AE8329BFD4697D9EC37\\x1a",
            expect![[r#"
                if2 ATE0\r\r\nOK\r\n
                if2 \r\n> 
                if2 \r\n+CMS ERROR: 38\r\n
            "#]],
        ),
        (
            r#""fault":"reboot-in-call","after_ms":500"#,
            "> ATD0612;\nwait 2000\nwait 6000",
            expect![[r#"
                if2 ATE0\r\r\nOK\r\n
                if2 \r\nOK\r\n
                CallChanged(CallReport { index: 1, is_outgoing: true, state: Dialing, cause: None, .. })
                CallChanged(CallReport { index: 1, is_outgoing: true, state: Alerting, cause: None, .. })
                CallChanged(CallReport { index: 1, is_outgoing: true, state: Active, cause: None, .. })
                CallChanged(CallReport { index: 1, is_outgoing: true, state: Released, cause: Some(38), .. })
                Unplug
                Replug
                if2 \r\nRDY\r\n
                if2 \r\n+CFUN: 1\r\n
                if2 \r\n+CPIN: READY\r\n
                if2 \r\n+QUSIM: 1\r\n
                if2 \r\n+QIND: SMS DONE\r\n
                if2 \r\n+QIND: PB DONE\r\n
            "#]],
        ),
        (
            r#""fault":"pcm-dead","on":true"#,
            "> AT+QPCMV=1,0\n> ATD0612;\nwait 3000",
            expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\nOK\r\n
            if2 \r\nOK\r\n
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Dialing, cause: None, .. })
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Alerting, cause: None, .. })
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Active, cause: None, .. })
        "#]],
        ),
        (
            r#""fault":"report","outcome":"early""#,
            "> AT+CNMI=2,1,0,1\n> AT+CMGS=23\nraw 0031000B913396090000F10000A70AE8329BFD4697D9EC37\\x1a\nwait 200",
            expect![[r#"
                if2 ATE0\r\r\nOK\r\n
                if2 \r\nOK\r\n
                if2 \r\n> 
                Submitted(Submitted { serial: 1, reference: 0, concat: None, .. })
                if2 \r\n+CDS: 25\r\n07913386094000F006000B913396090000F1621122210030006211222100300000\r\n\r\n+CMGS: 0\r\n\r\nOK\r\n
            "#]],
        ),
        (
            r#""fault":"submit-never-answered","count":1"#,
            "> AT+CMGS=23\nraw 0031000B913396090000F10000A70AE8329BFD4697D9EC37\\x1a\nwait 119000\nwait 2000",
            expect![[r#"
                if2 ATE0\r\r\nOK\r\n
                if2 \r\n> 
                Submitted(Submitted { serial: 1, reference: 0, concat: None, .. })
                if2 \r\n+CMS ERROR: 332\r\n
            "#]],
        ),
        (
            r#""fault":"early-no-carrier","count":1"#,
            "> ATD0612;\nwait 1400\n> AT+CLCC",
            expect![[r#"
                if2 ATE0\r\r\nOK\r\n
                if2 \r\nOK\r\n
                CallChanged(CallReport { index: 1, is_outgoing: true, state: Dialing, cause: None, .. })
                if2 \r\nNO CARRIER\r\n
                CallChanged(CallReport { index: 1, is_outgoing: true, state: Alerting, cause: None, .. })
                CallChanged(CallReport { index: 1, is_outgoing: true, state: Active, cause: None, .. })
                if2 \r\n+CLCC: 1,0,0,0,0,\"0612\",129\r\n\r\nOK\r\n
            "#]],
        ),
        (
            r#""fault":"silent-call-end","count":1"#,
            "> ATD0612;\nwait 1400\nnet {\"do\":\"hangup\"}\n> AT+CLCC",
            expect![[r#"
                if2 ATE0\r\r\nOK\r\n
                if2 \r\nOK\r\n
                CallChanged(CallReport { index: 1, is_outgoing: true, state: Dialing, cause: None, .. })
                CallChanged(CallReport { index: 1, is_outgoing: true, state: Alerting, cause: None, .. })
                CallChanged(CallReport { index: 1, is_outgoing: true, state: Active, cause: None, .. })
                CallChanged(CallReport { index: 1, is_outgoing: true, state: Released, cause: Some(16), .. })
                if2 \r\nOK\r\n
            "#]],
        ),
        (
            r#""fault":"ussd-no-answer","count":1"#,
            "> AT+CUSD=1,\"*100#\",15\nwait 9000",
            expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            UssdAsked("*100#")
            if2 \r\nOK\r\n
        "#]],
        ),
    ] {
        check("ec25", &format!("> ATE0\nnet {{\"do\":\"fault\",{fault}}}\n{script}"), &want);
    }
}

#[test]
fn a_functionality_reset_takes_the_device_off_the_bus() {
    check(
        "sim7600",
        "> ATE0\n> AT+CRESET\nwait 1000\n> AT\nwait 5000\n> AT",
        &expect![[r#"
        if2 ATE0\r\r\nOK\r\n
        if2 \r\nOK\r\n
        Unplug
        Replug
        if2 \r\nRDY\r\n
        if3 \r\nRDY\r\n
        if2 \r\n+CPIN: READY\r\n
        if3 \r\n+CPIN: READY\r\n
        if2 \r\nSMS DONE\r\n
        if3 \r\nSMS DONE\r\n
        if2 \r\nPB DONE\r\n
        if3 \r\nPB DONE\r\n
        if2 AT\r\r\nOK\r\n
    "#]],
    );
}

#[test]
fn split_writes_leave_byte_by_byte() {
    let mut bench = Bench::start("ec25");
    bench.step(r#"net {"do":"fault","fault":"split-writes","on":true}"#);
    bench.host(2, "AT\r");
    let mut sizes = Vec::new();
    while let Some(output) = bench.modem.poll_output() {
        let Output::Write { bytes, .. } = output else { panic!("only writes are expected") };
        sizes.push(bytes.len());
    }
    assert_eq!(sizes, [1; 9]);
}

#[test]
fn misaligned_samples_are_off_by_one_byte() {
    let samples = |fault: &str| {
        let mut bench = Bench::start("ec25");
        for line in ["> AT+QPCMV=1,0", fault, "> ATD0612;", "wait 1340"] {
            bench.step(line);
        }
        bench.samples
    };
    let aligned = samples("wait 0");
    let misaligned = samples(r#"net {"do":"fault","fault":"pcm-misaligned","on":true}"#);
    assert_eq!(aligned.len(), 640);
    assert_eq!(misaligned[1..], aligned[..639]);
}
