//! The start and the end of `homenichatd`.

mod configuration;
mod front;
mod upkeep;

use crate::app::{App, AppParts};
use crate::devices::{self, DeviceRoot, EventSource, Monitor};
use crate::exchange::{ExchangeHandle, ExchangeInputs, ExchangeParts, ExchangeTask};
use crate::fleet::Fleet;
use crate::hub::Hub;
use crate::line::LineContext;
use crate::media::MediaServer;
use crate::notify::Notifier;
use crate::pbx::process::end_left_behind;
use crate::pbx::{Pbx, PbxConfig, PbxHandle, Program};
use crate::registry::Registry;
use crate::reset::Belongings;
use crate::space::{self, Space};
use crate::vitals::{Pulse, Vitals};
use crate::{announce, card, clock, guard, http, pbx, vitals};
use anyhow::{Context, Result};
use clap::Parser;
use configuration::Configuration;
use std::net::SocketAddr;
use std::path::{Path, PathBuf, absolute};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use store::Store;
use switchboard::calls::{Exchange, ExchangeConfig};
use switchboard::outbox::Limiter;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, error, info, warn};

const EVENTS: usize = 256;
/// Leaving takes no longer than this; then the store's own durability is enough.
const FAREWELL: Duration = Duration::from_secs(12);

/// The supervisor of the box: modems, Asterisk, messages, calls and the API.
#[derive(Debug, Clone, Parser)]
#[command(name = "homenichatd", version)]
pub struct Options {
    /// Where messages, voicemail and everything else that lasts is kept.
    #[arg(long, default_value = "/var/lib/homenichat")]
    pub state: PathBuf,
    /// Where derived files and sockets are kept while the box runs.
    #[arg(long, default_value = "/run/homenichat")]
    pub run_dir: PathBuf,
    /// The owner's configuration.
    #[arg(long, default_value = "/etc/homenichat")]
    pub config: PathBuf,
    /// The directory that holds `sys` and `dev`.
    #[arg(long, default_value = "/")]
    pub device_root: PathBuf,
    /// Where device events come from: auto, kernel, udev, or unix:PATH.
    #[arg(long, default_value = "auto")]
    pub events: EventSource,
    /// Where the API listens, in place of what the settings say.
    #[arg(long)]
    pub http: Option<SocketAddr>,
    /// A folder with an unpacked Asterisk, as scripts/provision-asterisk makes it; without it, the installed one.
    #[arg(long)]
    pub asterisk: Option<PathBuf>,
    /// Begin with settings for a laptop when there are none.
    #[arg(long)]
    pub laptop: bool,
    /// Only check that the program works on this machine: a store is opened and a configuration rendered.
    #[arg(long)]
    pub self_check: bool,
    /// Only answer everybody on port 80 with what this file says: why there is no place for messages.
    #[arg(long)]
    pub explain: Option<PathBuf>,
    /// Only write the fixed address of network.toml to this file for systemd-networkd, and let it read a change.
    #[arg(long)]
    pub apply_network: Option<PathBuf>,
    /// Files that ask for a factory reset, for an owner who cannot sign in: on the boot area of each slot.
    #[arg(
        long = "reset-file",
        default_values = ["/boot/homenichat-factory-reset", "/run/boot/other/homenichat-factory-reset"]
    )]
    pub reset_files: Vec<PathBuf>,
}

/// Runs the box until it is told to stop.
///
/// # Errors
/// What keeps it from starting, for its owner.
pub fn main(options: &Options) -> Result<()> {
    if options.self_check {
        return crate::selfcheck::run();
    }
    if let Some(file) = &options.apply_network {
        return crate::network::run(&options.config.join("network.toml"), file);
    }
    if let Some(file) = &options.explain {
        return crate::no_data::serve(file);
    }
    let started = clock::start();
    let belongings = belongings(options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(8)
        .enable_all()
        .build()
        .context("starting the runtime")?;
    if belongings.are_to_go(&options.reset_files) {
        // It would carry on with the accounts of the owner.
        runtime.block_on(end_left_behind(&belongings.run_dir.join("asterisk/asterisk.conf")));
        belongings.complete_reset(&options.reset_files)?;
    }
    let outcome = runtime.block_on(run(options, started));
    // A thread that hangs in the kernel must not keep the box from ending.
    runtime.shutdown_timeout(Duration::from_secs(2));
    match outcome? {
        _ if !belongings.are_condemned() => Ok(()),
        Farewell::Clean => belongings.complete_reset(&options.reset_files).map(drop),
        // Something still runs and may write: what it leaves goes at the next start.
        Farewell::Late => belongings.remove(),
    }
}

/// How the program ended.
enum Farewell {
    /// Everything stopped.
    Clean,
    /// Something did not stop in time.
    Late,
}

fn belongings(options: &Options) -> Result<Belongings> {
    let place = |path: &Path| absolute(path).with_context(|| format!("finding {}", path.display()));
    Ok(Belongings { state: place(&options.state)?, config: place(&options.config)?, run_dir: place(&options.run_dir)? })
}

async fn run(options: &Options, started: Instant) -> Result<Farewell> {
    let notifier = Arc::new(Notifier::from_environment());
    let mut configuration = Configuration::load(options)?;
    // A full disk gives back what was held back, and then has room for a start.
    let space = Space::new(configuration.state_dir());
    space.look();
    let store = Store::open(configuration.state_dir().join("homenichat.db"))?;
    let listen = options.http.unwrap_or(configuration.settings().http.listen);
    let listener = TcpListener::bind(listen).await.with_context(|| format!("listening on {listen}"))?;
    recover(&store).await?;

    let (registry, hub) = (Arc::new(Registry::default()), Hub::default());
    let (extensions, extensions_seen) = watch::channel(configuration.extensions());
    let (exchange, inputs) = ExchangeHandle::new(extensions_seen);
    let (pbx_events, pbx_told) = mpsc::channel(EVENTS);
    let calls_up = Arc::new(AtomicUsize::new(0));
    configuration.set_lines(&store.list_lines().await.context("listing lines")?);
    let pbx = spawn_pbx(options, &configuration, Arc::clone(&calls_up), pbx_events)?;

    let (settings, belongings) = (configuration.settings().clone(), belongings(options)?);
    let certificates = front::certificates(&settings, &belongings.config)?;
    let parts = AppParts { store, space, registry, hub, exchange, pbx, settings, certificates, belongings };
    let app = App::new(parts, started);
    // Whoever is answered finds every door open.
    front::open(&app).await?;
    guard::spawn("http", http::serve(listener, http::router(Arc::clone(&app))));
    let ready_ms = u64::try_from(clock::now().saturating_duration_since(started).as_millis()).unwrap_or(u64::MAX);
    info!(%listen, ready_ms, "the API answers");
    notifier.ready();

    tokio::spawn(start_pbx(Arc::clone(&app)));
    let exchange = spawn_exchange(&app, &configuration, inputs, pbx_told, calls_up).await?;
    put_back_on_the_bus(options, &app.store).await?;
    let (stop_fleet, fleet_stops) = oneshot::channel();
    let (mut fleet, fleet_pulse) = spawn_fleet(options, &app, &configuration, fleet_stops)?;
    let vitals = Vitals { store: app.store.clone(), exchange, fleet: fleet_pulse };
    guard::spawn("vitals", vitals::watch(vitals, Arc::clone(&notifier)));
    guard::spawn("card", card::run(Arc::clone(&app)));
    guard::spawn("announce", announce::run(Arc::clone(&app)));
    guard::spawn("space", space::run(Arc::clone(&app.space)));
    guard::spawn("upkeep", upkeep::run(app.store.clone(), app.hub.clone()));
    guard::spawn("configuration", configuration.watch(Arc::clone(&app), extensions));

    tokio::select! {
        signal = wait_for_signal() => signal?,
        () = app.stop.notified() => {}
        ended = &mut fleet => {
            error!(?ended, "the task of the modems ended: the program starts again");
            std::process::exit(guard::FAILED);
        }
    }
    info!("stopping");
    notifier.stopping();
    drop(stop_fleet);
    Ok(tokio::time::timeout(FAREWELL, farewell(fleet, &app.pbx)).await.unwrap_or_else(|_| {
        warn!("not everything ended in time");
        Farewell::Late
    }))
}

/// Phones are answered from the moment on that somebody owns the box.
async fn start_pbx(app: Arc<App>) {
    if let Err(error) = app.has_owner().await {
        warn!(code = ?error.code, "whether there is an owner is not known yet");
    }
    app.owner_seen().await;
    if let Err(error) = app.pbx.start().await {
        debug!(%error, "the box stops before Asterisk was started");
    }
}

/// What an earlier run left open is closed, and what cannot be known is said to be unknown.
async fn recover(store: &Store) -> Result<()> {
    let recovered = store.recover_outbox(clock::unix_ms()).await.context("looking through the outbox")?;
    if !recovered.is_empty() {
        warn!(messages = recovered.len(), "messages were being sent when the box stopped: their outcome is unknown");
    }
    store.close_open_calls(clock::unix_ms()).await.context("closing old calls")?;
    Ok(())
}

/// A supervisor that was killed in the middle of a USB reset left the modem off the bus.
async fn put_back_on_the_bus(options: &Options, store: &Store) -> Result<()> {
    let root = DeviceRoot::new(&options.device_root);
    for modem in store.list_modems().await.context("listing modems")? {
        let Some(usb_path) = modem.usb_path else { continue };
        if let Err(error) = devices::ensure_authorized(&root, &usb_path).await {
            debug!(usb_path, %error, "not on the bus");
        }
    }
    Ok(())
}

async fn farewell(fleet: tokio::task::JoinHandle<()>, pbx: &PbxHandle) -> Farewell {
    if let Err(error) = fleet.await {
        error!(%error, "the task of the modems failed");
    }
    if let Err(error) = pbx.stop().await {
        warn!(%error, "Asterisk was not stopped");
        return Farewell::Late;
    }
    Farewell::Clean
}

async fn spawn_exchange(
    app: &App,
    configuration: &Configuration,
    inputs: ExchangeInputs,
    pbx_events: mpsc::Receiver<pbx::PbxEvent>,
    calls_up: Arc<AtomicUsize>,
) -> Result<Pulse> {
    let (pulse, asked) = Pulse::new();
    let (media, notices) = MediaServer::bind(configuration.audio_address()).await.context("listening for sound")?;
    let config = ExchangeConfig { app: asterisk::dialplan::APP.to_owned(), audio_address: media.address() };
    let task = ExchangeTask::new(ExchangeParts {
        machine: Exchange::new(config, Box::new(random_uuid)),
        inputs,
        media,
        notices,
        pbx: app.pbx.clone(),
        pbx_events,
        registry: Arc::clone(&app.registry),
        store: app.store.clone(),
        hub: app.hub.clone(),
        calls_up,
        pulse: asked,
    });
    guard::spawn("exchange", task.run());
    Ok(pulse)
}

fn spawn_pbx(
    options: &Options,
    configuration: &Configuration,
    calls_up: Arc<AtomicUsize>,
    events: mpsc::Sender<pbx::PbxEvent>,
) -> Result<PbxHandle> {
    let files_dir = configuration.asterisk_files();
    let program = Program {
        path: options.asterisk.as_ref().map_or_else(|| PathBuf::from("asterisk"), |dir| dir.join("run-asterisk")),
        configuration: files_dir.join("asterisk.conf"),
        log: configuration.asterisk_log(),
    };
    let config = PbxConfig {
        program,
        files_dir,
        ari: configuration.ari_address(),
        ari_credentials: configuration.ari_credentials()?,
        ami: configuration.ami_address(),
        ami_login: configuration.ami_login()?,
        calls_up,
    };
    Pbx::spawn(config, &configuration.render()?, events).context("writing Asterisk's files")
}

fn spawn_fleet(
    options: &Options,
    app: &App,
    configuration: &Configuration,
    stops: oneshot::Receiver<()>,
) -> Result<(tokio::task::JoinHandle<()>, Pulse)> {
    let root = DeviceRoot::new(&options.device_root);
    let monitor = Monitor::bind(root.clone(), options.events.clone())
        .with_context(|| format!("listening for device events ({:?})", options.events))?;
    let (device_events, devices) = mpsc::channel(EVENTS);
    guard::spawn("devices", monitor.run(device_events));
    let context = LineContext {
        store: app.store.clone(),
        space: Arc::clone(&app.space),
        registry: Arc::clone(&app.registry),
        hub: app.hub.clone(),
        exchange: app.exchange.clone(),
        root,
        limiter: Arc::new(Mutex::new(Limiter::new(configuration.sending_rate()))),
    };
    let (pulse, asked) = Pulse::new();
    let fleet = Fleet::new(context, configuration.models().clone());
    Ok((tokio::spawn(fleet.run(devices, asked, stops)), pulse))
}

async fn wait_for_signal() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn random_uuid() -> [u8; 16] {
    let mut uuid = [0; 16];
    if let Err(error) = getrandom::fill(&mut uuid) {
        // Without randomness ids repeat, and a call could be taken for another.
        error!(%error, "the system has no randomness: the program starts again");
        std::process::exit(guard::FAILED);
    }
    uuid
}
