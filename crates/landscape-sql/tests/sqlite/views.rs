//! The readable views.
