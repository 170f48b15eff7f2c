//! Runs of every construct in the words of W3C PROV and OpenLineage: what is told hangs together and is complete.

use std::collections::{BTreeMap, BTreeSet};

use elspeth_app::{ProvenanceChoice, ProvenanceForm, export_provenance};
use rusqlite::Connection;
use serde_json::{Map, Value};

use crate::exported::runs;
use crate::published::{OpenLineage, Prov};
use crate::subject::Subject;

/// What is told of each run, by its id.
pub(crate) fn told(subject: &Subject, form: ProvenanceForm) -> Vec<(String, String)> {
    let told = |run: String| {
        let output = subject.path(&format!("{form:?}-{run}"));
        let choice = ProvenanceChoice { run: run.clone(), output, form };
        let report = export_provenance(&subject.database("audit.db"), &choice).unwrap();
        assert_eq!(report.run_id, run);
        (run, std::fs::read_to_string(report.file).unwrap())
    };
    runs(&subject.path("audit.db")).into_iter().map(told).collect()
}

type Section = Map<String, Value>;

/// A document of PROV-JSON.
struct Document(BTreeMap<String, Section>);

/// Of each relation, what it relates, and the sections that those are in.
const RELATIONS: [(&str, [(&str, &str); 2]); 6] = [
    ("used", [("prov:activity", "activity"), ("prov:entity", "entity")]),
    ("wasGeneratedBy", [("prov:entity", "entity"), ("prov:activity", "activity")]),
    ("wasInformedBy", [("prov:informed", "activity"), ("prov:informant", "activity")]),
    ("wasDerivedFrom", [("prov:generatedEntity", "entity"), ("prov:usedEntity", "entity")]),
    ("wasAssociatedWith", [("prov:activity", "activity"), ("prov:agent", "agent")]),
    ("hadMember", [("prov:collection", "entity"), ("prov:entity", "entity")]),
];

impl Document {
    fn read(text: &str) -> Self {
        // Names of a section are told once each: as many as there are lines of records.
        let document: BTreeMap<String, Section> = serde_json::from_str(text).unwrap();
        let records: usize =
            document.iter().filter(|(name, _)| *name != "prefix").map(|(_, s)| s.len()).sum();
        let lines = text.lines().filter(|line| line.contains("\":{") && !line.ends_with(":{")).count();
        assert_eq!(records, lines - 1, "all but the prefixes");
        Self(document)
    }

    fn section(&self, name: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.0.get(name).into_iter().flatten()
    }

    fn pairs(&self, relation: &str) -> BTreeSet<(String, String)> {
        let (_, [(one, _), (other, _)]) = RELATIONS.into_iter().find(|(name, _)| *name == relation).unwrap();
        let text = |record: &Value, end| record[end].as_str().unwrap_or_default().to_owned();
        self.section(relation).map(|(_, record)| (text(record, one), text(record, other))).collect()
    }

    fn of_type(&self, section: &str, class: &str) -> BTreeSet<String> {
        let is = |record: &Value| record["prov:type"][0]["$"] == format!("elspeth:{class}");
        self.section(section).filter(|(_, record)| is(record)).map(|(name, _)| name.clone()).collect()
    }

    /// Every name has a prefix that is declared, every relation ends in something that is told of, every value is one that
    /// an attribute may have.
    fn assert_sound(&self) {
        let known = ["prefix", "entity", "activity", "agent"];
        for name in self.0.keys() {
            assert!(known.contains(&name.as_str()) || RELATIONS.iter().any(|(it, _)| it == name), "{name}");
        }
        for section in &known[1..] {
            for (name, record) in self.section(section) {
                let (prefix, _) = name.split_once(':').unwrap();
                assert!(self.0["prefix"].contains_key(prefix), "{name}");
                for (attribute, value) in record.as_object().unwrap() {
                    let is_plain = value.is_string() || value.is_number() || value.is_boolean();
                    let typed =
                        |value: &Value| value["$"].is_string() && value["type"] == "prov:QUALIFIED_NAME";
                    let is_typed = value.as_array().is_some_and(|values| values.iter().all(typed));
                    assert!(is_plain || is_typed, "{name}: {attribute} is {value}");
                }
            }
        }
        for (relation, ends) in RELATIONS {
            for (_, record) in self.section(relation) {
                for (end, section) in ends {
                    let optional = (relation, end) == ("wasGeneratedBy", "prov:activity");
                    match record.get(end).and_then(Value::as_str) {
                        Some(name) => assert!(self.0[section].contains_key(name), "{relation}: {record}"),
                        None => assert!(optional, "{relation}: {record}"),
                    }
                }
                assert!(record.as_object().unwrap().keys().all(|key| ends.iter().any(|(end, _)| end == key)));
            }
        }
    }
}

const COMPLETED: &str = "(SELECT run_no FROM sink_states WHERE status = 2)";

/// How many records a query counts.
fn count(subject: &Subject, run: &str, from: &str) -> usize {
    let connection = Connection::open(subject.path("audit.db")).unwrap();
    let sql = format!("SELECT count(*) FROM {from} JOIN runs USING (run_no) WHERE run_id = ?");
    let count: i64 = connection.query_row(&sql, [run], |row| row.get(0)).unwrap();
    usize::try_from(count).unwrap()
}

#[test]
fn prov_tells_what_every_thing_came_from() {
    let subject = Subject::new();
    let schema = Prov::new();
    let mut relations = BTreeSet::new();
    for (run, text) in told(&subject, ProvenanceForm::Prov) {
        assert_eq!(schema.findings(&serde_json::from_str(&text).unwrap()), [""; 0], "{run}");
        let document = Document::read(&text);
        document.assert_sound();
        relations.extend(document.0.keys().cloned());
        let of = |section, class, table: &str| {
            let told = document.of_type(section, class);
            assert_eq!(told.len(), count(&subject, &run, table), "{run}: {class}");
            told
        };
        let rows = of("entity", "Row", "rows");
        let tokens = of("entity", "Token", "tokens");
        let artifacts = of("entity", "Artifact", "artifacts");
        let operations = of("activity", "Operation", "operations");
        let states = document.of_type("activity", "State");
        let stored = count(&subject, &run, "node_states") + count(&subject, &run, "sink_states");
        assert_eq!(states.len(), stored);
        of("activity", "Flush", "batches");
        of("agent", "Node", "nodes");
        let generated = document.pairs("wasGeneratedBy");
        let derived = document.pairs("wasDerivedFrom");
        let used = document.pairs("used");
        let by_operation = |entity: &String| {
            generated.iter().any(|(it, activity)| it == entity && operations.contains(activity))
        };
        assert!(rows.iter().all(by_operation), "{run}: every row was loaded");
        assert!(artifacts.iter().all(by_operation), "{run}: every artifact was written");
        let from = |token: &String| derived.iter().any(|(it, _)| it == token);
        assert!(tokens.iter().all(from), "{run}: every token came from something");
        assert!(states.iter().all(|state| used.iter().any(|(it, _)| it == state)), "{run}");
        let written = used.iter().filter(|(it, token)| operations.contains(it) && tokens.contains(token));
        assert_eq!(written.count(), count(&subject, &run, COMPLETED), "{run}");
        let associated = document.pairs("wasAssociatedWith");
        let activities = document.section("activity").map(|(name, _)| name);
        for activity in activities {
            assert!(
                associated.iter().any(|(it, _)| it == activity),
                "{run}: {activity} was done by somebody"
            );
        }
    }
    let expected = ["activity", "agent", "entity", "prefix"].into_iter();
    let expected: BTreeSet<_> = expected.chain(RELATIONS.map(|(name, _)| name)).map(str::to_owned).collect();
    assert_eq!(relations, expected);
}

/// Every facet says who made it, and what it is.
fn assert_facets(facets: &Value) -> Vec<&String> {
    let facets = facets.as_object().unwrap();
    for (name, facet) in facets {
        assert!(
            facet["_producer"].as_str().is_some_and(|it| it.starts_with("urn:elspeth:engine:")),
            "{name}"
        );
        let url = facet["_schemaURL"].as_str().unwrap();
        assert!(url.starts_with("https://openlineage.io/spec/") && url.contains("#/$defs/"), "{url}");
    }
    facets.keys().collect()
}

#[test]
fn openlineage_tells_of_start_and_end() {
    let subject = Subject::new();
    let schema = OpenLineage::new();
    let mut ends = Vec::new();
    for (run, text) in told(&subject, ProvenanceForm::OpenLineage) {
        let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [start, end] = &events[..] else { panic!("{text}") };
        assert_eq!(start["eventType"], "START");
        assert_eq!(start["outputs"], serde_json::json!([]));
        ends.push(end["eventType"].as_str().unwrap().to_owned());
        for event in &events {
            assert_eq!(schema.findings(event), [""; 0], "{run}: {event}");
            assert_eq!(
                event["schemaURL"],
                "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
            );
            assert!(event["producer"].is_string() && event["eventTime"].as_str().unwrap().ends_with('Z'));
            let id = event["run"]["runId"].as_str().unwrap();
            let parts: Vec<usize> = id.split('-').map(str::len).collect();
            assert_eq!((parts, &start["run"]["runId"]), (vec![8, 4, 4, 4, 12], &event["run"]["runId"]));
            assert_facets(&event["run"]["facets"]);
            assert_eq!(event["job"]["namespace"], "elspeth");
            assert_facets(&event["job"]["facets"]);
            for dataset in
                event["inputs"].as_array().unwrap().iter().chain(event["outputs"].as_array().unwrap())
            {
                assert!(dataset["namespace"].is_string() && dataset["name"].is_string(), "{dataset}");
                assert_facets(&dataset["facets"]);
            }
        }
        let outputs = end["outputs"].as_array().unwrap();
        let paths = count(&subject, &run, "(SELECT DISTINCT run_no, step, path FROM artifacts)");
        assert_eq!(outputs.len(), paths);
        for output in outputs {
            assert_eq!(assert_facets(&output["outputFacets"]), ["outputStatistics"]);
            assert!(output["outputFacets"]["outputStatistics"]["rowCount"].is_number());
        }
        let evidence = &end["run"]["facets"]["elspeth_evidence"];
        assert_eq!(evidence["runId"], run);
        let failed = end["eventType"] == "FAIL";
        assert_eq!(end["run"]["facets"]["errorMessage"]["message"].is_string(), failed);
        assert!(evidence["recordRoot"].is_string() && evidence["contentRoot"].is_string());
    }
    assert_eq!(ends, ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]);
}

/// A document with something else at a place, or with nothing there.
fn damaged(document: &Value, place: &str, other: Option<Value>) -> Value {
    let mut damaged = document.clone();
    let (owner, name) = place.rsplit_once('/').unwrap();
    let owner = damaged.pointer_mut(owner).unwrap_or_else(|| panic!("{place} of {document}"));
    match (owner, other) {
        (Value::Array(items), other) => items[name.parse::<usize>().unwrap()] = other.unwrap(),
        (owner, Some(other)) => owner[&name.replace("~1", "/")] = other,
        (owner, None) => assert!(owner.as_object_mut().unwrap().remove(name).is_some(), "{place}"),
    }
    damaged
}

#[test]
fn the_schema_of_prov_finds_what_is_damaged() {
    let subject = Subject::new();
    let (_, text) = told(&subject, ProvenanceForm::Prov).swap_remove(0);
    let document: Value = serde_json::from_str(&text).unwrap();
    let first = |section: &str| {
        let (name, _) = document[section].as_object().unwrap().iter().next().unwrap();
        format!("/{section}/{}", name.replace('/', "~1"))
    };
    let activity = document["activity"].as_object().unwrap();
    let (timed, _) = activity.iter().find(|(_, it)| it.get("prov:startTime").is_some()).unwrap();
    let damages = [
        ("/wasMadeBy".to_owned(), Some(serde_json::json!({}))),
        ("/entity".to_owned(), Some(serde_json::json!([]))),
        ("/prefix/at".to_owned(), Some(Value::from("no address"))),
        (format!("{}/elspeth:note", first("entity")), Some(Value::Null)),
        (format!("{}/prov:type/0/lang", first("entity")), Some(Value::from(1))),
        (format!("{}/prov:type/0/$", first("agent")), None),
        (format!("{}/prov:entity", first("used")), None),
        (format!("{}/prov:entity", first("wasGeneratedBy")), Some(Value::from("a b"))),
        (format!("{}/prov:usedEntity", first("wasDerivedFrom")), None),
        (format!("{}/prov:activity", first("wasAssociatedWith")), Some(Value::from(7))),
        (format!("/activity/{timed}/prov:startTime"), Some(Value::from("today"))),
    ];
    let schema = Prov::new();
    for (place, other) in damages {
        assert_ne!(schema.findings(&damaged(&document, &place, other)), [""; 0], "{place}");
    }
}

#[test]
fn the_schemas_of_openlineage_find_what_is_damaged() {
    let subject = Subject::new();
    let told = told(&subject, ProvenanceForm::OpenLineage);
    let events = told.iter().map(|(_, text)| text.lines().last().unwrap());
    let events: Vec<Value> = events.map(|line| serde_json::from_str(line).unwrap()).collect();
    let event = events.iter().find(|it| it["inputs"][0]["facets"].get("schema").is_some()).unwrap();
    let failed = events.iter().find(|it| it["eventType"] == "FAIL").unwrap();
    let text = |text: &str| Some(Value::from(text));
    let damages = [
        (event, "/eventTime", text("yesterday")),
        (event, "/eventType", text("DONE")),
        (event, "/producer", None),
        (event, "/schemaURL", None),
        (event, "/run/runId", text("01JZ8Q4Z8N5X2V7K3M9T0B6C1D")),
        (event, "/run/facets/elspeth_evidence/_producer", None),
        (
            event,
            "/run/facets/elspeth_evidence/_schemaURL",
            text("https://openlineage.io/spec/2-0-2/Run.json"),
        ),
        (event, "/run/facets/processing_engine/version", None),
        (event, "/job/namespace", None),
        (event, "/job/facets/jobType/integration", None),
        (event, "/inputs/0/name", None),
        (event, "/inputs/0/facets/version/datasetVersion", None),
        (event, "/outputs", Some(serde_json::json!({}))),
        (event, "/inputs/0/facets/schema/fields/0/name", None),
        (event, "/outputs/0/outputFacets/outputStatistics/rowCount", text("7")),
        (event, "/outputs/0/outputFacets/outputStatistics/_schemaURL", text("no address")),
        (failed, "/run/facets/errorMessage/programmingLanguage", None),
    ];
    let schema = OpenLineage::new();
    for (event, place, other) in damages {
        assert_ne!(schema.findings(&damaged(event, place, other)), [""; 0], "{place}");
    }
    let (mut renamed, facets) = (event.clone(), event["job"]["facets"].clone());
    renamed["job"]["facets"] = serde_json::json!({"jobKind": facets["jobType"]});
    assert_ne!(schema.findings(&renamed), [""; 0], "a facet by another name");
}
