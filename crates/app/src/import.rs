use std::path::PathBuf;

use elspeth_canonical::HashVersion;
use elspeth_contracts::{Clock, SystemClock};
use elspeth_landscape::export::{Export, ExportError, ImportEnd, Line, LineError, PayloadLine, RecordImport};
use elspeth_landscape::verify::{CheckResult, CheckStatus, Verification, VerifyStatus};
use elspeth_payload::FilesystemStore;
use serde::Serialize;

use crate::export::{KindCount, kind_counts};
use crate::signing::signer;
use crate::store::{bodies_of, database_url, landscape, location, recorded_base};
use crate::verify::verify;
use crate::{AppError, DatabaseChoice, EnvChoice, TrustChoice, VerifyChoice};

/// What was imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// The run.
    pub run_id: String,
    /// Where its record is now.
    pub database: String,
    /// How many records there are, by kind.
    pub counts: Vec<KindCount>,
    /// Whether bodies were among them.
    pub bodies: bool,
    /// Where large bodies were put.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_store: Option<PathBuf>,
    /// What verifying the record came to, once it was there.
    pub verified: VerifyStatus,
    /// As it was sealed; none where the records do not give it.
    pub content_root: Option<String>,
    /// As it was sealed; none where the records do not give it.
    pub record_root: Option<String>,
}

/// Takes an exported run into a database, which is made where it does not exist, and verifies it there. Where there is a key, by the settings or the
/// environment, it signs the head of the registry after that. `env` says where the key comes from that
/// signs, where no settings are given.
///
/// # Errors
/// [`AppError`] when there is no export, it is not what its manifest says, the run is there already, or the database cannot be
/// written. Nothing of the run is in the database then.
pub fn import(
    database: &DatabaseChoice,
    path: &std::path::Path,
    env: &EnvChoice,
) -> Result<ImportReport, AppError> {
    let url = database_url(database)?;
    let export = Export::open(path)?;
    let landscape = landscape(&url)?.with_signer(signer(database, env)?);
    let mut import: Box<dyn RecordImport> = Box::new(landscape.importer()?);
    let mut bodies: Option<FilesystemStore> = None;
    let mut used = false;
    let (run, counts) = export.each(|line| {
        if let Line::Run(run) = &line {
            bodies = recorded_base(&run.settings).map(|base| bodies_of(&url, &base));
        } else if let Line::Payload(body) = &line {
            used = true;
            keep(bodies.as_ref(), body)?;
        }
        import.add(&line)
    })?;
    let manifest = HashVersion::Sha256V1.hash(export.text.as_bytes());
    import.finish(&ImportEnd { now: SystemClock::new().now(), manifest, bodies: export.manifest.bodies })?;
    let found = verify(database, &VerifyChoice::One(run.to_string()), &TrustChoice::default())?;
    let found = found.into_iter().next().ok_or_else(|| gone(&run.to_string()))?;
    let roots = is_sealed_so(&found).then_some((found.content_root, found.record_root));
    let (content_root, record_root) = roots.unwrap_or_default();
    Ok(ImportReport {
        run_id: run.to_string(),
        database: location(&url),
        counts: kind_counts(&counts),
        bodies: export.manifest.bodies,
        payload_store: bodies.filter(|_| used).map(|store| store.base().to_owned()),
        verified: found.status,
        content_root,
        record_root,
    })
}

/// Whether the records give the roots that the run has.
fn is_sealed_so(found: &Verification) -> bool {
    let by_record = |check: &&CheckResult| ["records", "content", "chain"].contains(&check.name);
    found.checks.iter().filter(by_record).all(|check| check.status == CheckStatus::Ok)
}

/// Somebody took it away while it was verified.
fn gone(run: &str) -> AppError {
    AppError::NotFound { message: format!("run {run} was imported, and is not there any more"), help: None }
}

/// Puts a large body where the run's own settings look for it.
fn keep(store: Option<&FilesystemStore>, body: &PayloadLine) -> Result<(), LineError> {
    let wrong = |what: &str| LineError::Wrong(what.to_owned());
    let store = store.ok_or_else(|| wrong("the settings of the run name no payload store"))?;
    if elspeth_payload::address(&body.content.0) != body.hash {
        return Err(wrong("the content does not have that hash"));
    }
    store.put(body.hash, &body.content.0).map_err(|error| {
        let error = std::io::Error::other(error.to_string());
        let path = store.path_of(body.hash);
        LineError::Other(Box::new(ExportError::Io { what: "writing the large body", path, error }))
    })
}
