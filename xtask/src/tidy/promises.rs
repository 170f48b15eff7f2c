//! `docs/guarantees.md` and the tests named after promises agree with each other.

use std::collections::BTreeSet;

use regex::Regex;

use super::source::Source;
use crate::workspace::Workspace;

const FILE: &str = "docs/guarantees.md";

pub(crate) fn check(workspace: &Workspace, sources: &[Source]) -> Vec<String> {
    match workspace.read(FILE) {
        Ok(text) => compare(&text, sources),
        Err(_) => vec![format!("{FILE}: cannot be read; it lists each promise with its test")],
    }
}

fn compare(guarantees: &str, sources: &[Source]) -> Vec<String> {
    let tests = tests(sources);
    let named = names(guarantees);
    let missing = named.difference(&tests).map(|name| format!("{FILE}: there is no test `{name}`"));
    let unnamed = tests.difference(&named).map(|name| format!("{FILE}: the test `{name}` is not named here"));
    missing.chain(unnamed).collect()
}

/// `promise_*` as whole words; a bare `promise_` or `promise_...` is only a manner of speaking.
fn names(text: &str) -> BTreeSet<String> {
    let pattern = Regex::new(r"\bpromise_[a-z0-9_]*[a-z0-9]\b").expect("the pattern is fixed and valid");
    pattern.find_iter(text).map(|found| found.as_str().to_owned()).collect()
}

fn tests(sources: &[Source]) -> BTreeSet<String> {
    let pattern = Regex::new(r"#\[(?:\w+::)?test\b[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*(?:async )?fn (promise_\w+)")
        .expect("the pattern is fixed and valid");
    sources
        .iter()
        .flat_map(|source| {
            pattern.captures_iter(&source.code).map(|found| found[1].to_owned()).collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Vec<Source> {
        let code = "#[test]\nfn promise_kept() {}\n#[tokio::test(flavor = \"x\")]\nasync fn promise_later() {}\n\
                    fn promise_not_run() {}\n// #[test] fn promise_in_comment() {}\n";
        vec![Source::new("crates/x/tests/a.rs", code.to_owned())]
    }

    #[test]
    fn each_named_test_exists_and_runs() {
        let text =
            "`promise_*` tests: `promise_kept`, promise_later, `promise_not_run`, `promise_in_comment`";
        assert_eq!(
            compare(text, &sources()),
            [
                "docs/guarantees.md: there is no test `promise_in_comment`",
                "docs/guarantees.md: there is no test `promise_not_run`",
            ]
        );
    }

    #[test]
    fn each_test_of_a_promise_is_named() {
        let found = compare("only `promise_kept`", &sources());
        assert_eq!(found, ["docs/guarantees.md: the test `promise_later` is not named here"]);
    }
}
