//! What is known of each modem and line at this moment, with the time of its last proof.
//!
//! The modem's task writes, everybody else reads copies.

use crate::clock;
use modem::{Command, Identity, Recovery, SimState, UssdReply};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use telecom::{AccessTechnology, Iccid, Imei, LineId, ModemId, PhoneNumber, Registration, Signal};
use tokio::sync::{mpsc, oneshot, watch};

/// A value and when it was last proven.
#[derive(Debug, Clone)]
pub struct Proven<T> {
    /// The value.
    pub value: T,
    /// When the modem last said so.
    pub at: Instant,
}

impl<T> Proven<T> {
    /// Proven now.
    pub fn now(value: T) -> Self {
        Self { value, at: clock::now() }
    }

    /// How long ago it was proven.
    #[must_use]
    pub fn age(&self) -> Duration {
        clock::now().saturating_duration_since(self.at)
    }
}

/// How far a modem is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Being asked who it is.
    Starting,
    /// Its SIM cannot be used yet.
    Sim(SimState),
    /// SMS and calls are set up.
    Ready,
    /// It cannot work; in words.
    Failed(String),
}

/// Everything known of one modem.
#[derive(Debug, Clone)]
pub struct ModemFacts {
    /// Where it is plugged in, such as `1-2`.
    pub usb_path: String,
    /// USB vendor and product.
    pub usb_id: (u16, u16),
    /// Its name in the store, once it told its IMEI.
    pub modem: Option<ModemId>,
    /// The name that its owner gave it.
    pub modem_name: Option<String>,
    /// Who the device is.
    pub identity: Option<Identity>,
    /// How far it is.
    pub stage: Stage,
    /// The line of its SIM.
    pub line: Option<LineId>,
    /// The name of the line.
    pub line_name: Option<String>,
    /// The card.
    pub iccid: Option<Iccid>,
    /// The line's own number.
    pub number: Option<PhoneNumber>,
    /// Registration and technology.
    pub registration: Option<Proven<(Registration, Option<AccessTechnology>)>>,
    /// The operator's name.
    pub operator: Option<Proven<String>>,
    /// Signal.
    pub signal: Option<Proven<Signal>>,
    /// Whether voice over LTE is registered.
    pub ims: Option<Proven<bool>>,
    /// The last answer of the modem.
    pub alive: Option<Instant>,
    /// No room for another SMS in the modem.
    pub is_storage_full: bool,
    /// The PCM port.
    pub audio_port: Option<String>,
    /// The last step of the self-heal ladder and why.
    pub recovery: Option<Proven<(Recovery, String)>>,
    /// Steps of the ladder so far.
    pub recoveries: u32,
    /// The sentence about the audio path that the last call left.
    pub audio_alarm: Option<Proven<String>>,
}

impl ModemFacts {
    /// Nothing but where it is.
    #[must_use]
    pub fn new(usb_path: &str, usb_id: (u16, u16), audio_port: Option<String>) -> Self {
        Self {
            usb_path: usb_path.to_owned(),
            usb_id,
            modem: None,
            modem_name: None,
            identity: None,
            stage: Stage::Starting,
            line: None,
            line_name: None,
            iccid: None,
            number: None,
            registration: None,
            operator: None,
            signal: None,
            ims: None,
            alive: None,
            is_storage_full: false,
            audio_port,
            recovery: None,
            recoveries: 0,
            audio_alarm: None,
        }
    }

    /// Only its owner can make the card usable.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        use SimState::{PinNeeded, PinWrong, PukNeeded};
        matches!(self.stage, Stage::Sim(PinNeeded { .. } | PinWrong { .. } | PukNeeded { .. }))
    }

    /// Ready and registered with the network.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.stage == Stage::Ready && self.registration.as_ref().is_some_and(|r| r.value.0.is_registered())
    }
}

/// What the rest of the box asks of a modem's task.
#[derive(Debug)]
pub enum LineRequest {
    /// Straight to the machine.
    Command(Command),
    /// There may be something to send.
    SendQueued,
    /// A USSD request or reply; the answer comes back.
    Ussd {
        /// What to send.
        text: String,
        /// The network's answer.
        reply: oneshot::Sender<UssdReply>,
    },
    /// The owner typed a PIN; the SIM's next state comes back.
    Pin {
        /// The command to give.
        command: Command,
        /// The state that follows.
        reply: oneshot::Sender<SimState>,
    },
}

struct Entry {
    facts: ModemFacts,
    requests: mpsc::Sender<LineRequest>,
}

/// All modems that are plugged in.
pub struct Registry {
    entries: Mutex<BTreeMap<String, Entry>>,
    version: watch::Sender<u64>,
}

impl Default for Registry {
    fn default() -> Self {
        Self { entries: Mutex::default(), version: watch::Sender::new(0) }
    }
}

impl Registry {
    /// Adds a modem, or takes the place of one that was at the same USB path.
    pub fn insert(&self, facts: ModemFacts, requests: mpsc::Sender<LineRequest>) {
        self.lock().insert(facts.usb_path.clone(), Entry { facts, requests });
        self.bump();
    }

    /// Forgets the modem at a USB path.
    pub fn remove(&self, usb_path: &str) -> Option<ModemFacts> {
        let entry = self.lock().remove(usb_path);
        self.bump();
        entry.map(|entry| entry.facts)
    }

    /// Changes the facts of the modem at a USB path.
    pub fn update(&self, usb_path: &str, change: impl FnOnce(&mut ModemFacts)) {
        if let Some(entry) = self.lock().get_mut(usb_path) {
            change(&mut entry.facts);
        }
        self.bump();
    }

    /// Copies of all facts, in the order of the USB paths.
    #[must_use]
    pub fn snapshot(&self) -> Vec<ModemFacts> {
        self.lock().values().map(|entry| entry.facts.clone()).collect()
    }

    /// The USB paths of the other modems that told this IMEI.
    #[must_use]
    pub fn others_with(&self, imei: &Imei, usb_path: &str) -> Vec<String> {
        let is_one = |facts: &ModemFacts| {
            facts.usb_path != usb_path && facts.identity.as_ref().is_some_and(|identity| identity.imei == *imei)
        };
        self.lock().values().filter(|entry| is_one(&entry.facts)).map(|entry| entry.facts.usb_path.clone()).collect()
    }

    /// The facts of the modem at a USB path.
    #[must_use]
    pub fn at(&self, usb_path: &str) -> Option<ModemFacts> {
        self.lock().get(usb_path).map(|entry| entry.facts.clone())
    }

    /// The facts of the modem that carries a line.
    #[must_use]
    pub fn line(&self, line: LineId) -> Option<ModemFacts> {
        self.lock().values().find(|entry| entry.facts.line == Some(line)).map(|entry| entry.facts.clone())
    }

    /// The door to the modem that carries a line.
    #[must_use]
    pub fn line_requests(&self, line: LineId) -> Option<mpsc::Sender<LineRequest>> {
        self.lock().values().find(|entry| entry.facts.line == Some(line)).map(|entry| entry.requests.clone())
    }

    /// The door to a modem, by its id or its USB path.
    #[must_use]
    pub fn modem_requests(&self, id: &str) -> Option<(ModemFacts, mpsc::Sender<LineRequest>)> {
        self.lock()
            .values()
            .find(|entry| entry.facts.usb_path == id || entry.facts.modem.as_ref().is_some_and(|m| m.to_string() == id))
            .map(|entry| (entry.facts.clone(), entry.requests.clone()))
    }

    /// Follows every change of the facts.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    fn bump(&self) {
        self.version.send_modify(|version| *version = version.wrapping_add(1));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
