//! Garbage on every port and socket: the box works on, forgets nothing and grows by nothing.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a story fails by panicking")]

use futures_util::{SinkExt, StreamExt};
use laptop_tests::chance::Chance;
use laptop_tests::clock::{now, wait_for};
use laptop_tests::lab::{Lab, SIM7600, START};
use laptop_tests::traffic::{FRIENDS, MARK, MODEMS};
use modem_sim::core::Control;
use modem_sim::core::fault::Fault;
use modem_sim::runner::Numbers;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixDatagram};
use tokio_tungstenite::tungstenite::Message;

/// A head that never ends is cut off after half a minute.
const SLOWEST_HEAD: Duration = Duration::from_secs(45);
/// More open files than before are files that somebody forgot.
const MORE_FILES: usize = 4;
/// An allocator keeps some of what it got; a leak of hundreds of connections is more.
const MORE_KIB: u64 = 24 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_from_modems_and_other_programs_on_their_ports_is_lived_through() {
    let mut chance = Chance::new();
    let lab = Lab::start().await.unwrap();
    works(&lab, 0).await;
    let before = lab.footprint().unwrap();
    for round in 0..40 {
        for modem in MODEMS {
            lab.sim.control(modem, Control::Fault(Fault::Garbage)).await.unwrap();
            let urc = chance.pick(&NONSENSE).to_owned();
            lab.sim.control(modem, Control::Urc { text: urc }).await.unwrap();
            if round % 4 == 0 {
                scribble(&lab, modem, &mut chance).await;
            }
        }
        tokio::time::sleep(chance.millis(100)).await;
    }
    works(&lab, 1).await;
    stays_small(&lab, before).await;
    is_discreet(&lab);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn device_events_that_tell_nonsense_move_nothing() {
    let mut chance = Chance::new();
    let lab = Lab::start().await.unwrap();
    works(&lab, 0).await;
    let before = lab.footprint().unwrap();
    let socket = lab.dir().join("uevents");
    let stranger = UnixDatagram::unbound().unwrap();
    for n in 0..600 {
        let size = usize::try_from(chance.below(2_000)).unwrap();
        let packet = match n % 6 {
            0 => chance.bytes(size),
            1 => uevent("remove", "/devices/pci0000:00/0000:00:14.0/usb1/1-2", "usb"),
            2 => uevent("add", "/../../../../etc/passwd", "tty"),
            3 => uevent("add", &"/x".repeat(size), "tty"),
            4 => uevent("change", "", "tty"),
            _ => vec![b'a'; 20_000],
        };
        // A full queue is the sender's loss.
        drop(tokio::time::timeout(Duration::from_millis(200), stranger.send_to(&packet, &socket)).await);
    }
    works(&lab, 1).await;
    lab.sim.unplug(SIM7600).await.unwrap();
    lab.wait_for_no_modem(SIM7600).await.unwrap();
    lab.sim.plug(SIM7600, Numbers::Different).await.unwrap();
    works(&lab, 2).await;
    stays_small(&lab, before).await;
    is_discreet(&lab);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_none_are_refused_and_slow_ones_are_cut_off() {
    let mut chance = Chance::new();
    let lab = Lab::start().await.unwrap();
    works(&lab, 0).await;
    let before = lab.footprint().unwrap();
    let started = now();
    let mut slow = Vec::new();
    for _ in 0..100 {
        slow.push(said(lab.api.address, b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ").await);
    }
    let huge_head = format!("GET /livez HTTP/1.1\r\nHost: x\r\nX-Huge: {}\r\n\r\n", "x".repeat(300_000));
    let many_heads = format!("GET /livez HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-Many: x\r\n".repeat(2_000));
    let cases: [(&str, Vec<u8>, &[&str]); 9] = [
        ("noise", chance.bytes(4_000), &["400"]),
        ("a huge head", huge_head.into_bytes(), &["431", "400"]),
        ("many headers", many_heads.into_bytes(), &["431", "400"]),
        ("another protocol", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), &["400", "505"]),
        ("TLS", [&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01][..], &chance.bytes(512)].concat(), &["400"]),
        ("a length that lies", post("Content-Length: 5000\r\n", "{}"), &["401", "408", "400"]),
        ("two lengths", post("Content-Length: 2\r\nContent-Length: 9\r\n", "{}"), &["400"]),
        ("a chunk without end", post("Transfer-Encoding: chunked\r\n", "FFFFFFFFFFFFFFFFF\r\n{}"), &["400", "401"]),
        ("rubbish behind a request", b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n\0\0rubbish\r\n\r\n".to_vec(), &["200"]),
    ];
    for (name, bytes, want) in &cases {
        let mut stream = said(lab.api.address, bytes).await;
        stream.shutdown().await.unwrap_or_default();
        let answer = heard(&mut stream, Duration::from_secs(20)).await;
        let status = answer.split(' ').nth(1).unwrap_or("closed");
        assert!(status == "closed" || want.contains(&status), "{name}: {answer}");
    }
    works(&lab, 1).await;
    for mut stream in slow {
        heard(&mut stream, SLOWEST_HEAD.saturating_sub(started.elapsed())).await;
    }
    assert!(started.elapsed() < SLOWEST_HEAD, "{:?}", started.elapsed());
    stays_small(&lab, before).await;
    is_discreet(&lab);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_streams_that_speak_nonsense_hurt_nobody() {
    let mut chance = Chance::new();
    let lab = Lab::start().await.unwrap();
    works(&lab, 0).await;
    let before = lab.footprint().unwrap();
    for n in 0..60 {
        let stream = TcpStream::connect(lab.api.address).await.unwrap();
        let token = lab.api.token.as_deref().filter(|_| n % 2 == 0).unwrap_or("wrong");
        let url = format!("ws://{}/ws?token={token}", lab.api.address);
        let Ok((mut socket, _)) = tokio_tungstenite::client_async(url, stream).await else { continue };
        let frame = match n / 2 % 5 {
            0 => Message::binary(chance.bytes(1_000)),
            1 => Message::text("{\"type\":"),
            2 => Message::text("[".repeat(10_000)),
            3 => Message::binary(chance.bytes(1_000_000)),
            _ => Message::text("{\"type\":\"auth\",\"token\":{\"a\":[]}}"),
        };
        drop(socket.send(frame).await);
        drop(tokio::time::timeout(Duration::from_millis(100), socket.next()).await);
        if n % 3 == 0 {
            // Goes without a word.
            drop(socket);
        }
    }
    let mut raw = said(lab.api.address, UPGRADE).await;
    raw.write_all(&chance.bytes(5_000)).await.unwrap();
    heard(&mut raw, Duration::from_secs(40)).await;
    works(&lab, 1).await;
    stays_small(&lab, before).await;
    is_discreet(&lab);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_that_nobody_expects_is_not_taken() {
    let mut chance = Chance::new();
    let lab = Lab::start().await.unwrap();
    works(&lab, 0).await;
    let before = lab.footprint().unwrap();
    let port = SocketAddr::from((Ipv4Addr::LOCALHOST, lab.settings().asterisk.audiosocket_port));
    for n in 0..100 {
        let bytes = match n % 5 {
            0 => chance.bytes(3_000),
            1 => [&[0x01, 0x00, 0x10][..], &chance.bytes(16)].concat(),
            2 => vec![0x10, 0xff, 0xff],
            3 => vec![0x01, 0x00, 0x04, 1, 2, 3, 4],
            _ => vec![0x01],
        };
        drop(said(port, &bytes).await);
    }
    // One that says a wrong name, or nothing, is closed without having to go by itself.
    for bytes in [&[0x01, 0x00, 0x10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16][..], &[]] {
        heard(&mut said(port, bytes).await, Duration::from_secs(20)).await;
    }
    works(&lab, 1).await;
    stays_small(&lab, before).await;
    is_discreet(&lab);
}

/// Both modems take a message and bring one.
async fn works(lab: &Lab, round: usize) {
    lab.wait_for_lines(2).await.unwrap();
    for modem in MODEMS {
        let text = format!("{MARK} {round} by {modem}");
        lab.send_by(&lab.line_of(modem).await.unwrap(), &text).await.unwrap();
        assert_eq!(lab.wait_for_sent(&text).await.unwrap(), modem);
        lab.sim.send_sms(modem, FRIENDS[0], &format!("{MARK} {round} to {modem}")).await.unwrap();
    }
    let count = (round + 1) * MODEMS.len();
    let all = || async {
        let mut messages = lab.messages().await.ok()?;
        // Octets that are no SMS are shown as a message that cannot be read; nobody knows whose they are.
        messages.retain(|message| message["sender"] == FRIENDS[0]);
        (messages.len() >= count).then_some(messages.len())
    };
    assert_eq!(lab.wait_for("the messages to arrive", START, all).await.unwrap(), count);
}

async fn stays_small(lab: &Lab, (files, kib): (usize, u64)) {
    let is_small = || async {
        let (files_now, kib_now) = lab.footprint().ok()?;
        (files_now <= files + MORE_FILES && kib_now <= kib + MORE_KIB).then_some(())
    };
    let waited = wait_for("the supervisor to be as small as before", START, is_small).await;
    waited.unwrap_or_else(|error| panic!("{error}: {:?} after {files} files and {kib} KiB", lab.footprint()));
}

fn is_discreet(lab: &Lab) {
    lab.assert_private(&[MARK, FRIENDS[0], "+33698765432"]);
}

/// Another program writes on every port of a modem.
async fn scribble(lab: &Lab, modem: &str, chance: &mut Chance) {
    let unit = lab.sim.status().await.unwrap().into_iter().find(|unit| unit.usb_path == modem).unwrap();
    for tty in unit.ttys {
        let path = lab.sim.root().join("dev").join(tty.name);
        let flags = nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_NOCTTY;
        // Bytes that the terminal does not take are lost, as on a wire.
        let port = std::fs::OpenOptions::new().write(true).custom_flags(flags.bits()).open(path);
        if let Ok(mut port) = port {
            port.write_all(&chance.bytes(300)).unwrap_or_default();
        }
    }
}

fn uevent(action: &str, devpath: &str, subsystem: &str) -> Vec<u8> {
    let fields = format!("{action}@{devpath}\0ACTION={action}\0DEVPATH={devpath}\0SUBSYSTEM={subsystem}\0SEQNUM=1\0");
    fields.into_bytes()
}

fn post(headers: &str, body: &str) -> Vec<u8> {
    format!("POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}\r\n{body}").into()
}

async fn said(to: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    // The other side may close before it has heard everything.
    stream.write_all(bytes).await.unwrap_or_default();
    stream
}

/// What is answered until the other side closes, which it must within `deadline`.
async fn heard(stream: &mut TcpStream, deadline: Duration) -> String {
    let mut bytes = Vec::new();
    let closed = tokio::time::timeout(deadline, stream.read_to_end(&mut bytes)).await;
    assert!(closed.is_ok(), "still open after {deadline:?}: {}", String::from_utf8_lossy(&bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Lines that modems never print, or print when they are ill.
const NONSENSE: [&str; 12] = [
    "+CMTI: ",
    "+CMTI: \"ME\",99999999999",
    "+CMTI: \"XX\",1",
    "+CMT: ,999",
    "+CMT: ,24\r\nnot hexadecimal",
    "+CDS: 26\r\n07913386094000F006",
    "+CUSD: 0,\"\",",
    "+CREG: ,,,,,\"\"\"",
    "+CLIP: \"\"\"\",,,,,,",
    "+CSQ: 999,-1",
    "> ",
    "OK",
];

const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
