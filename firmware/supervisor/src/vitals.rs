//! Whether the tasks without which there is no box make progress, for the service manager that watches.
//!
//! A task that failed ends the program by itself. This is for one that is there and does not come back: the manager
//! hears nothing more, and starts the program again.

use crate::notify::Notifier;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use store::{Store, StoreError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tracing::{error, info};

/// Rounds of questions within the patience of the manager: one that went wrong is no restart yet.
const ROUNDS: u32 = 4;

/// The door for the question whether a task still takes its turns.
#[derive(Debug, Clone)]
pub struct Pulse(mpsc::Sender<oneshot::Sender<()>>);

/// The side of the task that is asked.
#[derive(Debug)]
pub struct PulseTaker(mpsc::Receiver<oneshot::Sender<()>>);

impl Pulse {
    /// A door, and what lies behind it.
    #[must_use]
    pub fn new() -> (Self, PulseTaker) {
        let (questions, taker) = mpsc::channel(1);
        (Self(questions), PulseTaker(taker))
    }

    /// Waits until the task answers.
    async fn feel(&self) {
        let (answer, answered) = oneshot::channel();
        // A task that has ended never answers.
        if self.0.send(answer).await.is_err() || answered.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl PulseTaker {
    /// Answers the next question. The loop of the task waits for this beside everything else; it may be dropped.
    pub async fn answer(&mut self) {
        match self.0.recv().await {
            // Who asked may have lost patience.
            Some(answer) => drop(answer.send(())),
            None => std::future::pending().await,
        }
    }
}

/// The tasks without which there is no box.
#[derive(Debug, Clone)]
pub struct Vitals {
    /// Its writer.
    pub store: Store,
    /// The calls.
    pub exchange: Pulse,
    /// The modems.
    pub fleet: Pulse,
}

/// Whoever can be asked for a sign of life.
trait Patients {
    /// Asks all of them at once and returns who did not answer `within` the time, after that time.
    fn silent(&self, within: Duration) -> impl Future<Output = Vec<&'static str>> + Send;
}

impl Patients for Vitals {
    async fn silent(&self, within: Duration) -> Vec<&'static str> {
        // A writer that refuses works: starting again would not give it another disk.
        let store = async {
            if matches!(self.store.check_writer().await, Err(StoreError::Stopped)) {
                std::future::pending::<()>().await;
            }
        };
        let (store, exchange, fleet) = tokio::join!(
            timeout(within, store),
            timeout(within, self.exchange.feel()),
            timeout(within, self.fleet.feel())
        );
        let answers = [("store", store), ("exchange", exchange), ("fleet", fleet)];
        answers.into_iter().filter_map(|(name, answer)| answer.err().map(|_| name)).collect()
    }
}

/// Tells the manager that the program is alive as long as every vital task answers. Works as long as the program.
pub async fn watch(vitals: Vitals, notifier: Arc<Notifier>) {
    tell(&notifier, &vitals).await;
}

async fn tell(notifier: &Notifier, patients: &impl Patients) {
    let Some(patience) = notifier.patience() else { return std::future::pending().await };
    let pause = patience / ROUNDS;
    let mut known = Vec::new();
    loop {
        let silent = patients.silent(pause).await;
        if silent.is_empty() {
            notifier.alive();
        }
        if silent != known {
            match silent.as_slice() {
                [] => info!("every task answers again"),
                silent => error!(?silent, ?patience, "tasks do not answer: without an answer the box starts again"),
            }
            known = silent;
        }
        if known.is_empty() {
            sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::os::unix::net::UnixDatagram;
    use std::sync::Mutex;
    use tokio::sync::Notify;

    /// Answers as long as it is polled.
    async fn working(mut taker: PulseTaker) {
        loop {
            taker.answer().await;
        }
    }

    #[tokio::test]
    async fn whoever_does_not_take_its_turn_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("box.db")).unwrap();
        let silent = async |is_exchange_stuck: bool, is_fleet_stuck: bool| {
            let ((exchange, calls), (fleet, modems)) = (Pulse::new(), Pulse::new());
            let vitals = Vitals { store: store.clone(), exchange, fleet };
            let within = Duration::from_secs(2);
            let (mut held, mut tasks) = (Vec::new(), tokio::task::JoinSet::new());
            for (taker, is_stuck) in [(calls, is_exchange_stuck), (modems, is_fleet_stuck)] {
                // One that is stuck keeps its side of the door.
                if is_stuck { held.push(taker) } else { drop(tasks.spawn(working(taker))) }
            }
            // A question that nobody took stays behind, and must not stand for an answer.
            let first = vitals.silent(within).await;
            let second = vitals.silent(within).await;
            assert_eq!(first, second);
            second
        };
        let all = tokio::join!(silent(false, false), silent(true, false), silent(false, true), silent(true, true));
        assert_eq!(all, (vec![], vec!["exchange"], vec!["fleet"], vec!["exchange", "fleet"]));
    }

    #[tokio::test]
    async fn a_task_that_ended_never_answers() {
        let (pulse, taker) = Pulse::new();
        drop(taker);
        assert!(timeout(Duration::from_millis(10), pulse.feel()).await.is_err());
    }

    /// Answers as it is told, and notes how many signs of life the manager had heard by then.
    struct Scripted {
        answers: Mutex<VecDeque<Vec<&'static str>>>,
        manager: UnixDatagram,
        heard: Mutex<Vec<usize>>,
        is_done: Notify,
    }

    impl Patients for Scripted {
        async fn silent(&self, _: Duration) -> Vec<&'static str> {
            let signs = std::iter::from_fn(|| self.manager.recv(&mut [0; 64]).ok()).count();
            self.heard.lock().unwrap().push(signs);
            let answer = self.answers.lock().unwrap().pop_front();
            match answer {
                Some(answer) => answer,
                None => {
                    self.is_done.notify_one();
                    std::future::pending().await
                }
            }
        }
    }

    #[tokio::test]
    async fn the_manager_hears_nothing_while_a_task_is_stuck() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_nonblocking(true).unwrap();
        let notifier = Notifier::connect(path.as_os_str(), Some(Duration::from_millis(40))).unwrap();
        let (well, stuck) = (Vec::new, || vec!["exchange"]);
        let answers = VecDeque::from([well(), well(), stuck(), stuck(), stuck(), well(), well()]);
        let patients =
            Scripted { answers: Mutex::new(answers), manager, heard: Mutex::default(), is_done: Notify::new() };
        tokio::select! {
            () = tell(&notifier, &patients) => panic!("it tells as long as the program lives"),
            () = patients.is_done.notified() => {}
        }
        assert_eq!(*patients.heard.lock().unwrap(), [0, 1, 1, 0, 0, 0, 1, 1]);
    }

    #[tokio::test]
    async fn without_a_manager_nobody_is_asked() {
        let (pulse, mut taker) = Pulse::new();
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("box.db")).unwrap();
        let vitals = Vitals { store, exchange: pulse.clone(), fleet: pulse };
        tokio::select! {
            biased;
            () = watch(vitals, Arc::default()) => panic!("it lasts as long as the program"),
            () = taker.answer() => panic!("somebody was asked"),
            () = std::future::ready(()) => {}
        }
    }
}
