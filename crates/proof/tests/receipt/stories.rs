//! Runs in which something different happens to a row each time, and the receipts of that row.

use elspeth_proof::{Digest, Hash, Json, Receipt, Record};

use crate::world::{Given as _, Released, Shown, World, key, object, record};

/// Steps of the graph.
pub(crate) const ENRICH: i64 = 1;
pub(crate) const ROUTE: i64 = 2;
pub(crate) const SUM: i64 = 3;
pub(crate) const JOIN: i64 = 4;
pub(crate) const OUT: i64 = 5;
pub(crate) const HIGH: i64 = 6;
pub(crate) const FAILED: i64 = 7;

/// Edges from the gate.
const LOW: i64 = 2;
const TO_HIGH: i64 = 3;
const COLLECT: i64 = 8;

/// Name and receipt of each.
pub(crate) fn all() -> Vec<(&'static str, Receipt)> {
    let (sha, blake) = (Digest::Sha256, Digest::Blake3);
    vec![
        ("linear", linear(sha, 3, 1)),
        ("linear-blake3", linear(blake, 3, 1)),
        ("only-row", linear(sha, 1, 0)),
        ("last-of-many", linear(sha, 1000, 999)),
        ("first-of-many-blake3", linear(blake, 257, 0)),
        ("routed", routed(sha)),
        ("quarantined-discarded", quarantined(sha, None)),
        ("quarantined-to-sink", quarantined(sha, Some(FAILED))),
        ("failed-after-retries", failed(sha)),
        ("calls", calls(sha)),
        ("calls-blake3", calls(blake)),
        ("expanded", expanded(sha)),
        ("forked", forked(sha)),
        ("merged", merged(sha)),
        ("merged-blake3", merged(blake)),
        ("merged-across-rows", merged_across_rows(sha)),
        ("batch", batch(sha)),
        ("batch-blake3", batch(blake)),
        ("batch-passed-through", passed_through(sha)),
        ("batch-of-others-too", batch_of_others_too(sha, &["r2.0", "r2.1"])),
        ("batch-of-which-nothing-came", batch_of_others_too(sha, &[])),
        ("batch-failed", batch_failed(sha)),
        ("diverted", diverted(sha)),
        ("purged", purged(sha)),
        ("interrupted", interrupted(sha)),
        ("interrupted-in-a-batch", waiting(sha)),
        ("interrupted-behind-a-fork", interrupted_behind_a_fork(sha)),
        ("two-signers", two_signers(sha)),
        ("registry-of-one", registry_of_one(sha)),
        ("every-character", every_character(sha)),
        ("every-character-blake3", every_character(blake)),
    ]
}

fn source_row(row: i64, hash: Hash, valid: bool) -> Record {
    record!(row, row_index: row, source_data_hash: hash, valid: valid)
}

pub(crate) fn token(token: &str) -> Record {
    record!(token, token: token)
}

fn child(token: &str, branch: Option<&str>, group: &str) -> Record {
    match branch {
        Some(branch) => record!(token, token: token, branch: branch, group: group),
        None => record!(token, token: token, group: group),
    }
}

pub(crate) fn parent(token: &str, parent: &str, ordinal: i64) -> Record {
    record!(token_parent, token: token, parent: parent, ordinal: ordinal)
}

fn state(token: &str, step: i64, status: &str) -> Record {
    record!(node_state, token: token, step: step, attempt: 0_i64, status: status)
}

fn changed(token: &str, step: i64, output: Hash) -> Record {
    record!(node_state, token: token, step: step, attempt: 0_i64, status: "completed", output_hash: output)
}

fn routing(token: &str, ordinal: i64, edge: i64) -> Record {
    record!(routing_event, token: token, step: ROUTE, attempt: 0_i64, ordinal: ordinal, edge: edge)
}

/// The states that every token of a row has on the way to the gate and along that edge.
fn passed(token: &str, edge: i64) -> Vec<Record> {
    vec![state(token, ENRICH, "completed"), state(token, ROUTE, "completed"), routing(token, 0, edge)]
}

/// What is done with a token at a sink.
pub(crate) fn arrived(token: &str, outcome: &str, sink: i64) -> Vec<Record> {
    vec![state(token, sink, "completed"), record!(token_outcome, token: token, outcome: outcome, sink: sink)]
}

fn ended(token: &str, outcome: &str, group: &str) -> Vec<Record> {
    vec![record!(token_outcome, token: token, outcome: outcome, group: group)]
}

fn reason(kind: &str, message: &str) -> Json {
    object(vec![("kind", kind.json()), ("message", message.json()), ("retryable", true.json())])
}

/// A row to which nothing happens, as those beside the one that a receipt is about.
fn plain(world: &World, row: i64) -> Vec<Record> {
    let token_text = format!("{row}.0");
    vec![source_row(row, world.digest.hash(&row.to_be_bytes()), true), token(&token_text)]
}

fn with_plain_rows(digest: Digest, rows: i64) -> World {
    let mut world = World::new(digest);
    for row in 0..rows {
        world.rows.push(plain(&world, row));
        world.acts.push(arrived(&format!("{row}.0"), "completed", OUT));
    }
    world
}

pub(crate) fn linear_world(digest: Digest, rows: i64, row: i64) -> (World, Shown) {
    let mut world = with_plain_rows(digest, rows);
    let hash = world.keep(&format!("{{\"amount\":12.5,\"id\":{row}}}"));
    let at = usize::try_from(row).unwrap();
    world.rows[at] = vec![source_row(row, hash, true), token(&format!("{row}.0"))];
    world.rows[at].extend(passed(&format!("{row}.0"), LOW));
    (world, Shown { row: at, releases: Vec::new(), acts: vec![at] })
}

fn linear(digest: Digest, rows: i64, row: i64) -> Receipt {
    let (world, shown) = linear_world(digest, rows, row);
    world.receipt(&shown)
}

fn routed(digest: Digest) -> Receipt {
    let mut world = with_plain_rows(digest, 5);
    let (before, after) = (world.keep("{\"amount\":900}"), world.keep("{\"amount\":900,\"score\":0.75}"));
    world.rows[2] = vec![
        source_row(2, before, true),
        token("2.0"),
        changed("2.0", ENRICH, after),
        state("2.0", ROUTE, "completed"),
        record!(routing_event, token: "2.0", step: ROUTE, attempt: 0_i64, ordinal: 0_i64, edge: 3_i64, reason: "{\"score\":0.75}"),
    ];
    world.acts[2] = arrived("2.0", "routed", HIGH);
    world.receipt(&Shown { row: 2, acts: vec![2], ..Shown::default() })
}

fn quarantined(digest: Digest, sink: Option<i64>) -> Receipt {
    let mut world = with_plain_rows(digest, 2);
    let hash = world.keep("{\"amount\":\"many\"}");
    let mut reason = vec![("kind", "schema_violation".json()), ("message", "`many` is no number".json())];
    reason.extend([("field", "amount".json()), ("line", 3_i64.json()), ("retryable", false.json())]);
    let error = match sink {
        Some(sink) => record!(validation_error, row_index: 1_i64, reason: object(reason), destination: sink),
        None => record!(validation_error, row_index: 1_i64, reason: object(reason)),
    };
    world.rows[1] = vec![source_row(1, hash, false), token("1.0"), error];
    let error_at = object(vec![("step", 0_i64.json()), ("attempt", 0_i64.json())]);
    world.acts[1] = match sink {
        Some(sink) => vec![
            state("1.0", sink, "completed"),
            record!(token_outcome, token: "1.0", outcome: "quarantined", sink: sink, error_at: error_at),
        ],
        None => vec![record!(token_outcome, token: "1.0", outcome: "quarantined", error_at: error_at)],
    };
    world.receipt(&Shown { row: 1, acts: vec![1], ..Shown::default() })
}

fn attempt(attempt: i64, status: &str) -> Record {
    record!(node_state, token: "0.0", step: ENRICH, attempt: attempt, status: status)
}

fn failed(digest: Digest) -> Receipt {
    let mut world = with_plain_rows(digest, 2);
    let hash = world.keep("{\"amount\":1}");
    world.rows[0] = vec![
        source_row(0, hash, true),
        token("0.0"),
        attempt(0, "failed"),
        attempt(1, "failed"),
        record!(transform_error, token: "0.0", step: ENRICH, attempt: 0_i64, reason: reason("transform_error", "busy")),
        record!(transform_error, token: "0.0", step: ENRICH, attempt: 1_i64, reason: reason("retries_exhausted", "still busy"), destination: FAILED),
    ];
    let error_at = object(vec![("step", ENRICH.json()), ("attempt", 1_i64.json())]);
    world.acts[0] = vec![
        state("0.0", FAILED, "completed"),
        record!(token_outcome, token: "0.0", outcome: "routed", sink: FAILED, error_at: error_at),
    ];
    world.receipt(&Shown { row: 0, acts: vec![0], ..Shown::default() })
}

fn calls(digest: Digest) -> Receipt {
    let mut world = with_plain_rows(digest, 4);
    let hash = world.keep("{\"question\":\"why?\"}");
    let after = world.keep("{\"answer\":\"so\",\"question\":\"why?\"}");
    let (request, response) = (digest.hash(b"request"), digest.hash(b"response"));
    let place = |number: i64, status: &str| {
        let mut fields = vec![("call_no", number.json()), ("token", "3.0".json()), ("step", ENRICH.json())];
        fields.extend([
            ("attempt", 0_i64.json()),
            ("call_index", (number - 7).json()),
            ("type", "llm".json()),
        ]);
        fields.extend([("status", status.json()), ("request", request.json())]);
        fields
    };
    let (mut failed, mut answered) = (place(7, "error"), place(8, "success"));
    failed.push(("error", reason("transform_error", "503")));
    answered.push(("response", response.json()));
    world.rows[3] = vec![
        source_row(3, hash, true),
        token("3.0"),
        changed("3.0", ENRICH, after),
        state("3.0", ROUTE, "completed"),
        record!(state_context, token: "3.0", step: ENRICH, attempt: 0_i64, context: "{\"model\":\"m\"}"),
        routing("3.0", 0, LOW),
        crate::world::made("call", failed),
        crate::world::made("call", answered),
    ];
    world.receipt(&Shown { row: 3, acts: vec![3], ..Shown::default() })
}

fn expanded(digest: Digest) -> Receipt {
    let mut world = with_plain_rows(digest, 2);
    let hash = world.keep("{\"parts\":[1,2]}");
    let (first, second) = (world.keep("{\"part\":1}"), world.keep("{\"part\":2}"));
    let input = |token: &str, hash: Hash| record!(node_state, token: token, step: ROUTE, attempt: 0_i64, status: "completed", input_hash: hash);
    world.rows[1] = vec![
        source_row(1, hash, true),
        token("1.0"),
        child("1.1", None, "1.0"),
        child("1.2", None, "1.0"),
        parent("1.1", "1.0", 0),
        parent("1.2", "1.0", 0),
        state("1.0", ENRICH, "completed"),
        input("1.1", first),
        input("1.2", second),
        routing("1.1", 0, 2),
        routing("1.2", 0, 2),
    ];
    world.acts[1] = ended("1.0", "expanded", "1.0");
    world.acts.extend([arrived("1.1", "routed", OUT), arrived("1.2", "routed", OUT)]);
    world.receipt(&Shown { row: 1, acts: vec![1, 2, 3], ..Shown::default() })
}

fn fork_of_one(world: &mut World, [one, other]: [&str; 2]) -> Vec<Record> {
    let hash = world.keep("{\"amount\":5}");
    vec![
        source_row(1, hash, true),
        token("1.0"),
        child("1.1", Some(one), "1.0"),
        child("1.2", Some(other), "1.0"),
    ]
}

fn forked(digest: Digest) -> Receipt {
    let mut world = with_plain_rows(digest, 6);
    let mut leaf = fork_of_one(&mut world, ["one", "other"]);
    leaf.extend([parent("1.1", "1.0", 0), parent("1.2", "1.0", 0)]);
    leaf.extend(passed("1.0", 12));
    leaf.push(routing("1.0", 1, 13));
    world.rows[1] = leaf;
    world.acts[1] = ended("1.0", "forked", "1.0");
    world.acts.insert(2, arrived("1.1", "completed", OUT));
    world.acts.insert(3, arrived("1.2", "completed", HIGH));
    world.receipt(&Shown { row: 1, acts: vec![1, 2, 3], ..Shown::default() })
}

fn merged(digest: Digest) -> Receipt {
    let mut world = with_plain_rows(digest, 3);
    let mut leaf = fork_of_one(&mut world, ["left", "right"]);
    let joined = world.keep("{\"amount\":5,\"left\":1,\"right\":2}");
    leaf.push(child("1.3", None, "1.3"));
    leaf.extend([
        parent("1.1", "1.0", 0),
        parent("1.2", "1.0", 0),
        parent("1.3", "1.1", 0),
        parent("1.3", "1.2", 1),
    ]);
    leaf.extend([
        state("1.0", ENRICH, "completed"),
        state("1.0", ROUTE, "completed"),
        state("1.1", JOIN, "completed"),
        state("1.2", JOIN, "completed"),
    ]);
    leaf.push(record!(state_context, token: "1.1", step: JOIN, attempt: 0_i64, context: "{\"policy\":\"require_all\"}"));
    leaf.extend([routing("1.0", 0, 4), routing("1.0", 1, 5)]);
    world.rows[1] = leaf;
    world.acts[1] = ended("1.0", "forked", "1.0");
    world.acts.insert(2, ended("1.1", "coalesced", "1.3"));
    world.acts.insert(3, ended("1.2", "coalesced", "1.3"));
    let mut last = arrived("1.3", "completed", OUT);
    last[0] =
        record!(node_state, token: "1.3", step: OUT, attempt: 0_i64, status: "completed", input_hash: joined);
    world.acts.insert(4, last);
    world.receipt(&Shown { row: 1, acts: vec![1, 2, 3, 4], ..Shown::default() })
}

/// One branch waited in a batch of the others.
pub(crate) fn merged_across_rows_world(digest: Digest) -> (World, Shown) {
    let mut world = with_plain_rows(digest, 4);
    let mut leaf = fork_of_one(&mut world, ["left", "right"]);
    leaf.extend([parent("1.1", "1.0", 0), parent("1.2", "1.0", 0)]);
    leaf.extend(passed("1.0", 4));
    leaf.push(routing("1.0", 1, 5));
    world.rows[1] = leaf;
    world.releases = vec![
        Released { batches: Vec::new(), parts: vec![vec![state("0.1", JOIN, "completed")]] },
        Released {
            batches: Vec::new(),
            parts: vec![
                vec![parent("r4.0", "1.1", 0), state("1.1", JOIN, "completed")],
                vec![parent("r4.0", "1.2", 1), state("1.2", JOIN, "completed")],
                vec![child("r4.0", None, "r4.0")],
            ],
        },
    ];
    world.acts[1] = ended("1.0", "forked", "1.0");
    world.acts.extend([ended("1.1", "coalesced", "r4.0"), ended("1.2", "coalesced", "r4.0")]);
    world.acts.push(arrived("r4.0", "completed", OUT));
    (world, Shown { row: 1, releases: vec![(1, vec![0, 1, 2])], acts: vec![1, 4, 5, 6] })
}

fn merged_across_rows(digest: Digest) -> Receipt {
    let (world, shown) = merged_across_rows_world(digest);
    world.receipt(&shown)
}

fn flush(attempt: i64, status: &str) -> Record {
    record!(batch, batch_no: 2_i64, attempt: attempt, step: SUM, status: status, trigger: "count")
}

fn member(token: &str, ordinal: i64) -> Record {
    record!(batch_member, batch_no: 2_i64, ordinal: ordinal, token: token)
}

/// A row whose token comes to the aggregation.
fn in_batch(row: i64, hash: Hash) -> Vec<Record> {
    let name = format!("{row}.0");
    let mut records = vec![source_row(row, hash, true), token(&name)];
    records.extend(passed(&name, COLLECT));
    records
}

fn consumed(token: &str) -> Vec<Record> {
    vec![record!(token_outcome, token: token, outcome: "consumed_in_batch", batch_no: 2_i64)]
}

/// A member of the batch came out of a release that has a larger number: its part is behind that of what the batch made.
fn batch_of_others_too(digest: Digest, outputs: &[&str]) -> Receipt {
    let mut world = with_plain_rows(digest, 3);
    let hash = world.keep("{\"amount\":5}");
    world.rows[1] = in_batch(1, hash);
    let of_member = |token: &str, ordinal: i64| vec![member(token, ordinal), state(token, SUM, "completed")];
    let of_output = |(ordinal, name): (i64, &&str)| {
        vec![record!(batch_output, batch_no: 2_i64, ordinal: ordinal, token: *name), token(name)]
    };
    let mut parts = vec![of_member("0.0", 0), of_member("1.0", 1)];
    parts.extend((0..).zip(outputs).map(of_output));
    parts.extend([of_member("r7.0", 2), of_member("r9.0", 3)]);
    world.releases = vec![Released { batches: vec![flush(0, "completed")], parts }];
    world.acts = ["0.0", "1.0", "2.0", "r7.0", "r9.0"].map(consumed).to_vec();
    world.acts.extend(outputs.iter().map(|token| arrived(token, "completed", OUT)));
    let shown = (1..=2 + outputs.len()).collect();
    let acts = std::iter::once(1).chain(5..5 + outputs.len()).collect();
    world.receipt(&Shown { row: 1, releases: vec![(0, shown)], acts })
}

/// It waits in a batch that is not flushed.
fn waiting(digest: Digest) -> Receipt {
    let mut world = with_plain_rows(digest, 2);
    let hash = world.keep("{\"amount\":5}");
    world.status = "interrupted";
    world.rows[1] = in_batch(1, hash);
    world.acts.pop();
    world.receipt(&Shown { row: 1, ..Shown::default() })
}

/// The sinks came as far as the fork.
fn interrupted_behind_a_fork(digest: Digest) -> Receipt {
    let (mut world, shown) = merged_across_rows_world(digest);
    world.status = "interrupted";
    let untold = 4..world.acts.len();
    world.acts.drain(untold);
    world.receipt(&Shown { acts: vec![1], ..shown })
}

/// Three rows make one, by the second attempt.
pub(crate) fn batch_world(digest: Digest) -> (World, Shown) {
    let mut world = with_plain_rows(digest, 3);
    let hash = world.keep("{\"amount\":5}");
    let sum = world.keep("{\"count\":3,\"sum\":15}");
    world.rows[1] = in_batch(1, hash);
    let of_member = |row: i64| {
        let token = format!("{row}.0");
        vec![member(&token, row), state(&token, SUM, "completed")]
    };
    let output = record!(batch_output, batch_no: 2_i64, ordinal: 0_i64, token: "r2.0");
    let of_output = vec![output, token("r2.0")];
    world.releases = vec![Released {
        batches: vec![
            record!(batch, batch_no: 2_i64, attempt: 0_i64, step: SUM, status: "failed", trigger: "count", reason: "no answer"),
            flush(1, "completed"),
        ],
        parts: vec![of_member(0), of_member(1), of_member(2), of_output],
    }];
    for (row, act) in world.acts.iter_mut().enumerate() {
        let token = format!("{row}.0");
        *act = vec![
            record!(token_outcome, token: token.as_str(), outcome: "consumed_in_batch", batch_no: 2_i64),
        ];
    }
    let mut last = arrived("r2.0", "completed", OUT);
    last[0] =
        record!(node_state, token: "r2.0", step: OUT, attempt: 0_i64, status: "completed", input_hash: sum);
    world.acts.push(last);
    (world, Shown { row: 1, releases: vec![(0, vec![1, 3])], acts: vec![1, 3] })
}

fn batch(digest: Digest) -> Receipt {
    let (world, shown) = batch_world(digest);
    world.receipt(&shown)
}

fn passed_through(digest: Digest) -> Receipt {
    let mut world = with_plain_rows(digest, 3);
    let hash = world.keep("{\"amount\":5}");
    let ranked = world.keep("{\"amount\":5,\"rank\":2}");
    world.rows[1] = in_batch(1, hash);
    let of_member = |row: i64| {
        let token = format!("{row}.0");
        vec![member(&token, row), changed(&token, SUM, ranked)]
    };
    let batches = vec![flush(0, "completed")];
    world.releases = vec![Released { batches, parts: (0..3).map(of_member).collect() }];
    world.receipt(&Shown { row: 1, releases: vec![(0, vec![1])], acts: vec![1] })
}

fn batch_failed(digest: Digest) -> Receipt {
    let mut world = with_plain_rows(digest, 3);
    let hash = world.keep("{\"amount\":5}");
    world.rows[2] = in_batch(2, hash);
    let of_member = |row: i64| {
        let token = format!("{row}.0");
        let error = record!(transform_error, token: token.as_str(), step: SUM, attempt: 0_i64, reason: reason("batch_failed", "no answer"));
        vec![member(&token, row), state(&token, SUM, "failed"), error]
    };
    let batches = vec![flush(0, "failed")];
    world.releases = vec![Released { batches, parts: (0..3).map(of_member).collect() }];
    let error_at = object(vec![("step", SUM.json()), ("attempt", 0_i64.json())]);
    world.acts[2] = vec![record!(token_outcome, token: "2.0", outcome: "quarantined", error_at: error_at)];
    world.receipt(&Shown { row: 2, releases: vec![(0, vec![2])], acts: vec![2] })
}

fn diverted(digest: Digest) -> Receipt {
    let mut world = with_plain_rows(digest, 9);
    let hash = world.keep("{\"amount\":5}");
    world.rows[8] = vec![source_row(8, hash, true), token("8.0")];
    world.rows[8].extend(passed("8.0", TO_HIGH));
    let error_at = object(vec![("step", HIGH.json()), ("attempt", 0_i64.json())]);
    world.acts[8] = vec![
        state("8.0", HIGH, "failed"),
        state("8.0", FAILED, "completed"),
        record!(routing_event, token: "8.0", step: HIGH, attempt: 0_i64, ordinal: 0_i64, edge: 10_i64),
        record!(transform_error, token: "8.0", step: HIGH, attempt: 0_i64, reason: reason("sink_refused", "too long"), destination: FAILED),
        record!(token_outcome, token: "8.0", outcome: "diverted", sink: FAILED, error_at: error_at),
    ];
    world.receipt(&Shown { row: 8, acts: vec![8], ..Shown::default() })
}

fn purged(digest: Digest) -> Receipt {
    let (mut world, shown) = linear_world(digest, 7, 4);
    world.bodies.clear();
    world.receipt(&shown)
}

/// Decided, but the sinks did not come to it.
pub(crate) fn interrupted_world(digest: Digest) -> (World, Shown) {
    let (mut world, shown) = linear_world(digest, 3, 2);
    world.status = "interrupted";
    world.acts.pop();
    (world, Shown { acts: Vec::new(), ..shown })
}

fn interrupted(digest: Digest) -> Receipt {
    let (world, shown) = interrupted_world(digest);
    world.receipt(&shown)
}

fn two_signers(digest: Digest) -> Receipt {
    let (mut world, shown) = linear_world(digest, 3, 0);
    world.signers.push(key("example.org/witness"));
    world.receipt(&shown)
}

fn registry_of_one(digest: Digest) -> Receipt {
    let (mut world, shown) = linear_world(digest, 2, 1);
    world.entries = (0, 0);
    world.receipt(&shown)
}

fn every_character(digest: Digest) -> Receipt {
    let (mut world, shown) = linear_world(digest, 2, 1);
    let controls: String = ('\0'..='\u{a0}').collect();
    let message = format!("{controls} ä € \u{1f600} \u{fb33} \u{2028} \u{feff}");
    world.rows[1].push(record!(transform_error, token: "1.0", step: ENRICH, attempt: 0_i64, reason: reason("transform_error", &message)));
    world.receipt(&shown)
}
