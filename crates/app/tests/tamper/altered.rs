//! Exports that were altered: with a manifest that fits, so that only what is in the lines can tell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use elspeth_app::{ExportChoice, ExportFormat, VerifyStatus};
use elspeth_canonical::HashVersion;
use elspeth_landscape::export::{Export, Kind, Loaded};
use serde_json::{Value, json};

use crate::exempt;
use crate::exported::runs;
use crate::subject::Subject;

/// Lines of each kind that are altered.
const SAMPLES: usize = 3;

/// An alteration that was not found.
#[derive(Debug)]
struct Missed {
    place: (String, String),
    line: String,
}

impl Missed {
    /// What only the log of the database that the run comes from can tell: the place of an entry in it, that there was one of
    /// how far the run was, and an end after which the run went on.
    fn is_of_the_database(&self) -> bool {
        let (table, place) = (self.place.0.as_str(), self.place.1.as_str());
        let interrupted = self.line.contains(r#"\"status\":\"interrupted\""#);
        let on_the_way = self.line.contains(r#"\"entry\":\"head\""#) && place == "a record deleted";
        table == "registry" && (place == "number" || interrupted || on_the_way)
    }
}

/// What is done to a line.
struct Alteration {
    /// Field, or what is done with the whole line.
    place: String,
    lines: Vec<String>,
}

/// What verifying an export comes to: the answer, or why it cannot be read.
fn verified(path: &Path) -> Result<VerifyStatus, String> {
    let export = Export::open(path).map_err(|error| error.to_string())?;
    let loaded = Loaded::of(&export).map_err(|error| error.to_string())?;
    Ok(loaded.verify().unwrap().status)
}

/// Writes lines, and a manifest of which nobody could tell that it is another.
fn write(path: &Path, manifest: &Value, lines: &[String]) {
    let text: String = lines.iter().map(|line| line.clone() + "\n").collect();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for line in lines {
        let kind = line.split('"').nth(3).unwrap();
        *counts.entry(kind.to_owned()).or_default() += 1;
    }
    let mut manifest = manifest.clone();
    manifest["records"] = json!(counts);
    manifest["files"] = json!([{
        "name": path.file_name().unwrap().to_str().unwrap(),
        "bytes": text.len(),
        "sha256": HashVersion::Sha256V1.hash(text.as_bytes()).to_string(),
    }]);
    std::fs::write(path, text).unwrap();
    std::fs::write(path.with_extension("manifest.json"), manifest.to_string()).unwrap();
}

fn other(value: &Value) -> Value {
    match value {
        Value::Bool(flag) => json!(!flag),
        Value::Number(number) => json!(number.as_i64().unwrap() ^ 1),
        Value::String(text) => {
            let (rest, last) = text.split_at(text.len().saturating_sub(1));
            match last {
                "" => json!("x"),
                "0" => json!(format!("{rest}1")),
                _ => json!(format!("{rest}0")),
            }
        }
        Value::Array(values) => json!(values[1..]),
        Value::Object(reason) => {
            let mut reason = reason.clone();
            reason["message"] = other(&reason["message"]);
            Value::Object(reason)
        }
        Value::Null => unreachable!("nothing is left out"),
    }
}

/// Everything that is done to one line.
fn alterations(lines: &[String], at: usize) -> Vec<Alteration> {
    let record: Value = serde_json::from_str(&lines[at]).unwrap();
    let with = |line: Value| {
        let mut lines = lines.to_vec();
        lines[at] = line.to_string();
        lines
    };
    let fields = record.as_object().unwrap().keys().filter(|name| *name != "record");
    let mut all = Vec::new();
    for name in fields {
        let mut changed = record.clone();
        changed[name] = other(&changed[name]);
        all.push(Alteration { place: name.clone(), lines: with(changed) });
        let mut without = record.clone();
        without.as_object_mut().unwrap().shift_remove(name);
        all.push(Alteration { place: name.clone(), lines: with(without) });
    }
    let mut deleted = lines.to_vec();
    let line = deleted.remove(at);
    all.push(Alteration { place: "a record deleted".to_owned(), lines: deleted });
    let mut twice = lines.to_vec();
    twice.insert(at, line);
    all.push(Alteration { place: "a record twice".to_owned(), lines: twice });
    all
}

/// The first, the middle and the last line of each kind.
fn samples(lines: &[String]) -> Vec<(usize, Kind)> {
    let mut of_kinds: BTreeMap<Kind, Vec<usize>> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        of_kinds.entry(Kind::of_name(line.split('"').nth(3).unwrap()).unwrap()).or_default().push(at);
    }
    let some = |(kind, all): (Kind, Vec<usize>)| {
        let mut some = vec![all[0], all[all.len() / 2], all[all.len() - 1]];
        some.dedup();
        some.truncate(SAMPLES);
        some.into_iter().map(move |at| (at, kind)).collect::<Vec<_>>()
    };
    of_kinds.into_iter().flat_map(some).collect()
}

/// Whether an altered export is found.
fn is_found(path: &Path, manifest: &Value, lines: &[String]) -> bool {
    write(path, manifest, lines);
    matches!(verified(path), Err(_) | Ok(VerifyStatus::Tampered))
}

/// What was done to samples of each kind of one export, and not found.
fn missed(subject: &Subject, run: String) -> (Vec<Missed>, BTreeSet<Kind>) {
    let output = subject.path(&format!("{run}.jsonl"));
    let altered = subject.path(&format!("{run}-altered.jsonl"));
    let choice =
        ExportChoice { run, output: output.clone(), format: ExportFormat::Json, bodies: true, sign: None };
    elspeth_app::export(&subject.database("audit.db"), &choice).unwrap();
    assert_eq!(verified(&output), Ok(VerifyStatus::Ok));
    let manifest = std::fs::read_to_string(output.with_extension("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let original: Vec<String> =
        std::fs::read_to_string(&output).unwrap().lines().map(str::to_owned).collect();
    let (mut missed, mut kinds) = (Vec::new(), BTreeSet::new());
    for (at, kind) in samples(&original) {
        kinds.insert(kind);
        for Alteration { place, lines } in alterations(&original, at) {
            if !is_found(&altered, &manifest, &lines) {
                missed.push(Missed { place: (kind.table().to_owned(), place), line: original[at].clone() });
            }
        }
    }
    (missed, kinds)
}

#[test]
fn an_altered_export_is_found() {
    let subject = Subject::new();
    let found = std::thread::scope(|scope| {
        let runs = runs(&subject.path("audit.db")).into_iter();
        let threads: Vec<_> = runs.map(|run| scope.spawn(|| missed(&subject, run))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let unexpected: Vec<_> = found
        .iter()
        .flat_map(|(missed, _)| missed)
        .filter(|missed| {
            !exempt::places(crate::tables::Dialect::Sqlite).contains_key(&missed.place)
                && !missed.is_of_the_database()
        })
        .collect();
    assert!(unexpected.is_empty(), "not found: {unexpected:#?}");
    let untold: Vec<_> =
        Kind::ALL.iter().filter(|kind| found.iter().all(|(_, kinds)| !kinds.contains(kind))).collect();
    assert_eq!(untold, [&Kind::PurgeFile], "there are some only while a purge goes on");
}

/// What a manifest says that is in no record: nothing but a signature proves it. The entry of the run's end has its own proof.
const OF_THE_EXPORT: [&str; 3] = ["engine_version", "exported_at", "registry"];

/// Every field of a manifest with another value, and without one.
fn other_manifests(manifest: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (name, value) in manifest.as_object().unwrap() {
        let value = match name.as_str() {
            "records" => json!({"run": 2}),
            "registry" => Value::Null,
            "form" => json!("csv"),
            _ if value.is_null() => json!("00".repeat(32)),
            _ => other(value),
        };
        let mut with = manifest.clone();
        with[name] = value;
        let mut without = manifest.clone();
        without.as_object_mut().unwrap().remove(name);
        all.extend([(name.clone(), with), (name.clone(), without)]);
    }
    all
}

fn is_purged(lines: &str) -> bool {
    lines.contains("{\"record\":\"purge\"") || !lines.contains("{\"record\":\"row\"")
}

#[test]
fn nothing_that_a_manifest_says_of_the_records_is_believed() {
    let subject = Subject::new();
    for (number, run) in runs(&subject.path("audit.db")).into_iter().enumerate() {
        for bodies in [true, false] {
            let output = subject.path(&format!("{run}-{bodies}.jsonl"));
            let choice = ExportChoice {
                run: run.clone(),
                output: output.clone(),
                format: ExportFormat::Json,
                bodies,
                sign: None,
            };
            elspeth_app::export(&subject.database("audit.db"), &choice).unwrap();
            let file = output.with_extension("manifest.json");
            let manifest: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
            let lines = std::fs::read_to_string(&output).unwrap();
            let has_bodies = lines.contains("{\"record\":\"bodies\"");
            for (name, altered) in other_manifests(&manifest) {
                std::fs::write(&file, altered.to_string()).unwrap();
                let found = verified(&output);
                let into = subject.database(&format!("manifest-{number}.db"));
                let unproven = OF_THE_EXPORT.contains(&name.as_str())
                    // Where bodies were purged, or there never were any, they may have been asked for or not.
                    || name == "bodies" && !has_bodies && (bodies || is_purged(&lines))
                        && altered["bodies"].is_boolean()
                    // What is not there is none.
                    || altered.get(&name).is_none() && manifest[&name].is_null();
                if unproven {
                    continue;
                }
                assert!(found.is_err(), "{run}: another `{name}` is believed: {altered}");
                let imported = elspeth_app::import(&into, &output, &elspeth_app::EnvChoice::NoDotenv);
                assert!(imported.is_err(), "{run}: another `{name}` is imported: {altered}");
            }
            std::fs::write(&file, manifest.to_string()).unwrap();
            assert_eq!(verified(&output), Ok(VerifyStatus::Ok));
        }
    }
}
