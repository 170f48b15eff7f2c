//! The export of the record that the settings ask for, after a completed run.

use elspeth_canonical::HashVersion;
use elspeth_config::settings::ExportFormat as Asked;
use elspeth_config::{ExportPlace, export_place};
use elspeth_contracts::{EpochNo, ExportStatus, RowIndex, RunId, TokenKey};
use elspeth_landscape::export::{
    Atom, BodiesChoice, ExportError, ExportFiles, Line, LineSink, attest, describe, stream,
};
use elspeth_landscape_sql::Landscape;
use elspeth_plugin::{Sink, SinkContext, SinkError, SinkRow};
use elspeth_proof::SecretKey;
use elspeth_value::{Row, Value};

use crate::export::{ExportFormat, manifest_export, manifest_run, unchanged};
use crate::store::Reader;
use crate::verify::registered;
use crate::{AppError, Prepared, shell_word};

/// Rows that a sink gets at once.
const ROWS: usize = 1_000;

/// The export that is to follow a run.
pub(crate) struct Epilogue {
    name: String,
    sink: Box<dyn Sink>,
    /// Where files go that the sink does not write.
    place: Option<ExportPlace>,
    format: ExportFormat,
    key: Option<SecretKey>,
}

/// A completed run, and where its record is.
pub(crate) struct Completed<'a> {
    pub(crate) run_id: RunId,
    pub(crate) database: &'a Landscape,
    pub(crate) location: &'a str,
}

impl Prepared {
    /// Takes out what is for the export, if one is to follow; rows never come to that sink.
    pub(crate) fn take_epilogue(&mut self) -> Result<Option<Epilogue>, AppError> {
        let export = self.settings().landscape.export.clone();
        let Some(name) = export.sink.filter(|_| export.enabled) else { return Ok(None) };
        let Some(sink) = self.take_sink(&name) else { return Ok(None) };
        let key = if export.sign { self.signing_key()? } else { None };
        let place = export_place(export.format, sink.as_ref());
        let format = match export.format {
            Asked::Csv => ExportFormat::Csv,
            Asked::Json => ExportFormat::Json,
        };
        Ok(Some(Epilogue { name, sink, place, format, key }))
    }
}

impl Epilogue {
    /// Exports a completed run. That it could not be exported is a warning: the run is what it is.
    pub(crate) async fn carry_out(self, completed: Completed<'_>) -> Option<String> {
        let (run_id, location) = (completed.run_id, completed.location);
        let error = self.noted(completed).await.err()?;
        let database = shell_word(location);
        Some(format!(
            "the record was not exported: {error}; the run is complete, and `elspeth export {run_id} -o DIR -d {database}` \
             exports it"
        ))
    }

    /// Exports, and notes how that goes.
    async fn noted(self, Completed { run_id, database, location }: Completed<'_>) -> Result<(), AppError> {
        let reader = Reader { store: Box::new(database.reader().await?), location: location.to_owned() };
        let run = reader.run(&run_id.to_string()).await?;
        database.note_export(&run, ExportStatus::Pending)?;
        let exported = self.export(&reader, database, run_id).await;
        let status = if exported.is_ok() { ExportStatus::Completed } else { ExportStatus::Failed };
        database.note_export(&run, status)?;
        exported
    }

    async fn export(self, reader: &Reader, database: &Landscape, run_id: RunId) -> Result<(), AppError> {
        let run = reader.run(&run_id.to_string()).await?;
        let registered = registered(reader.store.as_ref(), &run).await?;
        let subject = registered.subject(&run, None);
        let mut scan = database.scans()?.export(&run)?;
        unchanged(scan.as_mut(), &run)?;
        let registry = attest(database.scans()?.registry()?.as_mut(), run_id)?;
        let manifest = manifest_export((self.format, false), registry);
        let (about, key) = (manifest_run(&run), self.key.as_ref());
        match (self.format, self.place) {
            (ExportFormat::Csv, place) => {
                let no_place = || ExportError::Sink(format!("sink `{}` has no place for tables", self.name));
                let mut files = ExportFiles::create(place.ok_or_else(no_place)?.files, run_id)?;
                let counts = stream(scan.as_mut(), &subject, BodiesChoice::Left, &mut files)?;
                files.finish(&about, manifest, &counts, key)?;
            }
            (ExportFormat::Json, place) => {
                let mut rows = Rows::open(self.sink, (run_id, &self.name), run.hash_version)?;
                let counts = stream(scan.as_mut(), &subject, BodiesChoice::Left, &mut rows)?;
                rows.publish()?;
                if let Some(ExportPlace { file, .. }) = place {
                    describe(&file, &about, manifest, &counts, key)?;
                }
            }
        }
        Ok(())
    }
}

/// Gives lines to a sink as rows.
struct Rows<'a> {
    sink: Box<dyn Sink>,
    name: &'a str,
    run_id: RunId,
    waiting: Vec<Row>,
    written: u64,
    epoch: EpochNo,
}

impl<'a> Rows<'a> {
    fn open(
        mut sink: Box<dyn Sink>,
        (run_id, name): (RunId, &'a str),
        hash_version: HashVersion,
    ) -> Result<Self, ExportError> {
        let context =
            SinkContext { run_id, sink: name.to_owned(), hash_version, field_resolution: Default::default() };
        sink.open(&context, None).map_err(|error| failed(name, &error))?;
        Ok(Self { sink, name, run_id, waiting: Vec::new(), written: 0, epoch: EpochNo::default() })
    }

    fn write(&mut self) -> Result<(), ExportError> {
        let rows = std::mem::take(&mut self.waiting);
        let number = |at: usize| self.written + at as u64;
        let line =
            |at: usize| RowIndex::new(number(at)).expect("a record has fewer lines than a run can have rows");
        let token = |row| TokenKey::of_row(row, 0).expect("ordinal 0 is below every limit");
        let rows: Vec<_> = rows.iter().enumerate().collect();
        let sink_rows: Vec<SinkRow<'_>> = rows
            .iter()
            .map(|(at, row)| (line(*at), row))
            .map(|(at, row)| SinkRow { token_id: self.run_id.token_id(token(at)), source_row: at, row })
            .collect();
        let written = self.sink.write(self.epoch, &sink_rows).map_err(|error| failed(self.name, &error))?;
        if let Some(refusal) = written.refused.first() {
            let line = number(refusal.index) + 1;
            let what = format!(
                "sink `{}` refused record {line}: {}; with `format: csv` each kind of record gets a file of its own",
                self.name, refusal.reason.message
            );
            return Err(ExportError::Sink(what));
        }
        self.written += sink_rows.len() as u64;
        self.epoch = EpochNo(self.epoch.0 + 1);
        Ok(())
    }

    fn publish(mut self) -> Result<(), ExportError> {
        self.write()?;
        self.sink.publish().map(|_| ()).map_err(|error| failed(self.name, &error))
    }
}

impl LineSink for Rows<'_> {
    fn line(&mut self, line: &Line) -> Result<(), ExportError> {
        self.waiting.push(row(line, self.run_id));
        if self.waiting.len() < ROWS { Ok(()) } else { self.write() }
    }
}

fn failed(name: &str, error: &SinkError) -> ExportError {
    let help = error.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    ExportError::Sink(format!("sink `{name}`: {error}{help}"))
}

/// A record as a row: what it is, its public id, its fields. Fields without a value are left out.
fn row(line: &Line, run: RunId) -> Row {
    let mut pairs = vec![("record".into(), Value::Str(line.kind().name().into()))];
    if let (Some(name), Some(id)) = (line.kind().id_column(), line.id(run)) {
        pairs.push((name.into(), Value::Str(id.into())));
    }
    line.each(|name, atom| {
        if let Some(value) = value(atom) {
            pairs.push((name.into(), value));
        }
    });
    Row::from_pairs(pairs)
}

fn value(atom: Atom<'_>) -> Option<Value> {
    match atom {
        Atom::Null => None,
        Atom::Flag(flag) => Some(Value::Bool(flag)),
        Atom::Int(number) => Some(Value::Int(number)),
        Atom::Unsigned(number) => {
            Some(i64::try_from(number).map_or_else(|_| Value::Str(number.to_string().into()), Value::Int))
        }
        Atom::Text(text) => Some(Value::Str(text.as_ref().into())),
        Atom::Json(json) => {
            // What values cannot hold is told as it is written.
            let text = json.to_string();
            Some(Value::from_json(json).unwrap_or_else(|_| Value::Str(text.into())))
        }
    }
}
