use std::path::{Path, PathBuf};

use elspeth_config::DatabaseUrl;
use elspeth_contracts::{ArtifactRecord, EdgeRecord, NodeRecord};
use elspeth_landscape::verify::{
    CheckResult, CheckStatus, RegistryFindings, Subject, Trust, Verification, VerifyStatus, verify_registry,
};
use elspeth_landscape::{LandscapeError, LandscapeReader, ResumptionRecord, RunRecord, RunRef};
use elspeth_landscape_sql::{Landscape, SqliteLandscape};
use elspeth_payload::{FilesystemStore, LargeBodies};

use crate::signing::{public_key, remembered_head};
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

/// Whom somebody trusts who verifies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustChoice {
    /// Public keys: each the text of one, or a file that holds it.
    pub keys: Vec<String>,
    /// A file with a head that was seen before.
    pub since: Option<PathBuf>,
}

/// Reads runs and the registry back as a whole, hashes everything again, and says whether it is what was written; newest run
/// first. Where there is no run, but something is wrong with the registry, the only answer is about that.
///
/// # Errors
/// [`AppError`] when there is no such database or run, or it cannot be read; when a key or head to be trusted cannot be
/// read. A record that is not what it was is no error but the answer.
pub fn verify(
    database: &DatabaseChoice,
    choice: &VerifyChoice,
    trust: &TrustChoice,
) -> Result<Vec<Verification>, AppError> {
    let trust = trust.read()?;
    let url = database_url(database)?;
    let landscape = landscape(&url)?;
    block_on(async {
        let store = landscape.reader().await?;
        let reader = Reader { store: Box::new(store), location: location(&url) };
        let registry = verify_registry(landscape.scans()?.registry()?.as_mut(), &trust)?;
        match choice {
            VerifyChoice::One(run) => Ok(vec![one(&reader, &landscape, run, (&registry, false)).await?]),
            VerifyChoice::All => {
                let runs = match reader.store.runs().await {
                    Ok(runs) => runs,
                    Err(error) => return Ok(vec![unreadable(error)?]),
                };
                let mut found = Vec::with_capacity(runs.len());
                // What is of no run is looked for once, unless there is something.
                let mut alone = false;
                for run in runs {
                    let run = run.run_id.to_string();
                    let verified = one(&reader, &landscape, &run, (&registry, alone)).await?;
                    alone |= has_sound_database(&verified);
                    found.push(verified);
                }
                if found.is_empty() && !registry.is_sound() {
                    found.push(Verification::of_registry(&registry));
                }
                Ok(found)
            }
        }
    })?
}

impl TrustChoice {
    fn read(&self) -> Result<Trust, AppError> {
        let keys = self.keys.iter().map(|key| public_key(key)).collect::<Result<_, _>>()?;
        let since = self.since.as_deref().map(remembered_head).transpose()?.map(|(head, _)| head);
        Ok(Trust { keys, since })
    }
}

/// Whether a run was looked at to the end, and nothing was found beside it.
fn has_sound_database(found: &Verification) -> bool {
    let is_sound = |check: &CheckResult| check.name == "database" && check.status == CheckStatus::Ok;
    found.status != VerifyStatus::Tampered && found.checks.iter().any(is_sound)
}

/// How often a run is looked at that ends, or is taken up, in the midst of it.
const TRIES: usize = 10;

async fn one(
    reader: &Reader,
    landscape: &Landscape,
    run: &str,
    (registry, alone): (&RegistryFindings, bool),
) -> Result<Verification, AppError> {
    let mut tries = 1;
    loop {
        match as_it_is(reader, landscape, run, (registry, alone)).await {
            Err(AppError::Record(LandscapeError::ChangedMeanwhile)) if tries < TRIES => tries += 1,
            // What could not be read was put in the place of what can.
            Err(AppError::Record(_)) if registry.is_altered() => {
                return Ok(Verification::of_registry(registry));
            }
            other => return other,
        }
    }
}

async fn as_it_is(
    reader: &Reader,
    landscape: &Landscape,
    run: &str,
    (registry, alone): (&RegistryFindings, bool),
) -> Result<Verification, AppError> {
    let record = match reader.run(run).await {
        Ok(record) => record,
        Err(AppError::Record(error)) => return unreadable(error),
        Err(other) => return Err(other),
    };
    match registered(reader.store.as_ref(), &record).await {
        Ok(registered) => {
            let bodies = reader.body_store(&record);
            let ran_here = ran_here(&record, &reader.location).await;
            let registered = registered.subject(&record, bodies.as_ref());
            let subject = Subject { registry: Some(registry), ran_here, alone, ..registered };
            Ok(elspeth_landscape::verify::verify(&landscape.scans()?, &subject)?)
        }
        Err(error) => Ok(Verification { run_id: Some(record.run_id), ..unreadable(error)? }),
    }
}

/// Whether the run ran in this folder: the relative path under which it named its database leads to the one that is read, or to
/// one that has the run, too. With an absolute path, or a server, nothing tells.
pub(crate) async fn ran_here(run: &RunRecord, location: &str) -> bool {
    let settings: serde_json::Value = serde_json::from_str(&run.settings).unwrap_or_default();
    let named = settings["landscape"]["url"].as_str().and_then(|url| DatabaseUrl::parse(url).ok());
    let Some(file) = named.as_ref().and_then(DatabaseUrl::file).filter(|file| file.is_relative()) else {
        return false;
    };
    let place = |path: &Path| path.canonicalize().ok();
    if place(file).is_none() || place(file) == place(Path::new(location)) {
        return place(file).is_some();
    }
    match SqliteLandscape::in_file(file).reader().await {
        Ok(other) => other.run(&RunRef::Prefix(run.run_id.to_string())).await.is_ok(),
        Err(_) => false,
    }
}

/// Refuses to go on with a run that is not what was written: whatever was changed would be decided on, and the seal would
/// bear it out; or whose large bodies are not here: those to come would be apart from them. Outputs are looked at by their sinks;
/// what was done to other runs and to the registry shows later as well as now.
pub(crate) async fn check_sound(
    reader: &Reader,
    landscape: &Landscape,
    run: &RunRecord,
) -> Result<(), AppError> {
    if let Some(altered) = landscape.scans()?.registry()?.altered()?.into_iter().next() {
        return Err(AppError::Altered { run_id: run.run_id, bad: Box::new(altered.into()) });
    }
    let registered = registered(reader.store.as_ref(), run).await?;
    let bodies = reader.body_store(run);
    let subject = Subject { artifacts: None, alone: true, ..registered.subject(run, bodies.as_ref()) };
    let found = elspeth_landscape::verify::verify(&landscape.scans()?, &subject)?;
    if let Some(bad) = found.first_bad {
        return Err(AppError::Altered { run_id: run.run_id, bad: Box::new(bad) });
    }
    let out_of_reach =
        |check: &&CheckResult| check.name == "bodies" && check.status == CheckStatus::Incomplete;
    match found.checks.iter().find(out_of_reach) {
        None => Ok(()),
        Some(check) => Err(AppError::Refused {
            message: format!("run {} cannot go on here: {}", run.run_id, check.detail),
            help: Some(
                "go on in the folder in which it was started, or put back what `payload_store.base_path` names"
                    .to_owned(),
            ),
        }),
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
        let bodies = bodies.map(|store| store as &dyn LargeBodies);
        Subject {
            run,
            nodes,
            edges,
            resumptions,
            artifacts: Some(artifacts),
            bodies,
            registry: None,
            ran_here: false,
            alone: false,
        }
    }
}

/// What cannot be read as a record was changed; other failures stay failures.
fn unreadable(error: LandscapeError) -> Result<Verification, AppError> {
    match error {
        LandscapeError::Corrupt(corruption) => Ok(Verification::unreadable(None, corruption)),
        other => Err(other.into()),
    }
}
