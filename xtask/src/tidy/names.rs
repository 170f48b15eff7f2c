//! Names that the documents on what is promised, tested and stored quote from the code are in the code.
//!
//! Such a name is in backticks and has three words or more (`like_this_one`). In the documents on tests it is that of a
//! function, so that a test which gets another name takes the document with it; where the form of records is described, it may
//! be that of a field too.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::source::Source;
use crate::workspace::Workspace;

const ON_TESTS: [&str; 2] = ["docs/guarantees.md", "docs/reliability.md"];
const ON_RECORDS: [&str; 1] = ["docs/evidence-format.md"];

static QUOTED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"`([a-z0-9]+(?:_[a-z0-9]+){2,})`").expect("the pattern is fixed and valid"));

/// A function, or what a macro is given to name a test by (`name = 0,`).
static FUNCTION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)\bfn ([a-z0-9_]+)\b|^\s*([a-z0-9_]+) = [0-9]+,$")
        .expect("the pattern is fixed and valid")
});

static FIELD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^\s*(?:pub(?:\([a-z]+\))? )?([a-z0-9_]+): ").expect("the pattern is fixed and valid")
});

pub(crate) fn check(workspace: &Workspace, sources: &[Source]) -> Vec<String> {
    let functions = declared(sources, &FUNCTION);
    let both = functions.union(&declared(sources, &FIELD)).copied().collect();
    let on_tests = ON_TESTS.iter().map(|file| (file, &functions));
    let on_records = ON_RECORDS.iter().map(|file| (file, &both));
    on_tests
        .chain(on_records)
        .flat_map(|(file, known)| match workspace.read(file) {
            Ok(text) => unknown(file, &text, known),
            Err(_) => vec![format!("{file}: cannot be read; it quotes names of the sources")],
        })
        .collect()
}

fn declared<'s>(sources: &'s [Source], pattern: &Regex) -> BTreeSet<&'s str> {
    let ours = sources.iter().filter(|source| {
        source.path.starts_with("xtask/") || source.in_src() || source.path.contains("/tests/")
    });
    ours.flat_map(|source| pattern.captures_iter(&source.code))
        .filter_map(|found| found.iter().skip(1).flatten().next())
        .map(|name| name.as_str())
        .collect()
}

fn unknown(file: &str, text: &str, declared: &BTreeSet<&str>) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let quoted = QUOTED.captures_iter(line).map(|found| found[1].to_owned());
        for name in quoted.filter(|name| !declared.contains(name.as_str())) {
            findings.push(format!("{file}:{}: nothing in the sources is named `{name}`", number + 1));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Vec<Source> {
        let test = "#[test]\nfn one_row_is_kept() {}\n// fn only_a_comment_says() {}\nparts! {\n    a_part_of_all_0 = 0,\n}\n";
        let code = "pub struct Row {\n    pub source_data_hash: u8,\n}\nfn f() {\n    a_local_name = 3;\n}\n";
        [
            ("crates/x/tests/a.rs", test),
            ("crates/x/src/a.rs", code),
            ("crates/x/benches/a.rs", "fn of_a_bench() {}"),
        ]
        .map(|(path, text)| Source::new(path, text.to_owned()))
        .into()
    }

    fn findings(text: &str) -> Vec<String> {
        let sources = sources();
        unknown("docs/a.md", text, &declared(&sources, &FUNCTION))
    }

    #[test]
    fn functions_and_tests_that_a_macro_makes_are_known() {
        assert_eq!(findings("`one_row_is_kept`\nand `a_part_of_all_0`"), [""; 0]);
    }

    #[test]
    fn a_field_is_no_test() {
        assert_eq!(findings("`source_data_hash`").len(), 1);
        let sources = sources();
        assert_eq!(unknown("docs/a.md", "`source_data_hash`", &declared(&sources, &FIELD)), [""; 0]);
    }

    #[test]
    fn other_names_are_findings_with_their_lines() {
        assert_eq!(
            findings(
                "`one_row_is_lost`\n\n`only_a_comment_says`, `a_local_name`, `of_a_bench`, `a_part_of_all`"
            ),
            [
                "docs/a.md:1: nothing in the sources is named `one_row_is_lost`",
                "docs/a.md:3: nothing in the sources is named `only_a_comment_says`",
                "docs/a.md:3: nothing in the sources is named `a_local_name`",
                "docs/a.md:3: nothing in the sources is named `of_a_bench`",
                "docs/a.md:3: nothing in the sources is named `a_part_of_all`",
            ]
        );
    }

    #[test]
    fn shorter_names_and_what_is_not_in_backticks_are_left_alone() {
        assert_eq!(
            findings("`failure_budget`, `--accept-changed-source`, one_row_is_lost, `run_id`"),
            [""; 0]
        );
    }
}
