//! Messages in and out of the box.

use anyhow::Context;
use laptop_tests::clock::{now, wait_for};
use laptop_tests::lab::{EC25, Lab, SIM7600};
use modem_sim::core::Control;
use modem_sim::core::fault::{Fault, ReportOutcome};
use serde_json::{Value, json};
use std::time::Duration;

const MOMENT: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sms_appears_in_the_inbox_within_a_second() {
    let lab = Lab::start().await.unwrap();
    let mut events = lab.api.events().await.unwrap();
    for (modem, from, text) in [(EC25, "+33612345678", "Bonjour"), (SIM7600, "+33687654321", "été 😀 €[]{}")] {
        let sent = now();
        lab.sim.send_sms(modem, from, text).await.unwrap();
        let event = events.wait("new_message", MOMENT, |e| e["data"]["content"] == text).await.unwrap();
        assert!(sent.elapsed() < Duration::from_secs(1), "took {:?}", sent.elapsed());
        assert_eq!(event["data"]["sender"], from);
        assert_eq!(event["data"]["fromMe"], false);
        assert_eq!(event["data"]["key"]["fromMe"], false);
        let chats = lab.api.read("/api/chats").await.unwrap();
        let chat = chats["chats"].as_array().unwrap().iter().find(|c| c["remote"] == from).unwrap();
        assert_eq!((&chat["unreadCount"], &chat["lastMessage"]), (&json!(1), &json!(text)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_begins_with_the_inbox_follows_it_and_answers_by_the_line_that_was_written_to() {
    let lab = Lab::start().await.unwrap();
    let mut events = lab.api.events().await.unwrap();
    let first = events.wait("chats_list_update", MOMENT, |_| true).await.unwrap();
    assert_eq!((&first["data"]["chats"], &first["data"]["reason"]), (&json!([]), &json!("connected")));
    for modem in [EC25, SIM7600] {
        let text = format!("to {modem}");
        lab.sim.send_sms(modem, "+33612345678", &text).await.unwrap();
        let is_of_text = |e: &Value| e["data"]["lastMessage"] == text;
        let changed = events.wait("chat_updated", MOMENT, is_of_text).await.unwrap();
        assert_eq!(changed["data"]["unreadCount"], 1);
        let id = changed["data"]["id"].as_str().unwrap();
        let path = format!("/api/chats/{}", id.replace('+', "%2B"));
        let (status, _) = lab.api.send("PUT", &format!("{path}/read"), None).await.unwrap();
        assert!(status.is_success());
        events.wait("chat_read", MOMENT, |e| e["data"]["chatId"] == id).await.unwrap();

        let reply = format!("from {modem}");
        let (status, accepted) = lab.api.post(&format!("{path}/messages"), json!({"text": reply})).await.unwrap();
        assert_eq!((status.as_u16(), &accepted["chatId"]), (202, &json!(id)), "{accepted}");
        let changed = events.wait("chat_updated", MOMENT, |e| e["data"]["lastMessage"] == reply).await.unwrap();
        assert_eq!((&changed["data"]["id"], &changed["data"]["unreadCount"]), (&json!(id), &json!(0)));
        assert_eq!(lab.wait_for_sent(&reply).await.unwrap(), modem);
    }
    let mut later = lab.api.events().await.unwrap();
    let first = later.wait("chats_list_update", MOMENT, |_| true).await.unwrap();
    let chats = first["data"]["chats"].as_array().unwrap();
    let last: Vec<_> = chats.iter().map(|chat| chat["lastMessage"].as_str().unwrap()).collect();
    assert_eq!(last, ["from 1-3", "from 1-2"], "one conversation for each line, the most recent first");
    let nobody = json!({"text": "x"});
    let (status, answer) = lab.api.post("/api/chats/sms_nobody/messages", nobody).await.unwrap();
    assert_eq!((status.as_u16(), &answer["code"]), (404, &json!("not_found")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sms_leaves_through_the_line_that_was_chosen_and_its_report_comes_back() {
    let lab = Lab::start().await.unwrap();
    for modem in [EC25, SIM7600] {
        let delivered = Fault::Report { outcome: ReportOutcome::Delivered };
        lab.sim.control(modem, Control::Fault(delivered)).await.unwrap();
    }
    let mut events = lab.api.events().await.unwrap();
    for modem in [SIM7600, EC25] {
        let line = lab.line_of(modem).await.unwrap();
        let text = format!("hello from {modem}");
        let body = json!({"to": "06 98 76 54 32", "message": text, "from": line});
        let (status, accepted) = lab.api.post("/api/sms/send", body).await.unwrap();
        assert_eq!((status.as_u16(), &accepted["lineId"]), (202, &json!(line)), "{accepted}");
        let id = accepted["messageId"].clone();
        let is_delivered = |e: &Value| e["data"]["messageId"] == id && e["data"]["status"] == "delivered";
        events.wait("message_status", MOMENT, is_delivered).await.unwrap();
        let sent = lab.sim.sent().await.unwrap();
        let of_this = |m: &&modem_sim::runner::SentMessage| m.message.text == text;
        assert_eq!(sent.iter().find(of_this).map(|m| m.modem.as_str()), Some(modem));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_key_sends_and_announces_nothing_new() {
    let lab = Lab::start().await.unwrap();
    let mut events = lab.api.events().await.unwrap();
    let mut ids = Vec::new();
    for (text, key) in [("once", "k-1"), ("once", "k-1"), ("other", "k-2")] {
        let body = json!({"to": "+33698765432", "message": text, "idempotencyKey": key});
        let (status, accepted) = lab.api.post("/api/sms/send", body).await.unwrap();
        assert_eq!(status.as_u16(), 202, "{accepted}");
        ids.push(accepted["messageId"].clone());
    }
    assert_eq!(ids[0], ids[1]);
    for id in [&ids[0], &ids[2]] {
        let announced = events.wait("new_message", MOMENT, |_| true).await.unwrap();
        assert_eq!(&announced["data"]["id"], id, "{announced}");
    }
    for text in ["once", "other"] {
        lab.wait_for_sent(text).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_report_that_comes_while_the_box_is_off_is_found_when_it_starts() {
    let slowly = |config: &mut modem_sim::runner::Config| {
        config.modems.iter_mut().for_each(|modem| modem.profile.timings.report_after = Duration::from_secs(4));
    };
    let mut lab = Lab::start_with(slowly, |_| {}).await.unwrap();
    let mut events = lab.api.events().await.unwrap();
    for modem in [EC25, SIM7600] {
        let id = lab.send_by(&lab.line_of(modem).await.unwrap(), "hello").await.unwrap()["messageId"].clone();
        let is_sent = |e: &Value| e["data"]["messageId"] == id && e["data"]["status"] == "sent";
        events.wait("message_status", MOMENT, is_sent).await.unwrap();
    }
    lab.kill_supervisor().await.unwrap();
    let are_stored = || async {
        let modems = lab.sim.status().await.ok()?;
        let reports = |m: &modem_sim::runner::ModemStatus| m.storage.iter().any(|s| s.0 == "SR" && s.1 == 1);
        modems.iter().all(reports).then_some(())
    };
    lab.wait_for("both reports to be stored", MOMENT, are_stored).await.unwrap();
    lab.start_supervisor().await.unwrap();
    let statuses = || async {
        let messages = lab.messages().await.ok()?;
        let is_delivered = messages.iter().all(|message| message["status"] == "delivered");
        is_delivered.then_some(messages.len())
    };
    assert_eq!(lab.wait_for("both messages to be delivered", MOMENT, statuses).await.unwrap(), 2);
    lab.wait_for_empty_modems().await.unwrap();
    assert_eq!(lab.sim.sent().await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_text_arrives_whole_whatever_the_order_of_its_parts() {
    let lab = Lab::start().await.unwrap();
    let text = "Lorem ipsum dolor sit amet ".repeat(20);
    for (reference, order) in [(1, vec![3, 1, 4, 2]), (2, vec![4, 4, 3, 2, 2, 1])] {
        let sms = Control::Sms {
            from: "+33611112222".into(),
            text: text.clone(),
            parts_order: Some(order),
            class: None,
            reference: Some(reference),
        };
        lab.sim.control(EC25, sms).await.unwrap();
    }
    let both = || async { (lab.messages().await.ok()?.len() == 2).then_some(()) };
    wait_for("two messages", MOMENT, both).await.with_context(|| lab.log()).unwrap();
    for message in lab.messages().await.unwrap() {
        assert_eq!(message["content"], text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_texts_of_one_sender_are_two_messages() {
    let lab = Lab::start().await.unwrap();
    for _ in 0..2 {
        lab.sim.send_sms(EC25, "+33611112222", "OK").await.unwrap();
    }
    let both = || async { (lab.messages().await.ok()?.len() == 2).then_some(()) };
    wait_for("two messages", MOMENT, both).await.with_context(|| lab.log()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrived_while_the_box_was_off_is_found_when_it_starts() {
    let mut lab = Lab::start().await.unwrap();
    lab.kill_supervisor().await.unwrap();
    for n in 0..30 {
        let modem = if n % 2 == 0 { EC25 } else { SIM7600 };
        lab.sim.send_sms(modem, "+33611112222", &format!("while off {n}")).await.unwrap();
    }
    lab.start_supervisor().await.unwrap();
    let all = || async { (lab.messages().await.ok()?.len() >= 30).then_some(()) };
    wait_for("thirty messages", Duration::from_secs(30), all).await.with_context(|| lab.log()).unwrap();
    let mut texts: Vec<String> =
        lab.messages().await.unwrap().iter().map(|m| m["content"].as_str().unwrap().to_owned()).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 30);
    let cleared = || async {
        let modems = lab.sim.status().await.ok()?;
        modems.iter().all(|m| m.storage.iter().all(|(_, used, _)| *used == 0)).then_some(())
    };
    wait_for("the modems to be empty", MOMENT, cleared).await.with_context(|| lab.log()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_of_the_network_are_told_in_words_and_nothing_is_lost() {
    let lab = Lab::start().await.unwrap();
    let mut events = lab.api.events().await.unwrap();
    let refuse =
        Fault::Error { command: "+CMGS".into(), kind: modem_sim::core::fault::ErrorKind::Cms, code: 28, count: 1 };
    lab.sim.control(EC25, Control::Fault(refuse)).await.unwrap();
    let line = lab.line_of(EC25).await.unwrap();
    let send = |text: &str| json!({"to": "+33698765432", "message": text, "from": line});
    let (_, accepted) = lab.api.post("/api/sms/send", send("refused")).await.unwrap();
    let id = accepted["messageId"].clone();
    let failed =
        events.wait("message_status", MOMENT, |e| e["data"]["messageId"] == id && e["data"]["status"] == "failed");
    let error = failed.await.unwrap()["data"]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("28") && error.len() > 20, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_network_says_later_is_told_and_what_nobody_can_know_is_unknown() {
    let mut lab = Lab::start().await.unwrap();
    let mut events = lab.api.events().await.unwrap();
    let line = lab.line_of(EC25).await.unwrap();
    for (outcome, stages) in
        [(ReportOutcome::Failed, vec!["sent", "failed"]), (ReportOutcome::Delayed, vec!["sent", "delivered"])]
    {
        lab.sim.control(EC25, Control::Fault(Fault::Report { outcome })).await.unwrap();
        let id = lab.send_by(&line, "hello").await.unwrap()["messageId"].clone();
        for stage in stages {
            let is_there = |e: &Value| e["data"]["messageId"] == id && e["data"]["status"] == stage;
            events.wait("message_status", MOMENT, is_there).await.unwrap();
        }
    }
    // The box is killed while it waits for the network's answer, which nobody hears then.
    for fault in [Fault::Report { outcome: ReportOutcome::Never }, Fault::SubmitNeverAnswered { count: 1 }] {
        lab.sim.control(EC25, Control::Fault(fault)).await.unwrap();
    }
    let id = lab.send_by(&line, "never answered").await.unwrap()["messageId"].clone();
    lab.wait_for_sent("never answered").await.unwrap();
    lab.kill_supervisor().await.unwrap();
    lab.start_supervisor().await.unwrap();
    let messages = lab.messages().await.unwrap();
    let message = messages.iter().find(|message| message["id"] == id).unwrap();
    assert_eq!(message["status"], "unknown", "{message}");
    lab.wait_for_lines(2).await.unwrap();
    lab.send_by(&line, "the next one").await.unwrap();
    lab.wait_for_sent("the next one").await.unwrap();
    let sent = lab.sim.sent().await.unwrap();
    let times = sent.iter().filter(|sent| sent.message.text == "never answered").count();
    assert_eq!(times, 1, "it may have arrived: it is not sent again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ussd_answers_and_asks_back() {
    let lab = Lab::start().await.unwrap();
    let text = |answer: &Value| answer["text"].as_str().unwrap().to_owned();
    for modem in [EC25, SIM7600] {
        let line = lab.line_of(modem).await.unwrap();
        let path = format!("/api/lines/{line}/ussd");
        let (status, answer) = lab.api.post(&path, json!({"code": "*100#"})).await.unwrap();
        assert!(status.is_success(), "{answer}");
        assert!(text(&answer).contains("12,34 EUR"), "{answer}");
        assert_eq!(answer["expectsReply"], false);
        let (_, answer) = lab.api.post(&path, json!({"code": "#123#"})).await.unwrap();
        assert_eq!(answer["expectsReply"], true, "{answer}");
        let (_, answer) = lab.api.post(&format!("{path}/reply"), json!({"text": "1"})).await.unwrap();
        assert_eq!((text(&answer).as_str(), &answer["expectsReply"]), ("Solde: 12,34 EUR", &json!(false)));
        lab.api.post(&path, json!({"code": "#123#"})).await.unwrap();
        let (status, answer) = lab.api.send("DELETE", &path, None).await.unwrap();
        assert!(status.is_success(), "{answer}");
        let (_, answer) = lab.api.post(&path, json!({"code": "*#100#"})).await.unwrap();
        assert_eq!(text(&answer), "Crédit épuisé ✓");
        let (status, answer) = lab.api.post(&path, json!({"code": "call me"})).await.unwrap();
        assert_eq!((status.as_u16(), &answer["code"]), (400, &json!("invalid_request")));
    }
    // A request that is given up before the network has answered is no answer.
    let path = format!("/api/lines/{}/ussd", lab.line_of(EC25).await.unwrap());
    lab.sim.control(EC25, Control::Fault(Fault::UssdNoAnswer { count: 1 })).await.unwrap();
    let asked_before = requests_asked(&lab);
    let asked = lab.api.post(&path, json!({"code": "*100#"}));
    let given_up = async {
        let is_asked = || async { (requests_asked(&lab) > asked_before).then_some(()) };
        wait_for("the request on the port", Duration::from_secs(10), is_asked).await.unwrap();
        let (status, answer) = lab.api.send("DELETE", &path, None).await.unwrap();
        assert!(status.is_success(), "{answer}");
    };
    let (answer, ()) = tokio::join!(asked, given_up);
    let (status, answer) = answer.unwrap();
    assert_eq!((status.is_success(), &answer["code"]), (false, &json!("modem_silent")), "{answer}");
}

fn requests_asked(lab: &Lab) -> usize {
    std::fs::read_to_string(lab.sim.transcript()).map_or(0, |said| said.matches("> AT+CUSD=1,").count())
}
