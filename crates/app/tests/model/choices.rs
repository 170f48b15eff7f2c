//! Where a generator's decisions come from, and how they are made smaller.
//!
//! A generator asks for small numbers; what it was told is kept. The kept list, changed and played again, gives another
//! valid case, so that shrinking needs to know nothing of pipelines: smaller numbers and fewer of them are simpler cases,
//! and whoever asks for more than there are gets 0, the simplest answer.

/// A source of decisions.
#[derive(Debug, Clone)]
pub(crate) struct Choices {
    state: Option<u64>,
    made: Vec<u32>,
    at: usize,
}

impl Choices {
    /// Decisions by a seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self { state: Some(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)), made: Vec::new(), at: 0 }
    }

    /// Decisions made before.
    pub(crate) fn replayed(made: Vec<u32>) -> Self {
        Self { state: None, made, at: 0 }
    }

    /// The decisions that were asked for.
    pub(crate) fn into_made(mut self) -> Vec<u32> {
        self.made.truncate(self.at);
        self.made
    }

    /// A number below `limit`; 0 is the simplest.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let limit = u32::try_from(limit).unwrap();
        assert!(limit > 0, "there must be something to choose from");
        let chosen = match &mut self.state {
            Some(state) => {
                let chosen = u32::try_from(next(state) % u64::from(limit)).unwrap();
                self.made.push(chosen);
                chosen
            }
            None => self.made.get(self.at).map_or(0, |made| (*made).min(limit - 1)),
        };
        self.at += 1;
        chosen as usize
    }

    /// A number from the range; its beginning is the simplest.
    pub(crate) fn within(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.below(usize::try_from(to - from + 1).unwrap())).unwrap()
    }

    /// True in so many of a hundred cases; false is simpler.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    /// One of them; the first is the simplest.
    pub(crate) fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// The index of one of them, each as likely as its weight says; the first is the simplest.
    pub(crate) fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut chosen = self.below(weights.iter().sum());
        weights
            .iter()
            .position(|weight| {
                let here = chosen < *weight;
                chosen = chosen.saturating_sub(*weight);
                here
            })
            .unwrap()
    }
}

/// `SplitMix64`.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The simplest decisions found in so many tries for which `fails` still holds.
pub(crate) fn shrunk(mut made: Vec<u32>, mut tries: u32, fails: impl Fn(&[u32]) -> bool) -> Vec<u32> {
    loop {
        let before = made.clone();
        let mut size = made.len().next_power_of_two();
        while size > 0 {
            let mut at = made.len();
            while at > 0 && tries > 0 {
                at = at.saturating_sub(size);
                let end = (at + size).min(made.len());
                let without = [&made[..at], &made[end..]].concat();
                let zeroed = [&made[..at], &vec![0; end - at], &made[end..]].concat();
                for smaller in [without, zeroed] {
                    if smaller != made && tries > 0 {
                        tries -= 1;
                        if fails(&smaller) {
                            made = smaller;
                            break;
                        }
                    }
                }
                at = at.min(made.len());
            }
            size /= 2;
        }
        for at in 0..made.len() {
            for less in [made[at] / 2, made[at].saturating_sub(1)] {
                if less < made[at] && tries > 0 {
                    let mut smaller = made.clone();
                    smaller[at] = less;
                    tries -= 1;
                    if fails(&smaller) {
                        made = smaller;
                        break;
                    }
                }
            }
        }
        if made == before || tries == 0 {
            return made;
        }
    }
}

#[test]
fn decisions_shrink_to_the_simplest_ones_that_fail() {
    let sum = |made: &[u32]| {
        let mut choices = Choices::replayed(made.to_vec());
        (0..choices.below(50)).map(|_| choices.below(100)).sum::<usize>()
    };
    let mut choices = Choices::seeded(3);
    let count = choices.below(50);
    for _ in 0..count {
        choices.below(100);
    }
    let made = choices.into_made();
    assert!(sum(&made) >= 150, "the seed must give a case that fails");
    let smallest = shrunk(made, 10_000, |made| sum(made) >= 150);
    assert_eq!(sum(&smallest), 150);
    assert!(smallest.len() <= 4, "{smallest:?}");
}
