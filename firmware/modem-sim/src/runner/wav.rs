//! WAV files: 16-bit mono PCM, nothing else.

use std::path::Path;

/// Why a file is not usable as samples.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// The file cannot be read or written.
    #[error("failed to use the sound file")]
    Io(#[from] std::io::Error),
    /// Not RIFF/WAVE.
    #[error("not a WAV file")]
    NotWav,
    /// Not 16-bit mono PCM.
    #[error("WAV file is not 16-bit mono PCM; convert it with `sox in.wav -b 16 -c 1 out.wav`")]
    WrongFormat,
}

/// Writes `samples` as a mono WAV file.
pub fn write_wav(path: &Path, rate_hz: u32, samples: &[i16]) -> Result<(), WavError> {
    let data_octets = u32::try_from(samples.len() * 2).unwrap_or(u32::MAX - 36);
    let mut octets = Vec::with_capacity(44 + samples.len() * 2);
    octets.extend(b"RIFF");
    octets.extend((data_octets + 36).to_le_bytes());
    octets.extend(b"WAVEfmt ");
    octets.extend(16u32.to_le_bytes());
    octets.extend([1u16, 1].map(u16::to_le_bytes).concat());
    octets.extend(rate_hz.to_le_bytes());
    octets.extend((rate_hz * 2).to_le_bytes());
    octets.extend([2u16, 16].map(u16::to_le_bytes).concat());
    octets.extend(b"data");
    octets.extend(data_octets.to_le_bytes());
    octets.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    Ok(std::fs::write(path, octets)?)
}

/// Reads a mono WAV file: its rate and its samples.
pub fn read_wav(path: &Path) -> Result<(u32, Vec<i16>), WavError> {
    let octets = std::fs::read(path)?;
    if octets.get(..4) != Some(b"RIFF") || octets.get(8..12) != Some(b"WAVE") {
        return Err(WavError::NotWav);
    }
    let mut rest = octets.get(12..).unwrap_or_default();
    let mut rate_hz = None;
    while let Some((header, tail)) = rest.split_at_checked(8) {
        let length = header.get(4..).and_then(|length| <[u8; 4]>::try_from(length).ok()).map_or(0, u32::from_le_bytes);
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(tail.len());
        let (body, next) = tail.split_at(length);
        match header.get(..4) {
            Some(b"fmt ") => rate_hz = Some(format_rate(body).ok_or(WavError::WrongFormat)?),
            Some(b"data") => {
                let samples = body.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(i16::from_le_bytes);
                return Ok((rate_hz.ok_or(WavError::NotWav)?, samples.collect()));
            }
            _ => {}
        }
        rest = next.get(length % 2..).unwrap_or_default();
    }
    Err(WavError::NotWav)
}

fn format_rate(body: &[u8]) -> Option<u32> {
    let is_mono_16 = body.get(..4) == Some(&[1, 0, 1, 0]) && body.get(14..16) == Some(&[16, 0]);
    let rate = body.get(4..8)?.try_into().ok().map(u32::from_le_bytes)?;
    is_mono_16.then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_file_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tone.wav");
        write_wav(&path, 16_000, &[0, -1, 32_767, -32_768]).unwrap();
        assert_eq!(read_wav(&path).unwrap(), (16_000, vec![0, -1, 32_767, -32_768]));
    }
}
