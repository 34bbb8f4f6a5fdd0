//! Fixed addresses: what is refused, and what systemd-networkd is told.

use std::path::Path;

use expect_test::expect_file;
use settings::{Network, Settings, SettingsError, render_network};

const DEFAULT: &str = include_str!("../../../config/default.toml");

fn parse(network: &str) -> Result<Option<Network>, SettingsError> {
    Settings::parse(&format!("{DEFAULT}\n{network}")).map(|settings| settings.network)
}

#[test]
fn a_box_is_shipped_without_a_fixed_address() {
    assert_eq!(parse("").unwrap(), None);
}

#[test]
fn a_fixed_address_is_rendered_for_networkd() {
    let cases = [
        (
            "full",
            "address = \"192.168.1.20/24\"\ngateway = \"192.168.1.1\"\nname_servers = [\"192.168.1.1\", \"2001:db8::53\"]\n",
        ),
        ("alone", "address = \"10.0.0.1/8\"\n"),
        ("second-port", "interface = \"eth1\"\naddress = \"172.16.0.2/30\"\ngateway = \"172.16.0.1\"\n"),
    ];
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/network");
    for (case, network) in cases {
        let network = parse(&format!("[network]\n{network}")).expect(case).expect(case);
        expect_file![golden.join(format!("{case}.network"))].assert_eq(&render_network(&network));
    }
}

#[test]
fn what_was_written_is_what_is_read() {
    let text = format!("{DEFAULT}\n[network]\naddress = \"192.168.1.20/24\"\ngateway = \"192.168.1.1\"\n");
    let settings = Settings::parse(&text).unwrap();
    assert_eq!(Settings::parse(&settings.encode().unwrap()).unwrap(), settings);
}

#[test]
fn an_address_that_cannot_work_is_refused_with_its_reason() {
    let cases = [
        ("no prefix", "address = \"192.168.1.20\"", "192.168.1.20/24"),
        ("no address", "gateway = \"192.168.1.1\"", "address"),
        ("no number", "address = \"192.168.1.300/24\"", "192.168.1.20/24"),
        ("a long prefix", "address = \"192.168.1.20/31\"", "192.168.1.20/24"),
        ("no prefix at all", "address = \"192.168.1.20/0\"", "192.168.1.20/24"),
        ("a signed prefix", "address = \"192.168.1.20/+24\"", "192.168.1.20/24"),
        ("version 6", "address = \"fd00::1/64\"", "192.168.1.20/24"),
        ("the network itself", "address = \"192.168.1.0/24\"", "192.168.1.0/24 is not an address"),
        ("its broadcast address", "address = \"192.168.1.255/24\"", "192.168.1.255/24 is not an address"),
        ("loopback", "address = \"127.0.0.2/8\"", "127.0.0.2/8 is not an address"),
        ("multicast", "address = \"224.0.0.251/24\"", "224.0.0.251/24 is not an address"),
        (
            "a router elsewhere",
            "address = \"10.0.0.2/24\"\ngateway = \"10.0.1.1\"",
            "10.0.1.1 is not in the network of 10.0.0.2/24",
        ),
        (
            "the broadcast address as router",
            "address = \"10.0.0.2/24\"\ngateway = \"10.0.0.255\"",
            "is not in the network",
        ),
        ("the box as router", "address = \"10.0.0.2/24\"\ngateway = \"10.0.0.2\"", "the box itself"),
        ("a router that is a name", "address = \"10.0.0.2/24\"\ngateway = \"router\"", "gateway"),
        ("no name server", "address = \"10.0.0.2/24\"\nname_servers = [\"0.0.0.0\"]", "0.0.0.0 is not a name server"),
        (
            "many",
            "address = \"10.0.0.2/24\"\nname_servers = [\"1.1.1.1\", \"1.1.1.2\", \"1.1.1.3\", \"1.1.1.4\"]",
            "three",
        ),
        ("loopback as port", "interface = \"lo\"\naddress = \"10.0.0.2/24\"", "eth0"),
        ("another section", "interface = \"eth0\\n[Network]\"\naddress = \"10.0.0.2/24\"", "eth0"),
        ("a pattern", "interface = \"*\"\naddress = \"10.0.0.2/24\"", "eth0"),
        ("an unknown key", "address = \"10.0.0.2/24\"\nnetmask = \"255.0.0.0\"", "netmask"),
    ];
    for (name, network, want) in cases {
        let error = parse(&format!("[network]\n{network}\n")).expect_err(name);
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        let text = format!("{error}: {source}");
        assert!(text.contains(want), "{name}: {text}");
    }
}
