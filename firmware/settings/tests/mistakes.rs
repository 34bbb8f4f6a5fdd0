//! Mistakes that boxes like this one were shipped with; each test names one that cannot come back.
#![expect(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "helpers of a test")]

#[path = "support/cases.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod cases;
#[path = "support/conf.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod conf;

use std::collections::BTreeSet;

use cases::{austere, line_ids, secrets, two_lines};
use conf::Entry;
use settings::{OnChange, Places, RenderedFile, Settings, render};

#[test]
fn two_sections_of_one_name_differ_in_their_type() {
    let mut seen = BTreeSet::new();
    for section in sections("pjsip_extensions.conf") {
        let kind = value(&section, "type");
        assert!(seen.insert((section[0].section.1.clone(), kind)), "{section:?}");
    }
    assert_eq!(seen.len(), 9);
}

#[test]
fn the_address_of_record_is_what_a_phone_registers_to() {
    for section in sections("pjsip_extensions.conf") {
        let name = section[0].section.1.clone();
        match value(&section, "type").as_str() {
            "endpoint" => assert_eq!((value(&section, "aors"), value(&section, "auth")), (name.clone(), name)),
            "auth" => assert_eq!(value(&section, "username"), name),
            kind => assert_eq!(kind, "aor"),
        }
    }
}

#[test]
fn nothing_outside_the_dialplan_hopes_to_be_expanded() {
    for file in files(&two_lines()).iter().filter(|file| file.path != "extensions.conf") {
        assert!(!file.contents.contains("${"), "{file:?}");
    }
}

#[test]
fn websocket_listens_through_the_http_server_alone() {
    let transports = sections("pjsip.conf");
    let ws = transports.iter().find(|section| value(section, "protocol") == "ws").unwrap();
    assert!(ws.iter().all(|entry| !entry.key.contains("cert") && !entry.key.contains("priv_key")));
    assert_eq!(value(&sections("http.conf")[0], "enabled"), "yes");
}

#[test]
fn webrtc_brings_its_certificate() {
    let accounts = sections("pjsip_extensions.conf");
    let webrtc: Vec<_> = accounts.iter().filter(|section| section.iter().any(|entry| entry.key == "webrtc")).collect();
    assert_eq!(webrtc.len(), 1);
    assert_eq!(value(webrtc[0], "dtls_auto_generate_cert"), "yes");
    assert_eq!(value(webrtc[0], "allow"), "opus,ulaw");
}

#[test]
fn calls_come_in_whatever_number_they_were_made_to() {
    let extens = extensions("from-gsm");
    for pattern in ["s", "_X!", "_+X!", "1", "3"] {
        assert!(extens.contains(&pattern.to_owned()), "{pattern}: {extens:?}");
    }
}

#[test]
fn no_modem_is_named_in_the_dialplan() {
    let dialplan = file("extensions.conf").contents;
    assert!(!dialplan.contains("Quectel") && !dialplan.contains("ttyUSB"));
}

#[test]
fn international_and_short_numbers_can_be_dialled() {
    let extens = extensions("from-internal");
    for pattern in ["_X.", "_+X.", "_*1X.", "_*1+X."] {
        assert!(extens.contains(&pattern.to_owned()), "{pattern}: {extens:?}");
    }
}

#[test]
fn the_policy_about_calls_for_help_is_explicit() {
    for (settings, want) in [(two_lines(), "Gosub(place-call,s,1(default,112))"), (austere(), "Hangup(21)")] {
        let dialplan = one(&settings, "extensions.conf").contents;
        for number in ["112", "15", "17", "18", "114", "911"] {
            assert!(dialplan.contains(&format!("exten => {number},1,{}\n", want.replace("112", number))), "{number}");
        }
    }
    let refused = one(&austere(), "extensions.conf").contents;
    assert!(refused.contains("exten => *1112,1,Hangup(21)\n"), "a prefix is no way around the policy");
}

#[test]
fn every_device_of_an_extension_rings() {
    let dialplan = file("extensions.conf").contents;
    assert!(dialplan.contains("PJSIP_DIAL_CONTACTS(${ARG1})"));
    assert!(!dialplan.contains("Dial(PJSIP/"));
}

#[test]
fn every_mailbox_that_is_named_exists() {
    for settings in [two_lines(), austere()] {
        let read = |path| conf::read(&one(&settings, path).contents);
        let boxes = read("voicemail.conf").into_iter().filter(|entry| entry.section.1 == "homenichat");
        let boxes: BTreeSet<String> = boxes.map(|entry| entry.key).collect();
        for entry in read("pjsip_extensions.conf").into_iter().filter(|entry| entry.key == "mailboxes") {
            assert!(boxes.contains(entry.value.strip_suffix("@homenichat").unwrap()), "{entry:?}");
        }
        for entry in read("extensions.conf") {
            let Some((_, rest)) = entry.value.split_once("Goto(ring-then-mailbox,") else { continue };
            assert!(boxes.contains(rest.strip_suffix(",1)").unwrap()), "{entry:?}");
        }
    }
}

#[test]
fn a_new_address_is_not_left_to_a_reload() {
    assert_eq!(file("pjsip.conf").on_change, OnChange::Restart);
    assert_eq!(file("pjsip_extensions.conf").on_change, OnChange::Reload("res_pjsip.so"));
    assert!(!file("pjsip_extensions.conf").contents.contains("type=transport"));
}

#[test]
fn every_pattern_begins_with_an_underscore() {
    for entry in conf::read(&file("extensions.conf").contents).iter().filter(|entry| entry.key == "exten") {
        let (pattern, _) = entry.value.split_once(',').unwrap();
        let is_pattern = pattern.contains(['X', 'Z', '[', '.', '!']);
        assert_eq!(pattern.starts_with('_'), is_pattern, "{pattern}");
    }
}

#[test]
fn an_extension_without_devices_does_not_keep_the_caller_waiting() {
    let steps: Vec<_> = conf::read(&file("extensions.conf").contents);
    for context in ["ring-then-mailbox", "ring-then-end"] {
        let first = steps.iter().find(|entry| entry.section.1 == context).unwrap();
        assert!(first.value.ends_with("1,GotoIf($[${LEN(${RING})} = 0]?away)"), "{first:?}");
    }
}

#[test]
fn asterisk_listens_on_loopback_alone() {
    for (path, key) in [("http.conf", "bindaddr"), ("manager.conf", "bindaddr")] {
        assert_eq!(value(&sections(path)[0], key), "127.0.0.1", "{path}");
    }
    assert_eq!(value(&sections("manager.conf")[0], "webenabled"), "no");
    assert_eq!(value(&sections("http.conf")[0], "tlsenable"), "no");
    let udp = sections("pjsip.conf");
    let udp = udp.iter().find(|section| value(section, "protocol") == "udp").unwrap();
    assert_eq!(value(udp, "bind"), "127.0.0.1:15060");
}

#[test]
fn what_was_dialled_reaches_an_application_through_a_filter() {
    for entry in conf::read(&file("extensions.conf").contents) {
        // The extension of a mailbox is always one that our own Goto named.
        if entry.section.1 != "ring-then-mailbox" {
            let filtered = entry.value.replace("FILTER(0-9+*#,${EXTEN", "").replace("FILTER(0-9,${EXTEN", "");
            assert!(!filtered.contains("${EXTEN"), "{entry:?}");
        }
        let filtered = entry.value.contains(",${PJSIP_DIAL_CONTACTS(${ARG1})})");
        assert!(!entry.value.contains("PJSIP_DIAL_CONTACTS") || filtered, "{entry:?}");
    }
}

#[test]
fn modules_that_lock_up_or_take_the_modem_are_not_loaded() {
    let modules = conf::read(&file("modules.conf").contents);
    assert!(modules.iter().any(|entry| entry.key == "autoload" && entry.value == "no"));
    for absent in ["res_stasis_device_state.so", "res_ari_device_states.so", "chan_quectel.so"] {
        assert!(modules.iter().all(|entry| entry.value != absent), "{absent}");
    }
}

fn files(settings: &Settings) -> Vec<RenderedFile> {
    render(settings, &secrets(settings), &Places::under("/box"), &line_ids()).unwrap()
}

fn one(settings: &Settings, path: &str) -> RenderedFile {
    files(settings).into_iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no file {path}"))
}

fn file(path: &str) -> RenderedFile {
    one(&two_lines(), path)
}

fn sections(path: &str) -> Vec<Vec<Entry>> {
    let entries = conf::read(&file(path).contents);
    entries.chunk_by(|a, b| a.section == b.section).map(<[Entry]>::to_vec).collect()
}

fn value(section: &[Entry], key: &str) -> String {
    section.iter().find(|entry| entry.key == key).map(|entry| entry.value.clone()).unwrap_or_default()
}

fn extensions(context: &str) -> Vec<String> {
    let entries = conf::read(&file("extensions.conf").contents);
    let entries = entries.into_iter().filter(|entry| entry.section.1 == context && entry.key == "exten");
    entries.map(|entry| entry.value.split(',').next().unwrap().to_owned()).collect()
}
