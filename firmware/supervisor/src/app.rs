//! What the tasks of the box share.

use crate::exchange::ExchangeHandle;
use crate::http::{ApiError, LoginGuard};
use crate::hub::Hub;
use crate::mdns::Hosts;
use crate::pbx::PbxHandle;
use crate::registry::Registry;
use crate::reset::Belongings;
use crate::space::Space;
use crate::tls::Certificates;
use settings::Settings;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use store::Store;
use tokio::sync::{Notify, Semaphore, watch};

/// Passwords hashed at the same time: each takes 19 MB.
const HASHERS: usize = 1;

/// What the tasks of the box share. Each fact has one owner behind it.
pub struct App {
    /// Everything that lasts.
    pub store: Store,
    /// What is known of modems and lines right now.
    pub registry: Arc<Registry>,
    /// Live events.
    pub hub: Hub,
    /// The calls.
    pub exchange: ExchangeHandle,
    /// Asterisk.
    pub pbx: PbxHandle,
    /// Slows down password guessing.
    pub guard: Mutex<LoginGuard>,
    /// Bounds the memory that logins take.
    pub hashing: Semaphore,
    /// Whether there is room for more.
    pub space: Arc<Space>,
    /// The owner's settings at this moment.
    pub settings: watch::Sender<Arc<Settings>>,
    /// Why the file with the settings is not used, when it is not.
    pub settings_problem: watch::Sender<Option<String>>,
    /// The file that they are in.
    pub settings_file: PathBuf,
    /// What a factory reset removes.
    pub belongings: Belongings,
    /// The certificates of our server, where TLS is on.
    pub certificates: Option<Arc<Certificates>>,
    /// Under which names the box is found on the local network.
    pub hosts: watch::Sender<Hosts>,
    /// Told when the program has to end, to begin anew.
    pub stop: Notify,
    /// Whether an owner has been seen; there is no way back from that.
    has_owner: watch::Sender<bool>,
    /// When the program started.
    pub started: Instant,
}

/// The parts of [`App`] that have owners elsewhere.
pub struct AppParts {
    /// Everything that lasts.
    pub store: Store,
    /// Whether there is room for more.
    pub space: Arc<Space>,
    /// What is known of modems and lines right now.
    pub registry: Arc<Registry>,
    /// Live events.
    pub hub: Hub,
    /// The calls.
    pub exchange: ExchangeHandle,
    /// Asterisk.
    pub pbx: PbxHandle,
    /// The settings at the start.
    pub settings: Settings,
    /// The certificates of our server, where TLS is on.
    pub certificates: Option<Arc<Certificates>>,
    /// Where everything is kept.
    pub belongings: Belongings,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: AppParts, started: Instant) -> Arc<Self> {
        let AppParts { store, space, registry, hub, exchange, pbx, settings, certificates, belongings } = parts;
        Arc::new(Self {
            store,
            registry,
            hub,
            exchange,
            pbx,
            guard: Mutex::default(),
            hashing: Semaphore::new(HASHERS),
            space,
            settings: watch::Sender::new(Arc::new(settings)),
            settings_problem: watch::Sender::default(),
            settings_file: belongings.config.join("settings.toml"),
            belongings,
            certificates,
            hosts: watch::Sender::default(),
            stop: Notify::new(),
            has_owner: watch::Sender::new(false),
            started,
        })
    }

    /// Whether the box has an owner: without one, only what makes one answers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_owner(&self) -> Result<bool, ApiError> {
        if *self.has_owner.borrow() {
            return Ok(true);
        }
        let needed = self.store.needs_first_user().await;
        let has_owner = !needed.map_err(|error| ApiError::internal("asking for the owner", &error))?;
        self.has_owner.send_if_modified(|seen| !std::mem::replace(seen, *seen || has_owner) && has_owner);
        Ok(has_owner)
    }

    /// Notes that there is an owner now.
    pub fn note_owner(&self) {
        self.has_owner.send_replace(true);
    }

    /// Waits until an owner has been seen.
    pub async fn owner_seen(&self) {
        // An error would say that the sender is gone, which is a part of this.
        drop(self.has_owner.subscribe().wait_for(|has_owner| *has_owner).await);
    }

    /// The line that is meant by what a client wrote: an id, a number of ours, or nothing for the first usable one.
    ///
    /// # Errors
    /// `no_such_line` when nothing fits.
    pub async fn choose_line(&self, wish: Option<&str>) -> Result<store::Line, ApiError> {
        let lines = self.store.list_lines().await;
        let lines = lines.map_err(|error| ApiError::internal("listing lines", &error))?;
        let none = |message: &str| ApiError::new(api::ErrorCode::NoSuchLine, message);
        let Some(wish) = wish.map(str::trim).filter(|wish| !wish.is_empty()) else {
            let usable: Vec<_> =
                self.registry.snapshot().into_iter().filter_map(|f| f.is_usable().then_some(f.line)?).collect();
            let heals = |line: &&store::Line| self.registry.line(line.id).is_some_and(|facts| !facts.is_locked());
            let chosen = lines
                .iter()
                .find(|line| usable.contains(&line.id))
                .or_else(|| lines.iter().find(heals).or_else(|| lines.first()));
            return chosen.cloned().ok_or_else(|| none("there is no line yet; plug in a modem with a SIM"));
        };
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let modem_line = || {
            let name = wish.strip_prefix("modem-sms-").or_else(|| wish.strip_prefix("modem-voip-")).unwrap_or(wish);
            self.registry.modem_requests(name).and_then(|(facts, _)| facts.line)
        };
        lines
            .iter()
            .find(|line| line.id.to_string() == wish)
            .or_else(|| {
                let wanted = digits(wish);
                let same = |number: &telecom::PhoneNumber| wanted.len() >= 6 && digits(number.as_str()) == wanted;
                lines.iter().find(|line| line.number.as_ref().is_some_and(same))
            })
            .or_else(|| modem_line().and_then(|id| lines.iter().find(|line| line.id == id)))
            .cloned()
            .ok_or_else(|| none("none of your lines has this number; see the list of lines"))
    }
}
