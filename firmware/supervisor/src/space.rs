//! Room on the disk of the box.
//!
//! A file holds some room back. When the disk is full it goes, so that the box starts, its owner signs in, and what
//! fills the disk can be removed; it comes back when there is room again. Until then nothing new is stored: SMS that
//! arrive stay in the modem, and none is accepted for sending.

use crate::chain::Chain;
use nix::fcntl::posix_fallocate;
use nix::sys::statvfs::statvfs;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tracing::{error, info, warn};

/// What is held back: enough for sessions, logs of the database and a long voicemail.
const RESERVE_BYTES: i64 = 8 << 20;
/// With less free, the disk counts as full.
const FULL_BELOW: u64 = 2 << 20;
/// With so much free, there is room again, also when the reserve is held back.
const ROOM_FROM: u64 = 16 << 20;
/// A disk fills in seconds, and a look costs nothing.
const LOOK_EVERY: Duration = Duration::from_secs(5);

type Probe = Box<dyn Fn(&Path) -> io::Result<u64> + Send + Sync>;

/// Room on the disk that holds a directory.
pub struct Space {
    directory: PathBuf,
    probe: Probe,
    is_short: AtomicBool,
}

impl Space {
    /// The disk below `directory`.
    #[must_use]
    pub fn new(directory: &Path) -> Arc<Self> {
        Self::probed_by(directory, Box::new(free_bytes))
    }

    fn probed_by(directory: &Path, probe: Probe) -> Arc<Self> {
        Arc::new(Self { directory: directory.to_owned(), probe, is_short: AtomicBool::new(false) })
    }

    /// A disk on which the tests decide how much is free.
    #[cfg(test)]
    pub(crate) fn for_test(directory: &Path, free: &Arc<std::sync::atomic::AtomicU64>) -> Arc<Self> {
        let free = Arc::clone(free);
        Self::probed_by(directory, Box::new(move |_| Ok(free.load(Ordering::Relaxed))))
    }

    /// Whether nothing new may be stored.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }

    /// Free bytes, without what is held back.
    ///
    /// # Errors
    /// When the disk does not tell.
    pub fn free(&self) -> io::Result<u64> {
        (self.probe)(&self.directory)
    }

    /// Looks at the disk, and gives up the reserve or makes it again.
    pub fn look(&self) {
        let free = match self.free() {
            Ok(free) => free,
            Err(error) => return warn!(error = %Chain(&error), "the disk does not tell its free space"),
        };
        let reserve = self.directory.join("reserve");
        if free < FULL_BELOW {
            if !self.is_short.swap(true, Ordering::Relaxed) {
                error!(free, "the disk is full: SMS stay in the modems, and none is accepted for sending");
            }
            match fs::remove_file(&reserve) {
                Ok(()) => warn!("what was held back of the disk is free now, for its owner to make room"),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => error!(error = %Chain(&error), "what was held back of the disk cannot be freed"),
            }
        } else if free >= ROOM_FROM {
            if !reserve.exists()
                && let Err(error) = hold(&reserve)
            {
                warn!(error = %Chain(&error), "nothing of the disk can be held back");
            }
            if self.is_short.swap(false, Ordering::Relaxed) {
                info!(free, "there is room on the disk again");
            }
        } else if !reserve.exists() {
            // Room that was held back is not for what fills disks.
            self.is_short.store(true, Ordering::Relaxed);
        }
    }
}

/// Looks as long as the program runs.
pub async fn run(space: Arc<Space>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        space.look();
    }
}

fn free_bytes(directory: &Path) -> io::Result<u64> {
    let disk = statvfs(directory)?;
    Ok(disk.blocks_available().saturating_mul(disk.fragment_size()))
}

/// Makes the reserve whole, or not at all.
fn hold(reserve: &Path) -> io::Result<()> {
    let temporary = reserve.with_extension("new");
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    if let Err(error) = posix_fallocate(&file, 0, RESERVE_BYTES) {
        fs::remove_file(&temporary)?;
        return Err(error.into());
    }
    fs::rename(&temporary, reserve)
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Space").field("directory", &self.directory).field("is_short", &self.is_short).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::sync::atomic::AtomicU64;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_reserve_goes_when_the_disk_is_full_and_comes_back_with_room() {
        let directory = tempfile::tempdir().unwrap();
        let free = Arc::new(AtomicU64::new(0));
        let space = Space::for_test(directory.path(), &free);
        let reserve = directory.path().join("reserve");
        let rows = [
            ("a new box", 100 * MIB, true, false),
            ("it fills", 3 * MIB, true, false),
            ("full", MIB, false, true),
            ("the room that was held back", 9 * MIB, false, true),
            ("room", 20 * MIB, true, false),
            ("full at once", 0, false, true),
            ("still full", 0, false, true),
        ];
        for (name, bytes, is_held, is_short) in rows {
            free.store(bytes, Ordering::Relaxed);
            space.look();
            assert_eq!((reserve.exists(), space.is_short()), (is_held, is_short), "{name}");
        }
    }

    #[test]
    fn a_box_that_starts_on_what_was_held_back_knows_that_the_disk_is_full() {
        let directory = tempfile::tempdir().unwrap();
        let space = Space::for_test(directory.path(), &Arc::new(AtomicU64::new(9 * MIB)));
        space.look();
        assert!(space.is_short());
    }

    #[test]
    fn what_is_held_back_takes_room_on_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        let reserve = directory.path().join("reserve");
        hold(&reserve).unwrap();
        let held = fs::metadata(&reserve).unwrap();
        assert_eq!((held.len(), held.mode() & 0o777), (8 * MIB, 0o600));
        assert!(held.blocks() * 512 >= 8 * MIB, "blocks are taken, not promised");
        assert!(Space::new(directory.path()).free().unwrap() > 0);
    }
}
