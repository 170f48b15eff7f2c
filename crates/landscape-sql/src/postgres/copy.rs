//! Records in the binary form of `COPY`.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::types::ValueRef;

use super::Session;
use super::session::Reply;
use crate::db::DbError;
use crate::insert::{Table, Values, unusual};

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const END: [u8; 2] = (-1_i16).to_be_bytes();

/// Appends one value: its length, then its bytes.
pub(crate) fn push(out: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => out.extend((-1_i32).to_be_bytes()),
        ValueRef::Integer(number) => {
            out.extend(8_i32.to_be_bytes());
            out.extend(number.to_be_bytes());
        }
        ValueRef::Real(_) => unreachable!("the record has no such numbers"),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            let length = i32::try_from(bytes.len()).expect("a value of the record is far below 2 GiB");
            out.extend(length.to_be_bytes());
            out.extend(bytes);
        }
    }
}

/// Records that one statement takes. The server keeps a place for each of the first thousand of a statement, and takes the longer to
/// find one the more there are, so that 500 cost it three quarters of the CPU time that 1,000 do, for each record; fewer cost more
/// again, in statements. That is done once for however many come after the first thousand, so that very many are the cheapest.
const FEW: usize = 500;
/// From here on all go in one statement.
const MANY: usize = 1_400;
/// But no more than fit into the memory of the server that keeps them for the guard which looks at them after a statement.
const MOST: usize = 16_384;

/// Records of one table, ready to be sent.
pub(super) struct Copy {
    pub(super) sql: String,
    pub(super) records: Vec<u8>,
}

/// Records on their way: one table is encoded while the server takes the one before.
pub(super) struct Sending<'a> {
    session: &'a Session,
    sent: Vec<(Arc<Copy>, Reply<()>)>,
}

impl<'a> Sending<'a> {
    pub(super) fn to(session: &'a Session) -> Self {
        Self { session, sent: Vec::new() }
    }

    pub(super) fn add(&mut self, copies: impl IntoIterator<Item = Arc<Copy>>) -> Result<(), DbError> {
        for copy in copies {
            let sent = Arc::clone(&copy);
            self.sent.push((copy, self.session.later(move |worker| worker.copy(&sent.sql, &sent.records))?));
        }
        Ok(())
    }

    /// Waits until the server has everything; what was sent.
    pub(super) fn finish(self) -> Result<Vec<Arc<Copy>>, DbError> {
        self.sent.into_iter().map(|(copy, reply)| Ok(reply.wait().map(|()| copy)?)).collect()
    }
}

/// Encodes the records of one run, with the texts used so far.
pub(super) struct Copies {
    run_no: i64,
    texts: HashMap<(&'static str, u8), String>,
}

impl Copies {
    pub(super) fn new(run_no: i64) -> Self {
        Self { run_no, texts: HashMap::new() }
    }

    /// As many statements as it takes, for records of one table.
    pub(super) fn of<T: Table>(
        &mut self,
        _table: T,
        records: &[T::Record],
    ) -> impl Iterator<Item = Arc<Copy>> {
        let at_once = if records.len() < MANY { FEW } else { MOST };
        let parts = records.len().div_ceil(at_once).max(1);
        let size = records.len().div_ceil(parts).max(1);
        records.chunks(size).map(move |part| Arc::new(self.part::<T>(part)))
    }

    fn part<T: Table>(&mut self, records: &[T::Record]) -> Copy {
        let shape = records.iter().fold(0, |shape, record| shape | T::needs(record));
        let columns = 1 + T::COLUMNS.len() + unusual::<T>(shape).count();
        let columns = i16::try_from(columns).expect("a table has few columns");
        let mut out =
            Vec::with_capacity(HEADER.len() + records.len() * usize::from(columns.unsigned_abs()) * 14);
        out.extend(HEADER);
        for record in records {
            out.extend(columns.to_be_bytes());
            push(&mut out, ValueRef::Integer(self.run_no));
            T::bind(record, shape, &mut Values::copied(&mut out));
        }
        out.extend(END);
        let sql = self.texts.entry((T::NAME, shape)).or_insert_with(|| text::<T>(shape));
        Copy { sql: sql.clone(), records: out }
    }
}

fn text<T: Table>(shape: u8) -> String {
    let columns: Vec<&str> = T::COLUMNS.iter().chain(unusual::<T>(shape)).copied().collect();
    format!("COPY {}(run_no, {}) FROM STDIN WITH (FORMAT binary)", T::NAME, columns.join(", "))
}

/// Records that come one after the other, and are copied many at once.
pub(crate) struct Bulk {
    run_no: i64,
    /// The table of those that wait.
    table: Option<&'static str>,
    sql: String,
    records: Vec<u8>,
}

/// Bytes after which waiting records are sent.
const ENOUGH: usize = 1 << 20;

impl Bulk {
    pub(crate) fn new(run_no: i64) -> Self {
        Self { run_no, table: None, sql: String::new(), records: Vec::new() }
    }

    /// Adds a record to those that wait, which are sent when they are many or of another table.
    pub(crate) fn add<T: Table>(
        &mut self,
        session: &Session,
        _table: T,
        record: &T::Record,
    ) -> sqlx::Result<()> {
        if self.table != Some(T::NAME) || self.records.len() > ENOUGH {
            self.flush(session)?;
            self.table = Some(T::NAME);
            self.sql = text::<T>(u8::MAX);
            self.records.extend(HEADER);
        }
        let columns =
            i16::try_from(1 + T::COLUMNS.len() + T::UNUSUAL.len()).expect("a table has few columns");
        self.records.extend(columns.to_be_bytes());
        push(&mut self.records, ValueRef::Integer(self.run_no));
        T::bind(record, u8::MAX, &mut Values::copied(&mut self.records));
        Ok(())
    }

    /// Sends what waits.
    pub(crate) fn flush(&mut self, session: &Session) -> sqlx::Result<()> {
        if self.table.take().is_none() {
            return Ok(());
        }
        self.records.extend(END);
        let (sql, records) = (std::mem::take(&mut self.sql), std::mem::take(&mut self.records));
        session.ask(move |worker| worker.copy(&sql, &records))
    }
}
