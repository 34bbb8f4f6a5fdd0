//! Call commands of TS 27.007 and of the two families.

use super::calls::Releaser;
use super::output::CallState;
use super::parser::Form;
use super::{Family, HandlerRow, Reply, Request, SimModem};

const NORMAL: u8 = 16;
const REJECTED: u8 = 21;

pub(super) const HANDLERS: &[HandlerRow] = &[
    ("D", None, dial),
    ("A", None, answer),
    ("H", None, hang_up),
    ("+CHUP", None, hang_up),
    ("+QHUP", Some(Family::Quectel), hang_up_with_cause),
    ("+CHLD", None, hold),
    ("+CLCC", None, list),
    ("+CCWA", None, call_waiting),
    ("+CEER", None, last_cause),
    ("+VTS", None, send_digits),
    ("+QVTS", Some(Family::Quectel), send_digits),
    ("+QPCMV", Some(Family::Quectel), voice_port),
    ("+CPCMREG", Some(Family::Simcom), register_pcm),
    ("+CPCMFRM", Some(Family::Simcom), frame_rate),
];

/// Without the semicolon a number asks for data, which this network does not carry.
fn dial(modem: &mut SimModem, request: Request<'_>) -> Reply {
    let Form::Set(string) = request.form else { return Reply::Final("NO CARRIER") };
    let Some(number) = string.strip_suffix(';') else { return Reply::Final("NO CARRIER") };
    let number = number.trim_start_matches(['T', 'P', 't', 'p']).trim_end_matches(['I', 'i', 'G', 'g']);
    let number: String = number.chars().filter(|digit| !matches!(digit, ' ' | '-' | '.' | '(' | ')' | ',')).collect();
    let digits = number.strip_prefix('+').unwrap_or(&number);
    let is_dialable = !digits.is_empty()
        && digits.len() <= 40
        && digits.chars().all(|digit| digit.is_ascii_digit() || matches!(digit, '*' | '#' | 'A'..='D'));
    if !is_dialable {
        return Reply::Final("NO CARRIER");
    }
    modem.place_call(&number, request.now)
}

fn answer(modem: &mut SimModem, request: Request<'_>) -> Reply {
    match modem.calls.first(&[CallState::Incoming]) {
        Some(serial) => {
            modem.change_call(serial, CallState::Active, request.now);
            Reply::ok()
        }
        None => Reply::Final("NO CARRIER"),
    }
}

fn release(modem: &mut SimModem, states: &[CallState], request: Request<'_>) {
    for serial in modem.calls.all(states) {
        let is_refused = modem.calls.of(serial).is_some_and(|call| call.state == CallState::Incoming);
        let cause = if is_refused { REJECTED } else { NORMAL };
        modem.release_call(serial, cause, Releaser::Host, request.now);
    }
}

const CURRENT: [CallState; 4] = [CallState::Active, CallState::Dialing, CallState::Alerting, CallState::Incoming];

/// Ends the current calls; a call that waits goes on, and held ones end when there is nothing else.
fn hang_up(modem: &mut SimModem, request: Request<'_>) -> Reply {
    if matches!(request.form, Form::Test) {
        return Reply::ok();
    }
    if modem.calls.first(&CURRENT).is_some() {
        release(modem, &CURRENT, request);
    } else {
        release(modem, &[CallState::Held], request);
    }
    Reply::ok()
}

fn hang_up_with_cause(modem: &mut SimModem, request: Request<'_>) -> Reply {
    if matches!(request.form, Form::Test) {
        return Reply::line("+QHUP: (0-127),(0-7)");
    }
    let arguments = request.form.arguments();
    let cause = arguments.first().and_then(|cause| cause.parse().ok()).unwrap_or(NORMAL);
    let index = arguments.get(1).and_then(|index| index.parse::<u8>().ok()).filter(|index| *index > 0);
    let serials = match index {
        Some(index) => modem.calls.with_index(index).into_iter().collect(),
        None => modem.calls.list.iter().filter_map(|call| modem.calls.with_index(call.index)).collect::<Vec<_>>(),
    };
    let is_missing = index.is_some() && serials.is_empty();
    for serial in serials {
        modem.release_call(serial, cause, Releaser::Host, request.now);
    }
    match (modem.personality.quirks.lacks_call_reports, is_missing) {
        (true, _) => Reply::Mute,
        (false, true) => Reply::cme(22),
        (false, false) => Reply::ok(),
    }
}

/// Call hold and multiparty (TS 27.007 §7.13).
fn hold(modem: &mut SimModem, request: Request<'_>) -> Reply {
    if matches!(request.form, Form::Test) {
        return Reply::line("+CHLD: (0,1,1x,2,2x,3,4)");
    }
    let arguments = request.form.arguments();
    let operation = arguments.first().map_or("", String::as_str);
    let index = operation.get(1..).and_then(|index| index.parse::<u8>().ok());
    match (operation.get(..1), index) {
        (Some("0"), None) => {
            if let Some(serial) = modem.calls.first(&[CallState::Waiting, CallState::Incoming]) {
                modem.release_call(serial, 17, Releaser::Host, request.now);
            } else {
                release(modem, &[CallState::Held], request);
            }
        }
        (Some("1"), None) => {
            release(modem, &[CallState::Active], request);
            accept_other(modem, request);
        }
        (Some("1"), Some(index)) => match modem.calls.with_index(index) {
            Some(serial) => modem.release_call(serial, NORMAL, Releaser::Host, request.now),
            None => return Reply::cme(21),
        },
        (Some("2"), None) => swap(modem, request),
        (Some("2"), Some(index)) => match modem.calls.with_index(index) {
            Some(serial) => {
                for other in modem.calls.all(&[CallState::Active]) {
                    modem.change_call(other, CallState::Held, request.now);
                }
                modem.change_call(serial, CallState::Active, request.now);
            }
            None => return Reply::cme(21),
        },
        (Some("3"), None) => join(modem, request),
        (Some("4"), None) => release(modem, &[CallState::Active, CallState::Held], request),
        _ => return Reply::cme(50),
    }
    Reply::ok()
}

fn accept_other(modem: &mut SimModem, request: Request<'_>) {
    let other = modem.calls.first(&[CallState::Waiting, CallState::Incoming, CallState::Held]);
    if let Some(serial) = other {
        modem.change_call(serial, CallState::Active, request.now);
    }
}

fn swap(modem: &mut SimModem, request: Request<'_>) {
    let active = modem.calls.all(&[CallState::Active]);
    let other =
        modem.calls.first(&[CallState::Waiting, CallState::Incoming]).or_else(|| modem.calls.first(&[CallState::Held]));
    for serial in active {
        modem.change_call(serial, CallState::Held, request.now);
    }
    if let Some(serial) = other {
        modem.change_call(serial, CallState::Active, request.now);
    }
}

fn join(modem: &mut SimModem, request: Request<'_>) {
    let members = modem.calls.all(&[CallState::Active, CallState::Held]);
    for call in &mut modem.calls.list {
        call.is_conference |= matches!(call.state, CallState::Active | CallState::Held);
    }
    for serial in members {
        modem.change_call(serial, CallState::Active, request.now);
    }
}

/// On SIMCom a set command turns the unsolicited form on.
fn list(modem: &mut SimModem, request: Request<'_>) -> Reply {
    match (request.form, modem.personality.family) {
        (Form::Exec, _) => {
            Reply::Done(modem.calls.list.iter().map(|call| format!("+CLCC: {}", call.listing())).collect())
        }
        (Form::Test, Family::Quectel) => Reply::ok(),
        (Form::Test, Family::Simcom) => Reply::line("+CLCC: (0-1)"),
        (Form::Read, Family::Simcom) => Reply::line(format!("+CLCC: {}", modem.settings.number("+CLCC", 0))),
        (Form::Set(value), Family::Simcom) if ["0", "1"].contains(&value.trim()) => {
            modem.settings.set("+CLCC", value.trim());
            Reply::ok()
        }
        (Form::Read | Form::Set(_), _) => Reply::cme(50),
    }
}

/// `+CCWA=<n>,<mode>`: mode 1 makes the network offer second calls. It does so from the start.
fn call_waiting(modem: &mut SimModem, request: Request<'_>) -> Reply {
    match request.form {
        Form::Test => Reply::line("+CCWA: (0,1)"),
        Form::Read => Reply::line(format!("+CCWA: {}", modem.settings.number("+CCWA", 0))),
        Form::Exec => Reply::ok(),
        Form::Set(_) => {
            let arguments = request.form.arguments();
            let shown = arguments.first().map_or("0", String::as_str);
            let offered = modem.settings.number("+CCWA", 1);
            match arguments.get(1).map(String::as_str) {
                Some("2") => return Reply::line(format!("+CCWA: {offered},1")),
                Some(mode @ ("0" | "1")) => modem.settings.set("+CCWA", format!("{shown},{mode}")),
                Some(_) => return Reply::cme(50),
                None => modem.settings.set("+CCWA", format!("{shown},{offered}")),
            }
            Reply::ok()
        }
    }
}

/// Cause of the last release in the words of Q.850.
fn last_cause(modem: &mut SimModem, request: Request<'_>) -> Reply {
    if matches!(request.form, Form::Test) {
        return Reply::ok();
    }
    let text = match modem.calls.last_cause {
        None => "No cause information available",
        Some(1) => "Unassigned (unallocated) number",
        Some(16) => "Normal call clearing",
        Some(17) => "User busy",
        Some(19) => "User alerting, no answer",
        Some(21) => "Call rejected",
        Some(34) => "No circuit/channel available",
        Some(38) => "Network out of order",
        Some(_) => "Normal, unspecified",
    };
    Reply::line(format!("+CEER: {text}"))
}

fn send_digits(modem: &mut SimModem, request: Request<'_>) -> Reply {
    if matches!(request.form, Form::Test) {
        return Reply::line("+VTS: (0-9,A-D,*,#),(1-255)");
    }
    if modem.calls.first(&[CallState::Active]).is_none() {
        return Reply::cme(3);
    }
    let arguments = request.form.arguments();
    let digits = arguments.first().map_or("", String::as_str);
    let is_valid = |digit: char| "0123456789*#ABCD".contains(digit.to_ascii_uppercase());
    if digits.is_empty() || !digits.chars().all(is_valid) {
        return Reply::cme(50);
    }
    for digit in digits.chars() {
        modem.record_digit(digit.to_ascii_uppercase());
    }
    Reply::ok()
}

fn voice_port(modem: &mut SimModem, request: Request<'_>) -> Reply {
    let reply = modem.settings.answer("+QPCMV", request.form);
    modem.update_stream(request.now);
    reply
}

fn register_pcm(modem: &mut SimModem, request: Request<'_>) -> Reply {
    match request.form {
        Form::Test => Reply::line("+CPCMREG: (0-1)"),
        Form::Read => Reply::line(format!("+CPCMREG: {}", u8::from(modem.pcm.is_registered()))),
        Form::Exec => Reply::cme(50),
        Form::Set(_) => match request.form.arguments().first().map(String::as_str) {
            Some("1") => modem.register_pcm(request.now),
            Some("0") => modem.unregister_pcm(request.now),
            _ => Reply::cme(50),
        },
    }
}

/// The rate of a stream is that at its start; a later change waits for the next one.
fn frame_rate(modem: &mut SimModem, request: Request<'_>) -> Reply {
    modem.settings.answer("+CPCMFRM", request.form)
}
