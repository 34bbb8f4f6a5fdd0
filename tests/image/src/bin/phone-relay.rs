//! `phone-relay OUTSIDE LISTEN`: lets SIP phones of this machine use a box in a virtual machine.
//!
//! OUTSIDE is the address to which the box's ports are forwarded, LISTEN where phones register.
#![expect(clippy::print_stderr, reason = "it speaks to its terminal")]

use anyhow::{Context, Result};
use image_tests::phone::Relay;
use std::net::{Ipv4Addr, SocketAddr};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    const USAGE: &str = "usage: phone-relay OUTSIDE LISTEN, such as phone-relay 127.77.0.1 127.0.0.1:15060";
    let mut arguments = std::env::args().skip(1);
    let outside: Ipv4Addr = arguments.next().context(USAGE)?.parse().context(USAGE)?;
    let listen: SocketAddr = arguments.next().context(USAGE)?.parse().context(USAGE)?;
    let relay = Relay::listen(listen, outside).await.with_context(|| format!("listening on {listen}"))?;
    eprintln!("phone-relay: phones register at {}", relay.address());
    relay.run().await.context("relaying")
}
