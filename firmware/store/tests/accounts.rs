//! Users, sessions, PINs, lines, modems, calls and events.

mod common;

use common::{Bench, ensure_line};
use store::{CallChange, CallDirection, CallFilter, CallStatus, Ensured, ModemIdentity, NewCall, NewUser, StoreError};
use telecom::CallId;

#[tokio::test]
async fn of_two_first_owners_one_is_refused() {
    let bench = Bench::new().await;
    assert!(bench.store.needs_first_user().await.unwrap());
    let (one, two) =
        tokio::join!(bench.store.create_first_user(user("ann"), 1), bench.store.create_first_user(user("bob"), 1));
    assert!(matches!((one, two), (Ok(_), Err(StoreError::Exists { what: "owner" }))));
    assert!(!bench.store.needs_first_user().await.unwrap());
    assert!(bench.store.find_user("ANN".to_owned()).await.unwrap().is_some(), "names ignore case");
    assert!(bench.store.find_user("bob".to_owned()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_session_lasts_until_its_end_or_a_new_password() {
    let bench = Bench::new().await;
    let user = bench.store.create_first_user(user("ann"), 1).await.unwrap();
    let store = &bench.store;
    store.create_session(user.id, [1; 32], 100, 1).await.unwrap();
    store.create_session(user.id, [2; 32], 100, 1).await.unwrap();
    assert_eq!(store.find_session([1; 32], 99).await.unwrap().map(|user| user.id), Some(user.id));
    assert_eq!(store.find_session([1; 32], 100).await.unwrap(), None, "ended");
    assert_eq!(store.find_session([3; 32], 1).await.unwrap(), None, "another token");
    assert!(store.delete_session([1; 32]).await.unwrap());
    assert!(!store.delete_session([1; 32]).await.unwrap());
    store.set_password(user.id, "new".to_owned()).await.unwrap();
    assert_eq!(store.find_session([2; 32], 1).await.unwrap(), None, "closed by the new password");
}

#[tokio::test]
async fn a_refused_pin_is_remembered_until_another_is_set() {
    let bench = Bench::new().await;
    let iccid = &bench.line.iccid;
    assert_eq!(bench.store.find_pin(iccid.clone()).await.unwrap(), None);
    bench.store.set_pin(iccid.clone(), "1234".to_owned()).await.unwrap();
    bench.store.reject_pin(iccid.clone()).await.unwrap();
    let pin = bench.store.find_pin(iccid.clone()).await.unwrap().unwrap();
    assert_eq!((pin.pin.as_str(), pin.is_rejected), ("1234", true));
    assert_eq!(format!("{pin:?}"), "StoredPin { is_rejected: true, .. }");
    bench.store.set_pin(iccid.clone(), "5678".to_owned()).await.unwrap();
    assert!(!bench.store.find_pin(iccid.clone()).await.unwrap().unwrap().is_rejected);
}

#[tokio::test]
async fn a_line_stays_with_its_sim() {
    let bench = Bench::new().await;
    assert_eq!((bench.line.country, bench.line.name.as_str()), (208, "SIM 0123"));
    let renamed = bench.store.set_line_name(bench.line.id, "Shop".to_owned()).await.unwrap();
    let again = ensure_line(&bench.store, bench.line.iccid.as_str(), None).await;
    assert_eq!(again, renamed, "the name and the known number stay");
    let numbered = bench.store.set_line_number(again.id, "06 11 22 33 44".parse().unwrap()).await.unwrap();
    assert_eq!(numbered.number.unwrap().as_str(), "+33611223344");
    assert_eq!(bench.store.list_lines().await.unwrap().len(), 1);
    assert!(matches!(bench.store.find_line(telecom::LineId(9)).await, Err(StoreError::NoSuchLine)));
}

#[tokio::test]
async fn modems_that_share_an_imei_are_told_apart_by_where_they_are() {
    let bench = Bench::new().await;
    let ensure = async |usb_path: &str, elsewhere: &[&str]| {
        let imei = "490154203237518".parse().unwrap();
        let modem = ModemIdentity { imei, usb_path: Some(usb_path.to_owned()), model: None, firmware: None };
        let elsewhere = elsewhere.iter().map(|path| (*path).to_owned()).collect();
        bench.store.ensure_modem(modem, elsewhere, 1).await.unwrap().into_inner()
    };
    let first = ensure("1-2", &["1-3"]).await;
    let second = ensure("1-3", &["1-2"]).await;
    assert_ne!(first.id, second.id);
    assert_ne!(first.memory_owner(), second.memory_owner());
    // The next start may find them in another order.
    assert_eq!(ensure("1-3", &[]).await.id, second.id);
    assert_eq!(ensure("1-2", &["1-3"]).await.id, first.id);
    // One that moved is the one that is missed.
    assert_eq!(ensure("1-4", &["1-2"]).await.id, second.id);
    assert_eq!(ensure("1-4", &["1-2"]).await.memory_owner(), second.memory_owner());
    assert_eq!(bench.store.list_modems().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_modem_keeps_its_id_in_another_socket() {
    let bench = Bench::new().await;
    let identity = |usb_path: &str| ModemIdentity {
        imei: "490154203237518".parse().unwrap(),
        usb_path: Some(usb_path.to_owned()),
        model: None,
        firmware: None,
    };
    let modem = bench.store.ensure_modem(identity("1-2"), vec![], 1).await.unwrap();
    let Ensured::Created(modem) = modem else { panic!("the modem is new") };
    let moved = bench.store.ensure_modem(identity("1-3"), vec![], 2).await.unwrap();
    let Ensured::Existing(moved) = moved else { panic!("the modem is known") };
    assert_eq!((moved.id, moved.usb_path.as_deref()), (modem.id, Some("1-3")));
}

#[tokio::test]
async fn a_call_is_written_from_ring_to_end() {
    let bench = Bench::new().await;
    let store = &bench.store;
    let call = store.insert_call(call(&bench, "c-1", CallDirection::Incoming, 10)).await.unwrap();
    assert_eq!((call.status, call.line_name.as_deref()), (CallStatus::Ringing, Some("SIM 0123")));
    let again = store.insert_call(self::call(&bench, "c-1", CallDirection::Incoming, 10)).await;
    assert!(matches!(again, Err(StoreError::Exists { what: "call" })));
    let answered = CallChange { status: Some(CallStatus::Answered), answer_at_ms: Some(12), ..CallChange::default() };
    store.update_call(call.id.clone(), answered).await.unwrap();
    let ended = CallChange { end_at_ms: Some(20), ..CallChange::default() };
    let call = store.update_call(call.id, ended).await.unwrap();
    assert_eq!((call.status, call.answer_at_ms, call.end_at_ms), (CallStatus::Answered, Some(12), Some(20)));

    store.insert_call(self::call(&bench, "c-2", CallDirection::Incoming, 30)).await.unwrap();
    store.insert_call(self::call(&bench, "c-3", CallDirection::Outgoing, 31)).await.unwrap();
    assert_eq!(store.close_open_calls(40).await.unwrap(), 2);
    let calls = store.list_calls(CallFilter { limit: 10, ..CallFilter::default() }).await.unwrap();
    let listed: Vec<_> = calls.iter().map(|call| (call.id.as_str(), call.status)).collect();
    assert_eq!(listed, [("c-3", CallStatus::Failed), ("c-2", CallStatus::Missed), ("c-1", CallStatus::Answered)]);
    let missed = CallFilter { status: Some(CallStatus::Missed), limit: 10, ..CallFilter::default() };
    assert_eq!(store.list_calls(missed).await.unwrap().len(), 1);
    assert_eq!(store.mark_calls_seen().await.unwrap(), 3);
}

#[tokio::test]
async fn events_are_listed_from_the_newest() {
    let bench = Bench::new().await;
    for at_ms in 0..3 {
        bench.store.append_event("tick".to_owned(), format!("{{\"n\":{at_ms}}}"), at_ms).await.unwrap();
    }
    let events = bench.store.list_events(None, 2).await.unwrap();
    assert_eq!(events.iter().map(|event| event.json.as_str()).collect::<Vec<_>>(), [r#"{"n":2}"#, r#"{"n":1}"#]);
    let events = bench.store.list_events(Some(events[1].id), 2).await.unwrap();
    assert_eq!(events.iter().map(|event| event.at_ms).collect::<Vec<_>>(), [0]);
}

fn user(username: &str) -> NewUser {
    NewUser { username: username.to_owned(), password_hash: "hash".to_owned() }
}

fn call(bench: &Bench, id: &str, direction: CallDirection, start_at_ms: i64) -> NewCall {
    NewCall {
        id: CallId(id.to_owned()),
        direction,
        caller_number: "+33600000002".to_owned(),
        called_number: "+33600000001".to_owned(),
        caller_name: None,
        line: Some(bench.line.id),
        pbx_call_id: None,
        start_at_ms,
    }
}

#[tokio::test]
async fn a_stored_pin_is_tried_once_unless_the_sim_did_not_count_it() {
    let mut bench = Bench::new().await;
    let iccid = bench.line.iccid.clone();
    assert_eq!(bench.store.take_pin(iccid.clone(), 3).await.unwrap(), None);
    bench.store.set_pin(iccid.clone(), "1234".to_owned()).await.unwrap();
    assert_eq!(bench.store.take_pin(iccid.clone(), 3).await.unwrap().as_deref(), Some("1234"));
    bench.reopen();
    assert_eq!(bench.store.take_pin(iccid.clone(), 2).await.unwrap(), None, "the SIM has counted it");
    assert!(bench.store.take_pin(iccid.clone(), 3).await.unwrap().is_some(), "the SIM never heard of it");
    bench.store.confirm_pin(iccid.clone()).await.unwrap();
    assert!(bench.store.take_pin(iccid.clone(), 2).await.unwrap().is_some(), "it was proved right");
    bench.store.reject_pin(iccid.clone()).await.unwrap();
    bench.store.confirm_pin(iccid.clone()).await.unwrap();
    assert_eq!(bench.store.take_pin(iccid.clone(), 3).await.unwrap(), None, "refused once is refused");
}
