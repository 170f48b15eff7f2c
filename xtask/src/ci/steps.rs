//! The steps in their order: quick ones first, then those that need a build.

use std::process::Command;

use super::{Outcome, deny, documents, examples, postgresql, programs, python};
use crate::error::Error;
use crate::metadata::Metadata;
use crate::workspace::Workspace;
use crate::{bench, command, docs, kill_test, layers, schema, static_build, tidy};

pub(super) struct Step {
    pub(super) title: &'static str,
    /// The step without whose success this one cannot say anything.
    pub(super) needs: Option<&'static str>,
    pub(super) run: fn(&Workspace) -> Outcome,
}

pub(super) fn steps() -> Vec<Step> {
    let step = |title, run| Step { title, needs: None, run };
    let built = |title, run| Step { title, needs: Some("build"), run };
    vec![
        step("format", format as fn(&Workspace) -> Outcome),
        step("layers", |workspace| layers::run(workspace).into()),
        step("tidy", |workspace| tidy::run(workspace).into()),
        step("deny", deny::rules),
        step("advisories", deny::advisories),
        step("clippy", clippy),
        step("build", build),
        built("tests", tests),
        built("doc-tests", doc_tests),
        step("phases", phases),
        step("variants", variants),
        step("docs", |workspace| docs::run(workspace).into()),
        built("schema", |workspace| schema::check(workspace).into()),
        built("documents", |workspace| documents::run(workspace).into()),
        built("examples", |workspace| examples::run(workspace).into()),
        built("programs", |workspace| programs::run(workspace).into()),
        built("python", python::run),
        step("static", static_build::run_in_ci),
        built("kill-test", |workspace| kill_test::run_in_ci(workspace).into()),
        step("instructions", bench::check_in_ci),
        Step { title: "postgresql", needs: Some("tests"), run: postgresql::run },
    ]
}

fn format(workspace: &Workspace) -> Outcome {
    command::run(command::cargo(workspace).args(["fmt", "--all", "--check"])).into()
}

fn clippy(workspace: &Workspace) -> Outcome {
    let arguments = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    command::run(command::cargo(workspace).args(arguments)).into()
}

fn build(workspace: &Workspace) -> Outcome {
    command::run(command::cargo(workspace).args(["build", "--workspace", "--all-targets"])).into()
}

/// Runs the tests with nextest where it is found, and repeats the runner's own closing line in the summary.
fn tests(workspace: &Workspace) -> Outcome {
    if let Err(error) = postgresql::forget(workspace) {
        return Outcome::Failed(error.to_string());
    }
    let mut cargo = command::cargo(workspace);
    if has_nextest(workspace) {
        cargo.args(["nextest", "run", "--workspace", "--all-targets", "--profile", "ci"]);
    } else {
        cargo.args(["test", "--workspace", "--all-targets", "--no-fail-fast"]);
    }
    let mut closing = Vec::new();
    let result = command::run_keeping(&mut cargo, is_closing_line, &mut closing);
    outcome(result, &closing)
}

fn doc_tests(workspace: &Workspace) -> Outcome {
    let mut cargo = command::cargo(workspace);
    cargo.args(["test", "--workspace", "--doc", "--no-fail-fast"]);
    let mut closing = Vec::new();
    let result = command::run_keeping(&mut cargo, is_closing_line, &mut closing);
    outcome(result, &closing)
}

/// What only `cargo xtask bench --profile` builds otherwise.
fn phases(workspace: &Workspace) -> Outcome {
    let arguments = ["test", "-p", "elspeth-phases", "--features", "looking"];
    command::run(command::cargo(workspace).args(arguments)).into()
}

/// The programs that only `cargo xtask bench` builds otherwise: one that tells where its time goes, and one without proofs. The
/// flag of the latter is that of every crate, so it has the folder that the benchmark gives it.
fn variants(workspace: &Workspace) -> Outcome {
    let target = match Metadata::load(workspace) {
        Ok(metadata) => metadata.target_directory,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    let mut profile = command::cargo(workspace);
    profile.args(["check", "--workspace", "--bin", "elspeth", "--features", "elspeth-cli/profile"]);
    let mut unproven = command::cargo(workspace);
    unproven.args(["check", "--package", "elspeth-cli", "--target-dir"]).arg(target.join(bench::UNPROVEN));
    unproven.env("RUSTFLAGS", format!("{} -D warnings", bench::UNPROVEN_FLAGS));
    command::run(&mut profile).and_then(|()| command::run(&mut unproven)).into()
}

fn has_nextest(workspace: &Workspace) -> bool {
    let mut cargo: Command = command::cargo(workspace);
    cargo.args(["nextest", "--version"]).output().is_ok_and(|output| output.status.success())
}

fn is_closing_line(line: &str) -> bool {
    line.starts_with("test result:") || line.trim_start().starts_with("Summary [")
}

fn outcome(result: Result<(), Error>, closing: &[String]) -> Outcome {
    let remark = closing_remark(closing);
    match result {
        Ok(()) => Outcome::Passed(remark),
        Err(error) => Outcome::Failed(format!("{error}; {remark}")),
    }
}

/// One line for the summary: nextest's own, or the sums over the many of `cargo test`.
fn closing_remark(closing: &[String]) -> String {
    if let Some(summary) = closing.iter().find_map(|line| line.split_once("] ")).map(|(_, rest)| rest.trim())
    {
        return summary.to_owned();
    }
    let sum = |word: &str| -> u64 { closing.iter().filter_map(|line| counted(line, word)).sum() };
    format!("{} passed, {} failed, {} ignored", sum("passed"), sum("failed"), sum("ignored"))
}

/// The number before `word` in a line such as `test result: ok. 3 passed; 0 failed; 0 ignored`.
fn counted(line: &str, word: &str) -> Option<u64> {
    let words: Vec<&str> = line.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
    words.windows(2).find(|pair| pair[1] == word)?[0].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_both_runners_are_summed_up() {
        let lines = [
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ];
        assert!(lines.iter().all(|line| is_closing_line(line)));
        assert_eq!(closing_remark(&lines.map(str::to_owned)), "7 passed, 2 failed, 1 ignored");

        let nextest = "     Summary [   1.2s] 12 tests run: 11 passed, 1 failed, 0 skipped";
        assert!(is_closing_line(nextest));
        assert_eq!(closing_remark(&[nextest.to_owned()]), "12 tests run: 11 passed, 1 failed, 0 skipped");
    }

    #[test]
    fn a_step_needs_only_steps_before_it() {
        let steps = steps();
        for (at, step) in steps.iter().enumerate() {
            if let Some(needed) = step.needs {
                assert!(steps[..at].iter().any(|earlier| earlier.title == needed), "{}", step.title);
            }
        }
    }
}
