use elspeth_landscape::verify::VerifyStatus;
use serde::Serialize;

use crate::export::{ExportChoice, ExportFormat, KindCount, export};
use crate::import::import;
use crate::scratch::Scratch;
use crate::{AppError, DatabaseChoice, EnvChoice};

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CopyReport {
    /// The run.
    pub run_id: String,
    /// Where its record is now too.
    pub database: String,
    /// How many records there are, by kind.
    pub counts: Vec<KindCount>,
    /// What verifying the record there came to.
    pub verified: VerifyStatus,
    /// As it was sealed; the same there.
    pub content_root: Option<String>,
    /// As it was sealed; the same there.
    pub record_root: Option<String>,
}

/// Copies the record of a run, with the bodies that it still has, from one database into another, whatever their kinds. It is
/// exported into a scratch folder and imported from there, so that the registry of the other database names a manifest.
/// `env` says where the key comes from that signs there.
///
/// # Errors
/// Those of [`export()`] and [`import()`]. Nothing of the run is in the other database then.
pub fn copy(
    run: &str,
    (from, to): (&DatabaseChoice, &DatabaseChoice),
    env: &EnvChoice,
) -> Result<CopyReport, AppError> {
    let scratch =
        Scratch::new().map_err(|error| AppError::Output(format!("there is no scratch folder: {error}")))?;
    let choice = ExportChoice {
        run: run.to_owned(),
        output: scratch.join("run"),
        format: ExportFormat::Json,
        bodies: true,
        sign: None,
    };
    export(from, &choice)?;
    let imported = import(to, &choice.output, env)?;
    Ok(CopyReport {
        run_id: imported.run_id,
        database: imported.database,
        counts: imported.counts,
        verified: imported.verified,
        content_root: imported.content_root,
        record_root: imported.record_root,
    })
}
