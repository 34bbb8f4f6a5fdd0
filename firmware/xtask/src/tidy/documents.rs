//! Documents: their length, their links, and names that no file may hold.

use super::Violation;
use super::tree::Tree;

/// Documents with a length that a reader can bear.
const LIMITS: &[(&str, usize)] = &[("docs/architecture.md", 250), ("docs/decisions/", 60)];

/// Hosts of package registries, in two halves so that this file does not hold them. Where packages come from is
/// the machine's own configuration.
const REGISTRY_HOSTS: &[(&str, &str)] = &[
    ("crates", ".io"),
    ("npmjs", ".org"),
    ("npmjs", ".com"),
    ("pypi", ".org"),
    ("pythonhosted", ".org"),
    ("proxy.golang", ".org"),
    ("rubygems", ".org"),
];

/// Checks all documents, and all files for names of registries.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in tree.texts() {
        if path.ends_with(".md") {
            violations.extend(check_length(path, text));
            violations.extend(check_links(tree, path, text));
        }
        // The lock file names its registry by format.
        if !path.ends_with("Cargo.lock") {
            violations.extend(check_hosts(path, text));
        }
    }
    violations
}

fn check_length(path: &str, text: &str) -> Option<Violation> {
    let (_, limit) = LIMITS.iter().find(|(prefix, _)| path.starts_with(prefix))?;
    let lines = text.lines().count();
    (lines > *limit).then(|| Violation::new(path, format!("has {lines} lines and the limit is {limit}: say less")))
}

fn check_links(tree: &Tree, path: &str, text: &str) -> Vec<Violation> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    links(text)
        .filter(|link| !link.contains("://") && !link.starts_with(['#', '/']) && !link.starts_with("mailto:"))
        .filter(|link| !resolves(tree, folder, link.split('#').next().unwrap_or_default()))
        .map(|link| Violation::new(path, format!("links to {link}, which does not exist")))
        .collect()
}

/// The targets of the links of a Markdown text, code blocks left out.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|part| part.split("](").skip(1)).filter_map(|rest| Some(rest.split_once(')')?.0))
}

fn resolves(tree: &Tree, folder: &str, link: &str) -> bool {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return false;
                }
            }
            part => parts.push(part),
        }
    }
    parts.is_empty() || tree.contains(&parts.join("/"))
}

fn check_hosts(path: &str, text: &str) -> Vec<Violation> {
    let hosts = REGISTRY_HOSTS.iter().map(|(name, ending)| format!("{name}{ending}"));
    let line_of = |host: &str| text.lines().position(|line| line.contains(host));
    hosts
        .filter_map(|host| Some((line_of(&host)? + 1, host)))
        .map(|(line, host)| {
            Violation::new(
                path,
                format!("line {line} names the registry {host}: say what is needed, not where it comes from"),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_documents_are_told() {
        let lines = |count| "x\n".repeat(count);
        let cases = [
            ("docs/architecture.md", 250, 251),
            ("docs/decisions/0001-x.md", 60, 61),
            ("docs/glossary.md", 900, usize::MAX),
        ];
        for (path, most, too_many) in cases {
            assert!(check_length(path, &lines(most)).is_none(), "{path}");
            assert!(too_many == usize::MAX || check_length(path, &lines(too_many)).is_some(), "{path}");
        }
    }

    #[test]
    fn links_lead_somewhere() {
        let tree = Tree::of(&[("docs/a.md", ""), ("docs/decisions/1.md", ""), ("README.md", "")]);
        let cases = [
            ("a neighbour", "[x](a.md)", 0),
            ("a heading", "[x](a.md#words) [y](#here)", 0),
            ("a folder", "[x](decisions/)", 0),
            ("above", "[x](../README.md)", 0),
            ("outside", "[x](../../secret.md)", 1),
            ("the web", "[x](https://example.org/a)", 0),
            ("gone", "[x](b.md) and [y](decisions/2.md)", 2),
            ("code", "```\n[x](b.md)\n```\n", 0),
        ];
        for (name, text, want) in cases {
            assert_eq!(check_links(&tree, "docs/glossary.md", text).len(), want, "{name}");
        }
    }

    #[test]
    fn registries_are_not_named() {
        let text = format!("from {}{}\n", "crates", ".io");
        assert_eq!(check_hosts("a.md", &text).len(), 1);
        assert_eq!(check_hosts("a.md", "from the registry\n"), []);
        let lock = Tree::of(&[("Cargo.lock", text.as_str())]);
        assert_eq!(check(&lock), []);
    }
}
