//! The dialplan: who rings, who may call out, and what happens when nobody answers.
//!
//! It holds no text of the owner's, only digits that were checked. What a phone dialled reaches an application only
//! through `FILTER`, and so do the addresses that phones register with: they could otherwise carry a comma and with it
//! an option of `Dial`.

use asterisk::dialplan::{
    ANSWERED_BY_VARIABLE, ANSWERED_BY_VOICEMAIL, APP, ARG_DEFAULT_LINE, ARG_OUT, FROM_GSM, FROM_INTERNAL, FROM_MESSAGE,
    FROM_WEBRTC, GSM_IN, RING_ONLY, VOICEMAIL, line_extension,
};
use telecom::PhoneNumber;

use super::conf::Conf;
use super::{LineIds, OnChange, RenderError, RenderedFile};
use crate::document::{DEFAULT_RING_SECONDS, EmergencyPolicy, Greeting, LineSettings, Settings};
use crate::places::Places;
use crate::words::{ExtensionNumber, LinePrefix};

const ADD_DEVICES: &str = "add-devices";
const FAILED: &str = "failed";
const PLACE_CALL: &str = "place-call";
const RING_THEN_END: &str = "ring-then-end";
const RING_THEN_MAILBOX: &str = "ring-then-mailbox";

/// Characters of a SIP contact that are of no use to an attacker; `\x3b` is the semicolon.
const CONTACT_CHARS: &str = "A-Za-z0-9/:@&=._~%+*[]\\x3b\\-";

/// How long a leg may live before the supervisor has taken it over, in seconds.
const FIRST_LEASE_SECONDS: u32 = 20;

pub(super) fn file(settings: &Settings, places: &Places, lines: &LineIds) -> Result<RenderedFile, RenderError> {
    let mut conf = Conf::new("extensions.conf");
    conf.section("general")?.set("static", "yes")?.set("writeprotect", "yes")?.set("clearglobalvars", "no")?;
    gsm_in(&mut conf)?;
    from_gsm(&mut conf, settings, lines)?;
    from_internal(&mut conf, settings, lines)?;
    conf.section(FROM_WEBRTC)?.object("include", FROM_INTERNAL)?;
    conf.comment("For calls that the box places for somebody: a mailbox must not answer for the phone.");
    conf.section(RING_ONLY)?
        .exten("_X!", &format!("Set(RING_SECONDS={DEFAULT_RING_SECONDS})"))?
        .same(&format!("Gosub({ADD_DEVICES},s,1(${{FILTER(0-9,${{EXTEN}})}}))"))?
        .same(&format!("Goto({RING_THEN_END},s,1)"))?;
    conf.comment("Text messages of phones reach the supervisor as events; nothing is to be done for them here.");
    conf.section(FROM_MESSAGE)?.exten("_X!", "Hangup()")?.exten("_+X!", "Hangup()")?;
    conf.exten("_[a-zA-Z]!", "Hangup()")?;
    subroutines(&mut conf, settings)?;
    Ok(conf.additions(places).finish(0o644, OnChange::ReloadDialplan))
}

/// The supervisor's entry. The Local channel keeps this leg, which is up from its first moment, apart from what rings.
fn gsm_in(conf: &mut Conf) -> Result<(), RenderError> {
    conf.comment("A call that came in on a line; the extension is the number of the line.");
    conf.section(GSM_IN)?
        .exten("_X!", &format!("Dial(Local/${{FILTER(0-9,${{EXTEN}})}}@{FROM_GSM})"))?
        .same("Hangup(${IF($[0${HANGUPCAUSE} > 0]?${HANGUPCAUSE}:19)})")?;
    Ok(())
}

fn from_gsm(conf: &mut Conf, settings: &Settings, lines: &LineIds) -> Result<(), RenderError> {
    conf.comment("Who rings for a line; the extension is the number of the line.");
    conf.section(FROM_GSM)?;
    for line in &settings.lines {
        let Some(id) = lines.get(&line.iccid) else { continue };
        ring(conf, settings, &line_extension(*id), Some(line))?;
    }
    conf.comment("Every other line rings every extension.");
    ring(conf, settings, "_X!", None)?;
    for other in ["s", "_+X!"] {
        conf.exten(other, &format!("Goto({FROM_GSM},0,1)"))?;
    }
    Ok(())
}

fn ring(conf: &mut Conf, settings: &Settings, pattern: &str, line: Option<&LineSettings>) -> Result<(), RenderError> {
    let everybody = || settings.extensions.iter().map(|extension| &extension.number).collect::<Vec<_>>();
    let chosen = line.map(|line| line.ring.iter().collect::<Vec<_>>()).filter(|ring| !ring.is_empty());
    let extensions = chosen.unwrap_or_else(everybody);
    let seconds = line.map_or(DEFAULT_RING_SECONDS, |line| line.ring_seconds);
    conf.exten(pattern, &format!("Set(RING_SECONDS={seconds})"))?;
    for extension in &extensions {
        conf.same(&format!("Gosub({ADD_DEVICES},s,1({extension}))"))?;
    }
    conf.same(&after_ringing(mailbox(settings, line, &extensions)))?;
    Ok(())
}

fn mailbox<'a>(
    settings: &'a Settings,
    line: Option<&'a LineSettings>,
    ringing: &[&'a ExtensionNumber],
) -> Option<&'a ExtensionNumber> {
    let has_mailbox =
        |number: &&ExtensionNumber| settings.extension(number).is_some_and(|extension| extension.voicemail);
    let chosen = line.and_then(|line| line.voicemail.as_ref());
    chosen.or_else(|| ringing.iter().copied().find(has_mailbox))
}

fn after_ringing(mailbox: Option<&ExtensionNumber>) -> String {
    match mailbox {
        Some(mailbox) => format!("Goto({RING_THEN_MAILBOX},{mailbox},1)"),
        None => format!("Goto({RING_THEN_END},s,1)"),
    }
}

fn from_internal(conf: &mut Conf, settings: &Settings, lines: &LineIds) -> Result<(), RenderError> {
    conf.comment("What the phones of the household may dial.");
    conf.section(FROM_INTERNAL)?;
    for extension in &settings.extensions {
        let mailbox = extension.voicemail.then_some(&extension.number);
        conf.exten(extension.number.as_str(), &format!("Set(RING_SECONDS={DEFAULT_RING_SECONDS})"))?
            .same(&format!("Gosub({ADD_DEVICES},s,1({}))", extension.number))?
            .same(&after_ringing(mailbox))?;
    }
    services(conf)?;
    let prefixes: Vec<&LinePrefix> = settings.lines.iter().filter_map(|line| line.prefix.as_ref()).collect();
    emergency(conf, settings.emergency.policy, &prefixes)?;
    for line in &settings.lines {
        let (Some(id), Some(prefix)) = (lines.get(&line.iccid), &line.prefix) else { continue };
        let number = format!("${{FILTER(0-9+*#,${{EXTEN:{}}})}}", prefix.as_str().len());
        for rest in ["X.", "+X."] {
            conf.exten(&format!("_{prefix}{rest}"), &place_call(&id.to_string(), &number))?;
        }
    }
    conf.comment("Everything else goes out through the line that the switchboard chooses.");
    for pattern in ["_X.", "_+X."] {
        conf.exten(pattern, &place_call(ARG_DEFAULT_LINE, "${FILTER(0-9+*#,${EXTEN})}"))?;
    }
    Ok(())
}

fn services(conf: &mut Conf) -> Result<(), RenderError> {
    conf.comment("Services: echo, clock, tone, the phone's own mailbox.");
    conf.exten("600", "Answer()")?.same("Echo()")?.same("Hangup(16)")?;
    conf.exten("601", "Answer()")?.same("Wait(0.5)")?.same("SayUnixTime(,,HM)")?.same("Hangup(16)")?;
    conf.exten("602", "Answer()")?.same("Milliwatt(m)")?.same("Hangup(16)")?;
    conf.comment("The account, not the caller id that a phone sends, says whose mailbox it is.");
    conf.exten("*97", "Answer()")?
        .same(&format!("VoiceMailMain(${{HN_EXTENSION}}@{VOICEMAIL},s)"))?
        .same("Hangup(16)")?;
    Ok(())
}

/// Emergency numbers stand by themselves, so that no prefix and no pattern decides about them by accident.
fn emergency(conf: &mut Conf, policy: EmergencyPolicy, prefixes: &[&LinePrefix]) -> Result<(), RenderError> {
    match policy {
        EmergencyPolicy::Dial => {
            conf.comment("Calls for help leave at once, through any line.");
            for number in emergency_numbers() {
                conf.exten(&number, &place_call(ARG_DEFAULT_LINE, &number))?;
            }
        }
        EmergencyPolicy::Refuse => {
            conf.comment("The owner decided that calls for help are made with another phone.");
            for number in emergency_numbers() {
                conf.exten(&number, "Hangup(21)")?;
                for prefix in prefixes {
                    conf.exten(&format!("{prefix}{number}"), "Hangup(21)")?;
                }
            }
        }
    }
    Ok(())
}

/// Every emergency number that `telecom` knows; all have two or three digits.
fn emergency_numbers() -> impl Iterator<Item = String> {
    let two = (0..100).map(|number| format!("{number:02}"));
    let three = (0..1000).map(|number| format!("{number:03}"));
    two.chain(three).filter(|number| number.parse::<PhoneNumber>().is_ok_and(|number| number.is_emergency()))
}

fn place_call(line: &str, number: &str) -> String {
    format!("Gosub({PLACE_CALL},s,1({line},{number}))")
}

fn subroutines(conf: &mut Conf, settings: &Settings) -> Result<(), RenderError> {
    conf.comment("ARG1 is the line, ARG2 the number. Without a supervisor the phone hears that nothing goes (503).");
    conf.section(PLACE_CALL)?
        .exten("s", &format!("Set(TIMEOUT(absolute)={FIRST_LEASE_SECONDS})"))?
        .same(&format!("Stasis({APP},{ARG_OUT},${{ARG1}},${{ARG2}})"))?
        .same("Hangup(34)")?;
    conf.comment("Adds the devices that are registered for extension ARG1 to RING.");
    conf.section(ADD_DEVICES)?
        .exten("s", &format!("Set(LOCAL(devices)=${{FILTER({CONTACT_CHARS},${{PJSIP_DIAL_CONTACTS(${{ARG1}})}})}})"))?
        .same("GotoIf($[${LEN(${devices})} = 0]?end)")?
        .same("Set(RING=${RING}&${devices})")?
        .label("end", "Return()")?;
    ring_then_mailbox(conf, settings.voicemail.greeting)?;
    conf.comment("Rings, and tells the caller why nobody answered.");
    conf.section(RING_THEN_END)?
        .exten("s", "GotoIf($[${LEN(${RING})} = 0]?away)")?
        .same("Dial(${RING:1},${RING_SECONDS})")?
        .same(&format!("Goto({FAILED},${{DIALSTATUS}},1)"))?
        .label("away", &format!("Goto({FAILED},CHANUNAVAIL,1)"))?;
    conf.comment("Q.850 causes: SIP phones see 486, 480, 480 and 503.");
    conf.section(FAILED)?
        .exten("BUSY", "Hangup(17)")?
        .exten("NOANSWER", "Hangup(19)")?
        .exten("CHANUNAVAIL", "Hangup(20)")?
        .exten("_[A-Z]!", "Hangup(34)")?;
    Ok(())
}

fn ring_then_mailbox(conf: &mut Conf, greeting: Greeting) -> Result<(), RenderError> {
    // The master channel is the leg with which the call began: the supervisor watches that one.
    let answered = format!("Set(MASTER_CHANNEL({ANSWERED_BY_VARIABLE})={ANSWERED_BY_VOICEMAIL})");
    let (away, busy) = match greeting {
        Greeting::Beep => ("s", "s"),
        Greeting::Prompt => ("u", "b"),
    };
    conf.comment("Rings, then records in the mailbox of the extension.");
    conf.section(RING_THEN_MAILBOX)?
        .exten("_X!", "GotoIf($[${LEN(${RING})} = 0]?away)")?
        .same("Dial(${RING:1},${RING_SECONDS})")?
        .same("GotoIf($[\"${DIALSTATUS}\" = \"BUSY\"]?busy)")?
        .label("away", &answered)?
        .same(&format!("VoiceMail(${{EXTEN}}@{VOICEMAIL},{away})"))?
        .same("Goto(end)")?
        .label("busy", &answered)?
        .same(&format!("VoiceMail(${{EXTEN}}@{VOICEMAIL},{busy})"))?
        .label("end", "Hangup(${IF($[\"${VMSTATUS}\" = \"SUCCESS\"]?16:19)})")?;
    Ok(())
}
