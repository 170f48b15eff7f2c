//! The reference interpreter: what a pipeline does with its input, one row at a time.
//!
//! No epochs, no workers, no database, no plugins of the program. A source row goes through the whole graph before the
//! next one is looked at. Aggregations and coalesces that wait across rows take what a row brought them in step order,
//! and each of them in the order of token numbers. What it predicts are the rows of every sink in their order, and what
//! became of every token.

mod csv;
mod joining;
mod source;
mod walking;

use std::collections::BTreeMap;

use crate::pipeline::{
    Aggregation, BatchCondition, Fate, Kind, NodeNo, Pipeline, Row, SINKS, SinkNo, Target,
};
use crate::plugins;
use crate::settings;
use joining::Group;
use walking::Walk;

/// Stands for words and times that no model can know.
pub(crate) const MASKED: &str = "*";

/// What a run of the pipeline gives.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Prediction {
    /// Lines of each sink.
    pub(crate) sinks: BTreeMap<String, Vec<String>>,
    /// How many rows each sink got.
    pub(crate) destinations: BTreeMap<String, u64>,
    /// How many tokens ended how.
    pub(crate) outcomes: BTreeMap<&'static str, u64>,
    /// Source records.
    pub(crate) processed: u64,
    /// Merges that did not come about although a branch had arrived.
    pub(crate) coalesce_failed: u64,
}

/// Where a token was born.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    Row(usize),
    Release(usize),
}

/// A token's number; its order is the canonical one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    origin: Origin,
    ordinal: usize,
}

/// A row on its way.
#[derive(Debug, Clone)]
struct Token {
    key: Key,
    row: Row,
    /// The branches it is on, the innermost last; only those whose coalesce it can still reach.
    frames: Vec<Frame>,
}

/// One branch of one fork of one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    parent: Key,
    coalesce: NodeNo,
    branch: usize,
}

/// What a row brought to a node that waits across rows.
#[derive(Debug)]
enum Event {
    Came(Token),
    Arrived(Token, Frame),
    Lost(Key, Frame),
}

/// A row that a sink got.
#[derive(Debug)]
struct Written {
    sink: SinkNo,
    cause: usize,
    key: Key,
    row: Row,
}

struct Interpreter<'a> {
    pipeline: &'a Pipeline,
    /// Nodes that wait across rows, in step order.
    ordered: Vec<NodeNo>,
    /// How many releases each of them had.
    releases: BTreeMap<NodeNo, usize>,
    inbox: BTreeMap<NodeNo, Vec<Event>>,
    batches: BTreeMap<NodeNo, Vec<Token>>,
    groups: BTreeMap<(NodeNo, Key), Group>,
    /// The row whose processing makes what happens happen.
    cause: usize,
    written: Vec<Written>,
    outcomes: BTreeMap<Key, &'static str>,
    coalesce_failed: u64,
}

/// What becomes of the pipeline's input. `steps` are the positions of nodes in the graph.
pub(crate) fn predict(pipeline: &Pipeline, steps: &BTreeMap<String, usize>) -> Prediction {
    let mut ordered: Vec<NodeNo> = (0..pipeline.nodes.len()).filter(|no| pipeline.waits(*no)).collect();
    ordered.sort_by_key(|no| steps[&pipeline.nodes[*no].name]);
    let mut interpreter = Interpreter {
        pipeline,
        ordered,
        releases: BTreeMap::new(),
        inbox: BTreeMap::new(),
        batches: BTreeMap::new(),
        groups: BTreeMap::new(),
        cause: 0,
        written: Vec::new(),
        outcomes: BTreeMap::new(),
        coalesce_failed: 0,
    };
    interpreter.run();
    interpreter.prediction()
}

impl Interpreter<'_> {
    fn run(&mut self) {
        let rows = source::rows(self.pipeline);
        let count = rows.len();
        for (index, row) in rows.into_iter().enumerate() {
            self.cause = index;
            let key = Key { origin: Origin::Row(index), ordinal: 0 };
            match row {
                Ok(row) => {
                    let mut walk = Walk::of(key.origin, 1);
                    walk.push(Token { key, row, frames: Vec::new() }, self.pipeline.start);
                    self.walk(walk);
                }
                Err(row) => match self.pipeline.on_invalid {
                    Fate::Discard => self.settle(key, "quarantined"),
                    Fate::Sink(sink) => {
                        self.write(sink, Token { key, row, frames: Vec::new() }, "quarantined")
                    }
                },
            }
            self.settle_ordered(false);
        }
        self.cause = count;
        self.settle_ordered(true);
    }

    /// Lets the nodes that wait across rows take what was brought to them, each before those behind it.
    fn settle_ordered(&mut self, at_end: bool) {
        for node in self.ordered.clone() {
            let mut events = self.inbox.remove(&node).unwrap_or_default();
            events.sort_by_key(|event| match event {
                Event::Came(token) | Event::Arrived(token, _) => token.key,
                Event::Lost(key, _) => *key,
            });
            for event in events {
                let resolution = match event {
                    Event::Came(token) => {
                        self.accept(node, token);
                        continue;
                    }
                    Event::Arrived(token, frame) => self.join(token, frame),
                    Event::Lost(_, frame) => self.lose(frame),
                };
                if let Some(resolution) = resolution {
                    let mut walk = Walk::of(self.release(node), 0);
                    self.resolve(resolution, &mut walk);
                    self.walk(walk);
                }
            }
            if at_end && let Some(members) = self.batches.remove(&node) {
                self.flush(node, members);
            }
        }
    }

    fn aggregation(&self, node: NodeNo) -> &Aggregation {
        match &self.pipeline.nodes[node].kind {
            Kind::Aggregation(aggregation) => aggregation,
            Kind::Transform { .. } | Kind::Gate { .. } | Kind::Coalesce(_) => {
                unreachable!("only aggregations collect")
            }
        }
    }

    fn accept(&mut self, node: NodeNo, token: Token) {
        let members = self.batches.entry(node).or_default();
        members.push(token);
        let count = members.len();
        let aggregation = self.aggregation(node);
        let asked = match aggregation.condition {
            Some(BatchCondition::Holds(wanted)) => count >= wanted,
            Some(BatchCondition::AnyAge) => true,
            Some(BatchCondition::VeryOld) | None => false,
        };
        if asked || aggregation.count.is_some_and(|wanted| count >= wanted) {
            let members = self.batches.remove(&node).unwrap();
            self.flush(node, members);
        }
    }

    /// The origin of tokens that the node's next release gives birth to.
    fn release(&mut self, node: NodeNo) -> Origin {
        let position = self.ordered.iter().position(|no| *no == node).unwrap();
        let released = self.releases.entry(node).or_default();
        let number = *released * self.ordered.len() + position;
        *released += 1;
        Origin::Release(number)
    }

    fn flush(&mut self, node: NodeNo, members: Vec<Token>) {
        let origin = self.release(node);
        let pipeline = self.pipeline;
        let Kind::Aggregation(aggregation) = &pipeline.nodes[node].kind else {
            unreachable!("only aggregations collect")
        };
        let rows: Vec<&Row> = members.iter().map(|member| &member.row).collect();
        let output = plugins::batch(&aggregation.batch, &rows);
        let kept = members.len() - output.quarantined.len();
        let unexpected = aggregation.expected.is_some_and(|expected| expected != output.rows.len());
        if unexpected || (aggregation.passthrough && output.rows.len() != kept) {
            let mut walk = Walk::of(origin, 0);
            for member in members {
                self.fail(member, aggregation.on_error, &mut walk);
            }
            self.walk(walk);
            return;
        }
        self.outputs(origin, aggregation, members, output);
    }

    fn outputs(
        &mut self,
        origin: Origin,
        aggregation: &Aggregation,
        members: Vec<Token>,
        output: plugins::Output,
    ) {
        let mut walk = Walk::of(origin, 0);
        let mut kept = Vec::new();
        for (position, member) in members.into_iter().enumerate() {
            if output.quarantined.contains(&position) {
                self.fail(member, aggregation.on_error, &mut walk);
            } else {
                kept.push(member);
            }
        }
        let mut released = Vec::new();
        if aggregation.passthrough {
            released.extend(kept.into_iter().zip(output.rows).map(|(member, row)| Token { row, ..member }));
        } else {
            for member in kept {
                self.settle(member.key, "consumed_in_batch");
            }
            let token = |row| Token { key: walk.birth(), row, frames: Vec::new() };
            released.extend(output.rows.into_iter().map(token));
        }
        walk.push_all(released.into_iter().map(|token| (token, aggregation.next)).collect());
        self.walk(walk);
    }

    /// What becomes of a token that failed at a node.
    fn fail(&mut self, token: Token, fate: Fate, walk: &mut Walk) {
        let Token { key, row, frames } = token;
        match fate {
            Fate::Discard => self.settle(key, "quarantined"),
            Fate::Sink(sink) => self.write(sink, Token { key, row, frames: Vec::new() }, "routed"),
        }
        self.drop_frames(key, &frames, walk);
    }

    fn settle(&mut self, key: Key, outcome: &'static str) {
        let before = self.outcomes.insert(key, outcome);
        assert_eq!(before, None, "{key:?} ended twice in the model");
    }

    fn write(&mut self, sink: SinkNo, token: Token, outcome: &'static str) {
        let Token { key, mut row, .. } = token;
        let cause = self.cause;
        let refused = row.get("c").is_some_and(|c| !c.is_null() && !c.is_i64());
        let (sink, outcome) = match self.pipeline.picky.get(&sink) {
            Some(Fate::Discard) if refused => return self.settle(key, "diverted"),
            Some(Fate::Sink(failsink)) if refused => {
                for (name, value) in [
                    ("__diverted_from", SINKS[sink]),
                    ("__diversion_reason", MASKED),
                    ("__diversion_kind", "sink_refused"),
                    ("__diversion_timestamp", MASKED),
                ] {
                    row.insert(name.to_owned(), value.into());
                }
                (*failsink, "diverted")
            }
            Some(Fate::Discard | Fate::Sink(_)) | None => (sink, outcome),
        };
        self.settle(key, outcome);
        self.written.push(Written { sink, cause, key, row });
    }

    fn prediction(mut self) -> Prediction {
        assert!(self.batches.is_empty(), "batches stay open in the model");
        let mut prediction = Prediction { coalesce_failed: self.coalesce_failed, ..Prediction::default() };
        prediction.processed = u64::try_from(source::rows(self.pipeline).len()).unwrap();
        self.written.sort_by_key(|written| (written.cause, written.key));
        for sink in settings::used_sinks(self.pipeline) {
            let rows = self.written.iter().filter(|written| written.sink == sink);
            let rows: Vec<Row> = rows.map(|written| written.row.clone()).collect();
            let json = || rows.iter().map(|row| serde_json::to_string(row).unwrap()).collect();
            let lines = if self.pipeline.csv == Some(sink) { csv::lines(&rows) } else { json() };
            prediction.destinations.insert(SINKS[sink].to_owned(), rows.len() as u64);
            prediction.sinks.insert(SINKS[sink].to_owned(), lines);
        }
        for outcome in self.outcomes.into_values() {
            *prediction.outcomes.entry(outcome).or_default() += 1;
        }
        prediction
    }
}

/// Whether what goes on from `target` may still reach the coalesce of a frame.
fn keeps(pipeline: &Pipeline, target: Target, frame: &Frame) -> bool {
    pipeline.reaches(target, frame.coalesce)
}
