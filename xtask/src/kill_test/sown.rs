//! Every call that makes something durable has a point of its own before and after it.

use crate::workspace::Workspace;

/// What makes something durable, or visible under its name: there is a point before and after.
const EDGES: [&str; 6] =
    ["\"COMMIT\"", "fs::rename(", ".persist(", ".persist_noclobber(", "wal_checkpoint", "remove_file("];

/// What stands in functions of its own: the call is one that can be made to fail, the points are around whoever asks for it.
const CALLS: [&str; 3] = ["sync_all(", "sync_data(", "set_len("];

/// Where such a call may stand without a point.
const WITHOUT: [(&str, &str); 6] = [
    ("crates/landscape-sql/src/purge.rs", "no part of a run"),
    ("crates/landscape-sql/src/export_status.rs", "of an export that follows a run: that one is completed"),
    (
        "crates/landscape-sql/src/folding.rs",
        "copies into the database what stays in the log, beside the run; small pipelines never come there",
    ),
    (
        "crates/landscape-sql/src/db.rs",
        "imports, purges and keys: no part of a run; a run's writer has points around its own",
    ),
    ("crates/landscape-sql/src/postgres/session.rs", "the points are around whoever asks it to commit"),
    ("crates/payload/src/usage.rs", "removes bodies for a purge, which no run waits for"),
];

/// Crates that write for a run.
const WRITERS: [&str; 6] = ["landscape-sql", "plugins", "payload", "engine", "executors", "orchestrator"];

#[test]
fn every_durable_edge_has_a_point() {
    let workspace = Workspace::find().unwrap();
    let mut found = 0;
    for path in workspace.files().unwrap() {
        let ours = WRITERS.iter().any(|name| path.starts_with(&format!("crates/{name}/src/")));
        if !ours
            || !path.ends_with(".rs")
            || path.ends_with("/tests.rs")
            || WITHOUT.iter().any(|(file, _)| *file == path)
        {
            continue;
        }
        let text = workspace.read(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines: Vec<_> = code.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let has = |what: &[&str]| what.iter().any(|call| line.contains(call));
            let sown: &[&str] = match (has(&EDGES), has(&CALLS)) {
                _ if line.trim_start().starts_with("//") => continue,
                (true, _) => &["Act::", "around(", "reach("],
                (false, true) => &["Act::", "elspeth_faults::"],
                (false, false) => continue,
            };
            found += 1;
            let near = &lines[number.saturating_sub(4)..lines.len().min(number + 2)];
            let sown = near.iter().any(|line| sown.iter().any(|word| line.contains(word)));
            assert!(sown, "{path}:{}: no point of elspeth-faults is near\n{line}", number + 1);
        }
    }
    assert!(found >= 10, "only {found} calls were found; the list is out of date");
}
