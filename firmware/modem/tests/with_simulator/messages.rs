//! Short messages and USSD.

use super::*;

#[test]
fn a_message_is_read_and_its_slot_is_freed_on_order() {
    for family in FAMILIES {
        let mut pair = Pair::ready(family);
        pair.control(sms("bonjour"));
        pair.run(seconds(1));
        let stored = take_stored(&mut pair);
        assert_eq!(stored.len(), 1, "{family}");
        pair.submit(Command::ClearSlot(stored[0].slot));
        pair.run(seconds(1));
        assert_eq!(pair.events, [Event::SlotCleared(stored[0].slot)], "{family}");
        assert!(pair.sim.storage().iter().all(|(_, used, _)| *used == 0), "{family}");
    }
}

#[test]
fn a_message_is_announced_on_a_spare_port_too() {
    for family in FAMILIES {
        let mut pair = Pair::ready_on_spare_port(family);
        pair.control(sms("bonjour"));
        pair.run(seconds(1));
        assert_eq!(take_stored(&mut pair).len(), 1, "{family}");
    }
}

#[test]
fn a_message_is_sent_and_reported() {
    for family in FAMILIES {
        let mut pair = Pair::ready(family);
        pair.submit(send(7));
        pair.run(seconds(5));
        let transcript = pair.take_transcript();
        assert!(transcript.starts_with("sent 7 as "), "{family}: {transcript}");
        assert!(transcript.contains("Sr, 0") || transcript.contains("stored Sr 0"), "{family}: {transcript}");
        assert_eq!(pair.submitted, 1, "{family}");
    }
}

#[test]
fn t50_a_report_that_came_while_nobody_listened_is_swept() {
    for_each_family(
        |pair| {
            pair.submit(send(7));
            pair.run(Duration::from_millis(500));
            // Nobody listens from here on.
            pair.abandon_machine();
            pair.run(seconds(3));
            pair.begin_again();
            pair.run(seconds(20));
            let slot = StorageSlot { memory: StorageMemory::Sr, index: 0 };
            pair.submit(Command::ClearSlot(slot));
            pair.run(seconds(400));
        },
        &expect![[r#"
            ec25
            sent 7 as 0
            identified Quectel EC25
            SIM Ready
            SIM 8933150319080012345 number known: true
            swept [(Sr, 0)]
            ready
            cleared Sr 0
            swept []
            sim7600
            sent 7 as 0
            identified SIMCOM INCORPORATED SIMCOM_SIM7600G-H
            SIM Ready
            SIM 8933150319080012345 number known: true
            swept [(Sr, 0)]
            ready
            cleared Sr 0
            swept []
        "#]],
    );
}

#[test]
fn t50_reports_that_are_stored_where_nobody_finds_them_are_asked_for_directly() {
    for_each_family(
        |pair| {
            pair.control(Control::Fault(Fault::ReportsHidden { on: true }));
            for token in 1..=4 {
                pair.submit(send(token));
                pair.run(seconds(5));
            }
            pair.submit(Command::Reinitialise);
            pair.run(seconds(20));
            pair.submit(send(5));
            pair.run(seconds(5));
        },
        &expect![[r#"
            ec25
            sent 1 as 0
            swept []
            sent 2 as 1
            swept []
            sent 3 as 2
            direct, 33 octets
            sent 4 as 3
            direct, 33 octets
            identified Quectel EC25
            SIM 8933150319080012345 number known: true
            swept []
            ready
            sent 5 as 4
            direct, 33 octets
            sim7600
            sent 1 as 0
            swept []
            sent 2 as 1
            swept []
            sent 3 as 2
            direct, 33 octets
            sent 4 as 3
            direct, 33 octets
            identified SIMCOM INCORPORATED SIMCOM_SIM7600G-H
            SIM 8933150319080012345 number known: true
            swept []
            ready
            sent 5 as 4
            direct, 33 octets
        "#]],
    );
}

#[test]
fn ussd_is_asked_and_answered() {
    for_each_family(
        |pair| {
            pair.submit(Command::Ussd { text: "*100#".to_owned() });
            pair.run(seconds(5));
            pair.submit(Command::Ussd { text: "#123#".to_owned() });
            pair.run(seconds(5));
            pair.submit(Command::Ussd { text: "1".to_owned() });
            pair.run(seconds(5));
            pair.submit(Command::Ussd { text: "*#100#".to_owned() });
            pair.run(seconds(5));
            pair.control(Control::Fault(Fault::UssdNoAnswer { count: 1 }));
            pair.submit(Command::Ussd { text: "*100#".to_owned() });
            pair.submit(Command::Ussd { text: "*101#".to_owned() });
            pair.run(seconds(70));
            pair.submit(Command::Ussd { text: "#123#".to_owned() });
            pair.run(seconds(5));
            pair.submit(Command::UssdCancel);
            pair.run(seconds(5));
        },
        &expect![[r#"
            ec25
            USSD done: Solde: 12,34 EUR. Valable jusqu'au 31/12/2026.
            USSD asks: "1 Solde\n2 Mon numero"
            USSD done: Solde: 12,34 EUR
            USSD done: Crédit épuisé ✓
            Ussd(Refused("another USSD request is running"))
            Ussd(TimedOut)
            USSD asks: "1 Solde\n2 Mon numero"
            sim7600
            USSD done: Solde: 12,34 EUR. Valable jusqu'au 31/12/2026.
            USSD asks: "1 Solde\n2 Mon numero"
            USSD done: Solde: 12,34 EUR
            USSD done: Crédit épuisé ✓
            Ussd(Refused("another USSD request is running"))
            Ussd(TimedOut)
            USSD asks: "1 Solde\n2 Mon numero"
        "#]],
    );
}

#[test]
fn what_arrived_while_nobody_listened_is_swept() {
    for_each_family(
        |pair| {
            pair.control(sms(&"long ".repeat(60)));
            pair.run(seconds(2));
            pair.submit(Command::Reinitialise);
            pair.run(seconds(20));
        },
        &expect![[r#"
            ec25
            stored Me 0
            stored Me 1
            identified Quectel EC25
            SIM 8933150319080012345 number known: true
            swept [(Me, 0), (Me, 1)]
            ready
            sim7600
            stored Me 0
            stored Me 1
            identified SIMCOM INCORPORATED SIMCOM_SIM7600G-H
            SIM 8933150319080012345 number known: true
            swept [(Me, 0), (Me, 1)]
            ready
        "#]],
    );
}

#[test]
fn an_announcement_without_an_index_leads_to_a_sweep() {
    for_each_family(
        |pair| {
            pair.control(Control::Fault(Fault::IndexMinusOne { count: 1 }));
            pair.control(sms("bonjour"));
            pair.run(seconds(2));
            pair.control(Control::Urc { text: "+CMTI: \"SM\",17".to_owned() });
            pair.run(seconds(100));
        },
        &expect![[r#"
            ec25
            swept [(Me, 0)]
            swept [(Me, 0)]
            sim7600
            swept [(Me, 0)]
            swept [(Me, 0)]
        "#]],
    );
}

#[test]
fn a_full_memory_is_told_and_emptied() {
    for_each_family(
        |pair| {
            pair.control(sms("bonjour"));
            pair.run(seconds(2));
            pair.control(Control::Urc { text: "+QIND: \"smsfull\",\"ME\"".to_owned() });
            pair.run(seconds(2));
            let slots: Vec<_> = stored_parts(pair).iter().map(|part| part.slot).collect();
            for slot in slots {
                pair.submit(Command::ClearSlot(slot));
            }
            pair.run(seconds(2));
        },
        &expect![[r#"
            ec25
            stored Me 0
            StorageFull(true)
            swept [(Me, 0)]
            cleared Me 0
            StorageFull(false)
            sim7600
            stored Me 0
            StorageFull(true)
            swept [(Me, 0)]
            cleared Me 0
            StorageFull(false)
        "#]],
    );
}

#[test]
fn a_full_memory_is_not_listed_for_every_slot_that_is_freed() {
    let mut pair = Pair::ready("ec25");
    for number in 0..300 {
        pair.control(sms(&format!("message {number}")));
    }
    pair.run(seconds(2));
    let lists = pair.written.matches("AT+CMGL").count();
    for _ in 0..4 {
        for event in std::mem::take(&mut pair.events) {
            let parts = match event {
                Event::SmsStored(part) => vec![part],
                Event::Swept(parts) => parts,
                _ => vec![],
            };
            parts.into_iter().for_each(|part| pair.submit(Command::ClearSlot(part.slot)));
        }
        pair.run(seconds(2));
    }
    let used: usize = pair.sim.storage().iter().map(|(_, used, _)| used).sum();
    assert_eq!(used, 0, "what the network kept was fetched too");
    let lists = pair.written.matches("AT+CMGL").count() - lists;
    assert!(lists < 20, "listed {lists} times");
}

#[test]
fn a_part_that_was_reported_twice_is_freed_once() {
    let mut pair = Pair::ready("ec25");
    pair.control(sms("one"));
    pair.run(seconds(1));
    pair.submit(Command::Sweep);
    pair.run(seconds(1));
    let slot = stored_parts(&pair)[0].slot;
    pair.submit(Command::ClearSlot(slot));
    pair.run(seconds(1));
    pair.control(sms("two, in the slot that became free"));
    pair.run(seconds(1));
    pair.submit(Command::ClearSlot(slot));
    pair.run(seconds(1));
    let used: usize = pair.sim.storage().iter().map(|(_, used, _)| used).sum();
    assert_eq!(used, 1, "the order was for the part that is gone: {}", pair.take_transcript());
}

#[test]
fn an_order_that_was_refused_is_not_taken_for_one_that_is_to_come() {
    let mut pair = Pair::ready("ec25");
    pair.control(sms("one"));
    pair.run(seconds(1));
    let slot = take_stored(&mut pair)[0].slot;
    pair.control(Control::Sim { present: false });
    pair.submit(Command::ClearSlot(slot));
    assert!(pair.events.contains(&Event::SlotNotCleared(slot)), "{:?}", pair.events);
    pair.control(Control::Sim { present: true });
    pair.run_until(seconds(40), |event| *event == Event::Ready);
    for text in ["two", "three"] {
        pair.events.clear();
        pair.submit(Command::ClearSlot(slot));
        pair.run(seconds(1));
        assert!(pair.events.contains(&Event::SlotCleared(slot)), "before {text}: {:?}", pair.events);
        pair.control(sms(text));
        pair.run(seconds(1));
    }
}

#[test]
fn sending_fails_with_a_reason() {
    let cms = |code| Fault::Error { command: "+CMGS".to_owned(), kind: ErrorKind::Cms, code, count: 1 };
    for_each_family(
        |pair| {
            let faults = [
                cms(38),
                Fault::NoPrompt { count: 1 },
                Fault::LatePrompt { delay_ms: 7000, count: 1 },
                Fault::SubmitNeverAnswered { count: 1 },
            ];
            for (token, fault) in (1..).zip(faults) {
                pair.control(Control::Fault(fault));
                pair.submit(send(token));
                pair.run(seconds(140));
            }
            pair.submit(send(9));
            pair.run(seconds(10));
            assert_eq!(pair.submitted, 2, "the one without an answer, and the last");
        },
        &expect![[r#"
            ec25
            failed 1: the network refused the message: the network is out of order (CMS 38)
            failed 2: the modem was not ready: it gave no prompt
            recovery Retry: a command got no answer
            failed 3: the modem was not ready: it gave no prompt
            recovery Retry: a command got no answer
            swept []
            failed 4: the modem did not say whether the message left
            recovery Retry: a command got no answer
            swept [(Sr, 0)]
            sent 9 as 1
            swept [(Sr, 0), (Sr, 1)]
            sim7600
            failed 1: the network refused the message: the network is out of order (CMS 38)
            failed 2: the modem was not ready: it gave no prompt
            recovery Retry: a command got no answer
            failed 3: the modem was not ready: it gave no prompt
            recovery Retry: a command got no answer
            swept []
            failed 4: the modem did not say whether the message left
            recovery Retry: a command got no answer
            stored Sr 0
            sent 9 as 1
            stored Sr 1
        "#]],
    );
}
