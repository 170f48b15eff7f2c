//! The readable views: public ids, names, hexadecimal hashes and RFC 3339 times for whoever has nothing but SQL.
//!
//! A view's file holds its query, in which `$word(arguments)` stands for what SQLite has no function for. `$row_id`,
//! `$token_id`, `$state_id` and `$call_id` take the table that has the run's `id_high` and `id_low`, then the numbers.

use elspeth_contracts::{
    BatchStatus, CallStatus, CallType, Determinism, EdgeMode, ExportStatus, Grade, NodeStateStatus, NodeType,
    OperationKind, OperationStatus, Outcome, PurgeStatus, RunStatus, TriggerType,
};

macro_rules! view {
    ($name:literal) => {
        ($name, include_str!(concat!("../views/", $name, ".sql")))
    };
}

/// Every view: its name and its query, each after those that it uses.
pub(crate) const ALL: &[(&str, &str)] = &[
    view!("base32_pairs"),
    view!("all_states"),
    view!("traced_states"),
    view!("open_batches"),
    view!("v_runs"),
    view!("v_nodes"),
    view!("v_edges"),
    view!("v_rows"),
    view!("v_tokens"),
    view!("v_node_states"),
    view!("v_routing_events"),
    view!("v_calls"),
    view!("v_token_outcomes"),
    view!("v_validation_errors"),
    view!("v_transform_errors"),
    view!("v_operations"),
    view!("v_artifacts"),
    view!("v_batches"),
    view!("v_batch_members"),
    view!("v_batch_outputs"),
    view!("v_releases"),
    view!("v_epochs"),
    view!("v_explain"),
    view!("v_purges"),
    view!("v_resumptions"),
    view!("v_registry"),
    view!("v_heads"),
];

/// The low 40 bits, half of an id's random part.
const HALF: &str = "1099511627775";
/// The first number that a token of a release can have.
const BATCH_TOKENS: &str = "36028797018963968";

/// Whose SQL is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    /// With the functions of `migrations/postgres/functions.sql`.
    Postgres,
}

/// The query in plain SQL.
pub(crate) fn expanded(query: &str, dialect: Dialect) -> String {
    let Some((before, rest)) = query.split_once('$') else { return query.to_owned() };
    let open = rest.find('(').expect("a word of a view is followed by its arguments");
    let (arguments, after) = split_arguments(&rest[open + 1..]);
    let arguments: Vec<String> =
        arguments.iter().map(|argument| expanded(argument.trim(), dialect)).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    format!("{before}{}{}", meaning((&rest[..open], dialect), &arguments), expanded(after, dialect))
}

/// The arguments up to the parenthesis that closes them, and what comes after it.
fn split_arguments(text: &str) -> (Vec<&str>, &str) {
    let (mut depth, mut start, mut arguments, mut quoted) = (0, 0, Vec::new(), false);
    for (at, character) in text.char_indices() {
        quoted ^= character == '\'';
        match character {
            _ if quoted => {}
            '(' => depth += 1,
            ')' if depth == 0 => {
                arguments.push(&text[start..at]);
                return (arguments, &text[at + 1..]);
            }
            ')' => depth -= 1,
            ',' if depth == 0 => {
                arguments.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    panic!("a view's arguments are not closed: {text}")
}

fn meaning((word, dialect): (&str, Dialect), arguments: &[&str]) -> String {
    let public_id = |run, kind, high, low| public_id((run, dialect), kind, high, low);
    match (word, arguments) {
        ("hex", [value]) => match dialect {
            Dialect::Sqlite => format!("nullif(lower(hex({value})), '')"),
            Dialect::Postgres => format!("nullif(encode({value}, 'hex'), '')"),
        },
        ("time", [micros]) => match dialect {
            Dialect::Sqlite => time(micros),
            Dialect::Postgres => format!("elspeth_time({micros})"),
        },
        ("field", [object, field]) => match dialect {
            Dialect::Sqlite => format!("{object} ->> {field}"),
            Dialect::Postgres => format!("elspeth_field({object}, {field})"),
        },
        ("flag", [object, field]) => match dialect {
            Dialect::Sqlite => format!("coalesce({object} ->> {field}, 0)"),
            Dialect::Postgres => format!("coalesce(elspeth_field({object}, {field})::boolean::int, 0)"),
        },
        ("joined", [text, between]) => match dialect {
            Dialect::Sqlite => format!("group_concat({text}, {between})"),
            Dialect::Postgres => format!("string_agg({text}, {between})"),
        },
        ("name", [kind, code]) => name(kind, code),
        ("row_id", [run, row]) => public_id(run, 1, "0", row),
        ("token_id", [run, token]) => public_id(run, 2, &format!("({token} >> 40)"), token),
        ("state_id", [run, token, step, attempt]) => {
            let low = format!("((({token} & 1048575) << 20) | ({step} << 8) | {attempt})");
            public_id(run, 3, &format!("({token} >> 20)"), &low)
        }
        ("call_id", [run, call]) => public_id(run, 4, "0", call),
        ("by_row", [table]) => by_row(table),
        ("first_released", [""]) => BATCH_TOKENS.to_owned(),
        ("input", [state]) => input(state),
        ("base32_pairs", [""]) => base32_pairs(),
        _ => panic!("no meaning for `${word}` with {} arguments", arguments.len()),
    }
}

fn time(micros: &str) -> String {
    format!(
        "strftime('%Y-%m-%dT%H:%M:%S', ({micros}) / 1000000, 'unixepoch') || printf('.%06dZ', ({micros}) % 1000000)"
    )
}

/// The ten characters of the run's time, then the run's random part combined with kind and number by exclusive or, as
/// sixteen characters of Crockford's base 32. Both halves are named once, and digits come in pairs: each connection parses
/// the text of all views when it opens the database.
fn public_id((run, dialect): (&str, Dialect), kind: u64, high: &str, low: &str) -> String {
    let high = exclusive_or(&format!("{run}.id_high"), &format!("({} | {high})", kind << 36));
    let low = exclusive_or(&format!("{run}.id_low"), &format!("({low} & {HALF})"));
    if dialect == Dialect::Postgres {
        return format!("substr({run}.run_id, 1, 10) || elspeth_base32({high}) || elspeth_base32({low})");
    }
    format!(
        "(SELECT time || {} || {} FROM (SELECT substr({run}.run_id, 1, 10) AS time, {high} AS high, {low} AS low), base32_pairs)",
        base32("high"),
        base32("low")
    )
}

fn exclusive_or(a: &str, b: &str) -> String {
    format!("(({a} | {b}) - ({a} & {b}))")
}

/// Eight digits for a number of 40 bits, with `pairs` from the view of them.
fn base32(number: &str) -> String {
    let pair = |shift: u8| format!("substr(pairs, 1 + 2 * ({number} >> {shift} & 1023), 2)");
    [30, 20, 10, 0].map(pair).join(" || ")
}

/// The two digits of every number below 1024, one after the other.
fn base32_pairs() -> String {
    const DIGITS: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let pairs = DIGITS.chars().flat_map(|high| DIGITS.chars().flat_map(move |low| [high, low]));
    format!("'{}'", pairs.collect::<String>())
}

/// The records of a table that has tokens, with their run and row. Rows come first, so that asking for one row is
/// quick; tokens of batches have none.
fn by_row(table: &str) -> String {
    let run = "u.run_id, u.id_high, u.id_low, u.started_at AS run_started_at";
    format!(
        "(SELECT {run}, r.row_index, k.* FROM runs u
     CROSS JOIN rows r ON r.run_no = u.run_no
     CROSS JOIN {table} k ON k.run_no = u.run_no AND k.token >= (r.row_index << 20) AND k.token < ((r.row_index + 1) << 20)
     UNION ALL
     SELECT {run}, NULL, k.* FROM runs u
     CROSS JOIN {table} k ON k.run_no = u.run_no AND k.token >= {BATCH_TOKENS})"
    )
}

/// What came into a state: its own hash where it is stored; else what the token carried since an earlier state; else
/// what its row was when it was read; else what its first parent carried at its end, or that one's parent.
fn input(s: &str) -> String {
    let carried = |condition: &str| {
        format!(
            "(SELECT coalesce(CASE h.status WHEN 2 THEN h.output_hash END, h.input_hash) FROM node_states h
            WHERE h.run_no = {s}.run_no AND {condition}
            AND coalesce(CASE h.status WHEN 2 THEN h.output_hash END, h.input_hash) IS NOT NULL
            ORDER BY h.step DESC, h.attempt DESC LIMIT 1)"
        )
    };
    let own = carried(&format!("h.token = {s}.token AND (h.step, h.attempt) < ({s}.step, {s}.attempt)"));
    let parents = carried("h.token = up.token");
    // A token that came to a sink with a row of its own, and from there to the sink for refused ones.
    let at_sink = format!(
        "(SELECT h.input_hash FROM sink_states h WHERE h.run_no = {s}.run_no AND h.token = {s}.token
            AND h.input_hash IS NOT NULL LIMIT 1)"
    );
    format!(
        "CASE WHEN {s}.step > 0 THEN coalesce({s}.input_hash, {own}, {at_sink},
        (SELECT w.source_data_hash FROM rows w WHERE w.run_no = {s}.run_no AND w.row_index << 20 = {s}.token
            AND w.row_index = {s}.row_index),
        (WITH RECURSIVE up(depth, token) AS (
            SELECT 1, p.parent FROM token_parents p WHERE p.run_no = {s}.run_no AND p.token = {s}.token
                AND p.ordinal = 0
            UNION ALL
            SELECT up.depth + 1, p.parent FROM up JOIN token_parents p
                ON p.run_no = {s}.run_no AND p.token = up.token AND p.ordinal = 0)
        SELECT traced.held FROM (SELECT up.depth, coalesce({parents}, (SELECT w.source_data_hash FROM rows w
                WHERE w.run_no = {s}.run_no AND w.row_index = (up.token >> 20) AND (up.token & 1048575) = 0)) AS held
            FROM up) AS traced WHERE traced.held IS NOT NULL ORDER BY traced.depth LIMIT 1)) END"
    )
}

fn name(kind: &str, code: &str) -> String {
    macro_rules! names {
        ($($enum:ident),+) => {
            match kind {
                $(stringify!($enum) => $enum::ALL.iter().map(|value| (value.code(), value.as_str())).collect(),)+
                _ => panic!("no closed enum `{kind}`"),
            }
        };
    }
    let names: Vec<(u8, &str)> = names!(
        BatchStatus,
        CallStatus,
        CallType,
        Determinism,
        EdgeMode,
        ExportStatus,
        Grade,
        NodeStateStatus,
        NodeType,
        OperationKind,
        OperationStatus,
        Outcome,
        PurgeStatus,
        RunStatus,
        TriggerType
    );
    let cases: Vec<String> =
        names.iter().map(|(number, name)| format!("WHEN {number} THEN '{name}'")).collect();
    format!("CASE {code} {} ELSE 'unknown ' || {code} END", cases.join(" "))
}
