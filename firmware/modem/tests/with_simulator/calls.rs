//! Calls in every direction and with every mishap.

use super::*;

#[test]
fn a_call_out_is_answered_and_the_far_end_hangs_up() {
    for_each_family(
        |pair| {
            pair.submit(dial());
            pair.run(seconds(10));
            pair.try_control(Control::Dtmf { digits: "5".to_owned() });
            pair.run(seconds(1));
            pair.control(Control::Hangup);
            pair.run(seconds(5));
        },
        &expect![[r#"
            ec25
            call Dialing
            call Alerting
            call Active
            call AudioReady
            call Dtmf('5')
            call Ended { cause: Normal }
            sim7600
            call Dialing
            call Alerting
            call Active
            call AudioReady
            call Dtmf('5')
            call Ended { cause: Normal }
        "#]],
    );
}

#[test]
fn a_call_out_is_answered_and_we_hang_up() {
    for_each_family(
        |pair| {
            pair.submit(dial());
            pair.run(seconds(10));
            pair.submit(Command::Dtmf { digit: '7' });
            pair.run(seconds(1));
            assert!(pair.written.contains("AT+VTS="));
            pair.submit(Command::HangUp { cause: HangUpCause::Normal });
            pair.run(seconds(5));
            assert!(pair.sim.calls().is_empty());
        },
        &expect![[r#"
            ec25
            call Dialing
            call Alerting
            call Active
            call AudioReady
            call Ended { cause: Normal }
            sim7600
            call Dialing
            call Alerting
            call Active
            call AudioReady
            call Ended { cause: Normal }
        "#]],
    );
}

#[test]
fn calls_that_fail_say_why() {
    let table = [
        (Outcome::Busy, HangUpCause::Busy),
        (Outcome::NoAnswer, HangUpCause::NoAnswer),
        (Outcome::Congestion, HangUpCause::Congestion),
        (Outcome::Reject, HangUpCause::Rejected),
        (Outcome::Unallocated, HangUpCause::Unallocated),
    ];
    for name in ["ec25", "sim7600", "ep06-no-ccinfo"] {
        for (outcome, want) in table {
            let mut pair = Pair::ready(name);
            pair.control(Control::Plan(CallPlan { outcome, ..CallPlan::default() }));
            pair.submit(dial());
            pair.run(seconds(90));
            let ends: Vec<_> = causes(&pair);
            assert_eq!(ends, [want], "{name} {outcome:?}: {}", pair.take_transcript());
        }
    }
}

#[test]
fn a_call_in_is_answered_and_ended_by_either_side() {
    for_each_family(
        |pair| {
            pair.control(call());
            pair.run(seconds(3));
            pair.submit(Command::Answer);
            pair.run(seconds(3));
            pair.control(Control::Hangup);
            pair.run(seconds(3));
            pair.control(call());
            pair.run(seconds(3));
            pair.submit(Command::Answer);
            pair.run(seconds(3));
            pair.submit(Command::HangUp { cause: HangUpCause::Normal });
            pair.run(seconds(3));
            assert!(pair.sim.calls().is_empty());
        },
        &expect![[r#"
            ec25
            incoming +33698765432
            call Active
            call AudioReady
            call Ended { cause: Normal }
            incoming +33698765432
            call Active
            call AudioReady
            call Ended { cause: Normal }
            sim7600
            incoming +33698765432
            call Active
            call AudioReady
            call Ended { cause: Normal }
            incoming +33698765432
            call Active
            call AudioReady
            call Ended { cause: Normal }
        "#]],
    );
}

#[test]
fn a_call_in_is_missed_or_refused() {
    for_each_family(
        |pair| {
            pair.control(Control::Call { from: None, give_up_ms: Some(12_000) });
            pair.run(seconds(20));
            pair.control(call());
            pair.run(seconds(3));
            pair.submit(Command::HangUp { cause: HangUpCause::Busy });
            pair.run(seconds(3));
            assert!(pair.sim.calls().is_empty());
        },
        &expect![[r#"
            ec25
            incoming withheld
            call Ended { cause: Normal }
            incoming +33698765432
            call Ended { cause: Busy }
            sim7600
            incoming withheld
            call Ended { cause: Normal }
            incoming +33698765432
            call Ended { cause: Busy }
        "#]],
    );
}

#[test]
fn a_second_caller_waits_and_is_refused_or_gives_up() {
    for_each_family(
        |pair| {
            pair.control(call());
            pair.run(seconds(2));
            pair.submit(Command::Answer);
            pair.run(seconds(2));
            let second = || Control::Call { from: Some("+33611111111".to_owned()), give_up_ms: Some(10_000) };
            pair.control(second());
            pair.run(seconds(3));
            pair.submit(Command::RefuseWaiting);
            pair.run(seconds(3));
            pair.control(second());
            pair.run(seconds(15));
            pair.submit(Command::HangUp { cause: HangUpCause::Normal });
            pair.run(seconds(3));
        },
        &expect![[r#"
            ec25
            incoming +33698765432
            call Active
            call AudioReady
            waiting +33611111111
            call WaitingEnded
            waiting +33611111111
            call WaitingEnded
            call Ended { cause: Normal }
            sim7600
            incoming +33698765432
            call Active
            call AudioReady
            waiting +33611111111
            call WaitingEnded
            waiting +33611111111
            call WaitingEnded
            call Ended { cause: Normal }
        "#]],
    );
}

#[test]
fn a_waiting_caller_rings_on_when_the_call_ends() {
    for_each_family(
        |pair| {
            pair.control(call());
            pair.run(seconds(2));
            pair.submit(Command::Answer);
            pair.run(seconds(2));
            pair.control(Control::Call { from: Some("+33611111111".to_owned()), give_up_ms: None });
            pair.run(seconds(3));
            pair.submit(Command::HangUp { cause: HangUpCause::Normal });
            pair.run(seconds(6));
            pair.submit(Command::Answer);
            pair.run(seconds(3));
            pair.submit(Command::HangUp { cause: HangUpCause::Normal });
            pair.run(seconds(3));
            assert!(pair.sim.calls().is_empty());
        },
        &expect![[r#"
            ec25
            incoming +33698765432
            call Active
            call AudioReady
            waiting +33611111111
            call Ended { cause: Normal }
            call WaitingEnded
            incoming +33611111111
            call Active
            call AudioReady
            call Ended { cause: Normal }
            sim7600
            incoming +33698765432
            call Active
            call AudioReady
            waiting +33611111111
            call Ended { cause: Normal }
            call WaitingEnded
            incoming +33611111111
            call Active
            call AudioReady
            call Ended { cause: Normal }
        "#]],
    );
}

#[test]
fn a_call_that_ends_without_a_word_is_noticed() {
    for_each_family(
        |pair| {
            pair.submit(dial());
            pair.run(seconds(5));
            pair.control(Control::Fault(Fault::SilentCallEnd { count: 1 }));
            pair.control(Control::Hangup);
            pair.run(seconds(10));
        },
        &expect![[r#"
            ec25
            call Dialing
            call Alerting
            call Active
            call AudioReady
            call Ended { cause: Normal }
            sim7600
            call Dialing
            call Alerting
            call Active
            call AudioReady
            call Ended { cause: Normal }
        "#]],
    );
}

#[test]
fn a_modem_that_answers_falsely_is_reported_once() {
    let mut pair = Pair::ready("a7672-false-answer");
    pair.submit(dial());
    pair.run(seconds(10));
    pair.control(Control::Hangup);
    pair.run(seconds(5));
    check(
        &mut pair,
        &expect![[r#"
        call Dialing
        call Alerting
        call Active
        call AudioReady
        call Ended { cause: Normal }
    "#]],
    );
}

#[test]
fn voice_that_is_refused_in_the_second_call_is_mended_by_a_reset_after_it() {
    let mut pair = Pair::ready("sim7600-le20b04");
    for _ in 0..3 {
        pair.submit(dial());
        pair.run(seconds(5));
        pair.control(Control::Hangup);
        pair.run(seconds(5));
    }
    pair.run(seconds(40));
    check(
        &mut pair,
        &expect![[r#"
        call Dialing
        call Alerting
        call Active
        call AudioReady
        call Ended { cause: Normal }
        call Dialing
        call Alerting
        call Active
        call AudioRefused("the modem refused voice over USB: ERROR")
        call Ended { cause: Normal }
        call Dialing
        call Alerting
        call Active
        call AudioRefused("the modem refused voice over USB: ERROR")
        call Ended { cause: Normal }
        recovery FunctionalityReset: no usable audio in two calls
        identified SIMCOM INCORPORATED SIMCOM_SIM7600G-H
        SIM Ready
        SIM 8933150319080012345 number known: true
        swept []
        ready
    "#]],
    );
}

#[test]
fn a_call_is_answered_while_messages_wait() {
    let mut pair = Pair::ready("ec25");
    pair.control(Control::Fault(Fault::NetworkDelay { delay_ms: 3000 }));
    for token in 0..20 {
        pair.submit(send(token));
    }
    pair.control(call());
    pair.run(seconds(2));
    pair.submit(Command::Answer);
    pair.run(seconds(5));
    assert!(pair.events.contains(&Event::Call(CallEvent::Active)), "{}", pair.take_transcript());
}

#[test]
fn a_call_that_falls_back_from_lte_survives_an_early_no_carrier() {
    for_each_family(
        |pair| {
            pair.control(Control::Fault(Fault::EarlyNoCarrier { count: 1 }));
            pair.submit(dial());
            pair.run(seconds(5));
            pair.control(Control::Urc { text: "NO CARRIER".to_owned() });
            pair.run(seconds(5));
        },
        &expect![[r#"
            ec25
            call Dialing
            call Alerting
            call Active
            call AudioReady
            sim7600
            call Dialing
            call Alerting
            call Active
            call AudioReady
        "#]],
    );
}

#[test]
fn a_caller_whose_number_comes_late_is_announced_once() {
    let mut pair = Pair::ready("sim7600");
    pair.control(Control::Fault(Fault::LateClip { on: true }));
    pair.control(call());
    pair.run(seconds(12));
    check(
        &mut pair,
        &expect![[r#"
        incoming +33698765432
    "#]],
    );
}

#[test]
fn answering_a_call_that_was_given_up_ends_it() {
    for_each_family(
        |pair| {
            pair.control(call());
            pair.run(seconds(3));
            pair.control(Control::Fault(Fault::SilentCallEnd { count: 1 }));
            pair.control(Control::Hangup);
            pair.submit(Command::Answer);
            pair.run(seconds(6));
        },
        &expect![[r#"
            ec25
            incoming +33698765432
            call Ended { cause: Normal }
            sim7600
            incoming +33698765432
            call Ended { cause: Normal }
        "#]],
    );
}

#[test]
fn dead_audio_is_switched_off_and_on_again() {
    let mut pair = Pair::ready("ec25");
    pair.submit(dial());
    pair.run(seconds(5));
    pair.submit(Command::AudioDead);
    pair.run(seconds(1));
    check(
        &mut pair,
        &expect![[r#"
        call Dialing
        call Alerting
        call Active
        call AudioReady
        call AudioReady
    "#]],
    );
    assert!(pair.written.matches("AT+QPCMV=1,0\n").count() == 2, "{}", pair.written);
}

#[test]
fn t08_a_modem_that_holds_off_says_so() {
    let mut pair = Pair::ready("ec25");
    pair.control(Control::Fault(Fault::PcmHoldsOff { after_ms: 2000, for_ms: 1000 }));
    pair.submit(dial());
    pair.run(seconds(10));
    pair.submit(Command::HangUp { cause: HangUpCause::Normal });
    pair.run(seconds(3));
    // Outside a call it says nothing of a call.
    pair.control(Control::Urc { text: "+QPCMV: 0,0".to_owned() });
    check(
        &mut pair,
        &expect![[r#"
            call Dialing
            call Alerting
            call Active
            call AudioReady
            call AudioFlow { is_open: false }
            call AudioFlow { is_open: true }
            call Ended { cause: Normal }
        "#]],
    );
}

#[test]
fn t10_positions_are_kept_out_of_the_sound() {
    let mut pair = Pair::plug("ec25");
    pair.control(Control::Fault(Fault::PositionsInPcm { on: true }));
    pair.run(seconds(20));
    pair.submit(dial());
    pair.run(seconds(10));
    let holds = |sound: &[u8]| sound.windows(7).any(|bytes| bytes == b"$GPGGA,");
    assert!(pair.sound.len() > 80_000 && !holds(&pair.sound), "{} bytes", pair.sound.len());
}
