//! The kernel and the root file system of the image with a first program that does nothing: what a start costs anyway.

use crate::machine::{root, text, tool, work};
use anyhow::{Context, Result};
use laptop_tests::clock::wait_for;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

const PATIENCE: Duration = Duration::from_secs(120);
/// What the real one ends with.
const HANDS_OVER: &str = "exec switch_root /root /sbin/init";
/// What this one ends with.
const SAYS_SO: &str = "exec switch_root /root /usr/bin/busybox sh -c \
    'read -r up rest </proc/uptime; echo \"empty init at $up\" >/dev/ttyS0; while :; do sleep 60; done'";

/// Boots it on a new disk twice and returns when the empty init was reached on the second start, from the kernel's.
///
/// # Errors
/// When it does not get there.
pub async fn boot() -> Result<Duration> {
    let dir = tempfile::Builder::new().prefix("vm").tempdir()?;
    let init = std::fs::read_to_string(root().join("board/common/initramfs/init"))?;
    anyhow::ensure!(init.contains(HANDS_OVER), "the init of the initramfs does not end with `{HANDS_OVER}`");
    let tree = dir.path().join("tree");
    std::fs::create_dir(&tree)?;
    std::fs::write(tree.join("empty-init"), init.replace(HANDS_OVER, SAYS_SO))?;
    let initrd = dir.path().join("initrd");
    // The kernel takes one archive after the other, each compressed or not.
    let pack = format!(
        "cd {} && chmod 755 empty-init && echo empty-init | cpio --quiet -o -H newc --owner=0:0 | cat - {} >{}",
        text(&tree)?,
        text(&work().join("initramfs").canonicalize()?)?,
        text(&initrd)?
    );
    tool("sh", &["-c", &pack]).await?;
    let mut reached = Duration::ZERO;
    for _ in 0..2 {
        let state = dir.path().join("state");
        let mut vm = Command::new(root().join("scripts/vm"))
            .args(["--bare", "--append", "rdinit=/empty-init", "--state", text(&state)?, "--initrd", text(&initrd)?])
            .current_dir(root())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting scripts/vm")?;
        let log = state.join("serial.log");
        let said = || async {
            let log = std::fs::read_to_string(&log).ok()?;
            log.split_once("empty init at ")?.1.lines().next()?.trim().parse::<f64>().ok()
        };
        let said = wait_for("the empty init", PATIENCE, said).await;
        // TERM, because scripts/vm ends its QEMU then.
        let pid = vm.id().context("scripts/vm has ended")?;
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(pid)?), nix::sys::signal::Signal::SIGTERM)?;
        tokio::time::timeout(Duration::from_secs(20), vm.wait()).await.context("scripts/vm goes on")??;
        std::fs::remove_file(&log)?;
        reached = Duration::from_secs_f64(said?);
    }
    Ok(reached)
}
