//! Descriptors agree with themselves and with what `lsusb` shows of the real devices.

use std::fmt::Write as _;

use expect_test::expect;
use modem_sim::core::Personality;
use modem_sim::usbredir::EndpointKind;
use modem_sim::usbredir::descriptors::Descriptors;

use crate::guest::descriptors;

/// Lists interfaces and endpoints as they are in the configuration descriptor.
fn listing(configuration: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = configuration;
    while let Some((&length, _)) = rest.split_first() {
        let (descriptor, tail) = rest.split_at(usize::from(length));
        match descriptor[1] {
            4 => write!(text, "\n{}: {:02x}/{:02x}/{:02x}", descriptor[2], descriptor[5], descriptor[6], descriptor[7]),
            5 => write!(
                text,
                " {:02x}.{}.{}",
                descriptor[2],
                descriptor[3],
                u16::from_le_bytes([descriptor[4], descriptor[5]])
            ),
            _ => Ok(()),
        }
        .unwrap();
        rest = tail;
    }
    text
}

#[test]
fn interfaces_are_those_of_the_real_devices() {
    expect![[r#"

        0: ff/ff/ff 81.2.512 01.2.512
        1: ff/00/00 83.3.10 82.2.512 02.2.512
        2: ff/00/00 85.3.10 84.2.512 03.2.512
        3: ff/00/00 87.3.10 86.2.512 04.2.512
        4: ff/ff/ff 89.3.8 88.2.512 05.2.512"#]]
    .assert_eq(&listing(&descriptors("ec25").get(2, 0).unwrap()));
    expect![[r#"

        0: ff/ff/ff 81.2.512 01.2.512
        1: ff/00/00 83.3.10 82.2.512 02.2.512
        2: ff/00/00 85.3.10 84.2.512 03.2.512
        3: ff/00/00 87.3.10 86.2.512 04.2.512
        4: ff/00/00 89.3.10 88.2.512 05.2.512
        5: ff/ff/ff 8b.3.8 8a.2.512 06.2.512"#]]
    .assert_eq(&listing(&descriptors("sim7600").get(2, 0).unwrap()));
}

/// What QEMU is told beside the descriptors must be the same.
#[test]
fn both_ways_to_tell_endpoints_agree() {
    for name in Personality::NAMES {
        let descriptors = descriptors(name);
        let configuration = descriptors.get(2, 0).unwrap();
        let total = usize::from(u16::from_le_bytes([configuration[2], configuration[3]]));
        assert_eq!(total, configuration.len(), "{name}: wTotalLength");
        assert_eq!(usize::from(configuration[4]), descriptors.interface_info(true).len(), "{name}: bNumInterfaces");
        let endpoints = descriptors.endpoint_info(true);
        let mut told: Vec<String> = (0u8..32)
            .zip(endpoints.iter())
            .filter(|(_, endpoint)| !matches!(endpoint.kind, None | Some(EndpointKind::Control)))
            .map(|(place, endpoint)| {
                let kind = if endpoint.kind == Some(EndpointKind::Interrupt) { 3 } else { 2 };
                let address = place & 0x0f | (place & 0x10) << 3;
                format!("{address:02x}.{kind}.{}", endpoint.max_packet_size)
            })
            .collect();
        let listed = listing(&configuration);
        let mut described: Vec<&str> = listed.split_whitespace().filter(|word| word.contains('.')).collect();
        told.sort();
        described.sort_unstable();
        assert_eq!(told, described, "{name}");
        assert_eq!(descriptors.endpoint_info(false).iter().filter(|endpoint| endpoint.kind.is_some()).count(), 2);
    }
}

#[test]
fn strings_are_utf_16_and_a_missing_serial_is_missing() {
    let ec25 = Personality::named("ec25").unwrap();
    let with_serial = Descriptors::new(&ec25, Some("0123456789ABCDEF"));
    assert_eq!(with_serial.get(3, 0).unwrap(), [4, 3, 0x09, 0x04]);
    assert_eq!(with_serial.get(3, 1).unwrap(), [&[16, 3], b"Q\0u\0e\0c\0t\0e\0l\0".as_slice()].concat());
    assert_eq!(with_serial.get(1, 0).unwrap()[16], 3);
    assert_eq!(with_serial.get(3, 3).unwrap().len(), 34);
    let without = Descriptors::new(&ec25, None);
    assert_eq!((without.get(1, 0).unwrap()[16], without.get(3, 3), without.get(15, 0)), (0, None, None));
}
