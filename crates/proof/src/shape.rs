//! Reading the parts of a proof file from its JSON: exactly the fields that it has, each of its form.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use thiserror::Error;

use crate::hash::Hash;
use crate::json::{BadJson, Json};

/// A text that is not a proof file of that format.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadShape {
    /// Not canonical JSON.
    #[error("not canonical JSON: {0}")]
    Json(#[from] BadJson),
    /// Not one line with a newline at its end.
    #[error("the file does not end with one newline")]
    Newline,
    /// Something has other fields, or other values, than the format gives it.
    #[error("`{0}` is not what the format says")]
    Field(&'static str),
}

/// The JSON of a file: its canonical form and a newline.
pub(crate) fn of_file(text: &str) -> Result<Json, BadShape> {
    Ok(Json::parse(text.strip_suffix('\n').ok_or(BadShape::Newline)?)?)
}

/// The values of an object that has exactly these fields, which are in their order.
pub(crate) fn fields<'a, const N: usize>(
    json: &'a Json,
    place: &'static str,
    names: [&str; N],
) -> Result<[&'a Json; N], BadShape> {
    let Json::Object(entries) = json else { return Err(BadShape::Field(place)) };
    if !entries.iter().map(|(name, _)| name.as_str()).eq(names) {
        return Err(BadShape::Field(place));
    }
    Ok(core::array::from_fn(|at| &entries[at].1))
}

pub(crate) fn text<'a>(json: &'a Json, place: &'static str) -> Result<&'a str, BadShape> {
    json.as_text().ok_or(BadShape::Field(place))
}

pub(crate) fn number(json: &Json, place: &'static str) -> Result<u64, BadShape> {
    json.as_number().ok_or(BadShape::Field(place))
}

pub(crate) fn hash(json: &Json, place: &'static str) -> Result<Hash, BadShape> {
    json.as_text().and_then(Hash::from_hex).ok_or(BadShape::Field(place))
}

pub(crate) fn list<'a>(json: &'a Json, place: &'static str) -> Result<&'a [Json], BadShape> {
    if let Json::List(items) = json { Ok(items) } else { Err(BadShape::Field(place)) }
}

pub(crate) fn hashes(json: &Json, place: &'static str) -> Result<Vec<Hash>, BadShape> {
    list(json, place)?.iter().map(|item| hash(item, place)).collect()
}

/// An object to be written.
pub(crate) fn object<const N: usize>(fields: [(&str, Json); N]) -> Json {
    Json::Object(fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
}

pub(crate) fn of_text(text: impl Into<String>) -> Json {
    Json::Text(text.into())
}

/// A number to be written: an index or a size, which is far below what JSON can hold.
pub(crate) fn of_number(number: u64) -> Json {
    Json::number(number).expect("no record has 2^53 of anything")
}

pub(crate) fn of_hashes(hashes: &[Hash]) -> Json {
    Json::List(hashes.iter().map(|hash| of_text(hash.to_string())).collect())
}
