//! Which ports make up a modem: pure recognition from what the kernel tells about the serial ports of one USB device.
//!
//! A port is known by its interface number, never by its tty number: the latter changes with every replug.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::family::Family;

/// `bInterfaceClass`, `bInterfaceSubClass` and `bInterfaceProtocol` of a USB interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceClass {
    /// `bInterfaceClass`; `0xff` is "vendor specific".
    pub class: u8,
    /// `bInterfaceSubClass`.
    pub subclass: u8,
    /// `bInterfaceProtocol`.
    pub protocol: u8,
}

/// One serial port of a USB device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsbTty {
    /// The device node's name, such as `ttyUSB2`.
    pub node: String,
    /// `idVendor`.
    pub vendor: u16,
    /// `idProduct`.
    pub product: u16,
    /// `bInterfaceNumber`.
    pub interface: u8,
    /// The interface's class, when it could be read.
    pub class: Option<InterfaceClass>,
    /// Where the device is plugged, such as `1-2.4`.
    pub usb_path: String,
    /// `serial`; often empty or the same on every modem of a model.
    pub serial: Option<String>,
}

/// A port that may answer to AT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtPort {
    /// Its node.
    pub node: String,
    /// Not the one that the model has for AT commands; unsolicited codes have to be led there.
    pub is_spare: bool,
}

/// The ports of one modem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModemPorts {
    /// The dialect, when the table knows it; the modem itself has the last word.
    pub family: Option<Family>,
    /// What may be the AT port, best first; the next is tried when one stays silent.
    pub at: Vec<AtPort>,
    /// Node that carries PCM audio.
    pub audio: Option<String>,
    /// Where the device is plugged.
    pub usb_path: String,
    /// `idVendor`.
    pub vendor: u16,
    /// `idProduct`.
    pub product: u16,
    /// The model's name in the table, for people.
    pub name: Option<String>,
}

/// What the ports of one USB device are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recognised {
    /// A modem of the table with every port it needs.
    Modem(ModemPorts),
    /// A modem of the table of which ports have not appeared yet.
    Incomplete {
        /// Interface numbers that are missing.
        missing: Vec<u8>,
        /// What can be used if they never appear.
        usable: Option<ModemPorts>,
    },
    /// Not in the table, but with vendor-specific serial ports that may answer to AT.
    Guess(ModemPorts),
    /// Not a modem.
    Unknown,
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    /// Hexadecimal, as `lsusb` prints it.
    vendor: String,
    product: String,
    family: Option<Family>,
    /// Interface numbers of AT ports, best first.
    at: Vec<u8>,
    /// Interface number of the PCM port.
    audio: Option<u8>,
    /// Several models share the id and only some have the PCM port.
    #[serde(default)]
    is_audio_optional: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    modem: Vec<Row>,
}

/// Why a table of modems was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelTableError {
    /// Not TOML, or a key that no row has.
    #[error("the table of modems cannot be read: {0}")]
    Syntax(String),
    /// `vendor` or `product` is not a hexadecimal number of four digits.
    #[error("modem `{name}`: {field} must be four hexadecimal digits, as `lsusb` prints them")]
    Id {
        /// The row's name.
        name: String,
        /// `vendor` or `product`.
        field: &'static str,
    },
    /// A row without an AT port.
    #[error("modem `{name}`: `at` must name at least one interface")]
    NoAtPort {
        /// The row's name.
        name: String,
    },
    /// The audio port is also an AT port.
    #[error("modem `{name}`: interface {interface} cannot be both an AT port and the audio port")]
    SharedPort {
        /// The row's name.
        name: String,
        /// The interface.
        interface: u8,
    },
    /// Two rows of one table have the same ids.
    #[error("modem `{name}`: {vendor:04x}:{product:04x} is in the table twice")]
    Duplicate {
        /// The second row's name.
        name: String,
        /// Its `idVendor`.
        vendor: u16,
        /// Its `idProduct`.
        product: u16,
    },
}

/// The known models by USB vendor and product.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelTable {
    rows: BTreeMap<(u16, u16), Row>,
}

impl ModelTable {
    /// Reads a table (`config/modems.toml` is the one that ships).
    ///
    /// # Errors
    /// [`ModelTableError`] names the row.
    pub fn parse(text: &str) -> Result<Self, ModelTableError> {
        let document: Document =
            toml::from_str(text).map_err(|error| ModelTableError::Syntax(error.to_string().trim().to_owned()))?;
        let mut rows = BTreeMap::new();
        for row in document.modem {
            let vendor = parse_id(&row, "vendor", &row.vendor)?;
            let product = parse_id(&row, "product", &row.product)?;
            check_ports(&row)?;
            let name = row.name.clone();
            if rows.insert((vendor, product), row).is_some() {
                return Err(ModelTableError::Duplicate { name, vendor, product });
            }
        }
        Ok(Self { rows })
    }

    /// Interfaces that answer to AT on some model of the maker.
    fn at_ports_of(&self, vendor: u16) -> Vec<u8> {
        self.rows.range((vendor, 0)..=(vendor, u16::MAX)).flat_map(|(_, row)| row.at.iter().copied()).collect()
    }

    /// This table with the owner's rows over it.
    #[must_use]
    pub fn overridden_by(mut self, owner: Self) -> Self {
        self.rows.extend(owner.rows);
        self
    }
}

/// Vendor-specific, and not the debug bridge of Android (ADB: subclass 0x42, protocol 1), which modems have too.
fn may_take_at(class: InterfaceClass) -> bool {
    class.class == 0xff && (class.subclass, class.protocol) != (0x42, 1)
}

fn parse_id(row: &Row, field: &'static str, text: &str) -> Result<u16, ModelTableError> {
    let is_hex = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = if is_hex { u16::from_str_radix(text, 16).ok() } else { None };
    id.ok_or_else(|| ModelTableError::Id { name: row.name.clone(), field })
}

fn check_ports(row: &Row) -> Result<(), ModelTableError> {
    if row.at.is_empty() {
        return Err(ModelTableError::NoAtPort { name: row.name.clone() });
    }
    match row.audio {
        Some(interface) if row.at.contains(&interface) => {
            Err(ModelTableError::SharedPort { name: row.name.clone(), interface })
        }
        Some(_) | None => Ok(()),
    }
}

/// Recognises the modem that these ports make up. They must all belong to one USB device.
#[must_use]
pub fn identify(ttys: &[UsbTty], table: &ModelTable) -> Recognised {
    let Some(first) = ttys.first() else { return Recognised::Unknown };
    match table.rows.get(&(first.vendor, first.product)) {
        Some(row) => identify_known(first, ttys, row),
        None => identify_by_class(first, ttys, &table.at_ports_of(first.vendor)),
    }
}

fn identify_known(first: &UsbTty, ttys: &[UsbTty], row: &Row) -> Recognised {
    let node = |interface: u8| ttys.iter().find(|tty| tty.interface == interface).map(|tty| tty.node.clone());
    let ports = ModemPorts {
        family: row.family,
        at: at_ports(row.at.iter().map(|interface| node(*interface))),
        audio: row.audio.and_then(node),
        usb_path: first.usb_path.clone(),
        vendor: first.vendor,
        product: first.product,
        name: Some(row.name.clone()),
    };
    let required_audio = row.audio.filter(|_| !row.is_audio_optional);
    let missing: Vec<u8> = row
        .at
        .first()
        .copied()
        .into_iter()
        .chain(required_audio)
        .filter(|interface| node(*interface).is_none())
        .collect();
    if missing.is_empty() {
        return Recognised::Modem(ports);
    }
    let usable = if ports.at.is_empty() { None } else { Some(ports) };
    Recognised::Incomplete { missing, usable }
}

/// Every port that is there, of which only the first is not a spare one.
fn at_ports(nodes: impl Iterator<Item = Option<String>>) -> Vec<AtPort> {
    nodes.enumerate().filter_map(|(rank, node)| Some(AtPort { node: node?, is_spare: rank > 0 })).collect()
}

/// `usual` are the interfaces that answer to AT on other models of the maker.
fn identify_by_class(first: &UsbTty, ttys: &[UsbTty], usual: &[u8]) -> Recognised {
    let mut candidates: Vec<&UsbTty> = ttys.iter().filter(|tty| tty.class.is_some_and(may_take_at)).collect();
    // A lone vendor-specific port is a USB-to-serial cable, and what hangs on it is not ours to talk to.
    if candidates.len() < 2 {
        return Recognised::Unknown;
    }
    candidates.sort_by_key(|tty| (!usual.contains(&tty.interface), tty.interface));
    Recognised::Guess(ModemPorts {
        family: None,
        at: at_ports(candidates.iter().map(|tty| Some(tty.node.clone()))),
        audio: None,
        usb_path: first.usb_path.clone(),
        vendor: first.vendor,
        product: first.product,
        name: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../../config/modems.toml");

    fn ttys(id: (u16, u16), interfaces: &[u8]) -> Vec<UsbTty> {
        let class = Some(InterfaceClass { class: 0xff, subclass: 0, protocol: 0 });
        let tty = |(index, interface): (usize, &u8)| UsbTty {
            node: format!("ttyUSB{}", index + 4),
            vendor: id.0,
            product: id.1,
            interface: *interface,
            class,
            usb_path: "1-2".to_owned(),
            serial: None,
        };
        interfaces.iter().enumerate().map(tty).collect()
    }

    /// Name, vendor and product, interfaces, what is recognised.
    type Row<'a> = (&'a str, (u16, u16), &'a [u8], &'a str);

    fn in_words(recognised: Recognised) -> String {
        let at = |port: &AtPort| format!("{}{}", port.node, if port.is_spare { " spare" } else { "" });
        let ports = |ports: ModemPorts| {
            let at: Vec<String> = ports.at.iter().map(at).collect();
            format!("{:?} at {at:?} audio {:?}", ports.family, ports.audio)
        };
        match recognised {
            Recognised::Modem(modem) => format!("modem {}", ports(modem)),
            Recognised::Incomplete { missing, usable } => format!("missing {missing:?} usable {:?}", usable.map(ports)),
            Recognised::Guess(guess) => format!("guess {}", ports(guess)),
            Recognised::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn modems_are_recognised_by_interface_number() {
        let table = ModelTable::parse(SHIPPED).expect("the shipped table is good");
        let rows: &[Row<'_>] = &[
            (
                "EC25",
                (0x2c7c, 0x0125),
                &[0, 1, 2, 3],
                r#"modem Some(Quectel) at ["ttyUSB6", "ttyUSB7 spare"] audio Some("ttyUSB5")"#,
            ),
            (
                "SIM7600",
                (0x1e0e, 0x9001),
                &[0, 1, 2, 3, 4],
                r#"modem Some(Simcom) at ["ttyUSB6", "ttyUSB7 spare"] audio Some("ttyUSB8")"#,
            ),
            (
                "nodes in any order",
                (0x2c7c, 0x0125),
                &[3, 2, 1],
                r#"modem Some(Quectel) at ["ttyUSB5", "ttyUSB4 spare"] audio Some("ttyUSB6")"#,
            ),
            (
                "T24: the audio port is late",
                (0x1e0e, 0x9001),
                &[2, 3],
                r#"missing [4] usable Some("Some(Simcom) at [\"ttyUSB4\", \"ttyUSB5 spare\"] audio None")"#,
            ),
            ("T24: the AT port is late", (0x2c7c, 0x0125), &[1], "missing [2] usable None"),
            (
                "9011 with interface 6 is a SIM7600",
                (0x1e0e, 0x9011),
                &[2, 3, 4, 5, 6],
                r#"modem Some(Simcom) at ["ttyUSB6", "ttyUSB7 spare"] audio Some("ttyUSB8")"#,
            ),
            (
                "9011 without it is an A767x",
                (0x1e0e, 0x9011),
                &[2, 3, 4, 5],
                r#"modem Some(Simcom) at ["ttyUSB6", "ttyUSB7 spare"] audio None"#,
            ),
            (
                "T28: EC25 under DJI's name",
                (0x2ca3, 0x4006),
                &[0, 1, 2, 3],
                r#"modem Some(Quectel) at ["ttyUSB6", "ttyUSB7 spare"] audio Some("ttyUSB5")"#,
            ),
            ("not in the table", (0x1234, 0x5678), &[3, 1], r#"guess None at ["ttyUSB5", "ttyUSB4 spare"] audio None"#),
            (
                "a new model of a known maker begins with the ports of its sisters",
                (0x2c7c, 0x0999),
                &[0, 1, 2, 3],
                r#"guess None at ["ttyUSB6", "ttyUSB7 spare", "ttyUSB4 spare", "ttyUSB5 spare"] audio None"#,
            ),
            ("a USB-to-serial cable", (0x1a86, 0x7523), &[0], "unknown"),
            ("nothing", (0x2c7c, 0x0125), &[], "unknown"),
        ];
        for (name, id, interfaces, want) in rows {
            assert_eq!(in_words(identify(&ttys(*id, interfaces), &table)), *want, "{name}");
        }
    }

    #[test]
    fn the_debug_bridge_of_a_modem_is_no_at_port() {
        let mut ports = ttys((0x1234, 0x5678), &[0, 1, 2]);
        ports[1].class = Some(InterfaceClass { class: 0xff, subclass: 0x42, protocol: 1 });
        let recognised = in_words(identify(&ports, &ModelTable::default()));
        assert_eq!(recognised, r#"guess None at ["ttyUSB4", "ttyUSB6 spare"] audio None"#);
    }

    #[test]
    fn an_owner_overrides_and_extends_the_table() {
        let owner = "[[modem]]\nname = \"mine\"\nvendor = \"2c7c\"\nproduct = \"0125\"\nat = [3]\n";
        let table = ModelTable::parse(SHIPPED).expect("good").overridden_by(ModelTable::parse(owner).expect("good"));
        let recognised = identify(&ttys((0x2c7c, 0x0125), &[0, 1, 2, 3]), &table);
        assert_eq!(in_words(recognised), r#"modem None at ["ttyUSB7"] audio None"#);
    }

    #[test]
    fn a_bad_row_is_refused_by_name() {
        let row = |text: &str| format!("[[modem]]\nname = \"x\"\nvendor = \"2c7c\"\nproduct = \"0125\"\n{text}");
        let good = row("at = [2]\n");
        let table = [
            (row("at = []"), "modem `x`: `at` must name at least one interface"),
            (row("at = [2]\naudio = 2"), "modem `x`: interface 2 cannot be both an AT port and the audio port"),
            (
                good.replace("2c7c", "0x2c7c"),
                "modem `x`: vendor must be four hexadecimal digits, as `lsusb` prints them",
            ),
            (
                good.replace("0125", "+125"),
                "modem `x`: product must be four hexadecimal digits, as `lsusb` prints them",
            ),
            (format!("{good}{good}"), "modem `x`: 2c7c:0125 is in the table twice"),
        ];
        for (text, want) in table {
            let error = ModelTable::parse(&text).expect_err(want);
            assert_eq!(error.to_string(), want);
        }
        let error = ModelTable::parse(&row("at = [2]\nadio = 1")).expect_err("unknown key");
        assert!(error.to_string().contains("adio"), "{error}");
    }
}
