//! Modems that are pulled, swapped, reset, locked, or out of network.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a story fails by panicking")]

use hyper::StatusCode;
use laptop_tests::chance::Chance;
use laptop_tests::clock::now;
use laptop_tests::lab::{EC25, Lab, SIM7600, START};
use laptop_tests::traffic::{MODEMS, Traffic, assert_sound};
use modem_sim::core::Control;
use modem_sim::core::fault::Fault;
use modem_sim::runner::Numbers;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

const CYCLES: usize = 15;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn modems_pulled_and_put_back_in_traffic_lose_and_double_nothing() {
    let mut chance = Chance::new();
    let lab = Lab::start().await.unwrap();
    let lines = named_lines(&lab).await;
    let traffic = Traffic::start(&lab, &chance).await.unwrap();
    for _ in 0..CYCLES {
        let modem = chance.pick(&MODEMS);
        tokio::time::sleep(chance.millis(1_500)).await;
        lab.sim.unplug(modem).await.unwrap();
        tokio::time::sleep(chance.millis(500)).await;
        lab.sim.plug(modem, chance.pick(&[Numbers::Different, Numbers::LowestFree])).await.unwrap();
    }
    let count = traffic.end(&lab).await.unwrap();
    println!("{CYCLES} replugs: 0 lost, 0 doubled of {count:?}");
    assert_eq!(named_lines_at(&lab, [EC25, SIM7600]).await, lines);
    is_discreet(&lab);
    assert_sound(lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_modems_that_change_places_take_their_lines_with_them() {
    let lab = Lab::start().await.unwrap();
    let lines = named_lines(&lab).await;
    let numbers: Vec<_> =
        lab.sim.status().await.unwrap().into_iter().map(|unit| (unit.usb_path, unit.number)).collect();
    lab.sim.swap(EC25, SIM7600).await.unwrap();
    let is_swapped = || async {
        let (first, second) = (lab.line_of(SIM7600).await.ok()?, lab.line_of(EC25).await.ok()?);
        ([first, second] == [lines[0].0.clone(), lines[1].0.clone()]).then_some(())
    };
    lab.wait_for("the lines to follow their modems", START, is_swapped).await.unwrap();
    lab.wait_for_lines(2).await.unwrap();
    assert_eq!(named_lines_at(&lab, [SIM7600, EC25]).await, lines);
    for ((line, name), place) in lines.iter().zip([SIM7600, EC25]) {
        lab.send_by(line, &format!("after the swap by {name}")).await.unwrap();
        assert_eq!(lab.wait_for_sent(&format!("after the swap by {name}")).await.unwrap(), place);
    }
    let swapped: Vec<_> =
        lab.sim.status().await.unwrap().into_iter().map(|unit| (unit.usb_path, unit.number)).collect();
    assert_ne!(swapped, numbers);
    lab.sim.send_sms(SIM7600, "+33612345678", "for the first line").await.unwrap();
    let received = lab.wait_for_received(1).await.unwrap();
    assert_eq!(received[0]["lineId"], lines[0].0);
    is_discreet(&lab);
    assert_sound(lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_modems_with_one_imei_both_work_and_are_told_apart() {
    let cloned = |config: &mut modem_sim::runner::Config| {
        config.modems[1].profile.imei = config.modems[0].profile.imei.clone();
    };
    let mut lab = Lab::start_with(cloned, |_| {}).await.unwrap();
    let ids = async |lab: &Lab| {
        let ids = [lab.modem(EC25).await.unwrap()["id"].clone(), lab.modem(SIM7600).await.unwrap()["id"].clone()];
        assert_ne!(ids[0], ids[1]);
        ids
    };
    let first = ids(&lab).await;
    for modem in MODEMS {
        // Both lie in the same slot of a memory of the same name.
        lab.sim.send_sms(modem, "+33612345678", "to one of two").await.unwrap();
        let text = format!("by the clone at {modem}");
        lab.send_by(&lab.line_of(modem).await.unwrap(), &text).await.unwrap();
        assert_eq!(lab.wait_for_sent(&text).await.unwrap(), modem);
    }
    let received = lab.wait_for_received(2).await.unwrap();
    assert_ne!(received[0]["lineId"], received[1]["lineId"]);
    lab.wait_for_empty_modems().await.unwrap();
    lab.kill_supervisor().await.unwrap();
    lab.start_supervisor().await.unwrap();
    lab.wait_for_lines(2).await.unwrap();
    assert_eq!(ids(&lab).await, first);
    lab.assert_private(&["to one of two", "by the clone"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_on_the_bus_and_a_modem_that_restarts_come_back() {
    let lab = Lab::start().await.unwrap();
    let lines = named_lines(&lab).await;
    let switch = lab.sim.root().join("sys/bus/usb/devices").join(EC25).join("authorized");
    std::fs::write(&switch, "0").unwrap();
    lab.wait_for_no_modem(EC25).await.unwrap();
    std::fs::write(&switch, "1").unwrap();
    lab.wait_for_lines(2).await.unwrap();
    lab.sim.control(SIM7600, Control::Reset).await.unwrap();
    lab.wait_for_no_modem(SIM7600).await.unwrap();
    lab.sim.send_sms(SIM7600, "+33612345678", "while it starts").await.unwrap();
    lab.wait_for_lines(2).await.unwrap();
    assert_eq!(named_lines_at(&lab, [EC25, SIM7600]).await, lines);
    lab.wait_for_received(1).await.unwrap();
    is_discreet(&lab);
    assert_sound(lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supply_that_breaks_down_again_and_again_is_told_and_loses_nothing() {
    let lab = Lab::start().await.unwrap();
    let lines = named_lines(&lab).await;
    let breakdowns = async || {
        let events = lab.api.read("/api/events").await.ok()?;
        let is_one = |e: &&Value| e["kind"] == "watchdog_action" && e["data"]["target"] == "power";
        Some(events["events"].as_array()?.iter().filter(is_one).count())
    };
    for count in 1..=3 {
        lab.sim.brown_out(Duration::from_secs(3)).await.unwrap();
        lab.sim.send_sms(EC25, "+33612345678", &format!("in the dark {count}")).await.unwrap();
        let is_told = || async { breakdowns().await.filter(|told| *told == count) };
        lab.wait_for("the breakdown to be told", START, is_told).await.unwrap();
        lab.wait_for_lines(2).await.unwrap();
    }
    lab.wait_for_received(3).await.unwrap();
    assert_eq!(named_lines_at(&lab, [EC25, SIM7600]).await, lines);
    lab.assert_private(&["in the dark"]);
    assert_sound(lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pin_is_asked_for_kept_and_never_tried_twice() {
    let mut lab =
        Lab::prepare(|config| config.modems[0].profile.sim.as_mut().unwrap().pin = Some("4711".into()), |_| {})
            .await
            .unwrap();
    lab.start_supervisor().await.unwrap();
    lab.create_owner().await.unwrap();
    lab.wait_for_lines(1).await.unwrap();
    assert_eq!(lab.wait_for_modem(EC25, "pin_needed").await.unwrap()["pinTriesLeft"], 3);
    let (status, answer) = enter_pin(&lab, "0815").await;
    assert_eq!((status, &answer["code"]), (StatusCode::CONFLICT, &json!("pin_refused")), "{answer}");
    assert!(answer["error"].as_str().unwrap().contains("2 tries"), "{answer}");
    assert_eq!(lab.wait_for_modem(EC25, "pin_needed").await.unwrap()["pinTriesLeft"], 2);
    let (status, answer) = enter_pin(&lab, "4711").await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    lab.wait_for_lines(2).await.unwrap();
    // The box knows it from here on.
    replug(&lab).await;
    lab.wait_for_lines(2).await.unwrap();
    assert_eq!(pins_tried(&lab), 3);
    // Somebody changed it in a telephone: one try with the old one, and none after that.
    lab.sim.control(EC25, Control::Pin { pin: Some("1234".into()) }).await.unwrap();
    replug(&lab).await;
    wait_for_tries(&lab, 2).await;
    for _ in 0..2 {
        replug(&lab).await;
        wait_for_tries(&lab, 2).await;
    }
    assert_eq!(pins_tried(&lab), 4);
    lab.kill_supervisor().await.unwrap();
    lab.start_supervisor().await.unwrap();
    wait_for_tries(&lab, 2).await;
    assert_eq!(pins_tried(&lab), 4);
    assert_eq!(enter_pin(&lab, "1234").await.0, StatusCode::OK);
    lab.wait_for_lines(2).await.unwrap();
    is_discreet(&lab);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_try_is_left_to_the_owner_and_a_blocked_sim_is_told() {
    let mut lab =
        Lab::prepare(|config| config.modems[0].profile.sim.as_mut().unwrap().pin = Some("4711".into()), |_| {})
            .await
            .unwrap();
    lab.start_supervisor().await.unwrap();
    lab.create_owner().await.unwrap();
    lab.wait_for_modem(EC25, "pin_needed").await.unwrap();
    assert_eq!(enter_pin(&lab, "4711").await.0, StatusCode::OK);
    lab.wait_for_lines(2).await.unwrap();
    let line = lab.line_of(EC25).await.unwrap();
    lab.kill_supervisor().await.unwrap();
    lab.sim.unplug(EC25).await.unwrap();
    lab.sim.plug(EC25, Numbers::LowestFree).await.unwrap();
    // Another program spends two tries.
    for left in ["2", "1"] {
        tell_modem(&lab, "AT+CPIN=\"0000\"", &format!("\"SC\",{left}")).await;
    }
    let before = pins_tried(&lab);
    lab.start_supervisor().await.unwrap();
    wait_for_tries(&lab, 1).await;
    let (status, answer) = enter_pin(&lab, "4711").await;
    assert_eq!((status, &answer["code"]), (StatusCode::CONFLICT, &json!("pin_refused")), "{answer}");
    assert_eq!(pins_tried(&lab), before);
    assert_that_it_is_said(&lab, &line, "pin_needed").await;
    lab.kill_supervisor().await.unwrap();
    tell_modem(&lab, "AT+CPIN=\"0000\"", "\"SC\",0").await;
    lab.start_supervisor().await.unwrap();
    lab.wait_for_modem(EC25, "puk_needed").await.unwrap();
    let (_, answer) = enter_pin(&lab, "4711").await;
    assert_eq!(answer["code"], "puk_needed", "{answer}");
    assert_that_it_is_said(&lab, &line, "puk_needed").await;
    is_discreet(&lab);
}

/// Whatever is asked of a line whose card is locked, the answer is what its owner has to do.
async fn assert_that_it_is_said(lab: &Lab, line: &str, code: &str) {
    let asked = [
        ("/api/sms/send".to_owned(), json!({"to": "+33698765432", "message": "x", "from": line})),
        ("/api/calls/originate".to_owned(), json!({"destination": "+33698765432", "from": line, "extension": "2001"})),
        (format!("/api/lines/{line}/ussd"), json!({"code": "*100#"})),
    ];
    for (path, body) in asked {
        let (status, answer) = lab.api.post(&path, body).await.unwrap();
        assert_eq!((status.is_success(), &answer["code"]), (false, &json!(code)), "{path}: {answer}");
    }
    let lines = lab.api.read("/api/lines").await.unwrap();
    let state = lines["lines"].as_array().unwrap().iter().find(|known| known["id"] == line).unwrap()["state"].clone();
    assert_eq!(state, code, "{lines}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sim_that_is_taken_out_is_missed_and_found_again() {
    let lab = Lab::start().await.unwrap();
    lab.sim.control(SIM7600, Control::Sim { present: false }).await.unwrap();
    lab.wait_for_modem(SIM7600, "no_sim").await.unwrap();
    lab.wait_for_lines(1).await.unwrap();
    lab.sim.control(SIM7600, Control::Sim { present: true }).await.unwrap();
    lab.wait_for_lines(2).await.unwrap();
    is_discreet(&lab);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn voice_over_lte_alone_is_a_registration() {
    let lab = Lab::start().await.unwrap();
    for modem in MODEMS {
        lab.sim.control(modem, Control::Register { stat: 0, eps_stat: Some(1), access: Some(7) }).await.unwrap();
        lab.sim.unplug(modem).await.unwrap();
        lab.wait_for_no_modem(modem).await.unwrap();
        lab.sim.plug(modem, Numbers::LowestFree).await.unwrap();
    }
    lab.wait_for_lines(2).await.unwrap();
    for modem in MODEMS {
        let text = format!("over LTE by {modem}");
        lab.send_by(&lab.line_of(modem).await.unwrap(), &text).await.unwrap();
        assert_eq!(lab.wait_for_sent(&text).await.unwrap(), modem);
    }
    is_discreet(&lab);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_waits_for_the_network_and_says_so() {
    let lab = Lab::start().await.unwrap();
    let line = lab.line_of(EC25).await.unwrap();
    lab.sim.control(EC25, Control::Register { stat: 3, eps_stat: Some(3), access: None }).await.unwrap();
    let denied = lab.wait_for_modem(EC25, "registering").await.unwrap();
    assert_eq!(denied["lineId"], json!(line));
    assert_eq!(lab.line(&line).await.unwrap()["registration"]["value"], "denied");
    let health = lab.health_of(&line).await.unwrap();
    assert!(health["status"] != "ok" && health["proof"].as_str().unwrap().len() > 20, "{health}");
    let accepted = lab.send_by(&line, "when there is a network").await.unwrap();
    assert_eq!(accepted["status"], "queued");
    assert!(accepted["warning"].as_str().unwrap().contains("not registered"), "{accepted}");
    assert!(lab.sim.sent().await.unwrap().is_empty());
    lab.sim.control(EC25, Control::Register { stat: 1, eps_stat: None, access: None }).await.unwrap();
    assert_eq!(lab.wait_for_sent("when there is a network").await.unwrap(), EC25);
    is_discreet(&lab);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_messages_than_the_modem_can_hold_arrive_all() {
    let mut lab = Lab::start().await.unwrap();
    lab.kill_supervisor().await.unwrap();
    for n in 0..300 {
        lab.sim.send_sms(EC25, "+33612345678", &format!("{n} of many")).await.unwrap();
    }
    let unit = lab.sim.status().await.unwrap().remove(0);
    assert!(unit.waiting_messages > 0, "{unit:?}");
    lab.start_supervisor().await.unwrap();
    lab.wait_for_received(300).await.unwrap();
    lab.wait_for_empty_modems().await.unwrap();
    // Full for another reason than ours, and free again.
    lab.sim.control(EC25, Control::Fault(Fault::StorageFull { memory: "ME".into(), on: true })).await.unwrap();
    lab.sim.send_sms(EC25, "+33612345678", "no room").await.unwrap();
    lab.sim.control(EC25, Control::Fault(Fault::StorageFull { memory: "ME".into(), on: false })).await.unwrap();
    lab.sim.send_sms(EC25, "+33612345678", "room").await.unwrap();
    lab.wait_for_received(302).await.unwrap();
    is_discreet(&lab);
    assert_sound(lab).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_announced_without_its_place_is_found() {
    let lab = Lab::start().await.unwrap();
    for modem in MODEMS {
        lab.sim.control(modem, Control::Fault(Fault::IndexMinusOne { count: 1 })).await.unwrap();
        lab.sim.send_sms(modem, "+33612345678", "somewhere").await.unwrap();
    }
    lab.wait_for_received(2).await.unwrap();
    is_discreet(&lab);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_modem_that_falls_silent_is_healed_and_the_box_says_what_it_did() {
    let lab = Lab::start().await.unwrap();
    let line = lab.line_of(SIM7600).await.unwrap();
    lab.sim.control(SIM7600, Control::Fault(Fault::Silence { commands: 4 })).await.unwrap();
    let is_told = || async {
        let events = lab.api.read("/api/events").await.ok()?;
        let is_of_line = |e: &&Value| e["kind"] == "watchdog_action" && e["data"]["target"] == json!(line);
        events["events"].as_array()?.iter().find(is_of_line).cloned()
    };
    let event = lab.wait_for("the event", Duration::from_secs(60), is_told).await.unwrap();
    assert!(event["data"]["reason"].as_str().unwrap().len() > 10, "{event}");
    lab.wait_for_lines(2).await.unwrap();
    lab.send_by(&line, "healed").await.unwrap();
    lab.wait_for_sent("healed").await.unwrap();
    is_discreet(&lab);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_modem_that_no_table_knows_is_tried_port_by_port() {
    let unknown = |config: &mut modem_sim::runner::Config| {
        config.modems[0].personality.vendor = 0x1bc7;
        config.modems[0].personality.product = 0x4242;
    };
    let lab = Lab::start_with(unknown, |_| {}).await.unwrap();
    lab.send_by(&lab.line_of(EC25).await.unwrap(), "from a stranger").await.unwrap();
    assert_eq!(lab.wait_for_sent("from a stranger").await.unwrap(), EC25);
    is_discreet(&lab);
}

/// The log tells none of the numbers, PINs and texts of these stories.
fn is_discreet(lab: &Lab) {
    let texts = ["after the swap", "for the first line", "while it starts", "over LTE by", "when there is a network"];
    lab.assert_private(&texts);
    lab.assert_private(&["of many", "no room", "somewhere", "healed", "from a stranger"]);
    let units = ["+33612000001", "+33612000002"];
    lab.assert_private(&units);
    lab.assert_private(&["+33612345678", "+33698765432", "=\"4711", "=\"0815", "pin=4711", "pin=0815"]);
}

/// Gives both lines a name; returns their ids and names.
async fn named_lines(lab: &Lab) -> Vec<(String, String)> {
    for (modem, name) in [(EC25, "Maison"), (SIM7600, "Büro")] {
        let path = format!("/api/lines/{}", lab.line_of(modem).await.unwrap());
        let change = json!({ "name": name }).to_string().into_bytes();
        let (status, answer) = lab.api.send("PATCH", &path, Some(change)).await.unwrap();
        assert_eq!((status, &answer["name"]), (StatusCode::OK, &json!(name)), "{answer}");
    }
    named_lines_at(lab, [EC25, SIM7600]).await
}

async fn named_lines_at(lab: &Lab, modems: [&str; 2]) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for modem in modems {
        let line = lab.line(&lab.line_of(modem).await.unwrap()).await.unwrap();
        lines.push((line["id"].as_str().unwrap().to_owned(), line["name"].as_str().unwrap().to_owned()));
    }
    lines
}

async fn enter_pin(lab: &Lab, pin: &str) -> (StatusCode, Value) {
    lab.api.post(&format!("/api/modems/{EC25}/pin"), json!({ "pin": pin })).await.unwrap()
}

async fn wait_for_tries(lab: &Lab, tries: u8) {
    let has_tries = || async {
        let modem = lab.modem(EC25).await.ok()?;
        (modem["state"] == "pin_needed" && modem["pinTriesLeft"] == tries).then_some(())
    };
    lab.wait_for(&format!("{tries} tries to be left"), START, has_tries).await.unwrap();
}

async fn replug(lab: &Lab) {
    lab.sim.unplug(EC25).await.unwrap();
    lab.wait_for_no_modem(EC25).await.unwrap();
    lab.sim.plug(EC25, Numbers::Different).await.unwrap();
}

/// How many PINs were entered so far, by whomever.
fn pins_tried(lab: &Lab) -> usize {
    std::fs::read_to_string(lab.sim.transcript()).unwrap().matches("> AT+CPIN=").count()
}

/// Says a command to the EC25 while the supervisor is away, and waits until the counter of PIN tries reads as wanted.
async fn tell_modem(lab: &Lab, command: &str, counter: &str) {
    let tty = lab.sim.tty(EC25, 2).await.unwrap();
    let flags = nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_NOCTTY;
    let mut tty = OpenOptions::new().read(true).write(true).custom_flags(flags.bits()).open(tty).unwrap();
    let mut settings = tcgetattr(&tty).unwrap();
    cfmakeraw(&mut settings);
    tcsetattr(&tty, SetArg::TCSANOW, &settings).unwrap();
    // Until it has started it does not answer.
    ask(&mut tty, "AT", "OK", Duration::from_millis(200)).await;
    ask(&mut tty, "AT+CPIN?", "+CPIN: ", Duration::from_millis(200)).await;
    ask(&mut tty, command, "ERROR", START).await;
    ask(&mut tty, "AT+QPINC?", counter, START).await;
}

/// Repeats a command, with pauses, until the answer holds a word.
async fn ask(tty: &mut File, command: &str, word: &str, pause: Duration) {
    let started = now();
    while started.elapsed() < START {
        tty.write_all(format!("{command}\r").as_bytes()).unwrap();
        let mut heard = String::new();
        let asked = now();
        while asked.elapsed() < pause {
            let mut buffer = [0; 256];
            let count = tty.read(&mut buffer).unwrap_or(0);
            heard += &String::from_utf8_lossy(&buffer[..count]);
            if heard.contains(word) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    panic!("{command} was not answered with {word}");
}
