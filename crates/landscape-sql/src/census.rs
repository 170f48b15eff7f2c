//! The numbers of a run that show whether its records agree with each other.
//!
//! Most of them are sums over the rows, see [`Tally`].

use elspeth_contracts::Outcome;

use crate::db::{Db, DbError, values};
use crate::postgres::counting::Numbers;
use crate::tally::Tally;

/// Epochs with rows: their rows, the first and the last, and how many of them do not follow on the one before, or have
/// not as many rows as lie between their first and last.
const EPOCHS: &str = "SELECT CAST(coalesce(sum(row_count), 0) AS BIGINT), min(first_row), max(last_row),
    count(CASE WHEN last_row - first_row + 1 <> row_count OR first_row <> coalesce(before + 1, first_row) THEN 1 END)
    FROM (SELECT first_row, last_row, row_count, lag(last_row) OVER (ORDER BY first_row) AS before
        FROM epochs WHERE run_no = ?1 AND row_count > 0) AS ordered";

/// The first and last row, the first and last row with a token; then whether there are links between tokens, tokens of
/// releases, and anything of batches.
const ENDS: &str = "SELECT (SELECT min(row_index) FROM rows WHERE run_no = ?1),
    (SELECT max(row_index) FROM rows WHERE run_no = ?1),
    (SELECT min(token) FROM tokens WHERE run_no = ?1 AND token < 36028797018963968) >> 20,
    (SELECT max(token) FROM tokens WHERE run_no = ?1 AND token < 36028797018963968) >> 20,
    EXISTS (SELECT 1 FROM token_parents WHERE run_no = ?1)
        OR EXISTS (SELECT 1 FROM tokens WHERE run_no = ?1 AND token >= 36028797018963968),
    EXISTS (SELECT 1 FROM batches WHERE run_no = ?1) OR EXISTS (SELECT 1 FROM batch_members WHERE run_no = ?1)
        OR EXISTS (SELECT 1 FROM batch_outputs WHERE run_no = ?1) OR EXISTS (SELECT 1 FROM releases WHERE run_no = ?1)";

/// All numbers of a run.
#[derive(Debug)]
pub(crate) struct Census {
    tally: Tally,
    rows: Span,
    tokens: Span,
    epochs: Span,
    epoch_rows: i64,
    /// Epochs that do not lie as they should.
    odd_epochs: i64,
    /// Whether tokens came of tokens or of releases.
    linked: bool,
    batched: bool,
    /// Whether links were counted.
    families: bool,
}

/// From which row to which.
type Span = (Option<i64>, Option<i64>);

impl Census {
    /// Completes what was counted over all rows.
    pub(crate) fn of(db: Db<'_>, run_no: i64, tally: Tally) -> Result<Self, DbError> {
        let mut census = Self {
            tally,
            rows: Span::default(),
            tokens: Span::default(),
            epochs: Span::default(),
            epoch_rows: 0,
            odd_epochs: 0,
            linked: false,
            batched: false,
            families: true,
        };
        db.each(EPOCHS, values![run_no], |row| {
            census.epoch_rows = row.get(0)?;
            census.epochs = (row.get(1)?, row.get(2)?);
            census.odd_epochs = row.get(3)?;
            Ok::<(), DbError>(())
        })?;
        db.each(ENDS, values![run_no], |row| {
            census.rows = (row.get(0)?, row.get(1)?);
            census.tokens = (row.get(2)?, row.get(3)?);
            (census.linked, census.batched) = (row.get(4)?, row.get(5)?);
            Ok::<(), DbError>(())
        })?;
        Ok(census)
    }

    /// The same of what a server counted.
    pub(crate) fn of_numbers(db: Db<'_>, run_no: i64, numbers: Numbers) -> Result<Self, DbError> {
        let Numbers { tally, in_groups, in_batches } = numbers;
        let mut census = Self::of(db, run_no, tally)?;
        census.families = false;
        census.linked |= in_groups > 0;
        census.batched |= in_batches > 0;
        Ok(census)
    }

    fn rows_have_no_gap(&self) -> bool {
        match self.rows {
            (Some(first), Some(last)) => self.tally.rows == last - first + 1,
            (None, _) | (_, None) => self.tally.rows == 0,
        }
    }

    /// Rows without a gap, in epochs that follow each other over just these rows.
    pub(crate) fn epochs_are_whole(&self) -> bool {
        self.odd_epochs == 0
            && self.rows_have_no_gap()
            && self.epochs == self.rows
            && self.epoch_rows == self.tally.rows
    }

    /// Rows without a gap, and as many first tokens, none of another row.
    pub(crate) fn rows_have_tokens(&self) -> bool {
        self.rows_have_no_gap() && self.tokens == self.rows && self.tally.firsts == self.tally.rows
    }

    pub(crate) fn tokens_have_outcomes(&self) -> bool {
        self.tally.without_outcome == 0
    }

    /// Each token has an outcome; where both are as many, there is no other.
    pub(crate) fn outcomes_have_tokens(&self) -> bool {
        self.tokens_have_outcomes()
            && self.tally.outcomes == self.tally.tokens
            && self.number_of(Outcome::Buffered) == 0
    }

    pub(crate) fn outcomes_name_sinks(&self) -> bool {
        let [completed, routed, ..] = self.tally.at_sinks_by;
        completed == self.number_of(Outcome::Completed) && routed == self.number_of(Outcome::Routed)
    }

    pub(crate) fn outcomes_have_arrivals(&self) -> bool {
        self.tally.arrivals == self.tally.at_sinks
    }

    /// Each outcome at a sink has its state; where both are as many, there is no other.
    pub(crate) fn arrivals_have_outcomes(&self) -> bool {
        self.outcomes_have_arrivals()
            && self.tally.at_sinks == self.tally.completed.values().sum::<i64>()
            && self.tally.at_sinks == self.tally.at_sinks_by.iter().sum::<i64>()
    }

    /// Whether tokens came of others, or say so.
    pub(crate) fn has_families(&self) -> bool {
        let parents = [Outcome::Forked, Outcome::Expanded, Outcome::Coalesced];
        self.linked || self.tally.in_groups > 0 || parents.iter().any(|outcome| self.number_of(*outcome) > 0)
    }

    /// Whether the numbers alone show that links between tokens are as they should be.
    pub(crate) fn families_hold(&self) -> bool {
        self.families && self.tally.families.hold(self, self.tally.grouped)
    }

    /// Whether there were batches, or an outcome says so.
    pub(crate) fn has_batches(&self) -> bool {
        self.batched || self.number_of(Outcome::ConsumedInBatch) > 0
    }

    /// Whether each outcome was counted once, whatever the record is like.
    pub(crate) fn is_exact(&self) -> bool {
        self.families || self.outcomes_have_tokens()
    }

    /// Rows recorded.
    pub(crate) fn rows(&self) -> i64 {
        self.tally.rows
    }

    /// Tokens with that outcome.
    pub(crate) fn number_of(&self, outcome: Outcome) -> i64 {
        self.tally.by_outcome[outcome.code() as usize]
    }

    /// Completed states at a sink.
    pub(crate) fn at_sink(&self, step: i64) -> i64 {
        self.tally.completed.get(&step).copied().unwrap_or_default()
    }
}
