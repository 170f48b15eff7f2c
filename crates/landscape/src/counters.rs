//! Counters in the form in which they are kept with a sealed run.

use std::collections::BTreeMap;

use elspeth_contracts::Outcome;
use serde::{Deserialize, Serialize};

use crate::Counters;

#[derive(Debug, Serialize, Deserialize)]
struct Summary {
    processed: u64,
    succeeded: u64,
    failed: u64,
    routed: u64,
    quarantined: u64,
    forked: u64,
    coalesced: u64,
    coalesce_failed: u64,
    expanded: u64,
    buffered: u64,
    diverted: u64,
    destinations: BTreeMap<String, u64>,
}

impl Counters {
    /// Adds tokens that ended so.
    pub fn add(&mut self, outcome: Outcome, tokens: u64) {
        match outcome {
            Outcome::Completed => self.succeeded += tokens,
            Outcome::Routed => self.routed += tokens,
            Outcome::Forked => self.forked += tokens,
            Outcome::Expanded => self.expanded += tokens,
            Outcome::Coalesced => self.coalesced += tokens,
            Outcome::Quarantined => self.quarantined += tokens,
            Outcome::Diverted => self.diverted += tokens,
            Outcome::Failed => self.failed += tokens,
            // Neither has a counter of its own: the first ended well in its batch, the second has not ended.
            Outcome::ConsumedInBatch | Outcome::Buffered => {}
        }
    }

    /// The JSON that is kept with a sealed run.
    #[must_use]
    pub fn kept(&self) -> String {
        let destinations = self.destinations.clone();
        let summary = Summary {
            processed: self.processed,
            succeeded: self.succeeded,
            failed: self.failed,
            routed: self.routed,
            quarantined: self.quarantined,
            forked: self.forked,
            coalesced: self.coalesced,
            coalesce_failed: self.coalesce_failed,
            expanded: self.expanded,
            buffered: self.buffered,
            diverted: self.diverted,
            destinations,
        };
        serde_json::to_string(&summary).expect("numbers and names always become JSON")
    }

    /// The counters of such JSON.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of_kept(summary: &str) -> Result<Self, serde_json::Error> {
        let of: Summary = serde_json::from_str(summary)?;
        Ok(Self {
            processed: of.processed,
            succeeded: of.succeeded,
            failed: of.failed,
            routed: of.routed,
            quarantined: of.quarantined,
            forked: of.forked,
            coalesced: of.coalesced,
            coalesce_failed: of.coalesce_failed,
            expanded: of.expanded,
            buffered: of.buffered,
            diverted: of.diverted,
            destinations: of.destinations,
        })
    }
}
