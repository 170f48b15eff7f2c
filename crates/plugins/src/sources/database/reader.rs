//! The thread that reads: it has the connection, and is a few batches ahead.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

use elspeth_plugin::SourceError;
use elspeth_value::Value;

use super::position::KeyValues;
use super::query::Query;
use super::{Settings, postgres, sqlite};
use crate::database_place::Place;
use crate::value_size::size_of_value;

/// Batches that are read before the caller has taken those before them.
const AHEAD: usize = 2;
/// A batch ends at about so many bytes, however many rows were asked for.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// What the thread does.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) query: Query,
    pub(super) behind: Option<KeyValues>,
    pub(super) fetch_size: usize,
}

/// What is known before the first row.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) columns: Vec<String>,
    /// What the database says of the state that is read.
    pub(super) facts: BTreeMap<String, String>,
}

/// A row as it was read.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) values: Vec<Value>,
    /// Nothing where a column of the key is null.
    pub(super) key: Option<KeyValues>,
}

/// A query that is under way.
#[derive(Debug)]
pub(super) struct Reader {
    batches: Receiver<Result<Vec<Found>, SourceError>>,
    batch: std::vec::IntoIter<Found>,
}

/// What there is next.
#[derive(Debug)]
pub(super) enum Next {
    Row(Found),
    /// Nothing yet.
    Waiting,
    End,
}

/// Where the thread puts what it reads.
pub(super) struct Outlet {
    head: SyncSender<Result<Head, SourceError>>,
    batches: SyncSender<Result<Vec<Found>, SourceError>>,
    batch: Vec<Found>,
    bytes: usize,
    fetch_size: usize,
}

/// Nobody wants more.
#[derive(Debug)]
pub(super) struct Unwanted;

impl Reader {
    /// Connects and begins to read.
    ///
    /// # Errors
    /// The database does not let us in, or the query cannot be run.
    pub(super) fn start(settings: &Settings, behind: Option<KeyValues>) -> Result<(Self, Head), SourceError> {
        let (head, told) = sync_channel(1);
        let (sender, batches) = sync_channel(AHEAD);
        let job = Job { query: settings.query.clone(), behind, fetch_size: settings.fetch_size };
        let mut outlet =
            Outlet { head, batches: sender, batch: Vec::new(), bytes: 0, fetch_size: job.fetch_size };
        let place = settings.place.clone();
        let work = move || {
            if let Err(error) = work(&place, &job, &mut outlet) {
                outlet.fail(error);
            }
        };
        let shown = settings.place.shown();
        let spawned = std::thread::Builder::new().name("database source".to_owned()).spawn(work);
        spawned
            .map_err(|e| SourceError::new(format!("cannot read `{shown}`: no thread could be made: {e}")))?;
        let head = told.recv().map_err(|_| gone(&shown))??;
        Ok((Self { batches, batch: Vec::new().into_iter() }, head))
    }

    /// The next row; does not wait for one if `patient` is false.
    ///
    /// # Errors
    /// Reading failed.
    pub(super) fn next(&mut self, patient: bool) -> Result<Next, SourceError> {
        loop {
            if let Some(row) = self.batch.next() {
                return Ok(Next::Row(row));
            }
            let batch = match patient {
                true => self.batches.recv().map_err(|_| TryRecvError::Disconnected),
                false => self.batches.try_recv(),
            };
            match batch {
                Ok(Ok(batch)) if batch.is_empty() => return Ok(Next::End),
                Ok(batch) => self.batch = batch?.into_iter(),
                Err(TryRecvError::Empty) => return Ok(Next::Waiting),
                Err(TryRecvError::Disconnected) => return Err(gone("the database")),
            }
        }
    }
}

fn gone(what: &str) -> SourceError {
    SourceError::new(format!("whoever read `{what}` ended without a word"))
}

fn work(place: &Place, job: &Job, outlet: &mut Outlet) -> Result<(), SourceError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|e| SourceError::new(format!("cannot talk to `{}`: {e}", place.shown())))?;
    let done = match place {
        Place::File(path) => runtime.block_on(sqlite::read(path, job, outlet)),
        Place::Server(address) => runtime.block_on(postgres::read(address, job, outlet)),
    };
    // The server need not be waited for when nobody wants its answers.
    runtime.shutdown_background();
    done
}

impl Outlet {
    /// Tells what is known before the first row.
    pub(super) fn begin(&self, head: Head) -> Result<(), Unwanted> {
        self.head.send(Ok(head)).map_err(|_| Unwanted)
    }

    /// Puts a row in; waits while the caller has enough.
    pub(super) fn put(&mut self, row: Found) -> Result<(), Unwanted> {
        self.bytes += row.values.iter().map(size_of_value).sum::<usize>();
        self.batch.push(row);
        if self.batch.len() >= self.fetch_size || self.bytes >= MOST_BYTES {
            return self.flush();
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Unwanted> {
        self.bytes = 0;
        self.batches.send(Ok(std::mem::take(&mut self.batch))).map_err(|_| Unwanted)
    }

    /// There are no more rows.
    pub(super) fn end(&mut self) {
        if self.batch.is_empty() || self.flush().is_ok() {
            // An empty batch is the end; whoever left does not want to hear of it.
            let _ = self.batches.send(Ok(Vec::new()));
        }
    }

    /// What was read before counts.
    fn fail(&mut self, error: SourceError) {
        let _ = self.head.try_send(Err(error.clone()));
        if self.batch.is_empty() || self.flush().is_ok() {
            let _ = self.batches.send(Err(error));
        }
    }
}
