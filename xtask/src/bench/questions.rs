//! How long the questions take that are asked of a record, when it is large.

use std::fs;
use std::path::Path;

use super::data;
use super::measure::Bench;
use super::pipelines::Pipeline;
use super::table::median;
use crate::error::Error;

const HEAD: &str = "| pipeline | rows | command | median ms | longest ms |\n|---|--:|---|--:|--:|";

/// What is asked, with the words of the command line.
struct Question {
    shown: &'static str,
    words: Vec<String>,
}

/// Prints a table of each pipeline with each number of rows: one run, and each question as often as `bench.runs` says.
pub(super) fn run(bench: &Bench, rows: &[u64], pipelines: &[Pipeline]) -> Result<(), Error> {
    println!("{HEAD}");
    for rows in rows {
        data::write(&bench.input(*rows), *rows)?;
        for pipeline in pipelines {
            let folder = bench.folder.join(format!("asked-{}-{rows}", pipeline.name()));
            bench.run_once(*pipeline, *rows, &folder)?;
            ask(bench, (*pipeline, *rows), &folder)?;
            fs::remove_dir_all(&folder).map_err(Error::io(&folder))?;
        }
    }
    Ok(())
}

fn ask(bench: &Bench, (pipeline, rows): (Pipeline, u64), folder: &Path) -> Result<(), Error> {
    let mut taken: Vec<(&str, Vec<f64>)> = Vec::new();
    for turn in 0..bench.runs {
        for (at, question) in questions(folder, row_of(turn, bench.runs, rows)).into_iter().enumerate() {
            let seconds = bench.ask(folder, &question.words)?;
            match taken.get_mut(at) {
                Some((_, list)) => list.push(seconds),
                None => taken.push((question.shown, vec![seconds])),
            }
        }
    }
    taken.iter().for_each(|(shown, seconds)| println!("{}", line((pipeline, rows), shown, seconds)));
    Ok(())
}

/// Another row each time, from the first to the last.
fn row_of(turn: u32, turns: u32, rows: u64) -> u64 {
    u64::from(turn) * (rows - 1) / u64::from(turns.saturating_sub(1).max(1))
}

fn questions(folder: &Path, row: u64) -> Vec<Question> {
    let (database, settings) = (folder.join("audit.db"), folder.join("settings.yaml"));
    let (database, settings, row) =
        (database.display().to_string(), settings.display().to_string(), row.to_string());
    let question = |shown, words: &[&str]| Question {
        shown,
        words: words.iter().map(|word| (*word).to_owned()).collect(),
    };
    vec![
        question("`explain --row N`", &["explain", "-r", "latest", "--row", &row, "-d", &database]),
        question(
            "`explain --row N --json`",
            &["explain", "-r", "latest", "--row", &row, "--json", "-d", &database],
        ),
        question("`status latest`", &["status", "latest", "-d", &database]),
        question("`runs`", &["runs", "-d", &database]),
        question("`validate`", &["validate", "-s", &settings]),
        question("`--version`", &["--version"]),
    ]
}

fn line((pipeline, rows): (Pipeline, u64), shown: &str, seconds: &[f64]) -> String {
    let longest = seconds.iter().copied().fold(0.0, f64::max);
    let median = median(seconds.iter().copied());
    format!("| {} | {rows} | {shown} | {:.1} | {:.1} |", pipeline.shape(), median * 1e3, longest * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_asked_for_from_the_first_to_the_last() {
        assert_eq!([0, 1, 2].map(|turn| row_of(turn, 3, 1000)), [0, 499, 999]);
        assert_eq!(row_of(0, 1, 1000), 0);
        assert_eq!([0, 4].map(|turn| row_of(turn, 5, 1)), [0, 0]);
    }

    #[test]
    fn a_line_has_the_median_and_the_longest_in_milliseconds() {
        let said = line((Pipeline::Route, 10), "`runs`", &[0.010, 0.030, 0.008]);
        assert_eq!(said, "| csv → field_mapper → gate → two csv | 10 | `runs` | 10.0 | 30.0 |");
    }
}
