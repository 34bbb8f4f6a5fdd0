use std::fmt::Write;

/// Appends `text` with every byte escaped that is not unreserved (RFC 3986 §2.3).
pub(super) fn encode_into(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a string has no way to fail.
            write!(out, "%{byte:02X}").unwrap_or_default();
        }
    }
}
