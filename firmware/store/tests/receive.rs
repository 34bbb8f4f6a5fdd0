//! Every received message is there once, whatever is repeated, reordered or lost.

mod common;

use common::{ANN, Bench, NOON, STORAGE, deliver, ensure_line, said, single};
use store::{MessagePage, StoredInSlot};

const MINUTE_MS: i64 = 60_000;

#[tokio::test]
async fn the_first_message_of_a_chat_is_unread() {
    let bench = Bench::new().await;
    bench.receive(1, &single(ANN, "hello")).await;
    let chats = bench.store.list_chats(10, 0).await.unwrap();
    let [chat] = chats.as_slice() else { panic!("{} chats", chats.len()) };
    assert_eq!((chat.id.as_str(), chat.unread_count), ("sms_+33600000001_+33600000002", 1));
    assert_eq!((chat.last_message.as_str(), chat.last_at_ms), ("hello", NOON * 1000));
    let chat = bench.store.mark_read(chat.id.clone()).await.unwrap();
    assert_eq!(chat.unread_count, 0);
}

#[tokio::test]
async fn a_part_that_is_read_again_counts_once_until_its_slot_is_cleared() {
    let mut bench = Bench::new().await;
    let pdu = single(ANN, "OK");
    assert_eq!(said(&bench.receive(1, &pdu).await), "new: OK");
    assert_eq!(said(&bench.receive(1, &pdu).await), "duplicate");
    bench.reopen();
    assert_eq!(said(&bench.receive(1, &pdu).await), "duplicate", "after a crash between storing and deleting");
    assert_eq!(said(&bench.receive(2, &pdu).await), "new: OK", "another slot");
    bench.store.mark_cleared(STORAGE.to_owned(), 1, 0).await.unwrap();
    assert_eq!(said(&bench.receive(1, &pdu).await), "new: OK", "a cleared slot");
    assert_eq!(bench.texts().await, ["OK", "OK", "OK"]);
}

#[tokio::test]
async fn a_slot_that_was_reused_unseen_holds_a_new_message() {
    let bench = Bench::new().await;
    bench.receive(1, &single(ANN, "one")).await;
    assert_eq!(said(&bench.receive(1, &single(ANN, "two")).await), "new: two");
    assert_eq!(said(&bench.receive(1, &single(ANN, "two")).await), "duplicate");
}

#[tokio::test]
async fn a_sweep_tells_what_has_gone() {
    let bench = Bench::new().await;
    let (one, two) = (single(ANN, "one"), single(ANN, "two"));
    bench.receive(1, &one).await;
    bench.receive(2, &two).await;
    let present = vec![StoredInSlot { slot: 2, pdu: two.clone() }];
    assert_eq!(bench.store.reconcile_sweep(STORAGE.to_owned(), present, 0).await.unwrap(), 1);
    assert_eq!(bench.store.reconcile_sweep("SM:8933150319000000123".to_owned(), vec![], 0).await.unwrap(), 0);
    assert_eq!(said(&bench.receive(1, &one).await), "new: one", "its slot was empty in between");
    assert_eq!(said(&bench.receive(2, &two).await), "duplicate", "its slot was not");
}

#[tokio::test]
async fn equal_texts_delivered_directly_are_two_messages() {
    let bench = Bench::new().await;
    bench.receive(None, &single(ANN, "OK")).await;
    bench.receive(None, &single(ANN, "OK")).await;
    assert_eq!(bench.texts().await, ["OK", "OK"]);
}

#[tokio::test]
async fn a_long_message_comes_in_any_order_and_its_parts_are_repeated() {
    let bench = Bench::new().await;
    let text = "é😀".repeat(80);
    let parts = deliver(ANN, &text, 7, NOON);
    assert_eq!(parts.len(), 4);
    let mut said_so_far = Vec::new();
    for (slot, part) in [(1, 2), (2, 0), (3, 2), (4, 3), (5, 0), (6, 1), (7, 3)] {
        said_so_far.push(said(&bench.receive(slot, &parts[part]).await));
    }
    let whole = format!("new: {text}");
    assert_eq!(said_so_far, ["held", "held", "duplicate", "held", "duplicate", &whole, "duplicate"]);
    assert_eq!(bench.texts().await, [text]);
    for slot in 1..=7 {
        assert_eq!(said(&bench.receive(slot, &parts[[2, 0, 2, 3, 0, 1, 3][slot as usize - 1]]).await), "duplicate");
    }
}

#[tokio::test]
async fn two_senders_and_two_lines_may_use_one_reference() {
    let mut bench = Bench::new().await;
    let long = |who: &str| format!("{who} {}", "x".repeat(200));
    let (ann, bob) = (deliver(ANN, &long("ann"), 7, NOON), deliver("Bob", &long("bob"), 7, NOON));
    for (slot, part) in [(1, &ann[0]), (2, &bob[1]), (3, &bob[0]), (4, &ann[1])] {
        bench.receive(slot, part).await;
    }
    let first = bench.line.clone();
    bench.line = ensure_line(&bench.store, "8933150319000000999", None).await;
    bench.receive(5, &ann[0]).await;
    assert_eq!(bench.texts().await.len(), 2, "half a message on the other line is hidden");
    bench.receive(6, &ann[1]).await;
    assert_ne!(first.id, bench.line.id);
    let mut texts = bench.texts().await;
    texts.sort();
    assert_eq!(texts, [long("ann"), long("ann"), long("bob")]);
}

#[tokio::test]
async fn the_same_long_text_sent_twice_is_two_messages() {
    let bench = Bench::new().await;
    let text = "y".repeat(300);
    for (slot, stamped_at) in [(1, NOON), (3, NOON + 60)] {
        let parts = deliver(ANN, &text, 7, stamped_at);
        bench.receive(slot, &parts[0]).await;
        bench.receive(slot + 1, &parts[1]).await;
    }
    assert_eq!(bench.texts().await, [text.clone(), text]);
}

#[tokio::test]
async fn a_message_with_a_missing_part_is_shown_and_completed_later() {
    let bench = Bench::new().await;
    let text = format!("{}{}{}", "a".repeat(153), "b".repeat(153), "c".repeat(10));
    let parts = deliver(ANN, &text, 7, NOON);
    bench.receive(1, &parts[0]).await;
    bench.receive(2, &parts[2]).await;
    let opened = NOON * 1000;
    assert_eq!(bench.store.reveal_incomplete(opened, opened).await.unwrap(), [], "not old enough");
    let shown = bench.store.reveal_incomplete(opened + 1, opened + 10 * MINUTE_MS).await.unwrap();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].body, format!("{}[…]{}", "a".repeat(153), "c".repeat(10)));
    assert!(!shown[0].is_complete);
    assert_eq!(said(&bench.receive(3, &parts[1]).await), format!("updated: {text}"));
    let messages = bench.messages().await;
    assert_eq!((messages.len(), messages[0].is_complete, messages[0].id), (1, true, shown[0].id));
    let chat = bench.store.find_chat(messages[0].chat.clone()).await.unwrap();
    assert_eq!((chat.last_message, chat.unread_count), (text, 1));
}

#[tokio::test]
async fn too_many_halves_show_the_oldest() {
    let bench = Bench::new().await;
    let half = |reference: u8| deliver(ANN, &format!("{reference:03}{}", "z".repeat(200)), reference, NOON).remove(0);
    for reference in 0..32u8 {
        assert_eq!(said(&bench.receive(u16::from(reference), &half(reference)).await), "held");
    }
    let received = bench.receive(32, &half(32)).await;
    assert_eq!(said(&received), "held");
    let revealed = received.revealed.unwrap();
    assert!(revealed.body.starts_with("000") && revealed.body.ends_with("[…]"), "{}", revealed.body);
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_and_shown_as_such() {
    let bench = Bench::new().await;
    assert_eq!(said(&bench.receive(1, &[0x07, 0x91]).await), "new: [unreadable message]");
    assert_eq!(said(&bench.receive(1, &[0x07, 0x91]).await), "duplicate");
    assert_eq!(said(&bench.receive(2, &[]).await), "new: [unreadable message]");
    bench.store.forget_old(i64::MAX).await.unwrap();
    assert_eq!(said(&bench.receive(1, &[0x07, 0x91]).await), "duplicate", "its octets are kept for ever");
}

#[tokio::test]
async fn a_part_cut_at_any_octet_is_kept() {
    let bench = Bench::new().await;
    let whole = deliver(ANN, &"x".repeat(200), 7, NOON).remove(0);
    for length in 0..whole.len() {
        let slot = u16::try_from(length).unwrap();
        let outcome = said(&bench.receive(slot, &whole[..length]).await);
        assert!(outcome.starts_with("new: ") || outcome == "held" || outcome == "report", "{length}: {outcome}");
        assert_eq!(said(&bench.receive(slot, &whole[..length]).await), "duplicate", "{length}");
    }
    bench.store.check_integrity().await.unwrap();
}

#[tokio::test]
async fn data_is_not_shown_as_text() {
    let bench = Bench::new().await;
    let part = sms_pdu::SubmitPart::data(vec![1, 2, 3], None, None).unwrap();
    let pdu = sms_pdu::encode_deliver(&sms_pdu::DeliverSpec {
        smsc: None,
        sender: telecom::Address::from_text(ANN),
        timestamp: sms_pdu::ServiceCentreTimestamp::from_unix_seconds(NOON, 0),
        protocol_id: 0,
        part,
    });
    assert_eq!(said(&bench.receive(1, &pdu).await), "new: [data message, 3 bytes]");
    assert_eq!(bench.messages().await[0].kind.as_str(), "data");
}

#[tokio::test]
async fn pages_meet_without_gap_or_overlap() {
    let bench = Bench::new().await;
    let sends =
        (0..25u16).map(|n| bench.part(n, &single(ANN, &n.to_string()))).map(|part| bench.store.receive_part(part));
    for send in sends {
        send.await.unwrap();
    }
    let chat = bench.store.list_chats(1, 0).await.unwrap().remove(0).id;
    let mut seen = Vec::new();
    let mut before_ms = None;
    loop {
        let page = MessagePage { limit: 10, before_ms, after_ms: None };
        let messages = bench.store.list_messages(chat.clone(), page).await.unwrap();
        let Some(first) = messages.first() else { break };
        before_ms = Some(first.created_at_ms);
        seen.splice(0..0, messages.into_iter().map(|message| message.body));
    }
    assert_eq!(seen, (0..25).map(|n| n.to_string()).collect::<Vec<_>>());
    let page = MessagePage { limit: 3, before_ms: None, after_ms: Some(NOON * 1000 + 4) };
    let after = bench.store.list_messages(chat, page).await.unwrap();
    assert_eq!(after.iter().map(|message| message.body.as_str()).collect::<Vec<_>>(), ["5", "6", "7"]);
}

#[tokio::test]
async fn a_national_and_an_international_sender_are_one_chat() {
    let bench = Bench::new().await;
    bench.receive(1, &single("0600000002", "one")).await;
    bench.receive(2, &single(ANN, "two")).await;
    bench.receive(3, &single("36179", "three")).await;
    let chats = bench.store.list_chats(10, 0).await.unwrap();
    let ids: Vec<_> = chats.iter().map(|chat| chat.id.as_str()).collect();
    assert_eq!(ids, ["sms_+33600000001_+33600000002", "sms_+33600000001_36179"]);
    assert_eq!(bench.store.list_chats(1, 1).await.unwrap(), chats[1..]);
}

#[tokio::test]
async fn a_new_sim_with_the_old_number_has_chats_of_its_own() {
    let mut bench = Bench::new().await;
    bench.receive(1, &single(ANN, "old")).await;
    bench.line = ensure_line(&bench.store, "8933150319000000999", Some("+33600000001")).await;
    bench.receive(2, &single(ANN, "new")).await;
    let ids: Vec<_> = bench.store.list_chats(10, 0).await.unwrap().into_iter().map(|chat| chat.id.0).collect();
    assert!(ids.contains(&"sms_+33600000001_+33600000002".to_owned()));
    assert!(ids.contains(&format!("sms_{}_+33600000002", bench.line.id)));
}
