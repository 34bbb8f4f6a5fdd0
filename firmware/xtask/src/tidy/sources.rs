//! Rust files: their length, and effects that a pure crate would take from the standard library.

use super::Violation;
use super::graph::PURE;
use super::metadata::Metadata;
use super::tree::Tree;

const WANTED: usize = 400;
const LONGEST: usize = 700;
const LONGEST_FUNCTION: usize = 60;

/// Parts of the standard library with effects. Plain data of the same modules (`std::net::IpAddr`) is allowed.
const EFFECTS: &[&str] = &[
    "Instant::now",
    "SystemTime::now",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "UnixDatagram",
    "UnixListener",
    "UnixStream",
    "std::env::",
    "std::fs",
    "std::process",
    "std::thread",
];

/// Checks all Rust files.
pub(crate) fn check(tree: &Tree, metadata: &Metadata) -> Vec<Violation> {
    let is_member = |name: &str| metadata.crates().iter().any(|member| member.name == name);
    let mut violations = Vec::new();
    for (path, text) in rust_files(tree) {
        let lines = text.lines().count();
        if lines > LONGEST {
            violations.push(Violation::new(
                path,
                format!("has {lines} lines and the limit is {LONGEST}: split it by what it knows"),
            ));
        }
        let member = crate_of(path);
        if member.is_some() {
            violations.extend(check_functions(path, text));
        }
        if member.is_some_and(|name| PURE.contains(&name) && is_member(name)) {
            violations.extend(check_purity(path, text));
        }
    }
    violations
}

/// Files that are longer than we want and not yet too long.
pub(crate) fn long_files(tree: &Tree) -> Vec<Violation> {
    let lengths = rust_files(tree).map(|(path, text)| (path, text.lines().count()));
    let long = lengths.filter(|(_, lines)| (WANTED + 1..=LONGEST).contains(lines));
    long.map(|(path, lines)| Violation::new(path, format!("has {lines} lines, more than the {WANTED} we want")))
        .collect()
}

fn rust_files(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.texts().filter(|(path, _)| path.ends_with(".rs"))
}

/// The crate under `firmware/` whose shipped sources hold `path`; tests and examples are not shipped.
fn crate_of(path: &str) -> Option<&str> {
    let (name, rest) = path.strip_prefix("firmware/")?.split_once('/')?;
    let is_test = rest.ends_with("/tests.rs") || rest.contains("/tests/");
    (rest.starts_with("src/") && !is_test).then_some(name)
}

/// Checks the length of functions in formatted sources, where a function ends with a brace below its first letter.
fn check_functions(path: &str, text: &str) -> Vec<Violation> {
    let lines: Vec<&str> = shipped(text).lines().collect();
    let mut violations = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let closing = format!("{}}}", " ".repeat(line.len() - line.trim_start().len()));
        let length = lines.iter().skip(start).position(|line| *line == closing).map_or(0, |end| end + 1);
        if length > LONGEST_FUNCTION && line.ends_with(['{', '(']) {
            let message =
                format!("{name} has {length} lines and the limit is {LONGEST_FUNCTION}: give its steps names");
            violations.push(Violation::new(path, message));
        }
    }
    violations
}

/// The name of the function that a line begins.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.trim_start().split_once("fn ")?;
    let is_declared =
        before.split_whitespace().all(|word| ["async", "const"].contains(&word) || word.starts_with("pub"));
    let after = is_declared.then_some(after)?;
    Some(after.split(['(', '<']).next().unwrap_or(after))
}

/// A file without the tests at its end.
fn shipped(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

fn check_purity(path: &str, text: &str) -> Vec<Violation> {
    let lines = shipped(text).lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines
        .filter_map(|(number, line)| Some((number + 1, EFFECTS.iter().find(|effect| line.contains(**effect))?)))
        .map(|(number, effect)| {
            Violation::new(path, format!("line {number} uses {effect} in a pure crate: take it as an argument"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::metadata::tests::workspace;
    use super::*;

    #[test]
    fn length_is_noted_and_then_refused() {
        let tree = Tree::of(&[
            ("a.rs", &"x\n".repeat(400)),
            ("b.rs", &"x\n".repeat(401)),
            ("c.rs", &"x\n".repeat(700)),
            ("d.rs", &"x\n".repeat(701)),
            ("e.txt", &"x\n".repeat(900)),
        ]);
        let files = |found: Vec<Violation>| found.into_iter().map(|violation| violation.file).collect::<Vec<_>>();
        assert_eq!(files(long_files(&tree)), ["b.rs", "c.rs"]);
        assert_eq!(files(check(&tree, &workspace(&[]))), ["d.rs"]);
    }

    #[test]
    fn long_functions_are_told_by_name() {
        let body = |lines| "    x;\n".repeat(lines);
        let cases = [
            ("at the limit", format!("fn f() {{\n{}}}\n", body(58)), None),
            ("too long", format!("pub(crate) async fn f<T>(\n) {{\n{}}}\n", body(58)), Some("f has 61 lines")),
            ("in a block", format!("impl A {{\n    fn g() {{\n{}    }}\n}}\n", body(60)), Some("g has 62 lines")),
            ("a declaration", format!("fn f();\nstruct A {{\n{}}}\n", body(80)), None),
            ("a comment", format!("// fn f() {{\n{}}}\n", body(80)), None),
            ("a test", format!("#[cfg(test)]\nfn f() {{\n{}}}\n", body(80)), None),
        ];
        for (name, text, want) in cases {
            let found = check_functions("a.rs", &text);
            let told = found.first().map(|violation| violation.message.split(" and").next().unwrap_or_default());
            assert_eq!(told, want, "{name}");
        }
    }

    #[test]
    fn a_pure_crate_takes_no_effects_from_the_standard_library() {
        let cases = [
            ("a file", "use std::fs;\n", 1),
            ("a clock", "let now = Instant::now();\n", 1),
            ("plain data", "use std::net::IpAddr;\nuse std::time::{Duration, Instant};\n", 0),
            ("a comment", "// never std::fs\n", 0),
            ("a test", "fn f() {}\n#[cfg(test)]\nmod tests { use std::fs; }\n", 0),
        ];
        for (name, text, want) in cases {
            assert_eq!(check_purity("x.rs", text).len(), want, "{name}");
        }
    }

    #[test]
    fn only_the_shipped_sources_of_pure_crates_are_pure() {
        let tree = Tree::of(&[
            ("firmware/at/src/lib.rs", "use std::fs;\n"),
            ("firmware/at/src/tests.rs", "use std::fs;\n"),
            ("firmware/at/tests/x.rs", "use std::fs;\n"),
            ("firmware/store/src/lib.rs", "use std::fs;\n"),
        ]);
        let found = check(&tree, &workspace(&["at:", "store:"]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].file, "firmware/at/src/lib.rs");
    }
}
