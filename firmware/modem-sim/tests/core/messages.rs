//! Short messages and USSD.

use expect_test::expect;

use crate::bench::check;

#[test]
fn a_message_arrives_is_read_and_deleted() {
    check(
        "ec25",
        r#"
        > ATE0
        > AT+CMGF=1
        net {"do":"sms","from":"+33612345678","text":"Salut"}
        > AT+CMGL="REC UNREAD"
        > AT+CMGR=0
        > AT+CMGD=0
        > AT+CMGR=0
        > AT+CPMS?"#,
        &expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\nOK\r\n
            if2 \r\n+CMTI: \"ME\",0\r\n
            if2 \r\n+CMGL: 0,\"REC UNREAD\",\"+33612345678\",,\"26/11/22,12:00:03+00\"\r\nSalut\r\n\r\nOK\r\n
            if2 \r\n+CMGR: \"REC READ\",\"+33612345678\",,\"26/11/22,12:00:03+00\"\r\nSalut\r\n\r\nOK\r\n
            if2 \r\nOK\r\n
            if2 \r\n+CMS ERROR: 321\r\n
            if2 \r\n+CPMS: \"ME\",0,255,\"ME\",0,255,\"ME\",0,255\r\n\r\nOK\r\n
        "#]],
    );
}

#[test]
fn direct_delivery_wants_an_acknowledgement() {
    check(
        "sim7600",
        r#"
        > ATE0
        > AT+CSMS=1;+CNMI=2,2,0,1,0
        net {"do":"sms","from":"Orange","text":"un"}
        net {"do":"sms","from":"Orange","text":"deux"}
        > AT+CNMA
        > AT+CNMA
        > AT+CNMA
        net {"do":"sms","from":"Orange","text":"trois"}
        wait 11000
        > AT+CNMI?"#,
        &expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\n+CSMS: 1,1,1\r\n\r\nOK\r\n
            if2 \r\n+CMT: ,21\r\n07913386094000F0040BD04F79D87D2E03000062112221003000027537\r\n
            if3 \r\n+CMT: ,21\r\n07913386094000F0040BD04F79D87D2E03000062112221003000027537\r\n
            if2 \r\n+CMT: ,23\r\n07913386094000F0040BD04F79D87D2E0300006211222100300004E4721D0F\r\n
            if3 \r\n+CMT: ,23\r\n07913386094000F0040BD04F79D87D2E0300006211222100300004E4721D0F\r\n
            if2 \r\nOK\r\n
            if2 \r\nOK\r\n
            if2 \r\n+CMS ERROR: 340\r\n
            if2 \r\n+CMT: ,24\r\n07913386094000F0040BD04F79D87D2E030000621122210030000574F93B3D07\r\n
            if3 \r\n+CMT: ,24\r\n07913386094000F0040BD04F79D87D2E030000621122210030000574F93B3D07\r\n
            if2 \r\n+CNMI: 2,0,0,0,0\r\n\r\nOK\r\n
        "#]],
    );
}

#[test]
fn a_message_leaves_and_is_reported() {
    check(
        "ec25",
        r#"
        > ATE0
        > AT+CMGF=0;+CNMI=2,1,0,1,0
        > AT+CMGS=23
        raw 0031000B913396090000F10000A70AE8329BFD4697D9EC37\x1a
        wait 100
        wait 1500
        > AT+CMGS=99
        raw 0031000B\x1a
        > AT+CMGS=23
        raw 00\x1b
        > AT"#,
        &expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\nOK\r\n
            if2 \r\n> 
            Submitted(Submitted { serial: 1, reference: 0, concat: None, .. })
            if2 \r\n+CMGS: 0\r\n\r\nOK\r\n
            if2 \r\n+CDS: 25\r\n07913386094000F006000B913396090000F1621122210030006211222100400000\r\n
            if2 \r\n> 
            if2 \r\n+CMS ERROR: 304\r\n
            if2 \r\n> 
            if2 \r\nOK\r\n
            if2 \r\nOK\r\n
        "#]],
    );
}

#[test]
fn a_message_in_text_mode_leaves() {
    check(
        "sim7600",
        r#"
        > ATE0
        > AT+CMGF=1;+CSCS="UCS2"
        > AT+CMGS="002B00330033003600390039"
        raw 00E900E7D83DDE00\x1a
        wait 100"#,
        &expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\nOK\r\n
            if2 \r\n> 
            Submitted(Submitted { serial: 1, reference: 0, concat: None, .. })
            if2 \r\n+CMGS: 0\r\n\r\nOK\r\n
        "#]],
    );
}

#[test]
fn a_full_memory_keeps_messages_in_the_network() {
    check(
        "ec25",
        r#"
        > ATE0
        > AT+QINDCFG="smsfull",1
        net {"do":"fault","fault":"storage-full","memory":"ME","on":true}
        net {"do":"sms","from":"36184","text":"a"}
        > AT+CPMS?
        net {"do":"fault","fault":"storage-full","memory":"ME","on":false}
        > AT+CPMS?"#,
        &expect![[r#"
            if2 ATE0\r\r\nOK\r\n
            if2 \r\nOK\r\n
            if2 \r\n+QIND: \"smsfull\",\"ME\"\r\n
            if2 \r\n+CPMS: \"ME\",255,255,\"ME\",255,255,\"ME\",255,255\r\n\r\nOK\r\n
            if2 \r\n+CMTI: \"ME\",0\r\n
            if2 \r\n+CPMS: \"ME\",1,255,\"ME\",1,255,\"ME\",1,255\r\n\r\nOK\r\n
        "#]],
    );
}

#[test]
fn ussd_answers_later_in_the_character_set() {
    check(
        "ec25",
        r##"
        > ATE0
        > AT+CUSD=1,"#123#",15
        wait 1000
        > AT+CSCS="UCS2"
        > AT+CUSD=1,"0031",15
        wait 1000
        > AT+CUSD=1,"002A00390039",15
        wait 1000"##,
        &expect![[r##"
            if2 ATE0\r\r\nOK\r\n
            UssdAsked("#123#")
            if2 \r\nOK\r\n
            if2 \r\n+CUSD: 1,\"1 Solde\n2 Mon numero\",15\r\n
            if2 \r\nOK\r\n
            UssdAsked("1")
            if2 \r\nOK\r\n
            if2 \r\n+CUSD: 0,\"0053006F006C00640065003A002000310032002C003300340020004500550052\",15\r\n
            UssdAsked("*99")
            if2 \r\nOK\r\n
            if2 \r\n+CUSD: 4\r\n
        "##]],
    );
}
