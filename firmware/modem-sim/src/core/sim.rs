//! The SIM: presence, PIN and PUK with their counters, identity.

use std::time::{Duration, Instant};

use super::parser::Form;
use super::timers::Timer;
use super::{Family, HandlerRow, Reply, Request, SimModem, SimProfile};

const PIN_TRIES: u8 = 3;
const PUK_TRIES: u8 = 10;

pub(super) const HANDLERS: &[HandlerRow] = &[
    ("+CPIN", None, pin),
    ("+QPINC", Some(Family::Quectel), pin_counters),
    ("+SPIC", Some(Family::Simcom), pin_counters),
    ("+CLCK", None, lock),
    ("+CPWD", None, change_password),
    ("+CIMI", None, imsi),
    ("+QCCID", Some(Family::Quectel), iccid),
    ("+CCID", None, iccid),
    ("+CICCID", Some(Family::Simcom), iccid),
    ("+ICCID", None, iccid),
    ("+CNUM", None, own_number),
    ("+CSPN", Some(Family::Simcom), provider_name),
];

/// A SIM card in or out of its tray.
pub(super) struct Card {
    profile: Option<SimProfile>,
    is_present: bool,
    pin_tries: u8,
    puk_tries: u8,
    is_verified: bool,
    is_ready: bool,
}

/// What a SIM wants, in the words of `CPIN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CardState {
    Absent,
    /// The modem is still reading it.
    Busy,
    NeedsPin,
    NeedsPuk,
    /// No tries are left for the PUK.
    Dead,
    Ready,
}

impl Card {
    pub(super) fn new(profile: Option<SimProfile>) -> Self {
        let is_present = profile.is_some();
        Self { profile, is_present, pin_tries: PIN_TRIES, puk_tries: PUK_TRIES, is_verified: false, is_ready: false }
    }

    pub(super) fn power_off(&mut self) {
        self.is_verified = false;
        self.is_ready = false;
    }

    pub(super) fn set_pin(&mut self, pin: Option<String>) {
        if let Some(profile) = &mut self.profile {
            self.is_verified |= profile.pin.is_none() && self.is_ready;
            profile.pin = pin;
            self.pin_tries = PIN_TRIES;
            self.puk_tries = PUK_TRIES;
        }
    }

    /// The SIM, once the host may use it.
    pub(super) fn usable(&self) -> Result<&SimProfile, CardRefusal> {
        match (self.state(), &self.profile) {
            (CardState::Ready, Some(profile)) => Ok(profile),
            (CardState::Busy, _) => Err(CardRefusal { cme: 14, cms: 314 }),
            (CardState::NeedsPin, _) => Err(CardRefusal { cme: 11, cms: 311 }),
            (CardState::NeedsPuk, _) => Err(CardRefusal { cme: 12, cms: 316 }),
            (CardState::Dead, _) => Err(CardRefusal { cme: 13, cms: 313 }),
            (CardState::Absent | CardState::Ready, _) => Err(CardRefusal { cme: 10, cms: 310 }),
        }
    }

    fn state(&self) -> CardState {
        let Some(profile) = self.profile.as_ref().filter(|_| self.is_present) else { return CardState::Absent };
        if !self.is_ready {
            return CardState::Busy;
        }
        match (self.puk_tries, self.pin_tries) {
            (0, _) => CardState::Dead,
            (_, 0) => CardState::NeedsPuk,
            _ if profile.pin.is_some() && !self.is_verified => CardState::NeedsPin,
            _ => CardState::Ready,
        }
    }

    fn pin(&self) -> Option<&str> {
        self.profile.as_ref()?.pin.as_deref()
    }

    /// Counts a try; returns whether `pin` is right.
    fn verify(&mut self, pin: &str) -> bool {
        if self.pin_tries == 0 {
            return false;
        }
        let is_right = self.pin() == Some(pin);
        self.pin_tries = if is_right { PIN_TRIES } else { self.pin_tries - 1 };
        is_right
    }

    fn unblock(&mut self, puk: &str, new_pin: &str) -> bool {
        let Some(profile) = &mut self.profile else { return false };
        if profile.puk != puk {
            self.puk_tries = self.puk_tries.saturating_sub(1);
            return false;
        }
        profile.pin = Some(new_pin.to_owned());
        self.pin_tries = PIN_TRIES;
        self.puk_tries = PUK_TRIES;
        self.is_verified = true;
        true
    }
}

/// Why the SIM cannot be used, as a command and as a short message command say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CardRefusal {
    pub(super) cme: u16,
    pub(super) cms: u16,
}

impl SimModem {
    /// Reads the SIM, as a modem does after power on and after an insertion.
    pub(super) fn start_sim(&mut self, at: Instant) {
        self.timers.add(at, Timer::SimReady);
    }

    pub(super) fn on_sim_ready(&mut self, now: Instant) {
        self.card.is_ready = true;
        match self.card.state() {
            CardState::Ready => self.on_sim_usable(now),
            CardState::NeedsPin => self.urc("+CPIN: SIM PIN"),
            CardState::NeedsPuk | CardState::Dead => self.urc("+CPIN: SIM PUK"),
            CardState::Absent | CardState::Busy => self.urc("+CPIN: NOT INSERTED"),
        }
    }

    pub(super) fn set_sim_present(&mut self, is_present: bool, now: Instant) {
        self.card.is_present = is_present && self.card.profile.is_some();
        self.card.power_off();
        match (self.personality.family, self.card.is_present) {
            (Family::Quectel, true) => self.urc("+QSIMSTAT: 1,1"),
            (Family::Quectel, false) => self.urc("+QSIMSTAT: 1,0"),
            (Family::Simcom, true) => {}
            (Family::Simcom, false) => self.urc("+SIMCARD: NOT AVAILABLE"),
        }
        if self.card.is_present {
            self.start_sim(now + Duration::from_millis(300));
        } else {
            self.urc("+CPIN: NOT READY");
            self.calls_lost(now);
            self.lose_network();
        }
    }

    fn on_sim_usable(&mut self, now: Instant) {
        self.urc("+CPIN: READY");
        let lines: &[(u64, &str)] = match self.personality.family {
            Family::Quectel => &[(10, "+QUSIM: 1"), (200, "+QIND: SMS DONE"), (300, "+QIND: PB DONE")],
            Family::Simcom => &[(200, "SMS DONE"), (300, "PB DONE")],
        };
        for (delay_ms, line) in lines {
            self.timers.add(now + Duration::from_millis(*delay_ms), Timer::Urc((*line).to_owned()));
        }
        self.search_network(now);
    }
}

fn pin(modem: &mut SimModem, request: Request<'_>) -> Reply {
    match request.form {
        Form::Exec => Reply::cme(50),
        Form::Test => Reply::ok(),
        Form::Read => match modem.card.state() {
            CardState::Ready => Reply::line("+CPIN: READY"),
            CardState::NeedsPin => Reply::line("+CPIN: SIM PIN"),
            CardState::NeedsPuk => Reply::line("+CPIN: SIM PUK"),
            CardState::Absent => Reply::cme(10),
            CardState::Busy => Reply::cme(14),
            CardState::Dead => Reply::cme(13),
        },
        Form::Set(_) => enter_pin(modem, &request.form.arguments(), request.now),
    }
}

fn enter_pin(modem: &mut SimModem, arguments: &[String], now: Instant) -> Reply {
    let is_right = match (modem.card.state(), arguments) {
        (CardState::NeedsPin, [pin]) => {
            modem.card.is_verified = modem.card.verify(pin);
            modem.card.is_verified
        }
        (CardState::NeedsPuk, [puk, new_pin]) => modem.card.unblock(puk, new_pin),
        (CardState::NeedsPuk, _) => return Reply::cme(12),
        (CardState::Absent, _) => return Reply::cme(10),
        (CardState::Busy, _) => return Reply::cme(14),
        (CardState::Dead, _) => return Reply::cme(13),
        (CardState::NeedsPin | CardState::Ready, _) => return Reply::cme(3),
    };
    match (is_right, modem.card.state()) {
        (true, _) => {
            modem.timers.add(now + Duration::from_millis(20), Timer::SimReady);
            Reply::ok()
        }
        (false, CardState::NeedsPuk) => Reply::cme(12),
        (false, CardState::Dead) => Reply::cme(13),
        (false, _) => Reply::cme(16),
    }
}

fn pin_counters(modem: &mut SimModem, request: Request<'_>) -> Reply {
    if matches!(request.form, Form::Test) {
        return Reply::ok();
    }
    let (pin, puk) = (modem.card.pin_tries, modem.card.puk_tries);
    match (modem.personality.family, request.form.arguments().first().map(String::as_str)) {
        (Family::Simcom, _) => Reply::line(format!("+SPIC: {pin},{puk},3,10")),
        (Family::Quectel, Some("P2")) => Reply::line("+QPINC: \"P2\",3,10"),
        (Family::Quectel, Some(_)) => Reply::line(format!("+QPINC: \"SC\",{pin},{puk}")),
        (Family::Quectel, None) => {
            Reply::Done(vec![format!("+QPINC: \"SC\",{pin},{puk}"), "+QPINC: \"P2\",3,10".to_owned()])
        }
    }
}

/// Facility lock (TS 27.007 §7.4); only the SIM has one here.
fn lock(modem: &mut SimModem, request: Request<'_>) -> Reply {
    if matches!(request.form, Form::Test) {
        return Reply::line("+CLCK: (\"SC\",\"AO\",\"OI\",\"OX\",\"AI\",\"IR\",\"FD\",\"PN\")");
    }
    let arguments = request.form.arguments();
    let argument = |position: usize| arguments.get(position).map(String::as_str);
    match (argument(0), argument(1), argument(2)) {
        (Some("SC"), Some("2"), _) => {
            if let (CardState::Absent, _) | (CardState::Busy, _) = (modem.card.state(), ()) {
                return Reply::cme(10);
            }
            Reply::line(format!("+CLCK: {}", u8::from(modem.card.pin().is_some())))
        }
        (Some(_), Some("2"), _) => Reply::line("+CLCK: 0"),
        (Some("SC"), Some(mode @ ("0" | "1")), Some(pin)) => set_lock(modem, mode == "1", pin),
        (Some(_), Some(_), _) => Reply::cme(3),
        _ => Reply::cme(50),
    }
}

fn set_lock(modem: &mut SimModem, is_on: bool, pin: &str) -> Reply {
    if modem.card.state() == CardState::NeedsPuk {
        return Reply::cme(12);
    }
    match (modem.card.pin().is_some(), is_on) {
        (true, true) | (false, false) => Reply::ok(),
        (false, true) => {
            modem.card.set_pin(Some(pin.to_owned()));
            Reply::ok()
        }
        (true, false) if modem.card.verify(pin) => {
            modem.card.set_pin(None);
            Reply::ok()
        }
        (true, false) => wrong_pin(modem),
    }
}

fn wrong_pin(modem: &SimModem) -> Reply {
    if modem.card.pin_tries == 0 { Reply::cme(12) } else { Reply::cme(16) }
}

fn change_password(modem: &mut SimModem, request: Request<'_>) -> Reply {
    if matches!(request.form, Form::Test) {
        return Reply::line("+CPWD: (\"SC\",8),(\"P2\",8)");
    }
    match request.form.arguments().as_slice() {
        [facility, old, new] if facility == "SC" => {
            if modem.card.pin().is_none() {
                return Reply::cme(3);
            }
            if !modem.card.verify(old) {
                return wrong_pin(modem);
            }
            modem.card.set_pin(Some(new.clone()));
            modem.card.is_verified = true;
            Reply::ok()
        }
        _ => Reply::cme(50),
    }
}

fn of_card(modem: &SimModem, request: Request<'_>, render: impl Fn(&SimProfile) -> String) -> Reply {
    if matches!(request.form, Form::Test) {
        return Reply::ok();
    }
    match modem.card.usable() {
        Ok(profile) => Reply::line(render(profile)),
        Err(refusal) => Reply::cme(refusal.cme),
    }
}

fn imsi(modem: &mut SimModem, request: Request<'_>) -> Reply {
    of_card(modem, request, |profile| profile.imsi.clone())
}

/// The number of the card is readable before the PIN.
fn iccid(modem: &mut SimModem, request: Request<'_>) -> Reply {
    if matches!(request.form, Form::Test) {
        return Reply::ok();
    }
    let prefix = match modem.personality.family {
        Family::Quectel => "+QCCID",
        Family::Simcom => "+ICCID",
    };
    match (&modem.card.profile, modem.card.state()) {
        (_, CardState::Absent) | (None, _) => Reply::cme(10),
        (_, CardState::Busy) => Reply::cme(14),
        (Some(profile), _) => Reply::line(format!("{prefix}: {}", profile.iccid)),
    }
}

fn own_number(modem: &mut SimModem, request: Request<'_>) -> Reply {
    match modem.card.usable() {
        Ok(profile) if profile.number.is_empty() => Reply::ok(),
        _ => of_card(modem, request, |profile| {
            let kind = if profile.number.starts_with('+') { 145 } else { 129 };
            format!("+CNUM: \"\",\"{}\",{kind}", profile.number)
        }),
    }
}

fn provider_name(modem: &mut SimModem, request: Request<'_>) -> Reply {
    of_card(modem, request, |profile| format!("+CSPN: \"{}\",0", profile.operator))
}
