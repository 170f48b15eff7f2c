//! A database of a PostgreSQL server, with a schema for each test, and looks into it.

use std::sync::Mutex;

use elspeth_testkit::PgCluster;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, Row as _};
use tokio::runtime::Runtime;

pub(crate) struct Server {
    pub(crate) url: String,
    session: Mutex<(Runtime, PgConnection)>,
}

impl Server {
    /// A new database; `None` where the machine has no PostgreSQL.
    pub(crate) fn shared() -> Option<Self> {
        PgCluster::shared().map(Self::on)
    }

    /// A new database of that cluster.
    pub(crate) fn on(cluster: &PgCluster) -> Self {
        let url = cluster.fresh();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let options: PgConnectOptions = url.parse().unwrap();
        let connection = runtime.block_on(options.connect()).unwrap();
        let server = Self { url, session: Mutex::new((runtime, connection)) };
        server.execute("SET client_min_messages = warning");
        server
    }

    /// The URL of a schema of that name, which is made where there is none.
    pub(crate) fn schema(&self, name: &str) -> String {
        self.execute(&format!("CREATE SCHEMA IF NOT EXISTS \"{name}\""));
        format!("{}?options=-csearch_path%3D%22{name}%22", self.url)
    }

    /// Runs statements.
    pub(crate) fn execute(&self, sql: &str) {
        let (runtime, connection) = &mut *self.session.lock().unwrap();
        let done = connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())));
        runtime.block_on(done).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The rows of a query whose columns are texts, joined by `|`.
    pub(crate) fn query(&self, sql: &str) -> Vec<String> {
        let (runtime, connection) = &mut *self.session.lock().unwrap();
        let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(connection);
        let rows = runtime.block_on(rows).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let cell = |row: &sqlx::postgres::PgRow, n| {
            row.get::<Option<String>, _>(n).unwrap_or_else(|| "NULL".to_owned())
        };
        rows.iter().map(|row| (0..row.len()).map(|n| cell(row, n)).collect::<Vec<_>>().join("|")).collect()
    }

    /// All tables of a schema but the sink's own: their columns, and their rows as they were put in.
    pub(crate) fn contents(&self, schema: &str) -> String {
        let tables = format!(
            "SELECT c.relname::text, coalesce((SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
                || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END, ', ' ORDER BY a.attnum)
             FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '')
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'r' AND n.nspname = '{schema}' AND c.relname NOT LIKE '\\_elspeth%' ORDER BY c.relname"
        );
        let mut out = String::new();
        for table in self.query(&tables) {
            let (name, columns) = table.split_once('|').unwrap();
            let rows = self.query(&format!("SELECT t::text FROM \"{schema}\".\"{name}\" t ORDER BY t.ctid"));
            out += &format!("{name} ({columns})\n{}\n", rows.join("\n"));
        }
        out
    }
}
