//! What can be done to a table.

use std::fmt;

use rusqlite::types::Value;

use crate::tables::{Column, Record, Table};

/// One thing that is done, as SQL.
pub(crate) struct Change {
    pub(crate) table: String,
    /// What is said of it.
    what: String,
    /// Whose columns are changed; none for whole records.
    column: Option<String>,
    pub(crate) sql: Vec<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sql: String = self.sql.join("; ").chars().take(400).collect();
        write!(f, "{}: {} ({sql})", self.table, self.what)
    }
}

impl Change {
    fn of_column(table: &Table, column: &Column, what: &str, record: &Record, value: &Value) -> Self {
        let (name, condition) = (&table.name, table.condition(record));
        Self {
            table: name.clone(),
            what: format!("{} {what}", column.name),
            column: Some(column.name.clone()),
            sql: vec![format!(
                "UPDATE {name} SET {} = {} WHERE {condition}",
                column.name,
                table.literal(value)
            )],
        }
    }

    fn of_record(table: &Table, what: &str, sql: Vec<String>) -> Self {
        Self { table: table.name.clone(), what: what.to_owned(), column: None, sql }
    }

    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        self.column.as_deref().into_iter()
    }

    /// Whether it does one of these to its column.
    pub(crate) fn does(&self, what: &[&str]) -> bool {
        let done = self.column.as_ref().and_then(|column| self.what.strip_prefix(column.as_str()));
        done.is_some_and(|done| what.contains(&done.trim()))
    }

    /// What has to be in the list when it is not found: the column, or what is done.
    pub(crate) fn place(&self) -> &str {
        self.column.as_deref().unwrap_or(&self.what)
    }
}

/// Everything that is done to a table.
pub(crate) fn of(table: &Table) -> Vec<Change> {
    let mut changes = Vec::new();
    for record in &table.samples {
        for (at, column) in table.columns.iter().enumerate() {
            changes.extend(values(table, column, at, record));
        }
        changes.push(deleted(table, record));
        changes.extend(copied(table, record));
    }
    for pair in table.samples.windows(2) {
        changes.extend(swapped(table, &pair[0], &pair[1]));
    }
    changes
}

/// Other values of one column of one record.
fn values(table: &Table, column: &Column, at: usize, record: &Record) -> Vec<Change> {
    let old = &record.0[at];
    let mut values = vec![("changed", other(column, old))];
    let borrowed = table.records.iter().map(|record| &record.0[at]).find(|value| *value != old);
    values.extend(borrowed.map(|value| ("changed to another record's", value.clone())));
    match old {
        Value::Null => {}
        Value::Blob(bytes) if bytes.is_empty() => {}
        Value::Blob(bytes) => {
            for bit in [0, bytes.len() * 4, bytes.len() * 8 - 1] {
                values.push(("with a bit flipped", flipped(bytes, bit)));
            }
            values.push(("cut", Value::Blob(bytes[..bytes.len() - 1].to_vec())));
        }
        Value::Integer(number) => values.push(("negated", Value::Integer(-number - 1))),
        Value::Text(_) => values.push(("emptied", Value::Text(String::new()))),
        Value::Real(_) => {}
    }
    if *old != Value::Null && column.key == 0 {
        values.push(("nulled", Value::Null));
    }
    values.retain(|(_, value)| value != old);
    values.iter().map(|(what, value)| Change::of_column(table, column, what, record, value)).collect()
}

/// A value that could be there.
fn other(column: &Column, old: &Value) -> Value {
    match old {
        Value::Null => match column.declared.as_str() {
            "INTEGER" => Value::Integer(1),
            "TEXT" => Value::Text("{}".to_owned()),
            _ => Value::Blob(vec![7; 32]),
        },
        Value::Integer(number) => Value::Integer(if *number == 1 { 0 } else { number + 1 }),
        Value::Real(number) => Value::Real(number + 1.0),
        Value::Text(text) => Value::Text(edited(text)),
        Value::Blob(bytes) => flipped(bytes, bytes.len() * 8 / 3),
    }
}

/// A text with one letter or digit changed, so that JSON stays JSON.
fn edited(text: &str) -> String {
    let place = text.char_indices().rfind(|(_, c)| c.is_ascii_alphanumeric());
    match place {
        None => format!("{text} "),
        Some((at, c)) => {
            let new = match c {
                '9' => '8',
                'z' | 'Z' => 'y',
                c => char::from(u8::try_from(c).unwrap() + 1),
            };
            format!("{}{new}{}", &text[..at], &text[at + 1..])
        }
    }
}

fn flipped(bytes: &[u8], bit: usize) -> Value {
    let mut bytes = bytes.to_vec();
    if bytes.is_empty() {
        return Value::Blob(vec![1]);
    }
    let bit = bit.min(bytes.len() * 8 - 1);
    bytes[bit / 8] ^= 1 << (bit % 8);
    Value::Blob(bytes)
}

fn deleted(table: &Table, record: &Record) -> Change {
    let sql = format!("DELETE FROM {} WHERE {}", table.name, table.condition(record));
    Change::of_record(table, "a record deleted", vec![sql])
}

/// Copies under other keys: one beside it, one far away.
fn copied(table: &Table, record: &Record) -> Vec<Change> {
    let last = table.columns.iter().enumerate().filter(|(_, c)| c.key > 0).max_by_key(|(_, c)| c.key);
    let (name, Some((at, _))) = (&table.name, last) else { return Vec::new() };
    let Value::Integer(key) = record.0[at] else { return Vec::new() };
    let with = |key: i64| {
        let mut copy = record.clone();
        copy.0[at] = Value::Integer(key);
        let values: Vec<String> = copy.0.iter().map(|value| table.literal(value)).collect();
        let sql = format!("INSERT INTO {name} VALUES ({})", values.join(", "));
        Change::of_record(table, "a record inserted", vec![sql])
    };
    vec![with(key + 1), with(key + 1_000_003)]
}

/// Two records with one value exchanged, or with everything but the key.
fn swapped(table: &Table, one: &Record, other: &Record) -> Vec<Change> {
    let mut changes = Vec::new();
    let differ = |at: &usize| table.columns[*at].key == 0 && one.0[*at] != other.0[*at];
    let differing: Vec<usize> = (0..table.columns.len()).filter(differ).collect();
    for at in &differing {
        let column = &table.columns[*at];
        changes.push(Change {
            table: table.name.clone(),
            what: format!("{} of two records exchanged", column.name),
            column: Some(column.name.clone()),
            sql: exchange(table, &[*at], one, other),
        });
    }
    if differing.len() > 1 {
        let sql = exchange(table, &differing, one, other);
        changes.push(Change::of_record(table, "two records exchanged", sql));
    }
    changes
}

fn exchange(table: &Table, columns: &[usize], one: &Record, other: &Record) -> Vec<String> {
    let set = |from: &Record, to: &Record| {
        let sets: Vec<String> = columns
            .iter()
            .map(|at| format!("{} = {}", table.columns[*at].name, table.literal(&from.0[*at])))
            .collect();
        format!("UPDATE {} SET {} WHERE {}", table.name, sets.join(", "), table.condition(to))
    };
    // A table without key would not know its records again after the first of these.
    if table.columns.iter().all(|column| column.key == 0) {
        return vec![set(other, one)];
    }
    vec![set(other, one), set(one, other)]
}
