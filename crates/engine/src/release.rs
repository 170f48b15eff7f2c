//! What a node that waited across rows lets go: a batch, or branches that came with different rows.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{
    BatchOutputRecord, BatchRecord, BatchStatus, EpochNo, ErrorReason, NodeStateRecord, NodeStateStatus,
    Outcome, ReleaseNo, ReleaseRecord, Step, TokenKey, TokenOrigin, TokenOutcomeRecord, TokenRecord,
    TriggerType,
};
use elspeth_executors::{BatchRows, BatchVisit, Cause, FailedAttempt, Flushed, RawHash};
use elspeth_graph::{NodeSpec, OutputMode};
use elspeth_landscape::integrity::Members as Records;
use elspeth_payload::BodyKey;
use elspeth_telemetry::OpenSpan;
use elspeth_value::Row;

use crate::EngineError;
use crate::branch::{Resolution, Traveller};
use crate::chunk::{ChunkOutput, Marks};
use crate::members::{Member, Members};
use crate::walk::{Failing, Travel, Walk, Walker, micros};

/// Something that is let go, with its number in the run.
pub(crate) struct Release {
    pub(crate) number: u64,
    pub(crate) step: Step,
    pub(crate) cause: Cause,
    pub(crate) what: Released,
}

pub(crate) enum Released {
    /// A batch that is due.
    Batch {
        /// Why; the failure of the trigger's condition otherwise.
        due: Result<TriggerType, ErrorReason>,
        members: Members,
    },
    /// Branches that are merged, or fail.
    Branches(Resolution),
}

/// A batch with what came of it.
struct Flush {
    batch_no: u64,
    last: LastAttempt,
    members: Members,
}

/// What its members' states have in common.
#[derive(Clone, Copy)]
struct LastAttempt {
    step: Step,
    attempt: u8,
    ended_us: u64,
    waited_us: i64,
}

impl Walker<'_> {
    /// Lets one release go as far as it can.
    pub(crate) fn release(&mut self, release: Release, out: &mut ChunkOutput) {
        let Release { number, step, cause, what } = release;
        let marks = Marks::of(out);
        // The epoch is known when its chunks are put together.
        let epoch = EpochNo::default();
        out.releases.push(ReleaseRecord { number, step, epoch, row: cause.row, after: cause.after });
        let mut walk = Walk::new(TokenOrigin::Batch(number), 0, cause);
        let members = match what {
            Released::Branches(resolution) => {
                self.resolve(resolution, &mut walk, out);
                Vec::new()
            }
            Released::Batch { due, members } => {
                match self.flush((number, step), due, members, (&mut walk, out)) {
                    Ok(members) => members,
                    Err(error) => {
                        out.broken = Some(EngineError::Buffers(error.into()));
                        return;
                    }
                }
            }
        };
        self.walk(&mut walk, &OpenSpan::NONE, out);
        let leaf = self.close_release(out, &marks, (number, &members));
        out.release_leaves.push(leaf);
    }

    /// Works on a batch. Its members, in order.
    fn flush(
        &mut self,
        (batch_no, step): (u64, Step),
        due: Result<TriggerType, ErrorReason>,
        members: Members,
        (walk, out): (&mut Walk, &mut ChunkOutput),
    ) -> io::Result<Vec<TokenKey>> {
        let trigger = due.as_ref().ok().copied();
        let flushed = self.run_batch((batch_no, step), due, &members)?;
        let attempt = record_attempts((batch_no, step), trigger, &flushed, out);
        let tokens = members.each().map(|member| Ok(member?.token)).collect::<io::Result<_>>()?;
        let (ended_us, waited_us) = (flushed.ended_us, micros(flushed.waited));
        let last = LastAttempt { step, attempt, ended_us, waited_us };
        let flush = Flush { batch_no, last, members };
        match flushed.result {
            Ok(rows) => self.flushed(flush, rows, walk, out)?,
            Err(reason) => self.flush_failed(flush, &reason, walk, out)?,
        }
        Ok(tokens)
    }

    /// Runs the plugin. A file that cannot be read is no fault of the batch.
    fn run_batch(
        &self,
        (batch_no, step): (u64, Step),
        due: Result<TriggerType, ErrorReason>,
        members: &Members,
    ) -> io::Result<Flushed> {
        let pipeline = self.pipeline;
        if let Err(reason) = due {
            let now = pipeline.clock.monotonic_us();
            return Ok(Flushed {
                result: Err(reason),
                failed: Vec::new(),
                started_us: now,
                ended_us: now,
                waited: Duration::ZERO,
            });
        }
        let unread = std::cell::RefCell::new(None);
        let mut rows = || -> Box<dyn Iterator<Item = Row> + '_> {
            Box::new(members.rows().map_while(|row| match row {
                Ok(row) => Some(row),
                Err(error) => {
                    *unread.borrow_mut() = Some(error);
                    None
                }
            }))
        };
        let visit = BatchVisit {
            run_id: pipeline.options.run_id,
            hash_version: pipeline.options.hash_version,
            batch_no,
            members: members.len(),
            clock: pipeline.clock.as_ref(),
        };
        let policies = (pipeline.dispatcher.policies(), step);
        let flushed = pipeline.dispatcher.aggregation(step).flush(&mut rows, visit, policies)?;
        match unread.into_inner() {
            Some(error) => Err(error),
            None => Ok(flushed),
        }
    }

    fn flushed(
        &mut self,
        flush: Flush,
        rows: BatchRows,
        walk: &mut Walk,
        out: &mut ChunkOutput,
    ) -> io::Result<()> {
        let NodeSpec::Aggregation { on_success, output_mode, .. } =
            self.pipeline.graph.node(flush.last.step).spec
        else {
            unreachable!("only aggregations have batches");
        };
        match output_mode {
            OutputMode::Transform => {
                let count = usize::try_from(rows.outputs.len()).expect("the rows of a batch were counted");
                let keys = walk.births(count).expect("the rows of a batch were counted");
                let (batch_no, step) = (flush.batch_no, flush.last.step);
                self.consume(flush, rows.quarantined, walk, out)?;
                // What failed goes first, as members come before what was made of them.
                self.walk(walk, &OpenSpan::NONE, out);
                out.tokens.reserve_exact(count);
                out.batch_outputs.reserve_exact(count);
                for (ordinal, (output, token)) in (0..).zip(rows.outputs.iter().zip(keys)) {
                    let (RawHash(hash), row) = output?;
                    out.tokens.push(TokenRecord::plain(token));
                    out.batch_outputs.push(BatchOutputRecord { batch_no, ordinal, token });
                    out.bodies.push_row(BodyKey { token, step }, &row);
                    let traveller = Traveller { token, row, hash, fresh: true, frames: None };
                    walk.stack.push(Travel { traveller, edge: on_success, error_at: None });
                    self.walk(walk, &OpenSpan::NONE, out);
                }
                Ok(())
            }
            OutputMode::Passthrough => self.pass_on(flush, rows, walk, out),
        }
    }

    /// The members end in their batch, but for those that were taken out of it.
    fn consume(
        &mut self,
        flush: Flush,
        mut quarantined: BTreeMap<u64, ErrorReason>,
        walk: &mut Walk,
        out: &mut ChunkOutput,
    ) -> io::Result<()> {
        let Flush { batch_no, last, members } = flush;
        let count = usize::try_from(members.len()).unwrap_or_default();
        out.states.reserve_exact(count);
        let mut rows = (!quarantined.is_empty()).then(|| members.rows());
        let mut failed = Vec::new();
        for (position, member) in (0..).zip(members.each()) {
            let (member, row) = (member?, rows.as_mut().and_then(Iterator::next).transpose()?);
            match quarantined.remove(&position) {
                None => {
                    out.states.push(self.member_state(&member, last, NodeStateStatus::Completed));
                    let outcome = TokenOutcomeRecord {
                        token: member.token,
                        outcome: Outcome::ConsumedInBatch,
                        sink: None,
                        group: None,
                        batch_no: ReleaseNo::new(batch_no),
                        error_at: None,
                    };
                    out.settled.push(walk.cause, outcome);
                    self.leave((member.token, &member.frames), &|_| false, walk, out);
                }
                Some(reason) => {
                    let row = row.expect("rows are read where members fail");
                    failed.extend(self.fail_member((member, row), last, reason, (walk, out)));
                }
            }
        }
        walk.stack.extend(failed.into_iter().rev());
        Ok(())
    }

    /// The members go on, each with its own row: one after the other, so that no more than one is under way. Those that were
    /// taken out of the batch go before them.
    fn pass_on(
        &mut self,
        flush: Flush,
        rows: BatchRows,
        walk: &mut Walk,
        out: &mut ChunkOutput,
    ) -> io::Result<()> {
        let Flush { last, members, .. } = flush;
        let NodeSpec::Aggregation { on_success, .. } = self.pipeline.graph.node(last.step).spec else {
            unreachable!("only aggregations have batches");
        };
        let BatchRows { outputs, quarantined } = rows;
        self.fail_some((&members, last), &quarantined, (walk, out))?;
        self.walk(walk, &OpenSpan::NONE, out);
        out.states.reserve_exact(usize::try_from(outputs.len()).unwrap_or_default());
        let kept = (0..).zip(members.each()).filter(|(position, _)| !quarantined.contains_key(position));
        for ((_, member), output) in kept.zip(outputs.iter()) {
            let (member, (RawHash(hash), row)) = (member?, output?);
            let mut state = self.member_state(&member, last, NodeStateStatus::Completed);
            let Member { token, frames, hash: before, .. } = member;
            if hash != before {
                state.output_hash = Some(hash);
                out.bodies.push_row(BodyKey { token, step: last.step }, &row);
            }
            out.states.push(state);
            let traveller = Traveller { token, row, hash, fresh: false, frames };
            walk.stack.push(Travel { traveller, edge: on_success, error_at: None });
            self.walk(walk, &OpenSpan::NONE, out);
        }
        Ok(())
    }

    /// The members that were taken out of a batch fail.
    fn fail_some(
        &mut self,
        (members, last): (&Members, LastAttempt),
        quarantined: &BTreeMap<u64, ErrorReason>,
        (walk, out): (&mut Walk, &mut ChunkOutput),
    ) -> io::Result<()> {
        if quarantined.is_empty() {
            return Ok(());
        }
        let mut failed = Vec::new();
        for (position, member) in (0..).zip(members.with_rows()) {
            if let Some(reason) = quarantined.get(&position) {
                failed.extend(self.fail_member(member?, last, reason.clone(), (walk, out)));
            }
        }
        walk.stack.extend(failed.into_iter().rev());
        Ok(())
    }

    /// Every member goes to the aggregation's `on_error`: each fails before the first goes on.
    fn flush_failed(
        &mut self,
        flush: Flush,
        reason: &ErrorReason,
        walk: &mut Walk,
        out: &mut ChunkOutput,
    ) -> io::Result<()> {
        let mut failed = Vec::new();
        for member in flush.members.with_rows() {
            failed.extend(self.fail_member(member?, flush.last, reason.clone(), (walk, out)));
        }
        walk.stack.extend(failed.into_iter().rev());
        Ok(())
    }

    fn fail_member(
        &mut self,
        (member, row): (Member, Row),
        last: LastAttempt,
        reason: ErrorReason,
        (walk, out): (&mut Walk, &mut ChunkOutput),
    ) -> Option<Travel> {
        out.states.push(self.member_state(&member, last, NodeStateStatus::Failed));
        let Member { token, hash, frames, .. } = member;
        let traveller = Traveller { token, row, hash, fresh: false, frames };
        self.fail(Failing { traveller, at: (last.step, last.attempt), reason }, walk, out)
    }

    /// A member's state: from when it was accepted to the end of the flush.
    fn member_state(
        &self,
        member: &Member,
        LastAttempt { step, attempt, ended_us, waited_us }: LastAttempt,
        status: NodeStateStatus,
    ) -> NodeStateRecord {
        let (started_us, duration_us) = self.pipeline.span_us(member.since_us, ended_us);
        NodeStateRecord {
            token: member.token,
            step,
            attempt,
            status,
            input_hash: member.fresh.then_some(member.hash),
            output_hash: None,
            started_us,
            duration_us,
            waited_us,
        }
    }

    /// The content leaf of the release whose records begin at `marks`.
    fn close_release(
        &self,
        out: &mut ChunkOutput,
        marks: &Marks,
        (batch_no, members): (u64, &[TokenKey]),
    ) -> ContentHash {
        out.sort_from(marks);
        out.release_from(marks, Records::All(batch_no, members)).leaf(self.pipeline.options.hash_version)
    }
}

/// One record for each attempt; the number of the last.
fn record_attempts(
    (batch_no, step): (u64, Step),
    trigger: Option<TriggerType>,
    flushed: &Flushed,
    out: &mut ChunkOutput,
) -> u8 {
    let mut attempt = 0;
    let mut record = |status, reason: Option<&ErrorReason>| {
        let reason = reason.map(|reason| reason.message.clone());
        out.batches.push(BatchRecord { batch_no, step, attempt, status, trigger, reason });
        attempt += 1;
    };
    for FailedAttempt { reason, .. } in &flushed.failed {
        record(BatchStatus::Failed, Some(reason));
    }
    match &flushed.result {
        Ok(_) => record(BatchStatus::Completed, None),
        Err(reason) => record(BatchStatus::Failed, Some(reason)),
    }
    attempt - 1
}
