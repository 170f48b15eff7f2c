//! What a verifier asks of a database, answered from memory.

use std::sync::Arc;

use elspeth_contracts::{
    BatchMemberRecord, EpochNo, ReleaseRecord, RowIndex, RunStatus, TokenKey, TokenOrigin,
    TokenOutcomeRecord, TokenParentRecord,
};

use super::keyed::{OfToken, between};
use super::{Loaded, Records};
use crate::export::read::is_without_bodies;
use crate::verify::{
    Account, BatchRecords, CheckpointRecord, Continuation, Counted, Effect, Effects, EpochRecord, Later,
    PurgeRecord, Purging, RecordScan, RowRecords, RunMark, ScanSource, TokenRange, TokenRecords,
};
use crate::{Corruption, LandscapeError, RunRecord, SinkIntent};

type Answer<T> = Result<T, LandscapeError>;

impl ScanSource for Loaded {
    fn open(&self, run: &RunRecord) -> Answer<Box<dyn RecordScan>> {
        Ok(Box::new(Scan { records: Arc::clone(&self.records), run: run.clone() }))
    }
}

struct Scan {
    records: Arc<Records>,
    run: RunRecord,
}

/// The first token that a release can have made.
fn first_released() -> TokenKey {
    TokenOrigin::Batch(0).tokens().0
}

fn of_tokens<R: OfToken + Clone>(records: &[R], TokenRange { first, last }: TokenRange, out: &mut Vec<R>) {
    out.extend_from_slice(between(records, (first, last), OfToken::token));
}

fn released<R: OfToken>(records: &[R]) -> u64 {
    (records.len() - records.partition_point(|record| record.token() < first_released())) as u64
}

/// One that is of no row among the first ones, and of no release.
fn beyond<R: OfToken>(records: &[R], rows: u64) -> Option<TokenKey> {
    let end = RowIndex::new(rows).map_or_else(first_released, |row| TokenOrigin::Row(row).tokens().0);
    let at = records.partition_point(|record| record.token() < end);
    records.get(at).map(OfToken::token).filter(|token| *token < first_released())
}

fn cloned<R: Clone>(effect: &Effect<R>) -> Effect<R> {
    Effect { ordinal: effect.ordinal, published: effect.published, record: effect.record.clone() }
}

impl RecordScan for Scan {
    fn mark(&mut self) -> Answer<RunMark> {
        let RunRecord { status, heartbeat_at, grade, record_root, .. } = self.run;
        let (owner, purging) = (self.run.owner.clone(), Purging::default());
        Ok(RunMark { status, owner, heartbeat_at, grade, record_root, purging })
    }

    /// An export is of one moment.
    fn renew(&mut self) -> Answer<()> {
        Ok(())
    }

    fn epochs(&mut self) -> Answer<Vec<EpochRecord>> {
        Ok(self.records.epochs.clone())
    }

    fn releases(&mut self) -> Answer<Vec<ReleaseRecord>> {
        Ok(self.records.releases.clone())
    }

    fn members(&mut self, each: &mut dyn FnMut(BatchMemberRecord)) -> Answer<()> {
        self.records.members.iter().cloned().for_each(each);
        Ok(())
    }

    fn merged(&mut self, each: &mut dyn FnMut(TokenParentRecord)) -> Answer<()> {
        let parents = &self.records.parents;
        let from = parents.partition_point(|parent| parent.token < first_released());
        parents[from..].iter().cloned().for_each(each);
        Ok(())
    }

    fn failed_merges(&mut self, each: &mut dyn FnMut(TokenOutcomeRecord)) -> Answer<()> {
        let failed = |outcome: &&TokenOutcomeRecord| {
            outcome.outcome == elspeth_contracts::Outcome::Failed && outcome.batch_no.is_some()
        };
        self.records.outcomes.iter().filter(failed).cloned().for_each(each);
        Ok(())
    }

    fn rows(&mut self, rows: (RowIndex, RowIndex), out: &mut RowRecords) -> Answer<()> {
        let records = &self.records;
        out.rows.extend_from_slice(between(&records.rows, rows, |row| row.row_index));
        let errors = between(&records.validation_errors, rows, |error| error.row_index);
        out.validation_errors.extend_from_slice(errors);
        Ok(())
    }

    fn tokens(&mut self, tokens: TokenRange, out: &mut TokenRecords) -> Answer<()> {
        let records = &self.records;
        of_tokens(&records.tokens, tokens, &mut out.tokens);
        of_tokens(&records.parents, tokens, &mut out.parents);
        of_tokens(&records.states, tokens, &mut out.states);
        of_tokens(&records.sink_states, tokens, &mut out.sink_states);
        of_tokens(&records.contexts, tokens, &mut out.contexts);
        of_tokens(&records.routing, tokens, &mut out.routing);
        of_tokens(&records.calls, tokens, &mut out.calls);
        of_tokens(&records.transform_errors, tokens, &mut out.transform_errors);
        of_tokens(&records.outcomes, tokens, &mut out.outcomes);
        Ok(())
    }

    fn batches(&mut self, numbers: (u64, u64), out: &mut BatchRecords) -> Answer<()> {
        out.batches.extend_from_slice(between(&self.records.batches, numbers, |batch| batch.batch_no));
        out.outputs.extend_from_slice(between(&self.records.outputs, numbers, |output| output.batch_no));
        Ok(())
    }

    fn effects(&mut self, epoch: EpochNo) -> Answer<Effects> {
        let ends = (epoch, epoch);
        let operations = between(&self.records.operations, ends, |effect| effect.record.epoch);
        let artifacts = between(&self.records.artifacts, ends, |effect| effect.record.epoch);
        Ok(Effects {
            operations: operations.iter().map(cloned).collect(),
            artifacts: artifacts.iter().map(cloned).collect(),
        })
    }

    fn block(&mut self, epoch: EpochNo) -> Answer<Option<Vec<u8>>> {
        Ok(self.records.blocks.get(&epoch).cloned())
    }

    fn blocks(&mut self) -> Answer<Vec<EpochNo>> {
        Ok(self.records.blocks.keys().copied().collect())
    }

    fn came_without_bodies(&mut self) -> Answer<bool> {
        let registry = &self.records.registry;
        Ok(!self.records.bodies || registry.iter().any(|line| is_without_bodies(&line.entry)))
    }

    fn count(&mut self, table: Counted) -> Answer<u64> {
        let records = &self.records;
        Ok(match table {
            Counted::Batches => records.batches.len() as u64,
            Counted::BatchOutputs => records.outputs.len() as u64,
            Counted::Operations => records.operations.len() as u64,
            Counted::Artifacts => records.artifacts.len() as u64,
            Counted::OfReleased => {
                released(&records.tokens)
                    + released(&records.parents)
                    + released(&records.states)
                    + released(&records.sink_states)
                    + released(&records.contexts)
                    + released(&records.routing)
                    + released(&records.calls)
                    + released(&records.transform_errors)
                    + released(&records.outcomes)
            }
        })
    }

    fn beyond(&mut self, rows: u64) -> Answer<Option<Corruption>> {
        let (records, run) = (&self.records, self.run.run_id);
        let row = |table, row: Option<RowIndex>| row.filter(|row| row.get() >= rows).map(|row| (table, row));
        let of_row = row("rows", records.rows.last().map(|row| row.row_index)).or_else(|| {
            row("validation_errors", records.validation_errors.last().map(|error| error.row_index))
        });
        if let Some((table, row)) = of_row {
            let (id, what) = (format!("row {}", row.get()), "no epoch has that row".to_owned());
            return Ok(Some(Corruption { table, id, what }));
        }
        let of_token = [
            ("tokens", beyond(&records.tokens, rows)),
            ("token_parents", beyond(&records.parents, rows)),
            ("node_states", beyond(&records.states, rows)),
            ("sink_states", beyond(&records.sink_states, rows)),
            ("state_contexts", beyond(&records.contexts, rows)),
            ("routing_events", beyond(&records.routing, rows)),
            ("calls", beyond(&records.calls, rows)),
            ("transform_errors", beyond(&records.transform_errors, rows)),
            ("token_outcomes", beyond(&records.outcomes, rows)),
        ];
        Ok(of_token.into_iter().find_map(|(table, token)| {
            let id = run.token_id(token?).to_string();
            Some(Corruption { table, id, what: "no epoch has a row of that token".to_owned() })
        }))
    }

    fn orphan(&mut self) -> Answer<Option<Corruption>> {
        Ok(self.records.stray.clone())
    }

    fn continuation(&mut self) -> Answer<Continuation> {
        let records = &self.records;
        let checkpoints = records.checkpoints.iter().map(|line| CheckpointRecord {
            epoch: line.epoch,
            source_position: line.source_position.clone(),
            buffers: line.buffers.clone(),
            hash_state: line.hash_state.clone(),
            pending: line.pending.0.clone(),
            intents_hash: line.intents_hash,
        });
        let positions = records.positions.iter().map(|line| (line.sink, line.epoch, line.position.clone()));
        let intent = |line: &super::SinkIntentLine| {
            (line.epoch, SinkIntent { sink: line.sink, tokens: line.tokens.clone() })
        };
        Ok(Continuation {
            checkpoints: checkpoints.collect(),
            positions: positions.collect(),
            intents: records.intents.iter().map(intent).collect(),
        })
    }

    fn resumption_numbers(&mut self) -> Answer<Vec<u64>> {
        Ok(self.records.resumptions.iter().map(|line| line.ordinal).collect())
    }

    fn purges(&mut self) -> Answer<Vec<PurgeRecord>> {
        let left = |purge: i64| self.records.purge_files.iter().filter(|file| file.purge_no == purge).count();
        let purges = self.records.purges.iter().map(|line| line.record(left(line.purge_no) as u64));
        Ok(purges.collect())
    }

    fn entries(&mut self) -> Answer<Vec<(u64, String)>> {
        Ok(self.records.registry.iter().map(|line| (line.number, line.entry.clone())).collect())
    }

    fn account(&mut self, status: RunStatus) -> Answer<Account> {
        let records = &self.records;
        let breaches = match status {
            RunStatus::Completed => records.breaches(self.run.run_id),
            RunStatus::Running | RunStatus::Failed | RunStatus::Interrupted => Vec::new(),
        };
        Ok(Account { breaches, summary: Some(records.counters().kept()) })
    }

    fn summary(&mut self) -> Answer<Option<String>> {
        Ok(self.records.run.as_ref().and_then(|run| run.summary.clone()))
    }

    fn later(&mut self) -> Answer<Later> {
        Ok(Later::default())
    }
}
