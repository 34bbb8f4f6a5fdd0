//! A modem on the bus: configurations, endpoints, transfers that wait.

use std::collections::{BTreeMap, VecDeque};

use super::control::{self, Answer};
use super::descriptors::{CONFIGURATION, Descriptors, Function};
use super::packet::{Body, BulkHeader, ControlHeader, Packet, Status};

/// Transfers that wait for data on one endpoint; `option` keeps four.
const WAITING_LIMIT: usize = 256;
/// Bytes that wait for a host that has the port open and does not read.
const BACKLOG_LIMIT: usize = 1 << 20;

/// One thing that the device does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsbOutput {
    /// A packet for the guest.
    Send(Packet),
    /// The host wrote on the port of this interface.
    Received {
        /// `bInterfaceNumber`.
        interface: u8,
        /// What it wrote.
        bytes: Vec<u8>,
    },
}

/// A simulated modem as the bus sees it, from the moment it appears until it is gone.
#[derive(Debug)]
pub struct UsbDevice {
    descriptors: Descriptors,
    configuration: u8,
    ports: BTreeMap<u8, Port>,
    outputs: VecDeque<UsbOutput>,
}

/// The endpoints of one interface.
#[derive(Debug)]
struct Port {
    function: Function,
    /// The host said that the terminal is ready.
    is_ready: bool,
    waiting: VecDeque<Waiting>,
    backlog: VecDeque<Vec<u8>>,
    backlog_bytes: usize,
}

/// A transfer that waits for data.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    id: u64,
    header: BulkHeader,
}

impl UsbDevice {
    /// Returns a device that has just appeared; the first outputs say so.
    #[must_use]
    pub fn new(descriptors: Descriptors) -> Self {
        let ports = descriptors.functions().iter().map(|function| (function.interface.number, Port::new(*function)));
        let ports = ports.collect();
        let mut device = Self { descriptors, configuration: CONFIGURATION, ports, outputs: VecDeque::new() };
        // Only a device whose endpoints and interfaces are known is looked at by QEMU's filters.
        device.tell_configuration(0);
        let connect = Body::DeviceConnect(device.descriptors.device_connect());
        device.send(0, connect);
        device
    }

    /// Takes a packet of the guest.
    pub fn handle_packet(&mut self, packet: Packet) {
        let Packet { id, body } = packet;
        match body {
            Body::Reset => self.reset(),
            Body::SetConfiguration(value) => self.set_configuration(id, value),
            Body::GetConfiguration => self.tell_configured(id, Status::Success),
            Body::SetAlternate { interface, setting } => self.set_alternate(id, interface, setting),
            Body::GetAlternate(interface) => {
                let status = if self.ports.contains_key(&interface) { Status::Success } else { Status::Invalid };
                self.send(id, Body::AlternateStatus { status, interface, setting: 0 });
            }
            // The transfer of a notification stays pending: a modem that has nothing to notify sends nothing.
            Body::StartInterrupts(endpoint) | Body::StopInterrupts(endpoint) => self.tell_interrupts(id, endpoint),
            Body::Cancel => self.cancel(id),
            Body::Control(header, data) => self.control(id, header, &data),
            Body::Bulk(header, data) if header.endpoint & 0x80 != 0 => self.bulk_in(id, header, &data),
            Body::Bulk(header, data) => self.bulk_out(id, header, data),
            Body::Interrupt { endpoint, length, .. } => {
                self.send(id, Body::Interrupt { endpoint, status: Status::Stall, length, data: Vec::new() });
            }
            other => tracing::debug!(packet = ?other, "guest sends what a modem has no use for"),
        }
    }

    /// Takes bytes that the modem writes on the port of `interface`; a port that nobody has open loses them.
    pub fn write(&mut self, interface: u8, bytes: Vec<u8>) {
        let Some(port) = self.ports.get_mut(&interface).filter(|port| port.is_open()) else { return };
        if port.backlog_bytes + bytes.len() <= BACKLOG_LIMIT && !bytes.is_empty() {
            port.backlog_bytes += bytes.len();
            port.backlog.push_back(bytes);
        }
        self.serve(interface);
    }

    /// Ends every transfer that waits, as the loss of a device does.
    pub fn withdraw(&mut self) {
        let waiting = self.ports.values_mut().flat_map(|port| port.waiting.drain(..));
        for Waiting { id, header } in waiting {
            let header = BulkHeader { status: Status::Cancelled, length: 0, ..header };
            self.outputs.push_back(UsbOutput::Send(Packet { id, body: Body::Bulk(header, Vec::new()) }));
        }
    }

    /// Returns the next output, in the order of events.
    pub fn poll_output(&mut self) -> Option<UsbOutput> {
        self.outputs.pop_front()
    }

    /// Returns the bytes that the host has not taken from the port of `interface`.
    #[must_use]
    pub fn backlog(&self, interface: u8) -> usize {
        self.ports.get(&interface).map_or(0, |port| port.backlog_bytes)
    }

    /// Returns the interfaces whose port the host has open.
    #[must_use]
    pub fn open_interfaces(&self) -> Vec<u8> {
        self.ports.iter().filter(|(_, port)| port.is_open()).map(|(number, _)| *number).collect()
    }

    fn send(&mut self, id: u64, body: Body) {
        self.outputs.push_back(UsbOutput::Send(Packet { id, body }));
    }

    fn is_configured(&self) -> bool {
        self.configuration == CONFIGURATION
    }

    fn tell_configuration(&mut self, id: u64) {
        let is_configured = self.is_configured();
        self.send(id, Body::EndpointInfo(self.descriptors.endpoint_info(is_configured)));
        self.send(id, Body::InterfaceInfo(self.descriptors.interface_info(is_configured)));
    }

    fn tell_configured(&mut self, id: u64, status: Status) {
        self.send(id, Body::ConfigurationStatus { status, configuration: self.configuration });
    }

    fn set_configuration(&mut self, id: u64, value: u8) {
        if value != 0 && value != CONFIGURATION {
            self.tell_configured(id, Status::Invalid);
            return;
        }
        self.reset();
        self.configuration = value;
        self.tell_configuration(id);
        self.tell_configured(id, Status::Success);
    }

    fn set_alternate(&mut self, id: u64, interface: u8, setting: u8) {
        if setting != 0 || !self.ports.contains_key(&interface) {
            self.send(id, Body::AlternateStatus { status: Status::Invalid, interface, setting: 0 });
            return;
        }
        self.tell_configuration(id);
        self.send(id, Body::AlternateStatus { status: Status::Success, interface, setting: 0 });
    }

    fn tell_interrupts(&mut self, id: u64, endpoint: u8) {
        let is_theirs = |port: &Port| port.function.interrupt.is_some_and(|(address, _)| address == endpoint);
        let has_endpoint = self.is_configured() && self.ports.values().any(is_theirs);
        let status = if has_endpoint { Status::Success } else { Status::Stall };
        self.send(id, Body::InterruptsStatus { status, endpoint });
    }

    fn cancel(&mut self, id: u64) {
        let waiting = self.ports.values_mut().find_map(|port| port.cancel(id));
        // A transfer that has its answer already cannot be withdrawn, and is not answered twice.
        if let Some(Waiting { id, header }) = waiting {
            let header = BulkHeader { status: Status::Cancelled, length: 0, ..header };
            self.send(id, Body::Bulk(header, Vec::new()));
        }
    }

    fn control(&mut self, id: u64, header: ControlHeader, data: &[u8]) {
        let gives_data = header.endpoint & 0x80 != 0;
        let is_sound = gives_data || data.len() == usize::from(header.length);
        let answer = if is_sound { control::answer(&header, &self.descriptors) } else { Answer::Stall };
        let (status, mut given) = match answer {
            Answer::Data(given) => (Status::Success, given),
            Answer::Done => (Status::Success, Vec::new()),
            Answer::Ready { interface, is_ready } => {
                if let Some(port) = self.ports.get_mut(&interface) {
                    port.set_ready(is_ready);
                }
                (Status::Success, Vec::new())
            }
            Answer::Stall => (Status::Stall, Vec::new()),
        };
        given.truncate(if gives_data { usize::from(header.length) } else { 0 });
        let length = match (gives_data, status) {
            (false, Status::Success) => header.length,
            _ => u16::try_from(given.len()).unwrap_or(u16::MAX),
        };
        self.send(id, Body::Control(ControlHeader { status, length, ..header }, given));
    }

    fn bulk_in(&mut self, id: u64, header: BulkHeader, data: &[u8]) {
        let is_configured = self.is_configured();
        let port = self.ports.values_mut().find(|port| port.function.bulk_in == header.endpoint);
        let port = port.filter(|_| is_configured && data.is_empty());
        let status = match port {
            None => Status::Stall,
            Some(port) if port.waiting.len() >= WAITING_LIMIT => Status::IoError,
            Some(port) => {
                port.waiting.push_back(Waiting { id, header });
                let interface = port.function.interface.number;
                self.serve(interface);
                return;
            }
        };
        self.send(id, Body::Bulk(BulkHeader { status, length: 0, ..header }, Vec::new()));
    }

    fn bulk_out(&mut self, id: u64, header: BulkHeader, data: Vec<u8>) {
        let is_configured = self.is_configured();
        let port = self.ports.values().find(|port| port.function.bulk_out == header.endpoint);
        let is_whole = u32::try_from(data.len()) == Ok(header.length);
        let Some(port) = port.filter(|_| is_configured && is_whole) else {
            self.send(id, Body::Bulk(BulkHeader { status: Status::Stall, length: 0, ..header }, Vec::new()));
            return;
        };
        let interface = port.function.interface.number;
        if !data.is_empty() {
            self.outputs.push_back(UsbOutput::Received { interface, bytes: data });
        }
        self.send(id, Body::Bulk(BulkHeader { status: Status::Success, ..header }, Vec::new()));
    }

    /// Gives what waits to whoever waits for it.
    fn serve(&mut self, interface: u8) {
        let Some(port) = self.ports.get_mut(&interface) else { return };
        while let (Some(waiting), Some(chunk)) = (port.waiting.front(), port.backlog.front_mut()) {
            let Waiting { id, header } = *waiting;
            let room = usize::try_from(header.length).unwrap_or(usize::MAX).min(chunk.len());
            let rest = chunk.split_off(room);
            let given = std::mem::replace(chunk, rest);
            if chunk.is_empty() {
                port.backlog.pop_front();
            }
            port.waiting.pop_front();
            port.backlog_bytes = port.backlog_bytes.saturating_sub(given.len());
            let length = u32::try_from(given.len()).unwrap_or(0);
            let header = BulkHeader { status: Status::Success, length, ..header };
            self.outputs.push_back(UsbOutput::Send(Packet { id, body: Body::Bulk(header, given) }));
        }
    }

    fn reset(&mut self) {
        self.withdraw();
        for port in self.ports.values_mut() {
            *port = Port::new(port.function);
        }
    }
}

impl Port {
    fn new(function: Function) -> Self {
        Self { function, is_ready: false, waiting: VecDeque::new(), backlog: VecDeque::new(), backlog_bytes: 0 }
    }

    fn is_open(&self) -> bool {
        self.is_ready || !self.waiting.is_empty()
    }

    fn set_ready(&mut self, is_ready: bool) {
        self.is_ready = is_ready;
        if !is_ready {
            self.backlog.clear();
            self.backlog_bytes = 0;
        }
    }

    fn cancel(&mut self, id: u64) -> Option<Waiting> {
        let place = self.waiting.iter().position(|waiting| waiting.id == id)?;
        self.waiting.remove(place)
    }
}
