//! A directory that looks like sysfs to the code under test.

use super::DeviceRoot;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub(super) struct FakeTree {
    directory: TempDir,
    root: DeviceRoot,
}

impl FakeTree {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for path in ["sys/class/tty", "sys/bus/usb/devices", "dev"] {
            fs::create_dir_all(directory.path().join(path)).unwrap();
        }
        let root = DeviceRoot::new(directory.path());
        Self { directory, root }
    }

    pub(super) fn root(&self) -> &DeviceRoot {
        &self.root
    }

    /// Adds a device whose ttys count on from `first_tty`, one for each interface number.
    pub(super) fn plug(&self, path: &str, devnum: u32, id: (u16, u16), first_tty: usize, interfaces: &[&str]) {
        let device = self.device(path);
        fs::create_dir_all(&device).unwrap();
        for (name, value) in [
            ("idVendor", format!("{:04x}\n", id.0)),
            ("idProduct", format!("{:04x}\n", id.1)),
            ("devnum", format!("{devnum}\n")),
            ("authorized", "1\n".into()),
        ] {
            fs::write(device.join(name), value).unwrap();
        }
        symlink(&device, self.sys().join("bus/usb/devices").join(path)).unwrap();
        for (index, number) in interfaces.iter().enumerate() {
            self.plug_interface(path, index, number, first_tty + index);
        }
    }

    pub(super) fn plug_interface(&self, path: &str, index: usize, number: &str, tty: usize) {
        let interface = self.device(path).join(format!("{path}:1.{index}"));
        let name = format!("ttyUSB{tty}");
        let directory = interface.join(&name).join("tty").join(&name);
        fs::create_dir_all(&directory).unwrap();
        for (attribute, value) in [
            ("bInterfaceNumber", number),
            ("bInterfaceClass", "ff"),
            ("bInterfaceSubClass", "00"),
            ("bInterfaceProtocol", "10"),
        ] {
            fs::write(interface.join(attribute), format!("{value}\n")).unwrap();
        }
        symlink(directory, self.sys().join("class/tty").join(name)).unwrap();
    }

    pub(super) fn pull(&self, path: &str) {
        let device = self.device(path);
        for entry in fs::read_dir(self.sys().join("class/tty")).unwrap() {
            let link = entry.unwrap().path();
            if fs::read_link(&link).unwrap().starts_with(&device) {
                fs::remove_file(link).unwrap();
            }
        }
        fs::remove_file(self.sys().join("bus/usb/devices").join(path)).unwrap();
        fs::remove_dir_all(device).unwrap();
    }

    pub(super) fn write(&self, path: &str, attribute: &str, value: &str) {
        fs::write(self.device(path).join(attribute), value).unwrap();
    }

    pub(super) fn read(&self, path: &str, attribute: &str) -> String {
        fs::read_to_string(self.device(path).join(attribute)).unwrap()
    }

    pub(super) fn add_virtual_tty(&self, name: &str) {
        let directory = self.sys().join("devices/virtual/tty").join(name);
        fs::create_dir_all(&directory).unwrap();
        symlink(directory, self.sys().join("class/tty").join(name)).unwrap();
    }

    pub(super) fn add_dangling_tty(&self, name: &str) {
        symlink(self.sys().join("devices/gone"), self.sys().join("class/tty").join(name)).unwrap();
    }

    pub(super) fn add_tty_out_of_tree(&self, name: &str) {
        symlink(self.directory.path(), self.sys().join("class/tty").join(name)).unwrap();
    }

    fn sys(&self) -> PathBuf {
        self.root.sys()
    }

    fn device(&self, path: &str) -> PathBuf {
        self.sys().join(Path::new("devices/pci0000:00/usb1")).join(path)
    }
}
