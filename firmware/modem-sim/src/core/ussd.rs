//! USSD: strings that the host sends and the network's scripted answers (TS 27.007 §7.15).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::output::Output;
use super::parser::Form;
use super::timers::Timer;
use super::{HandlerRow, Reply, Request, SimModem};
use crate::gsm::alphabet::{from_hex, from_septets, from_ucs2, to_hex, to_ucs2, unpack};

pub(super) const HANDLERS: &[HandlerRow] = &[("+CUSD", None, exchange)];

/// What the network sends back.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UssdReply {
    /// 0 done, 1 wants an answer, 2 ended by the network, 4 not supported, 5 timeout.
    pub status: u8,
    /// Absent sends no string.
    #[serde(default)]
    pub text: Option<String>,
    /// Data coding scheme: 15 for the 7-bit alphabet, 72 for UCS-2.
    #[serde(default = "UssdReply::default_coding")]
    pub coding: u8,
    /// Time the network needs; the pace of the profile when absent.
    #[serde(default)]
    pub delay_ms: Option<u64>,
}

impl UssdReply {
    fn default_coding() -> u8 {
        15
    }

    fn of(status: u8, text: &str) -> Self {
        Self { status, text: Some(text.to_owned()), coding: Self::default_coding(), delay_ms: None }
    }
}

/// Scripts and the session in progress.
pub(super) struct Ussd {
    scripts: BTreeMap<String, UssdReply>,
    /// Strings of the session so far, joined by `/`.
    session: Option<String>,
}

impl Default for Ussd {
    fn default() -> Self {
        let scripts = [
            ("*100#", UssdReply::of(0, "Solde: 12,34 EUR. Valable jusqu'au 31/12/2026.")),
            ("#123#", UssdReply::of(1, "1 Solde\n2 Mon numero")),
            ("#123#/1", UssdReply::of(0, "Solde: 12,34 EUR")),
            ("#123#/2", UssdReply::of(0, "+33612000001")),
            ("*#100#", UssdReply { coding: 72, ..UssdReply::of(0, "Crédit épuisé ✓") }),
        ];
        Self { scripts: scripts.map(|(code, reply)| (code.to_owned(), reply)).into(), session: None }
    }
}

impl Ussd {
    pub(super) fn script(&mut self, code: String, reply: UssdReply) {
        self.scripts.insert(code, reply);
    }

    pub(super) fn power_off(&mut self) {
        self.session = None;
    }
}

impl SimModem {
    pub(super) fn on_ussd_reply(&mut self, reply: &UssdReply, _now: Instant) {
        if reply.status != 1 {
            self.ussd.session = None;
        }
        let line = match &reply.text {
            None => format!("+CUSD: {}", reply.status),
            Some(text) => {
                let shown = if reply.coding == 72 { to_hex(&to_ucs2(text)) } else { self.in_character_set(text) };
                format!("+CUSD: {},\"{shown}\",{}", reply.status, reply.coding)
            }
        };
        self.urc(&line);
    }

    /// Reads a USSD string in any of the forms that hosts use: plain, UCS-2 or packed 7-bit in hexadecimal.
    fn ussd_string(&self, raw: &str, coding: Option<&str>) -> String {
        if raw.starts_with(['*', '#']) || raw.len() < 2 {
            return raw.to_owned();
        }
        let Some(octets) = from_hex(raw) else { return raw.to_owned() };
        if coding == Some("72") || self.character_set() == "UCS2" && octets.len() % 2 == 0 && octets.first() == Some(&0)
        {
            return from_ucs2(&octets);
        }
        let packed = from_septets(&unpack(&octets, octets.len() * 8 / 7, 0));
        if packed.starts_with(['*', '#']) { packed.trim_end_matches(['\r', '@']).to_owned() } else { raw.to_owned() }
    }
}

fn exchange(modem: &mut SimModem, request: Request<'_>) -> Reply {
    match request.form {
        Form::Exec => Reply::ok(),
        Form::Test => Reply::line("+CUSD: (0-2)"),
        Form::Read => Reply::line(format!("+CUSD: {}", modem.settings.number("+CUSD", 0))),
        Form::Set(_) => {
            let arguments = request.form.arguments();
            let argument = |position: usize| arguments.get(position).map(String::as_str);
            match (argument(0), argument(1)) {
                (Some("2"), _) => {
                    modem.ussd.session = None;
                    modem.timers.drop_matching(|timer| matches!(timer, Timer::Ussd { .. }));
                    Reply::ok()
                }
                (Some(mode @ ("0" | "1")), None) => {
                    modem.settings.set("+CUSD", mode);
                    Reply::ok()
                }
                (Some("0" | "1"), Some(raw)) => {
                    let string = modem.ussd_string(raw, argument(2));
                    ask(modem, &string, request.now)
                }
                _ => Reply::cme(50),
            }
        }
    }
}

fn ask(modem: &mut SimModem, string: &str, now: Instant) -> Reply {
    if let Err(refusal) = modem.card.usable() {
        return Reply::cme(refusal.cme);
    }
    if !modem.radio.registration.is_registered() {
        return Reply::cme(30);
    }
    modem.settings.set("+CUSD", "1");
    modem.outputs.push_back(Output::UssdAsked(string.to_owned()));
    let path = match &modem.ussd.session {
        Some(session) => format!("{session}/{string}"),
        None => string.to_owned(),
    };
    if modem.faults.take(|fault| matches!(fault, Fault::UssdNoAnswer { .. }).then_some(())).is_some() {
        return Reply::ok();
    }
    let reply = modem.ussd.scripts.get(&path).cloned().unwrap_or(UssdReply {
        status: 4,
        text: None,
        coding: UssdReply::default_coding(),
        delay_ms: None,
    });
    if reply.status == 1 {
        modem.ussd.session = Some(path);
    }
    let delay = reply.delay_ms.map_or(modem.profile.timings.ussd_after, Duration::from_millis);
    modem.timers.add(now + delay, Timer::Ussd { reply });
    Reply::ok()
}
