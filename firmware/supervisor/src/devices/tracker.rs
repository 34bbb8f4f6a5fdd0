//! Which USB devices with ttys are there: a machine fed with looks at sysfs and with device events.

use super::UsbTty;
use super::sysfs::Port;
use super::uevent::{Action, Uevent};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// A USB device with ttys came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceEvent {
    /// The ttys of one device, which have not changed for a while. Sent again with all of them when further ones
    /// come late; those that were there stay what they were.
    Appeared(Vec<UsbTty>),
    /// The device at this USB path is gone, or is another one: close its ports. An [`Self::Appeared`] for the same
    /// path follows when there is something again.
    Vanished(String),
}

/// The machine. Feed it with what [`super::sysfs::usb_ports`] finds whenever [`Self::poll_timeout`] says so.
#[derive(Debug)]
pub(super) struct Tracker {
    announced: BTreeMap<String, Vec<Port>>,
    settling: BTreeMap<String, Settling>,
    next_look: Instant,
    output: VecDeque<DeviceEvent>,
}

#[derive(Debug)]
struct Settling {
    ports: Vec<Port>,
    since: Instant,
}

impl Tracker {
    /// Wants a first look at once.
    pub(super) fn new(now: Instant) -> Self {
        Self { announced: BTreeMap::new(), settling: BTreeMap::new(), next_look: now, output: VecDeque::new() }
    }

    /// A device event. A removal is believed at once, so that no handle stays open on a port that is gone: an open
    /// handle is what makes the same port come back under another number.
    pub(super) fn handle_uevent(&mut self, event: &Uevent, now: Instant) {
        if event.subsystem != "tty" && event.subsystem != "usb" {
            return;
        }
        if event.action == Action::Remove {
            self.on_removed(&event.devpath);
        }
        self.look_within(DEBOUNCE, now);
    }

    /// Events were lost.
    pub(super) fn handle_overflow(&mut self, now: Instant) {
        self.look_within(DEBOUNCE, now);
    }

    /// What is there.
    pub(super) fn handle_ports(&mut self, ports: Vec<Port>, now: Instant) {
        let mut found: BTreeMap<String, Vec<Port>> = BTreeMap::new();
        for port in ports {
            found.entry(port.tty.usb_path.clone()).or_default().push(port);
        }
        let gone: Vec<String> = self
            .announced
            .iter()
            .filter(|(path, known)| !is_kept(known, found.get(*path)))
            .map(|(path, _)| path.clone())
            .collect();
        gone.iter().for_each(|path| self.vanish(path));
        self.settling.retain(|path, _| found.contains_key(path));
        for (path, ports) in found {
            self.on_found(path, ports, now);
        }
        let settled = self.settling.values().map(|settling| settling.since + STABLE).min();
        self.next_look = settled.unwrap_or(now + SAFETY_NET).min(now + SAFETY_NET);
    }

    pub(super) fn poll_output(&mut self) -> Option<DeviceEvent> {
        self.output.pop_front()
    }

    /// When to look again.
    pub(super) fn poll_timeout(&self) -> Instant {
        self.next_look
    }

    fn on_found(&mut self, path: String, ports: Vec<Port>, now: Instant) {
        if self.announced.get(&path) == Some(&ports) {
            self.settling.remove(&path);
            return;
        }
        let settling =
            self.settling.entry(path.clone()).or_insert_with(|| Settling { ports: ports.clone(), since: now });
        if settling.ports != ports {
            *settling = Settling { ports, since: now };
        } else if now >= settling.since + STABLE {
            self.settling.remove(&path);
            self.output.push_back(DeviceEvent::Appeared(ports.iter().map(|port| port.tty.clone()).collect()));
            self.announced.insert(path, ports);
        }
    }

    fn on_removed(&mut self, devpath: &str) {
        let is_below = |port: &Port| {
            port.devpath.strip_prefix(devpath).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let gone: Vec<String> = self
            .announced
            .iter()
            .filter(|(_, ports)| ports.iter().any(is_below))
            .map(|(path, _)| path.clone())
            .collect();
        gone.iter().for_each(|path| self.vanish(path));
        self.settling.retain(|_, settling| !settling.ports.iter().any(is_below));
    }

    fn vanish(&mut self, path: &str) {
        self.announced.remove(path);
        self.settling.remove(path);
        self.output.push_back(DeviceEvent::Vanished(path.into()));
    }

    fn look_within(&mut self, delay: Duration, now: Instant) {
        self.next_look = self.next_look.min(now + delay);
    }
}

/// Whether every port of a device is still there as it was; further ones may have come.
fn is_kept(known: &[Port], found: Option<&Vec<Port>>) -> bool {
    found.is_some_and(|found| known.iter().all(|port| found.contains(port)))
}

/// A device of five ttys makes a dozen events within some milliseconds: one look serves them all.
const DEBOUNCE: Duration = Duration::from_millis(200);
/// How long the ttys of a device must stay the same before they count as all there.
const STABLE: Duration = Duration::from_millis(300);
/// Finds what no event told.
const SAFETY_NET: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        tracker: Tracker,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            let now = crate::clock::now();
            Self { tracker: Tracker::new(now), now }
        }

        /// Lets time pass as the driver would, looking at `ports` whenever a look is due.
        fn run(&mut self, for_ms: u64, ports: &[Port]) -> Vec<String> {
            let end = self.now + Duration::from_millis(for_ms);
            while self.tracker.poll_timeout() <= end {
                self.now = self.now.max(self.tracker.poll_timeout());
                self.tracker.handle_ports(ports.to_vec(), self.now);
            }
            self.now = end;
            self.drain()
        }

        fn removed(&mut self, devpath: &str) -> Vec<String> {
            self.event(Action::Remove, devpath);
            self.drain()
        }

        fn event(&mut self, action: Action, devpath: &str) {
            let event = Uevent { action, devpath: devpath.into(), subsystem: "tty".into() };
            self.tracker.handle_uevent(&event, self.now);
        }

        fn drain(&mut self) -> Vec<String> {
            let mut told = Vec::new();
            while let Some(event) = self.tracker.poll_output() {
                told.push(match event {
                    DeviceEvent::Appeared(ttys) => {
                        let nodes: Vec<_> = ttys.iter().map(|tty| tty.node.as_str()).collect();
                        format!("{} + {}", ttys[0].usb_path, nodes.join(" "))
                    }
                    DeviceEvent::Vanished(path) => format!("{path} -"),
                });
            }
            told
        }
    }

    #[test]
    fn a_device_appears_when_its_ttys_stay_the_same() {
        let mut bench = Bench::new();
        assert_eq!(bench.run(299, &[port("1-2", 2, 5)]), [""; 0]);
        let both = [port("1-2", 2, 5), port("1-2", 3, 5)];
        assert_eq!(bench.run(250, &both), [""; 0]);
        assert_eq!(bench.run(100, &both), ["1-2 + ttyUSB2 ttyUSB3"]);
        assert_eq!(bench.run(100_000, &both), [""; 0]);
    }

    #[test]
    fn late_ports_are_told_with_the_whole_list_and_nothing_vanishes() {
        let mut bench = Bench::new();
        bench.run(400, &[port("1-2", 2, 5)]);
        bench.event(Action::Add, "/devices/usb1/1-2");
        assert_eq!(bench.run(600, &[port("1-2", 2, 5), port("1-2", 3, 5)]), ["1-2 + ttyUSB2 ttyUSB3"]);
    }

    #[test]
    fn a_pulled_device_vanishes_at_once_when_told_and_within_the_safety_net_otherwise() {
        let mut bench = Bench::new();
        bench.run(400, &[port("1-2", 2, 5)]);
        assert_eq!(bench.removed(&port("1-2", 2, 5).devpath), ["1-2 -"]);
        assert_eq!(bench.removed(&port("1-2", 2, 5).devpath), [""; 0]);
        let mut bench = Bench::new();
        bench.run(400, &[port("1-2", 2, 5)]);
        assert_eq!(bench.run(30_000, &[]), ["1-2 -"]);
    }

    #[test]
    fn a_replug_is_seen_even_between_two_looks() {
        for (name, after) in
            [("other numbers (T20)", port("1-2", 6, 6)), ("same numbers, another number on the bus", port("1-2", 2, 6))]
        {
            let mut bench = Bench::new();
            bench.run(400, &[port("1-2", 2, 5)]);
            bench.event(Action::Add, &after.devpath);
            let appeared = format!("1-2 + {}", after.tty.node);
            assert_eq!(bench.run(600, &[after]), ["1-2 -".to_owned(), appeared], "{name}");
        }
    }

    #[test]
    fn a_replug_that_looks_the_same_is_seen_by_its_removal_event() {
        let mut bench = Bench::new();
        let same = port("1-2", 2, 5);
        bench.run(400, std::slice::from_ref(&same));
        // The interface goes first; a neighbour whose name begins alike is another device.
        assert_eq!(bench.removed("/devices/usb1/1"), [""; 0]);
        assert_eq!(bench.removed("/devices/usb1/1-2"), ["1-2 -"]);
        assert_eq!(bench.run(600, &[same]), ["1-2 + ttyUSB2"]);
    }

    #[test]
    fn two_swapped_modems_are_two_replugs() {
        let mut bench = Bench::new();
        bench.run(400, &[port("1-2", 2, 5), port("1-3", 7, 6)]);
        bench.tracker.handle_overflow(bench.now);
        assert_eq!(
            bench.run(600, &[port("1-3", 2, 7), port("1-2", 7, 8)]),
            ["1-2 -", "1-3 -", "1-2 + ttyUSB7", "1-3 + ttyUSB2"]
        );
    }

    #[test]
    fn a_storm_of_events_does_not_put_off_the_look() {
        let mut bench = Bench::new();
        bench.run(400, &[]);
        let first = bench.now;
        for _ in 0..100 {
            bench.now += Duration::from_millis(1);
            bench.event(Action::Add, "/devices/x");
        }
        assert_eq!(bench.tracker.poll_timeout(), first + Duration::from_millis(201));
    }

    fn port(usb_path: &str, tty: u8, devnum: u32) -> Port {
        Port {
            tty: UsbTty {
                node: format!("ttyUSB{tty}"),
                vendor: 0x2c7c,
                product: 0x0125,
                interface: 2,
                class: None,
                usb_path: usb_path.into(),
                serial: None,
            },
            devpath: format!("/devices/usb1/{usb_path}/{usb_path}:1.2/ttyUSB{tty}/tty/ttyUSB{tty}"),
            incarnation: (devnum, 1),
        }
    }
}
