//! The rules of conservation and the counters are there twice: as queries of a database, and over an export in memory. Both say
//! the same of whatever can be exported.

use std::collections::BTreeSet;

use elspeth_app::{ExportChoice, ExportFormat};
use elspeth_landscape::export::{Export, Loaded};
use elspeth_landscape::verify::{Account, ScanSource};
use elspeth_landscape_sql::SqliteLandscape;
use rusqlite::Connection;

use crate::changes::{self, Change};
use crate::subject::Subject;

/// What the rules are about.
const TABLES: [&str; 14] = [
    "rows",
    "tokens",
    "token_parents",
    "node_states",
    "state_contexts",
    "transform_errors",
    "batches",
    "batch_members",
    "batch_outputs",
    "releases",
    "sink_states",
    "token_outcomes",
    "epochs",
    "nodes",
];
/// Columns that no rule looks at, and the one that takes a record away from its run.
const OTHERS: [&str; 8] =
    ["run_no", "started_us", "duration_us", "waited_us", "input_hash", "output_hash", "context", "read_us"];
/// Changes that are tried beside each other.
const THREADS: usize = 4;

/// The rules that an account says are broken, with what breaks them, and the counters.
fn shown(account: Account) -> (BTreeSet<String>, Option<String>) {
    let shown = |mut breach: elspeth_landscape::ConservationBreach| {
        breach.ids.sort();
        format!("{}: {} {} {:?}", breach.rule, breach.count, breach.table, breach.ids)
    };
    (account.breaches.into_iter().map(shown).collect(), account.summary)
}

/// The runs of a database, by number.
fn runs(subject: &Subject, name: &str) -> Vec<(i64, String)> {
    let connection = Connection::open(subject.path(name)).unwrap();
    let mut runs = connection.prepare("SELECT run_no, run_id FROM runs ORDER BY run_no").unwrap();
    let runs = runs.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    runs.map(Result::unwrap).collect()
}

/// Rules that both say are broken; none where the run cannot be exported.
fn compared(
    subject: &Subject,
    (name, what): (&str, &str),
    (number, run): (i64, String),
) -> Option<BTreeSet<String>> {
    let output = subject.path(&format!("{name}-{run}.jsonl"));
    let choice =
        ExportChoice { run, output: output.clone(), format: ExportFormat::Json, bodies: false, sign: None };
    let exported = elspeth_app::export(&subject.database(name), &choice);
    exported.ok()?;
    let loaded = Export::open(&output).and_then(|export| Loaded::of(&export));
    std::fs::remove_file(&output).unwrap();
    std::fs::remove_file(output.with_extension("manifest.json")).unwrap();
    let loaded = loaded.ok()?;
    let (there, mut run) = (loaded.open(loaded.run()), loaded.run().clone());
    run.run_no = number;
    let scans = SqliteLandscape::in_file(subject.path(name)).scans().unwrap();
    let here = scans.open(&run).unwrap().account(run.status).unwrap();
    let there = there.unwrap().account(run.status).unwrap();
    let (here, there) = (shown(here), shown(there));
    assert_eq!(here, there, "{what}");
    Some(here.0)
}

fn compare_all(subject: &Subject, changes: &[Change], name: &str) -> (usize, BTreeSet<String>) {
    let (mut count, mut rules) = (0, BTreeSet::new());
    for change in changes {
        if subject.changed(change, name).is_none() {
            continue;
        }
        let of_change =
            |number: i64| change.sql.iter().any(|sql| sql.contains(&format!("run_no IS {number} ")));
        for run in runs(subject, name).into_iter().filter(|(number, _)| of_change(*number)) {
            let Some(broken) = compared(subject, (name, &change.to_string()), run) else { continue };
            count += 1;
            rules.extend(broken.iter().map(|text| text.split(':').next().unwrap_or_default().to_owned()));
        }
    }
    (count, rules)
}

#[test]
fn the_same_is_conserved_in_a_database_and_in_its_export() {
    let subject = Subject::new();
    let tables = subject.tables().into_iter().filter(|table| TABLES.contains(&table.name.as_str()));
    let changes = tables.flat_map(|table| changes::of(&table));
    let matters = |change: &Change| {
        // A database names what has a number that nothing can have; an export does not.
        let possible = !change.to_string().contains("negated");
        possible && change.columns().all(|column| !OTHERS.contains(&column))
    };
    let changes: Vec<Change> = changes.filter(matters).collect();
    let share = changes.len().div_ceil(THREADS);
    let found = std::thread::scope(|scope| {
        let part = |(number, part): (usize, _)| {
            let subject = &subject;
            scope.spawn(move || compare_all(subject, part, &format!("conserved-{number}.db")))
        };
        let parts: Vec<_> = changes.chunks(share).enumerate().map(part).collect();
        parts.into_iter().map(|part| part.join().unwrap()).collect::<Vec<_>>()
    });
    let count: usize = found.iter().map(|(count, _)| count).sum();
    let rules: BTreeSet<_> = found.into_iter().flat_map(|(_, rules)| rules).collect();
    assert!(count >= 400 && rules.len() >= 18, "{} changes, {count} compared, {rules:#?}", changes.len());
}
