//! The `schema:` mapping: its forms, and one clear error for each mistake.

use elspeth_value::{Contract, FieldType, SchemaMode};
use serde_json::{Value as Json, json};

#[test]
fn fields_are_written_in_four_forms() {
    let contract = Contract::from_settings(&json!({"mode": "flexible", "fields": [
        "id: int", " note :str ?", {"score": "float?"}, {"name": "ok", "type": "bool", "required": false},
        {"name": "at", "type": "datetime?"}, {"name": "any"}, {"type": "str"}, "CustomerID: decimal", "f\u{fc}r: date"
    ]}));
    let contract = contract.unwrap();
    let fields: Vec<_> = contract.fields.iter().map(|f| (f.name.as_str(), f.ty, f.required)).collect();
    assert_eq!(
        fields,
        [
            ("id", FieldType::Int, true),
            ("note", FieldType::Str, false),
            ("score", FieldType::Float, false),
            ("ok", FieldType::Bool, false),
            ("at", FieldType::Datetime, false),
            ("name", FieldType::Any, true),
            ("type", FieldType::Str, true),
            ("CustomerID", FieldType::Decimal, true),
            ("f\u{fc}r", FieldType::Date, true),
        ]
    );
}

#[test]
fn lists_of_names_may_be_absent_null_or_empty() {
    let contract = Contract::from_settings(&json!({
        "mode": "observed", "fields": [], "guaranteed_fields": [" a ", "b"], "required_fields": null, "audit_fields": []
    }));
    let contract = contract.unwrap();
    assert_eq!(contract.mode, SchemaMode::Observed);
    assert_eq!(contract.guaranteed_fields, ["a", "b"]);
    assert!(contract.required_fields.is_empty() && contract.audit_fields.is_empty());
}

/// Mapping, index of the field that is wrong, a part of the message, a part of the advice.
struct Mistake(Json, Option<usize>, &'static str, &'static str);

fn mistakes() -> Vec<Mistake> {
    let fixed = |fields: Json| json!({"mode": "fixed", "fields": fields});
    vec![
        Mistake(json!([]), None, "is a mapping", "{mode: observed}"),
        Mistake(json!("observed"), None, "is a mapping", "{mode: observed}"),
        Mistake(json!({}), None, "needs a `mode`", "fixed (exactly"),
        Mistake(json!({"mode": "exact"}), None, "`exact` is no schema mode", "flexible (at least"),
        Mistake(json!({"mode": "strict"}), None, "`strict`", "write fixed"),
        Mistake(json!({"mode": "free"}), None, "`free`", "write flexible"),
        Mistake(json!({"mode": "dynamic"}), None, "`dynamic`", "write observed"),
        Mistake(json!({"mode": true}), None, "`true` is no schema mode", "fixed"),
        Mistake(json!({"mode": "fixed"}), None, "needs `fields`", "mode: observed"),
        Mistake(fixed(json!([])), None, "needs `fields`", "list the fields"),
        Mistake(json!({"mode": "flexible", "fields": null}), None, "needs `fields`", "mode: observed"),
        Mistake(
            json!({"mode": "observed", "fields": ["a: int"]}),
            None,
            "declares no `fields`",
            "mode: flexible",
        ),
        Mistake(fixed(json!({"id": "int"})), None, "`fields` is a list", "name: type"),
        Mistake(fixed(json!(["id"])), Some(0), "no type", "name: type"),
        Mistake(fixed(json!(["a: int", "id: integer"])), Some(1), "`integer`", "write int"),
        Mistake(fixed(json!(["id: string"])), Some(0), "`string`", "write str"),
        Mistake(fixed(json!(["id: uuid"])), Some(0), "`uuid`", "types are str, int"),
        Mistake(fixed(json!(["id: int??"])), Some(0), "`int?`", "types are"),
        Mistake(fixed(json!(["id: int", {"id": "str"}])), Some(1), "`id` is here twice", "rename"),
        Mistake(fixed(json!(["First Name: str"])), Some(0), "`First Name` cannot be", "write `first_name`"),
        Mistake(fixed(json!(["1st: str"])), Some(0), "`1st` cannot be", "write `_1st`"),
        Mistake(fixed(json!([": str"])), Some(0), "needs a name", "name: type"),
        Mistake(fixed(json!([7])), Some(0), "text or a mapping", "name: type"),
        Mistake(fixed(json!([{"a": "int", "b": "int"}])), Some(0), "this is no field", "name: type"),
        Mistake(fixed(json!([{"a": 1}])), Some(0), "this is no field", "name: type"),
        Mistake(fixed(json!([{}])), Some(0), "this is no field", "name: type"),
        Mistake(
            fixed(json!([{"name": "a", "type": "int", "need": 1}])),
            Some(0),
            "no key `need`",
            "name, type, required",
        ),
        Mistake(fixed(json!([{"name": "a", "type": 1}])), Some(0), "are text", "name: type"),
        Mistake(
            fixed(json!([{"name": "a", "type": "int", "required": "yes"}])),
            Some(0),
            "true or false",
            "required",
        ),
        Mistake(
            fixed(json!([{"name": "a", "type": "int?", "required": true}])),
            Some(0),
            "both optional",
            "one of them",
        ),
        Mistake(json!({"mode": "observed", "field": []}), None, "no key `field`", "mode, fields"),
        Mistake(
            json!({"mode": "observed", "required_fields": "id"}),
            None,
            "list of field names",
            "required_fields: [id",
        ),
        Mistake(
            json!({"mode": "observed", "audit_fields": [1]}),
            None,
            "list of field names",
            "audit_fields: [id",
        ),
        Mistake(json!({"mode": "observed", "required_fields": ["a", "a"]}), None, "`a` twice", "remove one"),
        Mistake(json!({"mode": "observed", "guaranteed_fields": ["a b"]}), None, "`a b`", "write `a_b`"),
        Mistake(
            json!({"mode": "fixed", "fields": ["a: int"], "audit_fields": ["b"]}),
            None,
            "not among",
            "declare it",
        ),
    ]
}

#[test]
fn each_mistake_has_its_own_message_and_advice() {
    for Mistake(schema, index, message, help) in mistakes() {
        let error = Contract::from_settings(&schema).expect_err(&schema.to_string());
        assert_eq!(error.field_index, index, "{schema}");
        assert!(error.message.contains(message), "{schema}: {}", error.message);
        assert!(error.help.contains(help), "{schema}: {}", error.help);
    }
}

#[test]
fn contracts_are_stored_and_read_back() {
    let schema =
        json!({"mode": "flexible", "fields": ["a: int", "b: datetime?"], "guaranteed_fields": ["g"]});
    let contract = Contract::from_settings(&schema).unwrap();
    let stored = serde_json::to_value(&contract).unwrap();
    assert_eq!(serde_json::from_value::<Contract>(stored.clone()).unwrap(), contract);
    assert_eq!(
        Contract::from_settings(&stored).unwrap(),
        contract,
        "what is stored can be written in settings too"
    );
}
