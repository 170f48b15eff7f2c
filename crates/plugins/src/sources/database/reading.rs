//! A query that is being read: rows to items, keys compared, the hash of what was read, the snapshots.

use std::sync::Arc;

use elspeth_canonical::HashVersion;
use elspeth_contracts::{ErrorReason, FailureKind};
use elspeth_plugin::{InvalidRecord, RawRecord, ReadProgress, SourceError, SourceItem, SourceSnapshot};
use elspeth_value::{FieldResolution, NormaliseError, RefusedRow, Row, Shape, Violation, resolve_headers};

use super::Settings;
use super::position::{KeyValues, Position};
use super::reader::{Found, Head, Next, Reader};
use crate::row_chain::Chain;
use crate::sources::border::Border;

/// See the module's documentation.
pub(super) struct Reading {
    resolution: FieldResolution,
    shape: Arc<Shape>,
    border: Border,
    version: HashVersion,
    chain: Chain,
    key: Option<KeyValues>,
    /// Those from which a row was read.
    snapshots: Vec<SourceSnapshot>,
    /// The one that is read, until a row of it is in `snapshots`.
    fresh: Option<SourceSnapshot>,
    /// Nothing while there is no connection.
    reader: Option<Reader>,
    ended: bool,
    /// What came behind rows that were given.
    failed: Option<SourceError>,
    canonical: Vec<u8>,
}

impl Reading {
    /// From the first row on.
    pub(super) fn start(settings: &Settings, version: HashVersion) -> Result<Self, SourceError> {
        let (reader, head) = Reader::start(settings, None)?;
        let resolution = resolve(settings, &head)?;
        let mut reading = Self::of(settings, resolution, version);
        reading.attach(reader, head);
        Ok(reading)
    }

    fn of(settings: &Settings, resolution: FieldResolution, version: HashVersion) -> Self {
        Self {
            shape: Shape::new(resolution.fields.iter().map(|(_, field)| field.clone())),
            resolution,
            border: Border::new(settings.contract.clone(), None),
            version,
            chain: Chain::new(version),
            key: None,
            snapshots: Vec::new(),
            fresh: None,
            reader: None,
            ended: false,
            failed: None,
            canonical: Vec::new(),
        }
    }

    /// At a position, without a connection.
    pub(super) fn restore(
        settings: &Settings,
        version: HashVersion,
        position: Position,
    ) -> Result<Self, SourceError> {
        let chain = Chain::load(&position.read, version).map_err(|why| {
            SourceError::new(format!("cannot continue to read `{}`: {why}", settings.place.shown()))
        })?;
        let resolution = FieldResolution { fields: position.columns, grown: Vec::new() };
        let border = Border::new(settings.contract.clone(), position.learnt);
        let (key, snapshots) = (position.key, position.snapshots);
        Ok(Self { border, chain, key, snapshots, ..Self::of(settings, resolution, version) })
    }

    /// In another process: what was read before is read again and compared, unless changes are accepted.
    pub(super) fn taken_up(mut self, settings: &Settings) -> Result<Self, SourceError> {
        if settings.accepts_changes || self.key.is_none() {
            self.connect(settings)?;
            return Ok(self);
        }
        let (mut reader, head) = Reader::start(settings, None)?;
        self.check_columns(settings, &head)?;
        let mut again = Chain::new(self.version);
        let mut last = None;
        while again.rows < self.chain.rows {
            let Next::Row(found) = reader.next(true)? else { break };
            add(&mut again, &Row::new(Arc::clone(&self.shape), found.values), &mut self.canonical);
            last = found.key;
        }
        if again != self.chain || last != self.key {
            return Err(self.changed(settings, &again));
        }
        self.attach(reader, head);
        Ok(self)
    }

    fn changed(&self, settings: &Settings, again: &Chain) -> SourceError {
        let difference = if again.rows < self.chain.rows {
            format!("it gives {} rows now, but {} were read", again.rows, self.chain.rows)
        } else {
            format!(
                "the hash of its first {} rows was {} and is {} now",
                again.rows, self.chain.hash, again.hash
            )
        };
        let shown = settings.place.shown();
        SourceError::new(format!(
            "the query's rows in `{shown}` have changed since they were read: {difference}"
        ))
        .with_help(
            "put the rows back as they were, or continue behind the last one with --accept-changed-source",
        )
    }

    /// Reads on behind the last key.
    fn connect(&mut self, settings: &Settings) -> Result<(), SourceError> {
        let (reader, head) = Reader::start(settings, self.key.clone())?;
        self.check_columns(settings, &head)?;
        self.attach(reader, head);
        Ok(())
    }

    fn attach(&mut self, reader: Reader, head: Head) {
        self.fresh = Some(SourceSnapshot { from_record: self.chain.rows, facts: head.facts });
        self.reader = Some(reader);
        self.ended = false;
    }

    fn check_columns(&self, settings: &Settings, head: &Head) -> Result<(), SourceError> {
        let before = self.resolution.fields.iter().map(|(column, _)| column);
        if before.eq(head.columns.iter()) {
            return Ok(());
        }
        let shown = settings.place.shown();
        Err(SourceError::new(format!(
            "the query's columns in `{shown}` have changed: they are {} now",
            head.columns.join(", ")
        ))
        .with_help("start a new run"))
    }

    /// Gives at most `max` items. What fails behind rows is told by the next call.
    pub(super) fn read(
        &mut self,
        settings: &Settings,
        max: usize,
        items: &mut Vec<SourceItem>,
    ) -> Result<ReadProgress, SourceError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        for taken in 0..max {
            if self.ended {
                return Ok(ReadProgress::End);
            }
            match self.next(settings, taken == 0) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(error) if taken == 0 => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
        Ok(if self.ended { ReadProgress::End } else { ReadProgress::More })
    }

    fn next(&mut self, settings: &Settings, patient: bool) -> Result<Option<SourceItem>, SourceError> {
        if self.reader.is_none() {
            self.connect(settings)?;
        }
        let reader = self.reader.as_mut().expect("it was connected if it was not");
        match reader.next(patient)? {
            Next::Row(found) => self.item(settings, found).map(Some),
            Next::Waiting => Ok(None),
            Next::End => {
                self.ended = true;
                Ok(None)
            }
        }
    }

    fn item(&mut self, settings: &Settings, found: Found) -> Result<SourceItem, SourceError> {
        let key = self.check_key(settings, found.key)?;
        let row = Row::new(Arc::clone(&self.shape), found.values);
        add(&mut self.chain, &row, &mut self.canonical);
        self.snapshots.extend(self.fresh.take());
        let at = key.shown(&settings.query.key);
        self.key = Some(key);
        Ok(match self.border.take(row) {
            Ok(row) => SourceItem::Valid(row),
            Err(RefusedRow { violation, row }) => {
                let field = match &violation {
                    Violation::Missing { field }
                    | Violation::Type { field, .. }
                    | Violation::Extra { field } => field,
                };
                let reason = ErrorReason::new(FailureKind::SchemaViolation, format!("{violation} ({at})"));
                let reason = reason.on_field(field.as_str());
                SourceItem::Invalid(InvalidRecord { raw: RawRecord::Fields(row), reason })
            }
        })
    }

    /// Each key is there and comes once.
    fn check_key(&self, settings: &Settings, key: Option<KeyValues>) -> Result<KeyValues, SourceError> {
        let names = &settings.query.key;
        let help =
            "name columns in `key` that are a primary key, or choose the rows that have one in the query";
        let Some(key) = key else {
            let behind =
                self.key.as_ref().map(|key| format!(", behind {}", key.shown(names))).unwrap_or_default();
            let message = format!("a row has null in its key ({}){behind}", names.join(", "));
            return Err(SourceError::new(message).with_help(help));
        };
        if self.key.as_ref() == Some(&key) {
            let message = format!("two rows have the same key: {}", key.shown(names));
            return Err(SourceError::new(message).with_help(help));
        }
        Ok(key)
    }

    pub(super) fn position(&self) -> Position {
        Position {
            key: self.key.clone(),
            read: self.chain.stored(),
            columns: self.resolution.fields.clone(),
            snapshots: self.snapshots.clone(),
            learnt: self.border.learnt().cloned(),
        }
    }

    pub(super) fn chain(&self) -> &Chain {
        &self.chain
    }

    pub(super) fn snapshots(&self) -> Vec<SourceSnapshot> {
        self.snapshots.iter().chain(&self.fresh).cloned().collect()
    }

    pub(super) fn resolution(&self) -> &FieldResolution {
        &self.resolution
    }
}

fn add(chain: &mut Chain, row: &Row, scratch: &mut Vec<u8>) {
    scratch.clear();
    row.write_canonical(scratch).expect("values that were read have a canonical form");
    chain.add(scratch);
}

fn resolve(settings: &Settings, head: &Head) -> Result<FieldResolution, SourceError> {
    resolve_headers(&head.columns, &settings.field_mapping).map_err(|e| {
        let help = match e {
            NormaliseError::Empty { .. } => "name every column of the query: `count(*) AS total`",
            NormaliseError::Collision(_) => "give the columns of the query different names with `AS`",
            NormaliseError::UnknownMapping(_) => "use the normalised names of the columns on the left side",
            NormaliseError::MappingTarget { .. } | NormaliseError::SharedTarget { .. } => {
                "give the field another name on the right side"
            }
        };
        SourceError::new(format!("the columns of the query cannot be used: {e}")).with_help(help)
    })
}
