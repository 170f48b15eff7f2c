//! The `json` source: an array, an array inside of an object, or one object a line.
//!
//! Records are read one at a time; a file of any size takes the memory of its largest record. A record that is no JSON,
//! no object, or does not meet the schema is an invalid item with its line number. When an array breaks off, what is
//! left of it is one invalid item.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use elspeth_canonical::HashVersion;
use elspeth_contracts::Determinism;
use elspeth_plugin::{
    OptionError, PluginInfo, PluginKind, ReadProgress, ReadSoFar, Source, SourceError, SourceIdentity,
    SourceItem, SourcePosition, parse_options,
};
use elspeth_value::{Contract, FieldResolution, FieldsGrown};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::border::Border;
use super::json_array::ArrayReader;
use super::json_keys::FieldNames;
use super::json_lines::next_line;
use super::json_record::RecordBorder;
use super::text_input::{TextInput, TextPosition};
use super::{input_path, not_open, parse_position};
use crate::json_format::JsonFormat;
use crate::schema_option::{SchemaOption, options_schema};
use crate::text_encoding::TextEncoding;

/// Options of the `json` source.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct JsonSourceOptions {
    /// The file to read.
    path: String,
    /// `json` (an array) or `jsonl` (one object a line). Without it: `jsonl` for a path that ends in `.jsonl` or `.ndjson`.
    #[serde(default)]
    format: Option<JsonFormat>,
    /// The key of the array, when it is inside of an object (`json` only).
    #[serde(default)]
    data_key: Option<String>,
    /// The file's text encoding.
    #[serde(default = "utf8")]
    encoding: String,
    /// What rows must look like.
    #[serde(default)]
    schema: SchemaOption,
    /// Where invalid records go: a sink's name or `discard`.
    #[serde(default)]
    #[expect(dead_code, reason = "the graph reads it; here it only has to be allowed")]
    on_validation_failure: Option<String>,
}

fn utf8() -> String {
    "utf-8".to_owned()
}

/// What the registry knows of it.
pub(crate) fn info() -> PluginInfo {
    PluginInfo {
        kind: PluginKind::Source,
        name: "json",
        version: "1.0.0",
        determinism: Determinism::IoRead,
        summary: "Reads a JSON array or JSON lines, record by record.",
        options_schema: options_schema::<JsonSourceOptions>(),
        example: "source:\n  plugin: json\n  on_success: rows\n  options:\n    path: input.jsonl\n    schema: {mode: observed}\n    on_validation_failure: discard\n",
        resumable: true,
        idempotent: false,
    }
}

/// Makes one of its options.
pub(crate) fn make(options: &serde_json::Value) -> Result<Box<dyn Source>, Vec<OptionError>> {
    let options: JsonSourceOptions = parse_options(options).map_err(|e| vec![e])?;
    let mut errors = Vec::new();
    let mut note = |e: OptionError| errors.push(e);
    let path = input_path(&options.path).map_err(&mut note);
    let contract = options.schema.source_contract(&BTreeMap::new()).map_err(&mut note);
    let encoding = TextEncoding::of_label(&options.encoding).map_err(&mut note);
    let format = options.format.unwrap_or_else(|| JsonFormat::of_path(Path::new(&options.path)));
    let data_key = match (format, options.data_key) {
        (JsonFormat::Jsonl, Some(_)) => {
            Err(OptionError::new("data_key", "lines of objects have no key around them")
                .with_help("leave `data_key` out, or choose `format: json`"))
        }
        (_, data_key) => Ok(data_key),
    };
    let data_key = data_key.map_err(&mut note);
    let (Ok(path), Ok(contract), Ok(encoding), Ok(data_key)) = (path, contract, encoding, data_key) else {
        return Err(errors);
    };
    let settings = Settings { path, contract, encoding, format, data_key, accepts_changes: false };
    Ok(Box::new(JsonSource { settings, open: None }))
}

/// Its checked options.
#[derive(Debug)]
struct Settings {
    path: PathBuf,
    contract: Contract,
    encoding: TextEncoding,
    format: JsonFormat,
    data_key: Option<String>,
    /// Whether what was read before may differ from what was read then.
    accepts_changes: bool,
}

struct JsonSource {
    settings: Settings,
    open: Option<Reading>,
}

/// An opened file.
struct Reading {
    input: TextInput,
    layout: Layout,
    border: RecordBorder,
    /// Records read so far.
    count: u64,
}

/// How records stand in the file, with the state of reading them.
enum Layout {
    Array(ArrayReader),
    Lines,
}

#[derive(Debug, Serialize, Deserialize)]
struct Position {
    file: TextPosition,
    records: u64,
    /// `None` for lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    array: Option<ArrayReader>,
    headers: Vec<(String, compact_str::CompactString)>,
    /// Which records brought more of the headers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers_grown: Vec<FieldsGrown>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    learnt: Option<Contract>,
}

impl Source for JsonSource {
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
                    if matches!(reading.layout, Layout::Lines) && reading.input.may_wait() {
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
            array: match &reading.layout {
                Layout::Array(array) => Some(array.clone()),
                Layout::Lines => None,
            },
            headers: reading.border.resolution().fields.clone(),
            headers_grown: reading.border.resolution().grown.clone(),
            learnt: reading.border.learnt().cloned(),
        });
        SourcePosition(serde_json::to_value(position).expect("text, numbers and lists are JSON"))
    }

    fn recall(&self, position: &SourcePosition) -> Option<ReadSoFar> {
        let position: Position = parse_position(position).ok()?;
        Some(
            position.file.recall(FieldResolution { fields: position.headers, grown: position.headers_grown }),
        )
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
        self.open.as_ref().map(|reading| reading.border.resolution().clone()).unwrap_or_default()
    }
}

impl Settings {
    fn start(&self, version: HashVersion) -> Result<Reading, SourceError> {
        let mut input = TextInput::open(&self.path, self.encoding, version, None)?;
        let layout = match self.format {
            JsonFormat::Json => Layout::Array(ArrayReader::find(&mut input, self.data_key.as_deref())?),
            JsonFormat::Jsonl => Layout::Lines,
        };
        let mut border = self.border(&input, FieldResolution::default(), None);
        layout.look_ahead(&mut input, &mut border)?;
        input.settle();
        Ok(Reading { input, layout, border, count: 0 })
    }

    fn proceed(&self, version: HashVersion, position: &SourcePosition) -> Result<Reading, SourceError> {
        let mut position: Position = parse_position(position)?;
        if self.accepts_changes {
            position.file.content_hash = None;
        }
        let input = TextInput::open(&self.path, self.encoding, version, Some(&position.file))?;
        let layout = position.array.map_or(Layout::Lines, Layout::Array);
        let resolution = FieldResolution { fields: position.headers, grown: position.headers_grown };
        let border = self.border(&input, resolution, position.learnt);
        Ok(Reading { input, layout, border, count: position.records })
    }

    fn border(
        &self,
        input: &TextInput,
        resolution: FieldResolution,
        learnt: Option<Contract>,
    ) -> RecordBorder {
        let border = Border::new(self.contract.clone(), learnt);
        RecordBorder::new(FieldNames::new(resolution), border, input.encoding())
    }
}

impl Reading {
    fn next(&mut self) -> Result<Option<SourceItem>, SourceError> {
        self.border.at_record(self.count);
        let item = match &mut self.layout {
            Layout::Array(array) => array.next(&mut self.input, &mut self.border)?,
            Layout::Lines => next_line(&mut self.input, &mut self.border)?,
        };
        self.count += u64::from(item.is_some());
        Ok(item)
    }
}

impl Layout {
    /// Learns the keys of the first record without consuming it: sinks ask for them before any row is read.
    fn look_ahead(&self, input: &mut TextInput, border: &mut RecordBorder) -> Result<(), SourceError> {
        match self {
            Self::Array(array) => array.look_ahead(input, border),
            Self::Lines => super::json_lines::look_ahead(input, border),
        }
    }
}
