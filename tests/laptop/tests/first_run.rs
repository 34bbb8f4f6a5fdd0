//! What a new user does: the first command of the README, and then everything that it says to try.
#![expect(clippy::unwrap_used, reason = "a story fails by panicking")]

use anyhow::{Context, Result};
use laptop_tests::clock::wait_for;
use laptop_tests::house::OWNER;
use laptop_tests::lab::laboratory_settings;
use laptop_tests::typing;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// The programs are built already; a machine that does much else takes its time all the same.
const START: Duration = Duration::from_secs(180);
const MOMENT: Duration = Duration::from_secs(40);

/// `scripts/run` in a folder of its own.
struct Run {
    /// Relative to the repository.
    state: String,
    child: Child,
}

impl Run {
    fn start() -> Result<Self> {
        let state = format!("target/tmp/run-{}", std::process::id());
        let settings = laboratory_settings()?;
        fs::create_dir_all(root().join(&state).join("config"))?;
        fs::write(root().join(&state).join("config/settings.toml"), settings.encode()?)?;
        let said = fs::File::create(root().join(&state).join("said"))?;
        let child = Command::new(root().join("scripts/run"))
            .env("HOMENICHAT_RUN", &state)
            .env("HOMENICHAT_HTTP", settings.http.listen.to_string())
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()
            .context("starting scripts/run")?;
        Ok(Self { state, child })
    }

    fn said(&self) -> String {
        fs::read_to_string(root().join(&self.state).join("said")).unwrap_or_default()
    }

    async fn wait_until_it_says(&self, text: &str, deadline: Duration) -> Result<()> {
        wait_for(text, deadline, || async { self.said().contains(text).then_some(()) })
            .await
            .with_context(|| self.said())
    }

    /// The command that it prints with `part` in it, typed as it stands, with `typed` as what is typed then.
    async fn try_out(&self, part: &str, typed: &str) -> Result<String> {
        let said = self.said();
        let programs = ["/homenichat ", "/modem-sim "];
        let is_it = |line: &&str| {
            line.starts_with("    ") && line.contains(part) && programs.iter().any(|program| line.contains(program))
        };
        let command = said.lines().find(is_it).with_context(|| format!("it does not say to try `{part}`: {said}"))?;
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command.trim()).current_dir(root());
        // Whoever runs this is signed in at a box of their own.
        shell.env("HOMENICHAT_TOKEN_FILE", root().join(&self.state).join("token"));
        typing::run(&mut shell, typed).await.with_context(|| command.to_owned())
    }

    async fn wait_until_shown(&self, part: &str, text: &str) -> Result<()> {
        let is_shown = || async { self.try_out(part, "").await.ok()?.contains(text).then_some(()) };
        wait_for(text, MOMENT, is_shown).await.with_context(|| self.said())
    }

    /// Processes that run on its files.
    fn processes(&self) -> Vec<i32> {
        let is_its = |pid: &i32| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&command).contains(&self.state)
        };
        let all = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        all.filter(is_its).collect()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // It would go on, with other ports.
        self.child.start_kill().unwrap_or_default();
        for pid in self.processes() {
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap_or_default();
        }
        fs::remove_dir_all(root().join(&self.state)).unwrap_or_default();
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_command_starts_a_box_and_everything_that_it_says_to_try_works() {
    let mut run = Run::start().unwrap();
    run.wait_until_it_says("--renumber", START).await.unwrap();
    run.try_out("setup me", &format!("{}\n", OWNER.1)).await.unwrap();
    run.wait_until_shown(" status", "asterisk").await.unwrap();
    run.wait_until_shown(" status", "the modem answered and is registered").await.unwrap();
    run.try_out(" sms --to", "").await.unwrap();
    run.try_out(" call --to", "").await.unwrap();
    run.try_out(" send +33698765432", "").await.unwrap();
    run.wait_until_shown(" sent", "Hello from the box").await.unwrap();
    run.try_out(" unplug", "").await.unwrap();
    run.try_out(" plug ", "").await.unwrap();

    let pid = fs::read_to_string(root().join(&run.state).join("homenichatd.pid")).unwrap();
    kill(Pid::from_raw(pid.trim().parse().unwrap()), Signal::SIGKILL).unwrap();
    run.wait_until_it_says("starting it again", MOMENT).await.unwrap();
    run.wait_until_shown(" status", "the modem answered and is registered").await.unwrap();

    let script = Pid::from_raw(run.child.id().unwrap().try_into().unwrap());
    kill(script, Signal::SIGINT).unwrap();
    let status = tokio::time::timeout(MOMENT, run.child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(130), "{}", run.said());
    assert!(run.processes().is_empty(), "{:?} are left", run.processes());
}
