//! Manifests: every crate takes the workspace's lints, and every dependency has its reason.

use std::collections::BTreeSet;

use toml::Table;

use super::Violation;
use super::tree::Tree;

const DECISION: &str = "docs/decisions/0002-dependencies.md";

/// Checks all manifests of the workspace.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    let manifests = tree.texts().filter(|(path, _)| path.ends_with("/Cargo.toml"));
    for (path, text) in manifests {
        violations.extend(check_member(path, text));
        violations.extend(check_crate_document(tree, path.trim_end_matches("Cargo.toml")));
    }
    violations
        .extend(check_reasons(tree.text("Cargo.toml").unwrap_or_default(), tree.text(DECISION).unwrap_or_default()));
    violations
}

fn check_member(path: &str, text: &str) -> Vec<Violation> {
    let Ok(manifest) = text.parse::<Table>() else {
        return vec![Violation::new(path, "is not TOML")];
    };
    let mut violations = Vec::new();
    let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool);
    if inherits != Some(true) {
        violations
            .push(Violation::new(path, "does not take the workspace's lints: add `[lints]` with `workspace = true`"));
    }
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let entries = manifest.get(section).and_then(toml::Value::as_table).into_iter().flatten();
        for (name, _) in entries.filter(|(_, entry)| entry.get("workspace").is_none()) {
            let message = format!(
                "gives {name} its own version: put it in [workspace.dependencies] and say `{name}.workspace = true`"
            );
            violations.push(Violation::new(path, message));
        }
    }
    violations
}

fn check_crate_document(tree: &Tree, folder: &str) -> Vec<Violation> {
    ["src/lib.rs", "src/main.rs"]
        .into_iter()
        .map(|name| format!("{folder}{name}"))
        .filter(|path| tree.text(path).is_some_and(|text| !text.trim_start().starts_with("//!")))
        .map(|path| {
            Violation::new(
                path,
                "does not begin with a `//!` document: say what the crate is for and what it does not know",
            )
        })
        .collect()
}

/// Checks that the packages of the workspace and the rows of the decision record are the same set.
fn check_reasons(manifest: &str, decision: &str) -> Vec<Violation> {
    let used = outside_packages(manifest);
    let named = rows(decision);
    let unexplained = used
        .difference(&named)
        .map(|name| format!("has no row for {name}: say what it is for, why not our own code, and its licence"));
    let unused = named
        .difference(&used)
        .map(|name| format!("has a row for {name}, which the workspace does not use: remove it"));
    unexplained.chain(unused).map(|message| Violation::new(DECISION, message)).collect()
}

fn outside_packages(manifest: &str) -> BTreeSet<String> {
    let Ok(manifest) = manifest.parse::<Table>() else {
        return BTreeSet::new();
    };
    let dependencies =
        manifest.get("workspace").and_then(|workspace| workspace.get("dependencies")).and_then(toml::Value::as_table);
    let outside = dependencies.into_iter().flatten().filter(|(_, entry)| entry.get("path").is_none());
    outside.map(|(name, _)| name.clone()).collect()
}

/// The names in the first column of the tables of a document: ``| `name` | …``.
fn rows(document: &str) -> BTreeSet<String> {
    document.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_inherit_lints_and_versions() {
        let cases = [
            ("in order", "[dependencies]\na.workspace = true\n[lints]\nworkspace = true\n", 0),
            ("no lints", "[dependencies]\n", 1),
            ("own lints", "[lints.rust]\nunsafe_code = \"forbid\"\n", 1),
            ("own version", "[dev-dependencies]\na = \"1\"\n[lints]\nworkspace = true\n", 1),
            ("own path", "[dependencies]\na = { path = \"../a\" }\n[lints]\nworkspace = true\n", 1),
            ("not TOML", "[lints", 1),
        ];
        for (name, text, want) in cases {
            assert_eq!(check_member("a/Cargo.toml", text).len(), want, "{name}");
        }
    }

    #[test]
    fn a_crate_begins_with_its_document() {
        let tree = Tree::of(&[("a/src/lib.rs", "//! Words.\n"), ("b/src/main.rs", "fn main() {}\n")]);
        assert_eq!(check_crate_document(&tree, "a/"), []);
        assert_eq!(check_crate_document(&tree, "b/").len(), 1);
    }

    #[test]
    fn dependencies_and_their_reasons_are_the_same_set() {
        let manifest = "[workspace.dependencies]\nat = { path = \"x\" }\nserde = \"1\"\ntoml = { version = \"1\" }\n";
        let found = check_reasons(manifest, "| crate | why |\n|---|---|\n| `serde` | x |\n| `old` | y |\n");
        let told: Vec<&str> = found.iter().filter_map(|violation| violation.message.split([':', ',']).next()).collect();
        assert_eq!(told, ["has no row for toml", "has a row for old"]);
    }
}
