//! Receipts of every row of every construct, checked by what knows no database; and receipts that were changed.

use std::collections::BTreeSet;

use elspeth_app::{RowProving, RowReceipt, prove_row};
use elspeth_proof::{Checkpoint, Note, Receipt, Refusal, Token, Trust, Vouched};

use crate::omit::{Unit, omissions, units, without, without_one_record};
use crate::subject::{EVERYTHING, Subject};

/// Every how many bits one is flipped: each bit of made-up receipts is flipped in the tests of `elspeth-proof`.
const EVERY: usize = 61;

fn receipt(subject: &Subject, run: &str, row: u64) -> RowReceipt {
    match prove_row(&subject.database("audit.db"), run, row).unwrap() {
        RowProving::Proven(receipt) => *receipt,
        RowProving::Refused(verification) => panic!("row {row} of {run}: {:#?}", verification.checks),
    }
}

/// What somebody remembers who saw the head.
fn trust(receipt: &Receipt) -> Trust {
    let note: Note = receipt.head.parse().unwrap();
    assert!(note.text().parse::<Checkpoint>().is_ok());
    Trust::new(Vec::new(), vec![note])
}

#[test]
fn every_row_of_every_construct_is_proven_to_somebody_without_a_database() {
    let subject = Subject::new();
    let mut flipped = 0;
    for (run, rows) in subject.rows() {
        for row in 0..rows {
            let told = receipt(&subject, &run, row);
            let receipt = Receipt::parse(&told.text).unwrap();
            assert_eq!((&receipt.run, receipt.row), (&run, row));
            let trust = trust(&receipt);
            let story =
                receipt.verify(&trust).unwrap_or_else(|refusal| panic!("row {row} of {run}: {refusal}"));
            assert_eq!(story.vouched, Vouched::Remembered);
            assert!(!story.lines.is_empty());
            flipped += refused_where_flipped(&told.text, &trust, usize::try_from(row).unwrap());
        }
    }
    assert!(flipped > 5_000, "{flipped}");
}

/// Of every omission that can be made of a receipt: what came of it.
struct Omitted {
    tried: usize,
    missed: Vec<Receipt>,
}

/// The trees are right, and only what is told is less.
fn omitted(subject: &Subject) -> Omitted {
    let mut omitted = Omitted { tried: 0, missed: Vec::new() };
    for (run, rows) in subject.rows() {
        for row in 0..rows {
            let receipt = Receipt::parse(&receipt(subject, &run, row).text).unwrap();
            let trust = trust(&receipt);
            receipt.verify(&trust).unwrap_or_else(|refusal| panic!("row {row} of {run}: {refusal}"));
            let units = units(&receipt);
            for out in omissions(&receipt) {
                let less = without(&receipt, &out);
                let told: Vec<_> = out.iter().map(|unit| (unit.to_string(), units.get(unit))).collect();
                match less.verify(&trust) {
                    Ok(story) => {
                        assert_ne!(story.status, "completed", "row {row} of {run} without {told:?}");
                        let gone: BTreeSet<Token> =
                            out.iter().filter_map(|unit| units.get(unit)).copied().collect();
                        let ended = less.acts.leaves.iter().flat_map(|act| &act.records);
                        let mut ended = ended.filter_map(|record| record.token("token"));
                        assert!(!ended.any(|token| gone.contains(&token)), "row {row} without {told:?}");
                        omitted.missed.push(less);
                    }
                    // It is found by what is told, not because the proofs were made badly.
                    Err(refusal) => assert!(
                        !matches!(
                            refusal,
                            Refusal::Proof { .. }
                                | Refusal::ContentRoot
                                | Refusal::Body(_)
                                | Refusal::Head(_)
                        ),
                        "row {row} without {told:?}: {refusal}"
                    ),
                }
                omitted.tried += 1;
            }
            for less in without_one_record(&receipt) {
                assert!(less.verify(&trust).is_err(), "row {row} of {run}: {}", less.to_text());
            }
        }
    }
    omitted
}

#[test]
fn nothing_can_be_left_out_of_the_receipt_of_any_row() {
    let Omitted { tried, missed } = omitted(&Subject::new());
    assert!(tried > 3_000 && missed.is_empty(), "{tried} tried, {} missed", missed.len());
}

/// What came out of batches goes into others, whose numbers are smaller than those of their members.
const CHAINED: &str = r#"
source:
  plugin: csv
  on_success: numbers
  options: {path: $DIR/in.csv, on_validation_failure: discard, schema: {mode: fixed, fields: ["id: int"]}}
gates:
  - {name: both, input: numbers, condition: "'both'", routes: {both: fork}, fork_to: [left, right]}
  - {name: again, input: passed, condition: "'both'", routes: {both: fork}, fork_to: [one, other]}
aggregations:
  - {name: pairs, plugin: batch_stats, input: left, on_success: pair, on_error: discard, trigger: {count: 2},
     options: {schema: {mode: observed}, value_field: id}}
  - {name: sums, plugin: batch_stats, input: pair, on_success: out, on_error: discard, trigger: {count: 2},
     options: {schema: {mode: observed}, value_field: sum}}
  - {name: twos, plugin: batch_stats, input: right, on_success: two, on_error: discard, trigger: {count: 2},
     options: {schema: {mode: observed}, value_field: id}}
  - {name: hall, plugin: batch_replicate, input: two, on_success: passed, on_error: discard, trigger: {count: 2},
     output_mode: passthrough, options: {schema: {mode: observed}, default_copies: 1, include_copy_index: false}}
sinks:
  out: {plugin: json, on_write_failure: discard, options: {path: $DIR/out.jsonl}}
  one: {plugin: json, on_write_failure: discard, options: {path: $DIR/one.jsonl}}
  other: {plugin: json, on_write_failure: discard, options: {path: $DIR/other.jsonl}}
landscape: {url: "$URL"}
"#;

#[test]
fn nothing_can_be_left_out_where_batches_follow_batches() {
    let subject = Subject::of(CHAINED, None);
    let (run, _) = subject.rows().remove(0);
    let receipt = Receipt::parse(&receipt(&subject, &run, 0).text).unwrap();
    let units = units(&receipt);
    let ended: BTreeSet<_> = receipt.acts.leaves.iter().map(|act| units[&Unit::Act(act.index)]).collect();
    assert!(units.values().any(|token| !ended.contains(token)), "the part of a member is beside the sum");
    let Omitted { tried, missed } = omitted(&subject);
    assert!(tried > 100 && missed.is_empty(), "{tried} tried, {} missed", missed.len());
}

/// Members that come through a batch and are taken by the next one, members that a batch refuses while others go into it, and
/// those of whom both is true.
const PASSED_ON: &str = r#"
source:
  plugin: csv
  on_success: numbers
  options: {path: $DIR/in.csv, on_validation_failure: discard, schema: {mode: fixed, fields: ["id: int"]}}
aggregations:
  - {name: hall, plugin: batch_replicate, input: numbers, on_success: passed, on_error: refused, trigger: {count: 1},
     output_mode: passthrough, options: {schema: {mode: observed}, default_copies: 1, include_copy_index: false}}
  - {name: copies, plugin: batch_replicate, input: passed, on_success: copied, on_error: refused, trigger: {count: 3},
     options: {schema: {mode: observed}, copies_field: id, max_copies: 4, include_copy_index: true}}
  - {name: sums, plugin: batch_stats, input: copied, on_success: out, on_error: refused, trigger: {count: 4},
     options: {schema: {mode: observed}, value_field: id}}
sinks:
  out: {plugin: json, on_write_failure: discard, options: {path: $DIR/out.jsonl}}
  refused: {plugin: json, on_write_failure: discard, options: {path: $DIR/refused.jsonl}}
landscape: {url: "$URL"}
"#;

#[test]
fn members_that_go_on_to_other_batches_and_refused_ones_are_followed_on_their_own_ways() {
    let subject = Subject::of(PASSED_ON, None);
    let (run, _) = subject.rows().remove(0);
    let outcomes: Vec<String> = (0..9)
        .map(|row| {
            let receipt = Receipt::parse(&receipt(&subject, &run, row).text).unwrap();
            let first = Token::first_of(row);
            let acts = receipt.acts.leaves.iter().flat_map(|act| &act.records);
            let mut ended = acts.filter(|record| record.token("token") == first);
            ended.find_map(|record| record.text("outcome")).unwrap().to_owned()
        })
        .collect();
    let refused = outcomes.iter().filter(|outcome| *outcome == "routed").count();
    let consumed = outcomes.iter().filter(|outcome| *outcome == "consumed_in_batch").count();
    assert!(refused > 0 && consumed > 0 && refused + consumed == 9, "{outcomes:?}");
    let Omitted { tried, missed } = omitted(&subject);
    assert!(tried > 100 && missed.is_empty(), "{tried} tried, {} missed", missed.len());
}

/// The end of what came of a row may be left out where the run has no end either, and nothing else: whoever is told of less has
/// no outcome.
#[test]
fn of_a_run_that_did_not_complete_the_end_can_be_left_out() {
    let Omitted { tried, missed } = omitted(&Subject::of(EVERYTHING, Some(9)));
    assert!(missed.len() > 10 && missed.len() * 2 < tried, "{tried} tried, {} missed", missed.len());
}

fn refused_where_flipped(text: &str, trust: &Trust, from: usize) -> usize {
    let bits = (from % EVERY..text.len() * 8).step_by(EVERY);
    let flip = |bit: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let story =
            String::from_utf8(bytes).ok().and_then(|text| Receipt::parse(&text).ok()?.verify(trust).ok());
        // Of a head that is not the remembered one, nothing is said to be wrong, but nobody stands for it.
        let accepted = story.is_some_and(|story| story.vouched != Vouched::Nobody);
        assert!(!accepted, "bit {bit} of {text}");
    };
    bits.map(flip).count()
}

#[test]
fn a_record_that_was_changed_proves_nothing() {
    let subject = Subject::new();
    let (run, _) = subject.rows().into_iter().next().unwrap();
    subject.execute("UPDATE rows SET source_data_hash = randomblob(32) WHERE row_index = 3");
    for row in [0, 3] {
        let proving = prove_row(&subject.database("audit.db"), &run, row).unwrap();
        assert_eq!(proving.exit_code(), 5, "row {row}");
    }
}

#[test]
fn a_row_that_is_not_there_is_no_receipt() {
    let subject = Subject::new();
    let (run, rows) = subject.rows().into_iter().next().unwrap();
    let error = prove_row(&subject.database("audit.db"), &run, rows).unwrap_err();
    assert!(error.to_string().contains(&format!("no row {rows}")), "{error}");
}
