//! Spans reach a collector as OTLP over HTTP.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use elspeth_canonical::ContentHash;
use elspeth_contracts::{EpochNo, FailureKind, RowIndex, RunId, TokenKey};
use elspeth_telemetry::{
    Backpressure, Exporter, Granularity, NodeTag, OtlpOptions, Spans, TelemetryGuard, TelemetrySettings,
    TokenTag, init,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

const RUN: &str = "01JZ8Q4Z8N5X2V7K3M9T0B6C1D";

/// One request that the collector got.
struct Posted {
    head: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

/// A collector on a free port of this machine, which answers everything with `status`.
fn collector(status: &'static str) -> (String, Receiver<Posted>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, posted) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let sender = sender.clone();
            thread::spawn(move || {
                let mut reader = BufReader::new(stream.unwrap());
                while let Some(request) = read_request(&mut reader) {
                    let _ = sender.send(request);
                    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                    reader.get_mut().write_all(answer.as_bytes()).unwrap();
                }
            });
        }
    });
    (address, posted)
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Posted> {
    let mut line = String::new();
    let mut next_line = |reader: &mut BufReader<TcpStream>| {
        line.clear();
        reader.read_line(&mut line).ok()?;
        Some(line.trim_end().to_owned()).filter(|l| !l.is_empty())
    };
    let head = next_line(reader)?;
    let mut headers = HashMap::new();
    while let Some(header) = next_line(reader) {
        let (name, value) = header.split_once(':').unwrap();
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    Some(Posted { head, headers, body })
}

fn telemetry(endpoint: String, granularity: Granularity) -> TelemetryGuard {
    let headers = BTreeMap::from([("x-tenant".to_owned(), "seven".to_owned())]);
    let otlp = OtlpOptions { endpoint, headers, timeout_seconds: 5.0, ..OtlpOptions::default() };
    let exporters = vec![Exporter::Otlp(otlp)];
    init(&TelemetrySettings { enabled: true, granularity, backpressure: Backpressure::Block, exporters })
        .unwrap()
}

/// One row through a transform that fails and a gate, then a sink; on another thread, as in a run.
fn play(spans: &Spans) {
    let row = RowIndex::new(41).unwrap();
    let hash = ContentHash::from_bytes([0xab; 32]);
    let token = TokenTag { row, token: TokenKey::of_row(row, 0).unwrap(), input_hash: Some(&hash) };
    let tag = |name, plugin| NodeTag { name, plugin };
    let source = spans.source(tag("source", "csv"));
    thread::scope(|scope| {
        scope.spawn(|| {
            let row_span = spans.row(token);
            let transform = spans.transform(&row_span, tag("mapper", "field_mapper"), token);
            transform.failed(FailureKind::TransformError);
            drop(transform);
            drop(spans.gate(&row_span, tag("quality", "gate"), token));
        });
    });
    drop(source);
    let write = spans.sink_write(tag("approved", "csv"), EpochNo(3), 1);
    drop(spans.sink(&write, tag("approved", "csv"), token));
}

fn spans_of(posted: &Posted) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(posted.body.as_slice()).unwrap();
    let scopes = request.resource_spans.into_iter().flat_map(|r| r.scope_spans);
    scopes.flat_map(|s| s.spans).collect()
}

fn attribute(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|a| a.key == key);
    match found.and_then(|a| a.value.as_ref()).and_then(|v| v.value.as_ref()) {
        Some(AnyValue::StringValue(text)) => text.clone(),
        Some(AnyValue::IntValue(number)) => number.to_string(),
        other => panic!("{} has no attribute {key}, but {other:?}", span.name),
    }
}

#[test]
fn a_collector_gets_every_span_with_its_attributes_and_its_parent() {
    let (endpoint, posted) = collector("200 OK");
    let guard = telemetry(endpoint, Granularity::Full);
    play(&guard.spans(RUN.parse().unwrap()));
    let delivered = guard.shutdown();
    assert_eq!((delivered[0].delivered, delivered[0].lost, &delivered[0].problem), (7, 0, &None));

    let request = posted.recv().unwrap();
    assert!(request.head.starts_with("POST /v1/traces "), "{}", request.head);
    assert_eq!(request.headers["content-type"], "application/x-protobuf");
    assert_eq!(request.headers["x-tenant"], "seven");

    let spans: HashMap<String, Span> = spans_of(&request).into_iter().map(|s| (s.name.clone(), s)).collect();
    let parents = [
        ("source", "run"),
        ("row", "run"),
        ("sink_write", "run"),
        ("transform", "row"),
        ("gate", "row"),
        ("sink", "sink_write"),
    ];
    for (child, parent) in parents {
        assert_eq!(spans[child].parent_span_id, spans[parent].span_id, "{child} is within {parent}");
        assert_eq!(spans[child].trace_id, spans["run"].trace_id);
    }
    let run_id: RunId = RUN.parse().unwrap();
    let row = RowIndex::new(41).unwrap();
    assert_eq!(attribute(&spans["run"], "elspeth.run_id"), RUN);
    let nodes = [
        ("source", "source", "csv", "source"),
        ("transform", "mapper", "field_mapper", "transform"),
        ("gate", "quality", "gate", "gate"),
        ("sink_write", "approved", "csv", "sink"),
        ("sink", "approved", "csv", "sink"),
    ];
    for (name, node, plugin, node_type) in nodes {
        assert_eq!(attribute(&spans[name], "elspeth.node"), node);
        assert_eq!(attribute(&spans[name], "elspeth.plugin"), plugin);
        assert_eq!(attribute(&spans[name], "elspeth.node_type"), node_type);
    }
    for name in ["row", "transform", "gate", "sink"] {
        let token_id = run_id.token_id(TokenKey::of_row(row, 0).unwrap());
        assert_eq!(attribute(&spans[name], "elspeth.row_id"), run_id.row_id(row).to_string());
        assert_eq!(attribute(&spans[name], "elspeth.token_id"), token_id.to_string());
        assert_eq!(attribute(&spans[name], "elspeth.input_hash"), "ab".repeat(32));
    }
    assert_eq!(attribute(&spans["sink_write"], "elspeth.epoch"), "3");
    let status = spans["transform"].status.as_ref().unwrap();
    assert_eq!((status.code, status.message.as_str()), (2, "transform_error"));
}

#[test]
fn coarser_granularity_sends_fewer_spans() {
    let cases = [
        (Granularity::Lifecycle, vec!["run", "sink_write", "source"]),
        (Granularity::Rows, vec!["row", "run", "sink_write", "source"]),
    ];
    for (granularity, expected) in cases {
        let (endpoint, posted) = collector("200 OK");
        let guard = telemetry(endpoint, granularity);
        play(&guard.spans(RUN.parse().unwrap()));
        drop(guard.shutdown());
        let mut names: Vec<String> = spans_of(&posted.recv().unwrap()).into_iter().map(|s| s.name).collect();
        names.sort();
        assert_eq!(names, expected);
    }
}

#[test]
fn a_collector_that_refuses_costs_spans_and_is_told_of() {
    let (endpoint, _posted) = collector("400 Bad Request");
    let guard = telemetry(endpoint, Granularity::Lifecycle);
    play(&guard.spans(RUN.parse().unwrap()));
    let delivery = guard.shutdown().remove(0);
    assert_eq!((delivery.exporter, delivery.delivered, delivery.lost), ("otlp", 0, 3));
    assert!(delivery.problem.unwrap().contains("400"));
}

#[test]
fn a_collector_that_is_not_there_costs_spans_and_is_told_of() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", unused.local_addr().unwrap());
    drop(unused);
    let guard = telemetry(endpoint, Granularity::Lifecycle);
    play(&guard.spans(RUN.parse().unwrap()));
    let delivery = guard.shutdown().remove(0);
    assert_eq!((delivery.delivered, delivery.lost), (0, 3));
    assert!(delivery.problem.is_some());
}
