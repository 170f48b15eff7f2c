//! What tokens carry where they wait, for many tokens at once: at a sink that has not written them yet, in an open batch, at
//! a merge. Whoever takes a run up needs their rows without deciding again.
//!
//! The rules are those by which [`crate::lineage`] shows what came into each state. Here only the last word of a token is
//! looked for, and the bodies of an epoch are read once for all tokens that have theirs there.

mod trails;

use std::collections::BTreeMap;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{EpochNo, TokenKey};
use elspeth_payload::{Body, BodyKey, FilesystemStore};
use elspeth_value::Row;

use crate::lineage::Bodies;
use crate::{Corruption, LandscapeError, LandscapeReader, RunRecord};
use trails::Trails;

/// What a token carries where it waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried {
    /// Its row; a refused record that was no row is the field `raw` of one.
    pub row: Row,
    /// Its hash.
    pub hash: ContentHash,
    /// Whether the token was made by a fork, an expansion, a merge or a batch and has no state yet, so that its next state
    /// has to tell the hash.
    pub fresh: bool,
}

/// Where the row of a token is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    key: BodyKey,
    /// Its hash, as what gave the row recorded it; `None` of a token that was made with this row.
    hash: Option<ContentHash>,
    /// Its hash, as the token's first state told it, or that of a branch on the way.
    told: Option<ContentHash>,
}

/// What each of `tokens` carries after all states that are recorded, but for those at sinks; in the order of `tokens`.
/// `store` is where the run's large bodies are.
///
/// Takes a few queries for all of them, and as many blocks as there are epochs that have their rows; so ask for some
/// thousand neighbours at a time.
///
/// # Errors
/// [`LandscapeError::Purged`] when a row is not kept any more, [`LandscapeError::Corrupt`] when the record contradicts itself
/// (a token that came from nothing, a row with another hash), or the store's.
pub async fn carried(
    reader: &dyn LandscapeReader,
    run: &RunRecord,
    store: Option<&FilesystemStore>,
    tokens: &[TokenKey],
) -> Result<Vec<Carried>, LandscapeError> {
    let trails = Trails::load(reader, run, tokens).await?;
    let places = trails.places(reader, tokens).await?;
    let mut by_epoch: BTreeMap<EpochNo, Vec<usize>> = BTreeMap::new();
    for (position, (_, epoch)) in places.iter().enumerate() {
        by_epoch.entry(*epoch).or_default().push(position);
    }
    let mut found: Vec<Option<Carried>> = vec![None; tokens.len()];
    for (epoch, positions) in by_epoch {
        let bodies = Bodies::load(reader, run, [epoch].into(), store).await?;
        for position in positions {
            let (place, token) = (places[position].0, tokens[position]);
            let (body, hash) = match bodies.body(epoch, place.key, place.hash.or(place.told))? {
                Some(body) => body,
                None => return Err(purged(run, token)),
            };
            found[position] = Some(Carried { row: row_of(body), hash, fresh: trails.is_fresh(token) });
        }
    }
    Ok(found.into_iter().map(|carried| carried.expect("every place is in some epoch")).collect())
}

fn row_of(body: Body) -> Row {
    match body {
        Body::Row(row) => row,
        Body::Opaque(value) => Row::from_pairs([("raw".into(), value)]),
    }
}

fn purged(run: &RunRecord, token: TokenKey) -> LandscapeError {
    LandscapeError::Purged { run_id: run.run_id, token: run.run_id.token_id(token) }
}

fn corrupt(run: &RunRecord, token: TokenKey, what: &str) -> LandscapeError {
    let id = run.run_id.token_id(token).to_string();
    Corruption { table: "tokens", id, what: what.to_owned() }.into()
}
