//! Tests of the crate through its public interface; one program, so that it links once.

mod coercion;
mod contracts;
mod declared;
mod golden;
mod names;
mod properties;
mod rows;
