//! Where a run that stopped goes on, and who may go on with it.

use elspeth_contracts::{EpochNo, Micros, OperationKind, OperationRecord, RunStatus};
use elspeth_landscape::{
    ActedEpoch, Checkpoint, DecidedEpoch, LandscapeError, LandscapeReader, LandscapeWriter, PendingEpoch,
    ResumePoint, Resumption, ResumptionRecord, RunRecord, RunRef, SinkIntent, SinkProgress, TakeUp,
};

use super::batched::{first_epoch, second_epoch};
use super::sample::*;
use super::{Store, recorded};

/// An epoch as [`plain_epoch`], with everything that matters to who takes the run up.
fn telling(number: u64, rows: std::ops::Range<u64>) -> (DecidedEpoch, ActedEpoch) {
    let (mut decided, mut acted) = plain_epoch(number, rows.clone());
    let tokens: Vec<_> = rows.map(token).collect();
    decided.intents =
        vec![SinkIntent { sink: step(APPROVED), tokens }, SinkIntent { sink: step(REFUSED), tokens: vec![] }];
    decided.pending = vec![0, 255, u8::try_from(number).unwrap()];
    decided.buffers = format!("{{\"open\":{number}}}");
    acted.sinks = vec![SinkProgress { sink: step(APPROVED), position: format!("{{\"offset\":{number}}}") }];
    (decided, acted)
}

fn checkpoint(decided: &DecidedEpoch, seed: u8) -> Option<Checkpoint> {
    Some(Checkpoint {
        epoch: decided.epoch,
        source_position: decided.source_position.clone(),
        buffers: decided.buffers.clone(),
        hash_state: hashes(seed).state,
    })
}

fn pending(decided: &DecidedEpoch) -> Vec<PendingEpoch> {
    let (intents, pending) = (decided.intents.clone(), decided.pending.clone());
    vec![PendingEpoch { epoch: decided.epoch, intents, pending }]
}

async fn point(store: &dyn Store, run_no: i64) -> ResumePoint {
    store.reader().await.resume_point(run_no).await.unwrap()
}

async fn commit(
    writer: &mut Box<dyn LandscapeWriter>,
    acted: Option<&ActedEpoch>,
    decided: Option<&DecidedEpoch>,
    seed: u8,
) {
    if let Some(decided) = decided {
        writer.stage(decided).await.unwrap();
    }
    writer.commit(acted, &hashes(seed), Micros(i64::from(seed))).await.unwrap();
}

async fn run(store: &dyn Store) -> RunRecord {
    store.reader().await.run(&RunRef::Latest).await.unwrap()
}

fn by(owner: &str, seen: &RunRecord) -> TakeUp {
    TakeUp {
        run_id: seen.run_id,
        seen_owner: seen.owner.clone(),
        seen_heartbeat: seen.heartbeat_at,
        owner: owner.to_owned(),
        now: Micros(7_000_000),
        resumption: Resumption {
            epoch: EpochNo(2),
            row: 5,
            engine_version: "9".to_owned(),
            settings: None,
            accepted_source: Some("{}".to_owned()),
        },
    }
}

pub(crate) async fn a_run_goes_on_from_its_last_commit(store: &dyn Store) {
    let ((first, first_acted), (second, second_acted)) = (telling(0, 0..3), telling(1, 3..5));
    let (mut writer, run_no) = recorded(store, 'A', Vec::new()).await;
    assert_eq!(point(store, run_no).await, ResumePoint::default());

    writer.stage(&first).await.unwrap();
    assert_eq!(point(store, run_no).await, ResumePoint::default(), "it is not committed");
    writer.commit(None, &hashes(1), Micros(1)).await.unwrap();
    let mut expected = ResumePoint {
        next_epoch: EpochNo(1),
        rows: 3,
        checkpoint: checkpoint(&first, 1),
        pending: pending(&first),
        ..ResumePoint::default()
    };
    assert_eq!(point(store, run_no).await, expected);

    commit(&mut writer, Some(&first_acted), Some(&second), 2).await;
    expected.next_epoch = EpochNo(2);
    expected.rows = 5;
    expected.checkpoint = checkpoint(&second, 2);
    expected.pending = pending(&second);
    expected.sinks = first_acted.sinks;
    assert_eq!(point(store, run_no).await, expected);

    commit(&mut writer, Some(&second_acted), None, 3).await;
    expected.checkpoint = checkpoint(&second, 3);
    expected.pending = Vec::new();
    expected.sinks = second_acted.sinks;
    assert_eq!(point(store, run_no).await, expected);

    writer.seal(&seal(RunStatus::Interrupted), &sealed()).await.unwrap();
    assert_eq!(point(store, run_no).await, expected, "the seal changes nothing about it");
}

pub(crate) async fn sinks_may_be_three_epochs_behind_and_no_more(store: &dyn Store) {
    let (mut writer, run_no) = recorded(store, 'A', Vec::new()).await;
    let epochs = [telling(0, 0..3), telling(1, 3..5), telling(2, 5..6), telling(3, 6..8)];
    let decided = epochs.each_ref().map(|(decided, _)| decided);
    let acted = epochs.each_ref().map(|(_, acted)| acted);
    for (at, decided) in (1..).zip(&decided[..3]) {
        commit(&mut writer, None, Some(decided), at).await;
    }
    let all = |epochs: &[&DecidedEpoch]| epochs.iter().flat_map(|epoch| pending(epoch)).collect::<Vec<_>>();
    let found = point(store, run_no).await;
    assert_eq!((found.next_epoch, found.checkpoint), (EpochNo(3), checkpoint(decided[2], 3)));
    assert_eq!((found.pending, found.sinks), (all(&decided[..3]), Vec::new()));

    commit(&mut writer, Some(acted[0]), Some(decided[3]), 4).await;
    let found = point(store, run_no).await;
    assert_eq!((found.next_epoch, found.checkpoint), (EpochNo(4), checkpoint(decided[3], 4)));
    assert_eq!((found.pending, found.sinks), (all(&decided[1..]), acted[0].sinks.clone()));

    for (at, done) in [(5, 1), (6, 2), (7, 3)] {
        commit(&mut writer, Some(acted[done]), None, at).await;
        let found = point(store, run_no).await;
        assert_eq!(found.checkpoint, checkpoint(decided[3], at), "the hashes go on with the last epoch");
        assert_eq!((found.pending, found.sinks), (all(&decided[done + 1..]), acted[done].sinks.clone()));
    }

    for number in 4..8_u8 {
        let row = u64::from(number) + 4;
        let (decided, _) = telling(number.into(), row..row + 1);
        commit(&mut writer, None, Some(&decided), number + 4).await;
    }
    let error = store.reader().await.resume_point(run_no).await.unwrap_err();
    assert!(error.to_string().contains("an epoch before the last ones was never acted on"), "{error}");
}

pub(crate) async fn a_failed_run_keeps_its_pending_epoch(store: &dyn Store) {
    let (mut writer, run_no) = recorded(store, 'A', Vec::new()).await;
    let (decided, _) = telling(0, 0..3);
    commit(&mut writer, None, Some(&decided), 1).await;
    writer.seal(&seal(RunStatus::Failed), &sealed()).await.unwrap();
    assert_eq!(point(store, run_no).await.pending, pending(&decided));
}

pub(crate) async fn an_epoch_without_rows_can_be_pending_too(store: &dyn Store) {
    let (mut writer, run_no) = recorded(store, 'A', vec![telling(0, 0..3)]).await;
    let (decided, acted) = telling(1, 3..3);
    commit(&mut writer, None, Some(&decided), 4).await;
    let found = point(store, run_no).await;
    assert_eq!((found.next_epoch, found.rows, found.pending), (EpochNo(2), 3, pending(&decided)));
    commit(&mut writer, Some(&acted), None, 5).await;
    assert_eq!(point(store, run_no).await.pending, Vec::new());
}

pub(crate) async fn releases_and_publications_are_known_by_node(store: &dyn Store) {
    let (mut writer, run_no) = recorded(store, 'A', vec![first_epoch(), second_epoch()]).await;
    let found = point(store, run_no).await;
    assert_eq!(found.released, [(step(super::batched::TOTALS), 2)]);
    assert_eq!(found.published, [], "writes are no publications");
    let published = ActedEpoch {
        epoch: EpochNo(1),
        operations: vec![OperationRecord {
            epoch: EpochNo(1),
            ..operation(REFUSED, OperationKind::SinkWrite)
        }],
        ..ActedEpoch::default()
    };
    commit(&mut writer, Some(&published), None, 9).await;
    assert_eq!(point(store, run_no).await.published, [step(REFUSED)]);
}

pub(crate) async fn a_run_without_rows_can_be_published(store: &dyn Store) {
    let (mut writer, run_no) = recorded(store, 'A', Vec::new()).await;
    let operations = vec![operation(APPROVED, OperationKind::SinkWrite)];
    let published = ActedEpoch { operations, ..ActedEpoch::default() };
    commit(&mut writer, Some(&published), None, 9).await;
    assert_eq!(point(store, run_no).await.published, [step(APPROVED)]);
}

pub(crate) async fn a_run_that_is_taken_up_is_running_again(store: &dyn Store) {
    for (id, status) in [('A', RunStatus::Interrupted), ('B', RunStatus::Failed)] {
        let (mut writer, run_no) = recorded(store, id, vec![telling(0, 0..3)]).await;
        writer.seal(&seal(status), &sealed()).await.unwrap();
        let counted = store.reader().await.counters(run_no).await.unwrap();
        let seen = store.reader().await.run(&RunRef::Prefix(run_id(id).to_string())).await.unwrap();
        let mut writer = store.writer().await;
        writer.take_up(&by("host:2:def", &seen)).await.unwrap();

        let now = store.reader().await.run(&RunRef::Prefix(run_id(id).to_string())).await.unwrap();
        assert_eq!((now.status, now.completed_at, now.error), (RunStatus::Running, None, None));
        assert_eq!((now.content_root, now.record_root), (None, None));
        assert_eq!((now.owner.as_str(), now.heartbeat_at), ("host:2:def", Micros(7_000_000)));
        assert_eq!((now.run_no, now.started_at, &now.source), (run_no, seen.started_at, &seen.source));
        let (decided, acted) = telling(1, 3..5);
        commit(&mut writer, None, Some(&decided), 4).await;
        commit(&mut writer, Some(&acted), None, 5).await;
        assert_eq!(writer.conservation().await.unwrap(), []);
        let more = store.reader().await.counters(run_no).await.unwrap();
        assert_eq!((counted.processed, more.processed), (3, 5), "the counters are not those of the seal");
        writer.seal(&seal(RunStatus::Completed), &sealed()).await.unwrap();
        assert_eq!(store.reader().await.counters(run_no).await.unwrap(), more);
    }
}

pub(crate) async fn a_run_is_taken_up_only_as_it_was_seen(store: &dyn Store) {
    let (mut owner, _) = recorded(store, 'A', vec![telling(0, 0..3)]).await;
    let seen = run(store).await;
    let refused = async |up: &TakeUp| store.writer().await.take_up(up).await.unwrap_err();

    owner.heartbeat(Micros(4_000)).await.unwrap();
    let error = refused(&by("host:2:def", &seen)).await;
    assert!(matches!(&error, LandscapeError::Owned { owner, .. } if *owner == seen.owner), "{error}");

    let alive = run(store).await;
    let stranger = RunRecord { owner: "host:9:xyz".to_owned(), ..alive.clone() };
    let error = refused(&by("host:2:def", &stranger)).await;
    assert!(matches!(error, LandscapeError::Owned { .. }), "{error}");
    let unknown = RunRecord { run_id: run_id('Z'), ..alive.clone() };
    let error = refused(&by("host:2:def", &unknown)).await;
    assert!(matches!(error, LandscapeError::NoSuchRun(_)), "{error}");
    assert_eq!(run(store).await.owner, seen.owner, "nothing was changed");

    owner.seal(&seal(RunStatus::Completed), &sealed()).await.unwrap();
    let error = refused(&by("host:2:def", &run(store).await)).await;
    assert!(matches!(error, LandscapeError::Completed { run_id: id } if id == run_id('A')), "{error}");
}

pub(crate) async fn of_two_who_take_a_run_up_one_gets_it(store: &dyn Store) {
    drop(recorded(store, 'A', vec![telling(0, 0..3)]).await);
    let seen = run(store).await;
    let (mut one, mut other) = (store.writer().await, store.writer().await);
    one.take_up(&by("host:2:def", &seen)).await.unwrap();
    let error = other.take_up(&by("host:3:ghi", &seen)).await.unwrap_err();
    assert!(matches!(&error, LandscapeError::Owned { owner, .. } if owner == "host:2:def"), "{error}");
    let error = other.heartbeat(Micros(1)).await.unwrap_err();
    assert!(error.to_string().contains("no run was begun"), "{error}");
    one.heartbeat(Micros(8_000_000)).await.unwrap();
    assert_eq!(run(store).await.heartbeat_at, Micros(8_000_000));
    let up = by("host:2:def", &seen);
    let recorded = ResumptionRecord {
        at: up.now,
        owner: up.owner,
        owner_before: up.seen_owner,
        resumption: up.resumption,
    };
    assert_eq!(store.reader().await.resumptions(seen.run_no).await.unwrap(), [recorded]);
}

/// Whatever the process tries that slept while its run was taken up, nothing of it is recorded.
pub(crate) async fn who_lost_a_run_cannot_write_it(store: &dyn Store) {
    let (mut slept, run_no) = recorded(store, 'A', Vec::new()).await;
    let ((first, acted), (second, _)) = (telling(0, 0..3), telling(1, 3..5));
    commit(&mut slept, None, Some(&first), 1).await;
    let mut successor = store.writer().await;
    successor.take_up(&by("host:2:def", &run(store).await)).await.unwrap();

    let lost = [
        slept.heartbeat(Micros(9)).await.unwrap_err(),
        slept.stage(&second).await.unwrap_err(),
        slept.commit(Some(&acted), &hashes(2), Micros(9)).await.unwrap_err(),
        slept.seal(&seal(RunStatus::Failed), &sealed()).await.unwrap_err(),
    ];
    for error in lost {
        assert!(matches!(&error, LandscapeError::LeaseLost { owner } if owner == "host:2:def"), "{error}");
    }
    let now = run(store).await;
    assert_eq!((now.status, now.heartbeat_at), (RunStatus::Running, Micros(7_000_000)));
    assert_eq!(point(store, run_no).await.pending, pending(&first));

    // Nor does it stand in the successor's way.
    commit(&mut successor, Some(&acted), Some(&second), 3).await;
    let error = slept.stage(&second).await.unwrap_err();
    assert!(matches!(error, LandscapeError::LeaseLost { .. }), "{error}");
    assert_eq!(point(store, run_no).await.next_epoch, EpochNo(2));
}

pub(crate) async fn a_writer_takes_up_no_run_beside_another(store: &dyn Store) {
    drop(recorded(store, 'A', vec![telling(0, 0..3)]).await);
    let seen = run(store).await;
    let mut writer = store.writer().await;
    writer.begin_run(&start(run_id('B'), 2_000_000)).await.unwrap();
    let error = writer.take_up(&by("host:2:def", &seen)).await.unwrap_err();
    assert!(error.to_string().contains("a run is open on this writer already"), "{error}");
    let reader: Box<dyn LandscapeReader> = store.reader().await;
    let still = reader.run(&RunRef::Prefix(run_id('A').to_string())).await.unwrap();
    assert_eq!(still.owner, seen.owner);
}
