//! Checks that every plugin of a kind must pass; call them from a plugin's own tests.
