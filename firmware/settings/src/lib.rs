//! What the owner of a box can set, and what Asterisk reads of it.
//!
//! [`Settings`] is the document: parsed from TOML, upgraded from older versions, refused with the name of the key that
//! is wrong. [`Secrets`] are the passwords that the box makes for itself. [`render`] turns both into the files of
//! Asterisk 22, as values: writing them is the supervisor's part, and so is to obey [`OnChange`].
//!
//! Nothing that an owner can write into a name or that stands in a password can change the structure of a rendered
//! file: every value passes one door, which refuses or escapes what Asterisk's format gives a meaning.
//!
//! ```
//! use settings::{LineIds, Places, Secrets, Settings, render};
//!
//! let settings = Settings::for_laptop();
//! let mut secrets = Secrets::default();
//! secrets.ensure(&settings, &mut |bytes: &mut [u8]| bytes.fill(7));
//! let files = render(&settings, &secrets, &Places::under("/tmp/box"), &LineIds::new())?;
//! assert!(files.iter().any(|file| file.path == "pjsip.conf"));
//! # Ok::<(), settings::RenderError>(())
//! ```

mod check;
mod document;
mod edit;
mod network;
mod places;
mod render;
mod secret;
mod words;

pub use check::SettingsError;
pub use document::{
    AsteriskPorts, BoxSettings, Emergency, EmergencyPolicy, Extension, Greeting, Http, Https, LineSettings, Mdns, Rtp,
    Settings, Sip, Sms, VERSION, Voicemail,
};
pub use edit::change_box;
pub use network::{InterfaceAddress, Network, render_network};
pub use places::Places;
pub use render::{LineIds, OnChange, RenderError, RenderedFile, render};
pub use secret::{ExtensionSecrets, Secret, Secrets, SecretsError};
pub use words::{Country, ExtensionNumber, InterfaceName, Language, LinePrefix, Name, WordError};
