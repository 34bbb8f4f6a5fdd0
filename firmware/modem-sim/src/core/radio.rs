//! Registration, signal and what the modem says about its cell.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::parser::Form;
use super::timers::Timer;
use super::{Family, HandlerRow, Reply, Request, SimModem};

const LAC: &str = "1A2B";
const CELL: &str = "01C3D4E5";

pub(super) const HANDLERS: &[HandlerRow] = &[
    ("+CREG", None, registration_cs),
    ("+CGREG", None, registration_ps),
    ("+CEREG", None, registration_eps),
    ("+COPS", None, operator),
    ("+CSQ", None, signal),
    ("+CESQ", None, extended_signal),
    ("+QCSQ", Some(Family::Quectel), quectel_signal),
    ("+QNWINFO", Some(Family::Quectel), network_information),
    ("+QSPN", Some(Family::Quectel), network_name),
    ("+QENG", Some(Family::Quectel), serving_cell),
    ("+QCFG", Some(Family::Quectel), configuration),
    ("+CPSI", Some(Family::Simcom), system_information),
    ("+CNSMOD", Some(Family::Simcom), system_mode),
    ("+CEVOLTE", Some(Family::Simcom), volte),
];

/// Registration in the circuit-switched and in the evolved packet domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// `CREG` and `CGREG` state.
    pub stat: u8,
    /// `CEREG` state.
    pub eps_stat: u8,
    /// Access technology (TS 27.007 §7.3).
    pub access: u8,
}

impl Registration {
    pub(super) fn of(stat: u8, eps_stat: Option<u8>, access: Option<u8>, before: Self) -> Self {
        Self { stat, eps_stat: eps_stat.unwrap_or(stat), access: access.unwrap_or(before.access) }
    }

    /// Whether messages can pass.
    #[must_use]
    pub fn is_registered(self) -> bool {
        let is_good = |stat: u8| matches!(stat, 1 | 5 | 6 | 7);
        is_good(self.stat) || is_good(self.eps_stat)
    }

    /// Whether calls can pass: in the circuit-switched domain, or over IMS.
    #[must_use]
    pub fn carries_calls(self, has_ims: bool) -> bool {
        let is_good = |stat: u8| matches!(stat, 1 | 5);
        is_good(self.stat) || is_good(self.eps_stat) && has_ims
    }
}

/// The air interface.
pub(super) struct Radio {
    pub(super) functionality: u8,
    pub(super) registration: Registration,
    /// What the network gives once the modem has searched.
    pub(super) target: Registration,
    pub(super) csq: u8,
    pub(super) has_ims: bool,
}

impl Default for Radio {
    fn default() -> Self {
        Self {
            functionality: 1,
            registration: NOT_SEARCHING,
            target: Registration { stat: 1, eps_stat: 1, access: 7 },
            csq: 21,
            has_ims: true,
        }
    }
}

const NOT_SEARCHING: Registration = Registration { stat: 0, eps_stat: 0, access: 7 };
const SEARCHING: Registration = Registration { stat: 2, eps_stat: 2, access: 7 };

impl Radio {
    pub(super) fn power_off(&mut self) {
        self.functionality = 1;
        self.registration = NOT_SEARCHING;
    }

    fn access_name(&self) -> &'static str {
        match self.registration.access {
            0 => "GSM",
            2 => "WCDMA",
            3 => "EGPRS",
            4 => "HSDPA",
            5 => "HSUPA",
            6 => "HSDPA&HSUPA",
            7 => "LTE",
            _ => "UNKNOWN",
        }
    }
}

impl SimModem {
    pub(super) fn search_network(&mut self, now: Instant) {
        if self.radio.functionality == 1 {
            self.change_registration(SEARCHING);
            self.timers.add(now + self.profile.timings.register_after, Timer::Register);
        }
    }

    pub(super) fn on_register(&mut self, now: Instant) {
        if self.card.usable().is_ok() && self.radio.functionality == 1 {
            self.change_registration(self.radio.target);
            self.announce_network_time(now);
            self.on_network_back(now);
        }
    }

    pub(super) fn lose_network(&mut self) {
        self.timers.drop_matching(|timer| matches!(timer, Timer::Register));
        self.change_registration(NOT_SEARCHING);
    }

    pub(super) fn set_registration(&mut self, target: Registration, now: Instant) {
        self.radio.target = target;
        if self.card.usable().is_ok() && self.radio.functionality == 1 {
            self.change_registration(target);
            self.on_network_back(now);
        }
        if !self.radio.registration.is_registered() {
            self.calls_lost(now);
        }
    }

    pub(super) fn set_functionality(&mut self, value: u8, now: Instant) {
        let before = std::mem::replace(&mut self.radio.functionality, value);
        match (before, value) {
            (1, 1) | (0, 0) | (4, 4) => {}
            (_, 1) if self.card.usable().is_ok() => self.search_network(now),
            (_, 1) => self.start_sim(now),
            (_, _) => {
                self.calls_lost(now);
                self.lose_network();
            }
        }
    }

    pub(super) fn set_signal(&mut self, csq: u8) {
        self.radio.csq = csq;
        match self.personality.family {
            Family::Quectel if self.settings.keyed("+QINDCFG", "csq") == Some("1") => {
                self.urc(&format!("+QIND: \"csq\",{csq},99"));
            }
            Family::Simcom if self.settings.number("+AUTOCSQ", 0) == 1 => self.urc(&format!("+CSQ: {csq},99")),
            Family::Quectel | Family::Simcom => {}
        }
    }

    fn change_registration(&mut self, new: Registration) {
        let old = std::mem::replace(&mut self.radio.registration, new);
        for (name, before, after) in
            [("+CREG", old.stat, new.stat), ("+CGREG", old.stat, new.stat), ("+CEREG", old.eps_stat, new.eps_stat)]
        {
            let mode = self.settings.number(name, 0);
            if mode > 0 && (before, old.access) != (after, new.access) {
                let place = self.place(mode, after);
                self.urc(&format!("{name}: {after}{place}"));
            }
        }
        let tells_access = self.settings.keyed("+QINDCFG", "act") == Some("1");
        if tells_access && (old.access, old.is_registered()) != (new.access, new.is_registered()) {
            let name = if new.is_registered() { self.radio.access_name() } else { "UNKNOWN" };
            self.urc(&format!("+QIND: \"act\",\"{name}\""));
        }
    }

    /// Location part of a registration answer; only mode 2 of a registered modem has it.
    fn place(&self, mode: u32, stat: u8) -> String {
        match (mode, stat) {
            (2, 1 | 5 | 6 | 7) => format!(",\"{LAC}\",\"{CELL}\",{}", self.radio.registration.access),
            _ => String::new(),
        }
    }

    fn announce_network_time(&mut self, now: Instant) {
        if self.personality.family == Family::Simcom && self.settings.number("+CLTS", 0) == 1 {
            let time = crate::gsm::tpdu::Timestamp::from_unix(self.unix_seconds(now)).to_text();
            self.urc(&format!("*PSUTTZ: 20{time},0"));
            self.urc("DST: 0");
        }
    }

    fn has_service(&self) -> bool {
        self.radio.registration.is_registered()
    }
}

fn registration_cs(modem: &mut SimModem, request: Request<'_>) -> Reply {
    registration(modem, request, ("+CREG", modem.radio.registration.stat))
}

fn registration_ps(modem: &mut SimModem, request: Request<'_>) -> Reply {
    registration(modem, request, ("+CGREG", modem.radio.registration.stat))
}

fn registration_eps(modem: &mut SimModem, request: Request<'_>) -> Reply {
    registration(modem, request, ("+CEREG", modem.radio.registration.eps_stat))
}

fn registration(modem: &mut SimModem, request: Request<'_>, (name, stat): (&str, u8)) -> Reply {
    match request.form {
        Form::Exec => {
            modem.settings.set(name, "0");
            Reply::ok()
        }
        Form::Test => Reply::line(format!("{name}: (0-2)")),
        Form::Read => {
            let mode = modem.settings.number(name, 0);
            Reply::line(format!("{name}: {mode},{stat}{}", modem.place(mode, stat)))
        }
        Form::Set(raw) => match raw.trim() {
            mode @ ("0" | "1" | "2") => {
                modem.settings.set(name, mode);
                Reply::ok()
            }
            _ => Reply::cme(50),
        },
    }
}

fn operator_names(modem: &SimModem) -> (String, String) {
    let sim = modem.card.usable().ok();
    (sim.map_or_else(String::new, |sim| sim.operator.clone()), sim.map_or_else(String::new, |sim| sim.plmn.clone()))
}

fn operator(modem: &mut SimModem, request: Request<'_>) -> Reply {
    let (name, plmn) = operator_names(modem);
    let access = modem.radio.registration.access;
    match request.form {
        Form::Exec => Reply::ok(),
        Form::Read if !modem.has_service() => Reply::line("+COPS: 0"),
        Form::Read => {
            let format = modem.settings.number("+COPS", 0);
            let shown = if format == 2 { &plmn } else { &name };
            Reply::line(format!("+COPS: 0,{format},\"{shown}\",{access}"))
        }
        Form::Test => {
            let found =
                format!("+COPS: (2,\"{name}\",\"{name}\",\"{plmn}\",7),(1,\"F SFR\",\"SFR\",\"20810\",7),,(0-4),(0-2)");
            modem.timers.add(
                request.now + modem.profile.timings.scan,
                Timer::Complete { port: request.port, reply: Reply::line(found) },
            );
            Reply::Pending
        }
        Form::Set(_) => {
            let arguments = request.form.arguments();
            match (arguments.first().map(String::as_str), arguments.get(1)) {
                (Some("3"), Some(format)) if ["0", "1", "2"].contains(&format.as_str()) => {
                    modem.settings.set("+COPS", format.clone());
                    Reply::ok()
                }
                (Some("2"), _) => {
                    modem.lose_network();
                    Reply::ok()
                }
                (Some("0" | "1" | "4"), _) => {
                    if !modem.has_service() && modem.card.usable().is_ok() {
                        modem.search_network(request.now);
                    }
                    Reply::ok()
                }
                _ => Reply::cme(50),
            }
        }
    }
}

fn shown_csq(modem: &SimModem) -> u8 {
    if modem.radio.functionality == 1 { modem.radio.csq } else { 99 }
}

fn signal(modem: &mut SimModem, request: Request<'_>) -> Reply {
    match request.form {
        Form::Test => Reply::line("+CSQ: (0-31,99),(0-7,99)"),
        _ => Reply::line(format!("+CSQ: {},99", shown_csq(modem))),
    }
}

fn extended_signal(modem: &mut SimModem, _: Request<'_>) -> Reply {
    let rsrp = u16::from(shown_csq(modem)) * 2;
    Reply::line(format!("+CESQ: 99,99,255,255,20,{}", rsrp.min(97)))
}

fn quectel_signal(modem: &mut SimModem, _: Request<'_>) -> Reply {
    if !modem.has_service() {
        return Reply::line("+QCSQ: \"NOSERVICE\"");
    }
    let dbm = i32::from(shown_csq(modem)) * 2 - 113;
    Reply::line(format!("+QCSQ: \"LTE\",{dbm},{},146,-10", dbm - 28))
}

fn network_information(modem: &mut SimModem, request: Request<'_>) -> Reply {
    let (_, plmn) = operator_names(modem);
    match request.form {
        Form::Test => Reply::ok(),
        _ if !modem.has_service() => Reply::line("+QNWINFO: No Service"),
        _ => Reply::line(match modem.radio.registration.access {
            7 => format!("+QNWINFO: \"FDD LTE\",\"{plmn}\",\"LTE BAND 3\",1650"),
            0 | 3 => format!("+QNWINFO: \"EDGE\",\"{plmn}\",\"GSM 900\",62"),
            _ => format!("+QNWINFO: \"HSPA+\",\"{plmn}\",\"WCDMA 900\",3011"),
        }),
    }
}

fn network_name(modem: &mut SimModem, _: Request<'_>) -> Reply {
    let (name, plmn) = operator_names(modem);
    match modem.has_service() {
        true => Reply::line(format!("+QSPN: \"{name}\",\"{name}\",\"{name}\",0,\"{plmn}\"")),
        false => Reply::cme(30),
    }
}

fn serving_cell(modem: &mut SimModem, request: Request<'_>) -> Reply {
    let (_, plmn) = operator_names(modem);
    match request.form {
        Form::Test => Reply::line("+QENG: (\"servingcell\",\"neighbourcell\")"),
        _ if !modem.has_service() => Reply::line("+QENG: \"servingcell\",\"SEARCH\""),
        _ => {
            let (country, network) = plmn.split_at_checked(3).unwrap_or(("", ""));
            Reply::line(format!(
                "+QENG: \"servingcell\",\"NOCONN\",\"LTE\",\"FDD\",{country},{network},{CELL},120,1650,3,5,5,{LAC},-96,-10,-68,14,27"
            ))
        }
    }
}

/// `QCFG="ims"` reads back the setting and whether IMS is registered; the other keys are settings only.
fn configuration(modem: &mut SimModem, request: Request<'_>) -> Reply {
    let arguments = request.form.arguments();
    if let [key] = arguments.as_slice()
        && key.eq_ignore_ascii_case("ims")
    {
        let setting = modem.settings.keyed("+QCFG", "ims").unwrap_or("0").to_owned();
        let is_registered = modem.radio.has_ims && modem.has_service() && setting != "2";
        return Reply::line(format!("+QCFG: \"ims\",{setting},{}", u8::from(is_registered)));
    }
    modem.settings.answer("+QCFG", request.form)
}

fn system_information(modem: &mut SimModem, request: Request<'_>) -> Reply {
    let (_, plmn) = operator_names(modem);
    let (country, network) = plmn.split_at_checked(3).unwrap_or(("", ""));
    match request.form {
        Form::Test => Reply::line("+CPSI: (0-255)"),
        Form::Set(_) | Form::Exec => Reply::ok(),
        Form::Read if !modem.has_service() => Reply::line("+CPSI: NO SERVICE,Online"),
        Form::Read => Reply::line(match modem.radio.registration.access {
            7 => format!(
                "+CPSI: LTE,Online,{country}-{network},0x{LAC},29611237,120,EUTRAN-BAND3,1650,5,5,-105,-960,-650,14"
            ),
            0 | 3 => format!("+CPSI: GSM,Online,{country}-{network},0x{LAC},54501,62 EGSM 900,-72,0,24-24"),
            _ => format!(
                "+CPSI: WCDMA,Online,{country}-{network},0x{LAC},29611237,WCDMA IMT 2000,436,10688,0,4.5,70,27,58,500"
            ),
        }),
    }
}

fn system_mode(modem: &mut SimModem, request: Request<'_>) -> Reply {
    if !matches!(request.form, Form::Read) {
        return modem.settings.answer("+CNSMOD", request.form);
    }
    let mode = match (modem.has_service(), modem.radio.registration.access) {
        (false, _) => 0,
        (true, 7) => 8,
        (true, 0) => 1,
        (true, 3) => 3,
        (true, _) => 4,
    };
    Reply::line(format!("+CNSMOD: {},{mode}", modem.settings.number("+CNSMOD", 0)))
}

fn volte(modem: &mut SimModem, request: Request<'_>) -> Reply {
    match request.form {
        Form::Read => Reply::line(format!("+CEVOLTE: 1,{}", u8::from(modem.radio.has_ims))),
        _ => Reply::ok(),
    }
}
