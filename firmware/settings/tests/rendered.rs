//! The rendered files: byte by byte for whole households, and by their structure for hostile values.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test")]

#[path = "support/cases.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod cases;
#[path = "support/conf.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod conf;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cases::{austere, hostile, line_ids, secrets, two_lines};
use conf::Entry;
use expect_test::expect_file;
use proptest::prelude::*;
use settings::{LineIds, OnChange, Places, RenderError, RenderedFile, Secret, Secrets, Settings, render};

#[test]
fn a_laptop_is_rendered() {
    let settings = Settings::for_laptop();
    check("laptop", &settings, &secrets(&settings), &LineIds::new());
}

#[test]
fn two_lines_are_rendered() {
    let settings = two_lines();
    check("two-lines", &settings, &secrets(&settings), &line_ids());
}

#[test]
fn an_austere_household_is_rendered() {
    let settings = austere();
    check("austere", &settings, &secrets(&settings), &line_ids());
}

#[test]
fn hostile_values_are_rendered_as_text() {
    let (settings, secrets) = hostile();
    check("hostile", &settings, &secrets, &line_ids());
}

#[test]
fn files_with_secrets_are_for_the_box_alone() {
    let settings = two_lines();
    let secrets = secrets(&settings);
    let mut all: Vec<&str> = vec![secrets.ari_password.expose(), secrets.ami_password.expose()];
    all.extend(secrets.extensions.values().flat_map(|one| [one.sip_password.expose(), one.voicemail_pin.expose()]));
    for file in render(&settings, &secrets, &places(), &line_ids()).unwrap() {
        let is_secret = all.iter().any(|secret| file.contents.contains(secret));
        assert!(!is_secret || file.mode == 0o600, "{file:?}");
    }
}

#[test]
fn a_change_reloads_what_it_touches_and_no_more() {
    let settings = two_lines();
    let mut renamed = settings.clone();
    renamed.extensions[0].name = "Kitchen".parse().unwrap();
    assert_eq!(
        changes(&settings, &renamed),
        [OnChange::Reload("app_voicemail.so"), OnChange::Reload("res_pjsip.so")].into()
    );
    let mut longer = settings.clone();
    longer.lines[0].ring_seconds = 30;
    assert_eq!(changes(&settings, &longer), [OnChange::ReloadDialplan].into());
    let mut moved = settings.clone();
    moved.sip.udp_port += 1;
    assert_eq!(changes(&settings, &moved), [OnChange::Restart].into());
}

#[test]
fn what_cannot_be_rendered_says_why() {
    let settings = two_lines();
    let made = secrets(&settings);
    let with_run = |run: &str| Places { run: run.to_owned(), ..places() };
    let cases: &[(&str, Secrets, Places, &str)] = &[
        ("no secrets", Secrets::default(), places(), "there is no password for ARI yet"),
        ("a relative place", made.clone(), with_run("run"), "the run directory `run` is not absolute"),
        ("a section in a place", made.clone(), with_run("/a\n[x]"), "holds a blank"),
        ("a long socket", made.clone(), with_run(&format!("/{}", "x".repeat(90))), "longer than 80 bytes"),
    ];
    for (name, secrets, places, want) in cases {
        let error: RenderError = render(&settings, secrets, places, &line_ids()).expect_err(name);
        assert!(error.to_string().contains(want), "{name}: {error}");
    }
}

proptest! {
    /// Whatever stands in names and passwords, the files have the same sections and keys, and the values come back.
    #[test]
    fn no_value_changes_the_structure_of_a_file(
        name in "[ -~é—\u{85}\u{2028}\n\r\t]{1,40}|.{1,40}",
        password in "[ -~]{1,40}|.{1,40}",
    ) {
        let settings = two_lines();
        let made = secrets(&settings);
        let (Ok(name), Ok(password)) = (name.parse::<settings::Name>(), Secret::new(&password)) else { return Ok(()) };
        let mut evil = settings.clone();
        evil.extensions[0].name = name;
        let mut evil_secrets = made.clone();
        evil_secrets.extensions.values_mut().next().unwrap().sip_password = password.clone();
        evil_secrets.ari_password = password.clone();
        evil_secrets.ami_password = password.clone();
        let plain = render(&settings, &made, &places(), &line_ids()).unwrap();
        let Ok(files) = render(&evil, &evil_secrets, &places(), &line_ids()) else {
            // Only what Asterisk would drop is refused.
            prop_assert!(password.expose().starts_with('>'));
            return Ok(());
        };
        for (plain, file) in plain.iter().zip(&files) {
            prop_assert_eq!(structure(plain), structure(file), "{}", file.path);
        }
        let values = |path: &str, key: &str| -> Vec<String> {
            let file = files.iter().find(|file| file.path == path).unwrap();
            conf::read(&file.contents).into_iter().filter(|entry| entry.key == key).map(|entry| entry.value).collect()
        };
        prop_assert_eq!(values("ari.conf", "password"), [password.expose()]);
        prop_assert_eq!(values("manager.conf", "secret"), [password.expose()]);
        prop_assert_eq!(&values("pjsip_extensions.conf", "password")[0], password.expose());
    }
}

/// Compares with the files of the case. A case other than the first keeps only what differs from it.
fn check(case: &str, settings: &Settings, secrets: &Secrets, lines: &LineIds) {
    let files = render(settings, secrets, &places(), lines).unwrap();
    let laptop = Settings::for_laptop();
    let first = render(&laptop, &cases::secrets(&laptop), &places(), &LineIds::new()).unwrap();
    let mut kept = BTreeSet::new();
    for file in &files {
        let is_first = case == "laptop";
        let same =
            first.iter().find(|first| first.path == file.path).is_some_and(|first| first.contents == file.contents);
        if is_first || !same {
            expect_file![golden(case).join(file.path)].assert_eq(&file.contents);
            kept.insert(PathBuf::from(file.path));
        }
    }
    let there = std::fs::read_dir(golden(case)).unwrap().map(|entry| PathBuf::from(entry.unwrap().file_name()));
    assert_eq!(there.collect::<BTreeSet<_>>(), kept, "files of case {case}");
}

fn golden(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rendered").join(case)
}

fn changes(before: &Settings, after: &Settings) -> BTreeSet<OnChange> {
    let of = |settings: &Settings| render(settings, &secrets(settings), &places(), &line_ids()).unwrap();
    let (before, after) = (of(before), of(after));
    before.into_iter().zip(after).filter(|(before, after)| before != after).map(|(_, after)| after.on_change).collect()
}

fn structure(file: &RenderedFile) -> Vec<((usize, String), String)> {
    conf::read(&file.contents).into_iter().map(|Entry { section, key, .. }| (section, key)).collect()
}

fn places() -> Places {
    Places::under("/box")
}
