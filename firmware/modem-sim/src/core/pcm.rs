//! Voice samples: the stream of the far end, and a record of what the host says.

use std::collections::VecDeque;
use std::f64::consts::TAU;
use std::time::{Duration, Instant};

use super::fault::Fault;
use super::output::{CallState, FarAudio, Output};
use super::timers::Timer;
use super::{Failure, Family, Reply, SimModem};

/// Time from one digit of the far end to the next.
pub(super) const DIGIT_SPACING: Duration = Duration::from_millis(200);
/// One frame.
const FRAME: Duration = Duration::from_millis(20);
/// Frames later than this are skipped, not sent in a burst.
const LATENESS_LIMIT: Duration = Duration::from_millis(200);
/// Seconds of host audio that are kept.
const RECORDED_SECONDS: usize = 180;
/// A host that is asked to hold off does so within this.
const HOLDING_OFF_TAKES: Duration = Duration::from_millis(200);
const POSITION: &[u8] = b"$GPGGA,092725.00,4717.11399,N,00833.91590,E,1,08,1.01,499.6,M,48.0,M,,*5B\r\n";
const AMPLITUDE: f64 = 8000.0;
/// Frames of tone in one digit.
const DIGIT_FRAMES: u32 = 5;

/// What the host said in calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// Rate of `samples`: that of the last stream.
    pub rate_hz: u32,
    /// Mono, bounded.
    pub samples: Vec<i16>,
    /// Frames sent to the host.
    pub frames_out: u64,
    /// Bytes taken from the host during streams.
    pub bytes_in: u64,
    /// Frames left out because the simulator was late.
    pub frames_skipped: u64,
    /// Bytes that the host wrote after it was asked to hold off, and that are lost.
    pub bytes_refused: u64,
}

/// State of the sample stream.
#[derive(Default)]
pub(super) struct Pcm {
    far: Option<FarAudio>,
    recording: Recording,
    is_registered: bool,
    /// `CPCMREG=1` that worked since power on.
    registrations: u32,
    stream: Option<Stream>,
    heard: VecDeque<i16>,
    odd_byte: Option<u8>,
    digits: VecDeque<(char, u32)>,
    /// Since when the host is asked to hold off.
    held_off: Option<Instant>,
}

struct Stream {
    rate_hz: u32,
    /// Samples sent so far: the phase of every generator.
    position: u64,
    is_shifted: bool,
    carried: Option<u8>,
}

impl Pcm {
    pub(super) fn set_far_audio(&mut self, audio: FarAudio) {
        self.far = Some(audio);
    }

    pub(super) fn recording(&self) -> &Recording {
        &self.recording
    }

    pub(super) fn clear_recording(&mut self) {
        self.recording = Recording { rate_hz: self.recording.rate_hz, ..Recording::default() };
    }

    pub(super) fn is_registered(&self) -> bool {
        self.is_registered
    }

    pub(super) fn hear_digit(&mut self, digit: char) {
        self.digits.push_back((digit, DIGIT_FRAMES));
    }

    pub(super) fn power_off(&mut self) {
        self.is_registered = false;
        self.registrations = 0;
        self.stop();
    }

    fn stop(&mut self) {
        self.stream = None;
        self.heard.clear();
        self.odd_byte = None;
        self.digits.clear();
        self.held_off = None;
    }

    fn take_samples(&mut self, bytes: &[u8]) {
        let Some(stream) = &self.stream else { return };
        let limit = usize::try_from(stream.rate_hz).unwrap_or(0) * RECORDED_SECONDS;
        let echo_limit = usize::try_from(stream.rate_hz / 5).unwrap_or(0);
        self.recording.bytes_in += u64::try_from(bytes.len()).unwrap_or(0);
        for &byte in bytes {
            let Some(low) = self.odd_byte.take() else {
                self.odd_byte = Some(byte);
                continue;
            };
            let sample = i16::from_le_bytes([low, byte]);
            if self.recording.samples.len() < limit {
                self.recording.samples.push(sample);
            }
            self.heard.push_back(sample);
            if self.heard.len() > echo_limit {
                self.heard.pop_front();
            }
        }
    }

    /// Returns the next frame as bytes on the wire.
    fn frame(&mut self) -> Option<Vec<u8>> {
        let stream = self.stream.as_mut()?;
        let count = stream.rate_hz / 50;
        let digit = self.digits.front_mut().map(|(digit, left)| {
            *left = left.saturating_sub(1);
            (*digit, *left)
        });
        if let Some((_, 0)) = digit {
            self.digits.pop_front();
        }
        let mut bytes = Vec::new();
        for _ in 0..count {
            let sample = match (digit, &self.far) {
                (Some((digit, _)), _) => dtmf_sample(digit, stream.position, stream.rate_hz),
                (None, Some(FarAudio::Echo)) => self.heard.pop_front().unwrap_or(0),
                (None, Some(FarAudio::Silence)) => 0,
                (None, Some(FarAudio::Tone { hz })) => sine(*hz, stream.position, stream.rate_hz, AMPLITUDE),
                (None, Some(FarAudio::Samples { rate_hz, samples })) => {
                    resampled(samples, *rate_hz, stream.position, stream.rate_hz)
                }
                (None, None) => sine(1000, stream.position, stream.rate_hz, AMPLITUDE),
            };
            stream.position += 1;
            bytes.extend(sample.to_le_bytes());
        }
        self.recording.frames_out += 1;
        Some(stream.shifted(bytes))
    }
}

impl Stream {
    /// A stream off by one byte begins with half a sample.
    fn shifted(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        if !self.is_shifted {
            return bytes;
        }
        let last = bytes.pop();
        bytes.insert(0, self.carried.unwrap_or(0));
        self.carried = last;
        bytes
    }
}

impl SimModem {
    pub(super) fn on_samples(&mut self, bytes: &[u8], now: Instant) {
        // What was on its way when the host was asked still fits.
        if self.pcm.held_off.is_some_and(|since| now.saturating_duration_since(since) > HOLDING_OFF_TAKES) {
            self.pcm.recording.bytes_refused += u64::try_from(bytes.len()).unwrap_or(0);
            return;
        }
        let is_lost = self.personality.quirks.ignores_uplink || self.faults.is_pcm_dead();
        if !is_lost {
            self.pcm.take_samples(bytes);
        }
    }

    pub(super) fn on_flow(&mut self, is_open: bool, now: Instant) {
        self.pcm.held_off = if is_open { None } else { Some(now) };
        self.urc(if is_open { "+QPCMV: 1,0" } else { "+QPCMV: 0,0" });
    }

    /// A sentence of NMEA for the frame that begins a second, when positions go to the port of the samples.
    fn position(&self) -> &'static [u8] {
        let begins_second = self.pcm.recording.frames_out % 50 == 1;
        let is_on = self.personality.family == Family::Quectel
            && self.faults.has(&Fault::PositionsInPcm { on: true })
            && self.settings.keyed("+QGPSCFG", "outport") != Some("none");
        if begins_second && is_on { POSITION } else { &[] }
    }

    pub(super) fn on_frame(&mut self, at: Instant) {
        let mut next = at + FRAME;
        if self.handled_at.saturating_duration_since(next) > LATENESS_LIMIT {
            next = self.handled_at;
            self.pcm.recording.frames_skipped += 1;
        }
        let is_dead = self.faults.is_pcm_dead();
        if let Some(mut bytes) = self.pcm.frame() {
            bytes.extend(self.position());
            if !is_dead {
                let interface = self.personality.pcm_interface;
                self.outputs.push_back(Output::Write { interface, bytes });
            }
            self.timers.add(next, Timer::Frame);
        }
    }

    /// Starts or stops the stream after a change of calls or settings.
    pub(super) fn update_stream(&mut self, now: Instant) {
        let has_call = self.calls.first(&[CallState::Active]).is_some();
        if self.calls.list.is_empty() {
            self.pcm.is_registered = false;
        }
        let is_on = has_call
            && match self.personality.family {
                Family::Quectel => {
                    let port = (self.settings.number("+QPCMV", 0), self.settings.number("+QPCMV", 1));
                    port == (1, 0) && !self.personality.quirks.serial_pcm_is_silent
                }
                Family::Simcom => self.pcm.is_registered,
            };
        match (is_on, self.pcm.stream.is_some()) {
            (true, false) => self.start_stream(now),
            (false, true) => {
                self.pcm.stop();
                self.timers.drop_matching(|timer| matches!(timer, Timer::Frame | Timer::Flow { .. }));
            }
            (true, true) | (false, false) => {}
        }
    }

    pub(super) fn register_pcm(&mut self, now: Instant) -> Reply {
        let refuses_again =
            self.personality.quirks.registers_pcm_once || self.faults.has(&Fault::PcmRegistersOnce { on: true });
        let has_call = self.calls.first(&[CallState::Active]).is_some();
        if !has_call || refuses_again && self.pcm.registrations > 0 && !self.pcm.is_registered {
            return Reply::Failed(Failure::Plain);
        }
        if !self.pcm.is_registered {
            self.pcm.registrations += 1;
        }
        self.pcm.is_registered = true;
        self.update_stream(now);
        Reply::ok()
    }

    pub(super) fn unregister_pcm(&mut self, now: Instant) -> Reply {
        self.pcm.is_registered = false;
        self.update_stream(now);
        Reply::ok()
    }

    fn start_stream(&mut self, now: Instant) {
        let is_wide_call = self.personality.quirks.has_wideband_calls
            && self.radio.has_ims
            && self.radio.registration.access == 7
            && self.settings.number("+CPCMBANDWIDTH", 0) == 0;
        let is_wide =
            self.personality.family == Family::Simcom && (is_wide_call || self.settings.number("+CPCMFRM", 0) == 1);
        let rate_hz = if is_wide { 16_000 } else { 8_000 };
        if self.pcm.recording.rate_hz != rate_hz {
            self.pcm.recording.rate_hz = rate_hz;
            self.pcm.recording.samples.clear();
        }
        let is_shifted = self.faults.has(&Fault::PcmMisaligned { on: true });
        self.pcm.stream = Some(Stream { rate_hz, position: 0, is_shifted, carried: None });
        self.timers.add(now + FRAME, Timer::Frame);
        let pause = self.faults.find(|fault| match fault {
            Fault::PcmHoldsOff { after_ms, for_ms } => Some((*after_ms, *for_ms)),
            _ => None,
        });
        if let Some((after_ms, for_ms)) = pause.filter(|_| self.personality.family == Family::Quectel) {
            let begin = now + Duration::from_millis(after_ms);
            self.timers.add(begin, Timer::Flow { is_open: false });
            self.timers.add(begin + Duration::from_millis(for_ms), Timer::Flow { is_open: true });
        }
    }
}

fn sine(hz: u32, position: u64, rate_hz: u32, amplitude: f64) -> i16 {
    // The phase is reduced in integers, so that a long call stays exact.
    let rate = u64::from(rate_hz.max(1));
    let phase = u32::try_from(u64::from(hz) * (position % rate) % rate).unwrap_or(0);
    to_sample((TAU * f64::from(phase) / f64::from(rate_hz.max(1))).sin() * amplitude)
}

fn dtmf_sample(digit: char, position: u64, rate_hz: u32) -> i16 {
    const LOW: [u32; 4] = [697, 770, 852, 941];
    const HIGH: [u32; 4] = [1209, 1336, 1477, 1633];
    let place = "123A456B789C*0#D".chars().position(|known| known == digit).unwrap_or(0);
    let low = LOW.get(place / 4).copied().unwrap_or(0);
    let high = HIGH.get(place % 4).copied().unwrap_or(0);
    sine(low, position, rate_hz, AMPLITUDE / 2.0).saturating_add(sine(high, position, rate_hz, AMPLITUDE / 2.0))
}

fn resampled(samples: &[i16], from_hz: u32, position: u64, to_hz: u32) -> i16 {
    let place = position * u64::from(from_hz) / u64::from(to_hz.max(1));
    let length = u64::try_from(samples.len()).unwrap_or(1).max(1);
    usize::try_from(place % length).ok().and_then(|place| samples.get(place)).copied().unwrap_or(0)
}

fn to_sample(value: f64) -> i16 {
    #[expect(clippy::cast_possible_truncation, reason = "the value is clamped to the range first")]
    let sample = value.round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16;
    sample
}
