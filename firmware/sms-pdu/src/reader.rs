//! Reading octets that may not be there.

/// Why octets are not a message that we can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The text of the PDU is not made of pairs of hexadecimal digits.
    #[error("pdu is not hexadecimal")]
    NotHex,
    /// The PDU ends before the field that is named: read it again from the modem.
    #[error("pdu ends inside its {0}")]
    Truncated(&'static str),
    /// The PDU is of a type that does not come from the network (TS 23.040 §9.2.3.1), such as a message that the
    /// user stored.
    #[error("pdu has message type {0}, which is not the one expected here")]
    MessageType(u8),
}

/// A cursor over octets.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    pub(crate) fn octet(&mut self, field: &'static str) -> Result<u8, ParseError> {
        let (&first, rest) = self.rest.split_first().ok_or(ParseError::Truncated(field))?;
        self.rest = rest;
        Ok(first)
    }

    pub(crate) fn take(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], ParseError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(ParseError::Truncated(field))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], ParseError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(ParseError::Truncated(field))?;
        self.rest = rest;
        Ok(*taken)
    }
}
