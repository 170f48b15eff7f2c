//! One epoch, looked at by whichever thread has time for it.

use elspeth_contracts::Step;

use super::bodies::{self, BodyCount, Looked};
use super::conserve::{Tally, tally};
use super::fold::Acts;
use super::gather::{Gathered, Known, Numbers, gather};
use super::places::Epoch;
use super::scan::RecordScan;
use super::{Bad, Check, refer};
use crate::integrity::{ActedDigest, DecidedDigest};
use crate::{ActedEpoch, LandscapeError};

/// What one epoch's records show by themselves.
#[derive(Default)]
pub(super) struct Examined {
    /// None where they cannot be read.
    pub(super) decided: Option<DecidedDigest>,
    pub(super) acted: Acts,
    pub(super) published: Acts,
    /// Sinks that wrote.
    pub(super) writes: Vec<Step>,
    pub(super) records: u64,
    pub(super) counted: Numbers,
    pub(super) bodies: BodyCount,
    /// None where it cannot be read.
    pub(super) tally: Option<Tally>,
    pub(super) bad: Vec<(Check, Bad)>,
}

/// Reads and hashes an epoch. What cannot be read as a record is a finding.
pub(super) fn examine(
    scan: &mut dyn RecordScan,
    known: &Known<'_>,
    (at, epoch): (usize, &Epoch),
    looked: Looked<'_>,
) -> Result<Examined, LandscapeError> {
    let mut examined = Examined::default();
    match look(scan, known, (at, epoch), looked, &mut examined) {
        Ok(()) => Ok(examined),
        Err(LandscapeError::Corrupt(corruption)) => {
            examined.bad.push((Check::Records, corruption.into()));
            Ok(examined)
        }
        Err(other) => Err(other),
    }
}

fn look(
    scan: &mut dyn RecordScan,
    known: &Known<'_>,
    (at, epoch): (usize, &Epoch),
    looked: Looked<'_>,
    examined: &mut Examined,
) -> Result<(), LandscapeError> {
    let mut bad = Vec::new();
    let gathered = gather(scan, known, (at, epoch), &mut bad)?;
    refer::check(known, epoch, &gathered, &mut bad);
    numbers(epoch, &gathered, &mut bad);
    examined.bad.extend(bad.drain(..).map(|bad| (Check::Records, bad)));
    examined.bodies = bodies::check(scan, (known, epoch), &gathered, looked, &mut bad)?;
    examined.bad.extend(bad.into_iter().map(|bad| (Check::Bodies, bad)));
    examined.tally = Some(tally(known, &gathered));
    let Gathered { decided, acted, published, counted } = gathered;
    examined.records = decided.records() + acted.records() + published.records();
    examined.counted = counted;
    examined.writes = acted.operations.iter().map(|operation| operation.step).collect();
    let digest = DecidedDigest::of(known.version, &decided);
    examined.decided = Some(digest.went_on(epoch.record.continuation));
    drop(decided);
    let hashed = |acted: ActedEpoch| -> Result<_, LandscapeError> {
        let digest = ActedDigest::of(known.version, &acted)?.went_on(epoch.record.positions.clone());
        Ok(Some((acted, digest)))
    };
    examined.acted = hashed(acted)?;
    examined.published = hashed(published)?;
    Ok(())
}

/// What an epoch says of itself.
fn numbers(epoch: &Epoch, gathered: &Gathered, bad: &mut Vec<Bad>) {
    let Gathered { decided, acted, published, .. } = gathered;
    let id = || format!("epoch {}", epoch.number().0);
    let rows = decided.rows.len() as u64;
    if rows != epoch.record.row_count {
        let what = format!("it should have {} rows, but has {rows}", epoch.record.row_count);
        bad.push(Bad::among("epochs", id()).what(what));
    }
    let records = decided.records() + acted.records() + published.records();
    if records != epoch.record.record_count {
        let what = format!("it should have {} records, but has {records}", epoch.record.record_count);
        bad.push(Bad::among("epochs", id()).what(what));
    }
}
