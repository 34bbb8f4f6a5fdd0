//! From plug to ready.

use super::*;

#[test]
fn an_ec25_is_brought_up() {
    let mut pair = Pair::plug("ec25");
    pair.run(seconds(20));
    check(
        &mut pair,
        &expect![[r#"
        identified Quectel EC25
        SIM Ready
        SIM 8933150319080012345 number known: true
        swept []
        ready
    "#]],
    );
}

#[test]
fn a_sim7600_is_brought_up() {
    let mut pair = Pair::plug("sim7600");
    pair.run(seconds(20));
    check(
        &mut pair,
        &expect![[r#"
        identified SIMCOM INCORPORATED SIMCOM_SIM7600G-H
        SIM Ready
        SIM 8933150319080012345 number known: true
        swept []
        ready
    "#]],
    );
}

#[test]
fn every_personality_becomes_ready() {
    for name in modem_sim::core::Personality::NAMES {
        let mut pair = Pair::plug(name);
        pair.run_until(seconds(40), |event| *event == Event::Ready);
        pair.run_until(seconds(5), |event| matches!(event, Event::Registration { state, .. } if state.is_registered()));
    }
}

#[test]
fn a_pin_is_asked_for_and_entered() {
    for_each(
        &FAMILIES,
        |family| Pair::plug_with(family, Some(SimProfile { pin: Some("1234".to_owned()), ..SimProfile::default() })),
        |pair| {
            pair.run(seconds(10));
            pair.submit(Command::EnterPin { pin: "9999".to_owned(), last_attempt: false });
            pair.run(seconds(10));
            pair.submit(Command::EnterPin { pin: "12".to_owned(), last_attempt: false });
            pair.run(seconds(10));
            pair.submit(Command::EnterPin { pin: "1234".to_owned(), last_attempt: false });
            pair.run(seconds(20));
        },
        &expect![[r#"
            ec25
            identified Quectel EC25
            PIN needed, ICCID known: true, left: Some(3)
            SIM PinWrong { attempts_left: Some(2) }
            PIN needed, ICCID known: true, left: Some(2)
            SIM Ready
            SIM 8933150319080012345 number known: true
            swept []
            ready
            sim7600
            identified SIMCOM INCORPORATED SIMCOM_SIM7600G-H
            PIN needed, ICCID known: true, left: Some(3)
            SIM PinWrong { attempts_left: Some(2) }
            PIN needed, ICCID known: true, left: Some(2)
            SIM Ready
            SIM 8933150319080012345 number known: true
            swept []
            ready
        "#]],
    );
}

#[test]
fn the_last_attempt_is_never_used_without_being_told_to() {
    for_each(
        &FAMILIES,
        |family| Pair::plug_with(family, Some(SimProfile { pin: Some("1234".to_owned()), ..SimProfile::default() })),
        |pair| {
            pair.run(seconds(10));
            for _ in 0..4 {
                pair.submit(Command::EnterPin { pin: "9999".to_owned(), last_attempt: false });
                pair.run(seconds(10));
            }
            assert_eq!(pair.written.matches("AT+CPIN=\"9999\"").count(), 2);
            pair.submit(Command::EnterPin { pin: "9998".to_owned(), last_attempt: true });
            pair.run(seconds(10));
            pair.submit(Command::EnterPuk { puk: "12345678".to_owned(), new_pin: "4321".to_owned() });
            pair.run(seconds(20));
        },
        &expect![[r#"
            ec25
            identified Quectel EC25
            PIN needed, ICCID known: true, left: Some(3)
            SIM PinWrong { attempts_left: Some(2) }
            SIM PinWrong { attempts_left: Some(1) }
            PIN needed, ICCID known: true, left: Some(1)
            PIN needed, ICCID known: true, left: Some(1)
            PUK needed, ICCID known: true, left: Some(10)
            SIM Ready
            SIM 8933150319080012345 number known: true
            swept []
            ready
            sim7600
            identified SIMCOM INCORPORATED SIMCOM_SIM7600G-H
            PIN needed, ICCID known: true, left: Some(3)
            SIM PinWrong { attempts_left: Some(2) }
            SIM PinWrong { attempts_left: Some(1) }
            PIN needed, ICCID known: true, left: Some(1)
            PIN needed, ICCID known: true, left: Some(1)
            PUK needed, ICCID known: true, left: Some(10)
            SIM Ready
            SIM 8933150319080012345 number known: true
            swept []
            ready
        "#]],
    );
}

#[test]
fn a_sim_that_comes_and_goes_is_followed() {
    for_each(
        &FAMILIES,
        |family| {
            let mut pair = Pair::plug(family);
            pair.control(Control::Sim { present: false });
            pair
        },
        |pair| {
            pair.run(seconds(10));
            pair.control(Control::Sim { present: true });
            pair.run(seconds(20));
            pair.control(Control::Sim { present: false });
            pair.run(seconds(20));
        },
        &expect![[r#"
            ec25
            identified Quectel EC25
            SIM Absent
            SIM Ready
            SIM 8933150319080012345 number known: true
            swept []
            ready
            SIM Absent
            sim7600
            identified SIMCOM INCORPORATED SIMCOM_SIM7600G-H
            SIM Absent
            SIM Ready
            SIM 8933150319080012345 number known: true
            swept []
            ready
            SIM Absent
        "#]],
    );
}

#[test]
fn a_fresh_ec25_sends_its_codes_here_once_told_to() {
    let mut pair = Pair::ready("ec25-fresh");
    pair.control(sms("bonjour"));
    pair.run(seconds(1));
    assert_eq!(take_stored(&mut pair).len(), 1);
}

#[test]
fn a_modem_that_takes_long_to_boot_is_waited_for() {
    let mut pair = Pair::plug_slowly("ec25", seconds(11));
    pair.run_until(seconds(25), |event| *event == Event::Ready);
}

#[test]
fn what_is_asked_before_the_line_is_ready_is_refused() {
    let mut pair = Pair::plug("ec25");
    pair.submit(send(1));
    pair.submit(dial());
    pair.submit(Command::Ussd { text: "*100#".to_owned() });
    pair.submit(Command::ClearSlot(StorageSlot { memory: StorageMemory::Me, index: 3 }));
    check(
        &mut pair,
        &expect![[r#"
        failed 1: the modem was not ready: the modem is being set up
        call Ended { cause: OutOfOrder }
        Ussd(Refused("the modem is being set up"))
        SlotNotCleared(StorageSlot { memory: Me, index: 3 })
    "#]],
    );
}

#[test]
fn an_end_without_its_line_is_not_believed() {
    let mut now = std::time::Instant::now();
    let mut machine = modem::Modem::new(modem::ModemConfig::default(), now);
    let (mut questions, mut is_ready) = (0, false);
    for _ in 0..200 {
        let Some(output) = machine.poll_output() else {
            now = machine.poll_timeout().map_or(now, |at| now.max(at));
            machine.handle_timeout(now);
            continue;
        };
        let answer = match &output {
            Output::Event(Event::Sim(SimState::Ready)) => {
                is_ready = true;
                break;
            }
            Output::Event(_) => continue,
            Output::Write(bytes) if bytes == b"AT+CGSN\r" => "490154203237518\r\nOK\r\n".to_owned(),
            Output::Write(bytes) if bytes == b"AT+CPIN?\r" => {
                questions += 1;
                // An end too many puts every answer behind by one.
                let too_many = if questions == 1 { "OK\r\n" } else { "" };
                format!("{too_many}+CPIN: READY\r\nOK\r\n")
            }
            Output::Write(bytes) => {
                let command = String::from_utf8_lossy(bytes);
                let name = command.trim_start_matches("AT").trim_end_matches(['?', '\r']);
                if command.contains('?') { format!("{name}: 0\r\nOK\r\n") } else { "OK\r\n".to_owned() }
            }
        };
        machine.handle_bytes(answer.as_bytes(), now);
    }
    assert!(is_ready, "the SIM is found ready");
    assert!(questions <= 3, "asked {questions} times");
}
