//! How the Ethernet port of the box gets its address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::check::SettingsError;
use crate::words::{InterfaceName, WordError};

/// As many as the C library asks.
const MOST_NAME_SERVERS: usize = 3;

/// A fixed address; a box without these settings asks for one by DHCP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The Ethernet port that gets the address; every other one asks by DHCP.
    #[serde(default = "the_one_port")]
    pub interface: InterfaceName,
    /// The address, and how long the prefix of its network is.
    pub address: InterfaceAddress,
    /// The router; without one, only the network of the address is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Ipv4Addr>,
    /// Who is asked for names, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub name_servers: Vec<IpAddr>,
}

fn the_one_port() -> InterfaceName {
    InterfaceName::first_ethernet()
}

impl Network {
    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// When it is no TOML, or an address that cannot work.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let network = toml::from_str(text).map_err(SettingsError::Toml)?;
        check(&network)?;
        Ok(network)
    }

    /// Writes these settings alone, for the program that applies them.
    ///
    /// # Errors
    /// When a value has no form in TOML, which none has.
    pub fn encode(&self) -> Result<String, SettingsError> {
        toml::to_string(self).map_err(SettingsError::Encode)
    }
}

/// An IPv4 address of a host with the length of its network's prefix, as in `192.168.1.20/24` (RFC 4632 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InterfaceAddress {
    address: Ipv4Addr,
    prefix: u8,
}

impl InterfaceAddress {
    /// Returns the address alone.
    #[must_use]
    pub fn ip(self) -> Ipv4Addr {
        self.address
    }

    /// Whether a host with this address is reached without a router.
    #[must_use]
    pub fn is_neighbour(self, other: Ipv4Addr) -> bool {
        self.network(other) == self.network(self.address) && self.is_host(other)
    }

    /// Neither the network itself nor its broadcast address.
    fn is_host(self, address: Ipv4Addr) -> bool {
        let host = u32::from(address) & !self.mask();
        host != 0 && host != !self.mask()
    }

    fn network(self, address: Ipv4Addr) -> u32 {
        u32::from(address) & self.mask()
    }

    fn mask(self) -> u32 {
        u32::MAX << (32 - u32::from(self.prefix))
    }
}

impl FromStr for InterfaceAddress {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        let (address, prefix) = text.split_once('/').ok_or(WordError::InterfaceAddress)?;
        let address: Ipv4Addr = address.parse().map_err(|_| WordError::InterfaceAddress)?;
        let is_number = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        // Networks of one or two addresses have no room for a box and its router.
        let prefix = prefix.parse().ok().filter(|prefix| is_number && (1..=30).contains(prefix));
        let parsed = Self { address, prefix: prefix.ok_or(WordError::InterfaceAddress)? };
        let is_usable = is_unicast(address) && parsed.is_host(address);
        if is_usable { Ok(parsed) } else { Err(WordError::NoHostAddress(text.to_owned())) }
    }
}

impl TryFrom<String> for InterfaceAddress {
    type Error = WordError;

    fn try_from(text: String) -> Result<Self, WordError> {
        text.parse()
    }
}

impl From<InterfaceAddress> for String {
    fn from(address: InterfaceAddress) -> Self {
        address.to_string()
    }
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// An address that one machine of a network can have: not "this network", loopback, multicast or reserved
/// (RFC 6890 §2.2.2).
fn is_unicast(address: Ipv4Addr) -> bool {
    !matches!(address.octets().first(), None | Some(0 | 127 | 224..))
}

pub(crate) fn check(network: &Network) -> Result<(), SettingsError> {
    let address = network.address;
    if let Some(gateway) = network.gateway {
        if gateway == address.ip() {
            return Err(SettingsError::GatewayIsBox(gateway));
        }
        if !address.is_neighbour(gateway) {
            return Err(SettingsError::GatewayElsewhere { gateway, address });
        }
    }
    if network.name_servers.len() > MOST_NAME_SERVERS {
        return Err(SettingsError::Range { key: "network.name_servers", range: "at most three addresses" });
    }
    let is_server = |server: &IpAddr| match server {
        IpAddr::V4(server) => is_unicast(*server),
        IpAddr::V6(server) => !(server.is_unspecified() || server.is_loopback() || server.is_multicast()),
    };
    match network.name_servers.iter().find(|server| !is_server(server)) {
        Some(server) => Err(SettingsError::NoNameServer(*server)),
        None => Ok(()),
    }
}

/// Renders the file that makes systemd-networkd give the box its fixed address (`systemd.network(5)`).
#[must_use]
pub fn render_network(network: &Network) -> String {
    let mut text = format!(
        "# Written by the box from its settings; what is changed here is lost.\n\
         [Match]\n\
         Name={}\n\
         \n\
         [Network]\n\
         DHCP=no\n\
         LinkLocalAddressing=ipv6\n\
         MulticastDNS=no\n\
         LLMNR=no\n\
         Address={}\n",
        network.interface, network.address
    );
    text.extend(network.gateway.map(|gateway| format!("Gateway={gateway}\n")));
    text.extend(network.name_servers.iter().map(|server| format!("DNS={server}\n")));
    text.push_str("\n[Link]\nRequiredForOnline=no\n");
    text
}
