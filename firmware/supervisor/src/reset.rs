//! Factory reset: nothing of the owner stays.
//!
//! A marker is written first and removed last, and a box that finds it on its start completes the reset before it
//! opens anything: an interruption at any moment leaves either everything or nothing.

use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tracing::{info, warn};

const MARKER: &str = "factory-reset";
/// The request files that were obeyed and could not be removed, a stamp in each line.
const OBEYED: &str = "factory-reset-obeyed";
/// Not ours, and made again by the file system's own tools.
const KEPT: &str = "lost+found";

/// What a reset removes.
#[derive(Debug, Clone)]
pub struct Belongings {
    /// Messages, voicemail, users.
    pub state: PathBuf,
    /// Settings, secrets, the authority.
    pub config: PathBuf,
    /// What was derived from them.
    pub run_dir: PathBuf,
}

impl Belongings {
    /// Decides that everything goes: from here on there is no way back.
    ///
    /// # Errors
    /// When the decision cannot be kept.
    pub fn condemn(&self) -> Result<()> {
        fs::create_dir_all(&self.state).with_context(|| format!("creating {}", self.state.display()))?;
        write_durably(&self.state.join(MARKER), b"")
    }

    /// Whether a reset was decided and is not complete.
    #[must_use]
    pub fn are_condemned(&self) -> bool {
        self.state.join(MARKER).exists()
    }

    /// Whether [`complete_reset`](Self::complete_reset) has something to do.
    #[must_use]
    pub fn are_to_go(&self, requests: &[PathBuf]) -> bool {
        self.are_condemned() || self.asks(requests)
    }

    /// Completes a reset that was decided, also by one of the files `requests` that the owner put on a boot area. Says
    /// whether there was one.
    ///
    /// # Errors
    /// When something of the owner cannot be removed: the box must not start with it.
    pub fn complete_reset(&self, requests: &[PathBuf]) -> Result<bool> {
        if self.asks(requests) {
            self.condemn()?;
        }
        if !self.are_condemned() {
            return Ok(false);
        }
        info!("factory reset: everything of the owner is removed");
        self.remove()?;
        self.put_away(requests)?;
        let marker = self.state.join(MARKER);
        fs::remove_file(&marker).with_context(|| format!("removing {}", marker.display()))?;
        sync(&self.state)?;
        info!("factory reset: the box is as new");
        Ok(true)
    }

    /// Removes everything but the decision.
    ///
    /// # Errors
    /// As [`complete_reset`](Self::complete_reset).
    pub fn remove(&self) -> Result<()> {
        for dir in [&self.run_dir, &self.config, &self.state] {
            empty(dir).with_context(|| format!("emptying {}", dir.display()))?;
            sync(dir)?;
        }
        Ok(())
    }

    /// Boot areas that cannot be written must not reset the box at every start, nor one that comes back later.
    fn put_away(&self, requests: &[PathBuf]) -> Result<()> {
        let before = self.obeyed();
        let mut obeyed = before.clone();
        for request in requests {
            let (Some(stamp), Err(error)) = (stamp(request), fs::remove_file(request)) else { continue };
            warn!(file = %request.display(), %error, "the request cannot be removed: it is ignored from here on");
            obeyed.insert(stamp);
        }
        if obeyed == before {
            return Ok(());
        }
        let lines: String = obeyed.iter().map(|stamp| format!("{stamp}\n")).collect();
        write_durably(&self.state.join(OBEYED), lines.as_bytes())
    }

    /// Whether one of these files asks for what was not done yet.
    fn asks(&self, requests: &[PathBuf]) -> bool {
        let obeyed = self.obeyed();
        requests.iter().filter_map(|request| stamp(request)).any(|stamp| !obeyed.contains(&stamp))
    }

    fn obeyed(&self) -> BTreeSet<String> {
        let lines = fs::read_to_string(self.state.join(OBEYED)).unwrap_or_default();
        lines.lines().map(str::to_owned).collect()
    }
}

fn stamp(request: &Path) -> Option<String> {
    let metadata = fs::metadata(request).ok()?;
    Some(format!("{} {} {}", metadata.mtime(), metadata.mtime_nsec(), metadata.len()))
}

/// Removes everything in a directory but what the reset itself must remember. The directory itself may be a mount point.
fn empty(dir: &Path) -> std::io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if [MARKER, OBEYED, KEPT].iter().any(|kept| entry.file_name() == *kept) {
            continue;
        }
        let removed =
            if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn write_durably(file: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut out = File::create(file)?;
        out.write_all(bytes)?;
        out.sync_all()
    };
    write().with_context(|| format!("writing {}", file.display()))?;
    file.parent().map_or(Ok(()), sync)
}

fn sync(dir: &Path) -> Result<()> {
    match File::open(dir).and_then(|dir| dir.sync_all()) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("making changes in {} last", dir.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::time::{Duration, UNIX_EPOCH};
    use tempfile::TempDir;

    fn used_box() -> (TempDir, Belongings) {
        let root = TempDir::new().unwrap();
        let below = |name: &str| root.path().join(name);
        for (dir, file) in [("state", "homenichat.db"), ("etc/tls", "authority.pem"), ("run/asterisk", "pjsip.conf")] {
            fs::create_dir_all(below(dir)).unwrap();
            fs::write(below(dir).join(file), "of the owner").unwrap();
        }
        fs::write(below("elsewhere"), "not ours").unwrap();
        symlink(below("elsewhere"), below("etc/link")).unwrap();
        let belongings = Belongings { state: below("state"), config: below("etc"), run_dir: below("run") };
        (root, belongings)
    }

    fn left(dir: &Path) -> Vec<String> {
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn assert_empty(belongings: &Belongings) {
        for dir in [&belongings.state, &belongings.config, &belongings.run_dir] {
            assert_eq!(left(dir), Vec::<String>::new(), "{}", dir.display());
        }
    }

    #[test]
    fn without_a_decision_everything_stays() {
        let (root, belongings) = used_box();
        let requests = [root.path().join("request")];
        assert!(!belongings.are_to_go(&requests) && !belongings.complete_reset(&requests).unwrap());
        assert_eq!(left(&belongings.state), ["homenichat.db"]);
    }

    #[test]
    fn an_interrupted_reset_is_completed_and_links_are_not_followed() {
        let (root, belongings) = used_box();
        belongings.condemn().unwrap();
        // The power went after half of it.
        fs::remove_dir_all(&belongings.run_dir).unwrap();
        assert!(belongings.complete_reset(&[]).unwrap());
        fs::create_dir_all(&belongings.run_dir).unwrap();
        assert_empty(&belongings);
        assert_eq!(fs::read_to_string(root.path().join("elsewhere")).unwrap(), "not ours");
        assert!(!belongings.complete_reset(&[]).unwrap());
    }

    #[test]
    fn a_request_on_either_boot_area_is_obeyed_once() {
        for file in ["own", "other"] {
            let (root, belongings) = used_box();
            let requests = [root.path().join("own"), root.path().join("other")];
            let request = root.path().join(file);
            fs::write(&request, "").unwrap();
            assert!(belongings.are_to_go(&requests));
            assert!(belongings.complete_reset(&requests).unwrap());
            assert!(!request.exists());
            assert_empty(&belongings);
        }
    }

    #[test]
    fn requests_that_cannot_be_removed_are_obeyed_once() {
        let (root, belongings) = used_box();
        let mut requests = [root.path().join("own"), root.path().join("other")];
        for (request, since_1970) in requests.iter().zip([1_000, 2_000]) {
            // A directory cannot be removed like a file.
            fs::create_dir(request).unwrap();
            let when = UNIX_EPOCH + Duration::from_secs(since_1970);
            File::open(request).unwrap().set_modified(when).unwrap();
        }
        assert!(belongings.complete_reset(&requests).unwrap());
        assert_eq!(left(&belongings.state), [OBEYED]);
        assert!(!belongings.are_to_go(&requests));
        // The other slot started.
        requests.reverse();
        assert!(!belongings.complete_reset(&requests).unwrap());
        let again = UNIX_EPOCH + Duration::from_secs(3_000);
        File::open(&requests[1]).unwrap().set_modified(again).unwrap();
        // Asked anew, while the other area cannot be looked at.
        assert!(belongings.complete_reset(&requests[1..]).unwrap());
        assert!(!belongings.are_to_go(&requests), "the area that came back asks for nothing new");
    }
}
