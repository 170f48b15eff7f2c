use elspeth_canonical::HashVersion;
use elspeth_contracts::{
    EpochNo, ErrorReason, FailureKind, NodeStateStatus, OperationKind, OperationStatus, RowIndex, Step,
    TokenKey,
};
use proptest::prelude::*;

use super::*;
use crate::export::Bytes;

fn run() -> RunId {
    "01JZ0000000000000000000000".parse().unwrap()
}

fn token(row: u64, ordinal: u32) -> TokenKey {
    TokenKey::of_row(RowIndex::new(row).unwrap(), ordinal).unwrap()
}

fn json_of(line: &Line) -> String {
    let mut out = Vec::new();
    line.write_json(run(), &mut out);
    String::from_utf8(out).unwrap()
}

fn of_json(text: &str) -> Result<Line, String> {
    Line::read_json(text.trim_end()).and_then(|told| told.of(run()))
}

/// Through a CSV file, with its quoting.
fn through_csv(line: &Line) -> Result<Line, String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(Line::head(line.kind())).unwrap();
    writer.write_record(line.cells(run())).unwrap();
    let bytes = writer.into_inner().unwrap();
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let record = reader.records().next().unwrap().unwrap();
    Line::read_cells(line.kind(), &record).and_then(|told| told.of(run()))
}

fn assert_comes_back(line: &Line) {
    let json = json_of(line);
    assert_eq!(of_json(&json).as_ref(), Ok(line), "{json}");
    assert_eq!(through_csv(line).as_ref(), Ok(line), "{:?}", line.cells(run()));
}

fn operation(error: Option<ErrorReason>) -> Line {
    Line::Operation(OperationLine {
        epoch: EpochNo(3),
        step: Step::new(4).unwrap(),
        ordinal: u64::MAX,
        kind: OperationKind::SinkWrite,
        status: OperationStatus::Failed,
        attempts: 3,
        started_us: -1,
        duration_us: i64::MAX,
        published: true,
        error,
    })
}

proptest! {
    #[test]
    fn every_text_comes_back(branch in proptest::option::of(any::<String>()), group in proptest::option::of(0u64..1 << 56)) {
        let group_no = group.and_then(TokenKey::from_u64);
        assert_comes_back(&Line::Token(TokenLine { token: token(7, 1), branch, group_no }));
    }

    #[test]
    fn every_reason_comes_back(message in any::<String>(), field in proptest::option::of(any::<String>()), line in any::<Option<u64>>()) {
        let reason = ErrorReason { field, line, ..ErrorReason::new(FailureKind::SchemaViolation, message) };
        assert_comes_back(&operation(Some(reason)));
    }

    #[test]
    fn bytes_come_back(block in proptest::collection::vec(any::<u8>(), 0..40)) {
        assert_comes_back(&Line::Bodies(BodiesLine { epoch: EpochNo(0), block: Bytes(block) }));
    }
}

#[test]
fn texts_that_could_be_taken_for_something_else_come_back() {
    for branch in [
        None,
        Some(""),
        Some("\""),
        Some("\"\""),
        Some("null"),
        Some(" "),
        Some(","),
        Some("a\nb\r\n"),
        Some("\u{0}"),
    ] {
        let branch = branch.map(str::to_owned);
        assert_comes_back(&Line::Token(TokenLine { token: token(0, 0), branch, group_no: None }));
    }
    assert_comes_back(&operation(None));
}

#[test]
fn what_has_no_value_is_left_out_of_json_and_empty_in_csv() {
    let line = Line::Token(TokenLine { token: token(7, 1), branch: None, group_no: None });
    let id = run().token_id(token(7, 1));
    assert_eq!(json_of(&line), format!("{{\"record\":\"token\",\"token_id\":\"{id}\",\"token\":\"7.1\"}}\n"));
    assert_eq!(line.cells(run()), [id.to_string(), "7.1".to_owned(), String::new(), String::new()]);
    let head: Vec<_> = Line::head(Kind::Token).collect();
    assert_eq!(head, ["token_id", "token", "branch", "group_no"]);
}

#[test]
fn a_line_that_is_not_what_it_says_is_refused() {
    let hash = HashVersion::Blake3V1.hash(b"x");
    let row = Line::Row(RowRecord {
        row_index: RowIndex::new(1).unwrap(),
        source_data_hash: hash,
        read_us: 5,
        valid: true,
    });
    let json = json_of(&row);
    let refused = |text: String| of_json(&text).unwrap_err();
    assert!(of_json(&json).is_ok());
    assert!(refused(json.replace("\"row_index\":1", "\"row_index\":2")).starts_with("`row_id` must be "));
    assert_eq!(refused(json.replace(",\"valid\":true", "")), "`valid` is missing");
    assert_eq!(refused(json.replace("true}", "true,\"more\":1}")), "a row has no field `more`");
    assert_eq!(refused(json.replace("true", "1")), "`valid` must be true or false, but is another number");
    assert_eq!(refused(json.replace("\"row\"", "\"column\"")), "there is no record `column`");
    assert_eq!(refused("{}".to_owned()), "`record` does not say what it is");
    assert!(refused(json.replace("true}", "true,\"valid\":true}")).contains("valid"), "a field twice");
    let mut cells = csv::StringRecord::from(row.cells(run()));
    cells.push_field("more");
    assert!(Line::read_cells(Kind::Row, &cells).is_err());
}

#[test]
fn a_state_at_a_sink_is_no_state_elsewhere() {
    let state = NodeStateRecord {
        token: token(0, 0),
        step: Step::new(2).unwrap(),
        attempt: 0,
        status: NodeStateStatus::Completed,
        input_hash: None,
        output_hash: None,
        started_us: 0,
        duration_us: 0,
        waited_us: 0,
    };
    let (node, sink) = (Line::NodeState(state.clone()), Line::SinkState(state));
    assert_ne!(of_json(&json_of(&node)), Ok(sink.clone()));
    assert_comes_back(&node);
    assert_comes_back(&sink);
}

#[test]
fn kinds_have_names_of_their_own() {
    for kind in Kind::ALL {
        assert_eq!(Kind::of_name(kind.name()), Some(*kind));
        assert_eq!(Kind::ALL.iter().filter(|other| other.table() == kind.table()).count(), 1);
    }
}
