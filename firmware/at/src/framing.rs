//! Bytes to lines.

/// Longest line that is kept, in bytes. The longest legal one is a USSD text in UCS-2 hexadecimal (about 800 characters).
const LONGEST_LINE: usize = 2048;

/// Collects bytes until CR or LF; a line is never empty.
#[derive(Debug, Default)]
pub(crate) struct LineBuffer {
    bytes: Vec<u8>,
    is_overlong: bool,
}

impl LineBuffer {
    /// Whether nothing of a line was seen yet; white space and noise before a line do not count.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.is_overlong
    }

    /// Takes one byte; returns the line that it ends. An overlong line is dropped as a whole.
    pub(crate) fn push(&mut self, byte: u8) -> Option<String> {
        match byte {
            b'\r' | b'\n' => return self.finish(),
            // NUL and 0xFF are what a UART yields while a modem powers up.
            0..=0x1f | 0x7f | 0xff => {}
            b' ' | 0x80.. if self.bytes.is_empty() => {}
            _ if self.bytes.len() >= LONGEST_LINE => self.is_overlong = true,
            _ => self.bytes.push(byte),
        }
        None
    }

    fn finish(&mut self) -> Option<String> {
        let bytes = std::mem::take(&mut self.bytes);
        let is_overlong = std::mem::take(&mut self.is_overlong);
        if bytes.is_empty() || is_overlong {
            return None;
        }
        Some(String::from_utf8_lossy(&bytes).trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut buffer = LineBuffer::default();
        bytes.iter().filter_map(|byte| buffer.push(*byte)).collect()
    }

    #[test]
    fn lines_are_found_in_noise() {
        let overlong = [vec![b'x'; LONGEST_LINE + 1], b"\r\nOK\r\n".to_vec()].concat();
        let table: &[(&str, &[u8], &[&str])] = &[
            ("plain", b"\r\nOK\r\n", &["OK"]),
            ("SIM7600 with CR CR LF", b"\r\r\nRING\r\r\n", &["RING"]),
            ("NUL and 0xFF at boot", b"\0\xff\xffRDY\r\n", &["RDY"]),
            ("noise with the high bit set", b"\xfe\x80RDY\r\n", &["RDY"]),
            ("two results in one write", b"\r\nRING\r\n\r\nOK\r\n", &["RING", "OK"]),
            ("UTF-8 inside", "+COPS: 0,0,\"Telefónica\",7\r\n".as_bytes(), &["+COPS: 0,0,\"Telefónica\",7"]),
            ("no end yet", b"\r\nOK", &[]),
            ("an overlong line takes nothing with it", &overlong, &["OK"]),
        ];
        for (name, bytes, want) in table {
            assert_eq!(lines(bytes), *want, "{name}");
        }
    }
}
