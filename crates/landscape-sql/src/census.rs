//! The numbers of a run that show whether its records agree with each other.
//!
//! Most of them are sums over the rows, so that they can be taken a [`Stretch`] of rows at a time, while the run goes on.

use std::collections::BTreeMap;

use elspeth_contracts::Outcome;
use rusqlite::{Connection, Row, named_params, params};

use crate::families::Families;

/// Closed numbers of outcomes, see [`Outcome`].
const OUTCOME_CODES: usize = 10;
/// How many low bits of a token's number tell it from others of its row.
const ORDINAL_BITS: u32 = 20;

const ROWS: &str =
    "SELECT count(*) FROM rows WHERE run_no = :run AND row_index BETWEEN :first_row AND :last_row";

/// All of them, those that are a row's first, those in groups, and those in the group of another token.
const TOKENS: &str = "SELECT count(*),
    count(*) FILTER (WHERE token & 1048575 = 0 AND token < 1 << 55), count(group_no),
    count(*) FILTER (WHERE group_no <> token)
    FROM tokens WHERE run_no = :run AND token BETWEEN :first AND :last";

/// Both tables are in token order, so they are merged, not searched.
const WITHOUT_OUTCOME: &str =
    "SELECT count(*) FROM (SELECT token FROM tokens WHERE run_no = :run AND token BETWEEN :first AND :last
    EXCEPT SELECT token FROM token_outcomes
        WHERE run_no = :run AND token BETWEEN :first AND :last AND terminal = 1 ORDER BY 1)";

/// All, those at sinks, those at sinks by the outcomes that may be there, then those of each outcome. Counting with filters
/// takes half the time of grouping.
const OUTCOMES: &str = "SELECT count(*), count(sink),
    count(sink) FILTER (WHERE outcome = 0), count(sink) FILTER (WHERE outcome = 1),
    count(sink) FILTER (WHERE outcome = 6), count(sink) FILTER (WHERE outcome = 7),
    count(*) FILTER (WHERE outcome = 0), count(*) FILTER (WHERE outcome = 1),
    count(*) FILTER (WHERE outcome = 2), count(*) FILTER (WHERE outcome = 3),
    count(*) FILTER (WHERE outcome = 4), count(*) FILTER (WHERE outcome = 5),
    count(*) FILTER (WHERE outcome = 6), count(*) FILTER (WHERE outcome = 7),
    count(*) FILTER (WHERE outcome = 8), count(*) FILTER (WHERE outcome = 9)
    FROM token_outcomes WHERE run_no = :run AND token BETWEEN :first AND :last";

/// Counted here: for a number of each step SQLite would sort them all.
const SINK_STATES: &str = "SELECT step, status = 2 FROM sink_states
    WHERE run_no = :run AND token BETWEEN :first AND :last";

const ARRIVALS: &str = "SELECT count(*) FROM token_outcomes o CROSS JOIN sink_states s
    WHERE o.run_no = :run AND o.token BETWEEN :first AND :last AND o.terminal = 1 AND o.sink IS NOT NULL
    AND s.run_no = :run AND s.token = o.token AND s.step = o.sink AND s.status = 2";

/// Epochs with rows: their rows, the first and the last, and how many of them do not follow on the one before, or have
/// not as many rows as lie between their first and last.
const EPOCHS: &str = "SELECT coalesce(sum(row_count), 0), min(first_row), max(last_row),
    coalesce(sum(last_row - first_row + 1 <> row_count OR first_row <> coalesce(before + 1, first_row)), 0)
    FROM (SELECT first_row, last_row, row_count, lag(last_row) OVER (ORDER BY first_row) AS before
        FROM epochs WHERE run_no = ?1 AND row_count > 0)";

/// The first and last row, the first and last row with a token; then whether there are links between tokens, tokens of
/// releases, and anything of batches.
const ENDS: &str = "SELECT (SELECT min(row_index) FROM rows WHERE run_no = ?1),
    (SELECT max(row_index) FROM rows WHERE run_no = ?1),
    (SELECT min(token) FROM tokens WHERE run_no = ?1 AND token < 1 << 55) >> 20,
    (SELECT max(token) FROM tokens WHERE run_no = ?1 AND token < 1 << 55) >> 20,
    EXISTS (SELECT 1 FROM token_parents WHERE run_no = ?1)
        OR EXISTS (SELECT 1 FROM tokens WHERE run_no = ?1 AND token >= 1 << 55),
    EXISTS (SELECT 1 FROM batches WHERE run_no = ?1) OR EXISTS (SELECT 1 FROM batch_members WHERE run_no = ?1)
        OR EXISTS (SELECT 1 FROM batch_outputs WHERE run_no = ?1)";

/// How many records there are. The second text is for a database of one run, which has them counted by its pages.
const TOTALS: [&str; 2] = [
    "SELECT (SELECT count(*) FROM rows WHERE run_no = ?1), (SELECT count(*) FROM tokens WHERE run_no = ?1),
    (SELECT count(*) FROM token_outcomes WHERE run_no = ?1), (SELECT count(*) FROM sink_states WHERE run_no = ?1),
    (SELECT count(*) FROM token_parents WHERE run_no = ?1)",
    "SELECT (SELECT count(*) FROM rows), (SELECT count(*) FROM tokens), (SELECT count(*) FROM token_outcomes),
    (SELECT count(*) FROM sink_states), (SELECT count(*) FROM token_parents)",
];

/// Rows `from..to`, with the tokens that they were made into. The first stretch of a run begins at 0, the last one ends at
/// `i64::MAX`; these also have whatever should not be there at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Stretch {
    /// The whole run.
    pub(crate) const ALL: Self = Self { from: 0, to: i64::MAX };

    fn rows(self) -> (i64, i64) {
        (if self.from == 0 { i64::MIN } else { self.from }, self.to - i64::from(self.to != i64::MAX))
    }

    fn tokens(self) -> (i64, i64) {
        let (first, last) = self.rows();
        let end = if last == i64::MAX { last } else { ((last + 1) << ORDINAL_BITS) - 1 };
        (if first == i64::MIN { first } else { first << ORDINAL_BITS }, end)
    }
}

/// What was counted over some rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    rows: i64,
    tokens: i64,
    firsts: i64,
    in_groups: i64,
    grouped: i64,
    families: Families,
    without_outcome: i64,
    outcomes: i64,
    by_outcome: [i64; OUTCOME_CODES],
    /// Outcomes that name a sink.
    at_sinks: i64,
    /// The same of the outcomes 0, 1, 6 and 7, which may.
    at_sinks_by: [i64; 4],
    /// States at sinks, whatever their status.
    sink_states: i64,
    completed: BTreeMap<i64, i64>,
    /// Completed states at the sink that the token's outcome names.
    arrivals: i64,
}

impl Tally {
    /// Counts one stretch; all numbers are of one moment.
    pub(crate) fn of(connection: &Connection, run_no: i64, stretch: Stretch) -> rusqlite::Result<Self> {
        if !connection.is_autocommit() {
            return Self::now(connection, run_no, stretch);
        }
        let moment = connection.unchecked_transaction()?;
        let tally = Self::now(&moment, run_no, stretch)?;
        moment.commit()?;
        Ok(tally)
    }

    fn now(connection: &Connection, run_no: i64, stretch: Stretch) -> rusqlite::Result<Self> {
        let ((first_row, last_row), (first, last)) = (stretch.rows(), stretch.tokens());
        let mut tally = Self::default();
        let rows = named_params! { ":run": run_no, ":first_row": first_row, ":last_row": last_row };
        tally.rows = connection.prepare_cached(ROWS)?.query_row(rows, |row| row.get(0))?;
        let range = named_params! { ":run": run_no, ":first": first, ":last": last };
        connection.prepare_cached(TOKENS)?.query_row(range, |row| tally.read_tokens(row))?;
        tally.without_outcome =
            connection.prepare_cached(WITHOUT_OUTCOME)?.query_row(range, |row| row.get(0))?;
        connection.prepare_cached(OUTCOMES)?.query_row(range, |row| tally.read_outcomes(row))?;
        tally.arrivals = connection.prepare_cached(ARRIVALS)?.query_row(range, |row| row.get(0))?;
        tally.families = Families::of(connection, run_no, (first, last))?;
        let mut states = connection.prepare_cached(SINK_STATES)?;
        let mut states = states.query(range)?;
        while let Some(row) = states.next()? {
            tally.sink_states += 1;
            *tally.completed.entry(row.get(0)?).or_default() += row.get::<_, i64>(1)?;
        }
        Ok(tally)
    }

    fn read_tokens(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        (self.tokens, self.firsts) = (row.get(0)?, row.get(1)?);
        (self.in_groups, self.grouped) = (row.get(2)?, row.get(3)?);
        Ok(())
    }

    fn read_outcomes(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        (self.outcomes, self.at_sinks) = (row.get(0)?, row.get(1)?);
        for (at, number) in self.at_sinks_by.iter_mut().chain(&mut self.by_outcome).enumerate() {
            *number = row.get(2 + at)?;
        }
        Ok(())
    }

    /// Whether every token has come to its end, so that counting again later would give the same.
    pub(crate) fn is_finished(&self) -> bool {
        self.without_outcome == 0
    }

    /// Adds what was counted over other rows.
    pub(crate) fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.tokens += other.tokens;
        self.firsts += other.firsts;
        self.in_groups += other.in_groups;
        self.grouped += other.grouped;
        self.families.add(&other.families);
        self.without_outcome += other.without_outcome;
        self.outcomes += other.outcomes;
        self.at_sinks += other.at_sinks;
        self.sink_states += other.sink_states;
        self.arrivals += other.arrivals;
        let ours = self.by_outcome.iter_mut().chain(&mut self.at_sinks_by);
        ours.zip(other.by_outcome.iter().chain(&other.at_sinks_by))
            .for_each(|(ours, theirs)| *ours += theirs);
        for (sink, states) in &other.completed {
            *self.completed.entry(*sink).or_default() += states;
        }
    }

    /// Whether these are all records that there are. Stretches that were counted while the run went on could have got
    /// records after that; then they have to be counted again.
    pub(crate) fn is_of_everything(&self, connection: &Connection, run_no: i64) -> rusqlite::Result<bool> {
        let runs: i64 =
            connection
                .query_row("SELECT count(*) FROM (SELECT 1 FROM runs LIMIT 2)", (), |row| row.get(0))?;
        let counted = [self.rows, self.tokens, self.outcomes, self.sink_states, self.families.links()];
        let read = |row: &Row<'_>| {
            let totals: [i64; 5] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
            Ok(totals == counted)
        };
        match runs {
            1 => connection.query_row(TOTALS[1], (), read),
            _ => connection.query_row(TOTALS[0], params![run_no], read),
        }
    }
}

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
}

/// From which row to which.
type Span = (Option<i64>, Option<i64>);

impl Census {
    /// Completes what was counted over all rows.
    pub(crate) fn of(connection: &Connection, run_no: i64, tally: Tally) -> rusqlite::Result<Self> {
        let mut census = Self {
            tally,
            rows: Span::default(),
            tokens: Span::default(),
            epochs: Span::default(),
            epoch_rows: 0,
            odd_epochs: 0,
            linked: false,
            batched: false,
        };
        connection.query_row(EPOCHS, [run_no], |row| {
            census.epoch_rows = row.get(0)?;
            census.epochs = (row.get(1)?, row.get(2)?);
            census.odd_epochs = row.get(3)?;
            Ok(())
        })?;
        connection.query_row(ENDS, [run_no], |row| {
            census.rows = (row.get(0)?, row.get(1)?);
            census.tokens = (row.get(2)?, row.get(3)?);
            (census.linked, census.batched) = (row.get(4)?, row.get(5)?);
            Ok(())
        })?;
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
        self.tally.families.hold(self, self.tally.grouped)
    }

    /// Whether there were batches, or an outcome says so.
    pub(crate) fn has_batches(&self) -> bool {
        self.batched || self.number_of(Outcome::ConsumedInBatch) > 0
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_that_follow_each_other_leave_no_number_out() {
        let (first, next) = (Stretch { from: 0, to: 4096 }, Stretch { from: 4096, to: i64::MAX });
        assert_eq!((first.rows(), next.rows()), ((i64::MIN, 4095), (4096, i64::MAX)));
        assert_eq!(first.tokens(), (i64::MIN, (4096 << 20) - 1));
        assert_eq!(next.tokens(), (4096 << 20, i64::MAX));
        assert_eq!(Stretch::ALL.tokens(), (i64::MIN, i64::MAX));
    }
}
