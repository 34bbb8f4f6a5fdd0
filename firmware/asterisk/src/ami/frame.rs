use std::fmt;

/// The longest line that is accepted.
const MAX_LINE_BYTES: usize = 16 * 1024;

/// The most fields that one message may have.
const MAX_FIELDS: usize = 1024;

/// A message of the manager interface: an event or a response, as ordered fields. `Debug` shows keys only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Message {
    fields: Vec<(String, String)>,
}

impl Message {
    /// Returns the first value of `key`, compared without regard to case.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str())
    }

    /// Returns every field in the order of arrival; `Output` and variables come several times.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    fn push(&mut self, line: &str) {
        let (key, value) = line.split_once(':').unwrap_or((line, ""));
        self.fields.push((key.trim().to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned()));
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fields.iter().map(|(key, _)| key)).finish()
    }
}

/// The bytes are not the manager interface; the connection cannot be used further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A line without end.
    #[error("ami line is longer than {MAX_LINE_BYTES} bytes")]
    LineTooLong,
    /// A message without end.
    #[error("ami message has more than {MAX_FIELDS} fields")]
    TooManyFields,
}

/// What the decoder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// The greeting, sent once: `Asterisk Call Manager/9.0.0`.
    Banner,
    /// A message.
    Message(Message),
}

/// Cuts a byte stream into messages, with bounds on every length.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    message: Message,
    has_banner: bool,
    failed: Option<FrameError>,
}

impl Decoder {
    /// Takes bytes as they came from the connection.
    pub fn handle_bytes(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Returns the next complete message, passing over the greeting; an error is final and repeats.
    pub fn poll_message(&mut self) -> Option<Result<Message, FrameError>> {
        loop {
            match self.poll_frame()? {
                Ok(Frame::Banner) => {}
                Ok(Frame::Message(message)) => return Some(Ok(message)),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    pub(super) fn poll_frame(&mut self) -> Option<Result<Frame, FrameError>> {
        loop {
            if let Some(error) = self.failed {
                return Some(Err(error));
            }
            let Some(line) = self.take_line() else {
                if self.buffer.len() > MAX_LINE_BYTES {
                    self.fail(FrameError::LineTooLong);
                    continue;
                }
                return None;
            };
            if line.len() > MAX_LINE_BYTES {
                self.fail(FrameError::LineTooLong);
            } else if !self.has_banner {
                self.has_banner = true;
                return Some(Ok(Frame::Banner));
            } else if !line.is_empty() {
                self.message.push(&line);
            } else if !self.message.fields.is_empty() {
                return Some(Ok(Frame::Message(std::mem::take(&mut self.message))));
            }
            if self.message.fields.len() > MAX_FIELDS {
                self.fail(FrameError::TooManyFields);
            }
        }
    }

    fn take_line(&mut self) -> Option<String> {
        let end = self.buffer.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        let text = String::from_utf8_lossy(&line);
        Some(text.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn fail(&mut self, error: FrameError) {
        self.failed = Some(error);
        self.buffer = Vec::new();
        self.message = Message::default();
    }
}

/// A field of an action would end its line early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value of ami field {key} holds a line break or another control character")]
pub struct InvalidField {
    /// The field.
    pub key: &'static str,
}

/// An action: what we ask Asterisk to do. `Debug` shows the name and the keys only.
#[derive(Clone, PartialEq, Eq)]
pub struct Action {
    name: &'static str,
    fields: Vec<(&'static str, String)>,
}

impl Action {
    /// Makes an action without fields.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self { name, fields: Vec::new() }
    }

    /// Adds a field.
    ///
    /// # Errors
    /// When `value` holds a control character, which could begin a field or an action of its own.
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Result<Self, InvalidField> {
        let value = value.into();
        if value.chars().any(char::is_control) {
            return Err(InvalidField { key });
        }
        self.fields.push((key, value));
        Ok(self)
    }

    /// The name of the action.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn encode(&self, id: &str) -> Vec<u8> {
        let mut text = format!("Action: {}\r\nActionID: {id}\r\n", self.name);
        for (key, value) in &self.fields {
            text.push_str(&format!("{key}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.into_bytes()
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        self.fields.iter().try_for_each(|(key, _)| write!(f, " {key}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const STREAM: &str = "Asterisk Call Manager/9.0.0\r\nResponse: Success\r\nActionID: 1\r\nMessage: hi: there\r\n\r\n\
                          \r\nEvent: FullyBooted\r\nEmpty: \r\nNoColon\r\n\r\n";

    #[test]
    fn messages_keep_their_fields_in_order() {
        let messages = decoded(STREAM.as_bytes(), STREAM.len());
        let [Ok(first), Ok(second)] = messages.as_slice() else { panic!("{messages:?}") };
        assert_eq!(first.field("message"), Some("hi: there"));
        let fields: Vec<_> = second.fields().collect();
        assert_eq!(fields, [("Event", "FullyBooted"), ("Empty", ""), ("NoColon", "")]);
    }

    #[test]
    fn endless_lines_and_messages_are_refused() {
        let line = format!("banner\n{}", "x".repeat(MAX_LINE_BYTES + 2));
        assert_eq!(decoded(line.as_bytes(), 100), [Err(FrameError::LineTooLong)]);
        let message = format!("banner\n{}", "a: b\n".repeat(MAX_FIELDS + 1));
        assert_eq!(decoded(message.as_bytes(), 100), [Err(FrameError::TooManyFields)]);
    }

    #[test]
    fn a_value_cannot_begin_a_field_of_its_own() {
        let evil = Action::new("Setvar").with("Value", "x\r\nAction: Originate");
        assert_eq!(evil, Err(InvalidField { key: "Value" }));
    }

    proptest! {
        #[test]
        fn splitting_the_stream_changes_nothing(at in 1usize..200) {
            prop_assert_eq!(decoded(STREAM.as_bytes(), at), decoded(STREAM.as_bytes(), STREAM.len()));
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in vec(any::<u8>(), 0..500), at in 1usize..20) {
            let _messages = decoded(&bytes, at);
        }
    }

    fn decoded(bytes: &[u8], piece: usize) -> Vec<Result<Message, FrameError>> {
        let mut decoder = Decoder::default();
        let mut messages = Vec::new();
        for piece in bytes.chunks(piece.max(1)) {
            decoder.handle_bytes(piece);
            while let Some(message) = decoder.poll_message() {
                let is_final = message.is_err();
                messages.push(message);
                if is_final {
                    return messages;
                }
            }
        }
        messages
    }
}
