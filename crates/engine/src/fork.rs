//! Where a token becomes several, and where several become one.

use std::collections::BTreeMap;
use std::sync::Arc;

use elspeth_canonical::{ContentHash, to_canonical_vec};
use elspeth_contracts::{
    EdgeNo, ErrorReason, FailureKind, NodeStateRecord, NodeStateStatus, Outcome, ReleaseNo,
    RoutingEventRecord, StateContextRecord, Step, TokenKey, TokenOrigin, TokenOutcomeRecord,
    TokenParentRecord, TokenRecord, TransformErrorRecord,
};
use elspeth_executors::MergedRow;
use elspeth_graph::{ForkBranch, NodeSpec};
use elspeth_payload::BodyKey;
use elspeth_value::Row;

use crate::branch::{Frame, Frames, Resolution, Traveller, Waiting, each, retain};
use crate::chunk::ChunkOutput;
use crate::signal::{Message, Signal};
use crate::walk::{Failing, Travel, Walk, Walker};

impl Walker<'_> {
    /// One child for each branch of the gate. `state` is the gate's, not recorded yet.
    pub(crate) fn fork(
        &mut self,
        traveller: Traveller,
        mut state: NodeStateRecord,
        walk: &mut Walk,
        out: &mut ChunkOutput,
    ) -> Option<Travel> {
        let pipeline = self.pipeline;
        let step = state.step;
        let NodeSpec::Gate { fork, .. } = &pipeline.graph.node(step).spec else {
            unreachable!("only gates fork");
        };
        let keys = match walk.births(fork.len()) {
            Ok(keys) => keys,
            Err(reason) => {
                state.status = NodeStateStatus::Failed;
                let at = (step, state.attempt);
                out.states.push(state);
                return self.fail(Failing { traveller, at, reason }, walk, out);
            }
        };
        let parent = traveller.token;
        let attempt = state.attempt;
        out.states.push(state);
        let mut children = Vec::with_capacity(fork.len());
        for (ordinal, (branch, token)) in (0..).zip(fork.iter().zip(keys)) {
            let edge = branch.edge;
            out.routing.push(RoutingEventRecord {
                token: parent,
                step,
                attempt,
                ordinal,
                edge,
                reason: None,
            });
            bear(
                &[parent],
                TokenRecord { token, branch: Some(Arc::clone(&branch.name)), group: Some(parent) },
                out,
            );
            let frames = self.frames_of(branch, &traveller);
            self.enter(&frames, walk, out);
            let child =
                Traveller { token, row: traveller.row.clone(), hash: traveller.hash, fresh: true, frames };
            children.push(Travel { traveller: child, edge, error_at: None });
        }
        settle_parent(parent, Outcome::Forked, parent, walk, out);
        self.leave((parent, &traveller.frames), &|_| false, walk, out);
        walk.stack.extend(children.into_iter().rev());
        None
    }

    /// The branches that a child is on: those of its parent that it can still bring to their coalesce, and its own.
    fn frames_of(&self, branch: &ForkBranch, parent: &Traveller) -> Frames {
        let graph = &self.pipeline.graph;
        let outer = retain(&parent.frames, &|frame| graph.reaches(branch.edge, frame.coalesce));
        let Some(coalesce) = branch.coalesce else { return outer };
        let NodeSpec::Coalesce { branches, .. } = &graph.node(coalesce).spec else {
            unreachable!("the graph's builder lets branches feed coalesces");
        };
        let position = branches.iter().position(|name| **name == *branch.name);
        let position = position.expect("the graph's builder knows the branches of a coalesce");
        let branch = u16::try_from(position).expect("a gate has fewer branches than a graph has edges");
        Some(Arc::new(Frame { fork: parent.token, coalesce, branch, outer }))
    }

    /// Counts a new token on its branches.
    fn enter(&self, frames: &Frames, walk: &mut Walk, out: &mut ChunkOutput) {
        for frame in each(frames) {
            if self.crosses(frame.coalesce) {
                let message = Message::Entered { frame: Arc::clone(frame) };
                out.signals.push(Signal { step: frame.coalesce, cause: walk.cause, message });
            } else {
                walk.merges.enter(frame, self.pipeline.dispatcher.coalesce(frame.coalesce).width());
            }
        }
    }

    /// One child for each row. `state` is the transform's, not recorded yet.
    pub(crate) fn expand(
        &mut self,
        traveller: Traveller,
        (rows, edge): (Vec<(Row, ContentHash)>, EdgeNo),
        mut state: NodeStateRecord,
        walk: &mut Walk,
        out: &mut ChunkOutput,
    ) -> Option<Travel> {
        let (step, attempt, parent) = (state.step, state.attempt, traveller.token);
        let keys = match walk.births(rows.len()) {
            Ok(keys) => keys,
            Err(reason) => {
                state.status = NodeStateStatus::Failed;
                out.states.push(state);
                return self.fail(Failing { traveller, at: (step, attempt), reason }, walk, out);
            }
        };
        out.states.push(state);
        let mut children = Vec::with_capacity(rows.len());
        for ((row, hash), token) in rows.into_iter().zip(keys) {
            bear(&[parent], TokenRecord { token, branch: None, group: Some(parent) }, out);
            out.bodies.push_row(BodyKey { token, step }, &row);
            let child = Traveller { token, row, hash, fresh: true, frames: None };
            children.push(Travel { traveller: child, edge, error_at: None });
        }
        settle_parent(parent, Outcome::Expanded, parent, walk, out);
        // The graph's builder lets no expansion stand between a fork and its coalesce.
        self.leave((parent, &traveller.frames), &|_| false, walk, out);
        walk.stack.extend(children.into_iter().rev());
        None
    }

    /// A token has come to a coalesce.
    pub(crate) fn meet(
        &mut self,
        mut traveller: Traveller,
        (step, crosses_rows): (Step, bool),
        walk: &mut Walk,
        out: &mut ChunkOutput,
    ) {
        let stack = traveller.frames.take();
        let frame = each(&stack).find(|frame| frame.coalesce == step).cloned();
        let frame = frame.expect("the graph's builder lets only branches come to a coalesce");
        traveller.frames = frame.outer.clone();
        if crosses_rows {
            let message = Message::Arrived { traveller, frame };
            out.signals.push(Signal { step, cause: walk.cause, message });
            return;
        }
        let now_us = self.pipeline.clock.monotonic_us();
        let executor = self.pipeline.dispatcher.coalesce(step);
        if let Some(resolution) = walk.merges.arrive(&frame, traveller, (now_us, executor)) {
            self.resolve(resolution, walk, out);
        }
    }

    /// Merges branches into one token, or lets them fail.
    pub(crate) fn resolve(&mut self, resolution: Resolution, walk: &mut Walk, out: &mut ChunkOutput) {
        let executor = self.pipeline.dispatcher.coalesce(resolution.coalesce);
        let merged = match &resolution.failure {
            Some(reason) => Err(reason.clone()),
            None => {
                let rows: Vec<_> = resolution.arrived.iter().map(|(b, w)| (*b, &w.traveller.row)).collect();
                executor.merge(&rows).and_then(|merged| self.hashed(merged, walk))
            }
        };
        let none = BTreeMap::new();
        let collisions = merged.as_ref().map_or(&none, |(merged, ..)| &merged.collisions);
        if !resolution.late {
            let context = executor.context(&resolution.branches, collisions);
            let context = to_canonical_vec(&context).expect("names and lists have a canonical form");
            out.contexts.push(StateContextRecord {
                token: resolution.arrived[0].1.traveller.token,
                step: resolution.coalesce,
                attempt: 0,
                context: String::from_utf8(context).expect("canonical JSON is UTF-8"),
            });
        }
        match merged {
            Ok((merged, hash, key)) => self.merge(resolution, (merged.row, hash, key), walk, out),
            Err(reason) => self.fail_merge(resolution, &reason, walk, out),
        }
    }

    fn hashed(
        &mut self,
        merged: MergedRow,
        walk: &mut Walk,
    ) -> Result<(MergedRow, ContentHash, TokenKey), ErrorReason> {
        let version = self.pipeline.options.hash_version;
        let hash = merged.row.content_hash(version, &mut self.scratch.canonical).map_err(|error| {
            ErrorReason::new(FailureKind::Unhashable, format!("merged row cannot be hashed: {error}"))
        })?;
        let key = walk.births(1)?.next().expect("one was asked for");
        Ok((merged, hash, key))
    }

    fn merge(
        &mut self,
        resolution: Resolution,
        (row, hash, token): (Row, ContentHash, TokenKey),
        walk: &mut Walk,
        out: &mut ChunkOutput,
    ) {
        let step = resolution.coalesce;
        let NodeSpec::Coalesce { on_success, .. } = self.pipeline.graph.node(step).spec else {
            unreachable!("branches only meet at a coalesce");
        };
        let parents: Vec<_> = resolution.arrived.iter().map(|(_, w)| w.traveller.token).collect();
        bear(&parents, TokenRecord { token, branch: None, group: Some(token) }, out);
        out.bodies.push_row(BodyKey { token, step }, &row);
        let mut frames = None;
        for (place, (_, waiting)) in resolution.arrived.into_iter().enumerate() {
            let part = self.close(waiting, (step, NodeStateStatus::Completed), out);
            settle_parent(part.token, Outcome::Coalesced, token, walk, out);
            if place == 0 {
                frames = part.frames;
            } else {
                // The merged token takes the place of the first on the outer branches.
                self.replace(&part.frames, walk, out);
            }
        }
        let traveller = Traveller { token, row, hash, fresh: true, frames };
        walk.stack.push(Travel { traveller, edge: on_success, error_at: None });
    }

    fn replace(&self, frames: &Frames, walk: &mut Walk, out: &mut ChunkOutput) {
        for frame in each(frames) {
            if self.crosses(frame.coalesce) {
                let message = Message::Replaced { frame: Arc::clone(frame) };
                out.signals.push(Signal { step: frame.coalesce, cause: walk.cause, message });
            } else {
                walk.merges.leave(frame);
            }
        }
    }

    fn fail_merge(
        &mut self,
        resolution: Resolution,
        reason: &ErrorReason,
        walk: &mut Walk,
        out: &mut ChunkOutput,
    ) {
        let step = resolution.coalesce;
        let mut ended = Vec::new();
        for (_, waiting) in resolution.arrived {
            let part = self.close(waiting, (step, NodeStateStatus::Failed), out);
            out.transform_errors.push(TransformErrorRecord {
                token: part.token,
                step,
                attempt: 0,
                reason: reason.clone(),
                destination: None,
            });
            let outcome = TokenOutcomeRecord {
                token: part.token,
                outcome: Outcome::Failed,
                sink: None,
                group: None,
                // Nothing is born of a merge that fails, so nothing else would say which release it was.
                batch_no: match walk.origin {
                    TokenOrigin::Batch(number) => ReleaseNo::new(number),
                    TokenOrigin::Row(_) => None,
                },
                error_at: Some((step, 0)),
            };
            out.settled.push(walk.cause, outcome);
            ended.push((part.token, part.frames));
        }
        for (token, frames) in ended {
            self.leave((token, &frames), &|_| false, walk, out);
        }
    }

    /// Records a branch's state at its coalesce.
    fn close(
        &self,
        Waiting { mut traveller, since_us }: Waiting,
        (step, status): (Step, NodeStateStatus),
        out: &mut ChunkOutput,
    ) -> Traveller {
        let (started_us, duration_us) = self.pipeline.span_us(since_us, self.pipeline.clock.monotonic_us());
        out.states.push(NodeStateRecord {
            token: traveller.token,
            step,
            attempt: 0,
            status,
            input_hash: traveller.tell_hash(),
            output_hash: None,
            started_us,
            duration_us,
            waited_us: 0,
        });
        traveller
    }
}

/// Records a new token.
fn bear(parents: &[TokenKey], record: TokenRecord, out: &mut ChunkOutput) {
    let token = record.token;
    out.tokens.push(record);
    let parents = (0..).zip(parents);
    out.parents.extend(parents.map(|(ordinal, parent)| TokenParentRecord {
        token,
        parent: *parent,
        ordinal,
    }));
}

fn settle_parent(token: TokenKey, outcome: Outcome, group: TokenKey, walk: &Walk, out: &mut ChunkOutput) {
    let outcome =
        TokenOutcomeRecord { token, outcome, sink: None, group: Some(group), batch_no: None, error_at: None };
    out.settled.push(walk.cause, outcome);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use elspeth_canonical::HashVersion;
    use elspeth_contracts::{Determinism, IdSource as _, Micros, RowIndex};
    use elspeth_executors::{Cause, Dispatcher, Policies, StepPlugins};
    use elspeth_graph::spec::{NodeDecl, NodeKind, PluginRef, Ref};
    use elspeth_graph::{ExecutionGraph, GraphSpec, SettingPath};
    use elspeth_payload::FilesystemStore;
    use elspeth_plugin::{Transform, TransformContext, TransformOutput, TransformResult};
    use elspeth_telemetry::{OpenSpan, Spans};
    use elspeth_testkit::{ManualClock, SeededIds};
    use elspeth_value::{Contract, Value};

    use super::*;
    use crate::{EngineOptions, EpochBounds, Pipeline};

    /// Makes two rows of one.
    struct Twice;

    impl Transform for Twice {
        fn output_contract(&self, _input: &Contract) -> Result<Contract, Vec<elspeth_plugin::OptionError>> {
            Ok(Contract::observed())
        }

        fn expands(&self) -> bool {
            true
        }

        fn process(&self, row: Row, _context: &TransformContext<'_>) -> TransformResult {
            Ok(TransformOutput::Many(vec![row.clone(), row]))
        }
    }

    /// `source -> twice -> out`, errors to `failed`.
    fn graph() -> ExecutionGraph {
        let at = SettingPath::default;
        let to = |name: &str| Ref::new(name, at());
        let test = || PluginRef {
            name: "test".to_owned(),
            version: "1.0.0".to_owned(),
            determinism: Determinism::Deterministic,
        };
        let node = |name: &str, kind| NodeDecl {
            name: to(name),
            at: at(),
            plugin: test(),
            config: "{}".to_owned(),
            service: None,
            kind,
        };
        let any = Contract::observed;
        let source = NodeKind::Source { on_success: to("rows"), on_invalid: to("discard"), contract: any() };
        let twice = NodeKind::Transform {
            input: to("rows"),
            on_success: to("out"),
            on_error: to("failed"),
            needs: any(),
            output: Box::new(|_| Ok(Contract::observed())),
            expands: true,
        };
        let sink = || NodeKind::Sink { on_write_failure: to("discard"), needs: any() };
        let nodes =
            vec![node("source", source), node("twice", twice), node("out", sink()), node("failed", sink())];
        ExecutionGraph::build(GraphSpec { nodes, ..GraphSpec::default() }).expect("the graph is valid").0
    }

    fn pipeline() -> Pipeline {
        let graph = Arc::new(graph());
        let clock = Arc::new(ManualClock::at(Micros(0)));
        let twice: Arc<dyn Transform> = Arc::new(Twice);
        let transforms = BTreeMap::from([(graph.named("twice").expect("it is there").step, twice)]);
        let plugins = StepPlugins { transforms, ..StepPlugins::default() };
        Pipeline {
            dispatcher: Dispatcher::new(&graph, &plugins, Policies::none(clock.clone()))
                .expect("it is given"),
            graph,
            clock,
            bodies: FilesystemStore::new("never-needed"),
            spans: Spans::OFF,
            deciding: Arc::default(),
            options: EngineOptions {
                run_id: SeededIds::new(1).next_run_id(),
                hash_version: HashVersion::default(),
                run_start_us: 0,
                max_workers: 1,
                bounds: EpochBounds::default(),
            },
        }
    }

    #[test]
    fn a_row_that_would_become_too_many_tokens_goes_on_as_it_came() {
        let pipeline = pipeline();
        let first = RowIndex::new(0).unwrap();
        let row = Row::from_pairs([("n".into(), Value::Int(7))]);
        let hash = row.content_hash(HashVersion::default(), &mut Vec::new()).unwrap();
        let token = TokenKey::of_row(first, 0).unwrap();
        let traveller = Traveller { token, row: row.clone(), hash, fresh: false, frames: None };
        let mut walker = Walker::new(&pipeline);
        let mut out = ChunkOutput::default();
        // One number is left where two are wanted.
        let mut walk = Walk::new(TokenOrigin::Row(first), TokenKey::ORDINAL_LIMIT - 1, Cause::default());
        let edge = walker.on_success;
        walker.follow(Travel { traveller, edge, error_at: None }, &mut walk, &OpenSpan::NONE, &mut out);
        let failed = pipeline.graph.named("failed").unwrap().step;
        let arrived: Vec<_> = out.arrivals.into_iter().map(|(sink, arrival)| (sink, arrival.row)).collect();
        assert_eq!(arrived, [(failed, row)]);
        assert_eq!(out.transform_errors[0].reason.kind, FailureKind::LimitExceeded);
        assert!(out.tokens.is_empty() && walk.stack.is_empty());
    }
}
