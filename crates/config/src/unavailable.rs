//! What the dialect has and this version does not do yet. Using it is refused, never ignored.

use elspeth_graph::SettingPath;

use crate::finding::Finding;
use crate::settings::{RunMode, Settings};

/// Exporters of the dialect that come later.
const LATER_EXPORTERS: [&str; 2] = ["azure_monitor", "datadog"];

/// Everything that the settings use of it.
pub(crate) fn find(settings: &Settings) -> Vec<Finding> {
    let mut found = Vec::new();
    for (section, count) in
        [("depends_on", settings.depends_on.len()), ("commencement_gates", settings.commencement_gates.len())]
    {
        for index in 0..count {
            found.push(not_yet(SettingPath::new(section).child(index), &format!("`{section}`")));
        }
    }
    if settings.run_mode != RunMode::Live {
        found.push(not_yet(SettingPath::new("run_mode"), "any `run_mode` but `live`"));
    }
    if settings.replay_from.is_some() {
        found.push(not_yet(SettingPath::new("replay_from"), "`replay_from`"));
    }
    exporters(settings, &mut found);
    if settings.rate_limit.persistence_path.is_some() && settings.services().next().is_some() {
        found.push(not_yet(SettingPath::new("rate_limit.persistence_path"), "`persistence_path`"));
    }
    found
}

/// Whether the dialect has that exporter, and this version has not.
pub(crate) fn is_later_exporter(name: &str) -> bool {
    LATER_EXPORTERS.contains(&name)
}

fn not_yet(at: SettingPath, what: &str) -> Finding {
    Finding::new(
        "not-available-yet",
        at,
        format!("{what} is part of the settings, but this version cannot do it yet"),
    )
    .help("remove it, or use a later version")
}

fn exporters(settings: &Settings, found: &mut Vec<Finding>) {
    for (index, exporter) in settings.telemetry.exporters.iter().enumerate() {
        if is_later_exporter(&exporter.name) {
            let path = SettingPath::new("telemetry.exporters").child(index).child("name");
            found.push(not_yet(path, &format!("the exporter `{}`", exporter.name)));
        }
    }
}
