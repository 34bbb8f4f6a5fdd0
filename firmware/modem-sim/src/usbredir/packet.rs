//! The words of the protocol, as values.

use std::fmt;

/// What one side can do; the smaller of the two sets decides how packets look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(pub u32);

impl Capabilities {
    /// `device_connect` tells `bcdDevice`.
    pub const DEVICE_VERSION: Self = Self(1 << 1);
    /// The loss of a device is acknowledged, so that no packet of the old one is taken for one of the next.
    pub const DISCONNECT_ACK: Self = Self(1 << 3);
    /// `ep_info` tells packet sizes.
    pub const MAX_PACKET_SIZE: Self = Self(1 << 4);
    /// Ids have 64 bits.
    pub const IDS_64: Self = Self(1 << 5);
    /// Bulk transfers may be longer than 65535 bytes.
    pub const BULK_LENGTH_32: Self = Self(1 << 6);
    /// `ep_info` tells how many bulk streams there are; never announced here.
    pub const BULK_STREAMS: Self = Self(1);
    /// What a simulated modem announces; QEMU refuses to attach to xHCI without the last three.
    pub const OWN: Self = Self(
        Self::DEVICE_VERSION.0
            | Self::DISCONNECT_ACK.0
            | Self::MAX_PACKET_SIZE.0
            | Self::IDS_64.0
            | Self::BULK_LENGTH_32.0,
    );

    /// Returns whether everything in `other` is here too.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns what both sides can do.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// One packet with the id that ties an answer to its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Chosen by whoever asks; 0 where nothing is asked.
    pub id: u64,
    /// What it says.
    pub body: Body,
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Success,
    /// Withdrawn by the guest.
    Cancelled,
    /// No such endpoint, configuration or setting.
    Invalid,
    /// Failed on the wire.
    IoError,
    /// The device refuses.
    Stall,
    /// No answer in time.
    Timeout,
    /// The device sent more than was asked for.
    Babble,
    /// Not in the protocol.
    Other(u8),
}

impl Status {
    /// Returns the status that `code` stands for.
    #[must_use]
    pub fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Success,
            1 => Self::Cancelled,
            2 => Self::Invalid,
            3 => Self::IoError,
            4 => Self::Stall,
            5 => Self::Timeout,
            6 => Self::Babble,
            other => Self::Other(other),
        }
    }

    /// Returns the code on the wire.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Cancelled => 1,
            Self::Invalid => 2,
            Self::IoError => 3,
            Self::Stall => 4,
            Self::Timeout => 5,
            Self::Babble => 6,
            Self::Other(code) => code,
        }
    }
}

/// Kind of an endpoint, as `bmAttributes` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointKind {
    /// Endpoint 0.
    Control,
    /// Never used by a modem without USB audio.
    Isochronous,
    /// Data.
    Bulk,
    /// Notifications.
    Interrupt,
}

impl EndpointKind {
    pub(super) fn code(kind: Option<Self>) -> u8 {
        match kind {
            Some(Self::Control) => 0,
            Some(Self::Isochronous) => 1,
            Some(Self::Bulk) => 2,
            Some(Self::Interrupt) => 3,
            None => 255,
        }
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Control),
            1 => Some(Self::Isochronous),
            2 => Some(Self::Bulk),
            3 => Some(Self::Interrupt),
            _ => None,
        }
    }
}

/// One of 32 endpoints: 0 to 15 take data, 16 to 31 give it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointInfo {
    /// Absent endpoints have none.
    pub kind: Option<EndpointKind>,
    /// `bInterval`; QEMU refuses 0 on interrupt endpoints.
    pub interval: u8,
    /// `bInterfaceNumber`.
    pub interface: u8,
    /// `wMaxPacketSize`.
    pub max_packet_size: u16,
}

/// One interface of the active configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterfaceInfo {
    /// `bInterfaceNumber`.
    pub number: u8,
    /// `bInterfaceClass`.
    pub class: u8,
    /// `bInterfaceSubClass`.
    pub subclass: u8,
    /// `bInterfaceProtocol`.
    pub protocol: u8,
}

/// A device that appears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceConnect {
    /// 0 low, 1 full, 2 high, 3 super.
    pub speed: u8,
    /// `bDeviceClass`.
    pub class: u8,
    /// `bDeviceSubClass`.
    pub subclass: u8,
    /// `bDeviceProtocol`.
    pub protocol: u8,
    /// `idVendor`.
    pub vendor: u16,
    /// `idProduct`.
    pub product: u16,
    /// `bcdDevice`.
    pub version: u16,
}

/// A control transfer (USB 2.0 §9.3), or its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlHeader {
    /// 0x80 when the device is to give data, 0 otherwise.
    pub endpoint: u8,
    /// `bRequest`.
    pub request: u8,
    /// `bmRequestType`.
    pub request_type: u8,
    /// Of the answer.
    pub status: Status,
    /// `wValue`.
    pub value: u16,
    /// `wIndex`.
    pub index: u16,
    /// Bytes wanted, or carried.
    pub length: u16,
}

/// A bulk transfer, or its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkHeader {
    /// Endpoint address: 0x80 and above give data.
    pub endpoint: u8,
    /// Of the answer.
    pub status: Status,
    /// Bytes wanted, or carried.
    pub length: u32,
    /// Bulk stream; 0 without streams.
    pub stream: u32,
}

/// What a packet says.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// The first packet of each side.
    Hello {
        /// Program and version, for people.
        version: String,
        /// What the sender can do.
        capabilities: Capabilities,
    },
    /// The device appears; endpoints and interfaces were told before.
    DeviceConnect(DeviceConnect),
    /// The device is gone.
    DeviceDisconnect,
    /// The bus resets the device.
    Reset,
    /// Interfaces of the active configuration, at most 32.
    InterfaceInfo(Vec<InterfaceInfo>),
    /// Endpoints of the active configuration.
    EndpointInfo(Box<[EndpointInfo; 32]>),
    /// Asks for a configuration.
    SetConfiguration(u8),
    /// Asks which configuration is active.
    GetConfiguration,
    /// The active configuration.
    ConfigurationStatus {
        /// Of the request.
        status: Status,
        /// Active after it.
        configuration: u8,
    },
    /// Asks for another setting of an interface.
    SetAlternate {
        /// `bInterfaceNumber`.
        interface: u8,
        /// `bAlternateSetting`.
        setting: u8,
    },
    /// Asks which setting of the interface is active.
    GetAlternate(u8),
    /// The active setting.
    AlternateStatus {
        /// Of the request.
        status: Status,
        /// `bInterfaceNumber`.
        interface: u8,
        /// Active after it.
        setting: u8,
    },
    /// Notifications of the endpoint are wanted.
    StartInterrupts(u8),
    /// They are no longer wanted.
    StopInterrupts(u8),
    /// Answer to both.
    InterruptsStatus {
        /// Of the request.
        status: Status,
        /// Endpoint address.
        endpoint: u8,
    },
    /// Withdraws the packet with the same id.
    Cancel,
    /// The loss of the device was seen.
    DisconnectAck,
    /// The guest does not want this device.
    FilterReject,
    /// The guest's list of wanted devices, as text.
    FilterRules(Vec<u8>),
    /// A control transfer.
    Control(ControlHeader, Vec<u8>),
    /// A bulk transfer.
    Bulk(BulkHeader, Vec<u8>),
    /// A notification.
    Interrupt {
        /// Endpoint address.
        endpoint: u8,
        /// Of the transfer.
        status: Status,
        /// Bytes carried.
        length: u16,
        /// The notification.
        data: Vec<u8>,
    },
    /// A packet that is of no use here: streams, isochronous transfers, and what comes after version 0.7.
    Other {
        /// Type of the packet.
        kind: u32,
        /// Everything after its header.
        payload: Vec<u8>,
    },
}

/// Payloads carry numbers and texts of messages: only their size is shown.
impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello { version, capabilities } => write!(formatter, "Hello({version:?}, {:#x})", capabilities.0),
            Self::DeviceConnect(device) => device.fmt(formatter),
            Self::DeviceDisconnect => formatter.write_str("DeviceDisconnect"),
            Self::Reset => formatter.write_str("Reset"),
            Self::InterfaceInfo(interfaces) => write!(formatter, "InterfaceInfo({} interfaces)", interfaces.len()),
            Self::EndpointInfo(endpoints) => {
                let present = endpoints.iter().filter(|endpoint| endpoint.kind.is_some()).count();
                write!(formatter, "EndpointInfo({present} endpoints)")
            }
            Self::SetConfiguration(value) => write!(formatter, "SetConfiguration({value})"),
            Self::GetConfiguration => formatter.write_str("GetConfiguration"),
            Self::ConfigurationStatus { status, configuration } => {
                write!(formatter, "ConfigurationStatus({status:?}, {configuration})")
            }
            Self::SetAlternate { interface, setting } => write!(formatter, "SetAlternate({interface}, {setting})"),
            Self::GetAlternate(interface) => write!(formatter, "GetAlternate({interface})"),
            Self::AlternateStatus { status, interface, setting } => {
                write!(formatter, "AlternateStatus({status:?}, {interface}, {setting})")
            }
            Self::StartInterrupts(endpoint) => write!(formatter, "StartInterrupts({endpoint:#04x})"),
            Self::StopInterrupts(endpoint) => write!(formatter, "StopInterrupts({endpoint:#04x})"),
            Self::InterruptsStatus { status, endpoint } => {
                write!(formatter, "InterruptsStatus({status:?}, {endpoint:#04x})")
            }
            Self::Cancel => formatter.write_str("Cancel"),
            Self::DisconnectAck => formatter.write_str("DisconnectAck"),
            Self::FilterReject => formatter.write_str("FilterReject"),
            Self::FilterRules(rules) => write!(formatter, "FilterRules({} bytes)", rules.len()),
            Self::Control(header, data) => write!(
                formatter,
                "Control({:#04x} {:#04x} value {:#06x} index {} length {} {:?}, {} bytes)",
                header.request_type,
                header.request,
                header.value,
                header.index,
                header.length,
                header.status,
                data.len()
            ),
            Self::Bulk(header, data) => write!(
                formatter,
                "Bulk({:#04x} length {} {:?}, {} bytes)",
                header.endpoint,
                header.length,
                header.status,
                data.len()
            ),
            Self::Interrupt { endpoint, status, length, data } => {
                write!(formatter, "Interrupt({endpoint:#04x} length {length} {status:?}, {} bytes)", data.len())
            }
            Self::Other { kind, payload } => write!(formatter, "Other({kind}, {} bytes)", payload.len()),
        }
    }
}
