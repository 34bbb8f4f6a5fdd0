//! Who may import whom: the golden import graph, the purity of the pure crates, and packages that stay out.

use super::metadata::{Crate, Metadata};
use super::{GRAPH_FILE, Violation};

/// Crates that decide and never act: time, randomness and bytes come in as arguments.
pub(crate) const PURE: &[&str] = &["api", "asterisk", "at", "modem", "settings", "sms-pdu", "switchboard", "telecom"];

/// Packages that reach a clock, a file, a socket, a process, a device, a database or a source of randomness.
const EFFECTS: &[&str] = &[
    "async-io",
    "async-std",
    "axum",
    "chrono",
    "fastrand",
    "getrandom",
    "hyper",
    "jiff",
    "kobject-uevent",
    "libsqlite3-sys",
    "mio",
    "netlink-sys",
    "nix",
    "rand",
    "reqwest",
    "rusqlite",
    "rustix",
    "serialport",
    "smol",
    "socket2",
    "tempfile",
    "time",
    "tokio",
    "tokio-tungstenite",
    "tower-http",
    "ureq",
];

/// Packages that may not enter the workspace at all, with the reason.
const FORBIDDEN: &[(&str, &str)] = &[
    ("async-std", "the box has one async runtime, tokio"),
    ("aws-lc-rs", "the box has one crypto backend, ring"),
    ("aws-lc-sys", "the box has one crypto backend, ring"),
    ("bindgen", "it needs libclang on every machine that builds"),
    ("libudev-sys", "it has no static form; devices come from sysfs and netlink"),
    ("native-tls", "the box has one TLS stack, rustls"),
    ("openssl-sys", "the box has one TLS stack, rustls"),
    ("smol", "the box has one async runtime, tokio"),
    ("zstd-sys", "it adds a C library to the static build"),
];

/// Renders the import graph as the golden file states it.
pub(crate) fn render(metadata: &Metadata) -> String {
    let mut text = String::from(
        "# Which crate may import which. `cargo xtask tidy` checks it, `cargo xtask tidy --update` rewrites it.\n\
         # crate -> crates of this workspace | packages from outside (what is linked; tests may use more)\n\n",
    );
    let is_ours = |name: &str| metadata.crates().iter().any(|member| member.name == name);
    for member in metadata.crates() {
        let (ours, others): (Vec<&str>, Vec<&str>) =
            member.normal.iter().map(String::as_str).partition(|name| is_ours(name));
        text.push_str(&member.name);
        text.push_str(if PURE.contains(&member.name.as_str()) { " (pure)" } else { "" });
        text.push_str(" ->");
        for name in ours {
            text.push_str(&format!(" {name}"));
        }
        text.push_str(" |");
        for name in others {
            text.push_str(&format!(" {name}"));
        }
        text.push('\n');
    }
    text
}

/// Compares the import graph with the golden file and checks what no golden file may change.
pub(crate) fn check(metadata: &Metadata, golden: Option<&str>) -> Vec<Violation> {
    let mut violations = differences(golden.unwrap_or_default(), &render(metadata));
    for name in PURE.iter().filter(|name| metadata.crates().iter().all(|member| member.name != **name)) {
        violations.push(Violation::new(
            "firmware/xtask/src/tidy/graph.rs",
            format!("names a pure crate {name} that does not exist"),
        ));
    }
    for member in metadata.crates() {
        violations.extend(impurities(metadata, member));
        violations.extend(walls(metadata, member));
    }
    violations
}

/// Checks that no forbidden package is in the lock file.
pub(crate) fn check_forbidden(lock: &str) -> Vec<Violation> {
    let is_locked = |name: &str| lock.lines().any(|line| line == format!("name = \"{name}\""));
    FORBIDDEN
        .iter()
        .filter(|(name, _)| is_locked(name))
        .map(|(name, reason)| {
            Violation::new(
                "Cargo.lock",
                format!("{name} came in, and {reason}: see who brings it with `cargo tree -i {name}`"),
            )
        })
        .collect()
}

fn differences(golden: &str, found: &str) -> Vec<Violation> {
    let remedy = "if it is meant, run `cargo xtask tidy --update` and say why in docs/decisions";
    let missing =
        |from: &str, line: &str| !line.starts_with('#') && !line.is_empty() && from.lines().all(|other| other != line);
    let added =
        found.lines().filter(|line| missing(golden, line)).map(|line| format!("`{line}` is not in it: {remedy}"));
    let gone =
        golden.lines().filter(|line| missing(found, line)).map(|line| format!("`{line}` is no longer true: {remedy}"));
    added.chain(gone).map(|message| Violation::new(GRAPH_FILE, message)).collect()
}

fn impurities(metadata: &Metadata, member: &Crate) -> Vec<Violation> {
    if !PURE.contains(&member.name.as_str()) {
        return Vec::new();
    }
    let linked = metadata.linked_with(member);
    let effects = linked.iter().filter(|(name, _)| EFFECTS.contains(name));
    let message = |name: &str, via: &str| {
        format!("is pure, and is linked with {name} (through {via}): pass what it gives as an argument")
    };
    effects.map(|(name, via)| Violation::new(manifest(member), message(name, via))).collect()
}

fn walls(metadata: &Metadata, member: &Crate) -> Vec<Violation> {
    let mut violations = Vec::new();
    let names = |name: &str| member.normal.contains(name) || member.other.contains(name);
    if names("rusqlite") && member.name != "store" {
        violations.push(Violation::new(manifest(member), "imports rusqlite: only the store crate sees it"));
    }
    if member.name == "modem-sim" && (names("modem") || metadata.linked_with(member).contains_key("modem")) {
        let message = "reaches the modem crate: the simulator has its own view of the standards, so that a shared mistake cannot pass";
        violations.push(Violation::new(manifest(member), message));
    }
    violations
}

fn manifest(member: &Crate) -> String {
    format!("{} (Cargo.toml)", member.name)
}

#[cfg(test)]
mod tests {
    use super::super::metadata::tests::workspace;
    use super::*;

    /// A workspace with every pure crate, plus these lines.
    fn house(lines: &[&str]) -> Metadata {
        let mut all: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let is_given = |name: &str| lines.iter().any(|line| line.starts_with(&format!("{name}:")));
        all.extend(PURE.iter().filter(|name| !is_given(name)).map(|name| format!("{name}:")));
        workspace(&all.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn messages(metadata: &Metadata) -> Vec<String> {
        check(metadata, Some(&render(metadata))).into_iter().map(|violation| violation.message).collect()
    }

    #[test]
    fn the_graph_tells_ours_from_others_and_leaves_tests_out() {
        let text = render(&workspace(&["modem: at thiserror [proptest]", "at:"]));
        assert!(text.ends_with("\nat (pure) -> |\nmodem (pure) -> at | thiserror\n"), "{text}");
    }

    #[test]
    fn a_graph_that_equals_its_golden_file_is_in_order() {
        assert_eq!(messages(&house(&["modem: at", "store: rusqlite"])), Vec::<String>::new());
    }

    #[test]
    fn a_new_and_a_lost_edge_are_both_told() {
        let before = render(&house(&["modem: at"]));
        let found = check(&house(&["modem: telecom"]), Some(&before));
        let told: Vec<&str> = found.iter().filter_map(|violation| violation.message.split(':').next()).collect();
        assert_eq!(told, ["`modem (pure) -> telecom |` is not in it", "`modem (pure) -> at |` is no longer true"]);
    }

    #[test]
    fn a_missing_golden_file_is_told() {
        assert!(!check(&house(&[]), None).is_empty());
    }

    #[test]
    fn a_pure_crate_may_not_reach_effects_at_any_depth() {
        let found = messages(&house(&["switchboard: modem", "modem: helper", "~helper: tokio"]));
        let want =
            |name| format!("is pure, and is linked with tokio (through {name}): pass what it gives as an argument");
        assert_eq!(found, [want("helper"), want("helper")]);
    }

    #[test]
    fn the_tests_of_a_pure_crate_may_have_effects() {
        assert_eq!(messages(&house(&["modem: [tokio] [modem-sim]", "modem-sim: tokio"])), Vec::<String>::new());
    }

    #[test]
    fn only_the_store_sees_sqlite() {
        assert_eq!(messages(&house(&["supervisor: rusqlite"])), ["imports rusqlite: only the store crate sees it"]);
        assert_eq!(messages(&house(&["supervisor: [rusqlite]"])).len(), 1);
    }

    #[test]
    fn the_simulator_never_reaches_the_modem_crate() {
        for lines in
            [&["modem-sim: modem"][..], &["modem-sim: [modem]"], &["modem-sim: switchboard", "switchboard: modem"]]
        {
            assert_eq!(messages(&house(lines)).len(), 1, "{lines:?}");
        }
    }

    #[test]
    fn forbidden_packages_are_found_in_the_lock_file_by_their_whole_name() {
        let lock = "[[package]]\nname = \"openssl-sys\"\nversion = \"1\"\n\n[[package]]\nname = \"smol_str\"\n";
        let found = check_forbidden(lock);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.starts_with("openssl-sys came in"));
    }
}
