//! The program against the model, and its runs against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value as Json;

use crate::interpret::{self, MASKED, Prediction};
use crate::pipeline::Pipeline;
use crate::record::Record;
use crate::run::{self, Bench, Observed, Way};
use crate::settings;

const WORKERS: [u16; 4] = [1, 2, 8, 32];
const EPOCHS: [Option<u16>; 4] = [None, Some(1), Some(3), Some(7)];

/// What is wrong; the kind stays the same while a case is made smaller.
#[derive(Debug)]
pub(crate) struct Mismatch {
    pub(crate) kind: &'static str,
    details: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.kind, self.details)
    }
}

fn mismatch(kind: &'static str, details: String) -> Mismatch {
    Mismatch { kind, details }
}

/// Runs a pipeline in four ways: each number of workers once, each size of epochs once, paired by the seed; two of them are
/// stopped and resumed. The first run is held against the model; the others against the first, one of them with its whole
/// record. How often runs were resumed.
pub(crate) fn check(bench: &Bench, pipeline: &Pipeline, seed: u64) -> Result<u32, Mismatch> {
    let trial = bench.set_up(pipeline);
    let seed = usize::try_from(seed).unwrap();
    let mut first: Option<(Way, Observed, Record)> = None;
    let mut resumed = 0;
    for (index, workers) in WORKERS.into_iter().enumerate() {
        let stops = (index % 2 == 1).then(|| u32::try_from(1 + (seed + index) % 3).unwrap());
        let way = Way { workers, epoch: EPOCHS[(index + seed) % EPOCHS.len()], stops };
        let prepared = trial.prepare(way).map_err(|e| mismatch("the settings are refused", e))?;
        let steps = run::steps(&prepared);
        let observed = trial.run(prepared, way).map_err(|e| mismatch("the run could not begin", e))?;
        resumed += observed.resumed;
        match &first {
            None => {
                let predicted = interpret::predict(pipeline, &steps);
                agree(&predicted, &observed)?;
                let record = trial.record(&observed);
                agree_on_outcomes(&predicted, &record)?;
                first = Some((way, observed, record));
            }
            Some((other, before, record)) => {
                let looks_closely = index == 1 + seed % (WORKERS.len() - 1);
                let again = looks_closely.then(|| trial.record(&observed));
                let same = same(before, &observed).and_then(|()| same_record(record, again.as_ref()));
                same.and_then(|()| same_root(before, &observed)).map_err(|found| Mismatch {
                    details: format!("{other:?} against {way:?}\n{}", found.details),
                    ..found
                })?;
            }
        }
    }
    Ok(resumed)
}

fn agree(predicted: &Prediction, observed: &Observed) -> Result<(), Mismatch> {
    if observed.status != "completed" {
        let error = observed.error.as_deref().unwrap_or("no reason is given");
        return Err(mismatch("the run did not complete", format!("{}: {error}", observed.status)));
    }
    for (sink, lines) in &predicted.sinks {
        let written: Vec<String> = observed.sinks[sink].lines().map(normal).collect();
        if *lines != written {
            let details =
                format!("sink `{sink}`, model (-) against program (+):\n{}", difference(lines, &written));
            return Err(mismatch("a sink holds other rows", details));
        }
    }
    let counters = counters(predicted);
    if counters != observed.counters {
        return Err(mismatch("counters differ", differing(&counters, &observed.counters)));
    }
    if predicted.destinations == observed.destinations {
        Ok(())
    } else {
        let details = format!("{:?} against {:?}", predicted.destinations, observed.destinations);
        Err(mismatch("destinations differ", details))
    }
}

fn agree_on_outcomes(predicted: &Prediction, record: &Record) -> Result<(), Mismatch> {
    if predicted.outcomes == record.outcomes {
        Ok(())
    } else {
        Err(mismatch("outcomes differ", differing(&predicted.outcomes, &record.outcomes)))
    }
}

/// A line as the model writes it: fields in the same order, numbers in the same form.
fn normal(line: &str) -> String {
    match serde_json::from_str::<Json>(line) {
        Ok(mut value @ Json::Object(_)) => {
            mask(&mut value, &["__diversion_reason", "__diversion_timestamp"]);
            value.to_string()
        }
        // A line of CSV; of JSON, no model predicts it.
        Ok(_) | Err(_) => line.to_owned(),
    }
}

/// Covers fields that the model or another run cannot have.
fn mask(row: &mut Json, fields: &[&str]) {
    for field in fields {
        if let Some(value) = row.get_mut(field) {
            *value = MASKED.into();
        }
    }
}

/// What a run's counters must be.
fn counters(predicted: &Prediction) -> BTreeMap<&'static str, u64> {
    let ended = |outcome: &str| predicted.outcomes.get(outcome).copied().unwrap_or(0);
    BTreeMap::from([
        ("processed", predicted.processed),
        ("succeeded", ended("completed")),
        ("failed", ended("failed")),
        ("routed", ended("routed")),
        ("quarantined", ended("quarantined")),
        ("forked", ended("forked")),
        ("coalesced", ended("coalesced")),
        ("coalesce_failed", predicted.coalesce_failed),
        ("expanded", ended("expanded")),
        ("buffered", 0),
        ("diverted", ended("diverted")),
    ])
}

fn same(one: &Observed, other: &Observed) -> Result<(), Mismatch> {
    if one.status != other.status {
        return Err(mismatch("the ways of running end differently", format!("{:?}", other.error)));
    }
    for (sink, text) in &one.sinks {
        let (text, again) = (lines(text), lines(&other.sinks[sink]));
        if text != again {
            let details = format!("sink `{sink}`:\n{}", difference(&text, &again));
            return Err(mismatch("a sink's bytes depend on the way of running", details));
        }
    }
    if one.counters == other.counters {
        Ok(())
    } else {
        Err(mismatch("counters depend on the way of running", differing(&one.counters, &other.counters)))
    }
}

fn same_record(one: &Record, other: Option<&Record>) -> Result<(), Mismatch> {
    match other {
        Some(other) if one != other => {
            let details = difference(&one.lines, &other.lines);
            Err(mismatch("the record depends on the way of running", details))
        }
        Some(_) | None => Ok(()),
    }
}

fn same_root(one: &Observed, other: &Observed) -> Result<(), Mismatch> {
    if one.content_root == other.content_root {
        return Ok(());
    }
    let details = format!("{:?}\n{:?}", one.content_root, other.content_root);
    Err(mismatch("the content root depends on the way of running", details))
}

/// The lines of a file, byte for byte, except the times at which sinks refused rows.
fn lines(text: &str) -> Vec<String> {
    let timeless = |line: &str| match serde_json::from_str(line) {
        Ok(mut value @ Json::Object(_)) if line.contains("__diversion_timestamp") => {
            mask(&mut value, &["__diversion_timestamp"]);
            format!("{value}\n")
        }
        Ok(_) | Err(_) => line.to_owned(),
    };
    text.split_inclusive('\n').map(timeless).collect()
}

fn differing(one: &BTreeMap<&'static str, u64>, other: &BTreeMap<&'static str, u64>) -> String {
    let names: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    let differs = |name: &&&&str| one.get(**name) != other.get(**name);
    let show = |name: &&str| format!("{name}: {:?} against {:?}\n", one.get(name), other.get(name));
    names.iter().filter(differs).map(|name| show(name)).collect()
}

/// Both lists from where they part, and the first lines that only one of them has.
fn difference(one: &[String], other: &[String]) -> String {
    let equal = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let mut text = format!("the first {equal} lines are equal, then\n");
    for (sign, lines) in [('-', one), ('+', other)] {
        for line in lines.iter().skip(equal).take(6) {
            text.push_str(&format!("{sign} {}\n", line.trim_end()));
        }
    }
    text
}

/// The pipeline as files.
pub(crate) fn shown(pipeline: &Pipeline) -> String {
    format!("--- settings\n{}--- in.jsonl\n{}\n", settings::text(pipeline, ""), pipeline.lines.join("\n"))
}
