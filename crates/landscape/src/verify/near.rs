//! Searching sorted lists where the place is nearly known.

use std::cell::Cell;

/// A sorted list in which what is looked for mostly lies near what was looked for before.
pub(super) struct Near<'a, R> {
    list: &'a [R],
    last: Cell<usize>,
}

impl<'a, R> Near<'a, R> {
    pub(super) fn new(list: &'a [R]) -> Self {
        Self { list, last: Cell::new(0) }
    }

    /// The first record with that key, by which the list is sorted.
    pub(super) fn find<K: Ord>(&self, key: &K, of: impl Fn(&R) -> K) -> Option<&'a R> {
        self.from(key, &of).first().filter(|record| of(record) == *key)
    }

    /// The records from the first whose key is not smaller.
    pub(super) fn from<K: Ord>(&self, key: &K, of: impl Fn(&R) -> K) -> &'a [R] {
        let at = partition_near(self.list, self.last.get(), |record| of(record) < *key);
        self.last.set(at);
        &self.list[at..]
    }
}

/// As [`slice::partition_point`], and sooner where the place is near `guess`.
pub(super) fn partition_near<T>(list: &[T], guess: usize, before: impl Fn(&T) -> bool) -> usize {
    let guess = guess.min(list.len());
    let (mut low, mut high, mut step) = (guess, guess, 1);
    if list.get(guess).is_some_and(&before) {
        while list.get(high).is_some_and(&before) {
            low = high + 1;
            high = high.saturating_add(step).min(list.len());
            step *= 2;
        }
    } else {
        while low > 0 {
            high = low;
            low = low.saturating_sub(step);
            step *= 2;
            if before(&list[low]) {
                low += 1;
                break;
            }
        }
    }
    low + list[low..high].partition_point(before)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Near, partition_near};

    proptest! {
        #[test]
        fn a_guess_changes_nothing_but_the_time(
            mut list in prop::collection::vec(0u32..60, 0..80),
            guess in 0usize..100,
            at in 0u32..61,
        ) {
            list.sort_unstable();
            let expected = list.partition_point(|it| *it < at);
            prop_assert_eq!(partition_near(&list, guess, |it| *it < at), expected);
        }

        #[test]
        fn what_is_there_is_found(
            mut list in prop::collection::vec(0u32..60, 0..80),
            sought in prop::collection::vec(0u32..61, 0..40),
        ) {
            list.sort_unstable();
            let near = Near::new(&list);
            for key in sought {
                prop_assert_eq!(near.find(&key, |it| *it), list.iter().find(|it| **it == key));
                prop_assert_eq!(near.from(&key, |it| *it).len(), list.iter().filter(|it| **it >= key).count());
            }
        }
    }
}
