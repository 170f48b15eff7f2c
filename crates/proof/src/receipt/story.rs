//! The records of a receipt in words, token by token, and for each in the order of the graph's steps.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::Receipt;
use super::names::Names;
use crate::hash::Hash;
use crate::printable::printable;
use crate::record::{Kind, Reason, Record, Value};
use crate::token::Token;

pub(super) fn lines(receipt: &Receipt, names: &Names) -> Vec<String> {
    let bodies = receipt.bodies.iter().map(|body| (receipt.digest.hash(body.as_bytes()), body.as_str()));
    let batches = receipt.releases.leaves.iter().flat_map(|release| &release.batches);
    let steps = batches.map(|batch| (number(batch, "batch_no"), number(batch, "step")));
    let teller =
        Teller { receipt, names, bodies: bodies.collect(), batch_steps: steps.collect(), lines: Vec::new() };
    teller.all().iter().map(|line| printable(line)).collect()
}

struct Teller<'a> {
    receipt: &'a Receipt,
    names: &'a Names,
    bodies: BTreeMap<Hash, &'a str>,
    /// Where each batch was collected.
    batch_steps: BTreeMap<u64, u64>,
    lines: Vec<String>,
}

impl<'a> Teller<'a> {
    fn all(mut self) -> Vec<String> {
        for record in &self.receipt.decisions.records {
            if record.kind() == Kind::Row {
                self.row(record);
            } else if record.kind() == Kind::ValidationError {
                self.refused(record);
            }
        }
        let mut tokens: BTreeMap<Token, Vec<&Record>> = BTreeMap::new();
        let made = self.receipt.decided().filter(|record| record.kind() == Kind::Token);
        let made: BTreeSet<Token> = made.filter_map(|record| record.token("token")).collect();
        // Of others there may be what is beside these.
        let ours = |record: &&Record| record.token("token").is_some_and(|token| made.contains(&token));
        for record in self.receipt.records().filter(ours) {
            if let Some(token) = record.token("token") {
                tokens.entry(token).or_default().push(record);
            }
        }
        for (token, records) in tokens {
            self.token(token, &records);
        }
        self.batches();
        self.lines
    }

    fn row(&mut self, record: &Record) {
        let valid = if record.is("valid") { "valid" } else { "not valid" };
        self.lines.push(format!("row {} from {}: {valid}", self.receipt.row, self.names.node(0)));
        self.body("", record.hash("source_data_hash"));
    }

    fn refused(&mut self, record: &Record) {
        let line = format!("  {}{}", why(record.reason("reason")), self.destination(record));
        self.lines.push(line);
    }

    fn token(&mut self, token: Token, records: &[&Record]) {
        self.lines.push(heading(token, records));
        let mut events: Vec<&Record> =
            records.iter().copied().filter(|record| self.step(record).is_some()).collect();
        events.sort_by_key(|record| (self.step(record), record.number("attempt"), record.kind()));
        for event in events {
            self.event(event);
        }
        for outcome in records.iter().filter(|record| record.kind() == Kind::TokenOutcome) {
            self.outcome(outcome);
        }
    }

    /// The step at which something happened. A batch is joined at its aggregation.
    fn step(&self, record: &Record) -> Option<u64> {
        if record.kind() == Kind::BatchMember {
            return Some(self.batch_steps.get(&number(record, "batch_no")).copied().unwrap_or_default());
        }
        record.number("step")
    }

    fn event(&mut self, record: &Record) {
        match record.kind() {
            Kind::NodeState => self.state(record),
            Kind::StateContext => {
                self.lines.push(format!("    {}", record.text("context").unwrap_or_default()));
            }
            Kind::RoutingEvent => self.routing(record),
            Kind::Call => self.call(record),
            Kind::TransformError => {
                let line = format!("    {}{}", why(record.reason("reason")), self.destination(record));
                self.lines.push(line);
            }
            Kind::BatchMember => {
                let (batch, ordinal) = (number(record, "batch_no"), number(record, "ordinal"));
                self.lines.push(format!("  member {ordinal} of batch {batch}"));
            }
            // Told in the heading, at the row, at the end, or of no token.
            Kind::Row
            | Kind::Token
            | Kind::TokenParent
            | Kind::ValidationError
            | Kind::Operation
            | Kind::TokenOutcome
            | Kind::Artifact
            | Kind::Node
            | Kind::Edge
            | Kind::Batch
            | Kind::BatchOutput
            | Kind::Release => {}
        }
    }

    fn state(&mut self, record: &Record) {
        let node = self.names.node(number(record, "step"));
        let status = record.text("status").unwrap_or_default();
        let mut line = format!("  {node}: {status}");
        if number(record, "attempt") > 0 {
            add(&mut line, format_args!(", attempt {}", number(record, "attempt") + 1));
        }
        self.lines.push(line);
        self.body("in: ", record.hash("input_hash"));
        self.body("out: ", record.hash("output_hash"));
    }

    /// The row with that hash, or only the hash where it was not kept.
    fn body(&mut self, label: &str, hash: Option<Hash>) {
        let Some(hash) = hash else { return };
        let line = match self.bodies.get(&hash) {
            Some(body) => format!("    {label}{body}"),
            None => format!("    {label}hash {hash}"),
        };
        self.lines.push(line);
    }

    fn routing(&mut self, record: &Record) {
        let mut line = format!("    {}", self.names.edge(number(record, "edge")));
        if let Some(reason) = record.text("reason") {
            add(&mut line, format_args!(": {reason}"));
        }
        self.lines.push(line);
    }

    fn call(&mut self, record: &Record) {
        let text = |field| record.text(field).unwrap_or_default();
        let hash = |field| record.hash(field).map_or_else(|| "none".to_string(), |hash| hash.to_string());
        let mut line =
            format!("    call {} ({}): {}", number(record, "call_no"), text("type"), text("status"));
        add(&mut line, format_args!(", request {}, response {}", hash("request"), hash("response")));
        if let Some(error) = record.reason("error") {
            add(&mut line, format_args!(", {}", why(Some(error))));
        }
        self.lines.push(line);
    }

    fn destination(&self, record: &Record) -> String {
        record
            .number("destination")
            .map_or_else(String::new, |step| format!(", to {}", self.names.node(step)))
    }

    fn outcome(&mut self, record: &Record) {
        let mut line = format!("  outcome: {}", record.text("outcome").unwrap_or_default());
        if let Some(sink) = record.number("sink") {
            add(&mut line, format_args!(" at {}", self.names.node(sink)));
        }
        if let Some(batch) = record.number("batch_no") {
            add(&mut line, format_args!(", batch {batch}"));
        }
        if let Some(Value::At { step, attempt }) = record.get("error_at") {
            add(&mut line, format_args!(", error at {}", self.names.node(*step)));
            if *attempt > 0 {
                add(&mut line, format_args!(", attempt {}", attempt + 1));
            }
        }
        self.lines.push(line);
    }

    fn batches(&mut self) {
        for batch in self.receipt.releases.leaves.iter().flat_map(|release| &release.batches) {
            let (number, attempt) = (number(batch, "batch_no"), number(batch, "attempt") + 1);
            let node = self.names.node(batch.number("step").unwrap_or_default());
            let status = batch.text("status").unwrap_or_default();
            let mut line = format!("batch {number} at {node}, attempt {attempt}: {status}");
            for (field, before) in [("trigger", ", by "), ("reason", ": ")] {
                if let Some(text) = batch.text(field) {
                    add(&mut line, format_args!("{before}{text}"));
                }
            }
            self.lines.push(line);
        }
    }
}

fn heading(token: Token, records: &[&Record]) -> String {
    let mut line = format!("token {token}");
    for record in records {
        if let Some(branch) = record.text("branch") {
            add(&mut line, format_args!(", branch `{branch}`"));
        }
        if let Some(parent) = record.token("parent") {
            add(&mut line, format_args!(", from {parent}"));
        }
        if record.kind() == Kind::BatchOutput {
            let (batch, ordinal) = (number(record, "batch_no"), number(record, "ordinal"));
            add(&mut line, format_args!(", output {ordinal} of batch {batch}"));
        }
    }
    line
}

fn number(record: &Record, field: &str) -> u64 {
    record.number(field).unwrap_or_default()
}

fn why(reason: Option<&Reason>) -> String {
    let Some(reason) = reason else { return String::new() };
    let mut text = format!("{}: {}", reason.kind, reason.message);
    if let Some(field) = &reason.field {
        add(&mut text, format_args!(" (field `{field}`)"));
    }
    if let Some(line) = reason.line {
        add(&mut text, format_args!(" (line {line})"));
    }
    text
}

fn add(line: &mut String, more: core::fmt::Arguments<'_>) {
    line.write_fmt(more).expect("writing to a text does not fail");
}
