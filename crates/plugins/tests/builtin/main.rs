//! The built-in plugins as a settings file uses them: made by name from options, driven through their traits.
//!
//! Each module says that it is for tests, so that what they share counts as test code too.

#[cfg(test)]
mod batch_replicate;
#[cfg(test)]
mod batch_stats;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod csv_growth;
#[cfg(test)]
mod csv_input;
#[cfg(test)]
mod csv_output;
#[cfg(test)]
mod database_input;
#[cfg(test)]
mod database_output;
#[cfg(test)]
mod database_server;
#[cfg(test)]
mod driving;
#[cfg(test)]
mod json_explode;
#[cfg(test)]
mod json_input;
#[cfg(test)]
mod json_output;
#[cfg(test)]
mod mapping;
#[cfg(test)]
mod option_errors;
#[cfg(test)]
mod output_files;
mod patterns;
#[cfg(test)]
mod server;
#[cfg(test)]
mod sqlite;
#[cfg(test)]
mod text_transforms;
