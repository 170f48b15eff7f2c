//! What tokens carry where they wait.

use std::collections::BTreeMap;

use elspeth_contracts::{Micros, TokenKey, TokenOrigin};
use elspeth_landscape::lineage::{Question, Subject, explain};
use elspeth_landscape::{Carried, LandscapeError, RunRef, carried};
use elspeth_payload::{FilesystemStore, LARGE_BODY};
use elspeth_testkit::Scratch;
use elspeth_value::{Row, Value};

use super::Store;
use super::batched::released;
use super::sample::{child, hash, hashes, row, run_id, token};
use super::world::*;

/// A run that was recorded, with the tokens that it knows.
struct Recorded<'a> {
    store: &'a dyn Store,
    payload: FilesystemStore,
    _scratch: Scratch,
}

impl<'a> Recorded<'a> {
    /// Records what `history` tells; gives back what it gives.
    async fn of<T>(store: &'a dyn Store, history: impl FnOnce(&mut World) -> T) -> (Self, T) {
        let scratch = Scratch::new();
        let payload = FilesystemStore::new(scratch.join("payloads"));
        let mut world = World::new(payload.clone());
        let told = history(&mut world);
        world.next_epoch();
        let mut writer = store.writer().await;
        writer.begin_run(&graph()).await.unwrap();
        let mut before = None;
        for (decided, acted) in &world.epochs {
            writer.stage(decided).await.unwrap();
            writer.commit(before, &hashes(1), Micros(2)).await.unwrap();
            before = Some(acted);
        }
        writer.commit(before, &hashes(1), Micros(3)).await.unwrap();
        (Self { store, payload, _scratch: scratch }, told)
    }

    async fn carried(&self, tokens: &[TokenKey]) -> Result<Vec<Carried>, LandscapeError> {
        let reader = self.store.reader().await;
        let run = reader.run(&RunRef::Latest).await?;
        carried(reader.as_ref(), &run, Some(&self.payload), tokens).await
    }

    /// Every token carries what the world says, and what was recorded of it leads there.
    async fn check(&self, tokens: &[Token]) {
        let keys: Vec<TokenKey> = tokens.iter().map(|token| token.key).collect();
        let found = self.carried(&keys).await.unwrap();
        assert_eq!(found.len(), tokens.len());
        for (token, found) in tokens.iter().zip(found) {
            let expected = Carried { row: token.row.clone(), hash: token.hash, fresh: token.fresh };
            assert_eq!(found, expected, "{:?}", token.key);
        }
    }
}

async fn check(store: &dyn Store, history: impl FnOnce(&mut World) -> Vec<Token>) {
    let (recorded, tokens) = Recorded::of(store, history).await;
    recorded.check(&tokens).await;
}

pub(crate) async fn a_row_carries_what_was_read_until_a_node_changes_it(store: &dyn Store) {
    check(store, |world| {
        let read = world.read(0, text_row("as read"));
        let mut seen = world.read(1, text_row("as read and seen"));
        world.pass(&mut seen, CLEAN);
        let mut changed = world.read(2, text_row("before"));
        world.change(&mut changed, CLEAN, 0, text_row("after"));
        world.pass(&mut changed, SPLIT);
        let mut failed = world.read(3, text_row("before"));
        world.change(&mut failed, CLEAN, 2, text_row("cleaned"));
        world.fail(&mut failed, POLISH);
        let mut back = world.read(4, text_row("there"));
        world.change(&mut back, CLEAN, 0, text_row("and"));
        world.change(&mut back, POLISH, 0, text_row("there"));
        vec![read, seen, changed, failed, back]
    })
    .await;
}

pub(crate) async fn a_refused_record_is_carried_as_a_row(store: &dyn Store) {
    check(store, |world| {
        let fields = world.refuse(0, Ok(text_row("not a number")));
        let opaque = world.refuse(1, Err(Value::Str("[1, 2".into())));
        assert_eq!(opaque.row.get("raw"), Some(&Value::Str("[1, 2".into())));
        vec![fields, opaque]
    })
    .await;
}

pub(crate) async fn a_large_row_comes_from_the_payload_store(store: &dyn Store) {
    let large = text_row("x".repeat(LARGE_BODY + 1));
    let (recorded, token) = Recorded::of(store, |world| world.read(0, large)).await;
    recorded.check(std::slice::from_ref(&token)).await;
    std::fs::remove_dir_all(recorded.payload.base()).unwrap();
    let error = recorded.carried(&[token.key]).await.unwrap_err();
    assert!(matches!(error, LandscapeError::Purged { .. }), "{error}");
}

pub(crate) async fn a_branch_carries_what_its_parent_did_until_a_node_changes_it(store: &dyn Store) {
    check(store, |world| {
        let mut parent = world.read(0, text_row("before"));
        world.change(&mut parent, CLEAN, 1, text_row("forked"));
        let mut children = world.fork(parent, SPLIT, &[1, 2, 3].map(|ordinal| child(0, ordinal)));
        let nested = children.pop().unwrap();
        world.change(&mut children[0], POLISH, 1, text_row("polished"));
        let mut grandchildren = world.fork(nested, INNER, &[child(0, 4), child(0, 5), child(0, 6)]);
        world.pass(&mut grandchildren[0], POLISH);
        world.change(&mut grandchildren[1], POLISH, 0, text_row("deep"));
        // A row that no node changed, forked twice.
        let plain = world.read(1, text_row("plain"));
        let nested = world.fork(plain, SPLIT, &[child(1, 1)]);
        let last = nested.into_iter().flat_map(|token| world.fork(token, INNER, &[child(1, 2)]));
        children.into_iter().chain(grandchildren).collect::<Vec<_>>().into_iter().chain(last).collect()
    })
    .await;
}

pub(crate) async fn what_was_made_carries_its_own_row(store: &dyn Store) {
    check(store, |world| {
        let parent = world.read(0, text_row("before"));
        let parts = world.fork(parent, SPLIT, &[child(0, 1), child(0, 2)]);
        let merged = world.merge(parts, JOIN, child(0, 3), text_row("merged"));
        let rows = ["one", "two", "merged"].map(text_row);
        let parts = (4..).map(|ordinal| child(0, ordinal)).zip(rows).collect();
        let mut parts = world.expand(merged, EXPLODE, parts);
        world.pass(&mut parts[0], FINISH);
        world.change(&mut parts[1], FINISH, 0, text_row("finished"));
        let parent = world.read(1, text_row("other"));
        let waiting = world.fork(parent, SPLIT, &[child(1, 1), child(1, 2)]);
        parts.push(world.merge(waiting, JOIN, child(1, 3), text_row("other")));
        parts
    })
    .await;
}

/// Branches of row 0 come together two epochs after they were read.
pub(crate) async fn a_merge_across_rows_has_its_row_in_the_epoch_of_its_release(store: &dyn Store) {
    check(store, |world| {
        let parent = world.read(0, text_row("before"));
        let parts = world.fork(parent, SPLIT, &[child(0, 1), child(0, 2)]);
        world.next_epoch();
        let waiting = world.read(1, text_row("between"));
        world.next_epoch();
        world.release(4, JOIN);
        let merged = world.merge(parts, JOIN, released(4, 0), text_row("merged"));
        vec![waiting, merged]
    })
    .await;
}

pub(crate) async fn members_carry_what_each_batch_gave_them(store: &dyn Store) {
    check(store, |world| {
        let mut members: Vec<Token> =
            (0..4).map(|index| world.read(index, text_row(format!("row {index}")))).collect();
        world.change(&mut members[3], CLEAN, 0, text_row("cleaned"));
        members.iter().for_each(|member| world.join(member, 0));
        world.next_epoch();
        world.release(0, HOLD);
        world.change(&mut members[0], HOLD, 0, text_row("held"));
        world.change(&mut members[1], HOLD, 0, text_row("held too"));
        world.pass(&mut members[2], HOLD);
        world.pass(&mut members[3], HOLD);
        members.iter().for_each(|member| world.join(member, 1));
        world.next_epoch();
        let newer = world.read(9, text_row("waits"));
        world.join(&newer, 2);
        world.release(1, PAUSE);
        world.change(&mut members[0], PAUSE, 0, text_row("paused"));
        (1..4).for_each(|at| world.pass(&mut members[at], PAUSE));
        // Branches of a member have their numbers of the release.
        let mut forked = world.fork(members[1].clone(), AGAIN, &[released(1, 0), released(1, 1)]);
        world.change(&mut forked[1], FINISH, 0, text_row("branched"));
        world.change(&mut members[3], FINISH, 0, text_row("finished"));
        members.into_iter().chain(forked).chain([newer]).collect()
    })
    .await;
}

pub(crate) async fn outputs_of_a_batch_carry_what_it_made(store: &dyn Store) {
    check(store, |world| {
        let member = world.read(0, text_row("member"));
        world.join(&member, 3);
        world.next_epoch();
        world.release(3, HOLD);
        let mut member = member;
        world.pass(&mut member, HOLD);
        let fresh = world.output(3, 0, HOLD, text_row("total"));
        let mut changed = world.output(3, 1, HOLD, text_row("other total"));
        world.change(&mut changed, FINISH, 0, text_row("finished"));
        world.join(&fresh, 4);
        vec![fresh, changed, member]
    })
    .await;
}

pub(crate) async fn tokens_may_be_asked_for_in_any_order(store: &dyn Store) {
    let (recorded, mut tokens) = Recorded::of(store, |world| {
        let mut tokens = Vec::new();
        for index in 0..6 {
            tokens.push(world.read(index, text_row(format!("row {index}"))));
            world.next_epoch();
        }
        tokens
    })
    .await;
    tokens.rotate_left(2);
    tokens.swap(0, 3);
    tokens.push(tokens[1].clone());
    recorded.check(&tokens).await;
    assert_eq!(recorded.carried(&[]).await.unwrap(), []);
}

pub(crate) async fn tokens_that_came_from_nothing_are_corruption(store: &dyn Store) {
    let (recorded, _) = Recorded::of(store, |world| world.read(0, text_row("here"))).await;
    for (key, what) in [
        (token(5), "its row is missing"),
        (child(0, 9), "it came from nothing"),
        (released(7, 0), "the release that made it is missing"),
    ] {
        match recorded.carried(&[token(0), key]).await.unwrap_err() {
            LandscapeError::Corrupt(corruption) => {
                assert_eq!((corruption.id, &*corruption.what), (run_id('A').token_id(key).to_string(), what));
            }
            error => panic!("{error}"),
        }
    }
}

pub(crate) async fn rows_of_purged_epochs_cannot_be_carried(store: &dyn Store) {
    let (recorded, [purged, kept]) = Recorded::of(store, |world| {
        let purged = world.read(0, text_row("purged"));
        world.next_epoch();
        world.epochs[0].0.bodies.clear();
        [purged, world.read(1, text_row("kept"))]
    })
    .await;
    recorded.check(std::slice::from_ref(&kept)).await;
    let error = recorded.carried(&[kept.key, purged.key]).await.unwrap_err();
    let expected = format!(
        "run {} cannot be resumed: its bodies were purged, among them that of token {}",
        run_id('A'),
        run_id('A').token_id(purged.key)
    );
    assert_eq!(error.to_string(), expected);
}

/// Rows 0 to 2: one as it was read, one that was forked and seen, one that was expanded and seen. Each is told with another
/// hash than it had.
pub(crate) async fn rows_with_other_hashes_than_recorded_are_corruption(store: &dyn Store) {
    let (recorded, tokens) = Recorded::of(store, |world| {
        let read = world.read(0, text_row("read"));
        let forked = world.read(1, text_row("forked"));
        let mut forked = world.fork(forked, SPLIT, &[child(1, 1)]).remove(0);
        world.pass(&mut forked, POLISH);
        let expanded = world.read(2, text_row("expanded"));
        let mut expanded = world.expand(expanded, EXPLODE, vec![(child(2, 1), text_row("part"))]).remove(0);
        world.pass(&mut expanded, FINISH);
        world.next_epoch();
        let decided = &mut world.epochs[0].0;
        decided.rows[0].source_data_hash = hash(9);
        let told = decided.states.iter_mut().filter_map(|state| state.input_hash.as_mut());
        told.for_each(|told| *told = hash(9));
        [read, forked, expanded]
    })
    .await;
    for token in tokens {
        let error = recorded.carried(&[token.key]).await.unwrap_err();
        assert!(matches!(error, LandscapeError::Corrupt(_)), "{:?}: {error}", token.key);
    }
}

/// Pseudo-random numbers that are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// What happens to tokens of a run at random.
struct Fate<'a> {
    world: &'a mut World,
    dice: Dice,
    /// The next ordinal of each row and release.
    births: BTreeMap<TokenKey, u32>,
    /// The open batch of each aggregation, with its members.
    open: BTreeMap<u16, (u64, Vec<Token>)>,
    batches: u64,
    ended: Vec<Token>,
}

impl Fate<'_> {
    fn birth(&mut self, origin: TokenOrigin) -> TokenKey {
        let ordinal = self.births.entry(origin.tokens().0).or_insert_with(|| match origin {
            TokenOrigin::Row(_) => 1,
            TokenOrigin::Batch(_) => 0,
        });
        *ordinal += 1;
        match origin {
            TokenOrigin::Row(row) => TokenKey::of_row(row, *ordinal - 1).unwrap(),
            TokenOrigin::Batch(number) => TokenKey::of_batch(number, *ordinal - 1).unwrap(),
        }
    }

    fn new_row(&mut self) -> Row {
        let length = if self.dice.below(60) == 0 { LARGE_BODY } else { 3 };
        text_row(format!("{}{}", self.dice.below(50), "y".repeat(length)))
    }

    /// One token on its way from a step to its end, or into a batch.
    fn walk(&mut self, mut token: Token, from: u16, origin: TokenOrigin) {
        for at in from..=FINISH {
            let dice = self.dice.below(8);
            match (at, dice) {
                (SPLIT | INNER | AGAIN, 0..=2) => {
                    let keys: Vec<TokenKey> = (0..2).map(|_| self.birth(origin)).collect();
                    let children = self.world.fork(token, at, &keys);
                    if at == INNER && dice == 0 {
                        return self.merge(children, origin);
                    }
                    return children.into_iter().for_each(|child| self.walk(child, at + 1, origin));
                }
                (EXPLODE, 0..=1) => {
                    let into = (0..=dice).map(|_| (self.birth(origin), self.new_row())).collect();
                    let children = self.world.expand(token, at, into);
                    return children.into_iter().for_each(|child| self.walk(child, at + 1, origin));
                }
                (HOLD | PAUSE, 0..=4) => return self.wait(token, at),
                (HOLD | PAUSE | JOIN, _) | (_, 7) => {}
                (CLEAN | POLISH | EXPLODE | FINISH, 6) => {
                    self.world.fail(&mut token, at);
                    return self.end(token);
                }
                (CLEAN | POLISH | FINISH, 0..=3) => {
                    let row = self.new_row();
                    self.world.change(&mut token, at, u8::from(dice == 0), row);
                }
                _ => self.world.pass(&mut token, at),
            }
        }
        self.end(token);
    }

    fn merge(&mut self, parts: Vec<Token>, origin: TokenOrigin) {
        let (key, row) = (self.birth(origin), self.new_row());
        let merged = self.world.merge(parts, JOIN, key, row);
        self.walk(merged, EXPLODE, origin);
    }

    fn end(&mut self, token: Token) {
        self.world.write(&token);
        self.ended.push(token);
    }

    fn wait(&mut self, token: Token, at: u16) {
        let next = &mut self.batches;
        let (number, members) = self.open.entry(at).or_insert_with(|| {
            *next += 1;
            (*next, Vec::new())
        });
        self.world.join(&token, *number);
        members.push(token);
    }

    /// Lets full batches go on, those of the earlier node first.
    fn flush(&mut self) {
        for at in [HOLD, PAUSE] {
            if self.open.get(&at).is_some_and(|(_, members)| members.len() >= 3) {
                let (number, members) = self.open.remove(&at).unwrap();
                let origin = TokenOrigin::Batch(number);
                self.world.release(number, at);
                let output = (at == PAUSE && self.dice.below(3) == 0).then(|| self.new_row());
                if let Some(row) = output {
                    self.birth(origin);
                    let made = self.world.output(number, 0, at, row);
                    self.walk(made, at + 1, origin);
                }
                for mut member in members {
                    if self.dice.below(2) == 0 {
                        let row = self.new_row();
                        self.world.change(&mut member, at, 0, row);
                    } else {
                        self.world.pass(&mut member, at);
                    }
                    self.walk(member, at + 1, origin);
                }
            }
        }
    }
}

/// Sixty rows to which anything may happen.
fn anything(world: &mut World, seed: u64) -> (Vec<Token>, Vec<Token>) {
    let (births, open) = (BTreeMap::new(), BTreeMap::new());
    let mut fate = Fate { world, dice: Dice(seed), births, open, batches: 0, ended: Vec::new() };
    for index in 0..60 {
        let read = fate.new_row();
        let token = fate.world.read(index, read);
        fate.walk(token, CLEAN, TokenOrigin::Row(row(index)));
        if index % 5 == 4 {
            fate.flush();
            fate.world.next_epoch();
        }
    }
    let waiting = fate.open.into_values().flat_map(|(_, members)| members).collect();
    (fate.ended, waiting)
}

pub(crate) async fn whatever_happened_tokens_carry_what_they_had(store: &dyn Store) {
    let (recorded, (mut tokens, waiting)) = Recorded::of(store, |world| anything(world, 7)).await;
    tokens.extend(waiting);
    assert!(tokens.len() > 80 && tokens.iter().any(|token| token.fresh));
    recorded.check(&tokens).await;
}

/// A sink got what the lineage of its token shows.
pub(crate) async fn what_tokens_carry_is_what_their_lineage_shows(store: &dyn Store) {
    let (recorded, (tokens, _)) = Recorded::of(store, |world| anything(world, 2_025)).await;
    let keys: Vec<TokenKey> = tokens.iter().map(|token| token.key).collect();
    let reader = store.reader().await;
    for (key, carried) in keys.iter().zip(recorded.carried(&keys).await.unwrap()) {
        let id = run_id('A').token_id(*key);
        let subject = Subject::Token(id);
        let question = Question { run: RunRef::Latest, subject, sink: None, members_from: 0 };
        let lineage = explain(reader.as_ref(), Some(&recorded.payload), &question).await.unwrap();
        let shown = lineage.tokens.iter().find(|token| token.token_id == id).unwrap();
        let at_sink = shown.states.last().unwrap();
        assert_eq!((&*at_sink.node, at_sink.input_hash), ("out", Some(carried.hash)), "{key:?}");
        let input = serde_json::to_value(&at_sink.input).unwrap();
        assert_eq!(input, carried.row.to_json(), "{key:?}");
    }
}
