//! The owner's settings, the box's secrets, and the files of Asterisk that follow from them.

use super::Options;
use crate::app::App;
use crate::pbx::Credentials;
use anyhow::{Context, Result, bail};
use asterisk::ami::Login;
use asterisk::dialplan::APP;
use modem::identify::ModelTable;
use settings::{LineIds, Network, Places, RenderedFile, Secrets, Settings, render};
use std::fs;
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use switchboard::outbox::Rate;
use tokio::sync::watch;
use tracing::{error, info, warn};

/// How often the settings file and the lines are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The settings that worked last, beside them.
const LAST_GOOD: &str = "settings.good.toml";
/// The fixed address, for the program that gives it to the network; nothing when it comes by DHCP.
const NETWORK: &str = "network.toml";
/// Larger than any settings that a person writes.
const LARGEST_FILE: u64 = 1 << 20;

/// Settings, secrets and places of this run.
pub(super) struct Configuration {
    settings: Settings,
    /// Why the settings file is not used.
    problem: Option<String>,
    models: ModelTable,
    /// Why the owner's table of models is not used.
    models_problem: Option<String>,
    secrets: Secrets,
    lines: LineIds,
    config_dir: PathBuf,
    state_dir: PathBuf,
    run_dir: PathBuf,
    places: Places,
}

impl Configuration {
    /// Reads the settings, or begins with the shipped ones; makes the secrets that are missing and the directories.
    ///
    /// # Errors
    /// What is wrong with the settings or the directories, for the owner.
    pub(super) fn load(options: &Options) -> Result<Self> {
        let config_dir = directory(&options.config)?;
        let state_dir = directory(&options.state)?;
        let run_dir = directory(&options.run_dir)?;
        let (settings, problem) = load_usable(&config_dir, options.laptop)?;
        let secrets = load_secrets(&config_dir, &settings)?;
        let (models, models_problem) = load_models(&config_dir)?;
        let places = places(options.asterisk.as_deref(), &config_dir, &state_dir, &run_dir)?;
        let lines = LineIds::new();
        Ok(Self { settings, problem, models, models_problem, secrets, lines, config_dir, state_dir, run_dir, places })
    }

    /// The settings.
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where what lasts is kept.
    pub(super) fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// The numbers of the phones.
    pub(super) fn extensions(&self) -> Vec<String> {
        self.settings.extensions.iter().map(|extension| extension.number.as_str().to_owned()).collect()
    }

    /// Which lines there are, for the dialplan.
    pub(super) fn set_lines(&mut self, lines: &[store::Line]) {
        self.lines = lines.iter().map(|line| (line.iccid.clone(), line.id)).collect();
    }

    /// How fast a line may send.
    pub(super) fn sending_rate(&self) -> Rate {
        Rate { burst: self.settings.sms.burst, interval: Duration::from_millis(self.settings.sms.interval_ms.into()) }
    }

    /// The models that are known.
    pub(super) fn models(&self) -> &ModelTable {
        &self.models
    }

    /// Which of the owner's files are not used, and why.
    fn problems(&self) -> Option<String> {
        let problems: Vec<&str> =
            [&self.problem, &self.models_problem].into_iter().flatten().map(String::as_str).collect();
        (!problems.is_empty()).then(|| problems.join("; "))
    }

    /// Where Asterisk's files are written.
    pub(super) fn asterisk_files(&self) -> PathBuf {
        PathBuf::from(&self.places.etc)
    }

    /// Where what Asterisk prints is kept.
    pub(super) fn asterisk_log(&self) -> PathBuf {
        self.run_dir.join("asterisk.log")
    }

    /// Where Asterisk reaches our sound.
    pub(super) fn audio_address(&self) -> SocketAddr {
        loopback(self.settings.asterisk.audiosocket_port)
    }

    /// Asterisk's HTTP server.
    pub(super) fn ari_address(&self) -> SocketAddr {
        loopback(self.settings.asterisk.http_port)
    }

    /// Asterisk's manager interface.
    pub(super) fn ami_address(&self) -> SocketAddr {
        loopback(self.settings.asterisk.manager_port)
    }

    /// Our ARI user.
    ///
    /// # Errors
    /// When the password cannot stand in a header, which no generated one does.
    pub(super) fn ari_credentials(&self) -> Result<Credentials> {
        Credentials::new(APP, self.secrets.ari_password.expose()).context("the ARI password")
    }

    /// Our manager user.
    ///
    /// # Errors
    /// When the password cannot stand in a line, which no generated one does.
    pub(super) fn ami_login(&self) -> Result<Login> {
        Login::new(APP, self.secrets.ami_password.expose()).context("the manager password")
    }

    /// Asterisk's files.
    ///
    /// # Errors
    /// When a path cannot stand in them.
    pub(super) fn render(&self) -> Result<Vec<RenderedFile>> {
        Ok(render(&self.settings, &self.secrets, &self.places, &self.lines)?)
    }

    /// Applies what changes while the box runs: the settings file, and lines that are seen for the first time.
    pub(super) async fn watch(mut self, app: Arc<App>, extensions: watch::Sender<Vec<String>>) {
        let file = self.config_dir.join("settings.toml");
        let mut seen = stamp(&file);
        let mut lines = self.lines.clone();
        let mut has_unapplied = false;
        loop {
            app.settings_problem.send_replace(self.problems());
            tokio::time::sleep(LOOK_EVERY).await;
            let now = stamp(&file);
            let has_file_changed = now != seen;
            seen = now;
            if has_file_changed {
                if !self.reload(&file) {
                    continue;
                }
                app.settings.send_replace(Arc::new(self.settings.clone()));
            }
            match app.store.list_lines().await {
                Ok(stored) => self.set_lines(&stored),
                Err(error) => error!(error = %crate::chain::Chain(&error), "lines cannot be listed"),
            }
            if !has_file_changed && !has_unapplied && self.lines == lines {
                continue;
            }
            extensions.send_replace(self.extensions());
            // What cannot be applied is tried again at the next look.
            if self.apply(&app).await {
                lines = self.lines.clone();
                has_unapplied = false;
            } else {
                has_unapplied = true;
            }
        }
    }

    /// A bad file changes nothing and says why.
    fn reload(&mut self, file: &Path) -> bool {
        let read = load_settings(&self.config_dir, false);
        let loaded = read.and_then(|settings| Ok((load_secrets(&self.config_dir, &settings)?, settings)));
        match loaded {
            Ok((secrets, settings)) => {
                let ports =
                    |settings: &Settings| (settings.http.clone(), settings.https.clone(), settings.asterisk.clone());
                if settings.sms != self.settings.sms {
                    warn!("the changed pace of messages takes effect when the box is started again");
                }
                let in_use = ports(&self.settings);
                if ports(&settings) != in_use {
                    warn!("the changed ports take effect when the box is started again");
                }
                // Ports that are in use stay what they are until then.
                keep_good(&self.config_dir, &settings);
                (self.settings, self.secrets) = (settings, secrets);
                (self.settings.http, self.settings.https, self.settings.asterisk) = in_use;
                self.problem = None;
                info!("the settings changed");
                true
            }
            Err(error) => {
                let error = format!("{error:#}");
                error!(file = %file.display(), error, "the changed settings are not used");
                self.problem = Some(error);
                false
            }
        }
    }

    async fn apply(&self, app: &App) -> bool {
        let rendered = match self.render() {
            Ok(rendered) => rendered,
            Err(error) => {
                error!(error = format!("{error:#}"), "Asterisk's files cannot be rendered");
                return false;
            }
        };
        match app.pbx.apply(rendered).await {
            Ok(applied) => {
                info!(
                    changed = applied.changed.len(),
                    reloaded = ?applied.reloaded,
                    refused = applied.refused.len(),
                    waits = applied.is_pending,
                    "Asterisk's files were brought up to date"
                );
                true
            }
            Err(error) => {
                error!(%error, "Asterisk's files cannot be written");
                false
            }
        }
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn stamp(file: &Path) -> Option<(SystemTime, u64)> {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn directory(path: &Path) -> Result<PathBuf> {
    let path = absolute(path).with_context(|| format!("finding {}", path.display()))?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(&path)
        .with_context(|| format!("creating the directory {}", path.display()))?;
    Ok(path)
}

/// The settings, or those that worked last and why the file is not used. A mistake must not keep its owner from the
/// page that says so, and neither must settings of a newer program.
fn load_usable(config_dir: &Path, laptop: bool) -> Result<(Settings, Option<String>)> {
    let error = match load_settings(config_dir, laptop) {
        Ok(settings) => {
            keep_good(config_dir, &settings);
            return Ok((settings, None));
        }
        Err(error) => error,
    };
    let good = read_bounded(&config_dir.join(LAST_GOOD)).ok().flatten().and_then(|text| Settings::parse(&text).ok());
    let Some(settings) = good else { return Err(error) };
    let error = format!("{error:#}");
    error!(error, "the settings are not used: those that worked last are");
    Ok((settings, Some(error)))
}

/// The shipped table of models with the owner's additions, or without them and why: a mistake in them costs the owner
/// only the modems that they name.
fn load_models(config_dir: &Path) -> Result<(ModelTable, Option<String>)> {
    let shipped =
        ModelTable::parse(include_str!("../../../../config/modems.toml")).context("shipped table of models")?;
    let file = config_dir.join("modems.toml");
    let own = read_bounded(&file).and_then(|text| {
        text.map(|text| ModelTable::parse(&text)).transpose().with_context(|| format!("reading {}", file.display()))
    });
    match own {
        Ok(Some(own)) => Ok((shipped.overridden_by(own), None)),
        Ok(None) => Ok((shipped, None)),
        Err(error) => {
            let error = format!("{error:#}");
            error!(error, "the owner's table of models is not used");
            Ok((shipped, Some(error)))
        }
    }
}

/// Keeps a copy of settings that work, and what they say of the network.
fn keep_good(config_dir: &Path, settings: &Settings) {
    let keep = || -> Result<()> {
        let network = settings.network.as_ref().map(Network::encode).transpose()?;
        ensure_text(&config_dir.join(NETWORK), network.as_deref())?;
        ensure_text(&config_dir.join(LAST_GOOD), read_bounded(&config_dir.join("settings.toml"))?.as_deref())
    };
    if let Err(error) = keep() {
        warn!(error = format!("{error:#}"), "what the settings say was not kept");
    }
}

/// Makes a file hold `text`, or not be there; it is written only when it changes.
fn ensure_text(file: &Path, text: Option<&str>) -> Result<()> {
    let before = read_bounded(file)?;
    match text {
        text if text == before.as_deref() => Ok(()),
        Some(text) => write_private(file, text),
        None => fs::remove_file(file).with_context(|| format!("removing {}", file.display())),
    }
}

fn load_settings(config_dir: &Path, laptop: bool) -> Result<Settings> {
    let file = config_dir.join("settings.toml");
    match read_bounded(&file)? {
        Some(text) => Settings::parse(&text).with_context(|| format!("reading {}", file.display())),
        None => {
            let settings = if laptop { Settings::for_laptop() } else { Settings::shipped() };
            write_private(&file, &settings.encode()?)?;
            Ok(settings)
        }
    }
}

fn load_secrets(config_dir: &Path, settings: &Settings) -> Result<Secrets> {
    let file = config_dir.join("secrets.toml");
    let mut secrets = match read_bounded(&file)? {
        Some(text) => Secrets::parse(&text).with_context(|| format!("reading {}", file.display()))?,
        None => Secrets::default(),
    };
    let mut no_randomness = None;
    let made = secrets.ensure(settings, &mut |buffer| no_randomness = getrandom::fill(buffer).err().or(no_randomness));
    if let Some(error) = no_randomness {
        return Err(error).context("making secrets");
    }
    if made {
        write_private(&file, &secrets.encode()?)?;
    }
    Ok(secrets)
}

fn read_bounded(file: &Path) -> Result<Option<String>> {
    match fs::metadata(file) {
        Ok(metadata) if metadata.len() > LARGEST_FILE => bail!("{} is larger than 1 MB", file.display()),
        Ok(_) => Ok(Some(fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", file.display())),
    }
}

/// Writes a file that only the box may read, whole or not at all.
fn write_private(file: &Path, text: &str) -> Result<()> {
    let temporary = file.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut options = fs::OpenOptions::new();
        let mut out = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        fs::rename(&temporary, file)
    };
    write().with_context(|| format!("writing {}", file.display()))
}

fn places(asterisk: Option<&Path>, config_dir: &Path, state_dir: &Path, run_dir: &Path) -> Result<Places> {
    let tree = match asterisk {
        Some(dir) => {
            let dir = dir.canonicalize();
            Some(dir.context("there is no unpacked Asterisk: run scripts/provision-asterisk first")?)
        }
        None => None,
    };
    let libraries = tree.as_ref().map_or_else(|| PathBuf::from("/usr/lib"), |tree| tree.join("tree/usr/lib"));
    let modules = find_modules(&libraries)
        .with_context(|| format!("there are no Asterisk modules below {}", libraries.display()))?;
    let data = tree.map_or_else(|| PathBuf::from("/usr/share/asterisk"), |tree| tree.join("data"));
    let made = |path: PathBuf| directory(&path).and_then(text);
    Ok(Places {
        modules: text(modules)?,
        data: text(data)?,
        etc: made(run_dir.join("asterisk"))?,
        additions: made(config_dir.join("asterisk.d"))?,
        state: made(state_dir.join("asterisk"))?,
        spool: made(state_dir.join("spool"))?,
        run: text(run_dir.to_owned())?,
        log: made(run_dir.join("log"))?,
    })
}

/// `<lib>/asterisk/modules`, or the same below the directory of the architecture.
fn find_modules(libraries: &Path) -> Option<PathBuf> {
    let below = |dir: &Path| Some(dir.join("asterisk/modules")).filter(|modules| modules.is_dir());
    let architectures = fs::read_dir(libraries).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    below(libraries).or_else(|| architectures.filter_map(|dir| below(&dir)).next())
}

fn text(path: PathBuf) -> Result<String> {
    path.into_os_string().into_string().map_err(|path| anyhow::anyhow!("the path {} is not UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_settings_do_not_keep_a_box_from_starting_that_once_had_good_ones() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("settings.toml");
        let good = include_str!("../../../../config/default.toml").replace("\"HomeniChat\"", "\"Shop\"");
        let bad = format!("{good}\n[network]\naddress = \"192.168.1.20/99\"\n");

        fs::write(&file, &bad).unwrap();
        assert!(load_usable(directory.path(), false).is_err(), "nothing has ever worked");
        fs::write(&file, &good).unwrap();
        assert_eq!(load_usable(directory.path(), false).unwrap().1, None);
        let network = directory.path().join(NETWORK);
        assert!(!network.exists());
        fs::write(&file, bad.replace("20/99", "20/24")).unwrap();
        assert_eq!(load_usable(directory.path(), false).unwrap().1, None);
        let fixed = Network::parse(&fs::read_to_string(&network).unwrap()).unwrap();
        assert_eq!(fixed.address.to_string(), "192.168.1.20/24");
        fs::write(&file, &bad).unwrap();
        let (settings, problem) = load_usable(directory.path(), false).unwrap();
        assert_eq!(settings.the_box.name.as_str(), "Shop");
        let problem = problem.unwrap();
        assert!(problem.contains("settings.toml") && problem.contains("192.168.1.20/24"), "{problem}");
        assert_eq!(fs::read_to_string(&file).unwrap(), bad, "the owner's text stays");
        assert!(network.exists(), "and so does the address");
        fs::write(&file, &good).unwrap();
        assert_eq!(load_usable(directory.path(), false).unwrap().1, None);
        assert!(!network.exists(), "DHCP again");
    }

    #[test]
    fn a_mistake_in_the_table_of_models_costs_only_the_owners_rows() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("modems.toml");
        let row = "[[modem]]\nname = \"Spare\"\nvendor = \"1234\"\nproduct = \"5678\"\nat = [1]\n";
        let (shipped, problem) = load_models(directory.path()).unwrap();
        assert_eq!(problem, None);

        fs::write(&file, row).unwrap();
        let (own, problem) = load_models(directory.path()).unwrap();
        assert_eq!(problem, None);
        assert_ne!(own, shipped);
        for mistake in [row.replace("5678", "5g78"), row.replace("[1]", "1, 2"), "\u{0}".to_owned()] {
            fs::write(&file, mistake).unwrap();
            let (models, problem) = load_models(directory.path()).unwrap();
            assert_eq!(models, shipped);
            assert!(problem.unwrap().contains("modems.toml"));
        }
    }
}
