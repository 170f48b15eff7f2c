//! One process of the product, which may not live to its end.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use elspeth_faults::VARIABLE;
use rusqlite::{Connection, OpenFlags};
use rustix::process::{Pid, Signal, kill_process};

use super::course::Kill;
use super::pipelines::SETTINGS;
use crate::error::Error;

/// Longer than this nothing takes; a process that does hangs.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often a process is looked at.
const GLANCE: Duration = Duration::from_millis(1);

/// Signals by which a process may end here, and the exit code of a run that stopped when it was asked.
const KILLED: i32 = 9;
const ASKED: i32 = 15;
const INTERRUPTED: i32 = 3;

/// The record, in each folder.
pub(super) const DATABASE: &str = "audit.db";

/// The key that signs heads here: the example of Go's `sumdb/note`, which everybody knows.
const SIGNING_KEY: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PUBLIC_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
/// After every so many epochs a head is signed.
const HEADS_EVERY: &str = "3";

/// How a process ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Or stopped when it was asked to.
    Killed,
    Well,
    /// With what it said.
    Badly(String),
}

/// Where a pipeline runs, and with which program.
pub(super) struct Place<'a> {
    pub(super) binary: &'a Path,
    pub(super) folder: &'a Path,
    /// Whether a run is resumed with the settings file instead of the record's settings.
    pub(super) with_settings: bool,
}

impl Place<'_> {
    /// Runs the pipeline, or resumes the run that is there.
    pub(super) fn go_on(&self, kill: Option<&Kill>) -> Result<Ended, Error> {
        let mut command = self.command();
        command.env_remove(VARIABLE);
        if let Some(Kill::At { point, nth }) = kill {
            command.env(VARIABLE, format!("kill:{point}:{nth}"));
        }
        watch(command, self.folder, kill)
    }

    /// The same without a kill; counts what it reaches.
    pub(super) fn count(&self, log: &str) -> Result<Ended, Error> {
        let mut command = self.command();
        command.env(VARIABLE, format!("count:{log}"));
        watch(command, self.folder, None)
    }

    /// What `elspeth verify` finds wrong with the run, trusting the key and nothing else.
    pub(super) fn wrong(&self) -> Result<Option<String>, Error> {
        let mut command = Command::new(self.binary);
        let output = command
            .current_dir(self.folder)
            .args(["verify", "latest", "--database", DATABASE, "--no-dotenv", "--key", PUBLIC_KEY])
            .output()
            .map_err(|source| Error::Start { command: crate::command::shown(&command), source })?;
        let said =
            || [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok((!output.status.success()).then(|| format!("`elspeth verify`: {}", said().concat())))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.binary);
        command.current_dir(self.folder);
        command.env("ELSPETH_SIGNING_KEY", SIGNING_KEY);
        command.env("ELSPETH_LANDSCAPE__SIGNING__HEADS_EVERY", HEADS_EVERY);
        if has_run(&self.folder.join(DATABASE)) {
            command.args(["resume", "latest", "--database", DATABASE, "--execute", "--no-dotenv"]);
            if self.with_settings {
                command.args(["--settings", SETTINGS]);
            }
        } else {
            command.args(["run", "--settings", SETTINGS, "--execute", "--no-dotenv"]);
        }
        command
    }
}

/// Waits for the process, and ends it when its time has come.
fn watch(mut command: Command, folder: &Path, kill: Option<&Kill>) -> Result<Ended, Error> {
    let log = folder.join("said.log");
    let said = File::options().create(true).append(true).open(&log).map_err(Error::io(&log))?;
    let also = said.try_clone().map_err(Error::io(&log))?;
    command.stdin(std::process::Stdio::null()).stdout(said).stderr(also);
    let before = fs::metadata(&log).map_err(Error::io(&log))?.len();
    let started = Instant::now();
    let mut child = command
        .spawn()
        .map_err(|source| Error::Start { command: crate::command::shown(&command), source })?;
    let mut asked = false;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(Error::io(folder))? {
            break status;
        }
        let passed = started.elapsed();
        match kill {
            Some(Kill::After { wait }) if passed >= *wait => break end(&mut child, folder)?,
            Some(Kill::Asked { wait, again }) if passed >= *wait && !asked => {
                asked = true;
                ask(&child);
                if *again {
                    std::thread::sleep(GLANCE);
                    ask(&child);
                }
            }
            Some(Kill::After { .. } | Kill::Asked { .. } | Kill::At { .. }) | None => {}
        }
        if passed > PATIENCE {
            end(&mut child, folder)?;
            return Ok(Ended::Badly(format!("it hangs: no end after {} s", PATIENCE.as_secs())));
        }
        std::thread::sleep(GLANCE);
    };
    Ok(judge(status, || {
        let all = fs::read(&log).unwrap_or_default();
        let from = usize::try_from(before).unwrap_or_default().min(all.len());
        String::from_utf8_lossy(&all[from..]).into_owned()
    }))
}

fn end(child: &mut Child, folder: &Path) -> Result<ExitStatus, Error> {
    child.kill().and_then(|()| child.wait()).map_err(Error::io(folder))
}

/// Nothing comes of it when the process has just ended.
fn ask(child: &Child) {
    if let Some(process) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(process, Signal::TERM);
    }
}

fn judge(status: ExitStatus, said: impl FnOnce() -> String) -> Ended {
    match (status.signal(), status.code()) {
        (Some(KILLED | ASKED), _) | (_, Some(INTERRUPTED)) => Ended::Killed,
        (_, Some(0)) => Ended::Well,
        _ => Ended::Badly(format!("{status}\n{}", said())),
    }
}

/// Whether a run is registered. Looks without tidying up what the killed process left: that is the product's to do.
fn has_run(database: &Path) -> bool {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let found = Connection::open_with_flags(database, flags).and_then(|connection| {
        connection.query_row("SELECT count(*) FROM runs", (), |row| row.get::<_, i64>(0))
    });
    found.is_ok_and(|runs| runs > 0)
}
