//! From the text of one JSON record to an item.

use elspeth_contracts::{ErrorReason, FailureKind};
use elspeth_plugin::{InvalidRecord, RawRecord, SourceItem};
use elspeth_value::{Contract, FieldResolution, RefusedRow, Row};

use super::border::{Border, violation_reason};
use super::json_keys::FieldNames;
use super::json_parse::{Parsed, parse};
use super::lines::MAX_RECORD;
use crate::text_encoding::TextEncoding;

/// Reads, names, checks and coerces the records of one source.
#[derive(Debug)]
pub(crate) struct RecordBorder {
    names: FieldNames,
    border: Border,
    encoding: TextEncoding,
}

impl RecordBorder {
    pub(crate) fn new(names: FieldNames, border: Border, encoding: TextEncoding) -> Self {
        Self { names, border, encoding }
    }

    pub(crate) fn resolution(&self) -> &FieldResolution {
        self.names.resolution()
    }

    /// The next record to be read has this number.
    pub(crate) fn at_record(&mut self, number: u64) {
        self.names.at_record(number);
    }

    pub(crate) fn learnt(&self) -> Option<&Contract> {
        self.border.learnt()
    }

    /// The item of the record that begins on `line`.
    pub(crate) fn take(&mut self, text: &[u8], line: u64) -> SourceItem {
        match self.row(text) {
            Err(why) => malformed(self.encoding, text, why, line),
            Ok(row) => match self.border.take(row) {
                Ok(row) => SourceItem::Valid(row),
                Err(RefusedRow { violation, row }) => SourceItem::Invalid(InvalidRecord {
                    raw: RawRecord::Fields(row),
                    reason: violation_reason(&violation, line),
                }),
            },
        }
    }

    /// Learns a record's keys, if it is one.
    pub(crate) fn look_at(&mut self, text: &[u8]) {
        // What is wrong with the record is said when it is read.
        let _ = self.row(text);
    }

    fn row(&mut self, text: &[u8]) -> Result<Row, String> {
        let text =
            std::str::from_utf8(text).map_err(|e| self.encoding.not_text_from(&text[..e.valid_up_to()]))?;
        match parse(text).map_err(|fault| fault.sentence(text))? {
            Parsed::Object(entries) => self.names.row(entries),
            Parsed::Other(found) => Err(format!("the record is {found}, but must be an object")),
        }
    }
}

/// The item of a text that is no record.
pub(crate) fn malformed(
    encoding: TextEncoding,
    text: &[u8],
    why: impl Into<String>,
    line: u64,
) -> SourceItem {
    SourceItem::Invalid(InvalidRecord {
        raw: RawRecord::Opaque(encoding.recorded(text)),
        reason: ErrorReason::new(FailureKind::MalformedRecord, why).at_line(line),
    })
}

/// The item of a record of which only the beginning is kept.
pub(crate) fn too_long(encoding: TextEncoding, beginning: &[u8], length: u64, line: u64) -> SourceItem {
    let most = MAX_RECORD / (1024 * 1024);
    let why = format!(
        "the record has {length} bytes, more than the {most} MiB that one may have; its beginning is kept"
    );
    malformed(encoding, beginning, why, line)
}
