//! The part of `cargo metadata` that the checks need.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

/// The crates of the workspace and all that they depend on, on Linux.
#[derive(Debug)]
pub(crate) struct Metadata {
    crates: Vec<Crate>,
    /// What each package is linked with, by package id.
    normal: BTreeMap<String, Vec<String>>,
    /// The name of each package, by package id.
    names: BTreeMap<String, String>,
}

/// A member of the workspace.
#[derive(Debug)]
pub(crate) struct Crate {
    pub(crate) name: String,
    id: String,
    /// Packages that it names for linking.
    pub(crate) normal: BTreeSet<String>,
    /// Packages that it names only for tests, examples and build scripts.
    pub(crate) other: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Document {
    packages: Vec<Package>,
    resolve: Resolve,
    workspace_members: Vec<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<NodeDependency>,
}

#[derive(Deserialize)]
struct NodeDependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

impl Metadata {
    /// Asks cargo about the workspace at `root`; uses the network only for packages that were never downloaded.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--filter-platform"])
            .arg(format!("{}-unknown-linux-gnu", std::env::consts::ARCH))
            .current_dir(root)
            .output()
            .context("failed to start `cargo metadata`")?;
        ensure!(output.status.success(), "`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr));
        Self::parse(&String::from_utf8_lossy(&output.stdout))
    }

    /// Reads the JSON of `cargo metadata --format-version 1`.
    pub(crate) fn parse(json: &str) -> anyhow::Result<Self> {
        let document: Document = serde_json::from_str(json).context("failed to read the answer of `cargo metadata`")?;
        let mut crates: Vec<Crate> = document
            .packages
            .iter()
            .filter(|package| document.workspace_members.contains(&package.id))
            .map(Crate::from)
            .collect();
        crates.sort_by(|a, b| a.name.cmp(&b.name));
        let names = document.packages.into_iter().map(|package| (package.id, package.name)).collect();
        let normal = document.resolve.nodes.into_iter().map(|node| (node.id, linked(node.deps))).collect();
        Ok(Self { crates, normal, names })
    }

    /// The members of the workspace, by name.
    pub(crate) fn crates(&self) -> &[Crate] {
        &self.crates
    }

    /// All that `member` is linked with, at any depth, with the package through which each came in.
    pub(crate) fn linked_with(&self, member: &Crate) -> BTreeMap<&str, &str> {
        let mut found = BTreeMap::new();
        let mut seen = BTreeSet::from([member.id.as_str()]);
        let mut open = vec![member.id.as_str()];
        while let Some(id) = open.pop() {
            let via = self.names.get(id).map_or("", String::as_str);
            for dependency in self.normal.get(id).into_iter().flatten() {
                if seen.insert(dependency) {
                    open.push(dependency);
                    found.insert(self.names.get(dependency).map_or("", String::as_str), via);
                }
            }
        }
        found
    }
}

impl From<&Package> for Crate {
    fn from(package: &Package) -> Self {
        let (normal, other): (Vec<_>, Vec<_>) = package.dependencies.iter().partition(|entry| entry.kind.is_none());
        let names = |entries: Vec<&Dependency>| entries.into_iter().map(|entry| entry.name.clone()).collect();
        Self { name: package.name.clone(), id: package.id.clone(), normal: names(normal), other: names(other) }
    }
}

fn linked(dependencies: Vec<NodeDependency>) -> Vec<String> {
    dependencies
        .into_iter()
        .filter(|dependency| dependency.dep_kinds.iter().any(|entry| entry.kind.is_none()))
        .map(|dependency| dependency.pkg)
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Metadata of a workspace in which each line is `crate: dependency dependency` and a dependency in
    /// brackets is for tests only; names without a line are packages from outside.
    pub(crate) fn workspace(lines: &[&str]) -> Metadata {
        let mut packages = BTreeMap::<String, Vec<(String, bool)>>::new();
        let mut members = Vec::new();
        for line in lines {
            let (name, rest) = line.split_once(':').unwrap();
            if !name.starts_with('~') {
                members.push(name.to_owned());
            }
            let name = name.trim_start_matches('~').to_owned();
            for word in rest.split_whitespace() {
                let bare = word.trim_matches(['[', ']']).to_owned();
                packages.entry(bare.clone()).or_default();
                packages.entry(name.clone()).or_default().push((bare, word.starts_with('[')));
            }
            packages.entry(name).or_default();
        }
        let kind = |is_dev: bool| is_dev.then_some("dev");
        let json = serde_json::json!({
            "workspace_members": members,
            "packages": packages.iter().map(|(name, dependencies)| serde_json::json!({
                "id": name, "name": name,
                "dependencies": dependencies.iter().map(|(name, dev)| serde_json::json!({"name": name, "kind": kind(*dev)})).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "resolve": {"nodes": packages.iter().map(|(name, dependencies)| serde_json::json!({
                "id": name,
                "deps": dependencies.iter().map(|(name, dev)| serde_json::json!({"pkg": name, "dep_kinds": [{"kind": kind(*dev)}]})).collect::<Vec<_>>(),
            })).collect::<Vec<_>>()},
        });
        Metadata::parse(&json.to_string()).unwrap()
    }

    #[test]
    fn what_is_linked_is_followed_to_its_end_and_test_dependencies_are_not() {
        let metadata = workspace(&["modem: at [tokio]", "at: memchr", "~memchr: libc"]);
        let modem = metadata.crates().iter().find(|member| member.name == "modem").unwrap();
        assert_eq!(
            metadata.linked_with(modem),
            BTreeMap::from([("at", "modem"), ("libc", "memchr"), ("memchr", "at")])
        );
        assert_eq!(modem.other, BTreeSet::from(["tokio".to_owned()]));
    }

    #[test]
    fn an_unreadable_answer_is_an_error() {
        assert!(Metadata::parse("{}").is_err());
    }
}
