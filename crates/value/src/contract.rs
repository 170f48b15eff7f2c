//! Contracts: what rows on one side of an edge look like.
//!
//! A [`Contract`] is declared in a `schema:` mapping or learnt from data. It checks rows that are typed already
//! ([`Contract::check`]), takes parsed rows at the border ([`Contract::coerce_row`]), and is compared with the contract at the
//! other end of an edge before any row flows ([`Contract::conflicts_with`]). It knows no graph and no plugin.

use std::collections::BTreeMap;
use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{CoerceError, Row, Value, coerce_value, normalise_header};

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// Text.
    Str,
    /// Whole number.
    Int,
    /// Number with a fraction.
    Float,
    /// True or false.
    Bool,
    /// Anything.
    Any,
    /// A moment.
    Datetime,
    /// A calendar day.
    Date,
    /// Exact decimal.
    Decimal,
}

/// How a contract treats fields that it does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SchemaMode {
    /// Exactly these fields.
    Fixed,
    /// These checked, others allowed.
    Flexible,
    /// Learnt from the first valid row, then locked.
    Observed,
}

/// One declared field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldSpec {
    /// Normalised name.
    pub name: CompactString,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: FieldType,
    /// Whether every row has it.
    pub required: bool,
}

/// What rows on one side of an edge look like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// How unnamed fields are treated.
    pub mode: SchemaMode,
    /// Declared fields, in order.
    pub fields: Vec<FieldSpec>,
    /// Fields that a producer promises beyond its required ones (`guaranteed_fields`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guaranteed_fields: Vec<CompactString>,
    /// Fields that a consumer needs beyond its required ones (`required_fields`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required_fields: Vec<CompactString>,
    /// Fields that exist for the audit only (`audit_fields`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audit_fields: Vec<CompactString>,
}

/// How a row breaks a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// A required field is absent or null.
    Missing {
        /// Which.
        field: CompactString,
    },
    /// A value of another type.
    Type {
        /// Which field.
        field: CompactString,
        /// Declared.
        expected: FieldType,
        /// A clause that says what it is, or why it could not be taken: ``it is of type str``.
        found: String,
    },
    /// A field that a fixed contract does not name.
    Extra {
        /// Which.
        field: CompactString,
    },
}

/// A row that breaks a contract, as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct RefusedRow {
    /// How it breaks it.
    pub violation: Violation,
    /// The row, unchanged.
    pub row: Row,
}

/// Why two ends of an edge do not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaConflict {
    /// The consumer requires a field that the producer does not guarantee.
    NotGuaranteed {
        /// Which.
        field: CompactString,
    },
    /// Declared with different types.
    TypeDiffers {
        /// Which.
        field: CompactString,
        /// The producer's.
        produced: FieldType,
        /// The consumer's.
        consumed: FieldType,
    },
    /// A fixed consumer does not allow a field that the producer guarantees.
    NotAllowed {
        /// Which.
        field: CompactString,
    },
}

/// A schema that is not written as the dialect wants it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ContractError {
    /// Index into `fields`, when it is about one of them.
    pub field_index: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl Contract {
    /// A contract that knows nothing: any field, any type.
    #[must_use]
    pub const fn observed() -> Self {
        Self {
            mode: SchemaMode::Observed,
            fields: Vec::new(),
            guaranteed_fields: Vec::new(),
            required_fields: Vec::new(),
            audit_fields: Vec::new(),
        }
    }

    /// The declaration of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&FieldSpec> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// Parses a `schema:` mapping of a settings file (`mode`, `fields`, ...).
    ///
    /// # Errors
    /// [`ContractError`], with the advice on what to write.
    pub fn from_settings(schema: &serde_json::Value) -> Result<Self, ContractError> {
        crate::declare::contract(schema)
    }

    /// Whether a source can deliver the declared fields at all: its names are normalised, then renamed by `field_mapping`
    /// (normalised name -> final name), so that a field called `Amount` would be missing from every row.
    ///
    /// # Errors
    /// [`ContractError`], with the name that the source gives.
    pub fn check_source_names(&self, field_mapping: &BTreeMap<String, String>) -> Result<(), ContractError> {
        let lists = self.guaranteed_fields.iter().chain(&self.required_fields);
        let declared = self.fields.iter().enumerate().map(|(at, field)| (Some(at), &field.name));
        for (field_index, name) in declared.chain(lists.map(|name| (None, name))) {
            let given = normalise_header(name).filter(|given| given != name);
            if let Some(given) =
                given.filter(|_| !field_mapping.values().any(|target| target == name.as_str()))
            {
                let message = format!("the source cannot have a field `{name}`: it normalises names");
                return Err(ContractError { field_index, message, help: format!("write `{given}`") });
            }
        }
        Ok(())
    }

    /// The JSON Schema of a `schema:` mapping, for editors and for checks of whole settings files.
    #[must_use]
    pub fn settings_schema() -> serde_json::Value {
        crate::declare::json_schema()
    }

    /// Checks a row without changing it; the first violation, in the order of the contract's fields, then of
    /// `required_fields`, then of the row. Null counts as absent.
    ///
    /// # Errors
    /// The violation.
    pub fn check(&self, row: &Row) -> Result<(), Violation> {
        for (at, field) in self.fields.iter().enumerate() {
            let slot = row.shape().slot_near(at, &field.name);
            check_field(field, slot.map(|slot| &row.values()[slot]))?;
        }
        self.check_names(row)
    }

    /// Takes a row of parsed values from outside: coerces what is not of its declared type and can be taken as it without
    /// loss (see [`coerce_value`]), then checks as [`Contract::check`] does.
    ///
    /// # Errors
    /// The first violation, together with the row as it came.
    pub fn coerce_row(&self, mut row: Row) -> Result<Row, RefusedRow> {
        match self.coerced_values(&row) {
            Err(violation) => Err(RefusedRow { violation, row }),
            Ok(coerced) => {
                for (slot, value) in coerced {
                    row.values_mut()[slot] = value;
                }
                Ok(row)
            }
        }
    }

    /// The values that change, by slot. Mostly there are none, and nothing is allocated.
    fn coerced_values(&self, row: &Row) -> Result<Vec<(usize, Value)>, Violation> {
        let mut coerced = Vec::new();
        for (at, field) in self.fields.iter().enumerate() {
            match row.shape().slot_near(at, &field.name).map(|slot| (slot, &row.values()[slot])) {
                Some((slot, value)) if *value != Value::Null && !field.ty.admits(value) => {
                    coerced.push((slot, field.coerced(coerce_value(field.ty, value.clone()))?));
                }
                found => check_field(field, found.map(|(_, value)| value))?,
            }
        }
        self.check_names(row)?;
        Ok(coerced)
    }

    /// Everything about a row but the types of its fields.
    fn check_names(&self, row: &Row) -> Result<(), Violation> {
        for name in &self.required_fields {
            if matches!(row.get(name), None | Some(Value::Null)) {
                return Err(Violation::Missing { field: name.clone() });
            }
        }
        match self.mode {
            SchemaMode::Fixed => self.check_extra(row),
            SchemaMode::Flexible | SchemaMode::Observed => Ok(()),
        }
    }

    fn check_extra(&self, row: &Row) -> Result<(), Violation> {
        let names = row.shape().names();
        if names.len() == self.fields.len()
            && names.iter().zip(&self.fields).all(|(name, field)| *name == field.name)
        {
            return Ok(());
        }
        match names.iter().find(|name| !self.allows(name)) {
            Some(extra) => Err(Violation::Extra { field: extra.clone() }),
            None => Ok(()),
        }
    }

    /// Whether rows may have that field.
    pub(crate) fn allows(&self, name: &str) -> bool {
        let named = || self.field(name).is_some() || self.required_fields.iter().any(|f| f == name);
        self.mode != SchemaMode::Fixed || named()
    }

    /// Whether rows of this contract are sure to have the field, with a value.
    #[must_use]
    pub fn guarantees(&self, name: &str) -> bool {
        self.field(name).is_some_and(|f| f.required) || self.guaranteed_fields.iter().any(|f| f == name)
    }

    /// Every reason why rows that meet `self` (the producer) might not meet `consumer`.
    #[must_use]
    pub fn conflicts_with(&self, consumer: &Self) -> Vec<SchemaConflict> {
        let mut conflicts = self.missing_for(consumer);
        for wanted in &consumer.fields {
            if let Some(produced) = self.field(&wanted.name).filter(|p| differ(p.ty, wanted.ty)) {
                conflicts.push(SchemaConflict::TypeDiffers {
                    field: wanted.name.clone(),
                    produced: produced.ty,
                    consumed: wanted.ty,
                });
            }
        }
        let surplus = self.promised().filter(|name| !consumer.allows(name));
        conflicts.extend(surplus.map(|field| SchemaConflict::NotAllowed { field: field.clone() }));
        conflicts
    }

    /// What the consumer requires and this producer does not guarantee. A producer that has yet to see its first row
    /// promises nothing it could be held to, unless it says what it guarantees.
    fn missing_for(&self, consumer: &Self) -> Vec<SchemaConflict> {
        if self.mode == SchemaMode::Observed && self.fields.is_empty() && self.guaranteed_fields.is_empty() {
            return Vec::new();
        }
        let declared = consumer.fields.iter().filter(|f| f.required).map(|f| &f.name);
        let mut missing: Vec<SchemaConflict> = Vec::new();
        for name in declared.chain(&consumer.required_fields).filter(|name| !self.guarantees(name)) {
            let conflict = SchemaConflict::NotGuaranteed { field: name.clone() };
            if !missing.contains(&conflict) {
                missing.push(conflict);
            }
        }
        missing
    }

    /// Fields that rows are sure to have.
    fn promised(&self) -> impl Iterator<Item = &CompactString> {
        let required = self.fields.iter().filter(|f| f.required).map(|f| &f.name);
        required.chain(self.guaranteed_fields.iter().filter(|name| self.field(name).is_none()))
    }

    /// The contract that was learnt from the first valid row: this one, and each field of the row that it does not name
    /// with the type that it has there (`any` for null, lists, maps and bytes). The types are locked from then on.
    ///
    /// Learnt fields are optional, and rows with further fields stay valid: records of JSON leave out what they have no
    /// value for, so neither a missing nor a new key says that a record is wrong.
    #[must_use]
    pub fn learn(&self, row: &Row) -> Self {
        let mut learnt = self.clone();
        for (name, value) in row.iter() {
            if self.field(name).is_none() {
                learnt.fields.push(FieldSpec { name: name.into(), ty: type_of(value), required: false });
            }
        }
        learnt
    }
}

impl FieldSpec {
    /// The outcome of coercing this field's value, as a violation where it failed.
    pub(crate) fn coerced(&self, outcome: Result<Value, CoerceError>) -> Result<Value, Violation> {
        outcome.map_err(|why| Violation::Type { field: self.name.clone(), expected: self.ty, found: why.0 })
    }
}

fn check_field(field: &FieldSpec, value: Option<&Value>) -> Result<(), Violation> {
    match value {
        None | Some(Value::Null) if field.required => Err(Violation::Missing { field: field.name.clone() }),
        None | Some(Value::Null) => Ok(()),
        Some(value) if field.ty.admits(value) => Ok(()),
        Some(value) => Err(Violation::Type {
            field: field.name.clone(),
            expected: field.ty,
            found: format!("it is of type {}", value.type_name()),
        }),
    }
}

/// `any` agrees with everything.
fn differ(produced: FieldType, consumed: FieldType) -> bool {
    produced != consumed && produced != FieldType::Any && consumed != FieldType::Any
}

fn type_of(value: &Value) -> FieldType {
    match value {
        Value::Null | Value::List(_) | Value::Map(_) | Value::Bytes(_) => FieldType::Any,
        Value::Bool(_) => FieldType::Bool,
        Value::Int(_) => FieldType::Int,
        Value::Float(_) => FieldType::Float,
        Value::Str(_) => FieldType::Str,
        Value::Decimal(_) => FieldType::Decimal,
        Value::Date(_) => FieldType::Date,
        Value::DateTime(_) => FieldType::Datetime,
    }
}

impl FieldType {
    /// Whether a value (not null) is of this type.
    #[must_use]
    pub const fn admits(self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::Str => matches!(value, Value::Str(_)),
            Self::Int => matches!(value, Value::Int(_)),
            Self::Float => matches!(value, Value::Float(_)),
            Self::Bool => matches!(value, Value::Bool(_)),
            Self::Datetime => matches!(value, Value::DateTime(_)),
            Self::Date => matches!(value, Value::Date(_)),
            Self::Decimal => matches!(value, Value::Decimal(_)),
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Str => "str",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Any => "any",
            Self::Datetime => "datetime",
            Self::Date => "date",
            Self::Decimal => "decimal",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { field } => write!(f, "required field `{field}` is missing"),
            Self::Type { field, expected, found } => write!(f, "field `{field}` must be {expected}: {found}"),
            Self::Extra { field } => write!(f, "field `{field}` is not in the schema, which is fixed"),
        }
    }
}
