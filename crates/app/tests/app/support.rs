//! A scratch folder with a settings file and data, run through the public door.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use elspeth_app::{
    AppError, DatabaseChoice, EnvChoice, Lineage, Progress, Question, RunId, RunObserver, RunReport,
    SettingsChoice,
};
use elspeth_plugin::Registry;
use serde_json::Value as Json;

pub(crate) struct Scratch {
    dir: tempfile::TempDir,
}

pub(crate) struct Quiet;

impl RunObserver for Quiet {
    fn started(&mut self, _run_id: RunId) {}
    fn progress(&mut self, _progress: Progress) {}
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("scratch folders and whole runs work in tests") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("scratch folders and whole runs work in tests"))
            .expect("scratch folders and whole runs work in tests");
        fs::write(&path, content).expect("scratch folders and whole runs work in tests");
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Writes settings in which `$DIR` stands for the scratch folder.
    pub(crate) fn settings(&self, text: &str) -> SettingsChoice {
        let text = text.replace("$DIR", &self.dir.path().display().to_string());
        SettingsChoice { path: self.write("settings.yaml", text), env: EnvChoice::NoDotenv }
    }

    pub(crate) fn run(&self, text: &str) -> Result<RunReport, AppError> {
        self.run_with(text, elspeth_app::registry())
    }

    pub(crate) fn run_with(&self, text: &str, registry: Registry) -> Result<RunReport, AppError> {
        let prepared = elspeth_app::prepare_with(&self.settings(text), registry)?;
        elspeth_app::run(prepared, Arc::new(AtomicBool::new(false)), &mut Quiet)
    }

    pub(crate) fn database(&self) -> DatabaseChoice {
        DatabaseChoice::Location(self.path("audit.db").display().to_string())
    }

    pub(crate) fn explain(&self, row: u64) -> Lineage {
        elspeth_app::explain(&self.database(), "latest", &Question::Row(row), None)
            .expect("scratch folders and whole runs work in tests")
    }

    pub(crate) fn explain_json(&self, row: u64) -> Json {
        serde_json::to_value(self.explain(row)).expect("scratch folders and whole runs work in tests")
    }

    pub(crate) fn files(&self) -> Vec<String> {
        let mut names = Vec::new();
        walk(self.dir.path(), self.dir.path(), &mut names);
        names.sort();
        names
    }
}

fn walk(root: &Path, dir: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(dir).expect("scratch folders and whole runs work in tests") {
        let path = entry.expect("scratch folders and whole runs work in tests").path();
        if path.is_dir() {
            walk(root, &path, names);
        } else {
            names.push(
                path.strip_prefix(root)
                    .expect("scratch folders and whole runs work in tests")
                    .display()
                    .to_string(),
            );
        }
    }
}

/// A gate that splits scores, with quarantine and an error sink.
pub(crate) const TRIAGE: &str = r#"
source:
  plugin: csv
  on_success: scored
  options:
    path: $DIR/in.csv
    on_validation_failure: quarantine
    schema:
      mode: fixed
      fields: ["id: int", "name: str", "score: float?"]
transforms:
  - name: rename
    plugin: field_mapper
    input: scored
    on_success: renamed
    on_error: failed
    options:
      mapping: {name: applicant}
gates:
  - name: threshold
    input: renamed
    condition: "row['score'] >= 50"
    routes: {"true": approved, "false": rejected}
    on_error: failed
sinks:
  approved: {plugin: csv, on_write_failure: discard, options: {path: $DIR/approved.csv}}
  rejected: {plugin: json, on_write_failure: discard, options: {path: $DIR/rejected.jsonl}}
  quarantine: {plugin: csv, on_write_failure: discard, options: {path: $DIR/quarantine.csv}}
  failed: {plugin: csv, on_write_failure: discard, options: {path: $DIR/failed.csv}}
landscape:
  url: sqlite:///$DIR/audit.db
"#;

/// Good rows, a row that the schema refuses, one that the gate cannot judge, one that is no record.
pub(crate) const TRIAGE_CSV: &str =
    "id,name,score\n1,Ada,71.5\n2,Bob,12\nx,Cyd,80\n4,Dee,\n5,Eve,50,extra\n6,Fay,49.9\n";
