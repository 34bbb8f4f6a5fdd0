//! gammu and gammu-smsd on the modems that we use ourselves.

use crate::messages::{FAR_NUMBER, lay_network, per_minute};
use anyhow::{Context, Result, ensure};
use laptop_tests::clock::{now, wait_for};
use laptop_tests::lab::EC25;
use modem_sim::runner::{Config, Sim};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;

/// Slow enough to be few, enough to be steady.
const MESSAGES: usize = 40;
const REGISTRATION: Duration = Duration::from_secs(20);
const GAMMU: Duration = Duration::from_secs(300);

/// A modem that nobody else uses.
pub(crate) struct Modem {
    pub(crate) sim: Sim,
    dir: TempDir,
}

impl Modem {
    pub(crate) async fn start() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("hn").tempdir()?;
        let mut config = Config::with_both_personalities(dir.path().join("sim"));
        config.modems.truncate(1);
        let sim = Sim::start(config).await?;
        let is_registered = || async {
            let modems = sim.status().await.ok()?;
            modems.iter().all(|modem| modem.registration.is_registered()).then_some(())
        };
        wait_for("the modem to register", REGISTRATION, is_registered).await?;
        Ok(Self { sim, dir })
    }

    async fn section(&self) -> Result<String> {
        let tty = self.sim.tty(EC25, 2).await?;
        Ok(format!("[gammu]\ndevice = {}\nconnection = at115200\n", tty.display()))
    }
}

/// How long `gammu getallsms` takes, and how many messages it showed.
pub(crate) async fn gammu_getallsms(modem: &Modem) -> Result<(Duration, usize)> {
    let config = modem.dir.path().join("gammurc");
    std::fs::write(&config, modem.section().await?)?;
    let begin = now();
    let mut command = Command::new("gammu");
    command.arg("-c").arg(&config).arg("getallsms").env("LC_ALL", "C").kill_on_drop(true);
    let output = tokio::time::timeout(GAMMU, command.output()).await.context("gammu does not end")?;
    let output = output.context("starting gammu (scripts/setup installs it)")?;
    let took = begin.elapsed();
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "gammu getallsms failed: {text}");
    Ok((took, text.lines().filter(|line| line.starts_with("Location ")).count()))
}

/// Messages per minute from the outbox of gammu-smsd, without the checks that it can leave out.
pub(crate) async fn smsd_per_minute() -> Result<f64> {
    let modem = Modem::start().await?;
    lay_network(&modem.sim).await?;
    let base = modem.dir.path();
    for name in ["inbox", "outbox", "sent", "error"] {
        std::fs::create_dir_all(base.join(name))?;
    }
    for n in 0..MESSAGES {
        let name = format!("OUTA20260101_000000_{n:02}_{FAR_NUMBER}_x.txtd");
        std::fs::write(base.join("outbox").join(name), format!("measured {n}"))?;
    }
    let config = base.join("smsdrc");
    std::fs::write(&config, modem.section().await? + &smsd_section(base))?;
    let events = modem.sim.subscribe();
    let log = std::fs::File::create(base.join("smsd.out"))?;
    let mut child = Command::new("gammu-smsd")
        .arg("-c")
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .context("starting gammu-smsd (scripts/setup bench installs it)")?;
    let rate = per_minute(events, MESSAGES).await;
    let complaint = || std::fs::read_to_string(base.join("smsd.log")).unwrap_or_default();
    let rate = rate.with_context(|| format!("gammu-smsd says:\n{}", complaint()))?;
    child.start_kill()?;
    child.wait().await?;
    Ok(rate)
}

fn smsd_section(base: &Path) -> String {
    let path = |name: &str| format!("{}/", base.join(name).display());
    format!(
        "[smsd]\nservice = files\ninboxpath = {}\noutboxpath = {}\nsentsmspath = {}\nerrorsmspath = {}\nlogfile = {}\n\
         checksecurity = 0\nchecksignal = 0\ncheckbattery = 0\nchecknetwork = 0\nstatusfrequency = 0\n\
         receivefrequency = 60\nloopsleep = 0\n",
        path("inbox"),
        path("outbox"),
        path("sent"),
        path("error"),
        base.join("smsd.log").display(),
    )
}
