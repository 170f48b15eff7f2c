//! What is still to be recorded of a decided epoch, so that it can be acted on after a crash without deciding again.
//!
//! Beside the intents (which tokens each sink gets, in order) commit A keeps what the tokens' outcomes will be. Rows are not
//! in it: they are in the bodies.

use std::io::{self, Read as _};

use elspeth_contracts::{EpochNo, Outcome, RowIndex, Step, TokenKey, TokenOutcomeRecord};
use elspeth_landscape::{Carried, Corruption, SinkIntent};
use serde::{Deserialize, Serialize, Serializer};

use crate::{Arrival, Cause, Settled, SinkWork};

/// The form of the bytes, which begin with it.
const FORM: u8 = 1;
/// More than any epoch needs; bytes that claim to hold more are damaged.
const LARGEST: u64 = 1 << 32;

/// As it is read.
#[derive(Deserialize)]
struct Pending {
    /// For each intent, an entry for each of its tokens.
    arrivals: Vec<Vec<PendingArrival>>,
    settled: Vec<PendingOutcome>,
}

/// As it is written: one entry after the other, for a batch can settle millions of tokens.
#[derive(Serialize)]
struct Deciding<'a> {
    #[serde(serialize_with = "each_sink")]
    arrivals: &'a [SinkWork],
    #[serde(serialize_with = "each_outcome")]
    settled: &'a [Settled],
}

fn each_sink<S: Serializer>(work: &&[SinkWork], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(work.iter().map(|work| OfSink(&work.arrivals)))
}

struct OfSink<'a>(&'a [Arrival]);

impl Serialize for OfSink<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(PendingArrival::of))
    }
}

fn each_outcome<S: Serializer>(settled: &&[Settled], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(settled.iter().map(PendingOutcome::of))
}

#[derive(Serialize, Deserialize)]
struct PendingArrival {
    outcome: u8,
    error_at: Option<(u16, u8)>,
    cause: PendingCause,
}

#[derive(Serialize, Deserialize)]
struct PendingOutcome {
    token: u64,
    outcome: u8,
    sink: Option<u16>,
    group: Option<u64>,
    batch_no: Option<u64>,
    error_at: Option<(u16, u8)>,
    cause: PendingCause,
}

#[derive(Serialize, Deserialize)]
struct PendingCause {
    row: u64,
    after: bool,
}

/// The bytes to keep with commit A; `work` is in the order of its intents.
#[must_use]
pub fn pending_bytes(work: &[SinkWork], settled: &[Settled]) -> Vec<u8> {
    let deciding = Deciding { arrivals: work, settled };
    let encoder = zstd::stream::write::Encoder::new(vec![FORM], 1).expect("level 1 exists");
    let encoder = postcard::to_io(&deciding, encoder).expect("memory takes what is written to it");
    encoder.finish().expect("memory takes what is written to it")
}

/// The work of an epoch as it was decided: `intents` and `bytes` are those of its commit A, `carried` is what the tokens of the
/// intents carry, one intent after the other.
///
/// # Errors
/// [`Corruption`] when they do not belong together.
pub fn pending_work(
    epoch: EpochNo,
    intents: &[SinkIntent],
    bytes: &[u8],
    carried: Vec<Carried>,
) -> Result<(Vec<SinkWork>, Vec<Settled>), Corruption> {
    let corrupt = |what: &str| Corruption {
        table: "checkpoints",
        id: epoch.0.to_string(),
        what: format!("its pending work {what}"),
    };
    let pending = decode(bytes).map_err(|error| corrupt(&format!("cannot be read: {error}")))?;
    let tokens: usize = intents.iter().map(|intent| intent.tokens.len()).sum();
    let fits = pending.arrivals.len() == intents.len()
        && pending.arrivals.iter().zip(intents).all(|(a, intent)| a.len() == intent.tokens.len())
        && tokens == carried.len();
    if !fits {
        return Err(corrupt("does not fit the intents of the sinks"));
    }
    let mut carried = carried.into_iter();
    let work = intents.iter().zip(pending.arrivals).map(|(intent, pending)| {
        let arrivals = intent.tokens.iter().zip(pending).zip(carried.by_ref());
        let arrivals = arrivals.map(|((token, arrival), carried)| arrival.arrival(*token, carried));
        Some(SinkWork { sink: intent.sink, arrivals: arrivals.collect::<Option<_>>()? })
    });
    let work: Option<Vec<_>> = work.collect();
    let settled: Option<Vec<_>> = pending.settled.iter().map(PendingOutcome::settled).collect();
    work.zip(settled).ok_or_else(|| corrupt("names tokens, steps or outcomes that do not exist"))
}

fn decode(bytes: &[u8]) -> io::Result<Pending> {
    let Some((&FORM, packed)) = bytes.split_first() else {
        return Err(io::Error::other("it has a form that this version does not know"));
    };
    let mut plain = Vec::new();
    zstd::stream::read::Decoder::new(packed)?.take(LARGEST).read_to_end(&mut plain)?;
    postcard::from_bytes(&plain).map_err(io::Error::other)
}

impl PendingArrival {
    fn of(arrival: &Arrival) -> Self {
        let Arrival { outcome, error_at, cause, token: _, row: _, input_hash: _ } = arrival;
        Self { outcome: outcome.code(), error_at: stored_error(*error_at), cause: PendingCause::of(*cause) }
    }

    fn arrival(&self, token: TokenKey, carried: Carried) -> Option<Arrival> {
        Some(Arrival {
            token,
            row: carried.row,
            outcome: Outcome::from_code(i64::from(self.outcome)).ok()?,
            error_at: error(self.error_at)?,
            input_hash: carried.fresh.then_some(carried.hash),
            cause: self.cause.cause()?,
        })
    }
}

impl PendingOutcome {
    fn of(Settled { cause, outcome }: &Settled) -> Self {
        let TokenOutcomeRecord { token, outcome, sink, group, batch_no, error_at } = outcome;
        Self {
            token: token.get(),
            outcome: outcome.code(),
            sink: sink.map(Step::get),
            group: *group,
            batch_no: *batch_no,
            error_at: stored_error(*error_at),
            cause: PendingCause::of(*cause),
        }
    }

    fn settled(&self) -> Option<Settled> {
        let outcome = TokenOutcomeRecord {
            token: TokenKey::from_u64(self.token)?,
            outcome: Outcome::from_code(i64::from(self.outcome)).ok()?,
            sink: match self.sink {
                Some(sink) => Some(Step::new(sink)?),
                None => None,
            },
            group: self.group,
            batch_no: self.batch_no,
            error_at: error(self.error_at)?,
        };
        Some(Settled { cause: self.cause.cause()?, outcome })
    }
}

impl PendingCause {
    const fn of(Cause { row, after }: Cause) -> Self {
        Self { row: row.get(), after }
    }

    fn cause(&self) -> Option<Cause> {
        Some(Cause { row: RowIndex::new(self.row)?, after: self.after })
    }
}

fn stored_error(at: Option<(Step, u8)>) -> Option<(u16, u8)> {
    at.map(|(step, attempt)| (step.get(), attempt))
}

/// `None` when it names a step that cannot be.
fn error(stored: Option<(u16, u8)>) -> Option<Option<(Step, u8)>> {
    stored.map_or(Some(None), |(step, attempt)| Some(Some((Step::new(step)?, attempt))))
}

#[cfg(test)]
mod tests {
    use elspeth_canonical::HashVersion;
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

    fn work() -> (Vec<SinkWork>, Vec<Settled>, Vec<Carried>) {
        let rows = vec![carried(1, false), carried(2, true), carried(3, false)];
        let first =
            vec![arrival(token(3, 0), &rows[0], None), arrival(token(3, 1), &rows[1], Some((step(2), 4)))];
        let second = vec![arrival(token(9, 0), &rows[2], None)];
        let outcome = TokenOutcomeRecord {
            token: token(4, 0),
            outcome: Outcome::ConsumedInBatch,
            sink: None,
            group: Some(5),
            batch_no: Some(6),
            error_at: Some((Step::SOURCE, 0)),
        };
        let settled = vec![Settled { cause: Cause::default(), outcome }];
        let work =
            vec![SinkWork { sink: step(5), arrivals: first }, SinkWork { sink: step(6), arrivals: second }];
        (work, settled, rows)
    }

    fn intents(work: &[SinkWork]) -> Vec<SinkIntent> {
        let intent =
            |w: &SinkWork| SinkIntent { sink: w.sink, tokens: w.arrivals.iter().map(|a| a.token).collect() };
        work.iter().map(intent).collect()
    }

    #[test]
    fn work_comes_back_as_it_was_decided() {
        let (work, settled, rows) = work();
        let bytes = pending_bytes(&work, &settled);
        let (again, settled_again) = pending_work(EpochNo(3), &intents(&work), &bytes, rows).unwrap();
        assert_eq!(format!("{again:?}"), format!("{work:?}"));
        assert_eq!(format!("{settled_again:?}"), format!("{settled:?}"));
    }

    #[test]
    fn what_does_not_belong_together_is_corruption() {
        let (work, settled, rows) = work();
        let bytes = pending_bytes(&work, &settled);
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
