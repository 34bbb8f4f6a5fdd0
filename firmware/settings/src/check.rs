//! What one value alone cannot tell.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use crate::document::{LineSettings, Settings, VERSION};
use crate::network::{self, InterfaceAddress};
use crate::words::{ExtensionNumber, LinePrefix, Name};

/// Why a settings document is refused. A refused document changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No TOML, an unknown key, a missing key or a value of another kind; the source says where.
    #[error("settings cannot be read")]
    Toml(#[source] toml::de::Error),
    /// Cannot be written.
    #[error("settings cannot be written")]
    Encode(#[source] toml::ser::Error),
    /// The document does not say what it is.
    #[error("settings have no version: add the line `version = {VERSION}`")]
    NoVersion,
    /// The document is from another program.
    #[error("settings are of version {found}, and this program knows versions 1 to {VERSION}: install the newer one")]
    UnknownVersion {
        /// The version found.
        found: i64,
    },
    /// Two extensions with one number.
    #[error("extension {0} is there twice")]
    DoubledExtension(ExtensionNumber),
    /// Two entries for one SIM.
    #[error("the SIM of line `{0}` has two entries")]
    DoubledLine(Name),
    /// A line names an extension that is not there.
    #[error("line `{line}` names {extension}, and there is no extension {extension}")]
    NoExtension {
        /// The line.
        line: Name,
        /// The extension.
        extension: ExtensionNumber,
    },
    /// A line sends missed calls to an extension without mailbox.
    #[error("line `{line}` sends missed calls to extension {extension}, which has no voicemail")]
    NoMailbox {
        /// The line.
        line: Name,
        /// The extension.
        extension: ExtensionNumber,
    },
    /// A prefix that hides an extension, a service or another prefix.
    #[error("prefix {prefix} of line `{line}` hides {hidden}, choose another one")]
    Prefix {
        /// The line.
        line: Name,
        /// Its prefix.
        prefix: LinePrefix,
        /// What could not be dialled any more.
        hidden: String,
    },
    /// A number out of its range.
    #[error("{key} must be {range}")]
    Range {
        /// The key.
        key: &'static str,
        /// What it may be.
        range: &'static str,
    },
    /// A router that the box cannot reach.
    #[error("gateway {gateway} is not in the network of {address}, so the box cannot reach it")]
    GatewayElsewhere {
        /// The router.
        gateway: Ipv4Addr,
        /// The address of the box.
        address: InterfaceAddress,
    },
    /// The box as its own router.
    #[error("gateway {0} is the box itself: name the router")]
    GatewayIsBox(Ipv4Addr),
    /// An address at which nobody can be asked for names.
    #[error("{0} is not a name server that the box can ask")]
    NoNameServer(IpAddr),
    /// One port for two purposes.
    #[error("port {0} is used twice")]
    DoubledPort(u16),
}

pub(crate) fn settings(settings: &Settings) -> Result<(), SettingsError> {
    ports(settings)?;
    settings.network.iter().try_for_each(network::check)?;
    voicemail(settings)?;
    extensions(settings)?;
    settings.lines.iter().try_for_each(|line| one_line(settings, line))?;
    line_pairs(&settings.lines)
}

fn ports(settings: &Settings) -> Result<(), SettingsError> {
    let ports = &settings.asterisk;
    let mut seen = BTreeSet::new();
    let tls = settings.https.iter().flat_map(|https| std::iter::once(https.listen).chain(https.redirect));
    let fixed = [settings.http.listen.port(), ports.http_port, ports.manager_port, ports.audiosocket_port];
    for port in fixed.into_iter().chain(tls.map(|address| address.port())) {
        if port == 0 {
            return Err(SettingsError::Range { key: "a port", range: "1 to 65535" });
        }
        if !seen.insert(port) {
            return Err(SettingsError::DoubledPort(port));
        }
    }
    if settings.sip.udp_port == 0 {
        return Err(SettingsError::Range { key: "sip.udp_port", range: "1 to 65535" });
    }
    let (first, last) = (settings.rtp.first_port, settings.rtp.last_port);
    if first < 1024 || last < first.saturating_add(3) {
        return Err(SettingsError::Range {
            key: "rtp",
            range: "at least four ports above 1023, first_port below last_port",
        });
    }
    if (first..=last).contains(&settings.sip.udp_port) {
        return Err(SettingsError::DoubledPort(settings.sip.udp_port));
    }
    Ok(())
}

fn voicemail(settings: &Settings) -> Result<(), SettingsError> {
    let voicemail = &settings.voicemail;
    if !(1..=60).contains(&voicemail.min_seconds) {
        return Err(SettingsError::Range { key: "voicemail.min_seconds", range: "1 to 60" });
    }
    if !(voicemail.min_seconds + 1..=3600).contains(&voicemail.max_seconds) {
        return Err(SettingsError::Range {
            key: "voicemail.max_seconds",
            range: "more than min_seconds, at most 3600",
        });
    }
    if !(1..=9999).contains(&voicemail.max_messages) {
        return Err(SettingsError::Range { key: "voicemail.max_messages", range: "1 to 9999" });
    }
    Ok(())
}

fn extensions(settings: &Settings) -> Result<(), SettingsError> {
    let mut seen = BTreeSet::new();
    for extension in &settings.extensions {
        if !seen.insert(&extension.number) {
            return Err(SettingsError::DoubledExtension(extension.number.clone()));
        }
    }
    Ok(())
}

fn one_line(settings: &Settings, line: &LineSettings) -> Result<(), SettingsError> {
    if !(5..=120).contains(&line.ring_seconds) {
        return Err(SettingsError::Range { key: "ring_seconds of a line", range: "5 to 120" });
    }
    for number in line.ring.iter().chain(&line.voicemail) {
        if settings.extension(number).is_none() {
            return Err(SettingsError::NoExtension { line: line.name.clone(), extension: number.clone() });
        }
    }
    if let Some(mailbox) = &line.voicemail
        && settings.extension(mailbox).is_some_and(|extension| !extension.voicemail)
    {
        return Err(SettingsError::NoMailbox { line: line.name.clone(), extension: mailbox.clone() });
    }
    let Some(prefix) = &line.prefix else { return Ok(()) };
    let numbers = settings.extensions.iter().map(|extension| extension.number.as_str());
    let dialled = numbers.chain(crate::words::SERVICES.iter().copied()).chain(["*97"]);
    match dialled.into_iter().find(|number| number.starts_with(prefix.as_str())) {
        Some(hidden) => Err(prefix_error(line, prefix, hidden)),
        None => Ok(()),
    }
}

fn line_pairs(lines: &[LineSettings]) -> Result<(), SettingsError> {
    for (index, line) in lines.iter().enumerate() {
        for other in lines.iter().take(index) {
            if line.iccid == other.iccid {
                return Err(SettingsError::DoubledLine(line.name.clone()));
            }
            let (Some(prefix), Some(longer)) = (&line.prefix, &other.prefix) else { continue };
            if longer.as_str().starts_with(prefix.as_str()) || prefix.as_str().starts_with(longer.as_str()) {
                return Err(prefix_error(line, prefix, &format!("prefix {longer}")));
            }
        }
    }
    Ok(())
}

fn prefix_error(line: &LineSettings, prefix: &LinePrefix, hidden: &str) -> SettingsError {
    SettingsError::Prefix { line: line.name.clone(), prefix: prefix.clone(), hidden: hidden.to_owned() }
}
