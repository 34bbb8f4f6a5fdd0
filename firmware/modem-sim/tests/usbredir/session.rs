//! Conversations with a guest, and what must hold in every conversation.

use std::collections::BTreeMap;

use expect_test::expect;
use modem_sim::usbredir::{Body, Capabilities, Session, Status};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::codec::hello;
use crate::guest::{Guest, QEMU, descriptors};

#[test]
fn a_device_appears_after_its_endpoints_and_interfaces() {
    let mut guest = Guest::new(QEMU);
    guest.plug("ec25");
    guest.greet();
    expect![[r#"
        plug ec25
        < 0 Hello("modem-sim 0.1.0", 0x7a)
        < 0 EndpointInfo(16 endpoints)
        < 0 InterfaceInfo(5 interfaces)
        < 0 DeviceConnect { speed: 2, class: 0, subclass: 0, protocol: 0, vendor: 11388, product: 293, version: 792 }
    "#]]
    .assert_eq(&guest.transcript());
}

#[test]
fn data_waits_for_the_host_and_the_host_for_data() {
    let mut guest = Guest::with_ec25();
    guest.write(2, b"nobody has the port open\r\n");
    guest.ask(1, 0x84, 4096);
    guest.ask(2, 0x84, 4);
    guest.write(2, b"\r\nRING\r\n");
    guest.write(2, b"\r\nOK\r\n");
    guest.control(3, 0x21, 0x22, [3, 2, 0]);
    guest.write(2, b"kept while the terminal is ready");
    guest.ask(4, 0x84, 4096);
    guest.ask(5, 0x84, 4096);
    guest.give(6, 0x03, b"AT\r");
    expect![[r#"
        modem writes 26 bytes on 2
        > 1 Bulk(0x84 length 4096 Success, 0 bytes)
        > 2 Bulk(0x84 length 4 Success, 0 bytes)
        modem writes 8 bytes on 2
        < 1 Bulk(0x84 length 8 Success, 8 bytes)
        modem writes 6 bytes on 2
        < 2 Bulk(0x84 length 4 Success, 4 bytes)
        > 3 Control(0x21 0x22 value 0x0003 index 2 length 0 Success, 0 bytes)
        < 3 Control(0x21 0x22 value 0x0003 index 2 length 0 Success, 0 bytes)
        modem writes 32 bytes on 2
        > 4 Bulk(0x84 length 4096 Success, 0 bytes)
        < 4 Bulk(0x84 length 2 Success, 2 bytes)
        > 5 Bulk(0x84 length 4096 Success, 0 bytes)
        < 5 Bulk(0x84 length 32 Success, 32 bytes)
        > 6 Bulk(0x03 length 3 Success, 3 bytes)
        modem reads "AT\\r" on 2
        < 6 Bulk(0x03 length 3 Success, 0 bytes)
    "#]]
    .assert_eq(&guest.transcript());
}

#[test]
fn a_withdrawn_transfer_is_answered_once() {
    let mut guest = Guest::with_ec25();
    guest.ask(1, 0x84, 512);
    guest.send(1, Body::Cancel);
    guest.send(1, Body::Cancel);
    guest.ask(2, 0x84, 512);
    guest.send(3, Body::Reset);
    expect![[r#"
        > 1 Bulk(0x84 length 512 Success, 0 bytes)
        > 1 Cancel
        < 1 Bulk(0x84 length 0 Cancelled, 0 bytes)
        > 1 Cancel
        > 2 Bulk(0x84 length 512 Success, 0 bytes)
        > 3 Reset
        < 2 Bulk(0x84 length 0 Cancelled, 0 bytes)
    "#]]
    .assert_eq(&guest.transcript());
}

#[test]
fn what_a_modem_does_not_have_is_refused() {
    let mut guest = Guest::with_ec25();
    guest.ask(1, 0x8f, 512);
    guest.give(2, 0x0f, b"x");
    guest.control(3, 0x80, 6, [0x0f00, 0, 5]);
    guest.control(4, 0xc0, 0x33, [0, 0, 8]);
    guest.control(5, 0x21, 0x22, [1, 9, 0]);
    guest.send(6, Body::StartInterrupts(0x85));
    guest.send(7, Body::StartInterrupts(0x81));
    guest.send(8, Body::SetConfiguration(2));
    guest.send(9, Body::SetAlternate { interface: 2, setting: 1 });
    guest.send(10, Body::SetAlternate { interface: 2, setting: 0 });
    expect![[r#"
        > 1 Bulk(0x8f length 512 Success, 0 bytes)
        < 1 Bulk(0x8f length 0 Stall, 0 bytes)
        > 2 Bulk(0x0f length 1 Success, 1 bytes)
        < 2 Bulk(0x0f length 0 Stall, 0 bytes)
        > 3 Control(0x80 0x06 value 0x0f00 index 0 length 5 Success, 0 bytes)
        < 3 Control(0x80 0x06 value 0x0f00 index 0 length 0 Stall, 0 bytes)
        > 4 Control(0xc0 0x33 value 0x0000 index 0 length 8 Success, 0 bytes)
        < 4 Control(0xc0 0x33 value 0x0000 index 0 length 0 Stall, 0 bytes)
        > 5 Control(0x21 0x22 value 0x0001 index 9 length 0 Success, 0 bytes)
        < 5 Control(0x21 0x22 value 0x0001 index 9 length 0 Stall, 0 bytes)
        > 6 StartInterrupts(0x85)
        < 6 InterruptsStatus(Success, 0x85)
        > 7 StartInterrupts(0x81)
        < 7 InterruptsStatus(Stall, 0x81)
        > 8 SetConfiguration(2)
        < 8 ConfigurationStatus(Invalid, 1)
        > 9 SetAlternate(2, 1)
        < 9 AlternateStatus(Invalid, 2, 0)
        > 10 SetAlternate(2, 0)
        < 10 EndpointInfo(16 endpoints)
        < 10 InterfaceInfo(5 interfaces)
        < 10 AlternateStatus(Success, 2, 0)
    "#]]
    .assert_eq(&guest.transcript());
}

#[test]
fn endpoints_go_with_the_configuration() {
    let mut guest = Guest::with_ec25();
    guest.send(1, Body::SetConfiguration(0));
    guest.ask(2, 0x84, 512);
    guest.send(3, Body::SetConfiguration(1));
    guest.send(4, Body::GetConfiguration);
    expect![[r#"
        > 1 SetConfiguration(0)
        < 1 EndpointInfo(2 endpoints)
        < 1 InterfaceInfo(0 interfaces)
        < 1 ConfigurationStatus(Success, 0)
        > 2 Bulk(0x84 length 512 Success, 0 bytes)
        < 2 Bulk(0x84 length 0 Stall, 0 bytes)
        > 3 SetConfiguration(1)
        < 3 EndpointInfo(16 endpoints)
        < 3 InterfaceInfo(5 interfaces)
        < 3 ConfigurationStatus(Success, 1)
        > 4 GetConfiguration
        < 4 ConfigurationStatus(Success, 1)
    "#]]
    .assert_eq(&guest.transcript());
}

#[test]
fn the_next_device_waits_until_the_loss_of_the_last_was_seen() {
    let mut guest = Guest::with_ec25();
    guest.ask(1, 0x84, 512);
    guest.unplug();
    guest.plug("sim7600");
    guest.ask(2, 0x84, 512);
    guest.send(0, Body::DisconnectAck);
    expect![[r#"
        > 1 Bulk(0x84 length 512 Success, 0 bytes)
        unplug
        < 1 Bulk(0x84 length 0 Cancelled, 0 bytes)
        < 0 DeviceDisconnect
        plug sim7600
        > 2 Bulk(0x84 length 512 Success, 0 bytes)
        > 0 DisconnectAck
        < 0 EndpointInfo(19 endpoints)
        < 0 InterfaceInfo(6 interfaces)
        < 0 DeviceConnect { speed: 2, class: 0, subclass: 0, protocol: 0, vendor: 7694, product: 36865, version: 792 }
    "#]]
    .assert_eq(&guest.transcript());
    let mut without_acknowledgement = Guest::new(Capabilities(0));
    without_acknowledgement.greet();
    without_acknowledgement.plug("ec25");
    without_acknowledgement.plug("sim7600");
    expect![[r#"
        < 0 Hello("modem-sim 0.1.0", 0x7a)
        plug ec25
        < 0 EndpointInfo(16 endpoints)
        < 0 InterfaceInfo(5 interfaces)
        < 0 DeviceConnect { speed: 2, class: 0, subclass: 0, protocol: 0, vendor: 11388, product: 293, version: 0 }
        plug sim7600
        < 0 DeviceDisconnect
        < 0 EndpointInfo(19 endpoints)
        < 0 InterfaceInfo(6 interfaces)
        < 0 DeviceConnect { speed: 2, class: 0, subclass: 0, protocol: 0, vendor: 7694, product: 36865, version: 0 }
    "#]]
    .assert_eq(&without_acknowledgement.transcript());
}

#[derive(Clone, Debug)]
enum Step {
    Ask(u8, u32),
    Give(u8, Vec<u8>),
    Write(u8, Vec<u8>),
    Cancel(u64),
    Ready(u8, bool),
    Reset,
}

fn steps() -> impl Strategy<Value = Step> {
    let endpoint = prop::sample::select(vec![0x81u8, 0x82, 0x84, 0x86, 0x88]);
    prop_oneof![
        4 => (endpoint, 1u32..40).prop_map(|(endpoint, length)| Step::Ask(endpoint, length)),
        2 => (1u8..6, vec(any::<u8>(), 0..30)).prop_map(|(endpoint, data)| Step::Give(endpoint, data)),
        4 => (0u8..5, vec(any::<u8>(), 0..90)).prop_map(|(interface, data)| Step::Write(interface, data)),
        1 => (0u64..60).prop_map(Step::Cancel),
        1 => (0u8..5, any::<bool>()).prop_map(|(interface, is_ready)| Step::Ready(interface, is_ready)),
        1 => Just(Step::Reset),
    ]
}

proptest! {
    /// Every transfer is answered exactly once, at the latest when the device goes, and never with more than was asked.
    #[test]
    fn every_transfer_is_answered_once(steps in vec(steps(), 0..60)) {
        let mut guest = Guest::with_ec25();
        let mut asked: BTreeMap<u64, (u8, u32)> = BTreeMap::new();
        let mut answers = Vec::new();
        for (id, step) in (0u64..).zip(steps) {
            let length_before = guest.session.device().map_or(0, |device| device.backlog(2));
            match step {
                Step::Ask(endpoint, length) => {
                    asked.insert(id, (endpoint, length));
                    guest.ask(id, endpoint, length);
                }
                Step::Give(endpoint, data) => {
                    asked.insert(id, (endpoint, u32::try_from(data.len()).unwrap()));
                    guest.give(id, endpoint, &data);
                }
                Step::Write(interface, data) => {
                    guest.write(interface, &data);
                    prop_assert!(guest.session.device().map_or(0, |device| device.backlog(2)) <= length_before + data.len());
                }
                Step::Cancel(other) => guest.send(other, Body::Cancel),
                Step::Ready(interface, is_ready) => {
                    guest.control(1 << 40, 0x21, 0x22, [u16::from(is_ready), u16::from(interface), 0]);
                }
                Step::Reset => guest.send(1 << 40, Body::Reset),
            }
            answers.extend(guest.take_packets());
        }
        guest.unplug();
        answers.extend(guest.take_packets());
        for packet in answers {
            let Body::Bulk(header, data) = packet.body else { continue };
            let Some((endpoint, length)) = asked.remove(&packet.id) else { panic!("{} is answered twice", packet.id) };
            prop_assert_eq!(endpoint, header.endpoint);
            prop_assert!(header.length <= length);
            let carried = if endpoint >= 0x80 { header.length } else { 0 };
            prop_assert_eq!(u32::try_from(data.len()).unwrap(), carried);
            prop_assert!(matches!(header.status, Status::Success | Status::Cancelled));
        }
        prop_assert!(asked.is_empty(), "without an answer: {:?}", asked);
    }

    /// What a port says arrives in order and whole as long as the host has it open.
    #[test]
    fn bytes_arrive_in_order(writes in vec(vec(any::<u8>(), 0..900), 0..12), lengths in vec(1u32..700, 1..20)) {
        let mut guest = Guest::with_ec25();
        guest.control(1 << 40, 0x21, 0x22, [3, 2, 0]);
        for data in &writes {
            guest.write(2, data);
        }
        let written = writes.concat();
        let mut heard = Vec::new();
        for (id, length) in (0u64..).zip(lengths.iter().cycle()) {
            if heard.len() == written.len() {
                break;
            }
            guest.ask(id, 0x84, *length);
            for packet in guest.take_packets() {
                if let Body::Bulk(_, data) = packet.body {
                    heard.extend(data);
                }
            }
        }
        prop_assert_eq!(heard, written);
    }

    /// A peer that says anything gets an answer or an error.
    #[test]
    fn garbage_after_the_hello_never_panics(bytes in vec(any::<u8>(), 0..500)) {
        let mut session = Session::new();
        session.plug(descriptors("sim7600"));
        session.handle_bytes(&hello(QEMU)).unwrap();
        if session.handle_bytes(&bytes).is_ok() {
            session.unplug();
        }
        while session.poll_output().is_some() {}
    }
}
