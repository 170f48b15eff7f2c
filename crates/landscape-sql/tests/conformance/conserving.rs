//! Conservation: each rule is broken once, and nothing else is found.

use elspeth_contracts::{NodeStateRecord, NodeStateStatus, Outcome};
use elspeth_landscape::{ActedEpoch, DecidedEpoch};

use super::sample::*;
use super::{Store, recorded};

/// The rules that a run with these epochs breaks, with the ids of what breaks them.
async fn broken(store: &dyn Store, epochs: Vec<(DecidedEpoch, ActedEpoch)>) -> Vec<(String, Vec<String>)> {
    let (mut writer, _) = recorded(store, 'A', epochs).await;
    let breaches = writer.conservation().await.unwrap();
    assert!(breaches.iter().all(|breach| breach.count >= breach.ids.len() as u64));
    breaches.into_iter().map(|breach| (breach.rule.to_owned(), breach.ids)).collect()
}

fn tokens(of: &[u64]) -> Vec<String> {
    of.iter().map(|index| run_id('A').token_id(token(*index)).to_string()).collect()
}

fn rows(of: &[u64]) -> Vec<String> {
    of.iter().map(|index| run_id('A').row_id(row(*index)).to_string()).collect()
}

pub(crate) async fn a_sound_run_breaks_nothing(store: &dyn Store) {
    assert_eq!(broken(store, vec![eventful_epoch(), plain_epoch(1, 4..300)]).await, []);
}

pub(crate) async fn a_run_without_rows_breaks_nothing(store: &dyn Store) {
    assert_eq!(broken(store, Vec::new()).await, []);
}

pub(crate) async fn a_token_without_outcome_is_found(store: &dyn Store) {
    let (decided, mut acted) = plain_epoch(0, 0..3);
    acted.outcomes.remove(1);
    acted.sink_states.remove(1);
    let expected = [("every token has a terminal outcome".to_owned(), tokens(&[1]))];
    assert_eq!(broken(store, vec![(decided, acted)]).await, expected);
}

pub(crate) async fn a_token_that_is_only_buffered_is_found(store: &dyn Store) {
    let (decided, mut acted) = plain_epoch(0, 0..3);
    acted.outcomes[2].outcome = Outcome::Buffered;
    acted.outcomes[2].sink = None;
    acted.sink_states.remove(2);
    let expected = [("every token has a terminal outcome".to_owned(), tokens(&[2]))];
    assert_eq!(broken(store, vec![(decided, acted)]).await, expected);
}

pub(crate) async fn an_outcome_without_token_is_found(store: &dyn Store) {
    let (mut decided, mut acted) = plain_epoch(0, 0..3);
    decided.tokens.push(elspeth_contracts::TokenRecord::plain(child(2, 1)));
    let mut made_up = acted.outcomes[2].clone();
    made_up.token = child(2, 2);
    made_up.outcome = Outcome::Failed;
    made_up.sink = None;
    let mut honest = made_up.clone();
    honest.token = child(2, 1);
    acted.outcomes.extend([honest, made_up]);
    let id = run_id('A').token_id(child(2, 2)).to_string();
    let expected = [("every outcome is that of a token".to_owned(), vec![id])];
    assert_eq!(broken(store, vec![(decided, acted)]).await, expected);
}

pub(crate) async fn a_row_without_token_is_found(store: &dyn Store) {
    let (mut decided, mut acted) = plain_epoch(0, 0..4);
    decided.tokens.remove(3);
    acted.outcomes.remove(3);
    acted.sink_states.remove(3);
    let expected = [("every row has a token".to_owned(), rows(&[3]))];
    assert_eq!(broken(store, vec![(decided, acted)]).await, expected);
}

pub(crate) async fn a_completed_token_without_sink_is_found(store: &dyn Store) {
    let (decided, mut acted) = plain_epoch(0, 0..2);
    acted.outcomes[0].sink = None;
    acted.sink_states.remove(0);
    let expected = [("a completed or routed token names its sink".to_owned(), tokens(&[0]))];
    assert_eq!(broken(store, vec![(decided, acted)]).await, expected);
}

pub(crate) async fn an_outcome_at_a_sink_without_completed_state_there_is_found(store: &dyn Store) {
    let (decided, mut acted) = plain_epoch(0, 0..3);
    acted.sink_states[0].status = NodeStateStatus::Failed;
    acted.sink_states.remove(2);
    let expected =
        [("a token whose outcome names a sink has a completed state there".to_owned(), tokens(&[0, 2]))];
    assert_eq!(broken(store, vec![(decided, acted)]).await, expected);
}

pub(crate) async fn a_token_that_completed_twice_stands_in_for_no_other(store: &dyn Store) {
    let (decided, mut acted) = plain_epoch(0, 0..3);
    acted.sink_states.remove(2);
    let again = NodeStateRecord { attempt: 1, ..acted.sink_states[0].clone() };
    acted.sink_states.insert(1, again);
    let expected =
        [("a token whose outcome names a sink has a completed state there".to_owned(), tokens(&[2]))];
    assert_eq!(broken(store, vec![(decided, acted)]).await, expected);
}

pub(crate) async fn a_completed_state_at_another_sink_than_the_outcome_says_is_found(store: &dyn Store) {
    let (decided, mut acted) = plain_epoch(0, 0..3);
    acted.sink_states[1].step = step(REFUSED);
    let found = broken(store, vec![(decided, acted)]).await;
    assert_eq!(
        found[0],
        ("a token whose outcome names a sink has a completed state there".to_owned(), tokens(&[1]))
    );
}

pub(crate) async fn a_completed_state_at_a_sink_without_outcome_there_is_found(store: &dyn Store) {
    let (decided, mut acted) = plain_epoch(0, 0..3);
    acted.outcomes[1].outcome = Outcome::Failed;
    acted.outcomes[1].sink = None;
    let expected = [(
        "a token with a completed state at a sink has an outcome that names the sink".to_owned(),
        tokens(&[1]),
    )];
    assert_eq!(broken(store, vec![(decided, acted)]).await, expected);
}

pub(crate) async fn a_failed_token_that_names_a_sink_it_reached_is_found(store: &dyn Store) {
    let (decided, mut acted) = plain_epoch(0, 0..3);
    acted.outcomes[1].outcome = Outcome::Failed;
    let expected = [(
        "a token with a completed state at a sink has an outcome that names the sink".to_owned(),
        tokens(&[1]),
    )];
    assert_eq!(broken(store, vec![(decided, acted)]).await, expected);
}

pub(crate) async fn a_forked_token_without_children_in_its_group_is_found(store: &dyn Store) {
    let (mut decided, acted) = eventful_epoch();
    for child in &mut decided.tokens {
        child.group = child.group.map(|_| token(5));
    }
    let children = [1, 2].map(|ordinal| run_id('A').token_id(child(0, ordinal)).to_string());
    let expected = [
        ("a forked, expanded or coalesced token has children in its group".to_owned(), tokens(&[0])),
        ("a child of a fork or expansion names its parent as its group".to_owned(), children.to_vec()),
    ];
    assert_eq!(broken(store, vec![(decided, acted)]).await, expected);
}

pub(crate) async fn no_more_than_ten_ids_are_named(store: &dyn Store) {
    let (decided, mut acted) = plain_epoch(0, 0..40);
    acted.outcomes.truncate(5);
    acted.sink_states.truncate(5);
    let (mut writer, _) = recorded(store, 'A', vec![(decided, acted)]).await;
    let breach = writer.conservation().await.unwrap().remove(0);
    assert_eq!((breach.count, breach.ids), (35, tokens(&[5, 6, 7, 8, 9, 10, 11, 12, 13, 14])));
}
