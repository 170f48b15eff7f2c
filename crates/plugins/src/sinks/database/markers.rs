//! Which epochs of which run are in the database: a row for each, written in the epoch's own transaction.
//!
//! `_elspeth_epochs` says to a sink that comes back after a stop what it has done already. An epoch with a marker is never
//! written again; what it did is read from the marker. When the run publishes, all but its last marker go.

use elspeth_contracts::{EpochNo, ErrorReason, RunId};
use elspeth_plugin::{Refusal, SinkError};
use serde::{Deserialize, Serialize};

use super::dialect::Dialect;
use super::store::{Cell, Found, Store};
use crate::row_chain::StoredChain;

/// The table of markers; `epoch` is -1 for a run that published without having written.
const CREATE_IN_FILE: &str = "CREATE TABLE IF NOT EXISTS _elspeth_epochs (
    run_id TEXT NOT NULL, sink TEXT NOT NULL, epoch INTEGER NOT NULL, state TEXT NOT NULL, published INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, sink, epoch)) WITHOUT ROWID";
/// The same on a server, where two that make it at once would disturb each other without the lock.
const CREATE_ON_SERVER: &str = "BEGIN; SELECT pg_advisory_xact_lock(1162629968, 2);
    CREATE TABLE IF NOT EXISTS _elspeth_epochs (
    run_id TEXT NOT NULL, sink TEXT NOT NULL, epoch BIGINT NOT NULL, state TEXT NOT NULL, published INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, sink, epoch)); COMMIT";
const TABLE: &str = "_elspeth_epochs";
const INSERT: &str = "INSERT INTO _elspeth_epochs (run_id, sink, epoch, state) VALUES ($1, $2, $3, $4)";
const OF_EPOCH: &str =
    "SELECT epoch, state, published <> 0 FROM _elspeth_epochs WHERE run_id = $1 AND sink = $2 AND epoch = $3";
const LAST: &str = "SELECT epoch, state, published <> 0 FROM _elspeth_epochs WHERE run_id = $1 AND sink = $2
    ORDER BY epoch DESC LIMIT 1";
const FORGET: &str = "DELETE FROM _elspeth_epochs WHERE run_id = $1 AND sink = $2
    AND epoch < (SELECT max(epoch) FROM _elspeth_epochs WHERE run_id = $1 AND sink = $2)";
const PUBLISH: &str = "UPDATE _elspeth_epochs SET published = 1 WHERE run_id = $1 AND sink = $2";

/// The epoch of a run that wrote none.
const NO_EPOCH: i64 = -1;

/// Whose markers.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) run_id: RunId,
    pub(super) sink: String,
}

/// One marker.
#[derive(Debug)]
pub(super) struct Marker {
    epoch: i64,
    pub(super) published: bool,
    pub(super) state: State,
}

/// What a marker knows.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    /// Everything that the run has written, this epoch included.
    pub(super) chain: StoredChain,
    /// Whether the run made the table.
    pub(super) made_table: bool,
    /// The rows of the epoch that were refused, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refused: Vec<StoredRefusal>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredRefusal {
    index: usize,
    reason: ErrorReason,
}

impl State {
    pub(super) fn new(chain: StoredChain, made_table: bool, refused: &[Refusal]) -> Self {
        let refused =
            refused.iter().map(|r| StoredRefusal { index: r.index, reason: r.reason.clone() }).collect();
        Self { chain, made_table, refused }
    }

    /// The refusals of its epoch.
    pub(super) fn into_refused(self) -> Vec<Refusal> {
        self.refused.into_iter().map(|r| Refusal { index: r.index, reason: r.reason }).collect()
    }
}

impl Marker {
    /// The epoch, if it is the marker of one.
    pub(super) fn epoch(&self) -> Option<EpochNo> {
        u64::try_from(self.epoch).ok().map(EpochNo)
    }
}

impl Owner {
    /// Makes the table of markers where there is none.
    ///
    /// # Errors
    /// The database cannot be written.
    pub(super) async fn prepare(&self, store: &mut Store) -> Result<(), SinkError> {
        match store.dialect() {
            Dialect::Sqlite => store.run(CREATE_IN_FILE, "write to").await,
            // Whoever may not make tables may still write to this one.
            Dialect::Postgres if store.find(TABLE).await? != Found::Nothing => Ok(()),
            Dialect::Postgres => store.run(CREATE_ON_SERVER, "write to").await,
        }
    }

    /// The marker of an epoch.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(super) async fn find(&self, store: &mut Store, epoch: EpochNo) -> Result<Option<Marker>, SinkError> {
        let mut values = self.values();
        values.push(Cell::Int(number(epoch)));
        read(store, OF_EPOCH, &values).await
    }

    /// The marker of the last epoch.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(super) async fn last(&self, store: &mut Store) -> Result<Option<Marker>, SinkError> {
        read(store, LAST, &self.values()).await
    }

    /// Marks an epoch as written.
    ///
    /// # Errors
    /// The database cannot be written.
    pub(super) async fn mark(
        &self,
        store: &mut Store,
        epoch: EpochNo,
        state: &State,
    ) -> Result<(), SinkError> {
        self.insert(store, number(epoch), state).await
    }

    /// Marks the run as published; forgets all epochs but the last.
    ///
    /// # Errors
    /// The database cannot be written.
    pub(super) async fn mark_published(&self, store: &mut Store, state: &State) -> Result<(), SinkError> {
        if self.last(store).await?.is_none() {
            self.insert(store, NO_EPOCH, state).await?;
        }
        for sql in [FORGET, PUBLISH] {
            store.execute(sql, &self.values(), "write to").await?;
        }
        Ok(())
    }

    async fn insert(&self, store: &mut Store, epoch: i64, state: &State) -> Result<(), SinkError> {
        let mut values = self.values();
        values.push(Cell::Int(epoch));
        values.push(Cell::Text(serde_json::to_string(state).expect("texts and numbers are JSON")));
        store.execute(INSERT, &values, "write to").await
    }

    fn values(&self) -> Vec<Cell> {
        vec![Cell::Text(self.run_id.to_string()), Cell::Text(self.sink.clone())]
    }
}

async fn read(store: &mut Store, sql: &'static str, values: &[Cell]) -> Result<Option<Marker>, SinkError> {
    let Some(found) = store.fetch(sql, values).await? else { return Ok(None) };
    let state = serde_json::from_str(&found.state).map_err(|error| {
        SinkError::new(format!("a marker in the table `_elspeth_epochs` cannot be read: {error}"))
    })?;
    Ok(Some(Marker { epoch: found.epoch, published: found.published, state }))
}

fn number(epoch: EpochNo) -> i64 {
    i64::try_from(epoch.0).unwrap_or(i64::MAX)
}
