use elspeth_contracts::{ArtifactRecord, EdgeRecord, NodeRecord};
use elspeth_landscape::verify::{Subject, Verification};
use elspeth_landscape::{LandscapeError, LandscapeReader, ResumptionRecord, RunRecord};
use elspeth_landscape_sql::SqliteLandscape;
use elspeth_payload::FilesystemStore;

use crate::store::{Reader, block_on, database_url, landscape, location};
use crate::{AppError, DatabaseChoice};

/// Which runs are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifyChoice {
    /// One: an id, a unique prefix of one, or `latest`.
    One(String),
    /// All of the database.
    All,
}

/// Reads runs back as a whole, hashes everything again, and says whether it is what was written; newest first.
///
/// # Errors
/// [`AppError`] when there is no such database or run, or it cannot be read. A record that is not what it was is no error but
/// the answer.
pub fn verify(database: &DatabaseChoice, choice: &VerifyChoice) -> Result<Vec<Verification>, AppError> {
    let url = database_url(database)?;
    let landscape = landscape(&url)?;
    block_on(async {
        let store = landscape.reader().await?;
        let reader = Reader { store: Box::new(store), location: location(&url) };
        match choice {
            VerifyChoice::One(run) => Ok(vec![one(&reader, &landscape, run).await?]),
            VerifyChoice::All => {
                let runs = match reader.store.runs().await {
                    Ok(runs) => runs,
                    Err(error) => return Ok(vec![unreadable(error)?]),
                };
                let mut found = Vec::with_capacity(runs.len());
                for run in runs {
                    found.push(one(&reader, &landscape, &run.run_id.to_string()).await?);
                }
                Ok(found)
            }
        }
    })?
}

async fn one(reader: &Reader, landscape: &SqliteLandscape, run: &str) -> Result<Verification, AppError> {
    let record = match reader.run(run).await {
        Ok(record) => record,
        Err(AppError::Record(error)) => return unreadable(error),
        Err(other) => return Err(other),
    };
    match registered(reader.store.as_ref(), &record).await {
        Ok(registered) => {
            let bodies = reader.body_store(&record);
            let subject = registered.subject(&record, bodies.as_ref());
            Ok(elspeth_landscape::verify::verify(&landscape.scans()?, &subject)?)
        }
        Err(error) => Ok(Verification { run_id: Some(record.run_id), ..unreadable(error)? }),
    }
}

/// What is registered of a run, besides its own record.
pub(crate) struct Registered {
    nodes: Vec<NodeRecord>,
    edges: Vec<EdgeRecord>,
    resumptions: Vec<ResumptionRecord>,
    artifacts: Vec<ArtifactRecord>,
}

pub(crate) async fn registered(
    store: &dyn LandscapeReader,
    run: &RunRecord,
) -> Result<Registered, LandscapeError> {
    Ok(Registered {
        nodes: store.nodes(run.run_no).await?,
        edges: store.edges(run.run_no).await?,
        resumptions: store.resumptions(run.run_no).await?,
        artifacts: store.artifacts(run.run_no).await?,
    })
}

impl Registered {
    pub(crate) fn subject<'a>(
        &'a self,
        run: &'a RunRecord,
        bodies: Option<&'a FilesystemStore>,
    ) -> Subject<'a> {
        let Self { nodes, edges, resumptions, artifacts } = self;
        Subject { run, nodes, edges, resumptions, artifacts, bodies }
    }
}

/// What cannot be read as a record was changed; other failures stay failures.
fn unreadable(error: LandscapeError) -> Result<Verification, AppError> {
    match error {
        LandscapeError::Corrupt(corruption) => Ok(Verification::unreadable(None, corruption)),
        other => Err(other.into()),
    }
}
