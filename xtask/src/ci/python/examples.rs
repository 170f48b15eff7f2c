//! Receipts of real runs: the examples run with a signing key and SHA-256, and rows of each are proven.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ci::examples;
use crate::command;
use crate::error::Error;
use crate::metadata::Metadata;
use crate::workspace::Workspace;

/// The rows of each example, where it has so many.
const ROWS: [&str; 4] = ["0", "1", "2", "7"];

/// Makes the receipts in the folder; gives them, and the text of the key that signed.
pub(super) fn receipts(workspace: &Workspace, folder: &Path) -> Result<(Vec<PathBuf>, String), Error> {
    let elspeth = Metadata::load(workspace)?.target_directory.join("debug/elspeth");
    let key = folder.join("signing.key");
    command::output(Command::new(&elspeth).args(["keys", "generate", "example.org/ci", "-o"]).arg(&key))?;
    let public = command::output(Command::new(&elspeth).args(["keys", "show"]).arg(&key))?;
    let mut receipts = Vec::new();
    for name in examples::names(workspace)? {
        let database = run(workspace, &elspeth, (folder, &name), &key)?;
        for row in ROWS {
            let receipt = folder.join(format!("{name}-{row}.json"));
            let mut prove = Command::new(&elspeth);
            prove.args(["prove", "row", "latest", row, "-o"]).arg(&receipt).arg("-d").arg(&database);
            // Not every example has so many rows.
            if prove.output().is_ok_and(|output| output.status.success()) {
                receipts.push(receipt);
            }
        }
    }
    Ok((receipts, String::from_utf8_lossy(&public).trim().to_owned()))
}

/// Runs a copy of the example that hashes with SHA-256; gives its database.
fn run(
    workspace: &Workspace,
    elspeth: &Path,
    (folder, name): (&Path, &str),
    key: &Path,
) -> Result<PathBuf, Error> {
    let place = format!("examples/{name}");
    let copy = folder.join(&place);
    examples::copy_folder(&workspace.path(&place), &copy)?;
    let settings = copy.join("settings.yaml");
    let text = fs::read_to_string(&settings).map_err(Error::io(&settings))?;
    fs::write(&settings, with_sha256(&text)).map_err(Error::io(&settings))?;
    let start = if text.contains(&format!("{place}/")) { folder } else { &copy };
    let mut run = Command::new(elspeth);
    run.current_dir(start).env("ELSPETH_SIGNING_KEY_FILE", key).args([
        "run",
        "--execute",
        "--json",
        "--settings",
    ]);
    let events = command::output(run.arg(&settings))?;
    let summary = examples::last_event(&events)?;
    let database = summary.get("database").and_then(serde_json::Value::as_str);
    let database = database.ok_or_else(|| Error::format("the summary of the run", "it names no database"))?;
    Ok(start.join(database))
}

fn with_sha256(settings: &str) -> String {
    if settings.contains("\n  hash: sha256") {
        return settings.to_owned();
    }
    settings.replacen("\nlandscape:\n", "\nlandscape:\n  hash: sha256\n", 1)
}
