use std::sync::Arc;

use elspeth_canonical::HashVersion;
use elspeth_contracts::{RowIndex, TokenKey};
use elspeth_value::{Contract, Row, Shape, Value};

use super::run_id;
use crate::{Transform, TransformContext, TransformOutput, TransformResult};

/// A transform depends on its row alone, keeps to what it declares, and has an answer for any row whatever.
///
/// # Panics
/// When a promise is not kept; the message says which.
pub fn check_transform(make: impl Fn() -> Arc<dyn Transform>, rows: &[Row]) {
    let transform = make();
    let input = transform.input_contract();
    let output = transform.output_contract(&Contract::observed());
    let output = output.expect("rows of which nothing is known can be worked on");
    let expected: Vec<_> = rows.iter().map(|row| process(transform.as_ref(), row)).collect();
    for (n, (row, result)) in rows.iter().zip(&expected).enumerate() {
        assert!(input.check(row).is_ok(), "fixture row {n} does not meet the input contract");
        check_result(transform.as_ref(), &output, row, result, n);
    }
    check_order_does_not_matter(&make, rows, &expected);
    check_threads_do_not_matter(&transform, rows, &expected);
    for row in odd_rows(rows) {
        // Any answer will do, as long as there is one.
        let _ = process(transform.as_ref(), &row);
    }
}

fn process(transform: &dyn Transform, row: &Row) -> TransformResult {
    let token = TokenKey::of_row(RowIndex::new(0).expect("0 is small"), 0).expect("0 is small");
    transform
        .process(row.clone(), &TransformContext { run_id: run_id(), token, node: "conformance", attempt: 0 })
}

fn check_result(
    transform: &dyn Transform,
    contract: &Contract,
    row: &Row,
    result: &TransformResult,
    n: usize,
) {
    let rows = match result {
        Err(reason) => return assert!(!reason.message.is_empty(), "the error of row {n} does not say why"),
        Ok(TransformOutput::Unchanged(out)) => {
            return assert_eq!(out, row, "row {n} came back changed as `Unchanged`");
        }
        Ok(TransformOutput::One(out)) => std::slice::from_ref(out),
        Ok(TransformOutput::Many(out)) => {
            assert!(transform.expands(), "row {n} became several, which `expands` denies");
            assert!(!out.is_empty(), "row {n} became no row at all, which must be an error");
            out.as_slice()
        }
    };
    for out in rows {
        if let Err(violation) = contract.check(out) {
            panic!("the output of row {n} breaks the output contract: {violation}");
        }
        if let Err(e) = out.content_hash(HashVersion::default(), &mut Vec::new()) {
            panic!("the output of row {n} has no canonical form: {e}");
        }
    }
}

fn check_order_does_not_matter(
    make: &impl Fn() -> Arc<dyn Transform>,
    rows: &[Row],
    expected: &[TransformResult],
) {
    let other = make();
    for (n, (row, result)) in rows.iter().zip(expected).enumerate().rev() {
        assert_eq!(
            &process(other.as_ref(), row),
            result,
            "row {n} becomes another one when rows come in another order"
        );
        assert_eq!(&process(other.as_ref(), row), result, "row {n} becomes another one the second time");
    }
}

fn check_threads_do_not_matter(transform: &Arc<dyn Transform>, rows: &[Row], expected: &[TransformResult]) {
    std::thread::scope(|scope| {
        for offset in 0..4 {
            scope.spawn(move || {
                for n in (0..rows.len()).map(|n| (n + offset) % rows.len()) {
                    let result = process(transform.as_ref(), &rows[n]);
                    assert_eq!(result, expected[n], "row {n} becomes another one beside other threads");
                }
            });
        }
    });
}

/// No fields at all; and for each row, each field missing, null and of every other type.
pub(super) fn odd_rows(rows: &[Row]) -> Vec<Row> {
    let values = [
        Value::Null,
        Value::Bool(true),
        Value::Int(-1),
        Value::Float(0.5),
        Value::Str("\u{1f600}\u{301}".into()),
        Value::Bytes(Box::from([0xFF])),
        Value::List(vec![Value::Null]),
        Value::Map([("key".into(), Value::List(Vec::new()))].into_iter().collect()),
    ];
    let mut odd = vec![Row::new(Shape::new([]), Vec::new())];
    for row in rows {
        let names = row.shape().names();
        for slot in 0..names.len() {
            for value in &values {
                let mut changed = row.clone();
                changed.values_mut()[slot] = value.clone();
                odd.push(changed);
            }
            let without = |n: &usize| *n != slot;
            let shape = Shape::new((0..names.len()).filter(without).map(|n| names[n].clone()));
            odd.push(Row::new(
                shape,
                (0..names.len()).filter(without).map(|n| row.values()[n].clone()).collect(),
            ));
        }
    }
    odd
}
