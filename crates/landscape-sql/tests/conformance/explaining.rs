//! Questions about trees, asked of a store.

use elspeth_canonical::HashVersion;
use elspeth_contracts::{
    ErrorReason, FailureKind, NodeStateRecord, NodeStateStatus, Outcome, TokenKey, TransformErrorRecord,
};
use elspeth_landscape::lineage::{Lineage, Question, Subject, explain};
use elspeth_landscape::{LandscapeError, RunRef, failures};
use elspeth_payload::{BlockBuilder, BodyFragment, BodyKey};
use elspeth_value::{Row, Shape, Value};

use super::batched::*;
use super::sample::*;
use super::{Store, recorded};

fn id(token: TokenKey) -> String {
    run_id('A').token_id(token).to_string()
}

async fn ask(
    store: &dyn Store,
    subject: Subject,
    sink: Option<&str>,
    members_from: u32,
) -> Result<serde_json::Value, LandscapeError> {
    let sink = sink.map(str::to_owned);
    let question = Question { run: RunRef::Latest, subject, sink, members_from };
    let lineage: Lineage = explain(store.reader().await.as_ref(), None, &question).await?;
    Ok(serde_json::to_value(&lineage).unwrap())
}

async fn of_row(store: &dyn Store, index: u64, sink: Option<&str>) -> serde_json::Value {
    ask(store, Subject::Row(row(index)), sink, 0).await.unwrap()
}

async fn of_token(store: &dyn Store, token: TokenKey, members_from: u32) -> serde_json::Value {
    ask(store, Subject::Token(run_id('A').token_id(token)), None, members_from).await.unwrap()
}

fn tokens_of(lineage: &serde_json::Value) -> Vec<&str> {
    lineage["tokens"].as_array().unwrap().iter().map(|token| token["token_id"].as_str().unwrap()).collect()
}

pub(crate) async fn a_row_leads_to_what_its_batch_let_go_on(store: &dyn Store) {
    drop(recorded(store, 'A', vec![first_epoch(), second_epoch()]).await);
    let lineage = of_row(store, 4, None).await;
    assert_eq!(tokens_of(&lineage), [token(4), released(1, 0), released(1, 1)].map(id));
    let batch = &lineage["tokens"][0]["batches"][0];
    assert_eq!(
        (&batch["batch"], &batch["node"], &batch["position"]),
        (&1.into(), &"totals".into(), &1.into())
    );
    assert_eq!(batch["trigger"], "end_of_source");
    let lineage = of_row(store, 2, None).await;
    assert_eq!(tokens_of(&lineage), [id(token(2))]);
    assert_eq!(lineage["tokens"][0]["outcome"]["sink"], "approved");
}

pub(crate) async fn a_consumed_row_names_its_batch_and_its_outputs(store: &dyn Store) {
    drop(recorded(store, 'A', vec![first_epoch()]).await);
    let lineage = of_row(store, 1, None).await;
    assert_eq!(tokens_of(&lineage), [id(token(1))], "what the batch made came from other rows as well");
    let batch = &lineage["tokens"][0]["batches"][0];
    assert_eq!((&batch["attempts"], &batch["members"], &batch["outputs"]), (&2.into(), &2.into(), &2.into()));
    assert_eq!(batch["output_tokens"], serde_json::json!([released(0, 0), released(0, 1)].map(id)));
    let waiting = of_row(store, 2, None).await;
    assert_eq!(waiting["tokens"][0]["outcome"]["outcome"], "buffered");
}

pub(crate) async fn with_a_sink_a_row_leads_through_its_batch(store: &dyn Store) {
    drop(recorded(store, 'A', vec![first_epoch(), second_epoch()]).await);
    let refused = of_row(store, 0, Some("refused")).await;
    assert_eq!(tokens_of(&refused), [token(0), released(0, 1), released(0, 3)].map(id));
    let approved = of_row(store, 0, Some("approved")).await;
    let expected = [token(0), released(0, 0), released(0, 1), released(0, 2)].map(id);
    assert_eq!(tokens_of(&approved), expected);
    let nowhere = ask(store, Subject::Row(row(3)), Some("refused"), 0).await.unwrap_err();
    assert!(matches!(&nowhere, LandscapeError::NotFound(text) if text.contains("refused")), "{nowhere}");
}

pub(crate) async fn what_a_batch_made_leads_back_to_its_members(store: &dyn Store) {
    drop(recorded(store, 'A', vec![first_epoch()]).await);
    let lineage = of_token(store, released(0, 3), 0).await;
    assert_eq!(tokens_of(&lineage), [released(0, 1), released(0, 3)].map(id));
    assert_eq!(lineage["row"], serde_json::Value::Null);
    let made_by = &lineage["tokens"][0]["made_by"];
    assert_eq!((&made_by["batch"], &made_by["position"]), (&0.into(), &1.into()));
    let rows: Vec<_> =
        made_by["members"]["tokens"].as_array().unwrap().iter().map(|m| &m["row_index"]).collect();
    assert_eq!(rows, [0, 1]);
    assert_eq!(lineage["tokens"][1]["parents"], serde_json::json!([id(released(0, 1))]));
    assert!(lineage["tokens"][1].get("made_by").is_none());
}

pub(crate) async fn members_are_listed_from_where_they_are_asked_for(store: &dyn Store) {
    drop(recorded(store, 'A', vec![first_epoch()]).await);
    let lineage = of_token(store, released(0, 0), 1).await;
    let members = &lineage["tokens"][0]["made_by"]["members"];
    let expected = serde_json::json!({"count": 2, "next": null,
        "tokens": [{"position": 1, "token_id": id(token(1)), "row_index": 1}]});
    assert_eq!(members, &expected);
}

/// The first output of batch 0 fails at the gate, with its body in the epoch of the flush.
pub(crate) async fn what_failed_after_a_batch_shows_what_came_in(store: &dyn Store) {
    let (mut decided, mut acted) = first_epoch();
    let failing = released(0, 0);
    let total = Row::new(Shape::new(["total".into()]), vec![Value::Int(7)]);
    let hash = total.content_hash(HashVersion::Sha256V1, &mut Vec::new()).unwrap();
    let mut fragment = BodyFragment::default();
    fragment.push_row(BodyKey { token: failing, step: step(TOTALS) }, &total);
    let mut block = BlockBuilder::default();
    block.add(fragment);
    decided.bodies = block.finish();
    let status = NodeStateStatus::Failed;
    decided.states.push(NodeStateRecord { status, input_hash: Some(hash), ..state(failing, GATE) });
    decided.states.sort_by_key(|state| (state.token, state.step));
    decided.transform_errors.push(TransformErrorRecord {
        token: failing,
        step: step(GATE),
        attempt: 0,
        reason: ErrorReason::new(FailureKind::GateError, "no such field"),
        destination: None,
    });
    acted.sink_states.retain(|state| state.token != failing);
    for outcome in acted.outcomes.iter_mut().filter(|outcome| outcome.token == failing) {
        (outcome.outcome, outcome.sink) = (Outcome::Quarantined, None);
        outcome.error_at = Some((step(GATE), 0));
    }
    drop(recorded(store, 'A', vec![(decided, acted)]).await);
    let reader = store.reader().await;
    let run = reader.run(&RunRef::Latest).await.unwrap();
    let report = failures(reader.as_ref(), None, &run, 10).await.unwrap();
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(
        (&json[0]["row_index"], &json[0]["token_id"]),
        (&serde_json::Value::Null, &id(failing).into())
    );
    assert_eq!(json[0]["data"], serde_json::json!({"total": 7}));
}
