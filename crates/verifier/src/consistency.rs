//! Two heads of one registry.

use elspeth_proof::{Consistency, Continued, Trust};

use crate::verdict::{Verdict, of_head, shown_head, shown_vouched};

pub(crate) fn check(text: &str, trust: &Trust) -> Verdict {
    match Consistency::parse(text).and_then(|consistency| consistency.verify(trust)) {
        Ok(continued) => told(&continued),
        Err(error) => Verdict::refused(error),
    }
}

fn told(continued: &Continued) -> Verdict {
    let Continued { first, first_vouched, second, second_vouched } = continued;
    Verdict::sound(continued.is_vouched())
        .line(format!("first: {}, {}", shown_head(first), shown_vouched(first_vouched)))
        .line(format!("second: {}, {}", shown_head(second), shown_vouched(second_vouched)))
        .line(format!("the second continues the first: {} entries were added", second.size - first.size))
        .field("first", of_head(first, first_vouched))
        .field("second", of_head(second, second_vouched))
}
