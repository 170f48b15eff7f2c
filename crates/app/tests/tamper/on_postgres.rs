//! The same in PostgreSQL: a superuser takes the guards away (triggers, constraints) and changes what is there.

use std::collections::BTreeMap;

use elspeth_app::{AppError, DatabaseChoice, TrustChoice, VerifyChoice, VerifyStatus};
use elspeth_testkit::{PG_SUPERUSER, PgCluster};
use rusqlite::types::Value;
use serde_json::Value as Json;

use crate::changes::{self, Change};
use crate::subject::Subject;
use crate::tables::{Column, Dialect, Record, Table};
use crate::{Seen, judge};

/// Records of each table that are changed.
const SAMPLES: usize = 1;
/// Databases in which changes are tried beside each other.
const THREADS: usize = 2;
/// Of values, what is done to a column here; SQLite has the other ones (bits, borrowed values, ...) too.
const DONE: [&str; 2] = ["changed", "nulled"];
/// The table that says which version the schema is of. Whoever changes that is refused.
const VERSION: &str = "elspeth_schema";

/// Ids of runs by their numbers.
type Runs = BTreeMap<String, String>;

/// A database of a server.
struct Database {
    cluster: &'static PgCluster,
    name: String,
}

impl Database {
    fn ask(&self, sql: &str) -> Result<String, String> {
        self.cluster.try_psql((PG_SUPERUSER, &self.name), sql)
    }

    fn told(&self, sql: &str) -> String {
        self.cluster.psql(&self.name, sql)
    }

    /// As one who may do everything: no trigger is asked any more, no constraint but keys is left. What was in the tables is
    /// kept in a schema beside them.
    fn loosen(&self) {
        self.told(
            "DO $$
            DECLARE found RECORD;
            BEGIN
                FOR found IN SELECT conrelid::regclass AS name, conname FROM pg_constraint
                    WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f') LOOP
                    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', found.name, found.conname);
                END LOOP;
                FOR found IN SELECT c.table_name, c.column_name FROM information_schema.columns c
                    JOIN information_schema.tables t USING (table_schema, table_name)
                    WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.is_nullable = 'NO'
                    AND NOT EXISTS (SELECT 1 FROM information_schema.key_column_usage k
                        JOIN information_schema.table_constraints p USING (constraint_schema, constraint_name)
                        WHERE p.constraint_type = 'PRIMARY KEY' AND k.table_schema = 'public'
                        AND k.table_name = c.table_name AND k.column_name = c.column_name) LOOP
                    EXECUTE format('ALTER TABLE %I ALTER %I DROP NOT NULL', found.table_name, found.column_name);
                END LOOP;
                CREATE SCHEMA kept;
                FOR found IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
                    EXECUTE format('ALTER TABLE %I DISABLE TRIGGER ALL', found.tablename);
                    EXECUTE format('CREATE TABLE kept.%1$I AS TABLE public.%1$I', found.tablename);
                END LOOP;
            END $$",
        );
    }

    /// As it describes itself.
    fn tables(&self) -> Vec<Table> {
        let sql = "SELECT json_build_array(c.table_name, c.column_name, c.data_type, coalesce(k.ordinal_position, 0))
            FROM information_schema.columns c
            JOIN information_schema.tables t USING (table_schema, table_name)
            LEFT JOIN (information_schema.key_column_usage k JOIN information_schema.table_constraints p
                ON p.constraint_name = k.constraint_name AND p.constraint_type = 'PRIMARY KEY' AND p.table_schema = 'public')
                ON k.table_schema = 'public' AND k.table_name = c.table_name AND k.column_name = c.column_name
            WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' ORDER BY c.table_name, c.ordinal_position";
        let mut columns: BTreeMap<String, Vec<Column>> = BTreeMap::new();
        for line in self.told(sql).lines() {
            let (table, name, kind, key): (String, String, String, i64) = serde_json::from_str(line).unwrap();
            let declared = match kind.as_str() {
                "bigint" => "INTEGER",
                "text" => "TEXT",
                "bytea" => "BLOB",
                other => panic!("{table}.{name} is {other}"),
            };
            columns.entry(table).or_default().push(Column { name, key, declared: declared.to_owned() });
        }
        columns.into_iter().map(|(name, columns)| self.table(name, columns)).collect()
    }

    fn table(&self, name: String, columns: Vec<Column>) -> Table {
        let mut key: Vec<&Column> = columns.iter().filter(|column| column.key > 0).collect();
        key.sort_by_key(|column| column.key);
        let order: Vec<&str> = key.iter().map(|column| column.name.as_str()).chain(["(SELECT 1)"]).collect();
        let sql = format!("SELECT row_to_json(t) FROM {name} t ORDER BY {}", order.join(", "));
        let lines = self.told(&sql);
        let record = |line: &str| {
            let mut fields: BTreeMap<String, Json> = serde_json::from_str(line).unwrap();
            Record(columns.iter().map(|c| value(fields.remove(&c.name).unwrap(), &c.declared)).collect())
        };
        let records = lines.lines().map(record).collect();
        Table::with((Dialect::Postgres, name), columns, records, SAMPLES)
    }

    /// Puts back what was changed before, and makes that change; does neither, where the database does not allow it even so.
    fn change(&self, before: Option<&str>, change: &Change) -> bool {
        let counted = change
            .sql
            .iter()
            .map(|sql| format!("WITH done AS ({sql} RETURNING 1) SELECT count(*) FROM done"));
        let back = before
            .map(|table| format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept.{table}"));
        // In one transaction.
        match self.ask(&back.into_iter().chain(counted).collect::<Vec<_>>().join("; ")) {
            Ok(counts) => {
                assert!(counts.lines().all(|count| count == "1"), "{change}: {counts}");
                true
            }
            Err(error) => {
                assert!(error.contains("duplicate key"), "{change}: {error}");
                false
            }
        }
    }

    /// The ids of runs by their numbers.
    fn runs(&self) -> Runs {
        let told = self.told("SELECT run_no, run_id FROM runs");
        let run =
            |line: &str| line.split_once('|').map(|(number, id)| (number.to_owned(), id.to_owned())).unwrap();
        told.lines().map(run).collect()
    }

    /// Asks the run that was changed; and all, where that shows nothing or the change is not of a run's records.
    fn see(&self, change: &Change, runs: &Runs) -> Seen {
        let of_runs = !["runs", "registry", "heads", "purges", VERSION].contains(&change.table.as_str());
        let run = changed_run(change).and_then(|number| runs.get(number)).filter(|_| of_runs);
        match run.map(|run| self.verified(change, &VerifyChoice::One(run.clone()))) {
            Some(Seen::Tampered) => Seen::Tampered,
            Some(Seen::Missed) | None => self.verified(change, &VerifyChoice::All),
        }
    }

    fn verified(&self, change: &Change, choice: &VerifyChoice) -> Seen {
        let url = self.cluster.url_as(PG_SUPERUSER, &self.name);
        match elspeth_app::verify(&DatabaseChoice::Location(url), choice, &TrustChoice::default()) {
            Ok(found) if found.iter().any(|run| run.status == VerifyStatus::Tampered) => Seen::Tampered,
            Ok(_) => Seen::Missed,
            Err(AppError::Record(_)) if change.table == VERSION => Seen::Tampered,
            Err(error) => panic!("{change}: {error}"),
        }
    }
}

/// What is done to a table here. A column of a key may have no other value that is free but a negative one.
fn some_of(table: &Table) -> impl Iterator<Item = Change> + '_ {
    let is_key = |name: &str| table.columns.iter().any(|column| column.key > 0 && column.name == name);
    let chosen = move |change: &Change| {
        let Some(column) = change.columns().next() else { return true };
        change.does(&DONE) || is_key(column) && change.does(&["negated"])
    };
    changes::of(table).into_iter().filter(chosen)
}

/// The number of the run whose record is changed, where that can be told.
fn changed_run(change: &Change) -> Option<&str> {
    let (_, behind) = change.sql.first()?.split_once("run_no IS NOT DISTINCT FROM ")?;
    behind.split(' ').next()
}

/// A value of that type, as SQLite would have it.
fn value(json: Json, declared: &str) -> Value {
    match (json, declared) {
        (Json::Null, _) => Value::Null,
        (Json::Number(number), "INTEGER") => Value::Integer(number.as_i64().unwrap()),
        (Json::String(text), "TEXT") => Value::Text(text),
        (Json::String(text), "BLOB") => Value::Blob(bytes(&text[2..])),
        (other, _) => panic!("{other} is no {declared}"),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn promise_tamper_evident_on_postgresql() {
    let Some(cluster) = PgCluster::shared() else { return };
    let url = cluster.fresh();
    let subject = Subject::in_server(&url);
    subject.assert_sound();
    let pattern = Database { cluster, name: url.rsplit('/').next().unwrap().to_owned() };
    pattern.loosen();
    subject.assert_sound();
    let tables = pattern.tables();
    let changes: Vec<_> = tables.iter().flat_map(some_of).collect();
    let runs = pattern.runs();
    let share = changes.len().div_ceil(THREADS);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let part = |(number, part)| {
            let name = format!("changed_{number}");
            cluster.psql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {}", pattern.name));
            let runs = &runs;
            scope.spawn(move || see_all((&Database { cluster, name }, runs), part))
        };
        let parts: Vec<_> = changes.chunks(share).enumerate().map(part).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    judge(&tables, Dialect::Postgres, &answers);
}

fn see_all<'a>((database, runs): (&Database, &Runs), changes: &'a [Change]) -> Vec<(&'a Change, Seen)> {
    let mut before: Option<&str> = None;
    let mut answers = Vec::new();
    for change in changes {
        if database.change(before, change) {
            before = Some(&change.table);
            answers.push((change, database.see(change, runs)));
        }
    }
    answers
}
