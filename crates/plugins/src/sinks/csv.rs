//! The `csv` sink.
//!
//! Columns are the schema's, then other fields in the order in which rows first have them. Rows are staged with the
//! columns known by then; when later rows have brought further ones, publishing writes the file once more, with the whole
//! header line and the earlier records padded by empty cells. Until then, the hash and size that a write reports are those
//! of the staged bytes. So the file depends on the rows and their order alone, not on how they are cut into epochs.
//! A schema of mode `fixed` allows no further columns: rows with other fields are refused.
//!
//! `mode: append` keeps what the file holds: the run works on a copy and the longer file takes its place when the run
//! completes, so that a run that fails leaves the file as it was. Its header line decides the columns, and rows with
//! other fields are refused. A file that is missing or empty is written as by `mode: write`.

use std::path::PathBuf;
use std::sync::Arc;

use compact_str::CompactString;
use elspeth_contracts::{Determinism, EpochNo, ErrorReason, FailureKind};
use elspeth_plugin::{
    OptionError, PluginInfo, PluginKind, Produced, Refusal, Sink, SinkContext, SinkError, SinkPosition,
    SinkRow, Target, Written, parse_options,
};
use elspeth_value::{Contract, FieldResolution, Row, SchemaMode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::csv_columns::{Columns, Growth, Width};
use super::csv_existing::{Existing, check_last_record, read_existing};
use super::csv_padding::Padding;
use super::csv_text::{CsvText, encode_line};
use super::headers::{Headers, HeadersOption, HeadersPosition};
use super::staged_file::{Beginning, Form, Stage, StagedFile, StagedPosition, check_staging};
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
    // Rows with other fields are refused.
    let only = contract.as_ref().ok().filter(|contract| contract.mode == SchemaMode::Fixed);
    let checked = options.headers.check(only).map_err(&mut note);
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
    columns: Columns,
    rows: u64,
    /// Whether the file's own last line lacks its end.
    open_line: bool,
    text: CsvText,
    line: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Position {
    file: StagedPosition,
    rows: u64,
    /// Nothing before the first record, with which the header line is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    columns: Option<Vec<CompactString>>,
    /// Which records have fewer columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    grown: Vec<Growth>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    open_line: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    headers: Option<HeadersPosition>,
}

impl Sink for CsvSink {
    fn contract(&self) -> Contract {
        self.settings.contract.clone()
    }

    fn targets(&self) -> Vec<Target> {
        let appends = self.settings.mode == WriteMode::Append;
        vec![Target { path: self.settings.path.clone(), appends, table: None }]
    }

    fn preflight(&self) -> Result<(), SinkError> {
        // Columns may come with later rows.
        check_staging(&self.settings.path, Form::Rewritten)?;
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

    fn learn(&mut self, resolution: &Arc<FieldResolution>) {
        if let Some(output) = &mut self.open {
            output.headers.learn(resolution);
        }
    }

    fn write(&mut self, _epoch: EpochNo, rows: &[SinkRow<'_>]) -> Result<Written, SinkError> {
        let output = self.open.as_mut().ok_or_else(|| unopened("csv"))?;
        output.write(&self.settings, rows)
    }

    fn takes_parts(&self) -> bool {
        true
    }

    fn publish(&mut self) -> Result<Option<Produced>, SinkError> {
        let output = self.open.as_mut().ok_or_else(|| unopened("csv"))?;
        output.publish(&self.settings)?;
        Ok(Some(output.file.produced(output.rows)))
    }
}

impl Settings {
    fn start(&self, stage: Stage<'_>, headers: Headers) -> Result<Output, SinkError> {
        let existing = self.existing(&headers)?;
        if existing.is_some() {
            check_last_record(&self.path, self.encoding, self.delimiter)?;
        }
        let beginning = if existing.is_some() { Beginning::CopyOfTarget } else { Beginning::Empty };
        let mut file = StagedFile::create(stage, beginning)?;
        let (columns, open_line) = match existing {
            Some(existing) => (Some(existing.columns), file.lacks_line_end(&self.line_end())?),
            None => {
                file.commit(&self.early_header(&headers)?, 0)?;
                (None, false)
            }
        };
        let grown = Vec::new();
        let at = Position { file: file.position(), rows: 0, columns, grown, open_line, headers: None };
        Ok(self.output(file, headers, at))
    }

    fn proceed(
        &self,
        stage: Stage<'_>,
        headers: Headers,
        position: &SinkPosition,
    ) -> Result<Output, SinkError> {
        let mut at: Position = parse_position(position)?;
        // Before a row there is the header line of the beginning.
        let early = self.early_header(&headers);
        let headers = headers.at(at.headers.take());
        let file = match &at.columns {
            None => StagedFile::reopen(stage, &at.file, &early?)?,
            Some(columns) => match self.padding(&headers, columns, &at.grown)? {
                None => StagedFile::reopen(stage, &at.file, &[])?,
                Some(padding) => StagedFile::reopen_rewritten(stage, &at.file, &padding)?,
            },
        };
        Ok(self.output(file, headers, at))
    }

    fn output(&self, file: StagedFile, headers: Headers, at: Position) -> Output {
        let width = match (&at.file.base, self.contract.mode) {
            (Some(_), _) => Width::OfFile,
            (None, SchemaMode::Fixed) => Width::OfSchema,
            (None, SchemaMode::Flexible | SchemaMode::Observed) => Width::Grows,
        };
        let columns = match at.columns {
            Some(names) => Columns::begun(names, width, at.grown),
            None => Columns::before_the_first(self.schema_columns(), width),
        };
        let text = CsvText::new(self.delimiter);
        Output { file, headers, columns, rows: at.rows, open_line: at.open_line, text, line: Vec::new() }
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
    fn early_header(&self, headers: &Headers) -> Result<Vec<u8>, SinkError> {
        let columns: Vec<_> = self.schema_columns().collect();
        if columns.is_empty() { Ok(Vec::new()) } else { self.header(headers, &columns) }
    }

    fn schema_columns(&self) -> impl Iterator<Item = CompactString> {
        self.contract.fields.iter().map(|f| f.name.clone())
    }

    /// Byte order mark and header line.
    fn header(&self, headers: &Headers, columns: &[CompactString]) -> Result<Vec<u8>, SinkError> {
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
        let mut bytes = self.encoding.mark().to_vec();
        self.encode(&line, &mut bytes).map_err(|character| {
            let (path, encoding) = (self.path.display(), self.encoding.name());
            SinkError::new(format!("cannot write the header of `{path}`: {encoding} has no `{character}`"))
                .with_help("use `encoding: utf-8`, or other names in `headers`")
        })?;
        Ok(bytes)
    }

    /// How earlier records become as long as the last; nothing when all are.
    fn padding(
        &self,
        headers: &Headers,
        columns: &[CompactString],
        grown: &[Growth],
    ) -> Result<Option<Padding>, SinkError> {
        let Some(first) = grown.first() else { return Ok(None) };
        let first_columns = columns.get(..first.columns).ok_or_else(|| {
            SinkError::new("the sink's recorded position has more columns at first than later")
        })?;
        Ok(Some(Padding {
            encoding: self.encoding,
            delimiter: self.delimiter,
            short_header: self.header(headers, first_columns)?,
            long_header: self.header(headers, columns)?,
            columns: columns.len(),
            grown: grown.to_vec(),
        }))
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
        encode_line(self.encoding, line, out)
    }
}

impl Output {
    fn write(&mut self, settings: &Settings, rows: &[SinkRow<'_>]) -> Result<Written, SinkError> {
        let mut bytes = Vec::with_capacity(rows.len() * 64);
        let mut refused = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            self.headers.advance(row.source_row);
            let before = self.columns.len();
            match self.add(settings, row.row, &mut bytes) {
                Ok(()) => {
                    let first_new = if self.columns.are_begun() { before } else { 0 };
                    self.headers.keep(self.columns.from(first_new));
                    self.columns.keep(before, self.rows);
                    self.rows += 1;
                }
                Err(reason) => {
                    self.columns.back_to(before);
                    refused.push(Refusal { index, reason });
                }
            }
        }
        // The early header stays when there is nothing to follow it.
        if !bytes.is_empty() {
            self.file.commit(&bytes, bytes.len())?;
        }
        Ok(Written { refused, position: self.position(), produced: Some(self.file.produced(self.rows)) })
    }

    /// Appends the row's record, behind the header line if it is the first.
    fn add(&mut self, settings: &Settings, row: &Row, bytes: &mut Vec<u8>) -> Result<(), ErrorReason> {
        settings.check(row)?;
        let header = self.make_room(settings, row)?;
        let (values, start) = (row.values(), bytes.len());
        self.line.clear();
        self.text.write_line(
            &mut self.line,
            self.columns.slots().iter().map(|slot| slot.map(|slot| &values[slot])),
        );
        bytes.extend(header);
        if self.open_line {
            bytes.extend(settings.line_end());
        }
        append_line(settings, &self.line, bytes, row).inspect_err(|_| bytes.truncate(start))?;
        self.open_line = false;
        Ok(())
    }

    /// Sees to it that all fields of the row have a column; gives the header line if it must be written now.
    fn make_room(&mut self, settings: &Settings, row: &Row) -> Result<Vec<u8>, ErrorReason> {
        let before = self.columns.len();
        self.columns.recognise(row.shape(), |field| self.headers.of(field));
        self.columns.fit(row.shape()).map_err(|(field, why)| {
            let path = settings.path.display();
            let message = format!("there is no column for the field `{field}` in `{path}`: {why}");
            ErrorReason::new(FailureKind::SinkRefused, message).on_field(field.as_str())
        })?;
        let is_begun = self.columns.are_begun();
        if is_begun && self.columns.len() == before {
            return Ok(Vec::new());
        }
        let header = settings.header(&self.headers, &self.columns.names()).map_err(|e| {
            let help = e.help.map(|help| format!("; {help}")).unwrap_or_default();
            ErrorReason::new(FailureKind::SinkRefused, format!("{}{help}", e.message))
        })?;
        Ok(if is_begun { Vec::new() } else { header })
    }

    fn publish(&mut self, settings: &Settings) -> Result<(), SinkError> {
        match settings.padding(&self.headers, &self.columns.names(), self.columns.grown())? {
            None => self.file.publish(),
            Some(padding) => self.file.publish_rewritten(&padding),
        }
    }

    fn position(&self) -> SinkPosition {
        let position = Position {
            file: self.file.position(),
            rows: self.rows,
            columns: self.columns.are_begun().then(|| self.columns.names()),
            grown: self.columns.grown().to_vec(),
            open_line: self.open_line,
            headers: self.headers.position(),
        };
        SinkPosition(serde_json::to_value(position).expect("text, numbers and lists are JSON"))
    }
}

fn append_line(settings: &Settings, line: &[u8], bytes: &mut Vec<u8>, row: &Row) -> Result<(), ErrorReason> {
    let refused = |character: char, message: String| {
        let names = row.shape().names().iter().zip(row.values());
        let holds = |value: &elspeth_value::Value| matches!(value, elspeth_value::Value::Str(s) if s.contains(character));
        let field = names.filter(|(_, value)| holds(value)).map(|(name, _)| name.as_str()).next();
        let reason = ErrorReason::new(FailureKind::SinkRefused, message);
        field.map_or(reason.clone(), |field| reason.on_field(field))
    };
    if line.contains(&0) {
        return Err(refused('\0', "a text has a NUL character, which the csv source refuses".to_owned()));
    }
    settings.encode(line, bytes).map_err(|character| {
        refused(character, format!("{} has no character `{character}`", settings.encoding.name()))
    })
}
