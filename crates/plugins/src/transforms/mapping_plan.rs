//! What becomes of the fields of one shape of rows; worked out once for each shape and then reused.

use std::sync::{Arc, PoisonError, RwLock};

use compact_str::CompactString;
use elspeth_contracts::{ErrorReason, FailureKind};
use elspeth_value::{Row, Shape, Value};

use super::field_mapper::Mapping;
use super::missing;

/// How many plans are kept; rows of one pipeline have few shapes.
const KEPT_PLANS: usize = 16;

/// The plans of one transform. Shared by all workers.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    kept: RwLock<Vec<Arc<Plan>>>,
}

/// For rows of one shape, of whose dotted sources the same ones are there.
#[derive(Debug)]
pub(crate) struct Plan {
    input: Arc<Shape>,
    present: Box<[bool]>,
    steps: Result<Steps, ErrorReason>,
}

/// How the output row is made.
#[derive(Debug)]
enum Steps {
    /// It is the input row.
    Same,
    /// It has the input's values under other names.
    Renamed(Arc<Shape>),
    /// It is put together.
    Rebuilt(Arc<Shape>, Vec<Origin>),
}

/// Where an output value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The input's field in that slot.
    Slot(usize),
    /// The dotted source with that number.
    Dotted(usize),
    /// The computed field with that number.
    Computed(usize),
}

/// Values that are not simply fields of the input row.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    /// One for each dotted source, if it is there.
    pub dotted: Vec<Option<Value>>,
    /// One for each computed field.
    pub computed: Vec<Value>,
}

/// What a plan makes of a row.
#[derive(Debug)]
pub(crate) enum Mapped {
    Same(Row),
    Changed(Row),
}

impl Plans {
    /// The plan for such rows.
    pub(crate) fn of(&self, mapping: &Mapping, shape: &Arc<Shape>, extras: &Extras) -> Arc<Plan> {
        let fits = |plan: &&Arc<Plan>| {
            Arc::ptr_eq(&plan.input, shape)
                && plan.present.iter().copied().eq(extras.dotted.iter().map(Option::is_some))
        };
        if let Some(plan) = self.kept.read().unwrap_or_else(PoisonError::into_inner).iter().find(fits) {
            return Arc::clone(plan);
        }
        let plan = Arc::new(Plan::new(mapping, shape, extras));
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_PLANS {
            kept.remove(0);
        }
        kept.push(Arc::clone(&plan));
        plan
    }
}

impl Plan {
    fn new(mapping: &Mapping, input: &Arc<Shape>, extras: &Extras) -> Self {
        let present: Box<[bool]> = extras.dotted.iter().map(Option::is_some).collect();
        let steps = fields(mapping, input, &present).and_then(|fields| steps(input, fields));
        Self { input: Arc::clone(input), present, steps }
    }

    /// Makes the output row.
    ///
    /// # Errors
    /// A strict source is missing, or two fields would have one name.
    pub(crate) fn apply(&self, row: Row, extras: Extras) -> Result<Mapped, ErrorReason> {
        match &self.steps {
            Err(reason) => Err(reason.clone()),
            Ok(Steps::Same) => Ok(Mapped::Same(row)),
            Ok(Steps::Renamed(shape)) => Ok(Mapped::Changed(Row::new(Arc::clone(shape), row.into_parts().1))),
            Ok(Steps::Rebuilt(shape, origins)) => {
                let (_, mut values) = row.into_parts();
                let Extras { mut dotted, mut computed } = extras;
                let output = origins
                    .iter()
                    .map(|origin| match *origin {
                        Origin::Slot(slot) => std::mem::take(&mut values[slot]),
                        Origin::Dotted(n) => dotted[n].take().unwrap_or_default(),
                        Origin::Computed(n) => std::mem::take(&mut computed[n]),
                    })
                    .collect();
                Ok(Mapped::Changed(Row::new(Arc::clone(shape), output)))
            }
        }
    }
}

type Field = (CompactString, Origin);

/// The output's fields: kept and renamed ones where they were, dotted and computed ones behind them.
fn fields(mapping: &Mapping, input: &Shape, present: &[bool]) -> Result<Vec<Field>, ErrorReason> {
    let mut fields: Vec<Field> = match mapping.select_only {
        true => Vec::new(),
        false => {
            input.names().iter().enumerate().map(|(slot, name)| (name.clone(), Origin::Slot(slot))).collect()
        }
    };
    let mut dotted = 0;
    for entry in &mapping.entries {
        if entry.path.is_some() {
            if present[dotted] {
                fields.push((entry.target.clone(), Origin::Dotted(dotted)));
            }
            dotted += 1;
            continue;
        }
        match input.slot(&entry.source) {
            None if mapping.strict => return Err(missing(&entry.source)),
            None => {}
            Some(slot) if mapping.select_only => fields.push((entry.target.clone(), Origin::Slot(slot))),
            Some(slot) => fields[slot].0 = entry.target.clone(),
        }
    }
    let computed = mapping.computed.iter().enumerate();
    fields.extend(computed.map(|(n, computed)| (computed.target.clone(), Origin::Computed(n))));
    Ok(fields)
}

fn steps(input: &Shape, fields: Vec<Field>) -> Result<Steps, ErrorReason> {
    for (n, (name, _)) in fields.iter().enumerate() {
        if fields[..n].iter().any(|(other, _)| other == name) {
            let message =
                format!("there is a field `{name}` already; rename that one too, or choose another name");
            return Err(ErrorReason::new(FailureKind::FieldCollision, message).on_field(name.as_str()));
        }
    }
    let in_place = fields.len() == input.names().len()
        && fields.iter().enumerate().all(|(n, (_, origin))| *origin == Origin::Slot(n));
    if in_place && fields.iter().zip(input.names()).all(|((name, _), old)| name == old) {
        return Ok(Steps::Same);
    }
    let (names, origins): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    let shape = Shape::new(names);
    Ok(if in_place { Steps::Renamed(shape) } else { Steps::Rebuilt(shape, origins) })
}
