//! Modem families and their quirks as data.
//!
//! Sources: Quectel EC2x AT Commands Manual V2.0 and SIMCom SIM7500_SIM7600 AT Command Manual V3.00 for shapes;
//! captures and issue threads listed in the simulator's how-to for the rest.

use serde::{Deserialize, Serialize};

/// Which manual a modem follows where the two disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// EC25 and its relatives.
    Quectel,
    /// SIM7600 and its relatives.
    Simcom,
}

/// What a USB interface is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Answers AT commands.
    At,
    /// Binary diagnostics; silent.
    Diag,
    /// Answers AT commands and would carry PPP.
    Modem,
    /// Satellite positions; carries PCM on Quectel.
    Nmea,
    /// Voice samples only.
    Pcm,
    /// Network card; has no tty.
    Qmi,
}

/// One USB interface of a modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// `bInterfaceNumber`.
    pub number: u8,
    /// What it is for.
    pub role: Role,
}

impl Interface {
    /// Whether the kernel gives it a `ttyUSB`.
    #[must_use]
    pub fn has_tty(self) -> bool {
        self.role != Role::Qmi
    }

    /// Whether it parses AT commands.
    #[must_use]
    pub fn takes_commands(self) -> bool {
        matches!(self.role, Role::At | Role::Modem)
    }
}

/// Named deviations of a firmware from its family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each quirk is independent of the others")]
pub struct Quirks {
    /// Unsolicited codes go to the modem port until `QURCCFG` says otherwise (a fresh EC25).
    pub urcs_on_modem_port: bool,
    /// PCM over the serial port stays silent from the first frame; only USB audio works (recent EC25-EU firmware).
    pub serial_pcm_is_silent: bool,
    /// The network gives wide-band calls: PCM at 16 kHz unless `CPCMBANDWIDTH` says otherwise.
    pub has_wideband_calls: bool,
    /// Alerting is followed at once by "active", and a refused call is not told (A7672 on one carrier).
    pub answers_falsely: bool,
    /// `ccinfo` is accepted but never sent, and `QHUP` never answers (EP06).
    pub lacks_call_reports: bool,
    /// After its first use `CPCMREG=1` answers ERROR until `CRESET` (LE20B04).
    pub registers_pcm_once: bool,
    /// `VOICE CALL: END:` is printed without the space before the seconds.
    pub omits_end_space: bool,
    /// Samples that the host writes are never taken (LE20B06).
    pub ignores_uplink: bool,
    /// A report that was stored in `SR` is announced as `+CDSI: "SM",0` (EC25 and EG25, several firmwares).
    pub announces_reports_in_sim: bool,
}

/// A modem as a product: USB identity, identity strings, ports, quirks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Personality {
    /// Name on the command line.
    pub name: &'static str,
    /// Which manual it follows.
    pub family: Family,
    /// `idVendor`.
    pub vendor: u16,
    /// `idProduct`.
    pub product: u16,
    /// `manufacturer` of the USB device.
    pub usb_manufacturer: &'static str,
    /// `product` of the USB device.
    pub usb_product: &'static str,
    /// USB interfaces by number.
    pub interfaces: &'static [Interface],
    /// Answer of `CGMI`.
    pub manufacturer: &'static str,
    /// Answer of `CGMM`.
    pub model: &'static str,
    /// Firmware revision, bare.
    pub revision: &'static str,
    /// `CMEE` after power on.
    pub default_cmee: u8,
    /// Interface that carries samples.
    pub pcm_interface: u8,
    /// Deviations.
    pub quirks: Quirks,
}

impl Personality {
    /// Returns the personality called `name`: a family or a quirk profile.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let ec25 = Quirks { announces_reports_in_sim: true, ..Quirks::default() };
        let sim7600 = Quirks::default();
        Some(match name {
            "ec25" => Self::ec25("ec25", ec25),
            "ec25-fresh" => Self::ec25("ec25-fresh", Quirks { urcs_on_modem_port: true, ..ec25 }),
            "ec25-uac-only" => Self::ec25("ec25-uac-only", Quirks { serial_pcm_is_silent: true, ..ec25 }),
            "ep06-no-ccinfo" => Self {
                product: 0x0306,
                model: "EP06",
                revision: "EP06ELAR04A08M4G",
                usb_product: "EP06-E",
                ..Self::ec25("ep06-no-ccinfo", Quirks { lacks_call_reports: true, ..ec25 })
            },
            "sim7600" => Self::sim7600("sim7600", sim7600),
            "sim7600-volte16k" => Self::sim7600("sim7600-volte16k", Quirks { has_wideband_calls: true, ..sim7600 }),
            "sim7600-le20b04" => {
                Self::sim7600("sim7600-le20b04", Quirks { registers_pcm_once: true, omits_end_space: true, ..sim7600 })
            }
            "sim7600-le20b06" => Self {
                revision: "LE20B06SIM7600G22",
                ..Self::sim7600("sim7600-le20b06", Quirks { ignores_uplink: true, ..sim7600 })
            },
            "a7672-false-answer" => Self {
                model: "A7672E-FASE",
                revision: "A011B07A7672M7_F",
                usb_product: "A7672E-FASE",
                ..Self::sim7600("a7672-false-answer", Quirks { answers_falsely: true, ..sim7600 })
            },
            _ => return None,
        })
    }

    /// Names that [`Personality::named`] knows.
    pub const NAMES: &'static [&'static str] = &[
        "ec25",
        "ec25-fresh",
        "ec25-uac-only",
        "ep06-no-ccinfo",
        "sim7600",
        "sim7600-volte16k",
        "sim7600-le20b04",
        "sim7600-le20b06",
        "a7672-false-answer",
    ];

    /// Returns the interface with `number`.
    #[must_use]
    pub fn interface(&self, number: u8) -> Option<Interface> {
        self.interfaces.iter().copied().find(|interface| interface.number == number)
    }

    /// Returns the numbers of the interfaces that parse AT commands.
    pub fn command_interfaces(&self) -> impl Iterator<Item = u8> + use<> {
        self.interfaces.iter().filter(|interface| interface.takes_commands()).map(|interface| interface.number)
    }

    /// Lines of `ATI`.
    #[must_use]
    pub fn identification(&self, imei: &str) -> Vec<String> {
        match self.family {
            Family::Quectel => {
                vec![self.manufacturer.to_owned(), self.model.to_owned(), format!("Revision: {}", self.revision)]
            }
            Family::Simcom => vec![
                format!("Manufacturer: {}", self.manufacturer),
                format!("Model: {}", self.model),
                format!("Revision: {}", self.revision),
                format!("IMEI: {imei}"),
                "+GCAP: +CGSM".to_owned(),
            ],
        }
    }

    fn ec25(name: &'static str, quirks: Quirks) -> Self {
        Self {
            name,
            family: Family::Quectel,
            vendor: 0x2c7c,
            product: 0x0125,
            usb_manufacturer: "Quectel",
            usb_product: "EC25-EUX",
            interfaces: EC25_INTERFACES,
            manufacturer: "Quectel",
            model: "EC25",
            revision: "EC25EFAR06A04M4G",
            default_cmee: 1,
            pcm_interface: 1,
            quirks,
        }
    }

    fn sim7600(name: &'static str, quirks: Quirks) -> Self {
        Self {
            name,
            family: Family::Simcom,
            vendor: 0x1e0e,
            product: 0x9001,
            usb_manufacturer: "SimTech, Incorporated",
            usb_product: "SimTech, Incorporated",
            interfaces: SIM7600_INTERFACES,
            manufacturer: "SIMCOM INCORPORATED",
            model: "SIMCOM_SIM7600G-H",
            revision: "LE20B04SIM7600G22",
            default_cmee: 2,
            pcm_interface: 4,
            quirks,
        }
    }
}

const EC25_INTERFACES: &[Interface] = &[
    Interface { number: 0, role: Role::Diag },
    Interface { number: 1, role: Role::Nmea },
    Interface { number: 2, role: Role::At },
    Interface { number: 3, role: Role::Modem },
    Interface { number: 4, role: Role::Qmi },
];

const SIM7600_INTERFACES: &[Interface] = &[
    Interface { number: 0, role: Role::Diag },
    Interface { number: 1, role: Role::Nmea },
    Interface { number: 2, role: Role::At },
    Interface { number: 3, role: Role::Modem },
    Interface { number: 4, role: Role::Pcm },
    Interface { number: 5, role: Role::Qmi },
];
