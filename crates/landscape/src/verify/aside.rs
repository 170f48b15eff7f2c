//! What needs none of the epochs' records, and is looked at while others read these.

use super::artifacts::{self, OnDisk};
use super::gather::Numbers;
use super::scan::{Counted, RecordScan};
use super::{Bad, Check, Ledger, Subject};
use crate::{Corruption, LandscapeError};

/// Records that no epoch has, numbers of records, and files.
pub(super) struct Aside {
    /// A record of a row beyond the last.
    beyond: Option<Corruption>,
    stored: Numbers,
    /// A record of no run.
    orphan: Option<Corruption>,
    /// Epochs with a block of bodies.
    pub(super) blocks: u64,
    /// Files that the run published.
    pub(super) files: Vec<Option<OnDisk>>,
}

impl Aside {
    /// Looks at them. `rows` is how many the run has, where its epochs tell.
    pub(super) fn read(
        scan: &mut dyn RecordScan,
        subject: &Subject<'_>,
        rows: Option<u64>,
    ) -> Result<Self, LandscapeError> {
        let beyond = rows.map(|rows| scan.beyond(rows)).transpose()?.flatten();
        let stored = Numbers {
            batches: scan.count(Counted::Batches)?,
            outputs: scan.count(Counted::BatchOutputs)?,
            operations: scan.count(Counted::Operations)?,
            artifacts: scan.count(Counted::Artifacts)?,
            of_released: scan.count(Counted::OfReleased)?,
        };
        let orphan = if subject.alone { None } else { scan.orphan()? };
        let blocks = scan.blocks()?.len() as u64;
        let files = artifacts::read(subject.run, subject.artifacts);
        Ok(Self { beyond, stored, orphan, blocks, files })
    }

    /// Records that are stored, but were not among those of epochs.
    pub(super) fn strays(&mut self, counted: Numbers, ledger: &mut Ledger) {
        if let Some(stray) = self.beyond.take() {
            ledger.bad(Check::Records, stray.into());
        }
        let tables = [
            ("batches", self.stored.batches, counted.batches),
            ("batch_outputs", self.stored.outputs, counted.outputs),
            ("operations", self.stored.operations, counted.operations),
            ("artifacts", self.stored.artifacts, counted.artifacts),
            ("tokens", self.stored.of_released, counted.of_released),
        ];
        for (name, stored, known) in tables.into_iter().filter(|(_, stored, known)| stored != known) {
            let what = format!("{} of its records are of no epoch or release", stored.abs_diff(known));
            ledger.bad(Check::Records, Bad::among(name, "of the run").what(what));
        }
        if let Some(orphan) = self.orphan.take() {
            ledger.bad(Check::Database, orphan.into());
        }
    }
}
