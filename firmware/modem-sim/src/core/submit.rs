//! Short messages on their way out: prompted texts, the network that takes them, the reports that come back.

use std::time::{Duration, Instant};

use super::fault::{ErrorKind, Fault, ReportOutcome};
use super::output::{Output, Submitted};
use super::port::Purpose;
use super::sms::{Status, Stored};
use super::timers::Timer;
use super::{Reply, SimModem};
use crate::gsm::alphabet::{from_hex, from_ucs2, to_hex};
use crate::gsm::tpdu::{StatusReport, Submit, Timestamp, UserData, service_centre_octets};

/// Longest time that a modem waits for the network to take a message.
const SUBMIT_GIVES_UP: Duration = Duration::from_secs(120);

impl SimModem {
    pub(super) fn on_prompted(&mut self, port: u8, purpose: &Purpose, text: &[u8], now: Instant) -> Reply {
        match purpose {
            Purpose::SubmitPdu { tpdu_octets } => match submit_of_hex(text, *tpdu_octets) {
                Some(submit) => self.start_submit(port, submit, "+CMGS", now),
                None => Reply::cms(304),
            },
            Purpose::SubmitText { to } => {
                let submit = self.submit_of_text(to, text);
                self.start_submit(port, submit, "+CMGS", now)
            }
            Purpose::StorePdu { tpdu_octets, status } => self.store_pdu(text, *tpdu_octets, *status),
            Purpose::StoreText { to } => {
                let submit = self.submit_of_text(to, text);
                self.store_submit(submit.encode(), Status::StoredUnsent)
            }
            Purpose::Acknowledge => {
                self.sms.acknowledge();
                self.empty_mailbox(now);
                Reply::ok()
            }
        }
    }

    pub(super) fn start_submit(&mut self, port: u8, submit: Submit, verb: &'static str, now: Instant) -> Reply {
        if let Err(refusal) = self.card.usable() {
            return Reply::cms(refusal.cms);
        }
        let injected = self.faults.take(|fault| match fault {
            Fault::Error { command, kind: ErrorKind::Cms, code, .. } if command == verb => Some(*code),
            _ => None,
        });
        if let Some(code) = injected {
            return Reply::cms(code);
        }
        if !self.radio.registration.is_registered() {
            return Reply::cms(331);
        }
        let delay = self.faults.find(|fault| match fault {
            Fault::NetworkDelay { delay_ms } => Some(Duration::from_millis(*delay_ms)),
            _ => None,
        });
        let due = now + delay.unwrap_or(self.profile.timings.sms_delay);
        self.timers.add(due, Timer::Submit { port, submit: Box::new(submit), verb });
        Reply::Pending
    }

    pub(super) fn on_submitted(&mut self, port: u8, submit: &Submit, verb: &'static str, now: Instant) {
        let reference = self.sms.reference();
        let serial = self.sms.next_serial;
        self.sms.next_serial += 1;
        self.outputs.push_back(Output::Submitted(Submitted {
            serial,
            to: submit.recipient.clone(),
            text: submit.data.text(),
            reference,
            concat: submit.data.concat(),
            wants_report: submit.wants_report,
            at_unix_ms: self.unix_millis(now),
            pdu: to_hex(&submit.encode()),
        }));
        if submit.wants_report {
            self.schedule_report(submit, reference, now);
        }
        if self.faults.take(|fault| matches!(fault, Fault::SubmitNeverAnswered { .. }).then_some(())).is_some() {
            self.timers.add(now + SUBMIT_GIVES_UP, Timer::Complete { port, reply: Reply::cms(332) });
            return;
        }
        self.complete(port, Reply::line(format!("{verb}: {reference}")), now);
    }

    fn schedule_report(&mut self, submit: &Submit, reference: u8, now: Instant) {
        let outcome = self.faults.find(|fault| match fault {
            Fault::Report { outcome } => Some(*outcome),
            _ => None,
        });
        let statuses: &[u8] = match outcome.unwrap_or(ReportOutcome::Delivered) {
            ReportOutcome::Delivered | ReportOutcome::Early => &[0x00],
            ReportOutcome::Failed => &[0x46],
            ReportOutcome::Never => &[],
            ReportOutcome::Delayed => &[0x30, 0x00],
        };
        let is_early = outcome == Some(ReportOutcome::Early);
        let mut at = now;
        for status in statuses {
            at += if is_early { Duration::ZERO } else { self.profile.timings.report_after };
            let report = StatusReport {
                smsc: self.profile.sim.as_ref().map_or_else(String::new, |sim| sim.smsc.clone()),
                reference,
                recipient: submit.recipient.clone(),
                timestamp: Timestamp::from_unix(self.unix_seconds(now)),
                discharge: Timestamp::from_unix(self.unix_seconds(at)),
                status: *status,
            };
            if is_early {
                self.on_report(report.encode(), now);
            } else {
                self.timers.add(at, Timer::Report { pdu: report.encode() });
            }
        }
    }

    fn submit_of_text(&self, to: &str, text: &[u8]) -> Submit {
        let first = self.settings.number("+CSMP", 0);
        let coding = u8::try_from(self.settings.number("+CSMP", 3)).unwrap_or(0);
        let text = self.decode_host_text(text).replace('\r', "\n");
        let text = match (coding & 0x0c, self.character_set()) {
            (0x08, "GSM" | "IRA") => from_hex(&text).map_or(text, |octets| from_ucs2(&octets)),
            _ => text,
        };
        Submit {
            smsc: String::new(),
            reference: 0,
            wants_report: first & 0x20 != 0,
            recipient: to.to_owned(),
            protocol: 0,
            data: UserData::of_text(&text),
        }
    }

    fn store_pdu(&mut self, text: &[u8], tpdu_octets: usize, status: Option<u8>) -> Reply {
        let status = Status::ALL.into_iter().find(|known| Some(known.code()) == status);
        let Some(octets) = octets_of_hex(text, tpdu_octets) else { return Reply::cms(304) };
        let kind = octets.get(service_centre_octets(&octets)).map(|first| first & 0x03);
        let status = status.unwrap_or(match kind {
            Some(0x01) => Status::StoredUnsent,
            _ => Status::ReceivedUnread,
        });
        self.store_submit(octets, status)
    }

    fn store_submit(&mut self, pdu: Vec<u8>, status: Status) -> Reply {
        let memory = self.memories()[1];
        if self.is_full(memory) {
            return Reply::cms(322);
        }
        match self.sms.memory_mut(memory).and_then(|memory| memory.put(Stored { status, pdu })) {
            Some(index) => Reply::line(format!("+CMGW: {index}")),
            None => Reply::cms(322),
        }
    }
}

fn octets_of_hex(text: &[u8], tpdu_octets: usize) -> Option<Vec<u8>> {
    let text: String = text.iter().map(|octet| char::from(*octet)).filter(|digit| !digit.is_whitespace()).collect();
    let octets = from_hex(&text)?;
    let has_length = octets.len() == service_centre_octets(&octets) + tpdu_octets;
    has_length.then_some(octets)
}

fn submit_of_hex(text: &[u8], tpdu_octets: usize) -> Option<Submit> {
    Submit::parse(&octets_of_hex(text, tpdu_octets)?).ok()
}
