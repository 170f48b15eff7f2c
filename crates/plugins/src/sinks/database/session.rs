//! An opened sink: the epochs of one run into one table.
//!
//! A run that appends writes to the table itself. A run that replaces writes to a table beside it, which gets the table's
//! name when the run publishes: until then readers see the old rows, and afterwards all of the new ones. Each epoch is one
//! transaction, together with its marker.

use std::ops::{Range, RangeInclusive};

use elspeth_contracts::{EpochNo, ErrorReason, FailureKind};
use elspeth_faults::{Act, Point, reach};
use elspeth_plugin::{Produced, Refusal, SinkContext, SinkError, SinkPosition, SinkRow, Written};
use elspeth_value::Row;
use serde::{Deserialize, Serialize};

use super::insert::{Admitted, Ended, Inserted, Texts, Work, insert};
use super::markers::{Marker, Owner, State};
use super::store::{ForeignKeys, Found, Store};
use super::table::{Table, check_fit};
use super::{IfExists, Settings};
use crate::row_chain::{Chain, StoredChain};
use crate::sinks::{check_row, parse_position};
use crate::sql_name::quoted;

/// No places in an epoch.
#[expect(clippy::reversed_empty_ranges, reason = "it is empty on purpose")]
const NONE: RangeInclusive<usize> = 1..=0;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Session {
    store: Store,
    owner: Owner,
    table: Table,
    texts: Texts,
    chain: Chain,
    /// The last epoch that had rows.
    epoch: Option<EpochNo>,
    published: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Position {
    chain: StoredChain,
    epoch: Option<u64>,
}

/// An epoch's rows as they are checked.
#[derive(Debug, Default)]
struct Batch<'r> {
    admitted: Vec<Admitted<'r>>,
    refused: Vec<Refusal>,
    canonical: Vec<u8>,
    /// Of each row in `canonical`; empty for a refused one.
    ranges: Vec<Range<usize>>,
}

impl Session {
    /// Opens the database; looks whether it is where the run left it.
    ///
    /// # Errors
    /// It cannot be opened, is not where the run left it, or the table cannot take rows of the schema.
    pub(super) async fn open(
        settings: &Settings,
        context: &SinkContext,
        position: Option<&SinkPosition>,
    ) -> Result<Self, SinkError> {
        let foreign_keys = match settings.if_exists {
            IfExists::Append => ForeignKeys::Checked,
            IfExists::Replace => ForeignKeys::Ignored,
        };
        let mut store = Store::open(&settings.place, foreign_keys).await?;
        let owner = Owner { run_id: context.run_id, sink: context.sink.clone() };
        reach(Point::Before(Act::PrepareTable));
        owner.prepare(&mut store).await?;
        reach(Point::After(Act::PrepareTable));
        let (chain, epoch) = match position {
            None => (Chain::new(context.hash_version), None),
            Some(position) => {
                let position: Position = parse_position(position)?;
                check_position(&mut store, &owner, &position).await?;
                let chain = Chain::load(&position.chain, context.hash_version);
                let chain = chain.map_err(|why| {
                    SinkError::new(format!("cannot go on with the table: {why}")).with_help("start a new run")
                })?;
                (chain, position.epoch.map(EpochNo))
            }
        };
        let last = owner.last(&mut store).await?;
        let table = table(&mut store, settings, &owner, last.as_ref()).await?;
        let published = last.is_some_and(|marker| marker.published);
        Ok(Self { store, owner, table, texts: Texts::default(), chain, epoch, published })
    }

    /// Writes an epoch, or finds that it is written already. After an error the session is of no use.
    ///
    /// # Errors
    /// The database fails; nothing of the epoch is written.
    pub(super) async fn write(
        &mut self,
        settings: &Settings,
        epoch: EpochNo,
        rows: &[SinkRow<'_>],
    ) -> Result<Written, SinkError> {
        if self.published {
            let message =
                format!("the table `{}` is published already; nothing can be added to it", settings.table);
            return Err(SinkError::new(message));
        }
        let mut refused = Vec::new();
        if !rows.is_empty() {
            self.store.begin("write to").await?;
            let done = self.write_inside(settings, epoch, rows).await;
            refused = self.end(Act::CommitTable, done).await?;
            self.epoch = Some(epoch);
        }
        Ok(Written { refused, position: self.position(), produced: Some(self.produced(settings)) })
    }

    /// Ends the transaction: for good when all went well.
    async fn end<T>(&mut self, act: Act, done: Result<T, SinkError>) -> Result<T, SinkError> {
        match done {
            Ok(done) => {
                reach(Point::Before(act));
                self.store.run("COMMIT", "write to").await?;
                reach(Point::After(act));
                Ok(done)
            }
            Err(error) => {
                // Where this fails too the transaction is gone already, or goes with the connection.
                let _ = self.store.run("ROLLBACK", "roll back").await;
                Err(error)
            }
        }
    }

    async fn write_inside(
        &mut self,
        settings: &Settings,
        epoch: EpochNo,
        rows: &[SinkRow<'_>],
    ) -> Result<Vec<Refusal>, SinkError> {
        if let Some(marker) = self.owner.find(&mut self.store, epoch).await? {
            return self.recognise(marker, epoch, rows);
        }
        self.look_again(settings).await?;
        let mut batch = Batch::default();
        for (index, row) in rows.iter().enumerate() {
            batch.take(&mut self.table, settings, index, row.row);
        }
        self.insert(&mut batch).await?;
        for range in batch.ranges.iter().filter(|range| !range.is_empty()) {
            self.chain.add(&batch.canonical[range.clone()]);
        }
        let state = State::new(self.chain.stored(), self.table.grows(), &batch.refused);
        self.owner.mark(&mut self.store, epoch, &state).await?;
        Ok(batch.refused)
    }

    /// A table that was not there may be there now: another run made it. From here until the end of the transaction none can.
    async fn look_again(&mut self, settings: &Settings) -> Result<(), SinkError> {
        if self.table.is_stored() || settings.if_exists == IfExists::Replace {
            return Ok(());
        }
        self.store.reserve(&settings.table).await?;
        let found = self.store.find(&settings.table).await?;
        check_target_table(settings, &found)?;
        if let Found::Table(columns) = found {
            check_columns(settings, &columns)?;
            self.table = Table::existing(self.store.dialect(), &settings.table, columns, false);
        }
        Ok(())
    }

    /// Shapes the table and inserts the rows. Where the table ends the transaction for a row, all others are inserted in a new
    /// one.
    async fn insert(&mut self, batch: &mut Batch<'_>) -> Result<(), SinkError> {
        let growth = self.table.grow();
        let mut singly = NONE;
        loop {
            for statement in &growth {
                self.store.run(statement.as_str(), "shape the table in").await?;
            }
            let work = Work { rows: &batch.admitted, singly: &singly, proven: self.chain.rows > 0 };
            match insert(&mut self.store, &self.table, &mut self.texts, work).await? {
                Inserted::All(refused) => {
                    batch.refuse(refused);
                    return Ok(());
                }
                // More and more, until one is found: so this ends whatever a trigger does.
                Inserted::Ended(Ended::ByOneOf(places)) if singly.is_empty() => singly = places,
                Inserted::Ended(Ended::ByOneOf(places)) => {
                    singly = *places.start().min(singly.start())..=*places.end().max(singly.end());
                }
                Inserted::Ended(Ended::By(refusal)) => {
                    // Those before it were taken.
                    singly = refusal.index + 1..=*singly.end();
                    batch.admitted.retain(|row| row.index != refusal.index);
                    batch.refuse(vec![refusal]);
                }
            }
            self.store.begin("write to").await?;
        }
    }

    /// The epoch is in the database already; whether it is the same one.
    fn recognise(
        &mut self,
        marker: Marker,
        epoch: EpochNo,
        rows: &[SinkRow<'_>],
    ) -> Result<Vec<Refusal>, SinkError> {
        let written = marker.state.chain.clone();
        let refused = marker.state.into_refused();
        let mut canonical = Vec::new();
        for (_, row) in rows.iter().enumerate().filter(|(n, _)| refused.iter().all(|r| r.index != *n)) {
            canonical.clear();
            let form = row.row.write_canonical(&mut canonical);
            form.map_err(|e| SinkError::new(format!("a row that was written has no canonical form: {e}")))?;
            self.chain.add(&canonical);
        }
        if self.chain.stored() == written {
            return Ok(refused);
        }
        let message = format!("epoch {} was written before, with other rows", epoch.0);
        Err(SinkError::new(message).with_help("start a new run"))
    }

    /// Gives a replaced table its name; marks the run as published. Does nothing when it is.
    ///
    /// # Errors
    /// The database fails; then nothing has changed.
    pub(super) async fn publish(&mut self, settings: &Settings) -> Result<Produced, SinkError> {
        if !self.published {
            self.store.begin("publish in").await?;
            let done = self.publish_inside(settings).await;
            self.end(Act::PublishTable, done).await?;
            self.published = true;
        }
        Ok(self.produced(settings))
    }

    async fn publish_inside(&mut self, settings: &Settings) -> Result<(), SinkError> {
        self.look_again(settings).await?;
        for statement in self.table.grow() {
            self.store.run(statement, "make the table in").await?;
        }
        if settings.if_exists == IfExists::Replace {
            for statement in self.replacement(settings).await? {
                self.store.run(statement, "replace the table in").await?;
            }
        }
        let state = State::new(self.chain.stored(), self.table.grows(), &[]);
        self.owner.mark_published(&mut self.store, &state).await
    }

    /// What puts the new table in the place of the old one. Where nothing came and nothing is known of columns, the old
    /// table loses its rows and stays.
    async fn replacement(&mut self, settings: &Settings) -> Result<Vec<String>, SinkError> {
        let there_is_one = self.store.find(&settings.table).await? != Found::Nothing;
        if there_is_one {
            self.store.claim(&settings.table).await?;
        }
        let (old, new) = (quoted(&settings.table), quoted(&self.table.name));
        Ok(match (self.table.is_stored(), there_is_one) {
            (true, true) => {
                let mut statements = self.store.handover(&settings.table, &self.table.name).await?;
                statements.push(format!("DROP TABLE {old}"));
                statements.push(format!("ALTER TABLE {new} RENAME TO {old}"));
                statements
            }
            (true, false) => vec![format!("ALTER TABLE {new} RENAME TO {old}")],
            (false, true) => vec![format!("DELETE FROM {old}")],
            (false, false) => Vec::new(),
        })
    }

    fn position(&self) -> SinkPosition {
        let position = Position { chain: self.chain.stored(), epoch: self.epoch.map(|epoch| epoch.0) };
        SinkPosition(serde_json::to_value(position).expect("texts and numbers are JSON"))
    }

    fn produced(&self, settings: &Settings) -> Produced {
        Produced {
            artifact_type: "table",
            path: format!("{}#{}", settings.url, settings.table),
            content_hash: self.chain.hash,
            size_bytes: self.chain.bytes,
            rows: self.chain.rows,
        }
    }
}

/// Whether the database has what the run recorded.
async fn check_position(store: &mut Store, owner: &Owner, position: &Position) -> Result<(), SinkError> {
    let Some(epoch) = position.epoch else { return Ok(()) };
    let marker = owner.find(store, EpochNo(epoch)).await?;
    if marker.is_some_and(|marker| marker.state.chain == position.chain) {
        return Ok(());
    }
    let message =
        format!("the database is not where the run left it: epoch {epoch} is not in it as it was written");
    Err(SinkError::new(message).with_help("put the database back as it was, or start a new run"))
}

/// The table that the run writes to.
async fn table(
    store: &mut Store,
    settings: &Settings,
    owner: &Owner,
    last: Option<&Marker>,
) -> Result<Table, SinkError> {
    let target = store.find(&settings.table).await?;
    check_target_table(settings, &target)?;
    let made_here = last.is_some_and(|marker| marker.state.made_table);
    let (name, found) = match settings.if_exists {
        IfExists::Append => (settings.table.clone(), target),
        IfExists::Replace => {
            store.check_replaceable(&settings.table).await?;
            let name = store.dialect().beside(&settings.table, owner.run_id);
            let found = store.find(&name).await?;
            (name, found)
        }
    };
    match found {
        Found::Table(columns) => {
            let grows = made_here || settings.if_exists == IfExists::Replace;
            if !grows {
                check_columns(settings, &columns)?;
            }
            Ok(Table::existing(store.dialect(), &name, columns, grows))
        }
        Found::Other(kind) => Err(SinkError::new(format!("`{name}` is a {kind}, not a table"))),
        Found::Nothing if wrote_rows(last) => {
            Err(SinkError::new(format!("the table `{name}` is gone, to which the run has written"))
                .with_help("put the database back as it was, or start a new run"))
        }
        Found::Nothing => Ok(Table::planned(store.dialect(), &name, &settings.contract)),
    }
}

/// Whether rows must be there: the run wrote an epoch and has not yet given its table away.
fn wrote_rows(last: Option<&Marker>) -> bool {
    last.is_some_and(|marker| marker.epoch().is_some() && !marker.published && marker.state.chain.has_rows())
}

/// Whether what bears the table's name can be written or replaced.
///
/// # Errors
/// It is no table.
pub(super) fn check_target_table(settings: &Settings, found: &Found) -> Result<(), SinkError> {
    match found {
        Found::Nothing | Found::Table(_) => Ok(()),
        Found::Other(kind) => Err(SinkError::new(format!("`{}` is a {kind}, not a table", settings.table))
            .with_help("choose another name for the table")),
    }
}

/// Whether rows of the schema fit into the columns that are there.
///
/// # Errors
/// They do not.
pub(super) fn check_columns(settings: &Settings, columns: &[super::column::Column]) -> Result<(), SinkError> {
    check_fit(&settings.table, columns, &settings.contract).map_err(|why| {
        SinkError::new(why)
            .with_help("change the schema or the table, or replace it with `if_exists: replace`")
    })
}

impl<'r> Batch<'r> {
    /// Takes a row in, or its refusal.
    fn take(&mut self, table: &mut Table, settings: &Settings, index: usize, row: &'r Row) {
        let start = self.canonical.len();
        let checked = if settings.validates { check_row(&settings.contract, row) } else { Ok(()) };
        let admitted = checked
            .and_then(|()| row.write_canonical(&mut self.canonical).map_err(|e| no_form(&e.to_string())))
            .and_then(|()| table.admit(row));
        match admitted {
            Ok(layout) => self.admitted.push(Admitted { index, row, layout }),
            Err(reason) => {
                self.canonical.truncate(start);
                self.refused.push(Refusal { index, reason });
            }
        }
        self.ranges.push(start..self.canonical.len());
    }

    /// Takes out what the table refused.
    fn refuse(&mut self, refused: Vec<Refusal>) {
        for refusal in &refused {
            self.ranges[refusal.index] = 0..0;
        }
        self.refused.extend(refused);
        self.refused.sort_by_key(|refusal| refusal.index);
    }
}

fn no_form(why: &str) -> ErrorReason {
    ErrorReason::new(FailureKind::SinkRefused, format!("the row has no canonical form: {why}"))
}
