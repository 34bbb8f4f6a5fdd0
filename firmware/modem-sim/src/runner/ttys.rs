//! Modems on ttys of this machine, with a tree that looks like sysfs.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Numbers;
use super::front::{HostBytes, Input, Inputs, Shown};
use super::protocol::TtyStatus;
use super::pty::Pty;
use super::tree::{DeviceNode, DeviceTree, TtyNode, held_numbers};
use crate::core::Interface;

/// How often `authorized` is looked at.
const AUTHORIZED_EVERY: Duration = Duration::from_millis(200);

pub(super) struct TtyFront {
    slots: Vec<Slot>,
    tree: DeviceTree,
    inputs: Inputs,
    /// Ttys that are gone, as long as some program holds them open.
    retired: Vec<(u32, PathBuf)>,
    renumbers: bool,
    look_at_authorized: Instant,
}

/// The place of one modem.
#[derive(Default)]
struct Slot {
    device: Option<Device>,
    /// Bytes of ttys that are gone must not reach the new ones.
    generation: u64,
    last_numbers: BTreeSet<u32>,
}

struct Device {
    node: DeviceNode,
    interfaces: &'static [Interface],
    ttys: Vec<Tty>,
}

struct Tty {
    interface: u8,
    number: u32,
    pty: Pty,
}

/// What a program wrote on a tty.
pub(super) struct TtyBytes {
    generation: u64,
    host: HostBytes,
}

impl TtyFront {
    pub(super) fn new(tree: DeviceTree, renumbers: bool, inputs: Inputs, now: Instant) -> Self {
        let look_at_authorized = now + AUTHORIZED_EVERY;
        Self { slots: Vec::new(), tree, inputs, retired: Vec::new(), renumbers, look_at_authorized }
    }

    pub(super) fn attach(&mut self, unit: usize, shown: &Shown<'_>, numbers: Numbers) -> io::Result<()> {
        if self.slots.len() <= unit {
            self.slots.resize_with(unit + 1, Slot::default);
        }
        let Some(slot) = self.slots.get_mut(unit).filter(|slot| slot.device.is_none()) else { return Ok(()) };
        let node = self.tree.add_device(shown.usb_path, shown.personality, shown.serial)?;
        slot.device = Some(Device { node, interfaces: shown.personality.interfaces, ttys: Vec::new() });
        self.show_interfaces(unit, numbers)
    }

    pub(super) fn detach(&mut self, unit: usize) -> io::Result<()> {
        let result = self.hide_interfaces(unit);
        let Some(device) = self.slots.get_mut(unit).and_then(|slot| slot.device.take()) else { return result };
        result.and_then(|()| self.tree.remove_device(&device.node))
    }

    pub(super) fn is_attached(&self, unit: usize) -> bool {
        self.device(unit).is_some()
    }

    pub(super) fn handle_bytes(&self, input: TtyBytes) -> Option<HostBytes> {
        let slot = self.slots.get(input.host.unit).filter(|slot| slot.generation == input.generation);
        slot.map(|_| input.host)
    }

    pub(super) fn backlog(&self, unit: usize, interface: u8) -> Option<usize> {
        let ttys = self.device(unit)?.ttys.iter();
        ttys.filter(|tty| tty.interface == interface).map(|tty| tty.pty.backlog()).next()
    }

    pub(super) fn write(&mut self, unit: usize, interface: u8, bytes: &[u8]) {
        let device = self.slots.get_mut(unit).and_then(|slot| slot.device.as_mut());
        let ttys = device.into_iter().flat_map(|device| device.ttys.iter_mut());
        for tty in ttys.filter(|tty| tty.interface == interface) {
            tty.pty.send(bytes.to_vec());
        }
    }

    pub(super) fn pump(&mut self, now: Instant) -> Option<Instant> {
        let mut deadline = self.look_at_authorized;
        for device in self.slots.iter_mut().filter_map(|slot| slot.device.as_mut()) {
            for tty in &mut device.ttys {
                deadline = tty.pty.pump(now).map_or(deadline, |at| at.min(deadline));
            }
        }
        Some(deadline)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if now < self.look_at_authorized {
            return;
        }
        self.look_at_authorized = now + AUTHORIZED_EVERY;
        for unit in 0..self.slots.len() {
            self.follow_authorized(unit);
        }
    }

    pub(super) fn status(&self, unit: usize) -> Vec<TtyStatus> {
        let ttys = self.device(unit).into_iter().flat_map(|device| device.ttys.iter());
        ttys.map(|tty| TtyStatus {
            interface: tty.interface,
            name: format!("ttyUSB{}", tty.number),
            device: tty.pty.slave.to_string_lossy().into_owned(),
        })
        .collect()
    }

    fn device(&self, unit: usize) -> Option<&Device> {
        self.slots.get(unit)?.device.as_ref()
    }

    /// Acts on `0` or `1` in `authorized`: interfaces vanish or come back while the modem runs on.
    fn follow_authorized(&mut self, unit: usize) {
        let device = self.slots.get_mut(unit).and_then(|slot| slot.device.as_mut());
        let Some(is_authorized) = device.and_then(|device| self.tree.poll_authorized(&mut device.node)) else {
            return;
        };
        let result = self
            .hide_interfaces(unit)
            .and_then(|()| if is_authorized { self.show_interfaces(unit, Numbers::LowestFree) } else { Ok(()) });
        if let Err(error) = result {
            tracing::error!(%error, "failed to follow `authorized`");
        }
    }

    fn show_interfaces(&mut self, unit: usize, numbers: Numbers) -> io::Result<()> {
        let free = self.free_numbers(unit, numbers);
        let Some(slot) = self.slots.get_mut(unit) else { return Ok(()) };
        let Some(device) = slot.device.as_mut().filter(|device| device.ttys.is_empty()) else { return Ok(()) };
        slot.generation += 1;
        let with_tty = device.interfaces.iter().filter(|interface| interface.has_tty());
        for (interface, number) in with_tty.zip(free) {
            let (inputs, generation, interface) = (self.inputs.clone(), slot.generation, interface.number);
            let pty = Pty::open(move |bytes| {
                let host = HostBytes { unit, interface, bytes };
                inputs.blocking_send(Input::Tty(TtyBytes { generation, host })).is_ok()
            })?;
            device.ttys.push(Tty { interface, number, pty });
        }
        slot.last_numbers = device.ttys.iter().map(|tty| tty.number).collect();
        let nodes: Vec<TtyNode<'_>> = device
            .ttys
            .iter()
            .map(|tty| TtyNode { interface: tty.interface, number: tty.number, slave: &tty.pty.slave })
            .collect();
        self.tree.add_interfaces(&device.node, device.interfaces, &nodes)
    }

    fn hide_interfaces(&mut self, unit: usize) -> io::Result<()> {
        let Some(device) = self.slots.get_mut(unit).and_then(|slot| slot.device.as_mut()) else { return Ok(()) };
        let ttys = std::mem::take(&mut device.ttys);
        let numbers: Vec<(u8, u32)> = ttys.iter().map(|tty| (tty.interface, tty.number)).collect();
        self.retired.extend(ttys.iter().map(|tty| (tty.number, tty.pty.slave.clone())));
        // The names go first: the kernel may give a closed terminal's number to somebody else at once.
        let hidden = self.tree.remove_interfaces(&device.node, device.interfaces, &numbers);
        // Closing the terminals hangs up whoever has them open, as the kernel does.
        drop(ttys);
        hidden
    }

    /// Returns tty numbers from the lowest that is free.
    fn free_numbers(&mut self, unit: usize, numbers: Numbers) -> impl Iterator<Item = u32> + use<> {
        let held = held_numbers(&self.retired);
        self.retired.retain(|(number, _)| held.contains(number));
        let mut busy = held;
        let devices = self.slots.iter().flat_map(|slot| slot.device.iter());
        busy.extend(devices.flat_map(|device| device.ttys.iter()).map(|tty| tty.number));
        if numbers == Numbers::Different || self.renumbers {
            busy.extend(self.slots.get(unit).into_iter().flat_map(|slot| slot.last_numbers.iter()));
        }
        (0..).filter(move |number| !busy.contains(number))
    }
}
