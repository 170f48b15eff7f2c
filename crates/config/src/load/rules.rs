//! Rules about settings that neither a type nor the graph can state.

use elspeth_graph::{SettingPath, advise, nearest};
use elspeth_postgres::PgAddress;
use elspeth_telemetry::Exporter;
use serde_json::Value;

use crate::DatabaseUrl;
use crate::finding::Finding;
use crate::settings::{
    Branches, CheckpointFrequency, CoalescePolicy, LandscapeBackend, MergeStrategy, Settings, Synchronous,
    TelemetrySettings,
};
use crate::unavailable::is_later_exporter;

const FORM: &str = "write `postgresql://user@host:5432/database?sslmode=verify-full`";
const EXPORTERS: [&str; 2] = ["otlp", "console"];

/// Errors and warnings.
pub(super) fn check(settings: &Settings, bad_options: &[String]) -> (Vec<Finding>, Vec<Finding>) {
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    landscape(settings, &mut errors, &mut warnings);
    checkpoint(settings, &mut errors, &mut warnings);
    if settings.sinks.contains_key("") {
        let at = SettingPath::new("sinks").child("").key();
        errors.push(Finding::new("bad-name", at, "a sink needs a name").help("write one before the colon"));
    }
    let (first, greatest) = (settings.retry.initial_delay_seconds, settings.retry.max_delay_seconds);
    if greatest < first {
        let at = SettingPath::new("retry.max_delay_seconds");
        let message =
            format!("`max_delay_seconds` ({greatest}) is less than `initial_delay_seconds` ({first})");
        errors.push(Finding::new("out-of-range", at, message).help("raise the one or lower the other"));
    }
    joins(settings, &mut errors, &mut warnings);
    rate_limit(settings, &mut warnings);
    if settings.telemetry.enabled && settings.telemetry.exporters.is_empty() {
        let at = SettingPath::new("telemetry.enabled");
        let finding = Finding::new("no-exporters", at, "telemetry is enabled, but nobody gets it");
        warnings.push(finding.help("add `exporters: [{name: otlp}]`"));
    }
    exporters(&settings.telemetry, bad_options, &mut errors);
    (errors, warnings)
}

fn landscape(settings: &Settings, errors: &mut Vec<Finding>, warnings: &mut Vec<Finding>) {
    let landscape = &settings.landscape;
    let at = SettingPath::new("landscape");
    let url = DatabaseUrl::parse(&landscape.url);
    if let Err(error) = &url {
        errors.push(Finding::new("bad-url", at.child("url"), error.message.clone()).help(error.help));
    }
    errors.extend(unusable_server(url.as_ref().ok(), at.child("url")));
    let differs = match (&url, landscape.backend) {
        (Ok(DatabaseUrl::Postgres(_)), Some(LandscapeBackend::Sqlite)) => true,
        (Ok(DatabaseUrl::SqliteFile(_) | DatabaseUrl::SqliteMemory), Some(LandscapeBackend::Postgresql)) => {
            true
        }
        (Ok(_) | Err(_), _) => false,
    };
    if differs {
        let finding =
            Finding::new("wrong-value", at.child("backend"), "`backend` and `url` name different databases");
        errors.push(finding.help("remove `backend`; the URL says it"));
    }
    if !landscape.enabled {
        let finding =
            Finding::new("always-recorded", at.child("enabled"), "every run is recorded, whatever this says");
        warnings.push(finding.help("remove `enabled: false`"));
    }
    if landscape.synchronous == Synchronous::Off {
        let message = "a power failure can cost the whole record of a run that does not wait for the disk";
        let finding = Finding::new("not-durable", at.child("synchronous"), message);
        warnings.push(finding.help("remove `synchronous: off`, unless the record may be lost"));
    }
    let nowhere = |url| landscape.dump_to_jsonl && landscape.journal(&url).is_none();
    if DatabaseUrl::parse(&landscape.url).is_ok_and(nowhere) {
        let finding = Finding::new(
            "missing-key",
            at.child("dump_to_jsonl"),
            "a record that is in no file has no place for a journal beside it",
        );
        errors.push(finding.help("add `dump_to_jsonl_path: <file>`"));
    }
    if let Some(sink) = landscape.export.sink.as_ref().filter(|sink| !settings.sinks.contains_key(*sink)) {
        let finding =
            Finding::new("unknown-sink", at.child("export.sink"), format!("there is no sink `{sink}`"));
        errors.push(finding.help(advise(sink, "sinks", settings.sinks.keys().map(String::as_str))));
    }
}

/// What the store would say of a URL when it opens the record.
fn unusable_server(url: Option<&DatabaseUrl>, at: SettingPath) -> Option<Finding> {
    let Some(DatabaseUrl::Postgres(url)) = url else { return None };
    let error = PgAddress::parse(url).err()?;
    Some(Finding::new("bad-url", at, format!("this PostgreSQL URL cannot be used: {error}")).help(FORM))
}

fn checkpoint(settings: &Settings, errors: &mut Vec<Finding>, warnings: &mut Vec<Finding>) {
    let checkpoint = &settings.checkpoint;
    let every_n = checkpoint.frequency == Some(CheckpointFrequency::EveryN);
    if every_n && checkpoint.checkpoint_interval.is_none() {
        let at = SettingPath::new("checkpoint.frequency");
        let finding = Finding::new("missing-key", at, "`every_n` needs a `checkpoint_interval`");
        errors.push(finding.help("add `checkpoint_interval: <rows>`"));
    }
    if checkpoint.checkpoint_interval.is_some() && !every_n {
        let at = SettingPath::new("checkpoint.checkpoint_interval");
        let message = "`checkpoint_interval` has no effect without `frequency: every_n`";
        let finding = Finding::new("unused-setting", at, message);
        warnings.push(finding.help("add `frequency: every_n`, or remove `checkpoint_interval`"));
    }
}

/// Settings of coalesces that only some policies and merges ask for, and names that a mapping leaves empty.
fn joins(settings: &Settings, errors: &mut Vec<Finding>, warnings: &mut Vec<Finding>) {
    for (index, coalesce) in settings.coalesce.iter().enumerate() {
        let at = SettingPath::new("coalesce").child(index);
        if let Branches::Through(branches) = &coalesce.branches
            && branches.contains_key("")
        {
            let at = at.child("branches").child("").key();
            errors.push(
                Finding::new("bad-name", at, "a branch needs a name").help("write one before the colon"),
            );
        }
        let mut unused = |key: &str, only_for: &str| {
            let message = format!("`{key}` has no effect without `{only_for}`");
            let finding = Finding::new("unused-setting", at.child(key), message);
            warnings.push(finding.help(format!("add `{only_for}`, or remove `{key}`")));
        };
        if coalesce.quorum_count.is_some() && coalesce.policy != CoalescePolicy::Quorum {
            unused("quorum_count", "policy: quorum");
        }
        if coalesce.select_branch.is_some() && coalesce.merge != MergeStrategy::Select {
            unused("select_branch", "merge: select");
        }
    }
}

fn rate_limit(settings: &Settings, warnings: &mut Vec<Finding>) {
    let limits = &settings.rate_limit;
    for service in limits.services.keys().filter(|name| settings.services().all(|(_, used)| used != **name)) {
        let at = SettingPath::new("rate_limit.services").child(service).key();
        let message = format!("no node of this pipeline calls a service `{service}`, so this limits nothing");
        warnings.push(Finding::new("unused-limit", at, message));
    }
    if limits.persistence_path.is_some() && settings.services().next().is_none() {
        let at = SettingPath::new("rate_limit.persistence_path");
        let message = "no node of this pipeline calls a service, so nothing is counted";
        warnings.push(Finding::new("unused-limit", at, message));
    }
    for (at, service) in settings.services().filter(|(_, service)| !limits.services.contains_key(*service)) {
        let names = limits.services.keys().map(String::as_str);
        if let Some(near) = nearest(service, names).filter(|_| limits.enabled) {
            let message = format!(
                "`rate_limit.services` has no `{service}`, so the default applies: {} requests a minute",
                limits.default_requests_per_minute
            );
            let finding = Finding::new("default-limit", at, message);
            warnings.push(finding.help(format!("did you mean `{near}`?")));
        }
    }
}

fn exporters(telemetry: &TelemetrySettings, bad_options: &[String], errors: &mut Vec<Finding>) {
    for (index, exporter) in telemetry.exporters.iter().enumerate() {
        let at = SettingPath::new("telemetry.exporters").child(index);
        let name = exporter.name.as_str();
        let options = at.child("options");
        if is_later_exporter(name) || bad_options.iter().any(|path| path == options.as_str()) {
            continue;
        }
        if !EXPORTERS.contains(&name) {
            let message = format!("there is no exporter `{name}`");
            let help = advise(name, "exporters", EXPORTERS);
            errors.push(Finding::new("unknown-exporter", at.child("name"), message).help(help));
        } else if let Err(error) = Exporter::from_options(name, Value::Object(exporter.options.clone())) {
            errors.push(Finding::new("wrong-option", options, error.problem));
        }
    }
}
