//! The view on lineages of real runs.

mod chance;
mod drawing;
mod driving;
mod given;
