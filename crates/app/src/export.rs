use std::path::{Path, PathBuf};

use elspeth_contracts::{Clock, SystemClock};
use elspeth_landscape::RunRecord;
use elspeth_landscape::export::{
    Attestation, BodiesChoice, Counts, ExportFiles, Form, ManifestExport, ManifestRun, Target, attest, stream,
};
use elspeth_landscape::verify::RecordScan;
use elspeth_proof::SecretKey;
use serde::Serialize;

use crate::signing::signer;
use crate::store::{Reader, block_on, database_url, landscape, location};
use crate::verify::registered;
use crate::{AppError, DatabaseChoice, EnvChoice};

/// What is exported, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportChoice {
    /// A run id, a unique prefix of one, or `latest`.
    pub run: String,
    /// The folder, or file.
    pub output: PathBuf,
    /// In which form.
    pub format: ExportFormat,
    /// Whether bodies go along.
    pub bodies: bool,
    /// Where the key comes from that signs it; none where nobody does.
    pub sign: Option<EnvChoice>,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// A line of JSON for each record.
    Json,
    /// A CSV file for each kind of record.
    Csv,
}

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportReport {
    /// The run.
    pub run_id: String,
    /// The file with all records, or the folder with a file for each kind.
    pub records: PathBuf,
    /// What describes them.
    pub manifest: PathBuf,
    /// How many records there are, by kind.
    pub counts: Vec<KindCount>,
    /// Whether bodies are among them.
    pub bodies: bool,
    /// As sealed.
    pub content_root: Option<String>,
    /// As sealed.
    pub record_root: Option<String>,
    /// The key that signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

/// How many records of a kind there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KindCount {
    /// The kind.
    pub record: &'static str,
    /// How many.
    pub count: u64,
}

/// Writes the whole record of a run to files.
///
/// # Errors
/// [`AppError`] when there is no such database or run, somebody writes the run, there are files already, or they cannot be
/// written.
pub fn export(database: &DatabaseChoice, choice: &ExportChoice) -> Result<ExportReport, AppError> {
    let url = database_url(database)?;
    let key = choice.sign.as_ref().map(|env| key(database, env)).transpose()?;
    let landscape = landscape(&url)?;
    block_on(async {
        let reader = Reader { store: Box::new(landscape.reader().await?), location: location(&url) };
        let run = reader.run(&choice.run).await?;
        if !reader.is_free(&run).await? {
            return Err(alive(&run));
        }
        let registered = registered(reader.store.as_ref(), &run).await?;
        let bodies = reader.body_store(&run);
        let subject = registered.subject(&run, bodies.as_ref());
        let mut scan = landscape.scans()?.export(&run)?;
        unchanged(scan.as_mut(), &run)?;
        let target = target(choice);
        let mut files = ExportFiles::create(target.clone(), run.run_id)?;
        let taken = if choice.bodies { BodiesChoice::Taken(bodies.as_ref()) } else { BodiesChoice::Left };
        let counts = stream(scan.as_mut(), &subject, taken, &mut files)?;
        let registry = attest(landscape.scans()?.registry()?.as_mut(), run.run_id)?;
        let signer = key.as_ref();
        let manifest = files.finish(
            &manifest_run(&run),
            manifest_export((choice.format, choice.bodies), registry),
            &counts,
            signer,
        )?;
        Ok(ExportReport {
            run_id: run.run_id.to_string(),
            records: target.records(),
            manifest: target.manifest(),
            counts: kind_counts(&counts),
            bodies: choice.bodies,
            content_root: manifest.content_root,
            record_root: manifest.record_root,
            signed_by: key.map(|key| format!("{}+{}", key.public().name(), key.public().id())),
        })
    })?
}

/// The key that signs an export.
fn key(database: &DatabaseChoice, env: &EnvChoice) -> Result<SecretKey, AppError> {
    signer(database, env)?.ok_or_else(|| AppError::Refused {
        message: "there is no key that could sign the export".to_owned(),
        help: Some(
            "name one with `landscape.signing` in the settings and give them with `-s`, or in the environment: \
             ELSPETH_SIGNING_KEY or ELSPETH_SIGNING_KEY_FILE"
                .to_owned(),
        ),
    })
}

fn target(choice: &ExportChoice) -> Target {
    let path: &Path = &choice.output;
    match choice.format {
        ExportFormat::Json => Target::json(path),
        ExportFormat::Csv => Target::csv(path),
    }
}

/// What the manifest of an export says of the run.
pub(crate) fn manifest_run(run: &RunRecord) -> ManifestRun {
    ManifestRun {
        run_id: run.run_id,
        status: run.status,
        hash_version: run.hash_version,
        content_root: run.content_root,
        record_root: run.record_root,
    }
}

/// What the manifest of an export says of it.
pub(crate) fn manifest_export(
    (format, bodies): (ExportFormat, bool),
    registry: Option<Attestation>,
) -> ManifestExport {
    ManifestExport {
        form: match format {
            ExportFormat::Json => Form::Json,
            ExportFormat::Csv => Form::Csv,
        },
        engine_version: env!("CARGO_PKG_VERSION").to_owned(),
        exported_at: SystemClock::new().now(),
        bodies,
        registry,
    }
}

/// In the order in which the kinds come first.
pub(crate) fn kind_counts(counts: &Counts) -> Vec<KindCount> {
    counts.iter().map(|(kind, count)| KindCount { record: kind.name(), count: *count }).collect()
}

/// The run is still as it was read before the scan began.
pub(crate) fn unchanged<S: RecordScan + ?Sized>(scan: &mut S, run: &RunRecord) -> Result<(), AppError> {
    let mark = scan.mark()?;
    if mark.status == run.status && mark.heartbeat_at == run.heartbeat_at {
        return Ok(());
    }
    Err(AppError::Refused {
        message: format!("run {} was changed meanwhile", run.run_id),
        help: Some("export it when nobody works on it".to_owned()),
    })
}

pub(crate) fn alive(run: &RunRecord) -> AppError {
    AppError::Refused {
        message: format!("run {} is being written by {}", run.run_id, run.owner),
        help: Some(
            "let it finish, or stop it with SIGTERM; `landscape.dump_to_jsonl` in the settings keeps a copy while a run is written"
                .to_owned(),
        ),
    }
}
