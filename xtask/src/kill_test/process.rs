//! One process of the product, which may not live to its end.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use elspeth_faults::VARIABLE;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::course::{Blow, Kill, When};
use super::kept::Kept;
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
/// The exit code of `verify` for a record that was changed.
const TAMPERED: i32 = 5;

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
    /// Well, although its server went away on the way.
    LivedOn,
    /// It said that the server is gone.
    GaveUp,
    /// With what it said.
    Badly(String),
}

/// Where a pipeline runs, and with which program.
pub(super) struct Place<'a> {
    pub(super) binary: &'a Path,
    pub(super) folder: &'a Path,
    pub(super) kept: Kept<'a>,
    /// Whether a run is resumed with the settings file instead of the record's settings.
    pub(super) with_settings: bool,
}

impl Place<'_> {
    /// Runs the pipeline, or resumes the run that is there.
    pub(super) fn go_on(&self, kill: Option<&Kill>) -> Result<Ended, Error> {
        let mut command = self.command();
        command.env_remove(VARIABLE);
        match kill {
            Some(Kill::At { point, nth }) => {
                command.env(VARIABLE, format!("kill:{point}:{nth}"));
            }
            Some(Kill::Server { when: When::At { point, nth }, .. }) => {
                command.env(VARIABLE, format!("stop:{point}:{nth}"));
            }
            Some(Kill::Server { when: When::After { .. }, .. } | Kill::After { .. } | Kill::Asked { .. })
            | None => {}
        }
        self.watch(command, kill)
    }

    /// The same without a kill; counts what it reaches.
    pub(super) fn count(&self, log: &str) -> Result<Ended, Error> {
        let mut command = self.command();
        command.env(VARIABLE, format!("count:{log}"));
        self.watch(command, None)
    }

    /// What `elspeth verify` finds wrong with the run, trusting the key and nothing else.
    pub(super) fn wrong(&self) -> Result<Option<String>, Error> {
        let (code, said) = self.verified()?;
        Ok((code != Some(0)).then_some(said))
    }

    /// What `verify` says of a run that was killed, when it takes that for tampering.
    pub(super) fn accused(&self) -> Result<Option<String>, Error> {
        let (code, said) = self.verified()?;
        Ok((code == Some(TAMPERED)).then(|| format!("a run that was killed is accused: {said}")))
    }

    /// Exit code and words of `verify`.
    fn verified(&self) -> Result<(Option<i32>, String), Error> {
        let mut command = Command::new(self.binary);
        self.kept.tell(&mut command);
        let output = command
            .current_dir(self.folder)
            .args([
                "verify",
                "latest",
                "--database",
                self.kept.argument(),
                "--no-dotenv",
                "--key",
                PUBLIC_KEY,
            ])
            .output()
            .map_err(|source| Error::Start { command: crate::command::shown(&command), source })?;
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok((output.status.code(), format!("`elspeth verify`: {}", said.concat())))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.binary);
        command.current_dir(self.folder);
        self.kept.tell(&mut command);
        command.env("ELSPETH_SIGNING_KEY", SIGNING_KEY);
        command.env("ELSPETH_LANDSCAPE__SIGNING__HEADS_EVERY", HEADS_EVERY);
        if self.kept.has_run(self.folder) {
            command.args([
                "resume",
                "latest",
                "--database",
                self.kept.argument(),
                "--execute",
                "--no-dotenv",
            ]);
            if self.with_settings {
                command.args(["--settings", SETTINGS]);
            }
        } else {
            command.args(["run", "--settings", SETTINGS, "--execute", "--no-dotenv"]);
        }
        command
    }

    /// Waits for the process, and does what is to be done to it when its time has come.
    fn watch(&self, mut command: Command, kill: Option<&Kill>) -> Result<Ended, Error> {
        let folder = self.folder;
        let log = folder.join("said.log");
        let said = File::options().create(true).append(true).open(&log).map_err(Error::io(&log))?;
        let also = said.try_clone().map_err(Error::io(&log))?;
        command.stdin(std::process::Stdio::null()).stdout(said).stderr(also);
        let before = fs::metadata(&log).map_err(Error::io(&log))?.len();
        let started = Instant::now();
        let mut child = command
            .spawn()
            .map_err(|source| Error::Start { command: crate::command::shown(&command), source })?;
        let mut blow = Some(kill).flatten();
        let status = loop {
            if let Some(status) = child.try_wait().map_err(Error::io(folder))? {
                break status;
            }
            if let Some(kill) = blow.filter(|kill| is_due(kill, &child, started.elapsed())) {
                blow = None;
                self.strike(kill, &mut child)?;
            }
            if started.elapsed() > PATIENCE {
                end(&mut child, folder)?;
                return Ok(Ended::Badly(format!("it hangs: no end after {} s", PATIENCE.as_secs())));
            }
            std::thread::sleep(GLANCE);
        };
        let said = || {
            let all = fs::read(&log).unwrap_or_default();
            let from = usize::try_from(before).unwrap_or_default().min(all.len());
            String::from_utf8_lossy(&all[from..]).into_owned()
        };
        let struck = matches!(kill, Some(Kill::Server { .. })) && blow.is_none();
        Ok(match judge(status, said) {
            Ended::Well if struck => Ended::LivedOn,
            Ended::Badly(said) if struck && self.kept.was_given_up(&said) => Ended::GaveUp,
            other => other,
        })
    }

    fn strike(&self, kill: &Kill, child: &mut Child) -> Result<(), Error> {
        match kill {
            Kill::At { .. } => Ok(()),
            Kill::After { .. } => end(child, self.folder).map(drop),
            Kill::Asked { again, .. } => {
                send(child, Signal::TERM);
                if *again {
                    std::thread::sleep(GLANCE);
                    send(child, Signal::TERM);
                }
                Ok(())
            }
            Kill::Server { blow, .. } => self.strike_server(*blow, child),
        }
    }

    /// The process may stand still meanwhile, at the point at which this is to happen; it goes on then.
    fn strike_server(&self, blow: Blow, child: &mut Child) -> Result<(), Error> {
        let Kept::InServer(database) = &self.kept else { return Ok(()) };
        let cluster = database.server.cluster;
        match blow {
            Blow::Backend => {
                database.kill_backends();
                send(child, Signal::CONT);
            }
            Blow::Crash { away } => {
                cluster.crash();
                send(child, Signal::CONT);
                std::thread::sleep(away);
                cluster.up();
            }
            Blow::Both => {
                cluster.crash();
                end(child, self.folder)?;
                cluster.up();
            }
        }
        Ok(())
    }
}

/// Whether it is time.
fn is_due(kill: &Kill, child: &Child, passed: Duration) -> bool {
    match kill {
        Kill::At { .. } => false,
        Kill::After { wait } | Kill::Asked { wait, .. } => passed >= *wait,
        Kill::Server { when: When::After { wait }, .. } => passed >= *wait,
        Kill::Server { when: When::At { .. }, .. } => is_stopped(child),
    }
}

fn is_stopped(child: &Child) -> bool {
    let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    process_of(child).is_some_and(|process| matches!(waitid(WaitId::Pid(process), options), Ok(Some(_))))
}

fn process_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

fn end(child: &mut Child, folder: &Path) -> Result<ExitStatus, Error> {
    child.kill().and_then(|()| child.wait()).map_err(Error::io(folder))
}

/// Nothing comes of it when the process has just ended.
fn send(child: &Child, signal: Signal) {
    if let Some(process) = process_of(child) {
        let _ = kill_process(process, signal);
    }
}

fn judge(status: ExitStatus, said: impl FnOnce() -> String) -> Ended {
    match (status.signal(), status.code()) {
        (Some(KILLED | ASKED), _) | (_, Some(INTERRUPTED)) => Ended::Killed,
        (_, Some(0)) => Ended::Well,
        _ => Ended::Badly(format!("{status}\n{}", said())),
    }
}
