//! Gives simulated modems ttys, a device tree, a network between them, and a door for the tester.

mod clock;
mod config;
mod front;
mod hub;
mod protocol;
mod pty;
mod server;
mod transcript;
mod tree;
mod ttys;
mod usb;
mod wav;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot};

pub use config::{Config, ConfigError, ModemConfig};
pub use protocol::{Event, ModemStatus, Request, Response, SentMessage, TtyStatus, UsbStatus};
pub use wav::{WavError, read_wav, write_wav};

use crate::core::{Control, Recording};
use hub::{Hub, HubCommand};

/// Running simulated modems; they vanish when this is dropped.
#[derive(Debug)]
pub struct Sim {
    dir: PathBuf,
    commands: mpsc::Sender<HubCommand>,
    events: broadcast::Sender<Event>,
}

/// Why the simulator cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// A directory, a tty or a socket could not be made.
    #[error("failed to set up `{path}`")]
    Setup {
        /// What could not be made.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No modem was started under this USB path.
    #[error("no simulated modem has the USB path `{0}`")]
    NoSuchModem(String),
    /// The network or the modem refuses.
    #[error(transparent)]
    Refused(#[from] crate::core::ControlError),
    /// The simulator has ended.
    #[error("simulator has ended")]
    Ended,
}

impl Sim {
    /// Starts the modems of `config`; must be called within a tokio runtime.
    pub async fn start(config: Config) -> Result<Self, SimError> {
        let dir = config.dir.clone();
        let (commands, inbox) = mpsc::channel(256);
        let (events, _) = broadcast::channel(1024);
        let hub = Hub::new(config, events.clone())?;
        let socket = dir.join("control.sock");
        server::spawn_server(&socket, commands.clone(), events.clone())
            .map_err(|source| SimError::Setup { path: socket, source })?;
        tokio::spawn(hub.run(inbox));
        let sim = Self { dir, commands, events };
        sim.status().await?;
        Ok(sim)
    }

    /// Returns the fake device root: `<dir>/root` with `sys` and `dev` in it.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.dir.join("root")
    }

    /// Returns the log of every byte.
    #[must_use]
    pub fn transcript(&self) -> PathBuf {
        self.dir.join("transcript.log")
    }

    /// Returns the control socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir.join("control.sock")
    }

    /// Returns what happens from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Lets the network, the SIM or the tester of the modem at `modem` act.
    pub async fn control(&self, modem: &str, control: Control) -> Result<(), SimError> {
        let modem = modem.to_owned();
        self.ask(|reply| HubCommand::Control { modem, control, reply }).await?
    }

    /// Sends a text to the modem at `modem`.
    pub async fn send_sms(&self, modem: &str, from: &str, text: &str) -> Result<(), SimError> {
        let (from, text) = (from.to_owned(), text.to_owned());
        self.control(modem, Control::Sms { from, text, parts_order: None, class: None, reference: None }).await
    }

    /// Calls the modem at `modem`.
    pub async fn call(&self, modem: &str, from: &str) -> Result<(), SimError> {
        self.control(modem, Control::Call { from: Some(from.to_owned()), give_up_ms: None }).await
    }

    /// Pulls the plug of the modem at `modem`.
    pub async fn unplug(&self, modem: &str) -> Result<(), SimError> {
        let modem = modem.to_owned();
        self.ask(|reply| HubCommand::Unplug { modem, reply }).await?
    }

    /// Plugs the modem at `modem` in again, under new tty numbers if `numbers` says so.
    pub async fn plug(&self, modem: &str, numbers: Numbers) -> Result<(), SimError> {
        let modem = modem.to_owned();
        self.ask(|reply| HubCommand::Plug { modem, numbers, reply }).await?
    }

    /// Takes the power of every modem at once, and gives it back after a time.
    pub async fn brown_out(&self, absent: Duration) -> Result<(), SimError> {
        self.ask(|reply| HubCommand::BrownOut { absent, reply }).await
    }

    /// Exchanges two modems: each comes back on the USB path of the other.
    pub async fn swap(&self, first: &str, second: &str) -> Result<(), SimError> {
        let (first, second) = (first.to_owned(), second.to_owned());
        self.ask(|reply| HubCommand::Swap { first, second, reply }).await?
    }

    /// Returns every modem with its ttys, calls and memories.
    pub async fn status(&self) -> Result<Vec<ModemStatus>, SimError> {
        self.ask(|reply| HubCommand::Status { reply }).await
    }

    /// Returns the messages that left, oldest first.
    pub async fn sent(&self) -> Result<Vec<SentMessage>, SimError> {
        self.ask(|reply| HubCommand::Sent { reply }).await
    }

    /// Returns what the host said in calls through the modem at `modem`.
    pub async fn recording(&self, modem: &str) -> Result<Recording, SimError> {
        let modem = modem.to_owned();
        self.ask(|reply| HubCommand::Recording { modem, reply }).await?
    }

    /// Forgets what the host said in calls through the modem at `modem`.
    pub async fn clear_recording(&self, modem: &str) -> Result<(), SimError> {
        let modem = modem.to_owned();
        self.ask(|reply| HubCommand::ClearRecording { modem, reply }).await?
    }

    /// Returns the path of the tty of an interface, such as `<root>/dev/ttyUSB2`.
    pub async fn tty(&self, modem: &str, interface: u8) -> Result<PathBuf, SimError> {
        let status = self.status().await?;
        let unit = status.iter().find(|unit| unit.usb_path == modem);
        let tty = unit.and_then(|unit| unit.ttys.iter().find(|tty| tty.interface == interface));
        let tty = tty.ok_or_else(|| SimError::NoSuchModem(modem.to_owned()))?;
        Ok(self.root().join("dev").join(&tty.name))
    }

    /// Ends the simulator and removes its ttys.
    pub async fn stop(self) {
        if let Err(error) = self.ask(|reply| HubCommand::Stop { reply }).await {
            tracing::debug!(%error, "simulator had ended before");
        }
    }

    /// Waits until the simulator has ended.
    pub async fn ended(&self) {
        self.commands.closed().await;
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> HubCommand) -> Result<T, SimError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| SimError::Ended)?;
        answer.await.map_err(|_| SimError::Ended)
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let (reply, _) = oneshot::channel();
        if let Err(error) = self.commands.try_send(HubCommand::Stop { reply }) {
            tracing::debug!(%error, "simulator had ended before");
        }
    }
}

/// Which tty numbers a plugged modem gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbers {
    /// The lowest that are free, as the kernel does; a number is busy while a program holds the old tty open.
    #[default]
    LowestFree,
    /// Others than before, as if some program still held the old ones.
    Different,
}

/// Returns the control socket of a simulator that works in `dir`.
#[must_use]
pub fn socket_of(dir: &Path) -> PathBuf {
    dir.join("control.sock")
}
