//! Random pipelines against a model of what pipelines mean.
//!
//! A generator ([`generate`]) makes valid pipelines with random input, bad records and rows that expressions and plugins
//! fail for; a reference interpreter ([`interpret`]) says what must come of them; the program runs them. Then two things
//! must hold: sinks, counters and outcomes are those of the model; and neither the number of workers nor the size of
//! epochs nor stops with a resumption shows in sinks, content root or record. What fails is made smaller before it is printed.
#![expect(clippy::unwrap_used, reason = "what fails here fails its test, with the place")]

mod choices;
mod compare;
mod data;
mod expression;
mod generate;
mod interpret;
mod pipeline;
mod plugins;
mod record;
mod run;
mod scope;
mod settings;

use choices::Choices;
use run::Bench;

/// How many pipelines each test looks at. There are sixteen tests, which run beside each other.
const PIPELINES: u64 = 32;

/// How many smaller pipelines are tried when one fails: as many as a test has time for.
const TRIES: u32 = 150;

fn check_part(part: u64) {
    let bench = Bench::new();
    let first = part * PIPELINES;
    let resumed: u32 = (first..first + PIPELINES).map(|seed| check_seed(&bench, seed)).sum();
    assert!(resumed > 0, "no run was stopped before it was through");
}

/// How often its runs were resumed.
fn check_seed(bench: &Bench, seed: u64) -> u32 {
    let mut choices = Choices::seeded(seed);
    let pipeline = generate::pipeline(&mut choices);
    let found = match compare::check(bench, &pipeline, seed) {
        Ok(resumed) => return resumed,
        Err(found) => found,
    };
    // Said before it is made smaller, which takes its time.
    eprintln!("seed {seed}: {found}\n{}", compare::shown(&pipeline));
    let again = |made: &[u32]| {
        let pipeline = generate::pipeline(&mut Choices::replayed(made.to_vec()));
        compare::check(bench, &pipeline, seed)
    };
    let smallest = choices::shrunk(choices.into_made(), TRIES, |made| {
        again(made).is_err_and(|other| other.kind == found.kind)
    });
    let smaller = again(&smallest).expect_err("it failed while it was made smaller");
    let pipeline = generate::pipeline(&mut Choices::replayed(smallest));
    panic!("seed {seed}: {smaller}\n{}", compare::shown(&pipeline));
}

macro_rules! parts {
    ($($name:ident = $part:literal,)+) => {$(
        #[test]
        fn $name() {
            check_part($part);
        }
    )+};
}

parts! {
    random_pipelines_do_what_the_model_says_part_0 = 0,
    random_pipelines_do_what_the_model_says_part_1 = 1,
    random_pipelines_do_what_the_model_says_part_2 = 2,
    random_pipelines_do_what_the_model_says_part_3 = 3,
    random_pipelines_do_what_the_model_says_part_4 = 4,
    random_pipelines_do_what_the_model_says_part_5 = 5,
    random_pipelines_do_what_the_model_says_part_6 = 6,
    random_pipelines_do_what_the_model_says_part_7 = 7,
    random_pipelines_do_what_the_model_says_part_8 = 8,
    random_pipelines_do_what_the_model_says_part_9 = 9,
    random_pipelines_do_what_the_model_says_part_10 = 10,
    random_pipelines_do_what_the_model_says_part_11 = 11,
    random_pipelines_do_what_the_model_says_part_12 = 12,
    random_pipelines_do_what_the_model_says_part_13 = 13,
    random_pipelines_do_what_the_model_says_part_14 = 14,
    random_pipelines_do_what_the_model_says_part_15 = 15,
}
