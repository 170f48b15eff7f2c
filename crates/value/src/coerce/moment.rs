//! Days and moments from text, by RFC 3339: fixed widths, digits only, always with an offset.
//!
//! Read here and not by a format library because what is refused matters: a second 60 would be moved to another moment,
//! and more than nine digits of a second would be cut.

use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

use super::{CoerceError, refused};

const A_DAY: &str = "a day, as in 2026-01-31";
const A_MOMENT: &str = "a moment with its offset, as in 2026-01-31T09:30:00Z";

/// `YYYY-MM-DD`.
pub(super) fn date(text: &str) -> Result<Date, CoerceError> {
    date_of(text.as_bytes()).ok_or_else(|| refused(text, A_DAY))
}

/// `YYYY-MM-DDTHH:MM:SS`, a fraction of up to nine digits, and `Z` or `+HH:MM`; as UTC.
pub(super) fn datetime(text: &str) -> Result<OffsetDateTime, CoerceError> {
    let unreadable = || refused(text, A_MOMENT);
    let (day, rest) = text.as_bytes().split_at_checked(10).ok_or_else(unreadable)?;
    let (clock, offset) = rest.split_at_checked(9).ok_or_else(unreadable)?;
    let (nanos, offset) = fraction(offset).ok_or_else(unreadable)?;
    let (date, time) = date_of(day).zip(time_of(clock, nanos)).ok_or_else(unreadable)?;
    if offset.is_empty() {
        return Err(refused(
            text,
            &format!("{A_MOMENT}: it has no offset, so that nobody knows which moment it is"),
        ));
    }
    let offset = offset_of(offset).ok_or_else(unreadable)?;
    date.with_time(time)
        .assume_offset(offset)
        .checked_to_offset(UtcOffset::UTC)
        .filter(|moment| moment.year() >= 1)
        .ok_or_else(|| refused(text, "within the years 1 to 9999"))
}

fn date_of(text: &[u8]) -> Option<Date> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return None };
    let year = number(&[*y1, *y2, *y3, *y4]).filter(|year| *year >= 1)?;
    let month = Month::try_from(pair(*m1, *m2)?).ok()?;
    Date::from_calendar_date(i32::try_from(year).ok()?, month, pair(*d1, *d2)?).ok()
}

/// `T09:30:00`; RFC 3339 allows a small `t` and a blank as well.
fn time_of(text: &[u8], nanos: u32) -> Option<Time> {
    let [b'T' | b't' | b' ', h1, h2, b':', m1, m2, b':', s1, s2] = text else { return None };
    Time::from_hms_nano(pair(*h1, *h2)?, pair(*m1, *m2)?, pair(*s1, *s2)?, nanos).ok()
}

/// Nanoseconds, and what comes behind them.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let [b'.', rest @ ..] = text else { return Some((0, text)) };
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let (fraction, behind) = rest.split_at(digits);
    let (kept, beyond) = fraction.split_at(digits.min(9));
    if digits == 0 || beyond.iter().any(|b| *b != b'0') {
        return None;
    }
    let zeros = 9 - u32::try_from(kept.len()).ok()?;
    Some((number(kept)? * 10_u32.pow(zeros), behind))
}

fn offset_of(text: &[u8]) -> Option<UtcOffset> {
    if let b"Z" | b"z" = text {
        return Some(UtcOffset::UTC);
    }
    let [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] = text else { return None };
    let sign = if *sign == b'-' { -1 } else { 1 };
    let hours = pair(*h1, *h2).filter(|hours| *hours < 24)?;
    let minutes = pair(*m1, *m2).filter(|minutes| *minutes < 60)?;
    UtcOffset::from_whole_seconds(sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60)).ok()
}

fn pair(tens: u8, ones: u8) -> Option<u8> {
    u8::try_from(number(&[tens, ones])?).ok()
}

/// At most nine digits.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, b| b.is_ascii_digit().then(|| value * 10 + u32::from(b - b'0')))
}
