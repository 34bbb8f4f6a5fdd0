//! Parameters that a modem remembers: one table instead of one handler for each.

use std::collections::BTreeMap;

use super::parser::Form;
use super::{Family, Quirks, Reply};

/// A parameter command whose whole meaning is to be remembered, or whose meaning other parts read from here.
struct Parameter {
    name: &'static str,
    /// `None` means every family.
    family: Option<Family>,
    /// As `AT+X?` prints it after power on.
    default: &'static str,
    /// As `AT+X=?` prints it; empty answers a bare OK.
    range: &'static str,
    /// Largest value of each numeric argument; empty means that any text is kept as it comes.
    limits: &'static [u32],
}

/// Values in force and values that survive a restart.
pub(super) struct Settings {
    family: Family,
    values: BTreeMap<String, String>,
    saved: BTreeMap<String, String>,
    factory: BTreeMap<String, String>,
}

impl Settings {
    pub(super) fn new(family: Family, quirks: Quirks) -> Self {
        let mut factory: BTreeMap<String, String> = BTreeMap::new();
        for parameter in PARAMETERS.iter().filter(|parameter| parameter.is_of(family)) {
            factory.insert(parameter.name.to_owned(), parameter.default.to_owned());
        }
        if family == Family::Quectel {
            for (command, key, value) in KEYED {
                factory.insert(format!("{command}/{key}"), (*value).to_owned());
            }
            let port = if quirks.urcs_on_modem_port { "\"usbmodem\"" } else { "\"usbat\"" };
            factory.insert("+QURCCFG/urcport".to_owned(), port.to_owned());
        }
        factory.insert("+CCWA".to_owned(), "0,1".to_owned());
        if quirks.has_wideband_calls {
            factory.insert("+CPCMBANDWIDTH".to_owned(), "0,1".to_owned());
        }
        Self { family, values: factory.clone(), saved: factory.clone(), factory }
    }

    /// Returns numeric argument `position` of parameter `name`; 0 when it has none.
    pub(super) fn number(&self, name: &str, position: usize) -> u32 {
        self.text(name).split(',').nth(position).and_then(|value| value.trim().parse().ok()).unwrap_or(0)
    }

    /// Returns the value of `name` as it would be read back.
    pub(super) fn text(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.values.insert(name.to_owned(), value.into());
    }

    /// Returns the value of `key` of a command such as `AT+QURCCFG="urcport",…`, without quotes.
    pub(super) fn keyed(&self, name: &str, key: &str) -> Option<&str> {
        self.values.get(&format!("{name}/{key}")).map(|value| value.trim_matches('"'))
    }

    /// Makes the values in force survive a restart (`AT&W`).
    pub(super) fn save(&mut self) {
        self.saved.clone_from(&self.values);
    }

    /// Returns to the saved values (`ATZ`, power on).
    pub(super) fn restore_saved(&mut self) {
        self.values.clone_from(&self.saved);
    }

    /// Returns to the factory profile (`AT&F`); keyed settings are not part of it.
    pub(super) fn restore_factory(&mut self) {
        for (name, value) in self.factory.iter().filter(|(name, _)| !name.contains('/')) {
            self.values.insert(name.clone(), value.clone());
        }
    }

    /// Answers a command that only remembers; anything else is unknown.
    pub(super) fn answer(&mut self, name: &str, form: &Form) -> Reply {
        if self.family == Family::Quectel && KEYED.iter().any(|(command, _, _)| *command == name) {
            return self.answer_keyed(name, form);
        }
        let family = self.family;
        let parameter = PARAMETERS.iter().find(|parameter| parameter.name == name && parameter.is_of(family));
        match parameter {
            Some(parameter) => self.answer_parameter(parameter, form),
            None if ACCEPTED.contains(&name) => Reply::ok(),
            None => Reply::Failed(super::Failure::Plain),
        }
    }

    fn answer_parameter(&mut self, parameter: &Parameter, form: &Form) -> Reply {
        match form {
            Form::Exec => Reply::ok(),
            Form::Read => Reply::line(format!("{}: {}", parameter.name, self.text(parameter.name))),
            Form::Test if parameter.range.is_empty() => Reply::ok(),
            Form::Test => Reply::line(format!("{}: {}", parameter.name, parameter.range)),
            Form::Set(raw) if parameter.limits.is_empty() => {
                self.set(parameter.name, raw.clone());
                Reply::ok()
            }
            Form::Set(_) => self.set_numbers(parameter, &form.arguments()),
        }
    }

    /// An argument left out keeps its value.
    fn set_numbers(&mut self, parameter: &Parameter, arguments: &[String]) -> Reply {
        let refused = if parameter.name.starts_with("+CNMI") || parameter.name.starts_with("+CSMP") {
            Reply::cms(303)
        } else {
            Reply::cme(50)
        };
        if arguments.len() > parameter.limits.len() {
            return refused;
        }
        let mut values: Vec<String> = self.text(parameter.name).split(',').map(str::to_owned).collect();
        for (position, (argument, limit)) in arguments.iter().zip(parameter.limits).enumerate() {
            if argument.is_empty() {
                continue;
            }
            let Some(number) = argument.parse::<u32>().ok().filter(|number| number <= limit) else {
                return refused;
            };
            while values.len() <= position {
                values.push("0".to_owned());
            }
            if let Some(value) = values.get_mut(position) {
                *value = number.to_string();
            }
        }
        self.set(parameter.name, values.join(","));
        Reply::ok()
    }

    fn answer_keyed(&mut self, name: &str, form: &Form) -> Reply {
        let Form::Set(raw) = form else { return Reply::ok() };
        let (key, value) = raw.split_once(',').unwrap_or((raw, ""));
        let key = key.trim().trim_matches('"').to_ascii_lowercase();
        let path = format!("{name}/{key}");
        if value.is_empty() {
            return match self.values.get(&path) {
                Some(value) => Reply::line(format!("{name}: \"{key}\",{value}")),
                None => Reply::cme(50),
            };
        }
        // The third argument of QINDCFG says whether the value is kept; the other commands always keep it.
        let (value, is_kept) = match (name, value.split_once(',')) {
            ("+QINDCFG", Some((value, kept))) => (value, kept.trim() == "1"),
            ("+QINDCFG", None) => (value, false),
            _ => (value, true),
        };
        self.values.insert(path.clone(), value.trim().to_owned());
        if is_kept {
            self.saved.insert(path, value.trim().to_owned());
        }
        Reply::ok()
    }
}

impl Parameter {
    fn is_of(&self, family: Family) -> bool {
        self.family.is_none_or(|only| only == family)
    }
}

const fn any(name: &'static str, default: &'static str, range: &'static str, limits: &'static [u32]) -> Parameter {
    Parameter { name, family: None, default, range, limits }
}

const fn quectel(name: &'static str, default: &'static str, range: &'static str, limits: &'static [u32]) -> Parameter {
    Parameter { name, family: Some(Family::Quectel), default, range, limits }
}

const fn simcom(name: &'static str, default: &'static str, range: &'static str, limits: &'static [u32]) -> Parameter {
    Parameter { name, family: Some(Family::Simcom), default, range, limits }
}

const PARAMETERS: &[Parameter] = &[
    any("+CMGF", "0", "(0,1)", &[1]),
    any("+CNMI", "2,1,0,0,0", "(0-2),(0-3),(0,2,3),(0-2),(0,1)", &[2, 3, 3, 2, 1]),
    any("+CSDH", "0", "(0,1)", &[1]),
    any("+CSMP", "17,167,0,0", "(0-255),(0-255),(0-255),(0-255)", &[255, 255, 255, 255]),
    any("+CSCB", "0,\"\",\"\"", "(0,1)", &[]),
    any("+CMMS", "0", "(0-2)", &[2]),
    any("+CGSMS", "1", "(0-3)", &[3]),
    any("+CR", "0", "(0,1)", &[1]),
    any("+CRC", "0", "(0,1)", &[1]),
    any("+COLP", "0,2", "(0,1)", &[1]),
    any("+CLIR", "0,0", "(0-2)", &[2]),
    any("+CLIP", "0,1", "(0,1)", &[1]),
    any("+CSSN", "0,0", "(0,1),(0,1)", &[1, 1]),
    any("+CTZR", "0", "(0-2)", &[2]),
    any("+CTZU", "0", "(0,1,3)", &[3]),
    any("+CLVL", "3", "(0-5)", &[5]),
    any("+CMUT", "0", "(0,1)", &[1]),
    any("+CRSL", "3", "(0-7)", &[7]),
    any("+VTD", "1", "(0-255)", &[255]),
    any("+CVHU", "1", "(0,1)", &[1]),
    any("+CMOD", "0", "(0)", &[3]),
    any("+CSTA", "129", "(129,145,161)", &[255]),
    any("+CGATT", "1", "(0,1)", &[1]),
    any("+CGACT", "1,1", "(0,1)", &[]),
    any("+CGDCONT", "1,\"IPV4V6\",\"orange\",\"0.0.0.0\",0,0,0,0", "(1-16),\"IP\",,,(0-2),(0-4)", &[]),
    any("+CGEREP", "0,0", "(0-2),(0,1)", &[2, 1]),
    any("+CGAUTH", "1,0", "(1-16),(0-3)", &[]),
    any("+CEMODE", "2", "(0-3)", &[3]),
    any("+CBST", "7,0,1", "", &[]),
    any("+CRLP", "61,61,6,6", "", &[]),
    any("+FCLASS", "0", "(0,1)", &[8]),
    any("+IFC", "0,0", "(0-2),(0-2)", &[2, 2]),
    any("+ICF", "3,3", "", &[]),
    any("+IPR", "115200", "", &[4_000_000]),
    any("+CMER", "0,0,0,0,0", "", &[]),
    any("+CALM", "0", "(0,1)", &[2]),
    any("+CCFC", "0,1", "(0-5)", &[]),
    any("+CNMP", "2", "(2,13,14,38)", &[]),
    quectel("^DSCI", "0", "(0,1)", &[1]),
    quectel("+QTONEDET", "0", "(0,1)", &[1]),
    quectel("+QPCMV", "0", "(0,1),(0-2)", &[1, 2]),
    quectel("+QMIC", "20577,20577", "(0-65535),(0-65535)", &[65_535, 65_535]),
    quectel("+QRXGAIN", "8192", "(0-65535)", &[65_535]),
    quectel("+QAUDMOD", "0", "(0-3)", &[3]),
    quectel("+QAUDLOOP", "0", "(0,1)", &[1]),
    quectel("+QSIDET", "0", "(0-65535)", &[65_535]),
    quectel("+QEEC", "0,0,0", "", &[]),
    quectel("+QDAI", "1", "", &[]),
    quectel("+QSIMDET", "0,0", "(0,1),(0,1)", &[1, 1]),
    quectel("+QSIMSTAT", "0,1", "(0,1)", &[1]),
    quectel("+QSCLK", "0", "(0,1)", &[2]),
    simcom("+CNSMOD", "0,8", "(0,1)", &[1]),
    simcom("+AUTOCSQ", "0,0", "(0,1),(0,1)", &[1, 1]),
    simcom("+EXUNSOL", "\"SQ\",0", "", &[]),
    simcom("+CLTS", "0", "(0,1)", &[1]),
    simcom("+DDET", "0", "(0,1)", &[1]),
    simcom("+CPCMFRM", "0", "(0,1)", &[1]),
    simcom("+CPCMBANDWIDTH", "1,1", "(0,1),(0,1)", &[1, 1]),
    simcom("+COUTGAIN", "4", "(0-8)", &[8]),
    simcom("+CMICGAIN", "4", "(0-8)", &[8]),
    simcom("+CTXVOL", "0x1FFF", "", &[]),
    simcom("+CRXVOL", "0x1FFF", "", &[]),
    simcom("+CSDVC", "1", "(1,3,4)", &[9]),
    simcom("+CUSBPIDSWITCH", "9001", "", &[]),
    simcom("+CNBP", "0x0002000000400183,0x000001E000000095", "", &[]),
    simcom("+CODECCTL", "0,0", "", &[]),
    simcom("$QCRCIND", "0", "(0,1)", &[1]),
    simcom("+CGPS", "0,1", "(0,1),(1-3)", &[]),
    simcom("+CSUART", "0", "", &[]),
    simcom("+CVALARM", "0", "", &[]),
];

/// Quectel commands whose first argument names a value.
const KEYED: &[(&str, &str, &str)] = &[
    ("+QINDCFG", "all", "1"),
    ("+QINDCFG", "csq", "0"),
    ("+QINDCFG", "smsfull", "0"),
    ("+QINDCFG", "ring", "1"),
    ("+QINDCFG", "smsincoming", "1"),
    ("+QINDCFG", "act", "0"),
    ("+QINDCFG", "ccinfo", "0"),
    ("+QURCCFG", "urcport", "\"usbat\""),
    ("+QCFG", "ims", "1"),
    ("+QCFG", "usbnet", "0"),
    ("+QCFG", "usbcfg", "0x2C7C,0x0125,1,1,1,1,1,0,0"),
    ("+QCFG", "nwscanmode", "0"),
    ("+QCFG", "nwscanseq", "00"),
    ("+QCFG", "band", "0x93,0x8080085,0x0"),
    ("+QCFG", "roamservice", "255"),
    ("+QCFG", "servicedomain", "2"),
    ("+QCFG", "risignaltype", "\"respective\""),
    ("+QCFG", "urc/ri/ring", "\"pulse\",120,1000,5000,\"off\",1"),
    ("+QCFG", "urc/ri/smsincoming", "\"pulse\",120,1"),
    ("+QCFG", "urc/ri/other", "\"off\",120,1"),
    ("+QCFG", "urc/delay", "0"),
    ("+QCFG", "urc/cache", "0"),
    ("+QCFG", "tone/incoming", "0"),
    ("+QMBNCFG", "autosel", "1"),
    ("+QMBNCFG", "list", "0,1,1,\"ROW_Generic_3GPP\",0x05010824,201806201"),
    ("+QGPSCFG", "outport", "\"usbnmea\""),
    ("+QNWCFG", "csi_ctrl", "0,0"),
];

/// Commands that are taken without effect.
const ACCEPTED: &[&str] = &[
    "&C", "&D", "&S", "&K", "L", "M", "X", "S0", "S3", "S4", "S5", "S7", "S10", "T", "P", "+CSAS", "+CRES", "+CLAE",
    "+CPSMS", "+CEDRXS", "+CSO", "^CURC",
];
