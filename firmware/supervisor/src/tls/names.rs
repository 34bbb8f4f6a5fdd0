//! The names and addresses by which the box is reached.

use nix::ifaddrs::getifaddrs;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The name under which every box answers.
const EVERY_BOX: &str = "homenichat.local";
/// A label of a host name (RFC 1035 §2.3.4); some room is left for the number that tells twins apart.
const LONGEST_LABEL: usize = 58;
/// Interfaces that lead to a mobile network or into a container: nobody of the household is behind them.
const FOREIGN: &[&str] = &["wwan", "ppp", "docker", "veth", "br-"];

/// Names and addresses that a certificate covers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Host names, in small letters.
    pub hosts: BTreeSet<String>,
    /// Addresses.
    pub addresses: BTreeSet<IpAddr>,
}

impl Names {
    /// Everything by which a box of this name is reached at this moment.
    #[must_use]
    pub fn of_box(box_name: &str) -> Self {
        let mut names = Self::default();
        names.hosts.extend(["localhost".to_owned(), EVERY_BOX.to_owned(), host_name(box_name)]);
        names.addresses.extend([IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)]);
        names.addresses.extend(local_addresses().into_iter().map(IpAddr::from));
        names
    }

    /// Whether all of `other` is among these.
    #[must_use]
    pub fn cover(&self, other: &Self) -> bool {
        self.hosts.is_superset(&other.hosts) && self.addresses.is_superset(&other.addresses)
    }
}

/// The name that every box of a network wants.
#[must_use]
pub fn every_box() -> &'static str {
    EVERY_BOX
}

/// The host name on the local network that follows from the name of a box.
#[must_use]
pub fn host_name(box_name: &str) -> String {
    format!("{}.local", host_label(box_name))
}

/// The first label of [`host_name`]: small letters, digits and single hyphens.
#[must_use]
pub fn host_label(box_name: &str) -> String {
    let mut label = String::new();
    for letter in box_name.chars().flat_map(char::to_lowercase) {
        match plain(letter) {
            Some(plain) => label.push_str(plain),
            None if letter.is_ascii_alphanumeric() => label.push(letter),
            None if label.is_empty() || label.ends_with('-') => {}
            None => label.push('-'),
        }
    }
    label.truncate(LONGEST_LABEL);
    let label = label.trim_end_matches('-');
    if label.is_empty() { "homenichat".to_owned() } else { label.to_owned() }
}

/// Letters with marks, as people type them without.
fn plain(letter: char) -> Option<&'static str> {
    Some(match letter {
        'à' | 'á' | 'â' | 'ã' | 'å' => "a",
        'ä' | 'æ' => "ae",
        'ç' => "c",
        'è' | 'é' | 'ê' | 'ë' => "e",
        'ì' | 'í' | 'î' | 'ï' => "i",
        'ñ' => "n",
        'ò' | 'ó' | 'ô' | 'õ' => "o",
        'ö' | 'œ' | 'ø' => "oe",
        'ù' | 'ú' | 'û' => "u",
        'ü' => "ue",
        'ÿ' => "y",
        'ß' => "ss",
        _ => return None,
    })
}

/// The addresses of the box in the household's network, without loopback.
#[must_use]
pub fn local_addresses() -> BTreeSet<Ipv4Addr> {
    let Ok(interfaces) = getifaddrs() else { return BTreeSet::new() };
    interfaces
        .filter(|interface| !is_foreign(&interface.interface_name))
        .filter_map(|interface| interface.address?.as_sockaddr_in().map(nix::sys::socket::SockaddrIn::ip))
        .filter(|address| is_household(*address))
        .collect()
}

/// Whether an interface leads away from the household.
#[must_use]
pub fn is_foreign(interface: &str) -> bool {
    FOREIGN.iter().any(|prefix| interface.starts_with(prefix))
}

fn is_household(address: Ipv4Addr) -> bool {
    PRIVATE.iter().any(|(network, bits)| {
        let mask = u32::MAX.checked_shl(32 - u32::from(*bits)).unwrap_or(0);
        u32::from(address) & mask == u32::from(Ipv4Addr::from(*network))
    })
}

/// The networks of which the authority may vouch: RFC 1918, link-local, and addresses shared by carriers and VPNs.
pub(super) const PRIVATE: &[([u8; 4], u8)] =
    &[([10, 0, 0, 0], 8), ([172, 16, 0, 0], 12), ([192, 168, 0, 0], 16), ([169, 254, 0, 0], 16), ([100, 64, 0, 0], 10)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_box_becomes_a_host_name() {
        for (name, want) in [
            ("HomeniChat", "homenichat"),
            ("Chez Zoé & Œdipe!", "chez-zoe-oedipe"),
            ("  --  ", "homenichat"),
            ("日本", "homenichat"),
            ("a.b_c", "a-b-c"),
            (&"x".repeat(64), &"x".repeat(58)),
        ] {
            assert_eq!(host_label(name), want);
        }
    }

    #[test]
    fn only_addresses_of_a_household_are_named() {
        for (address, want) in [
            ([192, 168, 1, 7], true),
            ([172, 31, 255, 1], true),
            ([172, 32, 0, 1], false),
            ([8, 8, 8, 8], false),
            ([127, 0, 0, 1], false),
        ] {
            assert_eq!(is_household(address.into()), want, "{address:?}");
        }
        assert!(is_foreign("wwan0") && !is_foreign("eth0"));
    }
}
