use std::sync::Arc;

use elspeth_canonical::HashVersion;
use elspeth_contracts::ErrorReason;
use elspeth_value::{Contract, Row};

use super::run_id;
use super::transform::odd_rows;
use crate::{BatchContext, BatchOutput, BatchTransform};

/// A batch transform depends on its members alone, reads each of them once, keeps to what it declares, and has an answer
/// for any batch whatever.
///
/// # Panics
/// When a promise is not kept; the message says which.
pub fn check_batch_transform(make: impl Fn() -> Arc<dyn BatchTransform>, members: &[Row]) {
    let transform = make();
    let input = transform.input_contract();
    for (n, member) in members.iter().enumerate() {
        assert!(input.check(member).is_ok(), "fixture member {n} does not meet the input contract");
    }
    let expected = process(transform.as_ref(), members);
    check_answer(transform.as_ref(), members, &expected);
    let other = make();
    assert_eq!(process(other.as_ref(), members), expected, "another instance has another answer");
    assert_eq!(process(other.as_ref(), members), expected, "the second time has another answer");
    check_threads_do_not_matter(&transform, members, &expected);
    check_answer(transform.as_ref(), &[], &process(transform.as_ref(), &[]));
    for odd in odd_rows(members) {
        let mut batch = members.to_vec();
        batch.insert(members.len() / 2, odd);
        // Any answer will do, as long as there is one.
        check_form(&batch, &process(transform.as_ref(), &batch));
    }
}

/// What became of a batch.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    outputs: Vec<Row>,
    quarantined: Vec<(u64, ErrorReason)>,
    failure: Option<ErrorReason>,
}

impl BatchOutput for Answer {
    fn emit(&mut self, row: Row) {
        self.outputs.push(row);
    }

    fn quarantine(&mut self, member: u64, reason: ErrorReason) {
        self.quarantined.push((member, reason));
    }
}

fn process(transform: &dyn BatchTransform, members: &[Row]) -> Answer {
    let mut answer = Answer::default();
    let mut left = members.len();
    // An iterator that does not tell how many are to come, as one that reads from a file.
    let mut counted = members.iter().cloned().inspect(|_| left -= 1).filter(|_| true);
    let context = BatchContext { run_id: run_id(), batch_no: 0, node: "conformance", attempt: 0 };
    answer.failure = transform.process(&mut counted, &context, &mut answer).err();
    assert!(left == 0 || answer.failure.is_some(), "{left} members were not read");
    answer
}

fn check_answer(transform: &dyn BatchTransform, members: &[Row], answer: &Answer) {
    check_form(members, answer);
    let contract = transform.output_contract(&Contract::observed());
    let contract = contract.expect("rows of which nothing is known can be worked on");
    for (n, output) in answer.outputs.iter().enumerate() {
        if let Err(violation) = contract.check(output) {
            panic!("output {n} breaks the output contract: {violation}");
        }
    }
}

/// What any answer has to meet.
fn check_form(members: &[Row], answer: &Answer) {
    for (n, output) in answer.outputs.iter().enumerate() {
        if let Err(e) = output.content_hash(HashVersion::default(), &mut Vec::new()) {
            panic!("output {n} has no canonical form: {e}");
        }
    }
    let mut taken = vec![false; members.len()];
    for (member, reason) in &answer.quarantined {
        assert!(!reason.message.is_empty(), "member {member} is taken out without a reason");
        let place = usize::try_from(*member).ok().and_then(|at| taken.get_mut(at));
        let place = place.unwrap_or_else(|| panic!("member {member} is taken out and was never in"));
        assert!(!std::mem::replace(place, true), "member {member} is taken out twice");
    }
    if let Some(reason) = &answer.failure {
        assert!(!reason.message.is_empty(), "the failure of the batch does not say why");
    }
}

fn check_threads_do_not_matter(transform: &Arc<dyn BatchTransform>, members: &[Row], expected: &Answer) {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let answer = process(transform.as_ref(), members);
                assert_eq!(answer, *expected, "another answer beside other threads");
            });
        }
    });
}
