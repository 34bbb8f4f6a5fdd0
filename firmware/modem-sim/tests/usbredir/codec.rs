//! Every packet that can be written can be read, however it is cut; garbage ends in an error, never in a panic.

use modem_sim::usbredir::codec::LONGEST_BODY;
use modem_sim::usbredir::{
    Body, BulkHeader, Capabilities, CodecError, ControlHeader, Decoder, DeviceConnect, EndpointInfo, EndpointKind,
    InterfaceInfo, Packet, Status, encode,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// Bytes as the packet tables of usb-redirection-protocol 0.7 have them, written by hand.
#[test]
fn packets_have_the_published_layout() {
    let own = Capabilities::OWN;
    let connect = Body::DeviceConnect(DeviceConnect {
        speed: 2,
        class: 0,
        subclass: 0,
        protocol: 0,
        vendor: 0x2c7c,
        product: 0x0125,
        version: 0x0318,
    });
    let control = ControlHeader {
        endpoint: 0x80,
        request: 6,
        request_type: 0x80,
        status: Status::Success,
        value: 0x0100,
        index: 0,
        length: 2,
    };
    let bulk = BulkHeader { endpoint: 0x84, status: Status::Cancelled, length: 0x0001_0203, stream: 0 };
    let table: [(&str, Capabilities, u64, Body, &str); 6] = [
        ("device", own, 0, connect.clone(), "01000000 0a000000 0000000000000000 02000000 7c2c 2501 1803"),
        ("device, short ids", Capabilities(0), 0, connect, "01000000 08000000 00000000 02000000 7c2c 2501"),
        ("configuration", own, 7, Body::SetConfiguration(1), "06000000 01000000 0700000000000000 01"),
        ("cancel", own, 0x0102_0304_0506, Body::Cancel, "15000000 00000000 0605040302010000"),
        (
            "control",
            own,
            9,
            Body::Control(control, vec![0x12, 0x01]),
            "64000000 0c000000 0900000000000000 80 06 80 00 0001 0000 0200 1201",
        ),
        (
            "long bulk",
            own,
            1,
            Body::Bulk(bulk, Vec::new()),
            "65000000 0a000000 0100000000000000 84 01 0302 00000000 0100",
        ),
    ];
    for (name, negotiated, id, body, want) in table {
        let hex: String = encode(&Packet { id, body }, negotiated).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, want.replace(' ', ""), "{name}");
    }
}

#[test]
fn broken_packets_are_refused_by_name() {
    let own = Capabilities::OWN;
    let head = |kind: u32, length: u32| [kind.to_le_bytes(), length.to_le_bytes(), [0; 4], [0; 4]].concat();
    let with = |kind: u32, body: &[u8]| [head(kind, u32::try_from(body.len()).unwrap()), body.to_vec()].concat();
    let too_long = u32::try_from(LONGEST_BODY).unwrap() + 1;
    let table: [(&str, Vec<u8>, CodecError); 7] = [
        ("second hello", hello(own), CodecError::Unexpected(0)),
        ("too long", head(101, too_long), CodecError::TooLong(too_long)),
        ("short body", with(6, &[]), CodecError::BadLength { kind: 6, length: 0 }),
        ("long body", with(3, &[1]), CodecError::BadLength { kind: 3, length: 1 }),
        ("short header", with(101, &[1, 2, 3]), CodecError::BadLength { kind: 101, length: 3 }),
        (
            "other length",
            with(101, &[1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0xaa]),
            CodecError::DataLength { kind: 101, said: 5, carried: 1 },
        ),
        ("interfaces", with(4, &[[33, 0, 0, 0].as_slice(), &[0; 128]].concat()), CodecError::TooManyInterfaces(33)),
    ];
    for (name, bytes, want) in table {
        let mut decoder = greeted(own);
        decoder.handle_bytes(&bytes);
        assert_eq!(decoder.next_packet(), Err(want), "{name}");
    }
    let mut decoder = Decoder::new(own);
    decoder.handle_bytes(&head(101, 10));
    assert_eq!(decoder.next_packet(), Err(CodecError::Unexpected(101)), "no hello");
}

proptest! {
    #[test]
    fn what_is_written_reads_back_however_it_is_cut(
        packets in vec((any::<u64>(), bodies()), 1..8),
        peer in any::<u32>().prop_map(Capabilities),
        cuts in vec(1usize..40, 1..40),
    ) {
        let negotiated = Capabilities::OWN.and(peer);
        let packets: Vec<Packet> = packets.into_iter().map(|(id, body)| narrowed(id, body, negotiated)).collect();
        let mut bytes = hello(peer);
        bytes.extend(packets.iter().flat_map(|packet| encode(packet, negotiated)));
        let mut decoder = Decoder::new(Capabilities::OWN);
        let mut read = Vec::new();
        let mut rest = bytes.as_slice();
        for cut in cuts.iter().cycle() {
            let (chunk, tail) = rest.split_at(rest.len().min(*cut));
            decoder.handle_bytes(chunk);
            while let Some(packet) = decoder.next_packet().unwrap() {
                read.push(packet);
            }
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(&read[1..], &packets[..]);
    }

    #[test]
    fn garbage_never_panics(bytes in vec(any::<u8>(), 0..600), peer in any::<u32>()) {
        let mut decoder = greeted(Capabilities(peer));
        decoder.handle_bytes(&bytes);
        while let Ok(Some(_)) = decoder.next_packet() {}
    }

    /// Likelier to reach the bodies than noise is.
    #[test]
    fn garbage_in_bodies_never_panics(kind in 0u32..110, body in vec(any::<u8>(), 0..300), peer in any::<u32>()) {
        let mut decoder = greeted(Capabilities(peer));
        let packet = Packet { id: 1, body: Body::Other { kind, payload: body } };
        decoder.handle_bytes(&encode(&packet, decoder.negotiated()));
        while let Ok(Some(_)) = decoder.next_packet() {}
    }
}

pub(crate) fn hello(capabilities: Capabilities) -> Vec<u8> {
    let body = Body::Hello { version: "a guest".to_owned(), capabilities };
    encode(&Packet { id: 0, body }, Capabilities::default())
}

fn greeted(peer: Capabilities) -> Decoder {
    let mut decoder = Decoder::new(Capabilities::OWN);
    decoder.handle_bytes(&hello(peer));
    assert!(matches!(decoder.next_packet(), Ok(Some(Packet { body: Body::Hello { .. }, .. }))));
    decoder
}

/// Leaves out what two sides with few capabilities cannot tell each other.
fn narrowed(id: u64, body: Body, negotiated: Capabilities) -> Packet {
    let id = if negotiated.has(Capabilities::IDS_64) { id } else { id & 0xffff_ffff };
    let body = match body {
        Body::DeviceConnect(device) if !negotiated.has(Capabilities::DEVICE_VERSION) => {
            Body::DeviceConnect(DeviceConnect { version: 0, ..device })
        }
        Body::EndpointInfo(mut endpoints) if !negotiated.has(Capabilities::MAX_PACKET_SIZE) => {
            for endpoint in endpoints.iter_mut() {
                endpoint.max_packet_size = 0;
            }
            Body::EndpointInfo(endpoints)
        }
        Body::Bulk(header, data) if !negotiated.has(Capabilities::BULK_LENGTH_32) => {
            Body::Bulk(BulkHeader { length: header.length & 0xffff, ..header }, data)
        }
        other => other,
    };
    Packet { id, body }
}

fn bodies() -> impl Strategy<Value = Body> {
    prop_oneof![settings(), devices(), transfers()]
}

fn settings() -> impl Strategy<Value = Body> {
    (any::<u8>(), any::<u8>(), statuses(), 0usize..16).prop_map(|(one, other, status, which)| match which {
        0 => Body::DeviceDisconnect,
        1 => Body::Reset,
        2 => Body::SetConfiguration(one),
        3 => Body::GetConfiguration,
        4 => Body::ConfigurationStatus { status, configuration: one },
        5 => Body::SetAlternate { interface: one, setting: other },
        6 => Body::GetAlternate(one),
        7 => Body::AlternateStatus { status, interface: one, setting: other },
        8 => Body::StartInterrupts(one),
        9 => Body::StopInterrupts(one),
        10 => Body::InterruptsStatus { status, endpoint: one },
        11 => Body::Cancel,
        12 => Body::DisconnectAck,
        13 => Body::FilterReject,
        14 => Body::FilterRules(vec![one; usize::from(other)]),
        _ => Body::Other { kind: 12, payload: vec![one; usize::from(other)] },
    })
}

fn devices() -> impl Strategy<Value = Body> {
    let interface = any::<[u8; 4]>().prop_map(|[number, class, subclass, protocol]| InterfaceInfo {
        number,
        class,
        subclass,
        protocol,
    });
    let kind = prop::sample::select(vec![
        None,
        Some(EndpointKind::Control),
        Some(EndpointKind::Isochronous),
        Some(EndpointKind::Bulk),
        Some(EndpointKind::Interrupt),
    ]);
    let endpoint =
        (kind, any::<u8>(), any::<u8>(), any::<u16>()).prop_map(|(kind, interval, interface, max_packet_size)| {
            EndpointInfo { kind, interval, interface, max_packet_size }
        });
    let device =
        any::<([u8; 4], [u16; 3])>().prop_map(|([speed, class, subclass, protocol], [vendor, product, version])| {
            Body::DeviceConnect(DeviceConnect { speed, class, subclass, protocol, vendor, product, version })
        });
    prop_oneof![
        vec(interface, 0..=32).prop_map(Body::InterfaceInfo),
        vec(endpoint, 32).prop_map(|endpoints| Body::EndpointInfo(Box::new(endpoints.try_into().unwrap()))),
        device,
    ]
}

/// With data as long as the header says, or with none.
fn transfers() -> impl Strategy<Value = Body> {
    let data = vec(any::<u8>(), 0..600);
    (0usize..3, statuses(), any::<[u8; 3]>(), any::<[u16; 3]>(), data).prop_map(
        |(which, status, [endpoint, request, request_type], [value, index, asked], data)| {
            let length = if data.is_empty() { asked } else { u16::try_from(data.len()).unwrap() };
            match which {
                0 => {
                    Body::Control(ControlHeader { endpoint, request, request_type, status, value, index, length }, data)
                }
                1 => {
                    let high = if data.is_empty() { u32::from(value) << 16 } else { 0 };
                    let length = high | u32::from(length);
                    Body::Bulk(BulkHeader { endpoint, status, length, stream: u32::from(index) }, data)
                }
                _ => Body::Interrupt { endpoint, status, length, data },
            }
        },
    )
}

fn statuses() -> impl Strategy<Value = Status> {
    any::<u8>().prop_map(Status::from_code)
}
