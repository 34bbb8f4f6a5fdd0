//! The files of the repository, read once.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;

/// Folders at the top that hold products, not sources (see `.gitignore`).
const NOT_SOURCES: &[&str] = &[".git", ".cache", "run", "target"];

/// Every source file, by its path from the top of the repository.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, File>,
}

#[derive(Debug)]
struct File {
    /// Absent for a file that is not UTF-8.
    text: Option<String>,
    is_executable: bool,
}

impl Tree {
    /// Reads all files under `root`, without the folders that hold products.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut tree = Self::default();
        tree.read_folder(root, "")?;
        Ok(tree)
    }

    /// The text of the file at `path`, when there is one.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.text.as_deref()
    }

    /// Whether `path` is a file or a folder with files in it.
    pub(crate) fn contains(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        self.files.contains_key(path) || self.files.keys().any(|file| file.starts_with(&folder))
    }

    pub(crate) fn is_executable(&self, path: &str) -> bool {
        self.files.get(path).is_some_and(|file| file.is_executable)
    }

    /// Path and text of every text file.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, file)| Some((path.as_str(), file.text.as_deref()?)))
    }

    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> anyhow::Result<()> {
        let context = || format!("failed to list {}", folder.display());
        for entry in fs::read_dir(folder).with_context(context)? {
            let entry = entry.with_context(context)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if prefix.is_empty() && NOT_SOURCES.contains(&name.as_str()) {
                continue;
            }
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().with_context(context)?;
            if kind.is_dir() {
                // A target directory that CARGO_TARGET_DIR puts inside the repository.
                if !entry.path().join("CACHEDIR.TAG").exists() {
                    self.read_folder(&entry.path(), &format!("{path}/"))?;
                }
            } else if kind.is_file() {
                let context = || format!("failed to read {path}");
                let bytes = fs::read(entry.path()).with_context(context)?;
                let mode = entry.metadata().with_context(context)?.permissions().mode();
                self.files.insert(path, File { text: String::from_utf8(bytes).ok(), is_executable: mode & 0o111 != 0 });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
impl Tree {
    /// A tree with these files, none of them executable.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |text: &str| File { text: Some(text.to_owned()), is_executable: false };
        Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), file(text))).collect() }
    }

    pub(crate) fn with_executable(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), File { text: Some(text.to_owned()), is_executable: true });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_read_without_its_products() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let tree = Tree::read(root).unwrap();
        assert!(tree.text("Cargo.toml").is_some_and(|text| text.contains("[workspace]")));
        assert!(tree.contains("firmware/xtask/src"));
        assert!(tree.is_executable("scripts/provision-asterisk"));
        assert!(tree.texts().all(|(path, _)| !path.starts_with("target/") && !path.starts_with(".git/")));
    }
}
