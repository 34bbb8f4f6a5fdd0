//! A box whose supervisor is started the way that is measured.

use crate::transcript::Origin;
use anyhow::{Context, Result, ensure};
use laptop_tests::clock::{now, wait_for};
use laptop_tests::lab::{EC25, Lab, asterisk, program};
use modem_sim::runner::Config;
use serde_json::{Value, json};
use settings::{Secrets, Settings};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Whatever a box does at the start is over by then.
const START: Duration = Duration::from_secs(40);
const RETRY: Duration = Duration::from_millis(1);

/// A laboratory and the supervisor in it.
pub(crate) struct Stand {
    pub(crate) lab: Lab,
    supervisor: Option<Child>,
}

/// A SIP account of the box.
#[derive(Debug, Clone)]
pub(crate) struct SipAccount {
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) registrar: SocketAddr,
}

impl Stand {
    /// Modems are plugged in; the supervisor does not run yet.
    pub(crate) async fn prepare(modems: impl FnOnce(&mut Config), change: impl FnOnce(&mut Settings)) -> Result<Self> {
        let lab = Lab::prepare(modems, change).await?;
        Ok(Self { lab, supervisor: None })
    }

    /// The box runs, has an owner, and every line is ready.
    pub(crate) async fn start(modems: impl FnOnce(&mut Config), change: impl FnOnce(&mut Settings)) -> Result<Self> {
        let mut stand = Self::prepare(modems, change).await?;
        stand.start_supervisor().await?;
        stand.create_owner().await?;
        stand.lab.wait_for_lines(stand.lab.sim.status().await?.len()).await?;
        Ok(stand)
    }

    /// Starts the supervisor; returns how long it took to answer its first request.
    pub(crate) async fn start_supervisor(&mut self) -> Result<Duration> {
        let log = File::options().append(true).create(true).open(self.lab.dir().join("homenichatd.log"))?;
        let below = |name: &str| self.lab.dir().join(name);
        let mut command = Command::new(program("homenichatd")?);
        command.arg("--state").arg(below("state")).arg("--run-dir").arg(below("run")).arg("--config").arg(below("etc"));
        command.arg("--device-root").arg(self.lab.sim.root());
        command.arg("--events").arg(format!("unix:{}", below("uevents").display()));
        command.arg("--asterisk").arg(asterisk()?).env("HOMENICHAT_LOG", "info").env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let begin = now();
        self.supervisor = Some(command.spawn().context("starting homenichatd")?);
        self.wait_for_answer(begin).await
    }

    async fn wait_for_answer(&self, begin: Instant) -> Result<Duration> {
        loop {
            // Until it listens, a connection is refused at once.
            if TcpStream::connect(self.lab.api.address).await.is_ok()
                && self.lab.api.get("/livez").await.is_ok_and(|(status, _)| status.is_success())
            {
                return Ok(begin.elapsed());
            }
            ensure!(begin.elapsed() < START, "the supervisor does not answer: {}", self.lab.log());
            tokio::time::sleep(RETRY).await;
        }
    }

    pub(crate) async fn kill_supervisor(&mut self) -> Result<()> {
        let mut child = self.supervisor.take().context("the supervisor does not run")?;
        child.start_kill()?;
        child.wait().await?;
        Ok(())
    }

    pub(crate) async fn create_owner(&mut self) -> Result<()> {
        let owner = json!({"username": "owner", "password": "blaue Katze"});
        let (status, answer) = self.lab.api.post("/api/setup/owner", owner).await?;
        ensure!(status.as_u16() == 201, "creating the owner answered {status}: {answer}");
        self.lab.api.token = answer.get("token").and_then(Value::as_str).map(str::to_owned);
        Ok(())
    }

    /// Asterisk runs on files that know every line.
    pub(crate) async fn wait_for_exchange(&self) -> Result<()> {
        self.lab.wait_for_asterisk().await?;
        let is_told = || async { self.lab.log().contains("Asterisk's files were brought up to date").then_some(()) };
        wait_for("the dialplan to know the lines", START, is_told).await.with_context(|| self.lab.log())
    }

    /// Where the clock of the modems began.
    pub(crate) async fn origin(&self) -> Result<Origin> {
        Origin::find(&self.lab.sim, EC25).await
    }

    pub(crate) fn account(&self, extension: &str) -> Result<SipAccount> {
        let secrets = Secrets::parse(&std::fs::read_to_string(self.lab.dir().join("etc/secrets.toml"))?)?;
        let secret = secrets.extensions.iter().find(|(number, _)| number.as_str() == extension);
        let (_, secret) = secret.with_context(|| format!("no extension {extension}"))?;
        Ok(SipAccount {
            user: extension.to_owned(),
            password: secret.sip_password.expose().to_owned(),
            registrar: SocketAddr::from((Ipv4Addr::LOCALHOST, self.lab.settings().sip.udp_port)),
        })
    }

    /// The process ids of the supervisor and of Asterisk.
    pub(crate) fn processes(&self) -> Result<[(&'static str, u32); 2]> {
        let supervisor = self.supervisor.as_ref().and_then(Child::id).context("the supervisor does not run")?;
        let asterisk = self.lab.asterisk_pid().context("Asterisk does not run")?;
        Ok([("supervisor", supervisor), ("Asterisk", u32::try_from(asterisk.as_raw())?)])
    }
}
