//! Which epoch wrote a record.
//!
//! A token is born with its row, or in a release: when a batch is flushed, or branches that came with different rows
//! are merged. It stays in that epoch, unless it waits at a node across rows: what happens to it from there on belongs
//! to the epoch of the release that lets it go.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::error::Error;
use crate::sqlite::Connection;

/// A token's number holds the index of its row above these bits (`TokenKey`).
const ORDINAL_BITS: u32 = 20;

/// Set above them in the number of a token that was born in a release, whose number is then beside it.
const OF_RELEASE: i64 = 1 << 35;

/// Tokens that are at most so far apart are read together: another query costs more than records of other epochs.
const GAP: i64 = 64 << ORDINAL_BITS;

/// One epoch, and where in the tables its records are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Epoch {
    pub(crate) number: i64,
    /// How many records it has, as the product counted them.
    pub(crate) records: u64,
    pub(crate) rows: Range<i64>,
    /// Numbers of releases.
    pub(crate) releases: Vec<Range<i64>>,
    /// Batches that accepted members, with the ordinals of those.
    pub(crate) members: Vec<(i64, Range<i64>)>,
    /// Tokens; those of other epochs may be among them.
    pub(crate) tokens: Vec<Range<i64>>,
}

/// How a token's way is cut by epochs.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// The first rows of epochs that have rows, where these rows end, and the epoch.
    rows: BTreeMap<i64, (i64, i64)>,
    releases: BTreeMap<i64, Release>,
    /// Of tokens that went on in another epoch than that of their birth: from which step, and the epoch.
    moved: BTreeMap<(i64, i64), i64>,
}

#[derive(Debug, Clone, Copy)]
struct Release {
    step: i64,
    epoch: i64,
}

/// A point on a token's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Birth,
    /// When it comes to the node at this step, which may let it wait.
    Arrival(i64),
    /// When the node at this step is done with it.
    Visit(i64),
    End,
}

impl Places {
    pub(crate) fn of(database: &Connection, run_no: i64) -> Result<(Self, Vec<Epoch>), Error> {
        let mut epochs = epochs(database, run_no)?;
        let rows = epochs.iter().filter(|epoch| !epoch.rows.is_empty());
        let rows = rows.map(|epoch| (epoch.rows.start, (epoch.rows.end, epoch.number))).collect();
        let mut places = Self { rows, releases: releases(database, run_no)?, moved: BTreeMap::new() };
        // A token that waited is a member of the batch that let it go, or a parent of what was made of it.
        let members = format!("SELECT token, batch_no FROM batch_members WHERE run_no = {run_no}");
        let merged = format!(
            "SELECT parent, (token >> {ORDINAL_BITS}) - {OF_RELEASE} FROM token_parents
             WHERE run_no = {run_no} AND token >= {OF_RELEASE} << {ORDINAL_BITS}"
        );
        places.read_moves(database, &members)?;
        places.read_moves(database, &merged)?;
        places.fill(&mut epochs);
        places.read_members(database, run_no, &mut epochs)?;
        Ok((places, epochs))
    }

    /// The epoch in which a token was at a point of its way; none when nothing tells it.
    pub(crate) fn epoch(&self, token: i64, moment: Moment) -> Option<i64> {
        let passed = match moment {
            Moment::Birth => return self.born(token),
            Moment::Arrival(step) => (token, i64::MIN)..(token, step),
            Moment::Visit(step) => (token, i64::MIN)..(token, step.saturating_add(1)),
            Moment::End => (token, i64::MIN)..(token, i64::MAX),
        };
        self.moved.range(passed).next_back().map_or_else(|| self.born(token), |(_, epoch)| Some(*epoch))
    }

    fn born(&self, token: i64) -> Option<i64> {
        let slot = token >> ORDINAL_BITS;
        if slot & OF_RELEASE != 0 {
            return self.releases.get(&(slot ^ OF_RELEASE)).map(|release| release.epoch);
        }
        let (_, (end, epoch)) = self.rows.range(..=slot).next_back()?;
        (slot < *end).then_some(*epoch)
    }

    /// Takes tokens, each with the number of a release in which it went on.
    fn read_moves(&mut self, database: &Connection, sql: &str) -> Result<(), Error> {
        let mut query = database.prepare(sql)?;
        while query.step()? {
            let token = query.int(0);
            // What waits to the end is in no release.
            let Some(release) = self.releases.get(&query.int(1)) else { continue };
            if self.born(token) != Some(release.epoch) {
                self.moved.insert((token, release.step), release.epoch);
            }
        }
        Ok(())
    }

    /// Tells epochs where their releases and tokens are.
    fn fill(&self, epochs: &mut [Epoch]) {
        let at: BTreeMap<i64, usize> = epochs.iter().enumerate().map(|(at, e)| (e.number, at)).collect();
        let mut tokens: Vec<Vec<i64>> = vec![Vec::new(); epochs.len()];
        for ((token, _), epoch) in &self.moved {
            at.get(epoch).iter().for_each(|at| tokens[**at].push(*token));
        }
        for (number, release) in &self.releases {
            let Some(at) = at.get(&release.epoch) else { continue };
            extend(&mut epochs[*at].releases, *number..number + 1, 0);
        }
        for (epoch, moved) in epochs.iter_mut().zip(tokens) {
            let slots = |slots: &Range<i64>, of: i64| {
                (slots.start + of) << ORDINAL_BITS..(slots.end + of) << ORDINAL_BITS
            };
            let mut ranges: Vec<Range<i64>> = moved.into_iter().map(|token| token..token + 1).collect();
            ranges.push(slots(&epoch.rows, 0));
            ranges.extend(epoch.releases.iter().map(|numbers| slots(numbers, OF_RELEASE)));
            ranges.sort_by_key(|range| range.start);
            for range in ranges {
                extend(&mut epoch.tokens, range, GAP);
            }
        }
    }

    /// Tells epochs which members were accepted in them.
    fn read_members(&self, database: &Connection, run_no: i64, epochs: &mut [Epoch]) -> Result<(), Error> {
        let at: BTreeMap<i64, usize> = epochs.iter().enumerate().map(|(at, e)| (e.number, at)).collect();
        let sql = format!(
            "SELECT batch_no, ordinal, token FROM batch_members WHERE run_no = {run_no} ORDER BY batch_no, ordinal"
        );
        let mut query = database.prepare(&sql)?;
        while query.step()? {
            let (batch, ordinal, token) = (query.int(0), query.int(1), query.int(2));
            let arrival =
                self.releases.get(&batch).map_or(Moment::End, |release| Moment::Arrival(release.step));
            let Some(at) = self.epoch(token, arrival).and_then(|epoch| at.get(&epoch)) else { continue };
            match epochs[*at].members.last_mut() {
                Some((last, ordinals)) if *last == batch && ordinals.end == ordinal => ordinals.end += 1,
                _ => epochs[*at].members.push((batch, ordinal..ordinal + 1)),
            }
        }
        Ok(())
    }
}

/// Adds a range that begins after all others do; one that is no more than `gap` behind the last is joined to it.
fn extend(ranges: &mut Vec<Range<i64>>, range: Range<i64>, gap: i64) {
    match ranges.last_mut() {
        Some(last) if range.start <= last.end + gap => last.end = last.end.max(range.end),
        _ if range.is_empty() => {}
        _ => ranges.push(range),
    }
}

fn epochs(database: &Connection, run_no: i64) -> Result<Vec<Epoch>, Error> {
    let sql = format!(
        "SELECT epoch, coalesce(first_row, 0), coalesce(last_row + 1, 0), record_count FROM epochs
         WHERE run_no = {run_no} ORDER BY 1"
    );
    let mut query = database.prepare(&sql)?;
    let mut epochs = Vec::new();
    while query.step()? {
        let (number, rows, records) = (query.int(0), query.int(1)..query.int(2), query.int(3));
        epochs.push(Epoch { number, rows, records: records.cast_unsigned(), ..Epoch::default() });
    }
    Ok(epochs)
}

fn releases(database: &Connection, run_no: i64) -> Result<BTreeMap<i64, Release>, Error> {
    let sql = format!("SELECT number, step, epoch FROM releases WHERE run_no = {run_no}");
    let mut query = database.prepare(&sql)?;
    let mut releases = BTreeMap::new();
    while query.step()? {
        releases.insert(query.int(0), Release { step: query.int(1), epoch: query.int(2) });
    }
    Ok(releases)
}
