//! Passwords that the box makes for itself.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::document::Settings;
use crate::words::ExtensionNumber;

const PASSWORD_CHARS: usize = 24;
const PIN_DIGITS: usize = 6;
const MAX_SECRET_CHARS: usize = 128;
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A password or a PIN. `Debug` hides it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Secret(String);

impl Secret {
    /// Takes a password that somebody chose.
    ///
    /// # Errors
    /// When it is empty, very long, or holds what SIP phones cannot send: control characters, or blanks around it.
    pub fn new(text: &str) -> Result<Self, SecretsError> {
        let length = text.chars().count();
        let is_good = (1..=MAX_SECRET_CHARS).contains(&length) && !text.chars().any(char::is_control);
        if is_good && text.trim() == text { Ok(Self(text.to_owned())) } else { Err(SecretsError::BadSecret) }
    }

    /// Returns the secret in clear, for the one who must send it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn is_missing(&self) -> bool {
        self.0.is_empty()
    }

    fn generate(chars: usize, alphabet: &[u8], random: &mut dyn FnMut(&mut [u8])) -> Self {
        let modulus = u32::try_from(alphabet.len()).unwrap_or(u32::MAX);
        let mut one = || {
            let mut bytes = [0; 4];
            random(&mut bytes);
            // The remainder of 32 bits favours no character by more than one part in 10^7.
            let index = u32::from_le_bytes(bytes) % modulus;
            usize::try_from(index).ok().and_then(|index| alphabet.get(index)).map_or('0', |byte| char::from(*byte))
        };
        Self((0..chars).map(|_| one()).collect())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl TryFrom<String> for Secret {
    type Error = SecretsError;

    fn try_from(text: String) -> Result<Self, SecretsError> {
        Self::new(&text)
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        secret.0
    }
}

/// Why a secrets document is refused.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// A password that cannot be used.
    #[error("a password has 1 to {MAX_SECRET_CHARS} characters, no control character and no blank around it")]
    BadSecret,
    /// Not a secrets document. The parser's own words are left out, because they quote what they stumbled over.
    #[error("secrets cannot be read, because of line {line}: repair it, or remove the file to have new ones made")]
    Unreadable {
        /// The line, counted from 1.
        line: usize,
    },
    /// Cannot be written.
    #[error("secrets cannot be written")]
    Encode(#[source] toml::ser::Error),
}

/// All secrets of the box. They live in a file of their own, readable by the box alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// The password of our ARI user.
    pub ari_password: Secret,
    /// The password of our manager user.
    pub ami_password: Secret,
    /// The secrets of each extension. Those of an extension that is gone stay, so that it can come back.
    #[serde(default)]
    pub extensions: BTreeMap<ExtensionNumber, ExtensionSecrets>,
}

/// The secrets of an extension.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtensionSecrets {
    /// What the phone is configured with.
    pub sip_password: Secret,
    /// What opens the mailbox from elsewhere.
    pub voicemail_pin: Secret,
}

impl Secrets {
    /// Makes every secret that is missing and keeps the others; tells whether anything was made.
    ///
    /// `random` fills a buffer with unpredictable bytes.
    pub fn ensure(&mut self, settings: &Settings, random: &mut dyn FnMut(&mut [u8])) -> bool {
        let before = self.clone();
        let ensure = |secret: &mut Secret, chars, alphabet, random: &mut dyn FnMut(&mut [u8])| {
            if secret.is_missing() {
                *secret = Secret::generate(chars, alphabet, random);
            }
        };
        ensure(&mut self.ari_password, PASSWORD_CHARS, ALPHABET, random);
        ensure(&mut self.ami_password, PASSWORD_CHARS, ALPHABET, random);
        for extension in &settings.extensions {
            let secrets = self.extensions.entry(extension.number.clone()).or_default();
            ensure(&mut secrets.sip_password, PASSWORD_CHARS, ALPHABET, random);
            ensure(&mut secrets.voicemail_pin, PIN_DIGITS, b"0123456789", random);
        }
        *self != before
    }

    /// Reads a secrets document.
    ///
    /// # Errors
    /// When it is no TOML or no secrets document.
    pub fn parse(text: &str) -> Result<Self, SecretsError> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            SecretsError::Unreadable { line: before.matches('\n').count() + 1 }
        })
    }

    /// Writes the document.
    ///
    /// # Errors
    /// When a value has no form in TOML, which no secret has.
    pub fn encode(&self) -> Result<String, SecretsError> {
        toml::to_string_pretty(self).map_err(SecretsError::Encode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_made_once() {
        let settings = Settings::shipped();
        let mut secrets = Secrets::default();
        assert!(secrets.ensure(&settings, &mut counting()));
        let first = secrets.clone();
        assert!(!secrets.ensure(&settings, &mut counting()));
        assert_eq!(secrets, first);
        assert_eq!(Secrets::parse(&secrets.encode().unwrap()).unwrap(), secrets);
    }

    #[test]
    fn no_two_secrets_are_alike_and_all_are_long() {
        let mut secrets = Secrets::default();
        secrets.ensure(&Settings::shipped(), &mut counting());
        let mut all: Vec<&str> = vec![secrets.ari_password.expose(), secrets.ami_password.expose()];
        all.extend(secrets.extensions.values().map(|extension| extension.sip_password.expose()));
        assert!(all.iter().all(|secret| secret.len() == PASSWORD_CHARS), "{all:?}");
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 5);
        let pins = secrets.extensions.values().map(|extension| extension.voicemail_pin.expose());
        assert!(pins.clone().all(|pin| pin.len() == PIN_DIGITS && pin.bytes().all(|byte| byte.is_ascii_digit())));
    }

    #[test]
    fn debug_shows_no_secret() {
        let mut secrets = Secrets::default();
        secrets.ensure(&Settings::shipped(), &mut counting());
        assert!(!format!("{secrets:?}").contains(secrets.ari_password.expose()));
    }

    #[test]
    fn an_unreadable_secret_is_not_quoted() {
        let error = Secrets::parse("ari_password = \"a\"\nami_password = hunter2\n").unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn a_password_that_no_phone_can_send_is_refused() {
        for bad in ["", " a", "a\nb", "a\u{7f}"] {
            assert!(Secret::new(bad).is_err(), "{bad:?}");
        }
        assert!(Secret::new(";[x]=>\\").is_ok());
    }

    fn counting() -> impl FnMut(&mut [u8]) {
        let mut state: u32 = 1;
        move |bytes| {
            for byte in bytes {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = state.to_be_bytes()[0];
            }
        }
    }
}
