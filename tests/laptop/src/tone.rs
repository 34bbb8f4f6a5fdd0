//! Finding tones in recordings.

use anyhow::{Context, Result, ensure};
use std::path::Path;

/// Samples above this are no silence.
const LOUD: u16 = 500;

/// A mono recording.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Samples per second.
    pub rate_hz: u32,
    /// The samples.
    pub samples: Vec<i16>,
}

impl Recording {
    /// Reads a 16-bit PCM WAV file with one channel.
    ///
    /// # Errors
    /// When the file is not such a recording.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        ensure!(bytes.get(..4) == Some(b"RIFF") && bytes.get(8..12) == Some(b"WAVE"), "not a WAV file");
        let (mut at, mut rate_hz) = (12, 0);
        while let Some(header) = bytes.get(at..at + 8) {
            let (id, size) = header.split_at(4);
            let size = u32::from_le_bytes(size.try_into()?) as usize;
            let body = bytes.get(at + 8..).unwrap_or_default();
            match id {
                b"fmt " => {
                    let format = body.get(..16).context("short format chunk")?;
                    ensure!(format.get(..4) == Some([1, 0, 1, 0].as_slice()), "not mono PCM");
                    rate_hz = u32::from_le_bytes(format.get(4..8).context("rate")?.try_into()?);
                }
                // A recorder that still writes has no size in the header yet.
                b"data" => return Ok(Self { rate_hz, samples: samples(body.get(..size).unwrap_or(body)) }),
                _ => {}
            }
            at += 8 + size + size % 2;
        }
        anyhow::bail!("no samples in the WAV file")
    }

    /// Seconds of sound.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.rate_hz.max(1))
    }

    /// The first sound in it, of so many milliseconds.
    #[must_use]
    pub fn beginning(&self, millis: usize) -> Self {
        let is_loud = |sample: &i16| sample.unsigned_abs() > LOUD;
        let first = self.samples.iter().position(is_loud).unwrap_or(self.samples.len());
        let count = self.rate_hz as usize * millis / 1000;
        Self { rate_hz: self.rate_hz, samples: self.samples.iter().skip(first).take(count).copied().collect() }
    }

    /// The strongest frequency between 200 and 3400 Hz, in steps of 1 Hz, of the loudest two seconds.
    #[must_use]
    pub fn strongest_hz(&self) -> Option<u32> {
        let window = self.loudest_window()?;
        (200..3400).map(|hz| (hz, power(window, hz, self.rate_hz))).max_by(|a, b| a.1.total_cmp(&b.1)).map(|(hz, _)| hz)
    }

    /// The part of the sound that is at `hz` (± 5 Hz), 0 to 1, in the best two seconds: three of their four half-second
    /// windows have at least this. A packet that a busy machine lost makes one window worse, a wrong rate all.
    #[must_use]
    pub fn share_of(&self, hz: u32) -> f64 {
        let half = (self.rate_hz as usize / 2).max(1);
        let shares: Vec<f64> = self.samples.chunks_exact(half).map(|window| self.share_in(window, hz)).collect();
        let second_worst = |span: &[f64]| {
            let mut span = span.to_vec();
            span.sort_by(f64::total_cmp);
            span.get(1).copied().unwrap_or(0.0)
        };
        shares.windows(4).map(second_worst).fold(0.0, f64::max)
    }

    fn share_in(&self, window: &[i16], hz: u32) -> f64 {
        let energy: f64 = window.iter().map(|s| f64::from(*s).powi(2)).sum();
        // A full-scale sine has half its squared amplitude as energy per sample, and power() gives the squared amplitude.
        let tone = (hz.saturating_sub(5)..=hz + 5).map(|hz| power(window, hz, self.rate_hz)).fold(0.0, f64::max);
        if energy > 0.0 { tone / 2.0 * window.len() as f64 / energy } else { 0.0 }
    }

    fn loudest_window(&self) -> Option<&[i16]> {
        let length = (self.rate_hz as usize * 2).min(self.samples.len());
        let step = (self.rate_hz as usize / 4).max(1);
        (0..=self.samples.len().saturating_sub(length))
            .step_by(step)
            .filter_map(|start| self.samples.get(start..start + length))
            .filter(|window| !window.is_empty())
            .max_by_key(|window| window.iter().map(|s| i64::from(*s) * i64::from(*s)).sum::<i64>())
    }
}

fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
}

/// Squared amplitude of the sine at `hz` (Goertzel).
fn power(samples: &[i16], hz: u32, rate_hz: u32) -> f64 {
    let coefficient = 2.0 * (std::f64::consts::TAU * f64::from(hz) / f64::from(rate_hz)).cos();
    let (mut s1, mut s2) = (0.0, 0.0);
    for sample in samples {
        let s0 = f64::from(*sample) + coefficient * s1 - s2;
        (s2, s1) = (s1, s0);
    }
    let magnitude = s1 * s1 + s2 * s2 - coefficient * s1 * s2;
    magnitude * 4.0 / (samples.len() as f64).powi(2)
}

/// Writes a sine as a 16-bit mono WAV file.
///
/// # Errors
/// When the file cannot be written.
#[expect(clippy::cast_possible_truncation, reason = "the amplitude is far inside the range of a sample")]
pub fn write_tone(path: &Path, hz: u32, seconds: u32, rate_hz: u32) -> Result<()> {
    let count = seconds * rate_hz;
    let mut out = Vec::with_capacity(44 + count as usize * 2);
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&(36 + count * 2).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    out.extend_from_slice(&rate_hz.to_le_bytes());
    out.extend_from_slice(&(rate_hz * 2).to_le_bytes());
    out.extend_from_slice(b"\x02\0\x10\0data");
    out.extend_from_slice(&(count * 2).to_le_bytes());
    for n in 0..count {
        let phase = std::f64::consts::TAU * f64::from(hz) * f64::from(n) / f64::from(rate_hz);
        out.extend_from_slice(&((phase.sin() * 8000.0) as i16).to_le_bytes());
    }
    std::fs::write(path, out).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_tone_is_found_at_its_frequency() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tone.wav");
        write_tone(&path, 437, 3, 8000).unwrap();
        let tone = Recording::read(&path).unwrap();
        assert_eq!(tone.strongest_hz(), Some(437));
        assert!(tone.share_of(437) > 0.95, "{}", tone.share_of(437));
        assert!(tone.share_of(1000) < 0.05);
        let noisy =
            tone.samples.iter().zip(0_i32..).map(|(s, n)| s / 4 + i16::try_from(n * 7919 % 9001 - 4500).unwrap());
        let noisy = Recording { rate_hz: 8000, samples: noisy.collect() };
        assert!(noisy.share_of(437) < 0.5, "{}", noisy.share_of(437));
        let half_silent = tone.samples.iter().enumerate().map(|(n, s)| if n / 4000 % 2 == 0 { *s } else { 0 });
        let with_gaps = Recording { rate_hz: 8000, samples: half_silent.chain([8000]).collect() };
        assert!(with_gaps.share_of(437) < 0.8, "{}", with_gaps.share_of(437));
        assert!((tone.seconds() - 3.0).abs() < 0.01);
    }
}
