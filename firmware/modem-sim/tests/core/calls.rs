//! Calls and voice.

use expect_test::expect;

use crate::bench::check;

#[test]
fn an_outgoing_call_is_answered_and_ended_by_the_far_end() {
    check(
        "ec25",
        r#"
        > ATE0
        > AT+QINDCFG="ccinfo",1;^DSCI=1;+QPCMV=1,0
        > ATD+33612345678;
        wait 1310
        > AT+CLCC
        > AT+VTS="5"
        wait 40
        > AT+QTONEDET=1
        net {"do":"dtmf","digits":"7"}
        wait 0
        net {"do":"hangup"}
        > AT+CEER"#,
        &expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\nOK\r\n
            if2 \r\nOK\r\n
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Dialing, cause: None, .. })
            if2 \r\n^DSCI: 1,0,2,0,+33612345678,145\r\n\r\n+QIND: \"ccinfo\",1,0,2,0,0,\"+33612345678\",145\r\n
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Alerting, cause: None, .. })
            if2 \r\n^DSCI: 1,0,7,0,+33612345678,145\r\n\r\n+QIND: \"ccinfo\",1,0,3,0,0,\"+33612345678\",145\r\n
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Active, cause: None, .. })
            if2 \r\n^DSCI: 1,0,3,0,+33612345678,145\r\n\r\n+QIND: \"ccinfo\",1,0,0,0,0,\"+33612345678\",145\r\n
            if2 \r\n+CLCC: 1,0,0,0,0,\"+33612345678\",145\r\n\r\nOK\r\n
            DigitSent('5')
            if2 \r\nOK\r\n
            2 frames of 320 bytes
            if2 \r\nOK\r\n
            if2 \r\n+QTONEDET: 55\r\n
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Released, cause: Some(16), .. })
            if2 \r\n^DSCI: 1,0,6,0,+33612345678,145\r\n\r\n+QIND: \"ccinfo\",1,0,-1,0,0,\"+33612345678\",145\r\n\r\nNO CARRIER\r\n
            if2 \r\n+CEER: Normal call clearing\r\n\r\nOK\r\n
        "#]],
    );
    check(
        "sim7600",
        r#"
        > ATE0
        > AT+CLCC=1;+DDET=1
        > AT+CPCMREG=1
        > ATD0612345678;
        wait 1310
        > AT+CPCMREG=1
        wait 41000
        net {"do":"dtmf","digits":"7"}
        wait 0
        net {"do":"hangup"}"#,
        &expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\nOK\r\n
            if2 \r\nERROR\r\n
            if2 \r\nOK\r\n
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Dialing, cause: None, .. })
            if2 \r\n+CLCC: 1,0,2,0,0,\"0612345678\",129\r\n
            if3 \r\n+CLCC: 1,0,2,0,0,\"0612345678\",129\r\n
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Alerting, cause: None, .. })
            if2 \r\n+CLCC: 1,0,3,0,0,\"0612345678\",129\r\n
            if3 \r\n+CLCC: 1,0,3,0,0,\"0612345678\",129\r\n
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Active, cause: None, .. })
            if2 \r\n+CLCC: 1,0,0,0,0,\"0612345678\",129\r\n
            if3 \r\n+CLCC: 1,0,0,0,0,\"0612345678\",129\r\n
            if2 \r\nVOICE CALL: BEGIN\r\n
            if3 \r\nVOICE CALL: BEGIN\r\n
            if2 \r\nOK\r\n
            2050 frames of 320 bytes
            if2 \r\n+RXDTMF: 7\r\n
            if3 \r\n+RXDTMF: 7\r\n
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Released, cause: Some(16), .. })
            if2 \r\n+CLCC: 1,0,6,0,0,\"0612345678\",129\r\n
            if3 \r\n+CLCC: 1,0,6,0,0,\"0612345678\",129\r\n
            if2 \r\nVOICE CALL: END: 000041\r\n
            if3 \r\nVOICE CALL: END: 000041\r\n
            if2 \r\nNO CARRIER\r\n
            if3 \r\nNO CARRIER\r\n
        "#]],
    );
}

#[test]
fn outcomes_of_calls_differ() {
    for (outcome, want) in [
        (
            "busy",
            expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\nOK\r\n
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Dialing, cause: None, .. })
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Alerting, cause: None, .. })
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Released, cause: Some(17), .. })
            if2 \r\nBUSY\r\n
            if2 \r\n+CEER: User busy\r\n\r\nOK\r\n
        "#]],
        ),
        (
            "no-answer",
            expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\nOK\r\n
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Dialing, cause: None, .. })
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Alerting, cause: None, .. })
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Released, cause: Some(19), .. })
            if2 \r\nNO ANSWER\r\n
            if2 \r\n+CEER: User alerting, no answer\r\n\r\nOK\r\n
        "#]],
        ),
        (
            "congestion",
            expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\nOK\r\n
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Dialing, cause: None, .. })
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Released, cause: Some(34), .. })
            if2 \r\nNO CARRIER\r\n
            if2 \r\n+CEER: No circuit/channel available\r\n\r\nOK\r\n
        "#]],
        ),
    ] {
        let plan = format!(r#"net {{"do":"plan","outcome":"{outcome}","ring_ms":500}}"#);
        check("ec25", &format!("> ATE0\n{plan}\n> ATD0612345678;\nwait 2000\n> AT+CLCC;+CEER"), &want);
    }
}

#[test]
fn an_incoming_call_rings_and_a_second_one_waits() {
    check(
        "ec25",
        r#"
        > ATE0
        > AT+CLIP=1;+CCWA=1,1;+CRC=1
        net {"do":"call","from":"+33612345678"}
        wait 5000
        > ATA
        net {"do":"call"}
        > AT+CLCC
        > AT+CHLD=2
        > AT+CLCC
        > AT+CHLD=1
        > AT+CHUP
        > AT+CLCC
        > ATA"#,
        &expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\nOK\r\n
            CallChanged(CallReport { index: 1, is_outgoing: false, state: Incoming, cause: None, .. })
            if2 \r\n+CRING: VOICE\r\n\r\n+CLIP: \"+33612345678\",145,,,,0\r\n
            if2 \r\n+CRING: VOICE\r\n\r\n+CLIP: \"+33612345678\",145,,,,0\r\n
            CallChanged(CallReport { index: 1, is_outgoing: false, state: Active, cause: None, .. })
            if2 \r\nOK\r\n
            CallChanged(CallReport { index: 2, is_outgoing: false, state: Waiting, cause: None, .. })
            if2 \r\n+CCWA: \"\",128,1\r\n
            if2 \r\n+CLCC: 1,1,0,0,0,\"+33612345678\",145\r\n+CLCC: 2,1,5,0,0,\"\",128\r\n\r\nOK\r\n
            CallChanged(CallReport { index: 1, is_outgoing: false, state: Held, cause: None, .. })
            CallChanged(CallReport { index: 2, is_outgoing: false, state: Active, cause: None, .. })
            if2 \r\nOK\r\n
            if2 \r\n+CLCC: 1,1,1,0,0,\"+33612345678\",145\r\n+CLCC: 2,1,0,0,0,\"\",128\r\n\r\nOK\r\n
            CallChanged(CallReport { index: 2, is_outgoing: false, state: Released, cause: Some(16), .. })
            CallChanged(CallReport { index: 1, is_outgoing: false, state: Active, cause: None, .. })
            if2 \r\nOK\r\n
            CallChanged(CallReport { index: 1, is_outgoing: false, state: Released, cause: Some(16), .. })
            if2 \r\nOK\r\n
            if2 \r\nOK\r\n
            if2 \r\nNO CARRIER\r\n
        "#]],
    );
}

#[test]
fn a_caller_who_gives_up_leaves_a_missed_call() {
    check(
        "sim7600",
        "> ATE0\n> AT+CLIP=1\nnet {\"do\":\"call\",\"give_up_ms\":3000}\nwait 4000\n> ATA",
        &expect![[r#"
        if2 ATE0\r\r\nOK\r\n
        if2 \r\nOK\r\n
        CallChanged(CallReport { index: 1, is_outgoing: false, state: Incoming, cause: None, .. })
        if2 \r\nRING\r\n
        if3 \r\nRING\r\n
        if2 \r\n+CLIP: \"\",128,,,,1\r\n
        if3 \r\n+CLIP: \"\",128,,,,1\r\n
        CallChanged(CallReport { index: 1, is_outgoing: false, state: Released, cause: Some(16), .. })
        if2 \r\nMISSED_CALL: 12:00PM \r\n
        if3 \r\nMISSED_CALL: 12:00PM \r\n
        if2 \r\nNO CARRIER\r\n
        if3 \r\nNO CARRIER\r\n
        if2 \r\nNO CARRIER\r\n
    "#]],
    );
}

#[test]
fn a_call_may_skip_alerting_stick_or_need_ims() {
    check(
        "ec25",
        r#"
        > ATE0
        net {"do":"plan","outcome":"answer","ring_ms":0,"once":true}
        > ATD0612;
        wait 400
        > ATH
        net {"do":"plan","outcome":"stuck","once":true}
        > ATD0613;
        wait 90000
        > ATH
        net {"do":"register","stat":3,"eps_stat":1}
        net {"do":"ims","registered":false}
        > AT+QCFG="ims"
        > ATD0614;
        net {"do":"ims","registered":true}
        > ATD0615;
        > ATH"#,
        &expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\nOK\r\n
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Dialing, cause: None, .. })
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Active, cause: None, .. })
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Released, cause: Some(16), .. })
            if2 \r\nOK\r\n
            if2 \r\nOK\r\n
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Dialing, cause: None, .. })
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Released, cause: Some(16), .. })
            if2 \r\nOK\r\n
            if2 \r\n+QCFG: \"ims\",1,0\r\n\r\nOK\r\n
            if2 \r\nNO CARRIER\r\n
            if2 \r\nOK\r\n
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Released, cause: Some(16), .. })
            if2 \r\nOK\r\n
        "#]],
    );
}
