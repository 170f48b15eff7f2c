//! Answers worked out from facts made by hand; those from a real store are tested beside the stores.

mod sample;
mod trees;

use elspeth_contracts::{
    EdgeNo, ErrorReason, FailureKind, NodeStateRecord, NodeStateStatus, Outcome, RoutingEventRecord,
    TokenOutcomeRecord, TokenParentRecord, TokenRecord, TransformErrorRecord, ValidationErrorRecord,
};
use serde_json::json;

use self::sample::*;
use super::Bodies;
use super::facts::TokenFacts;

#[test]
fn the_json_has_exactly_the_published_shape() {
    let lineage = explained(subject(vec![approved()]), &both_bodies());
    let (read, mapped) = (hash_of(&read_row()).to_string(), hash_of(&mapped_row()).to_string());
    let (run_id, token) = (run().run_id, run().run_id.token_id(token(0)));
    let state_id = |at| {
        let key = elspeth_contracts::StateKey { token: self::token(0), step: step(at), attempt: 0 };
        run_id.state_id(key).to_string()
    };
    let read_data = json!({"id": 7, "name": " Ann", "amount": 2500.0});
    let mapped_data = json!({"id": 7, "name": "Ann", "score": 85});
    let expected = json!({
        "run_id": RUN,
        "row": {"row_id": run_id.row_id(row_41()).to_string(), "row_index": 41, "source_data_hash": read, "data": read_data},
        "tokens": [{
            "token_id": token.to_string(),
            "branch": null,
            "parents": [],
            "outcome": {"outcome": "routed", "sink": "approved", "error": null},
            "states": [
                {"state_id": state_id(SOURCE), "node": "source", "node_type": "source", "plugin": "csv", "step": 0,
                 "attempt": 0, "status": "completed", "input_hash": null, "output_hash": read, "input": null,
                 "output": read_data, "duration_ms": 0.0, "waited_ms": 0.0, "error": null, "reason": null, "routing": [], "calls": []},
                {"state_id": state_id(MAPPER), "node": "mapper", "node_type": "transform", "plugin": "field_mapper",
                 "step": 1, "attempt": 0, "status": "completed", "input_hash": read, "output_hash": mapped,
                 "input": read_data, "output": mapped_data, "duration_ms": 1.25, "waited_ms": 1250.0, "error": null,
                 "reason": {"renamed": 1}, "routing": [], "calls": []},
                {"state_id": state_id(QUALITY), "node": "quality", "node_type": "gate", "plugin": "gate", "step": 2,
                 "attempt": 0, "status": "completed", "input_hash": mapped, "output_hash": mapped,
                 "input": mapped_data, "output": mapped_data, "duration_ms": 0.0, "waited_ms": 0.0, "error": null, "reason": null,
                 "routing": [{"label": "true", "mode": "move", "to": "approved",
                              "reason": {"condition": "row['score'] >= 80", "result": "true"}}],
                 "calls": []},
                {"state_id": state_id(APPROVED), "node": "approved", "node_type": "sink", "plugin": "csv", "step": 3,
                 "attempt": 0, "status": "completed", "input_hash": mapped, "output_hash": mapped,
                 "input": mapped_data, "output": mapped_data, "duration_ms": 0.0, "waited_ms": 0.0, "error": null, "reason": null,
                 "routing": [], "calls": []},
            ],
        }],
    });
    let text = serde_json::to_string(&lineage).unwrap();
    assert_eq!(text, expected.to_string(), "in this order, and with 2500.0 as it was");
}

#[test]
fn the_text_tells_what_changed_and_why_it_went_where_it_went() {
    let text = explained(subject(vec![approved()]), &both_bodies()).to_text();
    let (read, mapped) = (hash_of(&read_row()).to_string(), hash_of(&mapped_row()).to_string());
    let expected = format!(
        "\
Run {RUN}
Row 41 · {row_id} · source data {read}
    id: 7
    name: \" Ann\"
    amount: 2500.0

Token {token_id}
├─ source source (csv) · completed · → {read}
├─ transform mapper (field_mapper) · completed · {read} → {mapped} · 1.25 ms · waited 1.250 s for the rate limit
│    ~ name: \" Ann\" → \"Ann\"
│    + score: 85
│    - amount: 2500.0
│    {{\"renamed\":1}}
├─ gate quality · completed · {mapped} unchanged
│    row['score'] >= 80 → true → approved
├─ sink approved (csv) · completed · {mapped} unchanged
└─ routed · sink approved
",
        row_id = run().run_id.row_id(row_41()),
        token_id = run().run_id.token_id(token(0)),
        read = &read[..12],
        mapped = &mapped[..12],
    );
    assert_eq!(text, expected);
}

#[test]
fn purged_bodies_leave_hashes_and_lineage() {
    let gone = Bodies::of(RUN.parse().unwrap(), VERSION, std::collections::BTreeMap::new());
    let lineage = serde_json::to_value(explained(subject(vec![approved()]), &gone)).unwrap();
    let purged = json!({"purged": true});
    assert_eq!(lineage["row"]["data"], purged);
    let mapper = &lineage["tokens"][0]["states"][1];
    assert_eq!((&mapper["input"], &mapper["output"]), (&purged, &purged));
    assert_eq!(mapper["output_hash"], hash_of(&mapped_row()).to_string());

    let partly = explained(subject(vec![approved()]), &bodies(&[(0, MAPPER, mapped_row())]));
    let partly = serde_json::to_value(&partly).unwrap();
    assert_eq!(partly["row"]["data"], purged);
    assert_eq!(partly["tokens"][0]["states"][1]["output"]["score"], 85);
    let text = explained(subject(vec![approved()]), &gone).to_text();
    assert!(
        text.contains("    (purged)\n") && text.contains("row['score'] >= 80 → true → approved"),
        "{text}"
    );
}

#[test]
fn a_body_with_another_hash_is_corrupt_and_named() {
    let edited = bodies(&[(0, SOURCE, read_row()), (0, MAPPER, read_row())]);
    let message = corruption(subject(vec![approved()]), &edited);
    let id = run().run_id.token_id(token(0)).to_string();
    assert!(message.contains(&id) && message.contains("after step 1"), "{message}");
    assert!(message.contains(&hash_of(&mapped_row()).to_string()), "{message}");
}

#[test]
fn a_refused_record_shows_why_and_where_it_went() {
    let mut facts = subject(vec![TokenFacts {
        states: vec![
            state(0, SOURCE, NodeStateStatus::Failed),
            state(0, REJECTED, NodeStateStatus::Completed),
        ],
        routing: vec![routing(0, SOURCE, 1)],
        outcome: Some(TokenOutcomeRecord {
            error_at: Some((step(SOURCE), 0)),
            ..TokenOutcomeRecord::at_sink(token(0), Outcome::Quarantined, step(REJECTED))
        }),
        ..plain_token(0)
    }]);
    facts.validation_error = Some(ValidationErrorRecord {
        row_index: row_41(),
        reason: ErrorReason::new(FailureKind::SchemaViolation, "field `score` is missing")
            .on_field("score")
            .at_line(43),
        destination: Some(step(REJECTED)),
    });
    let lineage = explained(facts, &both_bodies());
    let text = lineage.to_text();
    assert!(text.contains("├─ source source (csv) · failed · no data\n"), "{text}");
    assert!(
        text.contains("│    schema_violation: field `score` is missing (line 43 of the source)\n"),
        "{text}"
    );
    assert!(text.contains("│    diverted → rejected\n"), "{text}");
    assert!(text.ends_with("└─ quarantined · sink rejected · because of source\n"), "{text}");

    let json = serde_json::to_value(&lineage).unwrap();
    let error = json!({"node": "source", "kind": "schema_violation", "message": "field `score` is missing",
        "field": "score", "line": 43, "destination": "rejected"});
    assert_eq!(json["tokens"][0]["outcome"]["error"], error);
    let states = &json["tokens"][0]["states"];
    assert_eq!((&states[0]["error"], &states[0]["output"]), (&error, &json!(null)));
    assert_eq!(states[1]["input"]["amount"], 2500.0, "the sink gets what was read");
    assert_eq!(states[0]["routing"][0]["reason"], json!(null));
}

#[test]
fn every_attempt_is_shown_and_the_error_edge_gets_what_came_in() {
    let attempt =
        |number: u8| NodeStateRecord { attempt: number, ..state(0, MAPPER, NodeStateStatus::Failed) };
    let failure = |number: u8, message: &str, destination| TransformErrorRecord {
        token: token(0),
        step: step(MAPPER),
        attempt: number,
        reason: ErrorReason::new(FailureKind::TransformError, message),
        destination,
    };
    let facts = subject(vec![TokenFacts {
        states: vec![
            state(0, SOURCE, NodeStateStatus::Completed),
            attempt(0),
            attempt(1),
            state(0, REJECTED, NodeStateStatus::Completed),
        ],
        errors: vec![failure(0, "busy", None), failure(1, "still busy", Some(step(REJECTED)))],
        routing: vec![RoutingEventRecord { attempt: 1, ..routing(0, MAPPER, 3) }],
        outcome: Some(TokenOutcomeRecord {
            error_at: Some((step(MAPPER), 1)),
            ..TokenOutcomeRecord::at_sink(token(0), Outcome::Routed, step(REJECTED))
        }),
        ..plain_token(0)
    }]);
    let lineage = explained(facts, &both_bodies());
    let json = serde_json::to_value(&lineage).unwrap();
    let states = &json["tokens"][0]["states"];
    assert_eq!(states[1]["error"]["message"], "busy");
    assert_eq!(states[1]["routing"], json!([]));
    assert_eq!(states[2]["error"]["destination"], "rejected");
    assert_eq!(states[2]["routing"][0]["to"], "rejected");
    assert_eq!(states[2]["input_hash"], states[3]["input_hash"]);
    assert_eq!(states[2]["output_hash"], json!(null));
    assert!(
        lineage.to_text().contains("mapper (field_mapper) · attempt 2 · failed"),
        "{}",
        lineage.to_text()
    );
}

/// The root is forked at the gate; the left child is mapped again, the right one goes as it is.
fn forked() -> Vec<TokenFacts> {
    let done = NodeStateStatus::Completed;
    let child = |ordinal: u32, branch: &str| TokenFacts {
        token: TokenRecord { token: token(ordinal), branch: Some(branch.into()), group: Some(token(1)) },
        parents: vec![TokenParentRecord { token: token(ordinal), parent: token(0), ordinal: 0 }],
        ..plain_token(ordinal)
    };
    let root = TokenFacts {
        states: vec![state(0, SOURCE, done), state(0, QUALITY, done)],
        outcome: Some(TokenOutcomeRecord {
            group: Some(token(1)),
            sink: None,
            ..TokenOutcomeRecord::at_sink(token(0), Outcome::Forked, step(APPROVED))
        }),
        ..plain_token(0)
    };
    let left = TokenFacts {
        states: vec![
            NodeStateRecord { output_hash: Some(hash_of(&mapped_row())), ..state(1, MAPPER, done) },
            state(1, APPROVED, done),
        ],
        outcome: Some(TokenOutcomeRecord::at_sink(token(1), Outcome::Completed, step(APPROVED))),
        ..child(1, "left")
    };
    let right = TokenFacts { states: vec![state(2, REJECTED, done)], ..child(2, "right") };
    vec![root, left, right]
}

#[test]
fn children_carry_on_what_their_parent_had_and_stand_below_it() {
    let bodies = bodies(&[(0, SOURCE, read_row()), (1, MAPPER, mapped_row())]);
    let lineage = explained(subject(forked()), &bodies);
    let json = serde_json::to_value(&lineage).unwrap();
    let tokens = json["tokens"].as_array().unwrap();
    assert_eq!(tokens[1]["parents"], json!([tokens[0]["token_id"]]));
    assert_eq!(tokens[1]["states"][0]["input"]["amount"], 2500.0);
    assert_eq!(tokens[1]["states"][1]["input"]["score"], 85);
    assert_eq!(
        tokens[2]["states"][0]["input"]["amount"], 2500.0,
        "one child does not change the other's row"
    );
    assert_eq!(
        tokens[0]["outcome"],
        json!({"outcome": "forked", "sink": null, "error": null, "group": token(1).get()})
    );

    let text = lineage.to_text();
    let line = |start: &str| {
        text.lines().position(|l| l.starts_with(start)).unwrap_or_else(|| panic!("{start}\n{text}"))
    };
    let tokens: Vec<String> = (0..3).map(|n| run().run_id.token_id(token(n)).to_string()).collect();
    let (root, left) =
        (line(&format!("Token {}", tokens[0])), line(&format!("├─ Token {} · branch left", tokens[1])));
    let right = line(&format!("└─ Token {} · branch right", tokens[2]));
    assert!(root < left && left < right, "{text}");
    assert!(text.contains("\n├─ forked\n"), "{text}");
    assert!(text.ends_with("\n   └─ under way\n"), "{text}");
}

#[test]
fn an_answer_about_one_branch_leaves_the_others_out() {
    let bodies = bodies(&[(0, SOURCE, read_row()), (1, MAPPER, mapped_row())]);
    let mut facts = subject(forked());
    facts.tokens.remove(&token(2));
    assert_eq!(explained(facts, &bodies).tokens.len(), 2);
}

#[test]
fn a_record_that_points_to_nothing_is_corrupt_and_named() {
    type Damage = fn(&mut TokenFacts);
    let cases: Vec<(Damage, &str)> = vec![
        (|t| t.states[3].step = step(9), "nodes step 9"),
        (|t| t.routing[0].edge = EdgeNo(9), "edges 9"),
        (|t| t.outcome.as_mut().unwrap().sink = Some(step(8)), "nodes step 8"),
        (|t| t.outcome.as_mut().unwrap().error_at = Some((step(MAPPER), 0)), "its error is missing"),
        (|t| t.contexts[0].context = "{".to_owned(), "state_contexts"),
        (|t| t.routing[0].reason = Some("no".to_owned()), "routing_events"),
    ];
    for (damage, expected) in cases {
        let mut token = approved();
        damage(&mut token);
        let message = corruption(subject(vec![token]), &both_bodies());
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_row_under_way_is_shown_as_far_as_it_got() {
    let mut token = approved();
    token.outcome = None;
    token.states.truncate(3);
    let text = explained(subject(vec![token]), &both_bodies()).to_text();
    assert!(text.ends_with("│    row['score'] >= 80 → true → approved\n└─ under way\n"), "{text}");
}
