//! Tokens that have reached a sink, too many of them for the memory: in runs, each of which is in canonical order.

use std::io;
use std::iter::Peekable;

use elspeth_contracts::{Outcome, RowIndex, Step, TokenKey};
use elspeth_value::Row;
use serde::{Deserialize, Serialize};

use crate::spill::{RawHash, RowList};
use crate::{Arrival, Cause};

/// What canonical order is by.
type Key = (Cause, TokenKey);

/// Arrivals at one sink that are in a file.
#[derive(Debug, Default)]
pub struct Spilled {
    runs: Vec<Run>,
}

#[derive(Debug)]
struct Run {
    list: RowList<Head>,
    last: Key,
}

/// An arrival without its row.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Head {
    token: u64,
    outcome: u8,
    error_at: Option<(u16, u8)>,
    input_hash: Option<RawHash>,
    row: u64,
    after: bool,
}

impl Spilled {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.runs.iter().map(|run| run.list.len()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Takes more of them, in any order.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn take(&mut self, mut arrivals: Vec<Arrival>) -> io::Result<()> {
        arrivals.sort_unstable_by_key(key);
        let (Some(first), Some(last)) = (arrivals.first().map(key), arrivals.last().map(key)) else {
            return Ok(());
        };
        if self.runs.last().is_none_or(|run| run.last > first) {
            self.runs.push(Run { list: RowList::default(), last });
        }
        let run = self.runs.last_mut().expect("there is one that can be gone on with");
        run.last = last;
        arrivals.into_iter().try_for_each(|arrival| run.list.push(Head::of(&arrival), arrival.row))
    }

    /// Takes those of another part of the epoch.
    pub fn join(&mut self, other: Self) {
        self.runs.extend(other.runs);
    }

    /// All of them without their rows, in canonical order, together with `few`, which are in that order.
    pub(crate) fn without_rows<'a>(
        &'a self,
        few: &'a [Arrival],
    ) -> impl Iterator<Item = io::Result<Arrival>> + 'a {
        let none = Row::from_pairs([]);
        let rowless = move |head: io::Result<Head>| head.and_then(|head| head.arrival(none.clone()));
        let runs = self.runs.iter().map(|run| boxed(run.list.heads().map(rowless.clone())));
        let few = few.iter().map(|arrival| Ok(Head::of(arrival))).map(rowless.clone());
        Merged::of(runs.chain([boxed(few)]))
    }

    /// All of them in canonical order, together with `few`, which are in that order.
    pub(crate) fn with_rows(&self, few: Vec<Arrival>) -> impl Iterator<Item = io::Result<Arrival>> + '_ {
        let whole = |entry: io::Result<(Head, Row)>| entry.and_then(|(head, row)| head.arrival(row));
        let runs = self.runs.iter().map(|run| boxed(run.list.iter().map(whole)));
        Merged::of(runs.chain([boxed(few.into_iter().map(Ok))]))
    }
}

fn key(arrival: &Arrival) -> Key {
    (arrival.cause, arrival.token)
}

type Source<'a> = Box<dyn Iterator<Item = io::Result<Arrival>> + 'a>;

fn boxed<'a>(source: impl Iterator<Item = io::Result<Arrival>> + 'a) -> Source<'a> {
    Box::new(source)
}

/// Sorted sources as one. There are few: one for each worker, mostly.
struct Merged<'a> {
    sources: Vec<Peekable<Source<'a>>>,
}

impl<'a> Merged<'a> {
    fn of(sources: impl Iterator<Item = Source<'a>>) -> Self {
        Self { sources: sources.map(Iterator::peekable).collect() }
    }
}

impl Iterator for Merged<'_> {
    type Item = io::Result<Arrival>;

    /// What cannot be read comes first: nothing after it would be in its place.
    fn next(&mut self) -> Option<Self::Item> {
        let heads = self.sources.iter_mut().enumerate();
        let heads = heads.filter_map(|(at, source)| Some((source.peek()?.as_ref().ok().map(key), at)));
        let (_, at) = heads.min()?;
        self.sources[at].next()
    }
}

impl Head {
    fn of(arrival: &Arrival) -> Self {
        let Arrival { token, row: _, outcome, error_at, input_hash, cause: Cause { row, after } } = arrival;
        Self {
            token: token.get(),
            outcome: outcome.code(),
            error_at: error_at.map(|(step, attempt)| (step.get(), attempt)),
            input_hash: input_hash.map(RawHash),
            row: row.get(),
            after: *after,
        }
    }

    fn arrival(self, row: Row) -> io::Result<Arrival> {
        let arrival = || {
            let error_at = match self.error_at {
                Some((step, attempt)) => Some((Step::new(step)?, attempt)),
                None => None,
            };
            Some(Arrival {
                token: TokenKey::from_u64(self.token)?,
                row,
                outcome: Outcome::from_code(i64::from(self.outcome)).ok()?,
                error_at,
                input_hash: self.input_hash.map(|RawHash(hash)| hash),
                cause: Cause { row: RowIndex::new(self.row)?, after: self.after },
            })
        };
        arrival().ok_or_else(|| io::Error::other("an arrival has impossible numbers"))
    }
}

#[cfg(test)]
mod tests {
    use elspeth_canonical::ContentHash;
    use elspeth_value::Value;

    use super::*;
    use crate::spill::KEPT;

    fn arrival(number: u64) -> Arrival {
        let row = RowIndex::new(number).unwrap();
        Arrival {
            token: TokenKey::of_row(row, 1).unwrap(),
            row: Row::from_pairs([("n".into(), Value::Int(number.cast_signed()))]),
            outcome: Outcome::Routed,
            error_at: number.is_multiple_of(3).then_some((Step::SOURCE, 1)),
            input_hash: number.is_multiple_of(2).then_some(ContentHash::from_bytes([7; 32])),
            cause: Cause { row, after: number.is_multiple_of(5) },
        }
    }

    #[test]
    fn runs_come_back_as_one_in_canonical_order() {
        let count = KEPT as u64 * 3;
        let (mut even, mut odd) = (Spilled::default(), Spilled::default());
        even.take((0..count).rev().filter(|n| n % 2 == 0).map(arrival).collect()).unwrap();
        odd.take((0..count / 2).filter(|n| n % 2 == 1).map(arrival).collect()).unwrap();
        odd.take((count / 2..count).filter(|n| n % 2 == 1).map(arrival).collect()).unwrap();
        assert_eq!((even.runs.len(), odd.runs.len()), (1, 1), "what follows goes on with the run before");
        even.join(odd);
        let few = || (count..count + 5).map(arrival).collect::<Vec<_>>();
        let expected: Vec<_> = (0..count + 5).map(|n| format!("{:?}", arrival(n))).collect();
        let read: Vec<_> = even.with_rows(few()).map(|it| format!("{:?}", it.unwrap())).collect();
        assert!(read == expected);
        let tokens: Vec<_> = even.without_rows(&few()).map(|it| it.unwrap().token).collect();
        assert_eq!(tokens, (0..count + 5).map(|n| arrival(n).token).collect::<Vec<_>>());
        assert_eq!(even.len(), count);
    }
}
