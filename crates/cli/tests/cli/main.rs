//! The binary as people and programs meet it.

#[macro_use]
mod support;
// What its tests share counts as test code too.
#[cfg(test)]
mod databases;
mod exporting;
mod full_server;
mod leaving;
mod looking;
mod lost_server;
mod original_headers;
mod postgresql;
mod progress;
mod purging;
mod receipts;
mod shapes;
mod signing;
mod stopping;
mod surviving;
mod terminal;
mod texts;
mod verifying;
