//! Which modems to simulate, as written on the command line.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::clock;
use crate::core::{Personality, Profile, SimProfile, Timings};

/// Everything that a simulator needs to start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Work directory: `root`, `control.sock`, `transcript.log`.
    pub dir: PathBuf,
    /// Modems by order.
    pub modems: Vec<ModemConfig>,
    /// Unix datagram socket that receives uevents in the format of the kernel.
    pub events: Option<PathBuf>,
    /// Plugs the modems into virtual machines: directory of the sockets to which QEMU's `usb-redir` connects. Neither
    /// ttys nor a tree are made then.
    pub usbredir: Option<PathBuf>,
    /// Every replug gives new tty numbers.
    pub renumbers: bool,
    /// Messages to the number of another simulated SIM are delivered there.
    pub has_network: bool,
}

impl Config {
    /// Returns a configuration without modems.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), modems: Vec::new(), events: None, usbredir: None, renumbers: false, has_network: true }
    }

    /// Returns the configuration of `modem-sim run` alone: an EC25 at `1-2` and a SIM7600 at `1-3`.
    #[must_use]
    pub fn with_both_personalities(dir: impl Into<PathBuf>) -> Self {
        Self { modems: ModemConfig::defaults(), ..Self::new(dir) }
    }
}

/// One simulated modem on its USB port.
#[derive(Clone, Debug)]
pub struct ModemConfig {
    /// What it is.
    pub personality: Personality,
    /// Place on the bus, such as `1-2` or `1-2.3`.
    pub usb_path: String,
    /// USB serial number; most modems have none of their own.
    pub serial: Option<String>,
    /// Its numbers, its SIM, its pace.
    pub profile: Profile,
}

/// Why a modem on the command line is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not a personality.
    #[error("unknown modem `{0}`; known are {known}", known = Personality::NAMES.join(", "))]
    UnknownModem(String),
    /// Not `key=value`.
    #[error("`{0}` is not of the form key=value")]
    NotAPair(String),
    /// Not a key.
    #[error("unknown key `{0}`; known are {KEYS}")]
    UnknownKey(String),
    /// Not a value for the key.
    #[error("`{value}` is not a value for `{key}`")]
    BadValue {
        /// Which key.
        key: String,
        /// What was given.
        value: String,
    },
    /// Two modems on one port.
    #[error("two modems have the USB path `{0}`; give each its own with path=")]
    PathTaken(String),
}

const KEYS: &str = "path, serial, vid, pid, imei, sim, iccid, imsi, number, operator, plmn, smsc, pin, puk, slots, boot-ms, \
                    unplug-ms, absent-ms, register-ms, sms-ms, report-ms, ussd-ms, alert-ms, ring-ms";

impl ModemConfig {
    /// Returns one modem of each personality with made-up numbers.
    #[must_use]
    pub fn defaults() -> Vec<Self> {
        ["ec25", "sim7600"]
            .into_iter()
            .zip(0..)
            .filter_map(|(name, ordinal)| {
                Personality::named(name).map(|personality| Self::numbered(personality, ordinal))
            })
            .collect()
    }

    /// Parses the modems of the command line; numbers that are not given differ from modem to modem.
    pub fn parse_all(texts: &[String]) -> Result<Vec<Self>, ConfigError> {
        let mut modems: Vec<Self> = Vec::new();
        for (text, ordinal) in texts.iter().zip(0..) {
            let modem = Self::parse(text, ordinal)?;
            if modems.iter().any(|known| known.usb_path == modem.usb_path) {
                return Err(ConfigError::PathTaken(modem.usb_path));
            }
            modems.push(modem);
        }
        Ok(modems)
    }

    /// Returns modem number `ordinal` of `personality` with made-up numbers.
    #[must_use]
    pub fn numbered(personality: Personality, ordinal: u32) -> Self {
        let (operator, plmn, smsc) = match ordinal % 2 {
            0 => ("Orange F", "20801", "+33689004000"),
            _ => ("F SFR", "20810", "+33609001390"),
        };
        let unit = ordinal + 1;
        Self {
            personality,
            usb_path: format!("1-{}", ordinal + 2),
            serial: None,
            profile: Profile {
                imei: with_check_digit(&format!("8675430300{:04}", 1200 + unit)),
                sim: Some(SimProfile {
                    iccid: with_check_digit(&format!("89331503190800{unit:04}")),
                    imsi: format!("{plmn}5{unit:09}"),
                    number: format!("+3361200{unit:04}"),
                    operator: operator.to_owned(),
                    plmn: plmn.to_owned(),
                    smsc: smsc.to_owned(),
                    ..SimProfile::default()
                }),
                timings: Timings::default(),
                started_unix_seconds: clock::unix_time().as_secs(),
            },
        }
    }

    /// Parses `ec25:path=1-2,pin=1234`.
    pub fn parse(text: &str, ordinal: u32) -> Result<Self, ConfigError> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let personality = Personality::named(name).ok_or_else(|| ConfigError::UnknownModem(name.to_owned()))?;
        let mut modem = Self::numbered(personality, ordinal);
        for pair in rest.split(',').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or_else(|| ConfigError::NotAPair(pair.to_owned()))?;
            modem.set(key.trim(), value.trim())?;
        }
        Ok(modem)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), ConfigError> {
        let text = value.to_owned();
        match key {
            "path" => self.usb_path = usb_path(value).ok_or_else(|| bad(key, value))?,
            "vid" => self.personality.vendor = hexadecimal(key, value)?,
            "pid" => self.personality.product = hexadecimal(key, value)?,
            "serial" => self.serial = Some(text),
            "imei" => self.profile.imei = text,
            "sim" if value == "none" => self.profile.sim = None,
            _ if key.ends_with("-ms") => self.set_timing(key, value)?,
            _ => self.set_sim(key, value)?,
        }
        Ok(())
    }

    fn set_sim(&mut self, key: &str, value: &str) -> Result<(), ConfigError> {
        let text = value.to_owned();
        let sim = self.profile.sim.get_or_insert_default();
        match key {
            "iccid" => sim.iccid = text,
            "imsi" => sim.imsi = text,
            "number" => sim.number = text,
            "operator" => sim.operator = text,
            "plmn" => sim.plmn = text,
            "smsc" => sim.smsc = text,
            "pin" => sim.pin = Some(text),
            "puk" => sim.puk = text,
            "slots" => sim.slots = parsed(key, value)?,
            _ => return Err(ConfigError::UnknownKey(key.to_owned())),
        }
        Ok(())
    }

    fn set_timing(&mut self, key: &str, value: &str) -> Result<(), ConfigError> {
        let duration = Duration::from_millis(parsed(key, value)?);
        let timings = &mut self.profile.timings;
        match key {
            "boot-ms" => timings.boot_silence = duration,
            "unplug-ms" => timings.unplug_after = duration,
            "absent-ms" => timings.absent = duration,
            "register-ms" => timings.register_after = duration,
            "sms-ms" => timings.sms_delay = duration,
            "report-ms" => timings.report_after = duration,
            "ussd-ms" => timings.ussd_after = duration,
            "alert-ms" => timings.alert_after = duration,
            "ring-ms" => timings.ring_every = duration,
            _ => return Err(ConfigError::UnknownKey(key.to_owned())),
        }
        Ok(())
    }
}

fn bad(key: &str, value: &str) -> ConfigError {
    ConfigError::BadValue { key: key.to_owned(), value: value.to_owned() }
}

fn parsed<T: FromStr>(key: &str, value: &str) -> Result<T, ConfigError> {
    value.parse().map_err(|_| bad(key, value))
}

fn hexadecimal(key: &str, value: &str) -> Result<u16, ConfigError> {
    u16::from_str_radix(value, 16).map_err(|_| bad(key, value))
}

/// `1-2`, `2-1.4`: bus, dash, ports with dots; also keeps the path inside the tree.
fn usb_path(value: &str) -> Option<String> {
    let (bus, ports) = value.split_once('-')?;
    let is_number =
        |text: &str| !text.is_empty() && text.len() <= 3 && text.chars().all(|digit| digit.is_ascii_digit());
    (is_number(bus) && ports.split('.').all(is_number)).then(|| value.to_owned())
}

/// Appends the digit of ISO/IEC 7812-1 annex B.
fn with_check_digit(digits: &str) -> String {
    let sum: u32 = digits
        .chars()
        .rev()
        .filter_map(|digit| digit.to_digit(10))
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, doubled) if doubled > 9 => doubled - 9,
            (0, doubled) => doubled,
            _ => digit,
        })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_luhn() {
        assert_eq!(with_check_digit("49015420323751"), "490154203237518");
        let imei = &ModemConfig::defaults()[1].profile.imei;
        assert_eq!(imei.len(), 15);
        assert_eq!(*imei, with_check_digit(&imei[..14]));
    }

    #[test]
    fn a_modem_of_the_command_line_is_parsed() {
        let modem = ModemConfig::parse("sim7600-volte16k:path=1-4.2,number=+33700000001,pin=0000,sms-ms=5", 3).unwrap();
        let sim = modem.profile.sim.unwrap();
        assert_eq!((modem.usb_path.as_str(), modem.personality.name), ("1-4.2", "sim7600-volte16k"));
        assert_eq!((sim.number.as_str(), sim.pin.as_deref()), ("+33700000001", Some("0000")));
        assert_eq!(modem.profile.timings.sms_delay, Duration::from_millis(5));
    }

    #[test]
    fn mistakes_on_the_command_line_are_named() {
        for (text, want) in [
            ("ec26", "unknown modem `ec26`"),
            ("ec25:path", "`path` is not of the form"),
            ("ec25:path=../etc", "`../etc` is not a value for `path`"),
            ("ec25:colour=red", "unknown key `colour`"),
            ("ec25:slots=many", "`many` is not a value for `slots`"),
        ] {
            let error = ModemConfig::parse(text, 0).unwrap_err().to_string();
            assert!(error.starts_with(want), "{text}: {error}");
        }
    }
}
