//! The `csv` sink.
//!
//! Columns are the schema's, then other fields in the order in which the rows of the first epoch have them; they are
//! fixed from then on, since the header line is written. A later row with a field that has no column is refused.
//!
//! `mode: append` keeps what the file holds: the run works on a copy and the longer file takes its place when the run
//! completes, so that a run that fails leaves the file as it was. Its header line decides the columns.

use std::path::PathBuf;
use std::sync::Arc;

use compact_str::CompactString;
use elspeth_contracts::{Determinism, EpochNo, ErrorReason, FailureKind};
use elspeth_plugin::{
    OptionError, PluginInfo, PluginKind, Produced, Refusal, Sink, SinkContext, SinkError, SinkPosition,
    SinkRow, Target, Written, parse_options,
};
use elspeth_value::{Contract, Row, SchemaMode, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::csv_existing::{Existing, read_existing};
use super::csv_text::CsvText;
use super::folders::check_target;
use super::headers::{Headers, HeadersOption};
use super::staged_file::{Beginning, Stage, StagedFile, StagedPosition};
use super::{WriteMode, check_row, output_path, parse_position, unopened};
use crate::delimiter::parse_delimiter;
use crate::schema_option::{SchemaOption, options_schema};
use crate::text_encoding::TextEncoding;

/// Options of the `csv` sink.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CsvSinkOptions {
    /// The file to write. Folders that do not exist are created.
    path: String,
    /// Its fields are the first columns; with `validate_input`, rows must meet it.
    #[serde(default)]
    schema: SchemaOption,
    /// The character between fields; `"\t"` for a tab.
    #[serde(default = "comma")]
    delimiter: String,
    /// The file's text encoding.
    #[serde(default = "utf8")]
    encoding: String,
    /// `write` replaces a file that exists when the run completes, `append` adds to it.
    #[serde(default)]
    mode: WriteMode,
    /// How the columns are called.
    #[serde(default)]
    headers: HeadersOption,
    /// Whether each row is checked against `schema`, and refused when it does not meet it.
    #[serde(default)]
    validate_input: bool,
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
        kind: PluginKind::Sink,
        name: "csv",
        version: "1.0.0",
        determinism: Determinism::IoWrite,
        summary: "Writes rows to a CSV file, which appears under its name when the run completes.",
        options_schema: options_schema::<CsvSinkOptions>(),
        example: "sinks:\n  approved:\n    plugin: csv\n    on_write_failure: discard\n    options:\n      path: output/approved.csv\n      schema: {mode: observed}\n",
        resumable: true,
        idempotent: true,
    }
}

/// Makes one of its options.
pub(crate) fn make(options: &serde_json::Value) -> Result<Box<dyn Sink>, Vec<OptionError>> {
    let options: CsvSinkOptions = parse_options(options).map_err(|e| vec![e])?;
    let mut errors = Vec::new();
    let mut note = |e: OptionError| errors.push(e);
    let path = output_path(&options.path).map_err(&mut note);
    let contract = options.schema.contract().map_err(&mut note);
    let delimiter = parse_delimiter(&options.delimiter).map_err(&mut note);
    let encoding = TextEncoding::of_label(&options.encoding).map_err(&mut note);
    let checked = options.headers.check().map_err(&mut note);
    let (Ok(path), Ok(contract), Ok(delimiter), Ok(encoding), Ok(())) =
        (path, contract, delimiter, encoding, checked)
    else {
        return Err(errors);
    };
    let settings = Settings {
        path,
        contract,
        delimiter,
        encoding,
        mode: options.mode,
        headers: options.headers,
        validates: options.validate_input,
    };
    Ok(Box::new(CsvSink { settings, open: None }))
}

/// Its checked options.
#[derive(Debug)]
struct Settings {
    path: PathBuf,
    contract: Contract,
    delimiter: u8,
    encoding: TextEncoding,
    mode: WriteMode,
    headers: HeadersOption,
    validates: bool,
}

struct CsvSink {
    settings: Settings,
    open: Option<Output>,
}

/// An opened file.
struct Output {
    file: StagedFile,
    headers: Headers,
    columns: Option<Vec<CompactString>>,
    rows: u64,
    /// Whether the file's own last line lacks its end.
    open_line: bool,
    text: CsvText,
    slots: Slots,
}

/// Where one shape of rows has the columns.
#[derive(Default)]
struct Slots {
    shape: Option<Arc<Shape>>,
    of_column: Vec<Option<usize>>,
    /// A field for which there is no column.
    homeless: Option<CompactString>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Position {
    file: StagedPosition,
    rows: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    columns: Option<Vec<CompactString>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    open_line: bool,
}

impl Sink for CsvSink {
    fn contract(&self) -> Contract {
        self.settings.contract.clone()
    }

    fn targets(&self) -> Vec<Target> {
        vec![Target { path: self.settings.path.clone(), appends: self.settings.mode == WriteMode::Append }]
    }

    fn preflight(&self) -> Result<(), SinkError> {
        check_target(&self.settings.path)?;
        // Headers of the source are not known yet; the comparison with those comes on opening.
        match self.settings.headers {
            HeadersOption::Original => Ok(()),
            HeadersOption::Normalized | HeadersOption::Custom(_) => {
                self.settings.existing(&self.settings.headers.resolve(&Default::default())).map(|_| ())
            }
        }
    }

    fn open(&mut self, context: &SinkContext, position: Option<&SinkPosition>) -> Result<(), SinkError> {
        let stage =
            Stage { target: &self.settings.path, run_id: context.run_id, version: context.hash_version };
        let headers = self.settings.headers.resolve(&context.field_resolution);
        self.open = Some(match position {
            None => self.settings.start(stage, headers)?,
            Some(position) => self.settings.proceed(stage, headers, position)?,
        });
        Ok(())
    }

    fn write(&mut self, _epoch: EpochNo, rows: &[SinkRow<'_>]) -> Result<Written, SinkError> {
        let output = self.open.as_mut().ok_or_else(|| unopened("csv"))?;
        output.write(&self.settings, rows)
    }

    fn publish(&mut self) -> Result<Option<Produced>, SinkError> {
        let output = self.open.as_mut().ok_or_else(|| unopened("csv"))?;
        output.file.publish()?;
        Ok(Some(output.file.produced(output.rows)))
    }
}

impl Settings {
    fn start(&self, stage: Stage<'_>, headers: Headers) -> Result<Output, SinkError> {
        let existing = self.existing(&headers)?;
        let beginning = if existing.is_some() { Beginning::CopyOfTarget } else { Beginning::Empty };
        let mut file = StagedFile::create(stage, beginning)?;
        let (columns, open_line) = match existing {
            Some(existing) => (Some(existing.columns), file.lacks_line_end(&self.line_end())?),
            None => {
                file.commit(&self.early_header(&headers, None)?, 0)?;
                (None, false)
            }
        };
        Ok(self.output(
            file,
            headers,
            Position { file: StagedPosition::default(), rows: 0, columns, open_line },
        ))
    }

    fn proceed(
        &self,
        stage: Stage<'_>,
        headers: Headers,
        position: &SinkPosition,
    ) -> Result<Output, SinkError> {
        let position: Position = parse_position(position)?;
        let tail = self.early_header(&headers, position.columns.as_ref())?;
        let file = StagedFile::reopen(stage, &position.file, &tail)?;
        Ok(self.output(file, headers, position))
    }

    fn output(&self, file: StagedFile, headers: Headers, at: Position) -> Output {
        let text = CsvText::new(self.delimiter);
        let Position { rows, columns, open_line, .. } = at;
        Output { file, headers, columns, rows, open_line, text, slots: Slots::default() }
    }

    /// What the file to append to holds; nothing when there is none, or an empty one.
    fn existing(&self, headers: &Headers) -> Result<Option<Existing>, SinkError> {
        match self.mode {
            WriteMode::Write => Ok(None),
            WriteMode::Append => {
                let Some(existing) = read_existing(&self.path, self.encoding, self.delimiter)? else {
                    return Ok(None);
                };
                existing.with_columns_of(headers, &self.contract).map(Some)
            }
        }
    }

    /// The header line as it would be if no row came: the file's tail as long as none has come.
    fn early_header(
        &self,
        headers: &Headers,
        columns: Option<&Vec<CompactString>>,
    ) -> Result<Vec<u8>, SinkError> {
        if columns.is_some() || self.contract.fields.is_empty() {
            return Ok(Vec::new());
        }
        let columns: Vec<_> = self.contract.fields.iter().map(|f| f.name.clone()).collect();
        let mut bytes = Vec::new();
        self.write_header(&mut bytes, headers, &columns)?;
        Ok(bytes)
    }

    /// Appends byte order mark and header line.
    fn write_header(
        &self,
        out: &mut Vec<u8>,
        headers: &Headers,
        columns: &[CompactString],
    ) -> Result<(), SinkError> {
        if let Some((one, other, header)) = headers.clash(columns.iter().map(CompactString::as_str)) {
            let message = format!(
                "cannot write `{}`: its columns `{one}` and `{other}` would both be called `{header}`",
                self.path.display()
            );
            return Err(SinkError::new(message).with_help("give them different names in `headers`"));
        }
        let mut line = Vec::new();
        let names = columns.iter().map(|column| headers.of(column));
        CsvText::new(self.delimiter).write_header(&mut line, names);
        out.extend_from_slice(self.encoding.mark());
        self.encode(&line, out).map_err(|character| {
            let (path, encoding) = (self.path.display(), self.encoding.name());
            SinkError::new(format!("cannot write the header of `{path}`: {encoding} has no `{character}`"))
                .with_help("use `encoding: utf-8`, or other names in `headers`")
        })
    }

    fn check(&self, row: &Row) -> Result<(), ErrorReason> {
        if self.validates { check_row(&self.contract, row) } else { Ok(()) }
    }

    fn line_end(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode(b"\n", &mut bytes).expect("every encoding has line ends");
        bytes
    }

    fn encode(&self, line: &[u8], out: &mut Vec<u8>) -> Result<(), char> {
        let line = std::str::from_utf8(line).expect("lines are made of text and ASCII");
        self.encoding.encode(line, out)
    }
}

impl Output {
    fn write(&mut self, settings: &Settings, rows: &[SinkRow<'_>]) -> Result<Written, SinkError> {
        let mut bytes = Vec::with_capacity(rows.len() * 64);
        let mut refused = Vec::new();
        let columns = match self.columns.take() {
            Some(columns) => columns,
            None => {
                let columns = columns_of(&settings.contract, rows);
                settings.write_header(&mut bytes, &self.headers, &columns)?;
                columns
            }
        };
        let mut line = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            match self.format(settings, &columns, row.row, &mut line) {
                Err(reason) => refused.push(Refusal { index, reason }),
                Ok(()) => {
                    if std::mem::take(&mut self.open_line) {
                        bytes.extend(settings.line_end());
                    }
                    append_line(settings, &line, &mut bytes, row.row)
                        .unwrap_or_else(|reason| refused.push(Refusal { index, reason }));
                }
            }
        }
        self.columns = Some(columns);
        self.file.commit(&bytes, bytes.len())?;
        self.rows += (rows.len() - refused.len()) as u64;
        Ok(Written { refused, position: self.position(), produced: Some(self.file.produced(self.rows)) })
    }

    /// Puts the row's line, as UTF-8, into `line`.
    fn format(
        &mut self,
        settings: &Settings,
        columns: &[CompactString],
        row: &Row,
        line: &mut Vec<u8>,
    ) -> Result<(), ErrorReason> {
        settings.check(row)?;
        self.slots.look_at(row.shape(), columns);
        if let Some(field) = &self.slots.homeless {
            let message = format!(
                "there is no column for the field `{field}` in `{}`: its header line is written; name the field in the sink's schema to have the column from the start",
                settings.path.display()
            );
            return Err(ErrorReason::new(FailureKind::SinkRefused, message).on_field(field.as_str()));
        }
        line.clear();
        let values = row.values();
        self.text.write_line(line, self.slots.of_column.iter().map(|slot| slot.map(|slot| &values[slot])));
        Ok(())
    }

    fn position(&self) -> SinkPosition {
        let position = Position {
            file: self.file.position(),
            rows: self.rows,
            columns: self.columns.clone(),
            open_line: self.open_line,
        };
        SinkPosition(serde_json::to_value(position).expect("text, numbers and lists are JSON"))
    }
}

fn append_line(settings: &Settings, line: &[u8], bytes: &mut Vec<u8>, row: &Row) -> Result<(), ErrorReason> {
    settings.encode(line, bytes).map_err(|character| {
        let names = row.shape().names().iter().zip(row.values());
        let holds = |value: &elspeth_value::Value| matches!(value, elspeth_value::Value::Str(s) if s.contains(character));
        let field = names.filter(|(_, value)| holds(value)).map(|(name, _)| name.as_str()).next();
        let message = format!("{} has no character `{character}`", settings.encoding.name());
        let reason = ErrorReason::new(FailureKind::SinkRefused, message);
        field.map_or(reason.clone(), |field| reason.on_field(field))
    })
}

/// The schema's fields, then the others in the order in which the rows have them.
fn columns_of(contract: &Contract, rows: &[SinkRow<'_>]) -> Vec<CompactString> {
    let mut columns: Vec<_> = contract.fields.iter().map(|f| f.name.clone()).collect();
    if contract.mode == SchemaMode::Fixed {
        return columns;
    }
    let mut last: Option<&Arc<Shape>> = None;
    for row in rows {
        let shape = row.row.shape();
        if last.is_some_and(|last| Arc::ptr_eq(last, shape)) {
            continue;
        }
        last = Some(shape);
        for name in shape.names() {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
    }
    columns
}

impl Slots {
    fn look_at(&mut self, shape: &Arc<Shape>, columns: &[CompactString]) {
        if self.shape.as_ref().is_some_and(|known| Arc::ptr_eq(known, shape)) {
            return;
        }
        self.of_column = columns.iter().map(|column| shape.slot(column)).collect();
        self.homeless = shape.names().iter().find(|name| !columns.contains(name)).cloned();
        self.shape = Some(Arc::clone(shape));
    }
}
