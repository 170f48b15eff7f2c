//! Answers "why?" from a reader.
