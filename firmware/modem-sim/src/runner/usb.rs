//! Modems on the USB ports of virtual machines: one socket for each port, to which QEMU's `usb-redir` connects.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::front::{HostBytes, Input, Inputs, Shown};
use super::protocol::UsbStatus;
use crate::usbredir::descriptors::Descriptors;
use crate::usbredir::{Session, SessionOutput, UsbDevice};

/// Packets that wait for a virtual machine; one that takes none of so many is not read from any more.
const OUTBOX_LIMIT: usize = 4096;

pub(super) struct UsbFront {
    dir: PathBuf,
    inputs: Inputs,
    /// By USB path: a port stays when its modem goes.
    ports: BTreeMap<String, Port>,
}

struct Port {
    socket: PathBuf,
    listener: JoinHandle<()>,
    plugged: Option<Plugged>,
    connection: Option<Connection>,
}

struct Plugged {
    unit: usize,
    descriptors: Descriptors,
}

/// A virtual machine that is there.
struct Connection {
    session: Session,
    outbox: mpsc::Sender<Vec<u8>>,
}

/// Something happened on the socket of a port.
pub(super) struct UsbInput {
    usb_path: String,
    event: UsbEvent,
}

enum UsbEvent {
    Connected(mpsc::Sender<Vec<u8>>),
    Bytes(Vec<u8>),
    Closed,
}

impl UsbFront {
    /// Returns a front whose sockets are `<dir>/<usb path>.sock`.
    pub(super) fn new(dir: PathBuf, inputs: Inputs) -> io::Result<Self> {
        std::fs::create_dir_all(&dir)?;
        Ok(Self { dir, inputs, ports: BTreeMap::new() })
    }

    pub(super) fn attach(&mut self, unit: usize, shown: &Shown<'_>) -> io::Result<()> {
        if self.is_attached(unit) {
            return Ok(());
        }
        if !self.ports.contains_key(shown.usb_path) {
            let port = Port::open(&self.dir, shown.usb_path, self.inputs.clone())?;
            self.ports.insert(shown.usb_path.to_owned(), port);
        }
        if let Some(port) = self.ports.get_mut(shown.usb_path) {
            let descriptors = Descriptors::new(shown.personality, shown.serial);
            port.plugged = Some(Plugged { unit, descriptors: descriptors.clone() });
            port.with_session(|session| session.plug(descriptors));
        }
        Ok(())
    }

    pub(super) fn detach(&mut self, unit: usize) {
        if let Some(port) = self.port_of_mut(unit) {
            port.plugged = None;
            port.with_session(Session::unplug);
        }
    }

    pub(super) fn is_attached(&self, unit: usize) -> bool {
        self.port_of(unit).is_some()
    }

    pub(super) fn handle_input(&mut self, input: UsbInput) -> Vec<HostBytes> {
        let Some(port) = self.ports.get_mut(&input.usb_path) else { return Vec::new() };
        match input.event {
            UsbEvent::Connected(outbox) => {
                port.connect(outbox);
                Vec::new()
            }
            UsbEvent::Closed => {
                port.connection = None;
                Vec::new()
            }
            UsbEvent::Bytes(bytes) => {
                let mut result = Ok(());
                let received = port.with_session(|session| result = session.handle_bytes(&bytes));
                if let Err(error) = result {
                    tracing::warn!(%error, port = input.usb_path, "virtual machine is not understood");
                    port.connection = None;
                }
                received
            }
        }
    }

    pub(super) fn backlog(&self, unit: usize, interface: u8) -> Option<usize> {
        Some(self.port_of(unit)?.device().map_or(0, |device| device.backlog(interface)))
    }

    pub(super) fn write(&mut self, unit: usize, interface: u8, bytes: &[u8]) {
        if let Some(port) = self.port_of_mut(unit) {
            port.with_session(|session| session.write(interface, bytes.to_vec()));
        }
    }

    pub(super) fn status(&self, unit: usize) -> Option<UsbStatus> {
        let port = self.port_of(unit)?;
        Some(UsbStatus {
            socket: port.socket.to_string_lossy().into_owned(),
            is_connected: port.connection.is_some(),
            open_interfaces: port.device().map(UsbDevice::open_interfaces).unwrap_or_default(),
        })
    }

    fn port_of(&self, unit: usize) -> Option<&Port> {
        self.ports.values().find(|port| port.holds(unit))
    }

    fn port_of_mut(&mut self, unit: usize) -> Option<&mut Port> {
        self.ports.values_mut().find(|port| port.holds(unit))
    }
}

impl Port {
    fn open(dir: &Path, usb_path: &str, inputs: Inputs) -> io::Result<Self> {
        let socket = dir.join(format!("{usb_path}.sock"));
        match std::fs::remove_file(&socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&socket)?;
        let listener = tokio::spawn(serve_port(listener, usb_path.to_owned(), inputs));
        Ok(Self { socket, listener, plugged: None, connection: None })
    }

    fn holds(&self, unit: usize) -> bool {
        self.plugged.as_ref().is_some_and(|plugged| plugged.unit == unit)
    }

    fn device(&self) -> Option<&UsbDevice> {
        self.connection.as_ref().and_then(|connection| connection.session.device())
    }

    fn connect(&mut self, outbox: mpsc::Sender<Vec<u8>>) {
        self.connection = Some(Connection { session: Session::new(), outbox });
        let descriptors = self.plugged.as_ref().map(|plugged| plugged.descriptors.clone());
        self.with_session(|session| {
            if let Some(descriptors) = descriptors {
                session.plug(descriptors);
            }
        });
    }

    /// Lets the session of the virtual machine act, if there is one, and performs its outputs.
    fn with_session(&mut self, act: impl FnOnce(&mut Session)) -> Vec<HostBytes> {
        let mut received = Vec::new();
        let Some(connection) = &mut self.connection else { return received };
        act(&mut connection.session);
        let mut is_taken = true;
        while let Some(output) = connection.session.poll_output() {
            match (output, &self.plugged) {
                (SessionOutput::Send(bytes), _) => is_taken &= connection.outbox.try_send(bytes).is_ok(),
                (SessionOutput::Received { interface, bytes }, Some(plugged)) => {
                    received.push(HostBytes { unit: plugged.unit, interface, bytes });
                }
                (SessionOutput::Received { .. }, None) => {}
            }
        }
        if !is_taken {
            // Dropping the outbox closes the connection.
            tracing::warn!(socket = %self.socket.display(), "virtual machine takes nothing, or is gone");
            self.connection = None;
        }
        received
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.listener.abort();
        if let Err(error) = std::fs::remove_file(&self.socket) {
            tracing::debug!(%error, "socket was gone before");
        }
    }
}

/// Serves one virtual machine after the other.
async fn serve_port(listener: UnixListener, usb_path: String, inputs: Inputs) {
    while let Ok((stream, _)) = listener.accept().await {
        let (outbox, outgoing) = mpsc::channel(OUTBOX_LIMIT);
        let input = |event| Input::Usb(UsbInput { usb_path: usb_path.clone(), event });
        if inputs.send(input(UsbEvent::Connected(outbox))).await.is_err() {
            return;
        }
        if let Err(error) = serve_connection(stream, outgoing, &inputs, &input).await {
            tracing::debug!(%error, usb_path, "connection of a virtual machine broke");
        }
        if inputs.send(input(UsbEvent::Closed)).await.is_err() {
            return;
        }
    }
}

async fn serve_connection(
    stream: UnixStream,
    mut outgoing: mpsc::Receiver<Vec<u8>>,
    inputs: &Inputs,
    input: &impl Fn(UsbEvent) -> Input,
) -> io::Result<()> {
    let (mut reader, mut writer) = stream.into_split();
    let read = async {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let count = reader.read(&mut buffer).await?;
            let bytes = buffer.get(..count).unwrap_or_default().to_vec();
            if count == 0 || inputs.send(input(UsbEvent::Bytes(bytes))).await.is_err() {
                return Ok(());
            }
        }
    };
    let write = async {
        while let Some(bytes) = outgoing.recv().await {
            writer.write_all(&bytes).await?;
        }
        Ok(())
    };
    // Neither waits for the other: a virtual machine may write while it does not read.
    tokio::select! {
        result = read => result,
        result = write => result,
    }
}
