//! The binary as people and programs meet it.

#[macro_use]
mod support;
mod exporting;
mod full_server;
mod postgresql;
mod purging;
mod receipts;
mod shapes;
mod signing;
mod stopping;
mod surviving;
mod texts;
mod verifying;
