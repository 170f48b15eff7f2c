//! What is counted over the rows of a run, a [`Stretch`] of them at a time, so that it can be done while the run goes on.
//!
//! Tokens, outcomes, states at sinks and links to parents are all in token order. They are read once, side by side, and
//! brought together here row by row: asking SQLite for each number took twice as long.

use std::collections::BTreeMap;

use elspeth_contracts::Outcome;
use rusqlite::{Connection, Row, Rows, named_params, params};

use crate::families::{Families, Link};

/// Closed numbers of outcomes, see [`Outcome`].
const OUTCOME_CODES: usize = 10;
/// Outcomes that may name a sink.
const AT_SINKS: [Outcome; 4] = [Outcome::Completed, Outcome::Routed, Outcome::Quarantined, Outcome::Diverted];
/// How many low bits of a token's number tell it from others of its row.
const ORDINAL_BITS: u32 = 20;
/// Tokens of releases are numbered from here; below, a token's high bits are its row.
const FIRST_RELEASED: i64 = 1 << 55;
/// A completed state.
const COMPLETED: i64 = 2;

const ROWS: &str =
    "SELECT count(*) FROM rows WHERE run_no = :run AND row_index BETWEEN :first_row AND :last_row";
const TOKENS: &str = "SELECT token, group_no FROM tokens
    WHERE run_no = :run AND token BETWEEN :first AND :last ORDER BY token";
const ENDS: &str = "SELECT token, outcome, sink, group_no, terminal FROM token_outcomes
    WHERE run_no = :run AND token BETWEEN :first AND :last ORDER BY token, terminal";
const ARRIVALS: &str = "SELECT token, step, status FROM sink_states
    WHERE run_no = :run AND token BETWEEN :first AND :last ORDER BY token, step, attempt";
const LINKS: &str = "SELECT token, parent, ordinal FROM token_parents
    WHERE run_no = :run AND token BETWEEN :first AND :last ORDER BY token, ordinal";
/// The terminal outcome of one token.
const END: &str = "SELECT token, outcome, sink, group_no, terminal FROM token_outcomes
    WHERE run_no = ?1 AND token = ?2 AND terminal = 1";

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

/// A record that belongs to a token.
pub(crate) trait OfToken: Sized {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self>;
    fn token(&self) -> i64;
}

/// A token, with the group that it is in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) token: i64,
    pub(crate) group: Option<i64>,
}

impl OfToken for Token {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { token: row.get(0)?, group: row.get(1)? })
    }

    fn token(&self) -> i64 {
        self.token
    }
}

/// What became of a token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    token: i64,
    outcome: i64,
    sink: Option<i64>,
    pub(crate) group: Option<i64>,
    pub(crate) terminal: bool,
}

impl End {
    pub(crate) fn is(&self, outcome: Outcome) -> bool {
        self.outcome == i64::from(outcome.code())
    }

    /// The place of its outcome among all.
    fn code(&self) -> Option<usize> {
        usize::try_from(self.outcome).ok().filter(|code| *code < OUTCOME_CODES)
    }
}

impl OfToken for End {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            token: row.get(0)?,
            outcome: row.get(1)?,
            sink: row.get(2)?,
            group: row.get(3)?,
            terminal: row.get::<_, i64>(4)? == 1,
        })
    }

    fn token(&self) -> i64 {
        self.token
    }
}

/// A state at a sink.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    token: i64,
    sink: i64,
    completed: bool,
}

impl OfToken for Arrival {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { token: row.get(0)?, sink: row.get(1)?, completed: row.get::<_, i64>(2)? == COMPLETED })
    }

    fn token(&self) -> i64 {
        self.token
    }
}

/// One table in token order, with the next record in hand.
struct Cursor<'a, R> {
    rows: Rows<'a>,
    next: Option<R>,
}

impl<'a, R: OfToken> Cursor<'a, R> {
    fn new(rows: Rows<'a>) -> rusqlite::Result<Self> {
        let mut cursor = Self { rows, next: None };
        cursor.step()?;
        Ok(cursor)
    }

    fn step(&mut self) -> rusqlite::Result<()> {
        self.next = match self.rows.next()? {
            Some(row) => Some(R::read(row)?),
            None => None,
        };
        Ok(())
    }

    /// The row whose record is next, after all others where there is none.
    fn row(&self) -> i64 {
        self.next.as_ref().map_or(i64::MAX, |record| record.token() >> ORDINAL_BITS)
    }

    /// Reads the records of a row.
    fn take(&mut self, row: i64, into: &mut Vec<R>) -> rusqlite::Result<()> {
        into.clear();
        while let Some(record) = self.next.take_if(|record| record.token() >> ORDINAL_BITS == row) {
            into.push(record);
            self.step()?;
        }
        Ok(())
    }
}

/// What is recorded of the tokens of one row.
#[derive(Debug, Default)]
pub(crate) struct Kin {
    tokens: Vec<Token>,
    ends: Vec<End>,
    arrivals: Vec<Arrival>,
    pub(crate) links: Vec<Link>,
}

impl Kin {
    pub(crate) fn token(&self, token: i64) -> Option<Token> {
        let at = self.tokens.binary_search_by_key(&token, |of| of.token).ok()?;
        Some(self.tokens[at])
    }

    /// The place of the terminal outcome of a token.
    pub(crate) fn end_at(&self, token: i64) -> Option<usize> {
        let at = self.ends.partition_point(|end| (end.token, end.terminal) < (token, true));
        self.ends.get(at).filter(|end| end.token == token).map(|_| at)
    }

    pub(crate) fn end(&self, at: usize) -> End {
        self.ends[at]
    }

    /// Whether a token has not come to its end.
    fn is_under_way(&self) -> bool {
        self.tokens.iter().any(|of| self.end_at(of.token).is_none())
    }

    fn arrivals_of(&self, token: i64) -> impl Iterator<Item = &Arrival> {
        let from = self.arrivals.partition_point(|arrival| arrival.token < token);
        self.arrivals[from..].iter().take_while(move |arrival| arrival.token == token)
    }
}

/// The terminal outcome of a token of another row.
pub(crate) fn end_abroad(connection: &Connection, run_no: i64, token: i64) -> rusqlite::Result<Option<End>> {
    let mut found = connection.prepare_cached(END)?;
    let mut found = found.query(params![run_no, token])?;
    found.next()?.map(End::read).transpose()
}

/// What was counted over some rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) rows: i64,
    pub(crate) tokens: i64,
    /// Tokens that are a row's first.
    pub(crate) firsts: i64,
    pub(crate) in_groups: i64,
    /// Tokens in the group of another.
    pub(crate) grouped: i64,
    pub(crate) families: Families,
    /// Tokens that have not come to an end.
    pub(crate) without_outcome: i64,
    pub(crate) outcomes: i64,
    pub(crate) by_outcome: [i64; OUTCOME_CODES],
    /// Outcomes that name a sink.
    pub(crate) at_sinks: i64,
    /// The same of the outcomes that may.
    pub(crate) at_sinks_by: [i64; AT_SINKS.len()],
    /// States at sinks, whatever their status.
    pub(crate) sink_states: i64,
    pub(crate) completed: BTreeMap<i64, i64>,
    /// Outcomes whose token has a completed state at the sink that they name.
    pub(crate) arrivals: i64,
}

impl Tally {
    /// Counts one stretch; all numbers are of one moment.
    pub(crate) fn of(connection: &Connection, run_no: i64, stretch: Stretch) -> rusqlite::Result<Self> {
        Self::of_one_moment(connection, run_no, stretch, |_| false).map(|(tally, _)| tally)
    }

    /// Counts a stretch up to the first row of which a token has not come to its end, and gives back what is left from
    /// there. Counting the others again later would give the same.
    pub(crate) fn of_finished(
        connection: &Connection,
        run_no: i64,
        stretch: Stretch,
    ) -> rusqlite::Result<(Self, Option<Stretch>)> {
        let (tally, to) = Self::of_one_moment(connection, run_no, stretch, Kin::is_under_way)?;
        Ok((tally, (to < stretch.to).then_some(Stretch { from: to, ..stretch })))
    }

    fn of_one_moment(
        connection: &Connection,
        run_no: i64,
        stretch: Stretch,
        ends_at: impl Fn(&Kin) -> bool,
    ) -> rusqlite::Result<(Self, i64)> {
        if !connection.is_autocommit() {
            return Self::now(connection, run_no, stretch, ends_at);
        }
        let moment = connection.unchecked_transaction()?;
        let counted = Self::now(&moment, run_no, stretch, ends_at)?;
        moment.commit()?;
        Ok(counted)
    }

    /// What was counted, and up to which row.
    fn now(
        connection: &Connection,
        run_no: i64,
        mut stretch: Stretch,
        ends_at: impl Fn(&Kin) -> bool,
    ) -> rusqlite::Result<(Self, i64)> {
        let (first, last) = stretch.tokens();
        let mut tally = Self::default();
        let range = named_params! { ":run": run_no, ":first": first, ":last": last };
        let mut statements = [
            connection.prepare_cached(TOKENS)?,
            connection.prepare_cached(ENDS)?,
            connection.prepare_cached(ARRIVALS)?,
            connection.prepare_cached(LINKS)?,
        ];
        let [tokens, ends, arrivals, links] = &mut statements;
        let mut tokens = Cursor::<Token>::new(tokens.query(range)?)?;
        let mut ends = Cursor::<End>::new(ends.query(range)?)?;
        let mut arrivals = Cursor::<Arrival>::new(arrivals.query(range)?)?;
        let mut links = Cursor::<Link>::new(links.query(range)?)?;
        let mut kin = Kin::default();
        loop {
            let row = tokens.row().min(ends.row()).min(arrivals.row()).min(links.row());
            if row == i64::MAX {
                break;
            }
            tokens.take(row, &mut kin.tokens)?;
            ends.take(row, &mut kin.ends)?;
            arrivals.take(row, &mut kin.arrivals)?;
            links.take(row, &mut kin.links)?;
            if ends_at(&kin) {
                stretch.to = row;
                break;
            }
            tally.count(&kin);
            tally.families.count(&kin, |token| end_abroad(connection, run_no, token))?;
        }
        let (first_row, last_row) = stretch.rows();
        let rows = named_params! { ":run": run_no, ":first_row": first_row, ":last_row": last_row };
        tally.rows = connection.prepare_cached(ROWS)?.query_row(rows, |row| row.get(0))?;
        Ok((tally, stretch.to))
    }

    /// Counts the tokens of a row, what became of them and where they arrived.
    fn count(&mut self, kin: &Kin) {
        self.tokens += len(&kin.tokens);
        for token in &kin.tokens {
            let first = token.token.trailing_zeros() >= ORDINAL_BITS && token.token < FIRST_RELEASED;
            self.firsts += i64::from(first);
            self.in_groups += i64::from(token.group.is_some());
            self.grouped += i64::from(token.group.is_some_and(|group| group != token.token));
            self.without_outcome += i64::from(kin.end_at(token.token).is_none());
        }
        self.outcomes += len(&kin.ends);
        for end in &kin.ends {
            if let Some(code) = end.code() {
                self.by_outcome[code] += 1;
            }
            let Some(sink) = end.sink else { continue };
            self.at_sinks += 1;
            if let Some(at) = AT_SINKS.iter().position(|outcome| end.is(*outcome)) {
                self.at_sinks_by[at] += 1;
            }
            if end.terminal {
                let there = |arrival: &Arrival| arrival.completed && arrival.sink == sink;
                self.arrivals += i64::from(kin.arrivals_of(end.token).any(there));
            }
        }
        self.sink_states += len(&kin.arrivals);
        for arrival in &kin.arrivals {
            *self.completed.entry(arrival.sink).or_default() += i64::from(arrival.completed);
        }
    }

    /// Adds outcomes of one kind, which name sinks or do not.
    pub(crate) fn add_ends(&mut self, outcome: Option<Outcome>, at_sink: bool, tokens: i64) {
        self.outcomes += tokens;
        if let Some(outcome) = outcome {
            self.by_outcome[usize::from(outcome.code())] += tokens;
        }
        if at_sink {
            self.at_sinks += tokens;
            if let Some(at) = AT_SINKS.iter().position(|of| Some(*of) == outcome) {
                self.at_sinks_by[at] += tokens;
            }
        }
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

fn len<R>(records: &[R]) -> i64 {
    i64::try_from(records.len()).expect("a length fits 63 bits")
}

#[cfg(test)]
mod tests;
