//! The supervisor's side of Asterisk against the real one, unpacked by `scripts/provision-asterisk`.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

use asterisk::ami::Login;
use asterisk::ari::{Endpoint, Request};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use settings::{Extension, LineIds, Places, RenderedFile, Secrets, Settings, render};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use supervisor::pbx::process::Asterisk;
use supervisor::pbx::{Credentials, Pbx, PbxConfig, PbxEvent, PbxHandle, Program};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;

#[tokio::test]
async fn asterisk_is_started_adopted_restarted_after_a_kill_and_reloaded_without_a_restart() {
    let mut bench = Bench::new();
    let (pbx, mut events) = bench.spawn();
    assert!(!until_connected(&mut events).await, "nothing to adopt");
    let pid = pbx.facts().pid.expect("it runs");
    drop((pbx, events));

    let (pbx, mut events) = bench.spawn();
    assert!(until_connected(&mut events).await, "adopted");
    assert_eq!(pbx.facts().pid, Some(pid));
    assert!(pbx.facts().last_ari_proof.is_some());

    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    assert!(!until_connected(&mut events).await, "started, not adopted");
    let pid = pbx.facts().pid.expect("it runs again");
    assert_eq!(pbx.facts().restarts, 1);

    assert!(!endpoints(&pbx).await.contains(&"2009".to_owned()));
    bench.add_extension("2009");
    let applied = loop {
        let applied = pbx.apply(bench.rendered()).await.unwrap();
        // The manager interface may come up later than the other one.
        if !applied.is_pending {
            break applied;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(applied.refused, []);
    let found = async {
        while !endpoints(&pbx).await.contains(&"2009".to_owned()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, found).await.expect("the new extension is there");
    assert_eq!((pbx.facts().pid, pbx.facts().restarts), (Some(pid), 1), "the same process");

    pbx.stop().await.unwrap();
    assert_eq!(kill(Pid::from_raw(pid), None), Err(Errno::ESRCH));
}

#[tokio::test]
async fn a_restart_takes_place_when_nothing_is_up() {
    let bench = Bench::new();
    let (pbx, mut events) = bench.spawn();
    until_connected(&mut events).await;
    let pid = pbx.facts().pid;
    pbx.restart_when_idle().await.unwrap();
    until_connected(&mut events).await;
    assert_ne!(pbx.facts().pid, pid);
    assert_eq!(pbx.facts().restarts, 0);
    pbx.stop().await.unwrap();
}

/// Waits until events flow; returns whether the Asterisk that they come from was adopted.
async fn until_connected(events: &mut mpsc::Receiver<PbxEvent>) -> bool {
    let (mut adopted, mut is_connected) = (None, false);
    loop {
        match timeout(LONG, events.recv()).await.expect("an event in time").expect("the tasks run") {
            PbxEvent::Started { is_adopted } => adopted = Some(is_adopted),
            PbxEvent::Connected { channels, .. } => {
                assert!(channels.is_empty());
                is_connected = true;
            }
            PbxEvent::Ended { .. } => (adopted, is_connected) = (None, false),
            PbxEvent::Lost => is_connected = false,
            _ => {}
        }
        if let (Some(adopted), true) = (adopted, is_connected) {
            return adopted;
        }
    }
}

async fn endpoints(pbx: &PbxHandle) -> Vec<String> {
    let json = pbx.request(Request::list_endpoints()).await.unwrap();
    let endpoints: Vec<Endpoint> = serde_json::from_value(json).unwrap();
    endpoints.into_iter().map(|endpoint| endpoint.resource).collect()
}

struct Bench {
    dir: TempDir,
    tree: PathBuf,
    settings: Settings,
    secrets: Secrets,
}

impl Bench {
    fn new() -> Self {
        let cache = std::env::var_os("HOMENICHAT_CACHE").map_or_else(|| REPOSITORY_CACHE.into(), PathBuf::from);
        let tree =
            cache.join("asterisk/current").canonicalize().expect("no Asterisk: run scripts/provision-asterisk first");
        let mut settings = Settings::for_laptop();
        settings.asterisk.http_port = free_port();
        settings.asterisk.manager_port = free_port();
        settings.asterisk.audiosocket_port = free_port();
        settings.sip.udp_port = UdpSocket::bind(ANY_LOOPBACK).unwrap().local_addr().unwrap().port();
        let dir = tempfile::tempdir().unwrap();
        for name in ["state", "spool", "run", "log", "asterisk.d"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let mut bench = Self { dir, tree, settings, secrets: Secrets::default() };
        bench.ensure_secrets();
        bench
    }

    fn add_extension(&mut self, number: &str) {
        let template = self.settings.extensions.first().expect("a laptop has extensions").clone();
        self.settings.extensions.push(Extension { number: number.parse().unwrap(), ..template });
        self.ensure_secrets();
    }

    fn ensure_secrets(&mut self) {
        self.secrets.ensure(&self.settings, &mut |bytes: &mut [u8]| getrandom::fill(bytes).unwrap());
    }

    fn rendered(&self) -> Vec<RenderedFile> {
        let places = Places {
            modules: modules(&self.tree).to_str().unwrap().into(),
            data: self.tree.join("data").to_str().unwrap().into(),
            ..Places::under(self.dir.path().to_str().unwrap())
        };
        render(&self.settings, &self.secrets, &places, &LineIds::new()).unwrap()
    }

    fn program(&self) -> Program {
        Program {
            path: self.tree.join("run-asterisk"),
            configuration: self.dir.path().join("etc/asterisk.conf"),
            log: self.dir.path().join("log/printed.log"),
        }
    }

    fn spawn(&self) -> (PbxHandle, mpsc::Receiver<PbxEvent>) {
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let user = asterisk::dialplan::APP;
        let config = PbxConfig {
            program: self.program(),
            files_dir: self.dir.path().join("etc"),
            ari: at(self.settings.asterisk.http_port),
            ari_credentials: Credentials::new(user, self.secrets.ari_password.expose()).unwrap(),
            ami: at(self.settings.asterisk.manager_port),
            ami_login: Login::new(user, self.secrets.ami_password.expose()).unwrap(),
            calls_up: Arc::default(),
        };
        let (sender, events) = mpsc::channel(64);
        let pbx = Pbx::spawn(config, &self.rendered(), sender).unwrap();
        let wanted = pbx.clone();
        tokio::spawn(async move { wanted.start().await.unwrap() });
        (pbx, events)
    }
}

/// Asterisk outlives its supervisor, and so it would a test that failed.
impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(asterisk) = Asterisk::adopt(&self.program()) {
            kill(Pid::from_raw(asterisk.pid()), Signal::SIGKILL).unwrap();
        }
    }
}

fn modules(tree: &Path) -> PathBuf {
    let libraries = fs::read_dir(tree.join("tree/usr/lib")).unwrap();
    let mut candidates = libraries.map(|entry| entry.unwrap().path().join("asterisk/modules"));
    candidates.find(|path| path.is_dir()).expect("the tree holds modules")
}

fn free_port() -> u16 {
    TcpListener::bind(ANY_LOOPBACK).unwrap().local_addr().unwrap().port()
}

const REPOSITORY_CACHE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.cache");
const ANY_LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);
const LONG: Duration = Duration::from_secs(30);
