//! Every message to be sent is accepted once, handed out once, and its outcome is known or said to be unknown.
#![expect(clippy::expect_used, reason = "a test may stop at the first surprise")]

mod common;

use common::{ANN, Bench, NOON, report, said};
use sms_pdu::SmsSubmit;
use store::{EnqueueError, Ensured, Message, NewMessage, PartOutcome, StoreError};
use switchboard::outbox::MessageStatus;
use telecom::{LineId, PartId};

const NOON_MS: i64 = NOON * 1000;

#[tokio::test]
async fn a_message_goes_from_queued_to_delivered() {
    let bench = Bench::new().await;
    let message = enqueue(&bench, "hello").await;
    assert_eq!((message.status, message.segments), (MessageStatus::Queued, 1));
    let part = bench.store.claim_next_part(bench.line.id, NOON_MS + 5).await.unwrap().unwrap();
    assert_eq!((part.attempt, part.pdu.tpdu_length), (1, part.pdu.bytes.len() - 1));
    let submit = SmsSubmit::parse(&part.pdu.bytes).unwrap();
    assert_eq!((submit.recipient.to_string(), submit.request_report), (ANN.to_owned(), true));
    assert_eq!(bench.store.find_message(message.id).await.unwrap().status, MessageStatus::Sending);
    assert_eq!(bench.store.claim_next_part(bench.line.id, NOON_MS).await.unwrap(), None, "nobody gets it twice");

    let message = bench.store.finish_part(part.part, PartOutcome::Sent { reference: 9 }, NOON_MS + 50).await.unwrap();
    assert_eq!((message.status, message.sent_at_ms), (MessageStatus::Sent, Some(NOON_MS + 50)));
    let pending = report(ANN, 9, 0x20, NOON);
    assert_eq!(said(&bench.receive(None, &pending).await), "report: sent");
    assert_eq!(said(&bench.receive(1, &report("0600000002", 9, 0, NOON)).await), "report: delivered");
    let message = bench.store.find_message(message.id).await.unwrap();
    assert_eq!(message.delivered_at_ms, Some((NOON + 2) * 1000));
}

#[tokio::test]
async fn a_report_may_overtake_the_answer_to_the_sending() {
    let bench = Bench::new().await;
    let stale = report(ANN, 9, 0x41, NOON - 9000);
    assert_eq!(said(&bench.receive(None, &stale).await), "report", "older than the sending");
    let message = enqueue(&bench, "hello").await;
    let part = claim(&bench, NOON_MS + 1).await;
    let mut early = bench.part(3, &report(ANN, 9, 0, NOON));
    early.received_at_ms = NOON_MS + 2;
    assert_eq!(said(&bench.store.receive_part(early).await.unwrap()), "report");
    let finished = bench.store.finish_part(part, PartOutcome::Sent { reference: 9 }, NOON_MS + 3).await.unwrap();
    assert_eq!((finished.id, finished.status), (message.id, MessageStatus::Delivered));
}

#[tokio::test]
async fn a_repeated_report_does_not_reach_an_older_message() {
    let bench = Bench::new().await;
    let older = enqueue(&bench, "older").await;
    let part = claim(&bench, NOON_MS).await;
    bench.store.finish_part(part, PartOutcome::Sent { reference: 9 }, NOON_MS).await.unwrap();
    enqueue(&bench, "newer").await;
    let part = claim(&bench, NOON_MS).await;
    bench.store.finish_part(part, PartOutcome::Sent { reference: 9 }, NOON_MS + 1).await.unwrap();
    let delivered = report(ANN, 9, 0, NOON);
    assert_eq!(said(&bench.receive(None, &delivered).await), "report: delivered");
    assert_eq!(said(&bench.receive(None, &delivered).await), "duplicate");
    assert_eq!(bench.store.find_message(older.id).await.unwrap().status, MessageStatus::Sent);
}

#[tokio::test]
async fn a_long_message_is_delivered_when_every_part_is() {
    let bench = Bench::new().await;
    enqueue(&bench, &"x".repeat(300)).await;
    for reference in [20, 21] {
        let part = claim(&bench, NOON_MS).await;
        bench.store.finish_part(part, PartOutcome::Sent { reference }, NOON_MS).await.unwrap();
    }
    assert_eq!(said(&bench.receive(None, &report(ANN, 21, 0, NOON)).await), "report: sent");
    assert_eq!(said(&bench.receive(None, &report(ANN, 20, 0, NOON)).await), "report: delivered");
}

#[tokio::test]
async fn a_failed_part_ends_its_message_with_a_reason() {
    let bench = Bench::new().await;
    let message = enqueue(&bench, &"x".repeat(300)).await;
    let part = claim(&bench, NOON_MS).await;
    let failed = PartOutcome::Failed { error: "network refused the message".to_owned() };
    let message_after = bench.store.finish_part(part, failed, NOON_MS).await.unwrap();
    assert_eq!((message_after.id, message_after.status), (message.id, MessageStatus::Failed));
    assert_eq!(message_after.error.as_deref(), Some("network refused the message"));
    assert_eq!(bench.store.claim_next_part(bench.line.id, NOON_MS).await.unwrap(), None, "half a message is not sent");
}

#[tokio::test]
async fn an_undeliverable_report_fails_the_message() {
    let bench = Bench::new().await;
    enqueue(&bench, "hello").await;
    let part = claim(&bench, NOON_MS).await;
    bench.store.finish_part(part, PartOutcome::Sent { reference: 9 }, NOON_MS).await.unwrap();
    assert_eq!(said(&bench.receive(None, &report(ANN, 9, 0x46, NOON)).await), "report: failed");
}

#[tokio::test]
async fn a_report_that_never_comes_is_not_waited_for_for_ever_and_counts_when_it_does() {
    let bench = Bench::new().await;
    enqueue(&bench, &"x".repeat(300)).await;
    for reference in [20, 21] {
        let part = claim(&bench, NOON_MS).await;
        bench.store.finish_part(part, PartOutcome::Sent { reference }, NOON_MS).await.unwrap();
    }
    bench.receive(None, &report(ANN, 20, 0, NOON)).await;
    assert_eq!(bench.store.give_up_reports(NOON_MS, NOON_MS + 1).await.unwrap(), []);
    let given_up = bench.store.give_up_reports(NOON_MS + 1, NOON_MS + 2).await.unwrap();
    assert_eq!(given_up.iter().map(|message| message.status).collect::<Vec<_>>(), [MessageStatus::Unknown]);
    assert!(given_up[0].error.as_deref().is_some_and(|error| error.contains("report")), "{given_up:?}");
    assert_eq!(bench.store.give_up_reports(NOON_MS + 1, NOON_MS + 3).await.unwrap(), []);
    assert_eq!(said(&bench.receive(None, &report(ANN, 21, 0, NOON)).await), "report: delivered");
    let message = bench.store.find_message(given_up[0].id).await.unwrap();
    assert_eq!((message.status, message.error), (MessageStatus::Delivered, None));
}

#[tokio::test]
async fn a_clock_that_was_set_makes_no_report_overdue() {
    let bench = Bench::new().await;
    let message = enqueue(&bench, "hello").await;
    let part = claim(&bench, 5000).await;
    bench.store.finish_part(part, PartOutcome::Sent { reference: 9 }, 5000).await.unwrap();
    bench.store.shift_awaited_reports(0, 4999, NOON_MS).await.unwrap();
    bench.store.shift_awaited_reports(1000, 6000, NOON_MS).await.unwrap();
    assert_eq!(bench.store.give_up_reports(NOON_MS, NOON_MS).await.unwrap(), []);
    assert_eq!(bench.store.give_up_reports(NOON_MS + 5001, NOON_MS).await.unwrap()[0].id, message.id);
}

#[tokio::test]
async fn a_requeued_part_waits_and_lets_others_pass() {
    let bench = Bench::new().await;
    let first = enqueue(&bench, &"x".repeat(300)).await;
    let second = enqueue(&bench, "second").await;
    let part = claim(&bench, NOON_MS).await;
    let requeue = PartOutcome::Requeue { not_before_ms: NOON_MS + 5000 };
    let message = bench.store.finish_part(part, requeue, NOON_MS).await.unwrap();
    assert_eq!((message.id, message.status), (first.id, MessageStatus::Queued));
    let claimed = bench.store.claim_next_part(bench.line.id, NOON_MS + 1).await.unwrap().unwrap();
    assert_eq!(claimed.message, second.id);
    assert_eq!(bench.store.claim_next_part(bench.line.id, NOON_MS + 4999).await.unwrap(), None);
    assert_eq!(bench.store.next_due(bench.line.id).await.unwrap(), Some(NOON_MS + 5000));
    let claimed = bench.store.claim_next_part(bench.line.id, NOON_MS + 5000).await.unwrap().unwrap();
    assert_eq!((claimed.part, claimed.attempt), (part, 2));
}

#[tokio::test]
async fn a_clock_set_back_does_not_hold_the_queue() {
    let bench = Bench::new().await;
    enqueue(&bench, "hello").await;
    let part = claim(&bench, NOON_MS).await;
    bench.store.finish_part(part, PartOutcome::Requeue { not_before_ms: NOON_MS + 5000 }, NOON_MS).await.unwrap();
    assert!(bench.store.claim_next_part(bench.line.id, 0).await.unwrap().is_some());
}

#[tokio::test]
async fn what_was_with_the_modem_in_a_crash_is_unknown_and_not_repeated() {
    let mut bench = Bench::new().await;
    let message = enqueue(&bench, "hello").await;
    claim(&bench, NOON_MS).await;
    let waiting = enqueue(&bench, "waiting").await;
    bench.reopen();
    let recovered = bench.store.recover_outbox(NOON_MS).await.unwrap();
    assert_eq!(recovered.iter().map(|message| message.id).collect::<Vec<_>>(), [message.id]);
    assert_eq!(recovered[0].status, MessageStatus::Unknown);
    let next = bench.store.claim_next_part(bench.line.id, NOON_MS).await.unwrap().unwrap();
    assert_eq!(next.message, waiting.id);
    assert_eq!(bench.store.claim_next_part(bench.line.id, NOON_MS).await.unwrap(), None);
}

#[tokio::test]
async fn a_report_proves_that_an_unanswered_part_has_left() {
    let bench = Bench::new().await;
    for text in ["first", "second"] {
        enqueue(&bench, text).await;
        let part = claim(&bench, NOON_MS).await;
        bench.store.finish_part(part, PartOutcome::Unknown, NOON_MS).await.expect("finished");
    }
    assert_eq!(said(&bench.receive(None, &report(ANN, 9, 0, NOON)).await), "report", "it could be either");
    let bench = Bench::new().await;
    enqueue(&bench, "only").await;
    let part = claim(&bench, NOON_MS).await;
    bench.store.finish_part(part, PartOutcome::Unknown, NOON_MS).await.expect("finished");
    assert_eq!(said(&bench.receive(None, &report("+33699999999", 9, 0, NOON)).await), "report", "another recipient");
    enqueue(&bench, "next").await;
    let next = claim(&bench, NOON_MS).await;
    assert_eq!(said(&bench.receive(None, &report(ANN, 9, 0, NOON)).await), "report", "it could be the one on its way");
    let next = bench.store.finish_part(next, PartOutcome::Sent { reference: 9 }, NOON_MS).await.expect("finished");
    assert_eq!(next.status, MessageStatus::Delivered);
    assert_eq!(said(&bench.receive(None, &report(ANN, 10, 0, NOON)).await), "report: delivered");
}

#[tokio::test]
async fn a_key_is_accepted_once() {
    let bench = Bench::new().await;
    let keyed = |text| NewMessage { client_key: Some("k-1".to_owned()), ..new(&bench, text) };
    let again = || async { bench.store.enqueue_message(keyed("hello")).await.unwrap() };
    let Ensured::Created(one) = again().await else { panic!("it is new") };
    let (two, three) = tokio::join!(again(), again());
    assert_eq!((two, three), (Ensured::Existing(one.clone()), Ensured::Existing(one)), "whoever repeats it is told so");
    assert_eq!(bench.texts().await, ["hello"]);
    let other = bench.store.enqueue_message(keyed("good bye")).await;
    assert!(matches!(other, Err(EnqueueError::KeyReused)), "a message is not swallowed");
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_accepted() {
    let bench = Bench::new().await;
    let too_long = bench.store.enqueue_message(new(&bench, &"x".repeat(1531))).await;
    assert!(matches!(too_long, Err(EnqueueError::TextTooLong(error)) if error.parts == 11), "11 parts");
    let no_line = NewMessage { line: LineId(99), ..new(&bench, "hello") };
    let no_line = bench.store.enqueue_message(no_line).await;
    assert!(matches!(no_line, Err(EnqueueError::Store(StoreError::NoSuchLine))));
    assert_eq!(bench.messages().await, []);
}

#[tokio::test]
async fn long_messages_have_different_references() {
    let bench = Bench::new().await;
    let mut references = Vec::new();
    for _ in 0..3 {
        enqueue(&bench, &"x".repeat(200)).await;
        for _ in 0..2 {
            let part = bench.store.claim_next_part(bench.line.id, NOON_MS).await.unwrap().unwrap();
            references.push(SmsSubmit::parse(&part.pdu.bytes).unwrap().concat.unwrap().reference);
        }
    }
    references.dedup();
    assert_eq!(references, [1, 2, 3]);
}

fn new(bench: &Bench, text: &str) -> NewMessage {
    NewMessage {
        line: bench.line.id,
        to: ANN.parse().expect("a number"),
        text: text.to_owned(),
        client_key: None,
        at_ms: NOON_MS,
    }
}

async fn enqueue(bench: &Bench, text: &str) -> Message {
    bench.store.enqueue_message(new(bench, text)).await.expect("accepted").into_inner()
}

async fn claim(bench: &Bench, now_ms: i64) -> PartId {
    bench.store.claim_next_part(bench.line.id, now_ms).await.expect("store works").expect("a part is due").part
}
