//! Facts of modems and lines in the words of the API.

use crate::clock;
use crate::registry::{ModemFacts, Proven, Stage};
use modem::{Recovery, SimState};
use std::time::{Duration, Instant};
use telecom::Registration;

/// A proof older than this proves nothing any more: three keep-alive periods of a modem, and some.
pub const PROOF_LASTS: Duration = Duration::from_secs(45);

/// The name under which the API knows a modem.
#[must_use]
pub fn modem_id(facts: &ModemFacts) -> String {
    facts.modem.as_ref().map_or_else(|| facts.usb_path.clone(), ToString::to_string)
}

/// A modem for the API.
#[must_use]
pub fn modem(facts: &ModemFacts) -> api::Modem {
    let identity = facts.identity.as_ref();
    api::Modem {
        id: modem_id(facts),
        name: modem_name(facts),
        model: identity.map(|identity| identity.model.clone()),
        firmware: identity.map(|identity| identity.revision.clone()),
        imei: identity.map(|identity| identity.imei.to_string().into()),
        usb_path: Some(facts.usb_path.clone()),
        state: modem_state(facts, clock::now()),
        line_id: facts.line.map(|line| line.to_string()),
        pin_tries_left: match &facts.stage {
            Stage::Sim(SimState::PinNeeded { attempts_left, .. } | SimState::PinWrong { attempts_left }) => {
                *attempts_left
            }
            _ => None,
        },
    }
}

/// What people call a modem: the owner's name for it, or its maker and model.
#[must_use]
pub fn modem_name(facts: &ModemFacts) -> String {
    match (&facts.modem_name, &facts.identity) {
        (Some(name), _) => name.clone(),
        (None, Some(identity)) => {
            let maker = short_maker(&identity.manufacturer);
            // SIMCom writes its name into the model as well: SIMCOM_SIM7600G-H.
            let model = identity
                .model
                .strip_prefix(maker)
                .map_or(identity.model.as_str(), |model| model.trim_start_matches(['_', ' ']));
            format!("{maker} {model}")
        }
        (None, None) => format!("{:04x}:{:04x}", facts.usb_id.0, facts.usb_id.1),
    }
}

fn short_maker(manufacturer: &str) -> &str {
    manufacturer.split_whitespace().next().unwrap_or_default()
}

/// When a modem that counts as ready stops doing so, unless it proves itself before.
#[must_use]
pub fn proof_ends(facts: &ModemFacts) -> Option<Instant> {
    let registered = facts.registration.as_ref().filter(|_| facts.is_usable())?;
    Some(facts.alive?.min(registered.at) + PROOF_LASTS)
}

fn modem_state(facts: &ModemFacts, now: Instant) -> api::ModemState {
    match &facts.stage {
        Stage::Starting if is_healing(facts) => api::ModemState::Healing,
        Stage::Starting => api::ModemState::Starting,
        Stage::Sim(SimState::Ready) => api::ModemState::Starting,
        Stage::Sim(SimState::PinNeeded { .. } | SimState::PinWrong { .. }) => api::ModemState::PinNeeded,
        Stage::Sim(SimState::PukNeeded { .. }) => api::ModemState::PukNeeded,
        Stage::Sim(SimState::Absent) => api::ModemState::NoSim,
        Stage::Sim(SimState::Faulty(_)) | Stage::Failed(_) => api::ModemState::Failed,
        Stage::Ready if proof_ends(facts).is_some_and(|end| now <= end) => api::ModemState::Ready,
        Stage::Ready if facts.is_usable() => api::ModemState::Unknown,
        Stage::Ready => api::ModemState::Registering,
    }
}

fn is_healing(facts: &ModemFacts) -> bool {
    facts.recovery.as_ref().is_some_and(|recovery| recovery.value.0 != Recovery::Retry)
}

/// The state of the line that a modem carries.
#[must_use]
pub fn line_state(facts: &ModemFacts) -> api::LineState {
    line_state_at(facts, clock::now())
}

fn line_state_at(facts: &ModemFacts, now: Instant) -> api::LineState {
    match modem_state(facts, now) {
        api::ModemState::PinNeeded => api::LineState::PinNeeded,
        api::ModemState::PukNeeded => api::LineState::PukNeeded,
        api::ModemState::Registering => api::LineState::Registering,
        api::ModemState::Ready => api::LineState::Ready,
        api::ModemState::Unknown => api::LineState::Unknown,
        api::ModemState::Failed => api::LineState::Failed,
        api::ModemState::Absent | api::ModemState::NoSim => api::LineState::Absent,
        api::ModemState::Starting | api::ModemState::Healing => api::LineState::Starting,
    }
}

/// A line whose modem is plugged in.
#[must_use]
pub fn line(id: String, name: String, facts: &ModemFacts) -> api::Line {
    api::Line {
        id,
        name,
        number: facts.number.as_ref().map(|number| number.to_string().into()),
        state: line_state(facts),
        modem_id: Some(modem_id(facts)),
        operator: fact(facts.operator.as_ref(), Clone::clone),
        registration: fact(facts.registration.as_ref(), |(state, _)| registration(*state)),
        signal: fact(facts.signal.as_ref(), |signal| api::Signal { rssi_dbm: signal.rssi_dbm, bars: signal.bars() }),
        access_technology: facts.registration.as_ref().and_then(|r| r.value.1).map(|t| t.generation().to_owned()),
    }
}

fn fact<T, U>(proven: Option<&Proven<T>>, view: impl FnOnce(&T) -> U) -> Option<api::Fact<U>> {
    proven.map(|proven| api::Fact { value: view(&proven.value), age_seconds: proven.age().as_secs() })
}

fn registration(state: Registration) -> api::Registration {
    match state {
        Registration::NotSearching => api::Registration::NotSearching,
        Registration::Home => api::Registration::Home,
        Registration::Searching => api::Registration::Searching,
        Registration::Denied => api::Registration::Denied,
        Registration::Unknown => api::Registration::Unknown,
        Registration::Roaming => api::Registration::Roaming,
        Registration::SmsOnlyHome => api::Registration::SmsOnlyHome,
        Registration::SmsOnlyRoaming => api::Registration::SmsOnlyRoaming,
        Registration::EmergencyOnly => api::Registration::EmergencyOnly,
    }
}

/// Health of the modems and their lines: each item with what proved it and when.
#[must_use]
pub fn modem_health(facts: &ModemFacts) -> api::HealthItem {
    let name = facts.line.map_or_else(|| format!("modem {}", facts.usb_path), |line| line.to_string());
    let (status, proof) = judge(facts);
    let age = facts.alive.map(|at| clock::now().saturating_duration_since(at).as_secs());
    api::HealthItem { name, status, proof, age_seconds: age }
}

fn judge(facts: &ModemFacts) -> (api::HealthStatus, String) {
    let say = |status, text: &str| (status, text.to_owned());
    match &facts.stage {
        Stage::Failed(reason) => return (api::HealthStatus::Failed, reason.clone()),
        Stage::Sim(state) => return judge_sim(state),
        Stage::Starting => return say(api::HealthStatus::Unknown, "the modem is starting"),
        Stage::Ready => {}
    }
    let is_fresh = facts.alive.is_some_and(|at| clock::now().saturating_duration_since(at) <= PROOF_LASTS);
    if !is_fresh {
        return say(api::HealthStatus::Unknown, "the modem has not answered lately");
    }
    let registered = facts.registration.as_ref().filter(|r| r.age() <= PROOF_LASTS);
    match registered.map(|r| r.value.0) {
        None => say(api::HealthStatus::Unknown, "registration has not been proven lately"),
        Some(state) if !state.is_registered() => {
            (api::HealthStatus::Failed, format!("not registered with the network ({state:?})"))
        }
        Some(_) if facts.is_storage_full => {
            say(api::HealthStatus::Degraded, "the modem has no room for another SMS; delete messages on the SIM")
        }
        Some(_) => match &facts.audio_alarm {
            Some(alarm) => (api::HealthStatus::Degraded, alarm.value.clone()),
            None => say(api::HealthStatus::Ok, "the modem answered and is registered"),
        },
    }
}

fn judge_sim(state: &SimState) -> (api::HealthStatus, String) {
    let text = match state {
        SimState::Ready => {
            return (api::HealthStatus::Unknown, "the SIM is ready, the line is being set up".to_owned());
        }
        SimState::PinNeeded { .. } | SimState::PinWrong { .. } => "the SIM asks for its PIN: enter it".to_owned(),
        SimState::PukNeeded { .. } => "the SIM is blocked: enter its PUK in a telephone".to_owned(),
        SimState::Absent => "no SIM in the modem: put one in".to_owned(),
        SimState::Faulty(words) => format!("the SIM cannot be read: {words}"),
    };
    (api::HealthStatus::Failed, text)
}

/// A line whose SIM is in no modem.
#[must_use]
pub fn absent_line(id: String, name: String, number: Option<&telecom::PhoneNumber>) -> api::Line {
    api::Line {
        id,
        name,
        number: number.map(|number| number.to_string().into()),
        state: api::LineState::Absent,
        modem_id: None,
        operator: None,
        registration: None,
        signal: None,
        access_technology: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_ready_only_as_long_as_its_proofs_last() {
        let now = clock::now();
        let registered = |state| Some(Proven { value: (state, None), at: now });
        let mut facts = ModemFacts::new("1-2", (0x2c7c, 0x0125), None);
        facts.stage = Stage::Ready;
        assert_eq!(line_state_at(&facts, now), api::LineState::Registering);
        (facts.alive, facts.registration) = (Some(now), registered(Registration::Home));
        let second = Duration::from_secs(1);
        let at = |facts: &ModemFacts, age| line_state_at(facts, now + age);
        assert_eq!(at(&facts, PROOF_LASTS), api::LineState::Ready);
        assert_eq!(at(&facts, PROOF_LASTS + second), api::LineState::Unknown);
        assert_eq!(proof_ends(&facts), Some(now + PROOF_LASTS));
        // An answer of the modem says nothing of the network.
        facts.alive = Some(now + PROOF_LASTS);
        assert_eq!(at(&facts, PROOF_LASTS + second), api::LineState::Unknown);
        facts.registration = registered(Registration::Searching);
        assert_eq!(at(&facts, PROOF_LASTS + second), api::LineState::Registering);
        assert_eq!(proof_ends(&facts), None);
    }
}
