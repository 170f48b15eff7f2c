//! Every call that makes something durable has a point of its own before and after it.

use crate::workspace::Workspace;

/// What makes something durable, or visible under its name.
const DURABLE: [&str; 8] = [
    "\"COMMIT\"",
    "sync_all(",
    "sync_data(",
    "fs::rename(",
    ".persist(",
    "wal_checkpoint",
    "remove_file(",
    "set_len(",
];

/// Where such a call may stand without a point.
const WITHOUT: [(&str, &str); 2] = [
    (
        "crates/payload/src/folders.rs",
        "folders of the payload store hold nothing yet, or what the act after it names",
    ),
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
        if !ours || !path.ends_with(".rs") || WITHOUT.iter().any(|(file, _)| *file == path) {
            continue;
        }
        let text = workspace.read(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines: Vec<_> = code.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            if !DURABLE.iter().any(|call| line.contains(call)) || line.trim_start().starts_with("//") {
                continue;
            }
            found += 1;
            let near = &lines[number.saturating_sub(4)..=number];
            let sown = near.iter().any(|line| {
                line.contains("Act::")
                    || line.contains("reach(")
                    || line.contains("around(")
                    || line.contains("elspeth_faults::")
            });
            assert!(sown, "{path}:{}: no point of elspeth-faults is near\n{line}", number + 1);
        }
    }
    assert!(found >= 10, "only {found} calls were found; the list is out of date");
}
