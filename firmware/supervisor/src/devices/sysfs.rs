//! What sysfs tells about the ttys of USB devices.

use super::{DeviceRoot, UsbTty};
use modem::identify::InterfaceClass;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing::{debug, info};

/// A tty together with what tells one plugging of it from the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// What recognition needs.
    pub tty: UsbTty,
    /// Where the tty is below sysfs, as device events name it: `/devices/...`.
    pub devpath: String,
    /// The number that the bus gave to the device, anew at each plugging, and the inode of the tty's directory.
    pub incarnation: (u32, u64),
}

/// Finds the ttys of USB devices, in the order of their names.
///
/// An entry that cannot be read, or makes no sense, is passed over: devices vanish while one looks at them.
///
/// # Errors
/// The directory `class/tty` itself cannot be read.
pub fn usb_ttys(root: &DeviceRoot) -> io::Result<Vec<UsbTty>> {
    Ok(usb_ports(root)?.into_iter().map(|port| port.tty).collect())
}

/// Like [`usb_ttys`], with what the monitor needs to see a replug.
///
/// # Errors
/// The directory `class/tty` itself cannot be read.
pub fn usb_ports(root: &DeviceRoot) -> io::Result<Vec<Port>> {
    let sys = root.sys().canonicalize()?;
    let mut names: Vec<String> = std::fs::read_dir(sys.join("class/tty"))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("ttyUSB") || name.starts_with("ttyACM"))
        .take(MOST_TTYS)
        .collect();
    // ttyUSB2 before ttyUSB10.
    names.sort_by_key(|name| (name.len(), name.clone()));
    Ok(names.iter().filter_map(|name| port_or_reason(root, &sys, name)).collect())
}

/// Takes a device off the bus and puts it back, as if it had been pulled and plugged: everything in it that USB can
/// reach starts anew. Returns once it is put back; its ttys come later.
///
/// # Errors
/// No such device, or no right to write its `authorized` attribute.
pub async fn usb_reset(root: &DeviceRoot, usb_path: &str) -> io::Result<()> {
    let attribute = authorized(root, usb_path)?;
    info!(usb_path, "USB-level reset");
    write_attribute(attribute.clone(), "0").await?;
    tokio::time::sleep(OFF_THE_BUS).await;
    write_attribute(attribute, "1").await
}

/// Puts a device back on the bus that a reset took off and, because the program died, never put back. Does nothing to
/// a device that is on the bus, and nothing when there is no such device.
///
/// # Errors
/// The device is there and may not be written.
pub async fn ensure_authorized(root: &DeviceRoot, usb_path: &str) -> io::Result<()> {
    let attribute = authorized(root, usb_path)?;
    match read_text(&attribute).as_deref() {
        Some("0") => write_attribute(attribute, "1").await,
        _ => Ok(()),
    }
}

fn authorized(root: &DeviceRoot, usb_path: &str) -> io::Result<PathBuf> {
    if !is_usb_path(usb_path) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("'{usb_path}' is no USB path, such as 1-2.4")));
    }
    Ok(root.sys().join("bus/usb/devices").join(usb_path).join("authorized"))
}

/// Writes on a thread where waiting is allowed: taking a device off the bus waits for its drivers.
async fn write_attribute(attribute: PathBuf, value: &'static str) -> io::Result<()> {
    let write = tokio::task::spawn_blocking(move || {
        // An attribute is there or not; a file that we made would be none. Simulated trees are plain files.
        let mut file =
            OpenOptions::new().write(true).truncate(true).open(&attribute).map_err(|error| {
                io::Error::new(error.kind(), format!("cannot open {}: {error}", attribute.display()))
            })?;
        file.write_all(value.as_bytes())
    });
    write.await.map_err(io::Error::other)?
}

fn port_or_reason(root: &DeviceRoot, sys: &Path, name: &str) -> Option<Port> {
    port(root, sys, name).map_err(|reason| debug!(name, reason, "tty passed over")).ok()
}

fn port(root: &DeviceRoot, sys: &Path, name: &str) -> Result<Port, &'static str> {
    let directory = sys.join("class/tty").join(name).canonicalize().map_err(|_| "vanished")?;
    let below = directory.strip_prefix(sys).map_err(|_| "link leads out of sysfs")?;
    let devpath = format!("/{}", below.to_str().ok_or("path is no text")?);
    let inside = || directory.ancestors().take_while(|ancestor| *ancestor != sys).take(DEEPEST);
    let interface = inside().find(|at| at.join("bInterfaceNumber").exists()).ok_or("belongs to no USB interface")?;
    let device = inside()
        .skip_while(|at| *at != interface)
        .find(|at| at.join("idVendor").exists())
        .ok_or("belongs to no USB device")?;
    let usb_path = device.file_name().and_then(|name| name.to_str()).filter(|name| is_usb_path(name));
    let node = root.dev().join(name);
    let tty = UsbTty {
        node: node.to_str().ok_or("node is no text")?.into(),
        vendor: hex16(&device.join("idVendor")).ok_or("idVendor is no number")?,
        product: hex16(&device.join("idProduct")).ok_or("idProduct is no number")?,
        interface: hex8(&interface.join("bInterfaceNumber")).ok_or("bInterfaceNumber is no number")?,
        class: class(interface),
        usb_path: usb_path.ok_or("device has no USB path")?.into(),
        serial: read_text(&device.join("serial")).filter(|serial| !serial.is_empty()),
    };
    let number = read_text(&device.join("devnum")).and_then(|text| text.parse().ok()).unwrap_or(0);
    let inode = directory.metadata().map_err(|_| "vanished")?.ino();
    Ok(Port { tty, devpath, incarnation: (number, inode) })
}

/// Bus, ports on the way and nothing else: `1-2`, `3-1.4.2`. What comes from outside becomes part of a path only so.
fn is_usb_path(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|first: char| first.is_ascii_digit())
        && text.contains('-')
        && text.chars().all(|letter| letter.is_ascii_digit() || letter == '-' || letter == '.')
        && !text.contains("..")
}

fn class(interface: &Path) -> Option<InterfaceClass> {
    Some(InterfaceClass {
        class: hex8(&interface.join("bInterfaceClass"))?,
        subclass: hex8(&interface.join("bInterfaceSubClass"))?,
        protocol: hex8(&interface.join("bInterfaceProtocol"))?,
    })
}

fn hex16(path: &Path) -> Option<u16> {
    u16::from_str_radix(&read_text(path)?, 16).ok()
}

fn hex8(path: &Path) -> Option<u8> {
    u8::from_str_radix(&read_text(path)?, 16).ok()
}

/// The text of an attribute without what surrounds it. A descriptor string is the device's own word: bounded, and
/// without control characters.
fn read_text(path: &Path) -> Option<String> {
    let mut octets = Vec::new();
    File::open(path).ok()?.take(LONGEST_ATTRIBUTE).read_to_end(&mut octets).ok()?;
    let text = String::from_utf8_lossy(&octets);
    Some(text.trim().chars().filter(|letter| !letter.is_control()).collect())
}

/// Long enough for the drivers to let go.
const OFF_THE_BUS: Duration = Duration::from_millis(500);
const LONGEST_ATTRIBUTE: u64 = 256;
const MOST_TTYS: usize = 256;
/// Hubs go seven deep (USB 2.0 §4.1.1), below a PCI path of some more.
const DEEPEST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::fake_tree::FakeTree;

    #[test]
    fn ttys_of_usb_devices_are_found_with_their_facts() {
        let tree = FakeTree::new();
        tree.plug("1-2", 5, (0x2c7c, 0x0125), 0, &["00", "01", "02"]);
        tree.plug("1-3.4", 6, (0x1e0e, 0x9001), 9, &["02", "0a"]);
        tree.write("1-3.4", "serial", "0123456789ABCDEF\n");
        let found = usb_ttys(tree.root()).unwrap();
        let facts: Vec<_> = found.iter().map(|tty| (tty.usb_path.as_str(), tty.vendor, tty.interface)).collect();
        assert_eq!(
            facts,
            [("1-2", 0x2c7c, 0), ("1-2", 0x2c7c, 1), ("1-2", 0x2c7c, 2), ("1-3.4", 0x1e0e, 2), ("1-3.4", 0x1e0e, 10)]
        );
        assert_eq!(found[4].node, tree.root().dev().join("ttyUSB10").to_str().unwrap());
        assert_eq!(found[4].serial.as_deref(), Some("0123456789ABCDEF"));
        assert_eq!(found[0].serial, None);
        assert_eq!(found[0].class, Some(InterfaceClass { class: 0xff, subclass: 0, protocol: 0x10 }));
    }

    #[test]
    fn garbage_in_sysfs_hides_only_itself() {
        let tree = FakeTree::new();
        tree.plug("1-2", 5, (0x2c7c, 0x0125), 0, &["02"]);
        tree.plug("1-4", 6, (0x2c7c, 0x0125), 3, &["zz", "02"]);
        tree.plug("1-5", 7, (0x2c7c, 0x0125), 5, &["02"]);
        tree.write("1-5", "idVendor", "\0\u{fffd}garbage");
        tree.add_virtual_tty("ttyUSB90");
        tree.add_dangling_tty("ttyUSB91");
        tree.add_tty_out_of_tree("ttyUSB92");
        let found = usb_ttys(tree.root()).unwrap();
        assert_eq!(found.iter().map(|tty| tty.usb_path.as_str()).collect::<Vec<_>>(), ["1-2", "1-4"]);
    }

    #[test]
    fn usb_paths_are_digits_dots_and_a_dash() {
        for (text, want) in [
            ("1-2", true),
            ("3-1.4.2", true),
            ("usb1", false),
            ("../1-2", false),
            ("1-2/..", false),
            ("1-2..3", false),
            ("", false),
        ] {
            assert_eq!(is_usb_path(text), want, "{text}");
        }
    }

    #[tokio::test]
    async fn a_reset_leaves_the_device_authorized() {
        let tree = FakeTree::new();
        tree.plug("1-2", 5, (0x2c7c, 0x0125), 0, &["02"]);
        tree.write("1-2", "authorized", "1\n");
        let root = tree.root().clone();
        let reset = tokio::spawn(async move { usb_reset(&root, "1-2").await });
        while tree.read("1-2", "authorized") != "0" {
            assert!(!reset.is_finished(), "never taken off the bus");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        reset.await.unwrap().unwrap();
        assert_eq!(tree.read("1-2", "authorized"), "1");
        tree.write("1-2", "authorized", "0\n");
        ensure_authorized(tree.root(), "1-2").await.unwrap();
        ensure_authorized(tree.root(), "1-9").await.unwrap();
        assert_eq!(tree.read("1-2", "authorized"), "1");
        assert_eq!(usb_reset(tree.root(), "../../1-2").await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(usb_reset(tree.root(), "7-7").await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
