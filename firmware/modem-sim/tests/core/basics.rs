//! Start, identity, result formats, PIN, registration.

use expect_test::expect;
use modem_sim::core::{Personality, SimModem};

use crate::bench::{Bench, check, epoch, profile};

#[test]
fn a_boot_is_silent_first_and_then_announces_itself() {
    for (personality, want) in [
        (
            "ec25",
            expect![[r#"
            if2 \r\nRDY\r\n
            if2 \r\n+CFUN: 1\r\n
            if2 \r\n+CPIN: READY\r\n
            if2 \r\n+QUSIM: 1\r\n
            if2 \r\n+QIND: SMS DONE\r\n
            if2 \r\n+QIND: PB DONE\r\n
            if2 AT\r\r\nOK\r\n
        "#]],
        ),
        (
            "sim7600",
            expect![[r#"
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
        ),
    ] {
        let now = epoch();
        let modem = SimModem::new(Personality::named(personality).unwrap(), profile(), now);
        let mut bench = Bench { modem, now, transcript: String::new(), frames: (0, 0), samples: Vec::new() };
        bench.step("> AT");
        bench.step("wait 3000");
        bench.step("> AT");
        want.assert_eq(&bench.transcript);
    }
}

#[test]
fn each_family_identifies_itself() {
    check(
        "ec25",
        "> ATE0\n> ATI\n> AT+CGMR\n> AT+CGSN\n> AT+CIMI\n> AT+QCCID\n> AT+CNUM",
        &expect![[r#"
        if2 ATE0\r\r\nOK\r\n
        if2 \r\nQuectel\r\nEC25\r\nRevision: EC25EFAR06A04M4G\r\n\r\nOK\r\n
        if2 \r\nEC25EFAR06A04M4G\r\n\r\nOK\r\n
        if2 \r\n867543030012018\r\n\r\nOK\r\n
        if2 \r\n208150000012345\r\n\r\nOK\r\n
        if2 \r\n+QCCID: 8933150319080012345\r\n\r\nOK\r\n
        if2 \r\n+CNUM: \"\",\"+33612000001\",145\r\n\r\nOK\r\n
    "#]],
    );
    check(
        "sim7600",
        "> ATE0\n> ATI\n> AT+CGMR\n> AT+CGSN\n> AT+CICCID\n> AT+CSPN?",
        &expect![[r#"
        if2 ATE0\r\r\nOK\r\n
        if2 \r\nManufacturer: SIMCOM INCORPORATED\r\nModel: SIMCOM_SIM7600G-H\r\nRevision: LE20B04SIM7600G22\r\nIMEI: 867543030012018\r\n+GCAP: +CGSM\r\n\r\nOK\r\n
        if2 \r\n+CGMR: LE20B04SIM7600G22\r\n\r\nOK\r\n
        if2 \r\n867543030012018\r\n\r\nOK\r\n
        if2 \r\n+ICCID: 8933150319080012345\r\n\r\nOK\r\n
        if2 \r\n+CSPN: \"Orange F\",0\r\n\r\nOK\r\n
    "#]],
    );
}

#[test]
fn ports_have_their_own_echo_and_error_format() {
    check(
        "ec25",
        "> ATE0\n> AT+CMEE=0\n3> AT+NONSENSE\n3> AT+CPIN=\"0000\"\n> AT+CPIN=\"0000\"",
        &expect![[r#"
        if2 ATE0\r\r\nOK\r\n
        if2 \r\nOK\r\n
        if3 AT+NONSENSE\r\r\nERROR\r\n
        if3 AT+CPIN=\"0000\"\r\r\n+CME ERROR: 3\r\n
        if2 \r\nERROR\r\n
    "#]],
    );
}

#[test]
fn commands_are_joined_by_semicolons_and_repeated() {
    check(
        "ec25",
        "> ATE0\n> AT+QSPN;+QNWINFO\n> AT+CSQ;+NONSENSE;+CREG?\nraw A/\n> ATV0\n> AT\n> AT+NONSENSE",
        &expect![[r#"
        if2 ATE0\r\r\nOK\r\n
        if2 \r\n+QSPN: \"Orange F\",\"Orange F\",\"Orange F\",0,\"20801\"\r\n\r\n+QNWINFO: \"FDD LTE\",\"20801\",\"LTE BAND 3\",1650\r\n\r\nOK\r\n
        if2 \r\n+CSQ: 21,99\r\n\r\nERROR\r\n
        if2 \r\n+CSQ: 21,99\r\n\r\nERROR\r\n
        if2 0\r
        if2 0\r
        if2 4\r
    "#]],
    );
}

#[test]
fn a_wrong_pin_counts_down_to_the_puk() {
    check(
        "ec25",
        r#"
        > ATE0
        > AT+CLCK="SC",1,"1234"
        net {"do":"reset"}
        wait 6000
        > ATE0
        > AT+CPIN?
        > AT+CIMI
        > AT+QPINC?
        > AT+CPIN="0000"
        > AT+CPIN="0000"
        > AT+QPINC="SC"
        > AT+CPIN="0000"
        > AT+CPIN?
        > AT+CPIN="12345678","4321"
        wait 1000
        > AT+CPIN?
        > AT+CREG?"#,
        &expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\nOK\r\n
            Unplug
            Replug
            if2 \r\nRDY\r\n
            if2 \r\n+CFUN: 1\r\n
            if2 \r\n+CPIN: SIM PIN\r\n
            if2 ATE0\r\r\nOK\r\n
            if2 \r\n+CPIN: SIM PIN\r\n\r\nOK\r\n
            if2 \r\n+CME ERROR: 11\r\n
            if2 \r\n+QPINC: \"SC\",3,10\r\n+QPINC: \"P2\",3,10\r\n\r\nOK\r\n
            if2 \r\n+CME ERROR: 16\r\n
            if2 \r\n+CME ERROR: 16\r\n
            if2 \r\n+QPINC: \"SC\",1,10\r\n\r\nOK\r\n
            if2 \r\n+CME ERROR: 12\r\n
            if2 \r\n+CPIN: SIM PUK\r\n\r\nOK\r\n
            if2 \r\nOK\r\n
            if2 \r\n+CPIN: READY\r\n
            if2 \r\n+QUSIM: 1\r\n
            if2 \r\n+QIND: SMS DONE\r\n
            if2 \r\n+QIND: PB DONE\r\n
            if2 \r\n+CPIN: READY\r\n\r\nOK\r\n
            if2 \r\n+CREG: 0,1\r\n\r\nOK\r\n
        "#]],
    );
}

#[test]
fn urcs_wait_for_the_end_of_a_prompt_and_of_a_line_being_typed() {
    check(
        "ec25",
        r#"
        > ATE0
        > AT+CMGS=23
        net {"do":"urc","text":"+CREG: 1"}
        raw \x1b
        raw AT+C
        net {"do":"urc","text":"+CREG: 2"}
        raw SQ\r
        raw AT+C
        net {"do":"urc","text":"+CREG: 3"}
        wait 300"#,
        &expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\n> 
            if2 \r\nOK\r\n\r\n+CREG: 1\r\n
            if2 \r\n+CSQ: 21,99\r\n\r\nOK\r\n\r\n+CREG: 2\r\n
            if2 \r\n+CREG: 3\r\n
        "#]],
    );
}

#[test]
fn a_voice_only_over_lte_subscription_registers_in_one_domain() {
    check(
        "ec25",
        r#"
        > ATE0
        > AT+CREG=2;+CEREG=2
        net {"do":"register","stat":3,"eps_stat":1}
        > AT+CREG?;+CEREG?;+COPS?
        net {"do":"register","stat":3}
        > AT+COPS?
        > ATD0612;
        > ATD112;
        wait 0
        > ATH"#,
        &expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\nOK\r\n
            if2 \r\n+CREG: 3\r\n
            if2 \r\n+CREG: 2,3\r\n\r\n+CEREG: 2,1,\"1A2B\",\"01C3D4E5\",7\r\n\r\n+COPS: 0,0,\"Orange F\",7\r\n\r\nOK\r\n
            if2 \r\n+CEREG: 3\r\n
            if2 \r\n+COPS: 0\r\n\r\nOK\r\n
            if2 \r\nNO CARRIER\r\n
            if2 \r\nOK\r\n
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Dialing, cause: None, .. })
            CallChanged(CallReport { index: 1, is_outgoing: true, state: Released, cause: Some(16), .. })
            if2 \r\nOK\r\n
        "#]],
    );
}
