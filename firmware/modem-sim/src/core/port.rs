//! Command ports: each has its own parser, echo, result format and prompt.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::fault::Fault;
use super::parser::Command;
use super::timers::Timer;
use super::{Failure, Family, Output, SimModem};

/// End of a message after a prompt.
const CTRL_Z: u8 = 0x1a;
/// Gives up a prompt.
const ESCAPE: u8 = 0x1b;
/// Text that a prompt takes.
const PROMPT_LIMIT: usize = 4096;
/// A command line being typed keeps unsolicited lines back for this long after its last byte.
const TYPING_PAUSE: Duration = Duration::from_millis(200);

/// State of one command port.
pub(super) struct Port {
    pub(super) echoes: bool,
    pub(super) is_verbose: bool,
    pub(super) is_quiet: bool,
    pub(super) cmee: u8,
    pub(super) line: Vec<u8>,
    pub(super) last_line: Vec<u8>,
    pub(super) mode: PortMode,
    /// What the host sent while a command was in progress.
    pub(super) held: VecDeque<u8>,
    /// Last byte of a command line that is not complete.
    pub(super) typed_at: Option<Instant>,
    /// Unsolicited lines that wait for the end of a prompt or of a command line.
    held_urcs: Vec<String>,
}

pub(super) enum PortMode {
    Command,
    /// A command is in progress; `rest` follows it on its line.
    Busy {
        rest: VecDeque<Command>,
        is_abortable: bool,
    },
    Prompt {
        purpose: Purpose,
        text: Vec<u8>,
        is_shown: bool,
    },
}

/// What a prompted text is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// `+CMGS` in PDU mode, with the number of octets.
    SubmitPdu { tpdu_octets: usize },
    /// `+CMGS` in text mode, with the number.
    SubmitText { to: String },
    /// `+CMGW` in PDU mode.
    StorePdu { tpdu_octets: usize, status: Option<u8> },
    /// `+CMGW` in text mode.
    StoreText { to: String },
    /// `+CNMA` with an acknowledgement PDU.
    Acknowledge,
}

impl Port {
    pub(super) fn new(cmee: u8) -> Self {
        Self {
            echoes: true,
            is_verbose: true,
            is_quiet: false,
            cmee,
            line: Vec::new(),
            last_line: b"AT".to_vec(),
            mode: PortMode::Command,
            held: VecDeque::new(),
            typed_at: None,
            held_urcs: Vec::new(),
        }
    }
}

impl SimModem {
    pub(super) fn write(&mut self, interface: u8, bytes: Vec<u8>) {
        if self.faults.has(&Fault::SplitWrites { on: true }) && interface != self.personality.pcm_interface {
            let single = bytes.into_iter().map(|byte| Output::Write { interface, bytes: vec![byte] });
            self.outputs.extend(single);
            return;
        }
        self.outputs.push_back(Output::Write { interface, bytes });
    }

    /// Prints an information text; several lines stand together (V.250 §5.7.1).
    pub(super) fn information(&mut self, interface: u8, lines: &[String]) {
        let Some(port) = self.ports.get(&interface) else { return };
        if lines.is_empty() {
            return;
        }
        let start = if port.is_verbose { "\r\n" } else { "" };
        let text = format!("{start}{}\r\n", lines.join("\r\n"));
        self.write(interface, text_bytes(&text));
    }

    pub(super) fn final_result(&mut self, interface: u8, result: &str) {
        let Some(port) = self.ports.get(&interface) else { return };
        if port.is_quiet {
            return;
        }
        let text = match numeric(result) {
            Some(code) if !port.is_verbose => format!("{code}\r"),
            _ => format!("\r\n{result}\r\n"),
        };
        self.write(interface, text_bytes(&text));
    }

    pub(super) fn failure(&mut self, interface: u8, failure: Failure) {
        let cmee = self.ports.get(&interface).map_or(0, |port| port.cmee);
        let text = match failure {
            Failure::Plain => "ERROR".to_owned(),
            Failure::Cme(_) if cmee == 0 => "ERROR".to_owned(),
            Failure::Cme(code) if cmee == 2 => format!("+CME ERROR: {}", cme_text(code)),
            Failure::Cme(code) => format!("+CME ERROR: {code}"),
            Failure::Cms(code) => format!("+CMS ERROR: {code}"),
        };
        self.final_result(interface, &text);
    }

    /// Prints an unsolicited line on every port that carries them.
    pub(super) fn urc(&mut self, text: &str) {
        if self.power != super::Power::On {
            return;
        }
        for interface in self.urc_interfaces() {
            let Some(port) = self.ports.get_mut(&interface) else { continue };
            let quiet_at = port.typed_at.map(|typed_at| typed_at + TYPING_PAUSE);
            if matches!(port.mode, PortMode::Prompt { .. }) {
                port.held_urcs.push(text.to_owned());
            } else if let Some(quiet_at) = quiet_at.filter(|quiet_at| *quiet_at > self.handled_at) {
                port.held_urcs.push(text.to_owned());
                self.timers.add(quiet_at, Timer::Flush { port: interface });
            } else {
                self.write(interface, text_bytes(&format!("\r\n{text}\r\n")));
            }
        }
    }

    /// Prints what waited for the end of a command line, unless another is being typed.
    pub(super) fn flush_urcs(&mut self, interface: u8, now: Instant) {
        let Some(port) = self.ports.get_mut(&interface) else { return };
        let is_typing = port.typed_at.is_some_and(|typed_at| typed_at + TYPING_PAUSE > now);
        if matches!(port.mode, PortMode::Prompt { .. }) {
            return;
        }
        if is_typing {
            let quiet_at = now + TYPING_PAUSE;
            self.timers.add(quiet_at, Timer::Flush { port: interface });
            return;
        }
        for urc in std::mem::take(&mut port.held_urcs) {
            self.write(interface, text_bytes(&format!("\r\n{urc}\r\n")));
        }
    }

    /// Prints a two-line unsolicited code: `+CMT` or `+CDS` and its PDU.
    pub(super) fn urc_pair(&mut self, header: &str, body: &str) {
        let between = self.faults.take(|fault| match fault {
            Fault::UrcInsidePair { urc, .. } => Some(urc.clone()),
            _ => None,
        });
        match between {
            Some(urc) => self.urc(&format!("{header}\r\n\r\n{urc}\r\n{body}")),
            None => self.urc(&format!("{header}\r\n{body}")),
        }
    }

    pub(super) fn set_busy(&mut self, interface: u8, rest: VecDeque<Command>, is_abortable: bool) {
        if let Some(port) = self.ports.get_mut(&interface) {
            port.mode = PortMode::Busy { rest, is_abortable };
        }
    }

    /// Feeds what the host sent during the command that has ended.
    pub(super) fn release_held(&mut self, interface: u8, now: Instant) {
        loop {
            let Some(port) = self.ports.get_mut(&interface) else { return };
            if matches!(port.mode, PortMode::Busy { .. }) {
                return;
            }
            let Some(byte) = port.held.pop_front() else { return };
            self.on_byte(interface, byte, now);
        }
    }

    pub(super) fn start_prompt(&mut self, interface: u8, purpose: Purpose, now: Instant) {
        let is_refused = self.faults.take(|fault| matches!(fault, Fault::NoPrompt { .. }).then_some(()));
        let delay = self.faults.take(|fault| match fault {
            Fault::LatePrompt { delay_ms, .. } => Some(Duration::from_millis(*delay_ms)),
            _ => None,
        });
        if let Some(port) = self.ports.get_mut(&interface) {
            port.mode = PortMode::Prompt { purpose, text: Vec::new(), is_shown: false };
        }
        match (is_refused, delay) {
            (Some(()), _) => {}
            (None, Some(delay)) => self.timers.add(now + delay, Timer::Prompt { port: interface }),
            (None, None) => self.show_prompt(interface),
        }
    }

    pub(super) fn show_prompt(&mut self, interface: u8) {
        let Some(port) = self.ports.get_mut(&interface) else { return };
        if let PortMode::Prompt { is_shown, .. } = &mut port.mode {
            *is_shown = true;
            self.write(interface, b"\r\n> ".to_vec());
        }
    }

    /// A text that begins before the prompt is shown is lost, except for the byte that cancels.
    pub(super) fn on_prompt_byte(&mut self, interface: u8, byte: u8, now: Instant) {
        let Some(port) = self.ports.get_mut(&interface) else { return };
        let PortMode::Prompt { text, is_shown, purpose } = &mut port.mode else { return };
        if !*is_shown && byte != ESCAPE {
            return;
        }
        match byte {
            CTRL_Z | ESCAPE => {
                let (text, purpose) = (std::mem::take(text), purpose.clone());
                port.mode = PortMode::Command;
                if port.echoes {
                    self.write(interface, vec![byte]);
                }
                self.end_prompt(interface, byte == CTRL_Z, (&purpose, &text), now);
            }
            0x08 => {
                text.pop();
            }
            _ => {
                if text.len() < PROMPT_LIMIT {
                    text.push(byte);
                }
                if port.echoes {
                    self.write(interface, vec![byte]);
                }
            }
        }
    }

    /// Sends a URC that waited, then the rest of what the host wrote.
    fn end_prompt(&mut self, interface: u8, is_sent: bool, prompted: (&Purpose, &[u8]), now: Instant) {
        self.timers.drop_port(interface);
        if is_sent {
            let reply = self.on_prompted(interface, prompted.0, prompted.1, now);
            if reply == super::Reply::Pending {
                self.set_busy(interface, VecDeque::new(), false);
            } else if self.answer(interface, reply, now) {
                self.final_result(interface, "OK");
            }
        } else {
            self.final_result(interface, "OK");
        }
        self.flush_urcs(interface, now);
        self.release_held(interface, now);
    }

    /// NUL, 0xFF and half a line, as a starting modem leaves on its ports.
    pub(super) fn write_garbage(&mut self) {
        let interfaces: Vec<u8> = self.ports.keys().copied().collect();
        for interface in interfaces {
            self.write(interface, vec![0x00, 0xff, 0xfe, 0x80, b'+', b'C', b'S', 0x00, b'\r', b'O', b'\n', 0xff, 0x1a]);
        }
    }

    fn urc_interfaces(&self) -> Vec<u8> {
        match (self.personality.family, self.settings.keyed("+QURCCFG", "urcport")) {
            (Family::Quectel, Some("usbat")) => vec![2],
            (Family::Quectel, Some("usbmodem")) => vec![3],
            (Family::Quectel, Some("uart1")) => Vec::new(),
            _ => self.ports.keys().copied().collect(),
        }
    }
}

/// Texts are kept as one character for each octet of the character set in use.
fn text_bytes(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(character).unwrap_or(b'?')).collect()
}

/// Numeric form of a result (V.250 §5.7.1).
fn numeric(result: &str) -> Option<u8> {
    Some(match result {
        "OK" => 0,
        "RING" => 2,
        "NO CARRIER" => 3,
        "ERROR" => 4,
        "BUSY" => 7,
        "NO ANSWER" => 8,
        _ => return None,
    })
}

/// Verbose form of a `+CME ERROR` (TS 27.007 §9.2).
fn cme_text(code: u16) -> String {
    let text = match code {
        0 => "phone failure",
        1 => "no connection to phone",
        3 => "operation not allowed",
        4 => "operation not supported",
        10 => "SIM not inserted",
        11 => "SIM PIN required",
        12 => "SIM PUK required",
        13 => "SIM failure",
        14 => "SIM busy",
        15 => "SIM wrong",
        16 => "incorrect password",
        20 => "memory full",
        21 => "invalid index",
        22 => "not found",
        30 => "no network service",
        31 => "network timeout",
        32 => "network not allowed - emergency calls only",
        50 => "Incorrect parameters",
        100 => "unknown",
        _ => return code.to_string(),
    };
    text.to_owned()
}
