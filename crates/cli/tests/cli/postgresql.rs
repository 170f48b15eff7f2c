//! The binary with its record in PostgreSQL: whatever it does on SQLite it does there.

use std::path::Path;

use elspeth_testkit::PgCluster;
use serde_json::Value as Json;

use crate::support::{Cli, Said, said};

const URL: &str = "ELSPETH_LANDSCAPE__URL";
const FAULT: &str = "ELSPETH_FAULT";

/// A folder with a pipeline, and a database of its own.
struct Served {
    cli: Cli,
    url: String,
}

impl Served {
    /// `None`, where the machine has no PostgreSQL.
    fn triage() -> Option<Self> {
        Some(Self { cli: Cli::triage(), url: PgCluster::shared()?.fresh() })
    }

    fn perform(&self, args: &[&str], fault: Option<&str>) -> std::process::Output {
        let mut command = self.cli.command(args);
        command.env(URL, &self.url).env("ELSPETH_CHECKPOINT__FREQUENCY", "every_n");
        command.env("ELSPETH_CHECKPOINT__CHECKPOINT_INTERVAL", "1").env_remove(FAULT);
        command.envs(fault.map(|fault| (FAULT, fault))).output().expect("the binary was built for this test")
    }

    fn say(&self, args: &[&str]) -> Said {
        said(self.perform(args, None))
    }

    fn done(&self, args: &[&str]) -> String {
        let Said { out, err, code } = self.say(args);
        assert_eq!(code, 0, "{args:?}: {out}{err}");
        out
    }

    fn asked(&self, args: &[&str]) -> Json {
        serde_json::from_str(&self.done(args)).expect("the command was asked for JSON")
    }
}

const RUN: [&str; 4] = ["run", "-s", "triage.yaml", "-x"];
const RESUME: [&str; 5] = ["resume", "latest", "-s", "triage.yaml", "-x"];

/// What does not depend on ids and times.
fn lasting(status: &Json) -> [Json; 4] {
    ["status", "rows", "destinations", "content_root"].map(|key| status[key].clone())
}

fn names<'a>(list: &'a Json, key: &str) -> Vec<&'a str> {
    list.as_array().expect("a list").iter().filter_map(|each| each[key].as_str()).collect()
}

#[test]
fn every_command_answers_as_on_sqlite() {
    let Some(served) = Served::triage() else { return };
    let (twin, url) = (Cli::after_run(), served.url.as_str());
    served.done(&RUN);
    let of_twin = |args: &[&str]| twin.json(&[args, &["-d", "out/audit.db", "--json"]].concat());
    let of_ours = |args: &[&str]| served.asked(&[args, &["-d", url, "--json"]].concat());
    let both = |args: &[&str]| (of_ours(args), of_twin(args));
    let (ours, twins) = both(&["status", "latest"]);
    assert_eq!(lasting(&ours), lasting(&twins));
    let (ours, twins) = both(&["errors", "latest"]);
    assert_eq!(names(&ours, "message"), names(&twins, "message"));
    assert!(!names(&ours, "message").is_empty());
    let (ours, twins) = both(&["explain", "--run", "latest", "--row", "1"]);
    assert_eq!(ours["row"]["data"], twins["row"]["data"]);
    let states = |lineage: &Json| names(&lineage["tokens"][0]["states"], "output_hash").len();
    assert!(states(&ours) == states(&twins) && states(&ours) > 2, "{ours}");
    let (ours, twins) = both(&["verify", "latest"]);
    assert_eq!((&ours["status"], &ours["content_root"]), (&Json::from("ok"), &twins["content_root"]));
    assert_eq!(of_ours(&["runs"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_run_goes_from_database_to_database_and_is_purged() {
    let Some(served) = Served::triage() else { return };
    let (from, to) = (served.url.as_str(), PgCluster::shared().unwrap().fresh());
    served.done(&RUN);
    let root =
        |database: &str| served.asked(&["status", "latest", "-d", database, "--json"])["record_root"].clone();
    served.done(&["export", "latest", "-d", from, "-o", "exported", "--bodies"]);
    for database in [to.as_str(), "other.db"] {
        served.done(&["import", "exported", "-d", database]);
        served.done(&["verify", "latest", "-d", database]);
        assert_eq!(root(database), root(from));
    }
    served.done(&["prove", "row", "latest", "1", "-d", from, "-o", "row.receipt"]);
    served.done(&["purge", "--run", "latest", "-d", &to, "--yes"]);
    let row = served.asked(&["explain", "--run", "latest", "--row", "1", "-d", &to, "--json"]);
    assert_eq!(row["row"]["data"], serde_json::json!({"purged": true}));
    served.done(&["verify", "latest", "-d", &to]);
    assert_eq!(root(&to), root(from));
}

#[test]
fn a_run_is_copied_there_and_back() {
    let Some(served) = Served::triage() else { return };
    let twin = Cli::after_run();
    let copied = twin.json(&["copy", "latest", "--from", "out/audit.db", "--to", &served.url, "--json"]);
    let back = twin.say(&["copy", "latest", "--from", &served.url, "--to", "back.db"]);
    assert!(back.code == 0 && back.out.starts_with("copied run "), "{}{}", back.out, back.err);
    for database in [served.url.as_str(), "back.db"] {
        let verified = twin.json(&["verify", "latest", "-d", database, "--json"]);
        assert_eq!(verified["status"], "ok", "{verified}");
        assert_eq!(verified["record_root"], copied["record_root"]);
    }
    let row = |database: &str| {
        twin.json(&["explain", "--run", "latest", "--row", "1", "-d", database, "--json"])["row"]["data"]
            .clone()
    };
    assert_eq!(row("back.db"), row("out/audit.db"));
    let again = twin.say(&["copy", "latest", "--from", "back.db", "--to", &served.url]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("is in this database already"), "{}", again.err);
}

#[test]
fn a_run_that_is_killed_at_a_commit_goes_on() {
    if PgCluster::shared().is_none() {
        return;
    }
    let twin = Cli::after_run();
    let expected = lasting(&twin.json(&["status", "latest", "-d", "out/audit.db", "--json"]));
    for point in [
        "after-begin-run:1",
        "before-commit-a:1",
        "after-commit-a:1",
        "before-commit-ab:1",
        "after-commit-ab:1",
        "after-stage:2",
        "before-commit-b:1",
        "after-commit-b:1",
        "before-seal:1",
    ] {
        let Some(served) = Served::triage() else { return };
        let killed = served.perform(&RUN, Some(&format!("kill:{point}")));
        assert_eq!(killed.status.code(), None, "{point}: {killed:?}");
        served.done(&RESUME);
        let status = served.asked(&["status", "latest", "-d", &served.url, "--json"]);
        assert_eq!(lasting(&status), expected, "{point}");
        served.done(&["verify", "latest", "-d", &served.url]);
    }
}

#[test]
fn of_two_processes_that_take_a_run_up_one_does() {
    let Some(served) = Served::triage() else { return };
    assert_eq!(served.perform(&RUN, Some("kill:after-commit-a:1")).status.code(), None);
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let both = [0, 1].map(|_| scope.spawn(|| served.say(&RESUME).code));
        both.into_iter().map(|each| each.join().unwrap()).collect()
    });
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    served.done(&["verify", "latest", "-d", &served.url]);
}

#[test]
fn runs_of_several_processes_share_a_database() {
    let Some(served) = Served::triage() else { return };
    let url = served.url.as_str();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let each = Served { cli: Cli::triage(), url: url.to_owned() };
                each.done(&RUN);
            });
        }
    });
    let runs = served.asked(&["runs", "-d", url, "--json"]);
    let ids: Vec<&str> = names(&runs, "run_id");
    assert_eq!((ids.len(), names(&runs, "status")), (4, vec!["completed"; 4]));
    let roots: std::collections::BTreeSet<String> = ids
        .iter()
        .map(|id| served.asked(&["status", id, "-d", url, "--json"])["content_root"].to_string())
        .collect();
    assert_eq!(roots.len(), 1);
}

#[test]
fn a_password_is_neither_shown_nor_recorded() {
    let Some(served) = Served::triage() else { return };
    let with_password = served.url.replace("://elspeth@", "://elspeth:hunter2@");
    let said = said(
        served
            .cli
            .command(&RUN)
            .env(URL, &with_password)
            .env("ELSPETH_FINGERPRINT_KEY", "k")
            .output()
            .unwrap(),
    );
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(!said.out.contains("hunter2") && !said.err.contains("hunter2"), "{}{}", said.out, said.err);
    let missing = with_password.rsplit_once('/').unwrap().0.to_owned() + "/nowhere";
    let refused = served.say(&["runs", "-d", &missing]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("does not exist") && !refused.err.contains("hunter2"), "{}", refused.err);
    let name = served.url.rsplit('/').next().unwrap();
    let kept =
        PgCluster::shared().unwrap().psql(name, "SELECT settings || owner || source_identity FROM runs");
    assert!(!kept.contains("hunter2"), "{kept}");
}

/// Every file of a folder, into another.
fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the scratch folder can be written");
    for entry in std::fs::read_dir(from).expect("the examples can be read") {
        let entry = entry.expect("the examples can be read");
        match entry.file_type().expect("it was just listed").is_dir() {
            true if entry.file_name() == "out" => {}
            true => copy_folder(&entry.path(), &to.join(entry.file_name())),
            false => {
                std::fs::copy(entry.path(), to.join(entry.file_name())).expect("it can be copied");
            }
        }
    }
}

#[test]
fn every_example_has_the_same_content_root_on_both() {
    let Some(served) = Served::triage() else { return };
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    copy_folder(&examples, &served.cli.path("examples"));
    let mut names: Vec<String> = std::fs::read_dir(&examples)
        .expect("the examples can be read")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| examples.join(name).join("settings.yaml").is_file())
        .collect();
    names.sort_unstable();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let settings = format!("examples/{name}/settings.yaml");
        let root = |url: &str| {
            let out = served.cli.path(&format!("examples/{name}/out"));
            if out.exists() {
                std::fs::remove_dir_all(&out).expect("the scratch folder can be written");
            }
            let mut command = served.cli.command(&["run", "-s", &settings, "-x"]);
            let said = said(command.env(URL, url).output().expect("the binary was built for this test"));
            assert_eq!(said.code, 0, "{name}: {}{}", said.out, said.err);
            let status = served.cli.json(&["status", "latest", "-d", url, "--json"]);
            lasting(&status)
        };
        assert_eq!(root(&served.url), root(&format!("sqlite:///{name}.db")), "{name}");
    }
}
