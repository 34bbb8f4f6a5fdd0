//! Conversion between 8 and 16 kHz with one half-band low-pass filter.

/// Taps on each side of the middle one. The filter passes up to 3.4 kHz and stops from 4.6 kHz by more than 40 dB, and
/// delays by 1 ms.
const REACH: usize = 15;
const TAPS: usize = 2 * REACH + 1;

/// The filter and the samples that it remembers, at 16 kHz.
#[derive(Debug, Clone)]
struct HalfBand {
    taps: [f32; TAPS],
    past: [f32; TAPS],
}

impl HalfBand {
    /// A sinc that is cut by a Hamming window; every second tap is zero.
    fn new() -> Self {
        let mut taps = [0.0; TAPS];
        for (at, tap) in taps.iter_mut().enumerate() {
            let x = f32::from(u8::try_from(at).unwrap_or(0)) - 15.0;
            let turn = std::f32::consts::PI * x;
            let sinc = if at == REACH { 0.5 } else { (turn / 2.0).sin() / turn };
            *tap = sinc * (0.54 + 0.46 * (turn / 15.5).cos());
        }
        Self { taps, past: [0.0; TAPS] }
    }

    fn push(&mut self, sample: f32) {
        self.past.rotate_left(1);
        if let Some(last) = self.past.last_mut() {
            *last = sample;
        }
    }

    fn value(&self) -> f32 {
        self.taps.iter().zip(&self.past).map(|(tap, sample)| tap * sample).sum()
    }
}

/// 16 kHz to 8 kHz.
#[derive(Debug, Clone)]
pub(super) struct Halve {
    filter: HalfBand,
    keep: bool,
}

impl Halve {
    pub(super) fn new() -> Self {
        Self { filter: HalfBand::new(), keep: false }
    }

    pub(super) fn convert(&mut self, wide: &[i16]) -> Vec<i16> {
        let mut out = Vec::with_capacity(wide.len() / 2 + 1);
        for sample in wide {
            self.filter.push(f32::from(*sample));
            self.keep = !self.keep;
            if !self.keep {
                out.push(to_sample(self.filter.value()));
            }
        }
        out
    }
}

/// 8 kHz to 16 kHz.
#[derive(Debug, Clone)]
pub(super) struct Double {
    filter: HalfBand,
}

impl Double {
    pub(super) fn new() -> Self {
        Self { filter: HalfBand::new() }
    }

    pub(super) fn convert(&mut self, narrow: &[i16]) -> Vec<i16> {
        let mut out = Vec::with_capacity(narrow.len() * 2);
        for sample in narrow {
            for value in [2.0 * f32::from(*sample), 0.0] {
                self.filter.push(value);
                out.push(to_sample(self.filter.value()));
            }
        }
        out
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the value is clamped to what fits")]
fn to_sample(value: f32) -> i16 {
    value.round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16
}

#[cfg(test)]
mod tests {
    use super::super::pump::tests::{power, tone};
    use super::*;

    #[test]
    fn tones_keep_their_frequency_and_strength_both_ways() {
        for hz in [300.0, 1000.0, 3000.0] {
            let narrow = Halve::new().convert(&tone(hz, 16_000, 8_000));
            assert_eq!(narrow.len(), 4_000);
            let strength = power(&narrow[100..], hz, 8_000) / power(&tone(hz, 8_000, 3_900), hz, 8_000);
            assert!((0.8..1.2).contains(&strength), "{hz} Hz down: {strength}");
            let wide = Double::new().convert(&tone(hz, 8_000, 4_000));
            assert_eq!(wide.len(), 8_000);
            let strength = power(&wide[100..], hz, 16_000) / power(&tone(hz, 16_000, 7_900), hz, 16_000);
            assert!((0.8..1.2).contains(&strength), "{hz} Hz up: {strength}");
        }
    }

    #[test]
    fn what_8_khz_cannot_carry_does_not_fold_back() {
        let narrow = Halve::new().convert(&tone(6_000.0, 16_000, 8_000));
        let loud = power(&tone(2_000.0, 8_000, 3_900), 2_000.0, 8_000);
        assert!(power(&narrow[100..], 2_000.0, 8_000) < loud / 5_000.0);
        let wide = Double::new().convert(&tone(1_000.0, 8_000, 4_000));
        assert!(power(&wide[100..], 7_000.0, 16_000) < power(&wide[100..], 1_000.0, 16_000) / 5_000.0);
    }
}
