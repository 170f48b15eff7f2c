//! Writing, and reading back what was written.

use elspeth_contracts::{
    EpochNo, ExportStatus, Micros, NodeStateStatus, OperationKind, Outcome, ReleaseNo, RunStatus, Step,
    TokenOutcomeRecord,
};
use elspeth_landscape::{ActedEpoch, LandscapeError, RunRef};

use super::sample::*;
use super::{Store, recorded};

pub(crate) async fn a_run_comes_back_as_it_was_registered(store: &dyn Store) {
    let (_writer, run_no) = recorded(store, 'A', Vec::new()).await;
    let reader = store.reader().await;
    let expected = start(run_id('A'), 1_000_000);
    let run = reader.run(&RunRef::Latest).await.unwrap();
    assert_eq!(run.run_id, expected.run_id);
    assert_eq!(run.status, RunStatus::Running);
    assert_eq!((run.started_at, run.heartbeat_at), (expected.started_at, expected.started_at));
    assert_eq!((run.completed_at, run.content_root, run.record_root), (None, None, None));
    assert_eq!((run.settings, run.settings_path), (expected.settings, expected.settings_path));
    assert_eq!((run.config_hash, run.topology_hash), (expected.config_hash, expected.topology_hash));
    assert_eq!(run.hash_version, expected.hash_version);
    assert_eq!(run.grade, expected.grade);
    assert_eq!(run.export_status, ExportStatus::None);
    assert_eq!(run.source, expected.source);
    assert_eq!(run.owner, expected.owner);
    assert_eq!((run.error, run.epochs), (None, 0));
    assert_eq!(reader.nodes(run_no).await.unwrap(), nodes());
    assert_eq!(reader.edges(run_no).await.unwrap(), edges());
}

pub(crate) async fn every_record_comes_back_as_it_was_written(store: &dyn Store) {
    let (decided, acted) = eventful_epoch();
    let (_writer, run_no) = recorded(store, 'A', vec![(decided.clone(), acted.clone())]).await;
    let reader = store.reader().await;
    for expected in &decided.rows {
        let (found, epoch) = reader.row(run_no, expected.row_index).await.unwrap().unwrap();
        assert_eq!((&found, epoch), (expected, EpochNo(0)));
    }
    for expected in &decided.tokens {
        let token = expected.token;
        assert_eq!(reader.token(run_no, token).await.unwrap().as_ref(), Some(expected));
        let parents: Vec<_> = decided.token_parents.iter().filter(|p| p.token == token).cloned().collect();
        assert_eq!(reader.parents(run_no, token).await.unwrap(), parents);
        let states = reader.states(run_no, token).await.unwrap();
        let all = decided.states.iter().chain(&acted.sink_states);
        let mut written: Vec<_> = all.filter(|s| s.token == token).cloned().collect();
        written.sort_by_key(|state| (state.step, state.attempt));
        let stored: Vec<_> = states.into_iter().filter(|state| state.step != Step::SOURCE).collect();
        assert_eq!(stored, written);
        let contexts: Vec<_> = decided.contexts.iter().filter(|c| c.token == token).cloned().collect();
        assert_eq!(reader.contexts(run_no, token).await.unwrap(), contexts);
        let all = decided.routing.iter().chain(&acted.routing);
        let routing: Vec<_> = all.filter(|r| r.token == token).cloned().collect();
        assert_eq!(reader.routing(run_no, token).await.unwrap(), routing);
        let calls: Vec<_> = decided.calls.iter().filter(|c| c.token == token).cloned().collect();
        assert_eq!(reader.calls(run_no, token).await.unwrap(), calls);
        let all = decided.transform_errors.iter().chain(&acted.transform_errors);
        let errors: Vec<_> = all.filter(|e| e.token == token).cloned().collect();
        assert_eq!(reader.transform_errors(run_no, token).await.unwrap(), errors);
        let outcome = acted.outcomes.iter().find(|o| o.token == token);
        assert_eq!(reader.outcome(run_no, token).await.unwrap().as_ref(), outcome);
    }
    let refused = reader.validation_error(run_no, row(1)).await.unwrap();
    assert_eq!(refused.as_ref(), decided.validation_errors.first());
    assert_eq!(reader.validation_error(run_no, row(0)).await.unwrap(), None);
    assert_eq!(reader.bodies(run_no, EpochNo(0)).await.unwrap(), Some(decided.bodies));
    assert_eq!(reader.artifacts(run_no).await.unwrap(), acted.artifacts);
    assert_eq!(reader.run(&RunRef::Latest).await.unwrap().epochs, 1);
}

pub(crate) async fn what_is_not_there_is_none(store: &dyn Store) {
    let (_writer, run_no) = recorded(store, 'A', vec![plain_epoch(0, 0..1)]).await;
    let reader = store.reader().await;
    assert_eq!(reader.row(run_no, row(1)).await.unwrap(), None);
    assert_eq!(reader.token(run_no, token(1)).await.unwrap(), None);
    assert_eq!(reader.outcome(run_no, token(1)).await.unwrap(), None);
    assert_eq!(reader.states(run_no, token(1)).await.unwrap(), []);
    assert_eq!(reader.bodies(run_no, EpochNo(0)).await.unwrap(), None);
    assert_eq!(reader.tokens_of_row(run_no, row(1)).await.unwrap(), []);
}

pub(crate) async fn tokens_of_a_row_are_all_of_them_and_no_others(store: &dyn Store) {
    let (decided, acted) = eventful_epoch();
    let (_writer, run_no) = recorded(store, 'A', vec![(decided, acted)]).await;
    let found = store.reader().await.tokens_of_row(run_no, row(0)).await.unwrap();
    let tokens: Vec<_> = found.iter().map(|record| record.token).collect();
    assert_eq!(tokens, [token(0), child(0, 1), child(0, 2)]);
}

pub(crate) async fn the_source_state_follows_from_the_row(store: &dyn Store) {
    let (_writer, run_no) = recorded(store, 'A', vec![eventful_epoch()]).await;
    let reader = store.reader().await;
    let well = reader.states(run_no, token(0)).await.unwrap().remove(0);
    assert_eq!((well.step, well.attempt, well.status), (Step::SOURCE, 0, NodeStateStatus::Completed));
    assert_eq!(well.output_hash, Some(valid_row(0).source_data_hash));
    assert_eq!((well.started_us, well.duration_us), (valid_row(0).read_us, 0));
    let refused = reader.states(run_no, token(1)).await.unwrap().remove(0);
    assert_eq!((refused.step, refused.status), (Step::SOURCE, NodeStateStatus::Failed));
    assert_eq!(refused.output_hash, None);
    let forked = reader.states(run_no, child(0, 1)).await.unwrap();
    assert!(forked.iter().all(|state| state.step != Step::SOURCE), "a child never met the source");
}

pub(crate) async fn epochs_of_any_size_are_complete(store: &dyn Store) {
    let sizes = [1, 2, 3, 4, 7, 999, 1_000, 1_001, 1_789];
    let mut first = 0;
    let epochs = (0..)
        .zip(sizes)
        .map(|(number, size)| {
            let epoch = plain_epoch(number, first..first + size);
            first += size;
            epoch
        })
        .collect();
    let (mut writer, run_no) = recorded(store, 'A', epochs).await;
    let reader = store.reader().await;
    let counters = reader.counters(run_no).await.unwrap();
    assert_eq!((counters.processed, counters.routed), (first, first));
    let at_sink = reader.tokens_at_sink(run_no, step(APPROVED), u32::MAX).await.unwrap();
    assert_eq!(at_sink, (0..first).map(token).collect::<Vec<_>>());
    assert_eq!(writer.conservation().await.unwrap(), []);
    let mut first = 0;
    for (number, size) in (0..).zip(sizes) {
        for index in [first, first + size - 1] {
            let (_, epoch) = reader.row(run_no, row(index)).await.unwrap().unwrap();
            assert_eq!(epoch, EpochNo(number), "row {index}");
        }
        first += size;
    }
}

pub(crate) async fn nobody_sees_an_epoch_before_its_commit(store: &dyn Store) {
    let (mut writer, run_no) = recorded(store, 'A', Vec::new()).await;
    let reader = store.reader().await;
    let (decided, acted) = plain_epoch(0, 0..3);
    writer.stage(&decided).await.unwrap();
    assert_eq!(reader.row(run_no, row(0)).await.unwrap(), None);
    writer.commit(None, &hashes(1), Micros(5)).await.unwrap();
    assert!(reader.row(run_no, row(0)).await.unwrap().is_some());
    assert_eq!(reader.outcome(run_no, token(0)).await.unwrap(), None, "the sinks have not acted yet");
    writer.commit(Some(&acted), &hashes(2), Micros(6)).await.unwrap();
    assert_eq!(reader.outcome(run_no, token(0)).await.unwrap(), acted.outcomes.first().cloned());
}

pub(crate) async fn a_rolled_back_epoch_leaves_nothing_and_can_come_again(store: &dyn Store) {
    let (mut writer, run_no) = recorded(store, 'A', Vec::new()).await;
    let (decided, acted) = eventful_epoch();
    writer.stage(&decided).await.unwrap();
    writer.rollback().await.unwrap();
    let reader = store.reader().await;
    assert_eq!(reader.counters(run_no).await.unwrap().processed, 0);
    assert_eq!(reader.bodies(run_no, EpochNo(0)).await.unwrap(), None);
    writer.rollback().await.expect("nothing is staged, nothing is thrown away");
    writer.stage(&decided).await.unwrap();
    writer.commit(None, &hashes(1), Micros(5)).await.unwrap();
    writer.commit(Some(&acted), &hashes(2), Micros(6)).await.unwrap();
    assert_eq!(reader.counters(run_no).await.unwrap().processed, 4);
}

pub(crate) async fn a_reader_sees_each_commit_of_a_writer_beside_it(store: &dyn Store) {
    let (mut writer, run_no) = recorded(store, 'A', Vec::new()).await;
    let reader = store.reader().await;
    let mut before: Option<ActedEpoch> = None;
    for number in 0..20 {
        let (decided, acted) = plain_epoch(number, number * 10..number * 10 + 10);
        writer.stage(&decided).await.unwrap();
        assert_eq!(reader.counters(run_no).await.unwrap().processed, number * 10);
        writer.commit(before.as_ref(), &hashes(1), Micros(5)).await.unwrap();
        let counters = reader.counters(run_no).await.unwrap();
        assert_eq!((counters.processed, counters.routed), (number * 10 + 10, number * 10));
        before = Some(acted);
    }
}

pub(crate) async fn two_runs_in_one_database_do_not_mix(store: &dyn Store) {
    let (first_writer, first) = recorded(store, 'A', vec![plain_epoch(0, 0..5)]).await;
    drop(first_writer);
    let (_writer, second) = recorded(store, 'B', vec![eventful_epoch()]).await;
    let reader = store.reader().await;
    assert_ne!(first, second);
    assert_eq!(reader.counters(first).await.unwrap().processed, 5);
    assert_eq!(reader.counters(second).await.unwrap().processed, 4);
    assert!(reader.row(second, row(4)).await.unwrap().is_none());
    assert_eq!(reader.tokens_of_row(first, row(0)).await.unwrap().len(), 1);
    assert_eq!(reader.failures(first, 100).await.unwrap(), []);
}

pub(crate) async fn a_second_terminal_outcome_is_refused(store: &dyn Store) {
    let (mut writer, run_no) = recorded(store, 'A', vec![plain_epoch(0, 0..2)]).await;
    let again = TokenOutcomeRecord { outcome: Outcome::Failed, sink: None, ..outcome_of(1) };
    let acted = ActedEpoch { epoch: EpochNo(0), outcomes: vec![again], ..ActedEpoch::default() };
    let error = writer.commit(Some(&acted), &hashes(1), Micros(5)).await.unwrap_err();
    assert!(matches!(error, LandscapeError::Store { retryable: false, .. }), "{error}");
    let kept = store.reader().await.outcome(run_no, token(1)).await.unwrap().unwrap();
    assert_eq!(kept.outcome, Outcome::Routed);
}

fn outcome_of(index: u64) -> TokenOutcomeRecord {
    TokenOutcomeRecord::at_sink(token(index), Outcome::Routed, step(APPROVED))
}

pub(crate) async fn a_terminal_outcome_may_follow_buffered(store: &dyn Store) {
    let buffered = TokenOutcomeRecord {
        outcome: Outcome::Buffered,
        sink: None,
        batch_no: ReleaseNo::new(7),
        ..outcome_of(0)
    };
    let (decided, _) = plain_epoch(0, 0..1);
    let first = ActedEpoch { epoch: EpochNo(0), outcomes: vec![buffered.clone()], ..ActedEpoch::default() };
    let (mut writer, run_no) = recorded(store, 'A', vec![(decided, first)]).await;
    let reader = store.reader().await;
    assert_eq!(reader.outcome(run_no, token(0)).await.unwrap(), Some(buffered));
    assert_eq!(reader.counters(run_no).await.unwrap().buffered, 1);
    let consumed = TokenOutcomeRecord {
        outcome: Outcome::ConsumedInBatch,
        sink: None,
        batch_no: ReleaseNo::new(7),
        ..outcome_of(0)
    };
    let then = ActedEpoch { epoch: EpochNo(0), outcomes: vec![consumed.clone()], ..ActedEpoch::default() };
    writer.commit(Some(&then), &hashes(1), Micros(5)).await.unwrap();
    assert_eq!(reader.outcome(run_no, token(0)).await.unwrap(), Some(consumed));
    assert_eq!(reader.counters(run_no).await.unwrap().buffered, 0);
}

pub(crate) async fn an_epoch_that_cannot_be_committed_leaves_nothing_and_can_come_again(store: &dyn Store) {
    let (mut writer, run_no) = recorded(store, 'A', vec![plain_epoch(0, 0..2)]).await;
    let (decided, _) = plain_epoch(1, 2..4);
    writer.stage(&decided).await.unwrap();
    let twice = ActedEpoch { epoch: EpochNo(0), outcomes: vec![outcome_of(1)], ..ActedEpoch::default() };
    writer.commit(Some(&twice), &hashes(1), Micros(5)).await.unwrap_err();
    writer.commit(None, &hashes(1), Micros(6)).await.expect_err("it has to be rolled back");
    writer.rollback().await.unwrap();
    assert_eq!(store.reader().await.run(&RunRef::Latest).await.unwrap().epochs, 1);
    writer.stage(&decided).await.unwrap();
    writer.stage_acted(&twice).await.unwrap_err();
    writer.stage(&decided).await.expect_err("it has to be rolled back");
    writer.rollback().await.unwrap();
    writer.stage(&decided).await.unwrap();
    writer.commit(None, &hashes(1), Micros(6)).await.unwrap();
    let reader = store.reader().await;
    assert_eq!(reader.counters(run_no).await.unwrap().processed, 4);
    assert_eq!(reader.run(&RunRef::Latest).await.unwrap().epochs, 2);
}

pub(crate) async fn an_epoch_that_cannot_be_staged_leaves_nothing(store: &dyn Store) {
    let (mut writer, run_no) = recorded(store, 'A', vec![plain_epoch(0, 0..2)]).await;
    let (overlapping, _) = plain_epoch(1, 1..4);
    writer.stage(&overlapping).await.unwrap_err();
    let (decided, _) = plain_epoch(1, 2..4);
    writer.stage(&decided).await.unwrap();
    writer.commit(None, &hashes(1), Micros(6)).await.unwrap();
    assert_eq!(store.reader().await.counters(run_no).await.unwrap().processed, 4);
}

pub(crate) async fn calls_out_of_order_are_refused(store: &dyn Store) {
    let mut writer = store.writer().await;
    let (decided, _) = plain_epoch(0, 0..1);
    writer.stage(&decided).await.unwrap_err();
    writer.seal(&seal(RunStatus::Failed), &sealed()).await.unwrap_err();
    writer.begin_run(&start(run_id('A'), 1)).await.unwrap();
    writer.begin_run(&start(run_id('B'), 1)).await.unwrap_err();
    writer.stage(&decided).await.unwrap();
    writer.stage(&decided).await.unwrap_err();
    writer.seal(&seal(RunStatus::Failed), &sealed()).await.unwrap_err();
    writer.commit(None, &hashes(1), Micros(6)).await.unwrap();
}

pub(crate) async fn heartbeats_show_unless_an_epoch_is_staged(store: &dyn Store) {
    let (mut writer, _) = recorded(store, 'A', Vec::new()).await;
    let reader = store.reader().await;
    writer.heartbeat(Micros(77)).await.unwrap();
    assert_eq!(reader.run(&RunRef::Latest).await.unwrap().heartbeat_at, Micros(77));
    let (decided, _) = plain_epoch(0, 0..1);
    writer.stage(&decided).await.unwrap();
    writer.heartbeat(Micros(88)).await.unwrap();
    assert_eq!(reader.run(&RunRef::Latest).await.unwrap().heartbeat_at, Micros(77));
    writer.commit(None, &hashes(1), Micros(99)).await.unwrap();
    assert_eq!(reader.run(&RunRef::Latest).await.unwrap().heartbeat_at, Micros(99));
}

pub(crate) async fn a_sealed_run_tells_how_it_ended(store: &dyn Store) {
    let (mut writer, _) = recorded(store, 'A', vec![plain_epoch(0, 0..2)]).await;
    let ended = seal(RunStatus::Failed);
    writer.seal(&ended, &sealed()).await.unwrap();
    let run = store.reader().await.run(&RunRef::Latest).await.unwrap();
    assert_eq!((run.status, run.completed_at), (RunStatus::Failed, Some(ended.completed_at)));
    assert_eq!((run.content_root, run.record_root), (ended.content_root, ended.record_root));
    assert_eq!((run.error, run.source), (ended.error, ended.source));
    writer.begin_run(&start(run_id('B'), 2_000_000)).await.expect("the writer is free for another run");
}

pub(crate) async fn artifacts_are_the_newest_of_each_path(store: &dyn Store) {
    let (mut writer, run_no) = recorded(store, 'A', vec![eventful_epoch()]).await;
    let published = ActedEpoch {
        epoch: EpochNo(0),
        operations: vec![operation(APPROVED, OperationKind::SinkWrite)],
        artifacts: vec![artifact(APPROVED, 150)],
        ..ActedEpoch::default()
    };
    writer.commit(Some(&published), &hashes(1), Micros(5)).await.unwrap();
    let found = store.reader().await.artifacts(run_no).await.unwrap();
    assert_eq!(found, [artifact(APPROVED, 150), artifact(REFUSED, 200)]);
}
