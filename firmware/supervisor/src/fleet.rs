//! All modems: one task for each that is plugged in.

use crate::clock;
use crate::devices::{self, DeviceEvent, tty};
use crate::drive::{DriveEnd, abandon, drive};
use crate::line::{LineContext, LineEnd, LineTask};
use crate::power::Power;
use crate::records;
use crate::registry::{LineRequest, ModemFacts, Stage};
use crate::vitals::PulseTaker;
use modem::identify::{AtPort, ModelTable, ModemPorts, Recognised, identify};
use modem::{Modem, ModemConfig, RecoveryRecord};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::{debug, error, info, warn};

const REQUESTS: usize = 64;
const COMMANDS: usize = 64;
const EVENTS: usize = 256;
/// A task that was told to end does so well within this, or is ended.
const ENDING: Duration = Duration::from_secs(3);
/// Between two attempts to open a port.
const FIRST_PAUSE: Duration = Duration::from_millis(300);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Within this udev has given a new port its owner, on a slow machine that starts too.
const PERMISSION: Duration = Duration::from_secs(10);
const PERMISSION_LOOK: Duration = Duration::from_millis(100);

struct Running {
    ports: ModemPorts,
    /// Dropping it tells the task that the modem is gone.
    gone: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Starts and ends the tasks of modems as they come and go.
pub struct Fleet {
    context: LineContext,
    table: Arc<ModelTable>,
    running: HashMap<String, Running>,
    /// How far each modem's self-heal ladder is: a reset that makes the modem vanish must not forget it.
    recoveries: HashMap<String, Arc<Mutex<RecoveryRecord>>>,
    power: Power,
    ending: Duration,
}

impl Fleet {
    /// No modem yet.
    #[must_use]
    pub fn new(context: LineContext, table: ModelTable) -> Self {
        let (running, recoveries) = (HashMap::new(), HashMap::new());
        Self { context, table: Arc::new(table), running, recoveries, power: Power::default(), ending: ENDING }
    }

    /// Works until `events` closes or `stop` fires, then ends every task.
    pub async fn run(
        mut self,
        mut events: mpsc::Receiver<DeviceEvent>,
        mut pulse: PulseTaker,
        mut stop: oneshot::Receiver<()>,
    ) {
        loop {
            tokio::select! {
                _ = &mut stop => break,
                () = pulse.answer() => {}
                event = events.recv() => match event {
                    Some(DeviceEvent::Appeared(ttys)) => self.on_appeared(&ttys).await,
                    Some(DeviceEvent::Vanished(usb_path)) => self.on_vanished(&usb_path).await,
                    None => break,
                },
            }
        }
        let paths: Vec<String> = self.running.keys().cloned().collect();
        for path in paths {
            self.end(&path).await;
        }
    }

    async fn on_appeared(&mut self, ttys: &[devices::UsbTty]) {
        let Some(first) = ttys.first() else { return };
        let id = format!("{:04x}:{:04x}", first.vendor, first.product);
        let ports = match identify(ttys, &self.table) {
            Recognised::Modem(ports) => ports,
            Recognised::Guess(ports) => {
                info!(usb_path = %first.usb_path, id, "no row in the table of models: its ports are tried one by one");
                ports
            }
            Recognised::Incomplete { missing, usable } => {
                info!(usb_path = %first.usb_path, id, ?missing, "ports of this modem have not appeared yet");
                let Some(ports) = usable else { return };
                ports
            }
            Recognised::Unknown => return debug!(usb_path = %first.usb_path, id, "not a modem"),
        };
        self.start(ports).await;
    }

    async fn start(&mut self, ports: ModemPorts) {
        let path = ports.usb_path.clone();
        if self.running.get(&path).is_some_and(|running| running.ports == ports && !running.task.is_finished()) {
            return;
        }
        self.end(&path).await;
        info!(usb_path = %path, name = ports.name.as_deref().unwrap_or("unknown model"), "modem plugged in");
        let facts = ModemFacts::new(&path, (ports.vendor, ports.product), ports.audio.clone());
        let (requests, inbox) = mpsc::channel(REQUESTS);
        self.context.registry.insert(facts, requests);
        let (gone, is_gone) = oneshot::channel();
        let recovery = Arc::clone(self.recoveries.entry(path.clone()).or_default());
        let runner = Runner { context: self.context.clone(), ports: ports.clone(), recovery };
        let start_at = self.power.start_at(&path, clock::now());
        let task = tokio::spawn(runner.run(start_at, inbox, is_gone));
        self.running.insert(path.clone(), Running { ports, gone, task });
        self.context.note("modem_plugged", &serde_json::json!({ "usbPath": path })).await;
    }

    async fn on_vanished(&mut self, usb_path: &str) {
        if self.end(usb_path).await {
            info!(usb_path, "modem unplugged");
            self.context.registry.remove(usb_path);
            self.context.note("modem_unplugged", &serde_json::json!({ "usbPath": usb_path })).await;
            if self.power.on_vanished(self.running.len(), clock::now()) {
                self.tell_breakdown().await;
            }
        }
    }

    async fn tell_breakdown(&self) {
        let reason =
            "every modem vanished at once: their power supply is too weak or was interrupted; they are started \
                      one after the other"
                .to_owned();
        warn!(reason, "power");
        let action =
            api::WatchdogAction { target: "power".to_owned(), action: api::WatchdogStep::StaggeredStart, reason };
        self.context.hub.publish_watchdog(&self.context.store, action).await;
    }

    async fn end(&mut self, usb_path: &str) -> bool {
        let Some(Running { gone, mut task, .. }) = self.running.remove(usb_path) else { return false };
        drop(gone);
        match tokio::time::timeout(self.ending, &mut task).await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => error!(usb_path, %error, "the task of a modem failed"),
            Err(_) => {
                warn!(usb_path, "the task of a modem did not end by itself");
                task.abort();
                // Nothing of it runs any more when this is over; that it was cancelled is no news.
                task.await.unwrap_or_default();
            }
        }
        self.clean_up_after(usb_path).await;
        true
    }

    /// Does what the task of a modem would have done at its end. What it waited for may be stuck, and must not keep the
    /// other modems waiting.
    async fn clean_up_after(&self, usb_path: &str) {
        let Some(line) = self.context.registry.at(usb_path).and_then(|facts| facts.line) else { return };
        let cleaning = async {
            self.context.exchange.line_lost(line).await;
            let now = clock::unix_ms();
            match self.context.store.abandon_sending(line, now).await {
                Ok(messages) => {
                    for message in messages {
                        warn!(%line, message = %message.id, "the modem was lost while it sent an SMS part");
                        let change = records::status_change(&message, now);
                        self.context.hub.publish(&api::ServerEvent::MessageStatus(change));
                    }
                }
                Err(error) => error!(%line, error = %crate::chain::Chain(&error), "parts stay in sending"),
            }
        };
        if tokio::time::timeout(self.ending, cleaning).await.is_err() {
            error!(%line, "what a lost modem left was not cleaned up");
        }
    }
}

/// The task of one modem: opens its ports, one after the other until one answers, and again when one fails.
struct Runner {
    context: LineContext,
    ports: ModemPorts,
    recovery: Arc<Mutex<RecoveryRecord>>,
}

impl Runner {
    async fn run(self, start_at: Instant, mut requests: mpsc::Receiver<LineRequest>, mut gone: oneshot::Receiver<()>) {
        if !leave_alone(start_at, &mut requests, &mut gone).await {
            return;
        }
        let mut pause = FIRST_PAUSE;
        let candidates = self.ports.at.clone();
        for candidate in candidates.iter().cycle() {
            let started = clock::now();
            let end = self.work(candidate, &mut requests, &mut gone).await;
            match end {
                LineEnd::Closed => return,
                LineEnd::Silent => {
                    info!(usb_path = %self.ports.usb_path, "nothing answers on this port; the next is tried")
                }
                LineEnd::PortGone => debug!(usb_path = %self.ports.usb_path, "the port is gone"),
            }
            // A port that worked for a while starts over with short pauses.
            if clock::now().saturating_duration_since(started) > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            let until = clock::now() + pause_before_next(end, pause, &self.recovery(), clock::now());
            if !leave_alone(until, &mut requests, &mut gone).await {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn recovery(&self) -> RecoveryRecord {
        *self.recovery.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work(
        &self,
        candidate: &AtPort,
        requests: &mut mpsc::Receiver<LineRequest>,
        gone: &mut oneshot::Receiver<()>,
    ) -> LineEnd {
        let usb_path = &self.ports.usb_path;
        let port = match open_when_permitted(Path::new(&candidate.node), PERMISSION).await {
            Ok(port) => port,
            Err(error) => {
                warn!(usb_path, %error, "the port cannot be opened");
                let reason = format!("its port cannot be opened: {error}");
                self.context.registry.update(usb_path, |facts| facts.stage = Stage::Failed(reason));
                return LineEnd::PortGone;
            }
        };
        self.prepare_sound().await;
        let recovery = self.recovery();
        // While it rests it is tried once; why it failed stays to be read.
        if recovery.rest(clock::now()).is_none() {
            self.context.registry.update(usb_path, |facts| facts.stage = Stage::Starting);
        }
        let (family, has_audio) = (self.ports.family, self.ports.audio.is_some());
        let config = ModemConfig { family, has_audio, is_spare_port: candidate.is_spare, recovery };
        let mut machine = Modem::new(config, clock::now());
        let (commands, mut inbox) = mpsc::channel(COMMANDS);
        let (events, mut outbox) = mpsc::channel(EVENTS);
        let line = LineTask::new(self.context.clone(), usb_path, commands);
        // The line ends first and drops its side of the channels, which ends the drive; or the drive ends first, and
        // the line drains what it left.
        let driving = async {
            let end = drive(&mut machine, port, &mut inbox, &events).await;
            // Nobody takes commands any more: the line must not wait for room.
            inbox.close();
            if !matches!(end, DriveEnd::Closed) {
                abandon(&mut machine, &events);
            }
            drop(events);
            end
        };
        let (end, drive_end) = tokio::join!(line.run(&mut outbox, requests, gone), driving);
        match drive_end {
            DriveEnd::Closed => {}
            end => info!(usb_path, end = %crate::chain::Chain(&end), "port closed"),
        }
        *self.recovery.lock().unwrap_or_else(PoisonError::into_inner) = machine.recovery_record();
        end
    }

    /// Makes the port of the sound raw before a modem ever speaks on it: one that was never opened echoes what arrives,
    /// and an odd number of echoed octets shifts every sample that follows.
    async fn prepare_sound(&self) {
        let Some(node) = &self.ports.audio else { return };
        // A call that outlived this task has the port, and had it raw from its beginning.
        if let Err(error) = open_when_permitted(Path::new(node), PERMISSION).await
            && error.kind() != ErrorKind::ResourceBusy
        {
            warn!(usb_path = %self.ports.usb_path, %error, "the port of the sound cannot be opened");
        }
    }
}

/// Opens a port, and waits meanwhile for the right to it, which udev gives some time after the port has appeared.
async fn open_when_permitted(node: &Path, patience: Duration) -> std::io::Result<tty::Tty> {
    let deadline = clock::now() + patience;
    loop {
        match tty::open_raw(node) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied && clock::now() < deadline => {
                clock::sleep_until(Some(clock::now() + PERMISSION_LOOK)).await;
            }
            opened => return opened,
        }
    }
}

/// How long the next port is left alone: a modem on which nothing ever answered rests as long as its ladder says.
fn pause_before_next(end: LineEnd, pause: Duration, recovery: &RecoveryRecord, now: Instant) -> Duration {
    match end {
        LineEnd::Silent => recovery.rest(now).map_or(pause, |rest| rest.max(pause)),
        LineEnd::PortGone | LineEnd::Closed => pause,
    }
}

/// Waits, and lets go of what is asked of the modem meanwhile; false when the modem is gone.
async fn leave_alone(
    until: Instant,
    requests: &mut mpsc::Receiver<LineRequest>,
    gone: &mut oneshot::Receiver<()>,
) -> bool {
    loop {
        tokio::select! {
            _ = &mut *gone => return false,
            () = clock::sleep_until(Some(until)) => return true,
            request = requests.recv() => match request {
                // Whoever waits for an answer is told that there is none.
                Some(request) => drop(request),
                None => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record of a modem that never answered, after the ladder gave up.
    fn given_up() -> RecoveryRecord {
        let mut machine = Modem::new(ModemConfig::default(), clock::now());
        while machine.recovery_record().rest(clock::now()).is_none() {
            let next = machine.poll_timeout().expect("the ladder goes on");
            machine.handle_timeout(next);
            while machine.poll_output().is_some() {}
        }
        machine.recovery_record()
    }

    #[test]
    fn a_modem_that_never_answered_is_left_alone_as_long_as_its_ladder_says() {
        let (record, now) = (given_up(), clock::now());
        let rest = record.rest(now).expect("it gave up");
        assert!(rest >= Duration::from_secs(299), "{rest:?}");
        let short = Duration::from_secs(1);
        let table = [
            (LineEnd::Silent, record, rest),
            (LineEnd::Silent, RecoveryRecord::default(), short),
            // A port that came back is tried at once, and the ladder says how it goes on.
            (LineEnd::PortGone, record, short),
        ];
        for (end, record, want) in table {
            assert_eq!(pause_before_next(end, short, &record, now), want, "{end:?}");
        }
    }

    #[tokio::test]
    async fn a_task_that_does_not_end_or_fails_leaves_no_part_in_sending() {
        let bench = crate::line::tests::Bench::new();
        bench.identify().await;
        bench.insert(crate::line::tests::ONE).await;
        let line = bench.wait_for_line().await;
        let ports = ModemPorts {
            family: None,
            at: Vec::new(),
            audio: None,
            usb_path: crate::line::tests::USB_PATH.to_owned(),
            vendor: 0x2c7c,
            product: 0x0125,
            name: None,
        };
        let mut fleet = Fleet::new(bench.context.clone(), ModelTable::default());
        fleet.ending = Duration::from_millis(20);
        for (text, task) in [
            ("hangs", tokio::spawn(std::future::pending())),
            ("fails", tokio::spawn(async { panic!("a mistake of ours") })),
        ] {
            let message = bench.claim(line, text).await;
            let mut events = bench.context.hub.subscribe();
            let running = Running { ports: ports.clone(), gone: oneshot::channel().0, task };
            fleet.running.insert(ports.usb_path.clone(), running);
            assert!(fleet.end(&ports.usb_path).await);
            let message = bench.context.store.find_message(message).await.unwrap();
            assert_eq!(message.status, switchboard::outbox::MessageStatus::Unknown, "{text}");
            events.try_recv().unwrap();
        }
    }

    #[tokio::test]
    async fn a_modem_that_rests_keeps_nobody_waiting_and_can_be_pulled() {
        let (ask, mut requests) = mpsc::channel(1);
        let (pull, mut gone) = oneshot::channel();
        let until = clock::now() + Duration::from_secs(3600);
        let resting = tokio::spawn(async move { leave_alone(until, &mut requests, &mut gone).await });
        let (reply, answer) = oneshot::channel();
        ask.send(LineRequest::Ussd { text: "*100#".to_owned(), reply }).await.unwrap();
        assert!(answer.await.is_err());
        drop(pull);
        assert!(!resting.await.unwrap());
    }
}
