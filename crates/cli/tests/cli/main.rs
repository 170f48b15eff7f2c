//! The binary as people and programs meet it.

#[macro_use]
mod support;
mod shapes;
mod texts;
