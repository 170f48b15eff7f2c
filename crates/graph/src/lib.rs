//! The execution graph: builder, validation, topology hash.

mod builder;
mod error;
mod model;
mod render;
/// The declaration that a graph is built of.
pub mod spec;
mod suggest;

pub use builder::BuildResult;
pub use error::{GraphError, GraphWarning};
pub use model::{Destination, Edge, ExecutionGraph, GateRoute, Node, NodeSpec};
pub use spec::{GraphSpec, SettingPath};
pub use suggest::{advise, nearest};
