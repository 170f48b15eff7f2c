use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use elspeth_canonical::HashVersion;
use elspeth_contracts::{Clock, ErrorReason, FailureKind, RunId, Step, TokenKey, TriggerType};
use elspeth_expr::{Expr, Scope};
use elspeth_graph::{OutputMode, Trigger};
use elspeth_plugin::{BatchContext, BatchOutput, BatchTransform};
use elspeth_value::{Contract, Row, SchemaMode, Value};

use crate::transform::violation_reason;
use crate::{FailedAttempt, Policies, RawHash, RowList, caught, exhausted};

/// Says when a batch is due and runs the plugin on it. Holds no member.
pub struct AggregationExecutor {
    name: String,
    plugin_name: String,
    plugin: Arc<dyn BatchTransform>,
    input: Option<Contract>,
    mode: OutputMode,
    expected: Option<u64>,
    trigger: Trigger,
}

/// The settings of an aggregation node.
pub struct AggregationSpec<'a> {
    /// The node's name.
    pub name: &'a str,
    /// The plugin's name.
    pub plugin: &'a str,
    /// When it flushes.
    pub trigger: Trigger,
    /// What goes on.
    pub mode: OutputMode,
    /// How many rows each batch must give.
    pub expected: Option<u64>,
}

/// A batch that is to be worked on.
#[derive(Clone, Copy)]
pub struct BatchVisit<'a> {
    /// The run.
    pub run_id: RunId,
    /// Its digest.
    pub hash_version: HashVersion,
    /// The batch.
    pub batch_no: u64,
    /// How many members it has.
    pub members: u64,
    /// Where durations come from.
    pub clock: &'a dyn Clock,
}

/// What came of a batch, with the attempts that led to it.
#[derive(Debug)]
pub struct Flushed {
    /// What came of it in the end.
    pub result: Result<BatchRows, ErrorReason>,
    /// Attempts that failed and were followed by another.
    pub failed: Vec<FailedAttempt>,
    /// When the last attempt began, by the monotonic clock.
    pub started_us: u64,
    /// When it ended.
    pub ended_us: u64,
    /// How long a rate limit kept it waiting before its attempts.
    pub waited: Duration,
}

/// What a plugin made of a batch.
#[derive(Debug, Default)]
pub struct BatchRows {
    /// Outputs with their hashes, in order.
    pub outputs: RowList<RawHash>,
    /// Members that are taken out of the batch, by position.
    pub quarantined: BTreeMap<u64, ErrorReason>,
}

impl AggregationExecutor {
    /// An executor for a node with that plugin.
    #[must_use]
    pub fn new(spec: AggregationSpec<'_>, plugin: Arc<dyn BatchTransform>) -> Self {
        let contract = plugin.input_contract();
        let says_something = contract.mode != SchemaMode::Observed
            || !contract.fields.is_empty()
            || !contract.required_fields.is_empty();
        Self {
            name: spec.name.to_owned(),
            plugin_name: spec.plugin.to_owned(),
            plugin,
            input: says_something.then_some(contract),
            mode: spec.mode,
            expected: spec.expected,
            trigger: spec.trigger,
        }
    }

    /// What goes on from it.
    #[must_use]
    pub const fn mode(&self) -> OutputMode {
        self.mode
    }

    /// Whether a row can be a member.
    ///
    /// # Errors
    /// What it lacks.
    pub fn admit(&self, row: &Row) -> Result<(), ErrorReason> {
        match &self.input {
            None => Ok(()),
            Some(contract) => contract.check(row).map_err(|violation| violation_reason(&violation)),
        }
    }

    /// Whether a batch with so many members, open for so long, is due, and why.
    ///
    /// # Errors
    /// The condition's failure: then the batch is due, and has failed.
    pub fn due(&self, members: u64, age: Duration) -> Result<Option<TriggerType>, ErrorReason> {
        if self.trigger.count.is_some_and(|count| members >= count) {
            return Ok(Some(TriggerType::Count));
        }
        if self.trigger.timeout.is_some_and(|timeout| age >= timeout) {
            return Ok(Some(TriggerType::Timeout));
        }
        match &self.trigger.condition {
            Some(condition) => {
                let met = holds(condition, members, age)?;
                Ok(met.then_some(TriggerType::Condition))
            }
            None => Ok(None),
        }
    }

    /// How long after its first member an open batch that was looked at when it was `looked_at` old must be looked at again
    /// though nothing arrives: a timeout at its time, a condition (which may be about the age) again and again.
    #[must_use]
    pub fn look_again(&self, looked_at: Duration) -> Option<Duration> {
        const LOOK: Duration = Duration::from_millis(100);
        let timeout = self.trigger.timeout;
        let condition = self.trigger.condition.as_ref().map(|_| looked_at + LOOK);
        [timeout, condition].into_iter().flatten().min()
    }

    /// Runs the plugin, with as many attempts as the retry policy allows. `members` gives the rows anew for each.
    ///
    /// # Errors
    /// When its outputs cannot be kept, which is no fault of the batch.
    pub fn flush<'m>(
        &self,
        members: &mut dyn FnMut() -> Box<dyn Iterator<Item = Row> + 'm>,
        visit: BatchVisit<'_>,
        policies: (&Policies, Step),
    ) -> io::Result<Flushed> {
        let mut failed = Vec::new();
        let (policies, step) = policies;
        let mut waits = policies.retry.waits(visit.batch_no ^ 1 << 63);
        let mut waited = Duration::ZERO;
        loop {
            waited += policies.limits.wait(step, policies.pause.as_ref());
            let started_us = visit.clock.monotonic_us();
            let attempt = u8::try_from(failed.len()).unwrap_or(u8::MAX);
            let result = self.attempt(members(), attempt, visit)?;
            let ended_us = visit.clock.monotonic_us();
            match result {
                Err(reason) if reason.retryable => match waits.next() {
                    Some(wait) => {
                        failed.push(FailedAttempt { reason, started_us, ended_us });
                        policies.pause.pause(wait);
                    }
                    None => {
                        let result = Err(exhausted(reason, failed.len() + 1));
                        return Ok(Flushed { result, failed, started_us, ended_us, waited });
                    }
                },
                result => return Ok(Flushed { result, failed, started_us, ended_us, waited }),
            }
        }
    }

    fn attempt(
        &self,
        mut members: Box<dyn Iterator<Item = Row> + '_>,
        attempt: u8,
        visit: BatchVisit<'_>,
    ) -> io::Result<Result<BatchRows, ErrorReason>> {
        let context =
            BatchContext { run_id: visit.run_id, batch_no: visit.batch_no, node: &self.name, attempt };
        // Members that go on have their numbers already.
        let most = match self.mode {
            OutputMode::Transform => Some(u64::from(TokenKey::ORDINAL_LIMIT)),
            OutputMode::Passthrough => None,
        };
        let mut out = Collector { version: visit.hash_version, most, ..Collector::default() };
        let done = caught(&self.plugin_name, || self.plugin.process(&mut members, &context, &mut out));
        match out.unkept.take() {
            Some(error) => Err(error),
            None => Ok(done.and_then(|done| done).and_then(|()| self.check(out, visit.members))),
        }
    }

    /// The plugin's word against what it did.
    fn check(&self, out: Collector, members: u64) -> Result<BatchRows, ErrorReason> {
        if let Some(reason) = out.refused {
            return Err(reason);
        }
        let lied = |message: String| {
            Err(ErrorReason::new(
                FailureKind::PluginContract,
                format!("plugin `{}` {message}", self.plugin_name),
            ))
        };
        let rows = out.rows;
        if let Some(member) = out.named_twice {
            return lied(format!("quarantined member {member} twice"));
        }
        if let Some(member) = rows.quarantined.keys().find(|member| **member >= members) {
            return lied(format!("quarantined member {member} of a batch of {members}"));
        }
        let (outputs, kept) = (rows.outputs.len(), members - rows.quarantined.len() as u64);
        match self.mode {
            OutputMode::Passthrough if outputs != kept => {
                return lied(format!("gave {outputs} rows for {kept} members, but members go on one by one"));
            }
            OutputMode::Passthrough | OutputMode::Transform => {}
        }
        match self.expected {
            Some(expected) if outputs != expected => {
                let message = format!("{outputs} rows came of the batch where {expected} were expected");
                Err(ErrorReason::new(FailureKind::BatchFailed, message))
            }
            Some(_) | None => Ok(rows),
        }
    }
}

fn holds(condition: &Expr, members: u64, age: Duration) -> Result<bool, ErrorReason> {
    let count = i64::try_from(members).unwrap_or(i64::MAX);
    let row = Row::from_pairs([
        ("batch_count".into(), Value::Int(count)),
        ("batch_age_seconds".into(), Value::Float(age.as_secs_f64())),
    ]);
    match condition.eval(Scope::Row(&row)) {
        Ok(value) => Ok(Expr::truth(&value)),
        Err(error) => {
            let message = format!("trigger `{}`: {error}", condition.text());
            Err(ErrorReason::new(FailureKind::BatchFailed, message))
        }
    }
}

/// Takes what a plugin gives.
#[derive(Default)]
struct Collector {
    version: HashVersion,
    /// How many outputs there can be, if that is limited.
    most: Option<u64>,
    canonical: Vec<u8>,
    rows: BatchRows,
    named_twice: Option<u64>,
    refused: Option<ErrorReason>,
    /// Why an output could not be kept.
    unkept: Option<io::Error>,
}

impl BatchOutput for Collector {
    fn emit(&mut self, row: Row) {
        if self.unkept.is_some() {
            // Nothing can come of the batch any more.
            return;
        }
        if let Some(most) = self.most.filter(|most| self.rows.outputs.len() >= *most) {
            let message = format!("a batch can become at most {most} rows");
            self.refused.get_or_insert(ErrorReason::new(FailureKind::LimitExceeded, message));
            return;
        }
        match row.content_hash(self.version, &mut self.canonical) {
            Ok(hash) => {
                if let Err(error) = self.rows.outputs.push(RawHash(hash), row) {
                    self.unkept = Some(error);
                }
            }
            Err(error) => {
                let message = format!("output cannot be hashed: {error}");
                self.refused.get_or_insert(ErrorReason::new(FailureKind::Unhashable, message));
            }
        }
    }

    fn quarantine(&mut self, member: u64, reason: ErrorReason) {
        if self.rows.quarantined.insert(member, reason).is_some() {
            self.named_twice = Some(member);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emitted(most: Option<u64>) -> Collector {
        let mut out = Collector { most, ..Collector::default() };
        (0..4).for_each(|n| out.emit(Row::from_pairs([("n".into(), Value::Int(n))])));
        out
    }

    #[test]
    fn outputs_beyond_the_limit_are_refused_and_not_kept() {
        let out = emitted(Some(3));
        assert_eq!(out.rows.outputs.len(), 3);
        assert_eq!(out.refused.unwrap().kind, FailureKind::LimitExceeded);
        for most in [Some(4), None] {
            let out = emitted(most);
            assert_eq!((out.rows.outputs.len(), out.refused), (4, None));
        }
    }
}
