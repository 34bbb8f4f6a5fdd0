//! Satellite positions as text (NMEA 0183) that a modem mixes into its sound, because both use one port.

/// The longest sentence of NMEA 0183, with its line end, and some.
const LONGEST: usize = 100;
/// `$GPGGA,`: a dollar, five capitals of which the first is G, a comma. Sound looks so once in a million hours.
const HEAD: usize = 7;

/// Takes sentences out of the bytes of a PCM port. What is left joins without a gap, so that samples stay aligned.
#[derive(Debug, Default)]
pub(super) struct Positions {
    /// What may be the head of a sentence.
    held: Vec<u8>,
    /// Bytes of the sentence that is being taken out; 0 outside.
    inside: usize,
    was_seen: bool,
}

impl Positions {
    /// Whether a sentence began since this was asked last.
    pub(super) fn take_seen(&mut self) -> bool {
        std::mem::take(&mut self.was_seen)
    }

    /// Returns the sound in `bytes`. A head that is not whole waits for the bytes that follow.
    pub(super) fn sound_of(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut sound = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            if self.inside > 0 {
                self.inside += 1;
                if byte == b'\n' || self.inside >= LONGEST {
                    self.inside = 0;
                }
                continue;
            }
            self.held.push(byte);
            // What was held may hold the beginning of another head.
            while !is_head(&self.held) {
                sound.push(self.held.remove(0));
            }
            if self.held.len() == HEAD {
                self.held.clear();
                (self.inside, self.was_seen) = (HEAD, true);
            }
        }
        sound
    }
}

/// Whether the bytes may be the beginning of a sentence.
fn is_head(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().all(|(place, byte)| match place {
        0 => *byte == b'$',
        1 => *byte == b'G',
        2..=5 => byte.is_ascii_uppercase(),
        _ => *byte == b',',
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SENTENCE: &[u8] = b"$GPGGA,092725.00,4717.11,N,00833.91,E,1,8,1.01,499.6,M,48.0,M,,0*5B\r\n";

    #[test]
    fn sentences_are_taken_out_wherever_they_begin() {
        let table: [(&str, Vec<u8>, &[u8], bool); 4] = [
            ("between samples", [&[1, 2, 3], SENTENCE, &[4]].concat(), &[1, 2, 3, 4], true),
            ("behind a dollar", [b"$$G", SENTENCE].concat(), b"$$G", true),
            ("no sentence", b"$GPgga,$G".to_vec(), b"$GPgga,", false),
            ("without end", [b"$GPGSV,".to_vec(), vec![7; 100]].concat(), &[7; 7], true),
        ];
        for (name, bytes, want, is_seen) in table {
            for size in [1, 5, bytes.len()] {
                let mut positions = Positions::default();
                let sound: Vec<u8> = bytes.chunks(size).flat_map(|chunk| positions.sound_of(chunk)).collect();
                assert_eq!((sound.as_slice(), positions.take_seen()), (want, is_seen), "{name} by {size}");
            }
        }
    }

    proptest! {
        #[test]
        fn sound_alone_is_left_as_it_is(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let mut positions = Positions::default();
            let sound = positions.sound_of(&bytes);
            prop_assert!(bytes.starts_with(&sound) && bytes.len() - sound.len() < HEAD || positions.take_seen());
        }
    }
}
