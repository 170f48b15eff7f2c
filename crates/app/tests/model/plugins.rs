//! What the plugins of random pipelines do, written from their description.

use serde_json::{Value as Json, json};

use crate::pipeline::{Batch, Change, Row};

/// Why a row or a batch failed; what was wrong does not matter to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed;

/// What became of a row in a transform.
#[derive(Debug)]
pub(crate) enum Changed {
    One(Row),
    Many(Vec<Row>),
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) rows: Vec<Row>,
    /// Positions of members that are taken out.
    pub(crate) quarantined: Vec<usize>,
}

/// What a transform makes of a row.
pub(crate) fn change(change: &Change, row: &Row) -> Result<Changed, Failed> {
    match change {
        Change::Passthrough => Ok(Changed::One(row.clone())),
        Change::Map { .. } => mapped(change, row).map(Changed::One),
        Change::Truncate { field, limit, suffix, strict } => {
            truncated(row, field, (*limit, suffix), *strict).map(Changed::One)
        }
        Change::Filter { fields, word } => {
            let searched = |name: &String| fields.as_ref().is_none_or(|fields| fields.contains(name));
            let blocked = row.iter().any(|(name, value)| searched(name) && holds(value, word));
            if blocked { Err(Failed) } else { Ok(Changed::One(row.clone())) }
        }
        Change::Explode { array, item, index } => exploded(row, array, item, *index).map(Changed::Many),
    }
}

/// Renamed fields stay in their places, computed ones come behind; no two may have one name.
fn mapped(change: &Change, row: &Row) -> Result<Row, Failed> {
    let Change::Map { mapping, computed, select_only, strict } = change else {
        unreachable!("called for mappings only")
    };
    if *strict && mapping.iter().any(|(from, _)| !row.contains_key(from)) {
        return Err(Failed);
    }
    let mut fields: Vec<(String, Json)> = Vec::new();
    if *select_only {
        for (from, to) in mapping {
            fields.extend(row.get(from).map(|value| (to.clone(), value.clone())));
        }
    } else {
        for (name, value) in row {
            let to = mapping.iter().find(|(from, _)| from == name).map_or(name, |(_, to)| to);
            fields.push((to.clone(), value.clone()));
        }
    }
    for (name, term) in computed {
        fields.push((name.clone(), term.value(row).map_err(|_| Failed)?));
    }
    let count = fields.len();
    let mapped: Row = fields.into_iter().collect();
    if mapped.len() == count { Ok(mapped) } else { Err(Failed) }
}

fn truncated(row: &Row, field: &str, (limit, suffix): (usize, &str), strict: bool) -> Result<Row, Failed> {
    let mut row = row.clone();
    match row.get_mut(field) {
        None if strict => return Err(Failed),
        None | Some(Json::Null) => {}
        Some(Json::String(text)) if text.chars().count() > limit => {
            let kept: String = text.chars().take(limit - suffix.chars().count()).collect();
            *text = kept + suffix;
        }
        Some(Json::String(_)) => {}
        Some(_) => return Err(Failed),
    }
    Ok(row)
}

fn holds(value: &Json, word: &str) -> bool {
    match value {
        Json::String(text) => text.contains(word),
        Json::Array(items) => items.iter().any(|item| holds(item, word)),
        Json::Object(map) => map.iter().any(|(key, item)| key.contains(word) || holds(item, word)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

fn exploded(row: &Row, array: &str, item: &str, index: bool) -> Result<Vec<Row>, Failed> {
    let mut rest = row.clone();
    let items = match rest.shift_remove(array) {
        Some(Json::Array(items)) if !items.is_empty() => items,
        _ => return Err(Failed),
    };
    if rest.contains_key(item) || (index && rest.contains_key("item_index")) {
        return Err(Failed);
    }
    let rows = items.into_iter().enumerate().map(|(at, value)| {
        let mut row = rest.clone();
        row.insert(item.to_owned(), value);
        if index {
            row.insert("item_index".to_owned(), json!(at));
        }
        row
    });
    Ok(rows.collect())
}

/// What an aggregation's plugin makes of a batch.
pub(crate) fn batch(batch: &Batch, members: &[&Row]) -> Output {
    match batch {
        Batch::Stats { value, group_by, mean } => stats(members, value, group_by.as_deref(), *mean),
        Batch::Replicate { copies, default, most, index } => {
            replicated(members, copies, (*default, *most), *index)
        }
    }
}

fn replicated(members: &[&Row], copies: &str, (default, most): (i64, i64), index: bool) -> Output {
    let mut output = Output::default();
    for (position, member) in members.iter().enumerate() {
        let wanted = match member.get(copies) {
            None | Some(Json::Null) => Some(default),
            Some(value) => value.as_i64().filter(|copies| (1..=most).contains(copies)),
        };
        match wanted {
            Some(copies) if !index || !member.contains_key("copy_index") => {
                output.rows.extend((0..copies).map(|copy| {
                    let mut row = (*member).clone();
                    if index {
                        row.insert("copy_index".to_owned(), json!(copy));
                    }
                    row
                }));
            }
            _ => output.quarantined.push(position),
        }
    }
    output
}

/// One row for each group that has a number, in the order of their first members.
fn stats(members: &[&Row], value: &str, group_by: Option<&str>, mean: bool) -> Output {
    struct Group {
        key: Option<Json>,
        members: i64,
        count: i64,
        sum: i64,
    }
    let mut output = Output::default();
    let mut groups: Vec<Group> = Vec::new();
    for (position, member) in members.iter().enumerate() {
        let key = group_by.map(|field| member.get(field).cloned());
        let number = member.get(value).and_then(Json::as_i64);
        if key == Some(None) {
            output.quarantined.push(position);
            continue;
        }
        let key = key.flatten();
        let at = groups.iter().position(|group| group.key == key).unwrap_or_else(|| {
            groups.push(Group { key, members: 0, count: 0, sum: 0 });
            groups.len() - 1
        });
        groups[at].members += 1;
        match number {
            Some(number) => {
                groups[at].count += 1;
                groups[at].sum += number;
            }
            None => output.quarantined.push(position),
        }
    }
    for group in groups.into_iter().filter(|group| group.count > 0) {
        let mut row = Row::new();
        row.insert("count".to_owned(), json!(group.count));
        row.insert("sum".to_owned(), json!(group.sum));
        row.insert("batch_size".to_owned(), json!(group.members));
        if mean {
            row.insert("mean".to_owned(), json!(group.sum as f64 / group.count as f64));
        }
        if let (Some(field), Some(key)) = (group_by, group.key) {
            row.insert(field.to_owned(), key);
        }
        output.rows.push(row);
    }
    output
}
