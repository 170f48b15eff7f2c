//! Receipts of every row of every construct, checked by what knows no database; and receipts that were changed.

use elspeth_app::{RowProving, RowReceipt, prove_row};
use elspeth_proof::{Checkpoint, Note, Receipt, Trust, Vouched};

use crate::subject::Subject;

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
    Trust { keys: Vec::new(), heads: vec![note] }
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
