//! Runs of one pipeline and of its floor.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::pipelines::Pipeline;
use super::table::{Case, median};
use crate::command;
use crate::error::Error;

/// Where everything is, and how often it is measured.
#[derive(Clone)]
pub(super) struct Bench {
    /// The release binaries.
    pub(super) binaries: PathBuf,
    /// The program without proofs, where that is measured as well.
    pub(super) unproven: Option<PathBuf>,
    pub(super) folder: PathBuf,
    pub(super) runs: u32,
    /// The file into which a program that looks writes what it saw.
    pub(super) profile: Option<PathBuf>,
}

/// What `xtask-floor measure` tells.
#[derive(Deserialize)]
struct Usage {
    exit_code: Option<i32>,
    wall_seconds: f64,
    user_seconds: f64,
    system_seconds: f64,
    peak_rss_bytes: f64,
}

/// What `xtask-floor floor` tells.
#[derive(Deserialize)]
struct Floor {
    floor: Written,
    pages: Pages,
}

#[derive(Deserialize)]
struct Written {
    seconds: f64,
    cpu_seconds: f64,
    records: f64,
}

#[derive(Deserialize)]
struct Pages {
    database_bytes: f64,
    body_bytes: f64,
}

/// The part of `run_completed` that shows that the run did its work.
#[derive(Deserialize)]
struct Completed {
    status: String,
    rows: Rows,
}

#[derive(Deserialize)]
struct Rows {
    processed: u64,
}

impl Bench {
    pub(super) fn input(&self, rows: u64) -> PathBuf {
        self.folder.join(format!("input-{rows}.csv"))
    }

    /// Measures one pipeline with so many rows.
    pub(super) fn case(&self, pipeline: Pipeline, rows: u64) -> Result<Case, Error> {
        let folder = self.folder.join(format!("{}-{rows}", pipeline.name()));
        let (mut usages, mut careless, mut unproven) = (Vec::new(), Vec::new(), Vec::new());
        let (mut floors, mut verified, mut empty) = (Vec::new(), Vec::new(), Vec::new());
        super::data::write(&self.input(0), 0)?;
        let product = self.binaries.join("elspeth");
        for number in 1..=self.runs {
            eprintln!("{} with {rows} rows: run {number} of {}", pipeline.name(), self.runs);
            empty.push(self.run_pipeline(&product, (pipeline, true), 0, &folder)?.wall_seconds);
            careless.push(self.run_pipeline(&product, (pipeline, false), rows, &folder)?);
            if let Some(program) = &self.unproven {
                unproven.push(self.run_pipeline(program, (pipeline, true), rows, &folder)?.wall_seconds);
            }
            usages.push(self.run_pipeline(&product, (pipeline, true), rows, &folder)?);
            verified.push(self.verify(&folder)?);
            floors.push(self.floor(&folder)?);
        }
        // The databases are large; what was learnt of them is in the result.
        fs::remove_dir_all(&folder).map_err(Error::io(&folder))?;
        let usage = |value: fn(&Usage) -> f64| median(usages.iter().map(value));
        let floor = |value: fn(&Floor) -> f64| median(floors.iter().map(value));
        Ok(Case {
            pipeline: pipeline.name(),
            shape: pipeline.shape(),
            rows,
            wall_seconds: usage(|usage| usage.wall_seconds),
            empty_seconds: median(empty.into_iter()),
            not_durable_seconds: median(careless.iter().map(|usage| usage.wall_seconds)),
            unproven_seconds: (!unproven.is_empty()).then(|| median(unproven.into_iter())),
            verify_seconds: median(verified.into_iter()),
            cpu_seconds: usage(|usage| usage.user_seconds + usage.system_seconds),
            peak_rss_bytes: usage(|usage| usage.peak_rss_bytes),
            floor_seconds: floor(|floor| floor.floor.seconds),
            floor_cpu_seconds: floor(|floor| floor.floor.cpu_seconds),
            records: floor(|floor| floor.floor.records),
            record_bytes: floor(|floor| floor.pages.database_bytes - floor.pages.body_bytes),
            body_bytes: floor(|floor| floor.pages.body_bytes),
        })
    }

    /// How long `elspeth validate` takes for a small file, in seconds.
    pub(super) fn validate(&self) -> Result<f64, Error> {
        let folder = self.folder.join("validate");
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let input = self.input(10);
        super::data::write(&input, 10)?;
        let settings = write_settings((Pipeline::Route, true), &input, &folder)?;
        let mut seconds = Vec::new();
        for _ in 0..self.runs.max(5) {
            let product = self.binaries.join("elspeth");
            let arguments = ["validate", "-s", &text(&settings)];
            let usage = self.measure(&folder.join("stdout"), &product, &arguments)?;
            seconds.push(usage.wall_seconds);
        }
        Ok(median(seconds.into_iter()))
    }

    /// Leaves what one run leaves, to be asked.
    pub(super) fn run_once(&self, pipeline: Pipeline, rows: u64, folder: &Path) -> Result<(), Error> {
        eprintln!("{} with {rows} rows", pipeline.name());
        self.run_pipeline(&self.binaries.join("elspeth"), (pipeline, true), rows, folder).map(drop)
    }

    /// How long the program takes with these words, in seconds.
    pub(super) fn ask(&self, folder: &Path, words: &[String]) -> Result<f64, Error> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Ok(self.measure(&folder.join("stdout"), &self.binaries.join("elspeth"), &words)?.wall_seconds)
    }

    /// One run from nothing, proven to have processed every row.
    fn run_pipeline(
        &self,
        program: &Path,
        (pipeline, durable): (Pipeline, bool),
        rows: u64,
        folder: &Path,
    ) -> Result<Usage, Error> {
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(Error::io(folder))?;
        }
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let settings = write_settings((pipeline, durable), &self.input(rows), folder)?;
        let output = folder.join("stdout");
        let usage = self.measure(&output, program, &["run", "-s", &text(&settings), "-x", "--json"])?;
        let events = fs::read(&output).map_err(Error::io(&output))?;
        completed(&events, rows)?;
        Ok(usage)
    }

    /// A run that writes its profile into the file `report`; gives its CPU time in seconds.
    pub(super) fn run_profiled(
        &self,
        program: &Path,
        pipeline: Pipeline,
        rows: u64,
        (folder, report): (&Path, &Path),
    ) -> Result<f64, Error> {
        let bench = Self { profile: Some(report.to_path_buf()), ..self.clone() };
        let usage = bench.run_pipeline(program, (pipeline, true), rows, folder)?;
        Ok(usage.user_seconds + usage.system_seconds)
    }

    /// How long `elspeth verify` takes for the record that a run left, in seconds.
    fn verify(&self, folder: &Path) -> Result<f64, Error> {
        let (product, database) = (self.binaries.join("elspeth"), text(&folder.join("audit.db")));
        let arguments = ["verify", "latest", "-d", &database];
        Ok(self.measure(&folder.join("stdout"), &product, &arguments)?.wall_seconds)
    }

    fn measure(&self, output: &Path, program: &Path, arguments: &[&str]) -> Result<Usage, Error> {
        let mut command = self.floor_program();
        command.arg("measure").arg(output).arg(program).args(arguments);
        command.envs(self.profile.as_ref().map(|file| ("ELSPETH_PROFILE", file)));
        let usage: Usage = parse("xtask-floor measure", &command::output(&mut command)?)?;
        if usage.exit_code == Some(0) {
            return Ok(usage);
        }
        let status = usage.exit_code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
        Err(Error::Status { command: format!("elspeth {}", arguments.join(" ")), status })
    }

    fn floor(&self, folder: &Path) -> Result<Floor, Error> {
        let mut command = self.floor_program();
        command.arg("floor").arg(folder.join("audit.db")).arg(folder.join("floor.db"));
        parse("xtask-floor floor", &command::output(&mut command)?)
    }

    fn floor_program(&self) -> Command {
        Command::new(self.binaries.join("xtask-floor"))
    }
}

/// What a run told must end with the word that it processed all of `rows`.
pub(super) fn completed(events: &[u8], rows: u64) -> Result<(), Error> {
    let last = events.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let completed: Completed = parse("the end of `elspeth run --json`", last)?;
    if completed.status == "completed" && completed.rows.processed == rows {
        return Ok(());
    }
    let detail = format!("status {}, {} of {rows} rows", completed.status, completed.rows.processed);
    Err(Error::format("the run", detail))
}

pub(super) fn write_settings(
    (pipeline, durable): (Pipeline, bool),
    input: &Path,
    folder: &Path,
) -> Result<PathBuf, Error> {
    let path = folder.join("settings.yaml");
    fs::write(&path, pipeline.settings(input, folder, durable)).map_err(Error::io(&path))?;
    Ok(path)
}

fn parse<T: DeserializeOwned>(what: &str, json: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(json).map_err(|error| Error::format(what, error))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
