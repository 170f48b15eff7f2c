//! A run's records epoch by epoch, in the order in which they were made, for whoever writes them down elsewhere.

use elspeth_contracts::NodeType;

use super::gather::{Gathered, Known, read};
use super::places::{Epoch, Places};
use super::run;
use super::scan::{Effects, EpochRecord, RecordScan};
use super::{BadRecord, Ledger, Subject};
use crate::{ActedEpoch, DecidedEpoch, LandscapeError};

/// The epochs of a run.
pub(crate) struct Epochs<'a> {
    known: Known<'a>,
    epochs: Vec<Epoch>,
}

/// The records of one epoch.
pub(crate) struct EpochRecords {
    pub(crate) record: EpochRecord,
    /// Without leaves, and without what goes on after it.
    pub(crate) decided: DecidedEpoch,
    pub(crate) acted: ActedEpoch,
    /// What came with the publication.
    pub(crate) published: ActedEpoch,
    /// The operations and artifacts of all three, with their numbers.
    pub(crate) effects: Effects,
}

impl<'a> Epochs<'a> {
    /// Reads where everything is. What cannot be placed is given back instead.
    pub(crate) fn read(
        scan: &mut dyn RecordScan,
        subject: &Subject<'a>,
    ) -> Result<Result<Self, BadRecord>, LandscapeError> {
        let Subject { run, nodes, edges, .. } = *subject;
        let mut ledger = Ledger::new(run.run_id);
        let records = scan.epochs()?;
        run::epochs(&records, &mut ledger);
        let coalesces = nodes.iter().any(|node| node.node_type == NodeType::Coalesce);
        let (places, epochs) = Places::read(scan, records, coalesces, &mut ledger)?;
        let known = Known { run_id: run.run_id, version: run.hash_version, nodes, edges, places };
        Ok(match ledger.first_bad() {
            Some(bad) => Err(bad),
            None => Ok(Self { known, epochs }),
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.epochs.len()
    }

    /// The records of the epoch at a position.
    pub(crate) fn get(
        &self,
        scan: &mut dyn RecordScan,
        at: usize,
    ) -> Result<Result<EpochRecords, BadRecord>, LandscapeError> {
        let (epoch, mut bad) = (&self.epochs[at], Vec::new());
        let Gathered { decided, acted, published, .. } = read(scan, &self.known, (at, epoch), &mut bad)?;
        if let Some(bad) = bad.into_iter().next() {
            return Ok(Err(bad.record));
        }
        let effects = scan.effects(epoch.number())?;
        Ok(Ok(EpochRecords { record: epoch.record.clone(), decided, acted, published, effects }))
    }
}
