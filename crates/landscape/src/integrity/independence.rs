//! What moves which hash: content moves both roots; times, epochs and crashes move the record root alone.

use std::collections::VecDeque;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{
    BatchRecord, BatchStatus, EpochNo, Micros, NodeStateRecord, NodeStateStatus, Outcome, ReleaseNo,
    RowIndex, RowRecord, RunStatus, TokenKey, TokenOutcomeRecord, TokenRecord, TriggerType,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::acted::acted_leaves;
use super::golden::{
    VERSION, acted, after, artifact, chain, decided, decided_leaf, hash, output, published, release_leaf,
    seal, start, state, step, token,
};
use super::{ActedDigest, DecidedDigest, LeafEncoder, RecorderState, Registered};
use crate::{ActedEpoch, DecidedEpoch};

fn committed(decided: &DecidedEpoch, acted: &ActedEpoch) -> RecorderState {
    let staged = DecidedDigest::of(VERSION, decided);
    let begun = RecorderState::new(&Registered::of_start(&start()));
    let decided = after(&begun, None, Some(&staged), Micros(10));
    after(&decided, Some(acted), None, Micros(20))
}

fn content_root(state: &RecorderState) -> ContentHash {
    state.content_root(hash(0x77), &seal())
}

/// Every field of every record of an epoch, changed one at a time.
#[test]
fn each_change_of_content_moves_leaf_and_chain() {
    let changes: Vec<fn(&mut DecidedEpoch)> = vec![
        |e| e.rows[0].row_index = RowIndex::new(4).unwrap(),
        |e| e.rows[0].source_data_hash = hash(1),
        |e| e.rows[0].valid = false,
        |e| e.tokens[1].branch = None,
        |e| e.tokens[1].branch = Some("lef".into()),
        |e| e.tokens[1].group = Some(token(0, 10)),
        |e| e.tokens.truncate(1),
        |e| e.token_parents[0].parent = token(3, 1),
        |e| e.token_parents[0].ordinal = 1,
        |e| e.states[1].step = step(2),
        |e| e.states[1].attempt = 2,
        |e| e.states[1].status = NodeStateStatus::Failed,
        |e| e.states[1].input_hash = None,
        |e| e.states[1].output_hash = Some(hash(1)),
        |e| {
            let state = &mut e.states[1];
            std::mem::swap(&mut state.input_hash, &mut state.output_hash);
        },
        |e| e.contexts[0].context.push(' '),
        |e| e.routing[0].edge.0 = 6,
        |e| e.routing[0].ordinal = 0,
        |e| e.routing[0].reason = None,
        |e| e.calls[0].call_no = 8,
        |e| e.calls[0].call_index = 1,
        |e| e.calls[0].request_hash = hash(1),
        |e| e.calls[0].response_hash = Some(hash(1)),
        |e| e.calls[0].error = None,
        |e| e.validation_errors[0].reason.line = None,
        |e| e.validation_errors[0].reason.field = None,
        |e| e.validation_errors[0].reason.message.clear(),
        |e| e.validation_errors[0].destination = None,
        |e| e.transform_errors[0].reason.retryable = false,
        |e| e.transform_errors[0].destination = Some(step(4)),
        |e| e.transform_errors.clear(),
    ];
    let original = (decided_leaf(&decided()), chain(&committed(&decided(), &acted())));
    for (number, change) in changes.iter().enumerate() {
        let mut epoch = decided();
        change(&mut epoch);
        let changed = (decided_leaf(&epoch), chain(&committed(&epoch, &acted())));
        assert!(changed.0 != original.0 && changed.1 != original.1, "change {number}");
    }
}

/// Every field of every record that only releases have, changed one at a time.
#[test]
fn each_change_of_a_batch_moves_release_leaf_and_chain() {
    let changes: Vec<fn(&mut DecidedEpoch)> = vec![
        |e| e.batches[0].batch_no = 6,
        |e| e.batches[1].attempt = 2,
        |e| e.batches[0].step = step(3),
        |e| e.batches[0].status = BatchStatus::Completed,
        |e| e.batches[0].trigger = None,
        |e| e.batches[0].trigger = Some(TriggerType::Timeout),
        |e| e.batches[0].reason = None,
        |e| e.batches.truncate(1),
        |e| e.batch_members[0].batch_no = 6,
        |e| e.batch_members[0].ordinal = 1,
        |e| e.batch_members[0].token = token(3, 0),
        |e| e.batch_members.clear(),
        |e| e.batch_outputs[0].batch_no = 6,
        |e| e.batch_outputs[0].ordinal = 1,
        |e| e.batch_outputs[0].token = token(3, 0),
        |e| e.batch_outputs.clear(),
        |e| e.tokens.retain(|record| record.token != output()),
    ];
    let of_release: [fn(&mut DecidedEpoch); 6] = [
        |e| e.releases[0].number = 6,
        |e| e.releases[0].step = step(3),
        |e| e.releases[0].epoch.0 = 1,
        |e| e.releases[0].row = RowIndex::new(4).unwrap(),
        |e| e.releases[0].after = false,
        |e| e.releases.clear(),
    ];
    let original = (release_leaf(&decided()), chain(&committed(&decided(), &acted())));
    for (number, change) in changes.iter().enumerate() {
        let mut epoch = decided();
        change(&mut epoch);
        let changed = (release_leaf(&epoch), chain(&committed(&epoch, &acted())));
        assert!(changed.0 != original.0 && changed.1 != original.1, "change {number}");
    }
    for (number, change) in of_release.iter().enumerate() {
        let mut epoch = decided();
        change(&mut epoch);
        assert_ne!(chain(&committed(&epoch, &acted())), original.1, "change {number} of the release");
    }
}

#[test]
fn a_leaf_moves_the_content_root_and_is_of_one_kind() {
    let root = |change: fn(&mut DecidedEpoch)| {
        let mut epoch = decided();
        change(&mut epoch);
        content_root(&committed(&epoch, &acted()))
    };
    let roots = [
        root(|_| {}),
        root(|e| e.row_leaves[0] = hash(1)),
        root(|e| e.release_leaves[0] = hash(1)),
        root(|e| e.release_leaves.clear()),
        root(|e| std::mem::swap(&mut e.row_leaves, &mut e.release_leaves)),
        root(|e| e.row_leaves.append(&mut e.release_leaves)),
    ];
    let different: std::collections::BTreeSet<_> = roots.iter().collect();
    assert_eq!(different.len(), roots.len());
}

#[test]
fn each_change_of_timing_moves_the_chain_alone() {
    let changes: Vec<fn(&mut DecidedEpoch)> = vec![
        |e| e.started.0 += 1,
        |e| e.rows[0].read_us += 1,
        |e| e.states[0].started_us += 1,
        |e| e.states[1].duration_us += 1,
        |e| e.states[1].waited_us += 1,
        |e| e.calls[0].latency_us += 1,
        |e| e.operations[0].duration_us += 1,
        |e| e.operations[0].attempts += 1,
        |e| e.operations.clear(),
    ];
    let original = committed(&decided(), &acted());
    for (number, change) in changes.iter().enumerate() {
        let mut epoch = decided();
        change(&mut epoch);
        assert_eq!(decided_leaf(&epoch), decided_leaf(&decided()), "change {number}");
        let changed = committed(&epoch, &acted());
        assert_eq!(content_root(&changed), content_root(&original), "change {number}");
        assert_ne!(chain(&changed), chain(&original), "change {number}");
    }
}

#[test]
fn each_change_of_acts_moves_what_it_must() {
    let content: Vec<fn(&mut ActedEpoch)> = vec![
        |a| a.sink_states[1].status = NodeStateStatus::Failed,
        |a| a.outcomes[0].outcome = Outcome::Completed,
        |a| a.outcomes[0].error_at = None,
        |a| a.routing[0].edge.0 = 7,
        |a| a.transform_errors[0].reason.message.push('!'),
        |a| a.artifacts[0].rows = 2,
    ];
    let timing: Vec<fn(&mut ActedEpoch)> = vec![
        |a| a.sink_states[0].duration_us += 1,
        |a| a.sink_states[0].waited_us += 1,
        |a| a.operations[0].started_us += 1,
        |a| a.artifacts[0].path = "elsewhere.csv".to_owned(),
        // The sink took a diverted row, so its content holds a time.
        |a| a.artifacts[0].content_hash = hash(1),
        |a| a.artifacts[0].size_bytes += 1,
    ];
    let original = committed(&decided(), &acted());
    for (changes, moves_content) in [(content, true), (timing, false)] {
        for (number, change) in changes.iter().enumerate() {
            let mut epoch = acted();
            change(&mut epoch);
            let changed = committed(&decided(), &epoch);
            assert_ne!(chain(&changed), chain(&original), "change {number}");
            assert_eq!(content_root(&changed) != content_root(&original), moves_content, "change {number}");
        }
    }
}

#[test]
fn the_content_of_an_artifact_counts_where_nothing_was_diverted() {
    let mut act = acted();
    act.outcomes[0].outcome = Outcome::Routed;
    let original = content_root(&committed(&decided(), &act));
    act.artifacts[0].content_hash = hash(1);
    assert_ne!(content_root(&committed(&decided(), &act)), original);
}

#[test]
fn leaves_of_acts_are_in_the_order_of_the_outcomes_whatever_that_of_what_led_to_them() {
    let mut act = acted();
    let second = TokenOutcomeRecord::at_sink(token(2, 0), Outcome::Completed, step(4));
    act.sink_states.push(state((token(2, 0), 4, 0), NodeStateStatus::Completed, (0, 0, 0)));
    act.outcomes.push(second);
    let told = acted_leaves(VERSION, &act).unwrap();
    act.sink_states.reverse();
    assert_eq!(acted_leaves(VERSION, &act).unwrap(), told);
    assert_eq!(told[0], acted_leaves(VERSION, &acted()).unwrap()[0]);
    act.outcomes.reverse();
    assert_eq!(acted_leaves(VERSION, &act).unwrap(), [told[1], told[0]]);
    let chain_of = |act: &ActedEpoch| chain(&committed(&decided(), act));
    let reversed = chain_of(&act);
    act.outcomes.reverse();
    assert_eq!(chain_of(&act), reversed, "the chain has them by token");
}

#[test]
fn many_acts_are_committed_like_few() {
    let mut act = ActedEpoch { epoch: decided().epoch, ..ActedEpoch::default() };
    for row in 0..70_000 {
        act.sink_states.push(row_state(row, 4, 1));
        act.outcomes.push(TokenOutcomeRecord::at_sink(token(row, 0), Outcome::Completed, step(4)));
    }
    let begun = RecorderState::new(&Registered::of_start(&start()));
    let before = after(&begun, None, Some(&DecidedDigest::of(VERSION, &decided())), Micros(10));
    let mut ahead = before.trees();
    let digest = ActedDigest::growing(VERSION, &act, &mut ahead).unwrap();
    assert!(digest.leaves().is_empty(), "they need not be in memory");
    let expected = after(&before, Some(&act), None, Micros(20));
    let committed = before.after(Some((&act, &digest)), None, Micros(20));
    assert_eq!(committed, expected);
    assert_eq!(ahead, expected.trees());
    let elsewhere = ActedDigest::growing(VERSION, &act, &mut expected.trees()).unwrap();
    assert_eq!(before.after(Some((&act, &elsewhere)), None, Micros(20)), expected);
}

#[test]
fn an_act_about_a_token_without_outcome_is_corrupt() {
    for row in [2, 4] {
        let mut act = acted();
        act.sink_states.push(state((token(row, 0), 4, 0), NodeStateStatus::Completed, (0, 0, 0)));
        let error = acted_leaves(VERSION, &act).unwrap_err();
        assert_eq!((error.table, error.id), ("node_states", format!("token {}", token(row, 0).get())));
    }
}

#[test]
fn the_seal_moves_the_record_root() {
    let state = committed(&decided(), &acted());
    let root = |change: fn(&mut crate::RunSeal)| {
        let mut seal = seal();
        change(&mut seal);
        (state.content_root(hash(0x77), &seal), state.record_root(&seal, hash(0)))
    };
    let original = root(|_| {});
    assert_eq!(root(|s| s.completed_at.0 += 1).0, original.0);
    assert_ne!(root(|s| s.completed_at.0 += 1).1, original.1);
    assert_ne!(root(|s| s.status = RunStatus::Failed).1, original.1);
    assert_eq!(root(|s| s.source.identity.push('x')).0, original.0, "the identity names a place");
    assert_ne!(root(|s| s.source.identity.push('x')).1, original.1);
    assert_ne!(root(|s| s.source.contract.push('x')).0, original.0);
}

#[test]
fn what_begins_differently_ends_differently() {
    let begun = |change: fn(&mut crate::RunStart)| {
        let mut start = start();
        change(&mut start);
        chain(&RecorderState::new(&Registered::of_start(&start)))
    };
    let original = begun(|_| {});
    assert_eq!(begun(|s| s.owner.push('x')), original, "the lease can change hands");
    let changes: Vec<fn(&mut crate::RunStart)> = vec![
        |s| s.settings.push(' '),
        |s| s.settings_path.push('x'),
        |s| s.started_at.0 += 1,
        |s| s.nodes[0].config.push(' '),
        |s| s.edges[0].label.push('x'),
        |s| s.edges.clear(),
    ];
    for (number, change) in changes.iter().enumerate() {
        assert_ne!(begun(*change), original, "change {number}");
    }
}

/// Rows one after the other, cut into epochs after the rows that `cuts` says; when one is decided, sinks are as many epochs
/// `behind`. Of every four rows, three make a batch and the last goes to a sink by itself.
fn run_of(rows: u64, cuts: &[bool], times: i64, behind: usize) -> RecorderState {
    let mut state = RecorderState::new(&Registered::of_start(&start()));
    let (mut from, mut number) = (0, 0);
    let mut waiting = VecDeque::new();
    while from < rows {
        let more = (from..rows - 1).take_while(|row| !cuts[usize::try_from(*row).unwrap()]).count() as u64;
        let to = from + more + 1;
        let staged = DecidedDigest::of(VERSION, &epoch_of(number, from..to, times));
        if behind == 0
            && let Some(acted) = waiting.pop_front()
        {
            state = after(&state, Some(&acted), None, Micros(times));
        }
        let acted = if waiting.len() < behind { None } else { waiting.pop_front() };
        state = after(&state, acted.as_ref(), Some(&staged), Micros(times));
        waiting.push_back(acts_of(number, from..to, times));
        (from, number) = (to, number + 1);
    }
    for acted in waiting {
        state = after(&state, Some(&acted), None, Micros(times));
    }
    after(&state, Some(&ActedEpoch { epoch: EpochNo(number - 1), ..published() }), None, Micros(times))
}

fn row_state(row: u64, at: u16, times: i64) -> NodeStateRecord {
    state((token(row, 0), at, 0), NodeStateStatus::Completed, (times, times, times))
}

fn epoch_of(number: u64, rows: std::ops::Range<u64>, times: i64) -> DecidedEpoch {
    let mut epoch =
        DecidedEpoch { epoch: EpochNo(number), started: Micros(times), ..DecidedEpoch::default() };
    let mut leaf = LeafEncoder::new(VERSION);
    for row in rows {
        let row_index = RowIndex::new(row).unwrap();
        let source_data_hash = VERSION.hash(&row.to_be_bytes());
        let record = RowRecord { row_index, source_data_hash, read_us: times, valid: true };
        leaf.row(&record);
        leaf.token(&TokenRecord::plain(token(row, 0)));
        leaf.state(&row_state(row, 1, times));
        epoch.row_leaves.push(leaf.finish());
        epoch.rows.push(record);
        epoch.tokens.push(TokenRecord::plain(token(row, 0)));
        epoch.states.push(row_state(row, 1, times));
        if let Some(batch_no) = flushed_by(row) {
            let batch = BatchRecord { batch_no, ..decided().batches[1].clone() };
            epoch.batches.push(batch);
            epoch.release_leaves.push(release_leaf(&DecidedEpoch {
                batches: epoch.batches.last().cloned().into_iter().collect(),
                ..DecidedEpoch::default()
            }));
        }
    }
    epoch
}

/// The batch that the row fills.
fn flushed_by(row: u64) -> Option<u64> {
    (row % 4 == 2).then_some(row / 4)
}

fn of_batch(row: u64, batch_no: u64) -> impl Iterator<Item = TokenOutcomeRecord> {
    let consumed = move |member| TokenOutcomeRecord {
        token: token(member, 0),
        outcome: Outcome::ConsumedInBatch,
        sink: None,
        group: None,
        batch_no: ReleaseNo::new(batch_no),
        error_at: None,
    };
    let output = TokenKey::of_batch(batch_no, 0).unwrap();
    (row - 2..=row).map(consumed).chain([TokenOutcomeRecord::at_sink(output, Outcome::Completed, step(4))])
}

fn acts_of(number: u64, rows: std::ops::Range<u64>, times: i64) -> ActedEpoch {
    let mut acted = ActedEpoch { epoch: EpochNo(number), ..ActedEpoch::default() };
    for row in rows {
        if let Some(batch_no) = flushed_by(row) {
            acted.outcomes.extend(of_batch(row, batch_no));
        } else if row % 4 == 3 {
            acted.sink_states.push(row_state(row, 4, times));
            acted.outcomes.push(TokenOutcomeRecord::at_sink(token(row, 0), Outcome::Completed, step(4)));
        }
        acted.artifacts = vec![artifact(row + 1)];
    }
    acted
}

proptest! {
    #[test]
    fn promise_same_input_same_content_root_however_epochs_are_cut(
        rows in 1_u64..40,
        cuts in vec(any::<bool>(), 40),
        times in 0_i64..1_000,
        behind in 0_usize..3,
    ) {
        let in_one = run_of(rows, &[false; 40], 7, 1);
        let cut = run_of(rows, &cuts, times, behind);
        prop_assert_eq!(content_root(&cut), content_root(&in_one));
        prop_assert_ne!(content_root(&cut), content_root(&run_of(rows + 1, &[false; 41], 7, 1)));
    }

    #[test]
    fn the_chain_does_not_depend_on_how_commits_are_joined(rows in 1_u64..20, cuts in vec(any::<bool>(), 20)) {
        let joined = run_of(rows, &cuts, 7, 1);
        prop_assert_eq!(chain(&run_of(rows, &cuts, 7, 0)), chain(&joined));
        prop_assert_eq!(chain(&run_of(rows, &cuts, 7, 2)), chain(&joined));
    }

    #[test]
    fn a_state_read_back_goes_on_as_the_one_that_was_stored(rows in 1_u64..20, cuts in vec(any::<bool>(), 20)) {
        let state = run_of(rows, &cuts, 7, 1);
        let again = RecorderState::from_stored(VERSION, &state.hashes().state).unwrap();
        prop_assert_eq!(&again, &state);
        let staged = DecidedDigest::of(VERSION, &decided());
        let next = |state: &RecorderState| after(state, None, Some(&staged), Micros(9));
        prop_assert_eq!(next(&again), next(&state));
        let mut ahead = again.trees();
        staged.clone().grow(&mut ahead);
        prop_assert_eq!(ahead, next(&again).trees());
    }
}

#[test]
fn a_stored_state_that_no_commit_wrote_is_refused() {
    let stored = committed(&decided(), &acted()).hashes().state;
    assert!(RecorderState::from_stored(VERSION, &stored).is_some());
    for (from, to) in
        [("\"format\":2", "\"format\":1"), ("\"size\":1", "\"size\":3"), ("\"chain\"", "\"chains\"")]
    {
        assert!(stored.contains(from));
        assert!(RecorderState::from_stored(VERSION, &stored.replacen(from, to, 1)).is_none(), "{from}");
    }
    assert!(RecorderState::from_stored(VERSION, "").is_none());
}
