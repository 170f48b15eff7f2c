//! Where the export of the record after a run goes, and whether it could be what the settings ask for.

use std::path::{Path, PathBuf};

use elspeth_graph::SettingPath;
use elspeth_landscape::export::Target as Files;
use elspeth_plugin::{Sink, Target};
use serde_json::Value;

use crate::Settings;
use crate::finding::Finding;
use crate::settings::ExportFormat;

/// What exported lines end in that can be described, signed and read again.
const LINES: &str = "jsonl";

/// What is wrong with `landscape.export`. `sink` is the one that it names, if that could be made.
pub(crate) fn check(settings: &Settings, sink: Option<&dyn Sink>, signs: bool) -> Vec<Finding> {
    let export = &settings.landscape.export;
    let at = SettingPath::new("landscape.export");
    if !export.enabled {
        return Vec::new();
    }
    let Some(name) = &export.sink else {
        let finding =
            Finding::new("missing-key", at.child("enabled"), "an export needs a sink that takes it");
        return vec![finding.help("add `sink: <name of a sink>`, one that no rows go to")];
    };
    let mut findings = Vec::new();
    if takes_rows(settings, name) {
        let message = format!("`{name}` takes rows of the pipeline, so it cannot take the record too");
        let finding = Finding::new("shared-sink", at.child("sink"), message);
        findings.push(finding.help("give the export a sink of its own"));
    }
    let file = sink.and_then(one_file);
    if sink.is_some() && file.is_none() && export.format == ExportFormat::Csv {
        let message = format!("`{name}` does not write one file, so there is no place for CSV files");
        let finding = Finding::new("wrong-sink", at.child("sink"), message);
        findings.push(finding.help("name a sink with a `path`; its files go into a folder of that name"));
    }
    if export.sign && !signs {
        let finding = Finding::new("missing-key", at.child("sign"), "there is no key that could sign");
        findings.push(finding.help("name one with `landscape.signing: {key_file: <file>}`"));
    }
    let is_lines = file.is_some_and(|target| is_lines(&target.path));
    if export.sign && export.format == ExportFormat::Json && sink.is_some() && !is_lines {
        let message = format!("what `{name}` writes is no file of lines that could be signed");
        let finding = Finding::new("wrong-sink", at.child("sign"), message);
        findings.push(finding.help("choose a `json` sink with a `path` that ends in `.jsonl`"));
    }
    findings
}

/// Whether rows are led to that sink.
fn takes_rows(settings: &Settings, sink: &str) -> bool {
    let source = &settings.source;
    let refused = source.options.get("on_validation_failure").and_then(Value::as_str);
    let transforms = settings.transforms.iter().flat_map(|node| [&node.on_success, &node.on_error]);
    let gates = settings.gates.iter();
    let gates = gates.flat_map(|gate| gate.routes.values().chain(&gate.fork_to).chain([&gate.on_error]));
    let batches = settings.aggregations.iter();
    let batches = batches.flat_map(|node| node.on_success.iter().chain([&node.on_error]));
    let merged = settings.coalesce.iter().filter_map(|node| node.on_success.as_ref());
    let failed = settings.sinks.values().map(|sink| &sink.on_write_failure);
    let nodes = transforms.chain(gates).chain(batches).chain(merged).chain(failed).map(String::as_str);
    nodes.chain([source.on_success.as_str()]).chain(refused).any(|target| target == sink)
}

/// What an export of the record writes by itself, given the sink that the settings name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportPlace {
    /// The file that the sink would write.
    pub file: PathBuf,
    /// Tables in a folder that is named as the file is, without its ending; or the file of lines, with its manifest beside it.
    pub files: Files,
}

/// Where an export writes files of its own: nowhere, when the sink has no single file, or one that is not of lines.
#[must_use]
pub fn export_place(format: ExportFormat, sink: &dyn Sink) -> Option<ExportPlace> {
    let file = one_file(sink)?.path;
    let files = match format {
        ExportFormat::Csv => Files::csv(&file.with_extension("")),
        ExportFormat::Json if is_lines(&file) => Files::json(&file),
        ExportFormat::Json => return None,
    };
    Some(ExportPlace { file, files: files.replacing() })
}

/// The file of a sink that writes one, from its beginning.
fn one_file(sink: &dyn Sink) -> Option<Target> {
    let mut targets = sink.targets().into_iter();
    let target = targets.next().filter(|target| target.table.is_none() && !target.appends);
    target.filter(|_| targets.next().is_none())
}

fn is_lines(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == LINES)
}
