//! Where a walk begins: a record of the source becomes a row with a token, or is refused.

use elspeth_canonical::ContentHash;
use elspeth_contracts::{
    ErrorReason, FailureKind, Outcome, RowIndex, RowRecord, Step, TokenKey, TokenOrigin, TokenRecord,
    ValidationErrorRecord,
};
use elspeth_executors::{Arrival, Cause};
use elspeth_payload::BodyKey;
use elspeth_phases::{Phase, enter};
use elspeth_plugin::{InvalidRecord, RawRecord, SourceItem};
use elspeth_telemetry::TokenTag;
use elspeth_value::{Row, Value};

use crate::branch::Traveller;
use crate::chunk::{ChunkOutput, Marks, RowsInput};
use crate::walk::{Travel, Walk, Walker, discarded};

impl Walker<'_> {
    /// Walks every row of a chunk.
    pub(crate) fn rows(&mut self, input: RowsInput, out: &mut ChunkOutput) {
        out.rows.reserve(input.items.len());
        let indexes = (input.first.get()..).map_while(RowIndex::new);
        for (row_index, item) in indexes.zip(input.items) {
            self.row(row_index, input.read_us, item, out);
        }
        out.leaves = self.leaves.take();
    }

    fn row(&mut self, row_index: RowIndex, read_us: i64, item: SourceItem, out: &mut ChunkOutput) {
        let token = TokenKey::of_row(row_index, 0).expect("ordinal 0 is below every limit");
        let marks = Marks::of(out);
        out.tokens.push(TokenRecord::plain(token));
        let (row, hash, refusal) = self.admit(item);
        let span = self.pipeline.spans.row(TokenTag { row: row_index, token, input_hash: Some(&hash) });
        out.rows.push(RowRecord { row_index, source_data_hash: hash, read_us, valid: refusal.is_none() });
        out.bodies.push_row(BodyKey { token, step: Step::SOURCE }, &row);
        let cause = Cause { row: row_index, after: false };
        match refusal {
            None => {
                let traveller = Traveller { token, row, hash, fresh: false, frames: None };
                let travel = Travel { traveller, edge: self.on_success, error_at: None };
                let mut walk = Walk::new(TokenOrigin::Row(row_index), 1, cause);
                self.follow(travel, &mut walk, &span, out);
                self.walk(&mut walk, &span, out);
            }
            Some(reason) => {
                span.failed(reason.kind);
                self.quarantine((row_index, token), row, reason, out);
            }
        }
        self.close_row(out, &marks);
    }

    /// The row with its hash; a refused record as a row, with why it is refused.
    fn admit(&mut self, item: SourceItem) -> (Row, ContentHash, Option<ErrorReason>) {
        let (row, refusal) = match item {
            SourceItem::Valid(row) => (row, None),
            SourceItem::Invalid(InvalidRecord { raw: RawRecord::Fields(row), reason }) => (row, Some(reason)),
            SourceItem::Invalid(InvalidRecord { raw: RawRecord::Opaque(value), reason }) => {
                (opaque(value), Some(reason))
            }
        };
        match row.content_hash(self.pipeline.options.hash_version, &mut self.scratch.canonical) {
            Ok(hash) => (row, hash, refusal),
            Err(error) => {
                let unhashable =
                    || ErrorReason::new(FailureKind::Unhashable, format!("row cannot be hashed: {error}"));
                let (row, hash) = self.printed(&row);
                (row, hash, Some(refusal.unwrap_or_else(unhashable)))
            }
        }
    }

    /// A row that has no canonical form, kept as what can be printed of it.
    fn printed(&mut self, row: &Row) -> (Row, ContentHash) {
        let row = opaque(Value::Str(format!("{row:?}").into()));
        let hash = row
            .content_hash(self.pipeline.options.hash_version, &mut self.scratch.canonical)
            .expect("a row of one text has a canonical form");
        (row, hash)
    }

    fn quarantine(
        &mut self,
        (row_index, token): (RowIndex, TokenKey),
        row: Row,
        reason: ErrorReason,
        out: &mut ChunkOutput,
    ) {
        let error_at = Some((Step::SOURCE, 0));
        let cause = Cause { row: row_index, after: false };
        let destination = self.divert(self.on_invalid, (token, Step::SOURCE, 0), out);
        match destination {
            Some(sink) => {
                let outcome = Outcome::Quarantined;
                out.arrive(sink, Arrival { token, row, outcome, error_at, input_hash: None, cause });
            }
            None => out.settled.push(cause, discarded(token, error_at)),
        }
        out.validation_errors.push(ValidationErrorRecord { row_index, reason, destination });
    }

    /// Ends the content leaf of the row whose records begin at `marks`.
    fn close_row(&mut self, out: &mut ChunkOutput, marks: &Marks) {
        let _canonical = enter(Phase::Canonical);
        if out.tokens.len() > marks.tokens + 1 {
            out.sort_from(marks);
        }
        let row = out.rows.last().expect("the row was just recorded");
        self.leaf.row(row);
        out.leaf_tokens(marks, &mut self.leaf);
        if !row.valid {
            let error = out.validation_errors.last().expect("an invalid row has its error recorded");
            self.leaf.validation_error(error);
        }
        out.leaf_errors(marks, &mut self.leaf);
        self.leaf.finish_later(&mut self.leaves);
    }
}

/// A refused record that is no row, as the row that a quarantine sink gets.
fn opaque(value: Value) -> Row {
    Row::from_pairs([("raw".into(), value)])
}
