//! The `csv` source.
//!
//! Records are split strictly ([`super::csv_records`]); whatever is no record, has another number of fields than the
//! header, or does not meet the schema is an invalid item with its line number, and reading goes on. Lines that
//! `skip_rows` names are lines of the file, whatever is in them. Empty lines are no records.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use elspeth_canonical::HashVersion;
use elspeth_contracts::{Determinism, ErrorReason, FailureKind};
use elspeth_plugin::{
    InvalidRecord, OptionError, PluginInfo, PluginKind, RawRecord, ReadProgress, ReadSoFar, Source,
    SourceError, SourceIdentity, SourceItem, SourcePosition, parse_options,
};
use elspeth_value::{Coercer, Contract, FieldResolution, NormaliseError, Row, Shape, Value, resolve_headers};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::border::{Border, violation_reason};
use super::csv_records::{Fields, Record, RecordReader};
use super::lines::step_over_line;
use super::text_input::{TextInput, TextPosition};
use super::{field_mapping_errors, input_path, not_open, parse_position};
use crate::delimiter::parse_delimiter;
use crate::schema_option::{SchemaOption, options_schema};
use crate::text_encoding::TextEncoding;

/// Options of the `csv` source.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CsvSourceOptions {
    /// The file to read.
    path: String,
    /// What rows must look like; text is coerced to the declared types.
    #[serde(default)]
    schema: SchemaOption,
    /// Where invalid records go: a sink's name or `discard`.
    #[serde(default)]
    #[expect(dead_code, reason = "the graph reads it; here it only has to be allowed")]
    on_validation_failure: Option<String>,
    /// The character between fields; `"\t"` for a tab.
    #[serde(default = "comma")]
    delimiter: String,
    /// The file's text encoding.
    #[serde(default = "utf8")]
    encoding: String,
    /// How many lines of the file to skip before the header (or the first record).
    #[serde(default)]
    skip_rows: u64,
    /// The fields of a file without header line.
    #[serde(default)]
    columns: Option<Vec<String>>,
    /// Normalised field name to the name to use instead.
    #[serde(default)]
    field_mapping: BTreeMap<String, String>,
}

fn comma() -> String {
    ",".to_owned()
}

fn utf8() -> String {
    "utf-8".to_owned()
}

/// What the registry knows of it.
pub(crate) fn info() -> PluginInfo {
    PluginInfo {
        kind: PluginKind::Source,
        name: "csv",
        version: "1.0.0",
        determinism: Determinism::IoRead,
        summary: "Reads a CSV file record by record.",
        options_schema: options_schema::<CsvSourceOptions>(),
        example: "source:\n  plugin: csv\n  on_success: rows\n  options:\n    path: input.csv\n    schema: {mode: fixed, fields: [\"id: int\", \"name: str\"]}\n    on_validation_failure: quarantine\n",
        resumable: true,
        idempotent: false,
    }
}

/// Makes one of its options.
pub(crate) fn make(options: &serde_json::Value) -> Result<Box<dyn Source>, Vec<OptionError>> {
    let options: CsvSourceOptions = parse_options(options).map_err(|e| vec![e])?;
    let mut errors = Vec::new();
    let mut note = |e: OptionError| errors.push(e);
    let path = input_path(&options.path).map_err(&mut note);
    let contract = options.schema.source_contract(&options.field_mapping).map_err(&mut note);
    let delimiter = parse_delimiter(&options.delimiter).map_err(&mut note);
    let encoding = TextEncoding::of_label(&options.encoding).map_err(&mut note);
    let wrong_names = field_mapping_errors(&options.field_mapping);
    let none = BTreeMap::new();
    let mapping = if wrong_names.is_empty() { &options.field_mapping } else { &none };
    let columns = options.columns.map(|names| resolve_columns(&names, mapping)).transpose();
    let columns = columns.map_err(&mut note);
    errors.extend(wrong_names);
    let (Ok(path), Ok(contract), Ok(delimiter), Ok(encoding), Ok(columns), true) =
        (path, contract, delimiter, encoding, columns, errors.is_empty())
    else {
        return Err(errors);
    };
    let (skip_rows, field_mapping) = (options.skip_rows, options.field_mapping);
    let settings = Settings {
        path,
        contract,
        delimiter,
        encoding,
        skip_rows,
        columns,
        field_mapping,
        accepts_changes: false,
    };
    Ok(Box::new(CsvSource { settings, open: None }))
}

fn resolve_columns(
    names: &[String],
    mapping: &BTreeMap<String, String>,
) -> Result<FieldResolution, OptionError> {
    if names.is_empty() {
        return Err(OptionError::new("columns", "there are no columns")
            .with_help("name them, or leave `columns` out"));
    }
    resolve_headers(names, mapping).map_err(|e| {
        let path = match e {
            NormaliseError::UnknownMapping(_)
            | NormaliseError::MappingTarget { .. }
            | NormaliseError::SharedTarget { .. } => "field_mapping",
            NormaliseError::Empty { .. } | NormaliseError::Collision(_) => "columns",
        };
        OptionError::new(path, e.to_string())
    })
}

/// Its checked options.
#[derive(Debug)]
struct Settings {
    path: PathBuf,
    contract: Contract,
    delimiter: u8,
    encoding: TextEncoding,
    skip_rows: u64,
    columns: Option<FieldResolution>,
    field_mapping: BTreeMap<String, String>,
    /// Whether what was read before may differ from what was read then.
    accepts_changes: bool,
}

struct CsvSource {
    settings: Settings,
    open: Option<Reading>,
}

/// An opened file.
struct Reading {
    input: TextInput,
    records: RecordReader,
    resolution: FieldResolution,
    coercer: Coercer,
    border: Border,
    encoding: TextEncoding,
    /// Records read so far.
    count: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Position {
    file: TextPosition,
    records: u64,
    headers: Vec<(String, compact_str::CompactString)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    learnt: Option<Contract>,
}

impl Source for CsvSource {
    fn contract(&self) -> Contract {
        self.settings.contract.clone()
    }

    fn paths(&self) -> Vec<PathBuf> {
        vec![self.settings.path.clone()]
    }

    fn open(&mut self, version: HashVersion, position: Option<&SourcePosition>) -> Result<(), SourceError> {
        self.open = Some(match position {
            None => self.settings.start(version)?,
            Some(position) => self.settings.proceed(version, position)?,
        });
        Ok(())
    }

    fn accept_changes(&mut self) {
        self.settings.accepts_changes = true;
    }

    fn read(&mut self, max: usize, items: &mut Vec<SourceItem>) -> Result<ReadProgress, SourceError> {
        let reading = self.open.as_mut().ok_or_else(|| not_open(&self.settings.path))?;
        for _ in 0..max {
            match reading.next()? {
                Some(item) => {
                    items.push(item);
                    if reading.input.may_wait() {
                        break;
                    }
                }
                None => {
                    reading.input.settle();
                    return Ok(ReadProgress::End);
                }
            }
        }
        reading.input.settle();
        Ok(ReadProgress::More)
    }

    fn position(&self) -> SourcePosition {
        let position = self.open.as_ref().map(|reading| Position {
            file: reading.input.position(),
            records: reading.count,
            headers: reading.resolution.fields.clone(),
            learnt: reading.border.learnt().cloned(),
        });
        SourcePosition(serde_json::to_value(position).expect("text, numbers and lists are JSON"))
    }

    fn recall(&self, position: &SourcePosition) -> Option<ReadSoFar> {
        let position: Position = parse_position(position).ok()?;
        Some(position.file.recall(FieldResolution { fields: position.headers, grown: Vec::new() }))
    }

    fn identity(&self) -> SourceIdentity {
        match &self.open {
            Some(reading) => reading.input.identity(),
            None => SourceIdentity {
                location: self.settings.path.display().to_string(),
                size_bytes: None,
                read_bytes: 0,
                content_hash: None,
            },
        }
    }

    fn field_resolution(&self) -> FieldResolution {
        self.open.as_ref().map(|reading| reading.resolution.clone()).unwrap_or_default()
    }
}

impl Settings {
    fn start(&self, version: HashVersion) -> Result<Reading, SourceError> {
        let mut input = TextInput::open(&self.path, self.encoding, version, None)?;
        let mut records = RecordReader::new(self.delimiter);
        skip_lines(&mut input, self.skip_rows)?;
        let resolution = match &self.columns {
            Some(columns) => columns.clone(),
            None => self.read_header(&mut records, &mut input)?,
        };
        input.settle();
        Ok(self.reading(input, resolution, 0, None))
    }

    fn proceed(&self, version: HashVersion, position: &SourcePosition) -> Result<Reading, SourceError> {
        let mut position: Position = parse_position(position)?;
        if self.accepts_changes {
            position.file.content_hash = None;
        }
        let input = TextInput::open(&self.path, self.encoding, version, Some(&position.file))?;
        let resolution = FieldResolution { fields: position.headers, grown: Vec::new() };
        Ok(self.reading(input, resolution, position.records, position.learnt))
    }

    fn reading(
        &self,
        input: TextInput,
        resolution: FieldResolution,
        count: u64,
        learnt: Option<Contract>,
    ) -> Reading {
        let shape = Shape::new(resolution.fields.iter().map(|(_, field)| field.clone()));
        let coercer = Coercer::new(&self.contract, shape);
        let border = Border::new(self.contract.clone(), learnt);
        let records = RecordReader::new(self.delimiter);
        let encoding = input.encoding();
        Reading { input, records, resolution, coercer, border, encoding, count }
    }

    fn read_header(
        &self,
        records: &mut RecordReader,
        input: &mut TextInput,
    ) -> Result<FieldResolution, SourceError> {
        let (path, encoding) = (self.path.display(), input.encoding());
        let Some(record) = records.next(input)? else {
            return Err(SourceError::new(format!("`{path}` has no header line: it is empty"))
                .with_help("put the field names into its first line, or name them in `columns`"));
        };
        let line = record.line;
        let at = |what: &str| {
            SourceError::new(format!("the header of `{path}` (line {line}) cannot be used: {what}"))
        };
        let fields = record.fields.map_err(|fault| at(&fault.message(encoding, record.raw)))?;
        let headers: Vec<String> = fields.iter().map(str::to_owned).collect();
        resolve_headers(&headers, &self.field_mapping).map_err(|e| {
            let help = match e {
                NormaliseError::Empty { .. } => {
                    "name every column, or give all names in `columns` and skip the line"
                }
                NormaliseError::Collision(_) => {
                    "give the columns different names, or give all names in `columns` and skip the line"
                }
                NormaliseError::UnknownMapping(_) => {
                    "use the normalised names of the header on the left side"
                }
                NormaliseError::MappingTarget { .. } | NormaliseError::SharedTarget { .. } => {
                    "give the field another name on the right side"
                }
            };
            at(&e.to_string()).with_help(help)
        })
    }
}

impl Reading {
    fn next(&mut self) -> Result<Option<SourceItem>, SourceError> {
        let Some(record) = self.records.next(&mut self.input)? else { return Ok(None) };
        self.count += 1;
        Ok(Some(match record.fields {
            Err(fault) => malformed(self.encoding, &record, fault.message(self.encoding, record.raw)),
            Ok(fields) if fields.len() != self.coercer.shape().names().len() => {
                let (expected, found) = (self.coercer.shape().names().len(), fields.len());
                malformed(
                    self.encoding,
                    &record,
                    format!("the record has {found} fields, but the header has {expected}"),
                )
            }
            Ok(fields) => match self.coercer.text_record(fields.iter()) {
                Ok(row) => {
                    self.border.learn(&row);
                    SourceItem::Valid(row)
                }
                Err(violation) => SourceItem::Invalid(InvalidRecord {
                    raw: RawRecord::Fields(raw_row(self.coercer.shape(), fields)),
                    reason: violation_reason(&violation, record.line),
                }),
            },
        }))
    }
}

/// The cells as text, for the record of a refused one.
fn raw_row(shape: &Arc<Shape>, fields: Fields<'_>) -> Row {
    Row::new(Arc::clone(shape), fields.iter().map(|cell| Value::Str(cell.into())).collect())
}

fn malformed(encoding: TextEncoding, record: &Record<'_>, message: String) -> SourceItem {
    SourceItem::Invalid(InvalidRecord {
        raw: RawRecord::Opaque(encoding.recorded(record.raw)),
        reason: ErrorReason::new(FailureKind::MalformedRecord, message).at_line(record.line),
    })
}

fn skip_lines(input: &mut TextInput, lines: u64) -> Result<(), SourceError> {
    for _ in 0..lines {
        if step_over_line(input)?.is_none() {
            break;
        }
    }
    Ok(())
}
