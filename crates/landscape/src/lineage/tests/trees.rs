//! Forks, expansions, merges and batches.

use std::collections::BTreeMap;

use elspeth_contracts::{
    BatchMemberRecord, BatchOutputRecord, BatchRecord, BatchStatus, EdgeMode, EdgeNo, EdgeRecord, EpochNo,
    ErrorReason, FailureKind, NodeStateRecord, NodeStateStatus, NodeType, Outcome, ReleaseNo, ReleaseRecord,
    RoutingEventRecord, StateContextRecord, TokenKey, TokenOutcomeRecord, TokenParentRecord, TokenRecord,
    TransformErrorRecord, TriggerType,
};
use elspeth_payload::{Block, BlockBuilder, BodyFragment, BodyKey};
use elspeth_value::{Row, Value};
use serde_json::json;

use super::sample::{
    RUN, SOURCE, hash_of, in_epochs, node, plain_token, read_row, row, row_41, run, step, subject, token,
};
use crate::BatchSize;
use crate::lineage::assemble::lineage;
use crate::lineage::facts::{BatchFacts, Facts, TokenFacts};
use crate::lineage::{Bodies, Graph, Lineage};

const SPLIT: u16 = 1;
const CLEAN: u16 = 2;
const EXPLODE: u16 = 3;
const JOIN: u16 = 4;
const TOTALS: u16 = 5;
const PAUSE: u16 = 6;
const OUT: u16 = 7;
const BAD: u16 = 8;

const DONE: NodeStateStatus = NodeStateStatus::Completed;

fn graph() -> Graph {
    let split = r#"{"condition":"row['amount'] > 1000","fork_to":["left","right"],"routes":{"false":"out","true":"fork"}}"#;
    let edge = |(number, (to, label)): (u16, (u16, &str))| EdgeRecord {
        edge: EdgeNo(number),
        from: step(SPLIT),
        to: step(to),
        label: label.to_owned(),
        mode: EdgeMode::Copy,
    };
    Graph {
        nodes: vec![
            node(SOURCE, "source", NodeType::Source, "csv", "{}"),
            node(SPLIT, "split", NodeType::Gate, "gate", split),
            node(CLEAN, "clean", NodeType::Transform, "field_mapper", "{}"),
            node(EXPLODE, "explode", NodeType::Transform, "json_explode", "{}"),
            node(JOIN, "join", NodeType::Coalesce, "coalesce", "{}"),
            node(TOTALS, "totals", NodeType::Aggregation, "batch_stats", "{}"),
            node(PAUSE, "pause", NodeType::Aggregation, "batch_replicate", "{}"),
            node(OUT, "out", NodeType::Sink, "csv", "{}"),
            node(BAD, "bad", NodeType::Sink, "csv", "{}"),
        ],
        edges: (0..).zip([(CLEAN, "left"), (JOIN, "right")]).map(edge).collect(),
    }
}

fn id(key: TokenKey) -> String {
    run().run_id.token_id(key).to_string()
}

fn made(batch: u64, ordinal: u32) -> TokenKey {
    TokenKey::of_batch(batch, ordinal).unwrap()
}

fn state(token: TokenKey, at: u16, status: NodeStateStatus) -> NodeStateRecord {
    NodeStateRecord { token, ..super::sample::state(0, at, status) }
}

fn outcome(token: TokenKey, outcome: Outcome) -> TokenOutcomeRecord {
    TokenOutcomeRecord { token, outcome, sink: None, group: None, batch_no: None, error_at: None }
}

/// A token that went through these nodes without a change.
fn passed(key: TokenKey, through: &[u16]) -> TokenFacts {
    TokenFacts {
        token: TokenRecord::plain(key),
        states: through.iter().map(|at| state(key, *at, DONE)).collect(),
        ..plain_token(0)
    }
}

/// The same, which ended in the sink `out`.
fn written(key: TokenKey, through: &[u16]) -> TokenFacts {
    let outcome = Some(TokenOutcomeRecord::at_sink(key, Outcome::Completed, step(OUT)));
    TokenFacts { outcome, ..passed(key, through) }
}

fn child_of(parents: &[TokenKey], token: TokenFacts) -> TokenFacts {
    let key = token.key();
    let parent =
        |(ordinal, parent): (u32, &TokenKey)| TokenParentRecord { token: key, parent: *parent, ordinal };
    TokenFacts { parents: (0..).zip(parents).map(parent).collect(), ..token }
}

fn branch(name: &str, parent: TokenKey, token: TokenFacts) -> TokenFacts {
    let record = TokenRecord { token: token.key(), branch: Some(name.into()), group: Some(parent) };
    TokenFacts { token: record, ..child_of(&[parent], token) }
}

/// A token that ended with others in a group.
fn grouped(how: Outcome, group: TokenKey, token: TokenFacts) -> TokenFacts {
    let outcome = TokenOutcomeRecord { group: Some(group), ..outcome(token.key(), how) };
    TokenFacts { outcome: Some(outcome), ..token }
}

fn forked(token: TokenFacts) -> TokenFacts {
    let key = token.key();
    let event = |ordinal: u16| RoutingEventRecord {
        token: key,
        step: step(SPLIT),
        attempt: 0,
        ordinal,
        edge: EdgeNo(ordinal),
        reason: None,
    };
    TokenFacts { routing: vec![event(0), event(1)], ..grouped(Outcome::Forked, key, token) }
}

fn with_context(context: &serde_json::Value, token: TokenFacts) -> TokenFacts {
    let context =
        StateContextRecord { token: token.key(), step: step(JOIN), attempt: 0, context: context.to_string() };
    TokenFacts { contexts: vec![context], ..token }
}

fn block(rows: &[(TokenKey, u16, &Row)]) -> Block {
    let mut fragment = BodyFragment::default();
    for (token, at, row) in rows {
        fragment.push_row(BodyKey { token: *token, step: step(*at) }, row);
    }
    let mut builder = BlockBuilder::default();
    builder.add(fragment);
    Block::read(&builder.finish()).unwrap()
}

fn amount(amount: i64) -> Row {
    row(&[("amount", Value::Int(amount))])
}

fn explained(facts: &Facts, bodies: &Bodies<'_>) -> Lineage {
    lineage(&run(), &graph(), (facts, Some(row_41())), bodies).unwrap()
}

fn only_read() -> Bodies<'static> {
    in_epochs([(0, block(&[(token(0), SOURCE, &read_row())]))])
}

fn json_of(lineage: &Lineage, key: TokenKey) -> serde_json::Value {
    let json = serde_json::to_value(lineage).unwrap();
    let tokens = json["tokens"].as_array().unwrap();
    tokens.iter().find(|token| token["token_id"] == id(key)).unwrap().clone()
}

/// Forked into left and right, which are merged again.
fn merged() -> Vec<TokenFacts> {
    let (root, left, right, joined) = (token(0), token(1), token(2), token(3));
    let context = json!({"arrived": ["left", "right"], "collisions": {"amount": ["left", "right"]},
        "expected": ["left", "right", "third"], "lost": [], "merge": "union", "policy": "quorum"});
    let mut out = written(joined, &[OUT]);
    out.states[0].input_hash = Some(hash_of(&amount(9)));
    vec![
        forked(passed(root, &[SOURCE, SPLIT])),
        with_context(
            &context,
            grouped(Outcome::Coalesced, joined, branch("left", root, passed(left, &[CLEAN, JOIN]))),
        ),
        grouped(Outcome::Coalesced, joined, branch("right", root, passed(right, &[JOIN]))),
        child_of(&[left, right], out),
    ]
}

fn bodies_of_merge() -> Bodies<'static> {
    in_epochs([(0, block(&[(token(0), SOURCE, &read_row()), (token(3), JOIN, &amount(9))]))])
}

#[test]
fn a_merged_token_stands_once_below_the_one_that_was_forked() {
    let text = explained(&subject(merged()), &bodies_of_merge()).to_text();
    let (read, nine) = (hash_of(&read_row()).to_string(), hash_of(&amount(9)).to_string());
    let (read, nine) = (&read[..12], &nine[..12]);
    let [root, left, right, joined] = [0, 1, 2, 3].map(|ordinal| id(token(ordinal)));
    let expected = format!(
        "\
Token {root}
├─ source source (csv) · completed · → {read}
├─ gate split · completed · {read} unchanged
│    row['amount'] > 1000 → true → branch left → clean
│    row['amount'] > 1000 → true → branch right → join
├─ forked
├─ Token {left} · branch left
│  ├─ transform clean (field_mapper) · completed · {read} unchanged
│  ├─ coalesce join · completed · {read} unchanged
│  └─ coalesced · into {joined}
├─ Token {right} · branch right
│  ├─ coalesce join · completed · {read} unchanged
│  └─ coalesced · into {joined}
└─ Token {joined} · merged at join
   │    from {left} (left), {right} (right)
   │    quorum · union · arrived left, right · not waited for third
   │    amount: given by left, right
   │    ~ amount: 2500.0 → 9
   │    - id: 7
   │    - name: \" Ann\"
   ├─ sink out (csv) · completed · {nine} unchanged
   └─ completed · sink out
"
    );
    assert!(text.ends_with(&expected), "{text}");
}

#[test]
fn a_merged_token_names_its_parents_and_has_a_row_of_its_own() {
    let lineage = explained(&subject(merged()), &bodies_of_merge());
    let joined = json_of(&lineage, token(3));
    assert_eq!(joined["parents"], json!([id(token(1)), id(token(2))]));
    assert_eq!(joined["states"][0]["input"], json!({"amount": 9}), "kept under the node that made it");
    let left = json_of(&lineage, token(1));
    assert_eq!(left["outcome"]["group"], token(3).get());
    assert_eq!(left["states"][1]["reason"]["policy"], "quorum");
    assert!(joined.get("made_by").is_none() && joined.get("batches").is_none(), "{joined}");
}

#[test]
fn inner_merges_stand_below_their_own_fork() {
    let (root, left, right) = (token(0), token(1), token(2));
    let (up, down, inner, outer) = (token(3), token(4), token(5), token(6));
    let facts = subject(vec![
        forked(passed(root, &[SOURCE, SPLIT])),
        forked(branch("left", root, passed(left, &[SPLIT]))),
        grouped(Outcome::Coalesced, outer, branch("right", root, passed(right, &[JOIN]))),
        grouped(Outcome::Coalesced, inner, branch("up", left, passed(up, &[JOIN]))),
        grouped(Outcome::Coalesced, inner, branch("down", left, passed(down, &[JOIN]))),
        grouped(Outcome::Coalesced, outer, child_of(&[up, down], passed(inner, &[JOIN]))),
        child_of(&[inner, right], written(outer, &[OUT])),
    ]);
    let text = explained(&facts, &only_read()).to_text();
    let lead = |key: TokenKey| {
        let line = text.lines().find(|line| line.contains(&format!("Token {}", id(key)))).unwrap();
        line.split("Token").next().unwrap().to_owned()
    };
    let leads = [left, up, down, inner, right, outer].map(lead);
    assert_eq!(leads, ["├─ ", "│  ├─ ", "│  ├─ ", "│  └─ ", "├─ ", "└─ "], "{text}");
}

#[test]
fn of_a_branch_alone_the_merge_is_told_where_it_waited() {
    let mut tokens = merged();
    tokens.retain(|token| token.key() != self::token(3) && token.key() != self::token(2));
    let text = explained(&subject(tokens), &only_read()).to_text();
    assert!(text.contains("   │    quorum · union · arrived left, right"), "{text}");
}

#[test]
fn a_merge_that_failed_tells_which_branches_were_there() {
    let (root, left) = (token(0), token(1));
    let context = json!({"arrived": ["left"], "collisions": {}, "expected": ["left", "right"],
        "lost": ["right"], "merge": "nested", "policy": "require_all"});
    let mut waited = with_context(&context, branch("left", root, passed(left, &[JOIN])));
    waited.states[0].status = NodeStateStatus::Failed;
    waited.errors = vec![TransformErrorRecord {
        token: left,
        step: step(JOIN),
        attempt: 0,
        reason: ErrorReason::new(FailureKind::CoalesceFailed, "branch `right` is lost"),
        destination: None,
    }];
    waited.outcome =
        Some(TokenOutcomeRecord { error_at: Some((step(JOIN), 0)), ..outcome(left, Outcome::Failed) });
    let facts = subject(vec![forked(passed(root, &[SOURCE, SPLIT])), waited]);
    let text = explained(&facts, &only_read()).to_text();
    let details = "   │    require_all · nested · arrived left · lost right\n   │    coalesce_failed: branch `right` is lost\n   └─ failed · because of join\n";
    assert!(text.ends_with(details), "{text}");
}

#[test]
fn a_context_of_another_kind_is_shown_as_it_is() {
    let mut tokens = merged();
    tokens[1].contexts[0].context = r#"{"waited":3}"#.to_owned();
    let text = explained(&subject(tokens), &only_read()).to_text();
    assert!(text.contains("   │    {\"waited\":3}\n"), "{text}");
}

#[test]
fn children_of_an_expansion_have_rows_of_their_own_and_the_first_ones_are_drawn() {
    let root = token(0);
    let child = |ordinal: u32| {
        let mut child = written(token(ordinal), &[OUT]);
        child.states[0].input_hash = Some(hash_of(&amount(i64::from(ordinal))));
        child_of(&[root], child)
    };
    let mut tokens = vec![grouped(Outcome::Expanded, root, passed(root, &[SOURCE, EXPLODE]))];
    tokens.extend((1..=25).map(child));
    let rows: Vec<Row> = (1..=25).map(amount).collect();
    let mut kept: Vec<_> = (1..).zip(&rows).map(|(ordinal, row)| (token(ordinal), EXPLODE, row)).collect();
    let read = read_row();
    kept.push((root, SOURCE, &read));
    let lineage = explained(&subject(tokens), &in_epochs([(0, block(&kept))]));
    assert_eq!(json_of(&lineage, token(7))["states"][0]["input"], json!({"amount": 7}));
    assert_eq!(json_of(&lineage, root)["states"][1]["output"]["id"], 7, "what was expanded is still told");
    assert_eq!(lineage.tokens.len(), 26);
    let text = lineage.to_text();
    assert_eq!(text.matches("Token ").count(), 21, "{text}");
    assert!(text.contains("├─ expanded\n"), "{text}");
    assert!(text.contains("\n│  │    ~ amount: 2500.0 → 7\n"), "{text}");
    assert!(text.ends_with("└─ … and 5 more tokens (--json has them)\n"), "{text}");
}

fn member(batch_no: u64, ordinal: u32, token: TokenKey) -> BatchMemberRecord {
    BatchMemberRecord { batch_no, ordinal, token }
}

fn flushed(attempts: &[BatchStatus], size: (u64, u64)) -> BatchFacts {
    let attempt = |(attempt, status): (u8, &BatchStatus)| BatchRecord {
        batch_no: 3,
        step: step(TOTALS),
        attempt,
        status: *status,
        trigger: Some(TriggerType::Count),
        reason: None,
    };
    BatchFacts {
        attempts: (0..).zip(attempts).map(attempt).collect(),
        size: BatchSize { members: size.0, outputs: size.1 },
        ..BatchFacts::default()
    }
}

fn release(number: u64, at: u16, epoch: u64) -> ReleaseRecord {
    ReleaseRecord { number, step: step(at), epoch: EpochNo(epoch), row: row_41(), after: false }
}

/// Row 41 is the second member of batch 3.
fn consumed() -> Facts {
    let outcome =
        TokenOutcomeRecord { batch_no: ReleaseNo::new(3), ..outcome(token(0), Outcome::ConsumedInBatch) };
    let mut facts = subject(vec![TokenFacts {
        outcome: Some(outcome),
        memberships: vec![member(3, 1, token(0))],
        ..passed(token(0), &[SOURCE, TOTALS])
    }]);
    let outputs = (0..12).map(|ordinal| BatchOutputRecord { batch_no: 3, ordinal, token: made(3, ordinal) });
    let attempts = [BatchStatus::Failed, BatchStatus::Completed];
    facts.batches.insert(3, BatchFacts { outputs: outputs.collect(), ..flushed(&attempts, (100, 12)) });
    facts.releases.insert(3, release(3, TOTALS, 0));
    facts
}

#[test]
fn a_consumed_token_tells_of_its_batch_and_what_came_of_it() {
    let lineage = explained(&consumed(), &only_read());
    let text = lineage.to_text_with("elspeth explain -r R -d a.db");
    let details =
        "│    member 2 of 100 of batch 3 · flushed by count at row 41, attempt 2 · made 12 tokens\n";
    assert!(text.contains(details), "{text}");
    assert_eq!(text.matches("│    → ").count(), 10, "{text}");
    let on = format!(
        "│    … and 2 more (--json has them)\n│    on  elspeth explain -r R -d a.db --token {}\n└─ consumed_in_batch · batch 3\n",
        id(made(3, 0))
    );
    assert!(text.ends_with(&on), "{text}");
    let batches = &json_of(&lineage, token(0))["batches"];
    let outputs: Vec<_> = (0..12).map(|ordinal| id(made(3, ordinal))).collect();
    let expected = json!([{"batch": 3, "node": "totals", "status": "completed", "trigger": "count", "reason": null,
        "attempts": 2, "flushed_at_row": 41, "position": 1, "members": 100, "outputs": 12, "output_tokens": outputs}]);
    assert_eq!(batches, &expected);
}

#[test]
fn an_output_lists_its_members_and_how_to_go_on() {
    let mut output = written(made(3, 1), &[OUT]);
    output.states[0].input_hash = Some(hash_of(&amount(5)));
    output.made_by = Some(BatchOutputRecord { batch_no: 3, ordinal: 1, token: made(3, 1) });
    let mut facts = Facts { tokens: [(made(3, 1), output)].into(), ..Facts::default() };
    let first = TokenKey::of_row(row_41(), 0).unwrap();
    let mut members = vec![member(3, 0, first), member(3, 1, made(1, 0))];
    members.extend((2..1_000).map(|at| member(3, at, token(at))));
    facts.batches.insert(3, BatchFacts { members, ..flushed(&[BatchStatus::Completed], (2_500, 2)) });
    facts.releases.insert(3, release(3, TOTALS, 4));
    let bodies = in_epochs([(4, block(&[(made(3, 1), TOTALS, &amount(5))]))]);
    let lineage = lineage(&run(), &graph(), (&facts, None), &bodies).unwrap();

    let five = hash_of(&amount(5)).to_string();
    let listed: String = (2..10).map(|at| format!("│    {}: row 41 · {}\n", at + 1, id(token(at)))).collect();
    let expected = format!(
        "Run {RUN}\n
Token {output} · output 2 of 2 of batch 3 of totals
│    flushed by count at row 41 of 2500 members
│    1: row 41 · {first}
│    2: {second}
{listed}│    … and 2490 more (--json lists 1000 from --members-from N on)
│    why?  elspeth explain -r {RUN} --row 41
│    amount: 5
├─ sink out (csv) · completed · {five} unchanged
└─ completed · sink out
",
        output = id(made(3, 1)),
        first = id(first),
        second = id(made(1, 0)),
        five = &five[..12],
    );
    assert_eq!(lineage.to_text(), expected);

    let json = json_of(&lineage, made(3, 1));
    assert_eq!(json["states"][0]["input"], json!({"amount": 5}), "from the epoch of the release");
    let made_by = &json["made_by"];
    assert_eq!(
        (&made_by["batch"], &made_by["node"], &made_by["position"]),
        (&json!(3), &json!("totals"), &json!(1))
    );
    let members = &made_by["members"];
    assert_eq!((&members["count"], &members["next"]), (&json!(2_500), &json!(1_000)));
    let tokens = members["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 1_000);
    assert_eq!(tokens[0], json!({"position": 0, "token_id": id(first), "row_index": 41}));
    assert_eq!(tokens[1], json!({"position": 1, "token_id": id(made(1, 0)), "row_index": null}));
    assert_eq!(json["parents"].as_array().unwrap().len(), 1_000);
    assert_eq!(json["parents"][1], id(made(1, 0)));
}

#[test]
fn the_last_page_of_members_says_that_it_is_the_last() {
    let mut output = written(made(3, 0), &[OUT]);
    output.made_by = Some(BatchOutputRecord { batch_no: 3, ordinal: 0, token: made(3, 0) });
    let mut facts = Facts { tokens: [(made(3, 0), output)].into(), ..Facts::default() };
    let members = (2_000..2_500).map(|at| member(3, at, token(at))).collect();
    facts.batches.insert(3, BatchFacts { members, ..flushed(&[BatchStatus::Completed], (2_500, 1)) });
    let lineage = lineage(&run(), &graph(), (&facts, None), &in_epochs([])).unwrap();
    let members = &json_of(&lineage, made(3, 0))["made_by"]["members"];
    assert_eq!((&members["next"], &members["tokens"][0]["position"]), (&json!(null), &json!(2_000)));
    assert!(lineage.to_text().contains("│    2001: row 41"), "{}", lineage.to_text());
}

#[test]
fn with_a_member_at_hand_the_output_stands_below_it() {
    let mut facts = consumed();
    let mut output = written(made(3, 0), &[OUT]);
    output.made_by = Some(BatchOutputRecord { batch_no: 3, ordinal: 0, token: made(3, 0) });
    facts.tokens.insert(made(3, 0), output);
    facts.batches.get_mut(&3).unwrap().members = vec![member(3, 0, token(9)), member(3, 1, token(0))];
    let text = explained(&facts, &only_read()).to_text();
    assert!(
        text.contains(&format!("\n└─ Token {} · output 1 of 12 of batch 3 of totals\n", id(made(3, 0)))),
        "{text}"
    );
    assert!(!text.contains("│    on  "), "what is shown need not be asked for: {text}");
}

#[test]
fn a_token_in_an_open_batch_is_buffered() {
    let mut facts = subject(vec![TokenFacts {
        memberships: vec![member(4, 2, token(0))],
        ..passed(token(0), &[SOURCE])
    }]);
    facts.batches.insert(4, flushed(&[], (3, 0)));
    let lineage = explained(&facts, &only_read());
    let text = lineage.to_text();
    assert!(text.ends_with("\n└─ buffered · member 3 of batch 4, which waits for more\n"), "{text}");
    let json = json_of(&lineage, token(0));
    assert_eq!(json["outcome"], json!({"outcome": "buffered", "sink": null, "error": null, "batch": 4}));
    assert_eq!(json["batches"][0]["status"], "draft");
    assert_eq!(json["batches"][0]["node"], json!(null));
}

#[test]
fn a_token_that_a_batch_let_go_on_is_followed_into_the_epoch_of_its_release() {
    let mut token_facts = written(token(0), &[SOURCE, PAUSE, CLEAN, OUT]);
    token_facts.memberships = vec![member(5, 0, token(0))];
    token_facts.states[1].output_hash = Some(hash_of(&amount(1)));
    token_facts.states[2].output_hash = Some(hash_of(&amount(2)));
    // The graph's order has the transform after the aggregation.
    token_facts.states[2].step = step(OUT);
    token_facts.states[3].step = step(BAD);
    let mut facts = subject(vec![token_facts]);
    let mut batch = flushed(&[BatchStatus::Completed], (7, 0));
    batch.attempts[0].step = step(PAUSE);
    facts.batches.insert(5, batch);
    facts.releases.insert(5, release(5, PAUSE, 8));
    let later = block(&[(token(0), PAUSE, &amount(1)), (token(0), OUT, &amount(2))]);
    let bodies = in_epochs([(0, block(&[(token(0), SOURCE, &read_row())])), (8, later)]);
    let lineage = explained(&facts, &bodies);
    let states = &json_of(&lineage, token(0))["states"];
    assert_eq!(states[0]["output"]["id"], 7);
    assert_eq!(states[1]["output"], json!({"amount": 1}));
    assert_eq!(states[3]["input"], json!({"amount": 2}));
    let text = lineage.to_text();
    assert!(
        text.contains("│    member 1 of 7 of batch 5 · flushed by count at row 41 · let it go on\n"),
        "{text}"
    );
}

#[test]
fn a_sink_that_refused_comes_before_the_one_that_took() {
    let mut token_facts = passed(token(0), &[SOURCE, OUT, BAD]);
    token_facts.states[2].status = NodeStateStatus::Failed;
    token_facts.order_sinks(&graph());
    let steps: Vec<u16> = token_facts.states.iter().map(|state| state.step.get()).collect();
    assert_eq!(steps, [SOURCE, BAD, OUT]);
}

#[test]
fn tokens_come_after_those_they_came_from_whatever_their_numbers() {
    let (early, late) = (made(2, 0), made(9, 0));
    let tokens: BTreeMap<_, _> = [
        passed(token(0), &[SOURCE]),
        child_of(&[late], passed(early, &[OUT])),
        child_of(&[token(0)], passed(late, &[SPLIT])),
    ]
    .map(|token| (token.key(), token))
    .into();
    let facts = Facts { tokens, ..Facts::default() };
    assert_eq!(facts.in_order(), [token(0), late, early]);
}

#[test]
fn a_record_that_goes_in_a_circle_is_still_shown() {
    let tokens =
        [child_of(&[token(2)], passed(token(1), &[OUT])), child_of(&[token(1)], passed(token(2), &[OUT]))];
    let facts = Facts { tokens: tokens.map(|token| (token.key(), token)).into(), ..Facts::default() };
    let text = lineage(&run(), &graph(), (&facts, None), &in_epochs([])).unwrap().to_text();
    assert_eq!(text.matches("Token ").count(), 2, "{text}");
}
