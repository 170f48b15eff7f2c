//! Recorder, lineage and failures on a real store.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

#[expect(dead_code, reason = "shared with the conformance suite, which uses all of it")]
#[path = "conformance/sample.rs"]
mod sample;

use std::future::Future;
use std::time::Duration;

use elspeth_canonical::HashVersion;
use elspeth_contracts::{Micros, RunId, RunStatus, Step};
use elspeth_landscape::integrity::LeafEncoder;
use elspeth_landscape::lineage::{Lineage, Question, Subject, explain};
use elspeth_landscape::{
    ActedEpoch, DecidedEpoch, LandscapeError, LandscapeReader, Recorder, RunRecord, RunRef, RunReport,
    RunSeal, TakeUp, failures,
};
use elspeth_landscape_sql::{Reader, SqliteLandscape};
use elspeth_payload::{BlockBuilder, BodyFragment, BodyKey, FilesystemStore, LARGE_BODY};
use elspeth_testkit::Scratch;
use elspeth_value::{Row, Shape, Value};
use sample::{child, eventful_epoch, hash, plain_epoch, row, run_id, seal, start, step, token};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Executor as _};

const VERSION: HashVersion = HashVersion::Sha256V1;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn database(scratch: &Scratch) -> SqliteLandscape {
    SqliteLandscape::at(scratch.join("audit.db").to_str().unwrap()).unwrap()
}

async fn begin(landscape: &SqliteLandscape, id: char) -> Recorder {
    let writer = Box::new(landscape.writer().await.unwrap());
    Recorder::begin(writer, &start(run_id(id), 1_000_000)).await.unwrap()
}

fn with_leaves((mut decided, acted): (DecidedEpoch, ActedEpoch)) -> (DecidedEpoch, ActedEpoch) {
    let mut leaf = LeafEncoder::new(VERSION);
    decided.row_leaves.clear();
    for row in &decided.rows {
        leaf.row(row);
        decided.row_leaves.push(leaf.finish());
    }
    (decided, acted)
}

async fn record(recorder: &mut Recorder, epochs: &[(DecidedEpoch, ActedEpoch)]) {
    let mut before = None;
    for (decided, acted) in epochs {
        recorder.stage(decided).await.unwrap();
        recorder.commit(before, Micros(2_000_000)).await.unwrap();
        before = Some(acted);
    }
    recorder.commit(before, Micros(3_000_000)).await.unwrap();
}

async fn stored(landscape: &SqliteLandscape, id: char) -> (Reader, RunRecord) {
    let reader = landscape.reader().await.unwrap();
    let run = reader.run(&RunRef::Prefix(run_id(id).to_string())).await.unwrap();
    (reader, run)
}

#[test]
fn a_completed_run_keeps_the_roots_that_its_seal_gave_back() {
    let scratch = Scratch::new();
    block_on(async {
        let landscape = database(&scratch);
        let mut recorder = begin(&landscape, 'A').await;
        record(&mut recorder, &[with_leaves(plain_epoch(0, 0..3)), with_leaves(plain_epoch(1, 3..5))]).await;
        assert_eq!(recorder.records(), 5 * 7);
        let sealed = recorder.seal(seal(RunStatus::Completed)).await.unwrap();
        let (reader, run) = stored(&landscape, 'A').await;
        assert_eq!(run.status, RunStatus::Completed);
        assert_eq!((run.content_root, run.record_root), (sealed.content_root, sealed.record_root));
        assert!(sealed.content_root.is_some() && sealed.record_root.is_some());

        let report = RunReport::load(&reader, &run, "audit.db".to_owned(), Micros(0)).await.unwrap();
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["rows"]["processed"], 5);
        assert_eq!(json["destinations"], serde_json::json!({"approved": 5, "refused": 0}));
        assert_eq!((&json["status"], &json["exit_code"]), (&"completed".into(), &0.into()));
        assert_eq!(json["duration_seconds"], 8.0);
        assert_eq!(json["content_root"], sealed.content_root.unwrap().to_string());
    });
}

#[test]
fn epochs_and_rollbacks_leave_no_trace_in_the_content_root() {
    let scratch = Scratch::new();
    block_on(async {
        let landscape = database(&scratch);
        let mut whole = begin(&landscape, 'A').await;
        record(&mut whole, &[with_leaves(plain_epoch(0, 0..5))]).await;
        let whole = whole.seal(seal(RunStatus::Completed)).await.unwrap();

        let mut cut = begin(&landscape, 'B').await;
        cut.stage(&with_leaves(plain_epoch(0, 0..4)).0).await.unwrap();
        cut.rollback().await.unwrap();
        record(&mut cut, &[with_leaves(plain_epoch(0, 0..2)), with_leaves(plain_epoch(1, 2..5))]).await;
        let cut = cut.seal(seal(RunStatus::Completed)).await.unwrap();
        assert_eq!(cut.content_root, whole.content_root);
        assert_ne!(cut.record_root, whole.record_root);
    });
}

#[test]
fn a_run_that_breaks_conservation_is_sealed_as_failed() {
    let scratch = Scratch::new();
    block_on(async {
        let landscape = database(&scratch);
        let mut recorder = begin(&landscape, 'A').await;
        let (decided, mut acted) = with_leaves(plain_epoch(0, 0..3));
        let lost = acted.outcomes.remove(1).token;
        acted.sink_states.remove(1);
        record(&mut recorder, &[(decided, acted)]).await;
        let error = recorder.seal(seal(RunStatus::Completed)).await.unwrap_err();
        let LandscapeError::Corrupt(corruption) = error else { panic!("{error}") };
        assert!(corruption.id.contains(&run_id('A').token_id(lost).to_string()), "{corruption}");

        let (_, run) = stored(&landscape, 'A').await;
        assert_eq!(run.status, RunStatus::Failed);
        assert!(run.error.unwrap().message.contains(&corruption.what));
        assert!(run.content_root.is_some() && run.record_root.is_some());
    });
}

#[test]
fn a_breach_can_be_found_before_anything_is_published() {
    let scratch = Scratch::new();
    block_on(async {
        let landscape = database(&scratch);
        let mut recorder = begin(&landscape, 'A').await;
        record(&mut recorder, &[with_leaves(plain_epoch(0, 0..3))]).await;
        recorder.check_conservation().await.unwrap();

        let (decided, mut acted) = with_leaves(plain_epoch(1, 3..6));
        acted.outcomes.remove(1);
        acted.sink_states.remove(1);
        record(&mut recorder, &[(decided, acted)]).await;
        let found = recorder.check_conservation().await;
        assert!(matches!(found, Err(LandscapeError::Corrupt(_))), "{found:?}");
        let sealed = recorder.seal(seal(RunStatus::Completed)).await;
        assert!(
            matches!(sealed, Err(LandscapeError::Corrupt(_))),
            "an earlier check does not speak for later epochs"
        );
    });
}

#[test]
fn an_interrupted_run_is_not_asked_for_conservation() {
    let scratch = Scratch::new();
    block_on(async {
        let landscape = database(&scratch);
        let mut recorder = begin(&landscape, 'A').await;
        recorder.stage(&with_leaves(plain_epoch(0, 0..3)).0).await.unwrap();
        recorder.commit(None, Micros(2_000_000)).await.unwrap();
        recorder.stage(&with_leaves(plain_epoch(1, 3..6)).0).await.unwrap();
        let sealed = recorder.seal(seal(RunStatus::Interrupted)).await.unwrap();
        assert_eq!(sealed.status, RunStatus::Interrupted);
        let (reader, run) = stored(&landscape, 'A').await;
        assert_eq!(run.status, RunStatus::Interrupted);
        assert_eq!(reader.counters(run.run_no).await.unwrap().processed, 3, "what was staged is thrown away");
    });
}

#[test]
fn epochs_that_cannot_be_are_refused_before_the_store_sees_them() {
    let scratch = Scratch::new();
    block_on(async {
        let mut recorder = begin(&database(&scratch), 'A').await;
        let without_leaves = plain_epoch(0, 0..3).0;
        let error = recorder.stage(&without_leaves).await.unwrap_err().to_string();
        assert!(error.contains("another number of content leaves than of rows"), "{error}");
        let mut with_one_too_many = with_leaves(plain_epoch(0, 0..3)).0;
        with_one_too_many.release_leaves.push(hash(9));
        let error = recorder.stage(&with_one_too_many).await.unwrap_err().to_string();
        assert!(error.contains("another number of content leaves than of releases"), "{error}");
        recorder.stage(&with_leaves(plain_epoch(0, 0..3)).0).await.unwrap();
        let error = recorder.stage(&with_leaves(plain_epoch(1, 3..6)).0).await.unwrap_err().to_string();
        assert!(error.contains("before the epoch before it was committed"), "{error}");
    });
}

/// How far a run gets before its process ends.
#[derive(Debug, Clone, Copy)]
enum Stop {
    Begun,
    Decided,
    Acted,
    Interrupted,
}

/// A process ends at `stop`, another one takes the run up and records what is left of `epochs`.
async fn in_two_goes(epochs: &[(DecidedEpoch, ActedEpoch); 2], stop: Stop) -> RunSeal {
    let scratch = Scratch::new();
    let landscape = database(&scratch);
    let [(first, first_acted), (second, second_acted)] = epochs;
    let mut before = begin(&landscape, 'A').await;
    if !matches!(stop, Stop::Begun) {
        before.stage(first).await.unwrap();
        before.commit(None, Micros(2_000_000)).await.unwrap();
    }
    if matches!(stop, Stop::Acted | Stop::Interrupted) {
        before.commit(Some(first_acted), Micros(2_000_000)).await.unwrap();
    }
    match stop {
        Stop::Interrupted => drop(before.seal(seal(RunStatus::Interrupted)).await.unwrap()),
        Stop::Begun | Stop::Decided | Stop::Acted => drop(before),
    }

    let (reader, run) = stored(&landscape, 'A').await;
    let point = reader.resume_point(run.run_no).await.unwrap();
    let (nodes, edges) = (reader.nodes(run.run_no).await.unwrap(), reader.edges(run.run_no).await.unwrap());
    let up = TakeUp {
        run_id: run.run_id,
        seen_owner: run.owner.clone(),
        seen_heartbeat: run.heartbeat_at,
        owner: "host:2:def".to_owned(),
        now: Micros(2_500_000),
        resumption: elspeth_landscape::Resumption::default(),
    };
    let writer = Box::new(landscape.writer().await.unwrap());
    let mut after =
        Recorder::take_up(writer, &up, &run, (&nodes, &edges), point.checkpoint.as_ref()).await.unwrap();
    if point.checkpoint.is_none() {
        after.stage(first).await.unwrap();
        after.commit(None, Micros(2_000_000)).await.unwrap();
    }
    if !matches!(stop, Stop::Acted | Stop::Interrupted) {
        after.commit(Some(first_acted), Micros(2_000_000)).await.unwrap();
    }
    after.stage(second).await.unwrap();
    after.commit(None, Micros(2_000_000)).await.unwrap();
    after.commit(Some(second_acted), Micros(3_000_000)).await.unwrap();
    after.seal(seal(RunStatus::Completed)).await.unwrap()
}

#[test]
fn a_sign_of_life_that_cannot_be_given_is_given_later_unless_the_run_is_another_s() {
    let scratch = Scratch::new();
    block_on(async {
        let mut recorder = begin(&database(&scratch).with_patience(Duration::ZERO), 'A').await;
        let url = scratch.join("audit.db");
        let mut other = SqliteConnection::connect(url.to_str().unwrap()).await.unwrap();
        let mut execute = async |sql: &'static str| other.execute(sql).await.map(drop).unwrap();
        execute("BEGIN IMMEDIATE").await;
        recorder.heartbeat(Micros(5_000_000)).await.unwrap();
        execute("ROLLBACK").await;
        assert_eq!(stored(&database(&scratch), 'A').await.1.heartbeat_at, Micros(1_000_000));
        recorder.heartbeat(Micros(6_000_000)).await.unwrap();
        assert_eq!(stored(&database(&scratch), 'A').await.1.heartbeat_at, Micros(6_000_000));
        execute("UPDATE runs SET owner = 'host:2:def'").await;
        let lost = recorder.heartbeat(Micros(7_000_000)).await.unwrap_err();
        assert!(matches!(&lost, LandscapeError::LeaseLost { owner } if owner == "host:2:def"), "{lost}");
    });
}

#[test]
fn a_run_that_is_taken_up_gets_the_roots_of_one_that_never_stopped() {
    let scratch = Scratch::new();
    block_on(async {
        let epochs = [with_leaves(plain_epoch(0, 0..3)), with_leaves(plain_epoch(1, 3..5))];
        let mut one_go = begin(&database(&scratch), 'A').await;
        for (decided, acted) in &epochs {
            one_go.stage(decided).await.unwrap();
            one_go.commit(None, Micros(2_000_000)).await.unwrap();
            let at = if decided.epoch.0 == 0 { 2_000_000 } else { 3_000_000 };
            one_go.commit(Some(acted), Micros(at)).await.unwrap();
        }
        let expected = one_go.seal(seal(RunStatus::Completed)).await.unwrap();
        for stop in [Stop::Begun, Stop::Decided, Stop::Acted, Stop::Interrupted] {
            let found = in_two_goes(&epochs, stop).await;
            let roots = (found.content_root, found.record_root);
            assert_eq!(roots, (expected.content_root, expected.record_root), "{stop:?}");
        }
    });
}

async fn raw(scratch: &Scratch) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite://{}", scratch.join("audit.db").display())).await.unwrap()
}

fn body(number: i64, text: &str) -> Row {
    Row::new(Shape::new(["n".into(), "text".into()]), vec![Value::Int(number), Value::Str(text.into())])
}

/// The eventful epoch with bodies that have the recorded hashes; row 3's is a large one, in `store`.
fn eventful_with_bodies(store: &FilesystemStore) -> (DecidedEpoch, ActedEpoch) {
    let (mut decided, acted) = eventful_epoch();
    let mut fragment = BodyFragment::default();
    let hash_of = |row: &Row| row.content_hash(VERSION, &mut Vec::new()).unwrap();
    for (index, record) in (0..).zip(&mut decided.rows) {
        let text = if index == 3 { "x".repeat(LARGE_BODY + 1) } else { format!("read {index}") };
        let read = body(i64::try_from(index).unwrap(), &text);
        record.source_data_hash = hash_of(&read);
        fragment.push_row(BodyKey { token: token(index), step: Step::SOURCE }, &read);
    }
    let cleaned = body(0, "cleaned");
    decided.states[0].output_hash = Some(hash_of(&cleaned));
    decided.states[2].input_hash = None;
    fragment.push_row(BodyKey { token: token(0), step: step(sample::TRANSFORM) }, &cleaned);
    let mut block = BlockBuilder::default();
    block.add(fragment);
    decided.bodies = block.finish_into(store).unwrap();
    with_leaves((decided, acted))
}

struct Eventful {
    scratch: Scratch,
    store: FilesystemStore,
}

impl Eventful {
    async fn recorded() -> Self {
        let scratch = Scratch::new();
        let store = FilesystemStore::new(scratch.join("payloads"));
        let mut recorder = begin(&database(&scratch), 'A').await;
        record(&mut recorder, &[eventful_with_bodies(&store)]).await;
        recorder.seal(seal(RunStatus::Completed)).await.unwrap();
        Self { scratch, store }
    }

    async fn ask(&self, subject: Subject, sink: Option<&str>) -> Result<Lineage, LandscapeError> {
        let question =
            Question { run: RunRef::Latest, subject, sink: sink.map(str::to_owned), members_from: 0 };
        let reader = database(&self.scratch).reader().await.unwrap();
        explain(&reader, Some(&self.store), &question).await
    }

    async fn refusal(&self, subject: Subject, sink: Option<&str>) -> String {
        match self.ask(subject, sink).await {
            Err(LandscapeError::NotFound(message)) => message,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_row_is_explained_with_every_token_state_call_and_error() {
    block_on(async {
        let eventful = Eventful::recorded().await;
        let json = |lineage: &Lineage| serde_json::to_value(lineage).unwrap();

        let forked = json(&eventful.ask(Subject::Row(row(0)), None).await.unwrap());
        assert_eq!(forked["tokens"].as_array().unwrap().len(), 3);
        assert_eq!(forked["row"]["data"]["text"], "read 0");
        let states = &forked["tokens"][0]["states"];
        assert_eq!(states[0]["node"], "grants");
        assert_eq!(states[1]["reason"]["success"], "cleaned");
        assert_eq!(states[1]["output"]["text"], "cleaned");
        assert_eq!(states[2]["routing"].as_array().unwrap().len(), 2);
        assert_eq!(
            forked["tokens"][2]["states"][0]["input"]["text"], "cleaned",
            "the branch got what was forked"
        );

        let refused = json(&eventful.ask(Subject::Row(row(1)), None).await.unwrap());
        assert_eq!(refused["tokens"][0]["outcome"]["error"]["field"], "amount");

        let retried = json(&eventful.ask(Subject::Row(row(2)), None).await.unwrap());
        let states = retried["tokens"][0]["states"].as_array().unwrap();
        let attempts: Vec<_> = states.iter().map(|s| (s["step"].as_u64(), s["attempt"].as_u64())).collect();
        let expected = [(0, 0), (1, 0), (1, 1), (1, 2), (4, 0)];
        assert_eq!(attempts, expected.map(|(step, attempt)| (Some(step), Some(attempt))));
        assert_eq!(states[1]["calls"].as_array().unwrap().len(), 2);
        assert_eq!(states[3]["routing"][0]["reason"]["why"], "it failed");
        assert_eq!(retried["tokens"][0]["outcome"]["error"]["message"], "attempt 2");

        let diverted = json(&eventful.ask(Subject::Row(row(3)), None).await.unwrap());
        assert_eq!(diverted["row"]["data"]["text"].as_str().unwrap().len(), LARGE_BODY + 1);
        assert_eq!(diverted["tokens"][0]["outcome"]["error"]["node"], "approved");
    });
}

#[test]
fn one_branch_or_one_sink_is_explained_with_what_it_came_from() {
    block_on(async {
        let eventful = Eventful::recorded().await;
        let ids = |lineage: Lineage| lineage.tokens.iter().map(|t| t.token_id).collect::<Vec<_>>();
        let id = |token| run_id('A').token_id(token);
        let right = eventful.ask(Subject::Token(id(child(0, 2))), None).await.unwrap();
        assert_eq!(right.row.as_ref().unwrap().row_index, 0);
        assert_eq!(ids(right), [id(token(0)), id(child(0, 2))]);
        let approved = eventful.ask(Subject::Row(row(0)), Some("approved")).await.unwrap();
        assert_eq!(ids(approved), [id(token(0)), id(child(0, 1))]);

        let message = eventful.refusal(Subject::Row(row(1)), Some("approved")).await;
        assert!(message.contains("no token of it came to sink `approved`"), "{message}");
        let message = eventful.refusal(Subject::Row(row(1)), Some("aproved")).await;
        assert!(message.contains("its sinks are approved, refused"), "{message}");
        let message = eventful.refusal(Subject::Row(row(4)), None).await;
        assert!(message.contains("has no row 4"), "{message}");
        let message = eventful.refusal(Subject::Token(id(child(3, 7))), None).await;
        assert!(message.contains("has no token"), "{message}");
        let elsewhere: RunId = "01K3T5B7C9D1E3F5G7H9J1K3M5".parse().unwrap();
        let stranger = elsewhere.token_id(token(0));
        let message = eventful.refusal(Subject::Token(stranger), None).await;
        assert!(message.contains(&stranger.to_string()), "{message}");
    });
}

#[test]
fn failures_are_grouped_and_listed_with_their_data() {
    block_on(async {
        let eventful = Eventful::recorded().await;
        let (reader, run) = stored(&database(&eventful.scratch), 'A').await;
        let report = failures(&reader, Some(&eventful.store), &run, 10).await.unwrap();
        assert_eq!(report.total(), 3);
        let json = serde_json::to_value(&report).unwrap();
        let seen: Vec<_> = json
            .as_array()
            .unwrap()
            .iter()
            .map(|f| {
                format!("{} {} {} {}", f["row_index"], f["node"], f["kind"], f["destination"])
                    .replace('"', "")
            })
            .collect();
        assert_eq!(
            seen,
            [
                "1 grants schema_violation refused",
                "2 clean transform_error refused",
                "3 approved sink_refused refused",
            ]
        );
        assert_eq!(json[1]["data"], serde_json::json!({"n": 2, "text": "read 2"}));
        assert_eq!(json[2]["data"]["text"].as_str().unwrap().len(), LARGE_BODY + 1);

        let text = report.to_text();
        assert!(
            text.contains("3 failures") && text.contains("1 × schema_violation at source grants → refused"),
            "{text}"
        );
        assert!(text.contains("row 1 · grants · schema_violation → refused"), "{text}");
        let short = failures(&reader, Some(&eventful.store), &run, 1).await.unwrap().to_text();
        assert!(short.contains("… and 2 more"), "{short}");
    });
}

#[test]
fn an_edited_hash_is_found_when_the_row_is_explained() {
    block_on(async {
        let eventful = Eventful::recorded().await;
        let mut connection = raw(&eventful.scratch).await;
        let edit = "UPDATE rows SET source_data_hash = zeroblob(32) WHERE row_index = 2";
        assert_eq!(sqlx::query(edit).execute(&mut connection).await.unwrap().rows_affected(), 1);
        let error = eventful.ask(Subject::Row(row(2)), None).await.unwrap_err();
        let LandscapeError::Corrupt(corruption) = error else { panic!("{error}") };
        assert_eq!(corruption.table, "bodies");
        assert!(corruption.id.contains(&run_id('A').token_id(token(2)).to_string()), "{corruption}");
        eventful.ask(Subject::Row(row(1)), None).await.unwrap();
    });
}

#[test]
fn purged_bodies_are_shown_as_purged() {
    block_on(async {
        let eventful = Eventful::recorded().await;
        std::fs::remove_dir_all(eventful.scratch.join("payloads")).unwrap();
        let large = serde_json::to_value(eventful.ask(Subject::Row(row(3)), None).await.unwrap()).unwrap();
        assert_eq!(large["row"]["data"], serde_json::json!({"purged": true}));
        sqlx::query("DELETE FROM bodies").execute(&mut raw(&eventful.scratch).await).await.unwrap();
        let small = serde_json::to_value(eventful.ask(Subject::Row(row(0)), None).await.unwrap()).unwrap();
        assert_eq!(small["row"]["data"], serde_json::json!({"purged": true}));
        assert_eq!(small["tokens"][0]["states"][1]["node"], "clean");
    });
}
