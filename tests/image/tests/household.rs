//! A box as its owner gets it: flashed, switched on, set up in a browser, used, mistreated and restarted.
//!
//! One machine serves all steps, because starting it takes most of the time.

use anyhow::{Context, Result, ensure};
use image_tests::machine::Machine;
use image_tests::steps::Steps;
use laptop_tests::browser::hidden;
use laptop_tests::calls::PHONE_HZ;
use laptop_tests::clock::{now, wait_for};
use laptop_tests::house::{EC25, OWNER, SIM7600};
use modem_sim::core::{CallState, Control};
use modem_sim::runner::Numbers;
use serde_json::json;
use std::time::Duration;

const MODEMS: [&str; 2] = [EC25, SIM7600];
const FRIEND: &str = "+33612345678";
/// More open files than before are files that somebody forgot.
const MORE_FILES: u64 = 4;
/// An allocator keeps some of what it got.
const MORE_KIB: u64 = 16 * 1024;
/// Pulled and put back faster than a modem is brought up.
const FAST_CYCLES: usize = 50;
/// What listens on a new box: the page, the names on the network, and what only the box itself reaches.
const BEFORE_AN_OWNER: [&str; 6] = [
    "tcp 0.0.0.0:443",
    "tcp 0.0.0.0:80",
    "tcp 127.0.0.1:8080",
    "tcp 127.0.0.1:9092",
    "udp 0.0.0.0:5353",
    "udp :::5353",
];
/// The same with an owner, whose telephones are answered.
const WITH_AN_OWNER: [&str; 9] = [
    "tcp 0.0.0.0:443",
    "tcp 0.0.0.0:80",
    "tcp 127.0.0.1:5038",
    "tcp 127.0.0.1:8080",
    "tcp 127.0.0.1:8088",
    "tcp 127.0.0.1:9092",
    "udp 0.0.0.0:5060",
    "udp 0.0.0.0:5353",
    "udp :::5353",
];

/// Our units; the shell of the tests is confined by nothing, and says so.
const UNITS: [&str; 4] = ["homenichatd", "console-card", "no-data", "network-settings"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flashed_box_serves_a_household() {
    let mut machine = Machine::prepare(&[]).await.unwrap();
    let mut steps = Steps::begin();
    let took = machine.boot().await.unwrap();
    steps.done(&format!("boot to the set-up page ({:.1} s)", took.as_secs_f64()));
    listens_at(&mut machine, &BEFORE_AN_OWNER).await.unwrap();
    steps.done("nothing but the page and the name answers a new box's network");
    set_up(&mut machine).await.unwrap();
    steps.done("owner and name given, test message sent, by forms over TLS");
    is_healthy(&mut machine).await.unwrap();
    steps.done("units, watchdog, sockets, ports of modems and console are as they should be");
    messages(&machine, 1).await.unwrap();
    steps.done("messages in and out by both modems");
    calls(&machine).await.unwrap();
    steps.done("calls out and in, both sides heard each other");
    plugs(&mut machine).await.unwrap();
    steps.done("pulled, put back, swapped, and 50 fast cycles");
    kills(&mut machine).await.unwrap();
    steps.done("supervisor and Asterisk killed");
    full_disk(&mut machine).await.unwrap();
    steps.done("disk full: sending refused, nothing lost, and on again with room");
    addresses(&mut machine).await.unwrap();
    steps.done("a fixed address by the settings, and DHCP again");
    panic_of_the_kernel(&mut machine).await.unwrap();
    steps.done("a panic of the kernel: back by itself, with everything kept");
    start_other_slot(&mut machine).await.unwrap();
    steps.done("slot B filled and started, with everything kept");
    reset_by_command(&mut machine).await.unwrap();
    steps.done("reset by the command line");
    reset_by_file(&mut machine).await.unwrap();
    steps.done("reset by a file on the boot area, and the new owner stays");
    steps.end();
}

/// As a new owner does, form by form.
async fn set_up(machine: &mut Machine) -> Result<()> {
    let browser = machine.browser("owner").await?;
    let (status, refused) = machine.api.get("/api/lines").await?;
    ensure!(refused.get("code") == Some(&json!("setup_needed")), "{status}: {refused}");
    browser.submit("/setup/language", &[("language", "en")]).await?;
    let (username, password) = OWNER;
    let owner = [("username", username), ("password", password), ("again", password)];
    let answer = browser.submit("/setup/owner", &owner).await?;
    ensure!(answer.status == 303, "the owner was answered with {}: {}", answer.status, answer.body);
    browser.submit("/setup/name", &[("name", "Home")]).await?;
    let ready = || async {
        let page = browser.open("/setup/lines").await.ok()?;
        (page.body.matches("<dd>ready</dd>").count() == 2 && page.body.contains("Orange F")).then_some(())
    };
    wait_for("both lines on the page", machine.patience, ready).await.with_context(|| machine.log())?;
    browser.submit("/setup/lines", &[]).await?;
    let page = browser.open("/setup/test").await?;
    let line =
        page.body.split_once("<option value=\"").and_then(|(_, rest)| rest.split('"').next()).context("a line")?;
    browser.submit("/setup/test", &[("line", line), ("to", "+33 6 98 76 54 32")]).await?;
    machine.wait_for_sent("Hello from your HomeniChat box.").await?;
    let finished = browser.submit("/setup/finish", &[]).await?;
    ensure!(finished.status == 303, "finishing was answered with {}", finished.status);
    machine.sign_in().await?;
    machine.wait_for_lines(2).await?;
    for (modem, name) in [(EC25, "EC25"), (SIM7600, "SIM7600")] {
        let found = machine.modem(modem).await?;
        let shown = found.get("name").and_then(|name| name.as_str()).unwrap_or_default();
        ensure!(shown.contains(name), "the modem at {modem} is called {shown}");
    }
    Ok(())
}

/// No unit failed, the open ports are these, and units, modems and console are as the rules say.
async fn is_healthy(machine: &mut Machine) -> Result<()> {
    machine.wait_for_asterisk().await?;
    no_unit_failed(machine).await?;
    is_guarded(machine).await?;
    listens_at(machine, &WITH_AN_OWNER).await?;
    let shell = machine.shell().await?;
    // Every port of both modems, by its USB port and interface, and for nobody else.
    let ports = shell.run("stat -L -c '%N %U %a' /dev/modem/*-usb-0:2:1.*-* /dev/modem/*-usb-0:3:1.*-* | sort").await?;
    let are_ours = ports.lines().all(|port| port.ends_with(" homenichat 600"));
    ensure!(ports.lines().count() == 9 && are_ours, "the ports of the modems: {ports}");
    let ignored =
        shell.run("for tty in /dev/ttyUSB*; do udevadm info -q property -n $tty; done | grep -c ID_MM_PORT_IGNORE=1");
    ensure!(ignored.await?.trim() == "9", "other modem software is not told to keep away");
    machine.wait_for_screen(&["https://10.0.2.15", "EC25"]).await
}

/// What our units may do is little, and the hardware starts a box anew that hangs.
async fn is_guarded(machine: &mut Machine) -> Result<()> {
    let shell = machine.shell().await?;
    for unit in UNITS {
        // An exposure of at most 3.0.
        shell.run(&format!("systemd-analyze security --no-pager --threshold=30 {unit}.service")).await?;
    }
    // The driver comes with the other devices, and systemd opens it after that.
    let watched = "grep -q -x active /sys/class/watchdog/watchdog0/state";
    let until = format!("( n=0; until {watched}; do sleep 1; n=$((n+1)); [ $n -lt 50 ] || exit 1; done )");
    shell.run(&until).await.map(drop)
}

async fn no_unit_failed(machine: &mut Machine) -> Result<()> {
    let failed = machine.shell().await?.run("systemctl list-units --failed --no-legend --plain").await?;
    ensure!(failed.trim().is_empty(), "these failed: {failed}");
    Ok(())
}

/// Waits until all of these listen, and makes sure that nothing else does, then and a while later.
async fn listens_at(machine: &mut Machine, want: &[&str]) -> Result<()> {
    let end = now() + machine.patience;
    while sockets(machine).await? != want {
        ensure!(now() < end, "this listens: {:#?}", sockets(machine).await?);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let listening = sockets(machine).await?;
    ensure!(listening == want, "this listens: {listening:#?}");
    Ok(())
}

/// What listens, without sockets that wait for answers alone.
async fn sockets(machine: &mut Machine) -> Result<Vec<String>> {
    let listening = machine.shell().await?.run("netstat -ltun | awk '/^(tcp|udp)/ {print $1, $4}' | sort -u").await?;
    let (asking, listening): (Vec<&str>, Vec<&str>) = listening.lines().partition(|socket| is_asking(socket));
    ensure!(
        asking.len() <= 2,
        "Asterisk has one resolver of names for IPv4 and one for IPv6, and here are {asking:#?}"
    );
    Ok(listening.into_iter().map(str::to_owned).collect())
}

/// A UDP socket on a port that the kernel chose (its `ip_local_port_range`) waits for answers alone.
fn is_asking(socket: &str) -> bool {
    let port = socket.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    socket.starts_with("udp ") && port.is_some_and(|port| (32_768..61_000).contains(&port))
}

/// Both modems take a message and bring one.
async fn messages(machine: &Machine, round: usize) -> Result<()> {
    machine.wait_for_lines(2).await?;
    for modem in MODEMS {
        let text = format!("out {round} by {modem}");
        machine.send_by(&machine.line_of(modem).await?, &text).await?;
        ensure!(machine.wait_for_sent(&text).await? == modem, "{text} left by the other modem");
        machine.sim.send_sms(modem, FRIEND, &format!("in {round} by {modem}")).await?;
    }
    machine.wait_for_received(round * MODEMS.len()).await?;
    Ok(())
}

async fn calls(machine: &Machine) -> Result<()> {
    for modem in MODEMS {
        machine.sim.clear_recording(modem).await?;
        let (phone, _relay) = machine.phone("2001", PHONE_HZ, true).await?;
        let call = json!({"destination": "0698765432", "extension": "2001", "from": machine.line_of(modem).await?});
        let (status, placed) = machine.api.post("/api/calls/originate", call).await?;
        ensure!(status.as_u16() == 202, "a call was answered with {status}: {placed}");
        machine.wait_for_call(modem, CallState::Active).await?;
        machine.wait_for_sound(modem, 4.0).await?;
        phone.hang_up().await?;
        machine.wait_for_no_call(modem).await?;
        machine.prove_sound(modem, &phone).await?;
        machine.wait_for_ended_call("answered").await?;
        phone.stop().await;
    }
    // As people dial.
    let (phone, _relay) = machine.phone("2001", PHONE_HZ, false).await?;
    phone.dial("0698765432").await?;
    let busy = || async {
        for modem in MODEMS {
            if machine.call_of(modem).await.is_some_and(|call| call.state == CallState::Active) {
                return Some(modem);
            }
        }
        None
    };
    let modem = wait_for("a call out", machine.patience, busy).await.with_context(|| machine.log())?;
    phone.hang_up().await?;
    machine.wait_for_no_call(modem).await?;
    phone.stop().await;

    for modem in MODEMS {
        machine.sim.clear_recording(modem).await?;
        let (phone, _relay) = machine.phone("2001", PHONE_HZ, true).await?;
        machine.sim.call(modem, FRIEND).await?;
        machine.wait_for_call(modem, CallState::Active).await?;
        machine.wait_for_sound(modem, 4.0).await?;
        machine.sim.control(modem, Control::Hangup).await?;
        machine.wait_for_ended_call("answered").await?;
        phone.wait_for_log("session closed", Duration::from_secs(20)).await?;
        machine.prove_sound(modem, &phone).await?;
        phone.stop().await;
    }
    Ok(())
}

async fn plugs(machine: &mut Machine) -> Result<()> {
    let lines = [machine.line_of(EC25).await?, machine.line_of(SIM7600).await?];
    let mut before = Vec::new();
    for program in ["homenichatd", "asterisk", "systemd-udevd"] {
        before.push((program, footprint(machine, program).await?));
    }
    machine.sim.unplug(EC25).await?;
    machine.wait_for_no_modem(EC25).await?;
    machine.sim.plug(EC25, Numbers::LowestFree).await?;
    messages(machine, 2).await?;
    machine.sim.swap(EC25, SIM7600).await?;
    let swapped = || async {
        let places = [machine.line_of(SIM7600).await.ok()?, machine.line_of(EC25).await.ok()?];
        (places == lines).then_some(())
    };
    machine.wait_for("the lines to follow their modems", machine.patience, swapped).await?;
    messages(machine, 3).await?;
    machine.sim.swap(EC25, SIM7600).await?;
    for cycle in 0..FAST_CYCLES {
        let modem = MODEMS.into_iter().cycle().nth(cycle).unwrap_or(EC25);
        machine.sim.unplug(modem).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
        machine.sim.plug(modem, Numbers::LowestFree).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    messages(machine, 4).await?;
    let complaints = machine.shell().await?.ask("dmesg | grep -E 'Oops|BUG:|Call Trace'").await?;
    ensure!(complaints.is_empty(), "the kernel complains: {complaints}");
    // What a call or a start needed goes after a while.
    for (program, before) in before {
        let mut after = before;
        for _ in 0..30 {
            after = footprint(machine, program).await?;
            if after.0 <= before.0 + MORE_FILES && after.1 <= before.1 + MORE_KIB {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let has_grown = after.0 > before.0 + MORE_FILES || after.1 > before.1 + MORE_KIB;
        ensure!(!has_grown, "{program} has {after:?} open files and KiB after {before:?}");
    }
    Ok(())
}

/// Open files and resident KiB of a program.
async fn footprint(machine: &mut Machine, program: &str) -> Result<(u64, u64)> {
    let shell = machine.shell().await?;
    // Of several, the first was started first: the others are its workers.
    let pid = shell.run(&format!("pidof {program} | tr ' ' '\\n' | sort -n | head -n 1")).await?;
    let files = shell.run(&format!("ls /proc/{}/fd | wc -l", pid.trim())).await?;
    let kib = shell.run(&format!("awk '/^VmRSS:/ {{print $2}}' /proc/{}/status", pid.trim())).await?;
    Ok((files.trim().parse()?, kib.trim().parse()?))
}

async fn kills(machine: &mut Machine) -> Result<()> {
    for program in ["homenichatd", "asterisk"] {
        let shell = machine.shell().await?;
        let pid = shell.run(&format!("pid=$(pidof {program}) && kill -9 $pid && echo $pid")).await?;
        for modem in MODEMS {
            machine.sim.send_sms(modem, FRIEND, &format!("while {program} is dead, by {modem}")).await?;
        }
        let shell = machine.shell().await?;
        let back = until_another(program, pid.trim());
        shell.run(&format!("( {back} )")).await?;
    }
    machine.wait_for_asterisk().await?;
    machine.wait_for_lines(2).await?;
    machine.wait_for_received(4 * MODEMS.len() + 4).await?;
    hang(machine).await
}

/// A supervisor that hangs is started anew, here within seconds, where the unit waits longer.
async fn hang(machine: &mut Machine) -> Result<()> {
    const IMPATIENT: &str = "/run/systemd/system/homenichatd.service.d";
    let shell = machine.shell().await?;
    shell
        .run(&format!("mkdir -p {IMPATIENT} && printf '[Service]\\nWatchdogSec=8s\\n' >{IMPATIENT}/test.conf"))
        .await?;
    shell.run("systemctl daemon-reload && systemctl restart homenichatd").await?;
    let before = shell.run("pid=$(pidof homenichatd) && kill -STOP $pid && echo $pid").await?;
    let back = format!("( {} )", until_another("homenichatd", before.trim()));
    shell.run(&back).await?;
    shell.run(&format!("rm -r {IMPATIENT} && systemctl daemon-reload && systemctl restart homenichatd")).await?;
    machine.wait_for_lines(2).await
}

/// Commands that wait until a program runs that is not the one of before.
fn until_another(program: &str, before: &str) -> String {
    format!(
        "n=0; until new=$(pidof {program}) && [ \"$new\" != {before} ]; do sleep 1; n=$((n+1)); [ $n -lt 50 ] || exit 1; done"
    )
}

/// Nothing is stored while the data partition has no room, and nothing is lost.
async fn full_disk(machine: &mut Machine) -> Result<()> {
    const FILL: &str = "for kib in 1048576 65536 4096 256 16 4; do \
                        while fallocate -l ${kib}k /data/fill.$((n=n+1)) 2>/dev/null; do :; done; done";
    let line = machine.line_of(EC25).await?;
    let before = machine.messages().await?.len();
    machine.shell().await?.run(FILL).await?;
    let asked = json!({"to": FRIEND, "message": "with room", "from": line, "idempotencyKey": "room"});
    let is_full = || async {
        let (status, health) = machine.api.get("/api/health").await.ok()?;
        (status.is_success() && health.to_string().contains("storage full")).then_some(())
    };
    wait_for("health to tell of the disk", machine.patience, is_full).await.with_context(|| machine.log())?;
    let (status, refused) = machine.api.post("/api/sms/send", asked.clone()).await?;
    ensure!(refused.get("code") == Some(&json!("storage_full")), "sending was answered with {status}: {refused}");
    machine.sim.send_sms(EC25, FRIEND, "while the disk is full").await?;
    let is_left =
        || async { machine.plain_log().contains("an SMS stays in the modem: the disk is full").then_some(()) };
    wait_for("the box to leave it in the modem", machine.patience, is_left).await.with_context(|| machine.log())?;
    ensure!(machine.messages().await?.len() == before, "something was stored on a full disk");
    machine.shell().await?.run("rm /data/fill.*").await?;
    let is_accepted = || async {
        let (status, _) = machine.api.post("/api/sms/send", asked.clone()).await.ok()?;
        (status.as_u16() == 202).then_some(())
    };
    wait_for("sending to go on", machine.patience, is_accepted).await.with_context(|| machine.log())?;
    machine.wait_for_sent("with room").await?;
    machine.wait_for_received(4 * MODEMS.len() + 5).await?;
    Ok(())
}

/// An address that the settings fix, and then one that the network gives again.
async fn addresses(machine: &mut Machine) -> Result<()> {
    const FILE: &str = "/etc/homenichat/settings.toml";
    let browser = machine.browser("settings").await?;
    browser.submit("/login", &[("username", OWNER.0), ("password", OWNER.1)]).await?;
    let shell = machine.shell().await?;
    let before = shell.run(&format!("cp {FILE} /tmp/before; cat {FILE}")).await?.replace('\r', "");
    let with = |net: &str| {
        let network = format!("address = '{net}.77/24'\ngateway = '{net}.2'\nname_servers = ['10.0.2.3']");
        format!("{before}\n[network]\n{network}\n")
    };
    // Where nobody would find it any more.
    let page = browser.open("/settings").await?.body;
    let stamp = *hidden(&page, "before").first().context("no form")?;
    let refused = browser.submit("/settings", &[("before", stamp), ("text", &with("10.0.3"))]).await?;
    ensure!(refused.status == 422 && refused.body.contains("another network"), "{}", refused.body);
    let taken = browser.submit("/settings", &[("before", stamp), ("text", &with("10.0.2"))]).await?;
    ensure!(taken.status == 303, "{}", taken.body);
    let until = |address: &str| {
        format!(
            "( n=0; until ip -4 addr | grep -q 'inet {address}/'; do sleep 1; n=$((n+1)); [ $n -lt 60 ] || exit 1; done )"
        )
    };
    shell.run(&until("10.0.2.77")).await?;
    let shown = shell.run("ip -4 addr; ip route").await?;
    ensure!(!shown.contains("10.0.2.15") && shown.contains("default via 10.0.2.2"), "{shown}");
    // The owner's rights stay, which a new file would not have.
    shell.run(&format!("cat /tmp/before >{FILE}")).await?;
    shell.run(&until("10.0.2.15")).await?;
    Ok(())
}

/// The kernel gives up, as it does when hardware fails: the box starts anew, without anybody's help.
async fn panic_of_the_kernel(machine: &mut Machine) -> Result<()> {
    let before = machine.messages().await?.len();
    machine.crash().await?;
    is_as_before(machine, "A", before).await
}

/// Restarts, and finds everything as it was.
async fn restart(machine: &mut Machine, slot: &str) -> Result<()> {
    let before = machine.messages().await?.len();
    machine.restart().await?;
    is_as_before(machine, slot, before).await
}

async fn is_as_before(machine: &mut Machine, slot: &str, before: usize) -> Result<()> {
    let started = machine.shell().await?.run("cat /run/boot/slot").await?;
    ensure!(started.trim() == slot, "slot {started} started");
    machine.wait_for_lines(2).await?;
    let after = machine.messages().await?.len();
    ensure!(after == before, "{after} messages after the restart, {before} before it");
    no_unit_failed(machine).await
}

/// As an update does: slot B is filled, and gets an entry of the firmware, for the next start alone.
async fn start_other_slot(machine: &mut Machine) -> Result<()> {
    let shell = machine.shell().await?;
    shell
        .run("for n in 1 2; do dd if=/dev/vda$n of=/dev/vda$((n + 2)) bs=1M conv=fsync 2>/dev/null || exit; done")
        .await?;
    shell.run("grep -q efivars /proc/mounts || mount -t efivarfs efivarfs /sys/firmware/efi/efivars").await?;
    shell.run("efibootmgr -q -C -d /dev/vda -p 3 -L B -l '\\EFI\\BOOT\\BOOTX64.EFI'").await?;
    let next = "efibootmgr -q -n $(efibootmgr | sed -n 's/^Boot\\([0-9A-F]*\\)[* ] *B\\t.*/\\1/p')";
    shell.run(next).await?;
    restart(machine, "B").await
}

/// By the program that is on the box, as by the same program anywhere else.
async fn reset_by_command(machine: &mut Machine) -> Result<()> {
    let (username, password) = OWNER;
    let command =
        "homenichat --url https://127.0.0.1 --authority /etc/homenichat/tls/authority.pem --token-file /tmp/token";
    let shell = machine.shell().await?;
    shell.run(&format!("echo '{password}' | {command} login {username}")).await?;
    let before = shell.run("pidof homenichatd").await?;
    let said = shell.run(&format!("echo '{password}' | {command} factory-reset --yes")).await?;
    ensure!(said.contains("begins anew"), "{said}");
    shell.run(&format!("( {} )", until_another("homenichatd", before.trim()))).await?;
    machine.wait_for_page(now()).await?;
    is_new(machine).await
}

/// Nobody owns the box, and nothing is left of who did.
async fn is_new(machine: &mut Machine) -> Result<()> {
    let (_, setup) = machine.api.get("/api/setup/status").await?;
    ensure!(setup.get("setupNeeded") == Some(&json!(true)), "{setup}");
    machine.create_owner().await?;
    machine.wait_for_lines(2).await?;
    let kept = machine.messages().await?;
    ensure!(kept.is_empty(), "{} messages of the old owner", kept.len());
    Ok(())
}

/// As an owner who cannot sign in asks for it: by a file on the boot area.
async fn reset_by_file(machine: &mut Machine) -> Result<()> {
    let ask = "mount -o remount,rw /boot && touch /boot/homenichat-factory-reset && mount -o remount,ro /boot";
    machine.shell().await?.run(ask).await?;
    machine.restart().await?;
    // The file is still there, on what is now the other slot's area; the owner who comes now is not the one who asked.
    is_new(machine).await?;
    machine.shell().await?.run("systemctl restart homenichatd").await?;
    let stays = || async {
        let (_, setup) = machine.api.get("/api/setup/status").await.ok()?;
        (setup.get("setupNeeded") == Some(&json!(false))).then_some(())
    };
    wait_for("the new owner to be known", machine.patience, stays).await.with_context(|| machine.log())
}
