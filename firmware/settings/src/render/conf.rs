//! The format of Asterisk's files, and the one door for every value.

use std::fmt::Write;

use super::{OnChange, RenderError, RenderedFile};
use crate::places::Places;

/// Asterisk reads lines of at most 8191 bytes and takes what is beyond for a line of its own.
const MAX_VALUE_BYTES: usize = 4096;

const HEADER: &str = "; Written by HomeniChat from its settings at every change: edits here are lost.\n";

/// A file while it is being written.
pub(super) struct Conf {
    file: &'static str,
    text: String,
}

impl Conf {
    pub(super) fn new(file: &'static str) -> Self {
        Self { file, text: HEADER.to_owned() }
    }

    /// Writes lines that explain what follows.
    pub(super) fn comment(&mut self, text: &'static str) -> &mut Self {
        for line in text.lines() {
            self.push(format_args!("; {line}\n"));
        }
        self
    }

    /// Begins a section.
    pub(super) fn section(&mut self, name: &str) -> Result<&mut Self, RenderError> {
        let is_good =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !is_good {
            return Err(self.error("a section", "is no name"));
        }
        self.push(format_args!("\n[{name}]\n"));
        Ok(self)
    }

    /// Writes `key=value`.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<&mut Self, RenderError> {
        self.line(key, "=", value)
    }

    /// Writes `key => value`.
    pub(super) fn object(&mut self, key: &str, value: &str) -> Result<&mut Self, RenderError> {
        self.line(key, " => ", value)
    }

    /// Begins an extension of the dialplan.
    pub(super) fn exten(&mut self, pattern: &str, application: &str) -> Result<&mut Self, RenderError> {
        self.object("exten", &format!("{pattern},1,{application}"))
    }

    /// Writes the next step of an extension.
    pub(super) fn same(&mut self, application: &str) -> Result<&mut Self, RenderError> {
        self.object(" same", &format!("n,{application}"))
    }

    /// Writes the next step of an extension, with a label.
    pub(super) fn label(&mut self, label: &str, application: &str) -> Result<&mut Self, RenderError> {
        self.object(" same", &format!("n({label}),{application}"))
    }

    /// Includes the owner's own additions to this file, which may be absent.
    pub(super) fn additions(&mut self, places: &Places) -> &mut Self {
        let file = self.file;
        self.push(format_args!("\n#tryinclude \"{}/{file}\"\n", places.additions))
    }

    /// Includes another rendered file.
    pub(super) fn include(&mut self, places: &Places, file: &str) -> &mut Self {
        self.push(format_args!("\n#include \"{}/{file}\"\n", places.etc))
    }

    pub(super) fn finish(&mut self, mode: u32, on_change: OnChange) -> RenderedFile {
        RenderedFile { path: self.file, mode, contents: std::mem::take(&mut self.text), on_change }
    }

    fn line(&mut self, key: &str, sign: &str, value: &str) -> Result<&mut Self, RenderError> {
        let value = escape(value).map_err(|problem| self.error(key, problem))?;
        Ok(self.push(format_args!("{key}{sign}{value}\n")))
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) -> &mut Self {
        // Writing to a string has no way to fail.
        self.text.write_fmt(text).unwrap_or_default();
        self
    }

    fn error(&self, key: &str, problem: &'static str) -> RenderError {
        RenderError::Value { file: self.file, key: key.trim().to_owned(), problem }
    }
}

/// Writes a value so that Asterisk reads it back as it is, or says why that cannot be.
///
/// Everything after the sign belongs to the value, brackets and equal signs too, except what a semicolon begins. A
/// backslash before a semicolon takes its meaning away and is then dropped; no other backslash has a meaning.
fn escape(value: &str) -> Result<String, &'static str> {
    if value.chars().any(char::is_control) {
        return Err("holds a line break or another control character");
    }
    if value.trim() != value || value.starts_with('>') {
        return Err("begins or ends with what Asterisk drops");
    }
    if value.len() > MAX_VALUE_BYTES {
        return Err("is too long");
    }
    Ok(value.replace(';', "\\;"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_pass_one_door() {
        let cases: &[(&str, &str, Option<&str>)] = &[
            ("plain", "Two", Some("Two")),
            ("a comment", "a;b", Some("a\\;b")),
            ("an escaped comment", "a\\;b", Some("a\\\\;b")),
            ("a block comment", ";--x", Some("\\;--x")),
            ("brackets are text", "[evil](!)", Some("[evil](!)")),
            ("an equal sign is text", "a=b=>c", Some("a=b=>c")),
            ("an object sign", ">x", None),
            ("a line break", "a\n[evil]", None),
            ("a carriage return", "a\rb", None),
            ("a blank at the end", "a ", None),
            ("an end of text", "a\0b", None),
            ("nothing", "", Some("")),
        ];
        for (name, value, want) in cases {
            assert_eq!(escape(value).ok().as_deref(), *want, "{name}");
        }
        assert!(escape(&"x".repeat(MAX_VALUE_BYTES + 1)).is_err());
    }

    #[test]
    fn a_section_is_a_name() {
        let mut conf = Conf::new("x.conf");
        for bad in ["", "a]", "a b", "a](!)", "é", "a\n"] {
            assert!(conf.section(bad).is_err(), "{bad:?}");
        }
        assert!(conf.section("gsm-in").is_ok());
    }
}
