//! What a router does between a phone and the box: it translates addresses in SIP (RFC 3261) and SDP (RFC 8866).
//!
//! QEMU's network hides the box behind an address of the host. Requests of a call follow the address in `Contact`,
//! which is made to name this relay; sound follows the addresses that SDP names, which are made to name the address
//! under which the box is reached.

use anyhow::Result;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// The address of the box in QEMU's network.
const INSIDE: &str = "10.0.2.15";

/// A relay of SIP for one phone; ends when dropped.
pub struct Relay {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Relay {
    /// Relays between a phone on this machine and the box whose ports are forwarded on `outside`.
    ///
    /// # Errors
    /// When there is no socket.
    pub async fn start(outside: Ipv4Addr) -> Result<Self> {
        Self::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), outside).await
    }

    /// As [`start`](Self::start), where phones expect it.
    ///
    /// # Errors
    /// When there is no socket.
    pub async fn listen(at: SocketAddr, outside: Ipv4Addr) -> Result<Self> {
        let phone_side = UdpSocket::bind(at).await?;
        let box_side = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        box_side.connect((outside, 5060)).await?;
        let address = phone_side.local_addr()?;
        let names = Names { relay: address, outside };
        Ok(Self { address, task: tokio::spawn(relay(phone_side, box_side, names)) })
    }

    /// Goes on until it is interrupted.
    ///
    /// # Errors
    /// When the relay fails.
    pub async fn run(mut self) -> Result<()> {
        Ok((&mut self.task).await?)
    }

    /// Where the phone finds the box.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a phone is told in place of the box's own address.
#[derive(Clone, Copy)]
struct Names {
    /// For requests.
    relay: SocketAddr,
    /// For sound.
    outside: Ipv4Addr,
}

async fn relay(phone_side: UdpSocket, box_side: UdpSocket, names: Names) {
    let (mut from_phone, mut from_box) = ([0; 8192], [0; 8192]);
    let mut phone = None;
    loop {
        // A datagram that is lost is sent again by SIP.
        tokio::select! {
            Ok((n, from)) = phone_side.recv_from(&mut from_phone) => {
                phone = Some(from);
                box_side.send(from_phone.get(..n).unwrap_or_default()).await.unwrap_or_default();
            }
            Ok(n) = box_side.recv(&mut from_box) => {
                let Some(phone) = phone else { continue };
                let packet = translated(from_box.get(..n).unwrap_or_default(), names);
                phone_side.send_to(&packet, phone).await.unwrap_or_default();
            }
        }
    }
}

/// The packet with the addresses translated, and its length corrected.
fn translated(packet: &[u8], names: Names) -> Vec<u8> {
    let text = String::from_utf8_lossy(packet);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return packet.to_vec() };
    let body = body.replace(INSIDE, &names.outside.to_string());
    let relay = names.relay.to_string();
    let header = |line: &str| match line.split_once(':') {
        Some((name, _)) if name.trim().eq_ignore_ascii_case("content-length") => {
            format!("Content-Length: {}", body.len())
        }
        Some((name, _)) if name.trim().eq_ignore_ascii_case("contact") => {
            line.replace(&format!("{INSIDE}:5060"), &relay).replace(INSIDE, &relay)
        }
        _ => line.to_owned(),
    };
    let head: Vec<String> = head.split("\r\n").map(header).collect();
    format!("{}\r\n\r\n{body}", head.join("\r\n")).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_sound_are_led_to_addresses_outside_and_the_length_fits() {
        let names = Names { relay: SocketAddr::from(([127, 0, 0, 1], 15160)), outside: Ipv4Addr::new(127, 77, 12, 34) };
        let body = "v=0\r\nc=IN IP4 10.0.2.15\r\n";
        let start = "SIP/2.0 200 OK\r\nFrom: <sip:2001@10.0.2.15>";
        for contact in ["10.0.2.15", "10.0.2.15:5060"] {
            let packet = format!("{start}\r\nContact: <sip:{contact}>\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let told = String::from_utf8(translated(packet.as_bytes(), names)).unwrap();
            let body = "v=0\r\nc=IN IP4 127.77.12.34\r\n";
            let contact = "Contact: <sip:127.0.0.1:15160>";
            assert_eq!(told, format!("{start}\r\n{contact}\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        }
        let without = b"REGISTER sip:10.0.2.15 SIP/2.0\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(translated(without, names), without);
    }
}
