//! Settings files: from YAML to a pipeline that can run, or to everything that is wrong with it.
//!
//! [`load`] is what both `validate` and `run` call, so they see the very same graph. It reads the file, puts in variables
//! (`${VAR}`, `ELSPETH_*`, from an [`Environment`]), checks everything by one JSON Schema ([`json_schema`], the one that
//! editors get), makes the plugins, compiles the graph, and gives [`Loaded`] or every [`Diagnostic`], each with file, line,
//! column and advice. [`preflight`] then looks at the files that a run would use, and [`Loaded::signing_key`] at that of its key.
//!
//! How it works, in order: `yaml` (text to plain data), `marks` (the same text to positions), `variables`, `schema` (checks,
//! and repairs so that one error does not hide others), [`settings`] (types), `unavailable` (what this version cannot do
//! yet), `secrets` (fingerprints for the record), `load::nodes` (plugins and conditions), `files` (clashes).
//!
//! Invariant: nothing outside is changed, and nothing but the settings file and `.env` is read; the file system is only
//! asked which names mean the same file.
//!
//! This crate does not know which plugins exist (a [`Registry`](elspeth_plugin::Registry) says so), runs or the record.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use elspeth_config::{Environment, load_text};
//! use elspeth_plugin::Registry;
//!
//! let environment = Environment::new(BTreeMap::new(), ".");
//! let text = "source: {plugin: csv, on_success: out}\nsinks: {}\n";
//! let errors = load_text(text, "settings.yaml", &environment, &Registry::new()).unwrap_err();
//! assert_eq!(errors[0].to_string(), "settings.yaml:1:18: there is no source plugin `csv` [unknown-plugin]");
//! ```

mod database_url;
mod diagnostic;
mod dotenv;
mod environment;
mod export;
mod files;
mod finding;
mod load;
mod marks;
mod schema;
mod secrets;
pub mod settings;
mod signing;
mod unavailable;
mod variables;
mod yaml;

pub use database_url::{DatabaseUrl, DatabaseUrlError};
pub use diagnostic::{Diagnostic, SourceText, TextSpan};
pub use environment::{Dotenv, Environment};
pub use export::{ExportPlace, export_place};
pub use files::preflight;
pub use load::{Loaded, Plugins, SIZE_LIMIT, load, load_recorded, load_text};
pub use schema::json_schema;
pub use secrets::KEY_VARIABLE;
pub use settings::{Settings, Synchronous};
pub use signing::{BadKeyFile, SIGNING_KEY_FILE_VARIABLE, SIGNING_KEY_VARIABLE, Signing, read_key_file};
