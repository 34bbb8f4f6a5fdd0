//! Measures the image and prints one table: `scripts/bench --image` builds and starts it.
#![expect(clippy::print_stderr, reason = "progress is for the terminal, the table for standard output")]

use anyhow::{Context, Result};
use image_tests::empty_init;
use image_tests::machine::{Machine, work};
use laptop_tests::calls::PHONE_HZ;
use laptop_tests::clock::now;
use laptop_tests::house::{EC25, SIM7600};
use laptop_tests::table::{Row, Table, Target};
use modem_sim::core::{CallState, Control};
use modem_sim::runner::Numbers;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// How long the idle box is watched.
const IDLE: Duration = Duration::from_secs(300);
/// Before that, what a start leaves to do is done.
const REST: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let mut table = Table::default();
    match sizes() {
        Ok(rows) => rows.into_iter().for_each(|row| table.add(row)),
        Err(error) => table.add_missing("sizes", &error),
    }
    if let Err(error) = measure(&mut table).await {
        table.add_missing("the running box", &error);
    }
    let printed = write!(std::io::stdout(), "{table}");
    if table.is_complete() && printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn megabytes(what: impl Into<String>, bytes: u64) -> Row {
    #[expect(clippy::cast_precision_loss, reason = "a size in tenths of a megabyte")]
    Row::new(what, bytes as f64 / 1e6, "MB")
}

/// What `scripts/image` wrote down of its components.
fn sizes() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let list = std::fs::read_to_string(work().join("root.size")).context("run scripts/image first")?;
    for (bytes, component) in list.lines().filter_map(|line| line.split_once(' ')) {
        let row = megabytes(format!("root: {component}"), bytes.parse()?);
        rows.push(if component == "total" { row.target(Target::AtMost(130.0)) } else { row });
    }
    let size = |name: &str| anyhow::Ok(std::fs::metadata(work().join(name)).with_context(|| name.to_owned())?.len());
    let (root, kernel) = (size("root.squashfs")?, size("uki.efi")?);
    rows.push(megabytes("root, compressed", root));
    rows.push(megabytes("kernel with its initramfs", kernel));
    rows.push(megabytes("one slot", root + kernel).target(Target::AtMost(70.0)));
    let download = image_tests::machine::image()?.with_extension("img.zst");
    if let Ok(file) = std::fs::metadata(download) {
        rows.push(megabytes("download", file.len()).target(Target::AtMost(80.0)));
    }
    Ok(rows)
}

async fn measure(table: &mut Table) -> Result<()> {
    eprintln!("bench: the kernel and an empty init");
    let empty = empty_init::boot().await?;
    table.add(Row::new("kernel start → empty init", empty.as_secs_f64(), "s"));

    eprintln!("bench: first start");
    let mut machine = Machine::prepare(&[]).await?;
    machine.is_quiet = true;
    starts(&mut machine, "first start", empty, table).await?;
    machine.create_owner().await?;
    machine.wait_for_lines(2).await?;
    machine.wait_for_asterisk().await?;
    eprintln!("bench: second start");
    machine.restart().await?;
    machine.wait_for_lines(2).await?;
    machine.switch_off().await?;
    starts(&mut machine, "later start", empty, table).await?;
    let began = now();
    machine.wait_for_lines(2).await?;
    table.add(Row::new("page → two usable lines", began.elapsed().as_secs_f64(), "s"));
    machine.wait_for_asterisk().await?;
    table.add(Row::new("page → calls possible", began.elapsed().as_secs_f64(), "s"));

    eprintln!("bench: a modem is plugged in");
    plugs(&mut machine, table).await?;
    eprintln!("bench: the idle box is watched for {} s", (REST + IDLE).as_secs());
    idle(&mut machine, table).await?;
    eprintln!("bench: a call");
    call(&mut machine, table).await
}

/// Starts the machine and adds how long the page took.
async fn starts(machine: &mut Machine, which: &str, empty: Duration, table: &mut Table) -> Result<()> {
    let took = machine.boot().await?;
    let answered = now();
    let uptime = machine.uptime().await?;
    let from_kernel = uptime.checked_sub(answered.elapsed()).context("a clock runs backwards")?;
    let ratio = from_kernel.as_secs_f64() / empty.as_secs_f64();
    table.add(
        Row::new(format!("{which}: kernel start → page"), from_kernel.as_secs_f64(), "s")
            .peer("empty init", empty.as_secs_f64())
            .note(format!("target × 3: {}", if ratio <= 3.0 { "met" } else { "MISSED" })),
    );
    table.add(Row::new(format!("{which}: power → page"), took.as_secs_f64(), "s"));
    Ok(())
}

async fn plugs(machine: &mut Machine, table: &mut Table) -> Result<()> {
    for modem in [EC25, SIM7600] {
        machine.sim.unplug(modem).await?;
        machine.wait_for_no_modem(modem).await?;
        let began = now();
        machine.sim.plug(modem, Numbers::LowestFree).await?;
        machine.wait_for_lines(2).await?;
        table.add(Row::new(format!("{modem} plugged in → usable line"), began.elapsed().as_secs_f64(), "s"));
    }
    Ok(())
}

async fn memory(machine: &mut Machine, when: &str, table: &mut Table) -> Result<()> {
    let shell = machine.shell().await?;
    let used = "awk '/^MemTotal:/ {t=$2} /^MemAvailable:/ {a=$2} END {print t-a}' /proc/meminfo";
    let used: u64 = shell.run(used).await?.trim().parse()?;
    table.add(megabytes(format!("memory in use, {when}"), used * 1024).target(Target::AtMost(150.0)));
    for program in ["homenichatd", "asterisk"] {
        let resident = format!("awk '/^VmRSS:/ {{print $2}}' /proc/$(pidof {program})/status");
        let resident: u64 = machine.shell().await?.run(&resident).await?.trim().parse()?;
        table.add(megabytes(format!("resident {program}, {when}"), resident * 1024));
    }
    Ok(())
}

async fn idle(machine: &mut Machine, table: &mut Table) -> Result<()> {
    const SECTORS: &str = "awk '{print $7}' /sys/block/vda/stat";
    tokio::time::sleep(REST).await;
    let before: u64 = machine.shell().await?.run(SECTORS).await?.trim().parse()?;
    tokio::time::sleep(IDLE).await;
    let after: u64 = machine.shell().await?.run(SECTORS).await?.trim().parse()?;
    let kilobytes = (after - before) * 512 / 1000 * 3600 / IDLE.as_secs();
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let row = Row::new("written by the idle box per hour", kilobytes as f64, "kB");
    table.add(row.target(Target::AtMost(200.0)).note(format!("watched for {} s", IDLE.as_secs())));
    memory(machine, "idle", table).await
}

async fn call(machine: &mut Machine, table: &mut Table) -> Result<()> {
    let (phone, _relay) = machine.phone("2001", PHONE_HZ, true).await?;
    machine.sim.call(EC25, "+33612345678").await?;
    machine.wait_for_call(EC25, CallState::Active).await?;
    machine.wait_for_sound(EC25, 4.0).await?;
    memory(machine, "in a call", table).await?;
    machine.sim.control(EC25, Control::Hangup).await?;
    machine.wait_for_no_call(EC25).await?;
    phone.stop().await;
    Ok(())
}
