//! The story of one row.

use elspeth_proof::{Json, Receipt, Refusal, Story, Trust, Vouched};

use crate::verdict::{Verdict, of_head, of_text, shown_head, shown_time, shown_vouched};

pub(crate) fn check(text: &str, trust: &Trust) -> Verdict {
    match proven(text, trust) {
        Ok((receipt, story)) => told(&receipt, &story),
        Err(refusal) => Verdict::refused(refusal),
    }
}

fn proven(text: &str, trust: &Trust) -> Result<(Receipt, Story), Refusal> {
    let receipt = Receipt::parse(text)?;
    let story = receipt.verify(trust)?;
    Ok((receipt, story))
}

fn told(receipt: &Receipt, story: &Story) -> Verdict {
    let (started, ended) = (shown_time(story.started_at), shown_time(story.completed_at));
    let entry = receipt.registry.index;
    let verdict = Verdict::sound(story.vouched != Vouched::Nobody)
        .line(format!("run {}, {} {ended}, begun {started}", story.run, story.status))
        .line(format!("entry {entry} of {}", shown_head(&story.head)))
        .line(shown_vouched(&story.vouched))
        .field("run", of_text(&*story.run))
        .field("row", number(story.row))
        .field("status", of_text(&*story.status))
        .field("started_at", of_text(started))
        .field("completed_at", of_text(ended))
        .field("entry", number(entry))
        .field("head", of_head(&story.head, &story.vouched))
        .field("story", Json::List(story.lines.iter().map(|line| of_text(&**line)).collect()));
    story.lines.iter().fold(verdict, |verdict, line| verdict.line(&**line))
}

fn number(number: u64) -> Json {
    Json::number(number).expect("it was read from such a number")
}
