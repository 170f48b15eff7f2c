//! One Rust file as the rules see it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::mask::mask;
use crate::error::Error;
use crate::workspace::Workspace;

static TEST_MODULE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"#\[cfg\((?:all\()?test\b[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\([a-z]+\))? )?mod (\w+)\s*[{;]",
    )
    .expect("the pattern is fixed and valid")
});

/// A Rust file: its text, its code (no comments, no literals), and which of its lines are test code.
pub(crate) struct Source {
    /// Relative to the workspace, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) code: String,
    /// One flag a line.
    test_lines: Vec<bool>,
}

impl Source {
    pub(crate) fn load_all(workspace: &Workspace, files: &[String]) -> Result<Vec<Self>, Error> {
        let mut sources = Vec::new();
        for path in files.iter().filter(|path| path.ends_with(".rs")) {
            sources.push(Self::new(path, workspace.read(path)?));
        }
        mark_test_files(&mut sources);
        Ok(sources)
    }

    pub(crate) fn new(path: &str, text: String) -> Self {
        let code = mask(&text);
        let whole = path.contains("/tests/") || path.starts_with("crates/testkit/");
        let test_lines = if whole { vec![true; text.lines().count()] } else { test_lines(&code) };
        Self { path: path.to_owned(), text, code, test_lines }
    }

    /// Code that is delivered, as opposed to tests, benches and examples.
    pub(crate) fn in_src(&self) -> bool {
        self.path.contains("/src/")
    }

    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.test_lines.get(line).copied().unwrap_or(false)
    }

    /// The line, counted from 0, that holds a byte of the code.
    pub(crate) fn line_of(&self, at: usize) -> usize {
        line_of(&self.code, at)
    }

    pub(crate) fn finding(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{}: {what}", self.path, line + 1)
    }
}

/// Marks the lines of every `#[cfg(test)] mod name { ... }`.
fn test_lines(code: &str) -> Vec<bool> {
    let mut marks = vec![false; code.lines().count()];
    for found in TEST_MODULE.find_iter(code).filter(|found| found.as_str().ends_with('{')) {
        let end = closing_brace(code, found.end());
        let first = line_of(code, found.start());
        let last = line_of(code, end);
        for mark in &mut marks[first..=last] {
            *mark = true;
        }
    }
    marks
}

/// `#[cfg(test)] mod name;` makes the whole file `name.rs` test code, and what lies below it.
fn mark_test_files(sources: &mut [Source]) {
    let mut stems = BTreeSet::new();
    for source in sources.iter() {
        for found in TEST_MODULE.captures_iter(&source.code).filter(|found| found[0].ends_with(';')) {
            stems.insert(format!("{}{}", module_folder(&source.path), &found[1]));
        }
    }
    for source in sources {
        let stem = source.path.trim_end_matches(".rs");
        if stems.iter().any(|test| stem == test || stem.starts_with(&format!("{test}/"))) {
            source.test_lines = vec![true; source.text.lines().count()];
        }
    }
}

/// The folder in which the modules that a file declares are found.
fn module_folder(path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name {
        "lib.rs" | "main.rs" | "mod.rs" => format!("{folder}/"),
        _ => format!("{folder}/{}/", name.trim_end_matches(".rs")),
    }
}

fn closing_brace(code: &str, start: usize) -> usize {
    let mut depth = 1;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return at;
        }
    }
    code.len().saturating_sub(1)
}

fn line_of(code: &str, at: usize) -> usize {
    code.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_modules_are_known_by_their_braces() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() { \"}\"; }\n}\nfn c() {}\n";
        let source = Source::new("crates/x/src/lib.rs", text.to_owned());
        let marks: Vec<bool> = (0..6).map(|line| source.is_test(line)).collect();
        assert_eq!(marks, [false, true, true, true, true, false]);
    }

    #[test]
    fn a_declared_test_file_is_test_code_with_all_below() {
        let mut sources = vec![
            Source::new("crates/x/src/lib.rs", "#[cfg(test)]\nmod cases;\nmod plain;".to_owned()),
            Source::new("crates/x/src/cases.rs", "fn a() {}".to_owned()),
            Source::new("crates/x/src/cases/deep.rs", "fn a() {}".to_owned()),
            Source::new("crates/x/src/plain.rs", "#[cfg(test)]\nmod tests;".to_owned()),
            Source::new("crates/x/src/plain/tests.rs", "fn a() {}".to_owned()),
            Source::new("crates/x/src/casesx.rs", "fn a() {}".to_owned()),
        ];
        mark_test_files(&mut sources);
        let marks: Vec<bool> = sources.iter().map(|source| source.is_test(0)).collect();
        assert_eq!(marks, [false, true, true, false, true, false]);
    }

    #[test]
    fn integration_tests_are_test_code() {
        assert!(Source::new("crates/x/tests/run.rs", "fn a() {}".to_owned()).is_test(0));
    }
}
