//! Runs that are long enough to be counted while they go on.

use std::time::Duration;

use elspeth_contracts::{Micros, RunStatus};
use elspeth_landscape::{ActedEpoch, LandscapeError, LandscapeWriter as _, RunRecord, RunRef, TakeUp};
use elspeth_landscape_sql::SqliteWriter;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use crate::conformance::Store as _;
use crate::conformance::sample::{hashes, plain_epoch, run_id, seal, sealed, start, token};
use crate::{File, block_on};

const EPOCHS: u64 = 12;
const ROWS: u64 = 1_500;

/// Writes a run; `early` takes from an epoch's acts what is to come with the last epoch's instead.
async fn written(file: &File, early: impl Fn(u64, &mut ActedEpoch, &mut ActedEpoch)) -> SqliteWriter {
    let mut writer = file.landscape.writer().await.unwrap();
    writer.begin_run(&start(run_id('A'), 1)).await.unwrap();
    let (mut before, mut held) = (None, ActedEpoch::default());
    for number in 0..EPOCHS {
        let (decided, mut acted) = plain_epoch(number, number * ROWS..(number + 1) * ROWS);
        writer.stage(&decided).await.unwrap();
        writer.commit(before.as_ref(), &hashes(1), Micros(2)).await.unwrap();
        early(number, &mut acted, &mut held);
        before = Some(acted);
    }
    let mut last = before.unwrap();
    last.outcomes.append(&mut held.outcomes);
    last.sink_states.append(&mut held.sink_states);
    writer.commit(Some(&last), &hashes(2), Micros(3)).await.unwrap();
    writer
}

async fn execute(file: &File, sql: &'static str) {
    let path = file.landscape.location().path().unwrap();
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    connection.execute(sql).await.unwrap();
    connection.close().await.unwrap();
}

/// The same counters before the seal, when they are asked of the record, and after it, when they come from the census.
async fn check_counters(file: &File, mut writer: SqliteWriter) {
    let reader = file.reader().await;
    let run_no = reader.run(&RunRef::Latest).await.unwrap().run_no;
    let asked = reader.counters(run_no).await.unwrap();
    writer.seal(&seal(RunStatus::Completed), &sealed()).await.unwrap();
    assert_eq!(reader.counters(run_no).await.unwrap(), asked);
    assert_eq!((asked.processed, asked.routed), (EPOCHS * ROWS, EPOCHS * ROWS));
    assert_eq!(asked.destinations.values().sum::<u64>(), EPOCHS * ROWS);
}

#[test]
fn a_long_run_is_sound_and_its_counters_are_those_of_the_record() {
    block_on(async {
        let file = File::fresh().await;
        let mut writer = written(&file, |_, _, _| ()).await;
        assert_eq!(writer.conservation().await.unwrap(), []);
        check_counters(&file, writer).await;
    });
}

#[test]
fn tokens_that_end_long_after_their_rows_were_counted_are_counted_again() {
    block_on(async {
        let file = File::fresh().await;
        let hold = |number: u64, acted: &mut ActedEpoch, held: &mut ActedEpoch| {
            if number % 3 == 1 {
                held.outcomes.push(acted.outcomes.remove(7));
                held.sink_states.push(acted.sink_states.remove(7));
            }
        };
        let mut writer = written(&file, hold).await;
        assert_eq!(writer.conservation().await.unwrap(), []);
        check_counters(&file, writer).await;
    });
}

#[test]
fn what_is_lost_after_it_was_counted_is_missed() {
    block_on(async {
        let file = File::fresh().await;
        let mut writer = written(&file, |_, _, _| ()).await;
        execute(&file, "DELETE FROM token_outcomes WHERE token = 5 << 20").await;
        let breaches = writer.conservation().await.unwrap();
        let found = breaches.iter().map(|breach| (breach.rule, &*breach.ids)).next().unwrap();
        let lost = run_id('A').token_id(token(5)).to_string();
        assert_eq!(found, ("every token has a terminal outcome", &[lost][..]));
    });
}

/// Half of the epochs are of a process that ended before its last sinks had acted, the others of one that took the run up.
async fn written_in_two_goes(file: &File) -> SqliteWriter {
    let mut writer = file.landscape.writer().await.unwrap();
    writer.begin_run(&start(run_id('A'), 1)).await.unwrap();
    let mut before = None;
    for number in 0..EPOCHS {
        if number == EPOCHS / 2 {
            drop(writer);
            let seen = file.reader().await.run(&RunRef::Latest).await.unwrap();
            writer = file.landscape.writer().await.unwrap();
            writer.take_up(&taken_up(&seen)).await.unwrap();
        }
        let (decided, acted) = plain_epoch(number, number * ROWS..(number + 1) * ROWS);
        writer.stage(&decided).await.unwrap();
        writer.commit(before.as_ref(), &hashes(1), Micros(2)).await.unwrap();
        before = Some(acted);
    }
    writer.commit(before.as_ref(), &hashes(2), Micros(3)).await.unwrap();
    writer
}

fn taken_up(seen: &RunRecord) -> TakeUp {
    TakeUp {
        run_id: seen.run_id,
        seen_owner: seen.owner.clone(),
        seen_heartbeat: seen.heartbeat_at,
        owner: "host:2:def".to_owned(),
        now: Micros(2),
        resumption: elspeth_landscape::Resumption::default(),
    }
}

#[test]
fn a_run_that_was_taken_up_is_counted_from_its_first_row() {
    block_on(async {
        let file = File::fresh().await;
        let mut writer = written_in_two_goes(&file).await;
        assert_eq!(writer.conservation().await.unwrap(), []);
        check_counters(&file, writer).await;
    });
}

#[test]
fn what_was_lost_before_a_run_was_taken_up_is_missed() {
    block_on(async {
        let file = File::fresh().await;
        let mut writer = written_in_two_goes(&file).await;
        execute(&file, "DELETE FROM sink_states WHERE token = 5 << 20").await;
        let found: Vec<_> = writer.conservation().await.unwrap().iter().map(|breach| breach.rule).collect();
        assert_eq!(found, ["a token whose outcome names a sink has a completed state there"]);
    });
}

#[test]
fn a_run_is_not_taken_up_in_the_middle_of_a_commit() {
    block_on(async {
        let file = File::fresh().await;
        let mut owner = file.landscape.writer().await.unwrap();
        owner.begin_run(&start(run_id('A'), 1)).await.unwrap();
        let seen = file.reader().await.run(&RunRef::Latest).await.unwrap();
        let (decided, _) = plain_epoch(0, 0..3);
        owner.stage(&decided).await.unwrap();
        let impatient = file.landscape.clone().with_patience(Duration::ZERO);
        let mut other = impatient.writer().await.unwrap();
        let error = other.take_up(&taken_up(&seen)).await.unwrap_err();
        assert!(matches!(error, LandscapeError::Store { retryable: true, .. }), "{error}");

        owner.commit(None, &hashes(1), Micros(9)).await.unwrap();
        let error = other.take_up(&taken_up(&seen)).await.unwrap_err();
        assert!(matches!(error, LandscapeError::Owned { .. }), "the commit was a sign of life: {error}");
        let seen = file.reader().await.run(&RunRef::Latest).await.unwrap();
        other.take_up(&taken_up(&seen)).await.unwrap();
        let error = owner.commit(None, &hashes(1), Micros(10)).await.unwrap_err();
        assert!(matches!(error, LandscapeError::LeaseLost { .. }), "{error}");
    });
}

#[test]
fn a_second_run_is_counted_apart_from_the_first() {
    block_on(async {
        let file = File::fresh().await;
        drop(written(&file, |_, _, _| ()).await);
        let mut writer = file.landscape.writer().await.unwrap();
        writer.begin_run(&start(run_id('B'), 2)).await.unwrap();
        let (decided, acted) = plain_epoch(0, 0..9_000);
        writer.stage(&decided).await.unwrap();
        writer.commit(None, &hashes(1), Micros(2)).await.unwrap();
        writer.commit(Some(&acted), &hashes(2), Micros(3)).await.unwrap();
        assert_eq!(writer.conservation().await.unwrap(), []);
        execute(&file, "DELETE FROM token_outcomes WHERE token = 5 << 20 AND run_no = 2").await;
        assert_eq!(writer.conservation().await.unwrap().len(), 2);
    });
}

/// What was done with the epoch before can be written ahead of the commit; a failed commit takes it back with it.
#[test]
fn acts_that_were_written_ahead_are_committed_once() {
    block_on(async {
        let file = File::fresh().await;
        let mut writer = file.landscape.writer().await.unwrap();
        writer.begin_run(&start(run_id('A'), 1)).await.unwrap();
        let ((first, acted), (next, last)) = (plain_epoch(0, 0..3), plain_epoch(1, 3..5));
        writer.stage(&first).await.unwrap();
        writer.commit(None, &hashes(1), Micros(2)).await.unwrap();
        writer.stage(&next).await.unwrap();
        let mut twice = acted.clone();
        twice.outcomes.push(twice.outcomes[0].clone());
        writer.stage_acted(&twice).await.unwrap_err();
        writer.rollback().await.unwrap();
        writer.stage(&next).await.unwrap();
        writer.stage_acted(&acted).await.unwrap();
        let mut mistaken = acted.clone();
        mistaken.operations.push(mistaken_operation());
        writer.commit(Some(&mistaken), &hashes(2), Micros(3)).await.unwrap_err();
        writer.rollback().await.unwrap();
        writer.stage(&next).await.unwrap();
        writer.stage_acted(&acted).await.unwrap();
        writer.commit(Some(&acted), &hashes(2), Micros(3)).await.unwrap();
        writer.commit(Some(&last), &hashes(3), Micros(4)).await.unwrap();
        assert_eq!(writer.conservation().await.unwrap(), []);
        let counters = file.reader().await.counters(1).await.unwrap();
        assert_eq!((counters.processed, counters.routed), (5, 5));
    });
}

/// One of a step that the run does not have.
fn mistaken_operation() -> elspeth_contracts::OperationRecord {
    use elspeth_contracts::{EpochNo, OperationKind, OperationRecord, OperationStatus};
    OperationRecord {
        step: crate::conformance::sample::step(999),
        epoch: EpochNo(0),
        kind: OperationKind::SinkWrite,
        status: OperationStatus::Completed,
        attempts: 1,
        started_us: 0,
        duration_us: 0,
        error: None,
    }
}
