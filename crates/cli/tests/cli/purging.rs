//! `elspeth purge`, and what the other commands say afterwards.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Cli, Said};
use crate::terminal::Terminal;
use serde_json::{Value as Json, json};

const DB: [&str; 2] = ["-d", "out/audit.db"];

fn ask(cli: &Cli, args: &[&str]) -> Said {
    cli.say(&[args, &DB].concat())
}

fn ask_json(cli: &Cli, args: &[&str]) -> Json {
    cli.json(&[args, &DB, &["--json"]].concat())
}

/// Replaces every body that is shown by what is shown in its place.
fn without_bodies(json: &mut Json) {
    match json {
        Json::Object(fields) => {
            for (name, value) in fields {
                if ["data", "input", "output"].contains(&name.as_str()) && !value.is_null() {
                    *value = json!({"purged": true});
                } else {
                    without_bodies(value);
                }
            }
        }
        Json::Array(values) => values.iter_mut().for_each(without_bodies),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

#[test]
fn a_purge_says_what_goes_and_what_stays() {
    let cli = Cli::after_run();
    let asked: [&[&str]; 6] = [
        &["purge", "--older-than", "30", "--dry-run"],
        &["purge", "--older-than", "0", "--dry-run"],
        &["purge", "--older-than", "0", "-y"],
        &["purge", "--older-than", "0", "-y"],
        &["purge", "--run", "latest", "-y"],
        &["status", "latest"],
    ];
    let texts: Vec<_> = asked
        .iter()
        .map(|args| {
            let said = ask(&cli, args);
            assert_eq!((said.code, said.err.as_str()), (0, ""), "{args:?}");
            format!("$ elspeth {}\n{}", args.join(" "), said.out)
        })
        .collect();
    assert_said!(texts.join("\n"));
}

/// Bodies go; explain and errors say so, and keep everything else; so do the roots.
#[test]
fn promise_retention() {
    let cli = Cli::after_run();
    let asked: [&[&str]; 4] = [
        &["explain", "--row", "0"],
        &["explain", "--row", "2"],
        &["explain", "--row", "3"],
        &["errors", "latest"],
    ];
    let mut before: Vec<Json> = asked.iter().map(|args| ask_json(&cli, args)).collect();
    let mut status = ask_json(&cli, &["status", "latest"]);
    assert_eq!(status["grade"], "full_reproducible");
    assert_eq!(ask(&cli, &["purge", "--older-than", "0", "-y"]).code, 0);

    before.iter_mut().for_each(without_bodies);
    let after: Vec<Json> = asked.iter().map(|args| ask_json(&cli, args)).collect();
    assert_eq!(after, before, "hashes, decisions and reasons are as they were");
    assert_eq!(after[0]["row"]["data"], json!({"purged": true}));
    assert_eq!(after[0]["row"]["source_data_hash"].as_str().map(str::len), Some(64));
    assert_eq!(after[0]["tokens"][0]["states"][1]["output"], json!({"purged": true}));
    assert_eq!(after[3][0]["data"], json!({"purged": true}));

    status["grade"] = json!("attributable_only");
    assert_eq!(ask_json(&cli, &["status", "latest"]), status, "roots and counters are as they were");
    let texts = asked.map(|args| ask(&cli, args).out);
    assert_said!(texts.join("\n"));
}

#[test]
fn purge_json_has_one_shape_before_and_after() {
    let cli = Cli::after_run();
    let keys = |json: &Json| json.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let before = ask_json(&cli, &["purge", "--older-than", "0", "--dry-run"]);
    let after = ask_json(&cli, &["purge", "--older-than", "0", "-y"]);
    for (report, dry_run) in [(&before, true), (&after, false)] {
        let names = ["database", "dry_run", "finished", "runs", "skipped", "waiting"];
        assert_eq!(keys(report), names);
        assert_eq!(report["dry_run"], dry_run);
        assert_eq!(report["finished"], !dry_run);
        assert_eq!(report["runs"][0]["finished"], !dry_run);
        assert_eq!(keys(&report["runs"][0]), keys(&before["runs"][0]));
        assert_eq!(report["runs"][0]["blocks"], 1);
        assert_eq!(report["runs"][0]["block_bytes"], before["runs"][0]["block_bytes"]);
    }
    let nothing = json!({"database": "out/audit.db", "dry_run": false, "finished": true, "runs": [], "skipped": [],
        "waiting": []});
    assert_eq!(ask_json(&cli, &["purge", "--older-than", "0", "-y"]), nothing);
}

#[test]
fn without_a_yes_and_a_terminal_nothing_is_deleted() {
    let cli = Cli::after_run();
    let before = ask(&cli, &["explain", "--row", "0"]).out;
    for more in [&[][..], &["--json"]] {
        let said = ask(&cli, &[&["purge", "--older-than", "0"], more].concat());
        assert_eq!((said.code, said.out.as_str()), (2, ""));
        assert!(said.err.contains("--yes") && said.err.contains("--dry-run"), "{}", said.err);
    }
    assert_eq!(ask(&cli, &["purge", "--older-than", "0", "-y", "-n"]).code, 2, "one or the other");
    ask(&cli, &["purge", "--older-than", "0", "-n"]);
    assert_eq!(ask(&cli, &["explain", "--row", "0"]).out, before);
}

#[test]
fn on_a_terminal_only_a_yes_deletes() {
    let cli = Cli::after_run();
    let before = ask(&cli, &["explain", "--row", "0"]).out;
    let purge = |answer: &str| {
        let command = cli.command(&[&["purge", "--older-than", "0"][..], &DB].concat());
        let mut terminal = Terminal::of(&command, (40, 100));
        terminal.until("would go").until("delete them? [y/N] ").press(answer);
        terminal
    };
    for no in ["n\n", "\n", "maybe\n", "\u{4}"] {
        let mut refused = purge(no);
        refused.until("nothing was deleted");
        assert_eq!(refused.end(), Some(0), "{no:?}");
        assert_eq!(ask(&cli, &["explain", "--row", "0"]).out, before, "{no:?}");
    }
    let mut agreed = purge("Yes\n");
    agreed.until("purged 1 run in");
    assert_eq!(agreed.end(), Some(0));
    let mut shown = ask_json(&cli, &["explain", "--row", "0"]);
    assert_eq!(shown["row"]["data"].take(), json!({"purged": true}));
}

#[test]
fn without_an_age_each_run_is_kept_as_long_as_its_settings_say() {
    let cli = Cli::after_run();
    let report = ask_json(&cli, &["purge", "-y"]);
    assert_eq!((&report["runs"], &report["skipped"]), (&json!([]), &json!([])), "it is younger than 90 days");
    let report = ask_json(&cli, &["purge", "--run", "latest", "-n"]);
    assert_eq!(report["runs"].as_array().unwrap().len(), 1, "who names a run need not give an age");
    let report = ask_json(&cli, &["purge", "--run", "latest", "--older-than", "1", "-n"]);
    assert_eq!(report["runs"], json!([]));
    assert_eq!(report["skipped"][0]["reason"], "it is not as old");
}

/// The triage pipeline with a value of 100 kB.
fn with_large_bodies() -> Cli {
    let cli = Cli::triage();
    cli.write("in.csv", &format!("id,Full Name,score\n1,{},70\n2,small,70\n", "x".repeat(100_000)));
    assert_eq!(cli.say(&["run", "-s", "triage.yaml", "-x"]).code, 0);
    cli
}

fn store_files(cli: &Cli) -> usize {
    let arguments = [".elspeth/payloads", "-type", "f", "-size", "+64k"];
    let mut found = Command::new("find").args(arguments).current_dir(cli.path("")).output().unwrap().stdout;
    found.retain(|byte| *byte == b'\n');
    found.len()
}

#[test]
fn large_bodies_go_when_no_run_refers_to_them_any_more() {
    let cli = with_large_bodies();
    assert_eq!(cli.say(&["run", "-s", "triage.yaml", "-x"]).code, 0);
    assert_eq!(store_files(&cli), 2, "as it was read, and as it was renamed; of both runs");
    let runs = ask_json(&cli, &["runs"]);
    let older = runs[1]["run_id"].as_str().unwrap();
    let report = ask_json(&cli, &["purge", "--run", older, "-y"]);
    assert_eq!(
        (&report["runs"][0]["large_bodies"], &report["runs"][0]["kept_bodies"]),
        (&json!(0), &json!(2))
    );
    assert_eq!(store_files(&cli), 2);
    let shown = ask_json(&cli, &["explain", "--row", "0"]);
    assert_eq!(
        shown["row"]["data"]["full_name"].as_str().unwrap().len(),
        100_000,
        "the other run has its values"
    );

    let report = ask_json(&cli, &["purge", "--older-than", "0", "-y"]);
    assert_eq!(
        (&report["runs"][0]["large_bodies"], &report["runs"][0]["kept_bodies"]),
        (&json!(2), &json!(0))
    );
    assert!(report["runs"][0]["large_bytes"].as_u64().unwrap() > 200_000);
    assert_eq!(store_files(&cli), 0);
    let shown = ask_json(&cli, &["explain", "--row", "0"]);
    assert_eq!(shown["row"]["data"], json!({"purged": true}));
}

#[test]
fn from_a_folder_without_the_payload_store_nothing_is_begun() {
    let cli = with_large_bodies();
    std::fs::create_dir(cli.path("elsewhere")).unwrap();
    let database = cli.path("out/audit.db");
    let mut command = cli.command(&["purge", "--older-than", "0", "-y", "-d", database.to_str().unwrap()]);
    let said = crate::support::said(command.current_dir(cli.path("elsewhere")).output().unwrap());
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(
        said.err.contains("2 large bodies") && said.err.contains("in which the run was started"),
        "{}",
        said.err
    );
    assert_eq!(ask_json(&cli, &["status", "latest"])["grade"], "full_reproducible");
    assert_eq!(store_files(&cli), 2);
}

/// A run that has read some rows and waits for more.
fn waiting_run(cli: &Cli) -> (Child, std::fs::File) {
    assert!(Command::new("mkfifo").arg(cli.path("pipe.csv")).status().unwrap().success());
    cli.write("triage.yaml", &include_str!("data/triage.yaml").replace("path: in.csv", "path: pipe.csv"));
    // Open for both, so that it stays one pipe whoever opens it when.
    let mut pipe = std::fs::File::options().read(true).write(true).open(cli.path("pipe.csv")).unwrap();
    pipe.write_all(b"id,Full Name,score\n1,Ada,70\n2,Grace,20\n").unwrap();
    let mut child = cli
        .command(&["run", "-s", "triage.yaml", "-x"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !ask(cli, &["runs", "--json"]).out.contains("\"rows\":2") {
        assert!(Instant::now() < deadline, "{:?}", child.kill());
    }
    (child, pipe)
}

#[test]
fn a_run_that_did_not_complete_is_purged_by_name_alone_and_cannot_be_resumed_then() {
    let cli = Cli::triage();
    let (mut child, pipe) = waiting_run(&cli);
    let alive = ask_json(&cli, &["purge", "--run", "latest", "-y"]);
    assert_eq!((&alive["runs"], &alive["skipped"][0]["reason"]), (&json!([]), &json!("it is under way")));

    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(3));
    drop(pipe);
    let by_age = ask_json(&cli, &["purge", "--older-than", "0", "-y"]);
    assert_eq!(by_age["runs"], json!([]));
    assert!(by_age["skipped"][0]["reason"].as_str().unwrap().contains("it can still be resumed"), "{by_age}");

    let named = ask(&cli, &["purge", "--run", "latest", "-y"]);
    assert_eq!(named.code, 0, "{}", named.err);
    assert!(named.out.contains("is interrupted: it cannot be resumed any more"), "{}", named.out);
    let resumed = cli.say(&["resume", "latest", "-d", "out/audit.db", "-x"]);
    assert_eq!(resumed.code, 1, "{}", resumed.out);
    assert!(resumed.err.contains("were purged, so it cannot be resumed"), "{}", resumed.err);
    let status = ask(&cli, &["status", "latest"]).out;
    assert!(status.contains("were purged") && !status.contains("elspeth resume"), "{status}");
}

#[test]
fn an_empty_text_names_no_run() {
    let cli = Cli::after_run();
    let record = std::fs::read(cli.path("out/audit.db")).unwrap();
    for command in [
        &["purge", "-y", "--run"][..],
        &["verify"],
        &["status"],
        &["errors"],
        &["resume"],
        &["export", "-o", "record"],
        &["copy", "--from", "out/audit.db", "--to", "other.db"],
        &["explain", "--row", "1", "-r"],
        &["prove", "row", "-o", "receipt.json"],
    ] {
        for run in ["", " "] {
            let mut args = command.to_vec();
            args.push(run);
            if command[0] == "prove" {
                args.push("1");
            }
            if command[0] != "copy" {
                args.extend(["-d", "out/audit.db"]);
            }
            let said = cli.say(&args);
            assert_eq!((said.out.as_str(), said.code), ("", 2), "{command:?}: {}", said.err);
            let expected = "error: an empty text names no run\nhelp: name the run by its id, the beginning of one, or \
                            `latest`; `elspeth runs` lists them\n";
            assert_eq!(said.err, expected, "{command:?}");
        }
    }
    assert!(std::fs::read(cli.path("out/audit.db")).unwrap() == record, "the record is as it was");
}
