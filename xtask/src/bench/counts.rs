//! The committed numbers of instructions, and what they are compared with.
//!
//! A number is comparable only where the same machine code runs: by the same compilers, with the same C library, on a
//! processor with the same vectors. So there is a set of numbers for each such environment.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::workspace::Workspace;

/// Where the numbers are.
pub(super) const FILE: &str = "xtask/counts.toml";
/// How many more instructions are a regression; runs of one program differ by a fifth of that at most. As many fewer have to
/// be accepted: a later regression would hide behind a figure that is too high.
const TOLERANCE_PERCENT: u64 = 3;
const HEADER: &str = "# Instructions of each reference pipeline with 5,000 rows, in thousands, by environment
# (docs/performance.md). Written by `cargo xtask bench --check --accept`.
";

/// What the numbers depend on besides the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Environment {
    pub(super) rustc: String,
    /// Compiles SQLite and zstd.
    pub(super) cc: String,
    pub(super) libc: String,
    /// Architecture and the vectors that are used of it.
    pub(super) processor: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    environment: Environment,
    /// Pipeline -> instructions, in thousands.
    instructions: BTreeMap<String, u64>,
}

/// The file.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Counts {
    #[serde(default)]
    set: Vec<Set>,
}

/// What a comparison came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    /// A line for each pipeline.
    pub(super) lines: Vec<String>,
    /// Those that need more than they may, or so much less that the figure says nothing any more.
    pub(super) findings: Vec<String>,
}

/// How a count lies to the figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Fewer,
    Within,
    More,
}

impl Change {
    fn between(before: u64, now: u64) -> Self {
        if now * 100 > before * (100 + TOLERANCE_PERCENT) {
            Self::More
        } else if now * 100 < before * (100 - TOLERANCE_PERCENT) {
            Self::Fewer
        } else {
            Self::Within
        }
    }
}

impl Counts {
    pub(super) fn load(workspace: &Workspace) -> Result<Self, Error> {
        let text = workspace.read(FILE)?;
        toml::from_str(&text).map_err(|error| Error::format(FILE, error))
    }

    pub(super) fn save(&self, workspace: &Workspace) -> Result<(), Error> {
        let text = toml::to_string(self).map_err(|error| Error::format(FILE, error))?;
        let path = workspace.path(FILE);
        std::fs::write(&path, format!("{HEADER}\n{text}")).map_err(Error::io(&path))
    }

    /// Puts what was counted in the place of what was known of the environment.
    pub(super) fn accept(&mut self, environment: Environment, counted: &BTreeMap<String, u64>) {
        self.set.retain(|set| set.environment != environment);
        self.set.push(Set { environment, instructions: counted.clone() });
    }

    /// Why nothing can be compared in this environment, if so.
    pub(super) fn incomparable(&self, here: &Environment) -> Option<String> {
        if self.set.iter().any(|set| set.environment == *here) {
            return None;
        }
        let known: Vec<String> = self.set.iter().map(|set| here.unlike(&set.environment)).collect();
        Some(format!(
            "a regression would not be seen, since {FILE} has no figures for {here}; there are {}; \
             `cargo xtask bench --check --accept` adds those of this environment",
            if known.is_empty() { "none".to_owned() } else { format!("some {}", known.join("; some ")) }
        ))
    }

    pub(super) fn compare(&self, here: &Environment, counted: &BTreeMap<String, u64>) -> Comparison {
        let known = self.set.iter().find(|set| set.environment == *here);
        let (mut lines, mut findings) = (Vec::new(), Vec::new());
        for (pipeline, now) in counted {
            let before = known.and_then(|set| set.instructions.get(pipeline)).copied();
            let line = line(pipeline, before, *now);
            if before.is_none_or(|before| Change::between(before, *now) != Change::Within) {
                findings.push(line.clone());
            }
            lines.push(line);
        }
        Comparison { lines, findings }
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of instructions are far below 2^53")]
fn percent_more(before: u64, now: u64) -> f64 {
    100.0 * (now as f64 / before as f64 - 1.0)
}

fn line(pipeline: &str, before: Option<u64>, now: u64) -> String {
    let Some(before) = before else { return format!("{pipeline}: {now}k instructions, not known before") };
    let remark = match Change::between(before, now) {
        Change::Fewer => ", to be accepted",
        Change::More | Change::Within => "",
    };
    format!("{pipeline}: {now}k instructions, {:+.1}% against {before}k{remark}", percent_more(before, now))
}

impl Environment {
    /// What the other one has instead.
    fn unlike(&self, other: &Self) -> String {
        let parts = [
            (&self.rustc, &other.rustc),
            (&self.cc, &other.cc),
            (&self.libc, &other.libc),
            (&self.processor, &other.processor),
        ];
        let differing = parts.iter().filter(|(here, there)| here != there);
        let differing: Vec<String> =
            differing.map(|(here, there)| format!("{there} instead of {here}")).collect();
        format!("with {}", differing.join(" and "))
    }
}

impl std::fmt::Display for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}, {}, {}", self.rustc, self.cc, self.libc, self.processor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(libc: &str) -> Environment {
        let [rustc, cc, processor] = ["rustc 1", "gcc 12", "x86_64+avx2"].map(str::to_owned);
        Environment { rustc, cc, libc: libc.to_owned(), processor }
    }

    fn counted(route: u64) -> BTreeMap<String, u64> {
        BTreeMap::from([("route".to_owned(), route)])
    }

    fn counts() -> Counts {
        let mut counts = Counts::default();
        counts.accept(environment("glibc 2.36"), &counted(100_000));
        counts
    }

    #[test]
    fn more_than_the_tolerance_is_a_finding_and_so_is_as_much_less() {
        let here = environment("glibc 2.36");
        assert_eq!(counts().compare(&here, &counted(103_000)).findings, [""; 0]);
        assert_eq!(
            counts().compare(&here, &counted(104_000)).findings,
            ["route: 104000k instructions, +4.0% against 100000k"]
        );
        assert_eq!(counts().compare(&here, &counted(97_000)).findings, [""; 0]);
        let fewer = counts().compare(&here, &counted(90_000));
        assert_eq!(fewer.findings, ["route: 90000k instructions, -10.0% against 100000k, to be accepted"]);
        assert_eq!(fewer.lines, fewer.findings);
    }

    #[test]
    fn a_pipeline_without_a_figure_is_a_finding() {
        let other = BTreeMap::from([("other".to_owned(), 1)]);
        let compared = counts().compare(&environment("glibc 2.36"), &other);
        assert_eq!(compared.findings, ["other: 1k instructions, not known before"]);
    }

    #[test]
    fn another_environment_is_not_compared() {
        assert_eq!(counts().incomparable(&environment("glibc 2.36")), None);
        let why = counts().incomparable(&environment("glibc 2.41")).unwrap();
        assert!(why.contains("there are some with glibc 2.36 instead of glibc 2.41;"), "{why}");
        let why = Counts::default().incomparable(&environment("glibc 2.41")).unwrap();
        assert!(why.contains("there are none"), "{why}");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut counts = counts();
        counts.accept(environment("glibc 2.41"), &counted(7));
        counts.accept(environment("glibc 2.36"), &counted(8));
        let text = toml::to_string(&counts).unwrap();
        let read: Counts = toml::from_str(&text).unwrap();
        assert_eq!(read, counts);
        assert_eq!(read.compare(&environment("glibc 2.36"), &counted(8)).findings, [""; 0]);
        assert_eq!(read.set.len(), 2);
    }
}
