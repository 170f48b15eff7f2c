//! A lineage as a tree of things that can be selected: the row, its tokens, their states, and what belongs to those.
//!
//! Invariant: nodes stand in the order in which they are drawn, each before what is below it; there is always a root.

use elspeth_app::{
    CallStatus, Lineage, LineageCall, LineageMembership, LineageSource, LineageState, LineageToken,
    LineageTree, LineageWords, NodeStateStatus, Outcome, TokenId, printable,
};

/// Members and outputs of a batch are shown from the beginning when there are at most so many.
const FEW: usize = 10;
/// Tokens below others are shown with their states from the beginning when there are at most so many.
const FEW_TOKENS: usize = 12;

/// What can be selected, by positions in the lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Item {
    /// The row, or where the tokens came from when they have none of their own.
    Origin,
    /// A token.
    Token(usize),
    /// What a token was merged of, or made of: its `index`-th parent.
    Parent { token: usize, index: usize },
    /// The batch that made a token.
    MadeBy(usize),
    /// A member of that.
    Member { token: usize, index: usize },
    /// There are more members than are listed.
    MoreMembers(usize),
    /// An attempt at a node.
    State { token: usize, state: usize },
    /// One way that the token was sent from there.
    Routing { token: usize, state: usize, index: usize },
    /// A request to the outside.
    Call { token: usize, state: usize, index: usize },
    /// A batch that took a token.
    Membership { token: usize, batch: usize },
    /// What that batch made.
    Output { token: usize, batch: usize, index: usize },
    /// What became of a token.
    Outcome(usize),
}

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Bad,
    /// Not finished.
    Open,
    /// Stands somewhere else.
    Elsewhere,
}

impl Tone {
    /// What tells it without colours.
    const fn sign(self) -> char {
        match self {
            Self::Plain | Self::Elsewhere => ' ',
            Self::Good => '✓',
            Self::Bad => '✗',
            Self::Open => '…',
        }
    }
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) item: Item,
    pub(super) depth: usize,
    pub(super) label: String,
    pub(super) tone: Tone,
    /// The token that it is about and that is asked about when it is opened.
    pub(super) token: Option<TokenId>,
    /// The node above.
    pub(super) above: Option<usize>,
    /// The first node that is not below this one.
    pub(super) end: usize,
    /// Whether what is below it is hidden.
    pub(super) folded: bool,
}

impl Item {
    /// The token that it belongs to.
    pub(super) const fn owner(self) -> Option<usize> {
        match self {
            Self::Origin => None,
            Self::Token(token)
            | Self::MadeBy(token)
            | Self::MoreMembers(token)
            | Self::Outcome(token)
            | Self::Parent { token, .. }
            | Self::Member { token, .. }
            | Self::State { token, .. }
            | Self::Routing { token, .. }
            | Self::Call { token, .. }
            | Self::Membership { token, .. }
            | Self::Output { token, .. } => Some(token),
        }
    }
}

/// The nodes of a lineage.
pub(super) fn nodes(lineage: &Lineage) -> Vec<Node> {
    let words = LineageWords::of(lineage, "");
    let tree = LineageTree::of(&words);
    let mut planting = Planting { lineage, words: &words, tree: &tree, nodes: Vec::new(), path: Vec::new() };
    planting.within(Item::Origin, (origin(lineage), Tone::Plain), None, |planting| {
        tree.roots().for_each(|root| planting.token(root));
    });
    planting.nodes
}

struct Planting<'a> {
    lineage: &'a Lineage,
    words: &'a LineageWords<'a>,
    tree: &'a LineageTree<'a>,
    nodes: Vec<Node>,
    /// The nodes above the next one.
    path: Vec<usize>,
}

impl Planting<'_> {
    fn within(
        &mut self,
        item: Item,
        (label, tone): (String, Tone),
        token: Option<TokenId>,
        below: impl FnOnce(&mut Self),
    ) {
        let (at, above, depth) = (self.nodes.len(), self.path.last().copied(), self.path.len());
        let label = printable(&label);
        self.nodes.push(Node { item, depth, label, tone, token, above, end: at + 1, folded: false });
        self.path.push(at);
        below(self);
        self.path.pop();
        self.nodes[at].end = self.nodes.len();
    }

    fn leaf(&mut self, item: Item, label: (String, Tone), token: Option<TokenId>) {
        self.within(item, label, token, |_| {});
    }

    fn token(&mut self, at: usize) {
        let (token, below) = (&self.lineage.tokens[at], self.tree.below(at));
        let label = token_label(self.words, token);
        let place = self.nodes.len();
        self.within(Item::Token(at), (label, Tone::Plain), Some(token.token_id), |planting| {
            planting.origin_of(at, token);
            for (state, passed) in token.states.iter().enumerate() {
                planting.state((at, token), state, passed);
            }
            let unplaced =
                |batch: &LineageMembership| token.states.iter().all(|s| Some(s.step) != batch.step);
            for (batch, member) in token.batches.iter().enumerate().filter(|(_, batch)| unplaced(batch)) {
                planting.membership((at, batch), member);
            }
            let into = planting.words.merged_into(token);
            let tone = outcome_tone(token);
            let mut label = format!("{} {}", tone.sign(), planting.words.outcome_line(token));
            if let Some(into) = into {
                label = label.replace(&into.to_string(), &short(into));
            }
            planting.leaf(Item::Outcome(at), (label, tone), into.or(Some(token.token_id)));
            below.iter().for_each(|child| planting.token(*child));
        });
        self.nodes[place].folded = self.lineage.tokens.len() > FEW_TOKENS && self.nodes[place].depth > 1;
    }

    fn origin_of(&mut self, at: usize, token: &LineageToken) {
        if let Some(made_by) = &token.made_by {
            return self.made_by(at, made_by);
        }
        let place = |id: TokenId| self.words.place(id);
        let below_its_parent =
            token.parents.iter().all(|id| place(*id).is_some()) && token.parents.len() == 1;
        if below_its_parent {
            return;
        }
        for (index, parent) in token.parents.iter().enumerate() {
            let branch = place(*parent).and_then(|at| self.lineage.tokens[at].branch.clone());
            let what = branch.map_or_else(|| "token".to_owned(), |branch| format!("branch {branch} ·"));
            let label = format!("← {what} {}", short(*parent));
            self.leaf(Item::Parent { token: at, index }, (label, Tone::Elsewhere), Some(*parent));
        }
    }

    fn made_by(&mut self, at: usize, made_by: &LineageSource) {
        let members = &made_by.members;
        let label = format!("← batch {} · {} members", made_by.batch.batch, members.count);
        let place = self.nodes.len();
        self.within(Item::MadeBy(at), (label, Tone::Elsewhere), None, |planting| {
            for (index, member) in members.tokens.iter().enumerate() {
                let row = member.row_index.map(|row| format!("row {row} · ")).unwrap_or_default();
                let label = format!("{}: {row}{}", u64::from(member.position) + 1, short(member.token_id));
                let item = Item::Member { token: at, index };
                planting.leaf(item, (label, Tone::Elsewhere), Some(member.token_id));
            }
            if let Some(next) = members.next {
                let label = format!("… {} more (m)", members.count.saturating_sub(next));
                planting.leaf(Item::MoreMembers(at), (label, Tone::Elsewhere), None);
            }
        });
        self.nodes[place].folded = members.tokens.len() > FEW;
    }

    fn state(&mut self, (at, token): (usize, &LineageToken), state: usize, passed: &LineageState) {
        let (place, item) = (self.nodes.len(), Item::State { token: at, state });
        let here = |batch: &LineageMembership| batch.step == Some(passed.step);
        let label = (state_label(passed), state_tone(passed.status));
        self.within(item, label, Some(token.token_id), |planting| {
            for (batch, member) in token.batches.iter().enumerate().filter(|(_, batch)| here(batch)) {
                planting.membership((at, batch), member);
            }
            for (index, routing) in passed.routing.iter().enumerate() {
                let item = Item::Routing { token: at, state, index };
                planting.leaf(item, (routing.to_string(), Tone::Plain), Some(token.token_id));
            }
            for (index, call) in passed.calls.iter().enumerate() {
                let item = Item::Call { token: at, state, index };
                planting.leaf(item, call_label(call), Some(token.token_id));
            }
        });
        self.nodes[place].folded = !token.batches.iter().any(here);
    }

    fn membership(&mut self, (at, batch): (usize, usize), member: &LineageMembership) {
        let position = u64::from(member.position) + 1;
        let label = format!("→ batch {} · member {position} of {}", member.batch.batch, member.members);
        let place = self.nodes.len();
        let item = Item::Membership { token: at, batch };
        self.within(item, (label, Tone::Elsewhere), None, |planting| {
            for (index, output) in member.output_tokens.iter().enumerate() {
                let item = Item::Output { token: at, batch, index };
                planting.leaf(item, (format!("→ token {}", short(*output)), Tone::Elsewhere), Some(*output));
            }
        });
        self.nodes[place].folded = member.output_tokens.len() > FEW;
    }
}

/// As much of an id as tells the tokens of a run apart: their numbers have 56 bits, a letter stands for five.
pub(super) fn short(id: TokenId) -> String {
    let id = id.to_string();
    format!("…{}", &id[id.len().saturating_sub(12)..])
}

fn origin(lineage: &Lineage) -> String {
    match (&lineage.row, lineage.tokens.first()) {
        (Some(row), _) => format!("row {}", row.row_index),
        (None, Some(LineageToken { made_by: Some(made_by), .. })) => {
            format!("from batch {}", made_by.batch.batch)
        }
        (None, _) => "no row".to_owned(),
    }
}

/// What is special about it first: there may be no room for all.
fn token_label(words: &LineageWords<'_>, token: &LineageToken) -> String {
    let heading = words.heading(token);
    match heading.strip_prefix(" · ") {
        Some(what) => format!("{what} · {}", short(token.token_id)),
        None => format!("token {}", short(token.token_id)),
    }
}

fn state_label(state: &LineageState) -> String {
    let mut label = format!("{} {} {}", state_tone(state.status).sign(), state.node_type, state.node);
    if state.attempt > 0 {
        label.push_str(&format!(" · attempt {}", u16::from(state.attempt) + 1));
    }
    if !state.routing.is_empty() {
        let to: Vec<&str> = state.routing.iter().map(|routing| routing.to.as_str()).collect();
        label.push_str(&format!(" → {}", to.join(", ")));
    }
    label
}

const fn state_tone(status: NodeStateStatus) -> Tone {
    match status {
        NodeStateStatus::Completed => Tone::Good,
        NodeStateStatus::Failed => Tone::Bad,
        NodeStateStatus::Open | NodeStateStatus::Pending => Tone::Open,
    }
}

fn call_label(call: &LineageCall) -> (String, Tone) {
    let tone = if call.status == CallStatus::Success { Tone::Good } else { Tone::Bad };
    let sign = tone.sign();
    (format!("{sign} call {} · {} · {} ms", call.call_type, call.status, call.latency_ms), tone)
}

/// How it ended for a token: well, as far as nothing went wrong on the way there.
pub(super) fn outcome_tone(token: &LineageToken) -> Tone {
    let Some(outcome) = &token.outcome else { return Tone::Open };
    match outcome.outcome {
        Outcome::Buffered => Tone::Open,
        Outcome::Quarantined | Outcome::Diverted | Outcome::Failed => Tone::Bad,
        Outcome::Completed
        | Outcome::Routed
        | Outcome::Forked
        | Outcome::Expanded
        | Outcome::Coalesced
        | Outcome::ConsumedInBatch => {
            if outcome.error.is_some() {
                Tone::Bad
            } else {
                Tone::Good
            }
        }
    }
}
