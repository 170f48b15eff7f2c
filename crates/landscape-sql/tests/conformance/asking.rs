//! Lists, counters, failures.

use elspeth_contracts::{EpochNo, FailureKind, Micros, RunStatus, Step};
use elspeth_landscape::{Counters, LandscapeError, RunRef};

use super::sample::*;
use super::{Store, recorded};

pub(crate) async fn runs_are_listed_newest_first(store: &dyn Store) {
    for (id, at) in [('A', 5_000), ('B', 9_000), ('C', 7_000)] {
        let mut writer = store.writer().await;
        writer.begin_run(&start(run_id(id), at)).await.unwrap();
        let (decided, _) = plain_epoch(0, 0..3);
        writer.stage(&decided).await.unwrap();
        writer.commit(None, &hashes(1), Micros(1)).await.unwrap();
        if id == 'C' {
            writer.seal(&seal(RunStatus::Interrupted), &sealed()).await.unwrap();
        }
    }
    let reader = store.reader().await;
    let runs = reader.runs().await.unwrap();
    let ids: Vec<_> = runs.iter().map(|run| run.run_id).collect();
    assert_eq!(ids, [run_id('B'), run_id('C'), run_id('A')]);
    assert!(runs.iter().all(|run| run.rows == 3 && run.settings_path == "pipelines/grants.yaml"));
    assert_eq!((runs[0].status, runs[0].completed_at), (RunStatus::Running, None));
    assert_eq!((runs[1].status, runs[1].completed_at), (RunStatus::Interrupted, Some(Micros(9_000_000))));
    assert_eq!(reader.run(&RunRef::Latest).await.unwrap().run_id, run_id('B'));
}

pub(crate) async fn a_run_is_found_by_any_prefix_that_only_it_has(store: &dyn Store) {
    let reader = store.reader().await;
    let none = reader.run(&RunRef::Latest).await.unwrap_err();
    assert!(matches!(none, LandscapeError::NoSuchRun(_)), "{none}");
    for (id, at) in [('A', 5_000), ('B', 9_000)] {
        store.writer().await.begin_run(&start(run_id(id), at)).await.unwrap();
    }
    let by = |prefix: String| RunRef::Prefix(prefix);
    let whole = run_id('A').to_string();
    assert_eq!(reader.run(&by(whole.clone())).await.unwrap().run_id, run_id('A'));
    assert_eq!(reader.run(&by(whole.to_lowercase())).await.unwrap().run_id, run_id('A'));
    let several = reader.run(&by(whole[..20].to_owned())).await.unwrap_err().to_string();
    assert!(
        several.contains(&run_id('A').to_string()) && several.contains(&run_id('B').to_string()),
        "{several}"
    );
    let nobody = reader.run(&by("7ZZ".to_owned())).await.unwrap_err();
    assert!(matches!(&nobody, LandscapeError::NoSuchRun(text) if text.contains("7ZZ")), "{nobody}");
}

pub(crate) async fn counters_follow_from_the_record_before_and_after_the_seal(store: &dyn Store) {
    let (mut writer, run_no) = recorded(store, 'A', vec![eventful_epoch(), plain_epoch(1, 4..10)]).await;
    let expected = Counters {
        processed: 10,
        succeeded: 1,
        routed: 8,
        quarantined: 1,
        forked: 1,
        diverted: 1,
        destinations: [("approved".to_owned(), 7), ("refused".to_owned(), 4)].into(),
        ..Counters::default()
    };
    let reader = store.reader().await;
    assert_eq!(reader.counters(run_no).await.unwrap(), expected);
    writer.seal(&seal(RunStatus::Completed), &sealed()).await.unwrap();
    assert_eq!(reader.counters(run_no).await.unwrap(), expected);
}

pub(crate) async fn failures_are_those_that_ended_a_path_in_row_order(store: &dyn Store) {
    let (_writer, run_no) = recorded(store, 'A', vec![plain_epoch(0, 10..12), shifted()]).await;
    let reader = store.reader().await;
    let failures = reader.failures(run_no, 100).await.unwrap();
    let found: Vec<_> = failures
        .iter()
        .map(|f| (f.row_index.unwrap().get(), (f.step.get(), f.attempt), f.reason.kind))
        .collect();
    assert_eq!(
        found,
        [
            (1, (0, 0), FailureKind::SchemaViolation),
            (2, (TRANSFORM, 2), FailureKind::TransformError),
            (3, (APPROVED, 0), FailureKind::SinkRefused),
        ]
    );
    assert!(failures.iter().all(|f| f.destination == Some(step(REFUSED))));
    assert_eq!(failures[0].token, token(1));
    assert_eq!(failures[0].reason.line, Some(3));
    assert_eq!(reader.failures(run_no, 2).await.unwrap(), failures[..2]);
    assert_eq!(reader.failures(run_no, 0).await.unwrap(), []);
}

/// The eventful epoch as the second one.
fn shifted() -> (elspeth_landscape::DecidedEpoch, elspeth_landscape::ActedEpoch) {
    let (mut decided, mut acted) = eventful_epoch();
    decided.epoch = EpochNo(1);
    acted.epoch = EpochNo(1);
    (decided, acted)
}

pub(crate) async fn failures_of_a_run_under_way_are_known_before_their_outcomes(store: &dyn Store) {
    let (mut writer, run_no) = recorded(store, 'A', Vec::new()).await;
    let (decided, _) = eventful_epoch();
    writer.stage(&decided).await.unwrap();
    writer.commit(None, &hashes(1), Micros(1)).await.unwrap();
    let failures = store.reader().await.failures(run_no, 100).await.unwrap();
    let found: Vec<_> = failures.iter().map(|f| (f.token, f.attempt, f.epoch)).collect();
    assert_eq!(found, [(token(1), 0, Some(EpochNo(0))), (token(2), 2, Some(EpochNo(0)))]);
}

pub(crate) async fn failures_are_counted_by_node_kind_and_destination(store: &dyn Store) {
    let (_writer, run_no) = recorded(store, 'A', vec![eventful_epoch()]).await;
    let counts = store.reader().await.failure_counts(run_no).await.unwrap();
    let found: Vec<_> =
        counts.iter().map(|c| (c.step, c.kind.as_str(), c.count, c.example.as_str())).collect();
    assert_eq!(
        found,
        [
            (Step::SOURCE, "schema_violation", 1, "`amount` is not a number"),
            (step(TRANSFORM), "transform_error", 1, "attempt 2"),
            (step(APPROVED), "sink_refused", 1, "too long"),
        ]
    );
    assert!(counts.iter().all(|count| count.destination == Some(step(REFUSED))));
}

pub(crate) async fn tokens_at_a_sink_are_those_it_took_in_row_order(store: &dyn Store) {
    let (_writer, run_no) = recorded(store, 'A', vec![eventful_epoch(), plain_epoch(1, 4..6)]).await;
    let reader = store.reader().await;
    let refused = reader.tokens_at_sink(run_no, step(REFUSED), 10).await.unwrap();
    assert_eq!(refused, [child(0, 2), token(1), token(2), token(3)]);
    let approved = reader.tokens_at_sink(run_no, step(APPROVED), 2).await.unwrap();
    assert_eq!(approved, [child(0, 1), token(4)], "row 3 was not taken");
}
