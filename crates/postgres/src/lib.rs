//! Where a PostgreSQL database is, and what its errors mean, for all who talk to one.
//!
//! - [`PgAddress`] is a database as a URL names it, and opens connections to it. It can be shown; the password in it cannot.
//! - [`PgFailure`] is an error of the driver in plain words: what can be done, whether another attempt may help, whether the
//!   connection is gone.
//!
//! Invariant: no text that comes out of here has a password in it.
//!
//! This crate sends no statement and knows no tables.
//!
//! ```
//! use elspeth_postgres::PgAddress;
//!
//! let address = PgAddress::parse("postgresql://clerk:hunter2@db.example/claims?sslmode=verify-full").unwrap();
//! assert_eq!(address.location(), "postgresql://clerk@db.example/claims?sslmode=verify-full");
//! ```

mod address;
mod failure;
mod passfile;

pub use address::{PgAddress, PgAddressError, bare_password};
pub use failure::PgFailure;
