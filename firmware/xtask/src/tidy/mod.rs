//! Checks that a compiler does not make. Each check is a pure function from texts to violations.

mod documents;
mod graph;
mod manifests;
mod metadata;
mod scripts;
mod sources;
mod tree;

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use metadata::Metadata;
use tree::Tree;

/// The file that states which crate may import which.
pub(crate) const GRAPH_FILE: &str = "docs/import-graph.txt";

/// What to do with a golden file that differs from what was found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Golden {
    Check,
    Rewrite,
}

/// One broken promise: where, and what to do about it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    /// Path from the top of the repository.
    pub(crate) file: String,
    pub(crate) message: String,
}

impl Violation {
    pub(crate) fn new(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: file.into(), message: message.into() }
    }
}

/// Everything that a run found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) violations: Vec<Violation>,
    /// Worth knowing, and no reason to fail.
    pub(crate) notes: Vec<Violation>,
    files: usize,
}

impl Report {
    pub(crate) fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        for note in &self.notes {
            text.push_str(&format!("note: {}: {}\n", note.file, note.message));
        }
        for violation in &self.violations {
            text.push_str(&format!("{}: {}\n", violation.file, violation.message));
        }
        match self.violations.len() {
            0 => text.push_str(&format!("tidy: {} files, all in order\n", self.files)),
            count => text.push_str(&format!("tidy: {count} to mend in {} files\n", self.files)),
        }
        text
    }
}

/// Runs every check on the repository at `root`.
pub(crate) fn run(root: &Path, golden: Golden) -> anyhow::Result<Report> {
    let metadata = Metadata::read(root)?;
    if golden == Golden::Rewrite {
        let path = root.join(GRAPH_FILE);
        fs::write(&path, graph::render(&metadata)).with_context(|| format!("failed to write {}", path.display()))?;
    }
    let tree = Tree::read(root)?;
    let mut report = Report { files: tree.len(), ..Report::default() };
    report.violations.extend(graph::check(&metadata, tree.text(GRAPH_FILE)));
    report.violations.extend(graph::check_forbidden(tree.text("Cargo.lock").unwrap_or_default()));
    report.violations.extend(manifests::check(&tree));
    report.violations.extend(scripts::check(&tree));
    report.violations.extend(sources::check(&tree, &metadata));
    report.violations.extend(documents::check(&tree));
    report.notes.extend(sources::long_files(&tree));
    report.violations.sort();
    report.notes.sort();
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_file_and_remedy_and_counts() {
        let report = Report {
            violations: vec![Violation::new("scripts/run", "has 300 lines: split it")],
            notes: vec![Violation::new("a.rs", "has 500 lines")],
            files: 2,
        };
        assert_eq!(
            report.render(),
            "note: a.rs: has 500 lines\nscripts/run: has 300 lines: split it\ntidy: 1 to mend in 2 files\n"
        );
        assert!(!report.is_clean());
    }
}
