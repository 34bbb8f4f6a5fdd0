//! What the modem's bytes are: at which rate, and where a sample begins.

use std::time::{Duration, Instant};

/// From the first bytes to the first decision on the rate; until then nothing is passed on.
const FIRST_LOOK: Duration = Duration::from_millis(140);

/// When the first decision falls at the latest: no longer than anything else may wait.
const LATEST_LOOK: Duration = Duration::from_millis(200);

/// A first look that was shorter than this says nothing.
const SHORTEST_LOOK: Duration = Duration::from_millis(60);

/// How much earlier than at 16 kHz bytes may come without being taken for what had waited somewhere.
const UNEVENNESS: Duration = Duration::from_millis(10);

/// How often the rate is looked at afterwards.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Bytes per second between 8 kHz (16 000) and 16 kHz (32 000).
const BETWEEN_RATES: u128 = 24_000;

/// Bytes per millisecond at 16 kHz; no stream is faster.
const FASTEST: u128 = 32;

/// Frames that must all look shifted by a byte before a byte is dropped.
const SHIFTED_FRAMES: u8 = 10;

/// Mean step between samples above which sound may be a shifted stream: low bytes in the place of high bytes give
/// about 21 800, speech some hundreds.
const ROUGH: u32 = 6_000;

/// The largest sample of silence.
const SILENT: u16 = 4;

/// A sample rate of modems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// 8 kHz.
    Narrow,
    /// 16 kHz: voice over LTE on SIM7600.
    Wide,
}

impl Rate {
    /// Samples per second.
    #[must_use]
    pub fn hz(self) -> u32 {
        match self {
            Self::Narrow => 8_000,
            Self::Wide => 16_000,
        }
    }

    /// Bytes of 20 ms.
    pub(super) fn frame_bytes(self) -> usize {
        match self {
            Self::Narrow => 320,
            Self::Wide => 640,
        }
    }
}

/// Cuts the modem's bytes into frames of 20 ms.
///
/// It says nothing before it has seen at which rate they come: frames that are cut at the wrong one are noise to both
/// sides. What came until then is dropped but for its end, because a burst would become a delay that stays.
#[derive(Debug)]
pub(super) struct PcmIn {
    rate: Rate,
    measured: bool,
    first: Option<Instant>,
    buffer: Vec<u8>,
    window: Option<Window>,
    /// Windows in a row that saw the other rate.
    doubts: u8,
    shifted: u8,
    realigned: bool,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    bytes: u128,
}

impl PcmIn {
    /// Starts with the rate that the modem's settings promise.
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            rate,
            measured: false,
            first: None,
            buffer: Vec::new(),
            window: None,
            doubts: 0,
            shifted: 0,
            realigned: false,
        }
    }

    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    /// The rate that was really seen.
    pub(super) fn measured_hz(&self) -> u32 {
        if self.measured { self.rate.hz() } else { 0 }
    }

    /// Whether the stream was shifted by a byte since this was asked last.
    pub(super) fn take_realigned(&mut self) -> bool {
        std::mem::take(&mut self.realigned)
    }

    pub(super) fn handle_bytes(&mut self, bytes: &[u8], now: Instant) {
        let was_measured = self.measured;
        self.measure(bytes.len(), now);
        self.buffer.extend_from_slice(bytes);
        if self.measured && !was_measured {
            let late = (self.buffer.len() / self.rate.frame_bytes()).saturating_sub(1);
            self.buffer.drain(..late * self.rate.frame_bytes());
        }
    }

    /// Whether frames come: the rate is known.
    pub(super) fn is_running(&self) -> bool {
        self.measured
    }

    /// The next 20 ms.
    pub(super) fn poll_frame(&mut self) -> Option<Vec<i16>> {
        let frame = self.buffer.get(..self.rate.frame_bytes()).filter(|_| self.measured)?;
        let is_shifted = looks_shifted(frame);
        let samples = samples(frame);
        self.buffer.drain(..self.rate.frame_bytes());
        if !is_silent(&samples) {
            self.shifted = if is_shifted { self.shifted + 1 } else { 0 };
        }
        if self.shifted >= SHIFTED_FRAMES && !self.buffer.is_empty() {
            self.buffer.drain(..1);
            self.shifted = 0;
            self.realigned = true;
        }
        Some(samples)
    }

    /// Compares the bytes that came with the time that they took. The first chunk starts the watch and does not count:
    /// it took the time before.
    fn measure(&mut self, bytes: usize, now: Instant) {
        let first = *self.first.get_or_insert(now);
        let Some(window) = &mut self.window else {
            self.window = Some(Window { since: now, bytes: 0 });
            return;
        };
        window.bytes += bytes as u128;
        let elapsed = now.saturating_duration_since(window.since);
        let is_latest = !self.measured && now.saturating_duration_since(first) >= LATEST_LOOK;
        let had_waited = window.bytes > FASTEST * (elapsed + UNEVENNESS).as_millis();
        if !self.measured && !is_latest && had_waited {
            self.window = Some(Window { since: now, bytes: 0 });
            return;
        }
        if elapsed < if self.measured { LOOK_EVERY } else { FIRST_LOOK } && !is_latest {
            return;
        }
        let per_second = window.bytes * 1_000 / elapsed.as_millis().max(1);
        self.window = Some(Window { since: now, bytes: 0 });
        let seen = match per_second > BETWEEN_RATES {
            _ if elapsed < SHORTEST_LOOK => self.rate,
            true => Rate::Wide,
            false => Rate::Narrow,
        };
        self.doubts = if seen == self.rate { 0 } else { self.doubts + 1 };
        // Later, one odd window is a stall or what it left behind; two in a row are another rate.
        if self.doubts >= if self.measured { 2 } else { 1 } {
            self.rate = seen;
            self.doubts = 0;
        }
        self.measured = true;
    }
}

pub(super) fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).filter_map(|pair| Some(i16::from_le_bytes(pair.try_into().ok()?))).collect()
}

pub(super) fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

pub(super) fn is_silent(samples: &[i16]) -> bool {
    samples.iter().all(|sample| sample.unsigned_abs() <= SILENT)
}

/// Whether the frame is noise as it stands and much smoother when read one byte later.
fn looks_shifted(frame: &[u8]) -> bool {
    let as_is = roughness(frame);
    as_is > ROUGH && frame.get(1..).is_some_and(|later| roughness(later) < as_is / 2)
}

/// The mean step from sample to sample.
fn roughness(frame: &[u8]) -> u32 {
    let samples = samples(frame);
    let steps = samples.iter().zip(samples.iter().skip(1));
    let sum: u32 = steps.map(|(one, next)| u32::from(one.abs_diff(*next))).sum();
    sum / u32::try_from(samples.len()).unwrap_or(u32::MAX).max(1)
}
