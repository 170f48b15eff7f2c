//! The built-in plugins as a settings file uses them: made by name from options, driven through their traits.

mod conformance;
mod csv_input;
mod csv_output;
mod driving;
mod json_input;
mod json_output;
mod mapping;
mod option_errors;
mod output_files;
mod text_transforms;
