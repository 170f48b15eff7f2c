//! `token_parents`: what forked, expanded, merged and aggregated tokens came from.

use elspeth_contracts::TokenParentRecord;
use elspeth_landscape::LandscapeError;

use crate::insert::{Table, Values};
use crate::stored::{Origin, Stored};

pub(crate) struct TokenParents;

impl Table for TokenParents {
    type Record = TokenParentRecord;
    const NAME: &'static str = "token_parents";
    const COLUMNS: &'static [&'static str] = &["token", "ordinal", "parent"];

    fn bind(record: &TokenParentRecord, _shape: u8, values: &mut Values) {
        values.token(record.token).int(i64::from(record.ordinal)).token(record.parent);
    }
}

impl TokenParents {
    pub(crate) const ORIGIN: Origin = Origin { table: "token_parents", key: &["run_no", "token", "ordinal"] };

    pub(crate) const SELECT: &'static str = "SELECT run_no, token, ordinal, parent FROM token_parents WHERE run_no = ? AND token = ? ORDER BY ordinal";

    /// The first parents of the tokens in the list `?2`.
    pub(crate) const SELECT_FIRST: &'static str = "SELECT run_no, token, ordinal, parent FROM token_parents
        WHERE run_no = ?1 AND token IN (SELECT value FROM json_each(?2)) AND ordinal = 0 ORDER BY token";

    pub(crate) fn read(stored: &Stored<'_>) -> Result<TokenParentRecord, LandscapeError> {
        Ok(TokenParentRecord {
            token: stored.token("token")?,
            parent: stored.token("parent")?,
            ordinal: stored.number("ordinal")?,
        })
    }
}
