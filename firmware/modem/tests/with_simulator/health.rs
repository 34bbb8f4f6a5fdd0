//! Proofs of life, silence, restarts.

use super::*;

#[test]
fn a_modem_that_restarts_in_a_call_ends_it_and_comes_back() {
    for_each_family(
        |pair| {
            pair.control(Control::Fault(Fault::RebootInCall { after_ms: 3000 }));
            pair.submit(dial());
            pair.run(seconds(60));
        },
        &expect![[r#"
            ec25
            call Dialing
            call Alerting
            call Active
            call AudioReady
            identified Quectel EC25
            SIM Ready
            SIM 8933150319080012345 number known: true
            swept []
            ready
            sim7600
            call Dialing
            call Alerting
            call Active
            call AudioReady
            identified SIMCOM INCORPORATED SIMCOM_SIM7600G-H
            SIM Ready
            SIM 8933150319080012345 number known: true
            swept []
            ready
        "#]],
    );
}

#[test]
fn a_silent_modem_is_retried_then_reset() {
    for_each_family(
        |pair| {
            pair.control(Control::Fault(Fault::Silence { commands: 1 }));
            pair.run(seconds(30));
            pair.control(Control::Fault(Fault::Silence { commands: 40 }));
            pair.run(seconds(240));
        },
        &expect![[r#"
            ec25
            recovery Retry: a command got no answer
            recovery Retry: a command got no answer
            failed: the modem does not answer on its AT port
            recovery Reinitialise: the modem does not answer on its AT port
            failed: the modem does not answer on its AT port
            recovery Reinitialise: the modem does not answer on its AT port
            failed: the modem does not answer on its AT port
            recovery FunctionalityReset: the modem does not answer on its AT port
            failed: the modem does not answer on its AT port
            recovery Reinitialise: the modem does not answer on its AT port
            failed: the modem does not answer on its AT port
            recovery FunctionalityReset: the modem does not answer on its AT port
            failed: the modem does not answer on its AT port
            recovery UsbReset: the modem does not answer on its AT port
            UsbResetWanted
            failed: the modem does not answer on its AT port
            recovery UsbReset: the modem does not answer on its AT port
            UsbResetWanted
            sim7600
            recovery Retry: a command got no answer
            recovery Retry: a command got no answer
            failed: the modem does not answer on its AT port
            recovery Reinitialise: the modem does not answer on its AT port
            failed: the modem does not answer on its AT port
            recovery Reinitialise: the modem does not answer on its AT port
            failed: the modem does not answer on its AT port
            recovery FunctionalityReset: the modem does not answer on its AT port
            failed: the modem does not answer on its AT port
            recovery Reinitialise: the modem does not answer on its AT port
            failed: the modem does not answer on its AT port
            recovery FunctionalityReset: the modem does not answer on its AT port
            failed: the modem does not answer on its AT port
            recovery UsbReset: the modem does not answer on its AT port
            UsbResetWanted
            failed: the modem does not answer on its AT port
            recovery UsbReset: the modem does not answer on its AT port
            UsbResetWanted
        "#]],
    );
}

#[test]
fn late_answers_confuse_nothing() {
    for_each_family(
        |pair| {
            pair.control(Control::Fault(Fault::LateAnswer { delay_ms: 6000, count: 1 }));
            pair.run(seconds(40));
            pair.control(sms("bonjour"));
            pair.run(seconds(5));
        },
        &expect![[r#"
            ec25
            recovery Retry: a command got no answer
            stored Me 0
            sim7600
            recovery Retry: a command got no answer
            stored Me 0
        "#]],
    );
}

#[test]
fn a_port_that_never_answers_is_given_up_within_six_seconds() {
    let mut pair = Pair::plug("ec25");
    pair.control(Control::Fault(Fault::Silence { commands: 1000 }));
    pair.deafen();
    pair.run_until(seconds(6), |event| *event == Event::Failed(Failure::Silent));
}

#[test]
fn a_modem_that_restarts_on_the_same_ports_ends_everything() {
    for_each_family(
        |pair| {
            pair.submit(dial());
            pair.run(seconds(4));
            pair.control(Control::Fault(Fault::NetworkDelay { delay_ms: 3000 }));
            pair.submit(send(1));
            pair.submit(send(2));
            pair.submit(Command::Ussd { text: "*100#".to_owned() });
            pair.run(seconds(1));
            pair.control(Control::Urc { text: "RDY".to_owned() });
            pair.run(seconds(20));
            assert!(
                pair.sim.calls().is_empty(),
                "the call that was left behind is hung up: {} {}",
                pair.take_transcript(),
                pair.written
            );
        },
        &expect![[r#"
            ec25
            call Dialing
            call Alerting
            call Active
            call AudioReady
            recovery Reinitialise: the modem restarted by itself
            failed 1: the modem did not say whether the message left
            failed 2: the modem was not ready: the modem is being set up
            call Ended { cause: OutOfOrder }
            Ussd(Terminated(…))
            identified Quectel EC25
            SIM 8933150319080012345 number known: true
            swept []
            ready
            swept [(Sr, 0)]
            sim7600
            call Dialing
            call Alerting
            call Active
            call AudioReady
            recovery Reinitialise: the modem restarted by itself
            failed 1: the modem did not say whether the message left
            failed 2: the modem was not ready: the modem is being set up
            call Ended { cause: OutOfOrder }
            Ussd(Terminated(…))
            identified SIMCOM INCORPORATED SIMCOM_SIM7600G-H
            SIM 8933150319080012345 number known: true
            swept []
            ready
            stored Sr 0
        "#]],
    );
}

#[test]
fn a_volte_only_line_is_registered() {
    let mut pair = Pair::ready("ec25");
    pair.control(Control::Register { stat: 3, eps_stat: Some(1), access: Some(7) });
    pair.events.clear();
    pair.run(seconds(21));
    let states: Vec<_> = pair.events.iter().filter(|event| matches!(event, Event::Registration { .. })).collect();
    let is_home = |event: &&Event| {
        matches!(event, Event::Registration { state: Registration::Home, technology: Some(AccessTechnology::EUtran) })
    };
    assert!(states.len() >= 2 && states.iter().all(is_home), "{states:?}");
}

#[test]
fn an_idle_line_proves_that_it_lives() {
    for family in FAMILIES {
        let mut pair = Pair::ready(family);
        pair.run(seconds(60));
        let alive = pair.events.iter().filter(|event| **event == Event::Alive).count();
        assert!((5..=7).contains(&alive), "{family}: {alive}");
        let operator = Event::Operator(Some("Orange F".to_owned()));
        assert!(pair.events.contains(&operator), "{family}: {:?}", pair.events);
    }
}

/// What dialers of old, and programs that look for modems, write on a port that they find.
#[test]
fn settings_that_another_program_changes_are_set_again() {
    for family in FAMILIES {
        for line in ["ATZ", "AT&F", "ATE1", "ATV0", "ATQ1", "AT&FE1V0Q1", "at&f0"] {
            let mut pair = Pair::ready(family);
            pair.scribble(&format!("{line}\r"));
            pair.run(seconds(1));
            pair.control(sms("while nobody was told"));
            pair.run_until(seconds(40), |event| match event {
                Event::SmsStored(_) => true,
                Event::Swept(parts) => !parts.is_empty(),
                _ => false,
            });
            pair.run(seconds(20));
            let said = pair.take_transcript();
            assert!(!said.contains("FunctionalityReset"), "{family}, {line}: {said}");
            // And the next one is told at once.
            pair.control(sms("now"));
            pair.run_until(seconds(2), |event| matches!(event, Event::SmsStored(_)));
        }
    }
}
