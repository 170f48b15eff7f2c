use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::SystemTime;

use elspeth_contracts::Micros;
use opentelemetry::trace::{SpanId, Status};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use serde::Serialize;

use crate::settings::{ConsoleFormat, ConsoleOptions, ConsoleOutput};

/// Writes spans, one a line.
#[derive(Debug)]
pub(crate) struct ConsoleExporter(pub(crate) ConsoleOptions);

#[derive(Serialize)]
struct Line<'a> {
    span: &'a str,
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    started_unix_us: u128,
    duration_us: u128,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    attributes: BTreeMap<&'a str, String>,
}

impl SpanExporter for ConsoleExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let written = match self.0.output {
            ConsoleOutput::Stderr => write_lines(&mut io::stderr().lock(), self.0.format, &batch),
            ConsoleOutput::Stdout => write_lines(&mut io::stdout().lock(), self.0.format, &batch),
        };
        written.map_err(|e| OTelSdkError::InternalFailure(e.to_string()))
    }
}

fn write_lines(out: &mut impl Write, format: ConsoleFormat, batch: &[SpanData]) -> io::Result<()> {
    for span in batch {
        match format {
            ConsoleFormat::Json => serde_json::to_writer(&mut *out, &line(span))?,
            ConsoleFormat::Pretty => write_pretty(&mut *out, &line(span))?,
        }
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Values are quoted, so that a line stays one whatever is in them.
fn write_pretty(out: &mut impl Write, line: &Line<'_>) -> io::Result<()> {
    let started = Micros(i64::try_from(line.started_unix_us).unwrap_or(i64::MAX));
    let (ms, us) = (line.duration_us / 1_000, line.duration_us % 1_000);
    write!(out, "{started} {} {ms}.{us:03} ms", line.span)?;
    if let Some(error) = line.error {
        write!(out, " error={error:?}")?;
    }
    line.attributes.iter().try_for_each(|(name, value)| write!(out, " {name}={value:?}"))
}

fn line(span: &SpanData) -> Line<'_> {
    let parent = span.parent_span_id;
    Line {
        span: &span.name,
        trace_id: span.span_context.trace_id().to_string(),
        span_id: span.span_context.span_id().to_string(),
        parent_span_id: (parent != SpanId::INVALID).then(|| parent.to_string()),
        started_unix_us: span
            .start_time
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_micros(),
        duration_us: span.end_time.duration_since(span.start_time).unwrap_or_default().as_micros(),
        error: match &span.status {
            Status::Error { description } => Some(description),
            Status::Unset | Status::Ok => None,
        },
        attributes: span.attributes.iter().map(|a| (a.key.as_str(), a.value.to_string())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry::KeyValue;
    use opentelemetry::trace::{Span as _, Tracer, TracerProvider};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    #[derive(Debug, Clone, Default)]
    struct Kept(Arc<Mutex<Vec<SpanData>>>);

    impl SpanExporter for Kept {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().unwrap().extend(batch);
            Ok(())
        }
    }

    /// What is written of one span.
    fn written(format: ConsoleFormat) -> String {
        let kept = Kept::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
        let mut span = provider.tracer("test").start("row");
        span.set_attribute(KeyValue::new("elspeth.row_id", "a\nb"));
        span.set_status(Status::error("gate_error"));
        drop(span);
        let mut out = Vec::new();
        write_lines(&mut out, format, &kept.0.lock().unwrap()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_span_is_one_line_for_people() {
        let text = written(ConsoleFormat::Pretty);
        let (started, rest) = text.split_once(' ').unwrap();
        assert!(started.parse::<Micros>().is_ok(), "{text}");
        assert!(rest.starts_with("row 0."), "{text}");
        assert!(rest.ends_with(" ms error=\"gate_error\" elspeth.row_id=\"a\\nb\"\n"), "{text}");
    }

    #[test]
    fn a_span_is_one_line_of_json() {
        let text = written(ConsoleFormat::Json);
        assert_eq!(text.lines().count(), 1);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["span"], "row");
        assert_eq!(line["error"], "gate_error");
        assert_eq!(line["attributes"]["elspeth.row_id"], "a\nb");
        assert!(line.get("parent_span_id").is_none());
    }
}
