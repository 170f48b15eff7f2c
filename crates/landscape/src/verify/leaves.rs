//! The leaves of rows and releases, made again from their records.

use std::collections::HashMap;
use std::iter::Peekable;
use std::slice::Iter;

use elspeth_contracts::{
    BatchMemberRecord, CallRecord, NodeStateRecord, RoutingEventRecord, RowIndex, RowRecord,
    StateContextRecord, TokenKey, TokenOrigin, TokenParentRecord, TokenRecord, TransformErrorRecord,
    ValidationErrorRecord,
};

use super::gather::Known;
use super::places::{Moment, Places};
use crate::DecidedEpoch;
use crate::integrity::{LeafBatch, LeafEncoder, Members, Picked, ReleaseRecords};

/// Adds the leaves of an epoch to it.
pub(super) fn add(known: &Known<'_>, decided: &mut DecidedEpoch) {
    let mut leaf = LeafEncoder::new(known.version);
    let mut by_walk = ByWalk::of(decided, &known.places);
    let mut row_leaves = LeafBatch::with_room(known.version, decided.rows.len());
    let mut errors = decided.validation_errors.iter().peekable();
    for row in &decided.rows {
        by_walk.rows.give(row, &mut errors, &mut leaf);
        leaf.finish_later(&mut row_leaves);
    }
    let mut release_leaves = Vec::with_capacity(decided.releases.len());
    for release in &decided.releases {
        let members = known.places.members_of(release.number);
        release_leaves.push(by_walk.release(decided, release.number, members).leaf(known.version));
    }
    drop(by_walk);
    decided.row_leaves = row_leaves.take();
    decided.release_leaves = release_leaves;
}

/// The bytes that the leaf of a row is over; none where the epoch has no such row.
pub(super) fn bytes_of_row(known: &Known<'_>, decided: &DecidedEpoch, row: RowIndex) -> Option<Vec<u8>> {
    let mut leaf = LeafEncoder::keeping(known.version);
    let record = decided.rows.iter().find(|record| record.row_index == row)?;
    let mut errors = decided.validation_errors.iter().peekable();
    ByWalk::of(decided, &known.places).rows.give(record, &mut errors, &mut leaf);
    Some(leaf.take())
}

/// Hands over everything of each release, with its position.
pub(super) fn each_release(
    known: &Known<'_>,
    decided: &DecidedEpoch,
    mut each: impl FnMut(usize, &ReleaseRecords<'_>),
) {
    let mut by_walk = ByWalk::of(decided, &known.places);
    for (at, release) in decided.releases.iter().enumerate() {
        each(at, &by_walk.release(decided, release.number, known.places.members_of(release.number)));
    }
}

/// Those of one batch among records in the order of batches.
fn of_batch<R>(records: &[R], batch_no: u64, of: fn(&R) -> u64) -> &[R] {
    let (from, to) = (
        records.partition_point(|record| of(record) < batch_no),
        records.partition_point(|record| of(record) <= batch_no),
    );
    &records[from..to]
}

/// Records by the walk that made them.
struct ByWalk<'a> {
    rows: OfRows<'a>,
    releases: HashMap<u64, Parts<'a>>,
}

/// Records of one release.
#[derive(Default)]
struct Parts<'a> {
    tokens: Vec<&'a TokenRecord>,
    parents: Vec<&'a TokenParentRecord>,
    states: Vec<&'a NodeStateRecord>,
    contexts: Vec<&'a StateContextRecord>,
    routing: Vec<&'a RoutingEventRecord>,
    calls: Vec<&'a CallRecord>,
    errors: Vec<&'a TransformErrorRecord>,
}

/// Records of walks of rows, by row.
struct OfRows<'a> {
    tokens: Queue<'a, TokenRecord>,
    parents: Queue<'a, TokenParentRecord>,
    states: Queue<'a, NodeStateRecord>,
    contexts: Queue<'a, StateContextRecord>,
    routing: Queue<'a, RoutingEventRecord>,
    /// By their own numbers, of which nothing says that they go with those of tokens.
    calls: HashMap<TokenKey, Vec<&'a CallRecord>>,
    errors: Queue<'a, TransformErrorRecord>,
}

impl<'a> ByWalk<'a> {
    fn of(decided: &'a DecidedEpoch, places: &Places) -> Self {
        let mut releases: HashMap<u64, Parts<'a>> = HashMap::new();
        let simple = places.is_simple();
        let walk = |token, step| places.walk(token, Moment::Visit(step));
        let rows = OfRows {
            tokens: split(
                (&decided.tokens, simple),
                |r| r.token,
                |r| r.token.origin(),
                |number, r| {
                    releases.entry(number).or_default().tokens.push(r);
                },
            ),
            parents: split(
                (&decided.token_parents, simple),
                |r| r.token,
                |r| r.token.origin(),
                |number, r| {
                    releases.entry(number).or_default().parents.push(r);
                },
            ),
            states: split(
                (&decided.states, simple),
                |r| r.token,
                |r| walk(r.token, r.step),
                |number, r| {
                    releases.entry(number).or_default().states.push(r);
                },
            ),
            contexts: split(
                (&decided.contexts, simple),
                |r| r.token,
                |r| walk(r.token, r.step),
                |number, r| {
                    releases.entry(number).or_default().contexts.push(r);
                },
            ),
            routing: split(
                (&decided.routing, simple),
                |r| r.token,
                |r| walk(r.token, r.step),
                |number, r| {
                    releases.entry(number).or_default().routing.push(r);
                },
            ),
            calls: calls(
                &decided.calls,
                |r| walk(r.token, r.step),
                |number, r| {
                    releases.entry(number).or_default().calls.push(r);
                },
            ),
            errors: split(
                (&decided.transform_errors, simple),
                |r| r.token,
                |r| walk(r.token, r.step),
                |number, r| {
                    releases.entry(number).or_default().errors.push(r);
                },
            ),
        };
        Self { rows, releases }
    }

    /// Everything of a release.
    fn release<'m>(
        &mut self,
        decided: &'m DecidedEpoch,
        number: u64,
        members: &'m [BatchMemberRecord],
    ) -> ReleaseRecords<'m>
    where
        'a: 'm,
    {
        let parts = self.releases.remove(&number).unwrap_or_default();
        ReleaseRecords {
            batches: of_batch(&decided.batches, number, |batch| batch.batch_no),
            members: Members::Recorded(members),
            outputs: Picked::All(of_batch(&decided.batch_outputs, number, |output| output.batch_no)),
            tokens: Picked::Some(parts.tokens),
            parents: Picked::Some(parts.parents),
            states: Picked::Some(parts.states),
            contexts: Picked::Some(parts.contexts),
            routing: Picked::Some(parts.routing),
            calls: Picked::Some(parts.calls),
            errors: Picked::Some(parts.errors),
        }
    }
}

impl<'a> OfRows<'a> {
    /// Everything of one row, those before it having been given or not.
    fn give(
        &mut self,
        record: &RowRecord,
        refused: &mut Peekable<Iter<'a, ValidationErrorRecord>>,
        leaf: &mut LeafEncoder,
    ) {
        let row = record.row_index;
        leaf.row(record);
        self.tokens.of(row, |r| leaf.token(r));
        self.parents.of(row, |r| leaf.parent(r));
        self.states.of(row, |r| leaf.state(r));
        self.contexts.of(row, |r| leaf.context(r));
        self.routing.of(row, |r| leaf.routing(r));
        let first = TokenOrigin::Row(row).tokens().0;
        self.calls.remove(&first).into_iter().flatten().for_each(|r| leaf.call(r));
        while refused.next_if(|error| error.row_index < row).is_some() {}
        while let Some(error) = refused.next_if(|error| error.row_index == row) {
            leaf.validation_error(error);
        }
        self.errors.of(row, |r| leaf.transform_error(r));
    }
}

/// Takes records apart by the walk that made them; those of releases go to `released`.
fn split<'a, R>(
    (records, simple): (&'a [R], bool),
    token: fn(&R) -> TokenKey,
    walk: impl Fn(&R) -> TokenOrigin,
    mut released: impl FnMut(u64, &'a R),
) -> Queue<'a, R> {
    if simple {
        return Queue { records: Picked::All(records), token, next: 0 };
    }
    let mut of_rows = Vec::with_capacity(records.len());
    for record in records {
        match walk(record) {
            TokenOrigin::Row(_) => of_rows.push(record),
            TokenOrigin::Batch(number) => released(number, record),
        }
    }
    Queue { records: Picked::Some(of_rows), token, next: 0 }
}

/// Calls by the first token of the row.
fn calls<'a>(
    calls: &'a [CallRecord],
    walk: impl Fn(&CallRecord) -> TokenOrigin,
    mut released: impl FnMut(u64, &'a CallRecord),
) -> HashMap<TokenKey, Vec<&'a CallRecord>> {
    let mut of_rows: HashMap<TokenKey, Vec<&CallRecord>> = HashMap::new();
    for call in calls {
        match walk(call) {
            origin @ TokenOrigin::Row(_) => of_rows.entry(origin.tokens().0).or_default().push(call),
            TokenOrigin::Batch(number) => released(number, call),
        }
    }
    of_rows
}

/// Records in the order of their tokens, taken row by row.
struct Queue<'a, R> {
    records: Picked<'a, R>,
    token: fn(&R) -> TokenKey,
    next: usize,
}

impl<'a, R> Queue<'a, R> {
    /// Gives every record of a row. What is of rows before it, which nobody asked for, goes by.
    fn of(&mut self, row: RowIndex, mut give: impl FnMut(&'a R)) {
        let (first, last) = TokenOrigin::Row(row).tokens();
        while let Some(record) = self.records.get(self.next) {
            let token = (self.token)(record);
            if token > last {
                return;
            }
            if token >= first {
                give(record);
            }
            self.next += 1;
        }
    }
}
