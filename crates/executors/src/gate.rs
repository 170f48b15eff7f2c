use elspeth_contracts::{ErrorReason, FailureKind};
use elspeth_expr::{Expr, Scope};
use elspeth_graph::{GateRoute, RouteTo};
use elspeth_value::{Row, Value};

use crate::{Scratch, StepExecutor, Verdict, Visit, caught};

/// Evaluates a gate's condition and goes where its label leads.
#[derive(Debug)]
pub struct GateExecutor {
    condition: Expr,
    routes: Vec<GateRoute>,
    on_true: Option<RouteTo>,
    on_false: Option<RouteTo>,
}

impl GateExecutor {
    /// An executor for that condition and those routes.
    #[must_use]
    pub fn new(condition: Expr, routes: Vec<GateRoute>) -> Self {
        let on = |label| routes.iter().find(|r| r.label == label).map(|r| r.to);
        let (on_true, on_false) = (on("true"), on("false"));
        Self { condition, routes, on_true, on_false }
    }

    fn choose(&self, row: &Row) -> Result<RouteTo, ErrorReason> {
        let result = self.condition.eval(Scope::Row(row)).map_err(|e| {
            ErrorReason::new(FailureKind::GateError, format!("`{}`: {e}", self.condition.text()))
        })?;
        let to = match &result {
            Value::Bool(true) => self.on_true,
            Value::Bool(false) => self.on_false,
            other => self.labelled(&Expr::label(other)),
        };
        to.ok_or_else(|| self.unknown_label(&result))
    }

    fn labelled(&self, label: &str) -> Option<RouteTo> {
        self.routes.iter().find(|r| r.label == label).map(|r| r.to)
    }

    fn unknown_label(&self, result: &Value) -> ErrorReason {
        let known: Vec<_> = self.routes.iter().map(|r| format!("`{}`", r.label)).collect();
        let label: String = Expr::label(result).chars().take(64).collect();
        let message = format!(
            "`{}` gave `{label}`, which is no route; routes are {}",
            self.condition.text(),
            known.join(", ")
        );
        ErrorReason::new(FailureKind::UnknownLabel, message)
    }
}

impl StepExecutor for GateExecutor {
    fn execute(&self, row: Row, _visit: &Visit<'_>, _scratch: &mut Scratch) -> Verdict {
        // A panic of the expression is the row's failure, like any other of it.
        match caught("gate", || self.choose(&row)).and_then(|chosen| chosen) {
            Ok(RouteTo::Edge(edge)) => Verdict::Forward { row, output_hash: None, edge, decided: true },
            Ok(RouteTo::Fork) => Verdict::Fork { row },
            Err(reason) => Verdict::Failed { row, reason },
        }
    }
}
