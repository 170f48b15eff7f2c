//! How long a database is waited for whose server is away.

use std::time::Duration;

use backon::ExponentialBuilder;

/// The longest of the waits between two attempts.
pub const LONGEST_WAIT: Duration = Duration::from_secs(6);

/// The waits between attempts, longer and longer: 24 seconds in all, beside what the attempts take. After the last of
/// them the database is given up.
pub const WAITS: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(LONGEST_WAIT)
    .with_max_times(9);

#[cfg(test)]
mod tests {
    use backon::BackoffBuilder as _;

    use super::*;

    #[test]
    fn twenty_four_seconds_are_waited_in_all() {
        let waits: Vec<_> = WAITS.build().collect();
        assert_eq!(waits.iter().sum::<Duration>().as_millis(), 24_300);
        assert!(waits.is_sorted() && waits.last() == Some(&LONGEST_WAIT));
    }
}
