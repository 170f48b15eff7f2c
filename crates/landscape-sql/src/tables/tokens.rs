//! `tokens`: the instances of rows.

use elspeth_contracts::TokenRecord;
use elspeth_landscape::LandscapeError;

use crate::insert::{Table, Values, shape};
use crate::stored::{Origin, Stored};

pub(crate) struct Tokens;

const HAS_BRANCH: u8 = 1;
const HAS_GROUP: u8 = 2;

impl Table for Tokens {
    type Record = TokenRecord;
    const NAME: &'static str = "tokens";
    const COLUMNS: &'static [&'static str] = &["token"];
    const UNUSUAL: &'static [&'static str] = &["branch", "group_no"];

    fn needs(record: &TokenRecord) -> u8 {
        shape([record.branch.is_some(), record.group.is_some()])
    }

    fn bind(record: &TokenRecord, shape: u8, values: &mut Values) {
        values.token(record.token);
        if shape & HAS_BRANCH != 0 {
            values.maybe_text(record.branch.as_deref());
        }
        if shape & HAS_GROUP != 0 {
            values.maybe_int(record.group.map(|group| group.get().cast_signed()));
        }
    }
}

impl Tokens {
    pub(crate) const ORIGIN: Origin = Origin { table: "tokens", key: &["run_no", "token"] };

    /// The tokens of a range of numbers.
    pub(crate) const SELECT: &'static str = "SELECT run_no, token, branch, group_no FROM tokens WHERE run_no = ? AND token BETWEEN ? AND ? ORDER BY token";

    /// Tokens of a range of numbers that have `?2` among their parents. Which numbers those are is known from the parent,
    /// so this needs no index by parent.
    pub(crate) const SELECT_CHILDREN: &'static str =
        "SELECT t.run_no, t.token, t.branch, t.group_no FROM token_parents p
        CROSS JOIN tokens t ON t.run_no = p.run_no AND t.token = p.token
        WHERE p.run_no = ?1 AND p.parent = ?2 AND p.token BETWEEN ?3 AND ?4 ORDER BY p.token";

    pub(crate) fn read(stored: &Stored<'_>) -> Result<TokenRecord, LandscapeError> {
        Ok(TokenRecord {
            token: stored.token("token")?,
            branch: stored.maybe_text("branch")?.map(Into::into),
            group: stored.maybe_token("group_no")?,
        })
    }
}
