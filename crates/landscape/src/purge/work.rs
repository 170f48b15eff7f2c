//! Removing bodies: first from the database, then from the payload store.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use elspeth_canonical::ContentHash;
use elspeth_contracts::{EpochNo, Micros};
use elspeth_payload::{Block, BodyRef, FilesystemStore, NotedRecord, PayloadError, StoreKeeper};

use super::{BlockKey, LandscapePurger, PurgeStart, PurgeView, RecordedPurge, StoredBlock};
use crate::{Corruption, LandscapeError};

/// Blocks that are looked at, or deleted in one transaction: a writer beside us waits no longer than for these.
const BLOCKS: u32 = 8;
/// Files that are removed between two transactions.
const FILES: u32 = 64;

/// Opens another record whose bodies are in the same store.
pub type OpenOther<'a> = &'a (dyn Fn(&Path) -> Result<Box<dyn PurgeView>, LandscapeError> + Sync);

/// What a purge did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PurgeOutcome {
    /// Every purge that was begun, or was found unfinished; as it is now.
    pub purges: Vec<RecordedPurge>,
    /// Files that could not be removed yet.
    pub waiting: Vec<WaitingFiles>,
    /// Whether the deleted bytes are gone from the database's log, too.
    pub wiped: bool,
}

/// Files that wait for another purge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingFiles {
    /// Where they are.
    pub store: PathBuf,
    /// Why they could not be removed.
    pub reason: String,
}

/// Large bodies that a run refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LargeBodies {
    /// How many different ones.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Purges runs, and all that an earlier purge left unfinished.
///
/// Stopped at any instant, it leaves a record that the next purge finishes. `own` is the file of the database.
///
/// # Errors
/// [`LandscapeError`] of the store or the payload store; [`LandscapeError::Corrupt`] when a block cannot be read, which then
/// stays as evidence.
pub async fn purge(
    db: &mut dyn LandscapePurger,
    runs: &[PurgeStart],
    (own, open_other): (&Path, OpenOther<'_>),
    now: Micros,
) -> Result<PurgeOutcome, LandscapeError> {
    for start in runs {
        db.begin(start).await?;
    }
    let open = db.open_purges().await?;
    for purge in &open {
        remove_blocks(db, purge).await?;
    }
    let stores: BTreeSet<&Path> = open.iter().map(|purge| purge.payload_store.as_path()).collect();
    let mut outcome = PurgeOutcome::default();
    for store in stores {
        let reason = remove_files(db, store, (own, open_other)).await?;
        outcome.waiting.extend(reason.map(|reason| WaitingFiles { store: store.to_path_buf(), reason }));
    }
    outcome.wiped = db.wipe().await?;
    if outcome.wiped {
        db.finish(now).await?;
    }
    for purge in open {
        outcome.purges.push(db.recorded(purge.purge_no).await?);
    }
    Ok(outcome)
}

/// The large bodies of a run.
///
/// # Errors
/// As [`purge`].
pub async fn large_bodies(view: &mut dyn PurgeView, run_no: i64) -> Result<LargeBodies, LandscapeError> {
    let mut seen = HashSet::new();
    let mut found = LargeBodies::default();
    let mut blocks = Blocks::of(Some(run_no));
    while let Some(page) = blocks.next(view).await? {
        for body in references(&page)? {
            if seen.insert(body.hash) {
                found.files += 1;
                found.bytes += body.length;
            }
        }
    }
    Ok(found)
}

/// Pages of blocks.
struct Blocks {
    run_no: Option<i64>,
    after: Option<BlockKey>,
}

impl Blocks {
    const fn of(run_no: Option<i64>) -> Self {
        Self { run_no, after: None }
    }

    async fn next(&mut self, view: &mut dyn PurgeView) -> Result<Option<Vec<StoredBlock>>, LandscapeError> {
        let page = view.blocks(self.run_no, self.after, BLOCKS).await?;
        let Some(last) = page.last() else { return Ok(None) };
        self.after = Some(last.key);
        Ok(Some(page))
    }
}

/// The large bodies that a page of blocks refers to.
fn references(page: &[StoredBlock]) -> Result<Vec<BodyRef>, LandscapeError> {
    let mut found = Vec::new();
    for block in page {
        let read = Block::read(&block.bytes).map_err(|error| Corruption {
            table: "bodies",
            id: format!("of run number {}, epoch {}", block.key.run_no, block.key.epoch.0),
            what: error.to_string(),
        })?;
        found.extend(read.in_store());
    }
    Ok(found)
}

/// Their hashes, each once.
fn hashes(page: &[StoredBlock]) -> Result<Vec<ContentHash>, LandscapeError> {
    let found: HashSet<ContentHash> = references(page)?.into_iter().map(|body| body.hash).collect();
    Ok(found.into_iter().collect())
}

async fn remove_blocks(db: &mut dyn LandscapePurger, purge: &RecordedPurge) -> Result<(), LandscapeError> {
    loop {
        let page = db.blocks(Some(purge.run_no), None, BLOCKS).await?;
        if page.is_empty() {
            return Ok(());
        }
        let epochs: Vec<EpochNo> = page.iter().map(|block| block.key.epoch).collect();
        db.remove_blocks(purge, &epochs, &hashes(&page)?).await?;
    }
}

/// Removes the files that are listed for a store, but for those that others refer to. Says why, when it cannot.
async fn remove_files(
    db: &mut dyn LandscapePurger,
    store: &Path,
    others: (&Path, OpenOther<'_>),
) -> Result<Option<String>, LandscapeError> {
    if db.files(store, 1).await?.is_empty() {
        return Ok(None);
    }
    let keeper = match FilesystemStore::new(store).keeper() {
        Ok(Some(keeper)) => keeper,
        Ok(None) => return Ok(Some("a run that is under way uses the payload store".to_owned())),
        Err(error) => {
            let help = "if the folder is gone for good, make an empty one in its place";
            return Ok(Some(format!("{error}; {help}")));
        }
    };
    if let Some(reason) = keep_what_others_need(db, &keeper, others, store).await? {
        return Ok(Some(reason));
    }
    loop {
        let listed = db.files(store, FILES).await?;
        if listed.is_empty() {
            break;
        }
        let removed = keeper.remove(&listed).map_err(|error| failed(store, &error))?;
        db.removed_files(store, &removed).await?;
    }
    keeper.sweep().map_err(|error| failed(store, &error))?;
    Ok(None)
}

/// Takes off the list what blocks refer to that remain, in this record or in others. Says which other record cannot tell.
async fn keep_what_others_need(
    db: &mut dyn LandscapePurger,
    keeper: &StoreKeeper,
    (own, open_other): (&Path, OpenOther<'_>),
    store: &Path,
) -> Result<Option<String>, LandscapeError> {
    let mut blocks = Blocks::of(None);
    while let Some(page) = blocks.next(db).await? {
        keep(db, store, &page).await?;
    }
    for other in keeper.other_records(own).map_err(|error| failed(store, &error))? {
        let mut view = match open_other(&other.database) {
            Ok(view) => view,
            Err(error) => return Ok(Some(unreadable(&other, &error))),
        };
        let mut blocks = Blocks::of(None);
        while let Some(page) = blocks.next(view.as_mut()).await? {
            keep(db, store, &page).await?;
        }
    }
    Ok(None)
}

async fn keep(
    db: &mut dyn LandscapePurger,
    store: &Path,
    page: &[StoredBlock],
) -> Result<(), LandscapeError> {
    let needed = hashes(page)?;
    if needed.is_empty() { Ok(()) } else { db.keep_files(store, &needed).await }
}

fn unreadable(other: &NotedRecord, error: &LandscapeError) -> String {
    format!(
        "another record has bodies there and cannot be asked ({error}); if {} is gone for good, delete {}",
        other.database.display(),
        other.note.display()
    )
}

fn failed(store: &Path, error: &PayloadError) -> LandscapeError {
    LandscapeError::Store {
        context: format!("removing bodies from {}", store.display()),
        message: error.to_string(),
        retryable: false,
    }
}
