//! Two boxes on one network that gives no addresses: each is found, by a name and an authority of its own.

use anyhow::{Context, Result};
use image_tests::machine::Machine;
use image_tests::steps::Steps;
use laptop_tests::clock::now;
use laptop_tests::house::EC25;
use modem_sim::runner::Config;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

/// Addresses are taken once DHCP has been asked in vain, and names are probed for after that.
const PATIENCE: Duration = Duration::from_secs(240);
/// What two boxes with the name that all have when they are new are called.
const NAMES: [&str; 2] = ["https://homenichat.local", "https://homenichat-2.local"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_boxes_on_one_cable_are_both_found() {
    let mut steps = Steps::begin();
    let cable = free_port().unwrap().to_string();
    let unknown = |config: &mut Config| config.modems[0].personality.product = 0x4242;
    let mut first = Machine::prepare_with(&["--link", &cable], unknown).await.unwrap();
    let mut second = Machine::prepare(&["--link", &cable]).await.unwrap();
    for machine in [&mut first, &mut second] {
        machine.switch_on().unwrap();
    }
    for machine in [&mut first, &mut second] {
        machine.wait_for_page(now()).await.unwrap();
    }
    steps.done("both pages answer");
    let names: BTreeSet<&str> = NAMES.into();
    let end = now() + PATIENCE;
    let addresses = loop {
        let cards = [card(&mut first).await.unwrap(), card(&mut second).await.unwrap()];
        let shown: BTreeSet<&str> =
            NAMES.into_iter().filter(|name| cards.iter().any(|card| shows(card, name))).collect();
        let on_cable: Vec<Ipv4Addr> = cards.iter().filter_map(|card| on_cable(card)).collect();
        if shown == names && on_cable.len() == cards.len() {
            break on_cable;
        }
        assert!(now() < end, "waited in vain for two names and two addresses: {cards:#?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    steps.done("each shows a name of its own");
    let own = [authority(&mut first, addresses[0]).await.unwrap(), authority(&mut second, addresses[1]).await.unwrap()];
    let other =
        [authority(&mut second, addresses[0]).await.unwrap(), authority(&mut first, addresses[1]).await.unwrap()];
    assert_eq!(own, other, "what the neighbour sees at an address is that box");
    assert_ne!(own[0], own[1], "every box has an authority of its own");
    steps.done("each reaches the other over the cable");
    first.create_owner().await.unwrap();
    first.wait_for_lines(2).await.unwrap();
    first.send_by(&first.line_of(EC25).await.unwrap(), "from a stranger").await.unwrap();
    assert_eq!(first.wait_for_sent("from a stranger").await.unwrap(), EC25);
    steps.done("a modem whose number neither the kernel nor our table knows is a line");
    steps.end();
}

/// The lines of the status card.
async fn card(machine: &mut Machine) -> Result<Vec<String>> {
    let card = machine.shell().await?.run("homenichat card").await?;
    Ok(card.lines().map(|line| line.trim().to_owned()).collect())
}

fn shows(card: &[String], name: &str) -> bool {
    card.iter().any(|line| line == name)
}

/// The address on the cable, where nobody gives any: one of RFC 3927.
fn on_cable(card: &[String]) -> Option<Ipv4Addr> {
    let addresses = card.iter().filter_map(|line| line.strip_prefix("https://")?.parse::<Ipv4Addr>().ok());
    addresses.into_iter().find(Ipv4Addr::is_link_local)
}

/// The certificate that is handed out at `address`, as the box `machine` sees it.
async fn authority(machine: &mut Machine, address: Ipv4Addr) -> Result<String> {
    let shell = machine.shell().await?;
    let certificate = shell.run(&format!("wget -q -O - http://{address}/authority.crt")).await?;
    certificate.contains("BEGIN CERTIFICATE").then_some(certificate).context("no certificate")
}

/// A UDP port of this machine on which nothing listens.
fn free_port() -> Result<u16> {
    Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
