use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::TelemetryError;

/// What is traced, and who gets it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TelemetrySettings {
    /// Whether anything is.
    pub enabled: bool,
    /// How fine spans are.
    pub granularity: Granularity,
    /// What happens when an exporter is too slow.
    pub backpressure: Backpressure,
    /// Who gets the spans; each gets all of them.
    pub exporters: Vec<Exporter>,
}

/// How fine spans are; each level has everything of the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Granularity {
    /// The run, its source, and each write of a sink.
    #[default]
    Lifecycle,
    /// Every row.
    Rows,
    /// Every row at every node.
    Full,
}

/// What happens when an exporter is too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backpressure {
    /// The run waits until the exporter has room.
    #[default]
    Block,
    /// The run goes on; spans are lost, and counted.
    Drop,
}

/// Where spans go.
#[derive(Debug, Clone, PartialEq)]
pub enum Exporter {
    /// To a collector that speaks OTLP over HTTP.
    Otlp(OtlpOptions),
    /// To a stream of this process, one line each.
    Console(ConsoleOptions),
}

/// Options of the exporter `console`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsoleOptions {
    /// How a span is written.
    #[serde(default)]
    pub format: ConsoleFormat,
    /// Where to.
    #[serde(default)]
    pub output: ConsoleOutput,
}

/// How a span is written as a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsoleFormat {
    /// As a JSON object.
    #[default]
    Json,
    /// When, what, how long, and the attributes, for people.
    Pretty,
}

/// Which stream lines are written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsoleOutput {
    /// Standard error, where progress and errors go too.
    #[default]
    Stderr,
    /// Standard output, where answers go.
    Stdout,
}

/// Options of the exporter `otlp`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtlpOptions {
    /// The collector: `http://host:4318`. Without a path, `/v1/traces` is added.
    #[serde(default = "local_collector")]
    pub endpoint: String,
    /// Headers that every request bears.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Seconds after which a request counts as failed.
    #[serde(default = "ten_seconds")]
    pub timeout_seconds: f64,
    /// The most spans in one request.
    #[serde(default = "batch_size")]
    pub batch_size: usize,
}

fn local_collector() -> String {
    "http://localhost:4318".to_owned()
}

const fn ten_seconds() -> f64 {
    10.0
}

const fn batch_size() -> usize {
    512
}

impl Default for OtlpOptions {
    fn default() -> Self {
        Self {
            endpoint: local_collector(),
            headers: BTreeMap::new(),
            timeout_seconds: ten_seconds(),
            batch_size: batch_size(),
        }
    }
}

impl Exporter {
    /// The exporter of that name with these options.
    ///
    /// # Errors
    /// [`TelemetryError`] for an unknown name, or options that it does not have.
    pub fn from_options(name: &str, options: serde_json::Value) -> Result<Self, TelemetryError> {
        let options =
            if options.is_null() { serde_json::Value::Object(serde_json::Map::new()) } else { options };
        let problem = |problem: String| TelemetryError { exporter: name.to_owned(), problem };
        match name {
            "otlp" => {
                let options: OtlpOptions =
                    serde_json::from_value(options).map_err(|e| problem(e.to_string()))?;
                options.check().map_err(problem)?;
                Ok(Self::Otlp(options))
            }
            "console" => {
                serde_json::from_value(options).map(Self::Console).map_err(|e| problem(e.to_string()))
            }
            _ => Err(problem("there is no such exporter; `otlp` and `console` exist".to_owned())),
        }
    }
}

impl OtlpOptions {
    /// Where traces are posted to.
    pub(crate) fn url(&self) -> String {
        let (scheme, rest) = self.endpoint.split_once("://").unwrap_or(("http", &self.endpoint));
        match rest.trim_end_matches('/') {
            host if !host.contains('/') => format!("{scheme}://{host}/v1/traces"),
            _ => self.endpoint.clone(),
        }
    }

    pub(crate) fn timeout(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.timeout_seconds).ok().filter(|timeout| !timeout.is_zero())
    }

    fn check(&self) -> Result<(), String> {
        let Some((scheme, host)) = self.endpoint.split_once("://") else {
            return Err(format!("the endpoint `{}` is no URL; write `http://host:4318`", self.endpoint));
        };
        if scheme != "http" {
            return Err(format!(
                "the endpoint begins with `{scheme}://`, but only `http://` is available; send to a collector on this \
                 machine or network and let that one go on over TLS"
            ));
        }
        if host.trim_matches('/').is_empty() {
            return Err(format!("the endpoint `{}` names no host; write `http://host:4318`", self.endpoint));
        }
        if self.timeout().is_none() {
            return Err(format!("timeout_seconds is {}, but must be above 0", self.timeout_seconds));
        }
        if self.batch_size == 0 {
            return Err("batch_size is 0, but must be at least 1".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_endpoint_without_a_path_gets_the_one_of_traces() {
        let url =
            |endpoint: &str| OtlpOptions { endpoint: endpoint.to_owned(), ..OtlpOptions::default() }.url();
        assert_eq!(url("http://host:4318"), "http://host:4318/v1/traces");
        assert_eq!(url("http://host:4318/"), "http://host:4318/v1/traces");
        assert_eq!(url("http://host/otlp/traces"), "http://host/otlp/traces");
    }

    #[test]
    fn options_that_cannot_work_are_refused_with_what_to_write() {
        let cases = [
            ("otlp", json!({"endpoint": "host:4318"}), "http://host:4318"),
            ("otlp", json!({"endpoint": "https://host"}), "only `http://` is available"),
            ("otlp", json!({"endpoint": "http:///"}), "names no host"),
            ("otlp", json!({"timeout_seconds": 0}), "must be above 0"),
            ("otlp", json!({"timeout_seconds": -1}), "must be above 0"),
            ("otlp", json!({"batch_size": 0}), "at least 1"),
            ("otlp", json!({"colour": "red"}), "unknown field `colour`"),
            ("console", json!({"colour": "red"}), "unknown field `colour`"),
            ("console", json!({"format": "xml"}), "expected `json` or `pretty`"),
            ("console", json!({"output": "file"}), "expected `stderr` or `stdout`"),
            ("carrier_pigeon", json!(null), "`otlp` and `console` exist"),
        ];
        for (name, options, expected) in cases {
            let error = Exporter::from_options(name, options).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains(name), "{error}");
        }
    }

    #[test]
    fn options_have_defaults() {
        let otlp = Exporter::from_options("otlp", json!(null)).unwrap();
        assert_eq!(otlp, Exporter::Otlp(OtlpOptions::default()));
        let console = Exporter::from_options("console", json!({})).unwrap();
        assert_eq!(console, Exporter::Console(ConsoleOptions::default()));
        let console = json!({"format": "pretty", "output": "stdout"});
        let written = ConsoleOptions { format: ConsoleFormat::Pretty, output: ConsoleOutput::Stdout };
        assert_eq!(Exporter::from_options("console", console).unwrap(), Exporter::Console(written));
    }
}
