//! The `database` source: the rows of a query, in the order of a key.
//!
//! A query is read in one snapshot of the database (one read transaction), on a thread of its own that is a few batches
//! ahead ([`reader`]). The order is asked of the database by the key's columns ([`query`]), and each key must be another one:
//! so a position is the last key, and reading goes on behind it. What was read is hashed row behind row
//! ([`crate::row_chain`]).
//!
//! A run that is taken up reads its first rows again, in a snapshot of that time, and compares the hash: as with a file, what
//! has changed is refused unless that is accepted. Where only the connection was lost, reading goes on behind the last key.
//! Each snapshot is told to the record, with the row from which on it was read.

mod position;
mod postgres;
mod query;
mod reader;
mod reading;
mod sqlite;
mod values;

use std::collections::BTreeMap;
use std::path::PathBuf;

use elspeth_canonical::HashVersion;
use elspeth_contracts::Determinism;
use elspeth_plugin::{
    OptionError, PluginInfo, PluginKind, ReadProgress, Source, SourceError, SourceIdentity, SourceItem,
    SourcePosition, SourceSnapshot, parse_options,
};
use elspeth_value::{Contract, FieldResolution};
use schemars::JsonSchema;
use serde::Deserialize;

use self::query::Query;
use self::reading::Reading;
use super::{field_mapping_errors, parse_position};
use crate::database_place::Place;
use crate::schema_option::{SchemaOption, options_schema};

/// The most rows of a batch.
const MOST_FETCHED: u32 = 100_000;

/// Options of the `database` source.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DatabaseSourceOptions {
    /// The database: `sqlite:///relative/path.db`, `sqlite:////absolute/path.db` or `postgresql://user@host/name`.
    url: String,
    /// One `SELECT`. Its own order means nothing: rows come in the order of `key`.
    query: String,
    /// The column of the query, or the columns, that say which row is which. Each key comes once and is never null. Whole
    /// numbers, texts (in the order of their bytes), UUIDs, days or moments.
    key: Key,
    /// Rows of a batch; a few batches are in memory.
    #[serde(default = "thousand")]
    #[schemars(range(min = 1, max = 100000))]
    fetch_size: u32,
    /// Renames fields, by their normalised names.
    #[serde(default)]
    field_mapping: BTreeMap<String, String>,
    /// What rows must look like.
    #[serde(default)]
    schema: SchemaOption,
    /// Where invalid rows go: a sink's name or `discard`.
    #[serde(default)]
    #[expect(dead_code, reason = "the graph reads it; here it only has to be allowed")]
    on_validation_failure: Option<String>,
}

/// A column or several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be the name of a column, or a list of such names")]
enum Key {
    One(String),
    Several(Vec<String>),
}

fn thousand() -> u32 {
    1000
}

/// What the registry knows of it.
pub(crate) fn info() -> PluginInfo {
    PluginInfo {
        kind: PluginKind::Source,
        name: "database",
        version: "1.0.0",
        determinism: Determinism::IoRead,
        summary: "Reads the rows of a query from a SQLite or PostgreSQL database, in the order of a key.",
        options_schema: options_schema::<DatabaseSourceOptions>(),
        example: "source:\n  plugin: database\n  on_success: rows\n  options:\n    url: sqlite:///claims.db\n    query: SELECT id, amount FROM claims WHERE status = 'open'\n    key: id\n    schema: {mode: fixed, fields: [\"id: int\", \"amount: float\"]}\n    on_validation_failure: discard\n",
        resumable: true,
        idempotent: false,
    }
}

/// Makes one of its options.
pub(crate) fn make(options: &serde_json::Value) -> Result<Box<dyn Source>, Vec<OptionError>> {
    let options: DatabaseSourceOptions = parse_options(options).map_err(|e| vec![e])?;
    let mut errors = Vec::new();
    let mut note = |e: OptionError| errors.push(e);
    let place = Place::parse(&options.url).map_err(&mut note);
    let key = match options.key {
        Key::One(column) => vec![column],
        Key::Several(columns) => columns,
    };
    let query = Query::new(&options.query, key).map_err(&mut note);
    let contract = options.schema.source_contract(&options.field_mapping).map_err(&mut note);
    errors.extend(field_mapping_errors(&options.field_mapping));
    if !(1..=MOST_FETCHED).contains(&options.fetch_size) {
        errors.push(OptionError::new("fetch_size", format!("must be from 1 to {MOST_FETCHED}")));
    }
    let (Ok(place), Ok(query), Ok(contract), true) = (place, query, contract, errors.is_empty()) else {
        return Err(errors);
    };
    let (fetch_size, field_mapping) = (options.fetch_size as usize, options.field_mapping);
    let settings = Settings { place, query, fetch_size, field_mapping, contract, accepts_changes: false };
    Ok(Box::new(DatabaseSource { settings, open: None, lost: false }))
}

/// Its checked options.
#[derive(Debug)]
struct Settings {
    place: Place,
    query: Query,
    fetch_size: usize,
    field_mapping: BTreeMap<String, String>,
    contract: Contract,
    /// Whether what was read before may differ from what was read then.
    accepts_changes: bool,
}

struct DatabaseSource {
    settings: Settings,
    open: Option<Reading>,
    /// Whether the last failure was of the connection: then it is made anew no earlier than by the next read, so that a
    /// server that is not back yet is one more failure that may be tried again.
    lost: bool,
}

impl Source for DatabaseSource {
    fn contract(&self) -> Contract {
        self.settings.contract.clone()
    }

    fn paths(&self) -> Vec<PathBuf> {
        match &self.settings.place {
            Place::File(path) => vec![path.clone()],
            Place::Server(_) => Vec::new(),
        }
    }

    fn open(&mut self, version: HashVersion, position: Option<&SourcePosition>) -> Result<(), SourceError> {
        // Before anything else, so that what an earlier connection holds is free.
        self.open = None;
        let lost = std::mem::take(&mut self.lost);
        self.open = Some(match position {
            None => Reading::start(&self.settings, version)?,
            Some(position) => {
                let reading = Reading::restore(&self.settings, version, parse_position(position)?)?;
                if lost { reading } else { reading.taken_up(&self.settings)? }
            }
        });
        Ok(())
    }

    fn accept_changes(&mut self) {
        self.settings.accepts_changes = true;
    }

    fn read(&mut self, max: usize, items: &mut Vec<SourceItem>) -> Result<ReadProgress, SourceError> {
        let reading = self.open.as_mut().ok_or_else(|| {
            SourceError::new(format!("`{}` was read before it was opened", self.settings.place.shown()))
        })?;
        let progress = reading.read(&self.settings, max, items);
        self.lost = progress.as_ref().is_err_and(|error| error.retryable);
        progress
    }

    fn position(&self) -> SourcePosition {
        let position = self.open.as_ref().map(Reading::position);
        SourcePosition(serde_json::to_value(position).expect("text, numbers and lists are JSON"))
    }

    fn identity(&self) -> SourceIdentity {
        let chain = self.open.as_ref().map(Reading::chain);
        SourceIdentity {
            location: self.settings.place.shown(),
            size_bytes: None,
            read_bytes: chain.map_or(0, |chain| chain.bytes),
            content_hash: chain.map(|chain| chain.hash),
        }
    }

    fn snapshots(&self) -> Vec<SourceSnapshot> {
        self.open.as_ref().map(Reading::snapshots).unwrap_or_default()
    }

    fn field_resolution(&self) -> FieldResolution {
        self.open.as_ref().map(|reading| reading.resolution().clone()).unwrap_or_default()
    }
}
