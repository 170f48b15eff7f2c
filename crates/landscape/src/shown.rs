use std::sync::Arc;

use elspeth_canonical::{CanonicalError, ContentHash, HashVersion};
use elspeth_payload::Body;
use serde::ser::{Error as _, SerializeMap};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A body as it is shown: as JSON that keeps `2500` and `2500.0` apart, as `{"purged": true}` when only its hash is left,
/// or as `null` where there is none.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Shown {
    /// There is none: the input of a source, the output of what failed.
    #[default]
    Nothing,
    /// It is gone, or was never kept.
    Purged,
    /// It has the recorded hash.
    Body(Arc<Body>),
}

impl Shown {
    /// The row, where it is one.
    pub(crate) fn row(&self) -> Option<&elspeth_value::Row> {
        match self {
            Self::Body(body) => match body.as_ref() {
                Body::Row(row) => Some(row),
                Body::Opaque(_) => None,
            },
            Self::Nothing | Self::Purged => None,
        }
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_none(),
            Self::Purged => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("purged", &true)?;
                map.end()
            }
            Self::Body(body) => json(body).map_err(S::Error::custom)?.serialize(serializer),
        }
    }
}

fn json(body: &Body) -> Result<Box<RawValue>, serde_json::Error> {
    let mut out = Vec::new();
    match body {
        Body::Row(row) => row.write_json(&mut out),
        Body::Opaque(value) => value.write_json(&mut out),
    }
    RawValue::from_string(String::from_utf8_lossy(&out).into_owned())
}

/// The hash that a body has; its canonical form stays in `scratch`.
pub(crate) fn hash_of_body(
    version: HashVersion,
    body: &Body,
    scratch: &mut Vec<u8>,
) -> Result<ContentHash, CanonicalError> {
    scratch.clear();
    canonical_body(body, scratch)?;
    Ok(version.hash(scratch))
}

/// Appends the canonical form of a body.
pub(crate) fn canonical_body(body: &Body, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    match body {
        Body::Row(row) => row.write_canonical(out),
        Body::Opaque(value) => value.write_canonical(out),
    }
}
