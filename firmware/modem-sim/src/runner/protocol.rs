//! The words of the control socket: one JSON value on each line.

use serde::{Deserialize, Serialize};

use crate::core::{CallReport, Control, Registration, Submitted};

/// A request: what to do, and to which modem.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Request {
    /// Something about the bench.
    Bench(BenchRequest),
    /// Something that happens to one modem.
    Modem {
        /// USB path; may be left out when there is one modem.
        #[serde(default)]
        modem: Option<String>,
        /// What happens.
        #[serde(flatten)]
        control: Control,
    },
}

/// Requests about plugs, files and reports.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum BenchRequest {
    /// Pulls a plug.
    Unplug {
        /// USB path.
        modem: String,
    },
    /// Puts a plug back.
    Plug {
        /// USB path.
        modem: String,
        /// Under other tty numbers than before.
        #[serde(default)]
        renumber: bool,
    },
    /// Takes the power of every modem at once, and gives it back after a time.
    BrownOut {
        /// How long every modem is gone.
        absent_ms: u64,
    },
    /// Exchanges two modems.
    Swap {
        /// USB path of the one.
        modem: String,
        /// USB path of the other.
        with: String,
    },
    /// Asks for every modem.
    Status,
    /// Asks for the messages that left.
    Sent,
    /// Asks for what the host said in calls.
    Recording {
        /// USB path.
        modem: String,
        /// WAV file to write.
        #[serde(default)]
        out: Option<std::path::PathBuf>,
        /// Forget it afterwards.
        #[serde(default)]
        clear: bool,
    },
    /// Turns this connection into a stream of [`Event`].
    Watch,
    /// Ends the simulator.
    Stop,
}

/// The answer to a request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Response {
    /// Done.
    pub ok: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Answer to `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modems: Option<Vec<ModemStatus>>,
    /// Answer to `sent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Vec<SentMessage>>,
    /// Answer to `recording`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<RecordingStatus>,
}

/// One simulated modem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModemStatus {
    /// Place on the bus.
    pub usb_path: String,
    /// What it is.
    pub personality: String,
    /// On the bus.
    pub is_plugged: bool,
    /// Its ttys on this machine.
    pub ttys: Vec<TtyStatus>,
    /// Its plug in a virtual machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usb: Option<UsbStatus>,
    /// Of the device.
    pub imei: String,
    /// Of the SIM.
    pub number: Option<String>,
    /// In the network.
    pub registration: Registration,
    /// In progress.
    pub calls: Vec<CallReport>,
    /// Memory, messages in it, its size.
    pub storage: Vec<(String, usize, usize)>,
    /// Messages that wait in the network.
    pub waiting_messages: usize,
}

/// One tty of a modem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TtyStatus {
    /// USB interface.
    pub interface: u8,
    /// `ttyUSB2`.
    pub name: String,
    /// The terminal behind it.
    pub device: String,
}

/// The plug of a modem in a virtual machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsbStatus {
    /// To which `usb-redir` connects.
    pub socket: String,
    /// A virtual machine is there.
    pub is_connected: bool,
    /// Interfaces whose port the virtual machine has open.
    pub open_interfaces: Vec<u8>,
}

/// A message that left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentMessage {
    /// USB path of the modem.
    pub modem: String,
    /// The message.
    #[serde(flatten)]
    pub message: Submitted,
}

/// What the host said in calls, in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingStatus {
    /// Of the samples.
    pub rate_hz: u32,
    /// Kept.
    pub samples: usize,
    /// Sent to the host.
    pub frames_out: u64,
    /// Taken from the host.
    pub bytes_in: u64,
    /// Left out by a late simulator.
    pub frames_skipped: u64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A message left.
    Sent(SentMessage),
    /// A call changed.
    Call {
        /// USB path.
        modem: String,
        /// The call.
        call: CallReport,
    },
    /// The host sent a DTMF digit.
    Digit {
        /// USB path.
        modem: String,
        /// The digit.
        digit: char,
    },
    /// The host sent a USSD string.
    Ussd {
        /// USB path.
        modem: String,
        /// The string.
        code: String,
    },
    /// A modem came onto the bus.
    Plugged {
        /// USB path.
        modem: String,
        /// Its ttys.
        ttys: Vec<TtyStatus>,
    },
    /// A modem left the bus.
    Unplugged {
        /// USB path.
        modem: String,
    },
}
