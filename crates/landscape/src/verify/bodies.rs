//! Bodies: each that hashes were taken over is there, and has its hash; no other is.

use elspeth_canonical::{ContentHash, Texts};
use elspeth_contracts::{NodeStateRecord, Step, TokenKey, TokenRecord};
use elspeth_payload::{Block, BodyKey, LargeBodies, PayloadError};

use super::Bad;
use super::gather::{Gathered, Known};
use super::near::Near;
use super::places::{Epoch, Moment};
use super::scan::{RecordScan, TokenRange, TokenRecords};
use crate::LandscapeError;
use crate::shown::canonical_body;

/// Whether bodies have to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// All of them.
    All,
    /// A purge is recorded, which has removed some or all.
    Purged,
    /// The run came here without them.
    Elsewhere,
}

/// What was found of an epoch's bodies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct BodyCount {
    /// Bodies whose hashes were compared.
    pub(super) checked: u64,
    /// Epochs that have a block, or had one.
    pub(super) blocks: u64,
    /// Of those, purged ones.
    pub(super) purged: u64,
    /// Large bodies in a folder that is not here.
    pub(super) out_of_reach: u64,
    /// Why a large body could not be read that is there.
    pub(super) unreadable: Option<String>,
}

impl BodyCount {
    pub(super) fn add(&mut self, other: Self) {
        self.checked += other.checked;
        self.blocks += other.blocks;
        self.purged += other.purged;
        self.out_of_reach += other.out_of_reach;
        self.unreadable = self.unreadable.take().or(other.unreadable);
    }
}

/// A body that an epoch has, by the record.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    /// None where nothing tells it: of a token that came to no node.
    hash: Option<ContentHash>,
    /// The table that tells it.
    table: &'static str,
}

/// How bodies are looked at.
#[derive(Clone, Copy)]
pub(super) struct Looked<'a> {
    pub(super) kept: Kept,
    pub(super) store: Option<&'a dyn LargeBodies>,
}

/// Checks the bodies of an epoch.
pub(super) fn check(
    scan: &mut dyn RecordScan,
    (known, epoch): (&Known<'_>, &Epoch),
    gathered: &Gathered,
    looked: Looked<'_>,
    bad: &mut Vec<Bad>,
) -> Result<BodyCount, LandscapeError> {
    let mut wanted = Wants {
        known,
        gathered,
        tokens: Near::new(&gathered.decided.tokens),
        states: Near::new(&gathered.decided.states),
        sink_states: Near::new(&gathered.acted.sink_states),
        list: Vec::with_capacity(gathered.decided.rows.len() + gathered.decided.states.len()),
    };
    wanted.rows();
    wanted.outputs();
    wanted.born(scan)?;
    let mut wanted = wanted.list;
    wanted.sort_by_key(|(key, _)| *key);
    wanted.dedup_by_key(|(key, _)| *key);
    let of_epoch = format!("of epoch {}", epoch.number().0);
    let Some(bytes) = scan.block(epoch.number())? else {
        let mut count = BodyCount { blocks: u64::from(!wanted.is_empty()), ..BodyCount::default() };
        match looked.kept {
            Kept::Purged | Kept::Elsewhere => count.purged = count.blocks,
            Kept::All if count.blocks > 0 => {
                bad.push(Bad::exact("bodies", of_epoch).what("they are gone, but no purge is recorded"));
            }
            Kept::All => {}
        }
        return Ok(count);
    };
    let mut count = BodyCount { blocks: 1, ..BodyCount::default() };
    if wanted.is_empty() {
        bad.push(Bad::exact("bodies", of_epoch).what("there are some, but nothing refers to them"));
        return Ok(count);
    }
    let block = match Block::read(&bytes) {
        Ok(block) => block,
        Err(error) => {
            bad.push(Bad::exact("bodies", of_epoch).what(error.to_string()));
            return Ok(count);
        }
    };
    let mut compare = Compare::new((known, looked), &block, wanted.len());
    for (key, wanted) in &wanted {
        compare.one(*key, *wanted, &mut count, bad);
    }
    compare.hashes(&mut count, bad);
    let is_wanted = |key: BodyKey| wanted.binary_search_by_key(&key, |(key, _)| *key).is_ok();
    let unwanted = || block.keys().filter(|key| !is_wanted(*key));
    // Both lists are in order, so as many keys that are all there are the same ones.
    let same = block.keys().eq(wanted.iter().map(|(key, _)| *key));
    for key in (!same).then(unwanted).into_iter().flatten() {
        bad.push(Bad::exact("bodies", name(known, key)).what("nothing in the record refers to it"));
    }
    Ok(count)
}

fn name(known: &Known<'_>, key: BodyKey) -> String {
    format!("of token {} after step {}", known.names().token(key.token), key.step.get())
}

/// Bytes of canonical forms that are hashed together, unless one alone has more.
const TOGETHER: usize = 1 << 20;

struct Compare<'a> {
    known: &'a Known<'a>,
    block: &'a Block,
    looked: Looked<'a>,
    /// Where the next body is, if none is too many or missing.
    at: usize,
    /// Canonical forms that are to be hashed, and of what.
    texts: Texts,
    waiting: Vec<(BodyKey, Wanted)>,
}

impl<'a> Compare<'a> {
    fn new((known, looked): (&'a Known<'a>, Looked<'a>), block: &'a Block, bodies: usize) -> Self {
        Self { known, block, looked, at: 0, texts: Texts::default(), waiting: Vec::with_capacity(bodies) }
    }

    fn one(&mut self, key: BodyKey, wanted: Wanted, count: &mut BodyCount, bad: &mut Vec<Bad>) {
        let damaged = |what: String| Bad::exact("bodies", name(self.known, key)).what(what);
        let stored;
        let body = match self.block.get_next(key, &mut self.at) {
            Some(body) => body,
            None => match self.large(key, count) {
                Ok(Some(body)) => {
                    stored = body;
                    &stored
                }
                Ok(None) => return,
                Err(what) => return bad.push(damaged(what)),
            },
        };
        if let Err(error) = self.texts.try_add(|out| canonical_body(body, out)) {
            return bad.push(damaged(format!("it has no hash ({error})")));
        }
        self.waiting.push((key, wanted));
        if self.texts.bytes() > TOGETHER {
            self.hashes(count, bad);
        }
    }

    /// Compares the hashes of all that wait.
    fn hashes(&mut self, count: &mut BodyCount, bad: &mut Vec<Bad>) {
        let hashes = self.known.version.hash_all(&self.texts);
        self.texts.clear();
        for ((key, wanted), hash) in self.waiting.drain(..).zip(hashes) {
            count.checked += 1;
            if let Some(recorded) = wanted.hash.filter(|recorded| *recorded != hash) {
                let what = format!("it has the hash {hash}, but {recorded} is recorded");
                bad.push(Bad::exact("bodies", name(self.known, key)).what(what).instead(wanted.table));
            }
        }
    }

    /// A body that is a file; none where the folder is out of reach.
    fn large(&self, key: BodyKey, count: &mut BodyCount) -> Result<Option<elspeth_payload::Body>, String> {
        if self.block.stored(key).is_none() {
            return Err("it is missing".to_owned());
        }
        let Some(store) = self.looked.store.filter(|store| store.is_here()) else {
            count.out_of_reach += 1;
            return Ok(None);
        };
        match self.block.body(key, Some(store)) {
            Ok(Some(body)) => Ok(Some(body)),
            Ok(None) => match self.looked.kept {
                Kept::Purged | Kept::Elsewhere => Ok(None),
                Kept::All => Err("its file is gone from the payload store".to_owned()),
            },
            // The disk is at fault, and nobody altered it.
            Err(error @ PayloadError::Io { .. }) => {
                let advice = error.advice().map(|advice| format!("; {advice}")).unwrap_or_default();
                count.unreadable.get_or_insert_with(|| format!("{error}{advice}"));
                Ok(None)
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The bodies that an epoch has, by the record.
struct Wants<'a> {
    known: &'a Known<'a>,
    gathered: &'a Gathered,
    tokens: Near<'a, TokenRecord>,
    states: Near<'a, NodeStateRecord>,
    sink_states: Near<'a, NodeStateRecord>,
    list: Vec<(BodyKey, Wanted)>,
}

impl Wants<'_> {
    fn want(&mut self, (token, step): (TokenKey, Step), table: &'static str, hash: Option<ContentHash>) {
        self.list.push((BodyKey { token, step }, Wanted { hash, table }));
    }

    fn rows(&mut self) {
        for row in &self.gathered.decided.rows {
            let token = TokenKey::of_row(row.row_index, 0).expect("ordinal 0 is below every limit");
            self.want((token, Step::SOURCE), "rows", Some(row.source_data_hash));
        }
    }

    fn outputs(&mut self) {
        for state in &self.gathered.decided.states {
            if let Some(output) = state.output_hash {
                self.want((state.token, state.step), "node_states", Some(output));
            }
        }
    }

    /// Tokens that were made with a row of their own: by an expansion, a merge, a batch. Their first state tells its hash.
    fn born(&mut self, scan: &mut dyn RecordScan) -> Result<(), LandscapeError> {
        let gathered = self.gathered;
        for output in &gathered.decided.batch_outputs {
            if let Some(release) = self.known.places.release(output.batch_no) {
                let told = self.told(scan, output.token)?;
                self.want((output.token, release.step), told.0, told.1);
            }
        }
        for parent in gathered.decided.token_parents.iter().filter(|parent| parent.ordinal == 0) {
            let Some(born) = self.tokens.find(&parent.token, |t| t.token) else { continue };
            if born.branch.is_none()
                && let Some(step) = self.made_at(parent.token, parent.parent)
            {
                let told = self.told(scan, parent.token)?;
                self.want((parent.token, step), told.0, told.1);
            }
        }
        Ok(())
    }

    /// The node where its parent ended.
    fn made_at(&self, token: TokenKey, parent: TokenKey) -> Option<Step> {
        let states = self.states.from(&parent, |state| state.token);
        let last = states.iter().take_while(|state| state.token == parent).last()?;
        // What its parent did in a walk of another epoch is no part of its birth.
        let here = self.known.places.walk(parent, Moment::Visit(last.step));
        (here == token.origin()).then_some(last.step)
    }

    fn told(
        &self,
        scan: &mut dyn RecordScan,
        token: TokenKey,
    ) -> Result<(&'static str, Option<ContentHash>), LandscapeError> {
        if let Some(state) = self.states.find(&token, |state| state.token) {
            return Ok(("node_states", state.input_hash));
        }
        if let Some(state) = self.first_at_sink(token) {
            return Ok(("sink_states", state));
        }
        if self.known.places.is_simple() {
            return Ok(("tokens", None));
        }
        // It waited at a node, whose state is of a later epoch.
        let mut later = TokenRecords::default();
        scan.tokens(TokenRange { first: token, last: token }, &mut later)?;
        Ok(match later.states.first() {
            Some(state) => ("node_states", state.input_hash),
            None => ("sink_states", later.sink_states.iter().find_map(|state| state.input_hash)),
        })
    }

    /// A sink that refused it comes before its failsink, whichever has the smaller number; only the first tells the hash.
    fn first_at_sink(&self, token: TokenKey) -> Option<Option<ContentHash>> {
        let states = self.sink_states.from(&token, |state| state.token);
        let mut of_token = states.iter().take_while(|state| state.token == token).peekable();
        of_token.peek()?;
        Some(of_token.find_map(|state| state.input_hash))
    }
}
