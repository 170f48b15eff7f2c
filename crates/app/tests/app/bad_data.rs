//! Whatever a file holds: every record has its row, its token and its outcome, and nothing panics.

use crate::support::Scratch;

const SETTINGS: &str = r#"
source:
  plugin: PLUGIN
  on_success: good
  options:
    path: $DIR/FILE
    on_validation_failure: bad
    schema: {mode: fixed, fields: ["id: int", "value: float?"]}
sinks:
  good: {plugin: json, on_write_failure: discard, options: {path: $DIR/good.jsonl}}
  bad: {plugin: json, on_write_failure: discard, options: {path: $DIR/bad.jsonl}}
landscape: {url: "sqlite:///$DIR/audit.db"}
"#;

/// Records that came through, and records that were quarantined.
type Counts = (u64, u64);

fn settings(plugin: &str, file: &str) -> String {
    SETTINGS.replace("PLUGIN", plugin).replace("FILE", file)
}

/// Runs; how many records came through, and how many were quarantined. All of them are accounted for.
fn counts(plugin: &str, file: &str, content: &[u8]) -> Counts {
    let scratch = Scratch::new();
    scratch.write(file, content);
    let report = scratch.run(&settings(plugin, file)).unwrap();
    let (good, bad) = (report.run.destinations["good"], report.run.destinations["bad"]);
    assert_eq!(report.run.rows.processed, good + bad);
    assert_eq!((report.unfinished, report.discarded), (0, 0));
    for row in 0..report.run.rows.processed {
        let lineage = scratch.explain_json(row);
        assert!(lineage["tokens"][0]["outcome"]["outcome"].is_string(), "row {row}: {lineage}");
    }
    (good, bad)
}

#[test]
fn records_of_a_csv_file_that_are_none() {
    let cases: [(&str, &[u8], Counts); 12] = [
        ("too few and too many fields", b"id,value\n1\n2,2,2\n3,3\n", (1, 2)),
        ("bad UTF-8", b"id,value\n1,1\n2,\xff\xfe\n3,3\n", (2, 1)),
        ("byte order mark", b"\xef\xbb\xbfid,value\n1,1\n", (1, 0)),
        ("CRLF", b"id,value\r\n1,1\r\n2,2\r\n", (2, 0)),
        ("NUL", b"id,value\n1,\x001\n2,2\n", (1, 1)),
        ("header only", b"id,value\n", (0, 0)),
        ("NaN and infinities", b"id,value\n1,nan\n2,inf\n3,-Infinity\n4,1e999\n5,5\n", (1, 4)),
        (
            "integers beyond 2^53",
            b"id,value\n9007199254740992,1\n9007199254740991,1\n-9007199254740992,1\n",
            (1, 2),
        ),
        ("missing final line end", b"id,value\n1,1\n2,2", (2, 0)),
        ("a quoted field over two lines", b"id,value\n\"1\",\"1\"\n\"2\n\",2\n", (2, 0)),
        ("empty optional and empty required", b"id,value\n1,\n,2\n", (1, 1)),
        ("blank lines", b"id,value\n1,1\n\n2,2\n", (2, 0)),
    ];
    for (what, content, expected) in cases {
        assert_eq!(counts("csv", "in.csv", content), expected, "{what}");
    }
}

#[test]
fn a_quote_that_never_closes_costs_its_own_record_only() {
    let (good, bad) = counts("csv", "in.csv", b"id,value\n1,1\n2,\"2\n3,3\n4,4\n");
    assert_eq!(bad, 1);
    assert_eq!(good, 3, "the records after it are not swallowed");
}

#[test]
fn records_of_json_files_that_are_none() {
    let deep =
        format!("{{\"id\": 1, \"value\": {}1{}}}\n{{\"id\": 2}}\n", "[".repeat(5_000), "]".repeat(5_000));
    let cases: [(&str, &str, &[u8], Counts); 8] = [
        ("a broken line", "in.jsonl", b"{\"id\": 1}\n{\"id\": \n{\"id\": 3}\n", (2, 1)),
        ("a line that is no object", "in.jsonl", b"{\"id\": 1}\n[1]\n7\n", (1, 2)),
        ("duplicate keys", "in.jsonl", b"{\"id\": 1, \"id\": 2}\n{\"id\": 3}\n", (1, 1)),
        (
            "NaN",
            "in.jsonl",
            b"{\"id\": 1, \"value\": NaN}\n{\"id\": 2, \"value\": 1e400}\n{\"id\": 3}\n",
            (1, 2),
        ),
        ("integers beyond 2^53", "in.jsonl", b"{\"id\": 9007199254740993}\n{\"id\": 1}\n", (1, 1)),
        ("deep nesting", "in.jsonl", deep.as_bytes(), (1, 1)),
        ("a bad element in an array", "in.json", b"[{\"id\": 1}, 2, {\"id\": 3}]", (2, 1)),
        ("an array that breaks off", "in.json", b"[{\"id\": 1}, {\"id\": 2}, {\"id\":", (2, 1)),
    ];
    for (what, file, content, expected) in cases {
        assert_eq!(counts("json", file, content), expected, "{what}");
    }
}

/// Bodies are named by their hashes; beside them the store has its lock and notes of who uses it.
fn is_body(path: &str) -> bool {
    path.starts_with("payloads/") && path.rsplit('/').next().is_some_and(|name| name.len() == 64)
}

#[test]
fn a_field_of_ten_megabytes_goes_through_and_is_kept() {
    let scratch = Scratch::new();
    let big = "x".repeat(10 << 20);
    scratch.write("in.csv", format!("id,value\n1,{big}\n2,short\n"));
    let text = settings("csv", "in.csv").replace("value: float?", "value: str");
    let text = format!("{text}payload_store: {{base_path: $DIR/payloads}}\n");
    let report = scratch.run(&text).unwrap();
    assert_eq!(report.run.destinations["good"], 2);
    assert!(scratch.read("good.jsonl").len() > 10 << 20);
    let lineage = scratch.explain_json(0);
    assert_eq!(lineage["row"]["data"]["value"].as_str().map(str::len), Some(10 << 20));
    let kept = scratch.files().into_iter().filter(|path| is_body(path)).count();
    assert_eq!(kept, 1, "the large body is in the store, once");
}

#[test]
fn files_without_a_usable_head_are_refused_with_a_clear_error() {
    for (what, content, word) in [
        ("empty file", "", "header"),
        ("duplicate headers", "id,value,ID \n1,1,1\n", "id"),
        ("a header without letters", "id,--\n1,1\n", "--"),
    ] {
        let scratch = Scratch::new();
        scratch.write("in.csv", content);
        let error = scratch.run(&settings("csv", "in.csv")).unwrap_err().to_string();
        assert!(error.contains(word), "{what}: {error}");
        assert!(!scratch.files().contains(&"good.jsonl".to_owned()), "{what}");
    }
}
