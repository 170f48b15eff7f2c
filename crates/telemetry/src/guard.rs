use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use elspeth_contracts::RunId;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter as OtlpExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, TracerProviderBuilder};
use thiserror::Error;
use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt;

use crate::console::ConsoleExporter;
use crate::queue::{Queue, Tally};
use crate::{Backpressure, Exporter, Granularity, OtlpOptions, Spans, TelemetrySettings};

/// An exporter that cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("telemetry exporter `{exporter}`: {problem}")]
pub struct TelemetryError {
    /// Its name in the settings.
    pub exporter: String,
    /// What is wrong, and what to write instead.
    pub problem: String,
}

/// Telemetry that was set up. Spans reach the exporters until [`TelemetryGuard::shutdown`], which sends what is left.
#[derive(Debug)]
pub struct TelemetryGuard {
    active: Option<Active>,
}

#[derive(Debug)]
struct Active {
    granularity: Granularity,
    dispatch: Dispatch,
    provider: SdkTracerProvider,
    tallies: Vec<(&'static str, Arc<Tally>)>,
}

/// What became of the spans given to one exporter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The exporter's name.
    pub exporter: &'static str,
    /// Spans that it took.
    pub delivered: u64,
    /// Spans that it did not: there was no room, or sending failed.
    pub lost: u64,
    /// The first problem.
    pub problem: Option<String>,
}

/// Sets telemetry up; nothing at all when it is not enabled, or when nobody gets it.
///
/// Nothing global is changed: spans go where the [`Spans`] that made them say.
///
/// # Errors
/// [`TelemetryError`] for an exporter that cannot be set up. Whether somebody listens is found out later.
pub fn init(settings: &TelemetrySettings) -> Result<TelemetryGuard, TelemetryError> {
    if !settings.enabled || settings.exporters.is_empty() {
        return Ok(TelemetryGuard { active: None });
    }
    let resource = Resource::builder()
        .with_service_name("elspeth")
        .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let mut builder = SdkTracerProvider::builder().with_resource(resource);
    let mut tallies = Vec::new();
    for exporter in &settings.exporters {
        let tally = Arc::new(Tally::default());
        builder = attach(builder, exporter, settings.backpressure, &tally)?;
        tallies.push((exporter.name(), tally));
    }
    let provider = builder.build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("elspeth"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false);
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
    Ok(TelemetryGuard {
        active: Some(Active { granularity: settings.granularity, dispatch, provider, tallies }),
    })
}

fn attach(
    builder: TracerProviderBuilder,
    exporter: &Exporter,
    backpressure: Backpressure,
    tally: &Arc<Tally>,
) -> Result<TracerProviderBuilder, TelemetryError> {
    let failed = |problem: String| TelemetryError { exporter: exporter.name().to_owned(), problem };
    let tally = Arc::clone(tally);
    let queue = match exporter {
        Exporter::Otlp(options) => {
            Queue::start(otlp(options).map_err(failed)?, options.batch_size, backpressure, tally)
        }
        Exporter::Console(options) => {
            Queue::start(ConsoleExporter(*options), CONSOLE_BATCH, backpressure, tally)
        }
    };
    Ok(builder.with_span_processor(queue.map_err(|error| failed(error.to_string()))?))
}

const CONSOLE_BATCH: usize = 64;

fn otlp(options: &OtlpOptions) -> Result<OtlpExporter, String> {
    let timeout = options.timeout().ok_or("timeout_seconds must be above 0")?;
    OtlpExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(options.url())
        .with_timeout(timeout)
        .with_headers(options.headers.clone().into_iter().collect())
        .build()
        .map_err(|error| error.to_string())
}

impl Exporter {
    const fn name(&self) -> &'static str {
        match self {
            Self::Otlp(_) => "otlp",
            Self::Console(_) => "console",
        }
    }
}

impl TelemetryGuard {
    /// The spans of a run, which begins now.
    #[must_use]
    pub fn spans(&self, run_id: RunId) -> Spans {
        self.active.as_ref().map_or(Spans::OFF, |a| Spans::begin(a.granularity, a.dispatch.clone(), run_id))
    }

    /// Sends what is left, and says what became of everything. Spans that have not ended are not sent.
    #[must_use]
    pub fn shutdown(self) -> Vec<Delivery> {
        let Some(active) = self.active else { return Vec::new() };
        let ended = active.provider.shutdown_with_timeout(Duration::from_secs(30));
        let delivery = |(exporter, tally): &(&'static str, Arc<Tally>)| {
            let problem = tally.problem.lock().unwrap_or_else(PoisonError::into_inner).clone();
            Delivery {
                exporter,
                delivered: tally.delivered.load(Ordering::Relaxed),
                lost: tally.lost.load(Ordering::Relaxed),
                problem: problem.or_else(|| ended.as_ref().err().map(ToString::to_string)),
            }
        };
        active.tallies.iter().map(delivery).collect()
    }
}
