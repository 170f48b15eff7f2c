//! Graphs from declarations: what is refused, what is built, how it is drawn.

mod joins;
mod pictures;
mod pipelines;
mod wiring;
