//! Spans of a real run reach a collector.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use crate::support::{Scratch, TRIAGE, TRIAGE_CSV};

/// Takes OTLP requests until the listener's address is asked to stop; gives back everything that was sent.
fn collector() -> (String, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let taken = std::thread::spawn(move || {
        let mut all = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 64 << 10];
            while !is_whole(&request) {
                match stream.read(&mut buffer).unwrap() {
                    0 => return all,
                    n => request.extend_from_slice(&buffer[..n]),
                }
            }
            all.extend_from_slice(&request);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        }
        all
    });
    (address, taken)
}

fn is_whole(request: &[u8]) -> bool {
    let Some(head) = request.windows(4).position(|w| w == b"\r\n\r\n") else { return false };
    let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
    let length = text.lines().find_map(|l| l.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    length.is_some_and(|length| request.len() >= head + 4 + length)
}

fn run_with(granularity: &str) -> Vec<u8> {
    let (address, taken) = collector();
    let scratch = Scratch::new();
    scratch.write("in.csv", TRIAGE_CSV);
    let telemetry = format!(
        "telemetry:\n  enabled: true\n  granularity: {granularity}\n  exporters:\n    - name: otlp\n      options: {{endpoint: 'http://{address}'}}\n"
    );
    let report = scratch.run(&format!("{TRIAGE}{telemetry}")).unwrap();
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    drop(std::net::TcpStream::connect(address).unwrap());
    taken.join().unwrap()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

#[test]
fn every_kind_of_span_reaches_the_collector_with_its_attributes() {
    let sent = run_with("full");
    for name in ["run", "source", "row", "transform", "gate", "sink"] {
        // A span's name is field 5 of the message: tag 0x2a, length, text.
        let field = [&[0x2a, u8::try_from(name.len()).unwrap()], name.as_bytes()].concat();
        assert!(sent.windows(field.len()).any(|w| w == field), "no span `{name}` was sent");
    }
    for attribute in ["plugin", "node_type", "node", "row_id", "token_id", "input_hash", "run_id"] {
        assert!(holds(&sent, &format!("elspeth.{attribute}")), "no attribute `{attribute}` was sent");
    }
    assert!(!holds(&sent, "Ada"), "spans carry hashes, not data");
}

#[test]
fn lifecycle_spans_do_not_tell_of_rows() {
    let sent = run_with("lifecycle");
    assert!(holds(&sent, "elspeth.run_id"));
    assert!(!holds(&sent, "elspeth.row_id"));
}

#[test]
fn a_collector_that_is_not_there_costs_spans_but_not_the_run() {
    let scratch = Scratch::new();
    scratch.write("in.csv", TRIAGE_CSV);
    let telemetry =
        "telemetry: {enabled: true, exporters: [{name: otlp, options: {endpoint: 'http://127.0.0.1:1'}}]}\n";
    let report = scratch.run(&format!("{TRIAGE}{telemetry}")).unwrap();
    assert_eq!(report.run.status.as_str(), "completed");
    assert!(report.warnings[0].contains("lost"), "{:?}", report.warnings);
}
