//! Row bodies: packed blocks and content-addressed files.

mod block;

pub use block::{Block, BlockBuilder, Body, BodyKey, BodyFragment, PayloadError};
