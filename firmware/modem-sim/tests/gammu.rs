//! gammu, written by others for real phones, uses both personalities.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a broken bench must end its test")]

use std::path::PathBuf;
use std::time::Duration;

use modem_sim::core::Control;
use modem_sim::runner::{Config, Sim};
use tokio::process::Command;

const LIMIT: Duration = Duration::from_secs(90);
/// USB path of each default modem and what gammu is to find there.
const UNITS: [(&str, &str, &str); 2] =
    [("1-2", "Quectel", "EC25"), ("1-3", "SIMCOM INCORPORATED", "SIMCOM_SIM7600G-H")];

struct Bench {
    sim: Sim,
    directory: tempfile::TempDir,
}

impl Bench {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::with_both_personalities(directory.path().join("sim"));
        for modem in &mut config.modems {
            modem.profile.timings.boot_silence = Duration::from_millis(10);
            modem.profile.timings.register_after = Duration::from_millis(10);
            modem.profile.timings.ussd_after = Duration::from_millis(200);
        }
        let sim = Sim::start(config).await.unwrap();
        let bench = Self { sim, directory };
        bench.wait_for("registration", |modem| modem.registration.is_registered()).await;
        bench
    }

    async fn wait_for(&self, what: &str, is_so: impl Fn(&modem_sim::runner::ModemStatus) -> bool) {
        let waited = tokio::time::timeout(Duration::from_secs(10), async {
            while !self.sim.status().await.unwrap().iter().all(&is_so) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        waited.await.unwrap_or_else(|_| panic!("no {what} within 10 s"));
    }

    /// Runs gammu on the AT port of `modem` and returns what it prints.
    async fn gammu(&self, modem: &str, arguments: &[&str]) -> String {
        let config = self.config(modem).await;
        let mut command = Command::new("gammu");
        command.arg("-c").arg(&config).args(arguments).env("LC_ALL", "C.UTF-8").kill_on_drop(true);
        let output = tokio::time::timeout(LIMIT, command.output())
            .await
            .unwrap_or_else(|_| panic!("gammu {arguments:?} does not end on {modem}"))
            .unwrap_or_else(|error| panic!("failed to run gammu ({error}); install it with scripts/setup"));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "gammu {arguments:?} on {modem}:\n{text}{complaint}\n{}", self.dialogue());
        text
    }

    async fn config(&self, modem: &str) -> PathBuf {
        let tty = self.sim.tty(modem, 2).await.unwrap();
        let path = self.directory.path().join(format!("gammurc-{modem}"));
        std::fs::write(&path, format!("[gammu]\ndevice={}\nconnection=at115200\n", tty.display())).unwrap();
        path
    }

    /// Last lines of the transcript, for a failure.
    fn dialogue(&self) -> String {
        let text = std::fs::read_to_string(self.sim.transcript()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

fn assert_says(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "`{wanted}` is not in:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gammu_identifies_both_personalities_and_their_network() {
    let bench = Bench::start().await;
    let check = async |(modem, manufacturer, model): (&str, &str, &str)| {
        let status = bench.sim.status().await.unwrap();
        let imei = &status.iter().find(|unit| unit.usb_path == modem).unwrap().imei;
        assert_says(&bench.gammu(modem, &["identify"]).await, &[manufacturer, model, imei]);
        bench.sim.control(modem, Control::Signal { csq: 31 }).await.unwrap();
        assert_says(&bench.gammu(modem, &["monitor", "1"]).await, &["-51 dBm", "home network", "CID 01C3D4E5"]);
        bench.sim.control(modem, Control::Register { stat: 5, eps_stat: None, access: None }).await.unwrap();
        assert_says(&bench.gammu(modem, &["networkinfo"]).await, &["roaming"]);
    };
    tokio::join!(check(UNITS[0]), check(UNITS[1]));
    bench.sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gammu_sends_plain_unicode_and_multipart_messages() {
    let bench = Bench::start().await;
    let long = "Bonjour [€] ".repeat(30);
    let long_unicode = "日本語çœ ".repeat(30);
    let check = async |(modem, _, _): (&str, &str, &str)| {
        let to = "+33699000001";
        bench.gammu(modem, &["sendsms", "TEXT", to, "-text", "Salut {toi}"]).await;
        bench.gammu(modem, &["sendsms", "TEXT", to, "-unicode", "-text", "日本 çœ"]).await;
        bench.gammu(modem, &["sendsms", "TEXT", to, "-autolen", "500", "-text", &long]).await;
        bench.gammu(modem, &["sendsms", "TEXT", to, "-unicode", "-autolen", "500", "-text", &long_unicode]).await;
        let mut sent = bench.sim.sent().await.unwrap();
        sent.retain(|sent| sent.modem == modem);
        assert!(sent.iter().all(|sent| sent.message.to == to));
        assert_eq!(sent[0].message.text, "Salut {toi}");
        assert_eq!(sent[1].message.text, "日本 çœ");
        let parts: Vec<_> = sent[2..].iter().map(|sent| &sent.message).collect();
        let joined: String = parts.iter().map(|part| part.text.as_str()).collect();
        assert_eq!(joined, long.clone() + &long_unicode);
        let totals: Vec<u8> = parts.iter().map(|part| part.concat.unwrap().total).collect();
        assert_eq!(totals, [3; 6], "{modem}");
    };
    tokio::join!(check(UNITS[0]), check(UNITS[1]));
    bench.sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gammu_reads_and_deletes_what_arrives() {
    let bench = Bench::start().await;
    let long = "0123456789".repeat(20);
    let check = async |(modem, _, _): (&str, &str, &str)| {
        bench.sim.send_sms(modem, "+33612345678", "Salut é€").await.unwrap();
        bench.sim.send_sms(modem, "Orange", "日本 🎉").await.unwrap();
        bench.sim.send_sms(modem, "36184", &long).await.unwrap();
        let each = bench.gammu(modem, &["geteachsms"]).await;
        assert_says(&each, &["Salut é€", "\"+33612345678\"", "日本 🎉", "\"Orange\"", "\"36184\"", &long]);
        assert_says(&each, &["4 SMS parts in 3 SMS sequences"]);
        assert_says(&bench.gammu(modem, &["getallsms"]).await, &["4 SMS parts"]);
        // Folder 1 is the inbox of the SIM, folder 3 that of the phone.
        bench.gammu(modem, &["deleteallsms", "1"]).await;
        bench.gammu(modem, &["deleteallsms", "3"]).await;
        assert_says(&bench.gammu(modem, &["getallsms"]).await, &["0 SMS parts"]);
    };
    tokio::join!(check(UNITS[0]), check(UNITS[1]));
    bench.wait_for("empty memories", |modem| modem.storage.iter().all(|(_, used, _)| *used == 0)).await;
    bench.sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gammu_deletes_one_message_of_two() {
    let bench = Bench::start().await;
    let check = async |modem: &str, second: &str| {
        bench.sim.send_sms(modem, "+33612345678", "stays").await.unwrap();
        bench.sim.send_sms(modem, "+33612345678", "goes").await.unwrap();
        bench.gammu(modem, &["deletesms", "0", second]).await;
        let all = bench.gammu(modem, &["getallsms"]).await;
        assert_says(&all, &["stays", "1 SMS parts"]);
        assert!(!all.contains("goes"), "{all}");
    };
    tokio::join!(check("1-2", "100001"), check("1-3", "1"));
    bench.sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gammu_asks_by_ussd() {
    let bench = Bench::start().await;
    let check = async |(modem, _, _): (&str, &str, &str)| {
        assert_says(&bench.gammu(modem, &["getussd", "*100#"]).await, &["12,34 EUR"]);
        assert_says(&bench.gammu(modem, &["getussd", "*#100#"]).await, &["Crédit épuisé ✓"]);
    };
    tokio::join!(check(UNITS[0]), check(UNITS[1]));
    bench.sim.stop().await;
}
