//! Settings files: parsing with positions, validation, JSON Schema.

mod database_url;
mod diagnostic;
mod environment;
mod files;
mod finding;
mod load;
mod marks;
mod schema;
mod secrets;
pub mod settings;
mod unavailable;
mod variables;
mod yaml;

pub use database_url::{DatabaseUrl, DatabaseUrlError};
pub use diagnostic::{Diagnostic, SourceText, TextSpan};
pub use environment::{Dotenv, Environment};
pub use files::preflight;
pub use load::{Loaded, Plugins, SIZE_LIMIT, load, load_text};
pub use schema::json_schema;
pub use secrets::KEY_VARIABLE;
pub use settings::Settings;
