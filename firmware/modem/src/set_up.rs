//! The settings that a modem is given each time it is brought up. None survives a reset for certain, so all are sent.

use crate::command::StorageMemory;
use crate::family::Family;

/// One setting, with what to do instead where it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Command lines in order of preference; the first that is accepted counts.
    pub(crate) choices: &'static [&'static str],
    pub(crate) need: Need,
}

/// What it means when every choice is refused, or one accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// The line cannot work without.
    Required,
    /// A comfort.
    Optional,
    /// Tells whether the firmware knows voice over USB.
    Voice,
    /// Tells whether USSD texts travel as UCS-2.
    Ucs2,
    /// Selects the memory; the choices are for these in their order.
    Memory(&'static [StorageMemory]),
    /// Tells whether delivery reports have a memory of their own that can be read.
    ReportMemory,
}

const fn optional(choices: &'static [&'static str]) -> Setting {
    Setting { choices, need: Need::Optional }
}

const fn required(choices: &'static [&'static str]) -> Setting {
    Setting { choices, need: Need::Required }
}

/// Unsolicited codes come by the AT port; a fresh EC25 sends them to the modem port.
const QUECTEL_AT_PORT: Setting = optional(&["AT+QURCCFG=\"urcport\",\"usbat\""]);

/// For a host that talks to the modem port, which is a spare one.
const QUECTEL_MODEM_PORT: Setting = optional(&["AT+QURCCFG=\"urcport\",\"usbmodem\""]);

const QUECTEL: &[Setting] = &[
    // EP06 knows no ccinfo.
    optional(&["AT+QINDCFG=\"ccinfo\",1,0", "AT^DSCI=1"]),
    optional(&["AT+QINDCFG=\"smsfull\",1,0"]),
    optional(&["AT+QTONEDET=1"]),
];

const QUECTEL_VOICE: &[Setting] = &[
    Setting { choices: &["AT+QPCMV=?"], need: Need::Voice },
    // Positions would be mixed into the audio, which uses the same port.
    optional(&["AT+QGPSCFG=\"outport\",\"none\""]),
    optional(&["AT+QPCMV=0"]),
];

const SIMCOM: &[Setting] = &[optional(&["AT+CLCC=1"]), optional(&["AT+DDET=1"])];

const SIMCOM_VOICE: &[Setting] = &[
    Setting { choices: &["AT+CPCMREG=?"], need: Need::Voice },
    optional(&["AT+CPCMFRM=0"]),
    optional(&["AT+CPCMREG=0"]),
];

const STANDARD: &[Setting] = &[
    Setting { choices: &["AT+CSCS=\"UCS2\""], need: Need::Ucs2 },
    optional(&["AT+CRC=0"]),
    optional(&["AT+CLIP=1"]),
    optional(&["AT+CCWA=1"]),
    optional(&["AT+CREG=2", "AT+CREG=1"]),
    optional(&["AT+CEREG=2", "AT+CEREG=1"]),
    optional(&["AT+COPS=3,0"]),
    optional(&["AT+CUSD=1"]),
    required(&["AT+CMGF=0"]),
    optional(&["AT+CSMS=0"]),
    Setting { choices: &["AT+CPMS=\"SR\""], need: Need::ReportMemory },
    Setting {
        choices: &["AT+CPMS=\"ME\",\"ME\",\"ME\"", "AT+CPMS=\"SM\",\"SM\",\"SM\""],
        need: Need::Memory(&[StorageMemory::Me, StorageMemory::Sm]),
    },
];

/// Parts and reports are stored and announced, so that what comes while nobody listens is found later.
const STORED_REPORTS: Setting =
    required(&["AT+CNMI=2,1,0,2,0", "AT+CNMI=2,1,0,1,0", "AT+CNMI=2,1,0,0,0", "AT+CNMI=1,1,0,0,0"]);

/// Parts are stored and announced; reports come directly, and one that comes while nobody listens is lost.
const DIRECT_REPORTS: Setting =
    required(&[DIRECT_REPORTS_COMMAND, "AT+CNMI=2,1,0,2,0", "AT+CNMI=2,1,0,0,0", "AT+CNMI=1,1,0,0,0"]);

/// Has reports come directly (TS 27.005 §3.4.1, `<ds>` 1).
pub(crate) const DIRECT_REPORTS_COMMAND: &str = "AT+CNMI=2,1,0,1,0";

/// The last setting, once it is known whether stored reports can be read.
pub(crate) fn announcements(stores_reports: bool) -> Setting {
    if stores_reports { STORED_REPORTS } else { DIRECT_REPORTS }
}

/// Every setting for a family but the last, in order; those for messages come last, so that nothing is announced before
/// it can be read.
pub(crate) fn settings(family: Family, has_audio_port: bool, is_spare_port: bool) -> Vec<Setting> {
    let codes = if is_spare_port { QUECTEL_MODEM_PORT } else { QUECTEL_AT_PORT };
    let (codes, own, voice) = match family {
        Family::Quectel => (Some(codes), QUECTEL, QUECTEL_VOICE),
        Family::Simcom => (None, SIMCOM, SIMCOM_VOICE),
        Family::Standard => (None, &[][..], &[][..]),
    };
    let voice = if has_audio_port { voice } else { &[] };
    codes.iter().chain(own).chain(voice).chain(STANDARD).copied().collect()
}
