//! The record of a run without what may differ from run to run: times, epochs and ids.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use elspeth_contracts::{EpochNo, NodeStateRecord, ReleaseRecord, RowIndex, RunId, TokenKey, TokenRecord};
use elspeth_landscape::{LandscapeError, LandscapeReader, Page, RunRef};
use elspeth_landscape_sql::{Reader, SqliteLandscape};

/// Every record as a line, in canonical order, and how many tokens ended how.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) lines: Vec<String>,
    pub(crate) outcomes: BTreeMap<&'static str, u64>,
}

/// A database to read records from.
pub(crate) struct Records {
    runtime: tokio::runtime::Runtime,
    database: SqliteLandscape,
    /// Opened when the first run is there.
    reader: OnceCell<Reader>,
}

impl Records {
    pub(crate) fn in_file(path: &Path) -> Self {
        Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            database: SqliteLandscape::in_file(path),
            reader: OnceCell::new(),
        }
    }

    /// The record of a run whose graph has so many nodes that wait across rows.
    pub(crate) fn of_run(&self, run: RunId, waiting: u64) -> Record {
        let open = || self.runtime.block_on(self.database.reader()).unwrap();
        let reader = self.reader.get_or_init(open);
        let record = self.runtime.block_on(read(reader, run, waiting));
        record.unwrap_or_else(|e| panic!("the record cannot be read: {e}"))
    }
}

async fn read(reader: &dyn LandscapeReader, run: RunId, waiting: u64) -> Result<Record, LandscapeError> {
    let run = reader.run(&RunRef::Prefix(run.to_string())).await?.run_no;
    let mut record = Record { lines: Vec::new(), outcomes: BTreeMap::new() };
    for index in 0..reader.counters(run).await?.processed {
        let index = RowIndex::new(index).unwrap();
        let (mut row, _epoch) = reader.row(run, index).await?.expect("rows have no gaps");
        row.read_us = 0;
        record.lines.push(format!("{row:?}"));
        if let Some(error) = reader.validation_error(run, index).await? {
            record.lines.push(format!("{error:?}"));
        }
        for token in reader.tokens_of_row(run, index).await? {
            record.token(reader, run, &token).await?;
        }
    }
    for position in 0..waiting {
        let mut number = position;
        while record.release(reader, run, number).await? {
            number += waiting;
        }
    }
    for artifact in reader.artifacts(run).await? {
        // Not the content's hash: rows that a sink refused say when that was. Contents are compared byte by byte.
        let (step, size, rows) = (artifact.step, artifact.size_bytes, artifact.rows);
        record.lines.push(format!("artifact {step:?} {size} {rows}"));
    }
    Ok(record)
}

impl Record {
    /// Adds a release of an aggregation or a coalesce; false when there is none with that number.
    async fn release(
        &mut self,
        reader: &dyn LandscapeReader,
        run: i64,
        number: u64,
    ) -> Result<bool, LandscapeError> {
        let release = reader.release(run, number).await?;
        let attempts = reader.batch(run, number).await?;
        if release.is_none() && attempts.is_empty() {
            return Ok(false);
        }
        let release = release.map(|release| ReleaseRecord { epoch: EpochNo(0), ..release });
        let all = Page { from: 0, limit: u32::MAX };
        self.lines.push(format!("{release:?}"));
        self.add(&attempts);
        self.add(&reader.batch_members(run, number, all).await?);
        self.add(&reader.batch_outputs(run, number, all).await?);
        for ordinal in 0.. {
            let Some(token) = reader.token(run, TokenKey::of_batch(number, ordinal).unwrap()).await? else {
                break;
            };
            self.token(reader, run, &token).await?;
        }
        Ok(true)
    }

    async fn token(
        &mut self,
        reader: &dyn LandscapeReader,
        run: i64,
        token: &TokenRecord,
    ) -> Result<(), LandscapeError> {
        let key = token.token;
        self.lines.push(format!("{token:?}"));
        self.add(&reader.parents(run, key).await?);
        let states = reader.states(run, key).await?.into_iter();
        let timeless =
            states.map(|state| NodeStateRecord { started_us: 0, duration_us: 0, waited_us: 0, ..state });
        self.add(&timeless.collect::<Vec<_>>());
        self.add(&reader.contexts(run, key).await?);
        self.add(&reader.routing(run, key).await?);
        self.add(&reader.transform_errors(run, key).await?);
        let outcome = reader.outcome(run, key).await?;
        self.lines.push(format!("{outcome:?}"));
        let ended = outcome.map_or("nothing", |outcome| outcome.outcome.as_str());
        *self.outcomes.entry(ended).or_default() += 1;
        Ok(())
    }

    fn add<T: Debug>(&mut self, records: &[T]) {
        self.lines.extend(records.iter().map(|record| format!("{record:?}")));
    }
}
