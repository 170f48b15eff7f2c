//! The way of tokens from node to node.

use crate::pipeline::{Branch, Kind, Route, Target};
use crate::plugins::{self, Changed};

use super::{Event, Frame, Interpreter, Key, Origin, Token, keeps};

/// Tokens under way: what a row, or one release of a batch or merge, sets in motion. A token and all that comes of it go
/// to their ends before the token's next sibling moves.
#[derive(Debug)]
pub(super) struct Walk {
    origin: Origin,
    /// The ordinal of the next token that is born here.
    next: usize,
    /// Who goes next is last.
    stack: Vec<(Token, Target, Came)>,
}

/// How a token came to where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Straight,
    /// A gate decided.
    Sent,
}

impl Walk {
    pub(super) fn of(origin: Origin, next: usize) -> Self {
        Self { origin, next, stack: Vec::new() }
    }

    pub(super) fn birth(&mut self) -> Key {
        self.next += 1;
        Key { origin: self.origin, ordinal: self.next - 1 }
    }

    /// Lets a token go before all others.
    pub(super) fn push(&mut self, token: Token, target: Target) {
        self.stack.push((token, target, Came::Straight));
    }

    /// Lets tokens go before all others, one after the other.
    pub(super) fn push_all(&mut self, tokens: Vec<(Token, Target)>) {
        for (token, target) in tokens.into_iter().rev() {
            self.push(token, target);
        }
    }
}

impl Interpreter<'_> {
    pub(super) fn walk(&mut self, mut walk: Walk) {
        while let Some((token, target, came)) = walk.stack.pop() {
            self.step(token, target, came, &mut walk);
        }
    }

    fn step(&mut self, token: Token, target: Target, came: Came, walk: &mut Walk) {
        match target {
            Target::Sink(sink) => {
                let outcome = if came == Came::Sent { "routed" } else { "completed" };
                self.write(sink, token, outcome);
            }
            Target::Branch { coalesce, branch } => {
                let mut token = token;
                let frame = token.frames.pop().expect("a branch's end is reached on the branch");
                assert_eq!((frame.coalesce, frame.branch), (coalesce, branch));
                if self.ordered.contains(&coalesce) {
                    self.inbox.entry(coalesce).or_default().push(Event::Arrived(token, frame));
                } else if let Some(resolution) = self.join(token, frame) {
                    self.resolve(resolution, walk);
                }
            }
            Target::Node(node) => {
                let pipeline = self.pipeline;
                match &pipeline.nodes[node].kind {
                    Kind::Transform { change, next, on_error } => match plugins::change(change, &token.row) {
                        Ok(Changed::One(row)) => walk.push(Token { row, ..token }, *next),
                        Ok(Changed::Many(rows)) => self.expand(token, rows, *next, walk),
                        Err(plugins::Failed) => self.fail(token, *on_error, walk),
                    },
                    Kind::Gate { condition, routes, fork, on_error } => {
                        let label = condition.label(&token.row).ok();
                        let route = label.and_then(|l| routes.iter().find(|(label, _)| *label == l));
                        match route {
                            Some((_, Route::To(target))) => self.send(token, *target, walk),
                            Some((_, Route::Fork)) => self.fork(token, fork, walk),
                            None => self.fail(token, *on_error, walk),
                        }
                    }
                    Kind::Aggregation(_) => {
                        self.inbox.entry(node).or_default().push(Event::Came(token));
                    }
                    Kind::Coalesce(_) => unreachable!("tokens come to a coalesce on branches"),
                }
            }
        }
    }

    /// Lets a gate's token go where it was sent; branches whose coalesce it cannot reach from there are lost.
    fn send(&mut self, mut token: Token, target: Target, walk: &mut Walk) {
        let pipeline = self.pipeline;
        let (kept, left): (Vec<Frame>, Vec<Frame>) =
            token.frames.iter().partition(|frame| keeps(pipeline, target, frame));
        token.frames = kept;
        // The token itself goes first, then what the loss of its branches has set free.
        self.drop_frames(token.key, &left, walk);
        walk.stack.push((token, target, Came::Sent));
    }

    fn expand(&mut self, token: Token, rows: Vec<crate::pipeline::Row>, next: Target, walk: &mut Walk) {
        self.settle(token.key, "expanded");
        assert!(token.frames.is_empty(), "the generator expands on no branch that is joined");
        let children = rows.into_iter().map(|row| Token { key: walk.birth(), row, frames: Vec::new() });
        let children: Vec<_> = children.collect();
        walk.push_all(children.into_iter().map(|child| (child, next)).collect());
    }

    fn fork(&mut self, token: Token, branches: &[Branch], walk: &mut Walk) {
        self.settle(token.key, "forked");
        let pipeline = self.pipeline;
        let mut children = Vec::new();
        for branch in branches {
            let outer = token.frames.iter().filter(|frame| keeps(pipeline, branch.to, frame));
            let mut frames: Vec<Frame> = outer.copied().collect();
            frames.extend(branch.feeds.map(|(coalesce, position)| Frame {
                parent: token.key,
                coalesce,
                branch: position,
            }));
            self.enter_frames(&frames);
            children.push((Token { key: walk.birth(), row: token.row.clone(), frames }, branch.to));
        }
        self.drop_frames(token.key, &token.frames, walk);
        for (child, target) in children.into_iter().rev() {
            walk.stack.push((child, target, Came::Sent));
        }
    }
}
