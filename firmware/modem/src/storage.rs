//! Short messages: reading what arrived, sweeping the memories, freeing slots and sending, strictly one after the other,
//! because `AT+CPMS` changes what every other command means.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use at::{Answer, FinalResult, Params, Request, WaitingFor};

use crate::answer;
use crate::command::{PartToken, StorageMemory, StorageSlot};
use crate::error_meaning::{cme_error_meaning, cms_error_meaning};
use crate::event::{Event, SendSmsError, StoredPart};
use crate::port::{self, Outcome, Port};
use crate::set_up::DIRECT_REPORTS_COMMAND;

/// Jobs that wait at most: two full memories and what is sent meanwhile.
const JOB_BOUND: usize = 640;
/// A network may take this long to accept a part (Quectel and SIMCom manuals, `AT+CMGS`).
const SEND_TIMEOUT: Duration = Duration::from_secs(120);
const READ_TIMEOUT: Duration = Duration::from_secs(10);
const LIST_TIMEOUT: Duration = Duration::from_secs(30);
/// An announcement can be lost with the bytes around it; what it announced is found by the next sweep.
const SWEEP_PERIOD: Duration = Duration::from_secs(300);
/// After something that a sweep can mend.
const EARLY_SWEEP: Duration = Duration::from_secs(30);
/// What the modem says by itself about a full memory counts for more than its counters, for so long.
const FULL_BELIEVED: Duration = Duration::from_secs(60);
/// Slots whose report is remembered.
const REPORTED_BOUND: usize = 4096;
/// Announced reports in a row that are found nowhere before the modem is asked to hand them over.
const MISSED_REPORTS: u8 = 2;
/// `+CMS ERROR: 321`: nothing lies in the slot.
const INVALID_INDEX: u16 = 321;
/// `+CME ERROR: 31`: as `+CMS ERROR: 332`, nobody knows whether the part arrived.
const NETWORK_TIMEOUT: u16 = 31;
/// `+CMS ERROR: 322`.
const MEMORY_FULL: u16 = 322;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Select(StorageMemory),
    Read,
    Clear,
    List(StorageMemory),
    Send,
    DirectReports,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Job {
    Read(StorageSlot),
    Clear(StorageSlot),
    Sweep(Sweep),
    Send {
        token: PartToken,
        pdu: Vec<u8>,
        tpdu_length: usize,
    },
    /// Have the modem hand reports over, since it does not store them where they are found.
    DirectReports,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sweep {
    /// Memories that are still to be listed.
    left: VecDeque<StorageMemory>,
    parts: Vec<StoredPart>,
    /// Whether a memory could not be listed, so that a part that is not listed may still be there.
    is_partial: bool,
    /// A delivery report was announced before it began.
    expects_report: bool,
}

/// What the box was told about a slot.
#[derive(Debug, Default)]
struct Reported {
    pdu: Vec<u8>,
    /// How often this content was reported since the slot was last freed, without the orders to free it that were
    /// refused.
    times: u16,
    /// Orders to free the slot that were given for content that is gone already.
    stale_clears: u16,
}

/// The message memories of one modem.
#[derive(Debug)]
pub(crate) struct Storage {
    jobs: VecDeque<Job>,
    current: Option<Job>,
    /// The memory that `AT+CPMS` selected for reading, when known.
    selected: Option<StorageMemory>,
    memories: Vec<StorageMemory>,
    /// Those of `memories` that were ever selected, so that a refusal does not mean that there is none.
    usable: BTreeSet<StorageMemory>,
    reported: BTreeMap<StorageSlot, Reported>,
    /// The memory that is full, and since when.
    full: Option<(StorageMemory, Instant)>,
    sweep_at: Option<Instant>,
    /// When the memories were last listed because one was full.
    full_swept_at: Option<Instant>,
    /// Reports in a row that were announced and found in no memory.
    missed_reports: u8,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            jobs: VecDeque::new(),
            current: None,
            selected: None,
            memories: vec![StorageMemory::Me, StorageMemory::Sm, StorageMemory::Sr],
            usable: BTreeSet::new(),
            reported: BTreeMap::new(),
            full: None,
            sweep_at: None,
            full_swept_at: None,
            missed_reports: 0,
        }
    }
}

impl Storage {
    /// Whether reports that the modem stored are found again. EC25 announces them under another memory than the one that
    /// holds them, and nothing is known of other firmware: what is announced and found nowhere is not stored.
    pub(crate) fn finds_reports(&self) -> bool {
        self.missed_reports < MISSED_REPORTS
    }

    /// Whether every job is done.
    pub(crate) fn is_idle(&self) -> bool {
        self.current.is_none() && self.jobs.is_empty()
    }

    /// The memory that the set-up selected.
    pub(crate) fn on_selected(&mut self, memory: StorageMemory) {
        self.selected = Some(memory);
    }

    pub(crate) fn send(&mut self, port: &mut Port, part: (PartToken, Vec<u8>, usize), now: Instant) {
        let (token, pdu, tpdu_length) = part;
        if self.jobs.len() >= JOB_BOUND {
            let error = SendSmsError::NotReady("too many messages wait already".to_owned());
            return port.emit(Event::SmsFailed { token, error });
        }
        self.jobs.push_back(Job::Send { token, pdu, tpdu_length });
        self.start_next(port, now);
    }

    /// Frees a slot, unless its content is not the one that the order was given for.
    pub(crate) fn clear(&mut self, port: &mut Port, slot: StorageSlot, now: Instant) {
        match self.reported.get_mut(&slot) {
            Some(reported) if reported.stale_clears > 0 => {
                // The content was reported twice and is freed already; another part may lie there by this time.
                reported.stale_clears -= 1;
                return port.emit(Event::SlotReused(slot));
            }
            Some(reported) if reported.times > 0 && self.jobs.len() < JOB_BOUND => {}
            // What lies there was never reported in this life of the modem.
            Some(_) | None => return self.refuse_clear(port, slot),
        }
        let job = Job::Clear(slot);
        if !self.jobs.contains(&job) && self.current.as_ref() != Some(&job) {
            self.jobs.push_back(job);
        } else if let Some(reported) = self.reported.get_mut(&slot) {
            // One answer serves both orders, so one order fewer is outstanding.
            reported.times = reported.times.saturating_sub(1).max(1);
        }
        self.start_next(port, now);
    }

    /// Says that a slot is not freed. The order is answered then, and is not outstanding when the slot is freed.
    pub(crate) fn refuse_clear(&mut self, port: &mut Port, slot: StorageSlot) {
        if let Some(reported) = self.reported.get_mut(&slot) {
            reported.times = reported.times.saturating_sub(1);
        }
        port.emit(Event::SlotNotCleared(slot));
    }

    pub(crate) fn sweep(&mut self, port: &mut Port, now: Instant) {
        self.sweep_at = Some(now + SWEEP_PERIOD);
        if !self.jobs.iter().any(|job| matches!(job, Job::Sweep(_))) {
            let left = self.memories.iter().copied().collect();
            self.jobs.push_front(Job::Sweep(Sweep { left, ..Sweep::default() }));
        }
        self.start_next(port, now);
    }

    /// Takes what follows `+CDSI:`. Only `SR` can be believed: EC25 says `"SM",0` whatever the slot in `SR`.
    pub(crate) fn on_report_announced(&mut self, port: &mut Port, text: &str, now: Instant) {
        let mut params = Params::new(text);
        match (params.next().and_then(answer::memory), params.number()) {
            (Some(memory @ StorageMemory::Sr), Some(index)) => self.read(port, StorageSlot { memory, index }, now),
            (Some(_) | None, Some(_) | None) => {
                self.look_for_report(now);
                self.start_next(port, now);
            }
        }
    }

    fn look_for_report(&mut self, now: Instant) {
        self.sweep_at = Some(now + SWEEP_PERIOD);
        self.jobs.retain(|job| !matches!(job, Job::Sweep(_)));
        let left = self.memories.iter().copied().collect();
        self.jobs.push_front(Job::Sweep(Sweep { left, expects_report: true, ..Sweep::default() }));
    }

    /// Takes what follows `+CMTI:`.
    pub(crate) fn on_announced(&mut self, port: &mut Port, text: &str, now: Instant) {
        let mut params = Params::new(text);
        let memory = params.next().and_then(answer::memory);
        let index = params.number();
        match (memory, index) {
            (Some(memory), Some(index)) => self.read(port, StorageSlot { memory, index }, now),
            // SIM7600 announces index -1, or none, when it lost count.
            (Some(_) | None, Some(_) | None) => self.sweep(port, now),
        }
    }

    fn read(&mut self, port: &mut Port, slot: StorageSlot, now: Instant) {
        let job = Job::Read(slot);
        if self.jobs.len() >= JOB_BOUND {
            return self.sweep_by(now + EARLY_SWEEP);
        }
        if !self.jobs.contains(&job) {
            let place = self.jobs.iter().position(|job| !matches!(job, Job::Read(_))).unwrap_or(self.jobs.len());
            self.jobs.insert(place, job);
        }
        self.start_next(port, now);
    }

    /// The modem says that a memory is full. A network that delivers as soon as a slot is free has it say so for each,
    /// and then every part is announced; so the memories are not listed each time.
    pub(crate) fn on_full(&mut self, port: &mut Port, memory: Option<StorageMemory>, now: Instant) {
        self.note_full(port, memory.or(self.selected).unwrap_or(StorageMemory::Me), now);
        if self.full_swept_at.is_some_and(|at| now < at + EARLY_SWEEP) {
            return self.sweep_by(now + EARLY_SWEEP);
        }
        self.full_swept_at = Some(now);
        self.sweep(port, now);
    }

    fn note_full(&mut self, port: &mut Port, memory: StorageMemory, now: Instant) {
        if self.full.replace((memory, now)).is_none() {
            port.emit(Event::StorageFull(true));
        }
    }

    fn note_room(&mut self, port: &mut Port, memory: StorageMemory) {
        if self.full.is_some_and(|(full, _)| full == memory) {
            self.full = None;
            port.emit(Event::StorageFull(false));
        }
    }

    pub(crate) fn handle_outcome(&mut self, port: &mut Port, step: Step, outcome: &Outcome, now: Instant) {
        let Some(job) = self.current.take() else { return };
        match (step, job) {
            (Step::Select(memory), job) => self.on_select(port, memory, job, outcome, now),
            (Step::Read, Job::Read(slot)) => self.on_read(port, slot, outcome, now),
            (Step::Clear, Job::Clear(slot)) => self.on_clear(port, slot, outcome, now),
            (Step::List(memory), Job::Sweep(sweep)) => self.on_listed(port, memory, sweep, outcome, now),
            (Step::Send, Job::Send { token, .. }) => self.on_sent(port, token, outcome, now),
            // Refused or not, there is nothing left to try: the next bring-up asks again.
            (Step::DirectReports, Job::DirectReports) => {}
            (Step::Read | Step::Clear | Step::List(_) | Step::Send | Step::DirectReports, job) => {
                self.current = Some(job);
            }
        }
        self.start_next(port, now);
    }

    pub(crate) fn handle_timeout(&mut self, port: &mut Port, now: Instant) {
        if self.sweep_at.is_some_and(|at| at <= now) {
            self.sweep(port, now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.sweep_at
    }

    /// The modem restarted or is set up again: everything that waits is answered. `waiting_for` tells how far the step
    /// came that was in flight.
    pub(crate) fn on_reset(&mut self, port: &mut Port, in_flight: Option<(Step, WaitingFor)>) {
        let was_handed_over = in_flight == Some((Step::Send, WaitingFor::Answer));
        if let Some(Job::Send { token, .. }) = &self.current
            && was_handed_over
        {
            port.emit(Event::SmsFailed { token: *token, error: SendSmsError::Silent });
            self.current = None;
        }
        let jobs: Vec<Job> = self.current.take().into_iter().chain(self.jobs.drain(..)).collect();
        for job in jobs {
            match job {
                Job::Send { token, .. } => {
                    let error = SendSmsError::NotReady("the modem is being set up".to_owned());
                    port.emit(Event::SmsFailed { token, error });
                }
                Job::Clear(slot) => self.refuse_clear(port, slot),
                Job::Read(_) | Job::Sweep(_) | Job::DirectReports => {}
            }
        }
        self.selected = None;
        self.sweep_at = None;
    }

    fn start_next(&mut self, port: &mut Port, now: Instant) {
        while self.current.is_none() {
            let Some(job) = self.jobs.pop_front() else { return };
            match &job {
                Job::Sweep(sweep) if sweep.left.is_empty() => {
                    let Job::Sweep(sweep) = job else { return };
                    self.finish_sweep(port, sweep, now);
                }
                Job::Sweep(_) | Job::Read(_) | Job::Clear(_) | Job::Send { .. } | Job::DirectReports => {
                    self.start(port, job, now);
                }
            }
        }
    }

    fn start(&mut self, port: &mut Port, job: Job, now: Instant) {
        let wanted = match &job {
            Job::Read(slot) | Job::Clear(slot) => Some(slot.memory),
            Job::Sweep(sweep) => sweep.left.front().copied(),
            Job::Send { .. } | Job::DirectReports => None,
        };
        let request = match (wanted, &job) {
            (Some(memory), _) if self.selected != Some(memory) => {
                self.selected = None;
                let command = format!("AT+CPMS=\"{}\"", answer::memory_name(memory));
                Request::new(Step::Select(memory), command).prefix("+CPMS:").timeout(READ_TIMEOUT)
            }
            (_, Job::Read(slot)) => Request::new(Step::Read, format!("AT+CMGR={}", slot.index))
                .answer_of(Answer::Pdus("+CMGR:"))
                .timeout(READ_TIMEOUT),
            (_, Job::Clear(slot)) => Request::new(Step::Clear, format!("AT+CMGD={}", slot.index)).timeout(LIST_TIMEOUT),
            (memory, Job::Sweep(_)) => Request::new(Step::List(memory.unwrap_or(StorageMemory::Me)), "AT+CMGL=4")
                .answer_of(Answer::Pdus("+CMGL:"))
                .timeout(LIST_TIMEOUT),
            (_, Job::Send { pdu, tpdu_length, .. }) => Request::new(Step::Send, format!("AT+CMGS={tpdu_length}"))
                .prefix("+CMGS:")
                .payload(answer::hex(pdu))
                .timeout(SEND_TIMEOUT),
            (_, Job::DirectReports) => Request::new(Step::DirectReports, DIRECT_REPORTS_COMMAND).timeout(READ_TIMEOUT),
        };
        self.current = Some(job);
        port.ask(in_storage(request), now);
    }

    fn on_select(&mut self, port: &mut Port, memory: StorageMemory, job: Job, outcome: &Outcome, now: Instant) {
        if let Some(lines) = outcome.ok_lines() {
            self.selected = Some(memory);
            self.usable.insert(memory);
            match answer::memory_use(lines) {
                Some((used, total)) if used >= total && total > 0 => self.note_full(port, memory, now),
                Some(_) if self.full.is_some_and(|(_, since)| now >= since + FULL_BELIEVED) => {
                    self.note_room(port, memory);
                }
                Some(_) | None => {}
            }
            return self.jobs.push_front(job);
        }
        match job {
            Job::Sweep(mut sweep) => {
                sweep.left.pop_front();
                sweep.is_partial |= self.usable.contains(&memory) || !is_lack_of_memory(outcome);
                self.jobs.push_front(Job::Sweep(sweep));
            }
            Job::Clear(slot) => self.refuse_clear(port, slot),
            Job::Read(_) => self.sweep_by(now + EARLY_SWEEP),
            Job::Send { .. } | Job::DirectReports => self.jobs.push_front(job),
        }
    }

    fn on_read(&mut self, port: &mut Port, slot: StorageSlot, outcome: &Outcome, now: Instant) {
        match outcome.ok_lines().and_then(answer::stored_pdu) {
            Some(pdu) => {
                self.note_report(slot, &pdu);
                port.emit(Event::SmsStored(StoredPart { slot, pdu }));
            }
            None if slot.memory == StorageMemory::Sr => self.look_for_report(now),
            // Empty, or announced under the wrong memory, or busy: a sweep finds it, and an empty slot makes no loop.
            None => self.sweep_by(now + EARLY_SWEEP),
        }
    }

    fn on_clear(&mut self, port: &mut Port, slot: StorageSlot, outcome: &Outcome, now: Instant) {
        if !outcome.is_ok() && outcome.cms_error() != Some(INVALID_INDEX) {
            self.refuse_clear(port, slot);
            return self.sweep_by(now + EARLY_SWEEP);
        }
        if let Some(reported) = self.reported.get_mut(&slot) {
            reported.stale_clears = reported.times.saturating_sub(1);
            reported.times = 0;
            reported.pdu.clear();
        }
        port.emit(Event::SlotCleared(slot));
        self.note_room(port, slot.memory);
    }

    fn on_listed(&mut self, port: &mut Port, memory: StorageMemory, sweep: Sweep, outcome: &Outcome, now: Instant) {
        let mut sweep = sweep;
        sweep.left.pop_front();
        match outcome.ok_lines() {
            Some(lines) => {
                let listed = answer::listed(lines);
                // Something was lost on the way when a first line has no octets.
                sweep.is_partial |= lines.iter().filter(|line| line.starts_with("+CMGL:")).count() != listed.len();
                let received = listed.into_iter().filter(|part| part.is_received);
                let slot = |index| StorageSlot { memory, index };
                sweep.parts.extend(received.map(|part| StoredPart { slot: slot(part.index), pdu: part.pdu }));
            }
            None => sweep.is_partial = true,
        }
        if sweep.left.is_empty() {
            self.finish_sweep(port, sweep, now)
        } else {
            self.jobs.push_front(Job::Sweep(sweep))
        }
    }

    fn finish_sweep(&mut self, port: &mut Port, sweep: Sweep, now: Instant) {
        for part in &sweep.parts {
            self.note_report(part.slot, &part.pdu);
        }
        if sweep.expects_report && !sweep.is_partial && !sweep.parts.iter().any(|part| is_status_report(&part.pdu)) {
            self.on_report_missed();
        }
        if !sweep.is_partial {
            return port.emit(Event::Swept(sweep.parts));
        }
        for part in sweep.parts {
            port.emit(Event::SmsStored(part));
        }
        self.sweep_by(now + EARLY_SWEEP);
    }

    fn on_report_missed(&mut self) {
        self.missed_reports = self.missed_reports.saturating_add(1);
        if self.missed_reports == MISSED_REPORTS {
            self.jobs.push_back(Job::DirectReports);
        }
    }

    fn on_sent(&mut self, port: &mut Port, token: PartToken, outcome: &Outcome, now: Instant) {
        let event = match outcome {
            Outcome::Done { lines, result: FinalResult::Ok } => match sent_reference(lines) {
                Some(reference) => Event::SmsSent { token, reference },
                // The network may have it, but no report can ever be matched to it.
                None => Event::SmsFailed { token, error: SendSmsError::Silent },
            },
            Outcome::Done { .. } | Outcome::TimedOut(_) | Outcome::NotSent => {
                Event::SmsFailed { token, error: send_error(outcome) }
            }
        };
        port.emit(event);
        if outcome.cms_error() == Some(MEMORY_FULL) {
            self.on_full(port, None, now);
        }
    }

    fn note_report(&mut self, slot: StorageSlot, pdu: &[u8]) {
        if is_status_report(pdu) && self.finds_reports() {
            self.missed_reports = 0;
        }
        if self.reported.len() >= REPORTED_BOUND && !self.reported.contains_key(&slot) {
            self.reported.pop_first();
        }
        let reported = self.reported.entry(slot).or_default();
        if reported.times > 0 && reported.pdu == pdu {
            reported.times = reported.times.saturating_add(1);
        } else {
            reported.pdu = pdu.to_vec();
            reported.times = 1;
        }
    }

    fn sweep_by(&mut self, at: Instant) {
        self.sweep_at = Some(self.sweep_at.map_or(at, |planned| planned.min(at)));
    }
}

fn in_storage(request: Request<Step>) -> Request<port::Step> {
    let Request { token, text, answer, payload, is_call_control, timeout, priority } = request;
    Request { token: port::Step::Storage(token), text, answer, payload, is_call_control, timeout, priority }
}

/// Whether the refusal of `AT+CPMS` means that the modem has no such memory; a SIM that is busy means nothing.
fn is_lack_of_memory(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Done { result, .. } => match result {
            FinalResult::Error => true,
            FinalResult::CmsError(code) => matches!(code.number(), Some(302 | 303)),
            FinalResult::CmeError(code) => matches!(code.number(), Some(3 | 4 | 50)),
            FinalResult::Ok
            | FinalResult::Connect
            | FinalResult::NoCarrier
            | FinalResult::NoDialtone
            | FinalResult::Busy
            | FinalResult::NoAnswer => false,
        },
        Outcome::TimedOut(_) | Outcome::NotSent => false,
    }
}

/// Whether stored octets, the service centre's address in front, are a delivery report (TP-MTI, TS 23.040 §9.2.3.1).
fn is_status_report(pdu: &[u8]) -> bool {
    let first = pdu.first().and_then(|length| pdu.get(usize::from(*length) + 1));
    first.is_some_and(|first| first & 0x03 == 0x02)
}

fn sent_reference(lines: &[String]) -> Option<u8> {
    lines.iter().find_map(|line| Params::new(at::value(line, "+CMGS:")?).number())
}

fn send_error(outcome: &Outcome) -> SendSmsError {
    match outcome {
        Outcome::TimedOut(WaitingFor::Answer) => SendSmsError::Silent,
        Outcome::TimedOut(WaitingFor::Prompt) => SendSmsError::NotReady("it gave no prompt".to_owned()),
        Outcome::NotSent => SendSmsError::NotReady("the AT port is silent".to_owned()),
        Outcome::Done { result, .. } => match result {
            // Only after the octets were handed over does a network have time to be late.
            FinalResult::CmeError(code) if code.number() == Some(NETWORK_TIMEOUT) => SendSmsError::Silent,
            FinalResult::CmsError(code) => refusal(code.number().unwrap_or(500)),
            FinalResult::CmeError(code) => SendSmsError::NotReady(match code.number() {
                Some(number) => format!("{} (CME {number})", cme_error_meaning(number)),
                None => code.to_string(),
            }),
            // A bare ERROR is what `AT+CMEE=0` leaves of an unknown error.
            FinalResult::Ok
            | FinalResult::Connect
            | FinalResult::NoCarrier
            | FinalResult::Error
            | FinalResult::NoDialtone
            | FinalResult::Busy
            | FinalResult::NoAnswer => refusal(500),
        },
    }
}

fn refusal(code: u16) -> SendSmsError {
    SendSmsError::Refused { code, meaning: cms_error_meaning(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_certainly_stayed_here_may_be_sent_again() {
        let cme = |number| FinalResult::CmeError(at::ErrorCode::Number(number));
        let done = |result| Outcome::Done { lines: Vec::new(), result };
        let table = [
            ("SIM busy", done(cme(14)), false),
            ("network timeout", done(cme(31)), true),
            ("no answer to the octets", Outcome::TimedOut(WaitingFor::Answer), true),
            ("no prompt", Outcome::TimedOut(WaitingFor::Prompt), false),
            ("never written", Outcome::NotSent, false),
        ];
        for (name, outcome, is_unknown) in table {
            assert_eq!(send_error(&outcome) == SendSmsError::Silent, is_unknown, "{name}");
        }
    }
}
