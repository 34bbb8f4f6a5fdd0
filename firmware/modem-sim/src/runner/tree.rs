//! The fake device tree: what sysfs and `/dev` show of a USB modem, and the uevents that go with it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use crate::core::{Interface, Personality, Role};

/// Bus to which every simulated modem is attached.
const CONTROLLER: &str = "devices/pci0000:00/0000:00:14.0";
/// A receiver of uevents that is slower than this loses some.
const RECEIVER_PATIENCE: Duration = Duration::from_secs(1);
/// Major number of `ttyUSB`.
const TTY_MAJOR: u32 = 188;

/// A tree under one root.
pub(super) struct DeviceTree {
    root: PathBuf,
    events: Option<mpsc::Sender<String>>,
    sequence: u64,
    next_device: u32,
}

/// One tty to be shown.
pub(super) struct TtyNode<'a> {
    pub(super) interface: u8,
    pub(super) number: u32,
    pub(super) slave: &'a Path,
}

/// What is shown of a plugged device.
#[derive(Clone)]
pub(super) struct DeviceNode {
    /// Relative to `sys`.
    path: String,
    usb_path: String,
    device_number: u32,
    product: String,
    /// `authorized` as it was last seen: when it was written, and what.
    authorized: Option<(SystemTime, String)>,
}

impl DeviceTree {
    pub(super) fn new(root: PathBuf, events: Option<PathBuf>) -> io::Result<Self> {
        if root.exists() {
            fs::remove_dir_all(&root)?;
        }
        for directory in ["sys/class/tty", "sys/bus/usb/devices", "sys/devices", "dev"] {
            fs::create_dir_all(root.join(directory))?;
        }
        let events = events.map(spawn_sender).transpose()?;
        Ok(Self { root, events, sequence: 1000, next_device: 3 })
    }

    /// Shows a device without its interfaces.
    pub(super) fn add_device(
        &mut self,
        usb_path: &str,
        personality: &Personality,
        serial: Option<&str>,
    ) -> io::Result<DeviceNode> {
        let (bus, ports) = usb_path.split_once('-').unwrap_or(("1", usb_path));
        let device_number = self.next_device;
        self.next_device = self.next_device % 127 + 1;
        let path = device_path(bus, ports);
        let directory = self.root.join("sys").join(&path);
        fs::create_dir_all(&directory)?;
        let attributes = [
            ("idVendor", format!("{:04x}", personality.vendor)),
            ("idProduct", format!("{:04x}", personality.product)),
            ("bcdDevice", "0318".to_owned()),
            ("devpath", ports.to_owned()),
            ("busnum", bus.to_owned()),
            ("devnum", device_number.to_string()),
            ("speed", "480".to_owned()),
            ("bNumInterfaces", format!("{:2}", personality.interfaces.len())),
            ("bConfigurationValue", "1".to_owned()),
            ("manufacturer", personality.usb_manufacturer.to_owned()),
            ("product", personality.usb_product.to_owned()),
        ];
        for (name, value) in attributes {
            fs::write(directory.join(name), format!("{value}\n"))?;
        }
        if let Some(serial) = serial {
            fs::write(directory.join("serial"), format!("{serial}\n"))?;
        }
        let product = format!("{:x}/{:x}/318", personality.vendor, personality.product);
        let mut node =
            DeviceNode { path: path.clone(), usb_path: usb_path.to_owned(), device_number, product, authorized: None };
        fs::write(directory.join("authorized"), "1\n")?;
        node.authorized = self.read_authorized(&node);
        link(&self.root.join("sys/bus/usb/devices").join(usb_path), &format!("../../../{path}"))?;
        self.send_device("add", &node);
        Ok(node)
    }

    /// Shows the interfaces of a device and the ttys on them.
    pub(super) fn add_interfaces(
        &mut self,
        node: &DeviceNode,
        interfaces: &[Interface],
        ttys: &[TtyNode<'_>],
    ) -> io::Result<()> {
        for interface in interfaces {
            let name = format!("{}:1.{}", node.usb_path, interface.number);
            let path = format!("{}/{name}", node.path);
            let directory = self.root.join("sys").join(&path);
            fs::create_dir_all(&directory)?;
            let endpoints = if interface.role == Role::Diag { "02" } else { "03" };
            let attributes = [
                ("bInterfaceNumber", format!("{:02x}", interface.number)),
                ("bAlternateSetting", " 0".to_owned()),
                ("bInterfaceClass", "ff".to_owned()),
                ("bInterfaceSubClass", "00".to_owned()),
                ("bInterfaceProtocol", "00".to_owned()),
                ("bNumEndpoints", endpoints.to_owned()),
            ];
            for (attribute, value) in attributes {
                fs::write(directory.join(attribute), format!("{value}\n"))?;
            }
            link(&self.root.join("sys/bus/usb/devices").join(&name), &format!("../../../{path}"))?;
            let subject = [("DEVTYPE", "usb_interface".to_owned()), ("PRODUCT", node.product.clone())];
            self.send("add", &path, "usb", &subject);
            for tty in ttys.iter().filter(|tty| tty.interface == interface.number) {
                self.add_tty(&path, tty)?;
            }
        }
        Ok(())
    }

    /// Hides the interfaces of a device and the ttys on them.
    pub(super) fn remove_interfaces(
        &mut self,
        node: &DeviceNode,
        interfaces: &[Interface],
        ttys: &[(u8, u32)],
    ) -> io::Result<()> {
        for interface in interfaces {
            let name = format!("{}:1.{}", node.usb_path, interface.number);
            let path = format!("{}/{name}", node.path);
            for (_, number) in ttys.iter().filter(|(of, _)| *of == interface.number) {
                let tty = format!("ttyUSB{number}");
                remove_link(&self.root.join("dev").join(&tty))?;
                remove_link(&self.root.join("sys/class/tty").join(&tty))?;
                self.send("remove", &format!("{path}/{tty}/tty/{tty}"), "tty", &tty_keys(*number));
            }
            remove_link(&self.root.join("sys/bus/usb/devices").join(&name))?;
            remove_tree(&self.root.join("sys").join(&path))?;
            let subject = [("DEVTYPE", "usb_interface".to_owned()), ("PRODUCT", node.product.clone())];
            self.send("remove", &path, "usb", &subject);
        }
        Ok(())
    }

    /// Hides a device whose interfaces are hidden.
    pub(super) fn remove_device(&mut self, node: &DeviceNode) -> io::Result<()> {
        remove_link(&self.root.join("sys/bus/usb/devices").join(&node.usb_path))?;
        remove_tree(&self.root.join("sys").join(&node.path))?;
        self.send_device("remove", node);
        Ok(())
    }

    /// Returns what somebody wrote to `authorized` since the last look: `Some(false)` for 0.
    ///
    /// The file is not written here: whoever writes 0 may write 1 at any moment.
    pub(super) fn poll_authorized(&self, node: &mut DeviceNode) -> Option<bool> {
        let seen = self.read_authorized(node);
        if seen.is_none() || seen == node.authorized {
            return None;
        }
        node.authorized = seen;
        match node.authorized.as_ref().map(|(_, text)| text.trim()) {
            Some("0") => Some(false),
            Some("1") => Some(true),
            _ => None,
        }
    }

    fn read_authorized(&self, node: &DeviceNode) -> Option<(SystemTime, String)> {
        let path = self.root.join("sys").join(&node.path).join("authorized");
        let written = fs::metadata(&path).and_then(|metadata| metadata.modified()).ok()?;
        Some((written, fs::read_to_string(&path).ok()?))
    }

    fn add_tty(&mut self, interface_path: &str, tty: &TtyNode<'_>) -> io::Result<()> {
        let name = format!("ttyUSB{}", tty.number);
        let path = format!("{interface_path}/{name}/tty/{name}");
        let directory = self.root.join("sys").join(&path);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("dev"), format!("{TTY_MAJOR}:{}\n", tty.number))?;
        fs::write(directory.join("uevent"), format!("MAJOR={TTY_MAJOR}\nMINOR={}\nDEVNAME={name}\n", tty.number))?;
        link(&self.root.join("dev").join(&name), &tty.slave.to_string_lossy())?;
        link(&self.root.join("sys/class/tty").join(&name), &format!("../../{path}"))?;
        self.send("add", &path, "tty", &tty_keys(tty.number));
        Ok(())
    }

    fn send_device(&mut self, action: &str, node: &DeviceNode) {
        let bus = node.usb_path.split('-').next().unwrap_or("1");
        let keys = [
            ("DEVTYPE", "usb_device".to_owned()),
            ("DEVNAME", format!("bus/usb/{bus:0>3}/{:03}", node.device_number)),
            ("PRODUCT", node.product.clone()),
            ("BUSNUM", format!("{bus:0>3}")),
            ("DEVNUM", format!("{:03}", node.device_number)),
        ];
        self.send(action, &node.path, "usb", &keys);
    }

    /// Sends a uevent as the kernel writes it; nobody may be listening.
    fn send(&mut self, action: &str, path: &str, subsystem: &str, keys: &[(&str, String)]) {
        self.sequence += 1;
        let Some(events) = &self.events else { return };
        let mut text = format!("{action}@/{path}\0ACTION={action}\0DEVPATH=/{path}\0SUBSYSTEM={subsystem}\0");
        for (key, value) in keys {
            text.push_str(&format!("{key}={value}\0"));
        }
        text.push_str(&format!("SEQNUM={}\0", self.sequence));
        if events.send(text).is_err() {
            tracing::debug!("sender of uevents is gone");
        }
    }
}

/// Sends uevents in their order from a thread: the kernel queues ten datagrams, and a plug sends more.
fn spawn_sender(path: PathBuf) -> io::Result<mpsc::Sender<String>> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(RECEIVER_PATIENCE))?;
    let (events, inbox) = mpsc::channel::<String>();
    std::thread::Builder::new().name("uevents".to_owned()).spawn(move || {
        for event in inbox {
            if let Err(error) = socket.send_to(event.as_bytes(), &path) {
                tracing::debug!(%error, "nobody takes uevents");
            }
        }
    })?;
    Ok(events)
}

/// Returns the tty numbers whose old device some program still holds open.
pub(super) fn held_numbers(slaves: &[(u32, PathBuf)]) -> BTreeSet<u32> {
    let mut held = BTreeSet::new();
    if slaves.is_empty() {
        return held;
    }
    for handle in open_files() {
        // The kernel marks the path of a tty whose other end is gone; without the mark it is a new tty of that name.
        let name = handle.to_string_lossy();
        let Some(name) = name.strip_suffix(" (deleted)") else { continue };
        held.extend(slaves.iter().filter(|(_, slave)| slave.to_string_lossy() == name).map(|(number, _)| *number));
    }
    held
}

fn open_files() -> impl Iterator<Item = PathBuf> {
    let tasks = fs::read_dir("/proc").into_iter().flatten().flatten();
    let handles = tasks.flat_map(|task| fs::read_dir(task.path().join("fd")).into_iter().flatten().flatten());
    handles.filter_map(|handle| fs::read_link(handle.path()).ok())
}

/// `1-2.3` hangs on the hub `1-2`.
fn device_path(bus: &str, ports: &str) -> String {
    let mut path = format!("{CONTROLLER}/usb{bus}");
    let mut so_far = String::new();
    for port in ports.split('.') {
        so_far = if so_far.is_empty() { port.to_owned() } else { format!("{so_far}.{port}") };
        path = format!("{path}/{bus}-{so_far}");
    }
    path
}

fn tty_keys(number: u32) -> [(&'static str, String); 3] {
    [("MAJOR", TTY_MAJOR.to_string()), ("MINOR", number.to_string()), ("DEVNAME", format!("ttyUSB{number}"))]
}

fn link(at: &Path, target: &str) -> io::Result<()> {
    remove_link(at)?;
    symlink(target, at)
}

fn remove_link(at: &Path) -> io::Result<()> {
    match fs::remove_file(at) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn remove_tree(at: &Path) -> io::Result<()> {
    match fs::remove_dir_all(at) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
