//! Values of statements, as the driver sends them.

use rusqlite::types::ValueRef;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo};
use sqlx::{Arguments as _, Encode, Postgres, Type};

use crate::db::Bind;

/// The type that the server finds by itself, where nothing is given.
const UNSPECIFIED: Oid = Oid(0);
const BYTEA: Oid = Oid(17);
const INT8: Oid = Oid(20);
const TEXT: Oid = Oid(25);

struct Parameter<'v>(ValueRef<'v>);

impl Type<Postgres> for Parameter<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(UNSPECIFIED)
    }
}

impl Encode<'_, Postgres> for Parameter<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        match self.0 {
            ValueRef::Null => return Ok(IsNull::Yes),
            ValueRef::Integer(number) => buffer.extend(&number.to_be_bytes()),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => buffer.extend(bytes),
            ValueRef::Real(_) => return Err("the record has no such numbers".into()),
        }
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(match self.0 {
            ValueRef::Integer(_) => INT8,
            ValueRef::Text(_) => TEXT,
            ValueRef::Blob(_) => BYTEA,
            ValueRef::Null | ValueRef::Real(_) => UNSPECIFIED,
        }))
    }
}

/// All of them, in their order.
pub(super) fn arguments(values: &[&dyn Bind]) -> sqlx::Result<PgArguments> {
    let mut arguments = PgArguments::default();
    for value in values {
        arguments.add(Parameter(value.bind())).map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}
