//! What the steps came to: a line after each, and a table at the end.

use std::time::Duration;

use super::Outcome;
use crate::error::Error;

pub(super) struct Record {
    pub(super) title: &'static str,
    pub(super) outcome: Outcome,
    pub(super) elapsed: Duration,
}

#[derive(Default)]
pub(super) struct Summary {
    records: Vec<Record>,
}

impl Summary {
    pub(super) fn add(&mut self, record: Record) {
        println!("<== {}", record.line());
        self.records.push(record);
    }

    pub(super) fn has_failed(&self, title: &str) -> bool {
        self.records.iter().any(|record| record.title == title && record.failed())
    }

    pub(super) fn print(&self) {
        println!("\n==> summary");
        for record in &self.records {
            println!("{}", record.line());
        }
        let total: Duration = self.records.iter().map(|record| record.elapsed).sum();
        println!("total: {:.1} s", total.as_secs_f64());
        if let Some(warning) = self.not_checked() {
            println!("{warning}");
        }
    }

    /// What nobody must take for checked, although nothing failed.
    fn not_checked(&self) -> Option<String> {
        let titles: Vec<&str> =
            self.records.iter().filter(|record| record.is_unchecked()).map(|record| record.title).collect();
        (!titles.is_empty()).then(|| format!("NOT CHECKED HERE (reasons above): {}", titles.join(", ")))
    }

    pub(super) fn result(&self) -> Result<(), Error> {
        let steps: Vec<String> = self
            .records
            .iter()
            .filter(|record| record.failed())
            .map(|record| record.title.to_owned())
            .collect();
        if steps.is_empty() { Ok(()) } else { Err(Error::Steps { steps }) }
    }
}

impl Record {
    fn failed(&self) -> bool {
        match self.outcome {
            Outcome::Failed(_) => true,
            Outcome::Passed(_) | Outcome::NotChecked(_) => false,
        }
    }

    fn is_unchecked(&self) -> bool {
        match self.outcome {
            Outcome::NotChecked(_) => true,
            Outcome::Passed(_) | Outcome::Failed(_) => false,
        }
    }

    fn line(&self) -> String {
        let (word, remark) = match &self.outcome {
            Outcome::Passed(remark) => ("ok", remark),
            Outcome::Failed(reason) => ("FAILED", reason),
            Outcome::NotChecked(reason) => ("NOT CHECKED", reason),
        };
        let colon = if remark.is_empty() { "" } else { ": " };
        format!("{:<12} {:>7.1} s  {word}{colon}{remark}", self.title, self.elapsed.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_names_every_failed_step_and_no_other() {
        let mut summary = Summary::default();
        let outcomes = [
            ("format", Outcome::Failed("x".to_owned())),
            ("tidy", Outcome::Passed(String::new())),
            ("advisories", Outcome::NotChecked("no network".to_owned())),
            ("tests", Outcome::Failed("y".to_owned())),
        ];
        for (title, outcome) in outcomes {
            summary.add(Record { title, outcome, elapsed: Duration::from_millis(1500) });
        }
        assert!(summary.has_failed("format") && !summary.has_failed("advisories"));
        assert_eq!(summary.result().unwrap_err().to_string(), "failed: format, tests");
        assert_eq!(summary.records[2].line(), "advisories       1.5 s  NOT CHECKED: no network");
        assert_eq!(summary.not_checked().unwrap(), "NOT CHECKED HERE (reasons above): advisories");
        assert_eq!(Summary::default().not_checked(), None);
        assert!(Summary::default().result().is_ok());
    }
}
