//! The settings document, version 1.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use telecom::Iccid;
use toml::Table;

use crate::check::{self, SettingsError};
use crate::network::Network;
use crate::words::{Country, ExtensionNumber, Language, LinePrefix, Name};

/// The version of the document that this program writes.
pub const VERSION: i64 = 1;

/// Steps from one version of the document to the next: the first makes version 2 of version 1.
const UPGRADES: &[fn(&mut Table)] = &[];

const SHIPPED: &str = include_str!("../../../config/default.toml");

/// Everything that an owner can set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    version: i64,
    /// The box itself.
    #[serde(rename = "box")]
    pub the_box: BoxSettings,
    /// Our own HTTP server.
    pub http: Http,
    /// Our own TLS server; without it, only the box itself reaches the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub https: Option<Https>,
    /// Whether the box answers to its name.
    #[serde(default)]
    pub mdns: Mdns,
    /// A fixed address in place of DHCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Where SIP phones register.
    pub sip: Sip,
    /// The sound of calls.
    pub rtp: Rtp,
    /// Ports between the supervisor and Asterisk.
    pub asterisk: AsteriskPorts,
    /// Calls for help.
    pub emergency: Emergency,
    /// The answering machine.
    pub voicemail: Voicemail,
    /// How fast messages leave.
    #[serde(default)]
    pub sms: Sms,
    /// The phones of the household.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<Extension>,
    /// What is special about a line; a line without an entry rings every extension.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineSettings>,
}

/// The box itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoxSettings {
    /// What people call it.
    pub name: Name,
    /// The language of prompts; English where prompts are missing.
    pub language: Language,
    /// Where it stands: decides the tones that phones hear.
    pub country: Country,
}

/// Our own HTTP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Where it listens.
    pub listen: SocketAddr,
}

/// Our own TLS server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Https {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where plain HTTP listens that only leads to the TLS port and hands out the authority's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<SocketAddr>,
}

/// Names on the local network (RFC 6762).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mdns {
    /// Whether `homenichat.local` and the name of the box are answered, where TLS is on.
    pub is_on: bool,
}

impl Default for Mdns {
    fn default() -> Self {
        Self { is_on: true }
    }
}

/// Where SIP phones register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sip {
    /// The address that SIP and the sound of calls use.
    pub bind: IpAddr,
    /// The UDP port for SIP.
    pub udp_port: u16,
}

/// The UDP ports for the sound of calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rtp {
    /// The first port.
    pub first_port: u16,
    /// The last port, included.
    pub last_port: u16,
}

/// TCP ports on loopback between the supervisor and Asterisk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AsteriskPorts {
    /// ARI, and SIP over WebSocket, in Asterisk.
    pub http_port: u16,
    /// The manager interface, in Asterisk.
    pub manager_port: u16,
    /// AudioSocket, in the supervisor.
    pub audiosocket_port: u16,
}

/// Calls for help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Emergency {
    /// What a phone that dials an emergency number gets.
    pub policy: EmergencyPolicy,
}

/// What a phone that dials an emergency number gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmergencyPolicy {
    /// The call leaves at once through any line that can.
    Dial,
    /// The call is never placed: the phone hears that it is not possible, and people use another phone.
    Refuse,
}

/// The answering machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voicemail {
    /// What callers hear.
    pub greeting: Greeting,
    /// Shorter messages are not kept.
    pub min_seconds: u16,
    /// Longer messages are cut.
    pub max_seconds: u16,
    /// How many messages a mailbox holds.
    pub max_messages: u16,
}

/// How fast messages leave a line. Operators block SIMs that send like a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sms {
    /// How many parts may leave at once after a quiet time; at least 1.
    pub burst: u32,
    /// After those, one part may leave in so many milliseconds.
    pub interval_ms: u32,
}

impl Default for Sms {
    /// Thirty parts a minute, ten of them at once.
    fn default() -> Self {
        Self { burst: 10, interval_ms: 2000 }
    }
}

/// What callers hear before they speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Greeting {
    /// A beep.
    Beep,
    /// A spoken explanation, then a beep.
    Prompt,
}

/// A phone of the household.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// Its number, which is also the name of its SIP account.
    pub number: ExtensionNumber,
    /// What other phones show.
    pub name: Name,
    /// Whether it is a browser or an app that speaks WebRTC; such an account is of no use to other phones.
    #[serde(default)]
    pub webrtc: bool,
    /// Whether it has a mailbox.
    #[serde(default = "yes")]
    pub voicemail: bool,
}

/// What is special about a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineSettings {
    /// The SIM.
    pub iccid: Iccid,
    /// What people call it.
    pub name: Name,
    /// The extensions that ring; all when the list is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ring: Vec<ExtensionNumber>,
    /// How long they ring before voicemail answers. Networks take the call back after 15 to 30 seconds.
    #[serde(default = "default_ring_seconds")]
    pub ring_seconds: u16,
    /// The mailbox of missed calls; when missing, that of the first extension that rings and has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voicemail: Option<ExtensionNumber>,
    /// What is dialled before a number to call out through this line; when missing, the line is only used by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<LinePrefix>,
    /// The country whose national numbers it dials; when missing, that of the box.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
}

/// How long the extensions of a line without settings ring.
pub(crate) const DEFAULT_RING_SECONDS: u16 = 25;

impl Settings {
    /// Returns the settings that the box is shipped with (`config/default.toml`).
    #[must_use]
    pub fn shipped() -> Self {
        #[expect(clippy::expect_used, reason = "the text is part of the program, and a test parses it")]
        Self::parse(SHIPPED).expect("config/default.toml holds valid settings")
    }

    /// Returns settings to try the box on a laptop: everything on loopback, on ports that other programs leave alone.
    #[must_use]
    pub fn for_laptop() -> Self {
        let shipped = Self::shipped();
        Self {
            http: Http { listen: SocketAddr::from(([127, 0, 0, 1], 8080)) },
            https: Some(Https { listen: SocketAddr::from(([127, 0, 0, 1], 8443)), redirect: None }),
            mdns: Mdns { is_on: false },
            sip: Sip { bind: IpAddr::from([127, 0, 0, 1]), udp_port: 15060 },
            rtp: Rtp { first_port: 20000, last_port: 20199 },
            asterisk: AsteriskPorts { http_port: 18088, manager_port: 15038, audiosocket_port: 18766 },
            ..shipped
        }
    }

    /// Reads a settings document of this or an older version.
    ///
    /// # Errors
    /// When it is no TOML, comes from a newer program, has a key that nobody knows, or contradicts itself.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let mut table: Table = text.parse().map_err(SettingsError::Toml)?;
        let version = table.get("version").ok_or(SettingsError::NoVersion)?;
        let version = version.as_integer().ok_or(SettingsError::NoVersion)?;
        if !(1..=VERSION).contains(&version) {
            return Err(SettingsError::UnknownVersion { found: version });
        }
        let settings: Self = if version == VERSION {
            // Straight from the text, so that an error can point at its line.
            toml::from_str(text).map_err(SettingsError::Toml)?
        } else {
            upgrade(&mut table, version);
            table.try_into().map_err(SettingsError::Toml)?
        };
        settings.check()?;
        Ok(settings)
    }

    /// Checks what one value alone cannot tell; call it after changing settings by hand.
    ///
    /// # Errors
    /// When two settings contradict each other.
    pub fn check(&self) -> Result<(), SettingsError> {
        check::settings(self)
    }

    /// Writes the document.
    ///
    /// # Errors
    /// When a value has no form in TOML, which no valid settings have.
    pub fn encode(&self) -> Result<String, SettingsError> {
        toml::to_string_pretty(self).map_err(SettingsError::Encode)
    }

    /// Returns the settings of the line with SIM `iccid`.
    #[must_use]
    pub fn line(&self, iccid: &Iccid) -> Option<&LineSettings> {
        self.lines.iter().find(|line| line.iccid == *iccid)
    }

    /// Returns the extension with this number.
    #[must_use]
    pub fn extension(&self, number: &ExtensionNumber) -> Option<&Extension> {
        self.extensions.iter().find(|extension| extension.number == *number)
    }
}

fn upgrade(table: &mut Table, version: i64) {
    let done = usize::try_from(version.saturating_sub(1)).unwrap_or(0);
    UPGRADES.iter().skip(done).for_each(|step| step(table));
    table.insert("version".to_owned(), toml::Value::Integer(VERSION));
}

fn yes() -> bool {
    true
}

fn default_ring_seconds() -> u16 {
    DEFAULT_RING_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        for settings in [Settings::shipped(), Settings::for_laptop()] {
            assert_eq!(Settings::parse(&settings.encode().unwrap()).unwrap(), settings);
        }
    }

    #[test]
    fn a_laptop_opens_nothing_to_the_network() {
        let laptop = Settings::for_laptop();
        assert!(laptop.http.listen.ip().is_loopback() && laptop.sip.bind.is_loopback());
        assert!(laptop.https.as_ref().is_some_and(|https| https.listen.ip().is_loopback()));
        assert!(!laptop.mdns.is_on);
        laptop.check().unwrap();
    }

    #[test]
    fn a_document_that_is_not_understood_is_refused_with_its_reason() {
        let line = "[[lines]]\niccid = \"8933012345678901234\"\nname = \"A\"\n";
        let cases: &[(&str, String, &str)] = &[
            ("no version", SHIPPED.replace("version = 1", ""), "version"),
            ("a newer version", SHIPPED.replace("version = 1", "version = 2"), "version 2"),
            ("an unknown key", SHIPPED.replace("udp_port", "udpport"), "udpport"),
            ("an unknown table", format!("{SHIPPED}\n[colour]\n"), "colour"),
            ("a missing key", SHIPPED.replace("udp_port = 5060", ""), "udp_port"),
            ("a bad number", SHIPPED.replace("\"2002\"", "\"20X2\""), "2 to 6 digits"),
            ("a doubled extension", SHIPPED.replace("2002", "2001"), "extension 2001 is there twice"),
            ("a doubled SIM", format!("{SHIPPED}{line}{line}"), "two entries"),
            ("an unknown extension rings", format!("{SHIPPED}{line}ring = [\"2999\"]\n"), "no extension 2999"),
            ("no such mailbox", format!("{SHIPPED}{line}voicemail = \"2999\"\n"), "no extension 2999"),
            ("no time to ring", format!("{SHIPPED}{line}ring_seconds = 0\n"), "ring_seconds"),
            ("a port twice", SHIPPED.replace("5038", "8088"), "port 8088"),
            ("a TLS port twice", SHIPPED.replace("0.0.0.0:443", "0.0.0.0:80"), "port 80"),
            ("rtp backwards", SHIPPED.replace("10199", "9999"), "rtp"),
            ("a prefix that is an extension", format!("{SHIPPED}{line}prefix = \"20\"\n"), "prefix 20"),
            ("a recording without length", SHIPPED.replace("max_seconds = 120", "max_seconds = 1"), "max_seconds"),
        ];
        for (name, text, want) in cases {
            let error = Settings::parse(text).expect_err(name);
            let text =
                format!("{error}: {}", std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default());
            assert!(text.contains(want), "{name}: {text}");
        }
    }
}
