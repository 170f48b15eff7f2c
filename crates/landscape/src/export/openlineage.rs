//! A run in the words of OpenLineage 2-0-2: the event of its start, and that of its end once it has one.

use std::io::Write;
use std::path::Path;

use elspeth_contracts::{ArtifactRecord, ErrorReason, Micros, NodeRecord, RunStatus};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::ExportError;
use super::one::OneFile;
use crate::RunRecord;
use crate::verify::Subject;

const CORE: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/";
const FACETS: &str = "https://openlineage.io/spec/facets/";
/// Where jobs and what is written by no URL are named.
const NAMESPACE: &str = "elspeth";

/// Writes the events of a run, each a line of JSON, to a file at `path`; creates the folder where it does not exist. Says how
/// many there are.
///
/// # Errors
/// [`ExportError::Exists`] when there is something already, [`ExportError::Io`].
pub fn openlineage(path: &Path, subject: &Subject<'_>) -> Result<u64, ExportError> {
    let events =
        Run { subject, producer: format!("urn:elspeth:engine:{}", subject.run.engine_version) }.events();
    let count = events.len() as u64;
    OneFile::at(path)?.write(|out| events.iter().try_for_each(|event| writeln!(out, "{event}")))?;
    Ok(count)
}

struct Run<'a> {
    subject: &'a Subject<'a>,
    producer: String,
}

/// A contract as it is recorded.
#[derive(Deserialize)]
struct Schema {
    #[serde(default)]
    fields: Vec<SchemaField>,
}

#[derive(Deserialize)]
struct SchemaField {
    name: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// What is recorded of a source, so far as it is needed.
#[derive(Deserialize)]
struct Identity {
    location: String,
    content_hash: Option<String>,
}

impl Run<'_> {
    fn events(&self) -> Vec<Value> {
        let run = self.subject.run;
        let mut events = vec![self.event("START", run.started_at, Map::new(), Vec::new())];
        let end = match run.status {
            RunStatus::Running => None,
            RunStatus::Completed => Some("COMPLETE"),
            RunStatus::Failed => Some("FAIL"),
            RunStatus::Interrupted => Some("ABORT"),
        };
        if let Some(kind) = end {
            let at = run.completed_at.unwrap_or(run.heartbeat_at);
            let mut facets = Map::new();
            facets.insert("elspeth_evidence".to_owned(), self.evidence(run));
            if let Some(error) = &run.error {
                facets.insert("errorMessage".to_owned(), self.error(error));
            }
            events.push(self.event(kind, at, facets, self.outputs()));
        }
        events
    }

    fn event(&self, kind: &str, at: Micros, mut facets: Map<String, Value>, outputs: Vec<Value>) -> Value {
        let run = self.subject.run;
        let engine = json!({"version": run.engine_version, "name": "elspeth"});
        facets.insert("processing_engine".to_owned(), self.facet("1-1-1/ProcessingEngineRunFacet", engine));
        let job = json!({"processingType": "BATCH", "integration": "ELSPETH", "jobType": "PIPELINE"});
        json!({
            "eventType": kind,
            "eventTime": at.rfc3339(),
            "producer": self.producer,
            "schemaURL": format!("{CORE}RunEvent"),
            "run": {"runId": uuid(run), "facets": facets},
            "job": {
                "namespace": NAMESPACE,
                "name": run.settings_path,
                "facets": {"jobType": self.facet("2-0-3/JobTypeJobFacet", job)},
            },
            "inputs": self.inputs(),
            "outputs": outputs,
        })
    }

    /// With the two fields that every facet has.
    fn facet(&self, name: &str, facet: Value) -> Value {
        let (_, definition) = name.split_once('/').unwrap_or_default();
        self.facet_of(&format!("{FACETS}{name}.json#/$defs/{definition}"), facet)
    }

    fn facet_of(&self, url: &str, mut facet: Value) -> Value {
        facet["_producer"] = json!(self.producer);
        facet["_schemaURL"] = json!(url);
        facet
    }

    /// What ties the event to the record: no facet of the standard has a place for that.
    fn evidence(&self, run: &RunRecord) -> Value {
        let mut facet = json!({
            "runId": run.run_id.to_string(),
            "hashVersion": run.hash_version.name(),
            "configHash": run.config_hash.to_string(),
            "grade": run.grade.to_string(),
        });
        if let (Some(content), Some(record)) = (run.content_root, run.record_root) {
            facet["contentRoot"] = json!(content.to_string());
            facet["recordRoot"] = json!(record.to_string());
        }
        self.facet_of(&format!("{CORE}RunFacet"), facet)
    }

    fn error(&self, error: &ErrorReason) -> Value {
        let facet = json!({"message": error.message, "programmingLanguage": "RUST"});
        self.facet("1-0-1/ErrorMessageRunFacet", facet)
    }

    /// Where the source read, when it is from somewhere.
    fn inputs(&self) -> Vec<Value> {
        let source = &self.subject.run.source;
        let identity = serde_json::from_str::<Identity>(&source.identity).ok();
        let Some(identity) = identity.filter(|identity| !identity.location.is_empty()) else {
            return Vec::new();
        };
        let mut facets = Map::new();
        self.schema(&source.contract, &mut facets);
        if let Some(hash) = identity.content_hash {
            self.version(&hash, &mut facets);
        }
        let (namespace, name) = read_from(&identity.location);
        vec![json!({"namespace": namespace, "name": name, "facets": facets})]
    }

    fn outputs(&self) -> Vec<Value> {
        let artifacts = self.subject.artifacts.unwrap_or_default();
        artifacts.iter().map(|artifact| self.output(artifact)).collect()
    }

    fn output(&self, artifact: &ArtifactRecord) -> Value {
        let mut facets = Map::new();
        let sink = self.subject.nodes.iter().find(|node: &&NodeRecord| node.step == artifact.step);
        if let Some(sink) = sink {
            self.schema(&sink.input_schema, &mut facets);
        }
        self.version(&artifact.content_hash.to_string(), &mut facets);
        let statistics = json!({"rowCount": artifact.rows, "size": artifact.size_bytes});
        let (namespace, name) = place(artifact);
        json!({
            "namespace": namespace,
            "name": name,
            "facets": facets,
            "outputFacets": {
                "outputStatistics": self.facet("1-0-2/OutputStatisticsOutputDatasetFacet", statistics),
            },
        })
    }

    /// The fields that a contract names; one that is only observed names none.
    fn schema(&self, contract: &str, facets: &mut Map<String, Value>) {
        let schema = serde_json::from_str::<Option<Schema>>(contract).ok().flatten();
        let Some(schema) = schema.filter(|schema| !schema.fields.is_empty()) else { return };
        let field = |field: SchemaField| match field.kind {
            Some(kind) => json!({"name": field.name, "type": kind}),
            None => json!({"name": field.name}),
        };
        let fields: Vec<Value> = schema.fields.into_iter().map(field).collect();
        let facet = self.facet("1-2-0/SchemaDatasetFacet", json!({"fields": fields}));
        facets.insert("schema".to_owned(), facet);
    }

    fn version(&self, hash: &str, facets: &mut Map<String, Value>) {
        let version = format!("{}:{hash}", self.subject.run.hash_version.name());
        let facet = self.facet("1-0-0/DatasetVersionDatasetFacet", json!({"datasetVersion": version}));
        facets.insert("version".to_owned(), facet);
    }
}

/// A server's database is named in the server, a file in the file system.
fn read_from(location: &str) -> (&str, &str) {
    let address = location.find('?').map_or(location, |end| &location[..end]);
    match address.rfind('/') {
        Some(slash) if address.contains("://") => (&location[..slash], &location[slash + 1..]),
        Some(_) | None => ("file", location),
    }
}

/// A table is named in its database, a file in the file system.
fn place(artifact: &ArtifactRecord) -> (&str, &str) {
    match artifact.path.rsplit_once('#') {
        Some(place) if artifact.artifact_type == "table" => place,
        Some(_) | None => ("file", &artifact.path),
    }
}

/// The run's id, in the form that identifies runs in OpenLineage.
fn uuid(run: &RunRecord) -> String {
    let hex = format!("{:032x}", run.run_id.ulid().0);
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_databases_are_named_where_they_are() {
        for (location, namespace, name) in [
            ("data/in.csv", "file", "data/in.csv"),
            ("data/in.csv?x", "file", "data/in.csv?x"),
            ("postgresql://u@h:1/claims", "postgresql://u@h:1", "claims"),
            (
                "postgresql://u@h/claims?sslrootcert=/etc/db.pem",
                "postgresql://u@h",
                "claims?sslrootcert=/etc/db.pem",
            ),
        ] {
            assert_eq!(read_from(location), (namespace, name));
        }
    }
}
