//! One file for each table, or pair of tables of one shape: how its records are written and read back.

mod artifacts;
mod calls;
mod edges;
mod epochs;
mod intents;
mod node_states;
mod nodes;
mod operations;
mod routing_events;
mod rows;
mod runs;
mod state_contexts;
mod token_outcomes;
mod token_parents;
mod tokens;
mod transform_errors;
mod validation_errors;

pub(crate) use artifacts::Artifacts;
pub(crate) use calls::Calls;
pub(crate) use edges::Edges;
pub(crate) use epochs::{Epochs, Staged};
pub(crate) use intents::Intents;
pub(crate) use node_states::{NodeStates, SinkStates};
pub(crate) use nodes::Nodes;
pub(crate) use operations::Operations;
pub(crate) use routing_events::RoutingEvents;
pub(crate) use rows::Rows;
pub(crate) use runs::Runs;
pub(crate) use state_contexts::StateContexts;
pub(crate) use token_outcomes::TokenOutcomes;
pub(crate) use token_parents::TokenParents;
pub(crate) use tokens::Tokens;
pub(crate) use transform_errors::TransformErrors;
pub(crate) use validation_errors::ValidationErrors;
