use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::RunId;

/// A moment as microseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Micros(pub i64);

impl Micros {
    /// Microseconds from `earlier` to `self`; negative when the clock was set back in between.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// RFC 3339 with microseconds, UTC: `2026-01-02T03:04:05.000006Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let nanos = i128::from(self.0) * 1_000;
        match OffsetDateTime::from_unix_timestamp_nanos(nanos) {
            Ok(t) => format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
                t.year(),
                u8::from(t.month()),
                t.day(),
                t.hour(),
                t.minute(),
                t.second(),
                t.microsecond()
            ),
            Err(_) => format!("{}us", self.0),
        }
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

/// A text that is no moment.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a time such as `2026-01-02T03:04:05.000006Z`")]
pub struct ParseMicrosError(String);

/// From RFC 3339, with at most six digits of a second's fraction.
impl FromStr for Micros {
    type Err = ParseMicrosError;

    fn from_str(text: &str) -> Result<Self, ParseMicrosError> {
        let refused = || ParseMicrosError(text.to_owned());
        let nanos = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| refused())?.unix_timestamp_nanos();
        let micros = i64::try_from(nanos.div_euclid(1_000)).map_err(|_| refused())?;
        if nanos.rem_euclid(1_000) == 0 { Ok(Self(micros)) } else { Err(refused()) }
    }
}

/// Where the engine takes the time from. Tests use a manual one.
pub trait Clock: Send + Sync {
    /// Wall time, for what is shown and stored.
    fn now(&self) -> Micros;

    /// Microseconds since some fixed point of this process; never goes back. For durations, timers and back-off.
    fn monotonic_us(&self) -> u64;
}

/// Where new run ids come from.
pub trait IdSource: Send + Sync {
    /// A run id that was never returned before.
    fn next_run_id(&self) -> RunId;
}

/// The clocks of the machine.
///
/// The monotonic one counts from long before the process began, so that moments before that can be told by it too.
#[derive(Debug)]
pub struct SystemClock {
    start: std::time::Instant,
}

impl SystemClock {
    /// A clock that runs from now on.
    #[must_use]
    pub fn new() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Micros {
        let since_epoch =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }

    fn monotonic_us(&self) -> u64 {
        BEFORE_US.saturating_add(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

/// What the monotonic clock shows when it is made: 142 years.
const BEFORE_US: u64 = 1 << 52;

/// Run ids from the system's time and randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    fn next_run_id(&self) -> RunId {
        RunId::from_ulid(ulid::Ulid::new())
    }
}
