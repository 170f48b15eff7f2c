//! A folder with a pipeline and its data, in which the real binary runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value as Json;

/// The variable that says which call fails.
pub(crate) const FAULT: &str = "ELSPETH_FAULT";
/// Where the record is, below the folder.
pub(crate) const RECORD: &str = "state/audit.db";
/// A body longer than those that are kept in the record.
const LONG: usize = 70_000;

/// See the module's documentation. The folder goes with it.
pub(crate) struct Place {
    dir: tempfile::TempDir,
    settings: &'static str,
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    /// None, when a signal ended it.
    pub(crate) code: Option<i32>,
}

/// What a completed run leaves, but for ids and times.
#[derive(Debug, PartialEq)]
pub(crate) struct Left {
    content_root: Json,
    rows: Json,
    destinations: Json,
    /// Everything in the folder but the record and the sink's database.
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// The rows of the sink's database.
    table: Vec<Vec<Value>>,
}

impl Place {
    /// Of the pipeline that touches files in every way: three epochs, with two long bodies.
    pub(crate) fn of_everything() -> Self {
        let place = Self::with("every.yaml", include_str!("data/every.yaml"));
        let mut rows = String::new();
        for id in 0..30 {
            let note = if id == 4 || id == 17 { "x".repeat(LONG + id) } else { format!("n{id}") };
            let extra = if id < 12 { String::new() } else { format!(r#","extra":{}"#, id * 2) };
            let late = if id < 22 { "" } else { r#","late":"yes""# };
            writeln!(rows, r#"{{"id":{id},"note":"{note}"{extra}{late}}}"#).expect("a String takes all text");
        }
        place.write("rows.jsonl", &rows);
        place.write("added.csv", "id,note,extra,late\n-1,before,,\n");
        place
    }

    pub(crate) fn with(settings: &'static str, text: &str) -> Self {
        let dir = tempfile::tempdir().expect("the system has a folder for temporary files");
        let place = Self { dir, settings };
        place.write(settings, text);
        place
    }

    /// Another one with the same files.
    pub(crate) fn copy(&self) -> Self {
        let dir = tempfile::tempdir().expect("the system has a folder for temporary files");
        for (name, bytes) in files(self.dir.path(), &|_| true) {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("it is below the folder")).expect("folders can be made");
            fs::write(path, bytes).expect("files can be copied");
        }
        Self { dir, settings: self.settings }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the scratch folder can be written");
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_elspeth"));
        self.at(&mut command).args(args);
        command
    }

    /// A shell that runs a script with the arguments that follow.
    pub(crate) fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        self.at(&mut command).args(["-c", script]);
        command
    }

    /// Lets a command work in the folder.
    pub(crate) fn at<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.current_dir(self.dir.path()).env("NO_COLOR", "1").env_remove(FAULT).stdin(Stdio::null())
    }

    pub(crate) fn say(&self, args: &[&str], fault: &str) -> Said {
        said(self.command(args).env(FAULT, fault).output().expect("the binary was built for this test"))
    }

    /// What begins the pipeline's run.
    pub(crate) fn run_args(&self) -> [&'static str; 4] {
        ["run", "-s", self.settings, "-x"]
    }

    /// Status of the newest run, if there is any.
    pub(crate) fn status(&self) -> Option<String> {
        if !self.path(RECORD).exists() {
            return None;
        }
        let said = self.say(&["runs", "-d", RECORD, "--json"], "");
        if said.err.contains("no run was recorded") {
            return None;
        }
        let runs: Json = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:?}"));
        runs[0]["status"].as_str().map(str::to_owned)
    }

    /// Goes on after the disturbance: with the run, or anew when none is recorded.
    pub(crate) fn go_on(&self) -> Said {
        match self.status() {
            Some(_) => self.say(&["resume", "latest", "-d", RECORD, "-x"], ""),
            None => self.say(&self.run_args(), ""),
        }
    }

    /// What is there after a run that completed.
    pub(crate) fn left(&self) -> Left {
        let said = self.say(&["status", "latest", "-d", RECORD, "--json"], "");
        let status: Json = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:?}"));
        assert_eq!(status["status"], "completed", "{status}");
        // The store's own files name the folder.
        let others = ["state", "out/table.db", "bodies/lock", "bodies/databases", "log"];
        // A body that was being written when its process ended; `elspeth purge` sweeps such files.
        let unfinished = |name: &Path| name.to_string_lossy().contains("/.tmp");
        let is_output =
            |name: &Path| !others.iter().any(|other| name.starts_with(other)) && !unfinished(name);
        Left {
            content_root: status["content_root"].clone(),
            rows: status["rows"].clone(),
            destinations: status["destinations"].clone(),
            files: files(self.dir.path(), &is_output),
            table: table(&self.path("out/table.db")),
        }
    }
}

impl Left {
    /// The names of what differs.
    pub(crate) fn difference(&self, other: &Self) -> String {
        let names = self.files.keys().chain(other.files.keys());
        let differ: Vec<_> = names.filter(|name| self.files.get(*name) != other.files.get(*name)).collect();
        let table = self.table == other.table;
        format!(
            "the same result: files {differ:?}, table {table}, content root {} and {}, rows {} and {}",
            self.content_root, other.content_root, self.rows, other.rows
        )
    }
}

impl Said {
    /// Whether a run was registered or taken up.
    pub(crate) fn has_started(&self) -> bool {
        self.err.contains(" started\n")
    }
}

pub(crate) fn said(output: Output) -> Said {
    Said {
        out: String::from_utf8(output.stdout).expect("stdout is text"),
        err: String::from_utf8(output.stderr).expect("stderr is text"),
        code: output.status.code(),
    }
}

/// Files below a folder that are wanted, by their names below it.
fn files(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("folders can be listed") {
            let path = entry.expect("folders can be listed").path();
            let name = path.strip_prefix(folder).expect("it is below the folder").to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if wanted(&name) {
                found.insert(name, fs::read(&path).expect("files can be read"));
            }
        }
    }
    found
}

fn table(path: &Path) -> Vec<Vec<Value>> {
    if !path.exists() {
        return Vec::new();
    }
    let database =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("it is a database");
    let mut rows = database.prepare("SELECT * FROM rows ORDER BY rowid").expect("the sink made the table");
    let columns = rows.column_count();
    let read = rows.query_map((), |row| (0..columns).map(|column| row.get(column)).collect());
    read.expect("it can be read").collect::<Result<_, _>>().expect("it can be read")
}
