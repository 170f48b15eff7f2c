//! Every built-in plugin passes the conformance suite of its kind, with options and inputs of many sorts.

use std::fs;
use std::path::Path;

use elspeth_plugin::conformance::{
    check_batch_transform, check_registry, check_sink, check_source, check_table_sink, check_transform,
};
use elspeth_plugins::builtin;
use elspeth_testkit::Scratch;
use elspeth_value::{Row, Value};
use serde_json::{Value as Json, json};

use crate::driving::{aggregation, row, sink, source, text, transform};
use crate::server::Server;

#[test]
fn all_plugins_describe_themselves_and_refuse_unknown_options() {
    let registry = builtin();
    check_registry(&registry);
    let names: Vec<_> = registry.infos().map(|info| format!("{}/{}", info.kind, info.name)).collect();
    assert_eq!(
        names,
        [
            "source/csv",
            "source/database",
            "source/json",
            "source/null",
            "transform/field_mapper",
            "transform/json_explode",
            "transform/keyword_filter",
            "transform/passthrough",
            "transform/truncate",
            "aggregation/batch_replicate",
            "aggregation/batch_stats",
            "sink/csv",
            "sink/database",
            "sink/json",
        ]
    );
}

/// Good and bad records of every sort, one after the other.
const MIXED_CSV: &str = "\u{feff}id,name,amount\n1,Ann,2.5\r\n2,\"B, \"\"ob\"\"\",7\n\n3,\"two\nlines\",1\n4,short\nx,Bad id,1\n5,a\"b,1\n6,\"after\"x,1\n7,Eve,nan\r8,lone,1\n9,\"never closed,1\n10,Fay,3\n";

#[test]
fn the_csv_source_conforms() {
    let scratch = Scratch::new();
    let path = scratch.write("mixed.csv", MIXED_CSV);
    let fields = json!(["id: int", "name: str", "amount: float?"]);
    let filler = "line \u{20ac}\r\n".repeat(8_000);
    let long: String = (0..14).map(|n| format!("{n},\"{}\"\n", &filler[..n * 6_000])).collect();
    let long = scratch.write("long.csv", format!("id,name\n{long}"));
    for options in [
        json!({"path": path, "schema": {"mode": "fixed", "fields": fields}, "on_validation_failure": "discard"}),
        json!({"path": path, "schema": {"mode": "observed"}}),
        json!({"path": path, "skip_rows": 2, "columns": ["A", "B", "C"]}),
        json!({"path": path, "encoding": "latin-1"}),
        json!({"path": path, "delimiter": ";"}),
        json!({"path": long, "field_mapping": {"name": "label"}}),
    ] {
        check_source(|| source("csv", &options));
    }
    let utf16: Vec<u8> = MIXED_CSV.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let path = scratch.write("utf16.csv", utf16);
    check_source(|| source("csv", &json!({"path": path, "encoding": "utf-16"})));
    let path = scratch.write("bytes.csv", b"a,b\n1,\xff\n2,\0\n3,ok\n4,\x83");
    for encoding in ["utf-8", "latin-1", "shift_jis", "cp1252"] {
        check_source(|| source("csv", &json!({"path": path, "encoding": encoding})));
    }
    let path = scratch.write("header.csv", "a,b");
    check_source(|| source("csv", &json!({"path": path})));
}

#[test]
fn the_json_source_conforms() {
    let scratch = Scratch::new();
    let elements = "{\"Id\": 1, \"n\": 2.0},\n {\"Id\": \"2\"}, 3 ,{\"a\":1,\"a\":2}, [], {\"Id\": NaN}, {\"Id\": 9007199254740993},\n{\"Id\": 4, \"deep\": [[{\"x\": null}]]}";
    let schema = json!({"mode": "flexible", "fields": ["id: int"]});
    let array = scratch.write("a.json", format!("\u{feff} [ {elements} ] "));
    let broken = scratch.write("b.json", format!("[ {elements}, {{\"Id\": 5"));
    let keyed =
        scratch.write("c.json", format!("{{\"n\": [1, \"]\"], \"rows\": [{elements}], \"more\": {{}} }}"));
    let lines = scratch
        .write("d.jsonl", format!("{}\n\n  \r\n", elements.replace("}, ", "}\n").replace("},", "}\n")));
    let empty = scratch.write("e.json", "[]");
    let behind = scratch.write("f.json", "[{\"id\": 1},] more\nlines");
    for options in [
        json!({"path": array, "schema": schema}),
        json!({"path": array}),
        json!({"path": broken, "schema": schema}),
        json!({"path": keyed, "data_key": "rows"}),
        json!({"path": lines, "schema": schema}),
        json!({"path": empty}),
        json!({"path": behind}),
    ] {
        check_source(|| source("json", &options));
    }
    let utf16: Vec<u8> = format!("[{elements}]").encode_utf16().flat_map(u16::to_be_bytes).collect();
    let path = scratch.write("utf16.json", utf16);
    check_source(|| source("json", &json!({"path": path, "encoding": "utf-16-be"})));
}

#[test]
fn the_null_source_conforms() {
    check_source(|| source("null", &json!({})));
}

fn rows() -> Vec<Row> {
    let meta = Value::Map([("source".into(), text("web"))].into_iter().collect());
    vec![
        row(&[("id", Value::Int(1)), ("name", text("Ann \u{e9}t\u{e9}")), ("meta", meta)]),
        row(&[
            ("id", Value::Int(2)),
            ("name", text("a \"quoted\", name\nof two lines")),
            ("meta", Value::Null),
            ("tags", Value::List(vec![text("a"), Value::Null, Value::Int(3)])),
        ]),
        row(&[("id", Value::Int(3)), ("name", text(""))]),
        row(&[("name", text("password: 123")), ("id", Value::Int(-4))]),
    ]
}

#[test]
fn the_transforms_conform() {
    for (name, options) in [
        ("passthrough", json!({})),
        ("passthrough", json!({"schema": {"mode": "flexible", "fields": ["id: int", "name: str"]}})),
        ("field_mapper", json!({})),
        ("field_mapper", json!({"mapping": {"id": "key", "meta.source": "origin", "no": "nothing"}})),
        ("field_mapper", json!({"mapping": {"id": "name", "name": "id"}})),
        ("field_mapper", json!({"mapping": {"id": "name"}})),
        (
            "field_mapper",
            json!({"mapping": {"id": "id", "meta.source": "m"}, "select_only": true, "strict": true}),
        ),
        ("field_mapper", json!({"computed": {"twice": "row['id'] * 2", "size": "len(row['name'])"}})),
        ("json_explode", json!({"array_field": "tags"})),
        ("json_explode", json!({"array_field": "tags", "output_field": "name", "include_index": false})),
        ("json_explode", json!({"array_field": "name"})),
        ("truncate", json!({"fields": {"name": 5}, "suffix": "..", "strict": true})),
        ("truncate", json!({"fields": {"name": 5, "other": 1}})),
        ("keyword_filter", json!({"fields": "all", "blocked_patterns": ["(?i)PASSWORD", "\\bweb\\b"]})),
        ("keyword_filter", json!({"fields": ["name", "id"], "blocked_patterns": ["^a"]})),
    ] {
        check_transform(|| transform(name, &options), &rows());
    }
}

#[test]
fn the_batch_transforms_conform() {
    for (name, options) in [
        ("batch_stats", json!({"value_field": "id"})),
        ("batch_stats", json!({"value_field": "id", "group_by": "meta", "compute_mean": false})),
        (
            "batch_stats",
            json!({"value_field": "id", "min": true, "max": true, "stddev": true, "median": true, "percentiles": [0, 99.9]}),
        ),
        ("batch_stats", json!({"value_field": "name", "group_by": "id"})),
        ("batch_replicate", json!({"copies_field": "id"})),
        ("batch_replicate", json!({"default_copies": 3, "include_copy_index": false})),
    ] {
        check_batch_transform(|| aggregation(name, &options), &rows());
        check_batch_transform(|| aggregation(name, &options), &[]);
    }
}

fn epochs() -> Vec<Vec<Row>> {
    let all = rows();
    vec![
        all.clone(),
        vec![all[2].clone()],
        vec![row(&[("id", Value::Int(9)), ("late", Value::Bool(true))])],
        all,
    ]
}

/// Rows that bring new fields in every epoch, and one that brings many.
fn widening() -> Vec<Vec<Row>> {
    let quoted = || text("two\nlines, \"quoted\",\n");
    vec![
        vec![row(&[])],
        vec![row(&[("a", Value::Null)]), row(&[("a", quoted())])],
        vec![],
        vec![row(&[("b", quoted())]), row(&[("c", Value::Int(1)), ("b", text(""))]), row(&[])],
        vec![row(&[("c", Value::Float(0.5)), ("a", text("\u{20ac} no latin"))])],
        vec![row(&[("e", text("\u{20ac}")), ("d", Value::Bool(false)), ("id", Value::Int(2))])],
        vec![row(&[("a", text("last"))])],
    ]
}

fn at(folder: &Path, name: &str, mut options: Json) -> Json {
    options["path"] = json!(folder.join(name));
    options
}

#[test]
fn the_csv_sink_conforms() {
    let fields = json!(["id: int", "name: str", "extra: str?"]);
    for (n, options) in [
        json!({}),
        json!({"schema": {"mode": "flexible", "fields": fields}, "headers": {"id": "The Id"}}),
        json!({"schema": {"mode": "fixed", "fields": fields}, "delimiter": "\t", "headers": "original"}),
        json!({"encoding": "latin-1"}),
        json!({"encoding": "utf-16"}),
        json!({"encoding": "ascii", "validate_input": true}),
        json!({"encoding": "iso-2022-jp", "delimiter": "~", "headers": {"c": "Column, the third"}}),
        json!({"schema": {"mode": "observed"}, "mode": "append"}),
    ]
    .into_iter()
    .enumerate()
    {
        let scratch = Scratch::new();
        check_sink(
            scratch.path(),
            |folder| sink("csv", &at(folder, "out.csv", options.clone())),
            &widening(),
        );
        let scratch = Scratch::new();
        check_sink(
            scratch.path(),
            |folder| sink("csv", &at(folder, "deep/er/out.csv", options.clone())),
            &epochs(),
        );
        let scratch = Scratch::new();
        check_sink(scratch.path(), |folder| sink("csv", &at(folder, "out.csv", options.clone())), &[]);
        let scratch = Scratch::new();
        let one = [vec![row(&[("id", Value::Int(n as i64)), ("name", text("x"))])]];
        check_sink(scratch.path(), |folder| sink("csv", &at(folder, "out.csv", options.clone())), &one);
    }
}

#[test]
fn sinks_that_append_conform() {
    for (name, before, options) in [
        ("out.csv", "id,name,meta,late\n1,before,,\n", json!({})),
        ("out.csv", "id,name,meta,late\n1,\"no line end\",,", json!({})),
        ("out.csv", "", json!({})),
        ("out.jsonl", "{\"id\":0}\n", json!({})),
        ("out.jsonl", "{\"id\":0}", json!({})),
    ] {
        let plugin = if name.ends_with(".csv") { "csv" } else { "json" };
        let make = |folder: &Path| {
            let path = folder.join(name);
            if !path.exists() {
                fs::write(&path, before).unwrap();
            }
            let mut options = at(folder, name, options.clone());
            options["mode"] = json!("append");
            sink(plugin, &options)
        };
        check_sink(Scratch::new().path(), make, &epochs());
        check_sink(Scratch::new().path(), make, &[]);
    }
}

#[test]
fn the_json_sink_conforms() {
    for (name, options) in [
        ("out.json", json!({})),
        ("out.json", json!({"indent": 2, "headers": {"id": "Id"}})),
        ("out.json", json!({"encoding": "utf-16"})),
        ("out.json", json!({"encoding": "latin-1", "schema": {"mode": "flexible", "fields": ["name: str"]}})),
        ("out.jsonl", json!({})),
        ("out.jsonl", json!({"encoding": "utf-8-sig", "headers": {"id": "same", "late": "same2"}})),
        ("out.txt", json!({"format": "jsonl"})),
    ] {
        let make = |folder: &Path| sink("json", &at(folder, name, options.clone()));
        check_sink(Scratch::new().path(), make, &epochs());
        check_sink(Scratch::new().path(), make, &[]);
    }
}

#[test]
fn the_database_sink_conforms() {
    let fields = json!(["id: int?", "name: str?", "meta: any?"]);
    for options in [
        json!({}),
        json!({"if_exists": "replace"}),
        json!({"schema": {"mode": "flexible", "fields": fields}}),
        json!({"schema": {"mode": "fixed", "fields": ["id: int"]}, "validate_input": true, "if_exists": "replace"}),
    ] {
        for epochs in [widening(), epochs(), Vec::new()] {
            let scratch = Scratch::new();
            let make = |folder: &Path| {
                let mut options = options.clone();
                options["url"] = json!(format!("sqlite:///{}", folder.join("deep/out.db").display()));
                options["table"] = json!("out");
                sink("database", &options)
            };
            let contents = |folder: &Path| crate::sqlite::contents(&folder.join("deep/out.db"));
            check_table_sink(scratch.path(), make, contents, &epochs);
        }
    }
}

#[test]
fn the_database_sink_conforms_on_a_server() {
    let Some(server) = Server::shared() else { return };
    let fields = json!(["id: int?", "name: str?", "meta: any?"]);
    for options in [
        json!({}),
        json!({"if_exists": "replace"}),
        json!({"schema": {"mode": "flexible", "fields": fields}}),
        json!({"schema": {"mode": "fixed", "fields": ["id: int"]}, "validate_input": true, "if_exists": "replace"}),
    ] {
        for epochs in [widening(), epochs(), Vec::new()] {
            let scratch = Scratch::new();
            let make = |folder: &Path| {
                let mut options = options.clone();
                options["url"] = json!(server.schema(&folder.display().to_string()));
                options["table"] = json!("out");
                sink("database", &options)
            };
            let contents = |folder: &Path| server.contents(&folder.display().to_string());
            check_table_sink(scratch.path(), make, contents, &epochs);
        }
    }
}

/// Keys of several columns, values of all sorts, and rows that break a schema.
const CLAIMS: &str = "CREATE TABLE claims (part TEXT, id INTEGER, amount DOUBLE PRECISION, note TEXT, PRIMARY KEY (part, id));
    INSERT INTO claims VALUES ('b', 1, 2.5, 'x'), ('a', 20, 7, NULL), ('a', 3, NULL, 'two\nlines'), ('B', 5, 1e16, '\u{20ac}'),
        ('a', -1, -0.5, ''), ('_', 9, 3, 'y'), ('\u{e9}', 0, 0, 'z'), ('', 7, 1, 'w');";

fn check_database_source(url: &str) {
    let fields = json!(["part: str", "id: int", "amount: float"]);
    for options in [
        json!({"query": "SELECT * FROM claims", "key": ["part", "id"]}),
        json!({"query": "SELECT * FROM claims", "key": ["id", "part"], "fetch_size": 3, "field_mapping": {"note": "remark"}}),
        json!({
            "query": "SELECT * FROM claims -- all", "key": ["part", "id"], "fetch_size": 1,
            "schema": {"mode": "flexible", "fields": fields}, "on_validation_failure": "discard",
        }),
        json!({"query": "WITH few AS (SELECT id FROM claims WHERE id > 3) SELECT id FROM few ORDER BY id DESC;", "key": "id"}),
        json!({"query": "SELECT * FROM claims WHERE id > 1000", "key": "id"}),
    ] {
        let mut options = options;
        options["url"] = json!(url);
        check_source(|| source("database", &options));
    }
}

#[test]
fn the_database_source_conforms() {
    let scratch = Scratch::new();
    crate::sqlite::execute(&scratch.join("claims.db"), CLAIMS);
    check_database_source(&format!("sqlite:///{}", scratch.join("claims.db").display()));
}

#[test]
fn the_database_source_conforms_on_a_server() {
    let Some(server) = Server::shared() else { return };
    server.execute(CLAIMS);
    check_database_source(&server.url);
}
