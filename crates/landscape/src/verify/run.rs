//! What the run's own record says: its settings, graph, seal, purges, resumptions, and from where it would go on.

use std::collections::BTreeMap;

use elspeth_contracts::{
    EdgeRecord, EpochNo, ExportStatus, Grade, NodeRecord, NodeType, PurgeStatus, RunStatus, Step, TokenKey,
    Topology,
};
use serde::de::IgnoredAny;

use super::bodies::{BodyCount, Kept};
use super::gather::Known;
use super::places::{Epoch, Moment};
use super::scan::{CheckpointRecord, Continuation, EpochRecord, PurgeRecord};
use super::{Bad, Check, Ledger};
use crate::integrity::{GoingOn, intents_hash, position_of};
use crate::{ResumptionRecord, RunRecord};

/// Settings and graph have the hashes that are recorded; what a seal sets is set, and nothing else.
pub(super) fn registered(
    run: &RunRecord,
    (nodes, edges): (&[NodeRecord], &[EdgeRecord]),
    resumptions: &[ResumptionRecord],
    ledger: &mut Ledger,
) {
    let version = run.hash_version;
    let mut of_run =
        |what: &str| ledger.bad(Check::Run, Bad::exact("runs", run.run_id.to_string()).what(what));
    if version.hash(run.settings.as_bytes()) != run.config_hash {
        of_run("its settings do not have the recorded hash");
    }
    if topology(nodes, edges).map(|text| version.hash(&text)) != Some(run.topology_hash) {
        of_run("its nodes and edges do not have the recorded topology hash");
    }
    if run.export_status != ExportStatus::None && !is_exported(run, resumptions) {
        of_run("it has an export status, but was not to be exported");
    }
    sealed(run, &mut of_run);
    for node in nodes.iter().filter(|node| version.hash(node.config.as_bytes()) != node.config_hash) {
        let bad = Bad::exact("nodes", format!("step {} ({})", node.step.get(), node.name));
        ledger.bad(Check::Run, bad.what("its configuration does not have the recorded hash"));
    }
}

/// Whether an export followed the run, by its settings or those with which it went on.
fn is_exported(run: &RunRecord, resumptions: &[ResumptionRecord]) -> bool {
    let asks = |settings: &str| {
        let settings: serde_json::Value = serde_json::from_str(settings).unwrap_or_default();
        settings["landscape"]["export"]["enabled"] == true
    };
    let later = resumptions.iter().filter_map(|record| record.resumption.settings.as_deref());
    run.status == RunStatus::Completed && std::iter::once(run.settings.as_str()).chain(later).any(asks)
}

fn sealed(run: &RunRecord, of_run: &mut impl FnMut(&str)) {
    let set = [run.completed_at.is_some(), run.content_root.is_some(), run.record_root.is_some()];
    match run.status {
        RunStatus::Running if set.contains(&true) || run.error.is_some() => {
            of_run("it is `running`, but has the marks of a run that ended");
        }
        RunStatus::Completed | RunStatus::Failed | RunStatus::Interrupted if set.contains(&false) => {
            of_run("it ended, but its time or a root is missing");
        }
        RunStatus::Failed if run.error.is_none() => of_run("it failed, but there is no error"),
        RunStatus::Completed | RunStatus::Interrupted if run.error.is_some() => {
            of_run("it did not fail, but there is an error");
        }
        RunStatus::Running | RunStatus::Completed | RunStatus::Failed | RunStatus::Interrupted => {}
    }
}

/// The text that the topology hash is over; nothing for edges between nodes that do not exist.
pub(super) fn topology(nodes: &[NodeRecord], edges: &[EdgeRecord]) -> Option<Vec<u8>> {
    Topology::of_records(nodes, edges).map(|topology| topology.text())
}

/// Epochs are numbered without a gap, and so are the rows that they have.
pub(super) fn epochs(records: &[EpochRecord], ledger: &mut Ledger) -> bool {
    let (mut rows, mut sound) = (0, true);
    for (number, record) in (0..).zip(records) {
        let what = if record.epoch.0 != number {
            format!("epoch {number} is missing before it")
        } else {
            match record.rows {
                Some((first, last)) if first.get() != rows || last < first => {
                    format!("it should begin with row {rows}")
                }
                Some((first, last)) if last.get() - first.get() + 1 != record.row_count => {
                    "its rows are not as many as it says".to_owned()
                }
                None if record.row_count > 0 => "it has rows, but says not which".to_owned(),
                Some(_) | None => {
                    rows += record.row_count;
                    continue;
                }
            }
        };
        sound = false;
        ledger.bad(Check::Records, Bad::exact("epochs", format!("epoch {}", record.epoch.0)).what(what));
        break;
    }
    sound
}

/// Purges lower the grade, and whatever they did is gone.
pub(super) fn purges(run: &RunRecord, purges: &[PurgeRecord], ledger: &mut Ledger) -> Kept {
    let expected = if purges.is_empty() { Grade::FullReproducible } else { Grade::AttributableOnly };
    if run.grade != expected {
        let what = format!(
            "its grade is `{}`, but {} purges of it are recorded",
            run.grade,
            if purges.is_empty() { "no" } else { "there are" }
        );
        ledger.bad(Check::Purges, Bad::exact("runs", run.run_id.to_string()).what(what));
    }
    for purge in purges.iter().filter(|purge| purge.status == PurgeStatus::Done && purge.files_left > 0) {
        let bad = Bad::exact("purges", format!("number {}", purge.purge_no));
        ledger.bad(Check::Purges, bad.what("it is done, but has files that are still to be removed"));
    }
    match purges.is_empty() {
        true => Kept::All,
        false => Kept::Purged,
    }
}

/// As many blocks are gone as purges removed.
pub(super) fn purged_blocks(purges: &[PurgeRecord], bodies: &BodyCount, ledger: &mut Ledger) {
    let Some(last) = purges.last() else { return };
    let removed = purges.iter().fold(0, |blocks, purge| purge.blocks.wrapping_add(blocks));
    let id = format!("number {}", last.purge_no);
    if removed != bodies.purged {
        let what = format!("{} blocks of bodies are gone, but {removed} were purged", bodies.purged);
        ledger.bad(Check::Purges, Bad::among("purges", id).what(what));
    } else if last.status == PurgeStatus::Done && bodies.purged < bodies.blocks {
        ledger.bad(Check::Purges, Bad::exact("purges", id).what("it is done, but there still are bodies"));
    }
}

/// Resumptions follow each other, and begin where the run was.
pub(super) fn resumptions(
    run: &RunRecord,
    resumptions: &[ResumptionRecord],
    epochs: &[Epoch],
    (purged, ledger): (bool, &mut Ledger),
) {
    let mut before: Option<&str> = None;
    for (number, record) in resumptions.iter().enumerate() {
        let resumption = &record.resumption;
        let rows = epochs
            .iter()
            .take_while(|epoch| epoch.number() < resumption.epoch)
            .fold(0, |rows, epoch| epoch.record.row_count.wrapping_add(rows));
        let what = if before.is_some_and(|owner| owner != record.owner_before) {
            "it was not taken over from the owner before"
        } else if resumption.epoch.0 > epochs.len() as u64 {
            "it begins with an epoch that does not exist"
        } else if resumption.row != rows {
            "it begins with another row than its epoch"
        } else if resumption.settings.as_deref().is_some_and(|text| !is_json(text))
            || resumption.accepted_source.as_deref().is_some_and(|text| !is_json(text))
        {
            "its JSON cannot be read"
        } else {
            before = Some(&record.owner);
            continue;
        };
        ledger.bad(Check::Continuation, Bad::exact("resumptions", format!("number {number}")).what(what));
        return;
    }
    if before.is_some_and(|owner| owner != run.owner) && !purged {
        let bad = Bad::exact("runs", run.run_id.to_string());
        ledger.bad(Check::Continuation, bad.what("its owner is not who took it up last"));
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// From where the run would go on.
pub(super) fn continuation(
    Continuation { checkpoints, positions, intents }: &Continuation,
    (known, epochs): (&Known<'_>, &[Epoch]),
    (written, purged): (&BTreeMap<Step, EpochNo>, bool),
    ledger: &mut Ledger,
) {
    let two = epochs.len().saturating_sub(2);
    let is_kept = |(at, epoch): &(usize, &Epoch)| *at >= two || epoch.record.acted_at.is_none();
    let last: Vec<EpochNo> = epochs.iter().enumerate().filter(is_kept).map(|(_, it)| it.number()).collect();
    let expected: &[EpochNo] = if purged { &[] } else { &last };
    if !checkpoints.iter().map(|checkpoint| checkpoint.epoch).eq(expected.iter().copied()) {
        let bad = Bad::among("checkpoints", "of the last epochs");
        ledger.bad(Check::Continuation, bad.what("there are others than there should be"));
    }
    let record = |of: EpochNo| epochs.iter().find(|epoch| epoch.number() == of).map(|epoch| &epoch.record);
    let is_open = |of: EpochNo| record(of).is_some_and(|record| record.acted_at.is_none());
    let about_to_write = |of: EpochNo| {
        let of_epoch: Vec<_> = intents.iter().filter(|(epoch, _)| *epoch == of).collect();
        intents_hash(known.version, of_epoch.iter().map(|(_, intent)| intent))
    };
    for checkpoint in checkpoints {
        let bad = Bad::exact("checkpoints", format!("epoch {}", checkpoint.epoch.0));
        let CheckpointRecord { source_position, buffers, pending, intents_hash: about_to, .. } = checkpoint;
        let kept = GoingOn { source_position, buffers, pending, intents: *about_to };
        if !is_json(source_position) || !(buffers.is_empty() || is_json(buffers)) {
            ledger.bad(Check::Continuation, bad.what("its JSON cannot be read"));
        } else if record(checkpoint.epoch).is_some_and(|r| r.continuation != kept.hash(known.version)) {
            ledger.bad(Check::Continuation, bad.what("it is not from where the run was to go on"));
        } else if is_open(checkpoint.epoch) && about_to_write(checkpoint.epoch) != *about_to {
            let bad = Bad::among("sink_intents", format!("epoch {}", checkpoint.epoch.0));
            ledger.bad(Check::Continuation, bad.what("they are not what the sinks were to write"));
        }
    }
    for (sink, epoch, position) in positions {
        let bad = Bad::exact("sink_positions", format!("step {}", sink.get()));
        if written.get(sink) != Some(epoch) {
            ledger.bad(Check::Continuation, bad.what("the sink did not write last in that epoch"));
        } else if !is_json(position) {
            ledger.bad(Check::Continuation, bad.what("its JSON cannot be read"));
        } else if record(*epoch).and_then(|record| position_of(&record.positions, *sink))
            != Some(known.version.hash(position.as_bytes()))
        {
            ledger.bad(Check::Continuation, bad.what("it is not where the sink was after that epoch"));
        }
    }
    for sink in written.keys().filter(|sink| !positions.iter().any(|(of, ..)| of == *sink)) {
        let bad = Bad::exact("sink_positions", format!("step {}", sink.get()));
        ledger.bad(Check::Continuation, bad.what("it is missing, but the sink has written"));
    }
    for (epoch, intent) in intents {
        let bad = Bad::exact("sink_intents", format!("epoch {}, step {}", epoch.0, intent.sink.get()));
        let here = |token: &TokenKey| {
            let at = known.places.epoch(known.places.walk(*token, Moment::End));
            at.is_some_and(|at| epochs[at].number() == *epoch)
        };
        if !is_open(*epoch) {
            ledger.bad(Check::Continuation, bad.what("nothing waits for its sinks in that epoch"));
        } else if !known.is(intent.sink, NodeType::Sink) {
            ledger.bad(Check::Continuation, bad.what("its sink is none"));
        } else if !intent.tokens.iter().all(here) {
            ledger.bad(Check::Continuation, bad.what("it has tokens that are not of its epoch"));
        }
    }
}
