//! From bytes of a host to commands, and from their replies to results.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::fault::{self, Fault};
use super::parser::{self, Command, Form};
use super::port::PortMode;
use super::timers::Timer;
use super::{Failure, Reply, Request, SimModem};
use super::{calls_commands, general, radio, sim, sms_commands, ussd};

/// Longest command line (the manuals give 400 to 2,048 octets).
const LONGEST_LINE: usize = 2048;
/// Bytes that a port holds while a command is in progress.
const HELD_LIMIT: usize = 8192;

impl SimModem {
    pub(super) fn on_byte(&mut self, interface: u8, byte: u8, now: Instant) {
        let Some(port) = self.ports.get_mut(&interface) else { return };
        match &port.mode {
            PortMode::Command => {
                if port.echoes {
                    self.write(interface, vec![byte]);
                }
                self.on_command_byte(interface, byte, now);
            }
            PortMode::Busy { is_abortable: true, .. } => self.complete(interface, Reply::ok(), now),
            PortMode::Busy { .. } => {
                if port.held.len() < HELD_LIMIT {
                    port.held.push_back(byte);
                }
            }
            PortMode::Prompt { .. } => self.on_prompt_byte(interface, byte, now),
        }
    }

    fn on_command_byte(&mut self, interface: u8, byte: u8, now: Instant) {
        let Some(port) = self.ports.get_mut(&interface) else { return };
        port.typed_at = (byte != b'\r').then_some(now).filter(|_| byte.is_ascii_graphic());
        match byte {
            b'\r' => {
                let line = std::mem::take(&mut port.line);
                self.on_line(interface, &line, now);
                self.flush_urcs(interface, now);
            }
            b'\n' | 0x1b => {}
            0x08 => {
                port.line.pop();
            }
            _ if port.line.len() >= LONGEST_LINE => {}
            _ => {
                port.line.push(byte);
                if byte == b'/' && port.line.eq_ignore_ascii_case(b"A/") {
                    port.line.clear();
                    let again = port.last_line.clone();
                    self.on_line(interface, &again, now);
                }
            }
        }
    }

    fn on_line(&mut self, interface: u8, line: &[u8], now: Instant) {
        let text: String = line.iter().map(|byte| char::from(*byte)).collect();
        let Some(parsed) = parser::parse_line(&text) else { return };
        if let Some(port) = self.ports.get_mut(&interface) {
            port.last_line = line.to_vec();
        }
        if self.faults.take(|fault| matches!(fault, Fault::Silence { .. }).then_some(())).is_some() {
            return;
        }
        let mut commands: VecDeque<Command> = match parsed {
            Ok(commands) => commands.into(),
            Err(commands) => {
                let unreadable = Command { name: String::new(), form: Form::Exec };
                commands.into_iter().chain([unreadable]).collect()
            }
        };
        let delay = self.faults.take(|fault| match fault {
            Fault::LateAnswer { delay_ms, .. } => Some(Duration::from_millis(*delay_ms)),
            _ => None,
        });
        if let Some(delay) = delay {
            self.set_busy(interface, VecDeque::new(), false);
            let commands = std::mem::take(&mut commands);
            self.timers.add(now + delay, Timer::Execute { port: interface, commands });
            return;
        }
        self.execute(interface, commands, now);
    }

    pub(super) fn execute(&mut self, interface: u8, mut commands: VecDeque<Command>, now: Instant) {
        let urc = self.faults.take(|fault| match fault {
            Fault::UrcBeforeAnswer { urc, .. } => Some(urc.clone()),
            _ => None,
        });
        if let Some(urc) = urc {
            self.write(interface, format!("\r\n{urc}\r\n").into_bytes());
        }
        if let Some(port) = self.ports.get_mut(&interface) {
            port.mode = PortMode::Command;
        }
        while let Some(command) = commands.pop_front() {
            let reply = self.dispatch(interface, &command, now);
            if reply == Reply::Pending {
                let is_abortable = command.name == "+COPS" && command.form == Form::Test;
                self.set_busy(interface, commands, is_abortable);
                return;
            }
            if !self.answer(interface, reply, now) {
                self.release_held(interface, now);
                return;
            }
        }
        self.final_result(interface, "OK");
        self.release_held(interface, now);
    }

    /// Writes what `reply` says; returns whether the rest of the line goes on.
    pub(super) fn answer(&mut self, interface: u8, reply: Reply, now: Instant) -> bool {
        match reply {
            Reply::Done(lines) => {
                self.information(interface, &lines);
                return true;
            }
            Reply::Failed(failure) => self.failure(interface, failure),
            Reply::Final(text) => self.final_result(interface, text),
            Reply::Prompt(purpose) => self.start_prompt(interface, purpose, now),
            Reply::Mute | Reply::Pending => {}
        }
        false
    }

    /// Ends the command in progress on `interface`, if there still is one.
    pub(super) fn complete(&mut self, interface: u8, reply: Reply, now: Instant) {
        let Some(port) = self.ports.get_mut(&interface) else { return };
        let PortMode::Busy { rest, .. } = &mut port.mode else { return };
        let rest = std::mem::take(rest);
        port.mode = PortMode::Command;
        self.timers.drop_port(interface);
        if self.answer(interface, reply, now) {
            self.execute(interface, rest, now);
        } else {
            self.release_held(interface, now);
        }
    }

    fn dispatch(&mut self, port: u8, command: &Command, now: Instant) -> Reply {
        let injected = self.faults.take(|fault| match fault {
            // A network refuses a message after its text, not before the prompt.
            Fault::Error { command: name, kind: fault::ErrorKind::Cms, .. } if name == "+CMGS" => None,
            Fault::Error { command: name, kind, code, .. } if name.eq_ignore_ascii_case(&command.name) => {
                Some((*kind, *code))
            }
            _ => None,
        });
        match injected {
            Some((fault::ErrorKind::Cme, code)) => return Reply::cme(code),
            Some((fault::ErrorKind::Cms, code)) => return Reply::cms(code),
            Some((fault::ErrorKind::Plain, _)) => return Reply::Failed(Failure::Plain),
            None => {}
        }
        let family = self.personality.family;
        let tables = [
            general::HANDLERS,
            sim::HANDLERS,
            radio::HANDLERS,
            sms_commands::HANDLERS,
            calls_commands::HANDLERS,
            ussd::HANDLERS,
        ];
        let handler = tables
            .iter()
            .flat_map(|table| table.iter())
            .find(|(name, only, _)| *name == command.name && only.is_none_or(|only| only == family))
            .map(|(_, _, handler)| *handler);
        match handler {
            Some(handler) => handler(self, Request { port, form: &command.form, now }),
            None => self.settings.answer(&command.name, &command.form),
        }
    }
}
