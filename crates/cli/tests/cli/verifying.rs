//! `verify`: what it says, and how it ends.

use rusqlite::Connection;
use serde_json::{Value as Json, json};

use crate::support::{Cli, keys};

const VERIFY: [&str; 4] = ["verify", "latest", "-d", "out/audit.db"];

fn change(cli: &Cli, sql: &str) {
    let changed = Connection::open(cli.path("out/audit.db")).and_then(|database| database.execute(sql, ()));
    assert_eq!(changed, Ok(1), "{sql}");
}

fn json(cli: &Cli) -> Json {
    cli.json(&[&VERIFY[..], &["--json"]].concat())
}

#[test]
fn a_sound_record_is_ok_and_an_edited_one_is_named() {
    let cli = Cli::after_run();
    let sound = cli.say(&VERIFY);
    assert_eq!(sound.code, 0, "{}", sound.out);
    change(&cli, "UPDATE node_states SET output_hash = zeroblob(32) WHERE token = 0 AND step = 1");
    let edited = cli.say(&VERIFY);
    assert_eq!(edited.code, 5);
    assert_said!(format!("{}\n{}", sound.out, edited.out));
}

#[test]
fn verify_json_has_the_shape_that_programs_read() {
    let cli = Cli::after_run();
    let sound = json(&cli);
    let names = ["checks", "content_root", "first_bad", "record_root", "records", "run_id", "status"];
    assert_eq!(keys(&sound), names);
    assert_eq!((&sound["status"], &sound["first_bad"]), (&json!("ok"), &Json::Null));
    for check in sound["checks"].as_array().unwrap() {
        assert_eq!(keys(check), ["detail", "name", "status"]);
        assert_eq!(check["status"], "ok", "{check}");
    }
    let status = cli.json(&["status", "latest", "-d", "out/audit.db", "--json"]);
    for root in ["content_root", "record_root"] {
        assert_eq!(sound[root], status[root]);
    }
    change(&cli, "DELETE FROM tokens WHERE token = 1 << 20");
    let tampered = json(&cli);
    assert_eq!(keys(&tampered), names);
    assert_eq!(tampered["status"], "tampered");
    assert_eq!(tampered["first_bad"]["table"], "tokens");
    let token =
        cli.json(&["explain", "--row", "0", "-d", "out/audit.db", "--json"])["tokens"][0]["token_id"].clone();
    let id = tampered["first_bad"]["id"].as_str().unwrap();
    assert_eq!(id[..10], token.as_str().unwrap()[..10], "a public id");
}

#[test]
fn all_runs_are_an_object_each_and_the_worst_decides() {
    let cli = Cli::after_run();
    cli.write("in.csv", "id,name,score\n7,Gil,77\n");
    assert_eq!(cli.say(&["run", "-s", "triage.yaml", "-x"]).code, 0);
    let all = ["verify", "--all", "-d", "out/audit.db", "--json"];
    let said = cli.say(&all);
    let statuses = |out: &str| -> Vec<Json> {
        out.lines().map(|line| serde_json::from_str::<Json>(line).unwrap()["status"].clone()).collect()
    };
    assert_eq!((said.code, statuses(&said.out)), (0, vec![json!("ok"); 2]));
    assert!(said.out.contains("was written again by run"), "the first run's files are the second's now");
    change(&cli, "UPDATE rows SET read_us = read_us + 1 WHERE run_no = 1 AND row_index = 3");
    let said = cli.say(&all);
    assert_eq!((said.code, statuses(&said.out)), (5, vec![json!("ok"), json!("tampered")]));
}

#[test]
fn an_edited_output_is_found_and_one_that_is_gone_cannot_be_told() {
    let cli = Cli::after_run();
    let text = std::fs::read_to_string(cli.path("out/approved.csv")).unwrap();
    cli.write("out/approved.csv", &text.replace('1', "2"));
    let edited = json(&cli);
    assert_eq!((&edited["status"], &edited["first_bad"]["table"]), (&json!("tampered"), &json!("artifacts")));
    std::fs::remove_file(cli.path("out/approved.csv")).unwrap();
    let said = cli.say(&VERIFY);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("out/approved.csv is not there (any more)"), "{}", said.out);
}

/// How each run of the database came out, newest first.
/// Relative paths mean other files there.
#[test]
fn in_another_folder_an_output_of_the_same_name_is_nothing_that_is_held_against_the_run() {
    let (cli, other) = (Cli::after_run(), Cli::after_run());
    let approved = std::fs::read_to_string(other.path("out/approved.csv")).unwrap();
    other.write("out/approved.csv", &approved.replace('1', "2"));
    assert_eq!(other.say(&VERIFY).code, 5);
    let record = cli.path("out/audit.db").display().to_string();
    let elsewhere = other.json(&["verify", "latest", "-d", &record, "--json"]);
    assert_eq!(elsewhere["status"], "incomplete", "{elsewhere}");
    assert_eq!(cli.say(&["verify", "latest", "-d", &record]).code, 0);
}

fn statuses(cli: &Cli) -> Vec<String> {
    let said = cli.say(&["verify", "--all", "-d", "out/audit.db", "--json"]);
    let status = |line: &str| {
        let found: Json = serde_json::from_str(line).expect("each line is one answer");
        found["status"].as_str().expect("an answer has a status").to_owned()
    };
    said.out.lines().map(status).collect()
}

/// Other data for the same pipeline, whose process is killed at a point.
fn killed(cli: &Cli, point: &str) {
    cli.write("in.csv", "id,full_name,score\n7,Gil,77\n");
    let run = ["run", "-s", "triage.yaml", "-x"];
    let ended = cli.command(&run).env("ELSPETH_FAULT", format!("kill:{point}:1")).output();
    let ended = ended.expect("the binary was built for this test");
    assert_eq!(ended.status.code(), None, "{point}");
}

#[test]
fn a_run_that_never_gave_a_file_its_name_excuses_no_other_content() {
    let cli = Cli::after_run();
    let text = std::fs::read_to_string(cli.path("out/approved.csv")).unwrap();
    cli.write("out/approved.csv", &text.replace('1', "2"));
    killed(&cli, "after-act");
    assert_eq!(statuses(&cli), ["incomplete", "tampered"]);
}

#[test]
fn a_file_that_got_its_name_from_a_run_that_was_killed_then_shows_nothing() {
    let cli = Cli::after_run();
    killed(&cli, "before-record-publication");
    let approved = std::fs::read_to_string(cli.path("out/approved.csv")).unwrap();
    assert!(approved.contains("Gil"), "{approved}");
    // Of files that got no row it is known once the run goes on.
    assert_eq!(statuses(&cli), ["incomplete"; 2]);
    assert_eq!(cli.say(&["resume", "latest", "-d", "out/audit.db", "-x"]).code, 0);
    assert_eq!(statuses(&cli), ["ok"; 2]);
    cli.write("out/approved.csv", &approved.replace("Gil", "Eve"));
    assert_eq!(statuses(&cli)[0], "tampered");
}

#[test]
fn a_run_that_stopped_excuses_only_files_that_it_writes() {
    let cli = Cli::triage();
    let settings = std::fs::read_to_string(cli.path("triage.yaml")).unwrap();
    cli.write("triage.yaml", &settings.replace("path: out/", "path: out/elsewhere/"));
    killed(&cli, "before-record-publication");
    cli.write("triage.yaml", &settings);
    assert_eq!(cli.say(&["run", "-s", "triage.yaml", "-x"]).code, 0);
    assert_eq!(statuses(&cli)[0], "ok");
    let text = std::fs::read_to_string(cli.path("out/approved.csv")).unwrap();
    cli.write("out/approved.csv", &(text + "8,Eve,99\n"));
    assert_eq!(statuses(&cli)[0], "tampered");
}

#[test]
fn a_run_that_failed_while_it_gave_files_their_names_shows_nothing_either() {
    let cli = Cli::after_run();
    cli.write("in.csv", "id,full_name,score\n7,Gil,77\n");
    let run = ["run", "-s", "triage.yaml", "-x"];
    let fails = |fault| {
        let ended = cli.command(&run).env("ELSPETH_FAULT", fault).output().unwrap();
        assert_eq!(ended.status.code(), Some(1));
    };
    fails("io:1:eio:rename");
    let approved = std::fs::read_to_string(cli.path("out/approved.csv")).unwrap();
    cli.write("out/approved.csv", &approved.replace('1', "2"));
    assert_eq!(statuses(&cli), ["ok", "tampered"], "it gave none its name");
    cli.write("out/approved.csv", &approved);
    fails("io:3:eio:rename");
    assert_eq!(statuses(&cli), ["ok", "ok", "incomplete"]);
    assert_eq!(cli.say(&["resume", "latest", "-d", "out/audit.db", "-x"]).code, 0);
    assert_eq!(statuses(&cli), ["ok"; 3]);
}

#[test]
fn who_published_last_is_who_wrote_a_file_whoever_began_first() {
    let cli = Cli::triage();
    let run = ["run", "-s", "triage.yaml", "-x"];
    let data = std::fs::read_to_string(cli.path("in.csv")).unwrap();
    let ended = cli.command(&run).env("ELSPETH_FAULT", "kill:before-publish:1").output().unwrap();
    assert_eq!(ended.status.code(), None);
    cli.write("in.csv", "id,full_name,score\n7,Gil,77\n");
    assert_eq!(cli.say(&run).code, 0);
    cli.write("in.csv", &data);
    let first = cli.json(&["runs", "-d", "out/audit.db", "--json"])[1]["run_id"].as_str().unwrap().to_owned();
    assert_eq!(cli.say(&["resume", &first, "-d", "out/audit.db", "-x"]).code, 0);
    assert_eq!(statuses(&cli), ["ok"; 2]);
}

#[test]
fn a_file_is_the_same_however_settings_spell_its_path() {
    let cli = Cli::after_run();
    let settings = std::fs::read_to_string(cli.path("triage.yaml")).unwrap();
    let (data, whole) = (std::fs::read_to_string(cli.path("in.csv")).unwrap(), cli.path("out"));
    let (data, mut less) = (data.trim_end().to_owned(), 0);
    for folder in ["./out", "out/../out", whole.to_str().unwrap()] {
        less += 1;
        let lines: Vec<_> = data.lines().collect();
        cli.write("in.csv", &(lines[..lines.len() - less].join("\n") + "\n"));
        cli.write("triage.yaml", &settings.replace("path: out/", &format!("path: {folder}/")));
        assert_eq!(cli.say(&["run", "-s", "triage.yaml", "-x"]).code, 0);
    }
    assert_eq!(statuses(&cli), ["ok"; 4]);
}

#[test]
fn nothing_that_is_here_is_held_against_a_run_that_ran_elsewhere() {
    let (cli, there) = (Cli::after_run(), Cli::triage());
    there.write("in.csv", "id,full_name,score\n7,Gil,77\n");
    assert_eq!(there.say(&["run", "-s", "triage.yaml", "-x"]).code, 0);
    let export = cli.path("came");
    let export = export.to_str().unwrap();
    assert_eq!(there.say(&["export", "latest", "-o", export, "-d", "out/audit.db"]).code, 0);
    assert_eq!(cli.say(&["import", export, "-d", "out/audit.db"]).code, 0);
    assert_eq!(statuses(&cli), ["incomplete", "ok"]);
    let text = std::fs::read_to_string(cli.path("out/approved.csv")).unwrap();
    cli.write("out/approved.csv", &text.replace('1', "2"));
    assert_eq!(statuses(&cli), ["incomplete", "tampered"], "nor does it excuse what is here");
}

#[test]
fn a_run_that_went_on_where_it_was_copied_to_is_what_was_written() {
    for fault in ["io:3:eio:rename", "kill:before-publish:1"] {
        let cli = Cli::triage();
        let stopped =
            cli.command(&["run", "-s", "triage.yaml", "-x"]).env("ELSPETH_FAULT", fault).output().unwrap();
        assert_ne!(stopped.status.code(), Some(0));
        let copy = |from, to| assert_eq!(cli.say(&["copy", "latest", "--from", from, "--to", to]).code, 0);
        let verify = |database| cli.say(&["verify", "latest", "-d", database]).code;
        copy("out/audit.db", "there.db");
        assert_eq!(cli.say(&["resume", "latest", "-d", "there.db", "-x"]).code, 0);
        assert_eq!(verify("there.db"), 0, "{fault}");
        copy("there.db", "further.db");
        assert_eq!(verify("further.db"), 0, "{fault}");
        cli.write("out/approved.csv", "7\n");
        assert_eq!(
            (verify("there.db"), verify("further.db")),
            (5, 1),
            "it wrote its outputs where it went on"
        );
    }
}

#[test]
fn bodies_that_were_purged_are_not_missed() {
    let cli = Cli::after_run();
    assert_eq!(cli.say(&["purge", "--older-than", "0", "-y", "-d", "out/audit.db"]).code, 0);
    let purged = json(&cli);
    assert_eq!(purged["status"], "ok");
    let bodies = &purged["checks"].as_array().unwrap()[5];
    assert_eq!((&bodies["name"], &bodies["detail"]), (&json!("bodies"), &json!("purged; 0 are left")));
}

#[test]
fn what_cannot_be_told_is_exit_code_1() {
    let cli = Cli::after_run();
    change(
        &cli,
        "UPDATE runs SET status = 0, completed_at = NULL, content_root = NULL, record_root = NULL, summary = NULL",
    );
    assert_eq!(cli.say(&VERIFY).code, 5, "the registry tells of its end");
    change(&cli, "DELETE FROM registry WHERE number = (SELECT max(number) FROM registry)");
    let running = cli.say(&VERIFY);
    assert_eq!(running.code, 1);
    assert!(running.out.contains("it is not sealed"), "{}", running.out);
    Connection::open(cli.path("out/audit.db")).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let newer = cli.say(&VERIFY);
    assert_eq!((newer.code, newer.out.as_str()), (1, ""));
    assert!(newer.err.contains("audit schema version 99"), "{}", newer.err);
    assert_eq!(cli.say(&["verify", "-d", "out/audit.db"]).code, 2, "no run is named");
}
