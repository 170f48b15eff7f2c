//! The `batch_stats` batch transform: count, sum and other statistics of one field, one row for each group.
//!
//! Groups come in the order in which their first member came. A member without a number in the field, or without the field
//! that it is grouped by, is taken out of the batch with the reason, and the others are counted. So are all members of a
//! group whose sum the record cannot hold: a wrong figure would be worse than none. Without groups, the batch fails.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;
use elspeth_contracts::{Determinism, ErrorReason, FailureKind};
use elspeth_plugin::{
    BatchContext, BatchOutput, BatchTransform, OptionError, PluginInfo, PluginKind, parse_options,
};
use elspeth_value::{Contract, FieldSpec, FieldType, Row, SchemaMode, Shape, Value};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::number::Number;
use super::statistics::{Group, Statistic};
use crate::schema_option::{SchemaOption, options_schema};

/// Options of the `batch_stats` batch transform.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BatchStatsOptions {
    /// The field with the numbers. The output always has `count` (members with a number), `sum` and `batch_size` (all
    /// members of the group).
    value_field: String,
    /// The field by which members are grouped; null is a group of its own. The output has it too.
    #[serde(default)]
    group_by: Option<String>,
    /// Whether the output has `mean`.
    #[serde(default = "yes")]
    compute_mean: bool,
    /// Whether the output has `min`.
    #[serde(default)]
    min: bool,
    /// Whether the output has `max`.
    #[serde(default)]
    max: bool,
    /// Whether the output has `stddev`, the sample standard deviation; null for a group with one number.
    #[serde(default)]
    stddev: bool,
    /// Whether the output has `median`.
    #[serde(default)]
    median: bool,
    /// Percentiles from 0 to 100, interpolated linearly: 90 becomes the field `p90`, 99.9 becomes `p99_9`.
    #[serde(default)]
    percentiles: Vec<f64>,
    /// What members must look like.
    #[serde(default)]
    schema: SchemaOption,
}

fn yes() -> bool {
    true
}

/// What the registry knows of it.
pub(crate) fn info() -> PluginInfo {
    PluginInfo {
        kind: PluginKind::Aggregation,
        name: "batch_stats",
        version: "1.1.0",
        determinism: Determinism::Deterministic,
        summary: "Counts and sums a field, for each group: mean, extremes, spread and percentiles too.",
        options_schema: options_schema::<BatchStatsOptions>(),
        example: "aggregations:\n  - name: totals\n    plugin: batch_stats\n    input: payments\n    on_success: summary\n    on_error: discard\n    trigger: {count: 1000}\n    output_mode: transform\n    options:\n      value_field: amount\n      group_by: region\n      percentiles: [50, 99]\n      schema: {mode: observed}\n",
        resumable: false,
        idempotent: false,
    }
}

/// Makes one of its options.
pub(crate) fn make(options: &serde_json::Value) -> Result<Arc<dyn BatchTransform>, Vec<OptionError>> {
    let options: BatchStatsOptions = parse_options(options).map_err(|e| vec![e])?;
    let mut errors = Vec::new();
    if options.value_field.trim().is_empty() {
        errors.push(OptionError::new("value_field", "the field has no name"));
    }
    check_percentiles(&options.percentiles, &mut errors);
    let statistics = statistics(&options);
    let mut names: Vec<CompactString> = statistics.iter().map(|s| s.field().into()).collect();
    if let Some(group_by) = &options.group_by {
        check_group_by(group_by, &names, &mut errors);
        names.push(group_by.as_str().into());
    }
    let contract = options.schema.contract().map_err(|e| errors.push(e));
    let (Ok(contract), true) = (contract, errors.is_empty()) else { return Err(errors) };
    let BatchStatsOptions { value_field, group_by, .. } = options;
    Ok(Arc::new(BatchStats { value_field, group_by, statistics, shape: Shape::new(names), contract }))
}

fn check_percentiles(percentiles: &[f64], errors: &mut Vec<OptionError>) {
    for (n, p) in percentiles.iter().enumerate() {
        let path = format!("percentiles.{n}");
        if !(0.0..=100.0).contains(p) {
            errors.push(OptionError::new(path, format!("must be from 0 to 100, but is {p}")));
        } else if percentiles[..n].contains(p) {
            errors.push(OptionError::new(path, format!("{p} is asked for twice")));
        }
    }
}

fn check_group_by(group_by: &str, names: &[CompactString], errors: &mut Vec<OptionError>) {
    if group_by.trim().is_empty() {
        let error = OptionError::new("group_by", "the field has no name");
        errors.push(error.with_help("leave `group_by` out for one group of all members"));
    } else if names.iter().any(|name| name == group_by) {
        let message = format!("`{group_by}` is a field of the output already");
        errors.push(OptionError::new("group_by", message).with_help("rename the field before"));
    }
}

/// In the order in which the output has them.
fn statistics(options: &BatchStatsOptions) -> Vec<Statistic> {
    let asked = [
        (options.compute_mean, Statistic::Mean),
        (options.min, Statistic::Min),
        (options.max, Statistic::Max),
        (options.stddev, Statistic::Stddev),
        (options.median, Statistic::Median),
    ];
    let mut statistics = vec![Statistic::Count, Statistic::Sum, Statistic::BatchSize];
    statistics.extend(asked.into_iter().filter_map(|(asked, statistic)| asked.then_some(statistic)));
    statistics.extend(options.percentiles.iter().map(|p| Statistic::Percentile(*p)));
    statistics
}

struct BatchStats {
    value_field: String,
    group_by: Option<String>,
    statistics: Vec<Statistic>,
    /// Of the output: the statistics, then the group.
    shape: Arc<Shape>,
    contract: Contract,
}

/// By the canonical form of the value that members are grouped by, in order of first appearance.
type Groups = IndexMap<Box<[u8]>, Group>;

/// The group of a member that was taken out.
const NO_GROUP: u32 = u32::MAX;

impl BatchTransform for BatchStats {
    fn input_contract(&self) -> Contract {
        self.contract.clone()
    }

    fn output_contract(&self, input: &Contract) -> Result<Contract, Vec<OptionError>> {
        let numbers = self.number_type(input);
        let group = self.group_by.as_deref().map(|group_by| group_field(group_by, input)).transpose();
        let (numbers, group) = match (numbers, group) {
            (Ok(numbers), Ok(group)) => (numbers, group),
            (numbers, group) => return Err(numbers.err().into_iter().chain(group.err()).collect()),
        };
        let statistics = self.statistics.iter().map(|statistic| FieldSpec {
            name: statistic.field().into(),
            ty: statistic.field_type(numbers),
            required: statistic.is_always_there(),
        });
        let mut fields: Vec<_> = statistics.collect();
        let mut audit_fields = Vec::new();
        if let Some(group) = group {
            audit_fields.extend(input.audit_fields.iter().filter(|name| **name == group.name).cloned());
            fields.push(group);
        }
        Ok(Contract { mode: SchemaMode::Fixed, fields, audit_fields, ..Contract::observed() })
    }

    /// A group becomes one row, and which member it belongs to nobody can say.
    fn passes_members(&self) -> bool {
        false
    }

    fn process(
        &self,
        members: &mut dyn Iterator<Item = Row>,
        _context: &BatchContext<'_>,
        out: &mut dyn BatchOutput,
    ) -> Result<(), ErrorReason> {
        let mut groups = Groups::new();
        let mut key = Vec::new();
        let mut group_of = Vec::new();
        for (number, member) in (0..).zip(members) {
            let taken = self.take(&member, &mut groups, &mut key);
            if self.group_by.is_some() {
                let group = taken.as_ref().ok().and_then(|group| u32::try_from(*group).ok());
                group_of.push(group.unwrap_or(NO_GROUP));
            }
            if let Err(reason) = taken {
                out.quarantine(number, reason);
            }
        }
        let mut failed = BTreeMap::new();
        for (number, group) in (0..).zip(groups.into_values()).filter(|(_, group)| !group.is_empty()) {
            match self.row(group) {
                Ok(row) => out.emit(row),
                Err(reason) if self.group_by.is_none() => return Err(reason),
                Err(reason) => {
                    failed.insert(number, reason);
                }
            }
        }
        if !failed.is_empty() {
            for (number, group) in (0..).zip(group_of) {
                failed.get(&group).into_iter().for_each(|reason| out.quarantine(number, reason.clone()));
            }
        }
        Ok(())
    }
}

impl BatchStats {
    fn number_type(&self, input: &Contract) -> Result<FieldType, OptionError> {
        let field = &self.value_field;
        let refused = |message| Err(OptionError::new("value_field", message));
        match input.field(field).map(|spec| spec.ty) {
            Some(ty @ (FieldType::Int | FieldType::Float | FieldType::Decimal | FieldType::Any)) => Ok(ty),
            Some(ty) => refused(format!("batch_stats needs numbers, but the field `{field}` is {ty}")),
            None if input.mode == SchemaMode::Fixed => {
                refused(format!("batch_stats names the field `{field}`, which these rows cannot have"))
            }
            None => Ok(FieldType::Any),
        }
    }

    /// Adds a member to its group, and gives the group's number; `key` is used for its own.
    fn take(&self, member: &Row, groups: &mut Groups, key: &mut Vec<u8>) -> Result<usize, ErrorReason> {
        let number = self.group(member, groups, key)?;
        let group = &mut groups[number];
        group.members += 1;
        let value = member.get(&self.value_field).unwrap_or(&Value::Null);
        match Number::of(value) {
            Some(value) => {
                group.add(value);
                Ok(number)
            }
            None => Err(self.no_number(value)),
        }
    }

    fn group(&self, member: &Row, groups: &mut Groups, key: &mut Vec<u8>) -> Result<usize, ErrorReason> {
        key.clear();
        let mut value = &Value::Null;
        if let Some(group_by) = &self.group_by {
            let failed =
                |message| ErrorReason::new(FailureKind::TransformError, message).on_field(group_by.as_str());
            value =
                member.get(group_by).ok_or_else(|| failed(format!("the field `{group_by}` is missing")))?;
            value
                .write_canonical(key)
                .map_err(|e| failed(format!("the field `{group_by}` names no group: {e}")))?;
        }
        if let Some(number) = groups.get_index_of(key.as_slice()) {
            return Ok(number);
        }
        let group = Group::new(value.clone(), &self.statistics);
        Ok(groups.insert_full(key.as_slice().into(), group).0)
    }

    fn no_number(&self, found: &Value) -> ErrorReason {
        let field = self.value_field.as_str();
        let (kind, what) = match found {
            Value::Null => (FailureKind::TransformError, "has no value".to_owned()),
            other => (FailureKind::TypeMismatch, format!("is {}", other.type_name())),
        };
        let message = format!("batch_stats needs a number, but the field `{field}` {what}");
        ErrorReason::new(kind, message).on_field(field)
    }

    fn row(&self, mut group: Group) -> Result<Row, ErrorReason> {
        group.close();
        let values = self
            .statistics
            .iter()
            .map(|statistic| group.value(*statistic).map_err(|_| self.too_large(*statistic, &group)));
        let mut values = values.collect::<Result<Vec<_>, _>>()?;
        if self.group_by.is_some() {
            values.push(group.key);
        }
        Ok(Row::new(Arc::clone(&self.shape), values))
    }

    fn too_large(&self, statistic: Statistic, group: &Group) -> ErrorReason {
        let mut key = Vec::new();
        group.key.write_json(&mut key);
        let of_group = match &self.group_by {
            Some(group_by) => format!(" where `{group_by}` is {}", String::from_utf8_lossy(&key)),
            None => String::new(),
        };
        let message = format!(
            "the {} of `{}`{of_group} is too large: {}",
            statistic.field(),
            self.value_field,
            group.limit(),
        );
        ErrorReason::new(FailureKind::LimitExceeded, message).on_field(self.value_field.as_str())
    }
}

/// The group of the output; null where members have null there.
fn group_field(group_by: &str, input: &Contract) -> Result<FieldSpec, OptionError> {
    let spec = input.field(group_by);
    if spec.is_none() && input.mode == SchemaMode::Fixed {
        let message = format!("batch_stats groups by the field `{group_by}`, which these rows cannot have");
        return Err(OptionError::new("group_by", message));
    }
    let ty = spec.map_or(FieldType::Any, |spec| spec.ty);
    Ok(FieldSpec { name: group_by.into(), ty, required: input.guarantees(group_by) })
}
