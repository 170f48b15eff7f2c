//! The audit record: store traits, recorder, lineage, integrity.
