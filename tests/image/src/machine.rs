//! A virtual machine that runs the image.

use crate::monitor;
use crate::phone::Relay;
use crate::shell::Shell;
use anyhow::{Context, Result, bail, ensure};
use laptop_tests::baresip::{Account, Baresip};
use laptop_tests::browser::{Browser, curl};
use laptop_tests::clock::{now, wait_for};
use laptop_tests::house::House;
use laptop_tests::http::Api;
use laptop_tests::lab::free_span;
use modem_sim::runner::{Config, Sim};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Prints what is another one after every start.
const BOOT_ID: &str = "cat /proc/sys/kernel/random/boot_id";
/// From the start of QEMU to the page, under emulation on a busy machine.
const BOOT: Duration = Duration::from_secs(180);
/// Words for the kernel's command line that make the box say more, so that a start that stops tells where.
const SPEAKS: &str = "loglevel=5 systemd.journald.forward_to_console=1";
/// Whatever else has to happen.
const PATIENCE: Duration = Duration::from_secs(120);

/// A box made of the image, a disk of its own, and modems on its USB ports.
pub struct Machine {
    house: House,
    dir: TempDir,
    address: Ipv4Addr,
    vm: Option<Child>,
    shell: Option<Shell>,
    options: Vec<String>,
    /// What the box said before its power was cut.
    said_before: String,
    /// Whether what programs of the box say stays in its memory, where it costs nothing.
    pub is_quiet: bool,
}

impl Machine {
    /// Makes a machine with a new disk, and leaves it off.
    ///
    /// # Errors
    /// When the modems or the folder cannot be made.
    pub async fn prepare(options: &[&str]) -> Result<Self> {
        Self::prepare_with(options, |_| {}).await
    }

    /// As [`prepare`](Self::prepare), with changes to the modems.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub async fn prepare_with(options: &[&str], modems: impl FnOnce(&mut Config)) -> Result<Self> {
        image()?;
        let dir = tempfile::Builder::new().prefix("vm").tempdir()?;
        let address = own_address();
        let mut config = Config::with_both_personalities(dir.path().join("sim"));
        config.usbredir = Some(dir.path().join("usb"));
        modems(&mut config);
        let sim = Arc::new(Sim::start(config).await.context("starting the simulated modems")?);
        let api = Api::new(SocketAddr::from((address, 8443)));
        let log_file = dir.path().join("state/serial.log");
        let house = House { sim, api, log_file, patience: PATIENCE };
        let options = options.iter().map(|&option| option.to_owned()).collect();
        Ok(Self { house, dir, address, vm: None, shell: None, options, said_before: String::new(), is_quiet: false })
    }

    /// Switches the machine on and waits until its page answers; returns how long that took.
    ///
    /// # Errors
    /// With what the box said, when it does not.
    pub async fn boot(&mut self) -> Result<Duration> {
        let began = now();
        self.switch_on()?;
        self.wait_for_page(began).await
    }

    /// Switches the machine on.
    ///
    /// # Errors
    /// When it runs already, or QEMU cannot be started.
    pub fn switch_on(&mut self) -> Result<()> {
        ensure!(self.vm.is_none(), "the machine runs already");
        self.shell = None;
        let log = std::fs::File::create(self.dir.path().join("vm.log"))?;
        let mut command = Command::new(root().join("scripts/vm"));
        command.args(["--bare", "--shell", "--address", &self.address.to_string()]);
        command.arg("--state").arg(self.state());
        if !self.is_quiet {
            command.args(["--append", SPEAKS]);
        }
        for modem in ["1-2", "1-3"] {
            command.arg("--modem").arg(self.dir.path().join("usb").join(format!("{modem}.sock")));
        }
        let vm = command
            .args(&self.options)
            .current_dir(root())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn();
        self.vm = Some(vm.context("starting scripts/vm")?);
        Ok(())
    }

    /// Waits until the page answers; returns the time since `began`.
    ///
    /// # Errors
    /// With what the box said, when it does not.
    pub async fn wait_for_page(&mut self, began: Instant) -> Result<Duration> {
        let authority = loop {
            if began.elapsed() > BOOT {
                bail!("waited {BOOT:?} in vain for the page: {}\n{}", self.said(), self.state_of_machine().await);
            }
            if let Some(ended) = self.vm.as_mut().context("the machine is off")?.try_wait()? {
                bail!("the machine went off ({ended}): {}", self.said());
            }
            // A connection that QEMU took before the box had an address is never answered.
            let authority = curl(&["--max-time", "1.5", &format!("http://{}/authority.crt", self.plain())]).await;
            match authority.ok().filter(|authority| authority.status == 200) {
                Some(authority) => break authority.body,
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        let token = self.house.api.token.take();
        self.house.api = Api::trusting(SocketAddr::from((self.address, 8443)), authority.as_bytes())?;
        self.house.api.token = token;
        let answers = || async { self.api.get("/livez").await.ok().filter(|(status, _)| status.is_success()) };
        if let Err(error) = wait_for("the page over TLS", BOOT, answers).await {
            bail!("{error}: {}\n{}", self.said(), self.state_of_machine().await);
        }
        Ok(began.elapsed())
    }

    /// Takes the power away.
    ///
    /// # Errors
    /// When it is off.
    pub async fn cut_power(&mut self) -> Result<()> {
        self.shell = None;
        let mut vm = self.vm.take().context("the machine is off")?;
        let pid = std::fs::read_to_string(self.state().join("qemu.pid"))?;
        kill(Pid::from_raw(pid.trim().parse()?), Signal::SIGKILL).context("ending QEMU")?;
        tokio::time::timeout(Duration::from_secs(20), vm.wait()).await.context("scripts/vm goes on")??;
        self.said_before.push_str(&self.log());
        Ok(())
    }

    /// Restarts the box in good order, and waits until its page answers again.
    ///
    /// # Errors
    /// With what the box said, when it does not.
    pub async fn restart(&mut self) -> Result<Duration> {
        let before = self.shell().await?.run(BOOT_ID).await?;
        self.shell().await?.go_down("reboot").await?;
        self.come_back(&before).await
    }

    /// Makes the kernel panic, and waits until the page answers again.
    ///
    /// # Errors
    /// With what the box said, when it does not.
    pub async fn crash(&mut self) -> Result<Duration> {
        let before = self.shell().await?.run(BOOT_ID).await?;
        self.shell().await?.run("( sleep 1; echo c >/proc/sysrq-trigger ) >/dev/null &").await?;
        self.come_back(&before).await
    }

    async fn come_back(&mut self, before: &str) -> Result<Duration> {
        let began = now();
        loop {
            ensure!(began.elapsed() < BOOT, "the box does not restart: {}", self.said());
            self.shell = None;
            let shell = Shell::connect(&self.state().join("shell.sock"), BOOT).await;
            self.shell = Some(shell.with_context(|| self.said())?);
            // The shell of before may be gone before it answers this.
            let id = tokio::time::timeout(Duration::from_secs(10), self.shell().await?.run(BOOT_ID)).await;
            if id.is_ok_and(|id| id.is_ok_and(|id| id != before)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        self.wait_for_page(began).await
    }

    /// The shell on the serial port.
    ///
    /// # Errors
    /// When there is none.
    pub async fn shell(&mut self) -> Result<&mut Shell> {
        if self.shell.is_none() {
            self.shell = Some(Shell::connect(&self.state().join("shell.sock"), BOOT).await?);
        }
        self.shell.as_mut().context("no shell")
    }

    /// Waits until the console shows all of this.
    ///
    /// # Errors
    /// With what it shows.
    pub async fn wait_for_screen(&mut self, want: &[&str]) -> Result<()> {
        let began = now();
        loop {
            let screen = self.shell().await?.run("cat /dev/vcs1").await?;
            if want.iter().all(|text| screen.contains(text)) {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "the console shows `{}`", screen.trim());
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Bytes of the disk that the machine has written so far.
    ///
    /// # Errors
    /// When there is no disk yet.
    pub fn written(&self) -> Result<u64> {
        Ok(std::fs::metadata(self.state().join("disk")).context("no disk yet")?.len())
    }

    /// Switches the box off in good order.
    ///
    /// # Errors
    /// When it goes on.
    pub async fn switch_off(&mut self) -> Result<()> {
        self.shell().await?.go_down("poweroff").await?;
        self.shell = None;
        let mut vm = self.vm.take().context("the machine is off")?;
        tokio::time::timeout(PATIENCE, vm.wait()).await.with_context(|| self.said())??;
        Ok(())
    }

    /// How long the kernel has been running.
    ///
    /// # Errors
    /// When the shell does not answer.
    pub async fn uptime(&mut self) -> Result<Duration> {
        let uptime = self.shell().await?.run("cut -d ' ' -f 1 /proc/uptime").await?;
        Ok(Duration::from_secs_f64(uptime.trim().parse()?))
    }

    /// Switches the box off in good order, and returns its database, read by tools that are not ours.
    ///
    /// # Errors
    /// When it does not end, or the disk is not as it should be.
    pub async fn switch_off_and_take_database(&mut self) -> Result<PathBuf> {
        self.switch_off().await?;
        let (disk, raw) = (self.state().join("disk"), self.dir.path().join("raw"));
        tool("qemu-img", &["convert", "-O", "raw", text(&disk)?, text(&raw)?]).await?;
        let table = tool("sfdisk", &["--dump", text(&raw)?]).await?;
        let data = table.lines().find(|line| line.contains("name=\"data\"")).context("no data partition")?;
        let start = data.split_once("start=").and_then(|(_, rest)| rest.split(',').next()).context("no start")?;
        let place = format!("{}?offset={}", text(&raw)?, start.trim().parse::<u64>()? * 512);
        let checked = tool("e2fsck", &["-f", "-n", &place]).await?;
        ensure!(!checked.contains("ERROR"), "{checked}");
        let database = self.dir.path().join("taken.db");
        tool("debugfs", &["-R", &format!("dump /state/homenichat.db {}", text(&database)?), &place]).await?;
        ensure!(std::fs::metadata(&database)?.len() > 0, "the database is empty");
        Ok(database)
    }

    /// A browser that trusts this box.
    ///
    /// # Errors
    /// When the box does not hand out its certificate.
    pub async fn browser(&self, name: &str) -> Result<Browser> {
        Browser::visit(SocketAddr::from((self.address, 8443)), self.plain(), &self.dir.path().join(name)).await
    }

    /// The plain port.
    #[must_use]
    pub fn plain(&self) -> SocketAddr {
        SocketAddr::from((self.address, 8080))
    }

    /// A phone of the household, registered by what the box says of its account.
    ///
    /// # Errors
    /// When it does not register.
    pub async fn phone(&self, extension: &str, speaks_hz: u32, answers: bool) -> Result<(Baresip, Relay)> {
        let phones = self.api.read("/api/voip/extensions").await?;
        let phones = phones.get("extensions").and_then(|list| list.as_array()).context("extensions")?;
        let phone = phones.iter().find(|phone| phone.get("extension").and_then(|e| e.as_str()) == Some(extension));
        let phone = phone.with_context(|| format!("no extension {extension}"))?;
        let password = phone.get("password").and_then(|password| password.as_str()).context("password")?;
        let relay = Relay::start(self.address).await?;
        let account = Account {
            user: extension.to_owned(),
            password: password.to_owned(),
            registrar: relay.address(),
            speaks_hz,
            answers,
        };
        Ok((Baresip::start(&account, free_span()?).await?, relay))
    }

    /// The folder with the disk and the logs.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// The folder of this machine.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The end of what `scripts/vm` and the box said.
    fn said(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default();
        let vm = read("vm.log") + &read("state/qemu.log");
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines.get(lines.len().saturating_sub(200)..).unwrap_or_default().join("\n");
        format!("{vm}\n{end}")
    }

    async fn state_of_machine(&self) -> String {
        monitor::describe(&self.state().join("monitor.sock")).await
    }
}

impl Deref for Machine {
    type Target = House;

    fn deref(&self) -> &House {
        &self.house
    }
}

impl DerefMut for Machine {
    fn deref_mut(&mut self) -> &mut House {
        &mut self.house
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if self.vm.is_some()
            && let Ok(pid) = std::fs::read_to_string(self.state().join("qemu.pid"))
            && let Ok(pid) = pid.trim().parse()
        {
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap_or_default();
        }
        if std::thread::panicking() {
            let kept = std::env::temp_dir().join(format!("homenichat-vm-{}.log", std::process::id()));
            std::fs::write(&kept, format!("{}{}", self.said_before, self.log())).unwrap_or_default();
            eprintln!("what the box said is in {}", kept.display());
        }
    }
}

/// Runs a tool that has to succeed.
pub(crate) async fn tool(name: &str, arguments: &[&str]) -> Result<String> {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(name).args(arguments).env("PATH", path).output().await;
    let output = output.with_context(|| format!("starting {name} (scripts/setup image installs it)"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&output.stderr));
    Ok(said)
}

pub(crate) fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path is not UTF-8")
}

/// The top of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where `scripts/image` leaves what it makes on the way.
#[must_use]
pub fn work() -> PathBuf {
    let cache = std::env::var_os("HOMENICHAT_CACHE").map_or_else(|| root().join(".cache"), PathBuf::from);
    cache.join("image/x86_64")
}

/// The image, which has to be there.
///
/// # Errors
/// When it is not.
pub fn image() -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let image = target.join("image/homenichat-x86_64.img");
    if !image.is_file() {
        bail!("there is no {}: run `scripts/image` first", image.display());
    }
    Ok(image)
}

/// An address of this machine alone, other than that of every other process.
fn own_address() -> Ipv4Addr {
    static MACHINES: AtomicU8 = AtomicU8::new(77);
    let [.., high, low] = std::process::id().to_be_bytes();
    // Neither 0 nor 255 at the end.
    Ipv4Addr::new(127, MACHINES.fetch_add(1, Ordering::Relaxed), high, low.clamp(1, 254))
}
