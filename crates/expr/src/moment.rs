//! Dates and moments beside text.
//!
//! The language has no date literals, so text that is written like one stands for it in comparisons.

use std::cmp::Ordering;

use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime, UtcOffset};

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const LOCAL: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second][optional [.[subsecond]]]");

/// What a date may be compared with.
pub(crate) const DATE_FORM: &str = "'2024-01-31'";

/// What a moment may be compared with.
pub(crate) const MOMENT_FORM: &str = "'2024-01-31T12:00:00Z'";

/// A calendar day: `2024-01-31`.
pub(crate) fn parse_date(text: &str) -> Option<Date> {
    Date::parse(text, DAY).ok()
}

/// A moment as RFC 3339 has it; without an offset it is UTC, and a day alone is its first moment.
pub(crate) fn parse_moment(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .or_else(|| PrimitiveDateTime::parse(text, LOCAL).ok().map(PrimitiveDateTime::assume_utc))
        .or_else(|| parse_date(text).map(|day| day.midnight().assume_utc()))
}

/// The order of a date and the day that a text names.
pub(crate) fn order_date(date: Date, text: &str) -> Option<Ordering> {
    parse_date(text).map(|other| date.cmp(&other))
}

/// The order of a moment and the one that a text names.
pub(crate) fn order_moment(moment: OffsetDateTime, text: &str) -> Option<Ordering> {
    parse_moment(text).map(|other| moment.cmp(&other))
}

/// The text of a date: `2024-01-31`.
pub(crate) fn date_text(date: Date) -> String {
    date.format(DAY).expect("every date has a year, a month and a day")
}

/// The text of a moment: RFC 3339 in UTC, as in the canonical form. Years that RFC 3339 lacks are written by `time`.
pub(crate) fn moment_text(moment: OffsetDateTime) -> String {
    let utc = moment.to_offset(UtcOffset::UTC);
    utc.format(&Rfc3339).unwrap_or_else(|_| utc.to_string())
}
