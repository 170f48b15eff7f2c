//! Spans over tracing and OpenTelemetry.
