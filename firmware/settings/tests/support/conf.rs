//! A reader of Asterisk's file format that shares nothing with the writer.

/// One line that says something: its section, its key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The section and its place in the file, because two sections may have one name.
    pub(crate) section: (usize, String),
    /// What is before the sign.
    pub(crate) key: String,
    /// What is after it, with escapes undone.
    pub(crate) value: String,
}

/// Reads a file the way Asterisk's `config.c` documents it; panics where Asterisk would complain.
pub(crate) fn read(text: &str) -> Vec<Entry> {
    let mut section = (0, String::new());
    let mut entries = Vec::new();
    for line in text.split('\n') {
        let line = without_comment(line);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            let (name, rest) = rest.split_once(']').expect("a section ends");
            assert!(rest.is_empty(), "a section with options: {line}");
            section = (section.0 + 1, name.to_owned());
            continue;
        }
        let (key, value) = line.split_once('=').expect("a key has a value");
        let value = value.strip_prefix('>').unwrap_or(value);
        assert!(section.0 > 0, "a key before the first section: {line}");
        entries.push(Entry { section: section.clone(), key: key.trim().to_owned(), value: value.trim().to_owned() });
    }
    entries
}

fn without_comment(line: &str) -> String {
    let mut out = String::new();
    for c in line.chars() {
        if c == ';' && !out.ends_with('\\') {
            break;
        }
        if c == ';' {
            out.pop();
        }
        out.push(c);
    }
    out
}
