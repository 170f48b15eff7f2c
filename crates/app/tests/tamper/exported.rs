//! Runs of every construct, exported and imported: everything that is stored of them is there again.

use std::path::{Path, PathBuf};

use elspeth_app::{
    DatabaseChoice, EnvChoice, ExportChoice, ExportFormat, ImportReport, TrustChoice, VerifyChoice,
    VerifyStatus,
};
use rusqlite::Connection;

use crate::subject::Subject;
use crate::tables::{Record, Table};

/// An export of each run, and a database that has them all.
struct Imported {
    database: PathBuf,
}

fn imported(subject: &Subject, (name, format, bodies): (&str, ExportFormat, bool)) -> Imported {
    let database = subject.path(&format!("{name}.db"));
    let runs = runs(&subject.path("audit.db"));
    assert_eq!(runs.len(), 5);
    for run in &runs {
        let output = subject.path(&format!("{name}-{run}"));
        let choice = ExportChoice { run: run.clone(), output: output.clone(), format, bodies, sign: None };
        let report = elspeth_app::export(&subject.database("audit.db"), &choice).unwrap();
        let back =
            elspeth_app::import(&subject.database(&format!("{name}.db")), &output, &EnvChoice::NoDotenv)
                .unwrap();
        assert_eq!((&back.run_id, &back.counts), (run, &report.counts));
        assert_eq!((&back.content_root, &back.record_root), (&report.content_root, &report.record_root));
    }
    Imported { database }
}

pub(crate) fn runs(database: &PathBuf) -> Vec<String> {
    let connection = Connection::open(database).unwrap();
    let mut runs = connection.prepare("SELECT run_id FROM runs ORDER BY run_no").unwrap();
    runs.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// All tables but the registry, which is the database's own.
fn tables(database: &PathBuf) -> Vec<(String, Vec<String>, Vec<Record>)> {
    let connection = Connection::open(database).unwrap();
    let tables = Table::all(&connection, 0).into_iter();
    let tables = tables.filter(|table| !["registry", "heads"].contains(&table.name.as_str()));
    let mut tables: Vec<_> = tables
        .map(|table| {
            (table.name, table.columns.into_iter().map(|column| column.name).collect(), table.records)
        })
        .collect();
    for (_, _, records) in &mut tables {
        records.sort_by_key(|record| format!("{record:?}"));
    }
    tables
}

#[test]
fn every_record_of_every_run_comes_back() {
    let subject = Subject::new();
    let before = tables(&subject.path("audit.db"));
    for format in [ExportFormat::Json, ExportFormat::Csv] {
        for bodies in [true, false] {
            let name = format!("{format:?}-{bodies}");
            let Imported { database } = imported(&subject, (&name, format, bodies));
            for (before, after) in before.iter().zip(tables(&database)) {
                let (table, columns, records) = before;
                assert_eq!((table, columns), (&after.0, &after.1));
                let expected: &[Record] = if table == "bodies" && !bodies { &[] } else { records };
                assert_eq!(expected, after.2, "{name}: {table}");
            }
            verified(&subject, &format!("{name}.db"));
        }
    }
}

fn verified(subject: &Subject, name: &str) {
    let verify = |name| {
        elspeth_app::verify(&subject.database(name), &VerifyChoice::All, &TrustChoice::default()).unwrap()
    };
    for (before, after) in verify("audit.db").iter().zip(verify(name)) {
        assert_eq!(after.status, VerifyStatus::Ok, "{:#?}", after.checks);
        assert_eq!((&before.run_id, before.records), (&after.run_id, after.records));
        assert_eq!(
            (&before.content_root, &before.record_root),
            (&after.content_root, &after.record_root),
            "the same roots"
        );
    }
}

#[test]
fn large_bodies_go_where_the_settings_say() {
    let subject = Subject::new();
    let run = runs(&subject.path("audit.db")).remove(0);
    let output = subject.path("export.jsonl");
    let choice =
        ExportChoice { run, output: output.clone(), format: ExportFormat::Json, bodies: true, sign: None };
    elspeth_app::export(&subject.database("audit.db"), &choice).unwrap();
    let payloads = subject.path("payloads");
    std::fs::rename(&payloads, subject.path("before")).unwrap();
    let report: ImportReport =
        elspeth_app::import(&subject.database("other.db"), &output, &EnvChoice::NoDotenv).unwrap();
    assert_eq!(report.payload_store, Some(payloads));
    let database = DatabaseChoice::Location(subject.path("other.db").display().to_string());
    let verified = elspeth_app::verify(&database, &VerifyChoice::All, &TrustChoice::default()).unwrap();
    assert_eq!(verified[0].status, VerifyStatus::Ok, "{:#?}", verified[0].checks);
}

/// Files of large bodies below a folder.
fn bodies_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| if path.is_dir() { bodies_below(&path) } else { vec![path] };
    entries.flat_map(below).filter(|path| path.file_name().is_some_and(|name| name.len() == 64)).collect()
}

#[test]
fn a_body_that_cannot_be_read_says_nothing_against_the_record() {
    let subject = Subject::new();
    let run = runs(&subject.path("audit.db")).remove(0);
    let try_export = || {
        let (output, run) = (subject.path("export.jsonl"), run.clone());
        let choice = ExportChoice { run, output, format: ExportFormat::Json, bodies: true, sign: None };
        elspeth_app::export(&subject.database("audit.db"), &choice).unwrap_err()
    };
    let payloads = subject.path("payloads");
    let body = bodies_below(&payloads).remove(0);
    let kept = std::fs::read(&body).unwrap();
    // A folder cannot be read as a file, whoever tries.
    std::fs::remove_file(&body).unwrap();
    std::fs::create_dir(&body).unwrap();
    let error = try_export();
    assert!(error.to_string().contains(&format!("cannot read {}", body.display())), "{error}");
    assert!((error.exit_code(), error.help().is_some()) == (1, true), "{error}");
    // What is there and is something else is no fault of the disk.
    std::fs::remove_dir(&body).unwrap();
    std::fs::write(&body, "something else").unwrap();
    assert_eq!(try_export().exit_code(), 4);
    std::fs::remove_file(&body).unwrap();
    assert_eq!(try_export().exit_code(), 4);
    std::fs::write(&body, kept).unwrap();
    std::fs::rename(&payloads, subject.path("elsewhere")).unwrap();
    let error = try_export();
    assert!(error.to_string().ends_with("the payload store is not here"), "{error}");
    assert_eq!(error.exit_code(), 1);
}
