//! The guard against regressions: instructions of the reference pipelines, which no other program on the machine changes.
//!
//! The released program runs under `valgrind --tool=callgrind`, which counts the instructions of all its threads. Time
//! stands still in it and random numbers repeat (`xtask/still`), so that a count differs by less than one percent
//! from run to run. `valgrind` shows programs the same processor on all machines of one architecture that have AVX2,
//! without AVX-512, so the functions that are chosen by what the processor can do are the same too.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use super::counts::{Counts, Environment};
use super::measure::{completed, write_settings};
use super::pipelines::Pipeline;
use crate::ci::Outcome;
use crate::command;
use crate::error::{Error, report};
use crate::metadata::Metadata;
use crate::workspace::Workspace;

const ROWS: u64 = 5_000;
/// Those of `cargo xtask bench`; the two lists take about the same time.
const PIPELINES: [&[Pipeline]; 2] =
    [&[Pipeline::Fork], &[Pipeline::Copy, Pipeline::Route, Pipeline::Transform, Pipeline::Batch]];

pub(super) fn run(workspace: &Workspace, accept: bool) -> Result<(), Error> {
    let here = environment()?;
    let mut counts = Counts::load(workspace)?;
    if let Some(why) = counts.incomparable(&here).filter(|_| !accept) {
        return Err(Error::Stale(why));
    }
    let counted = count_all(workspace)?;
    let compared = counts.compare(&here, &counted);
    compared.lines.iter().for_each(|line| println!("{line}"));
    if accept {
        counts.accept(here, &counted);
        return counts.save(workspace);
    }
    if !compared.findings.is_empty() {
        println!(
            "\nmore instructions than before, or fewer, by more than 3%; if that is as it should be, accept it with"
        );
        println!("`cargo xtask bench --check --accept` and commit xtask/counts.toml:");
    }
    report("instructions", &compared.findings)
}

pub(crate) fn run_in_ci(workspace: &Workspace) -> Outcome {
    if valgrind().is_none() {
        return Outcome::NotChecked("a regression would not be seen, since there is no valgrind".to_owned());
    }
    match environment().and_then(|here| Ok(Counts::load(workspace)?.incomparable(&here))) {
        Ok(Some(why)) => Outcome::NotChecked(why),
        Ok(None) => run(workspace, false).into(),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

fn valgrind() -> Option<String> {
    first_line(Command::new("valgrind").arg("--version")).ok()
}

/// What the counts depend on besides the program.
fn environment() -> Result<Environment, Error> {
    let or = |variable: &str, name: &str| std::env::var(variable).unwrap_or_else(|_| name.to_owned());
    Ok(Environment {
        rustc: first_line(Command::new(or("RUSTC", "rustc")).arg("--version"))?,
        cc: first_line(Command::new(or("CC", "cc")).arg("--version"))?,
        libc: first_line(Command::new("getconf").arg("GNU_LIBC_VERSION"))?,
        processor: processor(),
    })
}

fn first_line(command: &mut Command) -> Result<String, Error> {
    let output = command::output(command)?;
    Ok(String::from_utf8_lossy(&output).lines().next().unwrap_or_default().trim().to_owned())
}

/// Of the vectors of a processor, those that valgrind has too.
fn processor() -> String {
    let vectors: &[(&str, bool)] = &[
        #[cfg(target_arch = "x86_64")]
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
    ];
    let found = vectors.iter().filter(|(_, here)| *here).map(|(name, _)| format!("+{name}"));
    std::iter::once(std::env::consts::ARCH.to_owned()).chain(found).collect()
}

/// Pipeline -> instructions, in thousands.
fn count_all(workspace: &Workspace) -> Result<BTreeMap<String, u64>, Error> {
    let target = Metadata::load(workspace)?.target_directory;
    // One by one, so that the product has its own features alone.
    for package in ["elspeth-cli", "xtask-still"] {
        command::run(command::cargo(workspace).args(["build", "--quiet", "--release", "-p", package]))?;
    }
    let folder = target.join("bench");
    fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
    let input = folder.join(format!("input-{ROWS}.csv"));
    super::data::write(&input, ROWS)?;
    let counter = Counter { binaries: target.join("release"), folder, input };
    let count_list = |list: &[Pipeline]| -> Result<Vec<_>, Error> {
        list.iter().map(|pipeline| Ok((pipeline.name().to_owned(), counter.count(*pipeline)?))).collect()
    };
    thread::scope(|scope| {
        let lists = PIPELINES.map(|list| scope.spawn(move || count_list(list)));
        let counted = lists.map(|list| list.join().expect("counting starts programs and reads files"));
        let [first, second] = counted;
        Ok(first?.into_iter().chain(second?).collect())
    })
}

struct Counter {
    binaries: PathBuf,
    folder: PathBuf,
    input: PathBuf,
}

impl Counter {
    /// Thousands of instructions of one run from nothing.
    fn count(&self, pipeline: Pipeline) -> Result<u64, Error> {
        let folder = self.folder.join(format!("counted-{}", pipeline.name()));
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(Error::io(&folder))?;
        }
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let settings = write_settings((pipeline, true), &self.input, &folder)?;
        let counts = folder.join("callgrind");
        let mut command = Command::new("valgrind");
        command
            .args(["--tool=callgrind", "--quiet"])
            .arg(format!("--callgrind-out-file={}", counts.display()))
            .arg(self.binaries.join("elspeth"))
            .args(["run", "-x", "--json", "-s"])
            .arg(settings)
            .env("LD_PRELOAD", self.binaries.join("libxtask_still.so"));
        completed(&command::output(&mut command)?, ROWS)?;
        total(&counts)
    }
}

/// The line `totals:` of what callgrind wrote, rounded to thousands.
fn total(path: &Path) -> Result<u64, Error> {
    let text = fs::read_to_string(path).map_err(Error::io(path))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse::<u64>().ok());
    let total = total.ok_or_else(|| Error::format(path.display().to_string(), "it has no totals"))?;
    Ok((total + 500) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pipeline_of_the_benchmark_is_counted_once() {
        use clap::ValueEnum as _;
        let mut counted = PIPELINES.concat();
        counted.sort_by_key(|pipeline| pipeline.name());
        let mut all = Pipeline::value_variants().to_vec();
        all.sort_by_key(|pipeline| pipeline.name());
        assert_eq!(counted, all);
    }

    #[test]
    fn a_processor_is_named_by_its_architecture_first() {
        assert!(processor().starts_with(std::env::consts::ARCH));
    }
}
