//! Tokens, epochs and the walk of a row through the graph.
