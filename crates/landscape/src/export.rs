//! The whole record of a run outside of its database: one line for each record, for whoever wants to keep it, to read it with
//! other tools, to verify it elsewhere, or to put it into another database.
//!
//! - [`Line`] is one record, [`Kind`] what it is about; both forms, lines of JSON and cells of CSV files, are made of the same
//!   table of fields, so that neither can forget a column.
//! - [`stream`] gives every line of a run from an [`ExportScan`] to a [`LineSink`]; [`ExportFiles`] is the sink that writes
//!   files and their [`Manifest`], [`Export`] reads them again.
//! - [`ProvFile`] and [`openlineage`] tell of a run in the words of others, W3C PROV and OpenLineage. Nothing reads them again.
//!
//! Invariant: what was exported and is read again is the same record, with the same roots. Line and manifest formats are
//! described in `docs/export.md`.

mod attest;
mod error;
mod field;
mod files;
mod half;
mod line;
mod loaded;
mod manifest;
mod note;
mod object;
mod one;
mod openlineage;
mod prov;
mod read;
mod records;
mod source;
mod stream;
mod target;

pub use attest::{Attestation, attest};
pub use error::ExportError;
pub use field::{Atom, Bytes, token_text};
pub use files::{ExportFiles, describe};
pub(crate) use half::{Half, Halves};
pub use line::{Kind, Line};
pub use loaded::{Loaded, Voucher};
pub use manifest::{FORMAT, Form, Manifest, ManifestExport, ManifestFile, ManifestRun, ReadLines};
pub use note::{NOTE, sign};
pub use one::{one_file, unused, write_new};
pub use openlineage::openlineage;
pub use prov::ProvFile;
pub use read::{Export, LineError};
pub use records::{
    ArtifactLine, BodiesLine, CheckpointLine, EpochLine, OperationLine, OutcomeLine, PayloadLine,
    PurgeFileLine, PurgeLine, RegistryLine, ResumptionLine, RunLine, SinkIntentLine, SinkPositionLine,
    TokenLine,
};
pub use source::{ExportScan, ImportEnd, RecordImport};
pub use stream::{BodiesChoice, Counts, LineSink, stream};
pub use target::Target;
