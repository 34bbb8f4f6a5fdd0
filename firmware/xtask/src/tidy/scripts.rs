//! Scripts are small, strict, and can be started.

use super::Violation;
use super::tree::Tree;

const LONGEST: usize = 200;

/// Checks everything in `scripts/` and `.ci/`.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let scripts = tree.texts().filter(|(path, _)| path.starts_with("scripts/") || path.starts_with(".ci/"));
    scripts.flat_map(|(path, text)| check_script(path, text, tree.is_executable(path))).collect()
}

fn check_script(path: &str, text: &str, is_executable: bool) -> Vec<Violation> {
    let lines = text.lines().count();
    let checks = [
        (text.starts_with("#!/usr/bin/env bash\n"), "does not begin with `#!/usr/bin/env bash`".to_owned()),
        (text.lines().any(|line| line == "set -euo pipefail"), "has no line `set -euo pipefail`".to_owned()),
        (lines < LONGEST, format!("has {lines} lines and the limit is {LONGEST}: make it two tasks")),
        (is_executable, "is not executable: `chmod +x` it".to_owned()),
    ];
    checks.into_iter().filter(|(holds, _)| !holds).map(|(_, message)| Violation::new(path, message)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_strict_short_and_executable() {
        let good = "#!/usr/bin/env bash\nset -euo pipefail\n";
        let long = good.to_owned() + &"true\n".repeat(198);
        let cases = [
            ("in order", good, true, 0),
            ("not executable", good, false, 1),
            ("plain sh", "#!/bin/sh\nset -euo pipefail\n", true, 1),
            ("not strict", "#!/usr/bin/env bash\n# set -euo pipefail\n", true, 1),
            ("too long", long.as_str(), true, 1),
        ];
        for (name, text, is_executable, want) in cases {
            assert_eq!(check_script("scripts/x", text, is_executable).len(), want, "{name}");
        }
    }

    #[test]
    fn only_scripts_are_checked() {
        let tree = Tree::of(&[("docs/run.md", "x")]).with_executable("scripts/run", "x");
        assert!(check(&tree).iter().all(|violation| violation.file == "scripts/run"));
        assert_eq!(check(&tree).len(), 2);
    }
}
