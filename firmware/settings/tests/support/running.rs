//! A real Asterisk on rendered files, with a directory and ports of its own.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use settings::{LineIds, Places, Secrets, Settings, render};
use tempfile::TempDir;

/// The one error that Asterisk 22.10 logs whatever it is given.
const HARMLESS: &str = "Could not find option 'minimum_size' with type 'threadpool' in module 'stasis'";

/// An Asterisk that ends with the test.
pub(crate) struct Running {
    /// The settings with the ports that were free.
    pub(crate) settings: Settings,
    root: TempDir,
    child: Child,
    runner: PathBuf,
}

impl Running {
    /// Writes what `settings` render to and starts Asterisk on it, on free ports.
    pub(crate) fn start(settings: Settings, secrets: &Secrets, lines: &LineIds) -> Self {
        Self::start_with(settings, secrets, lines, &[])
    }

    /// Does the same with files of the owner's own.
    pub(crate) fn start_with(
        mut settings: Settings,
        secrets: &Secrets,
        lines: &LineIds,
        additions: &[(&str, &str)],
    ) -> Self {
        let root = tempfile::Builder::new().prefix("hn").tempdir().unwrap();
        let cache = cache();
        let places = places(root.path(), &cache);
        let ports = &mut settings.asterisk;
        (ports.http_port, ports.manager_port, ports.audiosocket_port) = (free_port(), free_port(), free_port());
        settings.http.listen.set_port(free_port());
        settings.sip.udp_port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        settings.sip.bind = [127, 0, 0, 1].into();
        write(&settings, secrets, &places, lines);
        for (file, text) in additions {
            fs::write(root.path().join("asterisk.d").join(file), text).unwrap();
        }
        let runner = cache.join("run-asterisk");
        let child = Command::new(&runner)
            .args(["-f", "-C"])
            .arg(root.path().join("etc/asterisk.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut running = Self { settings, root, child, runner };
        running.wait_until_booted();
        running
    }

    /// Runs a command of Asterisk's console and returns what it prints.
    pub(crate) fn console(&self, command: &str) -> String {
        let output = Command::new(&self.runner)
            .arg("-C")
            .arg(self.root.path().join("etc/asterisk.conf"))
            .args(["-rx", command])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Returns the lines of the log that complain, without the one that is always there.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = fs::read_to_string(self.root.path().join("log/messages.log")).unwrap_or_default();
        let complaints = log.lines().filter(|line| line.contains("] ERROR[") || line.contains("] WARNING["));
        complaints.filter(|line| !line.contains(HARMLESS)).map(str::to_owned).collect()
    }

    /// Returns the addresses of this process's sockets of a protocol in a state, as the kernel knows them.
    pub(crate) fn sockets(&self, protocol: &str, state: &str) -> Vec<String> {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let links = descriptors.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        let own = links.filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()));
        let own: Vec<String> = own.collect();
        let mut found = Vec::new();
        for table in [protocol.to_owned(), format!("{protocol}6")] {
            let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
            let rows = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
            let rows = rows.filter(|row| row[3] == state && own.iter().any(|socket| socket == row[9]));
            found.extend(rows.map(|row| address(row[1])));
        }
        found
    }

    fn wait_until_booted(&mut self) {
        for _ in 0..200 {
            assert!(self.child.try_wait().unwrap().is_none(), "asterisk ended: {:?}", self.complaints());
            if self.console("core waitfullybooted").contains("fully booted") {
                return;
            }
            sleep(Duration::from_millis(50));
        }
        panic!("asterisk did not boot in 10 s: {:?}", self.complaints());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn cache() -> PathBuf {
    let current = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/asterisk/current");
    let found = fs::canonicalize(&current);
    found.unwrap_or_else(|_| panic!("no Asterisk at {}: run scripts/provision-asterisk first", current.display()))
}

fn places(root: &Path, cache: &Path) -> Places {
    let libraries = fs::read_dir(cache.join("tree/usr/lib")).unwrap();
    let modules = libraries.map(|entry| entry.unwrap().path().join("asterisk/modules")).find(|path| path.is_dir());
    let places = Places {
        modules: modules.unwrap().display().to_string(),
        data: cache.join("data").display().to_string(),
        ..Places::under(root.to_str().unwrap())
    };
    for directory in ["etc", "asterisk.d", "state/moh", "spool/voicemail", "run", "log"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    // A checkout under a path with blanks still works: the files name links.
    for (name, target) in [("modules", &places.modules), ("data", &places.data)] {
        symlink(target, root.join(name)).unwrap();
    }
    Places::under(root.to_str().unwrap())
}

fn write(settings: &Settings, secrets: &Secrets, places: &Places, lines: &LineIds) {
    for file in render(settings, secrets, places, lines).unwrap() {
        let path = Path::new(&places.etc).join(file.path);
        let mut options = fs::OpenOptions::new();
        let mut out = options.write(true).create_new(true).mode(file.mode).open(path).unwrap();
        std::io::Write::write_all(&mut out, file.contents.as_bytes()).unwrap();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Reads `0100007F:1F90` as `127.0.0.1:8080`; an IPv6 address stays as the kernel writes it.
fn address(text: &str) -> String {
    let (host, port) = text.split_once(':').unwrap();
    let port = u16::from_str_radix(port, 16).unwrap();
    if host.len() != 8 {
        return format!("[{host}]:{port}");
    }
    let host = u32::from_str_radix(host, 16).unwrap().swap_bytes();
    format!("{}:{port}", std::net::Ipv4Addr::from(host))
}
