//! Brings requests to Asterisk: those of one call one after the other, those of different calls side by side, so that
//! no call waits for the answer that another one does not get.

use crate::pbx::{self, PbxHandle};
use asterisk::ari::{Method, Request};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::{BTreeSet, VecDeque};
use switchboard::calls::{AriFailure, RequestToken};
use telecom::CallId;
use tokio::sync::mpsc;
use tracing::debug;

/// Requests that Asterisk may have at once. What ends a channel is never held back by it.
const MOST_UNDER_WAY: usize = 8;

/// Requests that wait here at most; more stay in the channel.
const MOST_WAITING: usize = 256;

/// Asterisk says so when the channel, bridge or endpoint is gone.
const NOT_FOUND: u16 = 404;

/// A request, the call that it is for, and the name under which its answer is expected.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) call: Option<CallId>,
    pub(super) token: RequestToken,
    pub(super) request: Request,
}

/// What became of a request.
pub(super) type Answer = (RequestToken, Result<(), AriFailure>);

/// Works until `answers` closes, or `letters` does and all were delivered.
pub(super) async fn run<F: Future<Output = Result<(), AriFailure>>>(
    deliver: impl Fn(Request) -> F,
    mut letters: mpsc::Receiver<Letter>,
    answers: mpsc::Sender<Answer>,
) {
    let mut bag = Bag::default();
    let mut under_way = FuturesUnordered::new();
    let mut is_open = true;
    while is_open || !bag.is_empty() {
        while let Some(Letter { call, token, request }) = bag.next() {
            let delivery = deliver(request);
            under_way.push(async move { (call, token, delivery.await) });
        }
        let answer = tokio::select! {
            letter = letters.recv(), if is_open && bag.has_room() => match letter {
                Some(letter) => {
                    for token in bag.take(letter) {
                        if answers.send((token, Err(AriFailure::Withdrawn))).await.is_err() {
                            return;
                        }
                    }
                    continue;
                }
                None => {
                    is_open = false;
                    continue;
                }
            },
            Some((call, token, result)) = under_way.next() => {
                bag.delivered(call.as_ref());
                (token, result)
            }
        };
        if answers.send(answer).await.is_err() {
            return;
        }
    }
}

/// Sends one request.
pub(super) async fn deliver(pbx: PbxHandle, request: Request) -> Result<(), AriFailure> {
    let result = pbx.request(request).await.map(drop).map_err(failure);
    if let Err(error) = &result {
        debug!(%error, "asterisk refused a request");
    }
    result
}

fn failure(failure: pbx::AriFailure) -> AriFailure {
    match failure {
        pbx::AriFailure::Refused { status: NOT_FOUND, .. } => AriFailure::NotFound,
        pbx::AriFailure::Refused { status, message } => AriFailure::Refused { status, text: message },
        pbx::AriFailure::Unreachable(_) | pbx::AriFailure::TimedOut => AriFailure::Unreachable,
    }
}

/// What waits, and what is under way.
#[derive(Debug, Default)]
struct Bag {
    waiting: VecDeque<Letter>,
    /// Calls of which a request is under way.
    busy: BTreeSet<CallId>,
    under_way: usize,
}

impl Bag {
    /// Takes a letter. The first hang-up of a call makes whatever of it still waits pointless: returns what is withdrawn.
    fn take(&mut self, letter: Letter) -> Vec<RequestToken> {
        let mut withdrawn = Vec::new();
        if letter.call.is_some() && is_end(&letter) {
            self.waiting.retain(|waiting| {
                let stays = waiting.call != letter.call || is_end(waiting);
                if !stays {
                    withdrawn.push(waiting.token);
                }
                stays
            });
        }
        self.waiting.push_back(letter);
        withdrawn
    }

    /// The next letter that may go.
    fn next(&mut self) -> Option<Letter> {
        let is_full = self.under_way >= MOST_UNDER_WAY;
        let mut held = self.busy.clone();
        let at = self.waiting.iter().position(|letter| {
            // What waits before it of the same call goes before it.
            let is_first = letter.call.as_ref().is_none_or(|call| held.insert(call.clone()));
            is_first && (!is_full || is_end(letter))
        })?;
        let letter = self.waiting.remove(at)?;
        self.busy.extend(letter.call.clone());
        self.under_way += 1;
        Some(letter)
    }

    /// A letter of this call arrived, or never will.
    fn delivered(&mut self, call: Option<&CallId>) {
        self.under_way = self.under_way.saturating_sub(1);
        if let Some(call) = call {
            self.busy.remove(call);
        }
    }

    fn has_room(&self) -> bool {
        self.waiting.len() < MOST_WAITING
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.under_way == 0
    }
}

fn is_end(letter: &Letter) -> bool {
    letter.request.method() == Method::Delete
}

#[cfg(test)]
mod tests {
    use super::*;
    use asterisk::ChannelId;
    use std::time::Duration;
    use telecom::HangUpCause;
    use tokio::sync::watch;
    use tokio::time::timeout;

    /// A letter of a call, such as `a1`: the call, and the number of the request.
    fn letter(name: &str, request: Request) -> Letter {
        let (call, token) = name.split_at(1);
        Letter { call: Some(CallId(call.to_owned())), token: RequestToken(token.parse().unwrap()), request }
    }

    fn ring(name: &str) -> Letter {
        letter(name, Request::ring(&ChannelId::new(name)))
    }

    fn hang_up(name: &str) -> Letter {
        letter(name, Request::hang_up(&ChannelId::new(name), HangUpCause::Normal))
    }

    fn leaving(bag: &mut Bag) -> Vec<u64> {
        std::iter::from_fn(|| bag.next()).map(|letter| letter.token.0).collect()
    }

    #[test]
    fn requests_of_one_call_keep_their_order_and_wait_for_no_other_call() {
        let mut bag = Bag::default();
        for letter in [ring("a1"), ring("a2"), ring("b3"), ring("a4"), ring("b5")] {
            assert_eq!(bag.take(letter), []);
        }
        assert_eq!(leaving(&mut bag), [1, 3]);
        bag.delivered(Some(&CallId("b".into())));
        assert_eq!(leaving(&mut bag), [5]);
        bag.delivered(Some(&CallId("a".into())));
        assert_eq!(leaving(&mut bag), [2]);
        bag.delivered(Some(&CallId("a".into())));
        assert_eq!(leaving(&mut bag), [4]);
    }

    #[test]
    fn a_hang_up_takes_the_place_of_what_its_call_still_waits_for() {
        let mut bag = Bag::default();
        for letter in [ring("a1"), ring("a2"), ring("b3"), ring("a4")] {
            bag.take(letter);
        }
        assert_eq!(leaving(&mut bag), [1, 3]);
        assert_eq!(bag.take(hang_up("a5")), [2, 4].map(RequestToken));
        assert_eq!(bag.take(hang_up("a6")), []);
        assert_eq!(leaving(&mut bag), [0; 0], "the one that is under way comes first");
        bag.delivered(Some(&CallId("a".into())));
        assert_eq!(leaving(&mut bag), [5]);
    }

    #[test]
    fn a_hang_up_goes_where_too_much_is_under_way_already() {
        let mut bag = Bag::default();
        let calls = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        for (number, call) in calls.iter().enumerate() {
            bag.take(ring(&format!("{call}{number}")));
        }
        assert_eq!(leaving(&mut bag).len(), MOST_UNDER_WAY);
        bag.take(hang_up("k20"));
        assert_eq!(leaving(&mut bag), [20]);
    }

    #[tokio::test]
    async fn a_call_ends_at_once_while_asterisk_is_silent_about_others() {
        let (speak, silence) = watch::channel(false);
        let deliver = move |request: Request| {
            let mut silence = silence.clone();
            async move {
                if request.method() == Method::Delete {
                    return Ok(());
                }
                silence.wait_for(|speaks| *speaks).await.unwrap();
                Err(AriFailure::Unreachable)
            }
        };
        let (sender, letters) = mpsc::channel(64);
        let (answering, mut answers) = mpsc::channel(64);
        tokio::spawn(run(deliver, letters, answering));
        for letter in [ring("a1"), ring("a2"), ring("b3"), ring("c4"), hang_up("d5"), hang_up("a6")] {
            sender.send(letter).await.unwrap();
        }
        drop(sender);
        let unreachable = |token| (token, Err(AriFailure::Unreachable));
        assert_eq!(next(&mut answers, 2).await, [(2, Err(AriFailure::Withdrawn)), (5, Ok(()))]);
        speak.send(true).unwrap();
        assert_eq!(next(&mut answers, 4).await, [unreachable(1), unreachable(3), unreachable(4), (6, Ok(()))]);
        assert!(timeout(LONG, answers.recv()).await.unwrap().is_none(), "everything was delivered");
    }

    /// The next answers, by their numbers.
    async fn next(answers: &mut mpsc::Receiver<Answer>, count: usize) -> Vec<(u64, Result<(), AriFailure>)> {
        let mut next = Vec::new();
        for _ in 0..count {
            let (token, result) = timeout(LONG, answers.recv()).await.unwrap().unwrap();
            next.push((token.0, result));
        }
        next.sort_by_key(|(token, _)| *token);
        next
    }

    const LONG: Duration = Duration::from_secs(10);
}
