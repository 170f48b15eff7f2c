//! Results: medians, as Markdown tables or JSON.

use std::fmt::Write as _;

use serde::Serialize;

const MEGABYTE: f64 = 1_000_000.0;

#[derive(Serialize)]
pub(super) struct Report {
    pub(super) validate_seconds: f64,
    pub(super) cases: Vec<Case>,
}

/// Medians of one pipeline with so many rows.
#[derive(Serialize)]
pub(super) struct Case {
    pub(super) pipeline: &'static str,
    pub(super) shape: &'static str,
    pub(super) rows: u64,
    pub(super) wall_seconds: f64,
    /// The same pipeline without any row: what a run costs however many rows it has.
    pub(super) empty_seconds: f64,
    /// The same with `synchronous: off`.
    pub(super) not_durable_seconds: f64,
    /// The same by a program without proofs; measured only when it is asked for.
    pub(super) unproven_seconds: Option<f64>,
    /// `elspeth verify` of what the run left.
    pub(super) verify_seconds: f64,
    pub(super) cpu_seconds: f64,
    pub(super) peak_rss_bytes: f64,
    pub(super) floor_seconds: f64,
    pub(super) floor_cpu_seconds: f64,
    /// Records of what happened, in all tables.
    pub(super) records: f64,
    /// The database without the pages of packed bodies.
    pub(super) record_bytes: f64,
    pub(super) body_bytes: f64,
}

impl Report {
    pub(super) fn json(&self) -> String {
        let cases: Vec<serde_json::Value> = self.cases.iter().map(Case::json).collect();
        serde_json::json!({ "validate_seconds": self.validate_seconds, "cases": cases }).to_string()
    }

    pub(super) fn markdown(&self) -> String {
        let mut text = String::from(
            "| pipeline | rows | wall s | CPU s | rows/s | µs/row | µs each row adds | records/s | record B/row | body B/row | peak RSS MB \
             | floor s | wall/floor | durable/not | proofs/none | run/verify |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        );
        for case in &self.cases {
            text.push_str(&case.line());
        }
        write!(text, "\n`elspeth validate` of a small file: {:.1} ms", self.validate_seconds * 1e3)
            .expect("a String takes all text");
        text
    }
}

impl Case {
    #[expect(clippy::cast_precision_loss, reason = "numbers of rows are far below 2^53")]
    fn row_count(&self) -> f64 {
        self.rows as f64
    }

    /// What each row adds to the time of a run.
    fn seconds_a_row(&self) -> f64 {
        (self.wall_seconds - self.empty_seconds) / self.row_count()
    }

    fn line(&self) -> String {
        let rows = self.row_count();
        format!(
            "| {} | {} | {:.3} | {:.3} | {:.0} | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} | {:.1} | {:.3} | {:.2} | {:.2} | {} | {:.1} |\n",
            self.shape,
            self.rows,
            self.wall_seconds,
            self.cpu_seconds,
            rows / self.wall_seconds,
            self.wall_seconds / rows * 1e6,
            self.seconds_a_row() * 1e6,
            self.records / self.wall_seconds,
            self.record_bytes / rows,
            self.body_bytes / rows,
            self.peak_rss_bytes / MEGABYTE,
            self.floor_seconds,
            self.wall_seconds / self.floor_seconds,
            self.wall_seconds / self.not_durable_seconds,
            self.unproven_seconds.map_or("-".to_owned(), |none| format!("{:.2}", self.wall_seconds / none)),
            self.wall_seconds / self.verify_seconds,
        )
    }

    /// What was measured, and what is derived from it.
    fn json(&self) -> serde_json::Value {
        let rows = self.row_count();
        let mut value = serde_json::json!(self);
        let derived = [
            ("rows_per_second", rows / self.wall_seconds),
            ("seconds_a_row", self.seconds_a_row()),
            ("records_per_second", self.records / self.wall_seconds),
            ("record_bytes_per_row", self.record_bytes / rows),
            ("wall_to_floor", self.wall_seconds / self.floor_seconds),
            ("durable_to_not", self.wall_seconds / self.not_durable_seconds),
            ("run_to_verify", self.wall_seconds / self.verify_seconds),
            // Tells more than the wall times where other programs run.
            ("cpu_to_floor", self.cpu_seconds / self.floor_cpu_seconds),
        ];
        for (name, number) in derived {
            value[name] = number.into();
        }
        value["proofs_to_none"] = self.unproven_seconds.map(|none| self.wall_seconds / none).into();
        value
    }
}

/// The middle one; of an even number, the mean of the two in the middle.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Case {
        Case {
            pipeline: "copy",
            shape: "csv → csv",
            rows: 1000,
            wall_seconds: 0.5,
            empty_seconds: 0.1,
            not_durable_seconds: 0.4,
            unproven_seconds: None,
            verify_seconds: 0.125,
            cpu_seconds: 0.75,
            peak_rss_bytes: 12_300_000.0,
            floor_seconds: 0.25,
            floor_cpu_seconds: 0.15,
            records: 5000.0,
            record_bytes: 263_000.0,
            body_bytes: 80_000.0,
        }
    }

    #[test]
    fn a_median_is_not_moved_by_one_slow_run() {
        assert!((median([9.0, 1.0, 2.0].into_iter()) - 2.0).abs() < f64::EPSILON);
        assert!((median([1.0, 2.0, 4.0, 100.0].into_iter()) - 3.0).abs() < f64::EPSILON);
        assert!(median([].into_iter()).is_nan());
    }

    #[test]
    fn a_line_shows_what_was_measured_and_the_ratio() {
        let line = case().line();
        assert_eq!(
            line,
            "| csv → csv | 1000 | 0.500 | 0.750 | 2000 | 500.00 | 400.00 | 10000 | 263 | 80 | 12.3 | 0.250 | 2.00 | 1.25 | - | 4.0 |\n"
        );
        let proven = Case { unproven_seconds: Some(0.4), ..case() };
        assert!(proven.line().ends_with("| 1.25 | 1.25 | 4.0 |\n"));
        let report = Report { validate_seconds: 0.012, cases: vec![case()] };
        let table = report.markdown();
        let columns: Vec<usize> = table.lines().take(3).map(|line| line.matches('|').count()).collect();
        assert_eq!(columns, [17, 17, 17]);
        assert!(table.ends_with("12.0 ms"));
    }

    #[test]
    fn json_has_the_derived_numbers_too() {
        let report = Report { validate_seconds: 0.012, cases: vec![case()] };
        let value: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(value["cases"][0]["wall_to_floor"], 2.0);
        assert_eq!(value["cases"][0]["cpu_to_floor"], 5.0);
        assert_eq!(value["cases"][0]["rows"], 1000);
        assert_eq!(value["cases"][0]["seconds_a_row"], 0.0004);
        assert_eq!(value["validate_seconds"], 0.012);
    }
}
