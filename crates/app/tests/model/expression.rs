//! The few expressions that random pipelines use: as the text of the settings, and what that text means for a row.
//! A row for which an expression has no result is one of the failures that the generator injects.

use serde_json::Value as Json;

use crate::pipeline::Row;

/// What a gate asks.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    /// `row['f'] > than`
    Above { field: String, than: i64 },
    /// `row['f'] == 'text'`
    Is { field: String, text: &'static str },
    /// `10 % row['f'] == 0`: fails for 0.
    Divides { field: String },
    /// `row['f'] % by`: the label is a number.
    Remainder { field: String, by: i64 },
    /// `row['f']`: the label is the text.
    Label { field: String },
    /// `row.get('f') is not None`: never fails.
    Has { field: String },
    /// `len(row['f']) > than`
    Longer { field: String, than: i64 },
    /// `1 < 2`, for rows of which nothing is known.
    Always,
}

/// What a computed field is.
#[derive(Debug, Clone)]
pub(crate) enum Term {
    /// `row['f'] - less`
    Minus { field: String, less: i64 },
    /// `10 // row['f']`: fails for 0.
    Share { field: String },
    /// `len(row['f'])`
    Length { field: String },
}

/// The row has no such result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoResult;

impl Condition {
    /// As settings have it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Above { field, than } => format!("row['{field}'] > {than}"),
            Self::Is { field, text } => format!("row['{field}'] == '{text}'"),
            Self::Divides { field } => format!("10 % row['{field}'] == 0"),
            Self::Remainder { field, by } => format!("row['{field}'] % {by}"),
            Self::Label { field } => format!("row['{field}']"),
            Self::Has { field } => format!("row.get('{field}') is not None"),
            Self::Longer { field, than } => format!("len(row['{field}']) > {than}"),
            Self::Always => "1 < 2".to_owned(),
        }
    }

    /// The label that it gives.
    pub(crate) fn label(&self, row: &Row) -> Result<String, NoResult> {
        match self {
            Self::Above { field, than } => Ok(truth(int(row, field)? > *than)),
            Self::Is { field, text } => Ok(truth(found(row, field)?.as_str() == Some(*text))),
            Self::Divides { field } => Ok(truth(remainder(10, int(row, field)?)? == 0)),
            Self::Remainder { field, by } => Ok(remainder(int(row, field)?, *by)?.to_string()),
            // The text form of anything else is no label that the generator uses, so that both ways it is an error.
            Self::Label { field } => found(row, field)?.as_str().map(str::to_owned).ok_or(NoResult),
            Self::Has { field } => Ok(truth(row.get(field).is_some_and(|value| !value.is_null()))),
            Self::Longer { field, than } => Ok(truth(length(row, field)? > *than)),
            Self::Always => Ok(truth(true)),
        }
    }
}

impl Term {
    /// As settings have it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Minus { field, less } => format!("row['{field}'] - {less}"),
            Self::Share { field } => format!("10 // row['{field}']"),
            Self::Length { field } => format!("len(row['{field}'])"),
        }
    }

    /// Its value.
    pub(crate) fn value(&self, row: &Row) -> Result<Json, NoResult> {
        match self {
            Self::Minus { field, less } => Ok((int(row, field)? - less).into()),
            Self::Share { field } => {
                let by = int(row, field)?;
                Ok(((10 - remainder(10, by)?) / by).into())
            }
            Self::Length { field } => Ok(length(row, field)?.into()),
        }
    }
}

fn truth(value: bool) -> String {
    value.to_string()
}

fn found<'a>(row: &'a Row, field: &str) -> Result<&'a Json, NoResult> {
    row.get(field).ok_or(NoResult)
}

fn int(row: &Row, field: &str) -> Result<i64, NoResult> {
    found(row, field)?.as_i64().ok_or(NoResult)
}

/// Python's remainder: it has the sign of the divisor.
fn remainder(of: i64, by: i64) -> Result<i64, NoResult> {
    if by == 0 { Err(NoResult) } else { Ok((of % by + by) % by) }
}

fn length(row: &Row, field: &str) -> Result<i64, NoResult> {
    let length = match found(row, field)? {
        Json::String(text) => text.chars().count(),
        Json::Array(items) => items.len(),
        Json::Object(map) => map.len(),
        Json::Null | Json::Bool(_) | Json::Number(_) => return Err(NoResult),
    };
    Ok(i64::try_from(length).unwrap())
}

#[test]
fn remainders_are_those_of_python() {
    let all = [(10, 3), (10, -3), (-10, 3), (-10, -3), (0, 5), (10, 5)];
    let remainders = all.map(|(of, by)| remainder(of, by).unwrap());
    assert_eq!(remainders, [1, -2, 2, -1, 0, 0]);
    assert_eq!(remainder(1, 0), Err(NoResult));
}
