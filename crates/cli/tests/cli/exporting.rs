//! `export` and `import`: what they say, and what they refuse.

use std::fs;

use elspeth_proof::Digest;
use serde_json::{Value as Json, json};

use crate::support::{Cli, keys};

const DB: [&str; 2] = ["-d", "out/audit.db"];

fn export<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["export", "latest", DB[0], DB[1]][..], more].concat()
}

#[test]
fn an_export_and_its_import_say_what_they_did() {
    let cli = Cli::after_run();
    let exported = cli.say(&export(&["-o", "export"]));
    let imported = cli.say(&["import", "export", "-d", "other.db"]);
    assert_eq!((exported.code, imported.code), (0, 0), "{}{}", exported.err, imported.err);
    let verified = cli.say(&["verify", "latest", "-d", "other.db"]);
    assert_eq!(verified.code, 0, "{}", verified.out);
    assert_said!(format!("{}\n{}\n{}", exported.out, imported.out, verified.out));
}

#[test]
fn both_forms_hold_the_same_and_are_described() {
    let cli = Cli::after_run();
    let json = cli.json(&export(&["-o", "records.jsonl", "--json", "--bodies"]));
    let csv = cli.json(&export(&["-o", "tables", "--format", "csv", "--json", "--bodies"]));
    let names = ["bodies", "content_root", "counts", "manifest", "record_root", "records", "run_id"];
    assert_eq!((keys(&json), keys(&csv)), (names.to_vec(), names.to_vec()));
    assert_eq!(json["counts"], csv["counts"]);
    assert_eq!(
        (&json["records"], &json["manifest"]),
        (&json!("records.jsonl"), &json!("records.manifest.json"))
    );
    assert_eq!((&csv["records"], &csv["manifest"]), (&json!("tables"), &json!("tables/manifest.json")));
    let manifest: Json =
        serde_json::from_str(&fs::read_to_string(cli.path("tables/manifest.json")).unwrap()).unwrap();
    let described = [
        "bodies",
        "content_root",
        "engine_version",
        "exported_at",
        "files",
        "form",
        "format",
        "hash_version",
    ];
    assert!(described.iter().all(|name| keys(&manifest).contains(name)), "{manifest}");
    assert_eq!(manifest["registry"]["index"], 2, "the end is the third entry of the registry");
    let rows = fs::read_to_string(cli.path("tables/rows.csv")).unwrap();
    assert!(rows.starts_with("row_id,row_index,source_data_hash,read_us,valid\n"), "{rows}");
}

#[test]
fn a_signed_export_names_its_key() {
    let cli = Cli::after_run();
    assert_eq!(cli.say(&["keys", "generate", "example.org/elspeth", "-o", "key"]).code, 0);
    let mut signing = cli.command(&export(&["-o", "export", "--sign", "--json"]));
    let signed = signing.env("ELSPETH_SIGNING_KEY_FILE", "key").output().unwrap();
    let report: Json = serde_json::from_slice(&signed.stdout).unwrap();
    assert!(report["signed_by"].as_str().unwrap().starts_with("example.org/elspeth+"));
    let note = fs::read_to_string(cli.path("export/manifest.json.note")).unwrap();
    assert!(note.starts_with("elspeth-export-v1\n") && note.contains("\n— example.org/elspeth "), "{note}");
}

#[test]
fn what_cannot_be_exported_or_imported_is_said_with_advice() {
    let cli = Cli::after_run();
    assert_eq!(cli.say(&export(&["-o", "export"])).code, 0);
    assert_eq!(cli.say(&export(&["-o", "cut.jsonl"])).code, 0);
    assert_eq!(cli.say(&export(&["-o", "wrong.jsonl"])).code, 0);
    let changed = |name: &str, change: fn(String) -> String| {
        let text = fs::read_to_string(cli.path(name)).unwrap();
        cli.write(name, &change(text));
    };
    changed("cut.jsonl", |text| text[..text.len() / 2].to_owned());
    changed("wrong.jsonl", |text| text.replacen("\"valid\":true", "\"valid\":1111", 1));
    // A manifest that fits, so that the line itself is looked at.
    let wrong = fs::read(cli.path("wrong.jsonl")).unwrap();
    let mut manifest: Json =
        serde_json::from_str(&fs::read_to_string(cli.path("wrong.manifest.json")).unwrap()).unwrap();
    manifest["files"][0]["sha256"] = Json::from(Digest::Sha256.hash(&wrong).to_string());
    cli.write("wrong.manifest.json", &manifest.to_string());
    let asked: [&[&str]; 7] = [
        &export(&["-o", "export"]),
        &export(&["-o", "signed", "--sign"]),
        &["import", "nowhere", "-d", "other.db"],
        &["import", "in.csv", "-d", "other.db"],
        &["import", "cut.jsonl", "-d", "other.db"],
        &["import", "wrong.jsonl", "-d", "other.db"],
        &["import", "export", DB[0], DB[1]],
    ];
    let texts: Vec<_> = asked
        .iter()
        .map(|args| {
            let said = cli.say(args);
            assert_eq!((said.code, said.out.as_str()), (1, ""), "{args:?}");
            format!("$ elspeth {}\n{}", args.join(" "), said.err)
        })
        .collect();
    let runs = cli.json(&["runs", "-d", "other.db", "--json"]);
    assert_eq!(runs, json!([]), "nothing of what was refused is there");
    assert_said!(texts.join("\n"));
}

#[test]
fn a_record_that_was_edited_is_not_exported() {
    let cli = Cli::after_run();
    let connection = rusqlite::Connection::open(cli.path("out/audit.db")).unwrap();
    connection.execute("UPDATE tokens SET token = token + (900 << 20) WHERE token = 0", ()).unwrap();
    let said = cli.say(&export(&["-o", "export"]));
    assert_eq!(said.code, 4);
    assert!(said.err.contains("the record is not sound: tokens"), "{}", said.err);
    assert!(!cli.path("export/manifest.json").exists() && !cli.path("export/records.jsonl").exists());
}

#[test]
fn a_record_that_is_not_what_was_written_is_brought_elsewhere_and_said_to_be_so() {
    let cli = Cli::after_run();
    let connection = rusqlite::Connection::open(cli.path("out/audit.db")).unwrap();
    let changed =
        connection.execute("UPDATE rows SET read_us = read_us + 1 WHERE row_index = 2", ()).unwrap();
    assert_eq!(changed, 1);
    drop(connection);
    assert_eq!(cli.say(&export(&["-o", "export"])).code, 0);
    for (database, args) in [
        ("other.db", vec!["import", "export", "-d", "other.db"]),
        ("copied.db", vec!["copy", "latest", "--from", "out/audit.db", "--to", "copied.db"]),
    ] {
        let said = cli.say(&args);
        assert_eq!(said.code, 5, "{args:?}: {}{}", said.out, said.err);
        assert!(said.out.contains("TAMPERED: its record is not what was written"), "{}", said.out);
        assert_eq!(cli.json(&["runs", "-d", database, "--json"]).as_array().map(Vec::len), Some(1));
        assert_eq!(cli.say(&["verify", "latest", "-d", database]).code, 5);
    }
}

#[test]
fn a_run_is_told_in_the_words_of_others() {
    let cli = Cli::after_run();
    let prov = cli.say(&export(&["-o", "prov.json", "--format", "prov"]));
    let events = cli.say(&export(&["-o", "told", "--format", "openlineage"]));
    assert_eq!((prov.code, events.code), (0, 0), "{}{}", prov.err, events.err);
    let report = cli.json(&export(&["-o", "again", "--format", "prov", "--json"]));
    assert_eq!((keys(&report), &report["file"]), (vec!["file", "run_id"], &json!("again/prov.json")));
    let read = |name: &str| fs::read_to_string(cli.path(name)).unwrap();
    let document: Json = serde_json::from_str(&read("prov.json")).unwrap();
    assert_eq!(document["entity"]["at:source"]["prov:label"], "in.csv");
    assert_eq!(read("told/openlineage.jsonl").lines().count(), 2);
    let refused = [
        export(&["-o", "prov.json", "--format", "prov"]),
        export(&["-o", "other.json", "--format", "prov", "--bodies"]),
        export(&["-o", "other", "--format", "openlineage", "--sign"]),
    ];
    let refused = refused.map(|args| cli.say(&args));
    assert_eq!(refused.each_ref().map(|said| said.code), [1, 2, 2]);
    assert_eq!(read("prov.json"), read("again/prov.json"), "what is there stays, and is told the same");
    let errors = refused.map(|said| said.err).join("\n");
    assert_said!(format!("{}\n{}\n{errors}", prov.out, events.out));
}
