//! The server of the record crashes while the binary writes a run.

use std::process::{Child, Command, Output, Stdio};

use elspeth_testkit::{PgCluster, PgDurability};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use serde_json::Value as Json;

use crate::support::{Cli, Said, said};

const RUN: [&str; 4] = ["run", "-s", "triage.yaml", "-x"];

/// A pipeline whose record is in a cluster that may crash.
struct Lost {
    cli: Cli,
    cluster: PgCluster,
    url: String,
}

impl Lost {
    fn new() -> Option<Self> {
        let cluster = PgCluster::own(PgDurability::Full)?;
        Some(Self { cli: Cli::triage(), url: cluster.fresh(), cluster })
    }

    fn say(&self, args: &[&str]) -> Said {
        said(self.cli.command(args).output().expect("the binary was built for this test"))
    }

    /// The binary, which keeps a journal.
    fn command(&self, args: &[&str], fault: &str) -> Command {
        let mut command = self.cli.command(args);
        command.env("ELSPETH_LANDSCAPE__URL", &self.url).env("ELSPETH_FAULT", fault);
        command.env("ELSPETH_LANDSCAPE__DUMP_TO_JSONL", "true");
        command.env("ELSPETH_LANDSCAPE__DUMP_TO_JSONL_PATH", "journal.jsonl");
        command.env("ELSPETH_CHECKPOINT__FREQUENCY", "every_n");
        command.env("ELSPETH_CHECKPOINT__CHECKPOINT_INTERVAL", "1");
        command
    }

    /// The binary, which stands still at a point.
    fn standing(&self, args: &[&str], point: &str) -> Child {
        let mut command = self.command(args, &format!("stop:{point}:1"));
        let process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let process = process.expect("the binary was built for this test");
        let (_, status) = waitpid(Some(pid(&process)), WaitOptions::UNTRACED)
            .ok()
            .flatten()
            .expect("it is a child of this process");
        assert!(status.stopped(), "{status:?}");
        process
    }

    fn status(&self) -> [Json; 4] {
        lasting(&self.cli.json(&["status", "latest", "-d", &self.url, "--json"]))
    }
}

fn pid(process: &Child) -> Pid {
    i32::try_from(process.id()).ok().and_then(Pid::from_raw).expect("a process has a number")
}

fn go_on(process: &Child) {
    kill_process(pid(process), Signal::CONT).expect("it stands still");
}

fn going_on(process: Child) -> Output {
    go_on(&process);
    process.wait_with_output().expect("it is a child of this process")
}

/// What does not depend on ids and times.
fn lasting(status: &Json) -> [Json; 4] {
    ["status", "rows", "destinations", "content_root"].map(|key| status[key].clone())
}

fn expected() -> [Json; 4] {
    lasting(&Cli::after_run().json(&["status", "latest", "-d", "out/audit.db", "--json"]))
}

#[test]
fn a_run_goes_on_by_itself_when_its_server_comes_back() {
    let Some(lost) = Lost::new() else { return };
    let process = lost.standing(&RUN, "before-commit-ab");
    lost.cluster.crash();
    lost.cluster.up();
    let said = said(going_on(process));
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert_eq!(lost.status(), expected());
    assert_eq!(lost.say(&["verify", "latest", "-d", &lost.url]).code, 0);
}

#[test]
fn a_run_whose_server_stays_away_stops_with_one_clear_error_and_is_resumed() {
    let Some(lost) = Lost::new() else { return };
    let process = lost.standing(&RUN, "before-commit-ab");
    lost.cluster.crash();
    let stopped = said(going_on(process));
    lost.cluster.up();
    assert_eq!(stopped.code, 1, "{}{}", stopped.out, stopped.err);
    assert_eq!(stopped.err.matches("error:").count(), 1, "{}", stopped.err);
    for part in ["committing an epoch", "the server cannot be reached, or it went away", "resume"] {
        assert!(stopped.err.contains(part), "{part}: {}", stopped.err);
    }
    let resumed = lost.say(&["resume", "latest", "-d", &lost.url, "-x"]);
    assert_eq!(resumed.code, 0, "{}{}", resumed.out, resumed.err);
    assert_eq!(lost.status(), expected());
    assert_eq!(lost.say(&["verify", "latest", "-d", &lost.url]).code, 0);
}

#[test]
fn a_journal_is_completed_when_the_server_of_its_record_comes_back() {
    let Some(lost) = Lost::new() else { return };
    let killed = lost.command(&RUN, "kill:after-commit-a:1").output().expect("the binary was built");
    assert_eq!(killed.status.code(), None, "{killed:?}");
    let process = lost.standing(&["resume", "latest", "-s", "triage.yaml", "-x"], "after-take-up");
    lost.cluster.crash();
    go_on(&process);
    lost.cluster.up();
    let said = said(process.wait_with_output().expect("it is a child of this process"));
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(!said.err.contains("is not whole"), "{}", said.err);
    assert_eq!(lost.status(), expected());
}
