//! The execution graph: builder, validation, topology hash.
