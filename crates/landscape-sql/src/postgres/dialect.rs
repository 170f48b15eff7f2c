//! SQL that was written for SQLite, as PostgreSQL takes it.

use std::fmt::Write as _;

/// The kind that a reason tells, also where a text in it has a NUL, which no JSON of PostgreSQL can have. The function does the
/// same; a database may still have that of an older program, and only the owner of its tables can replace it.
macro_rules! kind {
    ($before:literal, $reason:literal) => {
        concat!(
            $before,
            "elspeth_field(regexp_replace(",
            $reason,
            r", '(?<!\\)((\\\\)*)\\u0000', '\1\\\\u0000', 'g'), 'kind')"
        )
    };
}

/// Where both say the same in other words.
const WORDS: &[(&str, &str)] = &[
    // A list of numbers in JSON as a table.
    (
        "SELECT value FROM json_each(?2)",
        "SELECT listed.value::bigint FROM json_array_elements_text(?2::json) AS listed(value)",
    ),
    ("e.reason ->> 'kind'", kind!("", "e.reason")),
    (" reason ->> 'kind'", kind!(" ", "reason")),
    ("typeof(run_id)", "'text'"),
    (" IS ?", " IS NOT DISTINCT FROM ?"),
    ("batch_no IS m.batch_no", "batch_no IS NOT DISTINCT FROM m.batch_no"),
];

/// The same in PostgreSQL: parameters are `$1`, and a join with a condition is no cross join.
pub(super) fn translated(sql: &str) -> String {
    let mut sql = sql.to_owned();
    for (ours, theirs) in WORDS {
        if sql.contains(ours) {
            sql = sql.replace(ours, theirs);
        }
    }
    joined(&numbered(&sql))
}

/// `?` and `?3` as `$1` and `$3`. A `?` is one more than the highest before it.
fn numbered(sql: &str) -> String {
    let (mut text, mut highest, mut quoted) = (String::with_capacity(sql.len() + 16), 0, false);
    let mut characters = sql.chars().peekable();
    while let Some(character) = characters.next() {
        quoted ^= character == '\'';
        if character != '?' || quoted {
            text.push(character);
            continue;
        }
        let mut digits = String::new();
        while let Some(digit) = characters.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        let number = digits.parse().unwrap_or(highest + 1);
        highest = highest.max(number);
        write!(text, "${number}").expect("a String takes all text");
    }
    text
}

/// `CROSS JOIN table alias ON` without its first word.
fn joined(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once("CROSS JOIN") {
        text.push_str(before);
        let conditional = after.split_whitespace().nth(2) == Some("ON");
        text.push_str(if conditional { "JOIN" } else { "CROSS JOIN" });
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_their_numbers() {
        assert_eq!(translated("a = ? AND b = ? LIMIT ?"), "a = $1 AND b = $2 LIMIT $3");
        assert_eq!(translated("?2, ?1, ?, '?', ?12"), "$2, $1, $3, '?', $12");
        assert_eq!(translated("completed_at IS ?6"), "completed_at IS NOT DISTINCT FROM $6");
    }

    #[test]
    fn a_join_with_a_condition_is_no_cross_join() {
        let sql = "FROM p CROSS JOIN tokens t ON t.a = 1 JOIN z CROSS JOIN q r WHERE";
        assert_eq!(translated(sql), "FROM p JOIN tokens t ON t.a = 1 JOIN z CROSS JOIN q r WHERE");
    }
}
