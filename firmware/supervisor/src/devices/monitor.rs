//! The task that watches for devices.

use super::DeviceRoot;
use super::events::{EventSource, Notice, UeventStream};
use super::sysfs::{Port, usb_ports};
use super::tracker::{DeviceEvent, Tracker};
use crate::clock;
use std::io;
use std::time::Duration;
use tokio::sync::mpsc;
use tracing::warn;

/// Watches a device tree and tells which USB devices with ttys come and go.
#[derive(Debug)]
pub struct Monitor {
    root: DeviceRoot,
    source: EventSource,
    stream: UeventStream,
}

impl Monitor {
    /// Binds the event source, so that nothing that happens from here on is missed.
    ///
    /// # Errors
    /// The source cannot be bound.
    pub fn bind(root: DeviceRoot, source: EventSource) -> io::Result<Self> {
        let stream = UeventStream::open(&source)?;
        Ok(Self { root, source, stream })
    }

    /// Enumerates and watches until nobody listens to `events` any more.
    ///
    /// Without events, be it that the source broke or that nobody sends any, looking twice a minute still finds everything.
    pub async fn run(mut self, events: mpsc::Sender<DeviceEvent>) {
        let mut tracker = Tracker::new(clock::now());
        loop {
            while let Some(event) = tracker.poll_output() {
                if events.send(event).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                () = events.closed() => return,
                () = tokio::time::sleep_until(tracker.poll_timeout().into()) => {
                    let ports = self.look().await;
                    tracker.handle_ports(ports, clock::now());
                }
                notice = self.stream.next() => match notice {
                    Ok(Notice::Uevent(event)) => tracker.handle_uevent(&event, clock::now()),
                    Ok(Notice::Overflow) => tracker.handle_overflow(clock::now()),
                    Err(error) => {
                        self.reopen(&error).await;
                        tracker.handle_overflow(clock::now());
                    }
                },
            }
        }
    }

    /// Looks at sysfs on a thread where waiting is allowed: the strings of a device that is being reset wait for the
    /// reset. A tree that cannot be read holds no devices.
    async fn look(&self) -> Vec<Port> {
        let root = self.root.clone();
        match tokio::task::spawn_blocking(move || usb_ports(&root)).await {
            Ok(Ok(ports)) => ports,
            Ok(Err(error)) => {
                warn!(%error, root = %self.root.path().display(), "cannot look for devices");
                Vec::new()
            }
            Err(error) => {
                warn!(%error, "looking for devices ended early");
                Vec::new()
            }
        }
    }

    async fn reopen(&mut self, error: &io::Error) {
        warn!(%error, "device events broke off; binding the source again");
        tokio::time::sleep(REOPEN_DELAY).await;
        match UeventStream::open(&self.source) {
            Ok(stream) => self.stream = stream,
            Err(error) => warn!(%error, "cannot bind the source of device events"),
        }
    }
}

const REOPEN_DELAY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::fake_tree::FakeTree;
    use tokio::net::UnixDatagram;
    use tokio::time::timeout;

    #[tokio::test]
    async fn plugs_pulls_and_replugs_are_told_in_order() {
        let tree = FakeTree::new();
        tree.plug("1-2", 5, (0x2c7c, 0x0125), 0, &["00", "01", "02"]);
        let socket = tree.root().path().join("events");
        let monitor = Monitor::bind(tree.root().clone(), EventSource::Unix(socket.clone())).unwrap();
        let (sender, mut events) = mpsc::channel(8);
        tokio::spawn(monitor.run(sender));
        assert_eq!(next(&mut events).await, "1-2 + 3");
        let kernel = UnixDatagram::unbound().unwrap();
        tree.pull("1-2");
        tree.plug("1-2", 6, (0x2c7c, 0x0125), 4, &["00", "01", "02", "03"]);
        let add = b"add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=tty\0";
        kernel.send_to(add, &socket).await.unwrap();
        assert_eq!(next(&mut events).await, "1-2 -");
        assert_eq!(next(&mut events).await, "1-2 + 4");
        tree.pull("1-2");
        let gone = b"remove@/devices/pci0000:00/usb1/1-2\0ACTION=remove\0DEVPATH=/devices/pci0000:00/usb1/1-2\0SUBSYSTEM=usb\0";
        kernel.send_to(gone, &socket).await.unwrap();
        assert_eq!(next(&mut events).await, "1-2 -");
    }

    async fn next(events: &mut mpsc::Receiver<DeviceEvent>) -> String {
        match timeout(Duration::from_secs(10), events.recv()).await.unwrap().unwrap() {
            DeviceEvent::Appeared(ttys) => format!("{} + {}", ttys[0].usb_path, ttys.len()),
            DeviceEvent::Vanished(path) => format!("{path} -"),
        }
    }
}
