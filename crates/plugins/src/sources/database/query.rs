//! The query as it is sent: the settings' own as a table of its own, in the order of the key.

use elspeth_plugin::{OptionError, SourceError};
use sqlx::Statement;

/// Columns that a key may have.
const MOST_KEYS: usize = 16;
/// How a query can begin.
const BEGINNINGS: [&str; 4] = ["select", "with", "values", "table"];

/// A query with its key.
#[derive(Debug, Clone)]
pub(super) struct Query {
    text: String,
    pub(super) key: Vec<String>,
}

/// A column of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyColumn {
    /// Its place in the query.
    pub(super) column: usize,
    /// By what rows are ordered.
    pub(super) order: String,
    /// As what a value of it is compared.
    pub(super) parameter: String,
}

impl Query {
    /// Checks what can be checked without the database.
    ///
    /// # Errors
    /// The text is no query, or the key none.
    pub(super) fn new(text: &str, key: Vec<String>) -> Result<Self, OptionError> {
        let refused =
            |path: &str, message: &str, help: &str| Err(OptionError::new(path, message).with_help(help));
        let text = text.trim().trim_end_matches([';', ' ', '\t', '\r', '\n']);
        let help = "write one SELECT";
        match first_word(text).to_ascii_lowercase().as_str() {
            "" => return refused("query", "there is no query", help),
            word if BEGINNINGS.contains(&word) => {}
            _ => return refused("query", "this is no query that only reads", help),
        }
        if text.contains('\0') {
            return refused("query", "the query has a zero byte in it", help);
        }
        let help = "name the columns that say which row is which, such as the table's primary key";
        if key.is_empty() || key.iter().any(String::is_empty) {
            return refused("key", "there is no key", help);
        }
        let twice = key.iter().enumerate().find(|(n, column)| key[..*n].contains(column));
        if let Some((_, column)) = twice {
            return refused("key", &format!("the column `{column}` is named twice"), help);
        }
        if key.len() > MOST_KEYS {
            return refused("key", &format!("a key has at most {MOST_KEYS} columns"), help);
        }
        Ok(Self { text: text.to_owned(), key })
    }

    /// All columns, to be described and not to be run.
    pub(super) fn described(&self) -> String {
        format!("SELECT * FROM ({}) AS r", self.inner())
    }

    /// The query itself, as it may be written alone.
    pub(super) fn alone(&self) -> &str {
        &self.text
    }

    /// The statement; behind the key whose values are its parameters, if that is asked for. Rows without a key are not left
    /// out there, so that they are found.
    pub(super) fn statement(&self, values: &[String], key: &[KeyColumn], behind: bool) -> String {
        let list = |of: &dyn Fn(&KeyColumn) -> String, apart: &str| {
            key.iter().map(of).collect::<Vec<_>>().join(apart)
        };
        let order = list(&|part| part.order.clone(), ", ");
        let behind = match behind {
            false => String::new(),
            true => format!(
                " WHERE ({order}) > ({}) OR {}",
                list(&|part| part.parameter.clone(), ", "),
                list(&|part| format!("{} IS NULL", part.order), " OR "),
            ),
        };
        format!("SELECT {} FROM ({}) AS r{behind} ORDER BY {order}", values.join(", "), self.inner())
    }

    /// On lines of its own, so that a comment at its end ends.
    fn inner(&self) -> String {
        format!("\n{}\n", self.text)
    }

    /// The places of the key's columns.
    ///
    /// # Errors
    /// The query gives no such column.
    pub(super) fn find_key(&self, columns: &[String]) -> Result<Vec<usize>, SourceError> {
        let place = |name: &String| {
            columns.iter().position(|column| column == name).ok_or_else(|| {
                let known = columns.iter().map(|column| format!("`{column}`")).collect::<Vec<_>>().join(", ");
                SourceError::new(format!("the query gives no column `{name}`, which `key` names"))
                    .with_help(format!("its columns are {known}"))
            })
        };
        self.key.iter().map(place).collect()
    }
}

/// The first word behind blanks, comments and brackets.
fn first_word(mut text: &str) -> &str {
    loop {
        text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
        let rest = if let Some(comment) = text.strip_prefix("--") {
            comment.split_once('\n').map(|(_, rest)| rest)
        } else if let Some(comment) = text.strip_prefix("/*") {
            comment.split_once("*/").map(|(_, rest)| rest)
        } else {
            let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
            return &text[..end];
        };
        match rest {
            Some(rest) => text = rest,
            None => return "",
        }
    }
}

/// Whether a query that the database has read is complete. The parameters of [`Query::statement`] are ours: another one would
/// be null, or worse, a part of the key.
///
/// # Errors
/// It has parameters.
pub(super) fn check_no_parameters(query: &impl Statement) -> Result<(), SourceError> {
    let count = query.parameters().map_or(0, |known| known.either(<[_]>::len, |count| count));
    if count == 0 {
        return Ok(());
    }
    Err(SourceError::new("the query has parameters (`?`, `?1`, `:name`, `@name`, `$1`), which get no value")
        .with_help("write the value itself into the query, or `${VARIABLE}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_query_is_refused() {
        let refused = |text: &str, key: &[&str]| {
            Query::new(text, key.iter().map(|k| (*k).to_owned()).collect())
                .map(|q| q.text)
                .map_err(|e| e.message)
        };
        for text in
            ["SELECT 1", " -- why\n/* so */ (select 1)\n;\n ", "with a as (select 1) table a", "VALUES (1)"]
        {
            assert!(refused(text, &["id"]).is_ok_and(|text| !text.ends_with(';')), "{text}");
        }
        for text in ["DELETE FROM t", "insert into t values (1)", "selection", "-- select"] {
            let told = refused(text, &["id"]).unwrap_err();
            assert!(
                told == "this is no query that only reads" || told == "there is no query",
                "{text}: {told}"
            );
        }
        assert_eq!(refused(" ; ", &["id"]).unwrap_err(), "there is no query");
        assert_eq!(refused("SELECT 1", &[]).unwrap_err(), "there is no key");
        assert_eq!(refused("SELECT 1", &["a", "a"]).unwrap_err(), "the column `a` is named twice");
    }
}
