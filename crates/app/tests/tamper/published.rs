//! The schemas that W3C and OpenLineage published, and what they say of a document. Nothing is fetched: what a schema refers to is
//! here, or the test fails. Where they are from is in `schemas/README.md`.

use jsonschema::{Registry, Validator};
use serde_json::{Value, json};

const EVENT: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json";
const OPENLINEAGE: [&str; 6] = [
    include_str!("schemas/openlineage/OpenLineage.json"),
    include_str!("schemas/openlineage/ErrorMessageRunFacet.json"),
    include_str!("schemas/openlineage/JobTypeJobFacet.json"),
    include_str!("schemas/openlineage/OutputStatisticsOutputDatasetFacet.json"),
    include_str!("schemas/openlineage/ProcessingEngineRunFacet.json"),
    include_str!("schemas/openlineage/SchemaDatasetFacet.json"),
];

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn findings(validator: &Validator, document: &Value) -> Vec<String> {
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// What is wrong with a document of PROV-JSON.
pub(crate) struct Prov {
    document: Validator,
    time: Validator,
}

impl Prov {
    pub(crate) fn new() -> Self {
        let schema = read(include_str!("schemas/prov-json.json"));
        let time = json!({"type": "string", "format": "date-time"});
        let options = jsonschema::options().should_validate_formats(true);
        Self { document: options.build(&schema).unwrap(), time: options.build(&time).unwrap() }
    }

    /// The schema forgets the times of activities.
    pub(crate) fn findings(&self, document: &Value) -> Vec<String> {
        let mut findings = findings(&self.document, document);
        for (name, activity) in document["activity"].as_object().into_iter().flatten() {
            for time in ["prov:startTime", "prov:endTime"].into_iter().filter_map(|time| activity.get(time)) {
                findings
                    .extend(self::findings(&self.time, time).into_iter().map(|it| format!("{name}: {it}")));
            }
        }
        findings
    }
}

/// What is wrong with an event of OpenLineage.
pub(crate) struct OpenLineage {
    registry: Registry<'static>,
    event: Validator,
}

impl OpenLineage {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::new();
        for schema in OPENLINEAGE.map(read) {
            let id = schema["$id"].as_str().unwrap().to_owned();
            registry = registry.add(id, schema).unwrap();
        }
        let facet = json!({
            "$defs": {"DatasetVersionDatasetFacet": {
                "$ref": format!("{EVENT}#/$defs/DatasetFacet"),
                "properties": {"datasetVersion": {"type": "string"}},
                "required": ["datasetVersion"],
            }},
            "properties": {"version": {"$ref": "#/$defs/DatasetVersionDatasetFacet"}},
        });
        let id = "https://openlineage.io/spec/facets/1-0-0/DatasetVersionDatasetFacet.json";
        let registry = registry.add(id, facet).unwrap().prepare().unwrap();
        let event = validator(&registry, EVENT);
        Self { registry, event }
    }

    /// With those of the facets, each by the schema that it names: that of events asks of them what all facets have.
    pub(crate) fn findings(&self, event: &Value) -> Vec<String> {
        let mut findings = findings(&self.event, event);
        let datasets = ["inputs", "outputs"].into_iter().filter_map(|list| event[list].as_array()).flatten();
        let kinds = [(&event["run"], "facets"), (&event["job"], "facets")].into_iter();
        let of_datasets = datasets.flat_map(|dataset| [(dataset, "facets"), (dataset, "outputFacets")]);
        for (owner, kind) in kinds.chain(of_datasets) {
            for (name, facet) in owner[kind].as_object().into_iter().flatten() {
                findings.extend(self.facet(name, facet).into_iter().map(|it| format!("{name}: {it}")));
            }
        }
        findings
    }

    /// A facet of ours names what all facets of runs have; the schema of another also says what it is called.
    fn facet(&self, name: &str, facet: &Value) -> Vec<String> {
        let url = facet["_schemaURL"].as_str().unwrap_or_default();
        let document = url.split('#').next().unwrap_or_default();
        if !self.registry.contains_resource(document) {
            return vec![format!("there is no schema `{url}`")];
        }
        if document == EVENT {
            let is_ours = name.starts_with("elspeth_") && url.ends_with("#/$defs/RunFacet");
            return if is_ours { Vec::new() } else { vec![format!("`{url}` is no schema of it")] };
        }
        let unknown = json!({"$ref": document, "unevaluatedProperties": false});
        let validators = [validator(&self.registry, url), self::build(&self.registry, &unknown)];
        let documents = [facet.clone(), json!({ name: facet })];
        validators.iter().zip(&documents).flat_map(|(it, document)| findings(it, document)).collect()
    }
}

fn validator(registry: &Registry<'_>, url: &str) -> Validator {
    build(registry, &json!({ "$ref": url }))
}

fn build(registry: &Registry<'_>, schema: &Value) -> Validator {
    jsonschema::options().with_registry(registry).should_validate_formats(true).build(schema).unwrap()
}
