//! One process of the product, which may not live to its end.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use elspeth_faults::VARIABLE;
use rusqlite::{Connection, OpenFlags};

use super::course::Kill;
use super::pipelines::SETTINGS;
use crate::error::Error;

/// Longer than this nothing takes; a process that does hangs.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often a process is looked at.
const GLANCE: Duration = Duration::from_millis(1);

/// The record, in each folder.
pub(super) const DATABASE: &str = "audit.db";

/// How a process ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Killed,
    Well,
    /// With what it said.
    Badly(String),
}

/// Runs the pipeline in `folder`, or resumes the run that is there.
pub(super) fn go_on(binary: &Path, folder: &Path, kill: Option<&Kill>) -> Result<Ended, Error> {
    let mut command = Command::new(binary);
    command.current_dir(folder).env_remove(VARIABLE);
    if has_run(&folder.join(DATABASE)) {
        command.args(["resume", "latest", "--database", DATABASE, "--execute", "--no-dotenv"]);
    } else {
        command.args(["run", "--settings", SETTINGS, "--execute", "--no-dotenv"]);
    }
    let deadline = match kill {
        Some(Kill::At { point, nth }) => {
            command.env(VARIABLE, format!("kill:{point}:{nth}"));
            None
        }
        Some(Kill::After { wait }) => Some(*wait),
        None => None,
    };
    watch(command, folder, deadline)
}

/// Runs the pipeline or resumes the run, and counts what it reaches.
pub(super) fn count(binary: &Path, folder: &Path, log: &str) -> Result<Ended, Error> {
    let mut command = Command::new(binary);
    command.current_dir(folder).env(VARIABLE, format!("count:{log}"));
    if has_run(&folder.join(DATABASE)) {
        command.args(["resume", "latest", "--database", DATABASE, "--execute", "--no-dotenv"]);
    } else {
        command.args(["run", "--settings", SETTINGS, "--execute", "--no-dotenv"]);
    }
    watch(command, folder, None)
}

/// Waits for the process, and kills it after `deadline`.
fn watch(mut command: Command, folder: &Path, deadline: Option<Duration>) -> Result<Ended, Error> {
    let log = folder.join("said.log");
    let said = File::options().create(true).append(true).open(&log).map_err(Error::io(&log))?;
    let also = said.try_clone().map_err(Error::io(&log))?;
    command.stdin(std::process::Stdio::null()).stdout(said).stderr(also);
    let before = fs::metadata(&log).map_err(Error::io(&log))?.len();
    let started = Instant::now();
    let mut child = command
        .spawn()
        .map_err(|source| Error::Start { command: crate::command::shown(&command), source })?;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(Error::io(folder))? {
            break status;
        }
        let passed = started.elapsed();
        if deadline.is_some_and(|deadline| passed >= deadline) {
            break end(&mut child, folder)?;
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

fn judge(status: ExitStatus, said: impl FnOnce() -> String) -> Ended {
    match (status.signal(), status.code()) {
        (Some(9), _) => Ended::Killed,
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
