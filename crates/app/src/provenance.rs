use std::path::PathBuf;

use elspeth_landscape::export::{BodiesChoice, ProvFile, one_file, openlineage, stream};
use serde::Serialize;

use crate::export::{alive, unchanged};
use crate::store::{Reader, block_on, database_url, landscape, location};
use crate::verify::registered;
use crate::{AppError, DatabaseChoice};

/// In whose words a run is told, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenanceChoice {
    /// A run id, a unique prefix of one, or `latest`.
    pub run: String,
    /// The file, or the folder that it is put into.
    pub output: PathBuf,
    /// In whose words.
    pub form: ProvenanceForm,
}

/// In whose words a run is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProvenanceForm {
    /// A document of W3C PROV, as PROV-JSON.
    Prov,
    /// Events of OpenLineage, a line for each.
    OpenLineage,
}

/// What was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProvenanceReport {
    /// The run.
    pub run_id: String,
    /// The file.
    pub file: PathBuf,
}

/// Tells a run in the words of others, for their tools; what they have no words for is left out.
///
/// # Errors
/// [`AppError`] when there is no such database or run, somebody writes the run, there is a file already, or it cannot be
/// written.
pub fn export_provenance(
    database: &DatabaseChoice,
    choice: &ProvenanceChoice,
) -> Result<ProvenanceReport, AppError> {
    let url = database_url(database)?;
    let landscape = landscape(&url)?;
    block_on(async {
        let reader = Reader { store: Box::new(landscape.reader().await?), location: location(&url) };
        let run = reader.run(&choice.run).await?;
        if !reader.is_free(&run).await? {
            return Err(alive(&run));
        }
        let registered = registered(reader.store.as_ref(), &run).await?;
        let subject = registered.subject(&run, None);
        let mut scan = landscape.scans()?.export(&run)?;
        unchanged(scan.as_mut(), &run)?;
        let file = choice.file();
        match choice.form {
            ProvenanceForm::Prov => {
                let mut out = ProvFile::create(&file, run.run_id, run.started_at)?;
                stream(scan.as_mut(), &subject, BodiesChoice::Left, &mut out)?;
                out.finish()?;
            }
            ProvenanceForm::OpenLineage => {
                openlineage(&file, &subject)?;
            }
        }
        Ok(ProvenanceReport { run_id: run.run_id.to_string(), file })
    })?
}

impl ProvenanceChoice {
    fn file(&self) -> PathBuf {
        match self.form {
            ProvenanceForm::Prov => one_file(&self.output, &["json"], "prov.json"),
            ProvenanceForm::OpenLineage => {
                one_file(&self.output, &["jsonl", "ndjson", "json"], "openlineage.jsonl")
            }
        }
    }
}
