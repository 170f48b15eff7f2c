//! Batches, releases, and the trees of tokens that they are part of.

use elspeth_contracts::{
    ErrorReason, FailureKind, NodeStateRecord, NodeStateStatus, Outcome, StateContextRecord, TokenKey,
    TokenOrigin, TokenRecord, TransformErrorRecord,
};
use elspeth_landscape::{BatchSize, Counters, Page};

use super::batched::*;
use super::sample::*;
use super::{Store, recorded};

const ALL: Page = Page { from: 0, limit: 100 };

pub(crate) async fn batches_come_back_as_they_were_written(store: &dyn Store) {
    let epochs = vec![first_epoch(), second_epoch()];
    let (_writer, run_no) = recorded(store, 'A', epochs.clone()).await;
    let reader = store.reader().await;
    for (decided, _) in &epochs {
        for release in &decided.releases {
            let found = reader.release(run_no, release.number).await.unwrap();
            assert_eq!(found.as_ref(), Some(release));
            assert_eq!(reader.batch(run_no, release.number).await.unwrap(), decided.batches);
        }
    }
    let members = reader.batch_members(run_no, 1, ALL).await.unwrap();
    assert_eq!(members, [member(1, 0, token(2)), member(1, 1, token(4))], "accepted in two epochs");
    let outputs = reader.batch_outputs(run_no, 0, ALL).await.unwrap();
    assert_eq!(outputs, epochs[0].0.batch_outputs);
    assert_eq!(reader.batch_size(run_no, 0).await.unwrap(), BatchSize { members: 2, outputs: 2 });
    assert_eq!(reader.batch_size(run_no, 1).await.unwrap(), BatchSize { members: 2, outputs: 0 });
    assert_eq!(reader.batch_size(run_no, 9).await.unwrap(), BatchSize::default());
    assert_eq!(reader.batch(run_no, 9).await.unwrap(), []);
    assert_eq!(reader.release(run_no, 9).await.unwrap(), None);
}

pub(crate) async fn long_lists_are_read_in_pages(store: &dyn Store) {
    let (mut decided, acted) = plain_epoch(0, 0..10);
    decided.batch_members = (0..10).map(|at| member(3, at, token(u64::from(at)))).collect();
    decided.batch_outputs = (0..10).map(|at| output(3, at)).collect();
    let (_writer, run_no) = recorded(store, 'A', vec![(decided.clone(), acted)]).await;
    let reader = store.reader().await;
    for (page, expected) in [
        (Page { from: 0, limit: 4 }, 0..4),
        (Page { from: 4, limit: 4 }, 4..8),
        (Page { from: 8, limit: 4 }, 8..10),
        (Page { from: 10, limit: 4 }, 10..10),
    ] {
        let members = reader.batch_members(run_no, 3, page).await.unwrap();
        assert_eq!(members, decided.batch_members[expected.clone()]);
        let outputs = reader.batch_outputs(run_no, 3, page).await.unwrap();
        assert_eq!(outputs, decided.batch_outputs[expected]);
    }
}

pub(crate) async fn a_token_knows_its_batches(store: &dyn Store) {
    let (_writer, run_no) = recorded(store, 'A', vec![first_epoch(), second_epoch()]).await;
    let reader = store.reader().await;
    let of_row = |index| reader.memberships(run_no, TokenOrigin::Row(row(index)));
    assert_eq!(of_row(1).await.unwrap(), [member(0, 1, token(1))]);
    assert_eq!(of_row(4).await.unwrap(), [member(1, 1, token(4))]);
    assert_eq!(of_row(3).await.unwrap(), []);
    assert_eq!(reader.memberships(run_no, TokenOrigin::Batch(0)).await.unwrap(), []);
    let made = |token| reader.made_by_batch(run_no, token);
    assert_eq!(made(released(0, 1)).await.unwrap(), Some(output(0, 1)));
    assert_eq!(made(released(0, 2)).await.unwrap(), None, "a child of an output");
    assert_eq!(made(token(1)).await.unwrap(), None);
}

pub(crate) async fn children_are_found_where_they_were_made(store: &dyn Store) {
    let (_writer, run_no) = recorded(store, 'A', vec![first_epoch(), second_epoch()]).await;
    let reader = store.reader().await;
    let children = async |parent: TokenKey, origin| -> Vec<TokenKey> {
        let found: Vec<TokenRecord> = reader.children(run_no, parent, origin).await.unwrap();
        assert!(found.iter().all(|child| child.group == Some(parent)));
        found.iter().map(|child| child.token).collect()
    };
    assert_eq!(children(released(0, 1), TokenOrigin::Batch(0)).await, [released(0, 2), released(0, 3)]);
    assert_eq!(children(released(0, 0), TokenOrigin::Batch(0)).await, []);
    assert_eq!(children(token(4), TokenOrigin::Row(row(4))).await, []);
    assert_eq!(
        children(token(4), TokenOrigin::Batch(1)).await,
        [released(1, 0), released(1, 1)],
        "it was forked after its batch had let it go"
    );
}

pub(crate) async fn members_of_open_batches_count_as_buffered(store: &dyn Store) {
    let (mut writer, run_no) = recorded(store, 'A', vec![first_epoch()]).await;
    let reader = store.reader().await;
    let buffered = async || reader.counters(run_no).await.unwrap().buffered;
    assert_eq!(buffered().await, 1);
    let (decided, acted) = second_epoch();
    writer.stage(&decided).await.unwrap();
    writer.commit(None, &hashes(40), elspeth_contracts::Micros(4_000)).await.unwrap();
    assert_eq!(buffered().await, 0, "its batch let it go on");
    writer.commit(Some(&acted), &hashes(50), elspeth_contracts::Micros(5_000)).await.unwrap();
    assert_eq!(buffered().await, 0);
}

pub(crate) async fn counters_of_trees_follow_from_the_record(store: &dyn Store) {
    let (_writer, run_no) = recorded(store, 'A', vec![first_epoch(), second_epoch()]).await;
    let expected = Counters {
        processed: 5,
        succeeded: 6,
        routed: 1,
        forked: 2,
        destinations: [("approved".to_owned(), 5), ("refused".to_owned(), 2)].into(),
        ..Counters::default()
    };
    assert_eq!(store.reader().await.counters(run_no).await.unwrap(), expected);
}

/// The branches of row 0 come to a merge that fails; row 1 comes too late for another one.
pub(crate) async fn a_failed_merge_counts_once(store: &dyn Store) {
    let (mut decided, mut acted) = plain_epoch(0, 0..2);
    let failed = [(child(0, 1), FailureKind::CoalesceFailed), (child(0, 2), FailureKind::CoalesceFailed)];
    for (token, kind) in failed.into_iter().chain([(token(1), FailureKind::LateArrivalAfterMerge)]) {
        let late = kind == FailureKind::LateArrivalAfterMerge;
        if !late {
            decided.tokens.push(TokenRecord::plain(token));
            acted.outcomes.push(elspeth_contracts::TokenOutcomeRecord {
                sink: None,
                error_at: Some((step(MERGED), 0)),
                ..elspeth_contracts::TokenOutcomeRecord::at_sink(token, Outcome::Failed, step(APPROVED))
            });
        }
        let status = NodeStateStatus::Failed;
        decided.states.push(NodeStateRecord { status, ..state(token, MERGED) });
        decided.transform_errors.push(TransformErrorRecord {
            token,
            step: step(MERGED),
            attempt: 0,
            reason: ErrorReason::new(kind, "it did not come together"),
            destination: None,
        });
        if token != child(0, 2) {
            let context = "{\"policy\":\"require_all\"}".to_owned();
            decided.contexts.push(StateContextRecord { token, step: step(MERGED), attempt: 0, context });
        }
    }
    decided.tokens.sort_by_key(|record| record.token);
    decided.states.sort_by_key(|state| (state.token, state.step));
    let (_writer, run_no) = recorded(store, 'A', vec![(decided, acted)]).await;
    let counters = store.reader().await.counters(run_no).await.unwrap();
    assert_eq!((counters.coalesce_failed, counters.failed), (1, 2));
    let reader = store.reader().await;
    let mut failed = Vec::new();
    loop {
        let page = reader.failed_tokens(run_no, failed.last().copied(), 1).await.unwrap();
        let Some(token) = page.first() else { break };
        failed.push(*token);
    }
    assert_eq!(failed, [child(0, 1), child(0, 2)], "not the one that was late");
}
