//! A check that the program works on the machine it was built for: what C code, randomness and file locks are behind.
//!
//! It needs no device, no Asterisk and no network, and leaves nothing behind.

use crate::clock;
use anyhow::{Context, Result, ensure};
use settings::{LineIds, Places, Secrets, Settings, render};
use std::fs;
use std::path::{Path, PathBuf};
use store::Store;
use tracing::info;

/// Opens a store in a directory of its own and renders Asterisk's files from the shipped settings.
///
/// # Errors
/// The first thing that does not work, by name.
pub fn run() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("homenichat-self-check-{}", std::process::id()));
    fs::create_dir(&dir).with_context(|| format!("creating {}", dir.display()))?;
    let outcome = check(&dir);
    fs::remove_dir_all(&dir).with_context(|| format!("removing {}", dir.display()))?;
    outcome
}

fn check(dir: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(open_store(&dir.join("homenichat.db")))?;
    let files = render_files(dir)?;
    info!(files, "the store opens and Asterisk's files are rendered");
    Ok(())
}

/// Opens it twice: the second time finds what the first one made.
async fn open_store(file: &PathBuf) -> Result<()> {
    for turn in ["opening a new store", "opening a store again"] {
        let store = Store::open(file).context(turn)?;
        store.recover_outbox(clock::unix_ms()).await.context("reading the store")?;
        let lines = store.list_lines().await.context("reading the store")?;
        ensure!(lines.is_empty(), "a new store has lines");
    }
    Ok(())
}

fn render_files(dir: &Path) -> Result<usize> {
    let settings = Settings::shipped();
    let mut secrets = Secrets::default();
    let mut no_randomness = None;
    secrets.ensure(&settings, &mut |buffer| no_randomness = getrandom::fill(buffer).err().or(no_randomness));
    ensure!(no_randomness.is_none(), "the system has no randomness");
    let place = |name: &str| {
        let path = dir.join(name).into_os_string().into_string();
        path.map_err(|path| anyhow::anyhow!("the path {} is not UTF-8", path.display()))
    };
    let places = Places {
        modules: place("modules")?,
        data: place("data")?,
        etc: place("etc")?,
        additions: place("additions")?,
        state: place("state")?,
        spool: place("spool")?,
        run: place("run")?,
        log: place("log")?,
    };
    let files = render(&settings, &secrets, &places, &LineIds::new()).context("rendering Asterisk's files")?;
    ensure!(!files.is_empty(), "nothing was rendered");
    Ok(files.len())
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_program_passes() {
        super::run().unwrap();
    }
}
