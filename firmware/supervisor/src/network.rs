//! The fixed address of the box: from its settings to systemd-networkd.
//!
//! This runs as root, apart from the supervisor, at the start of a box with a fixed address and whenever that changes.
//! What it reads was written by the supervisor, and is trusted no further than a parsed address.

use crate::chain::Chain;
use anyhow::{Context, Result, bail};
use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use settings::{Network, render_network};
use std::fs::{self, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use tracing::{info, warn};

/// Larger than any settings that a person writes.
const LARGEST_FILE: u64 = 1 << 20;

/// Brings `file` of systemd-networkd up to date with the `network` of the settings, and lets it read a change.
///
/// # Errors
/// What is wrong, for the log; then nothing has changed.
pub fn run(network: &Path, file: &Path) -> Result<()> {
    if !apply(network, file)? {
        return Ok(());
    }
    info!(file = %file.display(), "the network has other settings");
    // At the start of the box the network begins after this, and there is nothing to reload.
    let mut systemctl = Command::new("systemctl");
    systemctl.args(["--no-block", "try-reload-or-restart", "systemd-networkd.service"]);
    match systemctl.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("systemd-networkd was not told of its new settings: systemctl: {status}"),
        Err(error) => Err(error).context("systemd-networkd was not told of its new settings"),
    }
}

/// Writes or removes `file`; true when something changed.
fn apply(network: &Path, file: &Path) -> Result<bool> {
    let network = match read(network)? {
        Some(text) => Some(Network::parse(&text).with_context(|| format!("reading {}", network.display()))?),
        // The supervisor removes it when the address comes by DHCP.
        None => None,
    };
    let before = match fs::read_to_string(file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            warn!(file = %file.display(), error = %Chain(&error), "what the network had cannot be read");
            None
        }
    };
    let wanted = network.as_ref().map(render_network);
    if before == wanted {
        return Ok(false);
    }
    let change = || match &wanted {
        Some(text) => write(file, text),
        None => fs::remove_file(file),
    };
    change().with_context(|| format!("writing {}", file.display()))?;
    Ok(true)
}

fn read(file: &Path) -> Result<Option<String>> {
    let named = || format!("reading {}", file.display());
    // Neither what a link points to nor a pipe that nobody writes to.
    let opened = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(file);
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(named),
    };
    let metadata = opened.metadata().with_context(named)?;
    if !metadata.is_file() || metadata.len() > LARGEST_FILE {
        bail!("{} is no settings file: not a plain file, or larger than 1 MB", file.display());
    }
    let mut text = String::new();
    opened.take(LARGEST_FILE).read_to_string(&mut text).with_context(named)?;
    Ok(Some(text))
}

/// Whole or not at all, and readable by systemd-networkd, which has a user of its own.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let temporary = file.with_extension("new");
    let mut out = OpenOptions::new().write(true).create(true).truncate(true).open(&temporary)?;
    out.set_permissions(Permissions::from_mode(0o644))?;
    out.write_all(text.as_bytes())?;
    fs::rename(&temporary, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const FIXED: &str = "address = \"192.168.1.20/24\"\n";

    #[test]
    fn the_file_follows_the_settings_and_a_bad_address_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("network.toml"), directory.path().join("10-box.network"));
        assert!(!apply(&from, &to).unwrap() && !to.exists(), "DHCP");
        fs::write(&from, FIXED).unwrap();
        assert!(apply(&from, &to).unwrap() && !apply(&from, &to).unwrap());
        let rendered = fs::read_to_string(&to).unwrap();
        assert!(rendered.contains("Address=192.168.1.20/24\n"), "{rendered}");
        assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o644);

        fs::write(&from, FIXED.replace("20/24", "20/99")).unwrap();
        let error = format!("{:#}", apply(&from, &to).unwrap_err());
        assert!(error.contains("network.toml") && error.contains("192.168.1.20/24"), "{error}");
        assert_eq!(fs::read_to_string(&to).unwrap(), rendered, "nothing changed");

        fs::remove_file(&from).unwrap();
        assert!(apply(&from, &to).unwrap() && !to.exists(), "DHCP again");
    }

    #[test]
    fn only_a_plain_file_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("network.toml"), directory.path().join("10-box.network"));
        let elsewhere = directory.path().join("elsewhere.toml");
        fs::write(&elsewhere, FIXED).unwrap();
        symlink(&elsewhere, &from).unwrap();
        assert!(apply(&from, &to).is_err(), "a link");
        fs::remove_file(&from).unwrap();
        nix::unistd::mkfifo(&from, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(apply(&from, &to).is_err(), "a pipe");
        fs::remove_file(&from).unwrap();
        fs::create_dir(&from).unwrap();
        assert!(apply(&from, &to).is_err(), "a directory");
        assert!(!to.exists());
    }
}
