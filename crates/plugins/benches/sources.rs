//! What the text sources take, beside the libraries that others read such files with.
//!
//! Each case reads a generated file of 100,000 rows, from opening it to its end, into typed rows. The library's side does as little as one
//! can: the `csv` crate's loop over one `ByteRecord`, or `serde_json` line by line, and the same coercion. It knows no
//! line numbers, keeps no raw text of a refused record, and makes no hash of the file.
//!
//! ```sh
//! cargo bench -p elspeth-plugins --bench sources
//! cargo bench -p elspeth-plugins --bench sources -- csv-source   # one case once, for `perf stat`
//! ```
#![expect(clippy::unwrap_used, reason = "a bench that cannot read its own files has nothing to say")]

use std::fs;
use std::io::BufRead as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use elspeth_canonical::HashVersion;
use elspeth_plugin::{ReadProgress, SourceItem};
use elspeth_testkit::Scratch;
use elspeth_value::{Coercer, Contract, Row, Shape, Value};
use serde_json::json;

const ROWS: u64 = 100_000;
const PASSES: u32 = 20;
/// Rows that are read at a time, as in a run.
const READ: usize = 1000;
const FIELDS: [&str; 5] = ["id", "name", "score", "category", "amount"];

/// A way to read a file; how many rows it found.
type Case = (&'static str, fn(&Path) -> u64, &'static str);

const CASES: [Case; 4] = [
    ("csv-source", csv_source, "rows.csv"),
    ("csv-library", csv_library, "rows.csv"),
    ("json-source", json_source, "rows.jsonl"),
    ("json-library", json_library, "rows.jsonl"),
];

fn main() {
    // Runners of tests start benches too, and expect them to be quick.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let folder = Scratch::new();
    write(folder.path());
    let chosen = arguments.iter().find_map(|name| CASES.iter().find(|(case, ..)| case == name));
    if let Some((_, read, file)) = chosen {
        assert_eq!(read(&folder.path().join(file)), ROWS);
        return;
    }
    let [csv_source, csv_library, json_source, json_library] = best(folder.path());
    show("csv", csv_source, csv_library);
    show("json", json_source, json_library);
}

/// The shortest time of each case. They take turns, so that what else runs on the machine meets all of them.
fn best(folder: &Path) -> [Duration; CASES.len()] {
    let mut best = [Duration::MAX; CASES.len()];
    for _ in 0..PASSES {
        for (best, (_, read, file)) in best.iter_mut().zip(CASES) {
            let started = Instant::now();
            assert_eq!(read(&folder.join(file)), ROWS);
            *best = started.elapsed().min(*best);
        }
    }
    best
}

#[expect(clippy::cast_precision_loss, reason = "a number of rows that is small")]
fn show(format: &str, source: Duration, library: Duration) {
    let ns = |time: Duration| time.as_nanos() as f64 / ROWS as f64;
    let speed = 100.0 * library.as_secs_f64() / source.as_secs_f64();
    println!(
        "{format}: source {:.0} ns a row, library {:.0} ns a row: {speed:.0}% of its speed",
        ns(source),
        ns(library)
    );
}

fn write(folder: &Path) {
    let (mut csv, mut jsonl) = (FIELDS.join(",") + "\n", String::new());
    for id in 0..ROWS {
        let (score, amount) = (id * 7919 % 10_000, id * 104_729 % 1_000_000);
        let category = ["books", "food", "garden", "office", "travel"][usize::try_from(id % 5).unwrap()];
        let name = ["Ada Adler", "Berta Brandt", "Carl Conrad"][usize::try_from(id % 3).unwrap()];
        let (score, amount) = (format!("0.{score:04}"), format!("{}.{:02}", amount / 100, amount % 100));
        csv.push_str(&format!("{id},{name},{score},{category},{amount}\n"));
        jsonl.push_str(&format!(
            "{{\"id\":{id},\"name\":\"{name}\",\"score\":{score},\"category\":\"{category}\",\"amount\":{amount}}}\n"
        ));
    }
    fs::write(folder.join("rows.csv"), csv).unwrap();
    fs::write(folder.join("rows.jsonl"), jsonl).unwrap();
}

fn schema() -> serde_json::Value {
    json!({"mode": "fixed", "fields": ["id: int", "name: str", "score: float", "category: str", "amount: float"]})
}

fn source(plugin: &str, options: &serde_json::Value) -> u64 {
    let mut source = elspeth_plugins::builtin().source(plugin).unwrap()(options).unwrap();
    source.open(HashVersion::default(), None).unwrap();
    let mut rows = 0;
    loop {
        let mut items = Vec::with_capacity(READ);
        let progress = source.read(READ, &mut items).unwrap();
        rows += items.iter().filter(|item| matches!(item, SourceItem::Valid(_))).count() as u64;
        if progress == ReadProgress::End {
            return rows;
        }
    }
}

fn csv_source(path: &Path) -> u64 {
    source("csv", &json!({"path": path, "schema": schema(), "on_validation_failure": "discard"}))
}

fn json_source(path: &Path) -> u64 {
    let options =
        json!({"path": path, "format": "jsonl", "schema": schema(), "on_validation_failure": "discard"});
    source("json", &options)
}

fn csv_library(path: &Path) -> u64 {
    let contract = Contract::from_settings(&schema()).unwrap();
    let coercer = Coercer::new(&contract, Shape::new(FIELDS.map(Into::into)));
    let mut reader = csv::Reader::from_path(path).unwrap();
    let mut record = csv::ByteRecord::new();
    let (mut rows, mut kept) = (0, Vec::with_capacity(READ));
    while reader.read_byte_record(&mut record).unwrap() {
        let cells = record.iter().map(|cell| std::str::from_utf8(cell).unwrap());
        rows += keep(&mut kept, coercer.text_record(cells).unwrap());
    }
    rows
}

fn json_library(path: &Path) -> u64 {
    let contract = Contract::from_settings(&schema()).unwrap();
    let shape = Shape::new(FIELDS.map(Into::into));
    let mut reader = std::io::BufReader::new(fs::File::open(path).unwrap());
    let mut line = Vec::new();
    let (mut rows, mut kept) = (0, Vec::with_capacity(READ));
    while reader.read_until(b'\n', &mut line).unwrap() > 0 {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&line).unwrap();
        let row = Row::new(Arc::clone(&shape), object.into_iter().map(|(_, value)| owned(value)).collect());
        rows += keep(&mut kept, contract.coerce_row(row).unwrap());
        line.clear();
    }
    rows
}

/// The values that the file has.
fn owned(value: serde_json::Value) -> Value {
    match value {
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(int) => Value::Int(int),
            None => Value::Float(number.as_f64().unwrap()),
        },
        serde_json::Value::String(text) => Value::Str(text.into()),
        other => panic!("the file has no {other}"),
    }
}

/// Rows live until as many are there as a run reads at a time.
fn keep(kept: &mut Vec<Row>, row: Row) -> u64 {
    if kept.len() == READ {
        kept.clear();
    }
    kept.push(row);
    1
}
