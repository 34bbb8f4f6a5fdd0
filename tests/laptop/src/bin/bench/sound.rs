//! Sound with exact times: bursts in silence, G.711 A-law, and RTP paced by a thread of its own.

use anyhow::{Context, Result};
use laptop_tests::clock::now;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub(crate) const RATE_HZ: usize = 8000;
const FRAME: Duration = Duration::from_millis(20);
const FRAME_SAMPLES: usize = 160;
/// One burst in each half second: far longer than any delay that a call could bear.
pub(crate) const PERIOD_SAMPLES: usize = RATE_HZ / 2;
const BURST_SAMPLES: usize = 400;
const BURST_HZ: usize = 1000;
/// A burst is heard above this.
const LOUD: i16 = 2000;

/// One period: a burst that begins loud, then silence.
pub(crate) fn pattern() -> Vec<i16> {
    (0..PERIOD_SAMPLES).map(pattern_at).collect()
}

fn pattern_at(n: usize) -> i16 {
    let place = n % PERIOD_SAMPLES;
    // A square wave: its very first sample is loud.
    let is_high = (place * BURST_HZ * 2 / RATE_HZ).is_multiple_of(2);
    match (place < BURST_SAMPLES, is_high) {
        (false, _) => 0,
        (true, true) => 8000,
        (true, false) => -8000,
    }
}

/// Positions at which a burst begins after a silence.
pub(crate) fn onsets(samples: &[i16], rate_hz: usize) -> Vec<usize> {
    let quiet_before = rate_hz / 20;
    let mut quiet = 0;
    let mut found = Vec::new();
    for (n, sample) in samples.iter().enumerate() {
        if sample.unsigned_abs() < LOUD.unsigned_abs() {
            quiet += 1;
            continue;
        }
        if quiet >= quiet_before {
            found.push(n);
        }
        quiet = 0;
    }
    found
}

/// The sound of one call at the phone's end.
pub(crate) struct Sound {
    socket: Arc<UdpSocket>,
}

/// What the phone said and heard.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// When the packets with the beginning of a burst were sent.
    pub(crate) said: Vec<Instant>,
    /// When the packets with the beginning of a burst came.
    pub(crate) heard: Vec<Instant>,
}

impl Sound {
    pub(crate) fn open() -> Result<(Self, u16)> {
        let socket = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?);
        socket.set_read_timeout(Some(FRAME * 5))?;
        let port = socket.local_addr()?.port();
        Ok((Self { socket }, port))
    }

    /// Speaks and listens until stopped.
    pub(crate) fn start(self, to: SocketAddr) -> Talk {
        let stop = Arc::new(AtomicBool::new(false));
        let (socket, is_over) = (Arc::clone(&self.socket), Arc::clone(&stop));
        let speaker = std::thread::spawn(move || speak(&socket, to, &is_over));
        let (socket, is_over) = (self.socket, Arc::clone(&stop));
        let listener = std::thread::spawn(move || listen(&socket, &is_over));
        Talk { stop, speaker, listener }
    }
}

/// Sound in both directions.
pub(crate) struct Talk {
    stop: Arc<AtomicBool>,
    speaker: JoinHandle<Vec<Instant>>,
    listener: JoinHandle<Vec<Instant>>,
}

impl Talk {
    pub(crate) fn stop(self) -> Result<Heard> {
        self.stop.store(true, Ordering::Relaxed);
        let said = self.speaker.join().ok().context("the speaker panicked")?;
        let heard = self.listener.join().ok().context("the listener panicked")?;
        Ok(Heard { said, heard })
    }
}

/// Sends a packet each 20 ms (RFC 3550, payload type 8).
fn speak(socket: &UdpSocket, to: SocketAddr, is_over: &AtomicBool) -> Vec<Instant> {
    let mut said = Vec::new();
    let begin = now();
    for (n, count) in (0_usize..).zip(0_u32..) {
        let due = begin + FRAME * count;
        std::thread::sleep(due.saturating_duration_since(now()));
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let first = n * FRAME_SAMPLES;
        let mut packet = vec![0x80, 8];
        packet.extend(u16::try_from(count % 65_536).unwrap_or(0).to_be_bytes());
        packet.extend(count.wrapping_mul(160).to_be_bytes());
        packet.extend(0x484e_0001_u32.to_be_bytes());
        packet.extend((first..first + FRAME_SAMPLES).map(|n| to_alaw(pattern_at(n))));
        if first.is_multiple_of(PERIOD_SAMPLES) {
            said.push(now());
        }
        // A lost packet is a burst that nobody hears, not an error.
        socket.send_to(&packet, to).unwrap_or_default();
    }
    said
}

fn listen(socket: &UdpSocket, is_over: &AtomicBool) -> Vec<Instant> {
    let (mut samples, mut arrivals) = (Vec::new(), Vec::new());
    let mut buffer = [0_u8; 2048];
    while !is_over.load(Ordering::Relaxed) {
        let Ok(length) = socket.recv(&mut buffer) else { continue };
        let at = now();
        let heard = buffer.get(12..length).unwrap_or_default();
        samples.extend(heard.iter().map(|&byte| from_alaw(byte)));
        arrivals.extend(heard.iter().map(|_| at));
    }
    onsets(&samples, RATE_HZ).into_iter().filter_map(|n| arrivals.get(n).copied()).collect()
}

/// ITU-T G.711 A-law, even bits inverted.
fn to_alaw(sample: i16) -> u8 {
    let magnitude = if sample >= 0 { sample } else { !sample } >> 4;
    let exponent = (magnitude >> 4).checked_ilog2().map_or(0, |place| place + 1);
    let mantissa = if exponent > 1 { magnitude >> (exponent - 1) } else { magnitude } & 0x0f;
    let code = u8::try_from(exponent).unwrap_or(7) << 4 | u8::try_from(mantissa).unwrap_or(0);
    let sign = if sample >= 0 { 0x80 } else { 0 };
    (sign | code) ^ 0x55
}

fn from_alaw(byte: u8) -> i16 {
    let code = byte ^ 0x55;
    let (exponent, mantissa) = (code >> 4 & 7, i16::from(code & 0x0f) << 4);
    let magnitude = if exponent == 0 { mantissa + 8 } else { (mantissa + 0x108) << (exponent - 1) };
    if code & 0x80 == 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_law_has_the_codes_of_the_standard() {
        for (sample, code) in
            [(0, 0xd5), (-1, 0x55), (8, 0xd5), (16, 0xd4), (256, 0xc5), (32_767, 0xaa), (-32_768, 0x2a)]
        {
            assert_eq!(to_alaw(sample), code, "{sample}");
        }
        for sample in (i16::MIN..=i16::MAX).step_by(7) {
            let error = (i32::from(from_alaw(to_alaw(sample))) - i32::from(sample)).abs();
            assert!(error <= 8 + i32::from(sample.unsigned_abs() >> 5), "{sample} is {error} off");
        }
    }

    #[test]
    fn every_burst_is_found_at_its_first_sample() {
        let samples: Vec<i16> = std::iter::repeat_n(0, 1000).chain(pattern()).chain(pattern()).collect();
        assert_eq!(onsets(&samples, RATE_HZ), [1000, 1000 + PERIOD_SAMPLES]);
        let coded: Vec<i16> = samples.iter().map(|&sample| from_alaw(to_alaw(sample))).collect();
        assert_eq!(onsets(&coded, RATE_HZ), [1000, 1000 + PERIOD_SAMPLES]);
        assert_eq!(onsets(&pattern(), RATE_HZ), [] as [usize; 0]);
    }
}
