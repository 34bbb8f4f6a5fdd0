//! AudioSocket: one TCP connection per call that carries 20 ms frames of sound both ways.
//!
//! A frame is a kind byte, a length in two bytes (big-endian) and the payload. Asterisk connects to us and says first
//! which call it is about, with the id that we gave it. The end of the call is the end of the connection; Asterisk
//! does not send [`Frame::Terminate`] itself but obeys it.

use std::fmt;
use std::str::FromStr;

/// The longest payload that is accepted: 40 ms at the highest rate would be 15 KiB, and we only ask for 8 kHz.
pub const MAX_PAYLOAD_BYTES: usize = 16 * 1024;

/// Bytes of a 20 ms frame at 8 kHz. Asterisk nearly always sends this size, but not always: frames of twice the size
/// were seen with an Opus phone.
pub const FRAME_BYTES: usize = 320;

const HEADER_BYTES: usize = 3;

/// The id that ties a connection to a call, in the form of a UUID. A fresh one is made for each call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MediaId([u8; 16]);

impl MediaId {
    /// Makes an id of 16 random bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes as they go over the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Writes the id as a UUID (RFC 9562 §4).
impl fmt::Display for MediaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for MediaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MediaId({self})")
    }
}

/// A text is no [`MediaId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a media id is a UUID: 32 hexadecimal digits with dashes between")]
pub struct ParseMediaIdError;

impl FromStr for MediaId {
    type Err = ParseMediaIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: Vec<u8> = text
            .chars()
            .filter(|c| *c != '-')
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or(ParseMediaIdError))
            .collect::<Result<_, _>>()?;
        if digits.len() != 32 {
            return Err(ParseMediaIdError);
        }
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair.iter().fold(0, |value, digit| value << 4 | digit);
        }
        Ok(Self(bytes))
    }
}

/// One frame. Sound is signed linear, 16 bits, little-endian, one channel.
#[derive(Clone, PartialEq, Eq)]
pub enum Frame {
    /// Ends the call.
    Terminate,
    /// Says which call the connection is about; always the first frame.
    Id(MediaId),
    /// A DTMF digit that the phone sent.
    Dtmf(char),
    /// Sound at 8 kHz.
    Slin8(Vec<u8>),
    /// Sound at 16 kHz.
    Slin16(Vec<u8>),
    /// An error, with Asterisk's code.
    Error(u8),
    /// Sound at another rate, or a kind that this list lacks.
    Other {
        /// The kind byte.
        kind: u8,
        /// The payload.
        payload: Vec<u8>,
    },
}

impl Frame {
    /// Appends the frame to `out`.
    ///
    /// Sound that is longer than a frame can say is cut at [`MAX_PAYLOAD_BYTES`]; callers send 20 ms at a time.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Terminate => encode(out, 0x00, &[]),
            Self::Id(id) => encode(out, 0x01, id.as_bytes()),
            Self::Dtmf(digit) => encode(out, 0x03, &[u8::try_from(*digit).unwrap_or(b'?')]),
            Self::Slin8(sound) => encode(out, 0x10, sound),
            Self::Slin16(sound) => encode(out, 0x12, sound),
            Self::Error(code) => encode(out, 0xff, &[*code]),
            Self::Other { kind, payload } => encode(out, *kind, payload),
        }
    }

    fn parse(kind: u8, payload: &[u8]) -> Result<Self, DecodeError> {
        match (kind, payload) {
            (0x00, _) => Ok(Self::Terminate),
            (0x01, _) => {
                let bytes = payload.try_into().map_err(|_| DecodeError::WrongLength { kind, bytes: payload.len() })?;
                Ok(Self::Id(MediaId(bytes)))
            }
            (0x03, [digit]) => Ok(Self::Dtmf(char::from(*digit))),
            (0x03, _) => Err(DecodeError::WrongLength { kind, bytes: payload.len() }),
            (0x10, _) => Ok(Self::Slin8(payload.to_vec())),
            (0x12, _) => Ok(Self::Slin16(payload.to_vec())),
            (0xff, _) => Ok(Self::Error(payload.first().copied().unwrap_or(0))),
            (_, _) => Ok(Self::Other { kind, payload: payload.to_vec() }),
        }
    }
}

/// Shows sound by its length and hides digits, which may be somebody's code.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Terminate => f.write_str("Terminate"),
            Self::Id(id) => write!(f, "Id({id})"),
            Self::Dtmf(_) => f.write_str("Dtmf(…)"),
            Self::Slin8(sound) => write!(f, "Slin8({} bytes)", sound.len()),
            Self::Slin16(sound) => write!(f, "Slin16({} bytes)", sound.len()),
            Self::Error(code) => write!(f, "Error({code})"),
            Self::Other { kind, payload } => write!(f, "Other({kind:#04x}, {} bytes)", payload.len()),
        }
    }
}

/// The bytes are no AudioSocket stream; the connection cannot be used further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A frame longer than [`MAX_PAYLOAD_BYTES`].
    #[error("audiosocket frame of kind {kind:#04x} claims {bytes} bytes, more than {MAX_PAYLOAD_BYTES}")]
    TooLong {
        /// The kind byte.
        kind: u8,
        /// The length that the frame claims.
        bytes: usize,
    },
    /// A frame whose kind has one length only.
    #[error("audiosocket frame of kind {kind:#04x} cannot have {bytes} bytes")]
    WrongLength {
        /// The kind byte.
        kind: u8,
        /// The length of the payload.
        bytes: usize,
    },
}

/// Cuts a byte stream into frames. Feed with [`handle_bytes`](Self::handle_bytes), then drain with
/// [`poll_frame`](Self::poll_frame) until `None`: what stays inside is at most one unfinished frame.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    failed: Option<DecodeError>,
}

impl Decoder {
    /// Takes bytes as they came from the connection.
    pub fn handle_bytes(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Returns the next complete frame; `None` needs more bytes, and an error is final and repeats.
    pub fn poll_frame(&mut self) -> Option<Result<Frame, DecodeError>> {
        if let Some(error) = self.failed {
            return Some(Err(error));
        }
        let [kind, high, low, rest @ ..] = self.buffer.as_slice() else { return None };
        let (kind, length) = (*kind, usize::from(u16::from_be_bytes([*high, *low])));
        let frame = if length > MAX_PAYLOAD_BYTES {
            Err(DecodeError::TooLong { kind, bytes: length })
        } else {
            Frame::parse(kind, rest.get(..length)?)
        };
        match frame {
            Ok(_) => drop(self.buffer.drain(..HEADER_BYTES + length)),
            Err(error) => {
                self.failed = Some(error);
                self.buffer = Vec::new();
            }
        }
        Some(frame)
    }
}

fn encode(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    let payload = payload.get(..MAX_PAYLOAD_BYTES).unwrap_or(payload);
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    out.push(kind);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frames_are_the_documented_bytes() {
        let id = MediaId::from_bytes([0xab; 16]);
        let cases: &[(&str, Frame, &[u8])] = &[
            ("terminate", Frame::Terminate, &[0, 0, 0]),
            ("digit", Frame::Dtmf('5'), &[3, 0, 1, b'5']),
            ("sound", Frame::Slin8(vec![1, 2]), &[0x10, 0, 2, 1, 2]),
            ("wide sound", Frame::Slin16(vec![1, 2]), &[0x12, 0, 2, 1, 2]),
            ("error", Frame::Error(2), &[0xff, 0, 1, 2]),
            (
                "id",
                Frame::Id(id),
                &[1, 0, 16, 171, 171, 171, 171, 171, 171, 171, 171, 171, 171, 171, 171, 171, 171, 171, 171],
            ),
        ];
        for (name, frame, bytes) in cases {
            assert_eq!(encoded(std::slice::from_ref(frame)), *bytes, "{name}");
            assert_eq!(decoded(bytes, bytes.len()), [Ok(frame.clone())], "{name}");
        }
    }

    #[test]
    fn a_frame_that_claims_too_much_ends_the_stream_at_its_header() {
        let mut decoder = Decoder::default();
        decoder.handle_bytes(&[0x10, 0xff, 0xff]);
        let error = DecodeError::TooLong { kind: 0x10, bytes: 65535 };
        assert_eq!(decoder.poll_frame(), Some(Err(error)));
        decoder.handle_bytes(&[0; 100]);
        assert_eq!(decoder.poll_frame(), Some(Err(error)));
    }

    #[test]
    fn an_id_of_another_length_is_refused() {
        assert_eq!(decoded(&[1, 0, 1, 0], 4), [Err(DecodeError::WrongLength { kind: 1, bytes: 1 })]);
    }

    #[test]
    fn a_media_id_reads_what_it_writes() {
        let text = "40ac0a0e-2b4c-4d5e-8f90-0123456789ab";
        assert_eq!(text.parse::<MediaId>().unwrap().to_string(), text);
        for bad in ["", "40ac0a0e", "40ac0a0e-2b4c-4d5e-8f90-0123456789ag", "é"] {
            assert_eq!(bad.parse::<MediaId>(), Err(ParseMediaIdError), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn splitting_the_stream_changes_nothing(frames in vec(frame(), 0..8), at in 1usize..400) {
            let bytes = encoded(&frames);
            let want: Vec<_> = frames.into_iter().map(Ok).collect();
            prop_assert_eq!(decoded(&bytes, at), want);
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in vec(any::<u8>(), 0..2000), at in 1usize..50) {
            let _frames = decoded(&bytes, at);
        }
    }

    fn frame() -> impl Strategy<Value = Frame> {
        prop_oneof![
            Just(Frame::Terminate),
            any::<[u8; 16]>().prop_map(|bytes| Frame::Id(MediaId(bytes))),
            (0u8..128).prop_map(|digit| Frame::Dtmf(char::from(digit))),
            vec(any::<u8>(), 0..700).prop_map(Frame::Slin8),
            vec(any::<u8>(), 0..700).prop_map(Frame::Slin16),
            any::<u8>().prop_map(Frame::Error),
            vec(any::<u8>(), 0..700).prop_map(|payload| Frame::Other { kind: 0x13, payload }),
        ]
    }

    fn encoded(frames: &[Frame]) -> Vec<u8> {
        let mut out = Vec::new();
        frames.iter().for_each(|frame| frame.encode(&mut out));
        out
    }

    fn decoded(bytes: &[u8], piece: usize) -> Vec<Result<Frame, DecodeError>> {
        let mut decoder = Decoder::default();
        let mut frames = Vec::new();
        for piece in bytes.chunks(piece.max(1)) {
            decoder.handle_bytes(piece);
            while let Some(frame) = decoder.poll_frame() {
                let is_final = frame.is_err();
                frames.push(frame);
                if is_final {
                    return frames;
                }
            }
        }
        frames
    }
}
