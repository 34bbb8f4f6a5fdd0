//! What a line does when the store, the modem or the SIM does not play along.

use super::*;
use crate::exchange::ExchangeInputs;
use modem::{SimIdentity, StorageMemory, StorageSlot, StoredPart};
use std::sync::atomic::{AtomicU64, Ordering};
use switchboard::outbox::Rate;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) const ONE: &str = "8933150319000000123";
const OTHER: &str = "8933150319000000131";
pub(crate) const USB_PATH: &str = "1-2";

pub(crate) struct Bench {
    pub(crate) context: LineContext,
    usb_path: &'static str,
    events: mpsc::Sender<Event>,
    requests: mpsc::Sender<LineRequest>,
    commands: mpsc::Receiver<Command>,
    line: JoinHandle<LineEnd>,
    _gone: oneshot::Sender<()>,
    _extensions: watch::Sender<Vec<String>>,
    _inputs: ExchangeInputs,
    free: Arc<AtomicU64>,
    directory: tempfile::TempDir,
}

/// What has to live as long as a bench.
struct Around {
    directory: tempfile::TempDir,
    extensions: watch::Sender<Vec<String>>,
    inputs: ExchangeInputs,
    free: Arc<AtomicU64>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let directory = tempfile::TempDir::new().unwrap();
        let store = Store::open(directory.path().join("box.db")).unwrap();
        Self::in_directory(store, directory)
    }

    /// The box starts again on what it knows.
    fn with_store(store: Store) -> Self {
        Self::in_directory(store, tempfile::TempDir::new().unwrap())
    }

    fn in_directory(store: Store, directory: tempfile::TempDir) -> Self {
        let (extensions, seen) = watch::channel(Vec::new());
        let (exchange, inputs) = ExchangeHandle::new(seen);
        let free = Arc::new(AtomicU64::new(u64::MAX));
        let context = LineContext {
            store,
            space: Space::for_test(directory.path(), &free),
            registry: Arc::new(Registry::default()),
            hub: Hub::default(),
            exchange,
            root: DeviceRoot::new(directory.path()),
            limiter: Arc::new(Mutex::new(Limiter::new(Rate::default()))),
        };
        Self::at(USB_PATH, context, Around { directory, extensions, inputs, free })
    }

    /// Another modem of the same box.
    fn beside(bench: &Self, usb_path: &'static str) -> Self {
        let (extensions, seen) = watch::channel(Vec::new());
        let (exchange, inputs) = ExchangeHandle::new(seen);
        let context = LineContext { exchange, ..bench.context.clone() };
        let directory = tempfile::TempDir::new().unwrap();
        Self::at(usb_path, context, Around { directory, extensions, inputs, free: Arc::clone(&bench.free) })
    }

    fn at(usb_path: &'static str, context: LineContext, around: Around) -> Self {
        let Around { directory, extensions, inputs, free } = around;
        let (requests, mut inbox) = mpsc::channel(64);
        context.registry.insert(ModemFacts::new(usb_path, (0x2c7c, 0x0125), None), requests.clone());
        let (orders, commands) = mpsc::channel(64);
        let (events, mut told) = mpsc::channel(256);
        let (gone, mut is_gone) = oneshot::channel();
        let task = LineTask::new(context.clone(), usb_path, orders);
        let line = tokio::spawn(async move { task.run(&mut told, &mut inbox, &mut is_gone).await });
        Self {
            context,
            usb_path,
            events,
            requests,
            commands,
            line,
            _gone: gone,
            _extensions: extensions,
            _inputs: inputs,
            free,
            directory,
        }
    }

    async fn say(&self, event: Event) {
        self.events.send(event).await.unwrap();
    }

    pub(crate) async fn identify(&self) {
        let (manufacturer, model, revision) = ("Quectel".to_owned(), "EC25".to_owned(), "1".to_owned());
        let imei = "490154203237518".parse().unwrap();
        self.say(Event::Identified(modem::Identity { manufacturer, model, revision, imei })).await;
    }

    /// Waits until the SIM's line is known.
    pub(crate) async fn wait_for_line(&self) -> LineId {
        let mut changes = self.context.registry.watch();
        loop {
            if let Some(line) = self.facts().line {
                return line;
            }
            tokio::time::timeout(Duration::from_secs(5), changes.changed()).await.expect("a line").unwrap();
        }
    }

    /// Accepts a message, and takes its part as the task of the line would.
    pub(crate) async fn claim(&self, line: LineId, text: &str) -> telecom::MessageId {
        let to = "+33600000002".parse().unwrap();
        let new = store::NewMessage { line, to, text: text.to_owned(), client_key: None, at_ms: clock::unix_ms() };
        let message = self.context.store.enqueue_message(new).await.unwrap();
        self.context.store.claim_next_part(line, clock::unix_ms()).await.unwrap().unwrap();
        message.into_inner().id
    }

    pub(crate) async fn insert(&self, iccid: &str) {
        let imsi = "208011234567890".parse().unwrap();
        self.say(Event::SimIdentified(SimIdentity { iccid: iccid.parse().unwrap(), imsi, number: None })).await;
    }

    async fn command(&mut self) -> Command {
        tokio::time::timeout(Duration::from_secs(5), self.commands.recv()).await.expect("a command").unwrap()
    }

    /// Waits until everything said so far was worked on.
    async fn settle(&mut self) {
        self.requests.send(LineRequest::Command(Command::UssdCancel)).await.unwrap();
        assert_eq!(self.command().await, Command::UssdCancel);
    }

    fn facts(&self) -> ModemFacts {
        self.context.registry.at(self.usb_path).unwrap()
    }
}

fn pin_needed(attempts_left: u8) -> Event {
    Event::Sim(SimState::PinNeeded { iccid: Some(ONE.parse().unwrap()), attempts_left: Some(attempts_left) })
}

#[tokio::test]
async fn a_stored_pin_of_unknown_fate_is_not_tried_again() {
    let mut bench = Bench::new();
    bench.context.store.set_pin(ONE.parse().unwrap(), "1234".to_owned()).await.unwrap();
    bench.say(pin_needed(3)).await;
    assert!(matches!(bench.command().await, Command::EnterPin { last_attempt: false, .. }));
    bench.settle().await;
    assert!(!bench.facts().is_locked(), "nobody has to do anything");
    // The answer was lost, and the SIM has counted an attempt.
    bench.say(pin_needed(2)).await;
    bench.settle().await;
    assert!(bench.facts().is_locked());
}

#[tokio::test]
async fn an_owner_who_stopped_waiting_does_not_block_the_next_pin() {
    let mut bench = Bench::new();
    for _ in 0..2 {
        let (reply, answer) = oneshot::channel();
        let command = Command::EnterPin { pin: "1234".to_owned(), last_attempt: false };
        bench.requests.send(LineRequest::Pin { command, reply }).await.unwrap();
        assert!(matches!(bench.command().await, Command::EnterPin { .. }));
        drop(answer);
    }
}

#[tokio::test]
async fn a_sim_that_left_takes_its_line_along() {
    let mut bench = Bench::new();
    bench.identify().await;
    bench.insert(ONE).await;
    bench.settle().await;
    assert!(bench.facts().line.is_some());
    bench.say(Event::Sim(SimState::Absent)).await;
    bench.settle().await;
    assert_eq!((bench.facts().line, bench.facts().iccid), (None, None));
    // A card that does not tell its number before its PIN is not the one before.
    bench.insert(ONE).await;
    bench.say(Event::Sim(SimState::PinNeeded { iccid: None, attempts_left: Some(3) })).await;
    bench.settle().await;
    assert_eq!(bench.facts().iccid, None);
    bench.insert(OTHER).await;
    bench.settle().await;
    assert_eq!(bench.facts().iccid, Some(OTHER.parse().unwrap()));
}

#[tokio::test]
async fn a_part_that_came_before_its_line_was_known_is_kept() {
    let mut bench = Bench::new();
    bench.identify().await;
    bench.say(Event::SmsDirect { pdu: vec![0xff; 12] }).await;
    bench.insert(ONE).await;
    bench.settle().await;
    assert_eq!(bench.context.store.list_chats(10, 0).await.unwrap().len(), 1);
}

/// A part in the modem's own memory.
fn in_memory(index: u16, octet: u8) -> modem::StoredPart {
    let slot = modem::StorageSlot { memory: modem::StorageMemory::Me, index };
    modem::StoredPart { slot, pdu: vec![octet; 12] }
}

async fn chats_of(bench: &Bench, iccid: &str) -> Vec<u32> {
    let lines = bench.context.store.list_lines().await.unwrap();
    let line = lines.iter().find(|line| line.iccid.as_str() == iccid).unwrap().id;
    let chats = bench.context.store.list_chats(10, 0).await.unwrap();
    chats.iter().filter(|chat| chat.line == line).map(|chat| chat.unread_count).collect()
}

#[tokio::test]
async fn what_a_modem_holds_of_the_sim_before_stays_with_its_line() {
    let directory = tempfile::TempDir::new().unwrap();
    let store = Store::open(directory.path().join("box.db")).unwrap();
    let mut before = Bench::with_store(store.clone());
    before.identify().await;
    before.insert(ONE).await;
    before.say(Event::Swept(vec![])).await;
    before.settle().await;
    drop(before);
    // The box was off; two arrived on the first SIM, and then the second was put in its place.
    for _ in 0..2 {
        // It stopped once more before it had looked.
        let mut bench = Bench::with_store(store.clone());
        bench.identify().await;
        bench.insert(OTHER).await;
        bench.settle().await;
    }
    let mut bench = Bench::with_store(store);
    bench.identify().await;
    bench.insert(OTHER).await;
    // Announced while the memory is listed: it came on the SIM that is in the modem.
    bench.say(Event::SmsStored(in_memory(5, 0xfa))).await;
    bench.say(Event::Swept(vec![in_memory(3, 0xfb), in_memory(4, 0xfc), in_memory(5, 0xfa)])).await;
    bench.say(Event::Swept(vec![in_memory(3, 0xfb), in_memory(4, 0xfc), in_memory(6, 0xfd)])).await;
    for index in [5, 3, 4, 5, 3, 4, 6] {
        let slot = in_memory(index, 0).slot;
        assert_eq!(bench.command().await, Command::ClearSlot(slot));
    }
    assert_eq!((chats_of(&bench, ONE).await, chats_of(&bench, OTHER).await), (vec![2], vec![2]));
}

#[tokio::test]
async fn two_modems_that_tell_one_imei_are_two_and_keep_their_memories_apart() {
    let one = Bench::new();
    let mut other = Bench::beside(&one, "1-3");
    one.identify().await;
    one.insert(ONE).await;
    one.wait_for_line().await;
    other.identify().await;
    other.insert(OTHER).await;
    other.wait_for_line().await;
    for bench in [&one, &other] {
        // The same octets in the same slot.
        bench.say(Event::SmsStored(in_memory(0, 0xfa))).await;
    }
    other.say(Event::Swept(vec![in_memory(0, 0xfa)])).await;
    for _ in 0..2 {
        assert!(matches!(other.command().await, Command::ClearSlot(_)));
    }
    let ids: Vec<_> = other.context.registry.snapshot().into_iter().map(|facts| facts.modem).collect();
    assert!(ids.len() == 2 && ids[0].is_some() && ids[0] != ids[1], "{ids:?}");
    let (first, second) = (one.context.registry.at(USB_PATH).unwrap(), one.context.registry.at("1-3").unwrap());
    assert_ne!(crate::views::modem(&first).id, crate::views::modem(&second).id);
    let mut one = one;
    assert!(matches!(one.command().await, Command::ClearSlot(_)));
    assert_eq!((chats_of(&one, ONE).await, chats_of(&one, OTHER).await), (vec![1], vec![1]));
}

#[tokio::test]
async fn a_modem_that_gave_up_does_not_look_as_if_it_started() {
    let mut bench = Bench::new();
    bench.identify().await;
    bench.say(Event::Failed(Failure::Silent)).await;
    bench.say(Event::Recovery { step: Recovery::GaveUp, reason: "silent".to_owned() }).await;
    bench.settle().await;
    assert!(matches!(bench.facts().stage, Stage::Failed(_)));
}

#[tokio::test]
async fn a_port_that_never_answered_is_left_after_the_reset_of_its_device() {
    let bench = Bench::new();
    let device = bench.directory.path().join("sys/bus/usb/devices").join(USB_PATH);
    std::fs::create_dir_all(&device).unwrap();
    std::fs::write(device.join("authorized"), "?").unwrap();
    bench.say(Event::Failed(Failure::Silent)).await;
    bench.say(Event::Recovery { step: Recovery::UsbReset, reason: "silent".to_owned() }).await;
    bench.say(Event::UsbResetWanted).await;
    let end = tokio::time::timeout(Duration::from_secs(5), bench.line).await.unwrap();
    assert_eq!(end.unwrap(), LineEnd::Silent);
    let started = clock::now();
    while std::fs::read_to_string(device.join("authorized")).unwrap() != "1" {
        assert!(clock::now().duration_since(started) < Duration::from_secs(5), "the device was not reset");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The files of the store as they are, before they are spoilt.
struct Disk(Vec<(std::path::PathBuf, Vec<u8>)>);

impl Disk {
    fn of(bench: &Bench) -> Self {
        let paths = ["box.db", "box.db-wal"].map(|name| bench.directory.path().join(name));
        Self(paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect())
    }

    fn spoil(&self) {
        for (path, bytes) in &self.0 {
            std::fs::write(path, vec![0xff; bytes.len()]).unwrap();
        }
    }

    /// A store that works, with everything that was there before.
    fn mended(&self, directory: &tempfile::TempDir) -> Store {
        for (path, bytes) in &self.0 {
            std::fs::write(directory.path().join(path.file_name().unwrap()), bytes).unwrap();
        }
        Store::open(directory.path().join("box.db")).unwrap()
    }
}

/// A store on the same files that has read nothing of them yet.
fn fresh_store(bench: &Bench) -> Store {
    Store::open(bench.directory.path().join("box.db")).unwrap()
}

/// A line whose modem works, run by nobody.
async fn working_line(bench: &mut Bench) -> (LineTask, mpsc::Receiver<Command>) {
    bench.identify().await;
    bench.insert(ONE).await;
    bench.settle().await;
    bench.context.registry.update(USB_PATH, |facts| {
        facts.stage = Stage::Ready;
        facts.registration = Some(Proven::now((telecom::Registration::Home, None)));
    });
    let (orders, commands) = mpsc::channel(64);
    let mut task = LineTask::new(bench.context.clone(), USB_PATH, orders);
    task.line = bench.facts().line;
    (task, commands)
}

#[tokio::test]
async fn what_became_of_a_part_waits_for_a_store_that_fails_and_asks_it_with_pauses() {
    let mut bench = Bench::new();
    let (mut task, mut commands) = working_line(&mut bench).await;
    let to = "+33612345678".parse().unwrap();
    let new = store::NewMessage { line: task.line.unwrap(), to, text: "x".into(), client_key: None, at_ms: 1 };
    bench.context.store.enqueue_message(new).await.unwrap();
    task.send_queued().await;
    let Some(Command::SendSms { token, .. }) = commands.recv().await else { panic!("a part leaves") };
    task.context.store = fresh_store(&bench);
    let (disk, before) = (Disk::of(&bench), clock::now());
    disk.spoil();
    task.on_sent(token, 1).await;
    assert!(task.outbox.next_look().unwrap() >= before + STORE_PAUSE);
    let elsewhere = tempfile::TempDir::new().unwrap();
    let store = disk.mended(&elsewhere);
    task.context.store = store.clone();
    task.send_queued().await;
    let chats = store.list_chats(1, 0).await.unwrap();
    let page = store::MessagePage { limit: 1, before_ms: None, after_ms: None };
    let messages = store.list_messages(chats[0].id.clone(), page).await.unwrap();
    assert_eq!(messages[0].status, switchboard::outbox::MessageStatus::Sent);
    assert_eq!(task.outbox.next_look(), None);
    assert!(commands.try_recv().is_err(), "it is not sent twice");
}

#[tokio::test]
async fn a_store_that_fails_is_asked_for_work_and_told_of_sims_with_pauses() {
    let mut bench = Bench::new();
    let (mut task, _commands) = working_line(&mut bench).await;
    task.context.store = fresh_store(&bench);
    let (disk, before) = (Disk::of(&bench), clock::now());
    disk.spoil();
    task.send_queued().await;
    assert!(task.outbox.next_look().unwrap() >= before + STORE_PAUSE);
    let sim = SimIdentity { iccid: OTHER.parse().unwrap(), imsi: "208011234567890".parse().unwrap(), number: None };
    task.on_sim_identified(sim).await;
    assert!(task.resweep_at.unwrap() >= before + STORE_PAUSE);
    assert_eq!(task.line, None, "nobody knows whose messages these are");
    let elsewhere = tempfile::TempDir::new().unwrap();
    task.context.store = disk.mended(&elsewhere);
    task.resweep_at = Some(before);
    task.on_wake().await;
    assert_ne!(task.line, None);
    assert_eq!(task.resweep_at, None);
}

#[tokio::test]
async fn an_sms_stays_in_the_modem_while_the_disk_is_full() {
    let mut bench = Bench::new();
    bench.identify().await;
    bench.insert(ONE).await;
    bench.settle().await;
    let slot = StorageSlot { memory: StorageMemory::Me, index: 3 };
    let part = StoredPart { slot, pdu: vec![0xff; 12] };
    let disk = |bench: &Bench, free| {
        bench.free.store(free, Ordering::Relaxed);
        bench.context.space.look();
    };

    disk(&bench, 0);
    bench.say(Event::SmsStored(part.clone())).await;
    bench.say(Event::Swept(vec![part.clone()])).await;
    bench.say(Event::SmsDirect { pdu: vec![0xfe; 12] }).await;
    // No order to clear the slot comes before this one.
    bench.settle().await;
    assert!(bench.context.store.list_chats(10, 0).await.unwrap().is_empty());

    disk(&bench, u64::MAX);
    bench.say(Event::Swept(vec![part])).await;
    assert_eq!(bench.command().await, Command::ClearSlot(slot));
    assert_eq!(bench.context.store.list_chats(10, 0).await.unwrap().len(), 1);
}
