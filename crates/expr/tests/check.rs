//! What is known of an expression before any row flows.

use elspeth_expr::{Expr, ExprError, ExprType, Root, Scope};
use elspeth_value::{Contract, FieldSpec, FieldType, Row, SchemaMode, Shape, Value};
use time::macros::{date, datetime};

const FIELDS: [(&str, FieldType); 8] = [
    ("name", FieldType::Str),
    ("amount", FieldType::Int),
    ("score", FieldType::Float),
    ("active", FieldType::Bool),
    ("anything", FieldType::Any),
    ("at", FieldType::Datetime),
    ("day", FieldType::Date),
    ("price", FieldType::Decimal),
];

/// Every type once as required, and once as optional with `opt_` before its name.
fn contract(mode: SchemaMode) -> Contract {
    let required =
        FIELDS.iter().map(|(name, ty)| FieldSpec { name: (*name).into(), ty: *ty, required: true });
    let optional = FIELDS.iter().map(|(name, ty)| FieldSpec {
        name: format!("opt_{name}").into(),
        ty: *ty,
        required: false,
    });
    Contract { mode, fields: required.chain(optional).collect(), ..Contract::observed() }
}

fn check(text: &str) -> Result<ExprType, Vec<ExprError>> {
    Expr::parse(text, Root::Row)
        .unwrap_or_else(|e| panic!("{text}: {e:?}"))
        .check(&contract(SchemaMode::Fixed))
}

/// The errors, each as the part of the text, the message and the advice.
fn complaints(text: &str) -> Vec<String> {
    let errors = check(text).expect_err(text);
    let line = |e: &ExprError| {
        let help = e.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{}: {}{help}", &text[e.span.start..e.span.end], e.message)
    };
    errors.iter().map(line).collect()
}

/// What is never computed for any row is no error, as in Python.
#[test]
fn what_no_row_comes_to_is_not_judged() {
    for text in [
        "row.get('nowhere') is not None and row.get('nowhere') > 5",
        "'nowhere' in row and row['nowhere'] > 5",
        "not ('nowhere' in row and row['nowhere'] > 5)",
        "row.get('nowhere') is None or row['nowhere'] > 5",
        "'nowhere' not in row or row['nowhere'] > 5",
        "row['nowhere'] > 5 if 'nowhere' in row else False",
        "True if not row.get('nowhere') else row['nowhere'] > 5",
        "row['amount'] is not None or row['nowhere'] > 5",
        "'amount' in row or row['nowhere'] > 5",
    ] {
        assert_eq!(check(text), Ok(ExprType::Bool), "{text}");
    }
    assert_eq!(check("row.get('nowhere') and row.get('nowhere') > 5"), Ok(ExprType::Null));
    for text in [
        "row.get('opt_amount') is not None and row['nowhere'] > 5",
        "'opt_amount' in row and row['nowhere'] > 5",
        "'amount' in row and row['nowhere'] > 5",
        "row.get('nowhere') is None and row['nowhere'] > 5",
        "row['active'] or row['nowhere'] > 5",
    ] {
        assert_eq!(complaints(text).len(), 1, "{text} is computed for some rows");
    }
}

/// Looked at again at each level, this would take as long as the age of the earth.
#[test]
fn deep_conditions_are_judged_once() {
    let nested = (0..30).fold("row['active']".to_owned(), |inner, _| format!("not ({inner}) and True"));
    let is_none =
        (0..30).fold("row['active']".to_owned(), |inner, _| format!("(({inner}) is None) and True"));
    for text in [nested, is_none] {
        match Expr::parse(&text, Root::Row) {
            Ok(parsed) => assert_eq!(parsed.check(&contract(SchemaMode::Fixed)), Ok(ExprType::Bool)),
            Err(error) => panic!("{text}: {error:?}"),
        }
    }
}

#[test]
fn results_have_types() {
    use ExprType::{Bool, Float, Int, List, Map, Null, Str, Unknown};
    let types = [
        ("row['name']", Str),
        ("row['amount']", Int),
        ("row['score']", Float),
        ("row['active']", Bool),
        ("row['anything']", Unknown),
        ("row['price']", Unknown),
        ("row['opt_amount']", Unknown),
        ("row.get('amount')", Int),
        ("row.get('amount', 'x')", Int),
        ("row.get('opt_amount', 0)", Unknown),
        ("row.get('opt_amount') or 0", Int),
        ("row.get('nowhere')", Null),
        ("row.get('nowhere', 'x')", Str),
        ("row.get('nowhere', row['amount'])", Int),
        ("row['amount'] > 5", Bool),
        ("row['opt_amount'] > 5", Bool),
        ("0 < row['amount'] < row['score']", Bool),
        ("row['name'] == 5", Bool),
        ("row['opt_name'] is None", Bool),
        ("'a' in row['name']", Bool),
        ("'name' in row", Bool),
        ("not row['name']", Bool),
        ("row['active'] and row['amount'] > 5", Bool),
        ("row['name'] and row['amount'] > 5", Unknown),
        ("row['name'] or 'none'", Str),
        ("row['opt_name'] or 'none'", Str),
        ("None or row['active']", Bool),
        ("'high' if row['amount'] > 5 else 'low'", Str),
        ("1 if row['active'] else 2.0", Unknown),
        ("1 if row['active'] else 2", Int),
        ("row['amount'] + 1", Int),
        ("row['amount'] + row['active']", Int),
        ("row['amount'] + 1.0", Float),
        ("row['amount'] / 2", Float),
        ("row['amount'] // 2", Int),
        ("row['score'] // 2", Float),
        ("-row['active']", Int),
        ("-row['score']", Float),
        ("row['name'] + 'x'", Str),
        ("row['name'] * 2", Str),
        ("2 * [row['name']]", List),
        ("row['name'][0]", Str),
        ("(row['name'], 1)", List),
        ("{row['name'], 1}", List),
        ("[row['name']][0]", Unknown),
        ("{'a': row['name']}", Map),
        ("row", Map),
        ("str(row['anything'])", Str),
        ("int(row['name'])", Int),
        ("float(row['anything'])", Float),
        ("bool(row['anything'])", Bool),
        ("len(row['name'])", Int),
        ("abs(row['active'])", Int),
        ("abs(row['score'])", Float),
        ("row['anything']['a'][0].get('b')", Unknown),
        ("row['opt_name'] is not None and len(row['opt_name']) > 3", Bool),
        ("row['day'] > '2024-01-01'", Bool),
        ("row['at'] > '2024-01-01T00:00:00Z'", Bool),
        ("row['price'] > 5", Bool),
        ("None", Null),
        ("'x' * 100000", Str),
    ];
    for (text, expected) in types {
        assert_eq!(check(text), Ok(expected), "{text}");
    }
}

#[test]
fn certain_failures_are_errors() {
    let cases = [
        (
            "row['name'] > 5",
            "row['name'] > 5: `>` cannot order str and int (compare text with text, or convert with int() or float())",
        ),
        (
            "row['opt_name'] > 5",
            "row['opt_name'] > 5: `>` cannot order str or None and int (compare text with text, or convert with int() or float())",
        ),
        (
            "row['active'] < 'x'",
            "row['active'] < 'x': `<` cannot order bool and str (compare text with text, or convert with int() or float())",
        ),
        ("row['amount'] < None", "row['amount'] < None: `<` cannot order int and None"),
        (
            "1 < row['amount'] < row['name']",
            "row['amount'] < row['name']: `<` cannot order int and str (compare text with text, or convert with int() or float())",
        ),
        ("row['day'] < row['at']", "row['day'] < row['at']: `<` cannot order date and datetime"),
        ("row['day'] < 'soon'", "'soon': this text is not a date (write it like '2024-01-31')"),
        (
            "row['opt_day'] == '31.01.2024'",
            "'31.01.2024': this text is not a date (write it like '2024-01-31')",
        ),
        ("'now' <= row['at']", "'now': this text is not a datetime (write it like '2024-01-31T12:00:00Z')"),
        ("len(row['amount'])", "len(row['amount']): len() does not take int"),
        ("len(row['opt_amount'])", "len(row['opt_amount']): len() does not take int or None"),
        ("abs(row['name'])", "abs(row['name']): abs() does not take str"),
        ("int(row['day'])", "int(row['day']): int() does not take date"),
        (
            "row['name'] + 1",
            "row['name'] + 1: `+` does not work on str and int (text joins with text, convert with str())",
        ),
        ("row['amount'] + None", "row['amount'] + None: `+` does not work on int and None"),
        ("row['name'] - 'x'", "row['name'] - 'x': `-` does not work on str and str"),
        (
            "row['name'] % 5",
            "row['name'] % 5: `%` does not work on str and int (formatting of text is not available, join with `+` and str())",
        ),
        (
            "row['price'] * 1.5",
            "row['price'] * 1.5: `*` does not work on decimal and float (convert the decimal with float())",
        ),
        ("row['amount'] / 0", "row['amount'] / 0: `/` by zero"),
        ("row['anything'] % 0", "row['anything'] % 0: `%` by zero"),
        ("1 / 0", "1 / 0: `/` by zero"),
        ("row['active'] and 1 // 0.0", "1 // 0.0: `//` by zero"),
        (
            "'x' * 10000000",
            "'x' * 10000000: the result is too large: one evaluation builds at most 1 MiB of text and lists",
        ),
        ("int('x') > row['amount']", "int('x'): int() cannot read 'x' as a whole number"),
        ("{'a': 1}['b']", "{'a': 1}['b']: the dict has no key 'b'; there are: a"),
        ("-row['name']", "-row['name']: `-` needs a number, not str"),
        ("row['amount'][0]", "row['amount'][0]: int has no items to take by int"),
        ("row['name']['x']", "row['name']['x']: str has no items to take by str"),
        ("row['name'].get('x')", "row['name'].get('x'): str has no .get(), only a row or a dict has"),
        (
            "5 in row['name']",
            "5 in row['name']: `in` cannot look for int in str (`in` looks for text in text, or for a value in a list, tuple, set or dict)",
        ),
        (
            "5 not in row['amount']",
            "5 not in row['amount']: `not in` cannot look for int in int (`in` looks for text in text, or for a value in a list, tuple, set or dict)",
        ),
        (
            "[1] in {'a': row['amount']}",
            "[1] in {'a': row['amount']}: `in` cannot look for list in dict (`in` looks for text in text, or for a value in a list, tuple, set or dict)",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(complaints(text), [expected], "{text}");
    }
}

#[test]
fn all_errors_are_reported_in_the_order_of_the_text() {
    assert_eq!(
        complaints("len(row['amount']) > 3 and (row['nmae'] == 'x' or 1 / 0 > -row['name'])"),
        [
            "len(row['amount']): len() does not take int".to_owned(),
            "row['nmae']: the rows have no field 'nmae' (did you mean row['name']? there are: name, amount, score, \
             active, anything, at, day, price, opt_name, opt_amount, opt_score, opt_active, opt_anything, opt_at, \
             opt_day, opt_price)"
                .to_owned(),
            "1 / 0: `/` by zero".to_owned(),
            "-row['name']: `-` needs a number, not str".to_owned(),
        ]
    );
}

#[test]
fn one_mistake_is_one_error() {
    assert_eq!(complaints("(row['name'] - 1) * 2 + len(row['name'] - 1) < 5").len(), 2);
    assert_eq!(complaints("str(row['nowhere'] + 'x')").len(), 1);
}

#[test]
fn a_fixed_contract_has_its_fields_only() {
    let with = |mode: SchemaMode, text: &str| Expr::parse(text, Root::Row).unwrap().check(&contract(mode));
    let error = |text: &str| with(SchemaMode::Fixed, text).expect_err(text).remove(0);
    assert!(error("row['Amount'] > 5").help.unwrap().starts_with("did you mean row['amount']?"));
    assert!(error("row['zzzzzz']").help.unwrap().starts_with("there are: name, amount,"));
    for open in [SchemaMode::Flexible, SchemaMode::Observed] {
        assert_eq!(with(open, "row['Amount']"), Ok(ExprType::Unknown));
        assert_eq!(with(open, "row['Amount'] > 5"), Ok(ExprType::Bool));
        assert_eq!(with(open, "row.get('Amount', 5)"), Ok(ExprType::Unknown));
        assert!(with(open, "row['name'] > 5").is_err());
    }
    let empty = Contract { mode: SchemaMode::Fixed, ..Contract::observed() };
    let error = Expr::parse("row['a']", Root::Row).unwrap().check(&empty).unwrap_err().remove(0);
    assert_eq!(error.help.as_deref(), Some("there are none"));
}

#[test]
fn promised_fields_exist_without_a_type() {
    let promised = Contract {
        mode: SchemaMode::Fixed,
        guaranteed_fields: vec!["extra".into()],
        audit_fields: vec!["trace".into()],
        ..Contract::observed()
    };
    let check = |text: &str| Expr::parse(text, Root::Row).unwrap().check(&promised);
    assert_eq!(check("row['extra']"), Ok(ExprType::Unknown));
    assert_eq!(check("row['trace'] > 5"), Ok(ExprType::Bool));
    assert_eq!(
        check("row['extr']").unwrap_err()[0].help.as_deref(),
        Some("did you mean row['extra']? there are: extra, trace")
    );
}

#[test]
fn triggers_know_their_two_fields() {
    let check = |text: &str| Expr::parse(text, Root::Trigger).unwrap().check(&contract(SchemaMode::Fixed));
    assert_eq!(check("row['batch_count']"), Ok(ExprType::Int));
    assert_eq!(check("row['batch_age_seconds']"), Ok(ExprType::Float));
    assert_eq!(check("row.get('batch_count', 'x')"), Ok(ExprType::Int));
    assert_eq!(check("row['batch_count'] >= 100 or row['batch_age_seconds'] > 60"), Ok(ExprType::Bool));
    assert!(check("row['batch_count'] >= '100'").is_err());
}

#[test]
fn commencement_names_are_not_known_before_they_are_given() {
    let check =
        |text: &str| Expr::parse(text, Root::Commencement).unwrap().check(&contract(SchemaMode::Fixed));
    assert_eq!(check("env['CI']"), Ok(ExprType::Unknown));
    assert_eq!(check("collections['a'] > 5 and env['CI'] == 'x'"), Ok(ExprType::Bool));
    assert!(check("len(env) > 'x'").is_err());
}

/// One text for a value of each type; none of them makes an operation fail by its value.
const SAMPLES: [&str; 13] = [
    "row['name']",
    "row['amount']",
    "row['score']",
    "row['active']",
    "row['at']",
    "row['day']",
    "row['price']",
    "row['number']",
    "None",
    "[row['amount']]",
    "(row['amount'],)",
    "{row['amount']}",
    "{'a': row['amount']}",
];

fn sample() -> (Contract, Row) {
    let fields = [
        ("name", FieldType::Str, Value::Str("2024-01-31".into())),
        ("number", FieldType::Str, Value::Str("7".into())),
        ("amount", FieldType::Int, Value::Int(2)),
        ("score", FieldType::Float, Value::Float(2.5)),
        ("active", FieldType::Bool, Value::Bool(true)),
        ("at", FieldType::Datetime, Value::DateTime(datetime!(2024-01-31 12:00 UTC))),
        ("day", FieldType::Date, Value::Date(date!(2024 - 01 - 31))),
        ("price", FieldType::Decimal, Value::Decimal("1.5".parse().expect("a decimal"))),
    ];
    let specs =
        fields.iter().map(|(name, ty, _)| FieldSpec { name: (*name).into(), ty: *ty, required: true });
    let contract = Contract { mode: SchemaMode::Fixed, fields: specs.collect(), ..Contract::observed() };
    let shape = Shape::new(fields.iter().map(|(name, ..)| (*name).into()));
    (contract, Row::new(shape, fields.into_iter().map(|(.., value)| value).collect()))
}

fn type_of(value: &Value) -> ExprType {
    match value {
        Value::Null => ExprType::Null,
        Value::Bool(_) => ExprType::Bool,
        Value::Int(_) => ExprType::Int,
        Value::Float(_) => ExprType::Float,
        Value::Str(_) => ExprType::Str,
        Value::List(_) => ExprType::List,
        Value::Map(_) => ExprType::Map,
        Value::Decimal(_) | Value::Date(_) | Value::DateTime(_) | Value::Bytes(_) => ExprType::Unknown,
    }
}

/// Whether the failure is the value's, which no check can foresee.
fn is_of_value(message: &str) -> bool {
    ["cannot read", "out of range", "has no key", "compares with text like"]
        .iter()
        .any(|words| message.contains(words))
}

fn agrees(text: &str, contract: &Contract, row: &Row) -> bool {
    let expr = Expr::parse(text, Root::Row).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    match (expr.check(contract), expr.eval(Scope::Row(row))) {
        (Ok(known), Ok(value)) => known == ExprType::Unknown || known == type_of(&value),
        (Ok(_), Err(error)) => is_of_value(&error.message),
        (Err(_), Ok(_)) => false,
        (Err(_), Err(_)) => true,
    }
}

#[test]
fn the_check_foresees_exactly_the_type_errors_of_evaluation() {
    let (contract, row) = sample();
    let operators =
        ["+", "-", "*", "/", "//", "%", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"];
    let mut texts = Vec::new();
    for left in SAMPLES {
        texts.extend(
            ["str", "int", "float", "bool", "abs", "len"].map(|function| format!("{function}({left})")),
        );
        texts.extend(["-", "+", "not "].map(|operator| format!("{operator}{left}")));
        texts.push(format!("{left}.get('a')"));
        for right in SAMPLES {
            texts.extend(operators.map(|operator| format!("{left} {operator} {right}")));
            texts.push(format!("{left}[{right}]"));
        }
    }
    let wrong: Vec<&String> = texts.iter().filter(|text| !agrees(text, &contract, &row)).collect();
    assert!(texts.len() > 2500);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
