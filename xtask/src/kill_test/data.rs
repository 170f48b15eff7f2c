//! What the pipelines read, and what is in their outputs before they begin. Always the same, whatever the seed.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::error::Error;

const REGIONS: [&str; 4] = ["north", "south", "east", "west"];

/// Rows of `rows.csv`.
const ROWS: usize = 44;

/// Writes every input.
pub(super) fn write_inputs(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let files = [
        ("rows.csv", rows()),
        ("few.jsonl", few()),
        ("growing.jsonl", growing()),
        ("invoices.json", invoices()),
        ("large.jsonl", large()),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        fs::write(&path, text).map_err(Error::io(&path))?;
    }
    let path = folder.join("many.csv");
    fs::write(&path, utf16(&many())).map_err(Error::io(&path))
}

/// Writes what is there before a run, each with rows that must stay or go.
pub(super) fn write_outputs(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::io(folder))?;
    for (name, text) in
        [("old.csv", "id,name\n-2,before\n-1,\"and, before\"\n"), ("old.jsonl", "{\"id\": -1}")]
    {
        let path = folder.join(name);
        fs::write(&path, text).map_err(Error::io(&path))?;
    }
    let path = folder.join("old.sqlite");
    let failed = |error| Error::format(path.display().to_string(), error);
    let database = Connection::open(&path).map_err(failed)?;
    let tables = "PRAGMA synchronous = OFF;
        CREATE TABLE added (id INTEGER, region TEXT, amount REAL, copies INTEGER, note TEXT);
        CREATE TABLE replaced (id INTEGER, word TEXT);
        CREATE TABLE checked (id INTEGER CHECK (id <> 21), name TEXT);
        INSERT INTO added VALUES (-1, 'before', 0.5, NULL, NULL);
        INSERT INTO replaced VALUES (-1, 'before'), (-2, 'before');
        INSERT INTO checked VALUES (-1, 'before');";
    database.execute_batch(tables).map_err(failed)
}

fn rows() -> String {
    let mut text = "ID,Region,Amount,Copies,Note\n".to_owned();
    for id in 0..ROWS {
        let region = REGIONS[id * 7 % 11 % 4];
        let (amount, copies) = (id * 37 % 101, id % 6);
        let line = match id {
            8 => "8,north,not a number,1,\n".to_owned(),
            15 => "15,north\n".to_owned(),
            19 => format!("{id},{region},{amount}.25,,\n"),
            n if n % 9 == 4 => format!("{id},{region},{amount}.5,{copies},\"a secret,\nin two lines\"\n"),
            _ => format!("{id},{region},{amount}.5,{copies},note {id}\n"),
        };
        text.push_str(&line);
    }
    text
}

fn few() -> String {
    let mut text = String::new();
    for id in 0..18 {
        match id {
            5 => text.push_str("{\"id\": 5, \"name\": \n"),
            11 => text.push_str("11\n"),
            _ => writeln!(text, "{{\"id\": {id}, \"name\": \"n\u{e4}me {id}\"}}")
                .expect("text takes everything"),
        }
    }
    text
}

/// Fields that come late; a line that is no object.
fn growing() -> String {
    let mut text = String::new();
    for id in 0..34 {
        let more = match id {
            0..9 => String::new(),
            9..20 => format!(", \"second\": {}", id * 2),
            _ if id % 3 == 0 => ", \"third\": {\"a\": [1, null]}, \"second\": \"x,\\\"y\\\"\"".to_owned(),
            _ => String::new(),
        };
        let line =
            if id == 14 { "[]".to_owned() } else { format!("{{\"id\": {id}, \"name\": \"n{id}\"{more}}}") };
        writeln!(text, "{line}").expect("text takes everything");
    }
    text
}

fn invoices() -> String {
    let mut elements = Vec::new();
    for id in 0..16 {
        let lines: Vec<String> = (0..id * 5 % 4)
            .map(|n| format!("{{\"place\": \"{}\", \"n\": {n}, \"price\": {id}.25}}", REGIONS[(id + n) % 4]))
            .collect();
        let lines =
            if id == 9 { "[{\"place\": \"east\"}]".to_owned() } else { format!("[{}]", lines.join(", ")) };
        elements.push(if id == 6 {
            "{\"id\": \"six\"}".to_owned()
        } else {
            format!("{{\"id\": {id}, \"lines\": {lines}}}")
        });
    }
    format!("{{\"invoices\": [\n{}\n]}}\n", elements.join(",\n"))
}

/// More rows than a batch keeps in memory, and than are read of one at once.
fn many() -> String {
    let mut text = "id,place\n".to_owned();
    for id in 0..2_700 {
        writeln!(text, "{id},{}\u{1F4D1}", REGIONS[id % 4]).expect("text takes everything");
    }
    text
}

fn utf16(text: &str) -> Vec<u8> {
    "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

/// Two kinds of rows: bodies that are large at once, and such as become so when they are doubled.
fn large() -> String {
    let mut text = String::new();
    for id in 0..9_usize {
        let length = if id % 3 == 0 { 70_000 } else { 40_000 };
        let body: String = (0..length)
            .map(|n| char::from(b'a' + u8::try_from((n * (id + 3) + n / 251) % 26).expect("below 26")))
            .collect();
        writeln!(text, "{{\"id\": {id}, \"text\": \"{body}\"}}").expect("text takes everything");
    }
    text
}
