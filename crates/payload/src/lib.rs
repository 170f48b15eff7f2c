//! Row bodies: packed blocks and content-addressed files.
