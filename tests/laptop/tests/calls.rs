//! Calls in and out, with sound.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a story fails by panicking")]

use anyhow::Context;
use laptop_tests::calls::{FAR_HZ, FAR_NUMBER, MOMENT, PHONE_HZ, PREFIXES, lab_with};
use laptop_tests::clock::wait_for;
use laptop_tests::lab::{EC25, Lab, SIM7600, program};
use laptop_tests::tone::Recording;
use modem_sim::core::fault::Fault;
use modem_sim::core::{CallPlan, CallState, Control, Outcome};
use serde_json::json;
use std::time::Duration;
use tokio::process::Command;

async fn call_out_and_prove_sound(lab: &Lab, modem: &str, prefix: &str) {
    let phone = lab.phone("2001", PHONE_HZ, false).await.unwrap();
    phone.dial(&format!("{prefix}0698765432")).await.unwrap();
    lab.wait_for_call(modem, CallState::Active).await.unwrap();
    lab.wait_for_sound(modem, 3.0).await.unwrap();
    phone.hang_up().await.unwrap();
    lab.wait_for_no_call(modem).await.unwrap();
    lab.prove_sound(modem, &phone).await.unwrap();
    let call = lab.wait_for_ended_call("answered").await.unwrap();
    assert_eq!((&call["direction"], &call["lineId"]), (&json!("outgoing"), &json!(lab.line_of(modem).await.unwrap())));
    assert!(call["duration"].as_u64().unwrap() >= 2, "{call}");
    phone.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_calls_out_through_each_modem_and_both_sides_hear_each_other() {
    let lab = lab_with(None).await.unwrap();
    for (modem, prefix) in PREFIXES {
        call_out_and_prove_sound(&lab, modem, prefix).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_modem_that_asks_for_a_pause_in_the_sound_is_given_one() {
    let lab = lab_with(None).await.unwrap();
    let (modem, prefix) = PREFIXES[0];
    let pause = Fault::PcmHoldsOff { after_ms: 1000, for_ms: 1500 };
    lab.sim.control(modem, Control::Fault(pause)).await.unwrap();
    call_out_and_prove_sound(&lab, modem, prefix).await;
    assert_eq!(lab.sim.recording(modem).await.unwrap().bytes_refused, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_at_16_khz_is_recognised_by_what_arrives() {
    let lab = lab_with(Some("sim7600-volte16k")).await.unwrap();
    call_out_and_prove_sound(&lab, SIM7600, "82").await;
    // From the first moment on: at the wrong rate it would be an octave higher.
    let beginning = lab.heard_by_far_end(SIM7600).await.unwrap().beginning(200);
    let heard = beginning.strongest_hz().unwrap();
    assert!(heard.abs_diff(PHONE_HZ) <= 10, "the far end heard {heard} Hz at first");
    // It is told, and nothing is wrong.
    let line = lab.line_of(SIM7600).await.unwrap();
    let told = lab.action_of(&line, "audio_alarm").await.unwrap();
    assert!(told["data"]["reason"].as_str().unwrap().contains("16000 samples"), "{told}");
    assert_eq!(lab.health_of(&line).await.unwrap()["status"], "ok");
}

/// How late sound may be: what is buffered for a call at most, in one direction.
const LATEST_MS: f64 = 200.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_is_never_later_than_what_is_buffered_both_ways_through_each_modem() {
    // The phone of the benchmark knows when it sends and hears, which stock clients hide.
    let measured = Command::new(program("bench").unwrap()).arg("sound").kill_on_drop(true).output();
    let measured = tokio::time::timeout(MOMENT * 6, measured).await.unwrap().unwrap();
    let table = String::from_utf8(measured.stdout).unwrap();
    println!("{table}");
    assert!(measured.status.success(), "{table}{}", String::from_utf8_lossy(&measured.stderr));
    let delays: Vec<f64> = table
        .lines()
        .filter(|row| row.starts_with("sound, "))
        .map(|row| row.split('|').nth(1).unwrap().trim().strip_suffix(" ms").unwrap().parse().unwrap())
        .collect();
    assert_eq!(delays.len(), 4, "{table}");
    assert!(delays.iter().all(|delay| (0.0..=LATEST_MS).contains(delay)), "{table}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_is_called_through_each_modem_and_both_sides_hear_each_other() {
    let lab = lab_with(None).await.unwrap();
    for (modem, _) in PREFIXES {
        let phone = lab.phone("2001", PHONE_HZ, true).await.unwrap();
        lab.sim.call(modem, FAR_NUMBER).await.unwrap();
        lab.wait_for_call(modem, CallState::Active).await.unwrap();
        lab.wait_for_sound(modem, 3.0).await.unwrap();
        lab.sim.control(modem, Control::Hangup).await.unwrap();
        let call = lab.wait_for_ended_call("answered").await.unwrap();
        assert_eq!((&call["direction"], &call["callerNumber"]), (&json!("incoming"), &json!(FAR_NUMBER)));
        phone.wait_for_log("session closed", MOMENT).await.unwrap();
        lab.prove_sound(modem, &phone).await.unwrap();
        phone.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_nobody_answers_is_recorded_as_voicemail() {
    let lab = lab_with(None).await.unwrap();
    lab.sim.call(EC25, FAR_NUMBER).await.unwrap();
    lab.wait_for_call(EC25, CallState::Active).await.unwrap();
    let inbox = lab.dir().join("state/spool/voicemail/homenichat/2001/INBOX");
    let spoken = || async { (lab.sim.recording(EC25).await.ok()?.frames_out >= 300).then_some(()) };
    wait_for("the caller to speak for six seconds", Duration::from_secs(30), spoken)
        .await
        .with_context(|| lab.log())
        .unwrap();
    lab.sim.control(EC25, Control::Hangup).await.unwrap();
    let file = inbox.join("msg0000.wav");
    let is_there = || async { file.exists().then_some(()) };
    wait_for("a voicemail file", MOMENT, is_there).await.with_context(|| lab.log()).unwrap();
    let voicemail = Recording::read(&file).unwrap();
    assert_eq!(voicemail.strongest_hz(), Some(FAR_HZ));
    assert!(voicemail.seconds() > 3.0, "{} s", voicemail.seconds());
    lab.wait_for_ended_call("missed").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_phone_learns_why_a_call_failed() {
    let lab = lab_with(None).await.unwrap();
    let phone = lab.phone("2001", PHONE_HZ, false).await.unwrap();
    for (modem, prefix) in PREFIXES {
        for (outcome, want) in [(Outcome::Busy, "486"), (Outcome::NoAnswer, "480"), (Outcome::Congestion, "503")] {
            let plan = CallPlan { number: None, outcome, ring_ms: 300, once: true };
            lab.sim.control(modem, Control::Plan(plan)).await.unwrap();
            let before = phone.log().matches(want).count();
            phone.dial(&format!("{prefix}0698765432")).await.unwrap();
            let told = || async { (phone.log().matches(want).count() > before).then_some(()) };
            let context = format!("{want} for {outcome:?} at {modem}");
            wait_for(&context, Duration::from_secs(20), told)
                .await
                .with_context(|| format!("{}\n{}", lab.log(), phone.log()))
                .unwrap();
            lab.wait_for_no_call(modem).await.unwrap();
        }
    }
    phone.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_that_gives_up_ends_the_call_and_a_caller_that_gives_up_stops_the_ringing() {
    let lab = lab_with(None).await.unwrap();
    let phone = lab.phone("2001", PHONE_HZ, false).await.unwrap();
    for (modem, prefix) in PREFIXES {
        let plan = CallPlan { number: None, outcome: Outcome::Ring, ring_ms: 60_000, once: true };
        lab.sim.control(modem, Control::Plan(plan)).await.unwrap();
        phone.dial(&format!("{prefix}0698765432")).await.unwrap();
        lab.wait_for_call(modem, CallState::Alerting).await.unwrap();
        phone.hang_up().await.unwrap();
        lab.wait_for_no_call(modem).await.unwrap();

        let seen = phone.log().matches("Incoming call").count();
        lab.sim.call(modem, FAR_NUMBER).await.unwrap();
        let rings = || async { (phone.log().matches("Incoming call").count() > seen).then_some(()) };
        wait_for("the phone to ring", MOMENT, rings).await.with_context(|| lab.log()).unwrap();
        lab.sim.control(modem, Control::Hangup).await.unwrap();
        lab.wait_for_ended_call("missed").await.unwrap();
    }
    phone.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_pressed_on_the_phone_reach_the_far_end() {
    let lab = lab_with(None).await.unwrap();
    for (modem, prefix) in PREFIXES {
        let phone = lab.phone("2001", PHONE_HZ, false).await.unwrap();
        phone.dial(&format!("{prefix}0698765432")).await.unwrap();
        lab.wait_for_call(modem, CallState::Active).await.unwrap();
        lab.wait_for_sound(modem, 0.5).await.unwrap();
        phone.press("12#").await.unwrap();
        let pressed = || async { (lab.call_of(modem).await?.digits == "12#").then_some(()) };
        wait_for("the digits", MOMENT, pressed)
            .await
            .with_context(|| format!("{}\n{}", lab.log(), phone.log()))
            .unwrap();
        phone.hang_up().await.unwrap();
        lab.wait_for_no_call(modem).await.unwrap();
        phone.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_caller_is_turned_away_and_the_first_call_goes_on() {
    let lab = lab_with(None).await.unwrap();
    let phone = lab.phone("2001", PHONE_HZ, true).await.unwrap();
    lab.sim.call(EC25, FAR_NUMBER).await.unwrap();
    lab.wait_for_call(EC25, CallState::Active).await.unwrap();
    lab.sim.call(EC25, "+33611112222").await.unwrap();
    let missed = || async {
        let calls = lab.api.read("/api/calls?status=missed").await.ok()?;
        let calls = calls["calls"].as_array()?.clone();
        calls.iter().any(|c| c["callerNumber"] == "+33611112222").then_some(())
    };
    wait_for("the second call in the history", MOMENT, missed).await.with_context(|| lab.log()).unwrap();
    lab.wait_for_call(EC25, CallState::Active).await.unwrap();
    phone.hang_up().await.unwrap();
    lab.wait_for_no_call(EC25).await.unwrap();
    phone.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_supervisor_leaves_no_phone_in_a_silent_call() {
    for is_outgoing in [true, false] {
        let mut lab = lab_with(None).await.unwrap();
        let phone = lab.phone("2001", PHONE_HZ, !is_outgoing).await.unwrap();
        if is_outgoing {
            phone.dial("810698765432").await.unwrap();
        } else {
            lab.sim.call(EC25, FAR_NUMBER).await.unwrap();
        }
        lab.wait_for_call(EC25, CallState::Active).await.unwrap();
        lab.wait_for_sound(EC25, 0.5).await.unwrap();
        lab.kill_supervisor().await.unwrap();
        phone.wait_for_log("session closed", Duration::from_secs(25)).await.unwrap();
        lab.start_supervisor().await.unwrap();
        lab.wait_for_lines(2).await.unwrap();
        lab.wait_for_no_call(EC25).await.unwrap();
        let calls = lab.api.read("/api/calls").await.unwrap();
        assert!(calls["calls"].as_array().unwrap().iter().all(|c| !c["endTime"].is_null()), "{calls}");
        phone.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_places_a_call_and_ends_it() {
    let lab = lab_with(None).await.unwrap();
    let phone = lab.phone("2001", PHONE_HZ, true).await.unwrap();
    let line = lab.line_of(SIM7600).await.unwrap();
    let body = json!({"destination": FAR_NUMBER, "from": line, "extension": "2001"});
    let (status, placed) = lab.api.post("/api/calls/originate", body).await.unwrap();
    assert_eq!(status.as_u16(), 202, "{placed}");
    lab.wait_for_call(SIM7600, CallState::Active).await.unwrap();
    lab.wait_for_sound(SIM7600, 2.5).await.unwrap();
    let id = placed["callId"].as_str().unwrap();
    let (status, answer) = lab.api.post(&format!("/api/calls/{id}/hangup"), json!({})).await.unwrap();
    assert!(status.is_success(), "{answer}");
    lab.wait_for_no_call(SIM7600).await.unwrap();
    phone.wait_for_log("session closed", MOMENT).await.unwrap();
    lab.prove_sound(SIM7600, &phone).await.unwrap();
    phone.stop().await;
}
