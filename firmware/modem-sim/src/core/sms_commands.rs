//! Short message commands of TS 27.005.

use std::time::Instant;

use super::parser::Form;
use super::port::Purpose;
use super::sms::{Status, Stored};
use super::{Failure, Family, HandlerRow, Reply, Request, SimModem};
use crate::gsm::alphabet::to_hex;
use crate::gsm::tpdu::{Deliver, StatusReport, Submit, UserData, service_centre_octets};

pub(super) const HANDLERS: &[HandlerRow] = &[
    ("+CSMS", None, service),
    ("+CPMS", None, storage),
    ("+CSCA", None, service_centre),
    ("+CNMA", None, acknowledge),
    ("+CMGS", None, send),
    ("+CMGW", None, write),
    ("+CMSS", None, send_stored),
    ("+CMGR", None, read),
    ("+CMGL", None, list),
    ("+CMGD", None, delete),
    ("+QMGDA", Some(Family::Quectel), delete_all),
];

impl SimModem {
    fn is_text_mode(&self) -> bool {
        self.settings.number("+CMGF", 0) == 1
    }

    /// Header and body of a message that goes straight to the host.
    pub(super) fn direct_lines(&self, code: &str, pdu: &[u8]) -> (String, Option<String>) {
        let octets = pdu.len().saturating_sub(service_centre_octets(pdu));
        if !self.is_text_mode() {
            let alpha = if code == "+CMT" { "," } else { "" };
            return (format!("{code}: {alpha}{octets}"), Some(to_hex(pdu)));
        }
        if let Ok(report) = StatusReport::parse(pdu) {
            return (format!("{code}: {}", self.report_fields(&report)), None);
        }
        match Deliver::parse(pdu) {
            Ok(deliver) => {
                let sender = self.in_character_set(&deliver.sender);
                let details = self.details(&deliver, true);
                let header = format!("{code}: \"{sender}\",,\"{}\"{details}", deliver.timestamp.to_text());
                (header, Some(self.body(&deliver.data)))
            }
            Err(_) => (format!("{code}: ,{octets}"), Some(to_hex(pdu))),
        }
    }

    /// Lines of a stored message after its code and, in a list, its index.
    fn stored_lines(&self, stored: &Stored, is_list: bool) -> [String; 2] {
        let octets = stored.pdu.len().saturating_sub(service_centre_octets(&stored.pdu));
        let in_pdu_mode = || [format!("{},,{octets}", stored.status.code()), to_hex(&stored.pdu)];
        if !self.is_text_mode() {
            return in_pdu_mode();
        }
        let status = stored.status.text();
        if let Ok(report) = StatusReport::parse(&stored.pdu) {
            return [format!("\"{status}\",{}", self.report_fields(&report)), String::new()];
        }
        if let Ok(deliver) = Deliver::parse(&stored.pdu) {
            let sender = self.in_character_set(&deliver.sender);
            let details = self.details(&deliver, !is_list);
            let header = format!("\"{status}\",\"{sender}\",,\"{}\"{details}", deliver.timestamp.to_text());
            return [header, self.body(&deliver.data)];
        }
        match Submit::parse(&stored.pdu) {
            Ok(submit) => {
                let header = format!("\"{status}\",\"{}\",", self.in_character_set(&submit.recipient));
                [header, self.body(&submit.data)]
            }
            Err(_) => in_pdu_mode(),
        }
    }

    /// Fields that `CSDH=1` adds.
    fn details(&self, deliver: &Deliver, with_protocol: bool) -> String {
        if self.settings.number("+CSDH", 0) == 0 {
            return String::new();
        }
        let kind = address_kind(&deliver.sender);
        if !with_protocol {
            return format!(",{kind},{}", deliver.data.length);
        }
        let smsc = self.in_character_set(&deliver.smsc);
        format!(
            ",{kind},{},{},{},\"{smsc}\",{},{}",
            if deliver.data.has_header { 68 } else { 4 },
            deliver.protocol,
            deliver.data.coding,
            address_kind(&deliver.smsc),
            deliver.data.length
        )
    }

    fn report_fields(&self, report: &StatusReport) -> String {
        format!(
            "6,{},\"{}\",{},\"{}\",\"{}\",{}",
            report.reference,
            self.in_character_set(&report.recipient),
            address_kind(&report.recipient),
            report.timestamp.to_text(),
            report.discharge.to_text(),
            report.status
        )
    }

    /// Text of a message; data that the character set cannot show reads as hexadecimal (TS 27.005 §3.1).
    fn body(&self, data: &UserData) -> String {
        self.in_character_set(&data.text())
    }
}

fn address_kind(number: &str) -> u8 {
    match number.chars().next() {
        Some('+') => 145,
        Some(digit) if digit.is_ascii_digit() => 129,
        _ => 208,
    }
}

/// The host may use short messages: the SIM is there and unlocked.
fn refused(modem: &SimModem) -> Option<Reply> {
    modem.card.usable().err().map(|refusal| Reply::cms(refusal.cms))
}

fn service(modem: &mut SimModem, request: Request<'_>) -> Reply {
    match request.form {
        Form::Exec => Reply::ok(),
        Form::Test => Reply::line("+CSMS: (0,1)"),
        Form::Read => Reply::line(format!("+CSMS: {},1,1,1", modem.sms.service)),
        Form::Set(value) => match value.trim() {
            "0" | "1" => {
                modem.sms.service = u8::from(value.trim() == "1");
                Reply::line("+CSMS: 1,1,1")
            }
            _ => Reply::cms(302),
        },
    }
}

fn counts(modem: &SimModem, name: &str) -> (usize, usize) {
    let (used, total) = modem.sms.memory(name).map_or((0, 0), |memory| (memory.used(), memory.slots.len()));
    if modem.is_full(name) { (total, total) } else { (used, total) }
}

fn memory_named(name: &str) -> Option<&'static str> {
    ["ME", "SM", "SR"].into_iter().find(|known| *known == name).or((name == "MT").then_some("ME"))
}

fn storage(modem: &mut SimModem, request: Request<'_>) -> Reply {
    if let Some(refusal) = refused(modem) {
        return refusal;
    }
    match request.form {
        Form::Exec => Reply::ok(),
        Form::Test => {
            let names = "(\"ME\",\"MT\",\"SM\",\"SR\")";
            Reply::line(format!("+CPMS: {names},{names},{names}"))
        }
        Form::Read => {
            let parts = modem.memories().map(|name| {
                let (used, total) = counts(modem, name);
                format!("\"{name}\",{used},{total}")
            });
            Reply::line(format!("+CPMS: {}", parts.join(",")))
        }
        Form::Set(_) => {
            let mut chosen = modem.memories();
            for (place, argument) in chosen.iter_mut().zip(request.form.arguments()) {
                match memory_named(&argument) {
                    Some(name) => *place = name,
                    None => return Reply::cms(302),
                }
            }
            modem.sms.chosen = Some(chosen);
            let parts = chosen.map(|name| {
                let (used, total) = counts(modem, name);
                format!("{used},{total}")
            });
            Reply::line(format!("+CPMS: {}", parts.join(",")))
        }
    }
}

fn service_centre(modem: &mut SimModem, request: Request<'_>) -> Reply {
    let on_sim = match modem.card.usable() {
        Ok(profile) => profile.smsc.clone(),
        Err(refusal) => return Reply::cms(refusal.cms),
    };
    match request.form {
        Form::Exec | Form::Test => Reply::ok(),
        Form::Read => {
            let number = modem.sms.service_centre.clone().unwrap_or(on_sim);
            Reply::line(format!("+CSCA: \"{}\",{}", modem.in_character_set(&number), address_kind(&number)))
        }
        Form::Set(_) => match host_number(modem, &request.form.arguments()) {
            Some(number) => {
                modem.sms.service_centre = Some(number);
                Reply::ok()
            }
            None => Reply::cms(304),
        },
    }
}

/// A second acknowledgement, or one that nobody waits for, is error 340 (EC25 manual, `AT+CNMA`).
fn acknowledge(modem: &mut SimModem, request: Request<'_>) -> Reply {
    match request.form {
        Form::Test => Reply::line("+CNMA: (0-2)"),
        Form::Read => Reply::Failed(Failure::Plain),
        Form::Exec | Form::Set(_) => {
            let arguments = request.form.arguments();
            if modem.sms.service != 1 {
                return Reply::cms(302);
            }
            let has_pdu = arguments.get(1).is_some_and(|length| length != "0");
            if has_pdu {
                return Reply::Prompt(Purpose::Acknowledge);
            }
            if !modem.sms.acknowledge() {
                return Reply::cms(340);
            }
            modem.timers.drop_matching(|timer| matches!(timer, super::timers::Timer::AcknowledgeMissing));
            modem.on_network_back(request.now);
            Reply::ok()
        }
    }
}

/// A number as the host wrote it, in its character set, with the type that follows it.
fn host_number(modem: &SimModem, arguments: &[String]) -> Option<String> {
    let raw = arguments.first()?;
    let is_ucs2 = modem.character_set() == "UCS2" && raw.len() >= 4 && raw.len() % 4 == 0 && raw.starts_with("00");
    let number = if is_ucs2 { modem.decode_host_text(raw.as_bytes()) } else { raw.clone() };
    let number = match arguments.get(1).map(String::as_str) {
        Some("145") if !number.starts_with('+') => format!("+{number}"),
        _ => number,
    };
    let digits = number.strip_prefix('+').unwrap_or(&number);
    let is_number = !digits.is_empty()
        && digits.len() <= 20
        && digits.chars().all(|digit| digit.is_ascii_digit() || digit == '*' || digit == '#');
    is_number.then_some(number)
}

fn send(modem: &mut SimModem, request: Request<'_>) -> Reply {
    if matches!(request.form, Form::Test) {
        return Reply::ok();
    }
    if let Some(refusal) = refused(modem) {
        return refusal;
    }
    let arguments = request.form.arguments();
    if modem.is_text_mode() {
        return match host_number(modem, &arguments) {
            Some(to) => Reply::Prompt(Purpose::SubmitText { to }),
            None => Reply::cms(305),
        };
    }
    match tpdu_length(&arguments) {
        Some(tpdu_octets) => Reply::Prompt(Purpose::SubmitPdu { tpdu_octets }),
        None => Reply::cms(304),
    }
}

fn tpdu_length(arguments: &[String]) -> Option<usize> {
    arguments.first()?.parse().ok().filter(|octets| (7..=232).contains(octets))
}

fn write(modem: &mut SimModem, request: Request<'_>) -> Reply {
    if matches!(request.form, Form::Test) {
        return Reply::ok();
    }
    if let Some(refusal) = refused(modem) {
        return refusal;
    }
    let arguments = request.form.arguments();
    if modem.is_text_mode() {
        let to = host_number(modem, &arguments).unwrap_or_default();
        return Reply::Prompt(Purpose::StoreText { to });
    }
    match tpdu_length(&arguments) {
        Some(tpdu_octets) => {
            let status = arguments.get(1).and_then(|status| status.parse().ok());
            Reply::Prompt(Purpose::StorePdu { tpdu_octets, status })
        }
        None => Reply::cms(304),
    }
}

fn send_stored(modem: &mut SimModem, request: Request<'_>) -> Reply {
    let arguments = request.form.arguments();
    let memory = modem.memories()[1];
    let Some(index) = arguments.first().and_then(|index| index.parse::<usize>().ok()) else {
        return Reply::cms(321);
    };
    let stored = modem.sms.memory_mut(memory).and_then(|memory| memory.slots.get_mut(index)?.as_mut());
    let Some(stored) = stored else { return Reply::cms(321) };
    let Ok(submit) = Submit::parse(&stored.pdu) else { return Reply::cms(304) };
    stored.status = Status::StoredSent;
    modem.start_submit(request.port, submit, "+CMSS", request.now)
}

fn read(modem: &mut SimModem, request: Request<'_>) -> Reply {
    if matches!(request.form, Form::Test) {
        return Reply::ok();
    }
    if let Some(refusal) = refused(modem) {
        return refusal;
    }
    let memory = modem.memories()[0];
    let index = request.form.arguments().first().and_then(|index| index.parse::<usize>().ok());
    let slot = index.and_then(|index| modem.sms.memory_mut(memory)?.slots.get_mut(index));
    let Some(slot) = slot else { return Reply::cms(321) };
    let Some(stored) = slot else {
        // Both forms of an empty slot exist in the field.
        return match modem.personality.family {
            Family::Quectel => Reply::cms(321),
            Family::Simcom => Reply::ok(),
        };
    };
    let shown = stored.clone();
    if stored.status == Status::ReceivedUnread {
        stored.status = Status::ReceivedRead;
    }
    let [header, body] = modem.stored_lines(&shown, false);
    Reply::Done(lines(format!("+CMGR: {header}"), body))
}

fn lines(header: String, body: String) -> Vec<String> {
    if body.is_empty() { vec![header] } else { vec![header, body] }
}

fn list(modem: &mut SimModem, request: Request<'_>) -> Reply {
    if let Some(refusal) = refused(modem) {
        return refusal;
    }
    let arguments = request.form.arguments();
    let wanted = match (request.form, arguments.first().map(String::as_str)) {
        (Form::Test, _) if modem.is_text_mode() => {
            return Reply::line("+CMGL: (\"REC UNREAD\",\"REC READ\",\"STO UNSENT\",\"STO SENT\",\"ALL\")");
        }
        (Form::Test, _) => return Reply::line("+CMGL: (0-4)"),
        (_, None) => vec![Status::ReceivedUnread],
        (_, Some("4" | "ALL")) => Status::ALL.to_vec(),
        (_, Some(text)) => {
            let known =
                Status::ALL.into_iter().find(|status| status.text() == text || status.code().to_string() == text);
            match known {
                Some(status) => vec![status],
                None => return Reply::cms(302),
            }
        }
    };
    let leaves_unread = arguments.get(1).is_some_and(|mode| mode == "1");
    let memory = modem.memories()[0];
    let mut shown = Vec::new();
    for (index, slot) in modem.sms.memory_mut(memory).into_iter().flat_map(|memory| memory.slots.iter_mut()).enumerate()
    {
        let Some(stored) = slot.as_mut().filter(|stored| wanted.contains(&stored.status)) else { continue };
        shown.push((index, stored.clone()));
        if stored.status == Status::ReceivedUnread && !leaves_unread {
            stored.status = Status::ReceivedRead;
        }
    }
    let all = shown.into_iter().flat_map(|(index, stored)| {
        let [header, body] = modem.stored_lines(&stored, true);
        lines(format!("+CMGL: {index},{header}"), body)
    });
    Reply::Done(all.collect())
}

fn delete(modem: &mut SimModem, request: Request<'_>) -> Reply {
    if let Some(refusal) = refused(modem) {
        return refusal;
    }
    let memory = modem.memories()[0];
    let arguments = request.form.arguments();
    if matches!(request.form, Form::Test) {
        let used = modem.sms.memory(memory).into_iter().flat_map(|memory| memory.slots.iter().enumerate());
        let used: Vec<String> = used.filter(|(_, slot)| slot.is_some()).map(|(index, _)| index.to_string()).collect();
        return Reply::line(format!("+CMGD: ({}),(0-4)", used.join(",")));
    }
    let flag = arguments.get(1).map_or("0", String::as_str);
    let doomed: &[Status] = match flag {
        "0" | "" => return delete_one(modem, memory, &arguments, request.now),
        "1" => &[Status::ReceivedRead],
        "2" => &[Status::ReceivedRead, Status::StoredSent],
        "3" => &[Status::ReceivedRead, Status::StoredSent, Status::StoredUnsent],
        "4" => &Status::ALL,
        _ => return Reply::cms(302),
    };
    delete_where(modem, memory, doomed, request.now);
    Reply::ok()
}

fn delete_one(modem: &mut SimModem, memory: &str, arguments: &[String], now: Instant) -> Reply {
    let index = arguments.first().and_then(|index| index.parse::<usize>().ok());
    let slot = index.and_then(|index| modem.sms.memory_mut(memory)?.slots.get_mut(index));
    let Some(slot) = slot else { return Reply::cms(321) };
    *slot = None;
    modem.on_storage_changed(now);
    Reply::ok()
}

fn delete_where(modem: &mut SimModem, memory: &str, doomed: &[Status], now: Instant) {
    for slot in modem.sms.memory_mut(memory).into_iter().flat_map(|memory| memory.slots.iter_mut()) {
        slot.take_if(|stored| doomed.contains(&stored.status));
    }
    modem.on_storage_changed(now);
}

fn delete_all(modem: &mut SimModem, request: Request<'_>) -> Reply {
    if let Some(refusal) = refused(modem) {
        return refusal;
    }
    let memory = modem.memories()[0];
    let doomed: &[Status] = match request.form.arguments().first().map(String::as_str) {
        Some("1" | "DEL READ") => &[Status::ReceivedRead],
        Some("2" | "DEL UNREAD") => &[Status::ReceivedUnread],
        Some("3" | "DEL SENT") => &[Status::StoredSent],
        Some("4" | "DEL UNSENT") => &[Status::StoredUnsent],
        Some("5" | "DEL INBOX") => &[Status::ReceivedUnread, Status::ReceivedRead],
        Some("6" | "DEL ALL") => &Status::ALL,
        _ => return Reply::cms(302),
    };
    delete_where(modem, memory, doomed, request.now);
    Reply::ok()
}
