//! One connection, for callers that wait.
//!
//! A thread has the connection and the runtime that it needs, so that it can be used from wherever: from a thread of a
//! verifier, and from within another runtime, which may not wait for a future by itself.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use elspeth_postgres::PgAddress;
use futures_util::TryStreamExt as _;
use rusqlite::types::Value;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::runtime::Runtime;

use super::{dialect, parameters};
use crate::db::{Bind, DbError};

/// Records that are read before the caller has taken those before them.
const AHEAD: usize = 1024;

/// A connection. What is sent to it is done in order.
pub(crate) struct Session {
    orders: Mutex<Sender<Order>>,
}

type Order = Box<dyn FnOnce(&mut Worker) + Send>;

/// What the thread has.
pub(super) struct Worker {
    runtime: Runtime,
    connection: PgConnection,
}

/// What a thread will have done.
#[must_use = "it may fail"]
pub(super) struct Reply<T>(Receiver<sqlx::Result<T>>);

impl<T> Reply<T> {
    pub(super) fn wait(self) -> sqlx::Result<T> {
        self.0.recv().map_err(|_| sqlx::Error::WorkerCrashed)?
    }
}

impl Session {
    /// Connects.
    pub(super) fn open(address: PgAddress) -> sqlx::Result<Self> {
        let (orders, inbox) = channel::<Order>();
        let (opened, told) = sync_channel(1);
        let work = move || match Worker::open(&address) {
            Ok(worker) => {
                let _ = opened.send(Ok(()));
                worker.work(&inbox);
            }
            Err(error) => {
                let _ = opened.send(Err(error));
            }
        };
        std::thread::Builder::new().name("postgresql".to_owned()).spawn(work)?;
        told.recv().map_err(|_| sqlx::Error::WorkerCrashed)??;
        Ok(Self { orders: Mutex::new(orders) })
    }

    fn send(&self, order: Order) -> sqlx::Result<()> {
        let orders = self.orders.lock().map_err(|_| sqlx::Error::WorkerCrashed)?;
        orders.send(order).map_err(|_| sqlx::Error::WorkerCrashed)
    }

    /// Lets the thread do something, and waits for it.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Worker) -> sqlx::Result<T> + Send + 'static,
    ) -> sqlx::Result<T> {
        self.later(work)?.wait()
    }

    /// Lets the thread do something once it has done what it was told before.
    pub(super) fn later<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Worker) -> sqlx::Result<T> + Send + 'static,
    ) -> sqlx::Result<Reply<T>> {
        let (reply, told): (SyncSender<sqlx::Result<T>>, _) = sync_channel(1);
        self.send(Box::new(move |worker| {
            let _ = reply.send(work(worker));
        }))?;
        Ok(Reply(told))
    }

    /// Executes statements without values.
    pub(crate) fn batch(&self, sql: impl Into<String>) -> sqlx::Result<()> {
        let sql = sql.into();
        self.ask(move |worker| worker.batch(sql))
    }

    /// Ends the open transaction.
    pub(crate) fn commit(&self) -> sqlx::Result<()> {
        self.ask(Worker::commit)
    }

    /// Executes a statement and says how many records it changed.
    pub(crate) fn execute(&self, sql: &str, values: &[&dyn Bind]) -> sqlx::Result<usize> {
        let (sql, values) = (dialect::translated(sql), parameters::arguments(values)?);
        let changed = self.ask(move |worker| worker.execute(sql, values))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    /// Executes statements one after the other, and says how many records the last one changed.
    pub(super) fn execute_all(&self, statements: &[(&str, &[Value])]) -> sqlx::Result<u64> {
        let said = |(sql, values): &(&str, &[Value])| {
            let values: Vec<&dyn Bind> = values.iter().map(|value| value as &dyn Bind).collect();
            Ok((dialect::translated(sql), parameters::arguments(&values)?))
        };
        let statements: Vec<_> = statements.iter().map(said).collect::<sqlx::Result<_>>()?;
        self.ask(move |worker| {
            statements.into_iter().try_fold(0, |_, (sql, values)| worker.execute(sql, values))
        })
    }

    /// All records that a query gives.
    pub(crate) fn rows(&self, sql: &str, values: &[&dyn Bind]) -> sqlx::Result<Vec<PgRow>> {
        let (sql, values) = (dialect::translated(sql), parameters::arguments(values)?);
        self.ask(move |worker| {
            let rows = sqlx::query_with(AssertSqlSafe(sql), values).fetch_all(&mut worker.connection);
            worker.runtime.block_on(rows)
        })
    }

    /// Reads each record that a query gives, until one cannot be read.
    pub(crate) fn each<E: From<DbError>>(
        &self,
        sql: &str,
        values: &[&dyn Bind],
        mut read: impl FnMut(&PgRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |error: sqlx::Error| E::from(DbError::from(error));
        let (sql, values) = (dialect::translated(sql), parameters::arguments(values).map_err(failed)?);
        let (rows, found): (_, Receiver<sqlx::Result<PgRow>>) = sync_channel(AHEAD);
        let order = move |worker: &mut Worker| {
            let Worker { runtime, connection } = worker;
            runtime.block_on(async {
                let mut stream = sqlx::query_with(AssertSqlSafe(sql), values).fetch(connection);
                while let Some(row) = stream.try_next().await.transpose() {
                    if rows.send(row).is_err() {
                        break;
                    }
                }
            });
        };
        self.send(Box::new(order)).map_err(failed)?;
        found.into_iter().try_for_each(|row| read(&row.map_err(failed)?))
    }
}

impl Worker {
    fn open(address: &PgAddress) -> sqlx::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let connection = runtime.block_on(address.connect())?;
        Ok(Self { runtime, connection })
    }

    /// Until nobody has orders any more.
    fn work(mut self, orders: &Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            order(&mut self);
        }
        // Whether the server hears of the end makes no difference.
        let _ = self.runtime.block_on(self.connection.close());
    }

    pub(super) fn batch(&mut self, sql: String) -> sqlx::Result<()> {
        self.runtime.block_on(self.connection.execute(sqlx::raw_sql(AssertSqlSafe(sql)))).map(|_| ())
    }

    fn execute(&mut self, sql: String, values: PgArguments) -> sqlx::Result<u64> {
        let done = sqlx::query_with(AssertSqlSafe(sql), values).execute(&mut self.connection);
        Ok(self.runtime.block_on(done)?.rows_affected())
    }

    pub(super) fn commit(&mut self) -> sqlx::Result<()> {
        self.batch("COMMIT".to_owned())
    }

    /// Inserts records in the binary form of `COPY`.
    pub(super) fn copy(&mut self, sql: &str, records: &[u8]) -> sqlx::Result<()> {
        let Self { runtime, connection } = self;
        runtime.block_on(async {
            let mut copy = connection.copy_in_raw(sql).await?;
            copy.send(records).await?;
            copy.finish().await.map(|_| ())
        })
    }
}
