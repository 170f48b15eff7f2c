//! Settings files: parsing with positions, validation, JSON Schema.
