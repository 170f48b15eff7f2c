//! The `database` sink: rows into a table of a SQLite file or of a PostgreSQL server.
//!
//! One transaction for each epoch, together with a marker row in `_elspeth_epochs`, so that an epoch that is written again
//! after a stop changes nothing. The artifact's hash is over the rows as they came ([`crate::row_chain`]), since a database may store
//! them in many ways. Fields become columns of their names; see [`column`] for the types, and [`table`] for who may
//! change columns.

mod blocking;
mod column;
mod dialect;
mod insert;
mod markers;
mod postgres;
mod replacing;
mod session;
mod sqlite;
mod store;
mod table;

use std::fs::OpenOptions;
use std::path::PathBuf;

use elspeth_contracts::{Determinism, EpochNo};
use elspeth_plugin::{
    OptionError, PluginInfo, PluginKind, Produced, Sink, SinkContext, SinkError, SinkPosition, SinkRow,
    Target, Written, parse_options,
};
use elspeth_value::Contract;
use schemars::JsonSchema;
use serde::Deserialize;

use self::blocking::Blocking;
use self::dialect::Dialect;
use self::session::Session;
use self::store::{Found, Store};
use super::folders::{check_target, create_parents};
use super::staged_file::failed;
use super::unopened;
use crate::database_place::Place;
use crate::schema_option::{SchemaOption, options_schema};

/// What this sink's own tables are called; no pipeline may write to them.
const OWN_PREFIX: &str = "_elspeth_";

/// Options of the `database` sink.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DatabaseOptions {
    /// The database: `sqlite:///relative/path.db` or `sqlite:////absolute/path.db`, where file and folders are created, or
    /// `postgresql://user@host/name`, which must be there.
    url: String,
    /// The table. Where there is none it is made, with a column for each field of `schema`, and for each other field when
    /// it first comes.
    table: String,
    /// `append` adds to a table that exists, whose columns stay as they are; `replace` puts a new table in its place when
    /// the run completes.
    #[serde(default)]
    if_exists: IfExists,
    /// What rows are meant to look like; with `validate_input`, they must.
    #[serde(default)]
    schema: SchemaOption,
    /// Whether each row is checked against `schema`, and refused when it does not meet it.
    #[serde(default)]
    validate_input: bool,
}

/// What becomes of a table that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum IfExists {
    /// It is added to.
    #[default]
    Append,
    /// A new one takes its place when the run completes.
    Replace,
}

/// The checked options.
#[derive(Debug)]
struct Settings {
    /// Without secrets.
    url: String,
    place: Place,
    table: String,
    if_exists: IfExists,
    contract: Contract,
    validates: bool,
}

/// What the registry knows of it.
pub(crate) fn info() -> PluginInfo {
    PluginInfo {
        kind: PluginKind::Sink,
        name: "database",
        version: "1.2.0",
        determinism: Determinism::IoWrite,
        summary: "Writes rows to a table of a SQLite or PostgreSQL database, each epoch in one transaction.",
        options_schema: options_schema::<DatabaseOptions>(),
        example: "sinks:\n  decisions:\n    plugin: database\n    on_write_failure: discard\n    options:\n      url: sqlite:///output/decisions.db\n      table: decisions\n      if_exists: append\n      schema: {mode: fixed, fields: [\"id: int\", \"decision: str\"]}\n",
        resumable: true,
        idempotent: true,
    }
}

/// Makes one of its options.
pub(crate) fn make(options: &serde_json::Value) -> Result<Box<dyn Sink>, Vec<OptionError>> {
    let options: DatabaseOptions = parse_options(options).map_err(|e| vec![e])?;
    let mut errors = Vec::new();
    let place = Place::parse(&options.url).map_err(|e| errors.push(e));
    let dialect = place.as_ref().map_or(Dialect::Sqlite, dialect);
    check_table_name(dialect, &options.table, &mut errors);
    let contract = options.schema.contract().map_err(|e| errors.push(e));
    if let Ok(contract) = &contract {
        let names = contract.fields.iter().map(|field| field.name.as_str());
        if let Err((_, why)) = table::check_names(dialect, names) {
            errors.push(OptionError::new("schema.fields", why).with_help("rename the field before"));
        }
    }
    let (Ok(place), Ok(contract), true) = (place, contract, errors.is_empty()) else { return Err(errors) };
    let DatabaseOptions { url, table, if_exists, validate_input: validates, .. } = options;
    let url = match &place {
        Place::File(_) => url,
        Place::Server(address) => address.location().to_owned(),
    };
    let settings = Settings { url, place, table, if_exists, contract, validates };
    Ok(Box::new(DatabaseSink { settings, open: None }))
}

fn dialect(place: &Place) -> Dialect {
    match place {
        Place::File(_) => Dialect::Sqlite,
        Place::Server(_) => Dialect::Postgres,
    }
}

fn check_table_name(dialect: Dialect, table: &str, errors: &mut Vec<OptionError>) {
    let lower = table.to_ascii_lowercase();
    let theirs = match dialect {
        Dialect::Sqlite => "sqlite_",
        Dialect::Postgres => "pg_",
    };
    let reserved = [theirs, OWN_PREFIX].into_iter().find(|prefix| lower.starts_with(prefix));
    if let Some(why) = dialect.unusable(table) {
        errors.push(OptionError::new("table", format!("the table's name {why}")));
    } else if let Some(prefix) = reserved {
        let message = format!("names that begin with `{prefix}` are reserved");
        errors.push(OptionError::new("table", message).with_help("choose another name"));
    }
}

struct DatabaseSink {
    settings: Settings,
    open: Option<Opened>,
}

struct Opened {
    blocking: Blocking,
    session: Session,
}

impl Sink for DatabaseSink {
    fn contract(&self) -> Contract {
        self.settings.contract.clone()
    }

    fn targets(&self) -> Vec<Target> {
        let Settings { place, table, if_exists, .. } = &self.settings;
        let appends = *if_exists == IfExists::Append;
        vec![Target { path: PathBuf::from(place.shown()), appends, table: Some(table.clone()) }]
    }

    fn preflight(&self) -> Result<(), SinkError> {
        if let Place::File(path) = &self.settings.place {
            check_target(path)?;
            let Ok(about) = std::fs::metadata(path) else { return Ok(()) };
            OpenOptions::new().append(true).open(path).map_err(|e| failed("write", path, &e))?;
            if about.len() == 0 {
                return Ok(());
            }
        }
        let Settings { place, table, if_exists, .. } = &self.settings;
        let found = Blocking::new()?.run(async {
            let mut store = Store::look(place).await?;
            if *if_exists == IfExists::Replace {
                store.check_replaceable(table).await?;
            }
            store.find(table).await
        })?;
        session::check_target_table(&self.settings, &found)?;
        match (found, self.settings.if_exists) {
            (Found::Table(columns), IfExists::Append) => session::check_columns(&self.settings, &columns),
            (Found::Nothing | Found::Table(_) | Found::Other(_), _) => Ok(()),
        }
    }

    fn open(&mut self, context: &SinkContext, position: Option<&SinkPosition>) -> Result<(), SinkError> {
        // Before anything else, so that what an earlier one holds is free.
        self.open = None;
        if let Place::File(path) = &self.settings.place {
            create_parents(path)?;
        }
        let blocking = Blocking::new()?;
        let session = blocking.run(Session::open(&self.settings, context, position))?;
        self.open = Some(Opened { blocking, session });
        Ok(())
    }

    fn write(&mut self, epoch: EpochNo, rows: &[SinkRow<'_>]) -> Result<Written, SinkError> {
        let mut opened = self.open.take().ok_or_else(|| unopened("database"))?;
        let written = opened.blocking.run(opened.session.write(&self.settings, epoch, rows))?;
        self.open = Some(opened);
        Ok(written)
    }

    fn publish(&mut self) -> Result<Option<Produced>, SinkError> {
        let mut opened = self.open.take().ok_or_else(|| unopened("database"))?;
        let produced = opened.blocking.run(opened.session.publish(&self.settings))?;
        self.open = Some(opened);
        Ok(Some(produced))
    }
}
