//! Makes plugins of options and drives them, for the tests beside.

use std::path::Path;
use std::sync::Arc;

use elspeth_canonical::HashVersion;
use elspeth_contracts::{EpochNo, ErrorReason, FailureKind, RowIndex, RunId, TokenKey};
use elspeth_plugin::{
    BatchContext, BatchOutput, BatchTransform, OptionError, RawRecord, ReadProgress, Sink, SinkContext,
    SinkError, SinkRow, Source, SourceError, SourceItem, Transform, TransformContext, TransformOutput,
    Written,
};
use elspeth_plugins::builtin;
use elspeth_value::{Contract, FieldResolution, Row, Shape, Value};
use serde_json::Value as Json;

pub(crate) fn run_id() -> RunId {
    "01JZ8Q4Z8N5X2V7K3M9T0B6C1D".parse().unwrap()
}

pub(crate) fn source(name: &str, options: &Json) -> Box<dyn Source> {
    builtin().source(name).unwrap()(options).unwrap_or_else(|e| panic!("{options}: {e:?}"))
}

pub(crate) fn transform(name: &str, options: &Json) -> Arc<dyn Transform> {
    builtin().transform(name).unwrap()(options).unwrap_or_else(|e| panic!("{options}: {e:?}"))
}

pub(crate) fn aggregation(name: &str, options: &Json) -> Arc<dyn BatchTransform> {
    builtin().aggregation(name).unwrap()(options).unwrap_or_else(|e| panic!("{options}: {e:?}"))
}

pub(crate) fn sink(name: &str, options: &Json) -> Box<dyn Sink> {
    builtin().sink(name).unwrap()(options).unwrap_or_else(|e| panic!("{options}: {e:?}"))
}

/// The errors of options that are refused, as `path: message (help)`.
pub(crate) fn refused(kind: &str, name: &str, options: &Json) -> Vec<String> {
    let errors: Vec<OptionError> = match kind {
        "source" => builtin().source(name).unwrap()(options).err(),
        "transform" => builtin().transform(name).unwrap()(options).err(),
        "aggregation" => builtin().aggregation(name).unwrap()(options).err(),
        _ => builtin().sink(name).unwrap()(options).err(),
    }
    .unwrap_or_else(|| panic!("{options} was taken"));
    errors
        .iter()
        .map(|e| format!("{}: {} ({})", e.path, e.message, e.help.as_deref().unwrap_or("no help")))
        .collect()
}

pub(crate) fn row(fields: &[(&str, Value)]) -> Row {
    Row::new(
        Shape::new(fields.iter().map(|(name, _)| (*name).into())),
        fields.iter().map(|(_, value)| value.clone()).collect(),
    )
}

/// What goes out, or every option because of which nothing can: `path: message`.
pub(crate) fn told(output: Result<Contract, Vec<OptionError>>) -> Result<Contract, Vec<String>> {
    output.map_err(|errors| errors.iter().map(|e| format!("{}: {}", e.path, e.message)).collect())
}

pub(crate) fn text(text: &str) -> Value {
    Value::Str(text.into())
}

/// What a row holds, as JSON text in the order of its fields.
pub(crate) fn shown(row: &Row) -> String {
    let mut out = Vec::new();
    Value::Map(row.shape().names().iter().cloned().zip(row.values().iter().cloned()).collect())
        .write_json(&mut out);
    String::from_utf8(out).unwrap()
}

/// All items; opening errors are given back.
pub(crate) fn try_read(name: &str, options: &Json) -> Result<Vec<SourceItem>, SourceError> {
    let mut source = source(name, options);
    source.open(HashVersion::default(), None)?;
    let mut items = Vec::new();
    while source.read(100, &mut items)? == ReadProgress::More {}
    Ok(items)
}

/// All items in a short form: the row as JSON, or `line kind: message | raw`.
pub(crate) fn read(name: &str, options: &Json) -> Vec<String> {
    let items = try_read(name, options).unwrap_or_else(|e| panic!("{options}: {e}"));
    items.iter().map(item).collect()
}

fn item(item: &SourceItem) -> String {
    match item {
        SourceItem::Valid(row) => shown(row),
        SourceItem::Invalid(invalid) => {
            let raw = match &invalid.raw {
                RawRecord::Fields(row) => shown(row),
                RawRecord::Opaque(value) => {
                    let mut out = Vec::new();
                    value.write_json(&mut out);
                    String::from_utf8(out).unwrap()
                }
            };
            let reason = &invalid.reason;
            let kind = match reason.kind {
                FailureKind::SchemaViolation => format!("schema {}", reason.field.as_deref().unwrap_or("?")),
                FailureKind::MalformedRecord => "malformed".to_owned(),
                other => panic!("sources do not fail by {other}"),
            };
            format!(
                "{} {kind}: {} | {raw}",
                reason.line.expect("every refusal names its line"),
                reason.message
            )
        }
    }
}

/// What a transform makes of a row: the row as JSON (behind `=` when it came back unchanged), or the reason.
pub(crate) fn process(transform: &dyn Transform, row: Row) -> Result<String, ErrorReason> {
    let token = TokenKey::of_row(RowIndex::new(0).unwrap(), 0).unwrap();
    let context = TransformContext { run_id: run_id(), token, node: "test", attempt: 0 };
    Ok(match transform.process(row, &context)? {
        TransformOutput::Unchanged(row) => format!("= {}", shown(&row)),
        TransformOutput::One(row) => shown(&row),
        TransformOutput::Many(rows) => rows.iter().map(shown).collect::<Vec<_>>().join(" + "),
    })
}

#[derive(Default)]
struct Flushed(Vec<String>);

impl BatchOutput for Flushed {
    fn emit(&mut self, row: Row) {
        self.0.push(shown(&row));
    }

    fn quarantine(&mut self, member: u64, reason: ErrorReason) {
        self.0.push(format!("{member} {}: {}", reason.kind, reason.message));
    }
}

/// What becomes of a batch: outputs as JSON and `member kind: reason`, in the order in which they were given.
pub(crate) fn flush(plugin: &dyn BatchTransform, members: &[Row]) -> Result<Vec<String>, ErrorReason> {
    let context = BatchContext { run_id: run_id(), batch_no: 0, node: "test", attempt: 0 };
    let mut flushed = Flushed::default();
    plugin.process(&mut members.iter().cloned(), &context, &mut flushed)?;
    Ok(flushed.0)
}

/// For a run whose source had these headers.
pub(crate) fn context(headers: &[(&str, &str)]) -> SinkContext {
    let fields = headers.iter().map(|(header, field)| ((*header).to_owned(), (*field).into())).collect();
    SinkContext {
        run_id: run_id(),
        sink: "out".to_owned(),
        hash_version: HashVersion::default(),
        field_resolution: FieldResolution { fields, grown: Vec::new() }.into(),
    }
}

/// Writes rows as one epoch.
pub(crate) fn write(sink: &mut dyn Sink, rows: &[Row]) -> Result<Written, SinkError> {
    let token_id = run_id().token_id(TokenKey::of_row(RowIndex::new(0).unwrap(), 0).unwrap());
    let rows: Vec<_> =
        rows.iter().map(|row| SinkRow { token_id, source_row: RowIndex::default(), row }).collect();
    sink.write(EpochNo(0), &rows)
}

/// A whole run of a sink: each epoch's rows, then publishing; gives the file's bytes and the reasons of refusals.
pub(crate) fn output(name: &str, options: &Json, epochs: &[Vec<Row>]) -> (Vec<u8>, Vec<String>) {
    let mut sink = sink(name, options);
    sink.preflight().unwrap();
    sink.open(&context(&[("The Id", "id")]), None).unwrap();
    let mut reasons = Vec::new();
    for rows in epochs {
        let written = write(sink.as_mut(), rows).unwrap();
        reasons.extend(
            written
                .refused
                .into_iter()
                .map(|refusal| format!("{}: {}", refusal.index, refusal.reason.message)),
        );
    }
    let produced = sink.publish().unwrap().unwrap();
    (std::fs::read(Path::new(&produced.path)).unwrap(), reasons)
}
