//! The csv file to which a run appends, as it was before.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use compact_str::CompactString;
use elspeth_faults::Call;
use elspeth_plugin::SinkError;
use elspeth_value::{Contract, SchemaMode, normalise_header};

use super::appended::read_head;
use super::headers::Headers;
use super::staged_file::failed;
use crate::text_encoding::TextEncoding;

/// No header line is longer.
const LONGEST_HEADER: u64 = 1024 * 1024;

/// How much of the file is looked at at once.
const PIECE: usize = 64 * 1024;

/// What matters of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Existing {
    /// Its header line; field names once [`Existing::with_columns_of`] has looked at it.
    pub columns: Vec<CompactString>,
}

/// Reads the header line of the file; `None` when there is none, or it is empty.
///
/// # Errors
/// It cannot be read, or is in another encoding.
pub(crate) fn read_existing(
    path: &Path,
    encoding: TextEncoding,
    delimiter: u8,
) -> Result<Option<Existing>, SinkError> {
    let head = read_head(path, encoding, LONGEST_HEADER)?;
    if head.is_empty() {
        return Ok(None);
    }
    let mut text = Vec::new();
    encoding.decoder().decode(&head, false, &mut text);
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text);
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).delimiter(delimiter).flexible(true).from_reader(text);
    let mut record = csv::StringRecord::new();
    let found = reader.read_record(&mut record).map_err(|e| {
        SinkError::new(format!("cannot append to `{}`: its header line cannot be read: {e}", path.display()))
    })?;
    let columns = record.iter().map(CompactString::from).collect();
    Ok(found.then_some(Existing { columns }))
}

/// Reads the file once, piece by piece, to see that its last record is whole: what is written behind a quote that is still
/// open would become part of that record.
///
/// # Errors
/// It cannot be read, or a quote in it is never closed.
pub(crate) fn check_last_record(path: &Path, encoding: TextEncoding, delimiter: u8) -> Result<(), SinkError> {
    let cannot = |e| failed("read", path, &e);
    let mut file = elspeth_faults::io(Call::Open, path).and_then(|()| File::open(path)).map_err(cannot)?;
    let (mut decoder, mut quotes) = (encoding.decoder(), Quotes::new(delimiter));
    let (mut piece, mut text) = (vec![0; PIECE], Vec::new());
    loop {
        let read = elspeth_faults::io(Call::Read, path).and_then(|()| file.read(&mut piece));
        let taken = match read {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(cannot)?,
        };
        text.clear();
        decoder.decode(&piece[..taken], taken == 0, &mut text);
        quotes.follow(&text);
        if taken == 0 {
            break;
        }
    }
    match quotes.open_since() {
        None => Ok(()),
        Some(line) => {
            let path = path.display();
            let message =
                format!("cannot append to `{path}`: the quote opened on its line {line} is not closed");
            Err(SinkError::new(message)
                .with_help("close it, take the broken record out, or write to another file"))
        }
    }
}

/// Where in a csv text one is, as far as quotes go.
struct Quotes {
    delimiter: u8,
    place: Place,
    line: u64,
    /// The line of the last quote that opened a field.
    opened: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where a quote opens a field.
    FieldStart,
    /// In a field without quotes, or behind its closing one.
    Plain,
    Quoted,
    /// Behind a quote inside of quotes: it closes them unless another one follows.
    AfterQuote,
}

impl Quotes {
    fn new(delimiter: u8) -> Self {
        Self { delimiter, place: Place::FieldStart, line: 1, opened: 1 }
    }

    fn follow(&mut self, text: &[u8]) {
        for byte in text {
            self.place = match (self.place, *byte) {
                (Place::FieldStart, b'"') => {
                    self.opened = self.line;
                    Place::Quoted
                }
                (Place::Quoted, b'"') => Place::AfterQuote,
                (Place::AfterQuote, b'"') | (Place::Quoted, _) => Place::Quoted,
                (Place::FieldStart | Place::Plain | Place::AfterQuote, b'\n' | b'\r') => Place::FieldStart,
                (Place::FieldStart | Place::Plain | Place::AfterQuote, byte) if byte == self.delimiter => {
                    Place::FieldStart
                }
                // A byte order mark is no field.
                (Place::FieldStart, 0xEF | 0xBB | 0xBF) if self.line == 1 => Place::FieldStart,
                (Place::FieldStart | Place::Plain | Place::AfterQuote, _) => Place::Plain,
            };
            self.line += u64::from(*byte == b'\n');
        }
    }

    fn open_since(&self) -> Option<u64> {
        (self.place == Place::Quoted).then_some(self.opened)
    }
}

impl Existing {
    /// The same with field names instead of headers, if rows of `contract` fit into it.
    ///
    /// # Errors
    /// A column is there twice, or columns and the schema's fields differ.
    pub(crate) fn with_columns_of(
        mut self,
        headers: &Headers,
        contract: &Contract,
    ) -> Result<Self, SinkError> {
        let mut columns: Vec<CompactString> = Vec::new();
        for header in &self.columns {
            let field = field_of(header, headers, contract);
            if columns.contains(&field) {
                return Err(refused(&format!("it has the column `{header}` twice")));
            }
            columns.push(field);
        }
        if let Some(field) = contract.fields.iter().find(|f| !columns.contains(&f.name)) {
            return Err(refused(&format!("it has no column for the schema's field `{}`", field.name)));
        }
        if contract.mode == SchemaMode::Fixed
            && let Some(column) = columns.iter().find(|c| contract.field(c).is_none())
        {
            return Err(refused(&format!("its column `{column}` is not in the schema, which is fixed")));
        }
        self.columns = columns;
        Ok(self)
    }
}

/// The field of a column. Where the source tells its headers with its records, none is known yet, and the schema may tell.
fn field_of(header: &str, headers: &Headers, contract: &Contract) -> CompactString {
    let expected = |field: &CompactString| contract.field(field).is_some() && headers.is_awaited(field);
    match headers.field_of(header) {
        field if field == header => normalise_header(header).filter(expected).unwrap_or_else(|| field.into()),
        field => field.into(),
    }
}

fn refused(why: &str) -> SinkError {
    SinkError::new(format!("cannot append to the existing file: {why}"))
        .with_help("write to another file, or change the schema or `headers` so that they fit")
}
