//! The names of the box on the local network (multicast DNS, RFC 6762).
//!
//! A name that another machine answers to already is left to it: the box probes first (§8.1), and takes the name with
//! the next free number (§9).

use crate::clock;
use crate::tls::{every_box, host_name, is_foreign};
use mdns_sd::{DaemonEvent, DnsNameChange, IfKind, IfPredicate, Receiver, ServiceDaemon, ServiceInfo};
use settings::Settings;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tracing::{debug, info, warn};

const HTTPS: &str = "_https._tcp.local.";
/// How apps find the boxes of a household, whatever their names are.
const BOX: &str = "_homenichat._tcp.local.";
/// Without a network there is nothing to answer on; it is tried again.
const RETRY: Duration = Duration::from_secs(30);

/// Under which host names the box is found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts {
    /// The names that it wanted and another machine has, and the ones that it took.
    taken: BTreeMap<String, String>,
    /// When the names were announced: after probing, and never without a network.
    announced: Option<Instant>,
}

impl Hosts {
    /// The name under which the box really answers, for the one that it wants.
    #[must_use]
    pub fn answered<'a>(&'a self, wanted: &'a str) -> &'a str {
        self.taken.get(wanted).map_or(wanted, String::as_str)
    }

    /// The names that it took in place of those that it wanted.
    pub fn taken(&self) -> impl Iterator<Item = &str> {
        self.taken.values().map(String::as_str)
    }

    /// When the names were announced last.
    #[must_use]
    pub fn announced(&self) -> Option<Instant> {
        self.announced
    }

    /// Names of which another machine has one.
    #[cfg(test)]
    pub(crate) fn with_taken(wanted: &str, taken: &str) -> Self {
        Self { taken: [(wanted.to_owned(), taken.to_owned())].into(), announced: None }
    }

    /// Names of services change too; they have more labels, and nobody types them.
    fn on_change(&mut self, change: &DnsNameChange) -> bool {
        let (Some(wanted), Some(taken)) = (host(&change.original), host(&change.new_name)) else { return false };
        self.taken.insert(wanted, taken.clone()) != Some(taken)
    }
}

/// The host name in `name`, where it is one.
fn host(name: &str) -> Option<String> {
    let name = name.trim_end_matches('.').to_lowercase();
    (name.ends_with(".local") && name.split('.').count() == 2).then_some(name)
}

/// Answers to the names of the box as long as it runs, and tells by `hosts` which ones these are.
pub async fn run(mut settings: watch::Receiver<Arc<Settings>>, hosts: watch::Sender<Hosts>) {
    loop {
        let now = Arc::clone(&settings.borrow_and_update());
        let Some(https) = now.https.as_ref().filter(|_| now.mdns.is_on) else {
            if settings.changed().await.is_err() {
                return;
            }
            continue;
        };
        let name = now.the_box.name.as_str();
        match open().and_then(|daemon| Ok((announce(&daemon, name, https.listen.port())?, daemon))) {
            Ok((events, daemon)) => {
                info!(host = host_name(name), "the box answers to its name on the local network");
                let is_over = tokio::select! {
                    () = follow(&events, &hosts) => false,
                    is_over = changed(&mut settings, &now) => is_over,
                };
                // The names are taken back before others are announced.
                if let Ok(ended) = daemon.shutdown() {
                    drop(tokio::time::timeout(Duration::from_secs(2), ended.recv_async()).await);
                }
                hosts.send_replace(Hosts::default());
                if is_over {
                    return;
                }
            }
            Err(error) => {
                warn!(%error, "the box does not answer to its name on the local network");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

fn open() -> mdns_sd::Result<ServiceDaemon> {
    let daemon = ServiceDaemon::new()?;
    // The server listens on IPv4, and neighbours are not behind a mobile network.
    let unwanted = IfPredicate::new(|interface| interface.is_loopback() || is_foreign(&interface.name));
    daemon.disable_interface(vec![IfKind::IPv6, IfKind::Predicate(unwanted)])?;
    Ok(daemon)
}

/// Probes and announces; what comes of it is told by the events.
fn announce(daemon: &ServiceDaemon, name: &str, port: u16) -> mdns_sd::Result<Receiver<DaemonEvent>> {
    let events = daemon.monitor()?;
    for (kind, host) in [(HTTPS, host_name(name)), (BOX, every_box().to_owned())] {
        let path: &[(&str, &str)] = &[("path", "/")];
        daemon.register(ServiceInfo::new(kind, name, &format!("{host}."), "", port, path)?.enable_addr_auto())?;
    }
    Ok(events)
}

/// Keeps `hosts` true as long as the names are answered.
async fn follow(events: &Receiver<DaemonEvent>, hosts: &watch::Sender<Hosts>) {
    while let Ok(event) = events.recv_async().await {
        match event {
            DaemonEvent::NameChange(change) if hosts.send_if_modified(|hosts| hosts.on_change(&change)) => {
                let (wanted, taken) = (change.original, change.new_name);
                info!(wanted, taken, "another machine has this name already: the box takes another");
            }
            DaemonEvent::Announce(..) => hosts.send_modify(|hosts| hosts.announced = Some(clock::now())),
            DaemonEvent::Error(error) => debug!(%error, "multicast DNS"),
            _ => {}
        }
    }
}

/// Waits until other names have to be announced; true when the program ends.
async fn changed(settings: &mut watch::Receiver<Arc<Settings>>, announced: &Settings) -> bool {
    while settings.changed().await.is_ok() {
        let now = settings.borrow();
        if now.the_box.name != announced.the_box.name || now.mdns != announced.mdns {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use mdns_sd::{HostnameResolutionEvent, RRType};
    use std::net::UdpSocket;

    /// A responder on loopback, with a port that no other test has.
    fn neighbourhood(port: u16) -> ServiceDaemon {
        let daemon = ServiceDaemon::new_with_port(port).unwrap();
        let unwanted = IfPredicate::new(|interface| !interface.is_loopback());
        daemon.disable_interface(vec![IfKind::IPv6, IfKind::Predicate(unwanted)]).unwrap();
        daemon
    }

    fn free_port() -> u16 {
        UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    async fn announced(events: &Receiver<DaemonEvent>) {
        while !matches!(events.recv_async().await.unwrap(), DaemonEvent::Announce(..)) {}
    }

    #[tokio::test]
    async fn a_second_box_takes_the_next_name_and_answers_to_it() {
        let port = free_port();
        // Two machines of one network differ in their address.
        let first = neighbourhood(port);
        let told = first.monitor().unwrap();
        let path: &[(&str, &str)] = &[("path", "/")];
        for kind in [HTTPS, BOX] {
            let service = ServiceInfo::new(kind, "HomeniChat", "homenichat.local.", "127.0.0.2", 443, path);
            first.register(service.unwrap()).unwrap();
            announced(&told).await;
        }

        let second = neighbourhood(port);
        let events = announce(&second, "HomeniChat", 443).unwrap();
        let (sender, mut hosts) = watch::channel(Hosts::default());
        let is_settled = |hosts: &Hosts| hosts.announced.is_some() && !hosts.taken.is_empty();
        let settled = tokio::select! {
            () = follow(&events, &sender) => panic!("the responder ended"),
            settled = tokio::time::timeout(Duration::from_secs(20), hosts.wait_for(is_settled)) => {
                settled.unwrap().unwrap().clone()
            }
        };
        assert_eq!(settled.answered("homenichat.local"), "homenichat-2.local");
        assert_eq!(settled.taken().collect::<Vec<_>>(), ["homenichat-2.local"]);

        let asked = first.resolve_hostname("homenichat-2.local.", Some(20_000)).unwrap();
        let addresses = loop {
            match asked.recv_async().await.unwrap() {
                HostnameResolutionEvent::AddressesFound(_, addresses) => break addresses,
                HostnameResolutionEvent::SearchTimeout(_) => panic!("nobody answers to the new name"),
                _ => {}
            }
        };
        let addresses: Vec<_> = addresses.into_iter().map(|address| address.to_ip_addr().to_string()).collect();
        assert_eq!(addresses, ["127.0.0.1"]);
        drop((first.shutdown(), second.shutdown()));
    }

    #[test]
    fn only_names_of_hosts_are_told() {
        let change = |original: &str, new_name: &str| DnsNameChange {
            original: original.to_owned(),
            new_name: new_name.to_owned(),
            rr_type: RRType::A,
            intf_name: "eth0".to_owned(),
        };
        let mut hosts = Hosts::default();
        assert!(!hosts.on_change(&change("Shop._https._tcp.local.", "Shop (2)._https._tcp.local.")));
        assert_eq!(hosts.answered("shop.local"), "shop.local");
        assert!(hosts.on_change(&change("shop.local.", "shop-2.local.")));
        assert!(!hosts.on_change(&change("shop.local.", "Shop-2.local.")), "told already");
        assert!(hosts.on_change(&change("shop.local.", "shop-3.local.")));
        assert_eq!(hosts.answered("shop.local"), "shop-3.local");
        assert_eq!(hosts.answered("homenichat.local"), "homenichat.local");
    }
}
