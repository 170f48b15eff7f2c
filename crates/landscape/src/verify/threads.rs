//! Epochs are looked at by several threads, each with a scan of its own, and come back in their order.

use std::sync::mpsc::sync_channel;

use super::bodies::Looked;
use super::changed_meanwhile;
use super::examine::{Examined, examine};
use super::gather::Known;
use super::places::Epoch;
use super::scan::{RecordScan, RunMark, ScanSource};
use crate::{LandscapeError, RunRecord};

/// More threads than these wait for each other.
const MOST: usize = 8;
/// Examined epochs of one thread that wait for their turn.
const AHEAD: usize = 2;

/// What threads open their scans with.
pub(super) struct Opened<'a> {
    pub(super) source: &'a dyn ScanSource,
    pub(super) run: &'a RunRecord,
    /// What every scan must see.
    pub(super) mark: &'a RunMark,
}

/// Fewer epochs are examined sooner than a thread begins.
const FEW: usize = 24;

/// Examines every epoch, and hands each over in order.
pub(super) fn each(
    opened: &Opened<'_>,
    own: &mut dyn RecordScan,
    (known, epochs): (&Known<'_>, &[Epoch]),
    looked: Looked<'_>,
    mut take: impl FnMut(usize, Examined),
) -> Result<(), LandscapeError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if cores == 1 || epochs.len() < FEW {
        for (at, epoch) in epochs.iter().enumerate() {
            take(at, examine(own, known, (at, epoch), looked)?);
        }
        return Ok(());
    }
    let threads = cores.min(MOST).min(epochs.len());
    std::thread::scope(|scope| {
        let mut results = Vec::with_capacity(threads);
        for first in 0..threads {
            let (sender, receiver) = sync_channel(AHEAD);
            results.push(receiver);
            scope.spawn(move || {
                let mut scan = match scan(opened) {
                    Ok(scan) => scan,
                    Err(error) => return drop(sender.send(Err(error))),
                };
                for at in (first..epochs.len()).step_by(threads) {
                    let examined = examine(scan.as_mut(), known, (at, &epochs[at]), looked);
                    let failed = examined.is_err();
                    // Nobody takes any more where another epoch could not be read.
                    if sender.send(examined).is_err() || failed {
                        return;
                    }
                }
            });
        }
        for at in 0..epochs.len() {
            let examined = results[at % threads].recv().unwrap_or_else(|_| Err(changed_meanwhile()))?;
            take(at, examined);
        }
        Ok(())
    })
}

/// A scan that sees what all others do.
pub(super) fn scan(opened: &Opened<'_>) -> Result<Box<dyn RecordScan>, LandscapeError> {
    let mut scan = opened.source.open(opened.run)?;
    if scan.mark()? == *opened.mark { Ok(scan) } else { Err(changed_meanwhile()) }
}
