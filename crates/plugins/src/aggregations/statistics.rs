//! The statistics of one group, gathered number by number.
//!
//! Everything but median and percentiles is kept in a few numbers for each group. Those two need all the values: eight
//! bytes for each member, and only when they are asked for.

use std::cmp::Ordering;

use elspeth_value::{FieldType, Value};

use super::number::{Number, Sum, TooLarge};
use super::spread::Spread;

/// One statistic that a batch's output may have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Statistic {
    /// How many members have a number.
    Count,
    Sum,
    /// How many members the group has, with or without a number.
    BatchSize,
    Mean,
    Min,
    Max,
    /// The sample standard deviation, with Bessel's correction.
    Stddev,
    Median,
    /// From 0 to 100, interpolated linearly between the two nearest values.
    Percentile(f64),
}

impl Statistic {
    /// The field that holds it.
    pub(super) fn field(self) -> String {
        match self {
            Self::Count => "count".to_owned(),
            Self::Sum => "sum".to_owned(),
            Self::BatchSize => "batch_size".to_owned(),
            Self::Mean => "mean".to_owned(),
            Self::Min => "min".to_owned(),
            Self::Max => "max".to_owned(),
            Self::Stddev => "stddev".to_owned(),
            Self::Median => "median".to_owned(),
            Self::Percentile(p) => format!("p{p}").replace('.', "_"),
        }
    }

    /// The type of that field when the numbers are of type `of`.
    pub(super) fn field_type(self, of: FieldType) -> FieldType {
        match self {
            Self::Count | Self::BatchSize => FieldType::Int,
            Self::Sum | Self::Min | Self::Max => of,
            Self::Mean if of == FieldType::Int => FieldType::Float,
            Self::Mean => of,
            Self::Stddev | Self::Median | Self::Percentile(_) => FieldType::Float,
        }
    }

    /// Whether a group of one number has it.
    pub(super) fn is_always_there(self) -> bool {
        self != Self::Stddev
    }
}

/// What has been gathered of one group.
#[derive(Debug)]
pub(super) struct Group {
    /// The value that its members share.
    pub(super) key: Value,
    /// Its members, with or without a number.
    pub(super) members: u64,
    sum: Sum,
    least: Option<Number>,
    greatest: Option<Number>,
    spread: Option<Spread>,
    values: Option<Vec<f64>>,
}

impl Group {
    /// An empty group, ready for these statistics.
    pub(super) fn new(key: Value, wanted: &[Statistic]) -> Self {
        let sorted = |s: &Statistic| matches!(s, Statistic::Median | Statistic::Percentile(_));
        Self {
            key,
            members: 0,
            sum: Sum::default(),
            least: None,
            greatest: None,
            spread: wanted.contains(&Statistic::Stddev).then(Spread::default),
            values: wanted.iter().any(sorted).then(Vec::new),
        }
    }

    pub(super) fn add(&mut self, number: Number) {
        self.sum.add(number);
        if self.least.is_none_or(|least| number.compare(least) == Ordering::Less) {
            self.least = Some(number);
        }
        if self.greatest.is_none_or(|greatest| number.compare(greatest) == Ordering::Greater) {
            self.greatest = Some(number);
        }
        if let Some(spread) = &mut self.spread {
            spread.add(number);
        }
        if let Some(values) = &mut self.values {
            values.push(number.as_float());
        }
    }

    /// Whether none of its members has a number.
    pub(super) fn is_empty(&self) -> bool {
        self.sum.count() == 0
    }

    /// How far its sum can go, and what to do where that is not enough.
    pub(super) fn limit(&self) -> String {
        self.sum.limit()
    }

    /// Must come before the statistics are asked for.
    pub(super) fn close(&mut self) {
        if let Some(values) = &mut self.values {
            values.sort_unstable_by(f64::total_cmp);
        }
    }

    /// One statistic of a group that is closed and not empty.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub(super) fn value(&self, statistic: Statistic) -> Result<Value, TooLarge> {
        match statistic {
            Statistic::Count => Ok(whole(self.sum.count())),
            Statistic::BatchSize => Ok(whole(self.members)),
            Statistic::Sum => self.sum.total().map(Number::value),
            Statistic::Mean => self.sum.mean().map(Number::value),
            Statistic::Min => Ok(self.least.map_or(Value::Null, Number::value)),
            Statistic::Max => Ok(self.greatest.map_or(Value::Null, Number::value)),
            Statistic::Stddev => {
                self.spread.as_ref().and_then(Spread::deviation).map_or(Ok(Value::Null), float)
            }
            Statistic::Median => float(self.quantile(0.5)),
            Statistic::Percentile(p) => float(self.quantile(p / 100.0)),
        }
    }

    fn quantile(&self, share: f64) -> f64 {
        let values = self.values.as_deref().unwrap_or_default();
        let Some(last) = values.len().checked_sub(1) else { return f64::NAN };
        let place = share * last as f64;
        let (low, part) = (place.floor() as usize, place.fract());
        let (below, above) = (values[low.min(last)], values[(low + 1).min(last)]);
        match part {
            0.0 => below,
            0.5 => below / 2.0 + above / 2.0,
            _ if below == above => below,
            _ => below * (1.0 - part) + above * part,
        }
    }
}

fn whole(count: u64) -> Value {
    i64::try_from(count).map_or(Value::Null, Value::Int)
}

fn float(number: f64) -> Result<Value, TooLarge> {
    if number.is_finite() { Ok(Value::Float(number)) } else { Err(TooLarge) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(numbers: &[f64]) -> Group {
        let wanted = [Statistic::Stddev, Statistic::Median];
        let mut group = Group::new(Value::Null, &wanted);
        numbers.iter().for_each(|n| group.add(Number::Float(*n)));
        group.close();
        group
    }

    /// The figures are those of `statistics.stdev` and `numpy.percentile`.
    #[test]
    fn spread_and_percentiles_are_those_that_others_compute() {
        let numbers = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        let cases = [
            (Statistic::Stddev, 2.138_089_935_299_395),
            (Statistic::Median, 4.5),
            (Statistic::Percentile(0.0), 2.0),
            (Statistic::Percentile(25.0), 4.0),
            (Statistic::Percentile(90.0), 7.6),
            (Statistic::Percentile(100.0), 9.0),
            (Statistic::Min, 2.0),
            (Statistic::Max, 9.0),
        ];
        let group = group(&numbers);
        for (statistic, expected) in cases {
            let Ok(Value::Float(found)) = group.value(statistic) else { panic!("{statistic:?} is no float") };
            assert!((found - expected).abs() < 1e-12, "{statistic:?} is {found}, not {expected}");
        }
    }

    #[test]
    fn one_number_has_a_median_and_no_deviation() {
        let one = group(&[7.5]);
        assert_eq!(one.value(Statistic::Stddev), Ok(Value::Null));
        assert_eq!(one.value(Statistic::Median), Ok(Value::Float(7.5)));
        assert_eq!(one.value(Statistic::Percentile(99.0)), Ok(Value::Float(7.5)));
    }

    #[test]
    fn extreme_numbers_have_a_median_where_their_sum_is_too_large() {
        let huge = group(&[f64::MAX, f64::MAX]);
        assert_eq!(huge.value(Statistic::Median), Ok(Value::Float(f64::MAX)));
        assert_eq!(huge.value(Statistic::Sum), Err(TooLarge));
    }

    #[test]
    fn fields_are_called_after_their_statistic() {
        assert_eq!(Statistic::Percentile(99.0).field(), "p99");
        assert_eq!(Statistic::Percentile(99.9).field(), "p99_9");
    }
}
