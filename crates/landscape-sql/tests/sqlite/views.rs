//! The readable views show the record as the program shows it.

use elspeth_contracts::{Micros, RunStatus, StateKey, Step, TokenKey};
use elspeth_landscape::{RunRef, TakeUp};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _};

use crate::conformance::sample::{
    APPROVED, GATE, TRANSFORM, child, eventful_epoch, hash, plain_epoch, row, run_id, seal, sealed, step,
    token, valid_row,
};
use crate::conformance::{Store as _, recorded};
use crate::{File, block_on};

pub(crate) async fn open(file: &File) -> SqliteConnection {
    let path = file.landscape.location().path().unwrap();
    SqliteConnectOptions::new().filename(path).read_only(true).connect().await.unwrap()
}

async fn rows(connection: &mut SqliteConnection, sql: &str) -> Vec<SqliteRow> {
    sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(connection).await.unwrap()
}

/// The values of a query's only column, as text.
async fn column(connection: &mut SqliteConnection, sql: impl AsRef<str>) -> Vec<String> {
    let found = rows(connection, sql.as_ref()).await;
    found
        .iter()
        .map(|row| row.get_unchecked::<Option<String>, _>(0).unwrap_or_else(|| "null".to_owned()))
        .collect()
}

/// The first `N` values of each record of a query, as text.
pub(crate) async fn texts<const N: usize>(
    connection: &mut SqliteConnection,
    sql: &str,
) -> Vec<[Option<String>; N]> {
    let found = rows(connection, sql).await;
    found.iter().map(|row| std::array::from_fn(|at| row.get_unchecked::<Option<String>, _>(at))).collect()
}

/// A line as [`texts`] gives it; an empty text stands for null.
pub(crate) fn line<const N: usize>(texts: [&str; N]) -> [Option<String>; N] {
    texts.map(|text| (!text.is_empty()).then(|| text.to_owned()))
}

/// A database with a run in which everything happens, and another run beside it.
async fn eventful() -> (File, SqliteConnection) {
    let file = File::fresh().await;
    drop(recorded(&file, 'B', vec![plain_epoch(0, 0..2)]).await);
    drop(recorded(&file, 'A', vec![eventful_epoch(), plain_epoch(1, 4..6)]).await);
    let connection = open(&file).await;
    (file, connection)
}

pub(crate) const OF_RUN: &str = "run_id = '01JZ8Q4Z8N5X2V7K3M9T0B6C1A'";

#[test]
fn ids_are_those_that_the_program_computes() {
    block_on(async {
        let (_file, mut db) = eventful().await;
        let run = run_id('A');
        let ids =
            column(&mut db, format!("SELECT row_id FROM v_rows WHERE {OF_RUN} ORDER BY row_index")).await;
        assert_eq!(ids, (0..6).map(|index| run.row_id(row(index)).to_string()).collect::<Vec<_>>());
        let (decided, acted) = eventful_epoch();
        let ids = column(
            &mut db,
            format!("SELECT token_id FROM v_tokens WHERE {OF_RUN} AND row_index < 4 ORDER BY token"),
        );
        let expected: Vec<_> =
            decided.tokens.iter().map(|record| run.token_id(record.token).to_string()).collect();
        assert_eq!(ids.await, expected);
        let found = column(
            &mut db,
            format!(
                "SELECT state_id FROM v_node_states WHERE {OF_RUN} AND row_index < 4 AND step > 0 ORDER BY 1"
            ),
        );
        let states = decided.states.iter().chain(&acted.sink_states);
        let mut expected: Vec<_> = states
            .map(|s| run.state_id(StateKey { token: s.token, step: s.step, attempt: s.attempt }).to_string())
            .collect();
        expected.sort();
        assert_eq!(found.await, expected);
        let found =
            column(&mut db, format!("SELECT call_id FROM v_calls WHERE {OF_RUN} ORDER BY call_index")).await;
        assert_eq!(found, [100, 101].map(|number| run.call_id(number).to_string()));
    });
}

#[test]
fn ids_of_large_numbers_are_those_that_the_program_computes() {
    block_on(async {
        let file = File::fresh().await;
        drop(recorded(&file, 'A', Vec::new()).await);
        let run = run_id('A');
        let path = file.landscape.location().path().unwrap();
        let mut db = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
        let last = TokenKey::of_row(row((1 << 35) - 1), TokenKey::ORDINAL_LIMIT - 1).unwrap();
        let batch = TokenKey::of_batch((1 << 35) - 1, 77).unwrap();
        for key in [last, batch] {
            let number = key.get();
            let sql = format!(
                "INSERT INTO node_states VALUES (1, {number}, 4095, 255, 2, 0, 0, 0, NULL, NULL);
                 INSERT INTO tokens VALUES (1, {number}, NULL, NULL)"
            );
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
        }
        let sql = format!("INSERT INTO rows VALUES (1, {}, zeroblob(32), 0, 1)", (1_u64 << 35) - 1);
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
        let tokens = column(&mut db, "SELECT token_id FROM v_tokens ORDER BY token").await;
        assert_eq!(tokens, [last, batch].map(|key| run.token_id(key).to_string()));
        let states =
            column(&mut db, "SELECT state_id FROM v_node_states WHERE step > 0 ORDER BY token").await;
        let id = |token| {
            run.state_id(StateKey { token, step: Step::new(4095).unwrap(), attempt: 255 }).to_string()
        };
        assert_eq!(states, [last, batch].map(id));
        let row_index = column(&mut db, "SELECT row_index FROM v_tokens ORDER BY token").await;
        assert_eq!(
            row_index,
            [((1_u64 << 35) - 1).to_string(), "null".to_owned()],
            "a batch's token has no row"
        );
    });
}

#[test]
fn times_are_rfc_3339_with_microseconds() {
    block_on(async {
        let (_file, mut db) = eventful().await;
        let read =
            column(&mut db, format!("SELECT read_at FROM v_rows WHERE {OF_RUN} AND row_index = 3")).await;
        assert_eq!(read, [Micros(1_000_003).rfc3339()]);
        let started = column(&mut db, format!("SELECT started_at FROM v_runs WHERE {OF_RUN}")).await;
        assert_eq!(started, ["1970-01-01T00:00:01.000000Z"]);
        let completed = column(&mut db, format!("SELECT completed_at FROM v_runs WHERE {OF_RUN}")).await;
        assert_eq!(completed, ["null"]);
    });
}

#[test]
fn a_run_that_was_taken_up_is_shown_as_running() {
    block_on(async {
        let file = File::fresh().await;
        let (mut writer, _) = recorded(&file, 'A', vec![plain_epoch(0, 0..2)]).await;
        writer.seal(&seal(RunStatus::Failed), &sealed()).await.unwrap();
        let shown =
            "SELECT status, completed_at, duration_seconds, row_count, epoch_count, owner, heartbeat_at,
            error_kind, error_message, content_root, record_root FROM v_runs";
        let mut db = open(&file).await;
        let [before] = texts::<11>(&mut db, shown).await.try_into().unwrap();
        assert!(before.iter().all(Option::is_some), "{before:?}");
        let seen = file.reader().await.run(&RunRef::Latest).await.unwrap();
        let up = TakeUp {
            run_id: seen.run_id,
            seen_owner: seen.owner,
            seen_heartbeat: seen.heartbeat_at,
            owner: "host:2:def".to_owned(),
            now: Micros(10_000_000),
            resumption: elspeth_landscape::Resumption::default(),
        };
        file.writer().await.take_up(&up).await.unwrap();
        let after =
            ["running", "", "", "2", "1", "host:2:def", "1970-01-01T00:00:10.000000Z", "", "", "", ""];
        assert_eq!(texts(&mut db, shown).await, [line(after)]);
        assert_eq!(column(&mut db, "SELECT summary FROM runs").await, ["null"]);
    });
}

#[test]
fn hashes_that_are_not_stored_are_those_of_the_state_before() {
    block_on(async {
        let (_file, mut db) = eventful().await;
        let sql = format!(
            "SELECT node, attempt, input_hash, output_hash FROM v_explain WHERE {OF_RUN} AND row_index = 0 AND branch IS NULL"
        );
        let shown = texts(&mut db, &sql).await;
        let (read, cleaned) = (valid_row(0).source_data_hash.to_string(), hash(9).to_string());
        assert_eq!(
            shown,
            [
                line(["grants", "0", "", &read]),
                line(["clean", "0", &read, &cleaned]),
                line(["score", "0", &cleaned, &cleaned]),
            ]
        );
    });
}

#[test]
fn a_child_begins_with_what_its_parent_carried() {
    block_on(async {
        let (_file, mut db) = eventful().await;
        let of_child = |branch: &str| {
            format!(
                "SELECT input_hash FROM v_explain WHERE {OF_RUN} AND branch = '{branch}' AND node_type = 'sink'"
            )
        };
        assert_eq!(
            column(&mut db, of_child("right")).await,
            [hash(9).to_string()],
            "its parent's, after the transform"
        );
        assert_eq!(
            column(&mut db, of_child("left")).await,
            [hash(8).to_string()],
            "its own, which the gate gave"
        );
    });
}

#[test]
fn a_grandchild_whose_forebears_changed_nothing_has_the_rows_hash() {
    block_on(async {
        let file = File::fresh().await;
        let (mut decided, mut acted) = plain_epoch(0, 0..1);
        for (ordinal, parent) in [(1, 0), (2, 1)] {
            decided.tokens.push(elspeth_contracts::TokenRecord::plain(child(0, ordinal)));
            decided.token_parents.push(elspeth_contracts::TokenParentRecord {
                token: child(0, ordinal),
                parent: child(0, parent),
                ordinal: 0,
            });
        }
        acted.sink_states.push(crate::conformance::sample::state(child(0, 2), APPROVED));
        drop(recorded(&file, 'A', vec![(decided, acted)]).await);
        let mut db = open(&file).await;
        let token_id = run_id('A').token_id(child(0, 2)).to_string();
        let found =
            column(&mut db, format!("SELECT input_hash FROM v_node_states WHERE token_id = '{token_id}'"))
                .await;
        assert_eq!(found, [valid_row(0).source_data_hash.to_string()]);
    });
}

#[test]
fn a_failed_state_gave_nothing_and_changed_nothing() {
    block_on(async {
        let (_file, mut db) = eventful().await;
        let sql = format!(
            "SELECT attempt, status, input_hash, output_hash, error_message FROM v_node_states
             WHERE {OF_RUN} AND row_index = 2 AND node = 'clean' ORDER BY attempt"
        );
        let shown = texts(&mut db, &sql).await;
        let read = valid_row(2).source_data_hash.to_string();
        let tried = |attempt: &str| line([attempt, "failed", &read, "", &format!("attempt {attempt}")]);
        assert_eq!(shown, ["0", "1", "2"].map(tried));
    });
}

#[test]
fn the_wait_for_a_rate_limit_is_shown() {
    block_on(async {
        let (_file, mut db) = eventful().await;
        for view in ["v_node_states", "v_explain"] {
            let sql =
                format!("SELECT node, waited_us FROM {view} WHERE {OF_RUN} AND row_index = 3 ORDER BY step");
            let shown = texts(&mut db, &sql).await;
            let expected = [("grants", "0"), ("clean", "1250000"), ("approved", "0"), ("refused", "7")];
            assert_eq!(shown, expected.map(|(node, waited)| line([node, waited])), "{view}");
        }
    });
}

#[test]
fn explain_tells_the_whole_way_of_a_row() {
    block_on(async {
        let (_file, mut db) = eventful().await;
        let sql = format!(
            "SELECT node, status, routing, error_kind, outcome, outcome_sink FROM v_explain
             WHERE {OF_RUN} AND row_index IN (1, 3)"
        );
        let shown = texts(&mut db, &sql).await;
        assert_eq!(
            shown,
            [
                line(["grants", "failed", "", "schema_violation", "quarantined", "refused"]),
                line(["refused", "completed", "", "", "quarantined", "refused"]),
                line(["grants", "completed", "", "", "diverted", "refused"]),
                line(["clean", "completed", "", "", "diverted", "refused"]),
                line(["approved", "failed", "low -> refused", "sink_refused", "diverted", "refused"]),
                line(["refused", "completed", "", "", "diverted", "refused"]),
            ]
        );
    });
}

#[test]
fn every_view_shows_every_record_of_its_table() {
    block_on(async {
        let (_file, mut db) = eventful().await;
        let source_states = "(SELECT count(*) FROM rows)";
        for (view, expected) in [
            ("v_runs", "SELECT count(*) FROM runs"),
            ("v_nodes", "SELECT count(*) FROM nodes"),
            ("v_edges", "SELECT count(*) FROM edges"),
            ("v_rows", "SELECT count(*) FROM rows"),
            ("v_tokens", "SELECT count(*) FROM tokens"),
            ("v_routing_events", "SELECT count(*) FROM routing_events"),
            ("v_calls", "SELECT count(*) FROM calls"),
            ("v_token_outcomes", "SELECT count(*) FROM token_outcomes"),
            ("v_validation_errors", "SELECT count(*) FROM validation_errors"),
            ("v_transform_errors", "SELECT count(*) FROM transform_errors"),
            ("v_operations", "SELECT count(*) FROM operations"),
            ("v_artifacts", "SELECT count(*) FROM artifacts"),
            ("v_batches", "SELECT count(*) FROM batches"),
            ("v_epochs", "SELECT count(*) FROM epochs"),
        ] {
            let shown = column(&mut db, format!("SELECT count(*) FROM (SELECT * FROM {view})")).await;
            assert_eq!(shown, column(&mut db, expected).await, "{view}");
        }
        let states = column(
            &mut db,
            format!("SELECT {source_states} + (SELECT count(*) FROM node_states) + (SELECT count(*) FROM sink_states)"),
        )
        .await;
        for view in ["v_node_states", "v_explain"] {
            assert_eq!(
                column(&mut db, format!("SELECT count(*) FROM (SELECT * FROM {view})")).await,
                states,
                "{view}"
            );
        }
    });
}

#[test]
fn asking_for_one_row_reads_no_table_from_end_to_end() {
    block_on(async {
        let (_file, mut db) = eventful().await;
        for view in
            ["v_rows", "v_tokens", "v_node_states", "v_routing_events", "v_token_outcomes", "v_explain"]
        {
            let sql = format!("EXPLAIN QUERY PLAN SELECT * FROM {view} WHERE {OF_RUN} AND row_index = 2");
            let plan: Vec<String> = rows(&mut db, &sql).await.iter().map(|row| row.get("detail")).collect();
            let tables = ["u", "r", "k", "t", "o", "w", "h", "p", "e", "g", "x", "v", "c"];
            let scans: Vec<_> = plan
                .iter()
                .filter_map(|line| line.strip_prefix("SCAN ")?.split(' ').next())
                .filter(|scanned| tables.contains(scanned))
                .collect();
            assert!(scans.is_empty(), "{view} scans {scans:?}: {plan:#?}");
            let searches = plan
                .iter()
                .filter(|line| line.contains("SEARCH r USING PRIMARY KEY (run_no=? AND row_index=?"));
            assert!(searches.count() > 0, "{view}: {plan:#?}");
        }
    });
}

#[test]
fn names_are_shown_for_every_number() {
    block_on(async {
        let (_file, mut db) = eventful().await;
        let outcomes = column(
            &mut db,
            format!("SELECT DISTINCT outcome FROM v_token_outcomes WHERE {OF_RUN} ORDER BY 1"),
        );
        assert_eq!(outcomes.await, ["completed", "diverted", "forked", "quarantined", "routed"]);
        let sql = format!(
            "SELECT label || ' ' || mode || ' ' || from_node || ' ' || to_node FROM v_routing_events WHERE {OF_RUN} AND row_index = 2"
        );
        assert_eq!(column(&mut db, &sql).await, ["__error_clean__ divert clean refused"]);
        let sql = format!("SELECT parents FROM v_tokens WHERE {OF_RUN} AND branch = 'left'");
        assert_eq!(column(&mut db, &sql).await, [run_id('A').token_id(token(0)).to_string()]);
        let sql = format!(
            "SELECT name || ' ' || node_type || ' ' || determinism FROM v_nodes WHERE {OF_RUN} AND step = {GATE}"
        );
        assert_eq!(column(&mut db, &sql).await, ["score gate io_read"]);
        let sql = format!(
            "SELECT kind || ' ' || status || ' ' || node FROM v_operations WHERE {OF_RUN} AND epoch = 0 LIMIT 1"
        );
        assert_eq!(column(&mut db, &sql).await, ["source_load completed grants"]);
        assert_eq!(step(TRANSFORM).get(), 1);
    });
}

#[test]
fn the_documentation_names_every_table_view_and_column() {
    let page = include_str!("../../../../docs/landscape.md");
    block_on(async {
        let (_file, mut db) = eventful().await;
        let sql = "SELECT s.name, c.name FROM sqlite_schema s JOIN pragma_table_info(s.name) c
            WHERE s.type IN ('table', 'view') AND s.name NOT LIKE 'sqlite%'";
        let columns = texts::<2>(&mut db, sql).await;
        assert!(columns.len() > 200);
        for [owner, column] in columns.into_iter().map(|names| names.map(Option::unwrap_or_default)) {
            let described_elsewhere =
                ["all_states", "base32_pairs", "open_batches", "sink_states", "traced_states"];
            if described_elsewhere.contains(&owner.as_str()) {
                assert!(page.contains(&format!("`{owner}`")), "`{owner}` is not described");
                continue;
            }
            let line =
                page.lines().find(|line| line.starts_with('|') && line.contains(&format!("`{owner}`")));
            let line = line.unwrap_or_else(|| panic!("`{owner}` is not described"));
            assert!(line.contains(&format!("`{column}`")), "`{column}` of `{owner}` is not described");
        }
    });
}
