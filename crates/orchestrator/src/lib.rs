//! Run phases: begin, epochs, seal, report.
