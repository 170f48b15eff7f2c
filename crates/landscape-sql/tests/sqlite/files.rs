//! Files, folders, locks, versions, and records that somebody damaged.

use std::time::Duration;

use elspeth_contracts::{
    BatchStatus, CallStatus, CallType, Determinism, EdgeMode, ExportStatus, Grade, Micros, NodeStateStatus,
    NodeType, OperationKind, OperationStatus, Outcome, RunStatus, TriggerType, UnknownCode,
};
use elspeth_landscape::{LandscapeError, LandscapeReader as _, LandscapeWriter as _, RunRef};
use elspeth_landscape_sql::SqliteLandscape;
use elspeth_testkit::Scratch;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use crate::File;
use crate::block_on;
use crate::conformance::sample::{
    eventful_epoch, hashes, plain_epoch, run_id, seal, sealed, start, step, token,
};
use crate::conformance::{Store as _, recorded};

async fn raw(file: &File) -> SqliteConnection {
    let path = file.landscape.location().path().unwrap();
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

async fn execute(file: &File, sql: &str) -> Result<(), sqlx::Error> {
    let mut connection = raw(file).await;
    let result = connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.map(|_| ());
    connection.close().await.unwrap();
    result
}

/// A database with one run in which everything happens.
async fn eventful() -> (File, i64) {
    let file = File::fresh().await;
    let (writer, run_no) = recorded(&file, 'A', vec![eventful_epoch()]).await;
    drop(writer);
    (file, run_no)
}

/// That a CHECK lets in exactly the numbers that the enum knows.
async fn check_codes<E>(file: &File, insert: &str, from: fn(i64) -> Result<E, UnknownCode>) {
    for code in -1..=12_i64 {
        let sql = insert.replace("CODE", &code.to_string());
        let accepted = execute(file, &format!("BEGIN; {sql}; ROLLBACK;")).await;
        assert_eq!(accepted.is_ok(), from(code).is_ok(), "{sql}: {accepted:?}");
    }
}

#[test]
fn checks_let_in_exactly_the_codes_that_the_enums_know() {
    block_on(async {
        let (file, _) = eventful().await;
        let hash = "zeroblob(32)";
        let run = |status: &str, grade: &str, export: &str| {
            format!(
                "INSERT INTO runs VALUES (9, '01JZ8Q4Z8N5X2V7K3M9T0B6C1Z', 1, 2, {status}, 0, NULL, '', '', {hash}, '',
                 {hash}, {grade}, '', '', '', '', {export}, '', 0, NULL, NULL, NULL, NULL)"
            )
        };
        check_codes(&file, &run("CODE", "0", "0"), RunStatus::from_code).await;
        check_codes(&file, &run("0", "CODE", "0"), Grade::from_code).await;
        check_codes(&file, &run("0", "0", "CODE"), ExportStatus::from_code).await;
        let node = |kind: &str, determinism: &str| {
            format!(
                "INSERT INTO nodes VALUES (1, 9, '', '', {kind}, '', '', {determinism}, '', {hash}, '', '')"
            )
        };
        check_codes(&file, &node("CODE", "0"), NodeType::from_code).await;
        check_codes(&file, &node("0", "CODE"), Determinism::from_code).await;
        check_codes(&file, "INSERT INTO edges VALUES (1, 9, 0, 1, '', CODE)", EdgeMode::from_code).await;
        for table in ["node_states", "sink_states"] {
            let sql = format!("INSERT INTO {table} VALUES (1, 0, 9, 0, CODE, 0, 0, 0, NULL, NULL)");
            check_codes(&file, &sql, NodeStateStatus::from_code).await;
        }
        let call = |kind: &str, status: &str| {
            format!("INSERT INTO calls VALUES (1, 0, 9, 0, 0, 0, {kind}, {status}, 0, {hash}, NULL, NULL)")
        };
        check_codes(&file, &call("CODE", "0"), CallType::from_code).await;
        check_codes(&file, &call("0", "CODE"), CallStatus::from_code).await;
        let operation = |kind: &str, status: &str| {
            format!("INSERT INTO operations VALUES (1, 0, 1, 9, {kind}, {status}, 1, 0, 0, 0, NULL)")
        };
        check_codes(&file, &operation("CODE", "0"), OperationKind::from_code).await;
        check_codes(&file, &operation("0", "CODE"), OperationStatus::from_code).await;
        let batch = |status: &str, trigger: &str| {
            format!("INSERT INTO batches VALUES (1, 9, 0, 1, {status}, {trigger}, NULL)")
        };
        check_codes(&file, &batch("CODE", "0"), BatchStatus::from_code).await;
        check_codes(&file, &batch("0", "CODE"), TriggerType::from_code).await;
        let outcome =
            "INSERT INTO token_outcomes(run_no, token, terminal, outcome) VALUES (1, 99, CODE <> 9, CODE)";
        check_codes(&file, outcome, Outcome::from_code).await;
    });
}

#[test]
fn the_database_refuses_what_types_would_not_let_happen() {
    block_on(async {
        let (file, _) = eventful().await;
        for sql in [
            "INSERT INTO token_outcomes(run_no, token, terminal, outcome) VALUES (1, 0, 1, 8)",
            "INSERT INTO token_outcomes(run_no, token, terminal, outcome) VALUES (1, 99, 0, 8)",
            "INSERT INTO token_outcomes(run_no, token, terminal, outcome) VALUES (1, 99, 1, 9)",
            "INSERT INTO rows VALUES (1, 99, zeroblob(31), 0, 1)",
            "INSERT INTO rows VALUES (1, 99, 'text', 0, 1)",
            "INSERT INTO node_states VALUES (1, 0, 1, 0, 2, 0, 0, 0, NULL, NULL)",
            "INSERT INTO nodes SELECT 99, step, node_id, name, node_type, plugin, plugin_version, determinism, config,
             config_hash, input_schema, output_schema FROM nodes",
            "INSERT INTO edges VALUES (1, 99, 0, 77, '', 0)",
            "INSERT INTO epochs SELECT 1, 0, first_row, last_row, row_count, record_count, started_at, decided_at,
             acted_at, chain_hash, content_root FROM epochs",
        ] {
            execute(&file, sql).await.expect_err(sql);
        }
    });
}

#[test]
fn a_damaged_record_is_corruption_that_names_it() {
    let damages = [
        ("UPDATE node_states SET status = 7 WHERE token = 0 AND step = 1", "node_states", "token 0"),
        ("UPDATE node_states SET output_hash = x'00' WHERE token = 0 AND step = 1", "node_states", "step 1"),
        ("UPDATE node_states SET attempt = 300 WHERE token = 0 AND step = 1", "node_states", "attempt 300"),
        ("UPDATE token_outcomes SET outcome = 55 WHERE token = 0", "token_outcomes", "unknown outcome `55`"),
        ("UPDATE token_outcomes SET error_step = 1 WHERE token = 0", "token_outcomes", "belong together"),
        ("UPDATE rows SET valid = 2 WHERE row_index = 0", "rows", "row_index 0"),
    ];
    block_on(async {
        for (damage, table, named) in damages {
            let (file, run_no) = eventful().await;
            execute(&file, &format!("PRAGMA ignore_check_constraints = ON; {damage}")).await.unwrap();
            let reader = file.reader().await;
            let error = match table {
                "node_states" => reader.states(run_no, token(0)).await.unwrap_err(),
                "rows" => reader.row(run_no, token_row()).await.unwrap_err(),
                _ => reader.outcome(run_no, token(0)).await.unwrap_err(),
            };
            let LandscapeError::Corrupt(corruption) = &error else { panic!("{error}") };
            assert_eq!(corruption.table, table);
            assert!(error.to_string().contains(named), "{error}");
        }
    });
}

fn token_row() -> elspeth_contracts::RowIndex {
    crate::conformance::sample::row(0)
}

#[test]
fn a_run_with_another_id_than_its_views_use_is_corruption() {
    block_on(async {
        let (file, _) = eventful().await;
        execute(&file, "UPDATE runs SET id_low = id_low + 1").await.unwrap();
        let error = file.reader().await.run(&RunRef::Latest).await.unwrap_err();
        assert!(
            matches!(&error, LandscapeError::Corrupt(corruption) if corruption.table == "runs"),
            "{error}"
        );
    });
}

#[test]
fn an_error_reason_of_unknown_kind_is_corruption() {
    block_on(async {
        let (file, run_no) = eventful().await;
        execute(&file, r#"UPDATE validation_errors SET reason = '{"kind":"bad_mood","message":"?"}'"#)
            .await
            .unwrap();
        let error = file.reader().await.failures(run_no, 10).await.unwrap_err();
        assert!(error.to_string().contains("bad_mood"), "{error}");
    });
}

#[test]
fn a_newer_schema_is_refused_with_advice_by_writer_and_reader() {
    block_on(async {
        let file = File::fresh().await;
        execute(&file, "PRAGMA user_version = 99").await.unwrap();
        let errors = [
            file.landscape.writer().await.map(|_| ()).unwrap_err(),
            file.landscape.reader().await.map(|_| ()).unwrap_err(),
        ];
        for error in errors {
            let LandscapeError::SchemaVersion { found, known, advice, .. } = &error else {
                panic!("{error}")
            };
            assert_eq!((*found, *known), (99, 1));
            assert!(advice.contains("newer"), "{advice}");
        }
    });
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    block_on(async {
        let scratch = Scratch::new();
        let path = scratch.join("other.db");
        let mut other =
            SqliteConnectOptions::new().filename(&path).create_if_missing(true).connect().await.unwrap();
        other.execute("CREATE TABLE theirs(x)").await.unwrap();
        other.close().await.unwrap();
        let before = std::fs::read(&path).unwrap();
        let landscape = SqliteLandscape::at(path.to_str().unwrap()).unwrap();
        for error in [landscape.writer().await.map(|_| ()), landscape.reader().await.map(|_| ())] {
            let error = error.unwrap_err().to_string();
            assert!(error.contains("another program") && error.contains("other.db"), "{error}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), before);
    });
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    block_on(async {
        let scratch = Scratch::new();
        let path = scratch
            .write("notes.txt", "not a database, but long enough to have a header of some sort".repeat(40));
        let landscape = SqliteLandscape::at(path.to_str().unwrap()).unwrap();
        for error in [landscape.writer().await.map(|_| ()), landscape.reader().await.map(|_| ())] {
            let error = error.unwrap_err().to_string();
            assert!(error.contains("not an SQLite database") && error.contains("notes.txt"), "{error}");
        }
        assert!(scratch.read("notes.txt").starts_with("not a database"));
    });
}

#[test]
fn a_reader_makes_nothing() {
    block_on(async {
        let scratch = Scratch::new();
        let missing = scratch.join("nowhere/audit.db");
        let error = SqliteLandscape::open_reader(missing.to_str().unwrap()).await.map(|_| ()).unwrap_err();
        assert!(
            error.to_string().contains("no such file") && error.to_string().contains("nowhere"),
            "{error}"
        );
        assert!(!scratch.join("nowhere").exists());
        let empty = scratch.write("empty.db", "");
        let error = SqliteLandscape::open_reader(empty.to_str().unwrap()).await.map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("empty"), "{error}");
        assert_eq!(std::fs::metadata(&empty).unwrap().len(), 0);
    });
}

#[test]
fn an_empty_file_becomes_a_database_for_a_writer() {
    block_on(async {
        let scratch = Scratch::new();
        let empty = scratch.write("empty.db", "");
        let mut writer = SqliteLandscape::open_writer(empty.to_str().unwrap()).await.unwrap();
        writer.begin_run(&start(run_id('A'), 1)).await.unwrap();
    });
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    block_on(async {
        let scratch = Scratch::new();
        let file = scratch.write("file", "in the way");
        let path = file.join("state/audit.db");
        let error = SqliteLandscape::open_writer(path.to_str().unwrap()).await.map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("file/state"), "{error}");
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    block_on(async {
        let error = SqliteLandscape::open_writer("/proc/audit.db").await.map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("/proc/audit.db"), "{error}");
        assert!(matches!(error, LandscapeError::Store { retryable: false, .. }));
    });
}

#[test]
fn a_locked_database_is_worth_another_try() {
    block_on(async {
        let file = File::fresh().await;
        let landscape = file.landscape.clone().with_patience(Duration::from_millis(20));
        let mut writer = landscape.writer().await.unwrap();
        let mut other = raw(&file).await;
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        let error = writer.begin_run(&start(run_id('A'), 1)).await.unwrap_err();
        assert!(matches!(error, LandscapeError::Store { retryable: true, .. }), "{error}");
        other.execute("ROLLBACK").await.unwrap();
        writer.begin_run(&start(run_id('A'), 1)).await.unwrap();
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        let (decided, _) = plain_epoch(0, 0..3);
        let error = writer.stage(&decided).await.unwrap_err();
        assert!(matches!(error, LandscapeError::Store { retryable: true, .. }), "{error}");
        other.execute("ROLLBACK").await.unwrap();
        writer.stage(&decided).await.unwrap();
        writer.commit(None, &hashes(1), Micros(2)).await.unwrap();
    });
}

#[test]
fn a_database_in_memory_can_be_read_while_it_is_written_and_leaves_nothing() {
    block_on(async {
        let landscape = SqliteLandscape::at("sqlite:///:memory:").unwrap();
        let mut writer = landscape.writer().await.unwrap();
        writer.begin_run(&start(run_id('A'), 1)).await.unwrap();
        drop(writer);
        let reader = landscape.reader().await.unwrap();
        assert_eq!(reader.location(), ":memory:");
        drop(landscape);
        assert_eq!(reader.run(&RunRef::Latest).await.unwrap().run_id, run_id('A'));
    });
}

#[test]
fn a_finished_database_is_readable_where_nothing_can_be_written() {
    block_on(async {
        let (file, run_no) = eventful().await;
        let path = file.landscape.location().path().unwrap().to_owned();
        let folder = path.parent().unwrap().to_owned();
        file.landscape.writer().await.unwrap().close().await.unwrap();
        assert!(!folder.join("audit.db-wal").exists(), "the log is folded in");
        let set_writable = |writable: bool| {
            let mode = if writable { 0o755 } else { 0o555 };
            std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        };
        set_writable(false);
        let counters = file.reader().await.counters(run_no).await;
        set_writable(true);
        assert_eq!(counters.unwrap().processed, 4);
    });
}

#[test]
fn the_last_one_leaves_nothing_beside_the_database_whatever_it_did_with_it() {
    block_on(async {
        let folder = Scratch::new();
        let open = || SqliteLandscape::in_file(folder.join("audit.db"));
        let mut writer = open().writer().await.unwrap();
        writer.begin_run(&start(run_id('A'), 1)).await.unwrap();
        let reader = open().reader().await.unwrap();
        let run = reader.run(&RunRef::Latest).await.unwrap();
        writer.seal(&seal(RunStatus::Completed), &sealed()).await.unwrap();
        drop(writer);
        reader.counters(run.run_no).await.unwrap();
        assert!(folder.join("audit.db-wal").exists(), "the reader has it open");
        drop(reader);
        assert_eq!(folder.names(), ["audit.db"]);
        let kept = std::fs::read(folder.join("audit.db")).unwrap();
        let reading = open().reader().await.unwrap();
        let registry = open().registry_view().unwrap();
        drop((reading, registry));
        assert_eq!(folder.names(), ["audit.db"]);
        assert!(std::fs::read(folder.join("audit.db")).unwrap() == kept, "reading changed the file");
    });
}

#[test]
fn after_the_seal_the_file_alone_is_the_whole_record() {
    block_on(async {
        let file = File::fresh().await;
        let (mut writer, run_no) = recorded(&file, 'A', vec![eventful_epoch()]).await;
        writer.seal(&seal(RunStatus::Completed), &sealed()).await.unwrap();
        let after = Scratch::new();
        std::fs::copy(file.landscape.location().path().unwrap(), after.join("audit.db")).unwrap();
        let reader = SqliteLandscape::open_reader(after.join("audit.db").to_str().unwrap()).await.unwrap();
        assert_eq!(reader.run(&RunRef::Latest).await.unwrap().status, RunStatus::Completed);
        assert_eq!(reader.counters(run_no).await.unwrap().processed, 4);
    });
}

#[test]
fn a_reader_in_the_midst_of_something_does_not_hold_up_the_seal() {
    block_on(async {
        let file = File::fresh().await;
        let (mut writer, _) = recorded(&file, 'A', vec![plain_epoch(0, 0..3)]).await;
        let mut reading = raw(&file).await;
        reading.execute("BEGIN; SELECT count(*) FROM rows").await.unwrap();
        let before = std::time::Instant::now();
        writer.seal(&seal(RunStatus::Completed), &sealed()).await.unwrap();
        assert!(before.elapsed() < Duration::from_secs(4), "it waited for the reader's lock");
        reading.execute("ROLLBACK").await.unwrap();
        writer.begin_run(&start(run_id('B'), 2)).await.unwrap();
    });
}

#[test]
fn what_a_killed_writer_committed_is_there() {
    block_on(async {
        let (file, run_no) = eventful().await;
        let mut writer = file.landscape.writer().await.unwrap();
        writer.begin_run(&start(run_id('B'), 2)).await.unwrap();
        let (decided, _) = plain_epoch(0, 0..7);
        writer.stage(&decided).await.unwrap();
        writer.commit(None, &hashes(1), Micros(2)).await.unwrap();
        let (never_committed, _) = plain_epoch(1, 7..9);
        writer.stage(&never_committed).await.unwrap();
        // What a machine without power leaves: database and log, and nothing of the log's index.
        let path = file.landscape.location().path().unwrap();
        let after = Scratch::new();
        for ending in ["", "-wal"] {
            std::fs::copy(format!("{}{ending}", path.display()), after.join(&format!("audit.db{ending}")))
                .unwrap();
        }
        let reader = SqliteLandscape::open_reader(after.join("audit.db").to_str().unwrap()).await.unwrap();
        assert_eq!(reader.counters(run_no).await.unwrap().processed, 4);
        assert_eq!(reader.counters(run_no + 1).await.unwrap().processed, 7);
        drop(reader);
        for ending in ["", "-wal"] {
            let bytes = |path: String| std::fs::read(path).unwrap();
            let left = bytes(after.join(&format!("audit.db{ending}")).display().to_string());
            assert!(
                left == bytes(format!("{}{ending}", path.display())),
                "reading changed the `{ending}` file"
            );
        }
    });
}

#[test]
fn intents_and_positions_are_what_resume_needs() {
    block_on(async {
        let file = File::fresh().await;
        let mut writer = file.landscape.writer().await.unwrap();
        writer.begin_run(&start(run_id('A'), 1)).await.unwrap();
        let mut connection = raw(&file).await;
        let (decided, acted) = eventful_epoch();
        writer.stage(&decided).await.unwrap();
        writer.commit(None, &hashes(1), Micros(2)).await.unwrap();
        let intents: Vec<(i64, i64, Vec<u8>)> =
            sqlx::query_as("SELECT epoch, sink, tokens FROM sink_intents")
                .fetch_all(&mut connection)
                .await
                .unwrap();
        let packed: Vec<u8> = decided.intents[0].tokens.iter().flat_map(|t| t.get().to_be_bytes()).collect();
        assert_eq!(intents, [(0, i64::from(step(3).get()), packed)]);
        let mut before = acted;
        for number in 1..=4 {
            let (mut decided, acted) = plain_epoch(number, number * 10..number * 10 + 2);
            decided.buffers = format!("{{\"open\":{number}}}");
            writer.stage(&decided).await.unwrap();
            writer.commit(Some(&before), &hashes(u8::try_from(number).unwrap()), Micros(3)).await.unwrap();
            before = acted;
        }
        writer.commit(Some(&before), &hashes(50), Micros(4)).await.unwrap();
        let intents: i64 =
            sqlx::query_scalar("SELECT count(*) FROM sink_intents").fetch_one(&mut connection).await.unwrap();
        assert_eq!(intents, 0, "every epoch was acted on");
        let sql =
            "SELECT epoch, source_position || ' ' || buffers, hash_state FROM checkpoints ORDER BY epoch";
        let kept: Vec<(i64, String, String)> = sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap();
        let expected = [
            (3, "{\"row\":32} {\"open\":3}", "{\"records\":3}"),
            (4, "{\"row\":42} {\"open\":4}", "{\"records\":50}"),
        ];
        assert_eq!(
            kept,
            expected.map(|(epoch, source, hashes)| (epoch, source.to_owned(), hashes.to_owned()))
        );
        let positions: Vec<(i64, i64, String)> =
            sqlx::query_as("SELECT sink, epoch, position FROM sink_positions")
                .fetch_all(&mut connection)
                .await
                .unwrap();
        assert_eq!(positions, [(3, 0, "{\"offset\":100}".to_owned())]);
    });
}

#[test]
fn a_publication_is_told_from_the_writes_before_it() {
    block_on(async {
        use crate::conformance::sample::{APPROVED, artifact, operation};
        let file = File::fresh().await;
        let (mut writer, _) = recorded(&file, 'A', vec![eventful_epoch()]).await;
        let published = elspeth_landscape::ActedEpoch {
            operations: vec![operation(APPROVED, OperationKind::SinkWrite)],
            artifacts: vec![artifact(APPROVED, 150)],
            ..elspeth_landscape::ActedEpoch::default()
        };
        writer.commit(Some(&published), &hashes(1), Micros(7_000)).await.unwrap();
        writer.seal(&seal(RunStatus::Completed), &sealed()).await.unwrap();
        let mut connection = raw(&file).await;
        for table in ["operations", "artifacts"] {
            let sql =
                format!("SELECT ordinal, published FROM {table} WHERE step = {APPROVED} ORDER BY ordinal");
            let found: Vec<(i64, i64)> =
                sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
            assert_eq!(found, [(0, 0), (1, 1)], "{table}");
        }
        let epoch: (i64, i64) = sqlx::query_as("SELECT acted_at, record_count FROM epochs")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        let (decided, acted) = eventful_epoch();
        let records = decided.records() + acted.records() + published.records();
        assert_eq!(epoch, (3_000, records.cast_signed()), "the time of commit B stays");
    });
}
