//! What valid settings become.

mod settings;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use elspeth_config::{DatabaseUrl, Environment, Loaded, load_recorded, preflight};
use elspeth_graph::{CoalescePolicy, Merge, NodeSpec, RouteTo};
use settings::{GATE, JOINED, load, load_with};

fn loaded(text: &str) -> Loaded {
    load(text).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

#[test]
fn a_file_becomes_settings_graph_and_plugins() {
    let loaded = loaded(GATE);
    let names: Vec<&str> = loaded.graph.nodes().iter().map(|n| n.name.as_str()).collect();
    assert_eq!(names, ["source", "big", "high", "low"]);
    assert_eq!(loaded.plugins.source.contract().fields.len(), 2);
    let sinks: Vec<u16> = loaded.plugins.sinks.iter().map(|(step, _)| step.get()).collect();
    assert_eq!(sinks, [2, 3]);
    assert_eq!(loaded.database, DatabaseUrl::SqliteFile("./state/audit.db".into()));
    assert_eq!(loaded.settings.concurrency.max_workers, 4);
    assert!(loaded.warnings.is_empty());
}

#[test]
fn unquoted_truth_values_are_route_labels() {
    let loaded = loaded(GATE);
    let NodeSpec::Gate { routes, .. } = &loaded.graph.named("big").unwrap().spec else { panic!("a gate") };
    let labels: Vec<&str> = routes.iter().map(|r| r.label.as_str()).collect();
    assert_eq!(labels, ["true", "false"]);
}

#[test]
fn forks_coalesces_and_aggregations_are_in_the_graph() {
    let loaded = loaded(JOINED);
    let graph = &loaded.graph;
    let names: Vec<&str> = graph.nodes().iter().map(|n| n.name.as_str()).collect();
    let expected =
        ["source", "split", "check", "totals", "last", "joined", "big", "sums", "archive", "errors"];
    assert_eq!(names, expected);
    let step = |name: &str| graph.named(name).unwrap().step;
    let NodeSpec::Gate { routes, fork, .. } = &graph.named("split").unwrap().spec else { panic!("a gate") };
    assert_eq!(routes[0].to, RouteTo::Fork);
    let branches: Vec<_> = fork.iter().map(|b| (&*b.name, graph.edge(b.edge).to, b.coalesce)).collect();
    let joined = step("joined");
    assert_eq!(
        branches,
        [
            ("fast", joined, Some(joined)),
            ("checked", step("check"), Some(joined)),
            ("archive", step("archive"), None)
        ]
    );
    let NodeSpec::Coalesce { branches, policy, merge, timeout, crosses_rows, .. } = &graph.node(joined).spec
    else {
        panic!("a coalesce")
    };
    assert_eq!(branches, &["fast", "checked"]);
    assert_eq!((policy, merge), (&CoalescePolicy::BestEffort, &Merge::Union));
    assert_eq!((timeout, crosses_rows), (&Some(Duration::from_millis(2500)), &false));
    let NodeSpec::Aggregation { trigger, .. } = &graph.named("totals").unwrap().spec else {
        panic!("a batch")
    };
    assert_eq!((trigger.count, trigger.timeout), (Some(100), Some(Duration::from_secs(60))));
    assert!(trigger.condition.is_some());
    let NodeSpec::Aggregation { trigger, .. } = &graph.named("last").unwrap().spec else { panic!("a batch") };
    // Only the end of the source makes it complete.
    assert!(trigger.count.is_none() && trigger.timeout.is_none() && trigger.condition.is_none());
    let placed: Vec<_> = loaded.plugins.aggregations.iter().map(|(step, _)| *step).collect();
    assert_eq!(placed, [step("totals"), step("last")]);
    assert!(loaded.warnings.is_empty(), "{:#?}", loaded.warnings);
}

#[test]
fn a_service_is_known_to_its_node_and_has_a_limit() {
    let loaded = loaded(JOINED);
    let service = |name: &str| loaded.graph.named(name).unwrap().service.as_deref();
    let services = [service("check"), service("last"), service("totals"), service("split")];
    assert_eq!(services, [Some("registry"), Some("scoring"), None, None]);
    let limits = &loaded.settings.rate_limit;
    assert_eq!(limits.requests_per_minute("scoring"), Some(600));
    assert_eq!(limits.requests_per_minute("registry"), Some(60), "the default");
    let off = load(&JOINED.replace("rate_limit: {", "rate_limit: {enabled: false, ")).unwrap();
    assert_eq!(off.settings.rate_limit.requests_per_minute("scoring"), None);
}

#[test]
fn the_order_of_branches_is_part_of_what_is_recorded() {
    let swapped = JOINED.replace("{fast: fast, checked: was_checked}", "{checked: was_checked, fast: fast}");
    let (one, two) = (loaded(JOINED), loaded(&swapped));
    assert!(
        one.resolved.contains(r#""branches":[{"fast":"fast"},{"checked":"was_checked"}]"#),
        "{}",
        one.resolved
    );
    assert_ne!(one.config_hash, two.config_hash);
    assert_ne!(one.graph.topology_hash(), two.graph.topology_hash());
}

#[test]
fn joins_that_say_too_much_or_may_lose_rows_are_warned_of() {
    let warnings = |text: &str| -> Vec<String> {
        loaded(text).warnings.iter().map(|w| format!("{} {}", w.code, w.setting)).collect()
    };
    let with = |settings: &str| {
        JOINED.replace("    policy: best_effort\n    timeout_seconds: 2.5\n", &format!("    {settings}\n"))
    };
    assert_eq!(warnings(&with("policy: require_all")), ["error-edge-in-branch transforms.0.on_error"]);
    assert_eq!(
        warnings(&with(
            "policy: first\n    timeout_seconds: 1\n    quorum_count: 1\n    select_branch: fast"
        )),
        [
            "unused-setting coalesce.0.timeout_seconds",
            "unused-setting coalesce.0.quorum_count",
            "unused-setting coalesce.0.select_branch"
        ]
    );
    let typo = JOINED.replace("service: scoring", "service: scorign");
    assert_eq!(
        warnings(&typo),
        ["default-limit aggregations.1.service", "unused-limit rate_limit.services.scoring"]
    );
}

#[test]
fn environment_goes_over_file_and_file_over_defaults() {
    let text = format!("{GATE}concurrency: {{max_workers: 2}}\n");
    let workers = |variables: &[(&str, &str)], text: &str| {
        let loaded = load_with(text, variables, Path::new("/nonexistent"));
        loaded.unwrap_or_else(|e| panic!("{e:#?}")).settings.concurrency.max_workers
    };
    assert_eq!(workers(&[], GATE), 4);
    assert_eq!(workers(&[], &text), 2);
    assert_eq!(workers(&[("ELSPETH_CONCURRENCY__MAX_WORKERS", "7")], &text), 7);
    assert_eq!(workers(&[("ELSPETH_CONCURRENCY__MAX_WORKERS", "7")], GATE), 7);
}

#[test]
fn a_wrong_override_names_its_variable() {
    let variables = [("ELSPETH_CONCURRENCY__MAX_WORKERS", "many")];
    let errors = load_with(GATE, &variables, Path::new("/nonexistent")).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!(errors[0].file.as_deref(), Some("environment variable ELSPETH_CONCURRENCY__MAX_WORKERS"));
    assert_eq!(errors[0].line, None);
}

#[test]
fn an_override_may_stand_in_for_a_missing_variable() {
    let text = format!("{GATE}landscape: {{url: 'sqlite:///${{NOWHERE}}'}}\n");
    assert_eq!(load(&text).unwrap_err()[0].code, "missing-variable");
    let variables = [("ELSPETH_LANDSCAPE__URL", "sqlite:///x.db")];
    let loaded = load_with(&text, &variables, Path::new("/nonexistent")).unwrap();
    assert_eq!(loaded.database, DatabaseUrl::SqliteFile("x.db".into()));
}

#[test]
fn variables_are_numbers_where_numbers_are_wanted() {
    let text = GATE.replace("path: input.csv", "path: ${FOLDER:-data}/in.csv\n    skip_rows: ${SKIP}");
    let text = format!("{text}concurrency: {{max_workers: \"${{WORKERS:-3}}\"}}\n");
    let loaded = load_with(&text, &[("SKIP", "2")], Path::new("/nonexistent")).unwrap();
    assert_eq!(loaded.settings.concurrency.max_workers, 3);
    assert_eq!(loaded.plugins.source.paths(), [Path::new("data/in.csv")]);
    assert!(loaded.resolved.contains("\"skip_rows\":2"), "{}", loaded.resolved);
}

#[test]
fn the_hash_is_of_the_meaning_and_not_of_the_form() {
    let same =
        GATE.replace("plugin: csv\n  on_success: rows", "on_success: \"rows\"\n  plugin: csv # the same");
    assert_ne!(same, GATE);
    assert_eq!(loaded(GATE).config_hash, loaded(&same).config_hash);
    let other = GATE.replace("> 1000", "> 1001");
    assert_ne!(loaded(GATE).config_hash, loaded(&other).config_hash);
    let (one, two) = (loaded(GATE), loaded(&other));
    assert_ne!(one.graph.topology_hash(), two.graph.topology_hash());
    assert_eq!(one.graph.named("high").unwrap().id, two.graph.named("high").unwrap().id);
}

#[test]
fn the_digest_is_the_one_that_the_settings_choose() {
    let sha = loaded(&format!("{GATE}landscape: {{hash: sha256}}\n"));
    assert_eq!(sha.hash_version.name(), "sha256-rfc8785-v1");
    assert_ne!(sha.graph.topology_hash(), loaded(GATE).graph.topology_hash());
}

#[test]
fn checkpoint_settings_bound_the_epoch() {
    let rows =
        |section: &str| loaded(&format!("{GATE}checkpoint: {section}\n")).settings.checkpoint.epoch_rows();
    assert_eq!(rows("{}"), None);
    assert_eq!(rows("{frequency: every_row}"), Some(1));
    assert_eq!(rows("{frequency: every_n, checkpoint_interval: 64}"), Some(64));
    assert_eq!(rows("{frequency: aggregation_only}"), None);
    assert_eq!(rows("{enabled: false, frequency: every_row}"), None);
}

#[test]
fn secrets_are_recorded_as_fingerprints() {
    let text = format!(
        "{GATE}telemetry: {{exporters: [{{name: otlp, options: {{endpoint: 'http://u:hunter2@h:4318'}}}}]}}\n"
    );
    let key = [("ELSPETH_FINGERPRINT_KEY", "k")];
    let loaded = load_with(&text, &key, Path::new("/nonexistent")).unwrap();
    assert!(!loaded.resolved.contains("hunter2"));
    assert!(loaded.resolved.contains("http://u:fingerprint-"), "{}", loaded.resolved);
    let endpoint = &loaded.settings.telemetry.exporters[0].options["endpoint"];
    assert_eq!(endpoint, "http://u:hunter2@h:4318", "the settings themselves keep it, to be used");
}

#[test]
fn settings_without_effect_are_warned_of() {
    let text = format!(
        "{GATE}landscape: {{enabled: false}}\ntelemetry: {{enabled: true}}\n\
         rate_limit: {{persistence_path: x.db, services: {{openai: {{requests_per_minute: 5}}}}}}\n\
         checkpoint: {{checkpoint_interval: 10, frequency: every_row}}\n"
    );
    let loaded = loaded(&text);
    let codes: Vec<&str> = loaded.warnings.iter().map(|w| w.code).collect();
    assert_eq!(codes, ["always-recorded", "no-exporters", "unused-limit", "unused-limit", "unused-setting"]);
    assert!(loaded.warnings.iter().all(|w| w.line.is_some()));
}

/// Names fields that the source has, that a node gives, and that nobody knows.
const NAMED: &str = r#"
source:
  plugin: csv
  on_success: rows
  options:
    path: input.csv
    on_validation_failure: discard
    field_mapping: {note: Note}
    schema: {mode: flexible, fields: ["id: int", "subject: str"]}
transforms:
  - {name: rename, plugin: field_mapper, input: rows, on_success: renamed, on_error: discard, options: {mapping: {Subject: topic, subject: messageBody, Note: note}}}
  - {name: screen, plugin: keyword_filter, input: renamed, on_success: clean, on_error: discard, options: {fields: [messageBody, messageText, mesage], blocked_patterns: [x]}}
  - {name: cut, plugin: truncate, input: clean, on_success: out, on_error: discard, options: {fields: {Title: 5, messageBody: 9}}}
sinks:
  out: {plugin: csv, options: {path: out.csv, schema: {mode: observed}}}
"#;

#[test]
fn fields_that_no_row_has_or_that_pass_unseen_are_warned_of() {
    let warnings = |text: &str| -> Vec<String> {
        let warnings = loaded(text).warnings;
        assert!(warnings.iter().all(|w| w.line.is_some()));
        warnings.iter().map(|w| format!("{} {}", w.code, w.setting)).collect()
    };
    let impossible = [
        "impossible-field transforms.0.options.mapping.Subject",
        "impossible-field transforms.1.options.fields.1",
        "impossible-field transforms.2.options.fields.Title",
    ];
    let strict = NAMED.replace("{fields: [", "{strict: true, fields: [");
    assert_eq!(warnings(&strict), impossible);
    let unseen = "unseen-field transforms.1.options.fields.2";
    assert_eq!(warnings(NAMED), [impossible[0], impossible[1], unseen, impossible[2]]);
    let named = loaded(NAMED).warnings.swap_remove(1);
    assert!(named.message.contains("`messageText`") && named.message.contains("passes"), "{}", named.message);
    assert_eq!(named.help.as_deref(), Some("write `messagetext`"));
}

#[test]
fn a_mapping_from_a_field_that_a_fixed_schema_does_not_have_is_warned_of() {
    let text = NAMED.replace("mode: flexible", "mode: fixed").replace("Subject: topic", "subjct: topic");
    let text =
        text.replace(", messageText, mesage", "").replace("Title: 5, ", "").replace(", Note: note", "");
    let warnings = loaded(&text).warnings;
    let shown: Vec<_> = warnings.iter().map(|w| format!("{} {}", w.code, w.setting)).collect();
    assert_eq!(shown, ["absent-field transforms.0.options.mapping.subjct"]);
    assert_eq!(warnings[0].help.as_deref(), Some("did you mean `subject`?"));
}

/// Warnings of a search behind a gate, for what comes from a source or a step behind it.
fn warned(columns: &str, step: Option<&str>, field: &str) -> Vec<&'static str> {
    let step = step
        .map(|step| format!("- {{name: make, input: rows, on_success: made, on_error: discard, {step}}}"));
    let made = if step.is_some() { "made" } else { "rows" };
    let text = format!(
        r#"
source: {{plugin: csv, on_success: rows, options: {{path: in.csv, schema: {{mode: observed}}, on_validation_failure: discard{columns}}}}}
gates: [{{name: gate, input: {made}, condition: "True", routes: {{"true": more, "false": out}}}}]
transforms:
- {{name: search, plugin: keyword_filter, input: more, on_success: out, on_error: discard, options: {{fields: [{field}], blocked_patterns: [x]}}}}
{}
sinks: {{out: {{plugin: csv, options: {{path: out.csv, schema: {{mode: observed}}}}}}}}
"#,
        step.unwrap_or_default()
    );
    loaded(&text).warnings.iter().map(|warning| warning.code).collect()
}

#[test]
fn fields_that_every_row_has_are_not_warned_of() {
    let computed = "plugin: field_mapper, options: {computed: {Text: \"str(row.get('a'))\"}}";
    let mapped = "plugin: field_mapper, options: {mapping: {a: text}, strict: true}";
    let loosely = "plugin: field_mapper, options: {mapping: {a: text}}";
    let items = "plugin: json_explode, options: {array_field: list}";
    let columns = ", columns: [The Id, Note], field_mapping: {note: remark}";
    for (columns, step, field) in [
        ("", Some(computed), "Text"),
        ("", Some(mapped), "text"),
        ("", Some(items), "item"),
        ("", Some(items), "item_index"),
        (columns, None, "the_id"),
        (columns, None, "remark"),
    ] {
        assert_eq!(warned(columns, step, field), Vec::<&str>::new(), "{step:?} {field}");
    }
    for (columns, step, field) in [
        ("", None, "text"),
        ("", Some(loosely), "text"),
        ("", Some(items), "text"),
        (columns, None, "note"),
        (columns, Some(items), "the_id"),
    ] {
        assert_eq!(warned(columns, step, field), ["unseen-field"], "{step:?} {field}");
    }
}

#[test]
fn a_byte_order_mark_and_crlf_change_nothing() {
    let text = format!("\u{feff}{}", GATE.replace('\n', "\r\n"));
    assert_eq!(loaded(&text).config_hash, loaded(GATE).config_hash);
}

#[test]
fn anchors_and_merge_keys_save_writing() {
    let text = GATE.replace(
        "  high:\n    plugin: csv\n    options: {path: high.csv, schema: {mode: observed}}",
        "  high: &sink\n    plugin: csv\n    options: {path: high.csv, schema: {mode: observed}}",
    );
    let text = text.replace(
        "  low:\n    plugin: csv\n    options: {path: low.csv, schema: {mode: observed}}",
        "  low:\n    <<: *sink\n    options: {path: low.csv, schema: {mode: observed}}",
    );
    assert!(text.contains("<<: *sink"));
    assert_eq!(loaded(&text).config_hash, loaded(GATE).config_hash);
}

#[test]
fn one_file_under_two_names_is_found() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("real")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("real", folder.path().join("link")).unwrap();
    let with = |high: &str, low: &str| {
        let text = GATE
            .replace("path: high.csv", &format!("path: {high}"))
            .replace("path: low.csv", &format!("path: {low}"));
        match load_with(&text, &[], folder.path()) {
            Ok(loaded) => loaded.warnings.iter().map(|w| w.code).collect::<Vec<_>>(),
            Err(errors) => errors.iter().map(|e| e.code).collect(),
        }
    };
    let absolute = folder.path().join("real/x.csv").display().to_string();
    assert_eq!(with("real/x.csv", "real/y.csv"), Vec::<&str>::new());
    assert_eq!(with("real/x.csv", &absolute), ["same-file"]);
    assert_eq!(with("real/x.csv", "other/../real/./x.csv"), ["same-file"]);
    #[cfg(unix)]
    assert_eq!(with("real/x.csv", "link/x.csv"), ["same-file"]);
    #[cfg(target_os = "linux")]
    assert_eq!(with("real/x.csv", "real/X.csv"), ["similar-file"]);
    std::fs::write(folder.path().join("input.csv"), "id,amount\n").unwrap();
    assert_eq!(with("INPUT.csv", "./input.csv").last(), Some(&"same-file"));
}

#[test]
fn preflight_finds_what_validation_does_not_look_at() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("file"), "").unwrap();
    let text = GATE
        .replace("path: input.csv", &format!("path: {}", path("input.csv")))
        .replace("path: high.csv", &format!("path: {}", path("high.csv")))
        .replace("path: low.csv", &format!("path: {}", path("file/low.csv")));
    let found = preflight(&loaded(&text));
    let shown: Vec<String> = found.iter().map(|d| format!("{} {}", d.code, d.setting)).collect();
    assert_eq!(shown, ["unreadable-input source.options.path", "unwritable-output sinks.low.options.path"]);
    assert!(found.iter().all(|d| d.line.is_some()));
    let url = format!("url: sqlite:///{}\n    query: SELECT 1 AS id\n    key: id", path("input.db"));
    let database = text.replace("plugin: csv\n  on_success", "plugin: database\n  on_success");
    let found = preflight(&loaded(&database.replace(&format!("path: {}", path("input.csv")), &url)));
    assert_eq!(found[0].setting.to_string(), "source.options.url");
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["file"], "nothing was created");
}

/// What a run records of its settings is enough to go on with it: the same graph comes of it, and it would be recorded again.
#[test]
fn recorded_settings_give_the_same_pipeline_again() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut texts = vec![GATE.to_owned(), JOINED.to_owned()];
    for entry in std::fs::read_dir(examples).unwrap() {
        texts.extend(std::fs::read_to_string(entry.unwrap().path().join("settings.yaml")));
    }
    for text in texts {
        let written = loaded(&text);
        let environment = Environment::new(BTreeMap::new(), "/nonexistent");
        let again = load_recorded(&written.resolved, "recorded", &environment, &elspeth_plugins::builtin())
            .unwrap_or_else(|errors| panic!("{text}\n{errors:#?}"));
        assert_eq!(again.graph.topology_hash(), written.graph.topology_hash(), "{text}");
        assert_eq!((again.resolved, again.config_hash), (written.resolved, written.config_hash));
    }
}

#[test]
fn the_examples_are_valid() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut count = 0;
    for entry in std::fs::read_dir(examples).unwrap() {
        let file = entry.unwrap().path().join("settings.yaml");
        if let Ok(text) = std::fs::read_to_string(&file) {
            count += 1;
            if let Err(errors) = load(&text) {
                panic!("{}: {errors:#?}", file.display());
            }
        }
    }
    assert!(count >= 10, "only {count} examples");
}
