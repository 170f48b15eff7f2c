//! What is still to be recorded of a decided epoch, so that it can be acted on after a crash without deciding again.
//!
//! Beside the intents (which tokens each sink gets, in order) commit A keeps what the tokens' outcomes will be. Rows are not
//! in it: they are in the bodies.

use std::io::{self, BufWriter};

use elspeth_contracts::{EpochNo, Outcome, TokenKey, TokenOutcomeRecord};
use elspeth_landscape::pending::{
    FORM, Pending, PendingArrival, PendingCause, PendingOutcome, error, stored_error,
};
use elspeth_landscape::{Carried, Corruption, SinkIntent};
use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};
use thiserror::Error;

use crate::{Arrival, Cause, Settled, SinkWork, Spilled};

/// Bytes that are compressed at once.
const BUFFER: usize = 1 << 15;

/// As it is written: one entry after the other, for a batch can settle millions of tokens.
#[derive(Serialize)]
struct Deciding<'a> {
    #[serde(serialize_with = "each_sink")]
    arrivals: &'a [SinkWork],
    #[serde(serialize_with = "each_outcome")]
    settled: &'a Settled,
}

fn each_sink<S: Serializer>(work: &&[SinkWork], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(work.iter().map(OfSink))
}

struct OfSink<'a>(&'a SinkWork);

impl Serialize for OfSink<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.spilled.is_empty() {
            return serializer.collect_seq(self.0.arrivals.iter().map(stored_arrival));
        }
        let mut list = serializer.serialize_seq(usize::try_from(self.0.len()).ok())?;
        for arrival in self.0.without_rows() {
            let arrival = arrival.map_err(serde::ser::Error::custom)?;
            list.serialize_element(&stored_arrival(&arrival))?;
        }
        list.end()
    }
}

fn each_outcome<S: Serializer>(settled: &&Settled, serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(settled.len()))?;
    settled.iter().try_for_each(|outcome| list.serialize_element(&stored_settled(outcome)))?;
    list.end()
}

/// The bytes to keep with commit A; `work` is in the order of its intents.
///
/// # Errors
/// When arrivals that are in a file cannot be read.
pub fn pending_bytes(work: &[SinkWork], settled: &Settled) -> io::Result<Vec<u8>> {
    let deciding = Deciding { arrivals: work, settled };
    let encoder = zstd::stream::write::Encoder::new(vec![FORM], 1).expect("level 1 exists");
    // The fields come one by one, and each write to the encoder has its price.
    let buffered = BufWriter::with_capacity(BUFFER, encoder);
    let buffered = postcard::to_io(&deciding, buffered).map_err(io::Error::other)?;
    buffered.into_inner()?.finish()
}

/// The work of an epoch as it was decided, to be filled with what its tokens carry: for each sink in the order of the intents,
/// [`PendingWork::take`] its tokens in their order, some thousand at a time.
#[derive(Debug)]
pub struct PendingWork {
    epoch: EpochNo,
    /// For each intent, what is not taken yet.
    arrivals: Vec<(SinkIntent, usize, std::vec::IntoIter<PendingArrival>)>,
    settled: Settled,
    work: Vec<SinkWork>,
}

/// Why an epoch cannot be acted on again.
#[derive(Debug, Error)]
pub enum BadPending {
    /// What is recorded does not belong together.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// Rows that are too many for the memory could not be kept.
    #[error(transparent)]
    Unkept(#[from] io::Error),
}

/// Arrivals of one sink that are kept in memory.
const KEPT: usize = 16_384;

impl PendingWork {
    /// `intents` and `bytes` are those of the epoch's commit A.
    ///
    /// # Errors
    /// [`Corruption`] when they do not belong together.
    pub fn read(epoch: EpochNo, intents: Vec<SinkIntent>, bytes: &[u8]) -> Result<Self, Corruption> {
        let pending =
            Pending::read(bytes).map_err(|error| corrupt(epoch, &format!("cannot be read: {error}")))?;
        let fits = pending.arrivals.len() == intents.len()
            && pending.arrivals.iter().zip(&intents).all(|(a, intent)| a.len() == intent.tokens.len());
        if !fits {
            return Err(corrupt(epoch, MISFIT));
        }
        let settled: Option<Settled> = pending.settled.iter().map(settled).collect();
        let settled = settled.ok_or_else(|| corrupt(epoch, IMPOSSIBLE))?;
        let work = |intent: &SinkIntent| SinkWork {
            sink: intent.sink,
            arrivals: Vec::new(),
            spilled: Spilled::default(),
        };
        let work = intents.iter().map(work).collect();
        let arrivals = intents.into_iter().zip(pending.arrivals);
        let arrivals = arrivals.map(|(intent, pending)| (intent, 0, pending.into_iter())).collect();
        Ok(Self { epoch, arrivals, settled, work })
    }

    /// The next tokens whose rows are wanted, at most so many; none when there are no more.
    #[must_use]
    pub fn wanted(&self, limit: usize) -> &[TokenKey] {
        let next = self.arrivals.iter().find(|(intent, taken, _)| *taken < intent.tokens.len());
        next.map_or(&[], |(intent, taken, _)| {
            let rest = &intent.tokens[*taken..];
            &rest[..rest.len().min(limit)]
        })
    }

    /// Takes what the tokens that were wanted carry.
    ///
    /// # Errors
    /// [`BadPending`].
    pub fn take(&mut self, carried: Vec<Carried>) -> Result<(), BadPending> {
        let epoch = self.epoch;
        let pending = self.arrivals.iter_mut().zip(&mut self.work);
        let mut pending = pending.filter(|((intent, taken, _), _)| *taken < intent.tokens.len());
        let Some(((intent, taken, arrivals), work)) = pending.next() else {
            return Err(corrupt(epoch, MISFIT).into());
        };
        let more = carried.len();
        let tokens = intent.tokens.get(*taken..*taken + more).ok_or_else(|| corrupt(epoch, MISFIT))?;
        if !work.arrivals.is_empty() && work.arrivals.len() + more > KEPT {
            work.spilled.take(std::mem::take(&mut work.arrivals))?;
        }
        let arrivals = tokens.iter().zip(arrivals).zip(carried);
        let arrivals = arrivals.map(|((token, stored), carried)| arrival(&stored, *token, carried));
        let arrivals: Option<Vec<_>> = arrivals.collect();
        work.arrivals.extend(arrivals.ok_or_else(|| corrupt(epoch, IMPOSSIBLE))?);
        *taken += more;
        Ok(())
    }

    /// What sinks were about to write, and what becomes of the epoch's other tokens.
    ///
    /// # Errors
    /// [`Corruption`] when not everything that was wanted was taken.
    pub fn finish(self) -> Result<(Vec<SinkWork>, Settled), Corruption> {
        match self.wanted(1) {
            [] => Ok((self.work, self.settled)),
            _ => Err(corrupt(self.epoch, MISFIT)),
        }
    }
}

const MISFIT: &str = "does not fit the intents of the sinks";
const IMPOSSIBLE: &str = "names tokens, steps or outcomes that do not exist";

fn corrupt(epoch: EpochNo, what: &str) -> Corruption {
    Corruption { table: "checkpoints", id: epoch.0.to_string(), what: format!("its pending work {what}") }
}

fn stored_arrival(arrival: &Arrival) -> PendingArrival {
    let Arrival { outcome, error_at, cause, token: _, row: _, input_hash: _ } = arrival;
    PendingArrival { outcome: outcome.code(), error_at: stored_error(*error_at), cause: stored_cause(*cause) }
}

fn arrival(stored: &PendingArrival, token: TokenKey, carried: Carried) -> Option<Arrival> {
    Some(Arrival {
        token,
        row: carried.row,
        outcome: Outcome::from_code(i64::from(stored.outcome)).ok()?,
        error_at: error(stored.error_at)?,
        input_hash: carried.fresh.then_some(carried.hash),
        cause: cause(&stored.cause)?,
    })
}

fn stored_settled((cause, outcome): (Cause, TokenOutcomeRecord)) -> PendingOutcome {
    PendingOutcome::of(&outcome, stored_cause(cause))
}

fn settled(stored: &PendingOutcome) -> Option<(Cause, TokenOutcomeRecord)> {
    Some((cause(&stored.cause)?, stored.record()?))
}

const fn stored_cause(Cause { row, after }: Cause) -> PendingCause {
    PendingCause { row: row.get(), after }
}

fn cause(stored: &PendingCause) -> Option<Cause> {
    stored.row().map(|(row, after)| Cause { row, after })
}

#[cfg(test)]
mod tests {
    use elspeth_canonical::HashVersion;
    use elspeth_contracts::{ReleaseNo, RowIndex, Step};
    use elspeth_value::{Row, Value};

    use super::*;

    fn token(row: u64, ordinal: u32) -> TokenKey {
        TokenKey::of_row(RowIndex::new(row).unwrap(), ordinal).unwrap()
    }

    fn step(number: u16) -> Step {
        Step::new(number).unwrap()
    }

    fn carried(number: i64, fresh: bool) -> Carried {
        let row = Row::from_pairs([("n".into(), Value::Int(number))]);
        let hash = row.content_hash(HashVersion::default(), &mut Vec::new()).unwrap();
        Carried { row, hash, fresh }
    }

    fn arrival(token: TokenKey, carried: &Carried, error_at: Option<(Step, u8)>) -> Arrival {
        let cause = Cause { row: RowIndex::new(7).unwrap(), after: error_at.is_some() };
        let input_hash = carried.fresh.then_some(carried.hash);
        Arrival { token, row: carried.row.clone(), outcome: Outcome::Routed, error_at, input_hash, cause }
    }

    fn work() -> (Vec<SinkWork>, Settled, Vec<Carried>) {
        let rows = vec![carried(1, false), carried(2, true), carried(3, false)];
        let first =
            vec![arrival(token(3, 0), &rows[0], None), arrival(token(3, 1), &rows[1], Some((step(2), 4)))];
        let second = vec![arrival(token(9, 0), &rows[2], None)];
        let outcome = TokenOutcomeRecord {
            token: token(4, 0),
            outcome: Outcome::ConsumedInBatch,
            sink: None,
            group: Some(token(4, 1)),
            batch_no: ReleaseNo::new(6),
            error_at: Some((Step::SOURCE, 0)),
        };
        let settled = [(Cause::default(), outcome)].into_iter().collect();
        let work = [(5, first), (6, second)].map(|(sink, arrivals)| SinkWork {
            sink: step(sink),
            arrivals,
            spilled: Spilled::default(),
        });
        let work = Vec::from(work);
        (work, settled, rows)
    }

    fn intents(work: &[SinkWork]) -> Vec<SinkIntent> {
        let intent =
            |w: &SinkWork| SinkIntent { sink: w.sink, tokens: w.arrivals.iter().map(|a| a.token).collect() };
        work.iter().map(intent).collect()
    }

    fn pending_work(
        epoch: EpochNo,
        intents: &[SinkIntent],
        bytes: &[u8],
        mut carried: Vec<Carried>,
    ) -> Result<(Vec<SinkWork>, Settled), Corruption> {
        let mut pending = PendingWork::read(epoch, intents.to_vec(), bytes)?;
        while !pending.wanted(1).is_empty() && !carried.is_empty() {
            pending.take(vec![carried.remove(0)]).unwrap();
        }
        pending.finish()
    }

    #[test]
    fn many_rows_are_in_a_file() {
        let tokens: Vec<_> = (0..40_000).map(|row| token(row, 0)).collect();
        let of = |token: &TokenKey| carried(i64::from(token.ordinal()), false);
        let arrivals: Vec<_> = tokens.iter().map(|token| arrival(*token, &of(token), None)).collect();
        let work = [SinkWork { sink: step(5), arrivals, spilled: Spilled::default() }];
        let bytes = pending_bytes(&work, &Settled::default()).unwrap();
        let mut pending = PendingWork::read(EpochNo(1), intents(&work), &bytes).unwrap();
        while !pending.wanted(5_000).is_empty() {
            let page = pending.wanted(5_000).iter().map(of).collect();
            pending.take(page).unwrap();
        }
        let (again, _) = pending.finish().unwrap();
        assert!(again[0].spilled.len() > 20_000 && again[0].arrivals.len() <= KEPT);
        assert_eq!(pending_bytes(&again, &Settled::default()).unwrap(), bytes);
        let found: Vec<_> = again[0].without_rows().map(|arrival| arrival.unwrap().token).collect();
        assert_eq!(found, tokens);
    }

    #[test]
    fn work_comes_back_as_it_was_decided() {
        let (work, settled, rows) = work();
        let bytes = pending_bytes(&work, &settled).unwrap();
        let (again, settled_again) = pending_work(EpochNo(3), &intents(&work), &bytes, rows).unwrap();
        assert_eq!(format!("{again:?}"), format!("{work:?}"));
        assert_eq!(format!("{settled_again:?}"), format!("{settled:?}"));
    }

    #[test]
    fn what_does_not_belong_together_is_corruption() {
        let (work, settled, rows) = work();
        let bytes = pending_bytes(&work, &settled).unwrap();
        let mut other_form = bytes.clone();
        other_form[0] = 9;
        let cut = bytes[..bytes.len() - 3].to_vec();
        let cases = [(&other_form, 2), (&cut, 2), (&Vec::new(), 2), (&bytes, 1)];
        for (bytes, count) in cases {
            let error = pending_work(EpochNo(3), &intents(&work)[..count], bytes, rows.clone());
            assert_eq!(error.unwrap_err().table, "checkpoints");
        }
        let few = pending_work(EpochNo(3), &intents(&work), &bytes, rows[1..].to_vec());
        assert!(few.unwrap_err().what.contains("does not fit"));
    }
}
