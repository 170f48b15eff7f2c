//! Test support: manual clock, seeded ids, scratch folders.
