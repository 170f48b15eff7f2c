//! The execution graph: builder, validation, topology hash.

mod model;

pub use model::{Destination, Edge, ExecutionGraph, GateRoute, Node, NodeSpec};
