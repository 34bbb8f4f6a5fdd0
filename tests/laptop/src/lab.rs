//! A whole box in a temporary directory.

use crate::baresip::{Account, Baresip};
use crate::clock::wait_for;
pub use crate::house::{EC25, SIM7600};
use crate::house::{House, tells};
use crate::http::Api;
use anyhow::{Context, Result, ensure};
use modem_sim::runner::{Config, Sim};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use settings::{Https, Secrets, Settings};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Asterisk, two modems and a box start within this on a busy machine.
pub const START: Duration = Duration::from_secs(40);

/// A running box with simulated modems.
pub struct Lab {
    house: House,
    settings: Settings,
    dir: TempDir,
    supervisor: Option<Child>,
}

impl Lab {
    /// Starts a box with an EC25 and a SIM7600 and waits until both lines are ready.
    ///
    /// # Errors
    /// With the log of the supervisor, when that does not happen in time.
    pub async fn start() -> Result<Self> {
        Self::start_with(|_| {}, |_| {}).await
    }

    /// As [`start`](Self::start), with changes to the modems and the settings.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with(modems: impl FnOnce(&mut Config), change: impl FnOnce(&mut Settings)) -> Result<Self> {
        let mut lab = Self::prepare(modems, change).await?;
        lab.start_supervisor().await?;
        lab.create_owner().await?;
        lab.wait_for_lines(lab.sim.status().await?.len()).await?;
        Ok(lab)
    }

    /// A box whose modems are plugged in and whose supervisor has not been started yet.
    ///
    /// # Errors
    /// When the directory or the modems cannot be made.
    pub async fn prepare(modems: impl FnOnce(&mut Config), change: impl FnOnce(&mut Settings)) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("hn").tempdir()?;
        let mut config = Config::with_both_personalities(dir.path().join("sim"));
        config.events = Some(dir.path().join("uevents"));
        modems(&mut config);
        let sim = Arc::new(Sim::start(config).await.context("starting the simulated modems")?);
        let mut settings = laboratory_settings()?;
        change(&mut settings);
        let api = Api::new(settings.http.listen);
        let log_file = dir.path().join("homenichatd.log");
        let house = House { sim, api, log_file, patience: START };
        let lab = Self { house, settings, dir, supervisor: None };
        lab.write_settings()?;
        Ok(lab)
    }

    /// The directory of this laboratory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.dir.path().join("state/homenichat.db")
    }

    /// The settings file.
    #[must_use]
    pub fn settings_file(&self) -> PathBuf {
        self.dir.path().join("etc/settings.toml")
    }

    /// The settings the box started with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Starts the supervisor and waits until it answers.
    ///
    /// # Errors
    /// With its log, when it does not.
    pub async fn start_supervisor(&mut self) -> Result<()> {
        let log = std::fs::File::options().append(true).create(true).open(self.dir.path().join("homenichatd.log"))?;
        let below = |name: &str| self.dir.path().join(name);
        let child = Command::new(program("homenichatd")?)
            .arg("--state")
            .arg(below("state"))
            .arg("--run-dir")
            .arg(below("run"))
            .arg("--config")
            .arg(below("etc"))
            .arg("--device-root")
            .arg(self.sim.root())
            .arg("--events")
            .arg(format!("unix:{}", below("uevents").display()))
            .arg("--reset-file")
            .arg(below("boot/homenichat-factory-reset"))
            .arg("--asterisk")
            .arg(asterisk()?)
            .env("HOMENICHAT_LOG", "debug")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting homenichatd")?;
        self.supervisor = Some(child);
        let answers = || async { self.api.get("/livez").await.ok().filter(|(status, _)| status.is_success()) };
        wait_for("the supervisor to answer", START, answers).await.with_context(|| self.log())?;
        Ok(())
    }

    /// The process id of the supervisor.
    #[must_use]
    pub fn supervisor_pid(&self) -> Option<Pid> {
        let id = self.supervisor.as_ref()?.id()?;
        i32::try_from(id).ok().map(Pid::from_raw)
    }

    /// Kills the supervisor as a power cut would.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill_supervisor(&mut self) -> Result<()> {
        let mut child = self.supervisor.take().context("the supervisor does not run")?;
        child.start_kill()?;
        child.wait().await?;
        Ok(())
    }

    /// Waits until the supervisor has ended by itself.
    ///
    /// # Errors
    /// When it goes on.
    pub async fn wait_for_end(&mut self) -> Result<()> {
        let mut child = self.supervisor.take().context("the supervisor does not run")?;
        tokio::time::timeout(START, child.wait()).await.with_context(|| self.log())??;
        Ok(())
    }

    /// Writes the settings of the laboratory, also where they were removed.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write_settings(&self) -> Result<()> {
        std::fs::create_dir_all(self.dir.path().join("etc"))?;
        Ok(std::fs::write(self.settings_file(), self.settings.encode()?)?)
    }

    /// The process id of this laboratory's Asterisk.
    #[must_use]
    pub fn asterisk_pid(&self) -> Option<Pid> {
        let marker = self.dir.path().join("run/asterisk/asterisk.conf");
        let marker = marker.to_string_lossy();
        std::fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).find_map(
            |pid: i32| {
                let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
                let command = String::from_utf8_lossy(&command);
                (command.contains("-C\0") && command.contains(marker.as_ref())).then(|| Pid::from_raw(pid))
            },
        )
    }

    /// What Asterisk's console answers.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn console(&self, command: &str) -> Result<String> {
        let asked = Command::new(asterisk()?.join("run-asterisk"))
            .arg("-C")
            .arg(self.dir.path().join("run/asterisk/asterisk.conf"))
            .args(["-rx", command])
            .output();
        Ok(String::from_utf8_lossy(&asked.await?.stdout).into_owned())
    }

    /// As [`House::assert_private`], and Asterisk's own logs tell nothing either.
    ///
    /// # Panics
    /// When one does.
    pub fn assert_private<S: AsRef<str>>(&self, secrets: &[S]) {
        self.house.assert_private(secrets);
        let run = self.dir.path().join("run");
        for file in [run.join("log/messages.log"), run.join("asterisk.log")] {
            let log = std::fs::read(&file);
            assert!(log.is_ok(), "there is no {}", file.display());
            let log = String::from_utf8_lossy(&log.unwrap_or_default()).into_owned();
            for secret in secrets {
                let line = log.lines().find(|line| tells(line, secret.as_ref()));
                let (secret, file) = (secret.as_ref(), file.display());
                assert!(line.is_none(), "{file} tells `{secret}`: {}", line.unwrap_or_default());
            }
        }
    }

    /// Kills Asterisk.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_asterisk(&self) -> Result<Pid> {
        let pid = self.asterisk_pid().context("Asterisk does not run")?;
        kill(pid, Signal::SIGKILL)?;
        Ok(pid)
    }

    /// Open files and resident memory in KiB of the supervisor.
    ///
    /// # Errors
    /// When it does not run.
    pub fn footprint(&self) -> Result<(usize, u64)> {
        let pid = self.supervisor_pid().context("the supervisor does not run")?;
        let files = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).context("VmRSS")?;
        Ok((files, resident))
    }

    /// A phone of the household, registered.
    ///
    /// # Errors
    /// When it does not register.
    pub async fn phone(&self, extension: &str, speaks_hz: u32, answers: bool) -> Result<Baresip> {
        let secrets = Secrets::parse(&std::fs::read_to_string(self.dir.path().join("etc/secrets.toml"))?)?;
        let secret = secrets.extensions.iter().find(|(number, _)| number.as_str() == extension);
        let (_, secret) = secret.with_context(|| format!("no extension {extension}"))?;
        let account = Account {
            user: extension.to_owned(),
            password: secret.sip_password.expose().to_owned(),
            registrar: SocketAddr::from((Ipv4Addr::LOCALHOST, self.settings.sip.udp_port)),
            speaks_hz,
            answers,
        };
        Baresip::start(&account, free_span()?).await
    }
}

impl Deref for Lab {
    type Target = House;

    fn deref(&self) -> &House {
        &self.house
    }
}

impl DerefMut for Lab {
    fn deref_mut(&mut self) -> &mut House {
        &mut self.house
    }
}

impl Drop for Lab {
    #[expect(clippy::print_stderr, reason = "whoever looks at a failure wants to know where the log is")]
    fn drop(&mut self) {
        // Asterisk outlives its supervisor on purpose; it must not outlive the laboratory.
        if let Some(mut child) = self.supervisor.take() {
            child.start_kill().unwrap_or_default();
        }
        if let Some(pid) = self.asterisk_pid() {
            kill(pid, Signal::SIGKILL).unwrap_or_default();
        }
        if std::thread::panicking() {
            let kept = std::env::temp_dir().join(format!("homenichat-failed-{}.log", std::process::id()));
            std::fs::write(&kept, self.log()).unwrap_or_default();
            std::fs::copy(self.database(), kept.with_extension("db")).unwrap_or_default();
            std::fs::copy(self.database().with_extension("db-wal"), kept.with_extension("db-wal")).unwrap_or_default();
            eprintln!("the supervisor's log is in {}", kept.display());
        }
    }
}

/// Settings of a box on a laptop whose ports are free, so that several run side by side.
///
/// # Errors
/// When no port is free.
pub fn laboratory_settings() -> Result<Settings> {
    let mut settings = Settings::for_laptop();
    settings.http.listen.set_port(free_tcp_port()?);
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let (listen, redirect) = (local(free_tcp_port()?), Some(local(free_tcp_port()?)));
    settings.https = Some(Https { listen, redirect });
    settings.sip.udp_port = free_udp_port()?;
    settings.asterisk.http_port = free_tcp_port()?;
    settings.asterisk.manager_port = free_tcp_port()?;
    settings.asterisk.audiosocket_port = free_tcp_port()?;
    settings.rtp.first_port = free_span()?;
    settings.rtp.last_port = settings.rtp.first_port + 99;
    settings.voicemail.greeting = settings::Greeting::Beep;
    (settings.sms.burst, settings.sms.interval_ms) = (1000, 10);
    Ok(settings)
}

fn free_tcp_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn free_udp_port() -> Result<u16> {
    Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// The first of a hundred ports that lie between those of a box in a virtual machine and those that the kernel hands
/// out, different for every caller.
///
/// # Errors
/// When all are taken.
pub fn free_span() -> Result<u16> {
    let lock_dir = std::env::temp_dir();
    for first in (10_200..30_000_u16).step_by(100) {
        let lock = lock_dir.join(format!("homenichat-ports-{first}"));
        let owner = std::fs::read_to_string(&lock).ok().and_then(|pid| pid.trim().parse::<i32>().ok());
        if owner.is_some_and(|pid| Path::new(&format!("/proc/{pid}")).exists()) {
            continue;
        }
        if owner.is_some() {
            std::fs::remove_file(&lock).unwrap_or_default();
        }
        let taken = std::fs::File::options().write(true).create_new(true).open(&lock);
        if let Ok(mut file) = taken
            && UdpSocket::bind((Ipv4Addr::LOCALHOST, first)).is_ok()
        {
            std::io::Write::write_all(&mut file, std::process::id().to_string().as_bytes())?;
            return Ok(first);
        }
    }
    anyhow::bail!("no free ports between 10200 and 30000")
}

/// A program of this workspace, built beside this one.
///
/// # Errors
/// When it has not been built.
pub fn program(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let mut dirs = here.ancestors().skip(1).take(3);
    let found = dirs.find_map(|dir| Some(dir.join(name)).filter(|path| path.is_file()));
    found.with_context(|| format!("{name} is not built: run `cargo build --workspace --bins` first"))
}

/// The unpacked Asterisk.
///
/// # Errors
/// When it is not there.
pub fn asterisk() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cache = std::env::var_os("HOMENICHAT_CACHE").map_or_else(|| root.join(".cache"), PathBuf::from);
    let current = cache.join("asterisk/current");
    ensure!(current.join("run-asterisk").exists(), "Asterisk is not unpacked: run scripts/provision-asterisk first");
    Ok(current)
}
