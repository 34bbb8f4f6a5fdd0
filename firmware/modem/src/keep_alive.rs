//! Proofs of life: signal, registration and operator, asked again and again.

use std::time::{Duration, Instant};

use at::{Params, Priority, Request, value};
use telecom::Registration;

use crate::answer::{NetworkState, network_state, operator, reporting_mode, signal};
use crate::event::Event;
use crate::family::Family;
use crate::port::{self, Outcome, Port};

/// How often a line without a call proves that it lives.
const IDLE_PERIOD: Duration = Duration::from_secs(10);
/// During a call the list of calls is the proof of life; the facts are refreshed less often.
const CALL_PERIOD: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Signal,
    Creg,
    Cereg,
    Operator,
    Ims,
}

/// What was last heard of the networks.
#[derive(Debug, Default)]
pub(crate) struct KeepAlive {
    next: Option<Instant>,
    circuit: Option<NetworkState>,
    packet: Option<NetworkState>,
    /// The modem reported registrations by itself, as it was set up to.
    has_reported: bool,
    has_forgotten: bool,
}

impl KeepAlive {
    /// Starts to ask, at once.
    pub(crate) fn start(&mut self, now: Instant) {
        self.next = Some(now);
    }

    pub(crate) fn stop(&mut self) {
        *self = Self::default();
    }

    /// Whether the modem does not report any more what it was set up to: another program gave it other settings, such as
    /// those that it has from the factory, and nothing tells any more when an SMS comes. Asking forgets.
    pub(crate) fn take_forgotten(&mut self) -> bool {
        std::mem::take(&mut self.has_forgotten)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    pub(crate) fn handle_timeout(&mut self, port: &mut Port, is_in_call: bool, now: Instant) {
        if self.next.is_none_or(|next| next > now) {
            return;
        }
        self.next = Some(now + if is_in_call { CALL_PERIOD } else { IDLE_PERIOD });
        let ask = |step, text| Request::new(port::Step::KeepAlive(step), text).priority(Priority::Background);
        port.ask(ask(Step::Signal, "AT+CSQ").prefix("+CSQ:"), now);
        port.ask(ask(Step::Creg, "AT+CREG?").prefix("+CREG:"), now);
        port.ask(ask(Step::Cereg, "AT+CEREG?").prefix("+CEREG:"), now);
        port.ask(ask(Step::Operator, "AT+COPS?").prefix("+COPS:"), now);
        if port.family == Family::Quectel {
            port.ask(ask(Step::Ims, "AT+QCFG=\"ims\"").prefix("+QCFG:"), now);
        }
    }

    pub(crate) fn handle_outcome(&mut self, port: &mut Port, step: Step, outcome: &Outcome) {
        let Some(lines) = outcome.ok_lines() else {
            if step == Step::Cereg && !outcome.is_silence() {
                self.report(port);
            }
            return;
        };
        let text = |prefix| lines.iter().rev().find_map(|line| value(line, prefix));
        match step {
            Step::Signal => {
                port.emit(Event::Alive);
                port.emit(Event::Signal(text("+CSQ:").and_then(signal)));
            }
            Step::Creg => {
                self.circuit = text("+CREG:").and_then(network_state);
                self.compare_mode(text("+CREG:").and_then(reporting_mode));
            }
            Step::Cereg => {
                self.packet = text("+CEREG:").and_then(network_state);
                self.report(port);
            }
            Step::Operator => port.emit(Event::Operator(text("+COPS:").and_then(operator))),
            // `+QCFG: "ims",<setting>,<registered>`
            Step::Ims => {
                if let Some(registered) = text("+QCFG:").and_then(|text| Params::new(text).nth(2)) {
                    port.emit(Event::Ims(registered == "1"));
                }
            }
        }
    }

    /// Takes an unsolicited `+CREG:` (circuit switched) or `+CEREG:` (LTE).
    pub(crate) fn on_registration(&mut self, port: &mut Port, line: &str) {
        if let Some(text) = value(line, "+CREG:") {
            self.circuit = network_state(text);
        } else if let Some(text) = value(line, "+CEREG:") {
            self.packet = network_state(text);
        }
        if self.next.is_some() {
            self.report(port);
        }
    }

    fn compare_mode(&mut self, mode: Option<u8>) {
        match mode {
            Some(0) => self.has_forgotten |= std::mem::take(&mut self.has_reported),
            Some(_) => self.has_reported = true,
            None => {}
        }
    }

    fn report(&self, port: &mut Port) {
        if let Some(NetworkState { state, technology }) = better(self.circuit, self.packet) {
            port.emit(Event::Registration { state, technology });
        }
    }
}

/// The better of both: a SIM that is only on LTE is registered all the same, since it calls by VoLTE.
fn better(circuit: Option<NetworkState>, packet: Option<NetworkState>) -> Option<NetworkState> {
    let rank = |network: &NetworkState| match network.state {
        Registration::Home => 8,
        Registration::Roaming => 7,
        Registration::SmsOnlyHome => 6,
        Registration::SmsOnlyRoaming => 5,
        Registration::EmergencyOnly => 4,
        Registration::Denied => 3,
        Registration::Searching => 2,
        Registration::Unknown => 1,
        Registration::NotSearching => 0,
    };
    let has_technology = |network: &NetworkState| network.technology.is_some();
    circuit.into_iter().chain(packet).max_by_key(|network| (rank(network), has_technology(network)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_registration_counts() {
        use Registration::{Denied, Home, Roaming, Searching};
        let network = |state| Some(NetworkState { state, technology: None });
        let table = [
            ("T79: VoLTE only", network(Denied), network(Home), Some(Home)),
            ("2G only", network(Roaming), network(Searching), Some(Roaming)),
            ("LTE unknown to the firmware", network(Home), None, Some(Home)),
            ("nothing known", None, None, None),
        ];
        for (name, circuit, packet, want) in table {
            assert_eq!(better(circuit, packet).map(|network| network.state), want, "{name}");
        }
    }
}
