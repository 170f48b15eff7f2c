//! From the settings' telemetry section to exporters.

use elspeth_config::settings::{Backpressure, Granularity, TelemetrySettings};
use elspeth_telemetry::{ConsoleOptions, ConsoleOutput, Exporter, TelemetryGuard};

use crate::AppError;

/// Sets up what the settings ask for. Where standard output is `taken`, spans that should go there go to standard error.
pub(crate) fn init(settings: &TelemetrySettings, taken: bool) -> Result<TelemetryGuard, AppError> {
    let exporter = |e: &elspeth_config::settings::ExporterSettings| {
        let options = serde_json::Value::Object(e.options.clone().into_iter().collect());
        let exporter = Exporter::from_options(&e.name, options)?;
        Ok(match exporter {
            Exporter::Console(options) if taken => {
                Exporter::Console(ConsoleOptions { output: ConsoleOutput::Stderr, ..options })
            }
            Exporter::Console(_) | Exporter::Otlp(_) => exporter,
        })
    };
    let exporters = settings.exporters.iter().map(exporter).collect::<Result<_, _>>();
    let settings = elspeth_telemetry::TelemetrySettings {
        enabled: settings.enabled,
        granularity: match settings.granularity {
            Granularity::Lifecycle => elspeth_telemetry::Granularity::Lifecycle,
            Granularity::Rows => elspeth_telemetry::Granularity::Rows,
            Granularity::Full => elspeth_telemetry::Granularity::Full,
        },
        backpressure: match settings.backpressure_mode {
            Backpressure::Block => elspeth_telemetry::Backpressure::Block,
            Backpressure::Drop => elspeth_telemetry::Backpressure::Drop,
        },
        exporters: exporters.map_err(refused)?,
    };
    elspeth_telemetry::init(&settings).map_err(refused)
}

fn refused(error: elspeth_telemetry::TelemetryError) -> AppError {
    let help = "see `telemetry.exporters` in the settings; exporters are `otlp` and `console`".to_owned();
    AppError::NotFound { message: error.to_string(), help: Some(help) }
}

/// What was lost on the way to the exporters, one sentence each.
pub(crate) fn losses(guard: TelemetryGuard) -> Vec<String> {
    let lost = guard.shutdown().into_iter().filter(|d| d.lost > 0);
    lost.map(|d| {
        let why = d.problem.map_or_else(String::new, |p| format!(": {p}"));
        format!("telemetry exporter `{}` lost {} of {} spans{why}", d.exporter, d.lost, d.lost + d.delivered)
    })
    .collect()
}
