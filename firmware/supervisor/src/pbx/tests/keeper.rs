//! The keeper with a shell script in the place of Asterisk. Nothing answers on the REST interface.

use super::drivers::{credentials, fake_manager, next};
use crate::pbx::files::{self, Action};
use crate::pbx::process::Asterisk;
use crate::pbx::{Applied, Pbx, PbxConfig, PbxEvent, PbxHandle, Program};
use asterisk::ami::Login;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use settings::{OnChange, RenderedFile};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

#[tokio::test]
async fn a_killed_asterisk_is_started_again_and_counted() {
    let bench = Bench::new().await;
    let (pbx, mut events) = bench.spawn("a");
    assert!(matches!(next(&mut events).await, PbxEvent::Started { is_adopted: false }));
    let first = pbx.facts().pid.unwrap();
    kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
    assert!(matches!(next(&mut events).await, PbxEvent::Ended { unasked: Some(_) }));
    assert_eq!((pbx.facts().pid, pbx.facts().running_since), (None, None));
    assert!(matches!(next(&mut events).await, PbxEvent::Started { is_adopted: false }));
    assert_eq!(pbx.facts().restarts, 1);
    assert_ne!(pbx.facts().pid, Some(first));
    pbx.stop().await.unwrap();
    assert!(pbx.stop().await.is_err(), "it is gone");
    assert!(kill(Pid::from_raw(first), None).is_err());
}

#[tokio::test]
async fn a_new_supervisor_adopts_what_the_old_one_left_and_watches_it() {
    let bench = Bench::new().await;
    let (old, mut events) = bench.spawn("a");
    assert!(matches!(next(&mut events).await, PbxEvent::Started { is_adopted: false }));
    let pid = old.facts().pid.unwrap();
    drop((old, events));
    let (new, mut events) = bench.spawn("a");
    assert!(matches!(next(&mut events).await, PbxEvent::Started { is_adopted: true }));
    assert_eq!((new.facts().pid, new.facts().is_adopted), (Some(pid), true));
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    assert!(matches!(next(&mut events).await, PbxEvent::Ended { unasked: Some(_) }));
    assert!(matches!(next(&mut events).await, PbxEvent::Started { is_adopted: false }));
    new.stop().await.unwrap();
}

#[tokio::test]
async fn a_change_reloads_its_module_or_waits_until_no_call_is_up() {
    let mut bench = Bench::new().await;
    let (pbx, mut events) = bench.spawn("a");
    assert!(matches!(next(&mut events).await, PbxEvent::Started { .. }));
    let pid = pbx.facts().pid;
    let applied = pbx.apply(files_with("b", "1")).await.unwrap();
    assert_eq!(applied.changed, ["pjsip.conf".into()] as [std::path::PathBuf; 1]);
    assert!(applied.is_pending, "the manager interface does not answer yet");
    bench.start_manager();
    until(|| files::owed(&bench.etc).unwrap().is_empty()).await;
    let applied = pbx.apply(files_with("c", "1")).await.unwrap();
    assert_eq!((applied.reloaded.as_slice(), applied.is_pending), (["res_pjsip.so".to_owned()].as_slice(), false));
    assert_eq!(pbx.apply(files_with("c", "1")).await.unwrap(), Applied::default());

    bench.calls_up.store(1, Ordering::Relaxed);
    assert!(pbx.apply(files_with("c", "2")).await.unwrap().is_pending);
    until(|| pbx.facts().is_restart_pending).await;
    // Two looks of the keeper pass while the call is up.
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(pbx.facts().pid, pid);
    bench.calls_up.store(0, Ordering::Relaxed);
    loop {
        if let PbxEvent::Started { .. } = next(&mut events).await {
            break;
        }
    }
    assert_ne!(pbx.facts().pid, pid);
    assert_eq!((pbx.facts().restarts, pbx.facts().is_restart_pending), (0, false), "asked for, so not counted");
    assert_eq!(files::owed(&bench.etc).unwrap(), BTreeSet::new());
    pbx.stop().await.unwrap();
}

#[tokio::test]
async fn what_a_dead_supervisor_still_owed_is_done_by_the_next() {
    let mut bench = Bench::new().await;
    let (old, mut events) = bench.spawn("a");
    assert!(matches!(next(&mut events).await, PbxEvent::Started { .. }));
    drop((old, events));
    files::apply(&files_with("b", "1"), &bench.etc).unwrap();
    assert_eq!(files::owed(&bench.etc).unwrap(), BTreeSet::from([Action::Reload("res_pjsip.so".into())]));
    let (pbx, mut events) = bench.spawn("b");
    assert!(matches!(next(&mut events).await, PbxEvent::Started { is_adopted: true }));
    bench.start_manager();
    until(|| files::owed(&bench.etc).unwrap().is_empty()).await;
    pbx.stop().await.unwrap();
}

struct Bench {
    _dir: TempDir,
    etc: std::path::PathBuf,
    config: PbxConfig,
    calls_up: Arc<AtomicUsize>,
    manager: Option<TcpListener>,
}

impl Bench {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (etc, path) = (dir.path().join("etc"), dir.path().join("asterisk"));
        fs::write(&path, "#!/bin/sh\ntrap 'exit 0' TERM\nwhile :; do sleep 0.05; done\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let manager = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let calls_up = Arc::default();
        let config = PbxConfig {
            program: Program {
                path,
                configuration: etc.join("asterisk.conf"),
                log: dir.path().join("log/asterisk.log"),
            },
            files_dir: etc.clone(),
            ari: unused.local_addr().unwrap(),
            ari_credentials: credentials("right"),
            ami: manager.local_addr().unwrap(),
            ami_login: Login::new("homenichat", "s").unwrap(),
            calls_up: Arc::clone(&calls_up),
        };
        Self { _dir: dir, etc, config, calls_up, manager: Some(manager) }
    }

    fn start_manager(&mut self) {
        tokio::spawn(fake_manager(self.manager.take().expect("started once")));
    }

    fn spawn(&self, pjsip: &str) -> (PbxHandle, mpsc::Receiver<PbxEvent>) {
        let (sender, events) = mpsc::channel(64);
        let pbx = Pbx::spawn(self.config.clone(), &files_with(pjsip, "1"), sender).unwrap();
        let wanted = pbx.clone();
        tokio::spawn(async move { wanted.start().await.unwrap() });
        (pbx, events)
    }
}

/// The script outlives its supervisor, and so it would a test that failed.
impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(left) = Asterisk::adopt(&self.config.program) {
            kill(Pid::from_raw(left.pid()), Signal::SIGKILL).unwrap();
        }
    }
}

fn files_with(pjsip: &str, asterisk: &str) -> Vec<RenderedFile> {
    let file = |path: &'static str, contents: &str, on_change| RenderedFile {
        path,
        mode: 0o640,
        contents: contents.into(),
        on_change,
    };
    vec![
        file("pjsip.conf", pjsip, OnChange::Reload("res_pjsip.so")),
        file("asterisk.conf", asterisk, OnChange::Restart),
    ]
}

async fn until(mut condition: impl FnMut() -> bool) {
    let met = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(10), met).await.expect("the condition is met in time");
}
