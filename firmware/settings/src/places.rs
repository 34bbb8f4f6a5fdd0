//! Where things are.

/// The directories that Asterisk's files name. The supervisor makes them; this crate only writes their names.
///
/// Paths are text, because Asterisk's files are: a path that is no UTF-8 cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Asterisk's modules, read only.
    pub modules: String,
    /// Asterisk's documentation, prompts and static files, read only.
    pub data: String,
    /// Where the rendered files are.
    pub etc: String,
    /// The owner's own additions: `pjsip.conf` there is included by the rendered `pjsip.conf`.
    pub additions: String,
    /// Asterisk's database, with the registrations of phones.
    pub state: String,
    /// Voicemail and recordings.
    pub spool: String,
    /// The control socket. At most 80 bytes long: the system cuts the names of sockets at 107.
    pub run: String,
    /// Logs, volatile on the box.
    pub log: String,
}

impl Places {
    /// Returns places that all lie below `root`, for tests and to start with; on the box most of them lie elsewhere.
    #[must_use]
    pub fn under(root: &str) -> Self {
        let below = |name: &str| format!("{root}/{name}");
        Self {
            modules: below("modules"),
            data: below("data"),
            etc: below("etc"),
            additions: below("asterisk.d"),
            state: below("state"),
            spool: below("spool"),
            run: below("run"),
            log: below("log"),
        }
    }

    /// Returns each place with its purpose.
    pub(crate) fn all(&self) -> [(&'static str, &str); 8] {
        [
            ("modules", &self.modules),
            ("data", &self.data),
            ("etc", &self.etc),
            ("additions", &self.additions),
            ("state", &self.state),
            ("spool", &self.spool),
            ("run", &self.run),
            ("log", &self.log),
        ]
    }
}
