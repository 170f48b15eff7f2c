//! The audit record on SQLite through sqlx.
