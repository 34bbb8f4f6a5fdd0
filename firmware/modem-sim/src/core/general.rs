//! Commands about the modem itself: result format, identity, character set, clock, power.

use std::time::Duration;

use super::parser::Form;
use super::timers::Timer;
use super::{Failure, Family, HandlerRow, Reply, Request, SimModem};
use crate::gsm::tpdu::Timestamp;

pub(super) const HANDLERS: &[HandlerRow] = &[
    ("E", None, echo),
    ("V", None, verbose),
    ("Q", None, quiet),
    ("Z", None, reset_profile),
    ("&F", None, factory_profile),
    ("&W", None, save_profile),
    ("O", None, no_carrier),
    ("I", None, identification),
    ("+CMEE", None, error_format),
    ("+CGMI", None, manufacturer),
    ("+GMI", None, manufacturer),
    ("+CGMM", None, model),
    ("+GMM", None, model),
    ("+CGMR", None, revision),
    ("+GMR", None, revision),
    ("+CGSN", None, serial_number),
    ("+GSN", None, serial_number),
    ("+GCAP", None, capabilities),
    ("+CSCS", None, character_set),
    ("+CCLK", None, clock),
    ("+QLTS", Some(Family::Quectel), network_time),
    ("+CBC", None, battery),
    ("+CPAS", None, activity),
    ("+CFUN", None, functionality),
    ("+CRESET", Some(Family::Simcom), reset),
    ("+CPOF", Some(Family::Simcom), power_off),
    ("+QPOWD", Some(Family::Quectel), power_off),
    ("+CPBS", None, phone_book_storage),
    ("+CPBR", None, phone_book_read),
    ("+CPBF", None, phone_book_read),
    ("+CPBW", None, phone_book_write),
    ("+WS46", None, network_selection),
];

fn flag(request: Request<'_>) -> Option<u8> {
    match request.form {
        Form::Exec => Some(0),
        Form::Set(value) => value.trim().parse().ok(),
        Form::Read | Form::Test => None,
    }
}

fn echo(modem: &mut SimModem, request: Request<'_>) -> Reply {
    match (flag(request), modem.ports.get_mut(&request.port)) {
        (Some(value @ 0..=1), Some(port)) => {
            port.echoes = value == 1;
            Reply::ok()
        }
        _ => Reply::Failed(Failure::Plain),
    }
}

fn verbose(modem: &mut SimModem, request: Request<'_>) -> Reply {
    match (flag(request), modem.ports.get_mut(&request.port)) {
        (Some(value @ 0..=1), Some(port)) => {
            port.is_verbose = value == 1;
            Reply::ok()
        }
        _ => Reply::Failed(Failure::Plain),
    }
}

fn quiet(modem: &mut SimModem, request: Request<'_>) -> Reply {
    match (flag(request), modem.ports.get_mut(&request.port)) {
        (Some(value @ 0..=1), Some(port)) => {
            port.is_quiet = value == 1;
            Reply::ok()
        }
        _ => Reply::Failed(Failure::Plain),
    }
}

/// Echo and result format are of the port; the rest is of the modem.
fn reset_profile(modem: &mut SimModem, request: Request<'_>) -> Reply {
    modem.settings.restore_saved();
    reset_port(modem, request.port);
    Reply::ok()
}

fn factory_profile(modem: &mut SimModem, request: Request<'_>) -> Reply {
    modem.settings.restore_factory();
    reset_port(modem, request.port);
    Reply::ok()
}

fn reset_port(modem: &mut SimModem, number: u8) {
    let cmee = modem.personality.default_cmee;
    if let Some(port) = modem.ports.get_mut(&number) {
        port.echoes = true;
        port.is_verbose = true;
        port.is_quiet = false;
        port.cmee = cmee;
    }
}

fn save_profile(modem: &mut SimModem, _: Request<'_>) -> Reply {
    modem.settings.save();
    Reply::ok()
}

fn no_carrier(_: &mut SimModem, _: Request<'_>) -> Reply {
    Reply::Final("NO CARRIER")
}

fn identification(modem: &mut SimModem, _: Request<'_>) -> Reply {
    Reply::Done(modem.personality.identification(&modem.profile.imei))
}

fn error_format(modem: &mut SimModem, request: Request<'_>) -> Reply {
    let Some(port) = modem.ports.get_mut(&request.port) else { return Reply::Mute };
    match request.form {
        Form::Read => Reply::line(format!("+CMEE: {}", port.cmee)),
        Form::Test => Reply::line("+CMEE: (0-2)"),
        Form::Exec => {
            port.cmee = 0;
            Reply::ok()
        }
        Form::Set(value) => match value.trim().parse() {
            Ok(value @ 0..=2) => {
                port.cmee = value;
                Reply::ok()
            }
            _ => Reply::cme(50),
        },
    }
}

fn bare(request: Request<'_>, text: String) -> Reply {
    match request.form {
        Form::Test => Reply::ok(),
        Form::Exec | Form::Read | Form::Set(_) => Reply::line(text),
    }
}

fn manufacturer(modem: &mut SimModem, request: Request<'_>) -> Reply {
    bare(request, modem.personality.manufacturer.to_owned())
}

fn model(modem: &mut SimModem, request: Request<'_>) -> Reply {
    bare(request, modem.personality.model.to_owned())
}

fn revision(modem: &mut SimModem, request: Request<'_>) -> Reply {
    let revision = modem.personality.revision;
    bare(
        request,
        match modem.personality.family {
            Family::Quectel => revision.to_owned(),
            Family::Simcom => format!("+CGMR: {revision}"),
        },
    )
}

fn serial_number(modem: &mut SimModem, request: Request<'_>) -> Reply {
    bare(request, modem.profile.imei.clone())
}

fn capabilities(_: &mut SimModem, request: Request<'_>) -> Reply {
    bare(request, "+GCAP: +CGSM,+DS,+ES".to_owned())
}

fn character_set(modem: &mut SimModem, request: Request<'_>) -> Reply {
    match request.form {
        Form::Exec => Reply::ok(),
        Form::Read => Reply::line(format!("+CSCS: \"{}\"", modem.character_set())),
        Form::Test => Reply::line("+CSCS: (\"IRA\",\"GSM\",\"UCS2\")"),
        Form::Set(_) => match request.form.arguments().first().map(String::as_str) {
            Some(set @ ("GSM" | "IRA" | "UCS2")) => {
                modem.settings.set("+CSCS", set);
                Reply::ok()
            }
            _ => Reply::cme(50),
        },
    }
}

fn clock(modem: &mut SimModem, request: Request<'_>) -> Reply {
    match request.form {
        Form::Read => {
            let time = Timestamp::from_unix(modem.unix_seconds(request.now)).to_text();
            Reply::line(format!("+CCLK: \"{time}\""))
        }
        Form::Exec | Form::Test | Form::Set(_) => Reply::ok(),
    }
}

fn network_time(modem: &mut SimModem, request: Request<'_>) -> Reply {
    match request.form {
        Form::Test => Reply::line("+QLTS: (0-2)"),
        _ => {
            let time = Timestamp::from_unix(modem.unix_seconds(request.now)).to_text();
            Reply::line(format!("+QLTS: \"20{time},0\""))
        }
    }
}

fn battery(_: &mut SimModem, request: Request<'_>) -> Reply {
    match request.form {
        Form::Test => Reply::line("+CBC: (0-2),(1-100),(voltage)"),
        _ => Reply::line("+CBC: 0,87,3871"),
    }
}

fn activity(modem: &mut SimModem, request: Request<'_>) -> Reply {
    match request.form {
        Form::Test => Reply::line("+CPAS: (0,3,4)"),
        _ => Reply::line(format!("+CPAS: {}", modem.calls.activity())),
    }
}

/// Functionality of TS 27.007 §8.2; a second argument of 1 restarts the modem.
fn functionality(modem: &mut SimModem, request: Request<'_>) -> Reply {
    match request.form {
        Form::Exec => Reply::ok(),
        Form::Read => Reply::line(format!("+CFUN: {}", modem.radio.functionality)),
        Form::Test => match modem.personality.family {
            Family::Quectel => Reply::line("+CFUN: (0,1,4),(0,1)"),
            Family::Simcom => Reply::line("+CFUN: (0-1,4-7),(0-1)"),
        },
        Form::Set(_) => {
            let arguments = request.form.arguments();
            if arguments.get(1).is_some_and(|restarts| restarts == "1") {
                modem.restart(modem.profile.timings.unplug_after, request.now);
                return Reply::ok();
            }
            match arguments.first().and_then(|value| value.parse().ok()) {
                Some(value @ (0 | 1 | 4)) => {
                    modem.set_functionality(value, request.now);
                    Reply::ok()
                }
                _ => Reply::cme(50),
            }
        }
    }
}

fn reset(modem: &mut SimModem, request: Request<'_>) -> Reply {
    if matches!(request.form, Form::Exec) {
        modem.restart(modem.profile.timings.unplug_after, request.now);
    }
    Reply::ok()
}

fn power_off(modem: &mut SimModem, request: Request<'_>) -> Reply {
    let at = request.now + modem.profile.timings.unplug_after;
    let farewell = match modem.personality.family {
        Family::Quectel => "POWERED DOWN",
        Family::Simcom => "NORMAL POWER DOWN",
    };
    modem.timers.add(at, Timer::Urc(farewell.to_owned()));
    modem.timers.add(at + Duration::from_millis(10), Timer::Leave { returns: false });
    Reply::ok()
}

fn phone_book_storage(_: &mut SimModem, request: Request<'_>) -> Reply {
    match request.form {
        Form::Read => Reply::line("+CPBS: \"SM\",0,250"),
        Form::Test => Reply::line("+CPBS: (\"SM\",\"DC\",\"FD\",\"LD\",\"MC\",\"ME\",\"RC\",\"EN\",\"ON\")"),
        Form::Exec | Form::Set(_) => Reply::ok(),
    }
}

fn phone_book_read(_: &mut SimModem, request: Request<'_>) -> Reply {
    match request.form {
        Form::Test => Reply::line("+CPBR: (1-250),40,14"),
        Form::Exec | Form::Read | Form::Set(_) => Reply::ok(),
    }
}

fn phone_book_write(_: &mut SimModem, request: Request<'_>) -> Reply {
    match request.form {
        Form::Test => Reply::line("+CPBW: (1-250),40,(129,145,161),14"),
        Form::Exec | Form::Read | Form::Set(_) => Reply::cme(3),
    }
}

fn network_selection(_: &mut SimModem, request: Request<'_>) -> Reply {
    match request.form {
        Form::Test => Reply::line("+WS46: (12,22,25,28)"),
        Form::Read => Reply::line("+WS46: 25"),
        Form::Exec | Form::Set(_) => Reply::ok(),
    }
}

impl SimModem {
    pub(super) fn character_set(&self) -> &str {
        match self.settings.text("+CSCS") {
            "" => match self.personality.family {
                Family::Quectel => "GSM",
                Family::Simcom => "IRA",
            },
            set => set,
        }
    }
}
