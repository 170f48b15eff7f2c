//! The record: every table by its integer keys, without times, run id and what depends on where epochs end.
//!
//! The ids of rows, tokens and states are computed from run id and keys and stored nowhere, so comparing the keys is comparing
//! the ids. Tables are taken from the database itself: one that is new is compared whole until it is named here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use rusqlite::Connection;

use super::outputs::select;
use crate::error::Error;

/// Columns that hold times, the run's id, or the chain over such columns.
const LEFT_OUT: &[(&str, &[&str])] = &[
    (
        "runs",
        &[
            "run_id",
            "id_high",
            "id_low",
            "started_at",
            "completed_at",
            "owner",
            "heartbeat_at",
            "record_root",
        ],
    ),
    ("rows", &["read_us"]),
    ("node_states", &["started_us", "duration_us", "waited_us"]),
    ("sink_states", &["started_us", "duration_us", "waited_us"]),
    ("calls", &["latency_us"]),
    ("releases", &["epoch"]),
];

/// Tables that are cut as epochs are: what must not differ of them.
const CUT: &[(&str, &str)] = &[
    ("epochs", "SELECT sum(row_count), min(first_row), max(last_row) FROM epochs"),
    ("checkpoints", "SELECT source_position, buffers FROM checkpoints ORDER BY epoch DESC LIMIT 1"),
    ("resumptions", "SELECT 'one for each time that the run was taken up'"),
    (
        "registry",
        "SELECT entry ->> '$.entry', entry ->> '$.status', entry ->> '$.rows', entry ->> '$.content_root', entry ->> '$.config_hash'
         FROM registry WHERE entry ->> '$.entry' IN ('opened', 'key_added', 'begun') OR number = (SELECT max(number) FROM registry) ORDER BY number",
    ),
    ("heads", "SELECT 'verified by `elspeth verify`'"),
    ("bodies", "SELECT 'compared by what `elspeth explain` shows'"),
    (
        "operations",
        "SELECT DISTINCT step, kind, status, published, error FROM operations ORDER BY 1, 2, 3, 4, 5",
    ),
    (
        "artifacts",
        "SELECT step, artifact_type, path, content_hash, size_bytes, row_count FROM artifacts WHERE published = 1 ORDER BY step",
    ),
    (
        "sink_positions",
        "SELECT sink, position, (SELECT path FROM artifacts WHERE step = sink LIMIT 1) FROM sink_positions ORDER BY sink",
    ),
];

/// What must come out as 0 for any run that is completed.
const SOUND: &[(&str, &str)] = &[
    ("runs that are not completed", "SELECT count(*) FROM v_runs WHERE status <> 'completed'"),
    ("runs but for one", "SELECT abs(count(*) - 1) FROM runs"),
    ("intents of sinks that are left", "SELECT count(*) FROM sink_intents"),
    ("epochs without commit B", "SELECT count(*) FROM epochs WHERE acted_at IS NULL"),
    ("numbers of epochs that are missing", "SELECT coalesce(max(epoch) + 1, 0) - count(*) FROM epochs"),
    ("rows outside of epochs", "SELECT abs((SELECT count(*) FROM rows) - coalesce(sum(row_count), 0)) FROM epochs"),
    (
        "epochs that do not follow the one before",
        "SELECT count(*) FROM (SELECT first_row, lag(last_row, 1, -1) OVER (ORDER BY epoch) AS before FROM epochs
         WHERE first_row IS NOT NULL) WHERE first_row <> before + 1",
    ),
    (
        "epochs after the last checkpoint",
        "SELECT count(*) FROM epochs WHERE epoch > (SELECT coalesce(max(epoch), -1) FROM checkpoints)",
    ),
    ("checkpoints too many", "SELECT max(count(*) - 2, 0) FROM checkpoints"),
    (
        "releases, positions and artifacts of epochs that are none",
        "SELECT count(*) FROM (SELECT epoch FROM releases UNION ALL SELECT epoch FROM sink_positions
         UNION ALL SELECT epoch FROM artifacts UNION ALL SELECT epoch FROM operations)
         WHERE epoch NOT IN (SELECT epoch FROM epochs) AND epoch <> 0",
    ),
    (
        "tokens without a terminal outcome",
        "SELECT count(*) FROM tokens WHERE token NOT IN (SELECT token FROM token_outcomes WHERE terminal = 1)",
    ),
    ("breaches of foreign keys", "SELECT count(*) FROM pragma_foreign_key_check"),
    ("complaints of the database", "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
];

/// Each table as text, and the number of rows. `varying` are the paths of outputs that hold times.
///
/// # Errors
/// When it cannot be read, or contradicts itself.
pub(super) fn read(
    database: &Connection,
    varying: &BTreeSet<String>,
) -> Result<(BTreeMap<String, String>, u64), Error> {
    let failed = |error: rusqlite::Error| Error::format("the record", error);
    check(database).map_err(failed)?.map_or(Ok(()), |found| Err(Error::format("the record", found)))?;
    let names =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name";
    let mut texts = BTreeMap::new();
    for name in column(database, names).map_err(failed)? {
        let lines = select(database, &query(database, &name).map_err(failed)?).map_err(failed)?;
        let lines: Vec<_> = lines.into_iter().map(|line| settled(&name, line, varying)).collect();
        texts.insert(format!("table {name}"), lines.join("\n"));
    }
    let rows: i64 = database.query_row("SELECT count(*) FROM rows", (), |row| row.get(0)).map_err(failed)?;
    Ok((texts, rows.unsigned_abs()))
}

fn check(database: &Connection) -> Result<Option<String>, rusqlite::Error> {
    for (what, sql) in SOUND {
        let found: i64 = database.query_row(sql, (), |row| row.get(0))?;
        if found != 0 {
            return Ok(Some(format!("{what}: {found}")));
        }
    }
    Ok(None)
}

fn column(database: &Connection, sql: &str) -> Result<Vec<String>, rusqlite::Error> {
    database.prepare(sql)?.query_map((), |row| row.get(0))?.collect()
}

/// What is compared of a table, in the order of its key.
fn query(database: &Connection, table: &str) -> Result<String, rusqlite::Error> {
    if let Some((_, sql)) = CUT.iter().find(|(name, _)| *name == table) {
        return Ok((*sql).to_owned());
    }
    let left_out = LEFT_OUT.iter().find(|(name, _)| *name == table).map_or(&[][..], |(_, columns)| columns);
    let of_table = |condition| format!("SELECT name FROM pragma_table_info('{table}') WHERE {condition}");
    let columns: Vec<_> = column(database, &of_table("true"))?
        .into_iter()
        .filter(|name| !left_out.contains(&name.as_str()))
        .map(|name| format!("\"{name}\""))
        .collect();
    let key = column(database, &of_table("pk > 0 ORDER BY pk"))?.join(", ");
    let order = if key.is_empty() { String::new() } else { format!(" ORDER BY {key}") };
    Ok(format!("SELECT {} FROM {table}{order}", columns.join(", ")))
}

/// Without what may differ inside of a column.
fn settled(table: &str, line: String, varying: &BTreeSet<String>) -> String {
    static EPOCH: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"\\"epoch\\":\d+"#).expect("it is well-formed"));
    static HASH: LazyLock<Regex> = LazyLock::new(|| Regex::new("[0-9a-f]{64}").expect("it is well-formed"));
    if !["artifacts", "sink_positions"].contains(&table) {
        return line;
    }
    let line = EPOCH.replace_all(&line, "").into_owned();
    if varying.iter().any(|path| line.contains(&format!("\"{path}\""))) {
        return HASH.replace_all(&line, "<hash>").into_owned();
    }
    line
}
