//! Settings to the files of Asterisk 22, as values.

mod conf;
mod core;
mod dialplan;
mod interfaces;
mod pjsip;
mod tones;
mod voicemail;

use std::collections::BTreeMap;

use telecom::{Iccid, LineId};

use crate::document::Settings;
use crate::places::Places;
use crate::secret::Secrets;

/// Which line each known SIM is. A line that has settings but no id yet was never seen, and nothing can come in on it.
pub type LineIds = BTreeMap<Iccid, LineId>;

/// A file for Asterisk.
#[derive(Clone, PartialEq, Eq)]
pub struct RenderedFile {
    /// Its name within [`Places::etc`].
    pub path: &'static str,
    /// Its permissions: `0o600` when it holds secrets.
    pub mode: u32,
    /// What is in it.
    pub contents: String,
    /// What makes Asterisk read it again.
    pub on_change: OnChange,
}

/// Shows no contents, which may be secret.
impl std::fmt::Debug for RenderedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:o} {} bytes {:?}", self.path, self.mode, self.contents.len(), self.on_change)
    }
}

/// What makes Asterisk read a file again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnChange {
    /// Nothing: it is read when it is needed.
    None,
    /// A reload of the dialplan; calls go on with what they have.
    ReloadDialplan,
    /// A reload of this module; calls go on.
    Reload(&'static str),
    /// A restart, which waits for the last call to end.
    Restart,
}

/// Why nothing was rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A secret was not made yet.
    #[error("there is no password for {0} yet: make the missing secrets first")]
    MissingSecret(String),
    /// A place that Asterisk's files cannot name.
    #[error("the {purpose} directory `{path}` {problem}")]
    Place {
        /// What it is for.
        purpose: &'static str,
        /// The path.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A value that Asterisk's files cannot hold.
    #[error("the value of {key} in {file} {problem}")]
    Value {
        /// The file.
        file: &'static str,
        /// The key.
        key: String,
        /// What is wrong with the value, which is not shown because it may be secret.
        problem: &'static str,
    },
}

/// Renders every file that Asterisk needs.
///
/// # Errors
/// When a secret is missing or a place cannot be written in Asterisk's files. Settings that passed their checks have
/// no other way to fail.
pub fn render(
    settings: &Settings,
    secrets: &Secrets,
    places: &Places,
    lines: &LineIds,
) -> Result<Vec<RenderedFile>, RenderError> {
    check_places(places)?;
    let mut files = core::files(settings, places)?;
    files.extend(interfaces::files(settings, secrets, places)?);
    files.extend(pjsip::files(settings, secrets, places)?);
    files.push(dialplan::file(settings, places, lines)?);
    files.push(voicemail::file(settings, secrets, places)?);
    files.push(tones::file(settings)?);
    files.sort_by_key(|file| file.path);
    Ok(files)
}

fn check_places(places: &Places) -> Result<(), RenderError> {
    /// What is left for the name of the socket and the end mark in a socket address (`unix(7)`).
    const MAX_RUN_BYTES: usize = 80;
    for (purpose, path) in places.all() {
        let problem = |problem| Err(RenderError::Place { purpose, path: path.to_owned(), problem });
        if !path.starts_with('/') {
            return problem("is not absolute");
        }
        if path
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || matches!(c, '"' | '<' | '>' | ';' | '\\' | '*' | '['))
        {
            return problem(
                "holds a blank, a quote, a bracket or another character that Asterisk's files give a meaning",
            );
        }
        if purpose == "run" && path.len() > MAX_RUN_BYTES {
            return problem("is longer than 80 bytes, and the name of the control socket would be cut");
        }
    }
    Ok(())
}
