//! What the generator knows of the fields of rows on a connection, so that what it makes is valid.

use crate::choices::Choices;
use crate::expression::{Condition, Term};
use crate::pipeline::SourceSchema;

/// What a field holds when all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    Int,
    Text,
    List,
    /// How often to copy the row.
    Copies,
    Anything,
}

/// The fields that rows can have.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) fields: Vec<(String, Holds)>,
}

/// Texts of the field `s`.
pub(crate) const TEXTS: [&str; 6] = ["plain", "", "a", "a bad word", "überlanger Text", "日本語テキスト"];

/// Texts of the field `g`.
pub(crate) const GROUPS: [&str; 3] = ["a", "b", "c"];

impl Scope {
    /// The fields of the source.
    pub(crate) fn of_source() -> Self {
        let fields = [
            ("id", Holds::Int),
            ("n", Holds::Int),
            ("s", Holds::Text),
            ("opt", Holds::Int),
            ("g", Holds::Text),
            ("items", Holds::List),
            ("c", Holds::Copies),
            ("one", Holds::Copies),
        ];
        Self { fields: fields.map(|(name, holds)| (name.to_owned(), holds)).to_vec() }
    }

    /// The `schema` of the source.
    pub(crate) fn source_schema(schema: SourceSchema) -> &'static str {
        match schema {
            SourceSchema::Flexible => r#"{mode: flexible, fields: ["id: int", "n: int"]}"#,
            SourceSchema::Observed => "{mode: observed}",
            SourceSchema::Fixed => {
                r#"{mode: fixed, fields: ["id: int", "n: int", "s: str?", "opt: int?", "g: str?", "items: any?", "c: any?", "one: any?"]}"#
            }
        }
    }

    /// Names of the fields that hold such a thing.
    pub(crate) fn names(&self, holds: Holds) -> Vec<&str> {
        self.fields.iter().filter(|(_, h)| *h == holds).map(|(name, _)| name.as_str()).collect()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| field == name)
    }

    pub(crate) fn with(mut self, name: &str, holds: Holds) -> Self {
        self.fields.push((name.to_owned(), holds));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(field, _)| field != name);
        self
    }

    /// Fields that all of them have; of what they hold, only what they agree on.
    pub(crate) fn common(scopes: &[Self]) -> Self {
        let (first, others) = scopes.split_first().unwrap();
        let fields = first.fields.iter().filter(|(name, _)| others.iter().all(|other| other.has(name)));
        let fields = fields.map(|(name, holds)| {
            let agreed = others.iter().all(|other| other.fields.contains(&(name.clone(), *holds)));
            (name.clone(), if agreed { *holds } else { Holds::Anything })
        });
        Self { fields: fields.collect() }
    }

    /// A condition on these fields, and the labels that it can give; the last one may be left without a route if the
    /// condition's result is not a truth value.
    pub(crate) fn condition(&self, choices: &mut Choices) -> (Condition, Vec<String>, bool) {
        let (ints, texts, lists) = (self.names(Holds::Int), self.names(Holds::Text), self.names(Holds::List));
        let truths = vec!["true".to_owned(), "false".to_owned()];
        let mut pick = |of: &[&str]| choices.one(of).to_owned();
        let can = |of: &[&str], weight| if of.is_empty() { 0 } else { weight };
        let all: Vec<&str> = self.fields.iter().map(|(name, _)| name.as_str()).collect();
        let fields = [pick_or(&ints, &mut pick), pick_or(&texts, &mut pick), pick_or(&lists, &mut pick)];
        let [int, text, list] = fields;
        let weights = [
            can(&ints, 4),
            can(&all, 2),
            can(&texts, 2),
            can(&ints, 1),
            can(&ints, 2),
            can(&texts, 2),
            can(&texts, 1),
            can(&lists, 1),
            usize::from(all.is_empty()),
        ];
        let condition = match choices.weighted(&weights) {
            0 => Condition::Above { field: int, than: choices.within(0, 4) },
            1 => Condition::Has { field: choices.one(&all).to_owned() },
            2 => Condition::Is { field: text, text: choices.one(&TEXTS[..4]) },
            3 => Condition::Divides { field: int },
            4 => {
                let by = choices.within(2, 3);
                let labels = (0..by).map(|label| label.to_string()).collect();
                return (Condition::Remainder { field: int, by }, labels, true);
            }
            5 => {
                let labels = GROUPS.map(str::to_owned).to_vec();
                return (Condition::Label { field: text }, labels, true);
            }
            6 => Condition::Longer { field: text, than: choices.within(0, 6) },
            7 => Condition::Longer { field: list, than: choices.within(0, 2) },
            _ => Condition::Always,
        };
        (condition, truths, false)
    }

    /// Something to compute from these fields.
    pub(crate) fn term(&self, choices: &mut Choices) -> Option<Term> {
        let ints = self.names(Holds::Int);
        let sized = [self.names(Holds::Text), self.names(Holds::List)].concat();
        let weights = [ints.len().min(1) * 3, ints.len().min(1), sized.len().min(1) * 2];
        if weights.iter().sum::<usize>() == 0 {
            return None;
        }
        Some(match choices.weighted(&weights) {
            0 => Term::Minus { field: choices.one(&ints).to_owned(), less: choices.within(0, 3) },
            1 => Term::Share { field: choices.one(&ints).to_owned() },
            _ => Term::Length { field: choices.one(&sized).to_owned() },
        })
    }
}

fn pick_or(of: &[&str], pick: &mut impl FnMut(&[&str]) -> String) -> String {
    if of.is_empty() { String::new() } else { pick(of) }
}
