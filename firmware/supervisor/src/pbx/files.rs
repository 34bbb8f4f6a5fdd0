//! Asterisk's rendered files on disk, and what a change of one asks for.

use settings::{OnChange, RenderedFile};
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

/// What must happen for Asterisk to notice changed files. A restart takes care of everything else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Start Asterisk anew, once no call is up.
    Restart,
    /// Reload one module; calls go on.
    Reload(String),
}

/// One file that was written or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The file, relative to the directory.
    pub path: PathBuf,
    /// What it asks for; `None` when nothing reads it after the start.
    pub action: Option<Action>,
}

/// Makes `dir` hold exactly the rendered files, each replaced as a whole, and tells what changed.
///
/// What the changes ask for is noted in the directory before the first file changes and stays noted until
/// [`settle`]: a program that dies in between finds it in [`owed`]. Nothing is synced, the directory lives in memory.
///
/// # Errors
/// The directory cannot be written, or a path leads out of it.
pub fn apply(rendered: &[RenderedFile], dir: &Path) -> io::Result<Vec<Change>> {
    fs::create_dir_all(dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o750))?;
    let written = differing(rendered, dir)?;
    let removed = stale(rendered, dir)?;
    let mut changes: Vec<Change> =
        written.iter().map(|file| Change { path: relative(file), action: action(&file.on_change) }).collect();
    // Which module read a file that is rendered no more is not known any more.
    changes.extend(removed.iter().map(|path| Change { path: path.clone(), action: Some(Action::Restart) }));
    let mut owing = owed(dir)?;
    owing.extend(changes.iter().filter_map(|change| change.action.clone()));
    note(dir, &owing)?;
    for file in written {
        replace(&dir.join(relative(file)), file.mode, file.contents.as_bytes())?;
    }
    for path in removed {
        fs::remove_file(dir.join(path))?;
    }
    Ok(changes)
}

/// What files changed so far still ask for; each once.
///
/// # Errors
/// The note is there and cannot be read.
pub fn owed(dir: &Path) -> io::Result<BTreeSet<Action>> {
    let text = match fs::read_to_string(dir.join(NOTE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        text => text?,
    };
    Ok(text
        .lines()
        .map(|line| match line.strip_prefix("reload ") {
            Some(module) => Action::Reload(module.into()),
            None => Action::Restart,
        })
        .collect())
}

/// Takes one action off the note, once it is done; `None` takes all, for an Asterisk that starts and reads everything.
///
/// # Errors
/// The note cannot be read or written.
pub fn settle(dir: &Path, done: Option<&Action>) -> io::Result<()> {
    let mut owing = owed(dir)?;
    match done {
        Some(action) => owing.retain(|other| other != action),
        None => owing.clear(),
    }
    note(dir, &owing)
}

fn note(dir: &Path, owing: &BTreeSet<Action>) -> io::Result<()> {
    let path = dir.join(NOTE);
    if owing.is_empty() {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let lines: String = owing
        .iter()
        .map(|action| match action {
            Action::Restart => "restart\n".into(),
            Action::Reload(module) => format!("reload {module}\n"),
        })
        .collect();
    replace(&path, 0o600, lines.as_bytes())
}

fn action(on_change: &OnChange) -> Option<Action> {
    match on_change {
        OnChange::Restart => Some(Action::Restart),
        OnChange::Reload(module) => Some(Action::Reload((*module).into())),
        OnChange::ReloadDialplan => Some(Action::Reload("pbx_config.so".into())),
        OnChange::None => None,
    }
}

fn differing<'a>(rendered: &'a [RenderedFile], dir: &Path) -> io::Result<Vec<&'a RenderedFile>> {
    let mut differing = Vec::new();
    for file in rendered {
        let path = relative(file);
        if path.components().any(|part| !matches!(part, Component::Normal(_))) || path.as_os_str().is_empty() {
            let text = format!("rendered file '{}' leads out of its directory", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let path = dir.join(path);
        let mode =
            fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file).map(|found| found.permissions().mode());
        let is_same = mode.is_some_and(|mode| mode & 0o7777 == file.mode)
            && fs::read(&path).is_ok_and(|found| found == file.contents.as_bytes());
        if !is_same {
            differing.push(file);
        }
    }
    Ok(differing)
}

/// Files of the directory that nothing renders. What a killed run left half written is among them.
fn stale(rendered: &[RenderedFile], dir: &Path) -> io::Result<Vec<PathBuf>> {
    let wanted: BTreeSet<PathBuf> = rendered.iter().map(relative).collect();
    let mut stale = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = PathBuf::from(entry.file_name());
        if entry.file_type()?.is_dir() || name.as_os_str() == NOTE || wanted.contains(&name) {
            continue;
        }
        match name.extension() {
            Some(extension) if extension == PARTIAL => fs::remove_file(entry.path())?,
            _ => stale.push(name),
        }
    }
    stale.sort();
    Ok(stale)
}

fn replace(path: &Path, mode: u32, contents: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut partial = path.as_os_str().to_owned();
    partial.push(".");
    partial.push(PARTIAL);
    let partial = PathBuf::from(partial);
    // Opened with its final mode: a secret is never readable by others, not even for a moment.
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&partial)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(contents)?;
    fs::rename(&partial, path)
}

fn relative(file: &RenderedFile) -> PathBuf {
    PathBuf::from(&file.path)
}

/// Where owed actions are noted, one a line.
const NOTE: &str = ".owed";
/// The extension of a file that is being written.
const PARTIAL: &str = "partial";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_written_and_asks_for_something() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = [pjsip("a"), file("extensions.conf", "b", OnChange::ReloadDialplan)];
        assert_eq!(apply(&files, dir.path()).unwrap().len(), 2);
        settle(dir.path(), None).unwrap();
        assert_eq!(apply(&files, dir.path()).unwrap(), []);
        files[0] = pjsip("c");
        let change = Change { path: "pjsip.conf".into(), action: Some(Action::Reload("res_pjsip.so".into())) };
        assert_eq!(apply(&files, dir.path()).unwrap(), [change]);
        assert_eq!(fs::read_to_string(dir.path().join("pjsip.conf")).unwrap(), "c");
        let mode = fs::metadata(dir.path().join("pjsip.conf")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }

    #[test]
    fn a_mode_that_somebody_changed_is_put_right() {
        let dir = tempfile::tempdir().unwrap();
        apply(&[pjsip("a")], dir.path()).unwrap();
        fs::set_permissions(dir.path().join("pjsip.conf"), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(apply(&[pjsip("a")], dir.path()).unwrap().len(), 1);
    }

    #[test]
    fn what_is_rendered_no_more_goes_and_half_written_files_go_silently() {
        let dir = tempfile::tempdir().unwrap();
        apply(&[pjsip("a"), file("old.conf", "", OnChange::None)], dir.path()).unwrap();
        settle(dir.path(), None).unwrap();
        fs::write(dir.path().join("pjsip.conf.partial"), "half").unwrap();
        let change = Change { path: "old.conf".into(), action: Some(Action::Restart) };
        assert_eq!(apply(&[pjsip("a")], dir.path()).unwrap(), [change]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "pjsip.conf and the note");
    }

    #[test]
    fn owed_actions_survive_until_settled_each_once() {
        let dir = tempfile::tempdir().unwrap();
        let reload = Action::Reload("res_pjsip.so".into());
        apply(&[pjsip("a"), file("x.conf", "", OnChange::Reload("res_pjsip.so"))], dir.path()).unwrap();
        apply(&[pjsip("b"), file("asterisk.conf", "", OnChange::Restart)], dir.path()).unwrap();
        assert_eq!(owed(dir.path()).unwrap(), BTreeSet::from([Action::Restart, reload.clone()]));
        settle(dir.path(), Some(&Action::Restart)).unwrap();
        assert_eq!(owed(dir.path()).unwrap(), BTreeSet::from([reload]));
        settle(dir.path(), None).unwrap();
        assert_eq!(owed(dir.path()).unwrap(), BTreeSet::new());
    }

    #[test]
    fn a_path_that_leads_out_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["../evil.conf", "/etc/evil.conf", ""] {
            let error = apply(&[pjsip("a"), file(path, "", OnChange::None)], dir.path()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    fn pjsip(contents: &str) -> RenderedFile {
        file("pjsip.conf", contents, OnChange::Reload("res_pjsip.so"))
    }

    fn file(path: &'static str, contents: &str, on_change: OnChange) -> RenderedFile {
        RenderedFile { path, mode: 0o600, contents: contents.into(), on_change }
    }
}
