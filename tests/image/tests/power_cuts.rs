//! The power goes away, again and again: nothing is lost, nothing is doubled, and the box always starts.

use anyhow::{Context, Result, ensure};
use image_tests::machine::Machine;
use image_tests::steps::Steps;
use laptop_tests::browser::curl;
use laptop_tests::chance::Chance;
use laptop_tests::clock::{now, wait_for};
use laptop_tests::traffic::{FRIENDS, MARK, MODEMS, Traffic};
use modem_sim::core::Control;
use std::time::Duration;

/// Cuts while messages arrive and leave.
const CUTS: usize = 20;
/// New disks whose first start is cut off, how many KiB the data partition has at least, and what the clock shows: a
/// little more than the image, an ordinary one, and one that the partition table of the image covers the least of.
const NEW_DISKS: [(&str, u64, &str); 3] = [
    ("1G", 300_000, "2001-02-03T04:05:06"),
    ("4G", 3_000_000, "2022-02-22T22:22:22"),
    ("64G", 60_000_000, "2051-12-11T10:09:08"),
];
/// No room for messages is left on it.
const TOO_SMALL: &str = "660M";
/// Times slower than on a laptop: an emulated box has to keep up with what arrives while it is off.
const SLOWER: u64 = 24;
/// A cut comes at any time of these milliseconds after the page has answered, while modems are brought up, or after
/// the lines are ready, while what arrived meanwhile is fetched, or later.
const LATEST_CUT_MS: u64 = 8_000;
/// One cut of so many waits for the lines, however long a slow machine takes for them.
const WAITS_FOR_LINES: u64 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_cuts_in_traffic_lose_and_double_nothing() {
    let mut chance = Chance::new();
    let mut steps = Steps::begin();
    let mut machine = Machine::prepare(&[]).await.unwrap();
    machine.boot().await.unwrap();
    machine.create_owner().await.unwrap();
    machine.wait_for_lines(MODEMS.len()).await.unwrap();
    steps.done("a box with an owner and two lines");
    let traffic = Traffic::start_slower(&machine, &chance, SLOWER).await.unwrap();
    for cut in 1..=CUTS {
        let answered = now();
        let awaited = if chance.below(WAITS_FOR_LINES) == 0 {
            machine.wait_for_lines(MODEMS.len()).await.unwrap();
            "the lines"
        } else {
            "the page"
        };
        tokio::time::sleep(chance.millis(LATEST_CUT_MS)).await;
        machine.cut_power().await.unwrap();
        let after = answered.elapsed().as_secs_f64();
        // What hangs on the box loses its power with it.
        if chance.below(3) == 0 {
            machine.sim.control(chance.pick(&MODEMS), Control::Reset).await.unwrap();
        }
        let took = machine.boot().await.unwrap();
        let page = took.as_secs_f64();
        steps.done(&format!(
            "cut {cut} of {CUTS}, {after:.1} s after the page, having waited for {awaited}; back in {page:.1} s"
        ));
    }
    let count = traffic.end(&machine).await.unwrap();
    steps.done(&format!("{CUTS} cuts: 0 lost, 0 doubled of {count:?}"));
    let mut secrets = vec![MARK];
    secrets.extend(FRIENDS);
    machine.assert_private(&secrets);
    let database = machine.switch_off_and_take_database().await.unwrap();
    store::Store::open(&database).unwrap().check_integrity().await.unwrap();
    steps.done("switched off; the database is sound");
    steps.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_may_be_cut_off_at_any_moment() {
    let mut chance = Chance::new();
    let mut steps = Steps::begin();
    for (size, least, clock) in NEW_DISKS {
        let mut machine = Machine::prepare(&["--size", size, "--clock", clock, "--offline"]).await.unwrap();
        let moment = cut_off_first_start(&mut machine, &mut chance).await.unwrap();
        let took = machine.boot().await.unwrap();
        let (_, setup) = machine.api.get("/api/setup/status").await.unwrap();
        assert_eq!(setup["setupNeeded"], true, "{setup}");
        machine.create_owner().await.unwrap();
        is_whole(&mut machine, least).await.unwrap();
        let (after, page) = (moment.as_secs_f64(), took.as_secs_f64());
        steps.done(&format!(
            "first start on {size}, offline, in {}, cut off {after:.1} s after the disk was first written; page in {page:.1} s",
            &clock[..4]
        ));
    }
    steps.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_without_room_for_messages_is_told_and_nobody_becomes_its_owner() {
    let mut machine = Machine::prepare(&["--size", TOO_SMALL]).await.unwrap();
    machine.switch_on().unwrap();
    let page = format!("http://{}/", machine.plain());
    let told = || async { curl(&["--max-time", "2", &page]).await.ok().filter(|answer| answer.status == 503) };
    let answer = wait_for("the page to say why", Duration::from_secs(180), told).await.with_context(|| machine.log());
    let answer = answer.unwrap();
    assert!(answer.body.contains("less than 64 MB"), "{}", answer.body);
    machine.wait_for_screen(&["cannot start: the disk is too small"]).await.unwrap();
    let failed = machine.shell().await.unwrap().run("systemctl list-units --failed --no-legend --plain").await.unwrap();
    assert_eq!(failed.trim(), "");
    assert!(machine.api.get("/livez").await.is_err());
}

/// Cuts the power some time after the data partition is begun; returns how long after.
async fn cut_off_first_start(machine: &mut Machine, chance: &mut Chance) -> Result<Duration> {
    /// More than a disk holds before anything was written to it.
    const WRITTEN: u64 = 256 << 10;
    machine.switch_on()?;
    let is_written = || async { machine.written().is_ok_and(|bytes| bytes > WRITTEN).then_some(()) };
    wait_for("the disk to be written", Duration::from_secs(120), is_written).await.with_context(|| machine.log())?;
    let began = now();
    let moment = chance.millis(5_000);
    tokio::time::sleep(moment).await;
    machine.cut_power().await?;
    Ok(began.elapsed())
}

/// The data partition takes the rest of the disk, and nothing failed.
async fn is_whole(machine: &mut Machine, least: u64) -> Result<()> {
    let shell = machine.shell().await?;
    let kib: u64 = shell.run("df -k /data | awk 'END {print $2}'").await?.trim().parse()?;
    ensure!(kib >= least, "the data partition has {kib} KiB of at least {least}");
    let mounted = shell.run("test ! -e /run/boot/no-data && grep -c ' /data ext4 rw' /proc/mounts").await?;
    ensure!(mounted.trim() == "1", "the data partition is mounted {mounted} times");
    Ok(())
}
