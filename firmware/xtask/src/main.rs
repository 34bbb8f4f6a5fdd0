//! The project's own tooling: `cargo xtask tidy` checks what `docs/architecture.md` promises.
//!
//! It reads the repository and cargo's metadata, never the programs it checks, and changes nothing unless asked
//! to (`--update`).

mod tidy;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

const USAGE: &str = "\
Usage: cargo xtask tidy [--update]

  tidy            check the import graph, the purity of the pure crates, manifests, scripts, sources and documents
  tidy --update   the same, after rewriting docs/import-graph.txt from the manifests
";

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let report = match arguments.as_slice() {
        ["tidy"] => tidy::run(root()?, tidy::Golden::Check)?,
        ["tidy", "--update"] => tidy::run(root()?, tidy::Golden::Rewrite)?,
        ["-h" | "--help" | "help"] => {
            std::io::stdout().write_all(USAGE.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => bail!("unknown command '{}'\n\n{USAGE}", arguments.join(" ")),
    };
    std::io::stdout().write_all(report.render().as_bytes())?;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The top of the repository, two folders above this crate.
fn root() -> anyhow::Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .context("the xtask crate has moved: expected firmware/xtask")
}
