//! What the console of the box shows: its name, where to open it, and how the modems are. Nothing that is private.

use crate::app::App;
use crate::chain::Chain;
use crate::tls::{host_name, local_addresses};
use crate::web::CardWords;
use crate::{clock, views};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tracing::{error, warn};

/// Addresses come and go without an event of ours.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Modems change many facts at once.
const SETTLING: Duration = Duration::from_millis(300);

/// The status card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The name of the box.
    pub name: String,
    /// What to do with the addresses.
    pub headline: String,
    /// Where the box is opened; the first one is in the code that telephones read.
    pub addresses: Vec<String>,
    /// Each modem and how it is, in words.
    pub modems: Vec<(String, String)>,
    /// What to do when there is none.
    pub no_modem: String,
}

/// Where the card of a box lies.
#[must_use]
pub fn file(run_dir: &Path) -> PathBuf {
    run_dir.join("card.json")
}

/// Keeps the card true as long as the box runs.
pub async fn run(app: Arc<App>) {
    let file = file(&app.belongings.run_dir);
    let mut registry = app.registry.watch();
    let mut settings = app.settings.subscribe();
    let mut hosts = app.hosts.subscribe();
    let mut shown = None;
    loop {
        match draw(&app).await {
            Some(card) if shown.as_ref() != Some(&card) => match write(&file, &card) {
                Ok(()) => shown = Some(card),
                Err(error) => {
                    error!(file = %file.display(), error = %Chain(&error), "the status card cannot be written")
                }
            },
            Some(_) | None => {}
        }
        tokio::select! {
            _ = registry.changed() => {}
            _ = settings.changed() => {}
            _ = hosts.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        clock::sleep_until(Some(clock::now() + SETTLING)).await;
    }
}

async fn draw(app: &App) -> Option<Card> {
    let has_owner = match app.has_owner().await {
        Ok(has_owner) => has_owner,
        Err(error) => {
            warn!(code = ?error.code, "whether there is an owner is not known");
            return None;
        }
    };
    let settings = Arc::clone(&app.settings.borrow());
    let words = CardWords::of(settings.the_box.language.as_str());
    let name = settings.the_box.name.as_str().to_owned();
    let modem = |facts: &crate::registry::ModemFacts| {
        let modem = views::modem(facts);
        (modem.name, words.modem_state(modem.state).to_owned())
    };
    let (scheme, listen) = match &settings.https {
        Some(https) => ("https", https.listen),
        None => ("http", settings.http.listen),
    };
    let wanted = (settings.https.is_some() && settings.mdns.is_on).then(|| host_name(&name));
    let host = wanted.map(|wanted| app.hosts.borrow().answered(&wanted).to_owned());
    Some(Card {
        headline: if has_owner { words.open() } else { words.set_up() }.to_owned(),
        addresses: addresses(scheme, listen, local_addresses(), host.as_deref()),
        modems: app.registry.snapshot().iter().map(modem).collect(),
        no_modem: words.no_modem().to_owned(),
        name,
    })
}

/// Numbers first: not every telephone looks up names on the local network.
fn addresses(scheme: &str, listen: SocketAddr, own: BTreeSet<Ipv4Addr>, host: Option<&str>) -> Vec<String> {
    let mut numbers: Vec<IpAddr> = match listen.ip() {
        ip if ip.is_unspecified() => own.into_iter().map(IpAddr::from).collect(),
        ip => vec![ip],
    };
    // A port without anybody who gives addresses leads to one machine at most, and the first is the one of the code.
    numbers.sort_by_key(|ip| matches!(ip, IpAddr::V4(ip) if ip.is_link_local()));
    let usual = if scheme == "https" { 443 } else { 80 };
    let port = if listen.port() == usual { String::new() } else { format!(":{}", listen.port()) };
    let numbers = numbers.into_iter().map(|ip| match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    });
    numbers.chain(host.map(str::to_owned)).map(|place| format!("{scheme}://{place}{port}")).collect()
}

/// Everybody on the box may read it; a reader never sees half of it.
fn write(file: &Path, card: &Card) -> std::io::Result<()> {
    let temporary = file.with_extension("new");
    let mut out = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&temporary)?;
    // Whatever mask the program was started with.
    out.set_permissions(fs::Permissions::from_mode(0o644))?;
    out.write_all(serde_json::to_string(card)?.as_bytes())?;
    fs::rename(&temporary, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_what_a_browser_takes() {
        for (scheme, listen, host, want) in [
            ("https", "192.168.1.7:443", Some("shop-2.local"), vec!["https://192.168.1.7", "https://shop-2.local"]),
            ("https", "127.0.0.1:8443", None, vec!["https://127.0.0.1:8443"]),
            ("http", "[::1]:80", None, vec!["http://[::1]"]),
        ] {
            assert_eq!(addresses(scheme, listen.parse().unwrap(), BTreeSet::new(), host), want);
        }
        let own = BTreeSet::from([Ipv4Addr::new(169, 254, 3, 4), Ipv4Addr::new(192, 168, 1, 7)]);
        let want = ["http://192.168.1.7:8080", "http://169.254.3.4:8080"];
        assert_eq!(addresses("http", "0.0.0.0:8080".parse().unwrap(), own, None), want);
    }
}
