//! What a verification found, check by check.

use std::collections::BTreeMap;

use elspeth_contracts::{RowIndex, RunId, StateKey, Step, TokenKey, TokenOrigin};

use super::{BadRecord, CheckResult, CheckStatus};
use crate::Corruption;

/// What is checked, in the order in which it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Check {
    Run,
    Records,
    Content,
    Chain,
    Conservation,
    Bodies,
    Artifacts,
    Continuation,
    Purges,
    Registry,
    Database,
}

impl Check {
    pub(super) const ALL: [Self; 11] = [
        Self::Run,
        Self::Records,
        Self::Content,
        Self::Chain,
        Self::Conservation,
        Self::Bodies,
        Self::Artifacts,
        Self::Continuation,
        Self::Purges,
        Self::Registry,
        Self::Database,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Records => "records",
            Self::Content => "content",
            Self::Chain => "chain",
            Self::Conservation => "conservation",
            Self::Bodies => "bodies",
            Self::Artifacts => "artifacts",
            Self::Continuation => "continuation",
            Self::Purges => "purges",
            Self::Registry => "registry",
            Self::Database => "database",
        }
    }
}

/// A record that is not what it was.
#[derive(Debug, Clone)]
pub(super) struct Bad {
    pub(super) record: BadRecord,
    /// Whether it is this very record, and not one of several.
    exact: bool,
    /// The record at fault, where the chain shows that records of the epoch were changed.
    instead: Option<&'static str>,
}

impl Bad {
    pub(super) fn exact(table: &'static str, id: impl Into<String>) -> Self {
        let record = BadRecord { table: table.to_owned(), id: id.into(), what: String::new() };
        Self { record, exact: true, instead: None }
    }

    /// One of several records.
    pub(super) fn among(table: &'static str, id: impl Into<String>) -> Self {
        Self { exact: false, ..Self::exact(table, id) }
    }

    pub(super) fn what(mut self, what: impl Into<String>) -> Self {
        self.record.what = what.into();
        self
    }

    pub(super) fn instead(self, table: &'static str) -> Self {
        Self { instead: Some(table), ..self }
    }

    /// Blames the record where the chain shows that it was changed.
    pub(super) fn judged(mut self, chain_is_broken: bool) -> Self {
        if let Some(table) = self.instead.take().filter(|_| chain_is_broken) {
            self.record.table = table.to_owned();
        }
        self
    }
}

impl From<Corruption> for Bad {
    fn from(Corruption { table, id, what }: Corruption) -> Self {
        Self::exact(table, id).what(what)
    }
}

/// Everything found so far.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) names: Names,
    bad: BTreeMap<Check, (u64, Bad)>,
    first: Option<Bad>,
    unknown: BTreeMap<Check, Vec<String>>,
    notes: BTreeMap<Check, Vec<String>>,
    skipped: BTreeMap<Check, String>,
}

impl Ledger {
    pub(super) const fn new(run_id: RunId) -> Self {
        Self {
            names: Names::of(run_id),
            bad: BTreeMap::new(),
            first: None,
            unknown: BTreeMap::new(),
            notes: BTreeMap::new(),
            skipped: BTreeMap::new(),
        }
    }

    pub(super) fn bad(&mut self, check: Check, bad: Bad) {
        if self.first.as_ref().is_none_or(|first| bad.exact && !first.exact) {
            self.first = Some(bad.clone());
        }
        self.bad.entry(check).or_insert((0, bad)).0 += 1;
    }

    /// Something about which nothing can be said, which keeps the answer from being a yes.
    pub(super) fn unknown(&mut self, check: Check, what: impl Into<String>) {
        self.unknown.entry(check).or_default().push(what.into());
    }

    pub(super) fn note(&mut self, check: Check, what: impl Into<String>) {
        self.notes.entry(check).or_default().push(what.into());
    }

    pub(super) fn skip(&mut self, check: Check, why: impl Into<String>) {
        self.skipped.insert(check, why.into());
    }

    pub(super) fn is_sound(&self) -> bool {
        self.bad.is_empty()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.unknown.is_empty()
    }

    pub(super) fn first_bad(&self) -> Option<BadRecord> {
        self.first.as_ref().map(|bad| bad.record.clone())
    }

    pub(super) fn results(mut self) -> Vec<CheckResult> {
        Check::ALL.iter().map(|check| self.result(*check)).collect()
    }

    fn result(&mut self, check: Check) -> CheckResult {
        let notes = self.notes.remove(&check).unwrap_or_default().join("; ");
        let (status, detail) = match (self.bad.remove(&check), self.unknown.remove(&check)) {
            (Some((count, Bad { record, .. })), _) => {
                let more = if count > 1 { format!("; {} more", count - 1) } else { String::new() };
                let detail = format!("{} {}: {}{more}", record.table, record.id, record.what);
                (CheckStatus::Tampered, detail)
            }
            (None, Some(unknown)) => (CheckStatus::Incomplete, unknown.join("; ")),
            (None, None) => match self.skipped.remove(&check) {
                Some(why) => (CheckStatus::Skipped, why),
                None => (CheckStatus::Ok, notes),
            },
        };
        CheckResult { name: check.name(), status, detail }
    }
}

/// The public names of records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names(RunId);

impl Names {
    pub(super) const fn of(run: RunId) -> Self {
        Self(run)
    }

    pub(super) fn row(self, row: RowIndex) -> String {
        format!("{} (row {})", self.0.row_id(row), row.get())
    }

    pub(super) fn token(self, token: TokenKey) -> String {
        match token.origin() {
            TokenOrigin::Row(row) => format!("{} (row {})", self.0.token_id(token), row.get()),
            TokenOrigin::Batch(number) => format!("{} (release {number})", self.0.token_id(token)),
        }
    }

    pub(super) fn state(self, token: TokenKey, step: Step, attempt: u8) -> String {
        let state = self.0.state_id(StateKey { token, step, attempt });
        format!("{state} (token {}, step {}, attempt {attempt})", self.token(token), step.get())
    }

    pub(super) fn member(self, batch_no: u64, ordinal: u32) -> String {
        format!("batch {batch_no}, position {ordinal}")
    }
}
