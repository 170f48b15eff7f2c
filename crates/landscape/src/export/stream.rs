//! A run's record as lines, one after the other; no more than an epoch is in memory.

use std::collections::{BTreeMap, HashSet};

use elspeth_canonical::ContentHash;
use elspeth_contracts::Grade;
use elspeth_payload::{Block, FilesystemStore, LargeBodies as _, PayloadError};

use super::half::Halves;
use super::{
    BodiesLine, Bytes, EpochLine, ExportError, ExportScan, Kind, Line, PayloadLine, RegistryLine,
    ResumptionLine, RunLine, SinkIntentLine, SinkPositionLine,
};
use crate::verify::{BadRecord, EpochRecords, Epochs, Subject};

/// Takes the lines of an export.
pub trait LineSink {
    /// Takes one.
    ///
    /// # Errors
    /// [`ExportError`] of whatever takes it.
    fn line(&mut self, line: &Line) -> Result<(), ExportError>;
}

/// Whether bodies go along.
#[derive(Debug, Clone, Copy)]
pub enum BodiesChoice<'a> {
    /// Only their hashes do.
    Left,
    /// They do; large ones from that store.
    Taken(Option<&'a FilesystemStore>),
}

/// How many lines of each kind there are.
pub type Counts = BTreeMap<Kind, u64>;

/// Gives every line of a run: run, nodes and edges; epoch by epoch what was decided and what was done, then the epoch itself;
/// then the rest.
///
/// # Errors
/// [`ExportError::Unsound`] when there are records that no export could put where they belong; `elspeth verify` tells more of
/// them. [`ExportError::Body`] when a large body cannot be read. [`ExportError`] of the record or of `out` otherwise.
pub fn stream(
    scan: &mut dyn ExportScan,
    subject: &Subject<'_>,
    bodies: BodiesChoice<'_>,
    out: &mut dyn LineSink,
) -> Result<Counts, ExportError> {
    let mut stream = Stream { out, counts: Counts::new() };
    stream.registered(scan, subject)?;
    let epochs = Epochs::read(scan, subject)?.map_err(ExportError::Unsound)?;
    for at in 0..epochs.len() {
        let records = epochs.get(scan, at)?.map_err(ExportError::Unsound)?;
        stream.epoch(records)?;
    }
    stream.rest(scan, subject)?;
    stream.complete(scan)?;
    if let BodiesChoice::Taken(store) = bodies {
        stream.bodies(scan, store, subject.run.grade)?;
    }
    Ok(stream.counts)
}

struct Stream<'a> {
    out: &'a mut dyn LineSink,
    counts: Counts,
}

impl Stream<'_> {
    fn put(&mut self, line: &Line) -> Result<(), ExportError> {
        *self.counts.entry(line.kind()).or_default() += 1;
        self.out.line(line)
    }

    fn all(&mut self, lines: impl IntoIterator<Item = Line>) -> Result<(), ExportError> {
        lines.into_iter().try_for_each(|line| self.put(&line))
    }

    fn registered(&mut self, scan: &mut dyn ExportScan, subject: &Subject<'_>) -> Result<(), ExportError> {
        let run = RunLine::of(subject.run, scan.summary()?);
        self.put(&Line::Run(run))?;
        self.all(subject.nodes.iter().cloned().map(Line::Node))?;
        self.all(subject.edges.iter().cloned().map(Line::Edge))
    }

    fn epoch(&mut self, records: EpochRecords) -> Result<(), ExportError> {
        let record = EpochLine::from(&records.record);
        let [decided, acted, published] = Halves::of(records).0;
        for half in [decided, acted, published] {
            half.lines(&mut |line| self.put(&line))?;
        }
        self.put(&Line::Epoch(record))
    }

    fn rest(&mut self, scan: &mut dyn ExportScan, subject: &Subject<'_>) -> Result<(), ExportError> {
        self.all(scan.checkpoints()?.into_iter().map(Line::Checkpoint))?;
        let continuation = scan.continuation()?;
        self.all(
            continuation.positions.into_iter().map(|(sink, epoch, position)| {
                Line::SinkPosition(SinkPositionLine { sink, epoch, position })
            }),
        )?;
        self.all(continuation.intents.into_iter().map(|(epoch, intent)| {
            Line::SinkIntent(SinkIntentLine { epoch, sink: intent.sink, tokens: intent.tokens })
        }))?;
        let resumptions = (0..).zip(subject.resumptions);
        self.all(resumptions.map(|(n, record)| Line::Resumption(ResumptionLine::of(n, record.clone()))))?;
        self.all(scan.purges()?.into_iter().map(|purge| Line::Purge(purge.into())))?;
        self.all(scan.purge_files()?.into_iter().map(Line::PurgeFile))?;
        let entries = scan.entries()?.into_iter();
        self.all(entries.map(|(number, entry)| Line::Registry(RegistryLine { number, entry })))
    }

    /// Nothing of the run is left out.
    fn complete(&self, scan: &mut dyn ExportScan) -> Result<(), ExportError> {
        for kind in Kind::ALL.iter().filter(|kind| !matches!(kind, Kind::Bodies | Kind::Payload)) {
            let (stored, told) = (scan.stored(*kind)?, self.counts.get(kind).copied().unwrap_or_default());
            if stored != told {
                let what = format!("{} of its records are of no epoch or release", stored.abs_diff(told));
                let (table, id) = (kind.table().to_owned(), "of the run".to_owned());
                return Err(ExportError::Unsound(BadRecord { table, id, what }));
            }
        }
        Ok(())
    }

    /// Blocks, and after each of them the large bodies that it is the first to refer to.
    fn bodies(
        &mut self,
        scan: &mut dyn ExportScan,
        store: Option<&FilesystemStore>,
        grade: Grade,
    ) -> Result<(), ExportError> {
        let mut told: HashSet<ContentHash> = HashSet::new();
        for epoch in scan.blocks()? {
            let Some(bytes) = scan.block(epoch)? else { continue };
            let unsound = |what: String| {
                let (table, id) = ("bodies".to_owned(), format!("of epoch {}", epoch.0));
                ExportError::Unsound(BadRecord { table, id, what })
            };
            let block = Block::read(&bytes).map_err(|error| unsound(error.to_string()))?;
            self.put(&Line::Bodies(BodiesLine { epoch, block: Bytes(bytes) }))?;
            for body in block.in_store().filter(|body| told.insert(body.hash)) {
                let Some(content) = large(store, body.hash, unsound)? else {
                    if grade == Grade::AttributableOnly {
                        continue;
                    }
                    return Err(match store.filter(|store| store.is_here()) {
                        Some(_) => unsound(format!(
                            "its large body {} is not in the payload store; without bodies it can be exported",
                            body.hash
                        )),
                        None => ExportError::Body {
                            hash: body.hash,
                            why: "the payload store is not here".to_owned(),
                        },
                    });
                };
                self.put(&Line::Payload(PayloadLine { hash: body.hash, content: Bytes(content) }))?;
            }
        }
        Ok(())
    }
}

/// A large body, if it is there. That a disk does not give it says nothing against the record.
fn large(
    store: Option<&FilesystemStore>,
    hash: ContentHash,
    unsound: impl FnOnce(String) -> ExportError,
) -> Result<Option<Vec<u8>>, ExportError> {
    let Some(store) = store else { return Ok(None) };
    store.get(hash).map_err(|error| match &error {
        PayloadError::Io { .. } => {
            let advice = error.advice().map(|advice| format!("; {advice}")).unwrap_or_default();
            ExportError::Body { hash, why: format!("{error}{advice}") }
        }
        PayloadError::Damaged(_) | PayloadError::Mismatch { .. } | PayloadError::TooDeep { .. } => {
            unsound(error.to_string())
        }
    })
}
