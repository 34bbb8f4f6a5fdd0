//! The two formats in which device events travel.
//!
//! The kernel's (`lib/kobject_uevent.c`): `action@devpath\0` followed by `KEY=VALUE\0`. udev's monitor
//! (`sd-device/device-monitor.c`): a 40-octet header that starts with `libudev\0`, then `KEY=VALUE\0`.

/// What happened to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is there.
    Add,
    /// It is gone.
    Remove,
    /// Anything else: bind, change, move and what later kernels add.
    Other,
}

/// One device event, reduced to what the monitor needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uevent {
    /// What happened.
    pub action: Action,
    /// Where the device is below sysfs: `/devices/...`.
    pub devpath: String,
    /// `tty`, `usb`, ...
    pub subsystem: String,
}

/// Why a packet is no device event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UeventError {
    /// udev's header is cut off, has another magic number or points outside the packet.
    #[error("device event has a damaged udev header")]
    Header,
    /// A field that every event has is missing.
    #[error("device event has no {0}")]
    Missing(&'static str),
}

impl Uevent {
    /// Parses a packet of the kernel's group.
    ///
    /// # Errors
    /// A packet without action, path or subsystem.
    pub fn parse_kernel(packet: &[u8]) -> Result<Self, UeventError> {
        let mut fields = packet.split(|&byte| byte == 0);
        let header = fields.next().unwrap_or_default();
        // udev's packets on the wrong group must not pass as a header without '@'.
        if !header.contains(&b'@') {
            return Err(UeventError::Missing("header"));
        }
        Self::from_properties(fields)
    }

    /// Parses a packet of udev's monitor group.
    ///
    /// # Errors
    /// A damaged header, or properties without action, path or subsystem.
    pub fn parse_udev(packet: &[u8]) -> Result<Self, UeventError> {
        let properties = udev_properties(packet).ok_or(UeventError::Header)?;
        Self::from_properties(properties.split(|&byte| byte == 0))
    }

    fn from_properties<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Result<Self, UeventError> {
        let (mut action, mut devpath, mut subsystem) = (None, None, None);
        for field in fields {
            let Some(at) = field.iter().position(|&byte| byte == b'=') else {
                continue;
            };
            let (key, value) = field.split_at(at);
            let value = value.get(1..).unwrap_or_default();
            match key {
                b"ACTION" => action = Some(value),
                b"DEVPATH" => devpath = Some(value),
                b"SUBSYSTEM" => subsystem = Some(value),
                _ => {}
            }
        }
        Ok(Self {
            action: match action.ok_or(UeventError::Missing("ACTION"))? {
                b"add" => Action::Add,
                b"remove" => Action::Remove,
                _ => Action::Other,
            },
            devpath: text(devpath.ok_or(UeventError::Missing("DEVPATH"))?),
            subsystem: text(subsystem.ok_or(UeventError::Missing("SUBSYSTEM"))?),
        })
    }
}

const UDEV_PREFIX: &[u8] = b"libudev\0";
const UDEV_MAGIC: u32 = 0xfeed_cafe;

/// The property block of a packet of udev's monitor. The magic number is in network order, the offsets are the host's.
fn udev_properties(packet: &[u8]) -> Option<&[u8]> {
    let header = packet.strip_prefix(UDEV_PREFIX)?;
    let word = |index: usize| -> Option<[u8; 4]> { header.get(index * 4..index * 4 + 4)?.try_into().ok() };
    if u32::from_be_bytes(word(0)?) != UDEV_MAGIC {
        return None;
    }
    let offset = usize::try_from(u32::from_ne_bytes(word(2)?)).ok()?;
    let length = usize::try_from(u32::from_ne_bytes(word(3)?)).ok()?;
    packet.get(offset..offset.checked_add(length)?)
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PROPERTIES: &[u8] = b"ACTION=add\0DEVPATH=/devices/usb1/1-2/1-2:1.2/ttyUSB2/tty/ttyUSB2\0SUBSYSTEM=tty\0DEVNAME=ttyUSB2\0SEQNUM=7\0";

    #[test]
    fn kernel_packets_parse() {
        let cases: &[(&str, &[u8], Result<&str, UeventError>)] = &[
            (
                "add",
                b"add@/devices/a\0ACTION=add\0DEVPATH=/devices/a\0SUBSYSTEM=tty\0SEQNUM=1\0",
                Ok("Add /devices/a tty"),
            ),
            ("remove, value with =", b"remove@/d\0ACTION=remove\0DEVPATH=/d=1\0SUBSYSTEM=usb\0", Ok("Remove /d=1 usb")),
            ("unknown action", b"thaw@/d\0ACTION=thaw\0DEVPATH=/d\0SUBSYSTEM=usb\0", Ok("Other /d usb")),
            ("empty", b"", Err(UeventError::Missing("header"))),
            ("no subsystem", b"add@/d\0ACTION=add\0DEVPATH=/d\0", Err(UeventError::Missing("SUBSYSTEM"))),
            ("cut in the path", b"add@/d\0ACTION=add\0DEVPA", Err(UeventError::Missing("DEVPATH"))),
            ("udev's format", b"libudev\0\xfe\xed\xca\xfe", Err(UeventError::Missing("header"))),
        ];
        for (name, packet, want) in cases {
            let got = Uevent::parse_kernel(packet)
                .map(|event| format!("{:?} {} {}", event.action, event.devpath, event.subsystem));
            let want = want.map(str::to_owned);
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn udev_packets_parse_only_with_a_whole_header() {
        let whole = udev_packet(UDEV_MAGIC, 40, PROPERTIES);
        let event = Uevent::parse_udev(&whole).unwrap();
        assert_eq!((event.action, event.subsystem.as_str()), (Action::Add, "tty"));
        for (name, packet) in [
            ("other magic", udev_packet(UDEV_MAGIC + 1, 40, PROPERTIES)),
            ("offset outside", udev_packet(UDEV_MAGIC, 4000, PROPERTIES)),
            ("offset at the end of numbers", udev_packet(UDEV_MAGIC, u32::MAX, PROPERTIES)),
            ("cut", whole[..whole.len() - 1].to_vec()),
            ("kernel's format", b"add@/d\0ACTION=add\0".to_vec()),
        ] {
            assert_eq!(Uevent::parse_udev(&packet), Err(UeventError::Header), "{name}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(packet in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = Uevent::parse_kernel(&packet);
            let _ = Uevent::parse_udev(&packet);
        }

        #[test]
        fn a_damaged_udev_packet_never_panics(at in 0_usize..100, byte in any::<u8>(), length in 0_usize..160) {
            let mut packet = udev_packet(UDEV_MAGIC, 40, PROPERTIES);
            packet[at] = byte;
            packet.truncate(length);
            let _ = Uevent::parse_udev(&packet);
        }
    }

    fn udev_packet(magic: u32, offset: u32, properties: &[u8]) -> Vec<u8> {
        let mut packet = UDEV_PREFIX.to_vec();
        packet.extend(magic.to_be_bytes());
        packet.extend(40_u32.to_ne_bytes());
        packet.extend(offset.to_ne_bytes());
        packet.extend(u32::try_from(properties.len()).unwrap().to_ne_bytes());
        packet.extend([0; 16]);
        packet.extend(properties);
        packet
    }
}
