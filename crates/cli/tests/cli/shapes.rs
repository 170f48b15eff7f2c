//! What programs read: JSON shapes and exit codes of `5-cli`; fields may be added, never renamed.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use crate::support::{Cli, keys, said};
use serde_json::{Value as Json, json};

const COUNTERS: [&str; 11] = [
    "buffered",
    "coalesce_failed",
    "coalesced",
    "diverted",
    "expanded",
    "failed",
    "forked",
    "processed",
    "quarantined",
    "routed",
    "succeeded",
];

fn assert_has(json: &Json, wanted: &[&str]) {
    for key in wanted {
        assert!(json.get(key).is_some(), "`{key}` is missing in {json}");
    }
}

fn events(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
}

#[test]
fn run_json_is_one_event_a_line_and_ends_with_the_report() {
    let cli = Cli::triage();
    for flag in [["--json", ""], ["--format", "json"]] {
        let args: Vec<_> =
            ["run", "-s", "triage.yaml", "-x"].into_iter().chain(flag).filter(|a| !a.is_empty()).collect();
        let said = cli.say(&args);
        let events = events(&said.out);
        assert_eq!(events[0]["event"], "run_started");
        let last = events.last().unwrap();
        assert_has(
            last,
            &[
                "event",
                "run_id",
                "status",
                "exit_code",
                "duration_seconds",
                "database",
                "rows",
                "destinations",
                "content_root",
                "record_root",
            ],
        );
        assert_eq!(last["event"], "run_completed");
        assert_eq!(keys(&last["rows"]), COUNTERS);
        assert_eq!(last["destinations"], json!({"approved": 1, "failed": 1, "quarantine": 2, "rejected": 2}));
        assert_eq!((last["status"].as_str(), last["exit_code"].as_i64()), (Some("completed"), Some(0)));
        assert_eq!(last["content_root"].as_str().map(str::len), Some(64));
    }
}

#[test]
fn a_strict_run_ends_with_the_exit_code_that_its_last_event_has() {
    let cli = Cli::triage();
    let said = cli.say(&["run", "-s", "triage.yaml", "-x", "--json", "--strict"]);
    assert_eq!((said.code, events(&said.out).pop().unwrap()["exit_code"].as_i64()), (6, Some(6)));
}

#[test]
fn the_environment_names_the_database_where_no_argument_does() {
    let cli = Cli::after_run();
    let url = "sqlite:///out/audit.db";
    let runs = |args: &[&str], url: Option<&str>| {
        let mut command = cli.command(&[&["runs", "--json"], args].concat());
        if let Some(url) = url {
            command.env("ELSPETH_LANDSCAPE__URL", url);
        }
        said(command.output().expect("the binary was built for this test"))
    };
    let all = runs(&["-d", "out/audit.db"], None).out;
    assert!(all.contains("run_id"), "{all}");
    assert_eq!(runs(&[], None).code, 1, "there is no ./state/audit.db");
    assert_eq!(runs(&[], Some(url)).out, all);
    assert_eq!(runs(&["-d", "nowhere.db"], Some(url)).code, 1, "what is named counts");
    cli.write(".env", &format!("ELSPETH_LANDSCAPE__URL={url}\n"));
    assert_eq!(runs(&[], None).out, all);
    assert_eq!(runs(&["--no-dotenv"], None).code, 1);
    cli.write("other.env", &format!("ELSPETH_LANDSCAPE__URL={url}\n"));
    cli.write(".env", "ELSPETH_LANDSCAPE__URL=mysql://h/d\n");
    assert_eq!(runs(&["--env-file", "other.env"], None).out, all);
    let refused = runs(&[], None);
    assert!(refused.err.contains("`ELSPETH_LANDSCAPE__URL`: `mysql` databases"), "{}", refused.err);
}

#[test]
fn commands_that_are_printed_can_be_typed() {
    let cli = Cli::triage();
    let triage = include_str!("data/triage.yaml").replace("out/audit.db", "my records/a$b.db");
    cli.write("tri age.yaml", &triage);
    let plan = cli.say(&["run", "-s", "tri age.yaml"]).out;
    assert!(plan.contains("`elspeth run -s 'tri age.yaml' -x` runs it"), "{plan}");
    let run = cli.say(&["run", "-s", "tri age.yaml", "-x"]).out;
    assert_eq!(run.matches(" -d 'my records/a$b.db'\n").count(), 2, "{run}");
    let explained = cli.say(&["explain", "--row", "0", "-s", "tri age.yaml"]);
    assert_eq!(explained.code, 0, "{}", explained.err);
}

#[test]
fn status_json_is_the_run_report_without_event() {
    let cli = Cli::triage();
    let said = cli.say(&["run", "-s", "triage.yaml", "-x", "--json"]);
    let mut report = events(&said.out).pop().unwrap();
    report.as_object_mut().unwrap().remove("event");
    assert_eq!(cli.json(&["status", "latest", "-d", "out/audit.db", "--json"]), report);
}

#[test]
fn runs_json_lists_newest_first() {
    let cli = Cli::after_run();
    cli.say(&["run", "-s", "triage.yaml", "-x"]);
    let runs = cli.json(&["runs", "-d", "out/audit.db", "--json"]);
    let wanted =
        ["completed_at", "duration_seconds", "rows", "run_id", "settings_path", "started_at", "status"];
    assert_eq!(keys(&runs[0]), wanted);
    assert!(runs[0]["started_at"].as_str() > runs[1]["started_at"].as_str());
    assert_eq!(runs.as_array().unwrap().len(), 2);
}

#[test]
fn explain_json_has_row_tokens_states_and_routing() {
    let cli = Cli::after_run();
    let lineage = cli.json(&["explain", "-r", "latest", "--row", "0", "-d", "out/audit.db", "--json"]);
    assert_has(&lineage, &["run_id", "row", "tokens"]);
    assert_has(&lineage["row"], &["row_id", "row_index", "source_data_hash", "data"]);
    let token = &lineage["tokens"][0];
    assert_has(token, &["token_id", "branch", "parents", "outcome", "states"]);
    assert_has(&token["outcome"], &["outcome", "sink", "error"]);
    for state in token["states"].as_array().unwrap() {
        assert_has(
            state,
            &[
                "state_id",
                "node",
                "node_type",
                "plugin",
                "step",
                "attempt",
                "status",
                "input_hash",
                "output_hash",
                "input",
                "output",
                "duration_ms",
                "waited_ms",
                "error",
                "reason",
                "routing",
                "calls",
            ],
        );
    }
    assert_has(&token["states"][2]["routing"][0], &["label", "mode", "to", "reason"]);
    let id = token["token_id"].as_str().unwrap();
    let same = cli.json(&["explain", "--token", id, "-d", "out/audit.db", "--json"]);
    assert_eq!(same["tokens"], lineage["tokens"]);
    let elsewhere = cli.say(&["explain", "--row", "0", "--sink", "rejected", "-d", "out/audit.db"]);
    assert_eq!(elsewhere.code, 1, "row 0 went to another sink: {}", elsewhere.out);
}

#[test]
fn errors_json_lists_every_failure() {
    let cli = Cli::after_run();
    let errors = cli.json(&["errors", "latest", "-d", "out/audit.db", "--json"]);
    let errors = errors.as_array().unwrap();
    assert_eq!(errors.len(), 3);
    for error in errors {
        assert_has(error, &["row_index", "token_id", "node", "kind", "message", "destination", "data"]);
    }
    let kinds: Vec<_> = errors.iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["schema_violation", "gate_error", "malformed_record"]);
}

#[test]
fn validate_json_lists_errors_with_places() {
    let cli = Cli::triage();
    assert_eq!(
        cli.json(&["validate", "-s", "triage.yaml", "--json"]),
        json!({"valid": true, "errors": [], "warnings": []})
    );
    cli.write(
        "triage.yaml",
        &include_str!("data/triage.yaml").replace("on_success: renamed", "on_success: renamde"),
    );
    let report = cli.json(&["validate", "-s", "triage.yaml", "--json"]);
    assert_eq!(report["valid"], false);
    for error in report["errors"].as_array().unwrap() {
        assert_has(error, &["code", "message", "file", "line", "column", "help"]);
    }
}

#[test]
fn exit_codes_are_as_documented() {
    let cli = Cli::triage();
    assert_eq!(cli.say(&["run"]).code, 2, "wrong usage");
    assert_eq!(cli.say(&["explain", "-r", "latest"]).code, 2, "neither row nor token");
    assert_eq!(cli.say(&["run", "-s", "triage.yaml", "-x", "-n"]).code, 2, "execute and dry run");
    assert_eq!(cli.say(&["run", "-s", "nowhere.yaml", "-x"]).code, 1);
    assert_eq!(
        cli.say(&["run", "-s", "triage.yaml", "-x", "--strict"]).code,
        6,
        "completed, but rows failed"
    );
    assert_eq!(cli.say(&["run", "-s", "triage.yaml", "-n"]).code, 0);
    assert_eq!(cli.say(&["version"]).code, 0);
    assert_eq!(cli.say(&["health", "-d", "nowhere.db"]).code, 1);
}

#[test]
fn what_cannot_run_is_refused_before_the_first_row() {
    let settings = include_str!("data/triage.yaml");
    let cases = [
        ("missing input", settings.replace("path: in.csv", "path: nowhere.csv"), "nowhere.csv"),
        ("output is a folder", settings.replace("out/failed.csv", "."), "."),
        ("output equal to input", settings.replace("out/failed.csv", "./in.csv"), "in.csv"),
        (
            "two sinks on one path",
            settings.replace("out/failed.csv", "out/../out/approved.csv"),
            "approved.csv",
        ),
    ];
    for (what, text, named) in cases {
        let cli = Cli::triage();
        cli.write("triage.yaml", &text);
        let said = cli.say(&["run", "-s", "triage.yaml", "-x"]);
        assert_eq!(said.code, 1, "{what}: {}{}", said.out, said.err);
        assert!(said.err.contains(named) && said.err.contains("triage.yaml:"), "{what}: {}", said.err);
        assert!(!cli.path("out").exists(), "{what}: nothing was made");
    }
}

#[test]
fn a_first_signal_finishes_the_epoch_and_ends_as_interrupted() {
    let cli = Cli::triage();
    let rows: String = (0..150_000).map(|i| format!("{i},name {i},{}\n", i % 100)).collect();
    cli.write("in.csv", &format!("id,Full Name,score\n{rows}"));
    let mut child = cli
        .command(&["run", "-s", "triage.yaml", "-x", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    assert!(first.contains("run_started"), "{first}");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    let report = events(&rest).pop().unwrap();
    assert_eq!((report["status"].as_str(), report["exit_code"].as_i64()), (Some("interrupted"), Some(3)));
    assert!(report["rows"]["processed"].as_u64().unwrap() < 150_000);
    assert_eq!(report["unfinished"], 0, "what was read has its outcome");
    assert!(!cli.path("out/approved.csv").exists(), "nothing is published before the end");
}

#[test]
fn other_commands_answer_in_json_too() {
    let cli = Cli::after_run();
    assert_has(&cli.json(&["version", "--json"]), &["version"]);
    assert_has(&cli.json(&["health", "--json", "-d", "out/audit.db"]), &["healthy", "checks"]);
    assert_has(&cli.json(&["schema"]), &["$schema", "properties"]);
    assert_has(&cli.json(&["graph", "-s", "triage.yaml", "--json"]), &["nodes", "edges"]);
    assert!(cli.json(&["plugins", "--json"]).as_array().unwrap().len() >= 9);
    let svg = cli.say(&["graph", "-s", "triage.yaml", "--format", "svg"]).out;
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{}", &svg[..200]);
    assert!(cli.say(&["completions", "bash"]).out.contains("elspeth"));
    let man = said(cli.command(&["man", "--out", "man"]).output().unwrap());
    assert_eq!(man.code, 0, "{}", man.err);
    assert!(cli.path("man/elspeth-explain.1").exists());
}
