//! Looks into SQLite files, for the tests beside.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, Row as _};

fn run<T>(path: &Path, work: impl AsyncFnOnce(&mut SqliteConnection) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        let result = work(&mut connection).await;
        sqlx::Connection::close(connection).await.unwrap();
        result
    })
}

/// Runs statements.
pub(crate) fn execute(path: &Path, sql: &str) {
    run(path, async |connection| {
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
    });
}

/// The rows of a query whose columns are texts, joined by `|`.
pub(crate) fn query(path: &Path, sql: &str) -> Vec<String> {
    run(path, async |connection| fetch(connection, sql).await)
}

async fn fetch(connection: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(connection).await.unwrap();
    let cell = |row: &sqlx::sqlite::SqliteRow, n| {
        row.get_unchecked::<Option<String>, _>(n).unwrap_or_else(|| "NULL".to_owned())
    };
    rows.iter().map(|row| (0..row.len()).map(|n| cell(row, n)).collect::<Vec<_>>().join("|")).collect()
}

/// All tables but the sink's own: how each is declared, and its rows in order, with each value as SQLite would write it.
pub(crate) fn contents(path: &Path) -> String {
    run(path, async |connection| {
        let mut out = String::new();
        let tables = "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_elspeth\\_%' ESCAPE '\\' ORDER BY name";
        for table in fetch(connection, tables).await {
            let (name, sql) = table.split_once('|').unwrap();
            let columns = format!("SELECT name FROM pragma_table_info('{}')", name.replace('\'', "''"));
            let columns: Vec<_> = fetch(connection, &columns)
                .await
                .iter()
                .map(|column| format!("quote(\"{}\")", column.replace('"', "\"\"")))
                .collect();
            let rows = format!(
                "SELECT {} FROM \"{}\" ORDER BY rowid",
                columns.join(", "),
                name.replace('"', "\"\"")
            );
            out += &format!("{sql}\n{}\n", fetch(connection, &rows).await.join("\n"));
        }
        out
    })
}

/// Holds the database for writing while `meanwhile` runs.
pub(crate) fn hold(path: &Path, meanwhile: impl FnOnce()) {
    run(path, async |connection| {
        connection.execute("BEGIN IMMEDIATE").await.unwrap();
        meanwhile();
        connection.execute("COMMIT").await.unwrap();
    });
}
