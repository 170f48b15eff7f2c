use elspeth_contracts::{ErrorReason, RunId};
use elspeth_value::{Contract, Row};

use crate::OptionError;

/// Many rows in, any number out. Members are streamed: a batch may be larger than memory.
///
/// Shared by all workers; runs on a worker's own thread, where it may block. An `Err` is the failure of the whole batch:
/// every member goes to the aggregation's `on_error`; mark it [`ErrorReason::retryable`] when another attempt could help. A
/// panic counts as an error. What was emitted and quarantined before an error counts for nothing.
///
/// In output mode `passthrough` the i-th output belongs to the i-th member that was not quarantined.
pub trait BatchTransform: Send + Sync {
    /// What it needs of its members.
    fn input_contract(&self) -> Contract {
        Contract::observed()
    }

    /// What goes out when rows of `input` come in.
    ///
    /// # Errors
    /// Every option by which such rows cannot be worked on (a value field that `input` cannot have).
    fn output_contract(&self, input: &Contract) -> Result<Contract, Vec<OptionError>>;

    /// Whether each member can become a row of its own, which output mode `passthrough` asks for. Where it cannot, settings
    /// with that mode are refused.
    fn passes_members(&self) -> bool {
        true
    }

    /// Reads the members once, in order, and gives outputs to `out`.
    ///
    /// # Errors
    /// The batch's failure.
    fn process(
        &self,
        members: &mut dyn Iterator<Item = Row>,
        context: &BatchContext<'_>,
        out: &mut dyn BatchOutput,
    ) -> Result<(), ErrorReason>;
}

/// Takes what a batch transform makes of a batch.
pub trait BatchOutput {
    /// The next output. Must hold only values that have a canonical form.
    fn emit(&mut self, row: Row);

    /// Takes one member out of the batch, by its position in it, from 0; each at most once. It alone goes to the
    /// aggregation's `on_error`, with this reason.
    fn quarantine(&mut self, member: u64, reason: ErrorReason);
}

/// For which batch a batch transform works.
#[derive(Debug, Clone, Copy)]
pub struct BatchContext<'a> {
    /// The run.
    pub run_id: RunId,
    /// The batch's number in the run.
    pub batch_no: u64,
    /// The node's name.
    pub node: &'a str,
    /// Which attempt, from 0.
    pub attempt: u8,
}
