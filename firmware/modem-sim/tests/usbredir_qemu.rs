//! A kernel that we did not write, in QEMU, enumerates the simulated modems and binds its own drivers to them.
//!
//! One virtual machine serves all steps, because starting it takes most of the time. `scripts/provision-usb-guest`
//! makes it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a broken bench must end its test, and steps say how long they took"
)]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use expect_test::expect;
use modem_sim::runner::{Config, Numbers, Sim, UsbStatus};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// For the start of the kernel under emulation on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(90);
/// For one command; the longest waits 30 s. (A kernel whose request is lost with the device asks again after 5 s.)
const COMMAND_LIMIT: Duration = Duration::from_secs(90);

const QEMU: &str = "qemu-system-x86_64";

const MODEMS: [&str; 2] = ["1-2", "1-3"];

#[tokio::test(flavor = "multi_thread")]
async fn a_linux_kernel_drives_the_simulated_modems() {
    assert!(has_qemu(), "there is no {QEMU}: run `scripts/setup test` first");
    let mut bench = Bench::start().await;
    let steps = tokio::time::Instant::now();
    bench.finds_every_interface().await;
    bench.asks_both_modems().await;
    bench.passes_a_message_on().await;
    bench.moves_many_bytes().await;
    bench.carries_voice("1-2", 1, "AT+QPCMV=1,0").await;
    bench.carries_voice("1-3", 4, "AT+CPCMREG=1").await;
    bench.loses_and_finds_a_modem().await;
    bench.follows_a_reset_of_the_modem().await;
    bench.takes_interfaces_away_and_back().await;
    bench.bears_fast_cycles().await;
    bench.keeps_exchanged_modems_apart().await;
    bench.comes_back_after_the_simulator().await;
    let complaints = bench.guest.run("dmesg | grep -E 'Oops|BUG:|WARNING:|Call Trace|failed to load'").await;
    assert_eq!(complaints.output, "", "the kernel complains");
    eprintln!("all steps took {:.1} s", steps.elapsed().as_secs_f64());
}

impl Bench {
    async fn finds_every_interface(&mut self) {
        self.guest.succeeds("await ttys 9").await;
        let found = self.guest.succeeds("interfaces").await;
        expect![[r"
            1-2:1.0 number 00 class ff/ff/ff endpoints 02 driver option
            1-2:1.1 number 01 class ff/00/00 endpoints 03 driver option
            1-2:1.2 number 02 class ff/00/00 endpoints 03 driver option
            1-2:1.3 number 03 class ff/00/00 endpoints 03 driver option
            1-2:1.4 number 04 class ff/ff/ff endpoints 03 driver qmi_wwan
            1-3:1.0 number 00 class ff/ff/ff endpoints 02 driver option
            1-3:1.1 number 01 class ff/00/00 endpoints 03 driver option
            1-3:1.2 number 02 class ff/00/00 endpoints 03 driver option
            1-3:1.3 number 03 class ff/00/00 endpoints 03 driver option
            1-3:1.4 number 04 class ff/00/00 endpoints 03 driver option
            1-3:1.5 number 05 class ff/ff/ff endpoints 03 driver qmi_wwan
        "]]
        .assert_eq(&found);
        let devices = self
            .guest
            .succeeds("cd /sys/bus/usb/devices; for d in 1-2 1-3; do (cd $d; cat idVendor idProduct manufacturer product speed); done")
            .await;
        expect![[r"
            2c7c
            0125
            Quectel
            EC25-EUX
            480
            1e0e
            9001
            SimTech, Incorporated
            SimTech, Incorporated
            480
        "]]
        .assert_eq(&devices);
    }

    async fn asks_both_modems(&mut self) {
        for (modem, want) in [("1-2", "\nEC25\n"), ("1-3", "Model: SIMCOM_SIM7600G-H")] {
            let answer = self.guest.succeeds(&format!("at $(tty_of {modem} 2) ATI")).await;
            assert!(answer.contains(want) && answer.ends_with("OK\n"), "{modem}: {answer:?}");
        }
        // The driver of the network card says that it is ready by itself.
        assert_eq!(self.usb("1-2").await.open_interfaces, [4], "closed ports are seen as closed");
    }

    /// A line that the modem writes of its own accord ends a transfer that was pending all the time.
    async fn passes_a_message_on(&mut self) {
        self.guest.succeeds("at $(tty_of 1-2 2) AT+CNMI=2,1").await;
        self.guest.succeeds("exec 3<>/dev/$(tty_of 1-2 2)").await;
        self.opened("1-2").await;
        self.sim.send_sms("1-2", "+33612345678", "Bonjour").await.unwrap();
        let heard = self.guest.succeeds("until_line +CMTI; exec 3>&-").await;
        assert_eq!(heard.trim(), "+CMTI: \"ME\",0");
    }

    /// Round trips on an open port, and answers and commands that are longer than a packet.
    async fn moves_many_bytes(&mut self) {
        let open = "exec 3<>/dev/$(tty_of 1-3 2); stty raw -echo <&3; count=0";
        let ask = "for _ in $(seq 200); do printf 'AT+CGMM\\r' >&3; \
                   until_line OK >/tmp/said && grep -q SIMCOM /tmp/said && count=$((count + 1)); done";
        let answered = self.guest.succeeds(&format!("{open}; {ask}; exec 3>&-; echo $count")).await;
        assert_eq!(answered.trim(), "200");
        let long = format!("at $(tty_of 1-2 2) 'AT{}+CGMM'", "+CSQ;".repeat(120));
        let answer = self.guest.succeeds(&long).await;
        assert_eq!(answer.matches("+CSQ: ").count(), 120, "{answer}");
    }

    /// A second of samples each way, at the pace of the call.
    async fn carries_voice(&mut self, modem: &str, interface: u8, start: &str) {
        // A new tty echoes until it is told not to, so it is told before there is a sound.
        self.guest.succeeds(&format!("exec 3<>/dev/$(tty_of {modem} {interface}); stty raw -echo <&3")).await;
        self.sim.call(modem, "+33612345678").await.unwrap();
        self.guest.succeeds(&format!("await says {modem} AT+CLCC +33612345678")).await;
        self.guest.succeeds(&format!("at $(tty_of {modem} 2) ATA && at $(tty_of {modem} 2) {start}")).await;
        let heard = self.guest.succeeds("head -c 16000 <&3 >/tmp/voice; wc -c </tmp/voice").await;
        assert_eq!(heard.trim(), "16000", "{modem}");
        self.guest.succeeds("cat /tmp/voice >&3; exec 3>&-").await;
        let recording = self.sim.recording(modem).await.unwrap();
        assert_eq!((recording.bytes_in, recording.rate_hz), (16_000, 8000), "{modem}");
        assert!(recording.samples.iter().any(|sample| *sample > 4000), "{modem} hears the tone that it said");
        self.guest.succeeds(&format!("at $(tty_of {modem} 2) AT+CHUP")).await;
    }

    async fn loses_and_finds_a_modem(&mut self) {
        for _ in 0..3 {
            self.guest.succeeds("exec 3<>/dev/$(tty_of 1-2 2)").await;
            self.opened("1-2").await;
            self.sim.unplug("1-2").await.unwrap();
            self.guest.succeeds("await ttys 5 && await [ ! -e /sys/bus/usb/devices/1-2 ]").await;
            // Whoever has the port open is hung up, which is how programs learn of it.
            self.guest.succeeds("! read -t 10 -r line <&3 && [ -z \"$line\" ]; exec 3>&-").await;
            self.sim.plug("1-2", Numbers::LowestFree).await.unwrap();
            self.guest.succeeds("await ttys 9").await;
            self.answers("1-2", "EC25").await;
        }
    }

    async fn follows_a_reset_of_the_modem(&mut self) {
        self.guest.succeeds("at $(tty_of 1-2 2) AT+CFUN=1,1").await;
        self.guest.succeeds("await ttys 5 && await ttys 9").await;
        self.answers("1-2", "EC25").await;
    }

    async fn takes_interfaces_away_and_back(&mut self) {
        let authorized = "/sys/bus/usb/devices/1-3/authorized";
        self.guest.succeeds(&format!("echo 0 >{authorized}; await ttys 4; echo 1 >{authorized}; await ttys 9")).await;
        self.answers("1-3", "SIMCOM_SIM7600G-H").await;
    }

    /// Faster than a kernel enumerates.
    async fn bears_fast_cycles(&mut self) {
        for _ in 0..20 {
            for modem in MODEMS {
                self.sim.unplug(modem).await.unwrap();
                self.sim.plug(modem, Numbers::LowestFree).await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.answers("1-2", "EC25").await;
        self.answers("1-3", "SIMCOM_SIM7600G-H").await;
    }

    async fn keeps_exchanged_modems_apart(&mut self) {
        self.sim.swap("1-2", "1-3").await.unwrap();
        self.guest.succeeds("await grep -q EC25 /sys/bus/usb/devices/1-3/product && await ttys 9").await;
        self.answers("1-3", "EC25").await;
        self.answers("1-2", "SIMCOM_SIM7600G-H").await;
        self.sim.swap("1-2", "1-3").await.unwrap();
        self.answers("1-2", "EC25").await;
    }

    /// QEMU connects again, and to the virtual machine that is a plug that was pulled.
    async fn comes_back_after_the_simulator(&mut self) {
        let config = config(self.directory.path());
        let old = std::mem::replace(
            &mut self.sim,
            Sim::start(Config::new(self.directory.path().join("other"))).await.unwrap(),
        );
        old.stop().await;
        self.guest.succeeds("await ttys 0").await;
        self.sim = Sim::start(config).await.unwrap();
        self.answers("1-2", "EC25").await;
        self.answers("1-3", "SIMCOM_SIM7600G-H").await;
    }

    /// Waits until the modem at `path` is enumerated and says that it is a `model`.
    async fn answers(&mut self, path: &str, model: &str) {
        let ask = format!("await says {path} AT+CGMM {model}");
        self.guest.succeeds(&ask).await;
    }
}

struct Bench {
    sim: Sim,
    guest: Guest,
    directory: tempfile::TempDir,
}

impl Bench {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sim = Sim::start(config(directory.path())).await.unwrap();
        let guest = Guest::start(directory.path(), &MODEMS).await;
        Self { sim, guest, directory }
    }

    async fn usb(&self, modem: &str) -> UsbStatus {
        let status = self.sim.status().await.unwrap();
        status.into_iter().find(|unit| unit.usb_path == modem).unwrap().usb.unwrap()
    }

    /// Waits until the virtual machine has the AT port open.
    async fn opened(&self, modem: &str) {
        let waited = tokio::time::timeout(COMMAND_LIMIT, async {
            while !self.usb(modem).await.open_interfaces.contains(&2) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        waited.await.unwrap_or_else(|_| panic!("{modem} is not opened within {COMMAND_LIMIT:?}"));
    }
}

fn config(directory: &Path) -> Config {
    let mut config = Config::with_both_personalities(directory.join("sim"));
    config.usbredir = Some(directory.join("usb"));
    for modem in &mut config.modems {
        let timings = &mut modem.profile.timings;
        timings.boot_silence = Duration::from_millis(5);
        timings.register_after = Duration::from_millis(5);
        timings.unplug_after = Duration::from_millis(20);
        timings.absent = Duration::from_secs(2);
        timings.sms_delay = Duration::from_millis(5);
    }
    config
}

/// A virtual machine with a shell on its second serial port.
struct Guest {
    _qemu: Child,
    commands: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    console: PathBuf,
}

struct Ran {
    status: String,
    output: String,
}

impl Guest {
    async fn start(directory: &Path, ports: &[&str]) -> Self {
        let started = tokio::time::Instant::now();
        let files = provision().await;
        let console = directory.join("console.log");
        let mut qemu = Command::new(QEMU);
        qemu.args("-accel tcg -M q35 -m 256 -nodefaults -display none -no-reboot".split(' '));
        qemu.arg("-kernel").arg(files.join("kernel/vmlinuz")).arg("-initrd").arg(files.join("initramfs"));
        qemu.args(["-append", "console=ttyS0 quiet panic=-1"]);
        qemu.arg("-serial").arg(format!("file:{}", console.display())).args(["-serial", "stdio"]);
        qemu.args(["-device", "qemu-xhci,id=xhci"]);
        for path in ports {
            let (_, port) = path.split_once('-').unwrap();
            let socket = directory.join(format!("usb/{path}.sock"));
            qemu.arg("-chardev").arg(format!("socket,id=port{port},path={},reconnect=1", socket.display()));
            qemu.arg("-device").arg(format!("usb-redir,chardev=port{port},bus=xhci.0,port={port}"));
        }
        qemu.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let mut qemu = qemu.spawn().expect("QEMU starts");
        let commands = qemu.stdin.take().unwrap();
        let lines = BufReader::new(qemu.stdout.take().unwrap()).lines();
        let mut guest = Self { _qemu: qemu, commands, lines, console };
        guest.read_until("<<ready>>", "its start", START_LIMIT).await;
        eprintln!("the virtual machine was ready after {:.1} s", started.elapsed().as_secs_f64());
        guest
    }

    /// Runs a line of shell and returns what it printed.
    async fn succeeds(&mut self, line: &str) -> String {
        let Ran { status, output } = self.run(line).await;
        assert_eq!(status, "<<0>>", "`{line}` fails in the virtual machine:\n{output}\n{}", self.messages().await);
        output
    }

    async fn run(&mut self, line: &str) -> Ran {
        let started = tokio::time::Instant::now();
        self.commands.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        self.commands.flush().await.unwrap();
        let ran = self.read_until("<<", line, COMMAND_LIMIT).await;
        eprintln!("{:5.1} s  {}", started.elapsed().as_secs_f64(), line.chars().take(100).collect::<String>());
        ran
    }

    async fn read_until(&mut self, end: &str, what: &str, limit: Duration) -> Ran {
        let mut output = String::new();
        let read = tokio::time::timeout(limit, async {
            loop {
                let line = self.lines.next_line().await.unwrap().expect("the virtual machine goes on");
                match line.trim_end_matches('\r') {
                    line if line.starts_with(end) => return line.to_owned(),
                    line => output.extend([line, "\n"]),
                }
            }
        })
        .await;
        let Ok(status) = read else {
            let console = std::fs::read_to_string(&self.console).unwrap_or_default();
            panic!("{what} takes longer than {limit:?}:\n{output}\n{console}");
        };
        Ran { status, output }
    }

    /// Last messages of the kernel, for a failure.
    async fn messages(&mut self) -> String {
        let status = self.commands.write_all(b"dmesg | tail -30\n").await;
        if status.is_err() {
            return String::new();
        }
        self.read_until("<<", "dmesg", COMMAND_LIMIT).await.output
    }
}

fn has_qemu() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(QEMU).exists())
}

/// Returns the directory with kernel and initial file system.
async fn provision() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/provision-usb-guest");
    let mut command = Command::new(script);
    let output = command.stderr(Stdio::inherit()).output().await.unwrap();
    assert!(output.status.success(), "scripts/provision-usb-guest fails; see above");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}
