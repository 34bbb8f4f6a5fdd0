//! What Asterisk itself understood of the rendered files.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of a test")]

#[path = "support/cases.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod cases;
#[path = "support/running.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod running;

use cases::{austere, hostile, line_ids, secrets, two_lines};
use running::Running;
use settings::{LineIds, Places, Settings, render};

#[test]
fn the_shipped_settings_start_without_a_complaint() {
    let settings = Settings::shipped();
    let asterisk = Running::start(settings.clone(), &secrets(&settings), &LineIds::new());
    assert_eq!(asterisk.complaints(), Vec::<String>::new());
}

#[test]
fn every_module_runs_and_no_other() {
    let settings = two_lines();
    let asterisk = Running::start(settings.clone(), &secrets(&settings), &line_ids());
    let files = render(&settings, &secrets(&settings), &Places::under("/x"), &line_ids()).unwrap();
    let modules = files.iter().find(|file| file.path == "modules.conf").unwrap();
    let asked =
        modules.contents.lines().filter_map(|line| line.strip_prefix("load=").or(line.strip_prefix("preload=")));
    let mut asked: Vec<&str> = asked.collect();
    let shown = asterisk.console("module show");
    let modules = shown.lines().filter(|line| line.split(' ').next().is_some_and(|name| name.ends_with(".so")));
    let mut running = modules
        .filter(|line| line.contains(" Running "))
        .map(|line| line.split(' ').next().unwrap())
        .collect::<Vec<_>>();
    asked.sort_unstable();
    running.sort_unstable();
    assert_eq!(running, asked);
}

#[test]
fn nothing_listens_beyond_loopback() {
    let settings = two_lines();
    let asterisk = Running::start(settings.clone(), &secrets(&settings), &line_ids());
    let ports = &asterisk.settings.asterisk;
    assert!(asterisk.console("http show status").contains(&format!("127.0.0.1:{}", ports.http_port)));
    let manager = asterisk.console("manager show settings");
    assert!(manager.contains(&format!("127.0.0.1:{}", ports.manager_port)), "{manager}");
    let (listening, udp) = (asterisk.sockets("tcp", "0A"), asterisk.sockets("udp", "07"));
    let sip = asterisk.settings.sip.udp_port;
    // Other UDP sockets are those with which Asterisk asks name servers.
    assert!(udp.contains(&format!("127.0.0.1:{sip}")) && !udp.contains(&format!("0.0.0.0:{sip}")), "{udp:?}");
    assert!(listening.contains(&format!("127.0.0.1:{}", ports.http_port)), "{listening:?}");
    assert!(listening.iter().all(|address| address.starts_with("127.0.0.1:")), "{listening:?}");
}

#[test]
fn accounts_and_mailboxes_are_those_of_the_settings() {
    let settings = two_lines();
    let asterisk = Running::start(settings.clone(), &secrets(&settings), &line_ids());
    let endpoints = asterisk.console("pjsip show endpoints");
    let shown = |kind: &str, name: &str| {
        endpoints.lines().any(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some(kind) && words.next().is_some_and(|word| word.split('/').next() == Some(name))
        })
    };
    for number in ["2001", "2002", "2003"] {
        assert!(["Endpoint:", "InAuth:", "Aor:"].iter().all(|kind| shown(kind, number)), "{endpoints}");
    }
    let browser = asterisk.console("pjsip show endpoint 2003");
    for (key, value) in [
        ("webrtc", "yes"),
        ("dtls_auto_generate_cert", "Yes"),
        ("media_encryption", "dtls"),
        ("ice_support", "true"),
        ("context", "from-webrtc"),
        ("allow", "(opus|ulaw)"),
        ("message_context", "from-message"),
        ("mailboxes", "2003@homenichat"),
    ] {
        assert_eq!(parameter(&browser, key), value, "{key}: {browser}");
    }
    let users = asterisk.console("voicemail show users");
    assert!(users.contains("3 voicemail users configured"), "{users}");
}

#[test]
fn hostile_values_are_read_as_they_were_written() {
    let (settings, secrets) = hostile();
    let asterisk = Running::start(settings.clone(), &secrets, &line_ids());
    assert_eq!(asterisk.complaints(), Vec::<String>::new());
    for (number, secrets) in &secrets.extensions {
        let auth = asterisk.console(&format!("pjsip show auth {number}"));
        assert_eq!(parameter(&auth, "password"), secrets.sip_password.expose(), "{auth}");
    }
    let first = asterisk.console("pjsip show endpoint 2001");
    assert_eq!(parameter(&first, "callerid"), "\"a](!) ;--x\" <2001>");
    let second = asterisk.console("pjsip show endpoint 2002");
    assert_eq!(parameter(&second, "callerid"), "\"sip:evil@x, ,attach=yes|;\" <2002>");
    let third = asterisk.console("pjsip show endpoint 2003");
    assert_eq!(parameter(&third, "callerid"), "\"=${SHELL(id)} #exec é [2001](+)\" <2003>");
    assert!(asterisk.console("pjsip show endpoints").contains("Objects found: 3"));
    assert!(asterisk.console("voicemail show users").contains("3 voicemail users configured"));
}

#[test]
fn the_dialplan_is_complete() {
    for settings in [two_lines(), austere()] {
        let asterisk = Running::start(settings.clone(), &secrets(&settings), &line_ids());
        assert_eq!(asterisk.complaints(), Vec::<String>::new());
        let files = render(&settings, &secrets(&settings), &Places::under("/x"), &line_ids()).unwrap();
        let rendered = files.iter().find(|file| file.path == "extensions.conf").unwrap();
        let steps = rendered.contents.lines().filter(|line| line.contains(" => ") && !line.starts_with("include"));
        let shown = asterisk.console("dialplan show");
        assert!(shown.contains(&format!("({} priorities)", steps.count())), "{shown}");
    }
}

#[test]
fn the_owners_additions_are_read() {
    let settings = two_lines();
    let additions = [
        ("extensions.conf", "[my-own]\nexten => 1,1,NoOp()\n"),
        ("pjsip.conf", "[my-trunk]\ntype=aor\ncontact=sip:trunk@192.0.2.1\n"),
    ];
    let asterisk = Running::start_with(settings.clone(), &secrets(&settings), &line_ids(), &additions);
    assert!(asterisk.console("dialplan show my-own").contains("NoOp"));
    assert!(asterisk.console("pjsip show aors").contains("my-trunk"));
}

/// Returns the value of a `key : value` line of the console.
fn parameter(shown: &str, key: &str) -> String {
    let mut lines = shown.lines().filter_map(|line| line.split_once(" : "));
    lines.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}
