//! `headers: original` where later records of the source have further headers: what is written follows from the rows alone.

use serde_json::{Value as Json, json};

use crate::support::Cli;

/// All rows.
const FIVE: u32 = 5;

fn settings(sink: &Json, epoch: u32, workers: u32) -> String {
    let observed = json!({"mode": "observed"});
    let mut sink = sink.clone();
    sink["headers"] = json!("original");
    if sink["schema"].is_null() {
        sink["schema"] = observed.clone();
    }
    let plugin = if sink["path"] == "out.csv" { "csv" } else { "json" };
    json!({
        "source": {"plugin": "json", "on_success": "out", "options": {
            "path": "in.jsonl", "on_validation_failure": "discard", "schema": observed,
        }},
        "sinks": {"out": {"plugin": plugin, "on_write_failure": "discard", "options": sink}},
        "landscape": {"url": "sqlite:///audit.db"},
        "checkpoint": {"frequency": "every_n", "checkpoint_interval": epoch},
        "concurrency": {"max_workers": workers},
    })
    .to_string()
}

const INPUT: &str = "{\"Full Name\": \"Ann\"}\n\
    {\"Full Name\": \"Bob\", \"Phone No.\": \"5\"}\n\
    {\"Full Name\": \"Cy\", \"phone no\": \"6\"}\n\
    {\"Full Name\": \"Di\", \"Phone No.\": \"7\", \"E-Mail\": \"d@x\"}\n\
    {\"Full Name\": \"Ed\"}\n";

/// A run in a folder of its own; one that is killed there is resumed. Its output and its content root.
fn outcome(settings: &str, path: &str, kill_at: Option<&str>) -> (String, Json) {
    outcome_in(&Cli::triage(), settings, path, kill_at)
}

fn outcome_in(cli: &Cli, settings: &str, path: &str, kill_at: Option<&str>) -> (String, Json) {
    cli.write("s.yaml", settings);
    cli.write("in.jsonl", INPUT);
    let mut run = cli.command(&["run", "-s", "s.yaml", "-x"]);
    if let Some(fault) = kill_at {
        run.env("ELSPETH_FAULT", fault);
    }
    let ran = run.output().expect("the binary was built for this test");
    assert_eq!(ran.status.success(), kill_at.is_none(), "{kill_at:?}: {ran:?}");
    if kill_at.is_some() {
        let resumed = cli.say(&["resume", "latest", "-s", "s.yaml", "-x"]);
        assert_eq!(resumed.code, 0, "{}", resumed.err);
    }
    let status = cli.json(&["status", "latest", "-s", "s.yaml", "--json"]);
    (
        std::fs::read_to_string(cli.path(path)).expect("the run made its output"),
        status["content_root"].clone(),
    )
}

#[test]
fn a_field_has_its_first_header_however_epochs_end_and_whoever_resumes() {
    let cases = [
        (json!({"path": "out.csv"}), "Full Name,Phone No.,E-Mail\nAnn,,\nBob,5,\nCy,6,\nDi,7,d@x\nEd,,\n"),
        (
            json!({"path": "out.jsonl"}),
            "{\"Full Name\":\"Ann\"}\n{\"Full Name\":\"Bob\",\"Phone No.\":\"5\"}\n\
             {\"Full Name\":\"Cy\",\"Phone No.\":\"6\"}\n\
             {\"Full Name\":\"Di\",\"Phone No.\":\"7\",\"E-Mail\":\"d@x\"}\n{\"Full Name\":\"Ed\"}\n",
        ),
    ];
    for (sink, expected) in cases {
        let path = sink["path"].as_str().unwrap();
        let plain = outcome(&settings(&sink, FIVE, 1), path, None);
        assert_eq!(plain.0, expected);
        for (epoch, workers) in [(1, 1), (1, 8), (2, 8), (FIVE, 8)] {
            assert_eq!(outcome(&settings(&sink, epoch, workers), path, None), plain, "{epoch} {workers}");
        }
        for kill in ["kill:before-act:1", "kill:after-act:2", "kill:before-publish:1"] {
            assert_eq!(outcome(&settings(&sink, 1, 8), path, Some(kill)), plain, "{kill}");
        }
    }
}

#[test]
fn columns_of_a_file_that_is_appended_to_are_recognised_once_the_source_tells_their_headers() {
    let before = "Full Name,Phone No.,E-Mail\nAnn,,\nBob,5,\nCy,6,\nDi,7,d@x\nEd,,\n";
    let (head, rows) = before.split_once('\n').unwrap();
    let fields = json!({"mode": "flexible", "fields": ["full_name: str", "e_mail: str?"]});
    for schema in [Json::Null, fields] {
        let settings = settings(&json!({"path": "out.csv", "mode": "append", "schema": schema}), 1, 8);
        let appended = |kill: Option<&str>| {
            let cli = Cli::triage();
            cli.write("out.csv", before);
            outcome_in(&cli, &settings, "out.csv", kill)
        };
        let plain = appended(None);
        assert_eq!(plain.0, format!("{head}\n{rows}{rows}"));
        for kill in ["kill:before-act:2", "kill:after-act:3", "kill:before-publish:1"] {
            assert_eq!(appended(Some(kill)), plain, "{kill}");
        }
    }
}
