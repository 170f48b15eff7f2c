//! What is counted record by record is what SQLite counts.

use std::time::Duration;

use proptest::prelude::*;
use rusqlite::{Connection, named_params};

use super::{Stretch, Tally};
use crate::connect;

const NUMBERS: [(&str, &str); 5] = [
    ("rows", "SELECT count(*) FROM rows WHERE run_no = 1 AND row_index BETWEEN :first >> 20 AND :last >> 20"),
    (
        "tokens",
        "SELECT count(*), count(*) FILTER (WHERE token & 1048575 = 0 AND token < 1 << 55), count(group_no),
        count(*) FILTER (WHERE group_no <> token)
        FROM tokens WHERE run_no = 1 AND token BETWEEN :first AND :last",
    ),
    (
        "without outcome",
        "SELECT count(*) FROM (SELECT token FROM tokens WHERE run_no = 1 AND token BETWEEN :first AND :last
        EXCEPT SELECT token FROM token_outcomes WHERE run_no = 1 AND terminal = 1)",
    ),
    (
        "outcomes",
        "SELECT count(*), count(sink), count(sink) FILTER (WHERE outcome = 0), count(sink) FILTER (WHERE outcome = 1),
        count(sink) FILTER (WHERE outcome = 6), count(sink) FILTER (WHERE outcome = 7),
        count(*) FILTER (WHERE outcome = 0), count(*) FILTER (WHERE outcome = 4), count(*) FILTER (WHERE outcome = 9)
        FROM token_outcomes WHERE run_no = 1 AND token BETWEEN :first AND :last",
    ),
    (
        "arrivals",
        "SELECT count(*), (SELECT count(*) FROM sink_states WHERE run_no = 1 AND token BETWEEN :first AND :last),
        (SELECT count(*) FROM sink_states WHERE run_no = 1 AND token BETWEEN :first AND :last AND step = 5 AND status = 2)
        FROM token_outcomes o WHERE o.run_no = 1 AND o.token BETWEEN :first AND :last AND o.terminal = 1 AND EXISTS
        (SELECT 1 FROM sink_states s WHERE s.run_no = 1 AND s.token = o.token AND s.step = o.sink AND s.status = 2)",
    ),
];

/// Links; good ones of families, those of them whose parent is of another row, good ones of merges.
const LINKS: &str = "SELECT (SELECT count(*) FROM token_parents WHERE run_no = 1 AND token BETWEEN :first AND :last),
        coalesce(sum(family), 0), coalesce(sum(family AND parent >> 20 <> token >> 20), 0), coalesce(sum(merge), 0)
    FROM (SELECT p.token, p.parent,
            p.ordinal = 0 AND t.group_no = p.parent AND o.outcome IN (2, 3) AND o.group_no = p.parent AS family,
            t.group_no = p.token AND o.outcome = 4 AND o.group_no = p.token AS merge
        FROM token_parents p CROSS JOIN tokens t CROSS JOIN token_outcomes o
        WHERE p.run_no = 1 AND p.token BETWEEN :first AND :last AND t.run_no = 1 AND t.token = p.token
            AND o.run_no = 1 AND o.token = p.parent AND o.terminal = 1)";

const FIRST_UNDER_WAY: &str = "SELECT min(token) >> 20 FROM (SELECT token FROM tokens WHERE run_no = 1
    EXCEPT SELECT token FROM token_outcomes WHERE run_no = 1 AND terminal = 1)";

fn asked(connection: &Connection, sql: &str, (first, last): (i64, i64)) -> Vec<i64> {
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let range = named_params! { ":first": first, ":last": last };
    statement.query_row(range, |row| (0..columns).map(|at| row.get(at)).collect()).unwrap()
}

fn counted(tally: &Tally) -> Vec<(&'static str, Vec<i64>)> {
    let by = |code: usize| tally.by_outcome[code];
    let mut outcomes = vec![tally.outcomes, tally.at_sinks];
    outcomes.extend(tally.at_sinks_by);
    outcomes.extend([by(0), by(4), by(9)]);
    let completed = tally.completed.get(&5).copied().unwrap_or_default();
    vec![
        ("rows", vec![tally.rows]),
        ("tokens", vec![tally.tokens, tally.firsts, tally.in_groups, tally.grouped]),
        ("without outcome", vec![tally.without_outcome]),
        ("outcomes", outcomes),
        ("arrivals", vec![tally.arrivals, tally.sink_states, completed]),
    ]
}

/// A token of one of three rows or of two releases.
fn token() -> impl Strategy<Value = i64> {
    (prop_oneof![0i64..3, (1i64 << 35)..(1 << 35) + 2], 0i64..4)
        .prop_map(|(row, ordinal)| row << 20 | ordinal)
}

/// Statements that put records of any kind.
fn records() -> impl Strategy<Value = Vec<String>> {
    let group = || prop_oneof![Just("NULL".to_owned()), token().prop_map(|token| token.to_string())];
    let sink = || prop_oneof![Just("NULL".to_owned()), (5i64..7).prop_map(|sink| sink.to_string())];
    let one = prop_oneof![
        (0i64..3).prop_map(|row| format!(
            "INSERT OR IGNORE INTO rows(run_no, row_index, source_data_hash, read_us) VALUES (1, {row}, zeroblob(32), 0)"
        )),
        (token(), group()).prop_map(|(token, group)| format!(
            "INSERT OR IGNORE INTO tokens(run_no, token, group_no) VALUES (1, {token}, {group})"
        )),
        (token(), token(), 0i64..2).prop_map(|(token, parent, ordinal)| format!(
            "INSERT OR IGNORE INTO token_parents(run_no, token, ordinal, parent) VALUES (1, {token}, {ordinal}, {parent})"
        )),
        (token(), 0i64..10, sink(), group()).prop_map(|(token, outcome, sink, group)| format!(
            "INSERT OR IGNORE INTO token_outcomes(run_no, token, terminal, outcome, sink, group_no)
            VALUES (1, {token}, {outcome} <> 9, {outcome}, {sink}, {group})"
        )),
        (token(), 5i64..7, 0i64..2, 2i64..4).prop_map(|(token, sink, attempt, status)| format!(
            "INSERT OR IGNORE INTO sink_states(run_no, token, step, attempt, status, started_us, duration_us)
            VALUES (1, {token}, {sink}, {attempt}, {status}, 0, 0)"
        )),
    ];
    prop::collection::vec(one, 0..60)
}

/// Records as they are after a fork and a merge, of which those before may spoil something.
const FAMILY: &str = "INSERT OR IGNORE INTO tokens(run_no, token, group_no) VALUES (1, 0, NULL), (1, 1, 0), (1, 2, 0), (1, 3, 3);
    INSERT OR IGNORE INTO token_parents(run_no, token, ordinal, parent) VALUES (1, 1, 0, 0), (1, 2, 0, 0), (1, 3, 0, 1),
        (1, 3, 1, 2);
    INSERT OR IGNORE INTO token_outcomes(run_no, token, outcome, sink, group_no) VALUES (1, 0, 2, NULL, 0), (1, 1, 4, NULL, 3),
        (1, 2, 4, NULL, 3), (1, 3, 0, 5, NULL)";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn counted_record_by_record_is_what_sqlite_counts(records in records(), family in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.db");
        let connection = connect::writer(&path, Duration::ZERO, connect::Synchronous::Off).unwrap();
        connection.execute_batch("PRAGMA foreign_keys = OFF; BEGIN").unwrap();
        for record in &records {
            connection.execute_batch(record).unwrap();
        }
        if family {
            connection.execute_batch(FAMILY).unwrap();
        }
        connection.execute_batch("COMMIT").unwrap();
        let mut sum = Tally::default();
        for stretch in [Stretch { from: 0, to: 1 }, Stretch { from: 1, to: i64::MAX }] {
            let tally = Tally::of(&connection, 1, stretch).unwrap();
            for ((name, sql), (_, counted)) in NUMBERS.iter().zip(counted(&tally)) {
                prop_assert_eq!(asked(&connection, sql, stretch.tokens()), counted, "{} of {:?}", name, stretch);
            }
            prop_assert_eq!(&asked(&connection, LINKS, stretch.tokens())[..], &tally.families.numbers()[..4]);
            sum.add(&tally);
        }
        prop_assert!(sum.is_of_everything(&connection, 1).unwrap());
        let whole = Tally::of(&connection, 1, Stretch::ALL).unwrap();
        prop_assert_eq!(whole.families.numbers(), sum.families.numbers());
        prop_assert_eq!(whole, sum);
        let (finished, left) = Tally::of_finished(&connection, 1, Stretch::ALL).unwrap();
        prop_assert_eq!(finished.without_outcome, 0);
        let under_way: Option<i64> = connection.query_row(FIRST_UNDER_WAY, (), |row| row.get(0)).unwrap();
        prop_assert_eq!(left, under_way.map(|from| Stretch { from, to: i64::MAX }));
        let counted = Tally::of(&connection, 1, Stretch { from: 0, to: under_way.unwrap_or(i64::MAX) }).unwrap();
        prop_assert_eq!(finished, counted);
    }
}

#[test]
fn stretches_that_follow_each_other_leave_no_number_out() {
    let (first, next) = (Stretch { from: 0, to: 4096 }, Stretch { from: 4096, to: i64::MAX });
    assert_eq!((first.rows(), next.rows()), ((i64::MIN, 4095), (4096, i64::MAX)));
    assert_eq!(first.tokens(), (i64::MIN, (4096 << 20) - 1));
    assert_eq!(next.tokens(), (4096 << 20, i64::MAX));
    assert_eq!(Stretch::ALL.tokens(), (i64::MIN, i64::MAX));
}
