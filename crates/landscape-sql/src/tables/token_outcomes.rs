//! `token_outcomes`: what became of tokens.

use elspeth_contracts::{Outcome, TokenOutcomeRecord};
use elspeth_landscape::LandscapeError;

use crate::insert::{Table, Values, shape};
use crate::stored::{Origin, Stored};

pub(crate) struct TokenOutcomes;

const NOT_TERMINAL: u8 = 1;
/// Step and attempt.
const HAS_ERROR: u8 = 2 | 4;
const HAS_GROUP: u8 = 8;
const HAS_BATCH: u8 = 16;

impl Table for TokenOutcomes {
    type Record = TokenOutcomeRecord;
    const NAME: &'static str = "token_outcomes";
    const COLUMNS: &'static [&'static str] = &["token", "outcome", "sink"];
    const UNUSUAL: &'static [&'static str] =
        &["terminal", "error_step", "error_attempt", "group_no", "batch_no"];

    fn needs(record: &TokenOutcomeRecord) -> u8 {
        shape([
            !record.outcome.is_terminal(),
            record.error_at.is_some(),
            record.error_at.is_some(),
            record.group.is_some(),
            record.batch_no.is_some(),
        ])
    }

    fn bind(record: &TokenOutcomeRecord, shape: u8, values: &mut Values) {
        values.token(record.token).int(i64::from(record.outcome.code())).maybe_step(record.sink);
        if shape & NOT_TERMINAL != 0 {
            values.int(i64::from(record.outcome.is_terminal()));
        }
        if shape & HAS_ERROR != 0 {
            let (step, attempt) = record.error_at.unzip();
            values.maybe_step(step).maybe_int(attempt.map(i64::from));
        }
        if shape & HAS_GROUP != 0 {
            values.maybe_int(record.group.map(|group| group.get().cast_signed()));
        }
        if shape & HAS_BATCH != 0 {
            values.maybe_int(record.batch_no.map(|number| number.get().cast_signed()));
        }
    }
}

impl TokenOutcomes {
    /// Tokens behind one whose way an error ended, unless it was being late for a merge.
    pub(crate) const SELECT_FAILED: &'static str = "SELECT t.token
        FROM token_outcomes t WHERE t.run_no = ? AND t.token > ? AND t.error_step IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM transform_errors e
            WHERE (e.run_no, e.token, e.step, e.attempt) = (t.run_no, t.token, t.error_step, t.error_attempt)
                AND e.reason ->> 'kind' = 'late_arrival_after_merge')
        ORDER BY t.token LIMIT ?";
    /// Tokens that came too late for a merge, without their outcome.
    pub(crate) const SELECT_LATE: &'static str = "SELECT e.token FROM transform_errors e
        WHERE e.run_no = ? AND e.reason ->> 'kind' = 'late_arrival_after_merge' AND NOT EXISTS (
            SELECT 1 FROM token_outcomes t WHERE (t.run_no, t.token, t.terminal) = (e.run_no, e.token, 1))";
    pub(crate) const ORIGIN: Origin =
        Origin { table: "token_outcomes", key: &["run_no", "token", "terminal"] };

    /// A token's outcome; the terminal one when there are two.
    pub(crate) const SELECT: &'static str =
        "SELECT run_no, token, terminal, outcome, sink, error_step, error_attempt,
        group_no, batch_no FROM token_outcomes WHERE run_no = ? AND token = ? ORDER BY terminal DESC LIMIT 1";

    pub(crate) fn read(stored: &Stored<'_>) -> Result<TokenOutcomeRecord, LandscapeError> {
        let error_at = match (stored.maybe_step("error_step")?, stored.maybe_int("error_attempt")?) {
            (Some(step), Some(_)) => Some((step, stored.number("error_attempt")?)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(stored.corrupt("`error_step` and `error_attempt` belong together"));
            }
        };
        let outcome = stored.code("outcome", Outcome::from_code)?;
        if stored.flag("terminal")? != outcome.is_terminal() {
            return Err(stored.corrupt(format!("`terminal` contradicts the outcome `{outcome}`")));
        }
        Ok(TokenOutcomeRecord {
            token: stored.token("token")?,
            outcome,
            sink: stored.maybe_step("sink")?,
            group: stored.maybe_token("group_no")?,
            batch_no: stored.maybe_release("batch_no")?,
            error_at,
        })
    }
}
