//! Calls in which something breaks: nobody is left in silence, and the next call works.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a story fails by panicking")]

use laptop_tests::baresip::Baresip;
use laptop_tests::calls::{FAR_NUMBER, MOMENT, PHONE_HZ, lab_with};
use laptop_tests::clock::now;
use laptop_tests::lab::{EC25, Lab, SIM7600};
use modem_sim::core::fault::Fault;
use modem_sim::core::{CallState, Control};
use modem_sim::runner::Numbers;
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};
use std::fs;

/// Who called, and is heard.
async fn call_out(lab: &Lab) -> Baresip {
    lab.sim.clear_recording(EC25).await.unwrap();
    let phone = lab.phone("2001", PHONE_HZ, false).await.unwrap();
    phone.dial("810698765432").await.unwrap();
    lab.wait_for_call(EC25, CallState::Active).await.unwrap();
    lab.wait_for_sound(EC25, 0.5).await.unwrap();
    phone
}

async fn prove_that_the_next_call_works(lab: &Lab) {
    let phone = call_out(lab).await;
    lab.wait_for_sound(EC25, 3.5).await.unwrap();
    phone.hang_up().await.unwrap();
    lab.wait_for_no_call(EC25).await.unwrap();
    lab.prove_sound(EC25, &phone).await.unwrap();
    phone.stop().await;
    let calls = lab.api.read("/api/calls").await.unwrap();
    assert!(calls["calls"].as_array().unwrap().iter().all(|call| !call["endTime"].is_null()), "{calls}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asterisk_that_dies_in_a_call_hangs_up_and_is_back_for_the_next() {
    let lab = lab_with(None).await.unwrap();
    let mut events = lab.api.events().await.unwrap();
    let phone = call_out(&lab).await;
    events.wait("call_answered", MOMENT, |e| e["data"]["direction"] == "outgoing").await.unwrap();
    lab.kill_asterisk().unwrap();
    lab.wait_for_no_call(EC25).await.unwrap();
    events.wait("call_ended", MOMENT, |e| !e["data"]["endTime"].is_null()).await.unwrap();
    let action = lab.action_of("asterisk", "restart").await.unwrap();
    assert!(action["data"]["reason"].as_str().unwrap().contains("signal: 9"), "{action}");
    phone.stop().await;
    lab.wait_for_asterisk().await.unwrap();
    prove_that_the_next_call_works(&lab).await;
    lab.assert_private(&[FAR_NUMBER]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asterisk_that_hangs_is_started_anew() {
    let lab = lab_with(None).await.unwrap();
    let before = lab.asterisk_pid().unwrap();
    kill(before, Signal::SIGSTOP).unwrap();
    let began = now();
    lab.action_of("asterisk", "restart").await.unwrap();
    let is_another = || async { (lab.asterisk_pid()? != before).then_some(()) };
    lab.wait_for("another Asterisk", MOMENT, is_another).await.unwrap();
    lab.wait_for_asterisk().await.unwrap();
    println!("an Asterisk that hung was replaced after {:.1} s", began.elapsed().as_secs_f32());
    prove_that_the_next_call_works(&lab).await;
    lab.assert_private(&[FAR_NUMBER]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_modem_that_goes_in_a_call_frees_the_phone_and_serves_the_next() {
    let lab = lab_with(None).await.unwrap();
    let phone = call_out(&lab).await;
    lab.sim.unplug(EC25).await.unwrap();
    phone.wait_for_log("session closed", MOMENT).await.unwrap();
    let call = lab.wait_for_ended_call("answered").await.unwrap();
    assert!(!call["endTime"].is_null(), "{call}");
    phone.stop().await;
    lab.sim.plug(EC25, Numbers::LowestFree).await.unwrap();
    lab.wait_for_lines(2).await.unwrap();
    prove_that_the_next_call_works(&lab).await;

    lab.sim.control(EC25, Control::Fault(Fault::RebootInCall { after_ms: 1500 })).await.unwrap();
    let phone = call_out(&lab).await;
    phone.wait_for_log("session closed", MOMENT).await.unwrap();
    phone.stop().await;
    lab.wait_for_lines(2).await.unwrap();
    prove_that_the_next_call_works(&lab).await;
    lab.assert_private(&[FAR_NUMBER]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_sound_is_told_while_the_call_lasts_and_forgotten_with_the_next() {
    let lab = lab_with(None).await.unwrap();
    let line = lab.line_of(EC25).await.unwrap();
    lab.sim.control(EC25, Control::Fault(Fault::PcmDead { on: true })).await.unwrap();
    let mut events = lab.api.events().await.unwrap();
    let phone = lab.phone("2001", PHONE_HZ, false).await.unwrap();
    phone.dial("810698765432").await.unwrap();
    lab.wait_for_call(EC25, CallState::Active).await.unwrap();
    let is_alarm = |e: &Value| e["data"]["action"] == "audio_alarm" && e["data"]["target"] == json!(line);
    let alarm = events.wait("watchdog_action", MOMENT, is_alarm).await.unwrap();
    lab.action_of(&line, "audio_alarm").await.unwrap();
    let item = lab.health_of(&line).await.unwrap();
    assert_eq!((&item["status"], &item["proof"]), (&json!("degraded"), &alarm["data"]["reason"]), "{item}");
    phone.hang_up().await.unwrap();
    lab.wait_for_no_call(EC25).await.unwrap();
    phone.stop().await;
    lab.sim.control(EC25, Control::Fault(Fault::PcmDead { on: false })).await.unwrap();
    prove_that_the_next_call_works(&lab).await;
    assert_eq!(lab.health_of(&line).await.unwrap()["status"], "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_that_stays_dead_until_the_modem_restarts_is_healed_after_two_calls() {
    for (modem, prefix) in [(EC25, "81"), (SIM7600, "82")] {
        let lab = lab_with(None).await.unwrap();
        let line = lab.line_of(modem).await.unwrap();
        lab.sim.control(modem, Control::Fault(Fault::PcmDeadUntilRestart { on: true })).await.unwrap();
        let phone = lab.phone("2001", PHONE_HZ, false).await.unwrap();
        let mut events = lab.api.events().await.unwrap();
        let is_it = |e: &Value, action: &str| e["data"]["action"] == action && e["data"]["target"] == json!(line);
        for _ in 0..2 {
            phone.dial(&format!("{prefix}0698765432")).await.unwrap();
            lab.wait_for_call(modem, CallState::Active).await.unwrap();
            events.wait("watchdog_action", MOMENT, |e| is_it(e, "audio_alarm")).await.unwrap();
            phone.hang_up().await.unwrap();
            lab.wait_for_no_call(modem).await.unwrap();
        }
        let is_reset = |e: &Value| e["data"]["action"] == "functionality_reset";
        let action = events.wait("watchdog_action", MOMENT, is_reset).await.unwrap();
        assert!(action["data"]["reason"].as_str().unwrap().contains("no usable audio"), "{action}");
        lab.wait_for_lines(2).await.unwrap();
        lab.sim.clear_recording(modem).await.unwrap();
        phone.dial(&format!("{prefix}0698765432")).await.unwrap();
        lab.wait_for_sound(modem, 3.5).await.unwrap();
        phone.hang_up().await.unwrap();
        lab.wait_for_no_call(modem).await.unwrap();
        lab.prove_sound(modem, &phone).await.unwrap();
        phone.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_change_in_a_call_take_effect_and_drop_nothing() {
    let lab = lab_with(None).await.unwrap();
    let phone = call_out(&lab).await;
    let pid = lab.asterisk_pid();
    let settings = fs::read_to_string(lab.settings_file()).unwrap();
    fs::write(lab.settings_file(), settings.replace("prefix = \"82\"", "prefix = \"83\"")).unwrap();
    let is_applied = || async {
        let shown = lab.console("dialplan show 830698765432@from-internal").await.ok()?;
        shown.contains("'_83X.'").then_some(())
    };
    lab.wait_for("the dialplan to follow the settings", MOMENT, is_applied).await.unwrap();
    let heard = lab.heard_by_far_end(EC25).await.unwrap().seconds();
    lab.wait_for_sound(EC25, heard + 2.0).await.unwrap();
    lab.wait_for_call(EC25, CallState::Active).await.unwrap();
    assert_eq!(lab.asterisk_pid(), pid);
    phone.hang_up().await.unwrap();
    lab.wait_for_no_call(EC25).await.unwrap();
    lab.prove_sound(EC25, &phone).await.unwrap();
    phone.stop().await;
    lab.assert_private(&[FAR_NUMBER]);
    assert!(lab.wait_for_ended_call("answered").await.unwrap()["duration"].as_u64().unwrap() >= 2);
}
