//! `calls`: requests to the outside.

use elspeth_contracts::{CallRecord, CallStatus, CallType};
use elspeth_landscape::LandscapeError;

use crate::insert::{Table, Values, shape};
use crate::stored::{Origin, Stored, reason_json};

pub(crate) struct Calls;

const HAS_ERROR: u8 = 1;

impl Table for Calls {
    type Record = CallRecord;
    const NAME: &'static str = "calls";
    const COLUMNS: &'static [&'static str] = &[
        "token",
        "step",
        "attempt",
        "call_index",
        "call_no",
        "call_type",
        "status",
        "latency_us",
        "request_hash",
        "response_hash",
    ];
    const UNUSUAL: &'static [&'static str] = &["error"];

    fn needs(record: &CallRecord) -> u8 {
        shape([record.error.is_some()])
    }

    fn bind(record: &CallRecord, shape: u8, values: &mut Values) {
        values
            .token(record.token)
            .step(record.step)
            .int(i64::from(record.attempt))
            .int(i64::from(record.call_index))
            .unsigned(record.call_no)
            .int(i64::from(record.call_type.code()))
            .int(i64::from(record.status.code()))
            .int(record.latency_us)
            .hash(&record.request_hash)
            .maybe_hash(record.response_hash.as_ref());
        if shape & HAS_ERROR != 0 {
            values.maybe_text(record.error.as_ref().map(reason_json).as_deref());
        }
    }
}

impl Calls {
    pub(crate) const ORIGIN: Origin =
        Origin { table: "calls", key: &["run_no", "token", "step", "attempt", "call_index"] };

    pub(crate) const SELECT: &'static str =
        "SELECT run_no, token, step, attempt, call_index, call_no, call_type,
        status, latency_us, request_hash, response_hash, error
        FROM calls WHERE run_no = ? AND token = ? ORDER BY step, attempt, call_index";

    pub(crate) fn read(stored: &Stored<'_>) -> Result<CallRecord, LandscapeError> {
        Ok(CallRecord {
            call_no: stored.unsigned("call_no")?,
            token: stored.token("token")?,
            step: stored.step("step")?,
            attempt: stored.number("attempt")?,
            call_index: stored.number("call_index")?,
            call_type: stored.code("call_type", CallType::from_code)?,
            status: stored.code("status", CallStatus::from_code)?,
            request_hash: stored.hash("request_hash")?,
            response_hash: stored.maybe_hash("response_hash")?,
            error: stored.maybe_reason("error")?,
            latency_us: stored.int("latency_us")?,
        })
    }
}
