use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Row;

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
        /// What it is (and why it was not coerced, in words).
        found: String,
    },
    /// A field that a fixed contract does not name.
    Extra {
        /// Which.
        field: CompactString,
    },
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
    pub fn from_settings(_schema: &serde_json::Value) -> Result<Self, ContractError> {
        todo!()
    }

    /// Checks a row without changing it; the first violation, in the order of the contract's fields.
    ///
    /// # Errors
    /// The violation.
    pub fn check(&self, _row: &Row) -> Result<(), Violation> {
        todo!()
    }

    /// Every reason why rows that meet `self` (the producer) might not meet `consumer`.
    #[must_use]
    pub fn conflicts_with(&self, _consumer: &Self) -> Vec<SchemaConflict> {
        todo!()
    }

    /// The contract that was learnt from the first valid row: its fields with their types, all others allowed when
    /// the mode is flexible, locked when it is observed.
    #[must_use]
    pub fn learn(&self, _row: &Row) -> Self {
        todo!()
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
            Self::Type { field, expected, found } => write!(f, "field `{field}` must be {expected}, but is {found}"),
            Self::Extra { field } => write!(f, "field `{field}` is not in the schema, which is fixed"),
        }
    }
}
