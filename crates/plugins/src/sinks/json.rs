//! The `json` sink: an array with one element a line, or one object a line (jsonl).
//!
//! An array is a well-formed file after every commit: its end is written each time and overwritten by the next. With an
//! encoding that lacks a character, that character is written as a `\u` escape, so that no row is refused for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use elspeth_canonical::write_str;
use elspeth_contracts::{Determinism, EpochNo, ErrorReason, FailureKind};
use elspeth_plugin::{
    OptionError, PluginInfo, PluginKind, Produced, Refusal, Sink, SinkContext, SinkError, SinkPosition,
    SinkRow, Target, Written, parse_options,
};
use elspeth_value::{Contract, FieldResolution, Row, SchemaMode, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::appended::read_head;
use super::headers::{Headers, HeadersOption, HeadersPosition};
use super::json_text::{Layout, close, separate, write_value};
use super::staged_file::{Beginning, Form, Stage, StagedFile, StagedPosition, check_staging};
use super::{WriteMode, check_row, output_path, parse_position, unopened};
use crate::json_format::JsonFormat;
use crate::schema_option::{SchemaOption, options_schema};
use crate::text_encoding::TextEncoding;

/// Deepest indentation that makes sense.
const MAX_INDENT: u8 = 16;
/// Bytes of a byte order mark.
const LONGEST_MARK: u64 = 4;

/// Options of the `json` sink.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct JsonSinkOptions {
    /// The file to write. Folders that do not exist are created.
    path: String,
    /// `json` (an array) or `jsonl` (one object a line). Without it: `jsonl` for a path that ends in `.jsonl` or `.ndjson`.
    #[serde(default)]
    format: Option<JsonFormat>,
    /// Blanks for each level of an array's elements; without it, each element is one line.
    #[serde(default)]
    indent: Option<u8>,
    /// The file's text encoding.
    #[serde(default = "utf8")]
    encoding: String,
    /// `write` replaces a file that exists when the run completes, `append` adds to it (`jsonl` only).
    #[serde(default)]
    mode: WriteMode,
    /// How the keys are called.
    #[serde(default)]
    headers: HeadersOption,
    /// What rows are meant to look like; with `validate_input`, they must.
    #[serde(default)]
    schema: SchemaOption,
    /// Whether each row is checked against `schema`, and refused when it does not meet it.
    #[serde(default)]
    validate_input: bool,
}

fn utf8() -> String {
    "utf-8".to_owned()
}

/// What the registry knows of it.
pub(crate) fn info() -> PluginInfo {
    PluginInfo {
        kind: PluginKind::Sink,
        name: "json",
        version: "1.0.0",
        determinism: Determinism::IoWrite,
        summary: "Writes rows to a JSON array or to JSON lines; the file appears under its name when the run completes.",
        options_schema: options_schema::<JsonSinkOptions>(),
        example: "sinks:\n  flagged:\n    plugin: json\n    on_write_failure: discard\n    options:\n      path: output/flagged.jsonl\n      schema: {mode: observed}\n",
        resumable: true,
        idempotent: true,
    }
}

/// Makes one of its options.
pub(crate) fn make(options: &serde_json::Value) -> Result<Box<dyn Sink>, Vec<OptionError>> {
    let options: JsonSinkOptions = parse_options(options).map_err(|e| vec![e])?;
    let mut errors = Vec::new();
    let mut note = |e: OptionError| errors.push(e);
    let path = output_path(&options.path).map_err(&mut note);
    let contract = options.schema.contract().map_err(&mut note);
    let encoding = TextEncoding::of_label(&options.encoding).map_err(&mut note);
    let format = options.format.unwrap_or_else(|| JsonFormat::of_path(Path::new(&options.path)));
    let indent = check_layout(format, options.indent, options.mode).map_err(&mut note);
    // Without that, rows with other fields are written too.
    let checks = |contract: &&Contract| options.validate_input && contract.mode == SchemaMode::Fixed;
    let only = contract.as_ref().ok().filter(checks);
    let checked = options.headers.check(only).map_err(&mut note);
    let (Ok(path), Ok(contract), Ok(encoding), Ok(indent), Ok(())) =
        (path, contract, encoding, indent, checked)
    else {
        return Err(errors);
    };
    let style = Style { format, indent, encoding };
    let settings = Settings {
        path,
        contract,
        style,
        mode: options.mode,
        headers: options.headers,
        validates: options.validate_input,
    };
    Ok(Box::new(JsonSink { settings, open: None }))
}

fn check_layout(format: JsonFormat, indent: Option<u8>, mode: WriteMode) -> Result<Option<u8>, OptionError> {
    match (format, indent, mode) {
        (JsonFormat::Jsonl, Some(_), _) => {
            Err(OptionError::new("indent", "one object a line cannot be indented")
                .with_help("leave `indent` out, or choose `format: json`"))
        }
        (_, Some(by), _) if by > MAX_INDENT => {
            Err(OptionError::new("indent", format!("at most {MAX_INDENT} blanks, not {by}")))
        }
        (JsonFormat::Json, _, WriteMode::Append) => {
            Err(OptionError::new("mode", "an array cannot be appended to")
                .with_help("choose `format: jsonl`"))
        }
        (_, indent, _) => Ok(indent),
    }
}

/// Its checked options.
#[derive(Debug)]
struct Settings {
    path: PathBuf,
    contract: Contract,
    style: Style,
    mode: WriteMode,
    headers: HeadersOption,
    validates: bool,
}

/// How the text looks.
#[derive(Debug, Clone, Copy)]
struct Style {
    format: JsonFormat,
    indent: Option<u8>,
    encoding: TextEncoding,
}

struct JsonSink {
    settings: Settings,
    open: Option<Output>,
}

/// An opened file.
struct Output {
    file: StagedFile,
    headers: Headers,
    /// Rows of this run.
    rows: u64,
    /// Whether the file's own last line lacks its end.
    open_line: bool,
    keys: Keys,
}

/// The keys of one shape of rows, as they are written.
#[derive(Default)]
struct Keys {
    shape: Option<Arc<Shape>>,
    written: Vec<Vec<u8>>,
    clash: Option<ErrorReason>,
    /// Whether a row with them was written.
    kept: bool,
}

/// Of so many fields that the source does not have it is remembered that they were written: rows whose field *names* are data
/// would else make a position as large as the file.
const MOST_OWN_NAMES: usize = 1_000;

#[derive(Debug, Serialize, Deserialize)]
struct Position {
    file: StagedPosition,
    rows: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    open_line: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    headers: Option<HeadersPosition>,
}

impl Sink for JsonSink {
    fn contract(&self) -> Contract {
        self.settings.contract.clone()
    }

    fn targets(&self) -> Vec<Target> {
        let appends = self.settings.mode == WriteMode::Append;
        vec![Target { path: self.settings.path.clone(), appends, table: None }]
    }

    fn preflight(&self) -> Result<(), SinkError> {
        check_staging(&self.settings.path, Form::AsStaged)?;
        self.settings.check_appended()
    }

    fn open(&mut self, context: &SinkContext, position: Option<&SinkPosition>) -> Result<(), SinkError> {
        let Settings { path, style, mode, headers, .. } = &self.settings;
        let stage = Stage { target: path, run_id: context.run_id, version: context.hash_version };
        let mut headers = headers.resolve(&context.field_resolution);
        let (file, rows, open_line) = match position {
            None => {
                self.settings.check_appended()?;
                let beginning = match mode {
                    WriteMode::Write => Beginning::Empty,
                    WriteMode::Append => Beginning::CopyOfTarget,
                };
                let mut file = StagedFile::create(stage, beginning)?;
                let open_line = file.lacks_line_end(&style.encoded("\n"))?;
                file.commit(&style.tail(0), 0)?;
                (file, 0, open_line)
            }
            Some(position) => {
                let position: Position = parse_position(position)?;
                let tail = style.tail(position.rows);
                headers = headers.at(position.headers);
                (StagedFile::reopen(stage, &position.file, &tail)?, position.rows, position.open_line)
            }
        };
        self.open = Some(Output { file, headers, rows, open_line, keys: Keys::default() });
        Ok(())
    }

    fn learn(&mut self, resolution: &Arc<FieldResolution>) {
        if let Some(output) = &mut self.open {
            output.headers.learn(resolution);
        }
    }

    fn write(&mut self, _epoch: EpochNo, rows: &[SinkRow<'_>]) -> Result<Written, SinkError> {
        let output = self.open.as_mut().ok_or_else(|| unopened("json"))?;
        output.write(&self.settings, rows)
    }

    fn takes_parts(&self) -> bool {
        true
    }

    fn publish(&mut self) -> Result<Option<Produced>, SinkError> {
        let output = self.open.as_mut().ok_or_else(|| unopened("json"))?;
        output.file.publish()?;
        Ok(Some(output.file.produced(output.rows)))
    }
}

impl Settings {
    /// Whether lines of this encoding can stand behind what is there.
    fn check_appended(&self) -> Result<(), SinkError> {
        let Self { path, style, mode, .. } = self;
        match mode {
            WriteMode::Write => Ok(()),
            WriteMode::Append => read_head(path, style.encoding, LONGEST_MARK).map(drop),
        }
    }

    fn check(&self, row: &Row) -> Result<(), ErrorReason> {
        if self.validates { check_row(&self.contract, row) } else { Ok(()) }
    }
}

impl Output {
    fn write(&mut self, settings: &Settings, rows: &[SinkRow<'_>]) -> Result<Written, SinkError> {
        let style = settings.style;
        let mut text = Vec::with_capacity(rows.len() * 128);
        let mut refused = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            if self.headers.advance(row.source_row) {
                self.keys = Keys::default();
            }
            self.keys.look_at(row.row.shape(), &self.headers, style.layout());
            let clash = self.keys.clash.clone().map_or(Ok(()), Err);
            if let Err(reason) = clash.and_then(|()| settings.check(row.row)) {
                refused.push(Refusal { index, reason });
                continue;
            }
            self.keep_names(row.row);
            style.before(&mut text, self.rows);
            self.keys.write_row(&mut text, row.row, style.layout());
            style.after(&mut text);
            self.rows += 1;
        }
        let mut bytes = Vec::new();
        if !text.is_empty() {
            if self.file.is_empty() {
                bytes.extend_from_slice(style.encoding.mark());
            } else if std::mem::take(&mut self.open_line) {
                bytes.extend(style.encoded("\n"));
            }
        }
        style.encode(text, &mut bytes);
        let body = bytes.len();
        bytes.extend(style.tail(self.rows));
        self.file.commit(&bytes, body)?;
        Ok(Written { refused, position: self.position(), produced: Some(self.file.produced(self.rows)) })
    }

    fn keep_names(&mut self, row: &Row) {
        if !std::mem::replace(&mut self.keys.kept, true) && self.headers.own() < MOST_OWN_NAMES {
            self.headers.keep(row.shape().names());
        }
    }

    fn position(&self) -> SinkPosition {
        let position = Position {
            file: self.file.position(),
            rows: self.rows,
            open_line: self.open_line,
            headers: self.headers.position(),
        };
        SinkPosition(serde_json::to_value(position).expect("text, numbers and lists are JSON"))
    }
}

impl Style {
    /// The layout of a row.
    fn layout(self) -> Layout {
        self.indent.map_or(Layout::Compact, |by| Layout::Indented { by: usize::from(by), level: 1 })
    }

    /// Appends what stands before the row with that number, from 0.
    fn before(self, text: &mut Vec<u8>, number: u64) {
        if self.format == JsonFormat::Json {
            text.extend_from_slice(if number == 0 { b"[\n" } else { b",\n" });
            text.resize(text.len() + usize::from(self.indent.unwrap_or(0)), b' ');
        }
    }

    fn after(self, text: &mut Vec<u8>) {
        if self.format == JsonFormat::Jsonl {
            text.push(b'\n');
        }
    }

    /// What makes the file whole behind so many rows.
    fn tail(self, rows: u64) -> Vec<u8> {
        match (self.format, rows) {
            (JsonFormat::Jsonl, _) => Vec::new(),
            (JsonFormat::Json, 0) => [self.encoding.mark(), &self.encoded("[]\n")].concat(),
            (JsonFormat::Json, _) => self.encoded("\n]\n"),
        }
    }

    fn encoded(self, text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode(text.as_bytes().to_vec(), &mut bytes);
        bytes
    }

    /// Appends JSON text in the file's encoding.
    fn encode(self, text: Vec<u8>, bytes: &mut Vec<u8>) {
        if self.encoding == TextEncoding::Utf8 && bytes.is_empty() {
            *bytes = text;
            return;
        }
        let mut text = String::from_utf8(text).expect("JSON text is made of text and ASCII");
        if !self.encoding.holds_everything() {
            text = escape_beyond_ascii(&text);
        }
        self.encoding.encode(&text, bytes).expect("every encoding has ASCII");
    }
}

impl Keys {
    fn look_at(&mut self, shape: &Arc<Shape>, headers: &Headers, layout: Layout) {
        if self.shape.as_ref().is_some_and(|known| Arc::ptr_eq(known, shape)) {
            return;
        }
        let names = || shape.names().iter().map(|name| name.as_str());
        self.written = names()
            .enumerate()
            .map(|(n, name)| {
                let mut key = Vec::new();
                separate(&mut key, n, layout.deeper());
                write_str(&mut key, headers.of(name));
                key.extend_from_slice(layout.colon());
                key
            })
            .collect();
        self.clash = headers.clash(names()).map(|(one, other, header)| {
            let message = format!("its fields `{one}` and `{other}` would both be called `{header}`");
            ErrorReason::new(FailureKind::SinkRefused, message).on_field(other)
        });
        self.shape = Some(Arc::clone(shape));
        self.kept = false;
    }

    fn write_row(&self, text: &mut Vec<u8>, row: &Row, layout: Layout) {
        text.push(b'{');
        for (key, value) in self.written.iter().zip(row.values()) {
            text.extend_from_slice(key);
            write_value(text, value, layout.deeper());
        }
        close(text, b'}', self.written.is_empty(), layout);
    }
}

/// The same JSON with every character beyond ASCII (they are all inside of strings) as `\u` escapes.
fn escape_beyond_ascii(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(out, "\\u{unit:04x}").expect("writing to a string cannot fail");
        }
    }
    out
}
